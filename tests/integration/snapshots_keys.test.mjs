// Tables of every sort of key and shape, read in many small pieces: the order in which they are
// walked must be their index's, whatever the types say.
import assert from 'node:assert/strict';
import { startHouse } from '../lib/house.mjs';
import { assertCopied, started } from '../lib/snapshot.mjs';
import { waitConfirmed } from '../lib/slot.mjs';
import { together } from '../lib/together.mjs';
import { Walcast } from '../lib/walcast.mjs';

const test = together(2);

const ROWS = 500;
const SMALL = { 'snapshot.piece_bytes': '1KiB', 'postgres.tables': '*.*' };

// name: [columns with the key first, an expression for the key's columns by i]
const KEYED = {
  uuids: ['id uuid', 'md5(i::text)::uuid'],
  texts: ['id text', `CASE i % 5 WHEN 0 THEN 'it''s ' WHEN 1 THEN E'back\\\\slash ' WHEN 2 THEN 'Ünï–𝄞 '
    WHEN 3 THEN E'tab\\tline\\n' ELSE '"quoted", {x} ' END || md5(i::text)`],
  collated: ['id text COLLATE "en_x"', "CASE i % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'A' ELSE 'ä' END || i"],
  varchars: ['id varchar(80)', "chr(65 + i % 58) || '-' || i"],
  chars: ['id char(12)', "'c ' || i"],
  pairs: ['name text, at timestamptz', "'n' || i % 7, timestamptz '2000-01-01' + i * interval '1 hour 1 us'"],
  numerics: ['id numeric', "CASE i WHEN 1 THEN 'NaN' WHEN 2 THEN '-0.000000000000000000001' ELSE (i * 12345678901234567890.125)::text END::numeric"],
  bytes: ['id bytea', 'decode(md5(i::text), \'hex\') || \'\\x00ff5c27\'::bytea'],
  moods: ['mood mood, n int', "(ARRAY['sad', 'so so', 'happy']::mood[])[1 + i % 3], i"],
  domains: ['id deep', "CASE i % 2 WHEN 0 THEN 'Case' ELSE 'cASE' END || i"],
  citexts: ['id ext.citext', "CASE i % 2 WHEN 0 THEN 'Case' ELSE 'cASE' END || i"],
  ltrees: ['id ext.ltree, n int', "('a.' || chr(97 + i % 26) || '.x' || i)::ext.ltree, i % 10"],
  inets: ['id inet', "('10.' || i % 3 || '.' || i % 256 || '.' || i / 256 || '/' || 24 + i % 9)::inet"],
  dates: ['id date', "CASE i WHEN 1 THEN 'infinity' WHEN 2 THEN '-infinity' WHEN 3 THEN '0044-03-15 BC' ELSE (date '2000-01-01' + i)::text END::date"],
  floats: ['id float8', "CASE i WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' WHEN 3 THEN '-0.5' ELSE (1 / i::float8)::text END::float8"],
  intervals: ['id interval', "i * interval '1 day 02:03:04.000005'"],
  booleans: ['b boolean, n int', 'i % 2 = 0, i'],
  arrays: ['id int[]', 'ARRAY[i % 3, NULL, i]'],
  ranges: ['id int4range', "int4range(i, i + 10, '[)')"],
};

const keyOf = (columns) => columns.split(', ').map((column) => column.split(' ')[0]);

function tableSql([name, [columns, expression]]) {
  return `CREATE TABLE ${name} (filler text, ${columns}, n2 int, PRIMARY KEY (${keyOf(columns)}));
    INSERT INTO ${name} (${keyOf(columns)}, filler, n2)
      SELECT ${expression}, 'f' || i, i FROM generate_series(1, ${ROWS}) i;`;
}

async function distinct({ walcast }, table, column) {
  const changes = await walcast.changes({ table });
  return new Set(changes.map(({ record }) => record[column])).size;
}

test('keys of many types', async (t) => {
  const house = await startHouse(t, { config: SMALL, schema:
    `CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE EXTENSION ltree SCHEMA ext;
     CREATE COLLATION en_x (provider = icu, locale = 'en-u-kn-true');
     CREATE TYPE mood AS ENUM ('sad', 'so so', 'happy');
     CREATE DOMAIN shallow AS ext.citext; CREATE DOMAIN deep AS shallow CHECK (length(VALUE) > 0);
     ${Object.entries(KEYED).map(tableSql).join('\n')} ANALYZE` });
  for (const name of Object.keys(KEYED)) {
    const record = JSON.parse(await started(house.walcast, name, '--wait', '--json'));
    assert.equal(record.rows, ROWS, name);
    assert.ok(record.chunks > 5, `${name} in ${record.chunks} pieces`);
  }
  const keys = Object.fromEntries(Object.entries(KEYED).filter(([name]) => name !== 'bytes')
    .map(([name, [columns]]) => [`public.${name}`, keyOf(columns)]));
  await assertCopied(house, keys);
  assert.equal(await distinct(house, 'bytes', 'id'), ROWS); // told as docs/VALUES.md has it
});

test('odd names; generated, dropped and no other columns; another index as identity', async (t) => {
  const house = await startHouse(t, { config: SMALL, schema:
    `CREATE SCHEMA "a.b ""c"; CREATE TABLE "a.b ""c"."T 'x' ü" ("k ""1" int, "K.2" text, v int, PRIMARY KEY ("K.2", "k ""1"));
     INSERT INTO "a.b ""c"."T 'x' ü" SELECT i, 'k' || i % 4, i FROM generate_series(1, ${ROWS}) i;
     CREATE TABLE made (gone int, id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED, also text);
     ALTER TABLE made DROP COLUMN gone; INSERT INTO made (id, also) SELECT i, 'a' FROM generate_series(1, ${ROWS}) i;
     ALTER TABLE made DROP COLUMN also;
     CREATE TABLE bare (id int PRIMARY KEY); INSERT INTO bare SELECT generate_series(1, ${ROWS});
     CREATE TABLE other (id int PRIMARY KEY, a text NOT NULL, b int NOT NULL, v text);
     CREATE UNIQUE INDEX other_ba ON other (b, a) INCLUDE (v); ALTER TABLE other REPLICA IDENTITY USING INDEX other_ba;
     INSERT INTO other SELECT i, 'a' || i, i % 50, 'v' FROM generate_series(1, ${ROWS}) i;
     ANALYZE` });
  const keys = { 'public.bare': ['id'], 'public.other': ['b', 'a'] };
  await started(house.walcast, '"a.b ""c"."T \'x\' ü"', '--wait');
  for (const name of ['bare', 'made', 'other']) await started(house.walcast, name, '--wait');
  await house.postgres.query("UPDATE other SET a = 'z' || a WHERE id % 7 = 0; DELETE FROM bare WHERE id % 9 = 0");
  await waitConfirmed(house.postgres);
  const changes = await house.walcast.changes();
  const made = changes.filter(({ table }) => table === 'made').map(({ record }) => record);
  assert.deepEqual(made.map(({ id }) => id).sort((a, b) => a - b), Array.from({ length: ROWS }, (_, i) => i + 1));
  assert.deepEqual(Object.keys(made[0]), ['id']); // what the publication leaves out
  const named = changes.filter(({ schema }) => schema === 'a.b "c');
  assert.equal(new Set(named.map(({ record }) => record['k "1'])).size, ROWS);
  await assertCopied(house, { 'public.bare': keys['public.bare'], 'public.other': keys['public.other'] });
});

test('rows of 20 MB, and values in binary', async (t) => {
  const house = await startHouse(t, { config: { ...SMALL, 'postgres.binary': true }, schema:
    `CREATE TABLE large (id int PRIMARY KEY, text text);
     INSERT INTO large SELECT i, repeat(chr(96 + i), 20 << 20) FROM generate_series(1, 3) i;
     CREATE TABLE items (id uuid PRIMARY KEY, n numeric, at timestamptz, tags text[]);
     INSERT INTO items SELECT md5(i::text)::uuid, i / 3.0, 'epoch', ARRAY['x', NULL] FROM generate_series(1, ${ROWS}) i;
     ANALYZE` });
  for (const name of ['large', 'items']) await started(house.walcast, name, '--wait');
  assert.deepEqual([await distinct(house, 'large', 'text'), await distinct(house, 'items', 'id')], [3, ROWS]);
});

test('a database in LATIN1', async (t) => {
  const house = await startHouse(t, { walcast: false });
  await house.postgres.query("CREATE DATABASE old ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  const url = new URL(house.postgres.url);
  url.pathname = '/old';
  const client = await house.postgres.connect({ connectionString: url.href });
  t.after(() => client.end());
  await client.query(`CREATE TABLE items (name text PRIMARY KEY, n int);
    INSERT INTO items SELECT chr(192 + i % 60) || ' né ' || i, i FROM generate_series(1, ${ROWS}) i; ANALYZE`);
  house.walcast = await Walcast.start({ ...house, config: { ...SMALL, 'postgres.url': url.href } });
  await house.walcast.ready();
  const record = JSON.parse(await started(house.walcast, 'items', '--wait', '--json'));
  assert.ok(record.chunks > 5);
  await client.query("UPDATE items SET n = -n WHERE n % 3 = 0");
  await waitConfirmed(house.postgres);
  await assertCopied({ ...house, postgres: { query: (...args) => client.query(...args) } },
    { 'public.items': ['name'] });
});

test('of a key whose last column is not published the rest is none', async (t) => {
  const house = await startHouse(t, { config: SMALL, schema:
    `CREATE TABLE items (a int, b int, n int, PRIMARY KEY (a, b));
     INSERT INTO items SELECT 1, i, i FROM generate_series(1, ${ROWS}) i; ANALYZE;
     CREATE PUBLICATION walcast FOR TABLE items (a, n) WITH (publish = 'insert')` });
  await started(house.walcast, 'items', '--wait');
  assert.equal(await distinct(house, 'items', 'n'), ROWS);
});

test('column lists, row filters, a partitioned table as one', async (t) => {
  const house = await startHouse(t, { config: SMALL, schema:
    `CREATE TABLE items (id int PRIMARY KEY, secret text, n int);
     INSERT INTO items SELECT i, 'hidden', i % 10 FROM generate_series(1, ${ROWS}) i;
     CREATE TABLE parts (id int, region int, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
     CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1); CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
     INSERT INTO parts SELECT i, 1 + i % 2, 'v' FROM generate_series(1, ${ROWS}) i; ANALYZE;
     CREATE PUBLICATION walcast FOR TABLE items (id, n) WHERE (n < 5 AND id > 3), parts
       WITH (publish_via_partition_root = true)`, });
  await started(house.walcast, 'items', '--wait');
  await started(house.walcast, 'parts', '--wait');
  await house.postgres.query("UPDATE parts SET region = 3 - region WHERE id % 5 = 0");
  await waitConfirmed(house.postgres);
  const changes = await house.walcast.changes();
  const { rows } = await house.postgres.query('SELECT id, n FROM items WHERE n < 5 AND id > 3 ORDER BY id');
  assert.deepEqual(changes.filter(({ table }) => table === 'items').map(({ record }) => record), rows);
  const parts = changes.filter(({ table, op }) => table === 'parts' && op === 'READ');
  assert.equal(parts.length, ROWS);
  const folded = new Map();
  for (const { op, table, record, old_record: old } of changes.filter((change) => change.table === 'parts')) {
    if (op === 'UPDATE' || op === 'DELETE') folded.delete(JSON.stringify([(old ?? record).id, (old ?? record).region]));
    if (record && op !== 'DELETE') folded.set(JSON.stringify([record.id, record.region]), record);
  }
  const { rows: held } = await house.postgres.query('SELECT id, region FROM parts ORDER BY id');
  assert.deepEqual([...folded.keys()].sort(), held.map(({ id, region }) => JSON.stringify([id, region])).sort());
});
