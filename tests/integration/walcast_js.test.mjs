// ws/js/walcast.js, the module that adds resume to supabase-js, with the oldest and the newest client:
// against a scripted server for what a real one does rarely, then against the real one, in Chromium too.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { RealtimeClient as NewestClient } from '@supabase/realtime-js';
import { createClient } from '@supabase/supabase-js';
import { RealtimeClient as OldestClient } from 'realtime-js-oldest';
import WebSocket, { WebSocketServer } from 'ws';
import { offsetOf, sseUrl, withResume } from '../../ws/js/walcast.js';
import { launchBrowser } from '../lib/browser.mjs';
import { startHouse } from '../lib/house.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { waitFor } from '../lib/wait.mjs';

const EPOCH = '0123456789abcdef';
const at = (sequence, index = 0, epoch = EPOCH) => `${epoch}-${sequence}.${index}`;

// Speaks 1.0.0 and does what the test says. joins: the configs that were asked for.
class ScriptedServer {
  static async start() {
    const server = new ScriptedServer();
    server.joins = [];
    server.answer = () => ({ status: 'ok' });
    server.listener = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await new Promise((resolve) => server.listener.once('listening', resolve));
    server.listener.on('connection', (socket) => socket.on('message', (data) => server.message(socket, JSON.parse(data))));
    return server;
  }

  stop() {
    this.cut();
    this.listener.close();
  }

  get url() {
    return `ws://127.0.0.1:${this.listener.address().port}/realtime/v1`;
  }

  message(socket, { topic, event, payload, ref }) {
    if (event === 'phx_leave')
      socket.send(JSON.stringify({ topic, event: 'phx_reply', ref, payload: { status: 'ok', response: {} } }));
    if (event !== 'phx_join') return;
    const config = payload.config;
    this.joins.push(config);
    this.socket = socket;
    const { status, reason } = this.answer(config, this.joins.length);
    const bindings = config.postgres_changes.map((binding, i) => ({ id: i + 1, ...binding }));
    const response = status === 'ok' ? { postgres_changes: bindings } : { reason };
    socket.send(JSON.stringify({ topic, event: 'phx_reply', ref, payload: { status, response } }));
  }

  live(offset) {
    this.socket.send(JSON.stringify({ topic: 'realtime:room', event: 'system', ref: null,
      payload: { message: 'Subscribed to PostgreSQL', status: 'ok', extension: 'postgres_changes', channel: 'room', offset } }));
  }

  change(id, offset, ids = [1], columns = ['id']) {
    const data = { schema: 'public', table: 't', commit_timestamp: 'now', type: 'INSERT', errors: null,
      columns: columns.map((name) => ({ name, type: 'int4' })), record: { id }, offset };
    this.socket.send(JSON.stringify({ topic: 'realtime:room', event: 'postgres_changes', ref: null, payload: { ids, data } }));
  }

  cut() {
    for (const socket of this.listener.clients) socket.terminate();
  }

  joined(n) {
    return waitFor(`${n} joins`, () => this.joins.length >= n && this.joins[n - 1]);
  }
}

for (const [name, Client] of [['newest', NewestClient], ['oldest', OldestClient]]) {
  suite(`walcast.js with the ${name} client`, () => {
    // A channel with one binding for each of `selects`; got: what its callbacks heard.
    async function join(t, { options, config, selects = [undefined], answer } = {}) {
      const server = await ScriptedServer.start();
      if (answer) server.answer = answer;
      const client = withResume(new Client(server.url, { params: { apikey: 'k', vsn: '1.0.0' }, vsn: '1.0.0', transport: WebSocket,
        reconnectAfterMs: () => 50 }), options);
      client.connect();
      const channel = client.channel('room', { config: { ...config } });
      t.after(async () => { // in this order: a client that is cut comes back for ever
        await channel.unsubscribe();
        await client.disconnect();
        server.stop();
      });
      const got = [];
      const statuses = [];
      for (const select of selects)
        channel.on('postgres_changes', { event: '*', schema: 'public', table: 't', ...(select && { select }) },
          (change) => got.push(`${change.new.id} ${change.offset}`));
      channel.subscribe((status, error) => statuses.push(`${status}${error?.message ? ` ${error.message}` : ''}`));
      await server.joined(1);
      return { server, channel, got, statuses, heard: (n) => waitFor(`${n} changes`, () => got.length >= n) };
    }

    test('a channel that joins again asks for what is behind its last change', async (t) => {
      const { server, channel, got, heard } = await join(t);
      assert.deepEqual([server.joins[0].since, server.joins[0].snapshot], [undefined, undefined]);
      server.change(1, at(5));
      server.change(2, at(5, 1));
      await heard(2);
      assert.equal(offsetOf(channel), at(5, 1));
      server.cut();
      assert.equal((await server.joined(2)).since, at(5, 1));
      server.change(3, at(6));
      await heard(3);
      server.cut();
      assert.equal((await server.joined(3)).since, at(6));
      assert.deepEqual(got, [`1 ${at(5)}`, `2 ${at(5, 1)}`, `3 ${at(6)}`]);
      assert.equal(server.joins[2].postgres_changes.length, 1);
    });

    test('what comes twice is passed over; another epoch begins anew', async (t) => {
      const { server, got, heard } = await join(t);
      for (const [id, offset] of [[1, at(10)], [2, at(9, 7)], [3, at(10)], [4, at(10, 2)], [5, at(10, 10)],
        [6, at(3, 0, 'fedcba9876543210')], [7, at(18446744073709551615n)]]) server.change(id, offset);
      await heard(5);
      assert.deepEqual(got.map((text) => text[0]).join(''), '14567');
    });

    test('a change told in parts has come only when the next one comes', async (t) => {
      const { server, got, heard } = await join(t, { selects: [['id'], ['id', 'n']] });
      server.change(1, at(5), [1]);
      server.change(1, at(5), [2]);
      server.change(1, at(5), [2]);
      server.change(2, at(6), [1]);
      await heard(3);
      server.cut();
      assert.equal((await server.joined(2)).since, at(5));
      server.change(2, at(6), [1]); // it had this part
      server.change(2, at(6), [2]);
      await heard(4);
      assert.deepEqual(got, [`1 ${at(5)}`, `1 ${at(5)}`, `2 ${at(6)}`, `2 ${at(6)}`]);
    });

    test('since, snapshot and the offset at which changes flow', async (t) => {
      const since = await join(t, { config: { since: at(3) } });
      assert.equal(since.server.joins[0].since, at(3));
      since.server.change(1, at(3));
      since.server.change(2, at(4));
      await since.heard(1);
      assert.deepEqual(since.got, [`2 ${at(4)}`]);
      const snapshot = await join(t, { config: { snapshot: true } });
      assert.equal(snapshot.server.joins[0].snapshot, true);
      snapshot.server.live(at(7));
      await waitFor('that offset', () => offsetOf(snapshot.channel) === at(7));
      snapshot.server.change(1, at(7)); // before it
      snapshot.server.change(2, at(8));
      await snapshot.heard(1);
      assert.deepEqual(snapshot.got, [`2 ${at(8)}`]);
      snapshot.server.cut();
      const again = await snapshot.server.joined(2);
      assert.deepEqual([again.since, again.snapshot], [at(8), undefined]);
    });

    test('history that is lost is told once changes flow again', async (t) => {
      const lost = [];
      const order = [];
      const { server, got, heard, channel } = await join(t, {
        options: { onHistoryLost: (what) => { lost.push(what); order.push('told'); } },
        answer: ({ since }, n) => {
          order.push(`join ${since}`);
          return n === 2 ? { status: 'error', reason: 'HistoryNotHeld: it is gone' } : { status: 'ok' };
        },
      });
      server.change(1, at(5));
      await heard(1);
      server.cut();
      await server.joined(3);
      await waitFor('being told', () => lost.length === 1);
      assert.deepEqual(order, ['join undefined', `join ${at(5)}`, 'join undefined', 'told']);
      assert.deepEqual({ ...lost[0], channel: undefined },
        { channel: undefined, since: at(5), reason: 'HistoryNotHeld: it is gone' });
      assert.equal(lost[0].channel, channel);
      server.change(2, at(2)); // of a stream that was rolled back: not passed over
      await heard(2);
      assert.deepEqual(got, [`1 ${at(5)}`, `2 ${at(2)}`]);
      server.cut();
      assert.equal((await server.joined(4)).since, at(2));
    });

    test('without onHistoryLost the channel stays in error with the reason', async (t) => {
      const { server, heard, statuses } = await join(t, {
        answer: (_, n) => (n > 1 ? { status: 'error', reason: 'HistoryNotHeld: it is gone' } : { status: 'ok' }),
      });
      server.change(1, at(5));
      await heard(1);
      server.cut();
      assert.equal((await server.joined(2)).since, at(5));
      await waitFor('the reason', () => statuses.some((status) => /CHANNEL_ERROR.*HistoryNotHeld: it is gone/.test(status)));
      assert.ok(server.joins.slice(1).every(({ since }) => since === at(5)));
    });

    test('without changes to listen to nothing is added', async (t) => {
      const { server } = await join(t, { selects: [] });
      server.cut();
      const again = await server.joined(2);
      assert.ok(!('since' in again) && !('snapshot' in again));
    });
  });
}

test('sseUrl writes what the endpoint reads', () => {
  const url = new URL(sseUrl('http://h:4000/', { schema: 'My Schema', table: 't.x', select: ['id', 'a,b', 'c"d'],
    events: ['INSERT', 'UPDATE'], filter: 'id=eq.1', since: at(1), apikey: 'k&' }));
  assert.equal(url.origin + url.pathname, 'http://h:4000/realtime/v1/sse');
  assert.deepEqual(Object.fromEntries(url.searchParams), { schema: 'My Schema', table: 't.x', select: 'id,"a,b","c""d"',
    events: 'INSERT,UPDATE', filter: 'id=eq.1', since: at(1), apikey: 'k&' });
  assert.equal(sseUrl('http://h:4000', { table: 'public.t' }), 'http://h:4000/realtime/v1/sse?table=public.t');
});

suite('walcast.js and the real server', () => {
  let house;
  let token;
  let proxy;
  const cleanups = [];
  before(async () => {
    const t = { after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true };
    house = await startHouse(t, { schema: 'CREATE TABLE t (id int PRIMARY KEY, n int)', config: { 'http.threads': 2 } });
    token = await house.walcast.token({ role: 'authenticated', sub: 'me' });
    await sql('INSERT INTO t VALUES (-1)'); // of an empty stream there is no offset yet
    await waitFor('a stream that holds something', async () => (await house.walcast.changes()).length > 0);
    proxy = await Proxy.start(t, house.walcast.port);
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));
  const sql = (text) => house.postgres.query(text);
  const url = () => `http://127.0.0.1:${proxy.port}`; // of the way that is cut

  test('it serves the module, for pages from anywhere', async () => {
    const response = await fetch(`${house.walcast.url}/walcast.js`);
    assert.equal(response.headers.get('content-type'), 'text/javascript; charset=utf-8');
    assert.equal(response.headers.get('access-control-allow-origin'), '*');
    assert.equal(await response.text(), readFileSync(new URL('../../ws/js/walcast.js', import.meta.url), 'utf8'));
  });

  const clients = {
    'newest supabase-js': (options) => createClient(url(), token, { realtime: options }),
    'oldest realtime-js': (options) => new OldestClient(`${url().replace('http', 'ws')}/realtime/v1`, options),
  };
  for (const [name, create] of Object.entries(clients)) {
    test(`the ${name} misses nothing while its connection is cut`, async (t) => {
      await sql('DELETE FROM t');
      const client = withResume(create({ transport: WebSocket, params: { apikey: token }, reconnectAfterMs: () => 100 }));
      const channel = client.channel('cut');
      t.after(async () => {
        await channel.unsubscribe();
        await (client.realtime ?? client).disconnect();
      });
      const got = [];
      channel.on('postgres_changes', { event: 'INSERT', schema: 'public', table: 't', filter: 'n=eq.1' },
        (change) => got.push(change));
      channel.subscribe();
      await waitFor('the offset of joining', () => offsetOf(channel), 20_000);
      for (let round = 0; round < 5; round++) {
        proxy.down();
        await sql(`INSERT INTO t SELECT i, i % 2 FROM generate_series(${round * 100}, ${round * 100 + 99}) i`);
        proxy.up();
        if (round % 2) await waitFor('some of it', () => got.length > round * 50, 20_000);
      }
      await waitFor('everything', () => got.length >= 250, 30_000);
      assert.deepEqual(got.map((change) => change.new.id), Array.from({ length: 250 }, (_, i) => 2 * i + 1));
    });
  }

  test('in Chromium: EventSource resumes by itself, and the module works in a page', async (t) => {
    await sql('DELETE FROM t');
    const browser = await launchBrowser();
    t.after(() => browser.close());
    const page = await browser.newPage();
    const problems = [];
    page.on('pageerror', (error) => problems.push(error.message));
    await page.goto(`${url()}/health/live`); // a page of this origin, without the console's policy
    await page.evaluate(async ({ apikey }) => {
      const { listen, sseUrl } = await import('/walcast.js');
      globalThis.got = [];
      globalThis.said = [];
      globalThis.plain = [];
      globalThis.source = listen(sseUrl(location.origin, { table: 'public.t', events: 'INSERT', apikey }), {
        onChange: (change, offset) => got.push([change.record.id, change.offset === offset]),
        onReady: () => said.push('ready'),
        onGap: (problem) => said.push(`gap ${problem.status}`),
      });
      new EventSource(sseUrl(location.origin, { schema: 'public', table: 't', filter: 'n=eq.1', events: ['INSERT'], apikey }))
        .onmessage = ({ data, lastEventId }) => plain.push([JSON.parse(data).record.id, JSON.parse(data).offset === lastEventId]);
    }, { apikey: token });
    const read = (name) => page.evaluate((what) => globalThis[what], name);
    await waitFor('ready', async () => (await read('said')).includes('ready'), 20_000);
    for (let round = 0; round < 3; round++) {
      proxy.down();
      await sql(`INSERT INTO t SELECT i, i % 2 FROM generate_series(${round * 100}, ${round * 100 + 99}) i`);
      proxy.up();
      await waitFor('all of it', async () => (await read('got')).length >= (round + 1) * 100, 60_000);
    }
    assert.deepEqual(await read('got'), Array.from({ length: 300 }, (_, i) => [i, true]));
    await waitFor('the filtered ones', async () => (await read('plain')).length >= 150, 60_000);
    assert.deepEqual(await read('plain'), Array.from({ length: 150 }, (_, i) => [2 * i + 1, true]));
    await page.evaluate(async ({ apikey }) => {
      const { listen, sseUrl } = await import('/walcast.js');
      source.close();
      globalThis.lost = listen(sseUrl(location.origin, { table: 'public.t', since: 'zzzzzzzzzzzzzzzz-1.0', apikey }),
        { onGap: (problem) => said.push(`gap ${problem.status}`) });
    }, { apikey: token });
    await waitFor('the gap', async () => (await read('said')).includes('gap 410'), 20_000);
    assert.equal(await page.evaluate(() => lost.readyState), 2);
    assert.deepEqual(problems, []);
  });
});
