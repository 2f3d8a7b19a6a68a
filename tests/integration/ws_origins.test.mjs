// Pages of other origins: a browser lets them call the realtime endpoints and read the answers, and
// no other path.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, suite, test } from 'node:test';
import { launchBrowser } from '../lib/browser.mjs';
import { startHouse } from '../lib/house.mjs';
import { RawClient, websocketUrl } from '../lib/realtime.mjs';
import { waitFor } from '../lib/wait.mjs';

suite('other origins', () => {
  let house;
  let token;
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { schema: 'CREATE TABLE t (id int PRIMARY KEY);' });
    token = await house.walcast.token({ role: 'service_role' });
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  const ask = (path, headers, method = 'OPTIONS') => fetch(house.walcast.url + path,
    { method, headers: { origin: 'http://app.example', ...headers } });

  for (const path of ['/realtime/v1/api/broadcast', '/realtime/v1/api/broadcast/room/events/e', '/realtime/v1/sse?table=public.t'])
    test(`the preflight of ${path}`, async () => {
      const answer = await ask(path, { 'access-control-request-method': 'POST',
        'access-control-request-headers': 'apikey,authorization,content-type,x-client-info' });
      assert.equal(answer.status, 204);
      assert.equal(answer.headers.get('access-control-allow-origin'), '*');
      assert.match(answer.headers.get('access-control-allow-methods'), /GET, POST/);
      assert.equal(answer.headers.get('access-control-allow-headers'), 'apikey,authorization,content-type,x-client-info');
      assert.equal(answer.headers.get('access-control-allow-credentials'), null);
    });

  test('what is no list of headers is not repeated', async () => {
    for (const names of ['a: b', 'x'.repeat(600), '<script>'])
      assert.match((await ask('/realtime/v1/sse', { 'access-control-request-headers': names })).headers
        .get('access-control-allow-headers'), /^authorization, apikey/);
  });

  test('refusals may be read too; other paths may not', async () => {
    for (const [path, method] of [['/realtime/v1/sse?table=public.t', 'GET'], ['/realtime/v1/api/broadcast', 'POST']]) {
      const answer = await ask(path, {}, method);
      assert.equal(answer.status, 401);
      assert.equal(answer.headers.get('access-control-allow-origin'), '*');
    }
    for (const path of ['/', '/metrics', '/health/ready', '/realtime/v1/', '/realtime/v1'])
      assert.equal((await ask(path, {}, 'GET')).headers.get('access-control-allow-origin'), null, path);
    assert.notEqual((await ask('/metrics', {})).status, 204);
  });

  test('in Chromium: a page from elsewhere reads a stream and sends a broadcast', async (t) => {
    const pages = createServer((request, response) => response.end('<!doctype html>'));
    await new Promise((resolve) => { pages.listen(0, '127.0.0.1', resolve); });
    t.after(() => pages.close());
    const browser = await launchBrowser();
    t.after(() => browser.close());
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${pages.address().port}/`);
    const listener = await RawClient.connect(t, websocketUrl(house.walcast, { apikey: token, vsn: '2.0.0' }));
    listener.join('1', 'realtime:room');
    await listener.reply('1');
    const status = await page.evaluate(async ({ url, apikey }) => {
      globalThis.got = [];
      const source = new EventSource(`${url}/realtime/v1/sse?table=public.t&apikey=${apikey}`);
      source.onmessage = ({ data }) => globalThis.got.push(JSON.parse(data).record.id);
      await new Promise((resolve, reject) => {
        source.addEventListener('ready', resolve);
        source.onerror = () => reject(new Error('the stream failed'));
      });
      const answer = await fetch(`${url}/realtime/v1/api/broadcast`, { method: 'POST',
        headers: { apikey, authorization: `Bearer ${apikey}`, 'content-type': 'application/json', 'x-client-info': 'a page' },
        body: JSON.stringify({ messages: [{ topic: 'room', event: 'e', payload: { from: 'a page' } }] }) });
      return [answer.status, answer.headers.get('x-request-id').length > 0];
    }, { url: house.walcast.url, apikey: token });
    assert.deepEqual(status, [202, true]);
    await listener.next('the broadcast', (message) => message[3] === 'broadcast' && message[4].payload.from === 'a page');
    await house.postgres.query('INSERT INTO t VALUES (5)');
    await waitFor('the change', async () => (await page.evaluate(() => globalThis.got)).includes(5));
  });
});
