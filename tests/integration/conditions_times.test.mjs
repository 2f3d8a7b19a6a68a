// Dates, times and intervals in conditions are computed as PostgreSQL computes them, in each version
// and whatever the session's TimeZone, DateStyle and IntervalStyle: what hangs on one of them is
// refused, or the row is undecided. Thousands of random expressions, and of texts of intervals, held
// against the server. WALCAST_SEED repeats a run; WALCAST_CONDITIONS multiplies.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generator, literal } from './filters/samples.mjs';
import { intervalText, timed } from './conditions/cases.mjs';
import { SEED, ask, compare, printed, startSamples } from './conditions/held.mjs';

const TIMES = Number(process.env.WALCAST_CONDITIONS ?? 1);
const nobody = { claims: '{}', role: 'anon' };
const SESSIONS = [
  "SET TimeZone = 'UTC'; SET IntervalStyle = 'postgres'",
  "SET TimeZone = 'Europe/Berlin'; SET IntervalStyle = 'sql_standard'; SET DateStyle = 'SQL, DMY'",
  "SET TimeZone = 'America/St_Johns'; SET IntervalStyle = 'iso_8601'; SET DateStyle = 'German'",
  "SET TimeZone = 'Australia/Lord_Howe'; SET IntervalStyle = 'postgres_verbose'; SET DateStyle = 'Postgres, MDY'",
];

for (const [major, count] of [[undefined, 600 * TIMES], [13, 300 * TIMES], [18, 300 * TIMES]])
  test(`expressions of times, PostgreSQL ${major ?? 'from Debian'}, seed ${SEED}`, async (t) => {
    const samples = await startSamples(t, major, { count: 40 });
    const random = generator(SEED + 11);
    for (const session of SESSIONS) {
      await samples.client.query(session);
      const cases = Array.from({ length: count }, () => ({ condition: timed(random, 1 + random.below(5)), ...nobody }));
      const counts = await compare(t, samples, cases);
      assert.ok(counts.evaluated > count * 0.7, `only ${counts.evaluated} evaluated`);
      assert.ok(counts.undecided < counts.rows * 0.1, `${counts.undecided} rows of ${counts.rows} undecided`);
    }
  });

for (const major of [undefined, 13, 18])
  test(`policies as pg_get_expr prints them, PostgreSQL ${major ?? 'from Debian'}, seed ${SEED}`, async (t) => {
    const samples = await startSamples(t, major);
    const random = generator(SEED + 12);
    const conditions = new Set();
    while (conditions.size < 200 * TIMES) conditions.add(await printed(samples.client, timed(random, 1 + random.below(4))));
    conditions.delete(null);
    const counts = await compare(t, samples, [...conditions].map((condition) => ({ condition, ...nobody })));
    assert.ok(counts.evaluated > counts.cases * 0.7, `only ${counts.evaluated} of ${counts.cases} evaluated`);
  });

// Its fields of each text, or null where it is none.
const FIELDS = ['year', 'month', 'day', 'hour', 'minute', 'microseconds'];
const PARTS = `CREATE FUNCTION pg_temp.parts(text) RETURNS int8[] LANGUAGE plpgsql AS $$
  DECLARE it interval;
  BEGIN
    it := $1::interval;
    RETURN ARRAY[${FIELDS.map((field) => `date_part('${field}', it)`)}]::int8[];
  EXCEPTION WHEN OTHERS THEN RETURN NULL;
  END $$`;
const conditionOf = (text, parts) => FIELDS.map((field, i) => `date_part('${field}', ${literal(text)}::interval) = ${parts?.[i] ?? 0}`).join(' AND ');

for (const major of [undefined, 13, 18])
  test(`texts of intervals, PostgreSQL ${major ?? 'from Debian'}, seed ${SEED}`, async (t) => {
    const samples = await startSamples(t, major);
    const random = generator(SEED + 13);
    const texts = Array.from({ length: 4000 * TIMES }, () => intervalText(random));
    await samples.client.query(PARTS);
    let taken = 0;
    for (const session of SESSIONS) {
      await samples.client.query(session);
      const { rows } = await samples.client.query('SELECT pg_temp.parts(it)::text AS parts FROM unnest($1::text[]) WITH ORDINALITY AS u (it, i) ORDER BY i', [texts]);
      const parts = rows.map((row) => row.parts?.slice(1, -1).split(',') ?? null);
      const answers = ask(samples, texts.map((text, i) => ({ condition: conditionOf(text, parts[i]), ...nobody })));
      for (const [i, answer] of answers.entries()) {
        const told = `${literal(texts[i])}: ${parts[i]} under ${session}; ${JSON.stringify(answer)}`;
        if (answer.refused) assert.match(answer.error, /as the engine does not take it/, told);
        else assert.match(answer.verdicts, parts[i] ? /^T+$/ : /^$/, told);
        taken += answer.refused ? 0 : 1;
      }
    }
    t.diagnostic(`${taken} of ${texts.length * SESSIONS.length} taken`);
    assert.ok(taken > texts.length * SESSIONS.length * 0.3);
  });
