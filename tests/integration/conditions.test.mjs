// SQL conditions mean what PostgreSQL means: thousands of random ones over rows of every kind of
// column and over claims. What expr says of each row (by conditions/condition_driver.c), true,
// false, unknown or an error, is what the server says; what it refuses is counted, and is what
// docs/CONDITIONS.md says that it refuses. WALCAST_SEED repeats a run.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { suite, test } from 'node:test';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Postgres } from '../lib/postgres.mjs';
import { COLLATIONS, generator, literal } from './filters/samples.mjs';
import { COLUMNS, FUNCTIONS, bool, randomClaims } from './conditions/cases.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const DRIVER = process.env.WALCAST_CONDITION_DRIVER ?? join(HERE, '../../build/release/tests/integration/condition_driver');
const SEED = Number(process.env.WALCAST_SEED ?? 20261128);
const ROWS = 24;

const SESSION = "SET DateStyle = 'ISO'; SET TimeZone = 'UTC'; SET extra_float_digits = 3;";
const raw = { types: { getTypeParser: () => (text) => text } };

const schema = (collations) => `
  ${collations ? COLLATIONS : ''}
  CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
  CREATE DOMAIN price AS numeric CHECK (VALUE >= 0);
  CREATE TABLE samples (id int PRIMARY KEY, ${Object.entries(COLUMNS).map(([name, { type, collation }]) =>
    `${name} ${type} ${collation && (collations || collation === '"C"') ? `COLLATE ${collation}` : ''}`).join(', ')});
  ${FUNCTIONS}
  GRANT SELECT ON samples TO authenticated, anon;
  -- One row after the other, where a condition fails for some.
  CREATE FUNCTION truths(condition text) RETURNS text LANGUAGE plpgsql AS $$
  DECLARE answer text := ''; truth boolean; row_id int;
  BEGIN
    FOR row_id IN SELECT id FROM samples ORDER BY id LOOP
      BEGIN
        EXECUTE format('SELECT (%s) FROM samples WHERE id = %s', condition, row_id) INTO truth;
        answer := answer || CASE WHEN truth THEN 'T' WHEN NOT truth THEN 'F' ELSE 'U' END;
      EXCEPTION WHEN OTHERS THEN answer := answer || 'E';
      END;
    END LOOP;
    RETURN answer;
  END $$;`;

async function fill(client, random) {
  for (let id = 1; id <= ROWS; id++) {
    const values = Object.values(COLUMNS).map(({ type, values: of }) => (random.chance(8) ? 'NULL' : `${literal(random.pick(of))}::${type}`));
    await client.query(`INSERT INTO samples VALUES (${id}, ${values.join(', ')})`);
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

async function startSamples(t, major) {
  const postgres = await Postgres.start({ major });
  t.after(() => postgres.remove());
  const client = await postgres.connect(raw);
  t.after(() => client.end());
  const { rows: [{ icu }] } = await client.query("SELECT count(*) > 0 AS icu FROM pg_collation WHERE collname = 'en-x-icu'");
  await client.query(`${SESSION} ${schema(icu === 't')}`);
  await fill(client, generator(SEED));
  const { rows } = await client.query('SELECT * FROM samples ORDER BY id');
  return { client, shape: await shapeOf(client), functions: await functionsOf(client), rows };
}

function ask({ shape, functions, rows }, cases) {
  const fields = [shape.length, ...shape.flatMap(({ name, oid, base, type, collation, enum: is }) => [name, oid, base, type, collation, is]),
    functions.length, ...functions.flatMap(({ schema: of, name, body, result, strict, types, names }) =>
      [of, name, body, result, strict === 'true' ? 'strict' : '', types.length, ...types.flatMap((type, i) => [type, names[i] ?? ''])]),
    rows.length, ...rows.flatMap((row) => shape.map(({ name }) => (row[name] === null ? '-' : `+${row[name]}`))),
    ...cases.flatMap(({ condition, claims, role }) => [condition, `+${claims}`, role])];
  const output = execFileSync(DRIVER, { input: fields.map((field) => `${field}\0`).join(''), maxBuffer: 1 << 28 });
  return output.toString().split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

// "TFUE..." by row, as the role, with the claims; one "E" for all where `whole` is enough.
async function truthsOf(client, { condition, claims, role }, whole) {
  const set = `SET ROLE ${role}; SET request.jwt.claims = ${literal(claims)};`;
  try {
    const results = await client.query(`${set} SELECT string_agg(CASE WHEN c THEN 'T' WHEN NOT c THEN 'F' ELSE 'U' END, '' ORDER BY id) AS truths
      FROM (SELECT id, (${condition}) AS c FROM samples OFFSET 0) s; RESET ROLE;`);
    return results.at(-2).rows[0].truths;
  } catch {
    if (whole) return 'E';
    const results = await client.query(`${set} SELECT truths(${literal(condition)}); RESET ROLE;`);
    return results.at(-2).rows[0].truths;
  }
}

// What docs/CONDITIONS.md lists.
const REFUSED = [/order of texts hangs on a collation/, /collation is not deterministic/, /which collation counts is not sure/, /sub-query reads the database/,
  /hangs on the time/, /is not computed by the engine/, /is not known to the engine/, /no cast from/, /order of type/, /no comparison of/, /SIMILAR TO/, /the literal/,
  /array's elements would have to be cast/, /row's text is not read as json/, /one in two cases hangs on a locale/, /outside ASCII/, /not been? taken|not taken/,
  /is only taken by ANY and ALL/, /arrays are not cast/, /elements that are written out/, /no literal is not cast/, /a row's value is not taken for a pattern/, /an argument's type/, /too many digits/, /hangs on the server's version/,
  /text is written as the engine/, /escape character/, /longer than a name/, /json text/, /beyond what a timestamp/];

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
async function compare(t, samples, cases) {
  const answers = ask(samples, cases);
  assert.equal(answers.length, cases.length);
  const counts = { cases: 0, evaluated: 0, wrong: 0, rows: 0, undecided: 0, refused: 0 };
  const differences = [];
  for (const [i, question] of cases.entries()) {
    const truths = answers[i].refused === 'unsupported' ? '' : await truthsOf(samples.client, question, answers[i].refused === 'wrong');
    try {
      check(question, answers[i], truths, counts);
    } catch (error) {
      differences.push(error.message);
    }
  }
  t.diagnostic(JSON.stringify(counts));
  assert.equal(differences.length, 0, `${differences.length} differ; the first:\n${differences.slice(0, 10).join('\n\n')}`);
  return counts;
}

for (const [major, count] of [[undefined, 4000], [13, 600], [18, 600]]) {
  suite(`PostgreSQL ${major ?? 'from Debian'}, seed ${SEED}`, () => {
    test(`${count} random conditions decide as the server does`, async (t) => {
      const samples = await startSamples(t, major);
      const random = generator(SEED + 1);
      const cases = Array.from({ length: count }, () => ({ condition: bool(random, 1 + random.below(4)), claims: randomClaims(random), role: random.pick(['authenticated', 'anon']) }));
      const counts = await compare(t, samples, cases);
      assert.ok(counts.evaluated > count * 0.6, `only ${counts.evaluated} evaluated`);
      assert.ok(counts.undecided < counts.rows * 0.05, `${counts.undecided} rows of ${counts.rows} undecided`);
    });
  });
}

const COMPARISONS = ['=', '<>', '<', '<=', '>', '>=', 'IS DISTINCT FROM', 'IS NOT DISTINCT FROM'];
const TYPES = ['boolean', 'smallint', 'integer', 'bigint', 'real', 'double precision', 'numeric', 'text', 'varchar', 'bpchar', 'name', 'uuid', 'date', 'timestamp',
  'timestamptz', 'json', 'jsonb', 'mood'];

test('each operator between each two columns, each cast of each column', async (t) => {
  const samples = await startSamples(t);
  const names = Object.keys(COLUMNS);
  const pairs = names.flatMap((left) => names.map((right) => [left, right]));
  // Of those that nothing can be made of, one is enough.
  const group = (name) => ({ int: 'number', float: 'number', numeric: 'number', zoned: 'time' })[COLUMNS[name].kind] ?? COLUMNS[name].kind;
  const conditions = [
    ...pairs.flatMap(([left, right]) => (group(left) === group(right) ? COMPARISONS : ['=']).map((sign) => `${left} ${sign} ${right}`)),
    ...pairs.flatMap(([left, right]) => ['+', '-', '*', '/', '%', '||'].map((sign) => `(${left} ${sign} ${right}) = ${left}`)),
    ...pairs.flatMap(([left, right]) => [`${left} = ANY (${right})`, `${left} LIKE ${right}`, `coalesce(${left}, ${right}) = ${left}`, `nullif(${left}, ${right}) IS NULL`,
      `greatest(${left}, ${right}) = ${right}`, `(${left} -> ${right}) IS NULL`, `(CASE WHEN b THEN ${left} ELSE ${right} END) = ${right}`, `${left} IN (${right}, ${left})`]),
    ...names.flatMap((name) => TYPES.flatMap((type) => [`${name}::${type} IS NULL`, ...names.filter((other) => COLUMNS[other].type === type).map((other) => `${name}::${type} = ${other}`)])),
    ...names.flatMap((name) => COLUMNS[name].values.flatMap((value) => ['=', '<'].map((sign) => `${name} ${sign} ${literal(value)}`))),
  ];
  const counts = await compare(t, samples, conditions.map((condition) => ({ condition, claims: '{}', role: 'anon' })));
  assert.ok(counts.evaluated > 1500, `only ${counts.evaluated} evaluated`);
});

// What PostgreSQL keeps of a policy, and prints, means what was written.
async function printed(client, condition) {
  try {
    await client.query(`CREATE POLICY it ON samples USING (${condition})`);
  } catch {
    return null;
  }
  const { rows: [{ text }] } = await client.query("SELECT pg_get_expr(polqual, polrelid) AS text FROM pg_policy WHERE polname = 'it'");
  await client.query('DROP POLICY it ON samples');
  return text;
}

test('policies as pg_get_expr prints them', async (t) => {
  const samples = await startSamples(t);
  const random = generator(SEED + 3);
  const cases = [];
  while (cases.length < 400) {
    const condition = await printed(samples.client, bool(random, 1 + random.below(4)));
    if (condition !== null) cases.push({ condition, claims: randomClaims(random), role: 'authenticated' });
  }
  const counts = await compare(t, samples, cases);
  assert.ok(counts.evaluated > 300, `only ${counts.evaluated} evaluated`);
});

// Supabase's documentation writes policies so; what its helpers do is in FUNCTIONS.
const POLICIES = [
  [/evaluated/, 'true', 'auth.uid() = u', '(select auth.uid()) = u', '(SELECT auth.uid()) IS NOT NULL AND (SELECT auth.uid()) = u', "auth.role() = 'authenticated'",
    "auth.jwt() ->> 'role' = t", "(select auth.jwt() ->> 'aal') = 'aal2'", "v IN (SELECT auth.jwt() -> 'app_metadata' ->> 'team')", "t = (auth.jwt() -> 'app_metadata' ->> 'team')",
    "v = 'avatars' AND (select auth.uid()::text) = t", "u = ((current_setting('request.jwt.claims', true))::json ->> 'sub')::uuid", "b OR u = auth.uid()", "v IN ('broadcast', 'presence')",
    "auth.jwt() -> 'app_metadata' -> 'roles' ? 'admin'", "(auth.jwt() ->> 'is_anonymous')::boolean IS FALSE", "coalesce((auth.jwt() -> 'app_metadata' ->> 'admin')::boolean, false)", "m = 'ok' AND i8 > 10", 'auth.uid() = ANY (ua)', "v IN (SELECT jsonb_array_elements_text(auth.jwt() -> 'app_metadata' -> 'teams'))", "jb @> '{\"a\": 1}'", 'ua @> ARRAY[auth.uid()]',
    "current_user = 'anon'", "t = split_part(v, ':', 2)", "has_claim('role', 'admin') OR owns(u)"],
  [/sub-query/, 'i4 IN (SELECT id FROM samples WHERE u = auth.uid())', 'EXISTS (SELECT 1 FROM samples s WHERE s.u = samples.u)', "auth.uid() IN (SELECT s.u FROM samples s)"],
  [/in function nobody: a sub-query/, 'nobody()'], [/not know|hangs on/, 'tz > now()', "(string_to_array(t, '/'))[1] = auth.uid()::text", "current_setting('app.tenant', true) = t", "ta @> ARRAY[md5(t)]"],
];

test('policies as their authors write them', async (t) => {
  const samples = await startSamples(t);
  for (const [expected, ...policies] of POLICIES) {
    const conditions = [];
    for (const policy of policies) conditions.push(await printed(samples.client, policy));
    const answers = ask(samples, conditions.map((condition) => ({ condition, claims: '{"sub":"7fffffff-ffff-ffff-ffff-ffffffffffff"}', role: 'anon' })));
    for (const [i, answer] of answers.entries()) assert.match(answer.error ?? 'evaluated', expected, `${policies[i]} printed as ${conditions[i]}`);
  }
});

const leaf = (random) => random.pick(['null', 'true', 'false', '0', '-0', '1', '-1.50', '0.00', '123456789012345678901234567890', '""', '"a"', '"\\u00e9\\n"', '"é\\"\\\\/"', '"\\u0001\\ud83d\\ude00"', '[]', '{}']);
const document = (random, depth) => {
  if (depth === 0 || random.chance(3)) return leaf(random);
  const items = Array.from({ length: random.below(5) }, () => document(random, depth - 1));
  const space = () => random.pick(['', ' ', '\n']);
  if (random.chance(2)) return `[${items.map((item) => `${space()}${item}`).join(',')}${space()}]`;
  return `{${items.map((item) => `${space()}${random.pick(['"a"', '"b"', '"aa"', '"é"', '"\\u0061"', '""'])}${space()}:${item}`).join(',')}${space()}}`;
};

test('claims become jsonb as the server writes it', async (t) => {
  const samples = await startSamples(t);
  const random = generator(SEED + 2);
  const documents = Array.from({ length: 1500 }, () => document(random, 4));
  const { rows } = await samples.client.query('SELECT claims::jsonb::text AS text FROM unnest($1::text[]) WITH ORDINALITY AS u (claims, i) ORDER BY i', [documents]);
  const cases = documents.map((claims, i) => ({ condition: `auth.jwt()::text = ${literal(rows[i].text)} AND auth.jwt() = ${literal(rows[i].text)}::jsonb`, claims, role: 'anon' }));
  for (const [i, { verdicts }] of ask(samples, cases).entries()) assert.match(verdicts, /^T+$/, `${cases[i].claims}\n${cases[i].condition}`);
});
