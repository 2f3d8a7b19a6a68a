// Tables of every kind of key, filled before anybody looks, and sessions that go on changing them:
// inserts, updates that leave a large value alone, changes of keys, deletes.
import { randomOf } from './mixed.mjs';

export const CHURN_KEYS = {
  'public.numbers': ['id'],
  'public.uuids': ['id'],
  'Other Schema.Pairs.of': ['Left', 'right'],
  'public.words': ['word'],
  'public.whole': [],
  'public.log': [],
};

export function churnSchema(rows) {
  return `
CREATE SCHEMA "Other Schema";
CREATE TABLE numbers (id bigint PRIMARY KEY, n int, small text, big text);
ALTER TABLE numbers ALTER COLUMN big SET STORAGE EXTERNAL;
CREATE TABLE uuids (id uuid PRIMARY KEY, n int);
CREATE TABLE "Other Schema"."Pairs.of" ("Left" text, n int, "right" int, PRIMARY KEY ("Left", "right"));
CREATE TABLE words (n int, word text PRIMARY KEY);
CREATE TABLE whole (id int, n int);
ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE TABLE log (id int, text text);
INSERT INTO numbers SELECT i, 0, 's' || i, repeat(chr(97 + i % 26), 2500) FROM generate_series(1, ${rows}) i;
INSERT INTO uuids SELECT gen_random_uuid(), 0 FROM generate_series(1, ${rows}) i;
INSERT INTO "Other Schema"."Pairs.of" SELECT 'p' || i % 7, 0, i FROM generate_series(1, ${rows}) i;
INSERT INTO words SELECT 0, 'wörd ' || md5(i::text) FROM generate_series(1, ${rows}) i;
INSERT INTO whole SELECT i, 0 FROM generate_series(1, ${rows}) i;
INSERT INTO log SELECT i, 'line ' || i FROM generate_series(1, ${rows}) i;
ANALYZE;
`;
}

function statement(random, rows, unique) {
  const id = 1 + random(rows);
  switch (random(11)) {
    case 0: return `INSERT INTO numbers VALUES (${unique}, 1, 'new', repeat('z', 2500))`;
    case 1: return `UPDATE numbers SET n = n + 1 WHERE id = ${id}`;
    case 2: return `UPDATE numbers SET id = ${unique} WHERE id = ${id}`;
    case 3: return `DELETE FROM numbers WHERE id = ${id}`;
    case 4: return `UPDATE uuids SET n = n + 1 WHERE id = (SELECT id FROM uuids LIMIT 1 OFFSET ${random(50)})`;
    case 5: return `UPDATE "Other Schema"."Pairs.of" SET "Left" = 'q' || "right" % 5, n = n + 1
                    WHERE "right" BETWEEN ${id} AND ${id + 3}`;
    case 6: return `DELETE FROM "Other Schema"."Pairs.of" WHERE "right" = ${id}`;
    case 7: return `UPDATE words SET n = n + 1 WHERE word = 'wörd ' || md5('${id}')`;
    case 8: return `UPDATE whole SET n = n + 1 WHERE id = ${id}`;
    case 9: return `DELETE FROM whole WHERE id = ${id}`;
    default: return `INSERT INTO log VALUES (${unique}, 'new')`;
  }
}

// Runs until `stop` of what it returns is called, which resolves once all sessions have ended.
export function startChurn(postgres, { seed, sessions = 2, rows }) {
  let stopped = false;
  let count = 0;
  const running = Promise.all(Array.from({ length: sessions }, async (_, index) => {
    const random = randomOf(seed * 100 + index);
    const client = await postgres.connect();
    try {
      for (let i = 0; !stopped; i++) {
        const unique = 1_000_000 + (i * sessions + index) * 10;
        await client.query('BEGIN');
        try {
          for (let k = random(3); k >= 0; k--) await client.query(statement(random, rows, unique + k));
          await client.query(random(8) === 0 ? 'ROLLBACK' : 'COMMIT');
        } catch (error) {
          if (error.code !== '40P01') throw error; // a deadlock: the other session goes on
          await client.query('ROLLBACK');
        }
        count++;
      }
    } finally {
      await client.end();
    }
  }));
  return { get count() { return count; }, stop: () => { stopped = true; return running; } };
}
