// The HTTP client of webhooks and jobs against real receivers: what an answer is, what none is, and
// that a receiver can hold nothing longer and make nothing larger than its request allows.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { startBareReceiver, startReceiver, startTlsReceiver } from '../lib/receiver.mjs';
import { certificates } from '../lib/tls.mjs';
import { waitFor } from '../lib/wait.mjs';

class Client {
  #next = 0;
  #waiting = new Map();

  constructor(ca, { inFlight = 1024, allowed = ['127.0.0.0/8'] } = {}) {
    this.child = spawn(process.env.WALCAST_NET_DRIVE, [ca, String(inFlight), ...allowed], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, http_proxy: 'http://127.0.0.1:9', https_proxy: 'http://127.0.0.1:9', NETRC: '/etc/passwd' },
    });
    this.exited = new Promise((resolve) => this.child.once('exit', resolve));
    this.completions = new Map();
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      const result = JSON.parse(line);
      this.completions.set(result.id, (this.completions.get(result.id) ?? 0) + 1);
      this.#waiting.get(result.id)?.(result);
    });
  }

  send(url, { method = 'POST', timeout = 15_000, keep = 1024, body = '{}', headers = {} } = {}) {
    const id = this.#next++;
    const lines = Object.entries(headers).map(([name, value]) => `\t${name}: ${value}`).join('');
    const promise = new Promise((resolve) => this.#waiting.set(id, resolve));
    this.child.stdin.write(`send\t${[id, method, url, timeout, keep, Buffer.from(body).toString('hex')].join('\t')}${lines}\n`);
    return Object.assign(promise, { id });
  }

  stop() {
    this.child.stdin.write('stop\n');
  }

  async end() {
    this.child.stdin.end();
    assert.equal(await this.exited, 0);
    for (const [id, count] of this.completions) assert.equal(count, 1, `request ${id} ended ${count} times`);
  }

  memoryKiB() {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))[1]);
  }
}

let client;
before(() => { client = new Client(certificates().path('ca.pem')); });
after(() => client.end());

test('a request arrives as it was given, and its answer is told', async (t) => {
  const receiver = await startReceiver(t, (request, response) => {
    response.setHeader('X-Marked', 'yes');
    response.end('thanks');
  });
  const result = await client.send(`${receiver.url}/hook?a=b`, {
    body: '{"ü":1}', headers: { 'content-type': 'application/json', 'webhook-id': 'msg_1', 'x-empty': '' },
  });
  assert.equal(result.outcome, 'answered');
  assert.deepEqual([result.status, result.version, result.body, result.cut, result.marked], [200, 11, 'thanks', false, 'yes']);
  assert.deepEqual([result.address, result.port, result.reason], ['127.0.0.1', receiver.port, '']);
  assert.ok(result.totalUs > 0 && result.connectUs > 0 && result.tlsUs === -1);
  const [got] = receiver.requests;
  assert.deepEqual([got.method, got.path, got.body.toString()], ['POST', '/hook?a=b', '{"ü":1}']);
  assert.equal(got.headers['content-type'], 'application/json');
  assert.equal(got.headers['webhook-id'], 'msg_1');
  assert.equal(got.headers['x-empty'], '');
  assert.equal(got.headers['content-length'], '8');
  assert.equal(got.headers['user-agent'], 'walcast');
  assert.equal(got.headers.authorization, undefined);
  assert.equal(got.headers.expect, undefined);
});

test('methods, no body, and a large body', async (t) => {
  const receiver = await startReceiver(t, (request, response) => response.end());
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])
    assert.equal((await client.send(receiver.url, { method, body: method === 'GET' ? '' : 'x' })).status, 200);
  await client.send(receiver.url, { body: '' });
  const large = 'y'.repeat(1_500_000);
  await client.send(receiver.url, { body: large });
  assert.deepEqual(receiver.requests.map((one) => one.method), ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'POST', 'POST']);
  assert.deepEqual(receiver.requests.map((one) => one.body.length), [0, 1, 1, 1, 1, 0, 1_500_000]);
  assert.equal(receiver.requests[6].headers.expect, undefined);
  assert.equal(receiver.requests[0].headers['content-type'], undefined);
});

test('every status is an answer, and Retry-After is read in both forms', async (t) => {
  const cases = [[200], [204], [301], [400], [404], [410], [500], [503],
    [429, '7', 7000, 7000], [429, '999999', 86_400_000, 86_400_000], [429, 'soon', -1, -1],
    [503, new Date(Date.now() + 60_000).toUTCString(), 55_000, 60_000],
    [503, new Date(Date.now() - 60_000).toUTCString(), 0, 0]];
  const receiver = await startReceiver(t, (request, response) => {
    const [status, again] = cases[Number(request.url.slice(1))];
    response.writeHead(status, again === undefined ? {} : { 'retry-after': again }).end();
  });
  for (const [i, [status, , least = -1, most = -1]] of cases.entries()) {
    const result = await client.send(`${receiver.url}/${i}`);
    assert.deepEqual([result.outcome, result.status], ['answered', status]);
    assert.ok(result.retryAfterMs >= least && result.retryAfterMs <= most, `${status}: ${result.retryAfterMs}`);
  }
});

test('a redirect is an answer and is not followed', async (t) => {
  const receiver = await startReceiver(t, (request, response) =>
    response.writeHead(request.url === '/' ? 307 : 200, { location: `${receiver.url}/elsewhere` }).end());
  assert.equal((await client.send(receiver.url)).status, 307);
  assert.equal(receiver.requests.length, 1);
});

test('one that hangs, before or behind its head, ends at the time limit', async (t) => {
  const receiver = await startReceiver(t, async (request, response) => {
    if (request.url === '/head') response.writeHead(200, { 'content-length': 10 }).write('1');
    await new Promise(() => {});
  });
  for (const [path, status] of [['/', 0], ['/head', 200]]) {
    const result = await client.send(receiver.url + path, { timeout: 300 });
    assert.deepEqual([result.outcome, result.status], ['timed_out', status]);
    assert.ok(result.totalUs >= 300_000 && result.totalUs < 10_000_000, `${result.totalUs} us`);
  }
});

test('an answer byte by byte ends at the time limit too', async (t) => {
  const receiver = await startReceiver(t, async (request, response) => {
    response.writeHead(200, { 'content-length': 1000 });
    for (let i = 0; i < 1000 && !response.destroyed; i++) {
      response.write('.');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
  const result = await client.send(receiver.url, { timeout: 500 });
  assert.deepEqual([result.outcome, result.status], ['timed_out', 200]);
  assert.match(result.body, /^\.{3,}$/);
});

test('one that closes, at once, in its head or in its body, has not answered', async (t) => {
  for (const [said, status] of [['', 0], ['HTTP/1.1 200 OK\r\nContent-', 200], ['HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf', 200],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal', 200], ['SSH-2.0-OpenSSH\r\n', 0]]) {
    const receiver = await startBareReceiver(t, (socket) => socket.end(said));
    const result = await client.send(receiver.url);
    assert.equal(result.outcome, 'broken', JSON.stringify([said, result]));
    assert.ok(result.status === status && result.reason !== '', JSON.stringify([said, result]));
  }
});

test('a body of 100 MB is cut, and is an answer', async (t) => {
  const megabyte = 'x'.repeat(1 << 20);
  let sent = 0;
  const receiver = await startReceiver(t, async (request, response) => {
    response.writeHead(200);
    for (let i = 0; i < 100 && !response.destroyed; i++) {
      const taken = new Promise((resolve) => { response.once('close', resolve); response.write(megabyte, resolve); });
      await taken;
      sent += megabyte.length;
    }
  });
  const before = client.memoryKiB();
  const results = await Promise.all(Array.from({ length: 20 }, () => client.send(receiver.url, { keep: 1000 })));
  for (const result of results) {
    assert.deepEqual([result.outcome, result.status, result.cut], ['answered', 200, true]);
    assert.equal(result.body, 'x'.repeat(1000));
  }
  assert.ok(sent < 20 * 50 * (1 << 20), `${sent} bytes were taken`);
  assert.ok(client.memoryKiB() - before < 8192, `${client.memoryKiB() - before} KiB more`);
});

test('a body somewhat longer than what is kept leaves the connection whole', async (t) => {
  const receiver = await startReceiver(t, (request, response) => response.end('z'.repeat(20_000)));
  for (let i = 0; i < 5; i++) {
    const result = await client.send(receiver.url, { keep: 10 });
    assert.deepEqual([result.status, result.body, result.cut], [200, 'zzzzzzzzzz', true]);
  }
  assert.equal(receiver.connections, 1);
});

test('endless headers, and endless hints before them, end at a maximum', async (t) => {
  for (const [first, more] of [['HTTP/1.1 200 OK\r\n', 'X-More: 0123456789\r\n'], ['', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'],
    ['HTTP/1.1 200 OK\r\nX-Long: ', '0123456789abcdef']]) {
    const receiver = await startBareReceiver(t, (socket) => {
      socket.write(first);
      const go = () => { while (!socket.destroyed && socket.write(more.repeat(100))); };
      socket.on('drain', go);
      go();
    });
    const result = await client.send(receiver.url, { timeout: 30_000 });
    // libcurl has a maximum of its own for one line, beyond ours.
    assert.ok(['too_large', 'broken', 'failed'].includes(result.outcome), JSON.stringify(result));
    assert.ok(result.totalUs < 25_000_000, `${result.totalUs} us`);
  }
});

test('TLS: a good certificate, HTTP/2 where it is offered, one connection for many', async (t) => {
  const receiver = await startTlsReceiver(t, (request, response) => { response.setHeader('x-marked', 'h2'); response.end('ok'); });
  const results = await Promise.all(Array.from({ length: 50 }, () => client.send(receiver.url)));
  for (const result of results)
    assert.deepEqual([result.outcome, result.status, result.version, result.body, result.marked], ['answered', 200, 20, 'ok', 'h2']);
  assert.ok(results.some((one) => one.tlsUs > 0));
  assert.equal(receiver.connections, 1);
  const older = await startTlsReceiver(t, (request, response) => response.end('ok'), 'server', { http2: false });
  const result = await client.send(older.url);
  assert.deepEqual([result.outcome, result.status, result.version], ['answered', 200, 11]);
});

test('TLS: a certificate that is not good is no connection', async (t) => {
  const cases = [['expired', {}], ['other', {}], ['server', { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }]];
  for (const [name, options] of cases) {
    const receiver = await startTlsReceiver(t, (request, response) => response.end(), name, options);
    const result = await client.send(receiver.url);
    assert.equal(result.outcome, 'untrusted', JSON.stringify([name, result]));
    assert.equal(receiver.requests.length, 0);
  }
  const receiver = await startTlsReceiver(t, (request, response) => response.end());
  const named = await client.send(receiver.url.replace('127.0.0.1', '127.0.0.2')); // nobody, or a wrong name
  assert.notEqual(named.outcome, 'answered');
});

test('connections are kept and used again, and a closed one is made anew', async (t) => {
  const receiver = await startReceiver(t, (request, response) => response.end());
  for (let i = 0; i < 20; i++) assert.equal((await client.send(receiver.url)).status, 200);
  assert.equal(receiver.connections, 1);
  receiver.server.closeAllConnections();
  for (let i = 0; i < 5; i++) assert.equal((await client.send(receiver.url)).status, 200);
  assert.equal(receiver.connections, 2);
});

test('no more than the maximum is under way; those behind wait and end', async (t) => {
  const few = new Client(certificates().path('ca.pem'), { inFlight: 8 });
  let now = 0, most = 0;
  const receiver = await startReceiver(t, async (request, response) => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 10));
    now--;
    response.end();
  });
  const results = await Promise.all(Array.from({ length: 200 }, () => few.send(receiver.url)));
  assert.ok(results.every((one) => one.status === 200));
  assert.equal(most, 8);
  await few.end();
});

test('a stop ends all at once, those that wait too', async (t) => {
  const own = new Client(certificates().path('ca.pem'), { inFlight: 2 });
  const receiver = await startReceiver(t, () => new Promise(() => {}));
  const sent = Array.from({ length: 5 }, () => own.send(receiver.url, { timeout: 600_000 }));
  await waitFor('two requests', () => receiver.requests.length === 2);
  own.stop();
  for (const one of sent) assert.equal((await one).outcome, 'stopped');
  assert.equal((await own.send(receiver.url)).outcome, 'unsent');
  await own.end();
});

test('what the guard refuses reaches nobody', async (t) => {
  const strict = new Client(certificates().path('ca.pem'), { allowed: [] });
  const receiver = await startReceiver(t, (request, response) => response.end());
  const { port } = receiver;
  for (const host of ['127.0.0.1', 'localhost', '2130706433', '0x7f.1', '0177.0.0.1', '0', '[::ffff:127.0.0.1]', '[64:ff9b::7f00:1]']) {
    const result = await strict.send(`http://${host}:${port}/`);
    assert.equal(result.outcome, 'refused', host);
    assert.match(result.reason, /address/);
  }
  assert.equal(receiver.connections, 0);
  await strict.end();
});
