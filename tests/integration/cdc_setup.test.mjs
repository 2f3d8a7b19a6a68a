// Publication and slot: made, taken as found, refused. And each thing that can be wrong with the
// database: one line that names key, value, what was expected and how to mend it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { removeScratch, scratchDirectory } from '../lib/scratch.mjs';
import { slotRow, waitConfirmed } from '../lib/slot.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';

const SCHEMA = 'CREATE TABLE todos (id int PRIMARY KEY, title text)';

async function startWalcast(t, house, config) {
  const walcast = await Walcast.start({ ...house, config });
  t.after(() => walcast.remove());
  return walcast;
}

async function published(postgres, publication) {
  const { rows } = await postgres.query(`SELECT schemaname || '.' || tablename AS name
    FROM pg_publication_tables WHERE pubname = $1 ORDER BY 1`, [publication]);
  return rows.map((row) => row.name);
}

test('a publication that exists is used as it is, its differences are told', async (t) => {
  const house = await startHouse(t, { walcast: false, schema: `${SCHEMA};
    CREATE TABLE other (id int PRIMARY KEY); CREATE TABLE keyless (id int);
    CREATE PUBLICATION walcast FOR TABLE todos WITH (publish = 'insert')` });
  const walcast = await startWalcast(t, house);
  await walcast.ready();
  await house.postgres.query("INSERT INTO todos VALUES (1, 'x'); UPDATE todos SET title = 'y'");
  await house.postgres.query('INSERT INTO other VALUES (1); INSERT INTO keyless VALUES (1)');
  await waitConfirmed(house.postgres);
  assert.deepEqual((await walcast.changes()).map((change) => change.op), ['INSERT']);
  assert.deepEqual(await published(house.postgres, 'walcast'), ['public.todos']);
  assert.deepEqual(await published(house.postgres, 'walcast_inserts'), []);
  assert.match(walcast.logText(), /not walcast's.*missing=2.*public\.keyless, public\.other/);
});

test('a slot that exists without stored state is a fresh start', async (t) => {
  const house = await startHouse(t, { walcast: false,
    schema: `${SCHEMA}; CREATE PUBLICATION walcast FOR ALL TABLES` });
  await house.postgres.query("SELECT pg_create_logical_replication_slot('walcast', 'pgoutput')");
  await house.postgres.query("INSERT INTO todos VALUES (1, 'before walcast')");
  const walcast = await startWalcast(t, house);
  await walcast.ready();
  await waitConfirmed(house.postgres);
  assert.deepEqual((await walcast.changes()).map((change) => change.record.id), [1]);
});

test('a slot older than its publication starts from now instead of being stuck', async (t) => {
  const house = await startHouse(t, { walcast: false, schema: SCHEMA });
  await house.postgres.query("SELECT pg_create_logical_replication_slot('walcast', 'pgoutput')");
  await house.postgres.query("INSERT INTO todos VALUES (1, 'never published')");
  const walcast = await startWalcast(t, house);
  await walcast.ready();
  await house.postgres.query("INSERT INTO todos VALUES (2, 'published')");
  await waitConfirmed(house.postgres);
  assert.deepEqual((await walcast.changes()).map((change) => change.record.id), [2]);
  assert.match(walcast.logText(), /older than its publication/);
});

test('patterns choose the tables', async (t) => {
  const house = await startHouse(t, {
    schema: `${SCHEMA}; CREATE TABLE "Odd.One" (id int PRIMARY KEY); CREATE SCHEMA app;
      CREATE TABLE app.a (id int PRIMARY KEY); CREATE TABLE app.b (id int PRIMARY KEY);
      CREATE UNLOGGED TABLE app.u (id int PRIMARY KEY); CREATE VIEW app.v AS SELECT 1`,
    config: { 'postgres.tables': 'app.*,public."Odd.One"' },
  });
  assert.deepEqual(await published(house.postgres, 'walcast'),
    ['app.a', 'app.b', 'public.Odd.One']);
});

test('a user without superuser: what it may not publish is told, the rest goes on', async (t) => {
  const house = await startHouse(t, { walcast: false, schema: `${SCHEMA};
    CREATE ROLE app LOGIN REPLICATION; GRANT CREATE ON DATABASE postgres TO app;
    CREATE TABLE mine (id int PRIMARY KEY); ALTER TABLE mine OWNER TO app` });
  const url = house.postgres.url.replace('postgres@', 'app@');
  const walcast = await startWalcast(t, house, { 'postgres.url': url });
  await walcast.ready();
  assert.deepEqual(await published(house.postgres, 'walcast'), ['public.mine']);
  assert.match(walcast.logText(), /cannot be published.*table=todos.*must be owner of table todos/);
  await house.postgres.query('INSERT INTO mine VALUES (1)');
  await waitConfirmed(house.postgres);
  assert.equal((await walcast.changes()).length, 1);
});

// Not ready, for a reason that matches everything in `texts`; `check` says the same and ends with 1.
async function assertRefused(t, house, config, ...texts) {
  const walcast = await startWalcast(t, house, config);
  const reason = await waitFor('a reason', async () => {
    const response = await fetch(`${walcast.url}/health/ready`);
    const text = (await response.json()).detail;
    const all = response.status === 503 && texts.every((one) => text.includes(one));
    return all ? text : Promise.reject(new Error(text));
  }, 20_000);
  assert.doesNotMatch(`${reason}${walcast.logText()}`, /s3cret/);
  const { code, stdout, stderr } = await walcast.command(['check']);
  const said = `${stdout}${stderr}`;
  assert.equal(code, 1, said);
  for (const text of texts) assert.ok(said.includes(text), `${text} in ${said}`);
}

test('wal_level is not logical', async (t) => {
  const house = await startHouse(t, { walcast: false, settings: { wal_level: 'replica' } });
  await assertRefused(t, house, {}, 'postgres.url', 'wal_level is "replica"',
    'expected "logical"', 'ALTER SYSTEM SET wal_level = logical');
});

test('no replication privilege', async (t) => {
  const house = await startHouse(t, { walcast: false, schema: "CREATE ROLE app LOGIN" });
  const url = house.postgres.url.replace('postgres@', 'app:s3cret@');
  await assertRefused(t, house, { 'postgres.url': url }, 'postgres.url (WALCAST_POSTGRES_URL)',
    'user "app" lacks the replication privilege', 'ALTER ROLE "app" REPLICATION');
});

test('no such database, no such user, nobody there', async (t) => {
  const house = await startHouse(t, { walcast: false });
  const base = `postgres://postgres:s3cret@127.0.0.1:${house.postgres.port}`;
  await assertRefused(t, house, { 'postgres.url': `${base}/absent` }, 'postgres.url',
    'database "absent" does not exist', '3D000');
  await assertRefused(t, house, { 'postgres.url': `${base}/postgres`.replace('//postgres:', '//nobody:') },
    'postgres.url', 'nobody:***@', 'role "nobody" does not exist');
  await assertRefused(t, house, { 'postgres.url': 'postgres://postgres:s3cret@127.0.0.1:1/postgres' },
    'postgres.url', 'Connection refused');
});

test('a slot that is not one of ours', async (t) => {
  const house = await startHouse(t, { walcast: false, schema: SCHEMA });
  await house.postgres.query("SELECT pg_create_logical_replication_slot('walcast', 'test_decoding')");
  await assertRefused(t, house, {}, 'slot "walcast" has plugin "test_decoding"',
    'expected "pgoutput"', 'postgres.slot');
});

test('malformed settings end the process with 2 and one line', async (t) => {
  const house = await startHouse(t, { walcast: false });
  const walcast = new Walcast();
  for (const [key, value] of [['postgres.url', 'postgres://u:s3cret@h/db?no_such_option=1'],
    ['postgres.tables', 'a.b.c']]) {
    Object.assign(walcast, { directory: house.nats.directory,
      config: { 'nats.url': house.nats.url, 'http.listen': '127.0.0.1:0', [key]: value } });
    const { code, stderr } = await walcast.command(['run']);
    assert.equal(code, 2, stderr);
    assert.ok(stderr.includes(key), stderr);
    assert.doesNotMatch(stderr, /s3cret/);
  }
});

test('what heals is waited for: wal_level set right and the server restarted', async (t) => {
  const house = await startHouse(t, { walcast: false, settings: { wal_level: 'replica' },
    schema: SCHEMA });
  const walcast = await startWalcast(t, house);
  await waitFor('the refusal', () => /wal_level/.test(walcast.logText()));
  await house.postgres.query('ALTER SYSTEM SET wal_level = logical');
  await house.postgres.restart();
  await walcast.ready();
  assert.equal((await slotRow(house.postgres)).active, true);
});

test("TLS to PostgreSQL by libpq's own settings", async (t) => {
  const directory = scratchDirectory();
  t.after(() => removeScratch(directory));
  execFileSync(new URL('../lib/make-certificates', import.meta.url).pathname, [directory]);
  chmodSync(directory, 0o755);
  if (process.getuid() === 0) execFileSync('chown', ['postgres', `${directory}/server-key.pem`]);
  const house = await startHouse(t, { walcast: false, schema: SCHEMA, settings: { ssl: 'on',
    ssl_cert_file: `${directory}/server.pem`, ssl_key_file: `${directory}/server-key.pem` } });
  const url = (ca) => `${house.postgres.url}?sslmode=verify-full&sslrootcert=${directory}/${ca}`;
  await assertRefused(t, house, { 'postgres.url': url('other.pem') }, 'postgres.url', 'certificate verify failed');
  const walcast = await startWalcast(t, house, { 'postgres.url': url('ca.pem') });
  await walcast.ready();
  const { rows } = await house.postgres.query(`SELECT bool_and(ssl) AS ssl FROM pg_stat_ssl
    JOIN pg_stat_replication USING (pid)`);
  assert.deepEqual(rows, [{ ssl: true }]);
});
