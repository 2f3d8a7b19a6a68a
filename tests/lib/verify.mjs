// `walcast verify` as tests ask it, and sessions that change tables of every sort of key at once.
import assert from 'node:assert/strict';
import { randomOf } from './mixed.mjs';

// 9 kB that do not compress: kept outside their row.
export const BIG = "(SELECT string_agg(md5(random()::text || i), '') FROM generate_series(1, 290) i)";
const NONE_UNCOVERED = { rows: 0, before_history: 0, value_not_told: 0, not_published: 0 };

export async function verify(walcast, table, ...args) {
  const { code, stdout, stderr } =
    await walcast.command(['verify', table, '--json', ...args], { timeout_ms: 120_000 });
  if (!stdout) return { code, stderr };
  const { differences, ...report } = JSON.parse(stdout);
  const found = differences.map(({ kind, key, columns }) => [kind, key, columns]);
  found.sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
  return { code, stderr, found, ...report };
}

export async function assertClean(walcast, table, expected = {}) {
  const { code, stderr, ...report } = await verify(walcast, table);
  assert.equal(code, 0, `${table}: ${stderr} ${JSON.stringify(report)}`);
  assert.deepEqual(report.found, []);
  assert.deepEqual(report.not_covered, { ...NONE_UNCOVERED, ...expected }, table);
  assert.equal(report.equal_rows + report.not_covered.rows, report.rows, table);
  return report;
}

// ---- Under load ----

const KEYS = {
  by_int: { type: 'int', make: (i) => `${i}` },
  by_uuid: { type: 'uuid', make: (i) => `md5('${i}')::uuid` },
  by_text: { type: 'text', make: (i) => `'k \\\\ ''' || repeat('é', ${i % 40}) || ${i}` },
};
export const LOAD_SCHEMA = `
${Object.entries(KEYS).map(([table, { type }]) =>
    `CREATE TABLE ${table} (id ${type} PRIMARY KEY, n int, body text, big text);`).join('\n')}
CREATE TABLE by_two (a int, b text, n int, body text, big text, PRIMARY KEY (b, a));
CREATE TABLE by_all (id int, n int, body text, big text);
ALTER TABLE by_all REPLICA IDENTITY FULL;
CREATE TABLE by_none (id int, n int, body text, big text);
`;
export const LOAD_TABLES = ['by_int', 'by_uuid', 'by_text', 'by_two', 'by_all', 'by_none'];

function keySet(table, i) {
  if (table === 'by_two') return `(a, b) = (${i % 13}, 'b${i}')`;
  return table in KEYS ? `id = ${KEYS[table].make(i)}` : `id = ${i}`;
}

function statement(table, random) {
  const i = random(400);
  const [names, values] = table === 'by_two'
    ? ['a, b', `${i % 13}, 'b${i}'`] : ['id', table in KEYS ? KEYS[table].make(i) : `${i}`];
  const big = random(10) === 0 ? BIG : 'NULL';
  const insert = `INSERT INTO ${table} (${names}, n, body, big)
    VALUES (${values}, ${random(9)}, E'tab\\t${random(100)}', ${big}) ON CONFLICT DO NOTHING`;
  if (table === 'by_none') return insert;
  switch (random(6)) {
    case 0: return `DELETE FROM ${table} WHERE ${keySet(table, i)}`;
    case 1: case 2: return `UPDATE ${table} SET n = n + 1 WHERE ${keySet(table, i)}`;
    case 3: return moveKey(table, i, 400 + random(400));
    default: return insert;
  }
}

// To a key that nobody else has; its large value comes along, so that the change tells all of it.
function moveKey(table, from, to) {
  const set = table === 'by_two' ? `b = 'b${to}'` : keySet(table, to);
  return `UPDATE ${table} SET ${set}, big = NULL WHERE ${keySet(table, from)}
    AND NOT EXISTS (SELECT FROM ${table} WHERE ${table === 'by_two' ? `b = 'b${to}'` : keySet(table, to)})`;
}

// Two sessions may choose one key, or lock each other out.
const COLLISIONS = ['23505', '40P01'];

export async function load(postgres, seed, ended) {
  const random = randomOf(seed);
  const client = await postgres.connect();
  try {
    while (!ended()) {
      await client.query('BEGIN');
      for (let i = 1 + random(8); i > 0; i--) {
        await client.query('SAVEPOINT s');
        await client.query(statement(LOAD_TABLES[random(LOAD_TABLES.length)], random))
          .catch((error) => {
            if (!COLLISIONS.includes(error.code)) throw error;
            return client.query('ROLLBACK TO s');
          });
      }
      await client.query(random(8) === 0 ? 'ROLLBACK' : 'COMMIT');
    }
  } finally {
    await client.end();
  }
}
