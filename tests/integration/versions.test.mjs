// The whole path on every PostgreSQL that Walcast promises to work with.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fold } from '../lib/fold.mjs';
import { startHouse } from '../lib/house.mjs';
import { parseExact } from '../lib/json.mjs';
import { majors } from '../lib/postgres.mjs';
import { assertShapesTold } from '../lib/shapes.mjs';
import { waitFor } from '../lib/wait.mjs';

const SCHEMA = `
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE items (id bigint PRIMARY KEY, name text, mood mood, body jsonb, tags text[]);
CREATE TABLE parts (id bigint, region int, note text, PRIMARY KEY (id, region))
  PARTITION BY LIST (region);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
CREATE TABLE logs (line text);
`;

const FIRST = `
INSERT INTO items SELECT i, 'item ' || i, 'sad', jsonb_build_object('n', i), ARRAY['a', NULL]
  FROM generate_series(1, 500) i;
INSERT INTO parts SELECT i, 1 + i % 2, 'part' FROM generate_series(1, 50) i;
BEGIN;
SAVEPOINT a;
INSERT INTO items VALUES (-1, 'rolled back');
ROLLBACK TO a;
UPDATE items SET mood = 'happy', name = NULL WHERE id % 3 = 0;
COMMIT;
DELETE FROM items WHERE id % 5 = 0;
UPDATE items SET id = id + 100000 WHERE id % 7 = 0;
INSERT INTO logs VALUES ('no key');
`;

const SECOND = `
UPDATE parts SET region = 3 - region WHERE id < 10;
DELETE FROM parts WHERE id > 40;
INSERT INTO logs VALUES ('to go');
TRUNCATE logs;
INSERT INTO logs VALUES ('stays');
ALTER TABLE items ADD COLUMN price numeric;
INSERT INTO items (id, price) VALUES (9007199254740993, 12345678901234567890.123456789);
`;

// The table's rows as the stream's changes make them, against the table; both with every digit.
async function assertSame({ postgres, walcast }, table, keyOf) {
  const changes = (await walcast.changes({ parse: parseExact }))
    .filter((change) => change.table === table || change.table?.startsWith(`${table}_`));
  const { rows } = await postgres.query(`SELECT to_jsonb(t)::text AS row FROM ${table} t`);
  const sorted = (list) => list.map((row) => JSON.stringify(row, sortedKeys)).sort();
  // A row that was sent before its table got a column lacks it.
  const stored = [...fold(changes, keyOf).values()].map((row) =>
    table === 'items' ? { price: null, ...row } : row);
  assert.deepEqual(sorted(stored), sorted(rows.map(({ row }) => parseExact(row))));
}

function sortedKeys(key, value) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

// In the stream once everything before it is.
async function marked(house, name) {
  await house.postgres.query('INSERT INTO logs VALUES ($1)', [name]);
  await waitFor(`${name} in the stream`, async () =>
    (await house.walcast.changes({ table: 'public.logs' })).some((c) => c.record?.line === name));
}

test('the servers are those that are promised', () => {
  for (const major of [13, 14, 15, 16, 17, 18])
    assert.ok(majors().includes(major), `PostgreSQL ${major}`);
});

for (const major of majors()) {
  test(`PostgreSQL ${major}: slot, changes, restart, the table again`, async (t) => {
    const house = await startHouse(t, { major, schema: SCHEMA });
    const { postgres, walcast } = house;
    const { rows: [server] } = await postgres.query(`SELECT
      current_setting('server_version_num')::int / 10000 AS major,
      (SELECT plugin FROM pg_replication_slots WHERE slot_name = 'walcast') AS plugin,
      (SELECT count(*)::int FROM pg_publication) AS publications`);
    assert.deepEqual(server, { major, plugin: 'pgoutput', publications: 2 });

    await postgres.query(FIRST);
    await marked(house, 'first');
    await walcast.kill();
    await postgres.query(SECOND);
    await postgres.query("SELECT pg_logical_emit_message(true, 'outbox', 'hello')");
    walcast.start();
    await walcast.ready();
    await marked(house, 'second');

    await assertSame(house, 'items', ({ id }) => id.text);
    await assertSame(house, 'parts', ({ id, region }) => `${id.text} ${region.text}`);
    await assertSame(house, 'logs', (record) => record.line);
    const all = (await walcast.changes()).filter(({ op }) => op !== 'SCHEMA');
    await assertShapesTold(house.nats);
    assert.equal(new Set(all.map(({ lsn, index }) => `${lsn}.${index}`)).size, all.length);
    const messages = all.filter(({ op }) => op === 'MESSAGE').map(({ message }) => message.content);
    if (major >= 14) {
      assert.deepEqual(messages, ['hello']);
    } else {
      assert.deepEqual(messages, []);
      assert.match(walcast.logText(), /PostgreSQL 13 sends no logical messages/);
    }
  });
}
