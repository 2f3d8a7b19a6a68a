// What each kind of change looks like in the stream, from tables of every awkward sort.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { assertOrdered, waitConfirmed } from '../lib/slot.mjs';
import { waitFor } from '../lib/wait.mjs';

const SCHEMA = `
CREATE TABLE todos (id bigint PRIMARY KEY, title text, big text);
ALTER TABLE todos ALTER COLUMN big SET STORAGE EXTERNAL;
CREATE TABLE whole (a int, b text);
ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE TABLE keyless (a int);
CREATE TABLE by_index (a int NOT NULL, b int);
CREATE UNIQUE INDEX by_index_a ON by_index (a);
ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_a;
CREATE TABLE parts (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE parts_2025 PARTITION OF parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE SCHEMA "My Schema";
CREATE TABLE "My Schema"."Odd.Name > *" ("Id" int PRIMARY KEY, "a b" text);
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE typed (id int PRIMARY KEY, m mood, n numeric, j jsonb, a int[]);
`;
const CONFIG = { 'postgres.tables': 'public.*,"My Schema".*' };

test('changes', async (suite) => {
  const house = await startHouse(suite, { schema: SCHEMA, config: CONFIG });
  const { postgres, walcast } = house;
  let seen = 0;

  // The changes that running `sql` brought into the stream.
  async function changesOf(sql) {
    await postgres.query(sql);
    await waitConfirmed(postgres);
    const all = await walcast.changes();
    const fresh = all.slice(seen);
    seen = all.length;
    return fresh;
  }

  await suite.test('insert, update, delete, truncate', async () => {
    const changes = await changesOf(`
      INSERT INTO todos VALUES (1, 'one', NULL);
      UPDATE todos SET title = 'uno';
      UPDATE todos SET id = 2;
      DELETE FROM todos;
      TRUNCATE todos, whole RESTART IDENTITY`);
    assert.deepEqual(changes.map((change) => [change.op, change.table]), [['INSERT', 'todos'],
      ['UPDATE', 'todos'], ['UPDATE', 'todos'], ['DELETE', 'todos'], ['TRUNCATE', 'todos'],
      ['TRUNCATE', 'whole']]);
    assert.deepEqual(changes[0].record, { id: 1, title: 'one', big: null });
    assert.deepEqual(changes[2].record, { id: 2, title: 'uno', big: null });
    assert.equal(changes[2].old_record.id, 1);
    assert.equal(changes[3].old_record.id, 2);
    assert.equal(new Set(changes.map((change) => change.xid)).size, 1, 'one transaction');
    assert.deepEqual(changes.map((change) => change.index), [0, 1, 2, 3, 4, 5]);
    assert.deepEqual(changes.map((change) => change.last), [false, false, false, false, false, true]);
  });

  await suite.test('TOAST that was not touched is left out, never null', async () => {
    await changesOf("INSERT INTO todos VALUES (3, 'three', repeat('x', 10000))");
    const [update] = await changesOf("UPDATE todos SET title = 'drei' WHERE id = 3");
    assert.deepEqual(update.record, { id: 3, title: 'drei' });
  });

  await suite.test('REPLICA IDENTITY FULL and USING INDEX bring their old images', async () => {
    const changes = await changesOf(`
      INSERT INTO whole VALUES (1, 'x'); UPDATE whole SET b = 'y'; DELETE FROM whole;
      INSERT INTO by_index VALUES (1, 1); UPDATE by_index SET a = 2; DELETE FROM by_index`);
    assert.deepEqual(changes[1].old_record, { a: 1, b: 'x' });
    assert.deepEqual(changes[2].old_record, { a: 1, b: 'y' });
    assert.equal(changes[4].old_record.a, 1);
    assert.equal(changes[5].old_record.a, 2);
  });

  await suite.test('a table without a key: its UPDATE and DELETE work, its inserts come', async () => {
    const changes = await changesOf(`INSERT INTO keyless VALUES (1), (2); UPDATE keyless SET a = 3;
      DELETE FROM keyless WHERE a = 3; INSERT INTO keyless VALUES (4); TRUNCATE keyless`);
    assert.deepEqual(changes.map((change) => change.op),
      ['INSERT', 'INSERT', 'INSERT', 'TRUNCATE']);
    assert.match(walcast.logText(), /no usable key.*public\.keyless/);
  });

  await suite.test('quoted names and other schemas', async () => {
    const changes = await changesOf(`INSERT INTO "My Schema"."Odd.Name > *" VALUES (1, 'x');
      DELETE FROM "My Schema"."Odd.Name > *"`);
    assert.deepEqual(changes.map((change) => [change.schema, change.table]),
      [['My Schema', 'Odd.Name > *'], ['My Schema', 'Odd.Name > *']]);
    assert.deepEqual(changes[0].record, { Id: 1, 'a b': 'x' });
  });

  await suite.test('partitions, those made later too', async () => {
    const changes = await changesOf(`INSERT INTO parts VALUES (1, '2025-06-01');
      CREATE TABLE parts_2026 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
      INSERT INTO parts VALUES (2, '2026-06-01')`);
    assert.deepEqual(changes.map((change) => [change.table, change.record.id]),
      [['parts_2025', 1], ['parts_2026', 2]]);
  });

  await suite.test('types of the database\'s own and exact numbers', async () => {
    const [change] = await changesOf(`INSERT INTO typed VALUES
      (1, 'happy', 'NaN', '{"n": 12345678901234567890.10}', '{1,NULL,3}')`);
    assert.equal(change.record.m, 'happy');
    assert.equal(change.record.n, 'NaN');
    assert.deepEqual(change.record.a, [1, null, 3]);
  });

  await suite.test('a shape that changes between and within transactions', async () => {
    const changes = await changesOf(`BEGIN; INSERT INTO typed (id) VALUES (2);
      ALTER TABLE typed DROP COLUMN a; ALTER TABLE typed ADD COLUMN "new" int DEFAULT 7;
      INSERT INTO typed (id) VALUES (3); COMMIT`);
    assert.deepEqual(Object.keys(changes[0].record), ['id', 'm', 'n', 'j', 'a']);
    assert.deepEqual(changes.map(({ op, index }) => [op, index]),
      [['INSERT', 0], ['SCHEMA', 1], ['INSERT', 1]]);
    assert.deepEqual(Object.keys(changes[2].record), ['id', 'm', 'n', 'j', 'new']);
    assert.equal(changes[2].record.new, 7);
  });

  await suite.test('savepoints that were rolled back are not there', async () => {
    const changes = await changesOf(`BEGIN; INSERT INTO whole VALUES (1, 'kept'); SAVEPOINT s;
      INSERT INTO whole VALUES (2, 'lost'); ROLLBACK TO s; INSERT INTO whole VALUES (3, 'kept');
      COMMIT`);
    assert.deepEqual(changes.map((change) => change.record.a), [1, 3]);
    assert.deepEqual(changes.map((change) => change.index), [0, 1]);
  });

  await suite.test('logical messages, in their transaction and alone', async () => {
    const changes = await changesOf(`BEGIN; INSERT INTO whole VALUES (4, 'x');
      SELECT pg_logical_emit_message(true, 'outbox', 'inside');
      SELECT pg_logical_emit_message(false, 'lone', 'outside'); COMMIT`);
    assert.deepEqual(changes.map((change) => change.op), ['MESSAGE', 'INSERT', 'MESSAGE']);
    assert.equal(changes[0].xid, 0);
    assert.equal(changes[1].xid, changes[2].xid);
  });

  await suite.test('a table made later is published by itself', async () => {
    await postgres.query('CREATE TABLE later (id int PRIMARY KEY)');
    await waitFor('the table in the publication', async () => {
      const { rows } = await postgres.query(
        "SELECT 1 FROM pg_publication_tables WHERE tablename = 'later'");
      return rows.length === 1;
    });
    const [change] = await changesOf('INSERT INTO later VALUES (1)');
    assert.equal(change.table, 'later');
    // A key that goes and comes moves the table between the publications.
    await postgres.query('ALTER TABLE later DROP CONSTRAINT later_pkey');
    const publicationOf = async () => (await postgres.query(
      "SELECT pubname FROM pg_publication_tables WHERE tablename = 'later'")).rows[0]?.pubname;
    await waitFor('it without a key', async () => await publicationOf() === 'walcast_inserts');
    await postgres.query('UPDATE later SET id = 2; ALTER TABLE later ADD PRIMARY KEY (id)');
    await waitFor('it with a key', async () => await publicationOf() === 'walcast');
  });

  await suite.test('a thousand tables', async () => {
    await postgres.query(`DO $$ BEGIN FOR i IN 1..1000 LOOP
      EXECUTE format('CREATE TABLE many_%s (id int PRIMARY KEY)', i); END LOOP; END $$`);
    await waitFor('all in the publication', async () => {
      const { rows } = await postgres.query(
        "SELECT 1 FROM pg_publication_tables WHERE tablename LIKE 'many_%'");
      return rows.length === 1000;
    });
    const changes = await changesOf(`DO $$ BEGIN FOR i IN 1..1000 LOOP
      EXECUTE format('INSERT INTO many_%s VALUES (1)', i); END LOOP; END $$`);
    assert.deepEqual(changes.map((change) => change.table),
      Array.from({ length: 1000 }, (_, i) => `many_${i + 1}`));
  });

  assertOrdered(await walcast.changes());
});
