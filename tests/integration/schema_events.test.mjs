// Issue point 5: a change of columns, types or identity publishes a SCHEMA event before the first
// row of the new shape; never twice, whoever is killed; every row carries its shape's version.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { assertOrdered, waitConfirmed } from '../lib/slot.mjs';
import { waitFor } from '../lib/wait.mjs';

const names = (change) => change.shape.columns.map(({ name, type }) => `${name} ${type}`);
const story = (changes) => changes.map(({ op, index }) => `${op} ${index}`);

async function allChanges({ postgres, walcast }) {
  await waitConfirmed(postgres);
  const changes = await walcast.changes();
  assertOrdered(changes);
  return changes;
}

// SCHEMA messages of the stream by subject, first descriptions included.
function schemaCount({ nats }, table) {
  return nats.manage(async (manager) => {
    const info = await manager.streams.info('WALCAST', { subjects_filter: `*.*.*.${table}.SCHEMA` });
    return Object.values(info.state.subjects ?? {}).reduce((sum, count) => sum + count, 0);
  });
}

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
  const schemas = changes.filter(({ op }) => op === 'SCHEMA');
  assert.deepEqual(schemas.map(names), [
    ['id int4', 'a text', 'b int4'], ['id int4', 'A b text', 'b int4'],
    ['id int4', 'A b text', 'b numeric'], ['id int4', 'b numeric'], ['id int4', 'b numeric']]);
  assert.deepEqual(schemas.map(({ shape }) => shape.replica_identity), ['d', 'd', 'd', 'd', 'f']);
  assert.equal(schemas[2].shape.columns[2].typmod, (9 << 16) + 2 + 4);
  for (let i = 1; i < schemas.length; i++)
    assert.equal(schemas[i].shape.previous_version, schemas[i - 1].shape.version);
  // Each stands right before the first row of its shape, at that row's place.
  for (const schema of schemas) {
    const next = changes[changes.indexOf(schema) + 1];
    assert.equal(next.op, 'INSERT');
    assert.deepEqual([next.lsn, next.index], [schema.lsn, schema.index]);
    assert.deepEqual(Object.keys(next.record), schema.shape.columns.map(({ name }) => name));
  }
  assert.equal(await schemaCount(house, 'items'), 6, 'the first description too');
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
  assert.deepEqual(story(changes.filter(({ op }) => op === 'SCHEMA')), ['SCHEMA 0']);
  assert.equal(await schemaCount(house, 'items'), 2);
  assert.equal(await schemaCount(house, 'Odd%2EName'), 1);
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
  const schemas = changes.filter(({ op }) => op === 'SCHEMA');
  assert.deepEqual(schemas.map(({ shape }) => shape.columns.length),
    Array.from({ length: shapes }, (_, n) => n + 2), 'each shape once, in order');
  for (const schema of schemas)
    assert.equal(changes[changes.indexOf(schema) + 1].record.id % 2, 1);
  assert.equal(changes.length, 3 * shapes);
});
