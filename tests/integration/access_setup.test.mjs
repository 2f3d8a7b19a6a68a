// `walcast setup`: makes what clients need, once, says what it may not, and touches nothing that is
// not its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Nats } from '../lib/nats.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { run } from '../lib/process.mjs';
import { BINARY } from '../lib/walcast.mjs';

const as = (postgres, user) => ({ WALCAST_POSTGRES_URL: postgres.url.replace('postgres@', `${user}@`) });
const setup = (postgres, option = '--apply', user = 'postgres') => run([BINARY, 'setup', option], { env: as(postgres, user) });

// There is no NATS in these tests, which setup does not need but for its record.
const UNRECORDED = /^warning: done, but not in the audit records: cannot connect to nats\.url .*\n$/;

async function start(t, options) {
  const postgres = await Postgres.start({ clients: false, ...options });
  t.after(() => postgres.remove());
  return postgres;
}

// All that setup could have changed, as one value.
async function everything(postgres) {
  const { rows } = await postgres.query(`
    SELECT 'role' AS kind, rolname::text AS name, concat(rolcanlogin, rolbypassrls, rolsuper) AS what FROM pg_roles WHERE rolname !~ '^pg_'
    UNION ALL SELECT 'schema', nspname, nspacl::text FROM pg_namespace WHERE nspname IN ('realtime', 'auth', 'public')
    UNION ALL SELECT 'relation', oid::regclass::text, concat(oid, relacl, relrowsecurity) FROM pg_class WHERE relnamespace = to_regnamespace('realtime')
    UNION ALL SELECT 'function', oid::regprocedure::text, concat(oid, proacl, prosrc, obj_description(oid)) FROM pg_proc WHERE pronamespace IN (to_regnamespace('realtime'), to_regnamespace('auth'))
    UNION ALL SELECT 'trigger', evtname, concat(oid, evtevent, evtfoid, evtenabled) FROM pg_event_trigger
    UNION ALL SELECT 'member', roleid::regrole::text, member::regrole::text FROM pg_auth_members WHERE roleid::regrole::text !~ '^pg_'
    ORDER BY 1, 2, 3`);
  return rows;
}

for (const major of [13, 15, 18]) {
  test(`PostgreSQL ${major}: twice the same, printed or applied; what it made works`, async (t) => {
    const postgres = await start(t, { major });
    const first = await setup(postgres);
    assert.equal(first.code, 0, first.stderr);
    assert.equal([...first.stdout.matchAll(/ there$/gm)].length, major === 13 ? 10 : 12);
    assert.equal(/note: PostgreSQL 13 sends no logical messages/.test(first.stdout), major === 13);
    const made = await everything(postgres);
    assert.deepEqual(made.filter(({ kind }) => kind === 'role').map(({ name, what }) => [name, what]),
      [['anon', 'fff'], ['authenticated', 'fff'], ['postgres', 'ttt'], ['service_role', 'ftf']]);
    const second = await setup(postgres);
    assert.deepEqual([second.code, second.stdout], [0, first.stdout]);
    assert.match(second.stderr, UNRECORDED);
    assert.deepEqual(await everything(postgres), made);
    const printed = await setup(postgres, '--print');
    assert.deepEqual([printed.code, printed.stderr], [0, '']);
    await postgres.query(printed.stdout);
    assert.deepEqual(await everything(postgres), made);

    const client = await postgres.connect();
    t.after(() => client.end());
    await client.query(`BEGIN; SET LOCAL "request.jwt.claims" = '{"sub":"11111111-1111-4111-8111-111111111111","role":"authenticated","n":1}';
      SET LOCAL realtime.topic = 'room:1'; SET LOCAL ROLE anon`);
    const { rows: [row] } = await client.query('SELECT auth.uid() AS uid, auth.role() AS role, auth.jwt() AS jwt, realtime.topic() AS topic');
    assert.deepEqual(row, { uid: '11111111-1111-4111-8111-111111111111', role: 'authenticated', topic: 'room:1',
      jwt: { sub: '11111111-1111-4111-8111-111111111111', role: 'authenticated', n: 1 } });
    await client.query('ROLLBACK');
    assert.deepEqual((await client.query('SELECT auth.uid() AS uid, auth.role() AS role, auth.jwt() AS jwt, realtime.topic() AS topic')).rows[0],
      { uid: null, role: null, jwt: null, topic: null });
    const { rows: columns } = await client.query(`SELECT column_name FROM information_schema.columns
      WHERE table_schema = 'realtime' AND table_name = 'messages'`);
    assert.deepEqual(columns.map((column) => column.column_name).sort(),
      ['event', 'extension', 'id', 'inserted_at', 'payload', 'private', 'topic', 'updated_at']);
  });
}

// What the event triggers told since the slot was made: the tags, a transaction a list.
async function told(postgres) {
  const { rows } = await postgres.query("SELECT xid, data FROM pg_logical_slot_get_changes('ddl', NULL, NULL, 'include-xids', '0')");
  const lists = new Map();
  for (const { xid, data } of rows) {
    const [, content] = /^message: transactional: 1 prefix: walcast\.ddl, sz: \d+ content:(.*)$/.exec(data) ?? [];
    if (content === undefined) continue;
    const { xid: full, tag } = JSON.parse(content);
    assert.equal(Number(BigInt(full) % 2n ** 32n), Number(xid), 'the xid of its top transaction');
    lists.set(xid, [...lists.get(xid) ?? [], tag]);
  }
  return [...lists.values()];
}

for (const major of [14, 15, 18])
  test(`PostgreSQL ${major}: DDL is told in its transaction, whoever runs it, and never fails for it`, async (t) => {
    const postgres = await start(t, { major });
    assert.equal((await setup(postgres)).code, 0);
    await postgres.query(`SELECT pg_create_logical_replication_slot('ddl', 'test_decoding');
      REVOKE EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text${major >= 17 ? ', boolean' : ''}) FROM PUBLIC;
      CREATE ROLE plain LOGIN; GRANT CREATE ON DATABASE postgres TO plain; CREATE SCHEMA plain AUTHORIZATION plain`);
    await told(postgres);
    const client = await postgres.connect({ connectionString: postgres.url.replace('postgres@', 'plain@') });
    t.after(() => client.end());
    const after = async (statement, ...expected) => {
      await client.query(statement);
      assert.deepEqual(await told(postgres), expected, statement);
    };
    await client.query('SET search_path = plain');
    // As a user with no right to anything of Walcast's, nor to write messages.
    await after('CREATE TABLE t (id int, v text)', ['CREATE TABLE']);
    await after('ALTER TABLE t ENABLE ROW LEVEL SECURITY', ['ALTER TABLE']);
    await after('ALTER TABLE t FORCE ROW LEVEL SECURITY', ['ALTER TABLE']);
    await after('CREATE POLICY p ON t USING (true)', ['CREATE POLICY']);
    await after('ALTER POLICY p ON t USING (false)', ['ALTER POLICY']);
    await after('GRANT SELECT ON t TO anon', ['GRANT']);
    await after('GRANT SELECT (id) ON t TO anon', ['GRANT']);
    await after('REVOKE ALL ON ALL TABLES IN SCHEMA plain FROM anon', ['REVOKE']);
    await after('ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO anon', ['ALTER DEFAULT PRIVILEGES']);
    await after("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", ['CREATE FUNCTION']);
    await after("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'", ['CREATE FUNCTION']);
    await after('GRANT EXECUTE ON FUNCTION f() TO anon', ['GRANT']);
    await after('CREATE VIEW s AS SELECT * FROM t', ['CREATE VIEW']);
    await after('ALTER TABLE t RENAME COLUMN v TO w', ['ALTER TABLE']);
    await after("CREATE TYPE mood AS ENUM ('a')", ['CREATE TYPE']);
    await after('GRANT USAGE ON SCHEMA plain TO anon', ['GRANT']);
    await after('DROP POLICY p ON t', ['DROP POLICY']);
    await after('DROP FUNCTION f()', ['DROP FUNCTION']);
    await after('CREATE TABLE cast_of AS SELECT 1 AS a', ['CREATE TABLE AS']);
    // What no role sees otherwise for it.
    await after('CREATE INDEX i ON t (id); COMMENT ON TABLE t IS $$x$$; DROP INDEX i');
    await after('CREATE TEMP TABLE passing (a int); ALTER TABLE passing ADD b int; DROP TABLE passing');
    await after('CREATE TEMP TABLE passing AS SELECT 1 AS a; DROP TABLE passing');
    await after('DROP TABLE IF EXISTS never');
    await after('CREATE SEQUENCE q; DROP SEQUENCE q');
    // What is rolled back is not told; what a savepoint keeps is, in the one transaction.
    await after('BEGIN; ALTER TABLE t DISABLE ROW LEVEL SECURITY; ROLLBACK');
    await after(`BEGIN; SAVEPOINT a; CREATE POLICY a ON t USING (true); ROLLBACK TO a;
      CREATE POLICY b ON t USING (true); SAVEPOINT b; ALTER POLICY b ON t USING (false); COMMIT`, ['CREATE POLICY', 'ALTER POLICY']);
    await after(`DO $$ BEGIN EXECUTE 'DROP POLICY b ON t'; BEGIN EXECUTE 'CREATE TABLE t (a int)'; EXCEPTION WHEN OTHERS THEN NULL; END; END $$`, ['DROP POLICY']);
    // One that drops tells twice, which is no harm.
    await after('ALTER TABLE t DROP COLUMN w CASCADE', ['ALTER TABLE', 'ALTER TABLE']);
    await after('DROP OWNED BY plain', ['DROP OWNED', 'DROP OWNED']);
    await assert.rejects(client.query('BEGIN READ ONLY; CREATE TABLE ro (a int)'), /read-only transaction/);
    await client.query('ROLLBACK');

    // A superuser's session that passes over triggers is told of too.
    await postgres.query("CREATE TABLE u (a int); SET session_replication_role = replica; GRANT SELECT ON u TO anon");
    assert.deepEqual((await told(postgres)).flat(), ['CREATE TABLE', 'GRANT']);
    // Were the message itself to fail, the DDL would not.
    await postgres.query(`ALTER FUNCTION realtime.tell_ddl() OWNER TO plain`);
    await told(postgres);
    await client.query('CREATE SCHEMA again; CREATE TABLE again.t (a int)');
    assert.deepEqual(await told(postgres), []);
  });

// The logical messages of prefix realtime.broadcast in the WAL since the slot was made.
async function broadcasts(postgres) {
  const { rows } = await postgres.query(`SELECT substr(data, strpos(data, 'content:') + 8) AS content
    FROM pg_logical_slot_get_changes('watch', NULL, NULL) WHERE data LIKE 'message: % prefix: realtime.broadcast,%'`);
  return rows.map(({ content }) => JSON.parse(content));
}

test('realtime.send and broadcast_changes: messages in the WAL, no row, and only for service_role', async (t) => {
  const postgres = await start(t);
  await setup(postgres);
  await postgres.query("SELECT pg_create_logical_replication_slot('watch', 'test_decoding')");
  const send = (call) => postgres.query(`SELECT realtime.send(${call})`);
  await send(`'{"a":[1,12345678901234567890.123,null,"ö☃"]}', 'cursor', 'room:1'`);
  await send(`payload => '{"id":"mine"}', event => 'e', topic => 't', private => false`);
  await send("'[1]', 'e', 't', NULL");
  await send("NULL, 'e', 't'");
  await postgres.query("BEGIN; SELECT realtime.send('{}', 'e', 'rolled back'); ROLLBACK");
  const [first, second, third, fourth, ...more] = await broadcasts(postgres);
  assert.deepEqual(more, []);
  assert.deepEqual([first.topic, first.event, first.private, first.payload.a[3]], ['room:1', 'cursor', true, 'ö☃']);
  assert.match(first.id, /^[0-9a-f-]{36}$/);
  assert.equal(first.payload.id, first.id);
  assert.deepEqual([second.private, second.payload], [false, { id: 'mine' }]);
  assert.deepEqual([third.private, third.payload], [true, [1]]);
  assert.equal(fourth.payload, null);
  assert.equal((await postgres.query('SELECT count(*)::int AS n FROM realtime.messages')).rows[0].n, 0);

  for (const [call, error] of [
    ["'{}', '', 't'", /expected a topic and an event/], ["'{}', 'e', NULL", /expected a topic and an event/],
    ["jsonb_build_object('x', repeat('x', 1048576)), 'e', 't'", /the message has \d+ bytes, more than 1048576/],
  ]) await assert.rejects(send(call), error);
  for (const role of ['anon', 'authenticated'])
    await assert.rejects(postgres.query(`SET ROLE ${role}; SELECT realtime.send('{}', 'e', 't')`), /permission denied for function send/);
  await postgres.query("SET ROLE service_role; SELECT realtime.send('{}', 'by service', 't')");
  assert.deepEqual((await broadcasts(postgres)).map(({ event }) => event), ['by service']);

  // As Supabase's documentation writes it: a trigger function that is SECURITY DEFINER.
  await postgres.query(`CREATE TABLE notes (id int PRIMARY KEY, body text); GRANT ALL ON notes TO authenticated;
    CREATE FUNCTION told() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$ BEGIN
      PERFORM realtime.broadcast_changes('note:' || coalesce(NEW.id, OLD.id)::text, TG_OP, TG_OP, TG_TABLE_NAME, TG_TABLE_SCHEMA, NEW, OLD);
      RETURN NULL; END $$;
    CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON notes FOR EACH ROW EXECUTE FUNCTION told()`);
  await postgres.query("SET ROLE authenticated; INSERT INTO notes VALUES (1, 'a'); UPDATE notes SET body = 'b'; DELETE FROM notes");
  const changes = await broadcasts(postgres);
  assert.ok(changes.every(({ id, payload, private: isPrivate, topic }) => payload.id === id && isPrivate && topic === 'note:1'));
  assert.deepEqual(changes.map(({ payload: { id, ...rest } }) => rest), [
    { schema: 'public', table: 'notes', operation: 'INSERT', record: { id: 1, body: 'a' }, old_record: null },
    { schema: 'public', table: 'notes', operation: 'UPDATE', record: { id: 1, body: 'b' }, old_record: { id: 1, body: 'a' } },
    { schema: 'public', table: 'notes', operation: 'DELETE', record: null, old_record: { id: 1, body: 'b' } }]);
  const wrong = (operation, level) => postgres.query(`CREATE TABLE IF NOT EXISTS r (a int);
    INSERT INTO r VALUES (1); SELECT realtime.broadcast_changes('t', 'e', '${operation}', 'r', 'public', r, NULL::r, '${level}') FROM r`);
  await assert.rejects(wrong('TRUNCATE', 'ROW'), /expected INSERT, UPDATE or DELETE/);
  await assert.rejects(wrong('INSERT', 'STATEMENT'), /FOR EACH ROW/);
});

test('PostgreSQL 13: realtime.send says why it cannot', async (t) => {
  const postgres = await start(t, { major: 13 });
  await setup(postgres);
  await assert.rejects(postgres.query("SELECT realtime.send('{}', 'e', 't')"), /needs PostgreSQL 14 or newer: 13 does not send logical messages/);
});

test('a database in another encoding sends UTF-8', async (t) => {
  const postgres = await start(t);
  await postgres.query("CREATE DATABASE old ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  const old = { url: postgres.url.replace(/postgres$/, 'old') };
  assert.equal((await setup(old)).code, 0);
  const client = await postgres.connect({ connectionString: old.url });
  t.after(() => client.end());
  await client.query("SELECT pg_create_logical_replication_slot('watch', 'test_decoding')");
  await client.query(`SELECT realtime.send('{"a":"ö"}', 'e', 't')`);
  const { rows } = await client.query(`SELECT data FROM pg_logical_slot_get_binary_changes('watch', NULL, NULL) WHERE position('realtime.broadcast'::bytea IN data) > 0`);
  assert.ok(rows[0].data.includes(Buffer.from('"ö"')));
});

for (const major of [13, 15, 18]) {
  test(`PostgreSQL ${major}: a user without the rights is told which, and nothing is changed`, async (t) => {
    const postgres = await start(t, { major });
    await postgres.query('CREATE ROLE plain LOGIN; CREATE ROLE maker LOGIN CREATEROLE; GRANT CREATE ON DATABASE postgres TO plain, maker');
    const before = await everything(postgres);
    const refused = await setup(postgres, '--apply', 'plain');
    assert.deepEqual([refused.code, refused.stdout], [1, '']);
    assert.match(refused.stderr, /nothing was changed: user "plain" may not make role "anon": it has no CREATEROLE .*hint: run it as a superuser, or make the roles first: CREATE ROLE anon NOLOGIN/);
    const half = await setup(postgres, '--apply', 'maker');
    assert.equal(half.code, 1);
    assert.match(half.stderr, /may not make role "service_role", which bypasses row-level security .*CREATE ROLE service_role NOLOGIN BYPASSRLS/);
    assert.deepEqual(await everything(postgres), before);
    // With what it was told to have made it goes through, and can then ask policies.
    await postgres.query('CREATE ROLE anon; CREATE ROLE authenticated; CREATE ROLE service_role BYPASSRLS');
    const denied = await setup(postgres, '--apply', 'plain');
    assert.equal(denied.code, 1);
    assert.match(denied.stderr, /nothing was changed: .*(admin option|permission denied to grant role)/);
    await postgres.query('GRANT anon, authenticated, service_role TO plain');
    const done = await setup(postgres, '--apply', 'plain');
    assert.equal(done.code, 0);
    assert.match(done.stderr, major === 13 ? UNRECORDED : /event triggers were not made: permission denied to create event trigger .* \(a superuser may make them\)/);
    assert.equal([...done.stdout.matchAll(/^trigger +walcast_(ddl|drop) +not there: an event trigger is a superuser's/gm)].length, major === 13 ? 0 : 2);
    assert.deepEqual((await everything(postgres)).filter(({ kind, name }) => kind === 'trigger' || name === 'realtime.tell_ddl()'), []);
    const { rows: [{ owner }] } = await postgres.query("SELECT relowner::regrole::text AS owner FROM pg_class WHERE oid = 'realtime.messages'::regclass");
    assert.equal(owner, 'plain');
  });
}

test("what is there and another's is left as it is, and said", async (t) => {
  const postgres = await start(t);
  await postgres.query(`CREATE ROLE supabase; CREATE ROLE service_role; CREATE SCHEMA realtime AUTHORIZATION supabase;
    CREATE TABLE realtime.messages (id bigint); ALTER TABLE realtime.messages OWNER TO supabase;
    CREATE FUNCTION realtime.send(payload jsonb, event text, topic text, private boolean) RETURNS void LANGUAGE sql AS 'SELECT';
    CREATE SCHEMA auth; CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'`);
  const before = await everything(postgres);
  const { code, stdout, stderr } = await setup(postgres);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /function realtime\.send\(.* there, not Walcast's: left as it is/);
  assert.match(stdout, /function auth\.uid\(\) .* there, not Walcast's: left as it is/);
  assert.match(stdout, /role +service_role .*ALTER ROLE service_role BYPASSRLS/);
  const after = await everything(postgres);
  for (const row of before.filter(({ kind }) => kind === 'function' || kind === 'relation' || kind === 'role'))
    assert.ok(after.some((other) => JSON.stringify(other) === JSON.stringify(row)), JSON.stringify(row));
});

test('one of --print and --apply; a database that is away; check hints', async (t) => {
  for (const args of [[], ['--print', '--apply']]) {
    const { code, stderr } = await run([BINARY, 'setup', ...args]);
    assert.equal(code, 2);
    assert.match(stderr, /setup: expected one of --print and --apply/);
  }
  const away = await run([BINARY, 'setup', '--apply'], { env: { WALCAST_POSTGRES_URL: 'postgres://x:s3cret@127.0.0.1:1/x' } });
  assert.equal(away.code, 1);
  assert.doesNotMatch(away.stderr, /s3cret/);
  const postgres = await start(t);
  const nats = await Nats.start();
  t.after(() => nats.remove());
  const check = () => run([BINARY, 'check'], { env: { WALCAST_POSTGRES_URL: postgres.url, WALCAST_NATS_URL: nats.url } });
  const before = await check();
  assert.equal(before.code, 0);
  assert.match(before.stdout, /10 of the roles and functions for clients are missing .* walcast setup/);
  await setup(postgres);
  assert.doesNotMatch((await check()).stdout, /walcast setup/);
  await postgres.query('DROP EVENT TRIGGER walcast_drop');
  assert.match((await check()).stdout, /event triggers that tell of changed policies are not there/);
});
