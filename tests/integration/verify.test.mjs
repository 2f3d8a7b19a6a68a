// `walcast verify` against real servers: clean where the stream is the table, also while both move;
// what a test plants is found with its key; what the stream cannot know is told as that.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { CHURN_KEYS, churnSchema, startChurn } from '../lib/churn.mjs';
import { startHouse } from '../lib/house.mjs';
import { quoted } from '../lib/snapshot.mjs';
import { waitConfirmed } from '../lib/slot.mjs';
import { together } from '../lib/together.mjs';
import { assertClean, BIG, load, LOAD_SCHEMA, LOAD_TABLES, verify } from '../lib/verify.mjs';
import { waitFor } from '../lib/wait.mjs';
import { BINARY } from '../lib/walcast.mjs';

const test = together(3);

async function assertFound(walcast, table, expected, args = []) {
  const report = await verify(walcast, table, ...args);
  assert.equal(report.code, 1, report.stderr);
  assert.equal(report.equal, false);
  assert.deepEqual(report.found, expected);
  return report;
}

// Runs `use` while the publication lacks the table: nobody sees what it does.
async function unseen({ postgres }, table, statements) {
  await postgres.query(`BEGIN; ALTER PUBLICATION walcast DROP TABLE ${table}; ${statements};
    ALTER PUBLICATION walcast ADD TABLE ${table}; COMMIT`);
}

test('a million rows in bounded memory', async (t) => {
  const { postgres, walcast } = await startHouse(t, { schema: `
    CREATE TABLE t (id bigint PRIMARY KEY, n int, name text, at timestamptz DEFAULT now(), body text)` });
  for (let i = 0; i < 10; i++)
    await postgres.query(`INSERT INTO t SELECT i, i % 100, 'name ' || i, now(), md5(i::text)
      FROM generate_series(${i * 100_000} + 1, ${(i + 1) * 100_000}) i`);
  await postgres.query('UPDATE t SET n = -n WHERE id % 10 = 3; UPDATE t SET id = -id WHERE id % 100 = 7');
  await unseen({ postgres }, 't', "UPDATE t SET name = 'x' WHERE id = 654321; DELETE FROM t WHERE id = 5");
  const child = spawn(BINARY, ['verify', 't', '--json'],
    { env: { ...process.env, ...walcast.env }, cwd: walcast.directory, stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  let peak_kb = 0;
  const poll = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      peak_kb = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? peak_kb);
    } catch { /* it has ended */ }
  }, 10);
  const [code] = await once(child, 'close');
  clearInterval(poll);
  const report = JSON.parse(Buffer.concat(chunks));
  assert.equal(code, 1);
  assert.deepEqual(report.differences.map(({ kind, key }) => [kind, key.id]).sort(),
    [['different', 654321], ['only_in_stream', 5]]);
  assert.deepEqual([report.rows, report.equal_rows], [999_999, 999_998]);
  t.diagnostic(`${report.ms} ms, peak ${peak_kb} kB`);
  assert.ok(peak_kb > 1000 && peak_kb < 100_000, `peak ${peak_kb} kB`);
});

for (const [major, encoding] of [[undefined, 'protobuf'], [undefined, 'json'], [13, 'protobuf'], [18, 'protobuf']]) {
  test(`clean while both move, PostgreSQL ${major ?? 'from Debian'}, ${encoding}`, async (t) => {
    const { postgres, walcast } =
      await startHouse(t, { major, schema: LOAD_SCHEMA, config: { 'nats.encoding': encoding } });
    let ended = false;
    const sessions = [1, 2, 3].map((seed) => load(postgres, seed, () => ended));
    try {
      for (const table of major ? LOAD_TABLES : [...LOAD_TABLES, ...LOAD_TABLES])
        await assertClean(walcast, table);
    } finally {
      ended = true;
    }
    await Promise.all(sessions);
    for (const table of LOAD_TABLES) {
      const { rows, has_key: hasKey } = await assertClean(walcast, table);
      assert.ok(rows > 10, `${table} has ${rows} rows`);
      assert.equal(hasKey, !['by_all', 'by_none'].includes(table));
    }
    await unseen({ postgres }, 'by_two', "UPDATE by_two SET n = -1 WHERE (b, a) = (SELECT b, a FROM by_two ORDER BY b LIMIT 1)");
    const { rows: [row] } = await postgres.query('SELECT a, b FROM by_two WHERE n = -1');
    await assertFound(walcast, 'by_two', [['different', row, ['n']]]);
  });
}

// ---- Differences and what is none ----

const SCHEMA = `
CREATE TABLE old (id int PRIMARY KEY, a text);
INSERT INTO old SELECT i, 'x' || i FROM generate_series(1, 20) i;
CREATE TABLE todos (id bigint PRIMARY KEY, a text, b numeric);
CREATE TABLE docs (id int PRIMARY KEY, n int, body text);
CREATE TABLE copies (a int, b text);
ALTER TABLE copies REPLICA IDENTITY FULL;
CREATE TABLE log (a int, b text);
CREATE SCHEMA "My Schema";
CREATE TABLE "My Schema"."Odd ""T"".x" ("the key" text PRIMARY KEY, "select" jsonb);
CREATE TABLE shapes (id int PRIMARY KEY, a text, gone int, price numeric);
CREATE TABLE made (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED);
CREATE TABLE parts (id int, region int, a text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
CREATE TABLE late (id int PRIMARY KEY);
CREATE TABLE large (id int PRIMARY KEY, a text);
INSERT INTO large SELECT i, repeat('x', 1000) FROM generate_series(1, 5000) i;
CREATE TABLE rows_full (a int, b text);
ALTER TABLE rows_full REPLICA IDENTITY FULL;
INSERT INTO rows_full SELECT 1, 'x' FROM generate_series(1, 10);
CREATE TABLE rows_none (a int, b text);
INSERT INTO rows_none SELECT 1, 'x' FROM generate_series(1, 10);
CREATE TABLE wide (id int PRIMARY KEY, ${Array.from({ length: 300 }, (_, i) => `c${i} int`).join(', ')});
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE texts (id int PRIMARY KEY, at timestamptz, span interval, f float8, f4 float4,
  raw bytea, cash money, d date, t text[], j jsonb, m mood, p positive, r tstzrange, c regclass);
`;

test('verify', { concurrency: 5 }, async (suite) => {
  // Who asks for a synchronous commit waits for a standby that is not there.
  const house = await startHouse(suite, { schema: SCHEMA,
    settings: { synchronous_standby_names: 'nobody', synchronous_commit: 'local' },
    config: { 'postgres.tables': 'public.*,"My Schema".*' } });
  const { postgres, walcast } = house;
  // Steps of one lane, which share tables, come one after the other; lanes run beside each other.
  const lanes = {};
  const step = (lane, name, run) => {
    lanes[lane] = (lanes[lane] ?? Promise.resolve()).then(() => suite.test(name, run));
    return lanes[lane];
  };

  step('old', 'rows that are older than the stream are not covered', async () => {
    await postgres.query("INSERT INTO old VALUES (30, 'new'); UPDATE old SET a = 'y' WHERE id = 3");
    await assertClean(walcast, 'old', { rows: 19, before_history: 19 });
    const text = await walcast.commandOk(['verify', 'old']);
    assert.match(text, /^public\.old: equal where it is covered$/m);
    assert.match(text, /19 +written before what the stream holds: `walcast snapshot start`/);
  });

  step('old', 'a change that nobody saw is found, whichever it is', async () => {
    await postgres.query("INSERT INTO todos SELECT i, 'x', i FROM generate_series(1, 1000) i");
    await assertClean(walcast, 'todos');
    await unseen(house, 'todos', `UPDATE todos SET a = 'y', b = NULL WHERE id = 7;
      UPDATE todos SET id = 9007199254740993 WHERE id = 8; DELETE FROM todos WHERE id = 9;
      INSERT INTO todos VALUES (2000, 'new', 1.50)`);
    const { stdout } = await walcast.command(['verify', 'todos', '--json']);
    assert.match(stdout, /\{"id":9007199254740993\}/, 'every digit');
    const report = await assertFound(walcast, 'todos', [
      ['different', { id: 7 }, ['a', 'b']],
      ['missing_in_stream', { id: 2000 }, undefined],
      ['missing_in_stream', { id: 9007199254740992 }, undefined],
      ['only_in_stream', { id: 8 }, undefined],
      ['only_in_stream', { id: 9 }, undefined]]);
    assert.equal(report.equal_rows, 997);
  });

  step('old', 'in words, up to the limit', async () => {
    const { code, stdout } = await walcast.command(['verify', 'public.todos', '--limit', '2']);
    assert.equal(code, 1);
    assert.equal(stdout.split('\n').filter((line) => /^(different|missing|only)/.test(line)).length, 2);
    assert.match(stdout, /^\(the first 2 differences; --limit shows more\)$/m);
    const shown = await walcast.command(['verify', 'todos', '--values']);
    assert.match(shown.stdout,
      /^different +\{"id":7\} +\["a","b"\] +table \{"a":"y","b":null\} +stream \{"a":"x","b":7\}$/m);
    assert.match(stdout, /^public\.todos: DIFFERENT$/m);
    assert.match(stdout, / 1 with different values\n +2 missing in the stream\n +2 only in the stream/);
  });

  step('old', 'TRUNCATE ends it, and from there on all is known', async () => {
    await postgres.query("TRUNCATE todos; INSERT INTO todos VALUES (1, 'x', 1)");
    await assertClean(walcast, 'todos');
    await postgres.query('TRUNCATE old; INSERT INTO old VALUES (1)');
    await assertClean(walcast, 'old');
    await unseen(house, 'todos', 'TRUNCATE todos');
    await assertFound(walcast, 'todos', [['only_in_stream', { id: 1 }, undefined]]);
  });

  step('docs', 'values that an UPDATE left alone', async () => {
    await postgres.query(`INSERT INTO docs SELECT i, 1, ${BIG} FROM generate_series(1, 5) i`);
    await postgres.query('UPDATE docs SET n = 2');
    await assertClean(walcast, 'docs');
    await postgres.query('UPDATE docs SET id = 10 WHERE id = 5');
    await assertClean(walcast, 'docs', { rows: 1, value_not_told: 1 });
    await unseen(house, 'docs', "UPDATE docs SET body = 'other' WHERE id = 2");
    await postgres.query(`UPDATE docs SET body = 'told' WHERE id = 10; UPDATE docs SET n = 4`);
    await assertClean(walcast, 'docs'); // the small text came with the next UPDATE
    await unseen(house, 'docs', `UPDATE docs SET body = ${BIG} WHERE id = 3`);
    await postgres.query('UPDATE docs SET n = 5');
    await assertFound(walcast, 'docs', [['different', { id: 3 }, ['body']]]);
    await postgres.query("UPDATE docs SET body = 'told'");
  });

  step('copies', 'rows alike, by their number', async () => {
    await postgres.query(`INSERT INTO copies SELECT 1, 'x' FROM generate_series(1, 5);
      UPDATE copies SET b = NULL WHERE ctid = (SELECT min(ctid) FROM copies);
      DELETE FROM copies WHERE ctid = (SELECT max(ctid) FROM copies WHERE b = 'x')`);
    await assertClean(walcast, 'copies');
    await unseen(house, 'copies', "INSERT INTO copies VALUES (1, 'x'), (1, 'x'), (2, NULL)");
    // Of those alike some may have been there before: only what surely is missing is told.
    const report = await assertFound(walcast, 'copies',
      [['missing_in_stream', { a: 2, b: null }, undefined]]);
    assert.deepEqual([report.has_key, report.not_covered.before_history], [false, 2]);
    await postgres.query("TRUNCATE copies; INSERT INTO copies SELECT 1, 'x' FROM generate_series(1, 5)");
    await unseen(house, 'copies', "INSERT INTO copies VALUES (1, 'x'), (1, 'x')");
    const { stdout } = await walcast.command(['verify', 'copies']);
    assert.match(stdout, /^missing_in_stream +\{"a":1,"b":"x"\} +2 rows$/m);
    await postgres.query("DELETE FROM copies");
    await unseen(house, 'copies', "DELETE FROM copies; INSERT INTO copies VALUES (3, 'y')");
    await assertFound(walcast, 'copies', [['missing_in_stream', { a: 3, b: 'y' }, undefined]]);
  });

  step('copies', 'of a table without a key only inserts are told', async () => {
    await postgres.query("INSERT INTO log SELECT i, 'x' FROM generate_series(1, 5) i");
    await assertClean(walcast, 'log');
    await postgres.query("UPDATE log SET b = 'y' WHERE a = 1; DELETE FROM log WHERE a = 2");
    const { code, not_covered: rest } = await verify(walcast, 'log');
    assert.equal(code, 0);
    assert.deepEqual(rest, { rows: 3, before_history: 0, value_not_told: 0, not_published: 3 });
  });

  step('copies', 'names as in SQL, another schema, empty tables', async () => {
    const name = '"My Schema"."Odd ""T"".x"';
    await assertClean(walcast, name);
    await postgres.query(`INSERT INTO ${name} VALUES ('a "q"', '{"a": 1}'), ('b', NULL)`);
    await assertClean(walcast, name);
    await unseen(house, name, `UPDATE ${name} SET "select" = '1' WHERE "select" IS NULL`);
    await assertFound(walcast, name, [['different', { 'the key': 'b' }, ['select']]]);
  });

  step('shapes', 'columns that came, went or changed', async () => {
    await postgres.query("INSERT INTO shapes VALUES (1, 'x', 1, 1.5), (2, 'x', 1, 1.5), (3, 'x', 1, 1.5)");
    await postgres.query('ALTER TABLE shapes DROP COLUMN gone');
    await assertClean(walcast, 'shapes');
    await postgres.query("ALTER TABLE shapes ADD COLUMN later text DEFAULT 'd'");
    await postgres.query('UPDATE shapes SET id = 1 WHERE id = 1');
    await assertClean(walcast, 'shapes', { rows: 2, value_not_told: 2 });
    await postgres.query('ALTER TABLE shapes ALTER price TYPE numeric(10, 3)');
    await assertClean(walcast, 'shapes', { rows: 3, value_not_told: 3 });
    await unseen(house, 'shapes', "UPDATE shapes SET a = 'y' WHERE id = 2");
    await assertFound(walcast, 'shapes', [['different', { id: 2 }, ['a']]]);
    await postgres.query('UPDATE shapes SET id = id');
    await assertClean(walcast, 'shapes');
  });

  step('shapes', 'generated columns, partitions, inheritance, many columns', async () => {
    await postgres.query(`INSERT INTO made VALUES (1, 2); INSERT INTO parts VALUES (1, 1, 'x');
      INSERT INTO child VALUES (1), (2); INSERT INTO parent VALUES (1); INSERT INTO wide (id, c299) VALUES (1, 2)`);
    for (const table of ['made', 'parts_1', 'parent', 'child', 'wide'])
      assert.ok((await assertClean(walcast, table)).rows > 0);
    const { code, stderr } = await verify(walcast, 'parts');
    assert.equal(code, 2);
    assert.match(stderr, /public\.parts is not published.*name one of them/);
  });

  step('snapshots', 'a snapshot that is under way is waited for, one that is done covers all', async () => {
    const { code, stdout, stderr } = await walcast.command(['snapshot', 'start', 'large', '--rate', '1MiB']);
    assert.equal(code, 0, stderr);
    const early = await verify(walcast, 'large', '--timeout', '1s');
    assert.equal(early.code, 1, `snapshot ${stdout}`);
    assert.match(early.stderr, /a snapshot of public\.large is under way/);
    assert.equal((await assertClean(walcast, 'large')).rows, 5000);
    await unseen(house, 'large', "UPDATE large SET a = 'y' WHERE id = 4; DELETE FROM large WHERE id = 5; INSERT INTO large VALUES (-1)");
    await assertFound(walcast, 'large', [['different', { id: 4 }, ['a']],
      ['missing_in_stream', { id: -1 }, undefined], ['only_in_stream', { id: 5 }, undefined]]);
  });

  step('snapshots', 'a snapshot of a table without a key begins its history', async () => {
    for (const table of ['rows_full', 'rows_none']) {
      await postgres.query(`INSERT INTO ${table} SELECT 2, 'new' FROM generate_series(1, 10)`);
      await assertClean(walcast, table, { rows: 10, before_history: 10 });
      await postgres.query(`INSERT INTO ${table} VALUES (3, 'x')`);
      for (let times = 0; times < 2; times++) {
        await walcast.commandOk(['snapshot', 'start', table, '--wait']);
        assert.equal((await assertClean(walcast, table)).rows, 21);
      }
      await unseen(house, table, `INSERT INTO ${table} VALUES (1, 'x')`)
        .catch(() => postgres.query(`BEGIN; ALTER PUBLICATION walcast_inserts DROP TABLE ${table};
          INSERT INTO ${table} VALUES (1, 'x'); ALTER PUBLICATION walcast_inserts ADD TABLE ${table}; COMMIT`));
    }
    await assertFound(walcast, 'rows_full', [['missing_in_stream', { a: 1, b: 'x' }, undefined]]);
    await assertFound(walcast, 'rows_none', [['missing_in_stream', { a: 1, b: 'x' }, undefined]]);
    await postgres.query("UPDATE rows_none SET b = 'y' WHERE a = 3");
    const { code, not_covered: rest } = await verify(walcast, 'rows_none');
    assert.deepEqual([code, rest.not_published], [0, 3], 'an UPDATE may have made it');
  });

  await Promise.all(Object.values(lanes));

  await step('last', 'a transaction that is open is on neither side, and nothing waits for it', async (t) => {
    const client = await postgres.connect();
    t.after(() => client.end());
    await client.query("BEGIN; INSERT INTO late VALUES (1); INSERT INTO old VALUES (77)");
    assert.equal((await assertClean(walcast, 'late')).rows, 0);
    await client.query('COMMIT');
    assert.equal((await assertClean(walcast, 'late')).rows, 1);
  });

  await step('last', 'a commit that waits for a standby is in the stream and not in the table', async () => {
    await postgres.query('INSERT INTO late VALUES (2), (3)');
    const client = await postgres.connect();
    await client.query('SET synchronous_commit = on');
    const waiting = client.query(`BEGIN; INSERT INTO late VALUES (10); DELETE FROM late WHERE id = 1;
      UPDATE late SET id = 20 WHERE id = 2; COMMIT`);
    await waitFor('its last change in the stream', async () =>
      (await walcast.changes({ table: 'late' })).at(-1).record?.id === 20);
    const { rows } = await postgres.query('SELECT id FROM late ORDER BY id');
    assert.deepEqual(rows.map(({ id }) => id), [1, 2, 3], 'nobody saw it then');
    const before = await assertClean(walcast, 'late');
    assert.deepEqual([before.rows, before.changes_later], [3, 3]);
    await postgres.query('SELECT pg_cancel_backend($1)', [client.processID]); // it waits no more
    await waiting;
    await client.end();
    const after = await assertClean(walcast, 'late');
    assert.deepEqual([after.rows, after.changes_later], [3, 0]);
  });

  await step('last', 'texts that settings could change', async () => {
    await postgres.query(`ALTER DATABASE postgres SET DateStyle = 'SQL, DMY';
      ALTER DATABASE postgres SET TimeZone = 'Asia/Tokyo';
      ALTER DATABASE postgres SET IntervalStyle = 'sql_standard';
      ALTER DATABASE postgres SET extra_float_digits = -5; ALTER DATABASE postgres SET bytea_output = 'escape'`);
    await postgres.query(`INSERT INTO texts VALUES (1, '2024-02-29 01:02:03.4+02', '1 year -3 days 04:05:06.7',
      0.1::float8 + 0.2, 0.1, '\\x00ff5c0a', '-1234.5', '15/03/0044 BC', '{"a\\tb",NULL,"é"}', '{"a": "\\n"}', 'ok', 3,
      '[2024-01-01,)', 'pg_class'); INSERT INTO texts (id) VALUES (2)`);
    await assertClean(walcast, 'texts');
    await unseen(house, 'texts', "UPDATE texts SET f = 0.3 WHERE id = 1");
    await assertFound(walcast, 'texts', [['different', { id: 1 }, ['f']]]);
  });

  await step('last', 'many differences, a row larger than a message', async () => {
    await postgres.query(`INSERT INTO docs SELECT i, 1, '' FROM generate_series(100, 5099) i;
      INSERT INTO docs VALUES (99, 1, (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 60000) i))`);
    await assertClean(walcast, 'docs');
    await unseen(house, 'docs', 'DELETE FROM docs WHERE id >= 100; UPDATE docs SET body = left(body, -1) WHERE id = 99');
    const { code, found, only_in_stream: count, differences } = await verify(walcast, 'docs', '--limit', '6000');
    assert.deepEqual([code, count, found.length, differences], [1, 5000, 5001, undefined]);
    assert.ok(found.some(([kind, { id }]) => kind === 'different' && id === 99));
  });

  await step('last', 'what it is asked wrongly, it says', async () => {
    await postgres.query(`CREATE ROLE nobody LOGIN; CREATE ROLE guest LOGIN; GRANT SELECT ON todos TO guest;
      ALTER TABLE todos ENABLE ROW LEVEL SECURITY`);
    const as = (role) => ({ ...walcast.env,
      WALCAST_POSTGRES_URL: postgres.url.replace('postgres@', `${role}@`) });
    const cases = [
      [['nope'], 2, /no table public\.nope/],
      [['No.nope'], 2, /no table No\.nope/],
      [['pg_catalog.pg_class'], 2, /pg_class is not published/],
      [['a.b.c'], 2, /a\.b\.c: expected SCHEMA\.TABLE/],
      [[], 2, /expected a table/],
      [['old', '--limit', '-1'], 2, /--limit -1: expected/],
      [['old', '--timeout', 'soon'], 2, /--timeout soon: expected/],
      [['old'], 1, /permission denied for table old/, as('nobody')],
      [['todos'], 1, /row-level security/, as('guest')],
      [['old'], 2, /postgres\.binary.*text form/, { ...walcast.env, WALCAST_POSTGRES_BINARY: 'true' }],
      [['old'], 1, /stream OTHER/i, { ...walcast.env, WALCAST_NATS_STREAM: 'OTHER' }],
      [['old'], 1, /nats/, { ...walcast.env, WALCAST_NATS_URL: 'nats://127.0.0.1:1' }],
    ];
    for (const [args, expected, pattern, env] of cases) {
      const { code, stdout, stderr } = await walcast.command(['verify', ...args], env ? { env } : {});
      assert.deepEqual([code, stdout], [expected, ''], `${args}: ${stderr}`);
      assert.match(stderr, pattern);
    }
  });

  await step('last', 'a server that goes away', async () => {
    const holder = await postgres.connect();
    await holder.query('BEGIN; LOCK TABLE old');
    const reading = verify(walcast, 'old');
    const kill = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'walcast verify' AND wait_event_type = 'Lock'`;
    await waitFor('its session', async () => (await postgres.query(kill)).rowCount);
    const cut = await reading;
    assert.equal(cut.code, 1);
    assert.match(cut.stderr, /locking table public\.old.*(terminating|closed|lost)/);
    const locked = await verify({ ...walcast, command: (args, options) => walcast.command(args, { ...options,
      env: { ...walcast.env, WALCAST_POSTGRES_CONNECT_TIMEOUT: '1s' } }) }, 'old');
    assert.equal(locked.code, 1);
    assert.match(locked.stderr, /locking table public\.old against being altered: .*lock timeout/);
    const waiting = verify(walcast, 'old');
    await waitFor('its session', async () => (await postgres.query(kill.replace('pg_terminate_backend(pid)', '1'))).rowCount);
    await house.nats.stop();
    await holder.query('COMMIT');
    await holder.end();
    await house.nats.restart();
    assert.equal((await waiting).code, 0, 'a broker that comes back is waited for');
  });

  await step('last', 'without a walcast that runs it says how far the stream is', async () => {
    await walcast.stop();
    await postgres.query('INSERT INTO old VALUES (500)');
    const { code, stderr } = await verify(walcast, 'old', '--timeout', '1s');
    assert.equal(code, 1);
    assert.match(stderr, /stream WALCAST does not move: it is at [0-9A-F/]+, the table was read at [0-9A-F/]+; is `walcast run` running/);
    const sessions = async () => (await postgres.query(
      "SELECT FROM pg_stat_activity WHERE application_name = 'walcast verify'")).rowCount;
    const holder = await postgres.connect();
    await holder.query('BEGIN; LOCK TABLE old'); // so that its reading can be seen
    let ended = false;
    const waiting = verify(walcast, 'old').finally(() => { ended = true; });
    await waitFor('its reading', sessions);
    await holder.query('COMMIT');
    await holder.end();
    await waitFor('the end of its session', async () => await sessions() === 0);
    assert.equal(ended, false, 'it waits for the stream, without a session');
    walcast.start();
    assert.equal((await waiting).code, 0, 'one that comes is waited for');
  });
});

test('clean after snapshots that were killed under changes', async (t) => {
  const rows = 6000;
  const { postgres, walcast } = await startHouse(t, { schema: churnSchema(rows),
    config: { 'postgres.tables': '*.*' } });
  const churn = startChurn(postgres, { seed: 3, rows });
  t.after(() => churn.stop());
  // With a key: a piece that a kill has sent twice sets the same rows twice.
  const tables = Object.keys(CHURN_KEYS).filter((name) => CHURN_KEYS[name].length > 0).map(quoted);
  for (const table of tables) await walcast.commandOk(['snapshot', 'start', table, '--rate', '4MiB']);
  for (let kills = 0; kills < 3; kills++) {
    const before = churn.count;
    await waitFor('changes', () => churn.count > before + 50, 60_000);
    await walcast.kill();
    walcast.start();
    await walcast.ready();
  }
  const check = async (table) => {
    const { code, stderr, found, not_covered: rest, ...report } = await verify(walcast, table);
    assert.equal(code, 0, `${table}: ${stderr} ${JSON.stringify(found)}`);
    assert.equal(rest.before_history, 0, `${table}: all was read ${JSON.stringify(rest)}`);
    t.diagnostic(`${table}: ${report.equal_rows} equal of ${report.rows}, ${JSON.stringify(rest)}`);
  };
  for (const table of tables) await check(table); // waits for its snapshot; changes go on
  await churn.stop();
  for (const table of tables) await check(table);
});

test('row filters, column lists, a root for its partitions', async (t) => {
  const { postgres, walcast } = await startHouse(t, { schema: `
    CREATE TABLE filtered (id int PRIMARY KEY, n int, secret text);
    CREATE TABLE parts (id int, region int, a text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
    ALTER TABLE filtered REPLICA IDENTITY FULL;
    CREATE TABLE listed (id int PRIMARY KEY, n int, secret text);
    CREATE PUBLICATION walcast FOR TABLE filtered WHERE (n > 10 AND n < 20), parts, listed (id, n)
      WITH (publish_via_partition_root)` });
  await postgres.query(`INSERT INTO filtered SELECT i, i, 's' FROM generate_series(1, 30) i;
    UPDATE filtered SET n = 15 WHERE id = 1; UPDATE filtered SET n = 30 WHERE id = 12;
    INSERT INTO listed VALUES (1, 1, 'a'), (2, 2, 'b'); UPDATE listed SET secret = 'c';
    INSERT INTO parts SELECT i, 1 + i % 2, 'x' FROM generate_series(1, 20) i;
    UPDATE parts SET region = 2 WHERE id = 2; DELETE FROM parts WHERE id = 3`);
  assert.equal((await assertClean(walcast, 'filtered')).rows, 9);
  assert.equal((await assertClean(walcast, 'listed')).rows, 2);
  assert.equal((await assertClean(walcast, 'parts')).rows, 19);
  await postgres.query('ALTER PUBLICATION walcast SET TABLE parts, listed (id, n), filtered WHERE (n > 11 AND n < 20)');
  await assertFound(walcast, 'filtered', [['only_in_stream', { id: 11 }, undefined]]);
});

// A run of one row: version 1, an epoch, GAP; a transaction's share of one; an empty message.
const GAP_RUN = Buffer.from('0801' + '120165' + '1808' + '2a0430013801' + '32022a00', 'hex');

test('a gap ends what is known', async (t) => {
  const { postgres, nats, walcast } =
    await startHouse(t, { schema: 'CREATE TABLE t (id int PRIMARY KEY)' });
  await postgres.query('INSERT INTO t VALUES (1), (2)');
  await waitConfirmed(postgres);
  await assertClean(walcast, 't');
  await nats.manage((manager) =>
    manager.jetstream().publish('atlasdb.default.dev._.GAP', GAP_RUN));
  await assertClean(walcast, 't', { rows: 2, before_history: 2 });
});

test('a stream made anew, and history that aged away', async (t) => {
  const { postgres, nats, walcast } = await startHouse(t, {
    schema: 'CREATE TABLE t (id int PRIMARY KEY, n int)', config: { 'nats.max_age': '5s' } });
  await postgres.query('INSERT INTO t SELECT i, 1 FROM generate_series(1, 10) i');
  await assertClean(walcast, 't');
  await waitFor('an empty stream', async () =>
    (await nats.manage((manager) => manager.streams.info('WALCAST'))).state.messages === 0, 60_000);
  await assertClean(walcast, 't', { rows: 10, before_history: 10 });
  await walcast.restart();
  await postgres.query('UPDATE t SET n = 2 WHERE id < 3; INSERT INTO t VALUES (11, 1)');
  const report = await verify(walcast, 't');
  assert.deepEqual([report.code, report.not_covered.before_history, report.equal_rows], [0, 8, 3]);
  await unseen({ postgres }, 't', 'INSERT INTO t VALUES (12, 1)');
  await assertFound(walcast, 't', [['missing_in_stream', { id: 12 }, undefined]]);
});
