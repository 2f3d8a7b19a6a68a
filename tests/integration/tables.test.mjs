// Issue point 6: tables of every sort. The application's own statements work whatever Walcast
// publishes, and what PostgreSQL sends of each is what the stream holds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { brief, follower } from '../lib/published.mjs';
import { assertShapesTold } from '../lib/shapes.mjs';

test('a table without a key: its UPDATE and DELETE go on working, its inserts come', async (t) => {
  const changesOf = follower(await startHouse(t, { schema: 'CREATE TABLE keyless (a int, b text)' }));
  const changes = await changesOf(`INSERT INTO keyless VALUES (1, 'x'), (2, 'y');
    UPDATE keyless SET b = 'z' WHERE a = 1; DELETE FROM keyless WHERE a = 2; TRUNCATE keyless`);
  assert.deepEqual(changes.map(brief), [['INSERT', 'keyless', { a: 1, b: 'x' }],
    ['INSERT', 'keyless', { a: 2, b: 'y' }], ['TRUNCATE', 'keyless', null]]);
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
    ['UPDATE', 'people', { id: 12, name: 'no' }]]);
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

test('a column list and a row filter that change while streaming', async (t) => {
  const house = await startHouse(t, { schema: `CREATE TABLE people (id int PRIMARY KEY, name text, secret text);
    CREATE PUBLICATION walcast FOR TABLE people (id, name)` });
  const changesOf = follower(house, { schemas: true });
  await changesOf("INSERT INTO people VALUES (1, 'a', 's')");
  await house.postgres.query('ALTER PUBLICATION walcast SET TABLE people (id, secret) WHERE (id < 10)');
  const changes = await changesOf("INSERT INTO people VALUES (2, 'b', 't'), (20, 'c', 'u'); UPDATE people SET secret = 'v' WHERE id = 2");
  assert.deepEqual(changes.map(({ op, record, shape }) => [op, record ?? shape.columns.map(({ name }) => name)]),
    [['SCHEMA', ['id', 'secret']], ['INSERT', { id: 2, secret: 't' }], ['UPDATE', { id: 2, secret: 'v' }]]);
  await assertShapesTold(house.nats);
});

test('TRUNCATE of several tables, with cascade and identities begun anew', async (t) => {
  const house = await startHouse(t, { schema: `CREATE TABLE mother (id int PRIMARY KEY);
    CREATE TABLE child (id int PRIMARY KEY, mother int REFERENCES mother);
    CREATE TABLE apart (id serial PRIMARY KEY); CREATE TABLE keyless (a int)` });
  const changesOf = follower(house);
  const flags = ({ op, table, cascade, restart_identity, index, last }) =>
    [op, table, cascade, restart_identity, index, last];
  assert.deepEqual((await changesOf('TRUNCATE mother RESTART IDENTITY CASCADE')).map(flags),
    [['TRUNCATE', 'mother', true, true, 0, false], ['TRUNCATE', 'child', true, true, 1, true]]);
  assert.deepEqual((await changesOf('TRUNCATE apart, keyless, child')).map(flags),
    [['TRUNCATE', 'apart', false, false, 0, false], ['TRUNCATE', 'keyless', false, false, 1, false],
      ['TRUNCATE', 'child', false, false, 2, true]]);
  const changes = await changesOf(`BEGIN; INSERT INTO apart DEFAULT VALUES; TRUNCATE apart RESTART IDENTITY;
    INSERT INTO apart DEFAULT VALUES; COMMIT`);
  assert.deepEqual(changes.map(({ op, index, record }) => [op, index, record]),
    [['INSERT', 0, { id: 1 }], ['TRUNCATE', 1, null], ['INSERT', 2, { id: 1 }]]);
  await assertShapesTold(house.nats);
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

test('logical messages among rows keep their place', async (t) => {
  const changesOf = follower(await startHouse(t, { schema: 'CREATE TABLE items (id int PRIMARY KEY)' }));
  const say = (text) => `SELECT pg_logical_emit_message(true, 'p', '${text}')`;
  const changes = await changesOf(`BEGIN; ${say('first')}; INSERT INTO items VALUES (1); ${say('a')}; ${say('b')};
    INSERT INTO items VALUES (2); SAVEPOINT s; ${say('gone')}; ROLLBACK TO s; ${say('last')}; COMMIT`);
  assert.deepEqual(changes.map(({ op, index, last, record, message }) => [op, index, last, record?.id ?? message.content]),
    [['MESSAGE', 0, false, 'first'], ['INSERT', 1, false, 1], ['MESSAGE', 2, false, 'a'], ['MESSAGE', 3, false, 'b'],
      ['INSERT', 4, false, 2], ['MESSAGE', 5, true, 'last']]);
  assert.ok(changes.every(({ xid, lsn }) => xid === changes[0].xid && lsn === changes[0].lsn));
});
