// The clients as npm gives them, unmodified: supabase-js and realtime-js, the oldest of 2.x and the
// newest, and Phoenix's own. Each does the round: changes, broadcast, presence, a new token, leave.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, suite, test } from 'node:test';
import { RealtimeClient } from '@supabase/realtime-js';
import { createClient } from '@supabase/supabase-js';
import { RealtimeClient as OldestRealtime } from 'realtime-js-oldest';
import { createClient as createOldest } from 'supabase-js-oldest';
import WebSocket from 'ws';
import { startHouse } from '../lib/house.mjs';
import { subscribed } from '../lib/realtime.mjs';
import { waitFor } from '../lib/wait.mjs';

const phoenix = createRequire(import.meta.url)('phoenix');
const SCHEMA = `CREATE TABLE todos (id int PRIMARY KEY, title text, done boolean);
  ALTER TABLE todos REPLICA IDENTITY FULL;`;

suite('clients', () => {
  let house;
  let token;
  let next = 1;
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true }, { schema: SCHEMA });
    token = await house.walcast.token({ role: 'authenticated', sub: 'me' });
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));
  const sql = (...all) => house.postgres.query(...all);
  const socketUrl = () => `ws://127.0.0.1:${house.walcast.port}/realtime/v1`;
  const options = () => ({ auth: { persistSession: false, autoRefreshToken: false },
    realtime: { transport: WebSocket, params: { apikey: token } } });

  // Old clients hold themselves back.
  const taken = (push) => waitFor('an ok', async () => {
    const answer = await push();
    assert.ok(['ok', 'rate limited'].includes(answer), answer);
    return answer === 'ok';
  });

  // Each gives { channel(name, config), setAuth, disconnect }.
  const CLIENTS = {
    'supabase-js, newest': () => {
      const client = createClient(house.walcast.url, token, options());
      return { channel: (name, config) => client.channel(name, config), setAuth: (to) => client.realtime.setAuth(to),
        disconnect: () => client.realtime.disconnect() };
    },
    'supabase-js 2.0.0': () => {
      const client = createOldest(house.walcast.url, token, options());
      return { channel: (name, config) => client.channel(name, config), setAuth: (to) => client.realtime.setAuth(to),
        disconnect: () => client.realtime.disconnect() };
    },
    'realtime-js, newest, 1.0.0': () => new RealtimeClient(socketUrl(), { params: { apikey: token }, transport: WebSocket, vsn: '1.0.0' }),
    'realtime-js, newest, 2.0.0': () => new RealtimeClient(socketUrl(), { params: { apikey: token }, transport: WebSocket, vsn: '2.0.0' }),
    'realtime-js 2.0.0': () => {
      const client = new OldestRealtime(socketUrl(), { params: { apikey: token, eventsPerSecond: 1000 }, transport: WebSocket });
      client.connect();
      return client;
    },
  };

  for (const [name, make] of Object.entries(CLIENTS)) {
    test(name, async (t) => {
      const client = make();
      t.after(() => client.disconnect());
      const channel = client.channel(`round ${name}`, { config: { broadcast: { self: true, ack: true }, presence: { key: 'me' } } });
      const seen = [], heard = [], synced = [];
      const base = next;
      next += 10;
      channel.on('postgres_changes', { event: '*', schema: 'public', table: 'todos', filter: `id=eq.${base}` }, (change) => seen.push(change));
      channel.on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'todos', filter: `id=eq.${base + 1}` }, (change) => seen.push(change));
      channel.on('broadcast', { event: 'e' }, (message) => heard.push(message));
      channel.on('presence', { event: 'sync' }, () => synced.push(Object.keys(channel.presenceState())));
      await subscribed(channel);
      await sql(`INSERT INTO todos VALUES (${base}, 'milk', false), (${base + 1}, 'eggs', false), (${base + 2}, 'tea', false)`);
      await sql(`UPDATE todos SET done = true WHERE id BETWEEN ${base} AND ${base + 2}`);
      await sql(`DELETE FROM todos WHERE id BETWEEN ${base} AND ${base + 2}`);
      await waitFor('the changes', () => seen.length === 4);
      assert.deepEqual(seen.map(({ eventType, new: row, old }) => [eventType, row.id ?? old.id]),
        [['INSERT', base], ['INSERT', base + 1], ['UPDATE', base], ['DELETE', base]]);
      assert.deepEqual(seen[2].new, { id: base, title: 'milk', done: true });
      assert.deepEqual(seen[3].old, { id: base, title: 'milk', done: true });
      await taken(() => channel.send({ type: 'broadcast', event: 'e', payload: { n: 1 } }));
      await waitFor('the broadcast', () => heard.length === 1);
      assert.deepEqual(heard[0].payload, { n: 1 });
      await taken(() => channel.track({ mood: 'fine' }));
      await waitFor('the presence', () => channel.presenceState().me?.[0].mood === 'fine');
      await taken(() => channel.untrack());
      await waitFor('it to go', () => channel.presenceState().me === undefined);
      await client.setAuth(await house.walcast.token({ role: 'service_role', sub: 'me' }));
      await sql(`INSERT INTO todos VALUES (${base}, 'again', false)`);
      await waitFor('a change under the new token', () => seen.length === 5);
      assert.equal(await channel.unsubscribe(), 'ok');
    });
  }

  test("phoenix's own client, with its Presence", async (t) => {
    const socket = new phoenix.Socket(`ws://127.0.0.1:${house.walcast.port}/realtime/socket`, { params: { apikey: token }, transport: WebSocket });
    t.after(() => socket.disconnect());
    socket.connect();
    const base = next;
    next += 10;
    const channel = socket.channel('realtime:round phoenix', { config: { presence: { enabled: true, key: 'me' },
      postgres_changes: [{ event: '*', schema: 'public', table: 'todos', filter: `id=eq.${base}` }] } });
    const presence = new phoenix.Presence(channel);
    const seen = [], closed = [];
    channel.on('postgres_changes', ({ data }) => seen.push(data));
    channel.onClose(() => closed.push(true));
    const done = (push) => new Promise((resolve, reject) => {
      push.receive('ok', resolve).receive('error', (reason) => reject(new Error(JSON.stringify(reason)))).receive('timeout', reject);
    });
    const { postgres_changes } = await done(channel.join());
    assert.equal(postgres_changes.length, 1);
    await sql(`INSERT INTO todos VALUES (${base}, 'milk', false)`);
    await waitFor('the change', () => seen.length === 1);
    assert.deepEqual(seen[0].record, { id: base, title: 'milk', done: false });
    await done(channel.push('presence', { type: 'presence', event: 'track', payload: { mood: 'fine' } }));
    await waitFor('the presence', () => presence.list((key, { metas }) => [key, metas[0].mood])[0]?.join() === 'me,fine');
    await done(channel.push('presence', { type: 'presence', event: 'untrack' }));
    await waitFor('it to go', () => presence.list().length === 0);
    await done(channel.leave());
    await waitFor('the close', () => closed.length === 1);
  });
});
