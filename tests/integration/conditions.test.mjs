// SQL conditions mean what PostgreSQL means: thousands of random ones over rows of every kind of
// column and over claims. What expr says of each row (by conditions/condition_driver.c), true,
// false, unknown or an error, is what the server says; what it refuses is counted, and is what
// docs/CONDITIONS.md says that it refuses. WALCAST_SEED repeats a run.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { generator, literal } from './filters/samples.mjs';
import { COLUMNS, bool, randomClaims } from './conditions/cases.mjs';
import { SEED, ask, compare, printed, startSamples } from './conditions/held.mjs';

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
