// Changes of policies, grants and functions in order with the data: of what stands behind them in
// the stream, in their own transaction or in the very next ones, not one row that they hide is
// delivered, and the first one that they show is. Asking again is of no help here: it is for a
// minute later.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { readEvents } from '../lib/events.mjs';
import { startHouse } from '../lib/house.mjs';
import { RawClient, websocketUrl } from '../lib/realtime.mjs';
import { EventStream, sseUrl } from '../lib/sse.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';

const apart = together(3);
const ROUNDS = Number(process.env.WALCAST_ROUNDS ?? 40);
const USERS = Array.from({ length: 3 }, () => randomUUID());
const CONFIG = { 'auth.grants_interval': '1m', 'auth.policy_cache': '10m', 'http.threads': 2, 'postgres.tables': '*.*' };
const table = (name, more = '') => `CREATE TABLE ${name} (id serial PRIMARY KEY, phase int, owner uuid); ${more}`;
const SECURE = (name) => `ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY;`;
const SCHEMA = `
  ${table('tuned', `${SECURE('tuned')} CREATE POLICY p ON tuned USING (phase = 0);`)}
  ${table('helped', `${SECURE('helped')}
    CREATE FUNCTION public.phase() RETURNS int LANGUAGE sql STABLE AS 'SELECT 0'; CREATE POLICY p ON helped USING (phase = public.phase());`)}
  ${table('asked', `${SECURE('asked')}
    CREATE FUNCTION public.asked_phase() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 0; END'; CREATE POLICY p ON asked USING (phase = public.asked_phase());`)}
  ${table('granted')} ${table('columned')}
  ${table('enabled', 'CREATE POLICY p ON enabled USING (phase < 0);')}
  ${table('forced', `ALTER TABLE forced OWNER TO keeper; ${SECURE('forced')} CREATE POLICY p ON forced USING (phase < 0);`)}
  ${table('dropped', `${SECURE('dropped')}`)}
  ${table('loaded', `${SECURE('loaded')} CREATE POLICY p ON loaded USING (owner = auth.uid());`)}`;

const tokenOf = (claims) => goodToken({ role: 'authenticated', sub: USERS[0], ...claims });

async function join(t, walcast, claims, binding, config = {}) {
  const client = await RawClient.connect(t, websocketUrl(walcast, { apikey: tokenOf(claims), vsn: '2.0.0' }));
  client.join('1', 'realtime:r', { postgres_changes: [{ event: '*', schema: 'public', ...binding }], ...config });
  const { status, response } = (await client.reply('1'))[4];
  assert.equal(status, 'ok', JSON.stringify(response));
  await client.next('the live stream', (m) => m[3] === 'system' && m[4].message === 'Subscribed to PostgreSQL');
  const of = (event) => client.received.filter((message) => message[3] === event).map((message) => message[4]);
  return Object.assign(client, { data: () => of('postgres_changes').map(({ data }) => data),
    ids: () => of('postgres_changes').map(({ data }) => data.record.id), systems: () => of('system'),
    ended: () => client.received.some(({ 3: event }) => event === 'phx_error' || event === 'phx_close') });
}

// One connection: a transaction with the DDL and rows behind it, then rows at once after it. A row
// is [columns]; `either` stands in front of the DDL.
let rounds = 0;
async function round(client, name, { ddl, shown, hidden, either }) {
  const insert = ({ phase, owner = null }) => `INSERT INTO ${name} (phase, owner) VALUES (${phase}, ${owner ? `'${owner}'` : 'NULL'}) RETURNING id`;
  const ids = { shown: [], hidden: [], either: [] };
  const put = async (kind, row) => row && ids[kind].push((await client.query(insert(row))).rows[0].id);
  await client.query('BEGIN');
  await put('either', either);
  await client.query(ddl);
  rounds++;
  // Either of them stands first behind it: one that the policies of before do not find, and one that they do.
  const order = rounds % 2 ? [['shown', shown], ['hidden', hidden]] : [['hidden', hidden], ['shown', shown]];
  for (const [kind, row] of order) await put(kind, row);
  await client.query('COMMIT');
  for (const [kind, row] of order) await put(kind, row);
  return ids;
}

const inOrder = (major) => suite(`in order with the data${major ? `, PostgreSQL ${major}` : ''}`, { concurrency: 1 }, () => {
  let house;
  const once = major ? () => {} : test;
  const cleanups = [];
  const suiteContext = { after: (cleanup) => cleanups.unshift(cleanup), diagnostic: console.error, passed: true };
  before(async () => {
    house = await startHouse(suiteContext, { config: CONFIG, major });
    await sql('CREATE ROLE keeper');
    await house.walcast.commandOk(['setup', '--apply']);
    await sql(`GRANT USAGE ON SCHEMA auth TO anon, authenticated, keeper; ${SCHEMA}`);
    await waitFor('their publication', async () => (await sql("SELECT FROM pg_publication_tables WHERE tablename IN ('tuned', 'helped', 'asked', 'granted', 'columned', 'enabled', 'forced', 'dropped', 'loaded')")).rowCount === 9);
  });
  after(async () => { for (const cleanup of cleanups) await cleanup(); });
  const sql = (...all) => house.postgres.query(...all);

  // Writers of another table, two sessions, under three subscribers of their own rows each, who are
  // never far behind.
  async function underLoad(t, work) {
    const readers = await Promise.all(USERS.map((sub) => join(t, house.walcast, { sub }, { table: 'loaded' })));
    const near = (i) => written[i].length - readers[i].received.length < 40;
    const written = USERS.map(() => []);
    let going = true;
    const writers = [0, 1].map(async () => {
      const client = await house.postgres.connect();
      for (let i = 0; going; i = (i + 1) % USERS.length) {
        await waitFor('the reader', () => near(i) || !going, 60_000, 2);
        written[i].push((await client.query('INSERT INTO loaded (phase, owner) VALUES (0, $1) RETURNING id', [USERS[i]])).rows[0].id);
      }
      await client.end();
    });
    try {
      await work();
    } finally {
      going = false;
      await Promise.all(writers);
    }
    const rows = written.reduce((sum, { length }) => sum + length, 0);
    for (const [i, reader] of readers.entries()) {
      await waitFor('the load', () => reader.ids().length >= written[i].length, 60_000);
      assert.deepEqual(reader.ids().toSorted((a, b) => a - b), written[i].toSorted((a, b) => a - b));
      assert.ok(!reader.ended());
    }
    return rows;
  }

  // what(k): the round's DDL and rows. Three kinds of subscribers hear of it; each gets what is shown,
  // in order, and no more than what stood in front of the DDL beside it. A round waits for the one
  // before; in a burst none does, and rows may be held against policies of later ones.
  async function follow(t, name, claims, what, { burst = false } = {}) {
    const rounds = burst ? ROUNDS * 3 : major ? ROUNDS / 2 : ROUNDS;
    const witness = await join(t, house.walcast, { role: 'service_role' }, { table: name });
    const clients = [await join(t, house.walcast, claims, { table: name }), await join(t, house.walcast, { ...claims, sub: USERS[1] }, { table: '*' })];
    const stream = await EventStream.open(t, sseUrl(house.walcast, { table: `public.${name}`, apikey: tokenOf(claims) }));
    await stream.ready();
    const writer = await house.postgres.connect();
    t.after(() => writer.end());
    const got = [clients[0].ids, () => clients[1].data().filter((data) => data.table === name).map(({ record }) => record.id),
      () => stream.changes.map(({ data }) => data.record.id)];
    const shown = [], hidden = [];
    const either = new Set();
    const started = performance.now();
    const load = await underLoad(t, async () => {
      for (let k = 1; k <= rounds; k++) {
        const ids = await round(writer, name, what(k));
        shown.push(...ids.shown);
        ids.either.forEach((id) => either.add(id));
        hidden.push(...ids.hidden);
        if (burst) continue;
        const last = Math.max(...ids.shown, ...ids.hidden);
        await waitFor(`round ${k}`, () => witness.ids().includes(last) && (ids.shown.length === 0 || got.every((seen) => seen().includes(ids.shown[1]))), 20_000).catch(() => {});
      }
    });
    const last = (await writer.query(`SELECT max(id) AS id FROM ${name}`)).rows[0].id;
    await waitFor('all of it', () => witness.ids().includes(last), 30_000);
    for (const ids of got) {
      const mine = () => ids().filter((id) => !either.has(id));
      await waitFor('what is shown', () => (burst ? mine().includes(shown.at(-1)) : mine().length >= shown.length), 30_000).catch(() => {});
      assert.deepEqual(mine().filter((id) => hidden.includes(id)), [], 'none that is hidden');
      if (!burst) assert.deepEqual(mine(), shown);
      else assert.ok(mine().includes(shown.at(-1)));
    }
    assert.ok(!clients.some((client) => client.ended()));
    t.diagnostic(`${rounds} rounds in ${Math.round(performance.now() - started)} ms: ${shown.length} rows shown, ${hidden.length} hidden, to each of 3; ${load} rows of load beside`);
  }

  test('a policy is altered', (t) => follow(t, 'tuned', {}, (k) => ({ ddl: `ALTER POLICY p ON tuned USING (phase = ${k})`,
    either: { phase: k - 1 }, hidden: { phase: k - 1 }, shown: { phase: k } })));

  once('a policy is altered again before its rows are read', (t) => follow(t, 'tuned', {}, (k) => ({ ddl: `ALTER POLICY p ON tuned USING (phase = ${1e6 + k})`,
    either: { phase: 1e6 + k - 1 }, hidden: { phase: 1e6 + k - 1 }, shown: { phase: 1e6 + k } }), { burst: true }));

  once('a policy is dropped and made anew', (t) => follow(t, 'dropped', {}, (k) => ({
    ddl: k % 2 ? 'CREATE POLICY p ON dropped FOR SELECT TO authenticated USING (true)' : 'DROP POLICY p ON dropped',
    either: { phase: k }, hidden: k % 2 ? null : { phase: k }, shown: k % 2 ? { phase: k } : null })));

  test('a helper function that is put into the policy is replaced', (t) => follow(t, 'helped', {}, (k) => ({
    ddl: `CREATE OR REPLACE FUNCTION public.phase() RETURNS int LANGUAGE sql STABLE AS 'SELECT ${k}'`,
    either: { phase: k - 1 }, hidden: { phase: k - 1 }, shown: { phase: k } })));

  test('a helper function that PostgreSQL is asked for is replaced', (t) => follow(t, 'asked', {}, (k) => ({
    ddl: `CREATE OR REPLACE FUNCTION public.asked_phase() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN ${k}; END'`,
    either: { phase: k - 1 }, hidden: { phase: k - 1 }, shown: { phase: k } })));

  test('SELECT is revoked and granted', (t) => follow(t, 'granted', {}, (k) => ({
    ddl: k % 2 ? 'REVOKE SELECT ON granted FROM authenticated' : 'GRANT SELECT ON granted TO authenticated',
    either: { phase: k }, hidden: k % 2 ? { phase: k } : null, shown: k % 2 ? null : { phase: k } })));

  once('row-level security is enabled and disabled', (t) => follow(t, 'enabled', {}, (k) => ({
    ddl: `ALTER TABLE enabled ${k % 2 ? 'ENABLE' : 'DISABLE'} ROW LEVEL SECURITY`,
    either: { phase: k }, hidden: k % 2 ? { phase: k } : null, shown: { phase: k % 2 ? -k : k } })));

  once('FORCE is set and taken back, for an owner', (t) => follow(t, 'forced', { role: 'keeper' }, (k) => ({
    ddl: `ALTER TABLE forced ${k % 2 ? 'FORCE' : 'NO FORCE'} ROW LEVEL SECURITY`,
    either: { phase: k }, hidden: k % 2 ? { phase: k } : null, shown: { phase: k % 2 ? -k : k } })));

  once('a column is taken away: it is not in the next row', async (t) => {
    const client = await join(t, house.walcast, {}, { table: 'columned' });
    const writer = await house.postgres.connect();
    t.after(() => writer.end());
    for (let k = 0; k < ROUNDS; k++) {
      await writer.query(`BEGIN; REVOKE SELECT ON columned FROM authenticated; REVOKE SELECT (phase) ON columned FROM authenticated;
        GRANT SELECT (id${k % 2 ? ', phase' : ''}) ON columned TO authenticated; INSERT INTO columned (phase) VALUES (${k}); COMMIT`);
      await waitFor('the row', () => client.data().length === k + 1);
    }
    assert.deepEqual(client.data().map(({ record }) => record.phase), Array.from({ length: ROUNDS }, (_, k) => (k % 2 ? k : undefined)));
  });

  once('who comes back under changing policies never gets what was hidden when it was written', async (t) => {
    await sql('ALTER POLICY p ON tuned USING (phase = 0)');
    const hidden = new Set();
    const first = await join(t, house.walcast, {}, { table: 'tuned' });
    await sql('INSERT INTO tuned (phase) VALUES (0)');
    await waitFor('an offset', () => first.data().length > 0);
    const [{ offset }] = first.data();
    const writer = await house.postgres.connect();
    t.after(() => writer.end());
    const clients = [];
    let going = true;
    const comers = (async () => {
      while (going) clients.push(await join(t, house.walcast, {}, { table: 'tuned' }, { since: offset }));
    })();
    let k = 1000;
    for (; k < 1000 + ROUNDS || (clients.length <= 3 && k < 5000); k++)
      (await round(writer, 'tuned', { ddl: `ALTER POLICY p ON tuned USING (phase = ${k})`, hidden: { phase: k - 1 }, shown: { phase: k } })).hidden.forEach((id) => hidden.add(id));
    going = false;
    await comers;
    const { rows: [{ id: last }] } = await sql(`INSERT INTO tuned (phase) VALUES (${k - 1}) RETURNING id`);
    await waitFor('the last', () => clients.every((client) => client.ids().includes(last)), 30_000);
    t.diagnostic(`${clients.length} came back`);
    assert.ok(clients.length > 3);
    for (const client of clients) assert.deepEqual(client.ids().filter((id) => hidden.has(id)), []);
  });

  const looks = async () => ({ looks: await house.walcast.metric('walcast_auth_grant_looks_total'), views: await house.walcast.metric('walcast_auth_ddl_views_total'),
    ddl: await house.walcast.metric('walcast_auth_ddl_total'), at_ms: performance.now() });

  once('a migration of 500 statements, in one transaction and in 500, costs a bounded number of looks', async (t) => {
    const STATEMENTS = 500;
    await sql('ALTER POLICY p ON tuned USING (phase = 0)');
    const client = await join(t, house.walcast, {}, { table: 'tuned' });
    const writer = await house.postgres.connect();
    t.after(() => writer.end());
    for (const together of [true, false]) {
      const before = await looks();
      if (together) await writer.query('BEGIN');
      let id;
      for (let k = 0; k < STATEMENTS; k++) {
        await writer.query(`COMMENT ON TABLE tuned IS 'x'; ALTER POLICY p ON tuned USING (phase = 0 OR phase = ${k})`);
        ({ rows: [{ id }] } = await writer.query('INSERT INTO tuned (phase) VALUES (0) RETURNING id'));
      }
      if (together) await writer.query('COMMIT');
      await waitFor('the last', () => client.ids().includes(id), 60_000);
      const behind = await looks();
      const [seconds, made] = [(behind.at_ms - before.at_ms) / 1000, behind.looks - before.looks];
      t.diagnostic(`${together ? 'one transaction' : 'as many transactions'}: ${behind.ddl - before.ddl} messages, ${made} looks and ${behind.views - before.views} views in ${seconds.toFixed(1)} s`);
      assert.equal(behind.ddl - before.ddl, STATEMENTS);
      assert.ok(made <= (together ? 20 : 3 * 50 * seconds + 20), `${made} looks`); // of three roles at the most
    }
    assert.equal(client.data().length, 2 * STATEMENTS, 'none of the rows was lost');
    assert.ok(!client.ended());
  });

  once('who may write logical messages can cause looks, and nothing else', async (t) => {
    const clients = [await join(t, house.walcast, {}, { table: 'loaded' }), await join(t, house.walcast, { role: 'anon', sub: USERS[0] }, { table: '*' })];
    const systems = clients.map((client) => client.systems().length);
    const { rows: [{ xid }] } = await sql('SELECT (pg_current_xact_id()::text::bigint + 1000000)::text AS xid');
    const before = await looks();
    await sql('CREATE ROLE stranger LOGIN');
    const stranger = await house.postgres.connect({ connectionString: house.postgres.url.replace('postgres@', 'stranger@') });
    t.after(() => stranger.end());
    const load = await underLoad(t, async () => {
      for (let i = 0; i < 1000; i++)
        await stranger.query('SELECT pg_logical_emit_message($1, $2, $3)', [i % 5 !== 0, 'walcast.ddl', [`{"xid":"${xid}"}`, '{"xid":', '', 'x'.repeat(1000)][i % 4]]);
    });
    const behind = await looks();
    const seconds = (behind.at_ms - before.at_ms) / 1000;
    t.diagnostic(`${behind.ddl - before.ddl} messages, ${load} rows beside them, ${behind.looks - before.looks} looks in ${seconds.toFixed(1)} s`);
    assert.ok(behind.looks - before.looks <= 4 * 50 * seconds + 20);
    for (const [i, client] of clients.entries()) {
      assert.ok(!client.ended());
      assert.equal(client.systems().length, systems[i]);
    }
  });

  once("what was answered of private channels is forgotten", async (t) => {
    await sql("CREATE POLICY open ON realtime.messages FOR SELECT TO authenticated USING (true)");
    const enter = async () => {
      const client = await RawClient.connect(t, websocketUrl(house.walcast, { apikey: tokenOf({}), vsn: '2.0.0' }));
      client.join('1', 'realtime:private', { private: true });
      return (await client.reply('1'))[4].status;
    };
    assert.equal(await enter(), 'ok');
    for (let i = 0; i < 5; i++) {
      // Told to the gateway before the join is, by a row behind it.
      const client = await join(t, house.walcast, {}, { table: 'loaded' });
      for (const [ddl, status] of [['DROP POLICY open ON realtime.messages', 'error'], ['CREATE POLICY open ON realtime.messages FOR SELECT TO authenticated USING (true)', 'ok']]) {
        await sql(ddl);
        const { rows: [{ id }] } = await sql('INSERT INTO loaded (phase, owner) VALUES (0, $1) RETURNING id', [USERS[0]]);
        await waitFor('the row', () => client.ids().includes(id));
        assert.equal(await enter(), status);
      }
    }
  });

  once('the outbox has none of it', async () => {
    await sql("SELECT pg_logical_emit_message(true, 'order.paid', 'x')");
    await waitFor('the event', async () => (await readEvents(house.nats)).length > 0, 30_000);
    assert.deepEqual((await readEvents(house.nats)).map(({ text }) => text), ['x']);
  });
});
suite('each with servers of its own', { concurrency: 2 }, () => { for (const major of [undefined, 14, 18]) inOrder(major); });

// ---- A commit that is in the stream and that nobody sees yet ----

const NOBODY = { synchronous_standby_names: 'nobody', synchronous_commit: 'local' };

// A function of a policy is replaced (which locks no table), and nobody sees it until `end` is called.
async function ddlThatWaits(t, house) {
  const client = await house.postgres.connect();
  t.after(() => client.connection.stream.destroy()); // it may wait still
  await client.query('SET synchronous_commit = on');
  const told = await house.walcast.metric('walcast_auth_ddl_total');
  const waits = client.query(PHASE(2));
  waits.catch(() => {});
  await waitFor('the DDL in the stream', async () => (await house.walcast.metric('walcast_auth_ddl_total')) > told);
  return async () => {
    await house.postgres.query("ALTER SYSTEM SET synchronous_standby_names = ''");
    await house.postgres.query('SELECT pg_reload_conf()');
    await waits;
  };
}

const PHASE = (phase) => `CREATE OR REPLACE FUNCTION public.phase() RETURNS int LANGUAGE sql STABLE AS 'SELECT ${phase}'`;
const insert = async (house, phase) => (await house.postgres.query(`INSERT INTO tuned (phase) VALUES (${phase}) RETURNING id`)).rows[0].id;

// Also from behind what is there now.
const askedAgain = async (house, times = 3) => {
  const before = await house.walcast.metric('walcast_auth_ddl_views_total') ?? 0;
  return waitFor('its asking again', async () => (await house.walcast.metric('walcast_auth_ddl_views_total')) >= before + times);
};

async function startWaiting(t, { setup = true } = {}) {
  const house = await startHouse(t, { settings: NOBODY, config: CONFIG });
  if (setup) await house.walcast.commandOk(['setup', '--apply']);
  await house.postgres.query(`${PHASE(1)}; ${table('tuned', `${SECURE('tuned')} CREATE POLICY p ON tuned USING (phase = public.phase());`)}`);
  await waitFor('its publication', async () => (await house.postgres.query("SELECT FROM pg_publication_tables WHERE tablename = 'tuned'")).rowCount === 1);
  return house;
}

apart('DDL whose commit waits for a synchronous standby: what stands behind it waits, and is held against it', async (t) => {
  const house = await startWaiting(t);
  const client = await join(t, house.walcast, {}, { table: 'tuned' });
  const before = await insert(house, 1);
  await waitFor('the row', () => client.ids().includes(before));
  const began = performance.now();
  const end = await ddlThatWaits(t, house);
  assert.equal((await house.postgres.query('SELECT public.phase() AS phase')).rows[0].phase, 1, 'others do not see it yet');
  await insert(house, 1);
  const shown = await insert(house, 2);
  await waitFor('both in the stream', async () => (await house.walcast.changes({ table: 'public.tuned' })).some(({ record }) => record.id === shown));
  await askedAgain(house);
  assert.deepEqual(client.ids(), [before]);
  await end();
  const took_ms = performance.now() - began;
  await waitFor('the row that it shows', () => client.ids().includes(shown) || (took_ms > 4500 && client.ended()));
  if (client.ended()) return t.diagnostic(`it waited for ${took_ms} ms on this machine: what that means has a test of its own`);
  assert.deepEqual(client.ids(), [before, shown]);
});

apart('for longer than five seconds: nothing is given to anybody, and whoever joins again misses nothing', async (t) => {
  const house = await startWaiting(t);
  const client = await join(t, house.walcast, {}, { table: 'tuned' });
  const before = await insert(house, 1);
  await waitFor('the row', () => client.ids().includes(before));
  const { offset } = client.data()[0];
  const end = await ddlThatWaits(t, house);
  const [hidden, shown] = [await insert(house, 1), await insert(house, 2)];
  await waitFor('its being told to join again', () => client.ended(), 20_000);
  assert.ok(client.systems().some(({ message }) => /^DatabaseUnavailable: .*join again/.test(message)), JSON.stringify(client.systems()));
  const refused = await RawClient.connect(t, websocketUrl(house.walcast, { apikey: tokenOf({}), vsn: '2.0.0' }));
  refused.join('1', 'realtime:r', { postgres_changes: [{ event: '*', schema: 'public', table: 'tuned' }], since: offset });
  const { status, response } = (await refused.reply('1'))[4];
  assert.equal(status, 'error');
  assert.match(response.reason, /^DatabaseUnavailable: policies or grants have changed/);
  await end();
  const back = await waitFor('a join', () => join(t, house.walcast, {}, { table: 'tuned' }, { since: offset }), 30_000, 200);
  await waitFor('the row that it shows', () => back.ids().includes(shown));
  assert.deepEqual(back.ids().filter((id) => id !== before), [shown]);
  assert.ok(!client.ids().includes(hidden));
});

for (const user of ['postgres', 'gate']) apart(`a gateway that began behind such a commit does not take what is seen for what is${
  user === 'gate' ? ', also where its user may not see what other sessions wait for' : ''}`, async (t) => {
  const house = await startWaiting(t);
  await house.postgres.query('CREATE ROLE gate LOGIN REPLICATION; GRANT SELECT ON tuned TO gate');
  const end = await ddlThatWaits(t, house);
  house.walcast.config['postgres.url'] = house.postgres.url.replace('postgres@', `${user}@`);
  await house.walcast.restart();
  await house.walcast.ready();
  let open = true;
  const client = join(t, house.walcast, {}, { table: 'tuned' });
  const ended = askedAgain(house).then(end);
  Promise.race([client, ended]).catch(() => {}).then(() => { open = false; });
  while (open) await insert(house, 1);
  await ended;
  const joined = await client;
  const shown = await insert(house, 2);
  await waitFor('the row', () => joined.ids().includes(shown));
  assert.deepEqual(joined.ids(), [shown]);
});

for (const [what, setup, database] of [['where nothing tells of DDL', false, 'postgres'], ['of another database', true, 'other']])
  apart(`a gateway that began behind a commit that waits does not wait for it ${what}`, async (t) => {
    const house = await startWaiting(t, { setup });
    if (database !== 'postgres') await house.postgres.query(`CREATE DATABASE ${database}`);
    const client = await house.postgres.connect({ connectionString: house.postgres.url.replace(/postgres$/, database) });
    t.after(() => client.connection.stream.destroy());
    await client.query('SET synchronous_commit = on');
    client.query('CREATE TABLE waits (id int)').catch(() => {});
    const waiting = async () => (await house.postgres.query("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'")).rowCount;
    await waitFor('a commit that waits', waiting);
    await house.walcast.restart();
    const joined = await join(t, house.walcast, {}, { table: 'tuned' });
    const shown = await insert(house, 1);
    await waitFor('the row', () => joined.ids().includes(shown));
    assert.equal(await waiting(), 1);
  });

apart('without the event triggers policies are noticed by asking, as ever', async (t) => {
  const house = await startHouse(t, { config: { ...CONFIG, 'auth.grants_interval': '100ms' } });
  await house.postgres.query(table('tuned', `${SECURE('tuned')} CREATE POLICY p ON tuned USING (phase = 1);`));
  await waitFor('its publication', async () => (await house.postgres.query("SELECT FROM pg_publication_tables WHERE tablename = 'tuned'")).rowCount === 1);
  const client = await join(t, house.walcast, {}, { table: 'tuned' });
  const first = await insert(house, 1);
  await waitFor('the row', () => client.ids().includes(first));
  await house.postgres.query('ALTER POLICY p ON tuned USING (phase = 2)');
  const others = [];
  await waitFor('the other policy', async () => others.push(await insert(house, 2)) && others.some((id) => client.ids().includes(id)), 10_000, 50);
  const hidden = await insert(house, 1);
  const last = await insert(house, 2);
  await waitFor('the row', () => client.ids().includes(last));
  assert.ok(!client.ids().includes(hidden));
});
