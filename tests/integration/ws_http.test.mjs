// HTTP as bytes on a socket: what a careful server must refuse, and how; and what it serves.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { readFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { exchange, head, statuses } from '../lib/exchange.mjs';
import { startHouse } from '../lib/house.mjs';
import { Walcast } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';

const statusOf = (text) => Number(text.slice(9, 12));

suite('HTTP', () => {
  let house;
  let port;
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true });
    port = house.walcast.port;
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));
  const get = (path, init) => fetch(`${house.walcast.url}${path}`, init);

  test('health, metrics and problems', async () => {
    assert.deepEqual(await (await get('/health/live')).json(), { status: 'live' });
    assert.deepEqual(await (await get('/health/ready')).json(), { status: 'ready' });
    const metrics = await get('/metrics');
    assert.equal(metrics.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    assert.match(await metrics.text(), /^walcast_ws_http_requests_total \d+$/m);
    const missing = await get('/nothing');
    assert.equal(missing.status, 404);
    assert.equal(missing.headers.get('content-type'), 'application/problem+json');
    const problem = await missing.json();
    assert.equal(problem.status, 404);
    assert.equal(problem.title, 'Not Found');
    const wrong = await get('/metrics', { method: 'POST', body: 'x' });
    assert.equal(wrong.status, 405);
    assert.equal(wrong.headers.get('allow'), 'GET, HEAD');
  });

  test('HEAD has the length and no body', async () => {
    const { text } = await exchange(port, head('HEAD /health/live HTTP/1.1', 'Host: x'));
    assert.equal(statusOf(text), 200);
    assert.match(text, /\r\nContent-Length: 17\r\n/);
    assert.ok(text.endsWith('\r\n\r\n'));
  });

  test('every response carries X-Request-Id, the request’s own where it is harmless', async () => {
    const given = await get('/health/live', { headers: { 'x-request-id': 'mine-42' } });
    assert.equal(given.headers.get('x-request-id'), 'mine-42');
    const first = (await get('/health/live')).headers.get('x-request-id');
    const second = (await get('/nothing')).headers.get('x-request-id');
    assert.ok(first && second && first !== second);
    for (const bytes of ['nonsense\r\n\r\n', head('GET / HTTP/1.1'), head('GET / HTTP/3.0', 'Host: x')]) {
      const { text } = await exchange(port, bytes);
      assert.match(text, /\r\nX-Request-Id: [!-~]+\r\n/, text);
    }
    const long = await get('/health/live', { headers: { 'x-request-id': 'x'.repeat(500) } });
    assert.ok(long.headers.get('x-request-id').length < 100);
  });

  test('keep-alive and pipelining, in order', async () => {
    const two = head('GET /health/live HTTP/1.1', 'Host: x') +
      head('GET /nothing HTTP/1.1', 'Host: x', 'Connection: close');
    const { text, closed } = await exchange(port, two);
    assert.deepEqual(statuses(text), [200, 404]);
    assert.ok(closed);
    const old = await exchange(port, head('GET /health/live HTTP/1.0'));
    assert.equal(statusOf(old.text), 200);
    assert.ok(old.closed);
  });

  test('a request may come byte by byte', async () => {
    const bytes = head('GET /health/live HTTP/1.1', 'Host: x', 'Connection: close');
    const { text } = await exchange(port, bytes.match(/[\s\S]{1,3}/g));
    assert.equal(statusOf(text), 200);
  });

  const refused = {
    'Content-Length beside Transfer-Encoding': [400,
      head('POST /x HTTP/1.1', 'Host: x', 'Content-Length: 5', 'Transfer-Encoding: chunked') +
      '0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'],
    'Content-Length twice': [400,
      head('POST /x HTTP/1.1', 'Host: x', 'Content-Length: 5', 'Content-Length: 6') + 'abcdef'],
    'the same Content-Length twice': [400,
      head('POST /x HTTP/1.1', 'Host: x', 'Content-Length: 5', 'Content-Length: 5') + 'abcde'],
    'a Content-Length list': [400, head('POST /x HTTP/1.1', 'Host: x', 'Content-Length: 5, 5') + 'abcde'],
    'a signed Content-Length': [400, head('POST /x HTTP/1.1', 'Host: x', 'Content-Length: +5') + 'abcde'],
    'a negative Content-Length': [400, head('POST /x HTTP/1.1', 'Host: x', 'Content-Length: -1')],
    'a huge Content-Length': [400, head('POST /x HTTP/1.1', 'Host: x', `Content-Length: ${'9'.repeat(30)}`)],
    'a body over the limit': [413, head('POST /x HTTP/1.1', 'Host: x', 'Content-Length: 1048577')],
    'a POST without a length': [411, head('POST /x HTTP/1.1', 'Host: x')],
    'a transfer coding other than chunked': [501,
      head('POST /x HTTP/1.1', 'Host: x', 'Transfer-Encoding: gzip, chunked')],
    'chunked in HTTP/1.0': [400, head('POST /x HTTP/1.0', 'Host: x', 'Transfer-Encoding: chunked')],
    'a chunk size that is no number': [400,
      head('POST /x HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked') + 'xyz\r\n'],
    'a chunk longer than it says': [400,
      head('POST /x HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked') + '3\r\nabcdef\r\n0\r\n\r\n'],
    'a chunk size of 17 digits': [400,
      head('POST /x HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked') + '10000000000000003\r\nabc\r\n'],
    'chunks over the limit': [413,
      head('POST /x HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked') + '200000\r\n'],
    'bare line feeds': [400, 'GET / HTTP/1.1\nHost: x\n\n'],
    'a bare carriage return': [400, 'GET / HTTP/1.1\r\nHost: x\rEvil: y\r\n\r\n'],
    'a folded header': [400, head('GET / HTTP/1.1', 'Host: x', 'A: b', ' c')],
    'a blank before the colon': [400, head('GET / HTTP/1.1', 'Host : x')],
    'a header without a colon': [400, head('GET / HTTP/1.1', 'Host: x', 'nonsense')],
    'a NUL in a header': [400, head('GET / HTTP/1.1', 'Host: x', 'A: b\0c')],
    'no Host': [400, head('GET / HTTP/1.1')],
    'two Hosts': [400, head('GET / HTTP/1.1', 'Host: a', 'Host: b')],
    'an absolute target': [400, head('GET http://x/ HTTP/1.1', 'Host: x')],
    'a target with a blank': [400, head('GET /a b HTTP/1.1', 'Host: x')],
    'HTTP/2 by prior knowledge': [505, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    'an unknown version': [505, head('GET / HTTP/1.2', 'Host: x')],
    'an expectation that is unknown': [417, head('GET / HTTP/1.1', 'Host: x', 'Expect: teapot')],
    'a TLS hello': [400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
    'a head over 16 KB': [431, `GET / HTTP/1.1\r\nHost: x\r\nA: ${'b'.repeat(17_000)}`],
    'too many headers': [431,
      head('GET / HTTP/1.1', 'Host: x', ...Array.from({ length: 70 }, (_, i) => `H${i}: v`))],
  };
  for (const [what, [status, bytes]] of Object.entries(refused)) {
    test(`${what} is refused with ${status}, and nothing behind it is answered`, async () => {
      const { text, closed } = await exchange(port, bytes);
      assert.deepEqual(statuses(text), [status], text);
      assert.match(text, /\r\nConnection: close\r\n/);
      assert.match(text, /application\/problem\+json/);
      assert.ok(closed, 'the connection is closed');
    });
  }

  test('bodies: by length, chunked, with 100-continue, split anywhere', async () => {
    const plain = await exchange(port, [head('POST /x HTTP/1.1', 'Host: x', 'Content-Length: 5'), 'ab', 'cde']);
    assert.deepEqual(statuses(plain.text), [404]);
    assert.equal(plain.closed, false);
    const chunked = head('POST /x HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked') +
      '3\r\nabc\r\n4;name=value\r\nABCD\r\n0\r\nTrailer: x\r\n\r\n' + head('GET /health/live HTTP/1.1', 'Host: x');
    for (const parts of [chunked, chunked.match(/[\s\S]{1,4}/g)])
      assert.deepEqual(statuses((await exchange(port, parts)).text), [404, 200]);
    const expecting = head('POST /x HTTP/1.1', 'Host: x', 'Content-Length: 2', 'Expect: 100-continue');
    assert.deepEqual(statuses((await exchange(port, [expecting, 'ok'])).text), [100, 404]);
    assert.deepEqual(statuses((await exchange(port, head('POST /x HTTP/1.1', 'Host: x', 'Content-Length: 0'))).text), [404]);
  });

  test('the WebSocket path without an upgrade, and with a bad one', async () => {
    const plain = await get('/realtime/v1/websocket');
    assert.equal(plain.status, 426);
    assert.equal(typeof (await plain.json()).error, 'string');
    const upgrade = (...more) => head('GET /realtime/v1/websocket HTTP/1.1', 'Host: x', 'Connection: Upgrade',
      'Upgrade: websocket', ...more);
    const version = await exchange(port, upgrade('Sec-WebSocket-Version: 8'));
    assert.equal(statusOf(version.text), 426);
    assert.match(version.text, /Sec-WebSocket-Version: 13/);
    const token = await house.walcast.token();
    const key = await exchange(port, upgrade('Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: short', `apikey: ${token}`));
    assert.equal(statusOf(key.text), 400);
  });

  test('it listens on the configured address and on no other', async () => {
    const hex = house.walcast.port.toString(16).toUpperCase().padStart(4, '0');
    const listening = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) =>
      readFileSync(path, 'utf8').split('\n').map((line) => line.trim().split(/\s+/))
        .filter(([, local, , state]) => state === '0A' && local?.endsWith(`:${hex}`))
        .map(([, local]) => local));
    assert.deepEqual(listening, [`0100007F:${hex}`]);
  });

  test('an address that is taken is said so, with exit code 2', async () => {
    const second = await house.walcast.command(['run', '--roles', 'ws']);
    assert.equal(second.code, 2, second.stderr);
    assert.match(second.stderr, new RegExp(`http\\.listen.*127\\.0\\.0\\.1:${port}`));
  });

  test('several service threads share one port', async (t) => {
    const config = { ...house.walcast.config, 'http.listen': undefined, 'http.threads': 3 };
    delete config['http.listen'];
    const many = await Walcast.start({ config, args: ['--roles', 'ws'] });
    t.after(() => many.remove());
    await many.ready();
    const all = await Promise.all(Array.from({ length: 60 }, () =>
      exchange(many.port, head('GET /health/live HTTP/1.1', 'Host: x', 'Connection: close'))));
    const threads = new Set(all.map(({ text }) => /X-Request-Id: \w+-(\w+)-/.exec(text)[1]));
    assert.ok(all.every(({ text }) => statusOf(text) === 200));
    assert.ok(threads.size > 1, `only threads ${[...threads]}`);
  });

  test('while it drains: not ready, writes refused, reads answered', async (t) => {
    const config = { ...house.walcast.config, 'drain.timeout': '3s' };
    delete config['http.listen'];
    const server = await Walcast.start({ config, args: ['--roles', 'ws'] });
    t.after(() => server.remove());
    await server.ready();
    // A client that never answers the close keeps the drain going.
    const token = await server.token();
    const socket = connect(server.port, '127.0.0.1');
    socket.write(head(`GET /realtime/v1/websocket?apikey=${token} HTTP/1.1`, 'Host: x', 'Connection: Upgrade',
      'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=='));
    await waitFor('an open socket', async () => (await server.metric('walcast_ws_connections')) === 1);
    const ended = server.stop();
    await waitFor('not ready', async () => (await fetch(`${server.url}/health/ready`)).status === 503);
    assert.equal((await fetch(`${server.url}/health/live`)).status, 200);
    const write = await fetch(`${server.url}/anything`, { method: 'POST', body: '{}' });
    assert.equal(write.status, 503);
    assert.ok(Number(write.headers.get('retry-after')) > 0);
    const join = await exchange(server.port, head(`GET /realtime/v1/websocket?apikey=${token} HTTP/1.1`, 'Host: x',
      'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=='));
    assert.equal(statusOf(join.text), 503);
    assert.equal((await ended).code, 0);
    socket.destroy();
  });
});
