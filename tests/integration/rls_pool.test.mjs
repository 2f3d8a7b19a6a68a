// Row-level security in SQL shares the gateway's connections with joins, private channels and
// snapshots: neither takes them all, nor leaves the other a session with settings of its own.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { claimsOf, PolicyHouse } from '../lib/policies.mjs';
import { RawClient, websocketUrl } from '../lib/realtime.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { waitFor } from '../lib/wait.mjs';

const SCHEMA = `
  CREATE TABLE notes (id int PRIMARY KEY, body text); ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
  CREATE TABLE open (id int PRIMARY KEY, body text); INSERT INTO open SELECT n, 'b' FROM generate_series(1, 20) n;
  CREATE POLICY may ON realtime.messages FOR SELECT TO authenticated USING (true);
  CREATE POLICY can ON realtime.messages FOR INSERT TO authenticated WITH CHECK (true);`;

suite('the connections of row-level security', () => {
  let it;
  let id = 0;
  before(async () => { it = await PolicyHouse.start({ schema: SCHEMA, tables: ['notes', 'open'], config: { 'auth.policy_timeout': '2s' } }); });
  after(() => it?.stop());
  const running = async (like) => Number((await it.sql(`SELECT count(*) AS n FROM pg_stat_activity
    WHERE application_name = 'walcast ws' AND state = 'active' AND query LIKE '%${like}%'`)).rows[0].n);

  async function privately(t, claims, topic) {
    const client = await RawClient.connect(t, websocketUrl(it.walcast, { apikey: goodToken(claims), vsn: '2.0.0' }));
    const started = performance.now();
    client.join('1', `realtime:${topic}`, { private: true });
    const { status, response } = (await client.reply('1'))[4];
    assert.equal(status, 'ok', JSON.stringify(response));
    return performance.now() - started;
  }

  test('settings that only private channels are given are null in policies, whatever ran before', async (t) => {
    const settings = ['request.jwt.claim.sub', 'request.jwt.claim.role', 'request.headers', 'realtime.topic'];
    const nulls = settings.map((name) => `current_setting('${name}', true) IS NULL`);
    const fresh = await it.asked(claimsOf(randomUUID()), `SELECT ${nulls.join(' AND ')}`);
    assert.deepEqual(fresh, [true], 'as a fresh session under PostgREST sees them');
    const inEngine = nulls.slice(0, 3).join(' AND ');
    await it.policies('notes', `CREATE POLICY a ON notes TO authenticated USING (${nulls.join(' AND ')} AND (SELECT count(*) FROM open) > 0);
      CREATE POLICY b ON notes TO anon USING (${inEngine})`);
    const check = await it.walcast.commandOk(['check', '--policies']);
    assert.match(check, /public\.notes as anon: in the engine/);
    assert.match(check, /public\.notes as authenticated: in SQL/);
    const [bySql, byEngine] = [await it.join(t, claimsOf(randomUUID()), { table: 'notes' }), await it.join(t, { role: 'anon' }, { table: 'notes' })];
    const rows = [];
    for (let n = 0; n < 8; n++) { // each kind of connection is used by turns, and beside the other
      await Promise.all(Array.from({ length: 6 }, (_, i) => privately(t, claimsOf(randomUUID()), `turn${n}.${i}`)));
      rows.push(++id);
      await it.sql(`INSERT INTO notes VALUES (${id}, 'b')`);
      await waitFor('its row', () => bySql.data().length === rows.length && byEngine.data().length === rows.length);
    }
    for (const client of [bySql, byEngine]) assert.deepEqual([client.data().map(({ record }) => record.id), client.errors()], [rows, []]);
    const copy = await it.join(t, claimsOf(randomUUID()), { table: 'notes', filter: `id=gte.${rows[0]}` }, { snapshot: true });
    assert.deepEqual(copy.data().map(({ record }) => record.id), rows);
  });

  test('a slow policy of many claims leaves connections to private channels and snapshots', async (t) => {
    // A class for each of 401 claims, in five questions of up to 100; one alone would sleep for
    // 20 s, is cut off at the time limit, and then asked about claim by claim for as long again.
    await it.policies('notes', 'CREATE POLICY a ON notes USING (pg_sleep(0.2) IS NOT NULL AND (SELECT count(*) FROM open) > 0)');
    const many = await Promise.all(Array.from({ length: 401 }, () => it.join(t, claimsOf(randomUUID()), { table: 'notes' })));
    await it.sql(`INSERT INTO notes VALUES (${++id}, 'slow')`);
    await waitFor('questions under way', async () => await running('walcast.rows') >= 2);
    const waits = [];
    let most = 0;
    for (let n = 0; n < 12; n++) {
      waits.push(await privately(t, claimsOf(randomUUID()), `room${n}`));
      most = Math.max(most, await running('walcast.rows'));
    }
    const started = performance.now();
    const copy = await it.join(t, claimsOf(randomUUID()), { table: 'open' }, { snapshot: true });
    assert.equal(copy.data().length, 20);
    t.diagnostic(`private joins ${waits.map(Math.round).join(', ')} ms, a snapshot ${Math.round(performance.now() - started)} ms`);
    assert.ok(await running('walcast.rows') > 0, 'the questions about rows are still under way');
    assert.equal(most, 2, 'they take two of four connections');
    assert.ok(Math.max(...waits) < 5000, `${waits}`);
    assert.ok(many.every((client) => !client.ended()));
  });
});
