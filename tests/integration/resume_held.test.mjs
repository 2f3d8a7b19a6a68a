// A message of the stream may have to wait in its midst, for what a role may see of it. Who joins
// or comes back meanwhile gets its first changes too.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { RawClient, websocketUrl } from '../lib/realtime.mjs';
import { waitFor } from '../lib/wait.mjs';

const MAKE = 'CREATE TABLE items (id int PRIMARY KEY, kind text); GRANT SELECT ON items TO anon, authenticated;';

suite('a message that is held in its midst', () => {
  let house;
  const tokens = {};
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { schema: MAKE, config: { 'http.threads': 2, 'auth.grants_interval': '60s' } });
    for (const role of ['anon', 'authenticated']) tokens[role] = await house.walcast.token({ role, sub: 'me' });
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  async function join(t, role, kind, since) {
    const client = await RawClient.connect(t, websocketUrl(house.walcast, { apikey: tokens[role], vsn: '2.0.0' }));
    client.join('1', 'realtime:r', { ...(since && { since }),
      postgres_changes: [{ event: '*', schema: 'public', table: 'items', filter: `kind=eq.${kind}` }] });
    const reply = (await client.reply('1'))[4];
    assert.equal(reply.status, 'ok', JSON.stringify(reply));
    const of = (event) => client.received.filter((message) => message[3] === event).map((message) => message[4]);
    return Object.assign(client, {
      changes: () => of('postgres_changes').map(({ data }) => data),
      ids: () => of('postgres_changes').map(({ data }) => data.record.id),
      live: () => waitFor('the subscription to be live', () => of('system').find(({ message }) => /Subscribed/.test(message)), 30_000),
      sees: (id) => waitFor(`the change of ${id}`, () => client.ids().includes(id), 30_000),
    });
  }
  const sql = (text) => house.postgres.query(text);
  const published = async () => (await sql("SELECT 1 FROM pg_publication_tables WHERE tablename = 'items'")).rows.length > 0;

  test('who comes back meanwhile misses none of it', async (t) => {
    const first = await join(t, 'anon', 'a');
    const second = await join(t, 'authenticated', 'b');
    await first.live();
    await second.live();
    // Another table of the name: each role must be asked about it anew, anon by the first change.
    await sql(`DROP TABLE items; ${MAKE}`);
    await waitFor('it to be published', published);
    await sql("INSERT INTO items VALUES (1, 'a')");
    await first.sees(1);
    const since = first.changes().at(-1).offset;
    const { rows: [{ pid }] } = await sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'walcast access'");
    process.kill(pid, 'SIGSTOP');
    t.after(() => process.kill(pid, 'SIGCONT'));
    await sql("INSERT INTO items VALUES (2, 'a'), (3, 'a'), (4, 'b'), (5, 'a')");
    await first.sees(3); // and not 5: what may be seen of 4 is not known
    const back = await join(t, 'anon', 'a', since);
    const fresh = await join(t, 'anon', 'a');
    const { offset } = await fresh.live();
    process.kill(pid, 'SIGCONT');
    await second.sees(4);
    await first.sees(5);
    await back.sees(5);
    await fresh.sees(5);
    assert.deepEqual(first.ids(), [1, 2, 3, 5]);
    assert.deepEqual(back.ids(), [2, 3, 5]);
    // Its offset says where it begins: what it was not sent is before it.
    const again = await join(t, 'anon', 'a', offset);
    await again.sees(5);
    assert.deepEqual(again.ids(), fresh.ids());
  });
});
