// What PostgreSQL lets a role see, as the gateway is told: it must be what PostgreSQL says itself,
// follow changes within seconds, and never be more than that.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { AccessProbe } from '../lib/access_probe.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { waitFor } from '../lib/wait.mjs';

const COLUMNS = ['id', 'a', 'B b'];
const ROLES = ['nothing', 'reader', 'some', 'owner', 'heir', 'bypass', 'root', 'No Schema"s', 'pupil'];
const SCHEMA = `
  CREATE ROLE nothing; CREATE ROLE reader; CREATE ROLE "some"; CREATE ROLE owner;
  CREATE ROLE heir IN ROLE owner; CREATE ROLE bypass BYPASSRLS; CREATE ROLE root SUPERUSER;
  CREATE ROLE "No Schema""s"; CREATE ROLE teacher; CREATE ROLE pupil NOINHERIT IN ROLE teacher;
  CREATE SCHEMA "Other ""Place"; CREATE SCHEMA closed;
  GRANT USAGE ON SCHEMA "Other ""Place", closed TO reader, "some", owner, bypass, teacher;
  GRANT USAGE ON SCHEMA "Other ""Place" TO "No Schema""s";`;
const TABLES = [
  { schema: 'public', table: 'plain' },
  { schema: 'public', table: 'secured', rls: 'ENABLE' },
  { schema: 'public', table: 'forced', rls: 'FORCE' },
  { schema: 'Other "Place', table: 'Strange.Name*"' },
  { schema: 'Other "Place', table: 'Plain Secured', rls: 'ENABLE' },
  { schema: 'closed', table: 'plain' },
  { schema: 'public', table: 'Roots', parts: true },
];
const q = (name) => `"${name.replaceAll('"', '""')}"`;
const full = ({ schema, table }) => `${q(schema)}.${q(table)}`;

function tableSql(table) {
  const name = full(table);
  return `CREATE TABLE ${name} (id int, a text, "B b" text) ${table.parts ? 'PARTITION BY LIST (id)' : ''};
    ${table.parts ? `CREATE TABLE ${name.replace(/"$/, '_1"')} PARTITION OF ${name} FOR VALUES IN (1);` : ''}
    ALTER TABLE ${name} OWNER TO owner; GRANT SELECT ON ${name} TO reader, bypass, "No Schema""s", teacher;
    GRANT SELECT (id, "B b") ON ${name} TO "some";
    ${table.rls ? `ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY;` : ''}
    ${table.rls === 'FORCE' ? `ALTER TABLE ${name} FORCE ROW LEVEL SECURITY;` : ''}`;
}

// What a SELECT by the role itself says: the columns it may name, and whether policies would apply.
async function asPostgres(client, role, table) {
  const allowed = [];
  for (const column of COLUMNS) {
    await client.query(`BEGIN; SET LOCAL ROLE ${q(role)}`);
    try {
      await client.query(`SELECT ${q(column)} FROM ${full(table)}`);
      allowed.push(column);
    } catch (error) {
      assert.equal(error.code, '42501', error.message);
    }
    await client.query('ROLLBACK');
  }
  await client.query(`BEGIN; SET LOCAL ROLE ${q(role)}`);
  const { rows: [{ secured }] } = allowed.length === 0 ? { rows: [{ secured: false }] }
    : await client.query('SELECT row_security_active($1::regclass) AS secured', [full(table)]);
  await client.query('ROLLBACK');
  return { allowed, secured };
}

for (const major of [13, 15, 18]) {
  test(`PostgreSQL ${major}: roles by tables by columns, as a SELECT would say`, async (t) => {
    const postgres = await Postgres.start({ major, clients: false });
    t.after(() => postgres.remove());
    await postgres.query(SCHEMA + TABLES.map(tableSql).join(''));
    const probe = AccessProbe.start(t, postgres);
    const client = await postgres.connect();
    t.after(() => client.end());
    const seen = { allowed: 0, refused: 0, secured: 0, some: 0 };
    for (const role of ROLES) {
      await probe.hold(role);
      for (const table of TABLES) {
        const truth = await asPostgres(client, role, table);
        const got = await probe.table(role, table.table, { schema: table.schema, columns: COLUMNS });
        const what = `${role} ${full(table)}: ${JSON.stringify(got)}`;
        const open = truth.allowed.length > 0 && !truth.secured;
        assert.equal(got.verdict, open ? 'allowed' : truth.secured ? 'filtered' : 'refused', what);
        if (open || truth.secured) assert.deepEqual(got.columns, truth.allowed, what);
        else assert.match(got.reason, /GRANT (SELECT|USAGE) ON/, what);
        seen[open ? 'allowed' : 'refused']++;
        seen.secured += truth.secured;
        seen.some += open && truth.allowed.length < COLUMNS.length;
      }
    }
    assert.ok(Object.values(seen).every((count) => count >= 3), JSON.stringify(seen));
  });
}

suite('one database', () => {
  let postgres;
  before(async () => {
    postgres = await Postgres.start();
  });
  after(() => postgres?.remove());
  const sql = (...all) => postgres.query(...all);
  const oidOf = async (name) => Number((await sql(`SELECT '${name}'::regclass::oid::int AS oid`)).rows[0].oid);

  test('refusals say the statement that mends them, and it does', async (t) => {
    await sql(`CREATE SCHEMA "A b"; REVOKE ALL ON SCHEMA "A b" FROM anon;
      CREATE TABLE "A b"."T t" (id int PRIMARY KEY, x int); REVOKE ALL ON "A b"."T t" FROM anon`);
    const probe = AccessProbe.start(t, postgres);
    await probe.hold('Nobody "x"');
    const missing = await probe.table('Nobody "x"', 'T t', { schema: 'A b' });
    assert.match(missing.reason, /role "Nobody "x"" does not exist in the database; make it: CREATE ROLE "Nobody ""x""" NOLOGIN/);
    assert.equal((await probe.settled({ ask: 'role', role: 'Nobody "x"' })).verdict, 'refused');
    await probe.hold('anon');
    const steps = [/GRANT USAGE ON SCHEMA "A b" TO anon$/, /GRANT SELECT ON "A b"\."T t" TO anon$/];
    for (const step of steps) {
      const { verdict, reason } = await probe.table('anon', 'T t', { schema: 'A b' });
      assert.equal(verdict, 'refused');
      assert.match(reason, step);
      await sql(reason.slice(reason.indexOf('GRANT')));
      await waitFor('another answer', async () => (await probe.table('anon', 'T t', { schema: 'A b' })).reason !== reason);
    }
    assert.equal((await probe.table('anon', 'T t', { schema: 'A b' })).verdict, 'allowed');
    await sql('CREATE TABLE "table" ("user" int PRIMARY KEY); CREATE ROLE "order"');
    await probe.hold('order');
    const reserved = await probe.table('order', 'table');
    assert.match(reserved.reason, /GRANT SELECT ON public."table" TO "order"$/);
    await sql('CREATE ROLE "Nobody ""x"""');
    await waitFor('the role', async () => (await probe.ask({ ask: 'role', role: 'Nobody "x"' })).verdict === 'allowed');
    for (const role of ['', 'x'.repeat(64), 'ö'.repeat(32)])
      assert.match((await probe.hold(role)).error, /expected a PostgreSQL role's name/);
    // A name is never cut to one that is there.
    await sql(`CREATE ROLE ${'y'.repeat(63)}`);
    assert.match((await probe.hold('y'.repeat(64))).error, /64 bytes/);
  });

  test('a revoke, a policy, a column: each reaches the holder once, and nothing else does', async (t) => {
    await sql('CREATE TABLE watched (id int PRIMARY KEY, a int, b int)');
    const probe = AccessProbe.start(t, postgres);
    await probe.hold('authenticated');
    const look = () => probe.table('authenticated', 'watched', { columns: ['id', 'a', 'b', 'c'] });
    const first = await look();
    assert.deepEqual([first.verdict, first.all], ['allowed', true]);
    let generation = first.generation;
    async function after(statement, expected) {
      const before = probe.changes.length;
      await sql(statement);
      const started = performance.now();
      await waitFor(`what follows ${statement}`, () => probe.changes.length > before);
      const answer = await look();
      assert.ok(performance.now() - started < 5000);
      assert.ok(answer.generation > generation);
      generation = answer.generation;
      for (const [name, value] of Object.entries(expected)) assert.deepEqual(answer[name], value, JSON.stringify(answer));
      assert.equal(probe.changes.at(-1).generation, generation);
    }
    await after('REVOKE SELECT ON watched FROM authenticated', { verdict: 'refused' });
    await after('GRANT SELECT (id, b) ON watched TO authenticated', { verdict: 'allowed', columns: ['id', 'b'], all: false });
    await after('ALTER TABLE watched ADD COLUMN c int; GRANT SELECT (c) ON watched TO authenticated', { columns: ['id', 'b', 'c'] });
    await after('GRANT SELECT ON watched TO authenticated', { all: true });
    await after('ALTER TABLE watched ENABLE ROW LEVEL SECURITY', { verdict: 'filtered', policy: 'false' });
    await after('CREATE POLICY a ON watched USING (a > 0)', { policy: '(((a > 0)))' });
    await after('CREATE POLICY b ON watched FOR SELECT TO authenticated USING (b > 0); CREATE POLICY c ON watched AS RESTRICTIVE USING (id > 0); CREATE POLICY d ON watched FOR UPDATE USING (true); CREATE POLICY e ON watched TO service_role USING (true)',
      { policy: '(((a > 0)) OR ((b > 0))) AND (((id > 0)))' });
    await after('ALTER ROLE authenticated BYPASSRLS', { verdict: 'allowed' });
    await after('ALTER ROLE authenticated NOBYPASSRLS', { verdict: 'filtered' });
    await after('ALTER TABLE watched DISABLE ROW LEVEL SECURITY', { verdict: 'allowed' });
    await after('REVOKE USAGE ON SCHEMA public FROM PUBLIC', { verdict: 'refused' });
    await after('GRANT USAGE ON SCHEMA public TO PUBLIC', { verdict: 'allowed' });
    // Several looks that find nothing new tell nobody.
    const told = probe.changes.length;
    const lookStart = async () => (await sql(`SELECT query_start FROM pg_stat_activity
      WHERE application_name = 'walcast access'`)).rows[0].query_start.getTime();
    const starts = new Set();
    await waitFor('four more looks', async () => starts.add(await lookStart()).size > 4);
    assert.equal(probe.changes.length, told);
    await sql('DROP TABLE watched');
    await waitFor('its absence', async () => (await look()).verdict === 'absent');
  });

  test('a table that is new is asked for at once; one that is not there is absent', async (t) => {
    // The interval is far longer than the test: only asking brings it.
    const probe = AccessProbe.start(t, postgres, { 'auth.grants_interval': '1m' });
    await probe.hold('anon');
    await probe.settled({ ask: 'role', role: 'anon' });
    await waitFor('the first answer', () => probe.changes.length === 1);
    assert.equal((await probe.table('anon', 'never')).verdict, 'absent');
    await waitFor('its being told', () => probe.changes.length === 2);
    assert.equal((await probe.ask({ ask: 'table', role: 'anon', schema: 'public', table: 'never', oid: 0, columns: [] })).verdict, 'absent');
    await sql('CREATE TABLE fresh (id int PRIMARY KEY)');
    const oid = await oidOf('fresh');
    const before = probe.changes.length;
    assert.equal((await probe.table('anon', 'fresh', { oid })).verdict, 'allowed');
    assert.ok(probe.changes.length > before, 'who was told PENDING is told');
    // Dropped and made again, without a grant: a change of the new one is not judged by the old.
    await sql('DROP TABLE fresh; CREATE TABLE fresh (id int PRIMARY KEY); REVOKE ALL ON fresh FROM anon');
    assert.equal((await probe.table('anon', 'fresh', { oid: await oidOf('fresh') })).verdict, 'refused');
    const late = await probe.table('anon', 'fresh', { oid });
    assert.equal(late.verdict, 'refused');
    assert.match(late.reason, /another table now/);
    await sql('CREATE VIEW seen AS SELECT 1 AS one; DROP TABLE fresh');
    assert.equal((await probe.table('anon', 'seen')).verdict, 'absent');
    assert.equal((await probe.table('anon', 'pg_class', { schema: 'pg_catalog' })).verdict, 'absent');
  });

  test('64 roles at once, then a reason; released ones make room', async (t) => {
    const probe = AccessProbe.start(t, postgres);
    for (let i = 0; i < 64; i++) assert.ok((await probe.hold(`role_${i}`)).held);
    assert.match((await probe.hold('one_more')).error, /64 roles are in use/);
    await probe.ask({ ask: 'release', role: 'role_5' });
    assert.ok((await probe.hold('anon')).held);
    assert.equal((await probe.settled({ ask: 'role', role: 'anon' })).verdict, 'allowed');
    assert.match((await probe.hold('role_5')).error, /64 roles/);
  });

  test('1,000 tables: all known after one look, looked at again without a sign of it', async (t) => {
    await sql(`CREATE SCHEMA many; DO $$ BEGIN FOR i IN 1..1000 LOOP
      EXECUTE format('CREATE TABLE many.t%s (id int PRIMARY KEY, a int)', i);
      IF i % 2 = 0 THEN EXECUTE format('REVOKE ALL ON many.t%s FROM anon', i); END IF;
      IF i % 10 = 0 THEN EXECUTE format('GRANT SELECT (a) ON many.t%s TO anon', i); END IF; END LOOP; END $$`);
    t.after(() => sql('DROP SCHEMA many CASCADE').catch(() => {}));
    const probe = AccessProbe.start(t, postgres);
    await probe.hold('anon');
    await probe.settled({ ask: 'role', role: 'anon' });
    for (let i = 1; i <= 1000; i++) {
      const answer = await probe.ask({ ask: 'table', role: 'anon', schema: 'many', table: `t${i}`, oid: 0, columns: ['id', 'a'] });
      const columns = i % 2 === 1 ? ['id', 'a'] : i % 10 === 0 ? ['a'] : undefined;
      assert.deepEqual([answer.verdict, answer.columns], [columns ? 'allowed' : 'refused', columns], `t${i}`);
    }
    assert.equal(probe.changes.length, 1);
  });
});

test('the database away: known decisions count for a while, then nothing does, then again', async (t) => {
  const postgres = await Postgres.start();
  t.after(() => postgres.remove());
  await postgres.query('CREATE TABLE todos (id int PRIMARY KEY)');
  const probe = AccessProbe.start(t, postgres, { 'auth.grants_valid': '3s' });
  await probe.hold('anon');
  assert.equal((await probe.table('anon', 'todos')).verdict, 'allowed');
  await postgres.kill();
  const killed = performance.now();
  // A role that was never asked for has nothing to stand on.
  await probe.hold('authenticated');
  const unknown = await probe.settled({ ask: 'role', role: 'authenticated' });
  assert.equal(unknown.verdict, 'unavailable');
  assert.match(unknown.reason, /cannot be asked .* try again later/);
  const known = await probe.table('anon', 'todos');
  if (performance.now() - killed < 2000) assert.equal(known.verdict, 'allowed');
  const before = probe.changes.length;
  await waitFor('the end of what was known', async () => (await probe.table('anon', 'todos')).verdict === 'unavailable');
  await waitFor('its being told', () => probe.changes.slice(before).some(({ changed }) => changed === 'anon'));
  await postgres.restart();
  await postgres.query('REVOKE SELECT ON todos FROM anon');
  const back = probe.changes.length;
  await waitFor('another answer', async () => (await probe.table('anon', 'todos')).verdict === 'refused');
  await waitFor('its being told', () => new Set(probe.changes.slice(back).map(({ changed }) => changed)).size === 2);
  assert.equal((await probe.settled({ ask: 'role', role: 'authenticated' })).verdict, 'allowed');
});

test('who was told to try again is told when that can be, though nothing else changed', async (t) => {
  const postgres = await Postgres.start();
  t.after(() => postgres.remove());
  const probe = AccessProbe.start(t, postgres);
  await probe.hold('anon');
  await probe.settled({ ask: 'role', role: 'anon' });
  await postgres.kill();
  await waitFor('its being noticed', async () => (await probe.table('anon', 'todos')).verdict === 'unavailable');
  assert.equal((await probe.ask({ ask: 'role', role: 'anon' })).verdict, 'allowed');
  const before = probe.changes.length;
  await postgres.restart();
  await waitFor('its being told', () => probe.changes.length > before);
  assert.equal((await probe.table('anon', 'todos')).verdict, 'absent');
});

test('a stop while the database hangs ends at once', async (t) => {
  const postgres = await Postgres.start();
  t.after(() => postgres.remove());
  const probe = AccessProbe.start(t, postgres, { 'postgres.query_timeout': '5m' });
  await probe.hold('anon');
  await probe.settled({ ask: 'role', role: 'anon' });
  // Looks wait for the lock on the catalog from now on.
  const locker = await postgres.connect();
  await locker.query('BEGIN; LOCK pg_class IN ACCESS EXCLUSIVE MODE');
  await probe.hold('authenticated');
  const started = performance.now();
  assert.equal((await probe.stop()).code, 0);
  assert.ok(performance.now() - started < 30_000);
  await locker.end();
});
