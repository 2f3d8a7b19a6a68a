// Filters mean what PostgreSQL means. Some thousand random ones over rows of every kind of column:
// what expr says of each row (by filters/filter_driver.c), true, false or unknown, is what the
// server says of the same operators, and of the SQL that expr writes. Then each operator end to end.
// WALCAST_SEED repeats a run.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { suite, test } from 'node:test';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startHouse } from '../lib/house.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { realtimeClient, subscribed } from '../lib/realtime.mjs';
import { waitFor } from '../lib/wait.mjs';
import { COLUMNS, schema, generator, literal, quoted, randomFilter, randomRow, regexPattern } from './filters/samples.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const DRIVER = process.env.WALCAST_FILTER_DRIVER ?? join(HERE, '../../build/release/tests/integration/filter_driver');
const SEED = Number(process.env.WALCAST_SEED ?? 20261128);
const ROWS = 60;

// As Walcast's own sessions write values.
const SESSION = `SET DateStyle = 'ISO'; SET TimeZone = 'UTC'; SET extra_float_digits = 3; SET IntervalStyle = 'postgres';`;
const raw = { types: { getTypeParser: () => (text) => text } };

async function shapeOf(client) {
  const { rows } = await client.query(`SELECT attname AS name, atttypid::text AS oid, typbasetype::text AS base, typname AS type
    FROM pg_attribute JOIN pg_type t ON t.oid = atttypid
    WHERE attrelid = 'samples'::regclass AND attnum > 0 ORDER BY attnum`);
  return rows;
}

async function fill(client, random, major) {
  for (let id = 1; id <= ROWS; id++) {
    const row = randomRow(random).map((text) => (major < 14 && /^-?Infinity$/.test(text) ? '0' : text));
    const values = Object.values(COLUMNS).map(({ type }, i) => (row[i] === null ? 'NULL' : `${literal(row[i])}::${type}`));
    await client.query(`INSERT INTO samples VALUES (${id}, ${values.join(', ')})`);
  }
}

async function startSamples(t, major) {
  const postgres = await Postgres.start({ major });
  t.after(() => postgres.remove());
  const client = await postgres.connect(raw);
  t.after(() => client.end());
  const { rows: [{ icu }] } = await client.query("SELECT count(*) > 0 AS icu FROM pg_collation WHERE collname = 'en-x-icu'");
  await client.query(`${SESSION} ${schema(icu === 't')}`);
  await fill(client, generator(SEED), postgres.major);
  const shape = await shapeOf(client);
  const { rows } = await client.query('SELECT * FROM samples ORDER BY id');
  return { client, shape, rows, major: postgres.major, icu: icu === 't' };
}

// What expr says of each filter: { error } or { truths, sql, parameters }.
function ask({ shape, rows }, filters) {
  const fields = [shape.length, ...shape.flatMap(({ name, oid, base, type }) => [name, oid, base, type]),
    rows.length, ...rows.flatMap((row) => shape.map(({ name }) => (row[name] === null ? '-' : `+${row[name]}`))),
    ...filters];
  const output = execFileSync(DRIVER, { input: fields.map((field) => `${field}\0`).join(''), maxBuffer: 1 << 28 });
  return output.toString().split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

// What the server says: "TFU..." by row, or the error.
async function truthsOf(client, condition, parameters) {
  try {
    const { rows: [{ truths }] } = await client.query(`SELECT string_agg(CASE WHEN c THEN 'T' WHEN NOT c THEN 'F' ELSE 'U' END, ''
      ORDER BY id) AS truths FROM (SELECT id, (${condition}) AS c FROM samples) s`, parameters);
    return truths;
  } catch (error) {
    return `${error.message} (${condition})`;
  }
}

async function compare(samples, filters, { mayRefuse = () => false } = {}) {
  const answers = ask(samples, filters.map(({ text }) => text));
  assert.equal(answers.length, filters.length);
  let taken = 0;
  let matched = 0;
  for (const [i, { text, sql }] of filters.entries()) {
    const answer = answers[i];
    if (answer.error && mayRefuse(answer.error)) continue;
    assert.equal(answer.error, undefined, text);
    taken++;
    if (answer.truths.includes('T')) matched++;
    assert.equal(answer.truths, await truthsOf(samples.client, sql), `${text}\n${sql}`);
    assert.equal(answer.truths, await truthsOf(samples.client, answer.sql, answer.parameters), `${text}\n${answer.sql} ${answer.parameters}`);
  }
  return { taken, matched };
}

// A part of the random regular expressions is none, or not one that is taken.
const isRegexRefusal = (error) => /regular expression/.test(error);

for (const [major, count] of [[undefined, 10000], [13, 2000], [18, 2000]]) {
  suite(`PostgreSQL ${major ?? 'from Debian'}, seed ${SEED}`, () => {
    const cleanups = [];
    let samples;
    test('rows of every kind', async () => {
      samples = await startSamples({ after: (cleanup) => cleanups.unshift(cleanup) }, major);
      assert.equal(samples.rows.length, ROWS);
      assert.ok(samples.icu || major, 'Debian has collations other than C');
    });
    test(`${count} random filters decide as the server does`, async (t) => {
      const random = generator(SEED + 1);
      const filters = Array.from({ length: count }, () => randomFilter(random))
        .filter(({ sql }) => samples.major >= 14 || !/inf(inity)?'::numeric/i.test(sql)); // 13 has none
      const { taken, matched } = await compare(samples, filters, { mayRefuse: isRegexRefusal });
      t.diagnostic(`${taken} taken of ${filters.length}, ${matched} match some row`);
      assert.ok(taken > filters.length * 0.85 && matched > taken * 0.6, `${taken} taken, ${matched} match`);
    });
    test(`${count} random regular expressions: what is taken matches as the server does`, async (t) => {
      const random = generator(SEED + 2);
      const filters = Array.from({ length: count }, () => {
        const operator = random.pick(['match', 'imatch']);
        const pattern = regexPattern(random);
        return { text: `t=${operator}.${quoted(random, pattern)}`,
          sql: `t COLLATE "C" ${operator === 'match' ? '~' : '~*'} ${literal(pattern)}` };
      });
      const { taken } = await compare(samples, filters, { mayRefuse: isRegexRefusal });
      t.diagnostic(`${taken} taken of ${count}`);
      assert.ok(taken > count * 0.3, `only ${taken} taken`);
    });
    test('the servers end', async () => {
      for (const cleanup of cleanups) await cleanup();
    });
  });
}

test('what cannot be evaluated is refused, with what can', async (t) => {
  const samples = await startSamples(t);
  const refused = { 'j=eq.{}': /type jsonb/, 'a=eq.{}': /type _int4/, 'm=gt.sad': /enum|cannot be compared by gt/, 'm=like.s%': /by like/,
    'i4=like.1%': /by like/, 'r=eq.(1)': /not a value of type pair/, 't=match.\\y': /escape is not taken/, 'i4=eq.1.0': /not a value of type int4/,
    'd=eq.tomorrow': /not a value of type date/, 'nope=eq.1': /no column/, 't=is.true': /only is.null/ };
  const answers = ask(samples, Object.keys(refused));
  for (const [i, [text, reason]] of Object.entries(refused).entries()) assert.match(answers[i].error ?? `${text} is taken`, reason);
});

// One binding for each; the rows that it must get are what the server selects by the SQL.
const OPERATORS = {
  'id=eq.2': 'id = 2', 'title=eq.it\'s': `title = 'it''s'`, 'id=neq.2': 'id <> 2', 'price=lt.1.5': 'price < 1.5', 'price=lte.1.50': 'price <= 1.5',
  'price=gt.1.5': 'price > 1.5', 'due=gte.2025-01-01T00:00:00Z': `due >= '2025-01-01 00:00:00+00'`, 'id=in.(1,3,5)': 'id IN (1, 3, 5)',
  'title=in.("a,b","(c)",it\'s)': `title IN ('a,b', '(c)', 'it''s')`, 'title=like.%a_b%': `title LIKE '%a_b%'`, 'title=ilike.A%': `title ILIKE 'A%'`,
  'done=is.null': 'done IS NULL', 'done=is.true': 'done IS TRUE', 'done=is.false': 'done IS FALSE', 'done=is.unknown': 'done IS UNKNOWN',
  'title=match."^[a-c],?"': `title ~ '^[a-c],?'`, 'title=imatch."^(A|Z),?"': `title ~* '^(A|Z),?'`, 'done=isdistinct.true': 'done IS DISTINCT FROM true',
  'id=gt.1,id=lt.5,done=not.is.null': 'id > 1 AND id < 5 AND done IS NOT NULL',
};
const negation = ([filter, sql]) => [filter.replace(/=/, '=not.'), `NOT (${sql})`];
const E2E_SCHEMA = 'CREATE TABLE todos (id bigint PRIMARY KEY, title text, done boolean, price numeric, due timestamptz)';

test('each operator and its negation, end to end', async (t) => {
  const house = await startHouse(t, { schema: E2E_SCHEMA });
  const token = await house.walcast.token({ role: 'authenticated', sub: 'me' });
  const single = Object.entries(OPERATORS).filter(([filter]) => !/,id=/.test(filter));
  const all = [...Object.entries(OPERATORS), ...single.map(negation)];
  const channel = realtimeClient(t, house.walcast, token).channel('operators');
  const got = Object.fromEntries(all.map(([filter]) => [filter, []]));
  const everything = [];
  for (const [filter] of all)
    channel.on('postgres_changes', { event: '*', schema: 'public', table: 'todos', filter }, ({ new: row }) => got[filter].push(row.id));
  channel.on('postgres_changes', { event: '*', schema: 'public', table: 'todos' }, ({ new: row }) => everything.push(row.id));
  await subscribed(channel);
  await house.postgres.query(`INSERT INTO todos VALUES (1, 'a,b', true, 1.5, '2025-01-01'), (2, 'it''s', false, 1.500, '2024-12-31 23:59:59'),
    (3, 'xaäbz', NULL, 0, NULL), (4, NULL, true, NULL, 'infinity'), (5, '(c)', false, 'NaN', '2025-01-01 01:00:00+02'), (6, 'Zoë', NULL, 2, now())`);
  await waitFor('every row', () => everything.length === 6);
  for (const [filter, sql] of all) {
    const { rows } = await house.postgres.query(`SELECT id::int FROM todos WHERE ${sql} ORDER BY id`);
    assert.deepEqual(got[filter], rows.map(({ id }) => id), filter);
  }
});

test('a filter that is not understood is refused at the join, with the reason', async (t) => {
  const house = await startHouse(t, { schema: E2E_SCHEMA });
  const token = await house.walcast.token({ role: 'authenticated', sub: 'me' });
  const client = realtimeClient(t, house.walcast, token);
  for (const [filter, reason] of [['id=equals.1', /expected an operator \(eq, neq/], ['title=match.(?i)a', /groups that begin so/], ['id=in.()', /at least one value/]]) {
    const channel = client.channel(filter);
    channel.on('postgres_changes', { event: '*', schema: 'public', table: 'todos', filter }, () => {});
    await assert.rejects(subscribed(channel), reason);
  }
});
