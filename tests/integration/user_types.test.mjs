// Types that are not built in: what `walcast tail` writes of enums, domains, composites, arrays of
// them, ranges of one's own and of contrib's types. No reader of the stream asks a database.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { parseExact } from '../lib/json.mjs';
import { waitConfirmed } from '../lib/slot.mjs';
import { Walcast } from '../lib/walcast.mjs';

const TYPES = `
CREATE SCHEMA "Odd.schema";
CREATE TYPE mood AS ENUM ('sad', 'so-so', 'hap"py, {really}');
CREATE TYPE "Odd.schema"."Odd "" type" AS ENUM ('a');
CREATE DOMAIN positive AS bigint CHECK (VALUE > 0);
CREATE DOMAIN very_positive AS positive CHECK (VALUE > 9007199254740992);
CREATE DOMAIN price AS numeric(20, 4);
CREATE DOMAIN document AS jsonb;
CREATE DOMAIN flag AS bool;
CREATE DOMAIN raw AS bytea;
CREATE DOMAIN moment AS timestamptz;
CREATE DOMAIN matrix AS int[];
CREATE DOMAIN boxes AS box[];
CREATE DOMAIN moods AS mood[];
CREATE DOMAIN happy AS mood;
CREATE TYPE pair AS (n numeric, t text);
CREATE TYPE textrange AS RANGE (subtype = text, multirange_type_name = textmultirange);
CREATE EXTENSION hstore;
CREATE EXTENSION ltree;
CREATE EXTENSION citext;
CREATE EXTENSION cube;
CREATE EXTENSION seg;
CREATE EXTENSION isn;
CREATE TYPE colonic;
CREATE FUNCTION colonic_in(cstring) RETURNS colonic LANGUAGE internal STRICT IMMUTABLE AS 'textin';
CREATE FUNCTION colonic_out(colonic) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS 'textout';
CREATE TYPE colonic (INPUT = colonic_in, OUTPUT = colonic_out, LIKE = text, DELIMITER = ':');
`;

// type: samples, each with what must come. TEXT: the value's own text, as a string; JSON: to_json.
const JSON_OF = Symbol('to_json');
const TEXT_OF = Symbol('text');
const CASES = [
  ['mood', JSON_OF, "'hap\"py, {really}'"],
  ['mood[]', JSON_OF, "ARRAY['sad', 'hap\"py, {really}', NULL]::mood[]", "'{}'", "'[0:1][3:3]={{sad},{NULL}}'"],
  ['"Odd.schema"."Odd "" type"', JSON_OF, "'a'"],
  ['"Odd.schema"."Odd "" type"[]', JSON_OF, "'{a,NULL}'"],
  ['very_positive', JSON_OF, "'9007199254740993'"],
  ['very_positive[]', JSON_OF, "'{9007199254740993,NULL}'", "'{{9223372036854775807}}'"],
  ['price', JSON_OF, "'1234567890123456.7000'", "'NaN'"],
  ['price[]', JSON_OF, "'{1.1000,NaN,NULL}'"],
  ['document', JSON_OF, "'{\"a\": [1.0, null]}'"],
  ['document[]', JSON_OF, "ARRAY['{\"a\": \"\\\"\"}', 'null', NULL]::document[]"],
  ['flag', JSON_OF, 'true'],
  ['flag[]', JSON_OF, "'{t,f,NULL}'"],
  ['moment', JSON_OF, "'2024-01-01 00:00+05'"],
  ['matrix', JSON_OF, "'{{1,2},{3,NULL}}'"],
  ['matrix[]', JSON_OF, "ARRAY['{1,2}', '{}', NULL]::matrix[]"],
  ['boxes', JSON_OF, "'{(1,2),(0,0);(3,4),(1,1)}'"],
  ['moods', JSON_OF, "'{sad,NULL}'"],
  ['happy', JSON_OF, "'sad'"],
  ['happy[]', JSON_OF, "'{sad,NULL}'"],
  ['textrange', JSON_OF, "'[\"a b\",c)'"],
  ['textrange[]', JSON_OF, "ARRAY['[a,b)', 'empty', NULL]::textrange[]"],
  ['textmultirange', JSON_OF, "'{[a,b),[c,)}'"],
  ['information_schema.cardinal_number', JSON_OF, '7'],
  ['information_schema.cardinal_number[]', JSON_OF, "'{7,NULL}'"],
  ['int[]', JSON_OF, "'{}'", "'[5:6]={1,NULL}'", "'{{{{{{1}}}}}}'", "'[-1:0][2:2]={{1},{2}}'"],
  ['text[]', JSON_OF, "ARRAY['', 'NULL', NULL, '\"', '\\', '{a,b}', ' x ']"],
  ['citext', JSON_OF, "'MiXed é'"],
  ['citext[]', JSON_OF, "'{MiXed,NULL}'"],
  ['ltree', JSON_OF, "'Top.Science.Astronomy'"],
  ['lquery', JSON_OF, "'Top.*{1,2}'"],
  ['cube', JSON_OF, "'(1,2),(3,4.5)'"],
  ['seg', JSON_OF, "'1.0 .. 2.00'"],
  ['isbn', JSON_OF, "'978-0-11-000222-4'"],
  ['pair', TEXT_OF, "'(1.10,\"a \"\"b\"\", c\")'", "'(,)'"],
  ['pair[]', [TEXT_OF], "ARRAY['(1.10,\"a b\")', NULL]::pair[]"],
  ['hstore', TEXT_OF, "'a=>1, \"b c\"=>NULL'"],
  ['hstore[]', [TEXT_OF], "ARRAY['a=>1', NULL]::hstore[]"],
  ['colonic', JSON_OF, "'a:b,c'"],
  ['colonic[]', JSON_OF, "'{a,b:NULL:\"c:d\"}'"],
  ['raw', 'hex', "'\\x00ff'"],
];

// Inserts every case's samples, row by row, and compares what the stream has with the server.
async function assertCases(suite, { house, client, cases }) {
  const most = Math.max(...cases.map((row) => row.length - 2));
  for (let id = 0; id < most; id++) {
    const values = cases.map(([type, , ...samples]) => samples[id] ? `(${samples[id]})::${type}` : 'NULL');
    await client.query(`INSERT INTO typed VALUES (${id}, ${values.join(', ')})`);
  }
  await waitConfirmed(house.postgres);
  const changes = await house.walcast.changes({ table: 'public.typed', parse: parseExact });
  const records = changes.map(({ record }) => record);
  assert.equal(records.length, most);

  const expressionOf = (form, column) => {
    if (form === JSON_OF) return `to_json(${column})::text`;
    if (form === 'hex') return `to_json(encode(${column}, 'hex'))::text`;
    return Array.isArray(form) ? `to_json(${column}::text[])::text` : `to_json(${column}::text)::text`;
  };
  for (const [at, [type, form]] of cases.entries()) {
    await suite.test(type, async () => {
      const { rows } = await client.query(
        `SELECT ${expressionOf(form, `c${at}`)} AS json FROM typed ORDER BY id`);
      assert.deepEqual(records.map((record) => record[`c${at}`]),
        rows.map(({ json }) => (json === null ? null : parseExact(json))));
    });
  }
}

const columnsOf = (cases) => cases.map(([type], i) => `c${i} ${type}`).join(', ');

async function connectAsWalcast(suite, postgres) {
  const client = await postgres.connect();
  suite.after(() => client.end());
  await client.query("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'");
  return client;
}

for (const major of [13, undefined, 18]) {
  test(`types that are not built in, PostgreSQL ${major ?? 'from Debian'}`, async (suite) => {
    const types = major === 13
      ? TYPES.replace(', multirange_type_name = textmultirange', '') : TYPES;
    const cases = CASES.filter(([type]) => major !== 13 || type !== 'textmultirange');
    const house = await startHouse(suite, { major,
      schema: `${types} CREATE TABLE typed (id int PRIMARY KEY, ${columnsOf(cases)})` });
    await assertCases(suite, { house, client: await connectAsWalcast(suite, house.postgres), cases });
  });
}

// Debian's postgresql-15-postgis-3 draws in 40 packages: not one of those that tests/run installs.
test('PostGIS, where it is installed', async (suite) => {
  const house = await startHouse(suite, { walcast: false });
  const available = "SELECT FROM pg_available_extensions WHERE name = 'postgis'";
  if ((await house.postgres.query(available)).rowCount === 0)
    return suite.skip('postgresql-*-postgis-3 is not installed');
  const cases = [
    ['geometry', TEXT_OF, "'SRID=4326;POINT(1 -2.5)'", "'GEOMETRYCOLLECTION(LINESTRING(0 0,1 1),POINT EMPTY)'"],
    ['geography(point, 4326)', TEXT_OF, "'POINT(1 2)'"],
    ['geometry[]', [TEXT_OF], "ARRAY['POINT(1 2)', NULL]::geometry[]"],
    ['box2d', TEXT_OF, "'BOX(1 2,3 4)'"],
  ];
  await house.postgres.query(
    `CREATE EXTENSION postgis; CREATE TABLE typed (id int PRIMARY KEY, ${columnsOf(cases)})`);
  house.walcast = await Walcast.start({ ...house, config: { 'postgres.tables': 'public.typed' } });
  await house.walcast.ready();
  await assertCases(suite, { house, client: await connectAsWalcast(suite, house.postgres), cases });
});
