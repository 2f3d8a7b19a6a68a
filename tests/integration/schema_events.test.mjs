// Issue point 5: a change of columns, types or identity publishes a SCHEMA event before the first
// row of the new shape; never twice, whoever is killed; every row carries its shape's version.
import assert from 'node:assert/strict';
import { startHouse } from '../lib/house.mjs';
import { assertShapesTold } from '../lib/shapes.mjs';
import { assertOrdered, waitConfirmed } from '../lib/slot.mjs';
import { connectRealtime, subscribe } from '../lib/subscriber.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';

const test = together(2);

const names = (change) => change.shape.columns.map(({ name, type }) => `${name} ${type}`);
const story = (changes) => changes.map(({ op, index }) => `${op} ${index}`);

// Every line, first shapes too. Each SCHEMA stands right before a change of its table and shape, at
// that one's place.
async function allChanges({ postgres, walcast }) {
  await waitConfirmed(postgres);
  const changes = await walcast.changes({ shapes: true });
  assertOrdered(changes);
  changes.forEach((schema, i) => {
    if (schema.op !== 'SCHEMA') return;
    const next = changes[i + 1];
    assert.notEqual(next.op, 'SCHEMA');
    for (const member of ['schema', 'table', 'lsn', 'xid', 'index'])
      assert.equal(next[member], schema[member], member);
    const names = schema.shape.columns.map(({ name }) => name);
    if (next.record) assert.deepEqual([...Object.keys(next.record), ...(next.unchanged ?? [])].sort(),
      [...names].sort());
  });
  return changes;
}

const isSchema = ({ op }) => op === 'SCHEMA';

test('columns added, dropped, renamed and retyped, another identity', async (t) => {
  const house = await startHouse(t, { schema: 'CREATE TABLE items (id int PRIMARY KEY, a text)' });
  await house.postgres.query(`INSERT INTO items VALUES (1, 'x');
    BEGIN; INSERT INTO items VALUES (2, 'x'); ALTER TABLE items ADD b int;
    INSERT INTO items VALUES (3, 'x', 3), (4, 'x', 4); COMMIT;
    ALTER TABLE items RENAME a TO "A b"; INSERT INTO items VALUES (5, 'x', 5);
    ALTER TABLE items ALTER b TYPE numeric(9,2); INSERT INTO items VALUES (6, 'x', 6.5);
    ALTER TABLE items DROP "A b"; INSERT INTO items VALUES (7, 7);
    ALTER TABLE items REPLICA IDENTITY FULL; INSERT INTO items VALUES (8, 8);
    ALTER TABLE items ALTER b SET DEFAULT 1; INSERT INTO items VALUES (9, 9)`);
  const changes = await allChanges(house);
  const schemas = changes.filter(isSchema);
  assert.deepEqual(schemas.map(names), [
    ['id int4', 'a text'], ['id int4', 'a text', 'b int4'], ['id int4', 'A b text', 'b int4'],
    ['id int4', 'A b text', 'b numeric'], ['id int4', 'b numeric'], ['id int4', 'b numeric']]);
  assert.deepEqual(schemas.map(({ shape }) => shape.replica_identity), ['d', 'd', 'd', 'd', 'd', 'f']);
  assert.equal(schemas[3].shape.columns[2].typmod, (9 << 16) + 2 + 4);
  for (let i = 1; i < schemas.length; i++)
    assert.equal(schemas[i].shape.previous_version, schemas[i - 1].shape.version);
  assert.equal(schemas[0].shape.previous_version, null);
  assert.deepEqual(story(changes).slice(0, 6),
    ['SCHEMA 0', 'INSERT 0', 'INSERT 1', 'SCHEMA 2', 'INSERT 2', 'INSERT 3']);
  assert.deepEqual((await assertShapesTold(house.nats)).items, schemas.map(({ shape }) => shape.version));
  // Without --shapes the first one, which changes nothing, is left out.
  assert.deepEqual(await house.walcast.changes(), changes.slice(1));
  const text = await house.walcast.commandOk(['tail', '--from', 'first', '--until', 'now']);
  assert.match(text, / SCHEMA public\.items \{"version":\d+,"previous_version":\d+,"replica_identity":"f","columns":\[\{"name":"id"/);
});

test('names, types and keys: what else makes a shape', async (t) => {
  const house = await startHouse(t, { config: { 'postgres.tables': 'public.*,other.*' }, schema: `
    CREATE SCHEMA other; CREATE TYPE mood AS ENUM ('ok');
    CREATE TABLE items (id int PRIMARY KEY, other int NOT NULL UNIQUE, m mood)` });
  await house.postgres.query(`INSERT INTO items VALUES (1, 1, 'ok');
    ALTER TABLE items RENAME TO things; INSERT INTO things VALUES (2, 2);
    ALTER TABLE things SET SCHEMA other; INSERT INTO other.things VALUES (3, 3);
    ALTER TABLE other.things SET SCHEMA public; ALTER TABLE things RENAME TO items; INSERT INTO items VALUES (4, 4);
    ALTER TYPE mood RENAME TO temper; ALTER TYPE temper ADD VALUE 'bad'; ALTER TABLE items ALTER id SET STATISTICS 5;
    INSERT INTO items VALUES (5, 5);
    ALTER TABLE items REPLICA IDENTITY USING INDEX items_other_key; UPDATE items SET other = 55 WHERE id = 5;
    BEGIN; DROP TABLE items; CREATE TABLE items (id int PRIMARY KEY); COMMIT`);
  await waitFor('the new table published', async () => (await house.postgres.query(
    "SELECT FROM pg_publication_tables WHERE tablename = 'items'")).rows.length === 1);
  await house.postgres.query('INSERT INTO items VALUES (6)');
  const changes = await allChanges(house);
  assert.deepEqual(changes.filter(isSchema).map(({ schema, table }) => `${schema}.${table}`),
    ['public.items', 'public.things', 'other.things', 'public.items', 'public.items', 'public.items', 'public.items']);
  const shapes = changes.filter(isSchema).map(({ shape }) => shape);
  assert.deepEqual(shapes.map(({ previous_version: previous }) => previous),
    [null, ...shapes.slice(0, -1).map(({ version }) => version)]);
  assert.equal(shapes[3].version, shapes[0].version, 'the same shape again');
  assert.deepEqual([shapes[3], shapes[4]].map(({ columns }) => columns[2].type), ['mood', 'temper']);
  assert.deepEqual([shapes[4], shapes[5]].map(({ columns }) => columns.map(({ key }) => key)),
    [[true, false, false], [false, true, false]]);
  // Renamed away and back, and then killed: the last name told is not the last one of the stream.
  await house.walcast.kill();
  house.walcast.start();
  await house.postgres.query('INSERT INTO items VALUES (7)');
  assert.deepEqual(story((await allChanges(house)).slice(changes.length)), ['INSERT 0']);
  await assertShapesTold(house.nats);
});

test('a table renamed away and back is told again by a writer that comes up between', async (t) => {
  const house = await startHouse(t, { schema: 'CREATE TABLE a (id int PRIMARY KEY)' });
  for (const [from, to] of [['b', 'a'], ['a', 'b'], ['b', 'a']]) {
    if (from === 'b' && !(await house.walcast.changes()).length) await house.postgres.query('INSERT INTO a VALUES (0)');
    else await house.postgres.query(`ALTER TABLE ${from} RENAME TO ${to}; INSERT INTO ${to} SELECT max(id) + 1 FROM ${to}`);
    await waitConfirmed(house.postgres);
    await house.walcast.kill();
    house.walcast.start();
  }
  const changes = await allChanges(house);
  assert.deepEqual(changes.map(({ op, table }) => `${op} ${table}`),
    ['SCHEMA a', 'INSERT a', 'SCHEMA b', 'INSERT b', 'SCHEMA a', 'INSERT a']);
  await assertShapesTold(house.nats);
});

test('shapes in a transaction that is sent while it runs, rolled back in part', async (t) => {
  const house = await startHouse(t, { schema: 'CREATE TABLE items (id int PRIMARY KEY, pad text)',
    settings: { logical_decoding_work_mem: '64kB' } });
  const rows = (from) => `INSERT INTO items (id, pad) SELECT i, repeat('x', 500) FROM generate_series(${from}, ${from + 499}) i`;
  await house.postgres.query(`BEGIN; ${rows(0)}; SAVEPOINT a; ALTER TABLE items ADD gone int; ${rows(1000)};
    ROLLBACK TO a; ${rows(2000)}; ALTER TABLE items ADD kept int; ${rows(3000)}; COMMIT`);
  await house.postgres.query('INSERT INTO items VALUES (-1)');
  const changes = await allChanges(house);
  const { rows: [{ stream_txns: streamed }] } = await house.postgres.query('SELECT stream_txns::int FROM pg_stat_replication_slots');
  assert.ok(streamed > 0, 'the transaction was streamed');
  assert.deepEqual(changes.filter(isSchema).map(({ index, shape }) => [index, shape.columns.length]), [[0, 2], [1000, 3]]);
  assert.equal(changes.length, 1501 + 2);
  await assertShapesTold(house.nats);
});

test('realtime clients see rows of the new shape, never the SCHEMA', async (t) => {
  const house = await startHouse(t, { schema: 'CREATE TABLE items (id int PRIMARY KEY)' });
  const client = await connectRealtime(t, house.walcast);
  const seen = await subscribe(client, [{ event: '*', schema: 'public', table: 'items' }, { event: '*', schema: '*' }]);
  await house.postgres.query(`INSERT INTO items VALUES (1); ALTER TABLE items ADD a text; INSERT INTO items VALUES (2, 'x');
    ALTER TABLE items REPLICA IDENTITY FULL; DELETE FROM items WHERE id = 2; INSERT INTO items VALUES (3, 'end')`);
  await waitFor('the last row', () => seen.changes.filter((change) => change.new?.id === 3).length === 2);
  assert.equal((await allChanges(house)).filter(isSchema).length, 3);
  assert.deepEqual(seen.changes.map(({ eventType, new: row, old }) => [eventType, { ...row, ...old }]),
    [['INSERT', { id: 1 }], ['INSERT', { id: 2, a: 'x' }], ['DELETE', { id: 2, a: 'x' }], ['INSERT', { id: 3, a: 'end' }]]
      .flatMap((change) => [change, change]));
});

test('a shape is told once, however often walcast comes up again', async (t) => {
  const house = await startHouse(t, { schema: 'CREATE TABLE items (id int PRIMARY KEY); CREATE TABLE "Odd.Name" (id int)' });
  for (let id = 1; id <= 4; id++) {
    await house.postgres.query(`INSERT INTO items VALUES (${id}); INSERT INTO "Odd.Name" VALUES (${id})`);
    await waitConfirmed(house.postgres);
    await (id % 2 ? house.walcast.kill().then(() => house.walcast.start()) : house.walcast.restart());
  }
  await house.postgres.query('ALTER TABLE items ADD a int; INSERT INTO items VALUES (9)');
  const changes = await allChanges(house);
  assert.deepEqual(changes.filter(isSchema).map(({ table }) => table), ['items', 'Odd.Name', 'items']);
  const told = await assertShapesTold(house.nats);
  assert.deepEqual([told.items.length, told['Odd.Name'].length], [2, 1]);
});

// A shape of many long names is beyond what this nats-server takes in one message.
test('a shape that is split over several messages is told once too', async (t) => {
  const columns = Array.from({ length: 300 }, (_, i) => `"${`long name ${i} `.repeat(5)}" int`).join(', ');
  const house = await startHouse(t, { nats: { extra: 'max_payload: 32768' },
    schema: `CREATE TABLE items (id int PRIMARY KEY, ${columns})` });
  for (let id = 1; id <= 3; id++) {
    await house.postgres.query(`INSERT INTO items (id) VALUES (${id})`);
    await waitConfirmed(house.postgres);
    await house.walcast.kill();
    house.walcast.start();
  }
  assert.deepEqual(story(await allChanges(house)), ['SCHEMA 0', 'INSERT 0', 'INSERT 0', 'INSERT 0']);
  assert.equal((await assertShapesTold(house.nats)).items.length, 1);
});

// What was told of all is read at once, before streaming: a table costs no round trip of its own.
test('1,000 tables at start', async (t) => {
  const tables = Array.from({ length: 1000 }, (_, i) => `t${i}`);
  const house = await startHouse(t, { settings: { wal_sender_timeout: '2s' },
    schema: tables.map((name) => `CREATE TABLE ${name} (id int PRIMARY KEY, a text)`).join(';') });
  const fill = (id) => house.postgres.query(tables.map((name) => `INSERT INTO ${name} VALUES (${id}, 'x')`).join(';'));
  for (let id = 1; id <= 3; id++) {
    await house.walcast.kill();
    await fill(id);
    house.walcast.start();
    const started = performance.now();
    await waitConfirmed(house.postgres);
    t.diagnostic(`start ${id}: a row of each in the stream after ${Math.round(performance.now() - started)} ms`);
  }
  assert.doesNotMatch(house.postgres.process.logText(), /replication timeout/);
  const changes = await allChanges(house);
  assert.equal(changes.filter(isSchema).length, 1000);
  assert.equal(changes.length, 4000);
  assert.equal(Object.keys(await assertShapesTold(house.nats)).length, 1000);
});

test('walcast killed while shapes change in every transaction', async (t) => {
  const house = await startHouse(t, { schema: 'CREATE TABLE items (id int PRIMARY KEY)' });
  const { postgres, nats, walcast } = house;
  const shapes = 120;
  const load = (async () => {
    for (let n = 1; n <= shapes; n++)
      await postgres.query(`BEGIN; INSERT INTO items (id) VALUES (${2 * n});
        ALTER TABLE items ADD c${n} int; INSERT INTO items (id) VALUES (${2 * n + 1}); COMMIT`);
  })();
  for (const part of [0.1, 0.3, 0.5, 0.7, 0.9]) {
    await waitFor(`${part} of the shapes`, async () =>
      (await nats.streamInfo()).state.last_seq >= shapes * 3 * part, 60_000, 1);
    await walcast.kill();
    walcast.start();
  }
  await load;
  const changes = await allChanges(house);
  const schemas = changes.filter(isSchema);
  assert.deepEqual(schemas.map(({ shape }) => shape.columns.length),
    Array.from({ length: shapes + 1 }, (_, n) => n + 1), 'each shape once, in order');
  for (const schema of schemas.slice(1))
    assert.equal(changes[changes.indexOf(schema) + 1].record.id % 2, 1);
  assert.equal(changes.length, 3 * shapes + 1);
  await assertShapesTold(house.nats);
});
