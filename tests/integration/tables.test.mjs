// Issue point 6: tables of every sort. The application's own statements work whatever Walcast
// publishes, and what PostgreSQL sends of each is what the stream holds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { waitConfirmed } from '../lib/slot.mjs';

// What running `sql` brought into the stream: [op, table, record or old record].
function follower({ postgres, walcast }) {
  let seen = 0;
  return async (sql) => {
    await postgres.query(sql);
    await waitConfirmed(postgres);
    const all = (await walcast.changes()).filter(({ op }) => op !== 'SCHEMA');
    const fresh = all.slice(seen);
    seen = all.length;
    return fresh;
  };
}

const brief = ({ op, table, record, old_record }) => [op, table, record ?? old_record];

test('a table without a key: its UPDATE and DELETE go on working, its inserts come', async (t) => {
  const changesOf = follower(await startHouse(t, { schema: 'CREATE TABLE keyless (a int, b text)' }));
  const changes = await changesOf(`INSERT INTO keyless VALUES (1, 'x'), (2, 'y');
    UPDATE keyless SET b = 'z' WHERE a = 1; DELETE FROM keyless WHERE a = 2; TRUNCATE keyless`);
  assert.deepEqual(changes.map(brief), [['INSERT', 'keyless', { a: 1, b: 'x' }],
    ['INSERT', 'keyless', { a: 2, b: 'y' }], ['TRUNCATE', 'keyless', null]]);
});

test('replica identity nothing, index and full', async (t) => {
  const changesOf = follower(await startHouse(t, { schema: `
    CREATE TABLE nothing (id int PRIMARY KEY, a int); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
    CREATE TABLE by_index (id int PRIMARY KEY, a int NOT NULL UNIQUE);
    ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_a_key;
    CREATE TABLE whole (id int, a int); ALTER TABLE whole REPLICA IDENTITY FULL` }));
  const nothing = await changesOf(
    'INSERT INTO nothing VALUES (1, 1); UPDATE nothing SET a = 2; DELETE FROM nothing');
  assert.deepEqual(nothing.map(brief), [['INSERT', 'nothing', { id: 1, a: 1 }]]);
  const index = await changesOf(
    'INSERT INTO by_index VALUES (1, 1); UPDATE by_index SET a = 2; DELETE FROM by_index');
  assert.deepEqual(index.map(({ op, old_record }) => [op, old_record]),
    [['INSERT', null], ['UPDATE', { a: 1 }], ['DELETE', { a: 2 }]]);
  const whole = await changesOf(
    'INSERT INTO whole VALUES (1, 1); UPDATE whole SET a = 2; DELETE FROM whole');
  assert.deepEqual(whole.map(({ op, old_record }) => [op, old_record]),
    [['INSERT', null], ['UPDATE', { id: 1, a: 1 }], ['DELETE', { id: 1, a: 2 }]]);
});

const PARTS = `CREATE TABLE parts (id int, n int, PRIMARY KEY (id, n)) PARTITION BY RANGE (n);
  CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (10);
  CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (10) TO (20)`;
const PARTS_LOAD = `INSERT INTO parts VALUES (1, 1), (2, 11); UPDATE parts SET n = 12 WHERE id = 1;
  DELETE FROM parts WHERE id = 2`;

for (const viaRoot of [true, false])
  test(`partitions, publish_via_partition_root ${viaRoot}`, async (t) => {
    const changesOf = follower(await startHouse(t, { schema: `${PARTS};
      CREATE PUBLICATION walcast FOR TABLE parts WITH (publish_via_partition_root = ${viaRoot})` }));
    const changes = await changesOf(PARTS_LOAD);
    const [low, high] = viaRoot ? ['parts', 'parts'] : ['parts_low', 'parts_high'];
    assert.deepEqual(changes.map(brief), [['INSERT', low, { id: 1, n: 1 }],
      ['INSERT', high, { id: 2, n: 11 }], ['DELETE', low, { id: 1, n: 1 }],
      ['INSERT', high, { id: 1, n: 12 }], ['DELETE', high, { id: 2, n: 11 }]]);
  });

test('column lists and row filters', async (t) => {
  const changesOf = follower(await startHouse(t, { schema: `
    CREATE TABLE people (id int PRIMARY KEY, name text, secret text, age int);
    CREATE PUBLICATION walcast FOR TABLE people (id, name) WHERE (id > 10)` }));
  const changes = await changesOf(`INSERT INTO people VALUES (1, 'no', 's', 1), (11, 'yes', 's', 2);
    UPDATE people SET id = 12 WHERE id = 1; UPDATE people SET id = 2 WHERE id = 11;
    UPDATE people SET secret = 'other' WHERE id = 12`);
  assert.deepEqual(changes.map(brief), [['INSERT', 'people', { id: 11, name: 'yes' }],
    ['INSERT', 'people', { id: 12, name: 'no' }], ['DELETE', 'people', { id: 11 }],
    ['UPDATE', 'people', { id: 12, name: 'no' }]].map(([op, table, record]) =>
    [op, table, op === 'DELETE' ? changes[2].old_record : record]));
  assert.equal(changes[2].old_record.id, 11);
  assert.ok(changes.every(({ record, old_record }) => !('secret' in { ...record, ...old_record })));
});

test('inherited tables', async (t) => {
  const changesOf = follower(await startHouse(t, { schema: `
    CREATE TABLE base (id int PRIMARY KEY, a int);
    CREATE TABLE derived (extra text, PRIMARY KEY (id)) INHERITS (base)` }));
  const changes = await changesOf(`INSERT INTO base VALUES (1, 1); INSERT INTO derived VALUES (2, 2, 'x');
    UPDATE base SET a = a + 10; DELETE FROM base WHERE id = 2`);
  assert.deepEqual(changes.map(brief).map(([op, table, record]) => [op, table, record.id]),
    [['INSERT', 'base', 1], ['INSERT', 'derived', 2], ['UPDATE', 'base', 1],
      ['UPDATE', 'derived', 2], ['DELETE', 'derived', 2]]);
});

test('TRUNCATE with cascade', async (t) => {
  const changesOf = follower(await startHouse(t, { schema: `CREATE TABLE mother (id int PRIMARY KEY);
    CREATE TABLE child (id int PRIMARY KEY, mother int REFERENCES mother)` }));
  const changes = await changesOf('TRUNCATE mother RESTART IDENTITY CASCADE');
  assert.deepEqual(changes.map(({ op, table, cascade, restart_identity, index, last }) =>
    [op, table, cascade, restart_identity, index, last]),
  [['TRUNCATE', 'mother', true, true, 0, false], ['TRUNCATE', 'child', true, true, 1, true]]);
});

test('logical messages: transactional ones with their transaction, others at once', async (t) => {
  const house = await startHouse(t, { schema: 'CREATE TABLE items (id int PRIMARY KEY)' });
  const changesOf = follower(house);
  const changes = await changesOf(`BEGIN; INSERT INTO items VALUES (1);
    SELECT pg_logical_emit_message(true, 'order.paid', '{"id":1}');
    SELECT pg_logical_emit_message(false, 'order.tried', '{"id":2}'); COMMIT;
    BEGIN; SELECT pg_logical_emit_message(true, 'order.paid', 'never');
    SELECT pg_logical_emit_message(false, 'order.tried', '{"id":3}'); ROLLBACK`);
  const messages = changes.filter(({ op }) => op === 'MESSAGE');
  assert.deepEqual(messages.map(({ message }) => message), [
    { prefix: 'order.tried', transactional: false, content: '{"id":2}' },
    { prefix: 'order.paid', transactional: true, content: '{"id":1}' },
    { prefix: 'order.tried', transactional: false, content: '{"id":3}' }]);
  const paid = messages[1];
  const insert = changes.find(({ op }) => op === 'INSERT');
  assert.deepEqual([paid.xid, paid.index, paid.last], [insert.xid, 1, true]);
});
