// Pages of other origins: http.origins says which a browser lets call, and read the answers, the
// refused ones included; and which may open a WebSocket.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, suite, test } from 'node:test';
import { launchBrowser } from '../lib/browser.mjs';
import { startHouse } from '../lib/house.mjs';
import { RawClient, refusedHandshake, websocketUrl } from '../lib/realtime.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';

const OWN = '/health/ready /metrics / /app.js'.split(' '); // what asks for no credential

suite('other origins', () => {
  let house;
  let listed; // the same with a list of origins
  let pages; // a server of pages: http://127.0.0.1:PORT is listed, http://localhost:PORT is not
  let token;
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { schema: 'CREATE TABLE t (id int PRIMARY KEY);' });
    pages = createServer((request, response) => response.end('<!doctype html>'));
    await new Promise((resolve) => { pages.listen(0, resolve); });
    listed = await Walcast.start({ ...house, args: ['--roles', 'ws'], config: {
      'http.origins': `http://127.0.0.1:${pages.address().port},https://*.example.com,http://dev.test:*` } });
    await listed.ready();
    token = await house.walcast.token({ role: 'service_role' });
  });
  after(async () => {
    pages.close();
    await listed.remove();
    await Promise.all(cleanups.map((cleanup) => cleanup()));
  });

  const ask = (path, headers, method = 'OPTIONS', walcast = house.walcast) => fetch(walcast.url + path,
    { method, headers: { origin: 'http://app.example', ...headers } });
  const allowed = (answer) => answer.headers.get('access-control-allow-origin');

  for (const path of ['/realtime/v1/api/broadcast', '/realtime/v1/api/broadcast/room/events/e', '/realtime/v1/sse?table=public.t',
    '/search/v1/indexes', '/v1/projects/p/triggers', '/nothing'])
    test(`the preflight of ${path}`, async () => {
      const answer = await ask(path, { 'access-control-request-method': 'POST',
        'access-control-request-headers': 'apikey,authorization,content-type,idempotency-key,last-event-id,x-client-info' });
      assert.equal(answer.status, 204);
      assert.equal(allowed(answer), '*');
      assert.match(answer.headers.get('access-control-allow-methods'), /GET, POST, PUT, PATCH, DELETE/);
      assert.equal(answer.headers.get('access-control-allow-headers'),
        'apikey,authorization,content-type,idempotency-key,last-event-id,x-client-info');
      assert.equal(answer.headers.get('access-control-max-age'), '86400');
      assert.equal(answer.headers.get('access-control-allow-credentials'), null);
      assert.equal(answer.headers.get('vary'), null);
    });

  test('what is no list of headers is not repeated', async () => {
    for (const names of ['a: b', 'x'.repeat(600), '<script>']) {
      const answer = await ask('/realtime/v1/sse', { 'access-control-request-headers': names });
      const list = answer.headers.get('access-control-allow-headers').split(', ');
      for (const name of ['authorization', 'apikey', 'x-api-key', 'content-type', 'idempotency-key', 'last-event-id', 'x-client-info'])
        assert.ok(list.includes(name), name);
    }
  });

  test('refusals of every kind may be read too, by those who may; what asks for no credential may not', async () => {
    const big = 'x'.repeat((1 << 20) + 1);
    const requests = [['/realtime/v1/sse?table=public.t', 'GET', 401], ['/realtime/v1/api/broadcast', 'POST', 401],
      ['/nothing', 'GET', 404], ['/realtime/v1/sse', 'DELETE', 405], ['/realtime/v1/websocket', 'GET', 426],
      ['/realtime/v1/api/broadcast', 'POST', 413, big]];
    for (const [path, method, status, body] of requests) {
      const options = { method, body, headers: { origin: 'https://a.example.com' } };
      const any = await fetch(house.walcast.url + path, options);
      assert.deepEqual([any.status, allowed(any), any.headers.get('access-control-expose-headers')],
        [status, '*', 'X-Request-Id, Retry-After'], path);
      const named = await fetch(listed.url + path, options);
      assert.deepEqual([named.status, allowed(named), named.headers.get('vary')], [status, 'https://a.example.com', 'Origin'], path);
      const foreign = await fetch(listed.url + path, { ...options, headers: { origin: 'https://example.com' } });
      assert.deepEqual([foreign.status, allowed(foreign), foreign.headers.get('vary')], [status, null, 'Origin'], path);
    }
    for (const path of OWN) {
      assert.equal(allowed(await ask(path, {}, 'GET')), null, path);
      assert.notEqual((await ask(path, {})).status, 204);
      assert.equal(allowed(await ask(path, { origin: 'http://dev.test:5173' }, 'GET', listed)), 'http://dev.test:5173', path);
    }
    for (const walcast of [house.walcast, listed])
      assert.equal(allowed(await ask('/walcast.js', {}, 'GET', walcast)), '*');
  });

  test('a list: the preflight of an origin that is not on it is refused, without headers', async () => {
    const headers = { 'access-control-request-method': 'POST' };
    for (const [origin, status] of [['https://a.b.example.com', 204], ['http://dev.test:1', 204], ['https://example.com', 403],
      ['http://a.example.com', 403], ['https://a.example.com.evil.test', 403], ['null', 403]]) {
      const answer = await ask('/realtime/v1/api/broadcast', { ...headers, origin }, 'OPTIONS', listed);
      assert.equal(answer.status, status, origin);
      assert.equal(allowed(answer), status === 204 ? origin : null);
      assert.equal(answer.headers.get('vary'), 'Origin');
      if (status === 403) assert.match((await answer.json()).detail, /http\.origins/);
    }
  });

  test('a list: WebSockets', async (t) => {
    const url = websocketUrl(listed, { apikey: token });
    for (const origin of ['https://a.example.com', undefined, listed.url, listed.url.replace('http', 'https')])
      await RawClient.connect(t, url, { origin });
    for (const origin of ['https://example.com', 'null', `http://127.0.0.1:1${listed.port}`]) {
      const { status, body } = await refusedHandshake(t, url, { origin });
      assert.equal(status, 403);
      assert.match(body.error, /http\.origins/);
    }
    await RawClient.connect(t, websocketUrl(house.walcast, { apikey: token }), { origin: 'https://example.com' });
  });

  // What the page's fetch, EventSource and WebSocket become: what they give, or 'refused'.
  const inPage = async ({ url, apikey }) => {
    const refused = () => 'refused';
    const fetched = await fetch(`${url}/realtime/v1/api/broadcast`, { method: 'POST',
      headers: { apikey, authorization: `Bearer ${apikey}`, 'content-type': 'application/json', 'idempotency-key': 'k', 'x-client-info': 'a page' },
      body: JSON.stringify({ messages: [{ topic: 'room', event: 'e', payload: { from: location.host } }] }) })
      .then((answer) => [answer.status, answer.headers.get('x-request-id').length > 0], refused);
    const reason = await fetch(`${url}/realtime/v1/api/broadcast`, { method: 'POST', headers: { apikey: 'bad' } })
      .then(async (answer) => [answer.status, (await answer.text()).length > 0], refused);
    const opened = (target, name) => new Promise((resolve) => {
      target.addEventListener(name, () => resolve('open'));
      target.addEventListener('error', () => resolve('refused'));
    });
    globalThis.got = [];
    const source = new EventSource(`${url}/realtime/v1/sse?table=public.t&apikey=${apikey}`);
    source.onmessage = ({ data }) => globalThis.got.push(JSON.parse(data).record.id);
    const stream = await opened(source, 'ready');
    if (stream === 'refused') source.close();
    const socket = await opened(new WebSocket(`${url.replace('http', 'ws')}/realtime/v1/websocket?apikey=${apikey}`), 'open');
    return { fetched, reason, stream, socket };
  };

  test('in Chromium: a page whose origin is allowed, and one whose is not', async (t) => {
    const browser = await launchBrowser();
    t.after(() => browser.close());
    const page = await browser.newPage();
    const { port } = pages.address();
    const visit = async (host, walcast) => {
      await page.goto(`http://${host}:${port}/`);
      return page.evaluate(inPage, { url: walcast.url, apikey: token });
    };
    const all = { fetched: [202, true], reason: [401, true], stream: 'open', socket: 'open' };
    const nothing = { fetched: 'refused', reason: 'refused', stream: 'refused', socket: 'refused' };
    assert.deepEqual(await visit('localhost', house.walcast), all);
    assert.deepEqual(await visit('localhost', listed), nothing);
    const listener = await RawClient.connect(t, websocketUrl(house.walcast, { apikey: token, vsn: '2.0.0' }));
    listener.join('1', 'realtime:room');
    await listener.reply('1');
    assert.deepEqual(await visit('127.0.0.1', listed), all);
    await listener.next('the broadcast', (message) => message[3] === 'broadcast' && message[4].payload.from === `127.0.0.1:${port}`);
    await house.postgres.query('INSERT INTO t VALUES (5)');
    await waitFor('the change', async () => (await page.evaluate(() => globalThis.got)).includes(5));
  });
});
