// HTTP that means harm: smuggled requests, floods, clients that send slowly, never, or never read.
// Whatever they do, a WebSocket beside gets its rows and a request beside its answer.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { exchange, head, statuses } from '../lib/exchange.mjs';
import { frame, RawSocket, TEXT } from '../lib/frames.mjs';
import { startHouse } from '../lib/house.mjs';
import { RawClient, websocketUrl } from '../lib/realtime.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { waitFor } from '../lib/wait.mjs';

const HIDDEN = head('GET /health/live HTTP/1.1', 'Host: hidden');
const post = (...lines) => head('POST /x HTTP/1.1', 'Host: x', ...lines);
const CHUNKED = 'Transfer-Encoding: chunked';

suite('HTTP that means harm', () => {
  let house;
  let port;
  let good;
  const cleanups = [];
  const suiteT = { after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true };
  before(async () => {
    house = await startHouse(suiteT, { schema: 'CREATE TABLE todos (id bigserial PRIMARY KEY)' });
    port = house.walcast.port;
    good = await RawClient.connect(suiteT, websocketUrl(house.walcast, { apikey: goodToken(), vsn: '2.0.0' }));
    good.join('1', 'realtime:good', { postgres_changes: [{ event: 'INSERT', schema: 'public', table: 'todos' }] });
    assert.equal((await good.reply('1'))[4].status, 'ok');
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  async function othersAreServed() {
    const [{ rows: [{ id }] }] = [await house.postgres.query('INSERT INTO todos DEFAULT VALUES RETURNING id')];
    await good.next('the row', (message) => message[3] === 'postgres_changes' && message[4].data.record.id === Number(id));
    assert.equal((await fetch(`${house.walcast.url}/health/live`)).status, 200);
  }

  // Each would hide a second request in front of one reader or another.
  const smuggled = {
    'chunked beside a length': post('Content-Length: 3', CHUNKED) + `0\r\n\r\n${HIDDEN}`,
    'a length beside chunked': post(CHUNKED, 'Content-Length: 3') + `0\r\n\r\n${HIDDEN}`,
    'chunked twice': post(CHUNKED, CHUNKED) + `0\r\n\r\n${HIDDEN}`,
    'chunked, then identity': post(CHUNKED, 'Transfer-Encoding: identity') + `0\r\n\r\n${HIDDEN}`,
    'chunked, identity': post('Transfer-Encoding: chunked, identity') + `0\r\n\r\n${HIDDEN}`,
    'identity': post('Transfer-Encoding: identity', 'Content-Length: 3') + `abc${HIDDEN}`,
    'xchunked': post('Transfer-Encoding: xchunked') + `0\r\n\r\n${HIDDEN}`,
    'chunked in quotes': post('Transfer-Encoding: "chunked"') + `0\r\n\r\n${HIDDEN}`,
    'a vertical tab before chunked': post('Transfer-Encoding:\x0bchunked') + `0\r\n\r\n${HIDDEN}`,
    'a blank before the colon': post('Transfer-Encoding : chunked') + `0\r\n\r\n${HIDDEN}`,
    'a folded transfer coding': post('Transfer-Encoding:\r\n chunked') + `0\r\n\r\n${HIDDEN}`,
    'a line feed inside a header': post('X: y\nTransfer-Encoding: chunked') + `0\r\n\r\n${HIDDEN}`,
    'an empty transfer coding': post('Transfer-Encoding:') + HIDDEN,
    'two lengths': post('Content-Length: 0', `Content-Length: ${HIDDEN.length}`) + HIDDEN,
    'a length with a plus': post(`Content-Length: +${HIDDEN.length}`) + HIDDEN,
    'a length in hex': post('Content-Length: 0x10') + HIDDEN,
    'a length with a blank inside': post('Content-Length: 1 0') + HIDDEN,
    'a length with a comma': post('Content-Length: 0,0') + HIDDEN,
    'an empty length': post('Content-Length:') + HIDDEN,
    'a length of letters': post('Content-Length: ten') + HIDDEN,
    'a length with a fraction': post('Content-Length: 1.0') + HIDDEN,
    'a length with an exponent': post('Content-Length: 1e1') + HIDDEN,
    'a chunk size with 0x': post(CHUNKED) + `0x3\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'a chunk size with a plus': post(CHUNKED) + `+3\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'a chunk size below zero': post(CHUNKED) + `-3\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'a chunk size with a blank before': post(CHUNKED) + ` 3\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'a chunk size that is empty': post(CHUNKED) + `\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'a chunk that ends in a line feed': post(CHUNKED) + `3\nabc\n0\n\n${HIDDEN}`,
    'a chunk longer than it says': post(CHUNKED) + `3\r\nabcd\r\n0\r\n\r\n${HIDDEN}`,
    'a chunk shorter than it says': post(CHUNKED) + `5\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'a GET with chunked and a length': head('GET /x HTTP/1.1', 'Host: x', CHUNKED, 'Content-Length: 5') + `0\r\n\r\n${HIDDEN}`,
  };
  suite('beside each other', { concurrency: 4 }, () => {
    for (const [what, bytes] of Object.entries(smuggled))
      test(`smuggling by ${what}: one answer, an error, and the end`, async () => {
        const { text, closed } = await exchange(port, bytes);
        assert.equal(statuses(text).length, 1, text);
        assert.ok([400, 501].includes(statuses(text)[0]), text);
        assert.ok(closed);
      });

    test('a body belongs to its request, with every method that has one', async () => {
      for (const method of ['GET', 'HEAD', 'DELETE', 'POST', 'OPTIONS']) {
        const { text } = await exchange(port, head(`${method} /nothing HTTP/1.1`, 'Host: x', `Content-Length: ${HIDDEN.length}`) + HIDDEN +
          head('GET /health/live HTTP/1.1', 'Host: x', 'Connection: close'));
        assert.equal(statuses(text).length, 2, `${method}: ${text}`);
        assert.equal(statuses(text)[1], 200);
      }
    });

    test('a handshake with a body: the body is no frame', async (t) => {
      const path = `/realtime/v1/websocket?vsn=2.0.0&apikey=${goodToken()}`;
      const body = frame(TEXT, '[null,"hidden","phoenix","heartbeat",{}]');
      const raw = await RawSocket.open(t, port, path, { headers: [`Content-Length: ${body.length}`],
        with: Buffer.concat([body, frame(TEXT, '[null,"seen","phoenix","heartbeat",{}]')]) });
      assert.equal(JSON.parse((await raw.next()).payload)[1], 'seen');
      const { text } = await exchange(port, head(`GET ${path} HTTP/1.1`, 'Host: x', 'Connection: Upgrade', 'Upgrade: websocket',
        'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', CHUNKED, 'Content-Length: 1') + '0\r\n\r\n');
      assert.deepEqual(statuses(text), [400]);
    });

    test('handshakes that are not quite one are plain HTTP', async () => {
      const path = `/realtime/v1/websocket?vsn=2.0.0&apikey=${goodToken()}`;
      const lines = { line: `GET ${path} HTTP/1.1`, Host: 'x', Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' };
      const cases = [[{ line: `GET ${path} HTTP/1.0` }, 426], [{ line: `HEAD ${path} HTTP/1.1` }, 426], [{ line: `POST ${path} HTTP/1.1`, 'Content-Length': '0' }, 405],
        [{ Connection: 'keep-alive' }, 426], [{ Upgrade: 'h2c' }, 426], [{ Upgrade: 'websockets' }, 426], [{ 'Sec-WebSocket-Version': '12' }, 426],
        [{ 'Sec-WebSocket-Version': '13, 8' }, 426], [{ 'Sec-WebSocket-Key': '' }, 400], [{ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ=' }, 400],
        [{ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ!!' }, 400], [{ 'Sec-WebSocket-Key': 'x'.repeat(24) }, 400], [{ Host: undefined }, 400]];
      for (const [change, status] of cases) {
        const { line, ...rest } = { ...lines, ...change };
        const { text } = await exchange(port, head(line, ...Object.entries(rest).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${value}`)));
        assert.deepEqual(statuses(text), [status], `${JSON.stringify(change)}: ${text}`);
      }
    });

    test('odd methods and targets get one answer each', async () => {
      for (const line of ['TRACE / HTTP/1.1', 'CONNECT x:80 HTTP/1.1', 'OPTIONS * HTTP/1.1', 'get /health/live HTTP/1.1', `${'M'.repeat(5000)} / HTTP/1.1`,
        'GET /../../etc/passwd HTTP/1.1', 'GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1', 'GET /%00 HTTP/1.1', 'GET //health/live HTTP/1.1', 'GET /health/live%20 HTTP/1.1',
        'GET /%zz HTTP/1.1', `GET /${'a'.repeat(15_000)} HTTP/1.1`, 'GET /health/live# HTTP/1.1', 'GET /\xff\xfe HTTP/1.1', 'GET  / HTTP/1.1', 'GET /\tHTTP/1.1', ' GET / HTTP/1.1',
        'GET / http/1.1', 'GET / HTTP/1.1x', 'GET / HTTP/01.1', 'GET /']) {
        const { text } = await exchange(port, head(line, 'Host: x'));
        assert.equal(statuses(text).length, 1, `${line}: ${text}`);
        assert.ok(statuses(text)[0] >= 400 || statuses(text)[0] === 200, line);
        assert.doesNotMatch(text, /root:/);
      }
    });

    test('floods of headers, chunk extensions and trailers end with an error', async () => {
      const many = (n, make) => Array.from({ length: n }, (_, i) => make(i)).join('');
      for (const [bytes, allowed] of [
        [`GET / HTTP/1.1\r\nHost: x\r\n${many(5000, (i) => `H${i}: v\r\n`)}\r\n`, [431]],
        [`GET / HTTP/1.1\r\nHost: x\r\nA: ${'b'.repeat(1 << 20)}\r\n\r\n`, [431]],
        [`GET /${'a'.repeat(1 << 20)} HTTP/1.1\r\nHost: x\r\n\r\n`, [431, 414]],
        ['x'.repeat(1 << 20), [431, 400]],
        [post(CHUNKED) + `3;${'e'.repeat(1 << 20)}\r\nabc\r\n0\r\n\r\n`, [400, 431, 413]],
        [post(CHUNKED) + `0\r\n${many(20_000, (i) => `T${i}: v\r\n`)}\r\n`, [400, 431, 413]],
        [post(CHUNKED) + many(700_000, () => '1\r\na\r\n') + '0\r\n\r\n', [400, 413, 404]]]) {
        const { text, closed } = await exchange(port, bytes, { quiet_ms: 3000 });
        assert.equal(statuses(text).length, 1, text.slice(0, 300));
        assert.ok(allowed.includes(statuses(text)[0]), text.slice(0, 300));
        assert.ok(closed || statuses(text)[0] === 404);
      }
      await othersAreServed();
    });

    test('two thousand requests in a row are all answered, in order', async () => {
      const paths = Array.from({ length: 2000 }, (_, i) => (i % 2 ? '/health/live' : '/nothing'));
      const { text } = await exchange(port, paths.map((path) => head(`GET ${path} HTTP/1.1`, 'Host: x')).join(''), { quiet_ms: 2000 });
      assert.deepEqual(statuses(text), paths.map((path) => (path === '/nothing' ? 404 : 200)));
    });

    test('a client that asks for ever and never reads is cut, and holds no more than its queue', async (t) => {
      const socket = connect(port, '127.0.0.1');
      t.after(() => socket.destroy());
      let ended = false;
      socket.on('error', () => { ended = true; });
      socket.on('close', () => { ended = true; });
      socket.pause();
      const request = head('GET /metrics HTTP/1.1', 'Host: x').repeat(100);
      await waitFor('the cut', () => {
        if (!ended && socket.writableLength < 1 << 20) socket.write(request);
        return ended;
      }, 60_000, 1);
      assert.ok((await house.walcast.metric('process_resident_memory_bytes')) < 200 << 20);
      await othersAreServed();
    });

    test('slow heads get 408 after ten seconds, slow bodies after thirty, silence an end; nobody waits for them', async () => {
      const drip = (parts, { pause_ms = 1000 } = {}) => exchange(port, parts, { quiet_ms: 40_000, pause_ms });
      const begun = performance.now();
      const slow = [
        drip([...'GET / HTTP/1.1\r\nHost: x\r\nA: bcdefghijklmnopqrstuvwxyz']).then((got) => [408, 9, 16, got]),
        drip(['GET / HTTP/1.1\r\n', ...Array.from({ length: 40 }, (_, i) => `H${i}: v\r\n`)]).then((got) => [408, 9, 16, got]),
        drip([post('Content-Length: 100'), ...'x'.repeat(99)]).then((got) => [408, 29, 38, got]),
        drip([post(CHUNKED), ...Array(60).fill('1\r\na\r\n')]).then((got) => [408, 29, 38, got]),
        drip([post('Content-Length: 2', 'Expect: 100-continue')]).then((got) => [408, 29, 38, got]),
        drip(['']).then((got) => [undefined, 9, 16, got]), // not a byte
      ];
      for (let i = 0; i < 3; i++) await othersAreServed();
      for (const one of slow.map((promise) => promise.then((result) => [...result, (performance.now() - begun) / 1000]))) {
        const [status, , most_s, { text, closed }, took_s] = await one;
        assert.equal(statuses(text).at(-1), status, text);
        assert.ok(closed);
        assert.ok(took_s < most_s + 20, `${took_s} s`);
      }
    });
  });

  test('connections without end: the limit is answered with 503, WebSockets live on, places come back', async (t) => {
    const idle = [];
    t.after(() => idle.forEach((socket) => socket.destroy()));
    let refused = '';
    for (let i = 0; i < 1100 && !refused; i++) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.on('data', (chunk) => { refused += chunk; });
      idle.push(socket);
      await new Promise((connected) => socket.once('connect', connected));
    }
    await waitFor('a refusal', () => /^HTTP\/1\.1 503 /.test(refused));
    assert.match(refused, /Retry-After: \d/);
    const { id } = (await house.postgres.query('INSERT INTO todos DEFAULT VALUES RETURNING id')).rows[0];
    await good.next('the row', (message) => message[3] === 'postgres_changes' && message[4].data.record.id === Number(id));
    idle.forEach((socket) => socket.destroy());
    await waitFor('a place', async () => (await fetch(`${house.walcast.url}/health/live`)).ok, 20_000);
  });

  test('it ends cleanly: under a sanitizer, without a leak', async () => {
    assert.equal((await house.walcast.stop()).code, 0, house.walcast.logText().slice(-4000));
    assert.doesNotMatch(house.walcast.logText(), /Sanitizer/);
  });
});
