// Actions as SQL statements: values are parameters, each attempt is one transaction, what the row
// itself brings about is given up at once, what others can mend is tried again, and tenants have none.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { acting, startActions } from '../lib/actions.mjs';
import { startHouse } from '../lib/house.mjs';
import { removeScratch, scratchDirectory } from '../lib/scratch.mjs';
import { insertOrders, outcomes, SCHEMA, startTriggers, told } from '../lib/triggers.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';

const test = together(3);

const LOG = `${SCHEMA}; CREATE TABLE log (event text PRIMARY KEY, id bigint, customer int, note text, data jsonb)`;
const sql = (statement, parameters, more = '') =>
  `sql: { statement: ${JSON.stringify(statement)}, parameters: ${parameters}${more} }`;
const rows = async (house, query) => (await house.postgres.query(query)).rows;
const validate = async (house, action, more) => {
  const file = `${house.walcast.directory}/one.yaml`;
  writeFileSync(file, acting(action, { more }));
  const { stdout, stderr } = await house.walcast.command(['trigger', 'validate', file]);
  return stdout + stderr;
};

test('parameters are values, never text of the statement; one row an event, over kills', async (t) => {
  const house = await startActions(t, [acting(sql(
    'insert into log values ($1, $2, $3, $4, $5) on conflict do nothing', '[id, new.id, new.customer, new.status, data]'),
  { when: "new.status like 'paid%'", retry: `[${Array(20).fill('300ms').join(', ')}]` })], {}, LOG);
  await insertOrders(house, 1, 300, 10);
  await house.postgres.query(`INSERT INTO orders VALUES (1000, 1, 'paid''); drop table log; --'), (1001, NULL, 'paid ☃')`);
  await waitFor('some', async () => (await rows(house, 'SELECT count(*)::int n FROM log'))[0].n > 20);
  await house.walcast.kill();
  house.walcast.start();
  await waitFor('all', async () => (await rows(house, 'SELECT count(*)::int n FROM log'))[0].n === 302, 60_000);
  const [hostile] = await rows(house, 'SELECT * FROM log WHERE id = 1000');
  assert.equal(hostile.note, "paid'); drop table log; --");
  assert.deepEqual(hostile.data, { id: 1000, customer: 1 });
  assert.match(hostile.event, /^msg_[0-9a-f]{32}$/);
  const [empty] = await rows(house, 'SELECT * FROM log WHERE id = 1001');
  assert.equal(empty.customer, null);
  assert.equal(empty.note, 'paid ☃');
});

test('a process that slept past its lease amid its statements takes them back when it wakes', async (t) => {
  const house = await startActions(t, [acting(sql('insert into many select $1 from pg_sleep(1)', '[new.id]', ', timeout: 30s'))],
    {}, `${SCHEMA}; CREATE TABLE many (id bigint)`);
  const other = await house.more();
  const shared = () => waitFor('shared partitions', async () => await other.metric('walcast_triggers_partitions') === 8
    && await house.walcast.metric('walcast_triggers_partitions') === 8, 30_000);
  const running = async () => (await rows(house, "SELECT count(*)::int n FROM pg_stat_activity WHERE query ~ '^insert into many' AND state = 'active'"))[0].n;
  await shared();
  await insertOrders(house, 1, 16, 16);
  await waitFor('statements of both', async () => await running() > 3); // of a process three at the most
  other.process.child.kill('SIGSTOP');
  await waitFor('the others', async () => await house.walcast.metric('walcast_triggers_partitions') === 16, 30_000);
  await waitFor('all', async () => (await rows(house, 'SELECT DISTINCT id FROM many')).length === 16, 30_000);
  const count = async () => (await rows(house, 'SELECT count(*)::int n FROM many'))[0].n;
  assert.equal(await count(), 16);
  other.process.child.kill('SIGCONT');
  await shared();
  await insertOrders(house, 17, 24, 8);
  await waitFor('the next', async () => (await rows(house, 'SELECT DISTINCT id FROM many')).length === 24, 30_000);
  assert.equal(await count(), 24);
  // Waiting for a place may be told too; that an attempt failed would be the sleeper's stale record.
  const bad = ({ outcome }) => !['delivered', 'throttled', 'held'].includes(outcome);
  assert.deepEqual((await outcomes(house, 'orders')).filter(bad), []);
});

test('a row that can never go in is given up at once; a table that comes later is waited for', async (t) => {
  const house = await startActions(t, [
    acting(sql('insert into small values ($1)', '[new.id]'), { name: 'small', retry: '[5m]' }),
    acting(sql('insert into child values ($1)', '[new.id]'), { name: 'child', retry: `[${Array(30).fill('1s').join(', ')}]` }),
    acting(sql('insert into later values ($1)', '[new.id]'), { name: 'later', retry: `[${Array(30).fill('1s').join(', ')}]` })],
  {}, `${SCHEMA}; CREATE TABLE small (n smallint CHECK (n < 100)); CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child (id int REFERENCES parent); CREATE TABLE later (id int)`);
  await house.postgres.query('ALTER TABLE later RENAME TO away');
  await house.postgres.query("INSERT INTO orders VALUES (7, 1, 'paid'), (200, 2, 'paid'), (70000, 3, 'paid')");
  const dead = await told(house, 'small', 'dead', 2);
  assert.match(dead.find((it) => it.key === '2').reason, /violates check constraint .*SQLSTATE 23514/);
  assert.match(dead.find((it) => it.key === '3').reason, /out of range.*SQLSTATE 22003/);
  assert.equal((await outcomes(house, 'small')).filter((it) => it.outcome === 'failed').length, 0);
  const failed = await waitFor('failures', async () => {
    const both = await Promise.all(['later', 'child'].map((name) => outcomes(house, name)));
    const found = both.map((all) => all.find((it) => it.outcome === 'failed'));
    return found.every(Boolean) && found;
  });
  assert.match(failed[0].reason, /relation "later" does not exist/);
  assert.match(failed[1].reason, /violates foreign key constraint/);
  await house.postgres.query('ALTER TABLE away RENAME TO later; INSERT INTO parent VALUES (7), (200), (70000)');
  await waitFor('both', async () => (await rows(house, 'SELECT (SELECT count(*) FROM later) + (SELECT count(*) FROM child) AS n'))[0].n === '6', 60_000);
});

test('a statement that takes too long is ended by the server, and holds up no other trigger', async (t) => {
  const house = await startActions(t, [
    acting(sql('select pg_sleep(30)', '[]', ', timeout: 2s'), { name: 'slow', retry: '[]' }),
    acting(sql('insert into log (event, id) values ($1, $2)', '[id, new.id]'), { name: 'quick' })], {}, LOG);
  const began = Date.now();
  await insertOrders(house, 1, 100, 100);
  await waitFor('the quick ones', async () => (await rows(house, 'SELECT count(*)::int n FROM log'))[0].n === 100);
  assert.ok(Date.now() - began < 30_000); // the slow ones take 66 s of its three connections
  assert.match((await told(house, 'slow', 'dead'))[0].reason, /statement timeout.*57014/);
});

test('what a statement is held against, and what is refused', async (t) => {
  const house = await startActions(t, [], { 'postgres.tenant_schemas': 'proj_{project_id}' },
    `${LOG}; CREATE SCHEMA proj_acme; CREATE TABLE proj_acme.orders (id bigint PRIMARY KEY, customer int, status text)`);
  assert.match(await validate(house, sql('selec 1', '[]')), /one\.yaml:7:\d+: statement: syntax error at or near "selec"/);
  assert.match(await validate(house, sql('insert into nothing values ($1)', '[id]')), /relation "nothing" does not exist/);
  assert.match(await validate(house, sql('insert into log (event) values ($1)', '[id, data]')), /parameters: the statement has 1, here are 2/);
  assert.match(await validate(house, sql('select 1; select 2', '[]')), /cannot insert multiple commands/);
  assert.match(await validate(house, sql('insert into log (event) values ($1)', '[id]', ', database: eu')), /triggers\.sql_databases does not name the source eu/);
  assert.match(await validate(house, sql('insert into log (event) values ($1)', '[id]'), 'project: acme'), /a tenant's trigger may not run statements/);
  const good = sql('insert into log (event) values ($1)', '[id]');
  const said = await validate(house, good);
  assert.match(said, /warning: statement: it runs as the superuser postgres of postgres\.url; set triggers\.sql_url/);
  assert.doesNotMatch(said, /parameters|database/);
  await house.postgres.query("CREATE ROLE lesser LOGIN; GRANT INSERT ON log TO lesser");
  const url = new URL(house.postgres.url);
  url.username = 'lesser';
  house.walcast.config['triggers.sql_url'] = url.href;
  assert.doesNotMatch(await validate(house, good), /statement|parameters|database/);
});

test('a statement that nobody could check is still one only when it runs', async (t) => {
  const house = await startTriggers(t, [], {}, `${LOG}; CREATE ROLE actor NOLOGIN; GRANT INSERT ON log TO actor`);
  const url = new URL(house.postgres.url);
  url.username = 'actor';
  await house.walcast.kill();
  house.walcast.config['triggers.sql_url'] = url.href;
  writeFileSync(join(house.walcast.directory, 'triggers', 'two.yaml'),
    acting(sql("insert into log (event) values ('a'); insert into log (event) values ('b')", '[]'), { retry: '[]' }));
  house.walcast.start();
  await house.walcast.ready();
  await waitFor('the trigger', async () => /orders/.test(await house.walcast.commandOk(['trigger', 'list', '--json'])));
  await house.postgres.query('ALTER ROLE actor LOGIN');
  await insertOrders(house, 1, 1, 1);
  assert.match((await told(house, 'orders', 'dead'))[0].reason, /cannot insert multiple commands/);
  assert.deepEqual(await rows(house, 'SELECT event FROM log'), []);
});

test('statements run with the rights of triggers.sql_url, whose password is never told', async (t) => {
  const house = await startActions(t, [acting(sql('insert into log (event, id) values ($1, $2)', '[id, new.id]'))], {},
    `${LOG}; CREATE ROLE actor LOGIN PASSWORD 'hush-hush'; GRANT INSERT ON log TO actor;
     ALTER TABLE log ADD COLUMN who text DEFAULT session_user`);
  const url = new URL(house.postgres.url);
  url.username = 'actor';
  url.password = 'hush-hush';
  await house.walcast.kill();
  house.walcast.config['triggers.sql_url'] = url.href;
  house.walcast.start();
  await house.walcast.ready();
  await insertOrders(house, 1, 1, 1);
  await waitFor('the row', async () => (await rows(house, 'SELECT who FROM log'))[0]?.who === 'actor');
  await house.postgres.query('REVOKE INSERT ON log FROM actor');
  await insertOrders(house, 2, 2, 1);
  const failed = await waitFor('a failure', async () => (await outcomes(house, 'orders')).find((it) => it.outcome === 'failed'));
  assert.match(failed.reason, /permission denied for table log/);
  assert.doesNotMatch(readFileSync(`${house.walcast.directory}/walcast.log`, 'utf8') + JSON.stringify(failed), /hush-hush/);
});

test('a statement on another source, where that is named', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA, walcast: false });
  await house.postgres.query('CREATE DATABASE eu');
  const url = house.postgres.url.replace(/\/postgres$/, '/eu');
  const client = await house.postgres.connect({ connectionString: url });
  t.after(() => client.end());
  await client.query('CREATE TABLE there (event text PRIMARY KEY, id bigint)');
  const dir = scratchDirectory();
  t.after(() => removeScratch(dir));
  writeFileSync(join(dir, 'one.yaml'), acting(sql('insert into there values ($1, $2)', '[id, new.id]', ', database: eu')));
  const walcast = await Walcast.start({ ...house, config: { 'triggers.dir': dir, 'triggers.sql_databases': 'eu' },
    file: `sources:\n  eu:\n    project: acme\n    environment: eu\n    postgres.url: ${url}\n` });
  t.after(() => walcast.remove());
  await walcast.ready();
  await waitFor('the trigger', async () => /orders/.test(await walcast.commandOk(['trigger', 'list', '--json'])));
  await insertOrders(house, 1, 20, 5);
  await waitFor('20 rows', async () => (await client.query('SELECT count(*)::int n FROM there')).rows[0].n === 20, 20_000);
});
