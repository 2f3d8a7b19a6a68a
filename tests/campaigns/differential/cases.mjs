// Cases of the differential campaign: `both` is run in the source and in the second database before
// anything else, `source` in the source, each string as one statement (or simple-query batch) of one
// session, `replica` in the second database before the replay. The ideas are those that PostgreSQL
// tests its own logical replication with.
export const CASES = [
  { name: 'identities: key, index, full, full with equal rows, inserts only',
    both: `
      CREATE TABLE keyed (id int PRIMARY KEY, v text);
      CREATE TABLE indexed (a int NOT NULL, b text NOT NULL, c int);
      CREATE UNIQUE INDEX indexed_ab ON indexed (b, a);
      ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_ab;
      CREATE TABLE fullid (a int, b text);
      ALTER TABLE fullid REPLICA IDENTITY FULL;
      CREATE TABLE keyless (a int, b text);`,
    source: [
      "INSERT INTO keyed SELECT i, 'v' || i FROM generate_series(1, 200) i",
      'UPDATE keyed SET id = -id WHERE id % 2 = 0', "UPDATE keyed SET v = NULL WHERE id > 100",
      'DELETE FROM keyed WHERE id < -150', 'UPDATE keyed SET id = id + 1000 WHERE id > 0',
      "INSERT INTO indexed SELECT i, 'b' || i % 7, i FROM generate_series(1, 100) i",
      "UPDATE indexed SET c = c + 1 WHERE a % 3 = 0; UPDATE indexed SET b = 'x' WHERE a % 5 = 0",
      'DELETE FROM indexed WHERE a % 11 = 0',
      "INSERT INTO fullid SELECT i % 5, 'same' FROM generate_series(1, 50) i",
      'DELETE FROM fullid WHERE ctid IN (SELECT ctid FROM fullid WHERE a = 1 LIMIT 3)',
      "UPDATE fullid SET b = NULL WHERE a = 2", 'DELETE FROM fullid WHERE b IS NULL AND a = 2',
      "INSERT INTO keyless SELECT i, 'k' FROM generate_series(1, 20) i; INSERT INTO keyless VALUES (NULL, NULL)"] },
  // JSON has no place for an array's lower bounds: the arrays here begin at 1.
  { name: 'types',
    both: `
      CREATE TYPE mood AS ENUM ('sad', 'it''s', 'a,b');
      CREATE TYPE pair AS (x int, y text);
      CREATE DOMAIN positive AS numeric CHECK (VALUE > 0);
      CREATE TABLE types (id int PRIMARY KEY, i8 bigint, n numeric, f float8, r real, b bool, t text,
        c char(5), ba bytea, d date, ts timestamp, tz timestamptz, iv interval, ti time, u uuid,
        j json, jb jsonb, ai int[], at text[], m mood, am mood[], p pair, ap pair[], dom positive,
        rg int4range, mr int4multirange, ip inet, bits bit varying(9), pt point, tv tsvector);`,
    source: [
      `INSERT INTO types VALUES (1, 9223372036854775807, 12345678901234567890.123456789000, 1.7976931348623157e308,
        1.17549435e-38, true, E'line\\n"quote" \\\\ tab\\t ü 😀', 'ab', '\\x00ff10', '4713-01-01 BC', '294276-12-31 23:59:59.999999',
        'infinity', '-1 year 2 mons -3 days 04:05:06.789', '24:00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
        '{"a":1.50,"c":"ü","b":[1e400]}', '{"z": null, "n": 1.000}', '{{1,NULL},{3,4}}', '{"a,b",NULL,"NULL","{}","\\""}',
        'it''s', '{sad,"a,b"}', '(1,"q""(,)")', '{"(1,)","(,\\"b c\\")"}', 0.1, '[1,10)', '{[1,3),[5,8)}', '10.0.0.1/8',
        '101', '(1.5,-2e-10)', '''a'':1A b:2')`,
      `INSERT INTO types (id, n, f, r, d, ts, ai, at, rg) VALUES (2, 'NaN', '-Infinity', 'NaN', '-infinity', '-infinity', '{}', '{}', 'empty'),
        (3, 'Infinity', '-0', 0.1, '0001-01-01', '0001-01-01 BC', '{1,2}', '{""}', '(,)')`,
      'UPDATE types SET n = 1e-30, f = 5e-324, iv = \'1 mon\' WHERE id = 1', 'UPDATE types SET id = 20, jb = \'"s"\' WHERE id = 2'] },
  { name: 'unchanged values out of line, with and without a change of the key',
    both: `
      CREATE TABLE toasted (id int PRIMARY KEY, n int, big text, other text);
      ALTER TABLE toasted ALTER COLUMN big SET STORAGE EXTERNAL;
      CREATE TABLE toasted_full (id int, n int, big text);
      ALTER TABLE toasted_full ALTER COLUMN big SET STORAGE EXTERNAL;
      ALTER TABLE toasted_full REPLICA IDENTITY FULL;`,
    source: [
      "INSERT INTO toasted SELECT i, 0, repeat(i::text, 5000), repeat('o', i * 900) FROM generate_series(1, 9) i",
      'UPDATE toasted SET n = 1', "UPDATE toasted SET other = 'short' WHERE id % 2 = 0",
      "UPDATE toasted SET big = NULL WHERE id = 3; UPDATE toasted SET big = repeat('new', 4000) WHERE id = 3",
      'UPDATE toasted SET id = id + 100 WHERE id > 5', 'BEGIN; UPDATE toasted SET n = 2; SAVEPOINT a; UPDATE toasted SET big = NULL; ROLLBACK TO a; UPDATE toasted SET n = 3 WHERE id = 1; COMMIT',
      "INSERT INTO toasted_full SELECT 1, i, repeat('f', 5000) FROM generate_series(1, 3) i",
      'UPDATE toasted_full SET id = 2 WHERE n = 2', 'DELETE FROM toasted_full WHERE n = 3'] },
  { name: 'savepoints, aborts and speculative inserts in transactions that are streamed',
    both: 'CREATE TABLE streamed (id int PRIMARY KEY, v text, w int)',
    source: [
      "BEGIN; INSERT INTO streamed SELECT i, repeat('x', 300), 1 FROM generate_series(1, 3000) i; SAVEPOINT s1;"
      + " UPDATE streamed SET v = repeat('y', 300) WHERE id % 2 = 0; SAVEPOINT s2; DELETE FROM streamed WHERE id % 3 = 0;"
      + ' ROLLBACK TO s2; DELETE FROM streamed WHERE id % 7 = 0; RELEASE s1; SAVEPOINT s3;'
      + " INSERT INTO streamed SELECT i, 'gone', 0 FROM generate_series(10000, 13000) i; ROLLBACK TO s3; COMMIT",
      "BEGIN; INSERT INTO streamed SELECT i, repeat('z', 300), 2 FROM generate_series(20000, 23000) i; ROLLBACK",
      `INSERT INTO streamed SELECT i, 'again', 3 FROM generate_series(2500, 3500) i
        ON CONFLICT (id) DO UPDATE SET v = 'upserted', w = streamed.w + 1`,
      "INSERT INTO streamed SELECT i, 'never', 4 FROM generate_series(1, 3500) i ON CONFLICT DO NOTHING",
      "DO $$ BEGIN FOR i IN 30000..30300 LOOP BEGIN INSERT INTO streamed VALUES (i, 'sub', i);"
      + " IF i % 3 = 0 THEN RAISE EXCEPTION 'x'; END IF; EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END $$"] },
  { name: 'partitions, rows that move between them, attach and detach',
    both: `
      CREATE TABLE parts (id int, region text, v int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
      CREATE TABLE parts_eu PARTITION OF parts FOR VALUES IN ('eu') PARTITION BY RANGE (id);
      CREATE TABLE parts_eu_1 PARTITION OF parts_eu FOR VALUES FROM (0) TO (100);
      CREATE TABLE parts_eu_2 PARTITION OF parts_eu FOR VALUES FROM (100) TO (1000);
      CREATE TABLE parts_other PARTITION OF parts DEFAULT;`,
    source: [
      "INSERT INTO parts SELECT i, CASE i % 3 WHEN 0 THEN 'us' ELSE 'eu' END, 0 FROM generate_series(1, 300) i",
      "UPDATE parts SET region = 'us' WHERE id % 10 = 1", 'UPDATE parts SET id = id + 600 WHERE id < 50',
      'DELETE FROM parts WHERE id % 9 = 0', 'TRUNCATE parts_eu_1'] },
  { name: 'truncate of several tables, with cascade',
    both: `
      CREATE TABLE parents (id int PRIMARY KEY);
      CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents ON DELETE CASCADE ON UPDATE CASCADE);
      CREATE TABLE alone (id serial PRIMARY KEY);`,
    source: [
      'INSERT INTO parents SELECT generate_series(1, 10)', 'INSERT INTO children SELECT i, i FROM generate_series(1, 10) i',
      'DELETE FROM parents WHERE id = 3; UPDATE parents SET id = 40 WHERE id = 4', 'TRUNCATE parents CASCADE',
      'INSERT INTO parents VALUES (7), (8); INSERT INTO children VALUES (1, 7)',
      'INSERT INTO alone SELECT FROM generate_series(1, 5); TRUNCATE alone RESTART IDENTITY; INSERT INTO alone DEFAULT VALUES',
      'BEGIN; TRUNCATE children, alone; INSERT INTO alone VALUES (77); COMMIT', 'BEGIN; TRUNCATE parents CASCADE; ROLLBACK'] },
  { name: 'schema changes between and within transactions',
    both: 'CREATE TABLE shapes (id int PRIMARY KEY, gone text, a int)',
    replica: 'ALTER TABLE shapes ADD COLUMN b text, ADD COLUMN c numeric, ALTER COLUMN a TYPE bigint',
    source: [
      "INSERT INTO shapes VALUES (1, 'g', 1)", 'ALTER TABLE shapes ADD COLUMN b text',
      "INSERT INTO shapes VALUES (2, 'g', 2, 'b')",
      "BEGIN; INSERT INTO shapes VALUES (3, 'g', 3, 'b'); ALTER TABLE shapes ADD COLUMN c numeric; INSERT INTO shapes VALUES (4, 'g', 4, 'b', 4.5); COMMIT",
      "BEGIN; ALTER TABLE shapes ADD COLUMN never int; INSERT INTO shapes VALUES (5, 'g', 5, 'b', 5, 5); ROLLBACK",
      "INSERT INTO shapes VALUES (6, 'g', 6, 'b', 6)", 'ALTER TABLE shapes ALTER COLUMN a TYPE bigint',
      'UPDATE shapes SET a = 9007199254740993 WHERE id = 2', 'ALTER TABLE shapes DROP COLUMN gone',
      "INSERT INTO shapes VALUES (7, 7, 'b', 7); UPDATE shapes SET id = 70 WHERE id = 1"] },
  { name: 'generated columns, triggers, inheritance, COPY-like loads, odd names',
    both: `
      CREATE TABLE gen (id int PRIMARY KEY, a int, doubled int GENERATED ALWAYS AS (a * 2) STORED);
      CREATE TABLE base (id int PRIMARY KEY, v text);
      CREATE TABLE derived (extra int, PRIMARY KEY (id)) INHERITS (base);
      CREATE TABLE "O.dd ""T" ("Id x" int PRIMARY KEY, "sel.ect" text, "ü" text);
      CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := NEW.v || '!'; RETURN NEW; END $$;
      CREATE TRIGGER note BEFORE INSERT OR UPDATE ON base FOR EACH ROW EXECUTE FUNCTION noted();`,
    source: [
      'INSERT INTO gen SELECT i, i FROM generate_series(1, 20) i; UPDATE gen SET a = -a WHERE id % 2 = 0',
      "INSERT INTO base VALUES (1, 'b'); INSERT INTO derived VALUES (2, 'd', 7)", "UPDATE base SET v = 'all'",
      'DELETE FROM base WHERE id = 2', `INSERT INTO "O.dd ""T" VALUES (1, 'a', NULL), (2, NULL, '')`,
      `UPDATE "O.dd ""T" SET "Id x" = 3 WHERE "Id x" = 2`] },
];
