// The texts that Walcast itself makes of values which a snapshot reads in binary form: byte for byte
// those of the server's output functions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { majors } from '../lib/postgres.mjs';
import { randomOf } from '../lib/mixed.mjs';
import { readTexts } from '../lib/runs.mjs';
import { started } from '../lib/snapshot.mjs';
import { Walcast } from '../lib/walcast.mjs';

const ROWS = 4000;
const LARGE_BYTES = 100_000;
const NULLS = 11; // one value of so many
const FIRST_YEAR = 1721426; // as Julian days
const LAST_JULIAN_DAY = { date: 2147483493, timestamp: 109203526 };

// The session in which Walcast's values are written.
const SESSION = `SET search_path = ''; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres';
SET TimeZone = 'UTC'; SET extra_float_digits = 3; SET bytea_output = 'hex';`;

const SCHEMA = `CREATE SCHEMA "a.b ""c";
CREATE TYPE "a.b ""c"."It's a mood" AS ENUM ('sad', 'so so', 'it''s "x", {y}', E'tab\\tand \\\\', 'Ünï–𝄞', '');
CREATE DOMAIN "a.b ""c".mood AS "a.b ""c"."It's a mood";
CREATE DOMAIN amount AS numeric CHECK (VALUE <> 42); CREATE DOMAIN total AS amount;
CREATE DOMAIN day AS date; CREATE DOMAIN moment AS timestamptz; CREATE DOMAIN sentence AS varchar(20);
CREATE DOMAIN digest AS bytea; CREATE DOMAIN document AS jsonb; CREATE DOMAIN flag AS bool;`;

const MOODS = ['sad', 'so so', 'it\'s "x", {y}', 'tab\tand \\', 'Ünï–𝄞', ''];
const TEXTS = ['', ' ', 'a', '\t', '\n', '\r\n', '\\', '\\N', '\\.', '\\x', 'NULL', 'tab\tline\nback\\slash\b\f\v',
  '\u0001\u001f\u007f', 'é ß 漢字 😀 \u2028', 'ends with blanks   ', '"quoted", {x}', "it's"];
const DAYS = ['infinity', '-infinity', '4714-11-24 BC', '4713-01-01 BC', '0401-02-28 BC', '0401-02-29 BC', '0101-02-28 BC',
  '0101-03-01 BC', '0005-02-29 BC', '0001-02-29 BC', '0001-12-31 BC', '0001-01-01', '0004-02-29', '0099-12-31', '0100-02-28',
  '0100-03-01', '0400-02-29', '0999-12-31', '1000-01-01', '1582-10-15', '1900-02-28', '1900-03-01', '1969-12-31',
  '1970-01-01', '1999-12-31', '2000-01-01', '2000-02-28', '2000-02-29', '2000-03-01', '2024-02-29', '2024-12-31',
  '2100-02-28', '2100-03-01', '9999-12-31', '10000-01-01', '99999-12-31', '100000-01-01', '294276-12-31'];
const TIMES = ['00:00:00', '00:00:00.1', '00:00:00.000001', '00:00:00.999999', '23:59:59.999999', '09:08:07.06', '12:00:00.00012'];
const NUMERICS = ['NaN', '0', '0.0', '0.0000', '0.00000', '-0.00', '1', '-1', '0.1', '0.01', '0.001', '0.0001', '0.00001', '-0.00001',
  '9', '10', '99', '100', '999', '1000', '9999', '10000', '-10000', '10001', '99990000', '100000000', '9999.9999', '99999999.9999',
  '1.5000000000', '-1.10', '10000.0000', '1.00010000', '12345.60000000', '1e-40', '-1e-41', '1e-42', '1e-43', '1.0e-131', '1e-131',
  '1e131', '-1e131', '1e128', '1e-16383', '-9e131071', '0e-16383', `${'9'.repeat(200)}.${'9'.repeat(200)}`,
  `0.${'0'.repeat(300)}1000`, `1${'0'.repeat(99)}.${'0'.repeat(99)}1`];
const JSONS = ['null', '1e400', '-0.0', '[]', '{}', '""', ' {"b" : 1,\n "a":[ ],\t"b":2} ', '"\\ud83d\\ude00 \\" \\\\ \\n"', '[1, [2, {"x": "é 😀"}]]',
  '12345678901234567890.1234567890'];

const below = randomOf(20);
const pick = (list) => list[below(list.length)];
const digits = (count) => Array.from({ length: count }, () => below(10)).join('');
const hex = (bytes) => Array.from({ length: bytes }, () => below(256).toString(16).padStart(2, '0')).join('');
const signed = (text) => (below(2) ? '-' : '') + text;
const word = () => Array.from({ length: below(12) }, () => pick(['a', 'Z', ' ', '\t', '\\', '\n', '"', 'é', '漢', '😀'])).join('');
const time = () => `${below(24)}:${below(60)}:${below(60)}.${digits(1 + below(6))}`;
// A third near, a third before Christ.
const day = (last) => `J${pick([2_000_000 + below(1_000_000), below(FIRST_YEAR), below(last)])}`;
const moment = () => `${day(LAST_JULIAN_DAY.timestamp)} ${time()}`;
// Runs of zeros too, where groups of four digits are not there.
const figure = (count) => below(3) ? digits(count) : digits(below(count + 1)).padEnd(count, '0');
const numeric = () => signed(`${figure(1 + below(24))}${below(4) ? `.${figure(1 + below(24))}` : ''}${
  below(4) ? '' : `e${signed(below(60))}`}`);

const moments = DAYS.flatMap((at) => /inf/.test(at) ? [at]
  : TIMES.map((clock) => at.replace(/^[^ ]*/, (date) => `${date} ${clock}`)));
const bytes = ['\\x', '\\x00', '\\x00ff5c27', `\\x${'00ff'.repeat(LARGE_BYTES / 2)}`];
const integers = (bits) => [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n, -1n, 0n, 1n, 9n, 10n, -10n, 99n, 100n].map(String);
// Of every length in bits.
const integer = (bits) => signed((BigInt(`0x${hex(8)}`) >> (65n - bits) >> BigInt(below(Number(bits)))).toString());
const plain = [...TEXTS, 'x'.repeat(LARGE_BYTES)];

// name: [type, values at the edges, one by chance]
const COLUMNS = {
  bool: ['bool', ['t', 'f'], () => pick(['t', 'f'])],
  int2: ['int2', integers(16n), () => integer(16n)],
  int4: ['int4', integers(32n), () => integer(32n)],
  int8: ['int8', integers(64n), () => integer(64n)],
  oid: ['oid', ['0', '1', '4294967295', '2147483648'], () => `${below(2 ** 32)}`],
  numeric: ['numeric', NUMERICS, numeric],
  scaled: ['numeric(60, 9)', ['0', '1', 'NaN', '-0.000000001', '10000.0001'], () => signed(`${digits(10)}.${digits(12)}`)],
  date: ['date', [...DAYS, '5874897-12-31'], () => day(LAST_JULIAN_DAY.date)],
  timestamp: ['timestamp', moments, moment],
  timestamptz: ['timestamptz', moments.map((at) => at.replace(/(:[^ ]*)/, '$1+00')), moment],
  uuid: ['uuid', ['00000000-0000-0000-0000-000000000000', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'], () => hex(16)],
  bytea: ['bytea', bytes, () => `\\x${hex(below(40))}`],
  text: ['text', plain, word],
  varchar: ['varchar(40)', TEXTS, word],
  char: ['char(12)', TEXTS, word],
  bpchar: ['bpchar', TEXTS, word],
  name: ['name', [...TEXTS, 'x'.repeat(63)], word],
  mood: ['"a.b ""c"."It\'s a mood"', MOODS, () => pick(MOODS)],
  json: ['json', JSONS, () => ` {"a" :\n[${below(1000)}, ${JSON.stringify(word())}]}`],
  jsonb: ['jsonb', JSONS, () => `{"bb": 1, "a": [${below(1000)}, ${JSON.stringify(word())}]}`],
  mood_domain: ['"a.b ""c".mood', MOODS, () => pick(MOODS)],
  total: ['total', NUMERICS, numeric],
  day: ['day', DAYS, () => day(LAST_JULIAN_DAY.date)],
  moment: ['moment', moments, moment],
  sentence: ['sentence', TEXTS, word],
  digest: ['digest', bytes.slice(0, 3), () => `\\x${hex(20)}`],
  document: ['document', JSONS, () => `[${below(1000)}]`],
  flag: ['flag', ['t', 'f'], () => pick(['t', 'f'])],
};
const NAMES = Object.keys(COLUMNS);

// ROWS texts of a column; the infinities that numeric has since PostgreSQL 14 lead where they can.
function valuesOf([type, edges, random], major) {
  const all = /numeric|total/.test(type) && major >= 14 && !/\(/.test(type) ? ['Infinity', '-Infinity', ...edges] : edges;
  return Array.from({ length: ROWS }, (_, i) => all[i] ?? (i % NULLS === 0 ? null : random()));
}

async function fill(client, major) {
  const types = NAMES.map((name) => `${name} ${COLUMNS[name][0]}`).join(', ');
  const casts = NAMES.map((name) => `v.${name}::${COLUMNS[name][0]}`).join(', ');
  const arrays = NAMES.map((_, i) => `$${i + 1}::text[]`).join(', ');
  await client.query(`${SCHEMA} CREATE TABLE texts (id int8 PRIMARY KEY, ${types})`);
  await client.query(`INSERT INTO texts SELECT v.id, ${casts} FROM unnest(${arrays}) WITH ORDINALITY v(${NAMES}, id)`,
    NAMES.map((name) => valuesOf(COLUMNS[name], major)));
  await client.query(`CREATE TABLE keyless AS TABLE texts;
    CREATE TABLE floats AS SELECT *, CASE id % 3 WHEN 0 THEN 'NaN' ELSE id / 7.0 END::float8 AS float FROM texts;
    ALTER TABLE floats ADD PRIMARY KEY (id); ANALYZE`);
}

// Map: id → { column: the server's text as Buffer, or null }
async function serverTexts(client, table) {
  await client.query(SESSION);
  const { rows: [{ columns }] } = await client.query(`SELECT string_agg(format(
    'CASE WHEN %1$I IS NOT NULL THEN format(''%%s'', %1$I) END AS %1$I', attname), ', ' ORDER BY attnum) AS columns
    FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0`, [`public.${table}`]);
  const { rows } = await client.query(`SELECT ${columns} FROM public.${table}`);
  return new Map(rows.map((row) => [row.id, row]));
}

// Short enough to read.
const shown = (value) => value === null ? 'NULL' : JSON.stringify(value.toString().slice(0, 80));

function assertSame(found, expected, table) {
  assert.equal(found.length, ROWS, table);
  assert.equal(new Set(found.map(({ id }) => `${id}`)).size, ROWS, table);
  const wrong = {};
  for (const row of found) {
    const right = expected.get(`${row.id}`);
    assert.deepEqual(Object.keys(row), Object.keys(right));
    for (const [name, value] of Object.entries(row)) {
      const same = right[name] === null ? value === null
        : Buffer.isBuffer(value) && value.equals(Buffer.from(right[name]));
      if (!same) (wrong[name] ??= []).push(`${shown(value)}, not ${shown(right[name])}`);
    }
  }
  assert.deepEqual(Object.entries(wrong).map(([name, all]) => `${table}.${name}: ${all.length} differ; ${all[0]}`), []);
}

// The COPY statements that the server's log has of the table.
const copiesOf = (postgres, table) => postgres.process.logText().split('\n')
  .filter((line) => line.includes('COPY (SELECT') && line.includes(`"${table}"`));

for (const major of [majors().at(0), majors().at(-1)]) test(`PostgreSQL ${major}`, async (t) => {
  const house = await startHouse(t, { major, walcast: false,
    settings: { log_statement: 'all', log_parameter_max_length: 0 } });
  const client = await house.postgres.connect();
  t.after(() => client.end());
  await fill(client, major);
  house.walcast = await Walcast.start({ ...house, config: { 'snapshot.piece_bytes': '256KiB', 'postgres.tables': '*.*' } });
  await house.walcast.ready();
  for (const table of ['texts', 'keyless', 'floats']) {
    const record = JSON.parse(await started(house.walcast, table, '--wait', '--json'));
    assert.ok(record.chunks > 3, `${table} in ${record.chunks} pieces`);
  }
  const read = await readTexts(house.nats);
  for (const [table, binary] of [['texts', true], ['keyless', true], ['floats', false]]) {
    await t.test(table, async () => {
      const copies = copiesOf(house.postgres, table);
      assert.ok(copies.length > 0, 'the log has no COPY of it');
      assert.ok(copies.every((line) => line.includes('(FORMAT binary)') === binary), copies[0]);
      assertSame(read.get(table) ?? [], await serverTexts(client, table), table);
    });
  }
});
