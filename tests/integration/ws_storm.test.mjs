// A join storm: thousands of joins and leaves as fast as they come, with good and bad tokens, and
// configs that are refused, from several connections. Each is answered, others do not wait, and
// nothing is left behind.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { RawClient, websocketUrl } from '../lib/realtime.mjs';
import { waitFor } from '../lib/wait.mjs';

const CONNECTIONS = 5;
const ROUNDS = 1000;
const LATE_MS = 3000; // for a change beside the storm; a machine that is busy takes its part of it

test('5,000 joins and as many leaves at once, tokens and configs of every kind', async (t) => {
  const house = await startHouse(t, { schema: 'CREATE TABLE todos (id int PRIMARY KEY, title text)', config: { 'http.threads': 2,
    'ws.max_messages_per_second': 0, 'ws.max_channel_messages_per_second': 0, 'ws.max_project_messages_per_second': 0,
    'ws.max_joins_per_second': 0, 'ws.max_project_joins_per_second': 0 } });
  const token = await house.walcast.token({ role: 'authenticated', sub: 'me' });
  const connect = () => RawClient.connect(t, websocketUrl(house.walcast, { apikey: token, vsn: '2.0.0' }));
  const binding = (more = {}) => ({ event: '*', schema: 'public', table: 'todos', ...more });
  const joins = [ // [what is joined with, whether it is good]
    [(i) => [{ postgres_changes: [binding({ filter: `id=eq.${i}` })] }, {}], true],
    [() => [{ postgres_changes: [binding()], presence: { enabled: true, key: 'k' } }, { access_token: token }], true],
    [() => [{}, { access_token: `${token}x` }], false],
    [() => [{}, { access_token: 'nonsense' }], false],
    [() => [{ postgres_changes: [binding({ filter: 'id=zz.1' })] }, {}], false],
    [() => [{ postgres_changes: [binding({ table: 'missing' })] }, {}], false],
    [() => [{ since: 'nonsense', postgres_changes: [binding()] }, {}], false],
    [() => [{ private: true }, {}], false],
  ];
  const follower = await connect();
  follower.join('1', 'realtime:beside', { postgres_changes: [binding({ event: 'INSERT' })] });
  assert.equal((await follower.reply('1'))[4].status, 'ok');

  let storming = true;
  let worst_ms = 0;
  const beside = (async () => {
    for (let id = 1; storming; id++) {
      const begun = performance.now();
      await house.postgres.query('INSERT INTO todos VALUES ($1)', [-id]);
      await follower.next('the change', (m) => m[3] === 'postgres_changes' && m[4].data.record.id === -id, 30_000);
      worst_ms = Math.max(worst_ms, performance.now() - begun);
    }
  })();
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, connect));
  for (let i = 0; i < ROUNDS; i++) {
    for (const client of clients) {
      const [config, more] = joins[i % joins.length][0](i);
      client.join(`j${i}`, `realtime:storm ${i % 7}`, config, more);
      if (i % 3 !== 0) client.send([`j${i}`, `l${i}`, `realtime:storm ${i % 7}`, 'phx_leave', {}]);
    }
    if (i % 50 === 0) await new Promise(setImmediate); // else the client's own loop would starve the follower
  }
  for (const client of clients) {
    client.send([null, 'end', 'phoenix', 'heartbeat', {}]);
    await client.reply('end');
    // A join that another of its topic, or a leave, came behind is answered or ended by that one.
    const answered = new Map(client.received.filter((m) => m[3] === 'phx_reply' && /^j/.test(m[1])).map((m) => [m[1], m[4].status]));
    for (let i = 0; i < ROUNDS; i++)
      if (!joins[i % joins.length][1] && ![5, 7].includes(i % joins.length)) assert.equal(answered.get(`j${i}`), 'error', `join ${i}`);
      else if (answered.has(`j${i}`)) assert.equal(answered.get(`j${i}`), joins[i % joins.length][1] ? 'ok' : 'error', `join ${i}`);
  }
  storming = false;
  await beside;
  t.diagnostic(`the slowest change beside it took ${Math.round(worst_ms)} ms`);
  assert.ok(worst_ms < LATE_MS, `${worst_ms} ms`);
  for (const client of clients) client.socket.terminate();
  await waitFor('only the follower to be left', async () =>
    await house.walcast.metric('walcast_ws_channels') === 1 && await house.walcast.metric('walcast_ws_connections') === 1, 20_000);
  const { code } = await house.walcast.stop();
  assert.equal(code, 0, house.walcast.logText().slice(-2000));
});
