// Conditions held against PostgreSQL, row by row: what expr says (condition_driver.c) is what the
// server says. With `images` the rows are new ones, each with an old one beside it or none.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Postgres } from '../../lib/postgres.mjs';
import { COLLATIONS, generator, literal } from '../filters/samples.mjs';
import { COLUMNS, FUNCTIONS } from './cases.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const DRIVER = process.env.WALCAST_CONDITION_DRIVER ?? join(HERE, '../../../build/release/tests/integration/condition_driver');
export const SEED = Number(process.env.WALCAST_SEED ?? 20261128);
const ROWS = 24;

const SESSION = "SET DateStyle = 'ISO'; SET TimeZone = 'UTC'; SET extra_float_digits = 3;";
const raw = { types: { getTypeParser: () => (text) => text } };

const schema = (collations) => `
  ${collations ? COLLATIONS : ''}
  CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
  CREATE DOMAIN price AS numeric CHECK (VALUE >= 0);
  CREATE TABLE samples (id int PRIMARY KEY, ${Object.entries(COLUMNS).map(([name, { type, collation }]) =>
    `${name} ${type} ${collation && (collations || collation === '"C"') ? `COLLATE ${collation}` : ''}`).join(', ')});
  CREATE TABLE before (LIKE samples INCLUDING ALL);
  ${FUNCTIONS}
  GRANT SELECT ON samples, before TO authenticated, anon;
  -- One row after the other, where a condition fails for some.
  CREATE FUNCTION truths(condition text, source text) RETURNS text LANGUAGE plpgsql AS $$
  DECLARE answer text := ''; truth boolean; row_id int;
  BEGIN
    FOR row_id IN SELECT id FROM samples ORDER BY id LOOP
      BEGIN
        EXECUTE format('SELECT (%s) FROM %s = %s', condition, source, row_id) INTO truth;
        answer := answer || CASE WHEN truth THEN 'T' WHEN NOT truth THEN 'F' ELSE 'U' END;
      EXCEPTION WHEN OTHERS THEN answer := answer || 'E';
      END;
    END LOOP;
    RETURN answer;
  END $$;`;

// Of the images each fifth new row has no old one: it was inserted.
async function fill(client, random, images, rows) {
  const nulls = images ? 4 : 8; // one of so many values
  for (let id = 1; id <= rows; id++)
    for (const table of images && id % 5 > 0 ? ['samples', 'before'] : ['samples']) {
      const values = Object.values(COLUMNS).map(({ type, values: of }) => (random.chance(nulls) ? 'NULL' : `${literal(random.pick(of))}::${type}`));
      await client.query(`INSERT INTO ${table} VALUES (${id}, ${values.join(', ')})`);
    }
}

async function shapeOf(client) {
  const { rows } = await client.query(`SELECT attname AS name, atttypid::text AS oid, typbasetype::text AS base, typname AS type,
      CASE WHEN collname IN ('C', 'POSIX') THEN 'c' WHEN collname IS NULL OR collname = 'default' THEN 'd' WHEN collisdeterministic THEN 'o' ELSE 'l' END AS collation,
      CASE WHEN typtype = 'e' THEN 'enum' ELSE '' END AS enum
    FROM pg_attribute JOIN pg_type t ON t.oid = atttypid LEFT JOIN pg_collation c ON c.oid = attcollation
    WHERE attrelid = 'samples'::regclass AND attnum > 0 ORDER BY attnum`);
  return rows;
}

async function functionsOf(client) {
  const { rows } = await client.query(`SELECT nspname AS schema, proname AS name, prosrc AS body, prorettype::text AS result, proisstrict::text AS strict,
      proargtypes::text AS types, coalesce(array_to_string(proargnames, ' '), '') AS names
    FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname IN ('auth', 'public') AND prolang = (SELECT oid FROM pg_language WHERE lanname = 'sql')`);
  return rows.map((row) => ({ ...row, types: row.types.split(' ').filter(Boolean), names: row.names.split(' ') }));
}

export async function startSamples(t, major, { images = false, count = ROWS } = {}) {
  const postgres = await Postgres.start({ major });
  t.after(() => postgres.remove());
  const client = await postgres.connect(raw);
  t.after(() => client.end());
  const { rows: [{ icu }] } = await client.query("SELECT count(*) > 0 AS icu FROM pg_collation WHERE collname = 'en-x-icu'");
  await client.query(`${SESSION} ${schema(icu === 't')}`);
  await fill(client, generator(SEED), images, count);
  const { rows } = await client.query('SELECT * FROM samples ORDER BY id');
  const before = new Map((await client.query('SELECT * FROM before')).rows.map((row) => [row.id, row]));
  return { client, images, shape: await shapeOf(client), functions: await functionsOf(client), rows, before };
}

export function ask({ images, shape, functions, rows, before }, cases) {
  const valuesOf = (row) => shape.map(({ name }) => (row[name] === null ? '-' : `+${row[name]}`));
  const oldOf = ({ id }) => (before.has(id) ? ['old', ...valuesOf(before.get(id))] : ['none']);
  const fields = [shape.length, ...shape.flatMap(({ name, oid, base, type, collation, enum: is }) => [name, oid, base, type, collation, is]),
    functions.length, ...functions.flatMap(({ schema: of, name, body, result, strict, types, names }) =>
      [of, name, body, result, strict === 'true' ? 'strict' : '', types.length, ...types.flatMap((type, i) => [type, names[i] ?? ''])]),
    rows.length, ...rows.flatMap((row) => (images ? [...valuesOf(row), ...oldOf(row)] : valuesOf(row))),
    ...cases.flatMap(({ condition, claims, role }) => [condition, `+${claims}`, role])];
  const output = execFileSync(DRIVER, images ? ['images'] : [], { input: fields.map((field) => `${field}\0`).join(''), maxBuffer: 1 << 28 });
  return output.toString().split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

// "TFUE..." by row, as the role, with the claims; one "E" for all where `whole` is enough.
async function truthsOf({ client, images }, { condition, claims, role }, whole) {
  const source = images ? 'samples new LEFT JOIN before old ON old.id = new.id' : 'samples';
  const id = images ? 'new.id' : 'id';
  const set = `SET ROLE ${role}; SET request.jwt.claims = ${literal(claims)};`;
  try {
    const results = await client.query(`${set} SELECT string_agg(CASE WHEN c THEN 'T' WHEN NOT c THEN 'F' ELSE 'U' END, '' ORDER BY id) AS truths
      FROM (SELECT ${id}, (${condition}) AS c FROM ${source} OFFSET 0) s; RESET ROLE;`);
    return results.at(-2).rows[0].truths;
  } catch {
    if (whole) return 'E';
    const results = await client.query(`${set} SELECT truths(${literal(condition)}, ${literal(`${source} WHERE ${id}`)}); RESET ROLE;`);
    return results.at(-2).rows[0].truths;
  }
}

// What docs/CONDITIONS.md lists.
const REFUSED = [/order of texts hangs on a collation/, /collation is not deterministic/, /which collation counts is not sure/, /sub-query reads the database/,
  /hangs on the time/, /is not computed by the engine/, /is not known to the engine/, /no cast from/, /order of type/, /no comparison of/, /SIMILAR TO/, /the literal/,
  /array's elements would have to be cast/, /row's text is not read as json/, /one in two cases hangs on a locale/, /outside ASCII/, /not been? taken|not taken/,
  /is only taken by ANY and ALL/, /arrays are not cast/, /elements that are written out/, /no literal is not cast/, /a row's value is not taken for a pattern/, /an argument's type/, /too many digits/, /hangs on the server's version/,
  /text is written as the engine/, /escape character/, /longer than a name/, /json text/, /beyond what a timestamp/, /hangs? on TimeZone/, /EXTRACT is a float or a numeric/, /that field of/, /the only time zone/, /infinite times apart/];

const agrees = (mine, servers) => mine === '?' || mine === servers;

function check(question, answer, truths, counts) {
  const shown = `${question.condition}\nclaims ${question.claims}, role ${question.role}`;
  counts.cases++;
  if (answer.refused === 'wrong') {
    assert.match(truths, /^E+$/, `${shown}\nis not wrong: ${answer.error}`);
    counts.wrong++;
  } else if (answer.refused) {
    counts.refused++;
    assert.equal(answer.refused, 'unsupported', `${shown}\n${answer.error}`);
    assert.ok(REFUSED.some((reason) => reason.test(answer.error)), `${shown}\nrefused for what is not documented: ${answer.error}`);
  } else {
    counts.evaluated++;
    for (const [row, mine] of [...answer.verdicts].entries()) {
      counts.rows++;
      if (mine === '?') counts.undecided++;
      counts[mine] = (counts[mine] ?? 0) + 1;
      assert.ok(agrees(mine, truths[row]), `row ${row + 1}: ${mine}, the server says ${truths[row]}\n${answer.verdicts}\n${truths}\n${shown}\n${answer.reason}`);
    }
  }
}

// Asks both of every case and collects what differs.
// `each` gets every case with its answer.
export async function compare(t, samples, cases, each = () => {}) {
  const answers = ask(samples, cases);
  assert.equal(answers.length, cases.length);
  const counts = { cases: 0, evaluated: 0, wrong: 0, rows: 0, undecided: 0, refused: 0 };
  const differences = [];
  for (const [i, question] of cases.entries()) {
    const truths = answers[i].refused === 'unsupported' ? '' : await truthsOf(samples, question, answers[i].refused === 'wrong');
    try {
      check(question, answers[i], truths, counts);
      each(question, answers[i]);
    } catch (error) {
      differences.push(error.message);
    }
  }
  t.diagnostic(JSON.stringify(counts));
  assert.equal(differences.length, 0, `${differences.length} differ; the first:\n${differences.slice(0, 10).join('\n\n')}`);
  return counts;
}

// What PostgreSQL keeps of it as a policy, and prints; null: it refuses it.
export async function printed(client, condition) {
  try {
    await client.query(`CREATE POLICY it ON samples USING (${condition})`);
  } catch {
    return null;
  }
  const { rows: [{ text }] } = await client.query("SELECT pg_get_expr(polqual, polrelid) AS text FROM pg_policy WHERE polname = 'it'");
  await client.query('DROP POLICY it ON samples');
  return text;
}
