// Every type that PostgreSQL has, as JSON: what `walcast tail` writes against to_json of the server,
// with every digit.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { parseExact } from '../lib/json.mjs';
import { waitConfirmed } from '../lib/slot.mjs';
import { SAMPLES, SAMPLES_SCHEMA } from '../lib/type_samples.mjs';
import { Walcast } from '../lib/walcast.mjs';

// The session in which Walcast's values are written.
const SESSION = `SET search_path = ''; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres';
SET TimeZone = 'UTC'; SET extra_float_digits = 3; SET bytea_output = 'hex';`;

const quote = (name) => `"${name.replaceAll('"', '""')}"`;

// Types of columns that one can make; arrays go with their element types.
const TYPES = `SELECT t.typname AS name, t.oid::regtype::text AS type,
  t.typarray <> 0 AS has_array FROM pg_type t
  WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype IN ('b', 'r', 'm')
  AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid) ORDER BY 1`;

// to_json writes bytea as PostgreSQL does; Walcast without "\\x", as the realtime protocol has it.
function withoutPrefix(value) {
  if (Array.isArray(value)) return value.map(withoutPrefix);
  return typeof value === 'string' ? value.replace(/^\\x/, '') : value;
}

for (const major of [undefined, 18]) {
  test(`built-in types of PostgreSQL ${major ?? 'from Debian'}`, async (suite) => {
    const house = await startHouse(suite, { major, schema: SAMPLES_SCHEMA, walcast: false });
    const client = await house.postgres.connect();
    suite.after(() => client.end());
    await client.query(SESSION);
    const { rows: types } = await client.query(TYPES);
    const missing = types.map(({ name }) => name).filter((name) => !SAMPLES[name]);
    assert.deepEqual(missing, [], 'types without a sample in tests/lib/type_samples.mjs');

    const expected = new Map();
    for (const { name, type, has_array: hasArray } of types) {
      const table = `public.${quote(`type_${name}`)}`;
      await client.query(`CREATE TABLE ${table} (id int PRIMARY KEY, v ${type}${hasArray ? `, a ${type}[], aa ${type}[]` : ''})`);
    }
    house.walcast = await Walcast.start(house);
    await house.walcast.ready();
    for (const { name, type, has_array: hasArray } of types) {
      const table = `public.${quote(`type_${name}`)}`;
      for (const [id, sample] of [...SAMPLES[name], 'NULL'].entries()) {
        const value = `(${sample})::${type}`;
        const arrays = `, ARRAY[${value}, NULL], ARRAY[ARRAY[${value}], ARRAY[${value}]]`;
        await client.query(`INSERT INTO ${table} SELECT ${id}, ${value}${hasArray ? arrays : ''}`);
      }
      const { rows } = await client.query(`SELECT to_json(t)::text AS row FROM ${table} t ORDER BY id`);
      expected.set(`type_${name}`, rows.map(({ row }) => parseExact(row)));
    }
    await waitConfirmed(house.postgres);

    const changes = await house.walcast.changes({ parse: parseExact });
    for (const { name } of types) {
      await suite.test(name, () => {
        const records = changes.filter(({ table }) => table === `type_${name}`).map(({ record }) => record);
        const rows = expected.get(`type_${name}`);
        assert.deepEqual(records, name === 'bytea'
          ? rows.map(({ v, a, aa, ...row }) => ({ ...row, v: withoutPrefix(v), a: withoutPrefix(a), aa: withoutPrefix(aa) })) : rows);
      });
    }
  });
}
