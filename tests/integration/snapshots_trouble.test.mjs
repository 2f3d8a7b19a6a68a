// What goes wrong while a snapshot is under way: its state says what, everything else goes on, and
// resuming goes on where it stopped or says why it cannot.
import assert from 'node:assert/strict';
import { startHouse } from '../lib/house.mjs';
import { assertCopied, READER, snapshot, startAsReader, started, statusOf, waitRecord,
  waitState } from '../lib/snapshot.mjs';
import { waitConfirmed } from '../lib/slot.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';

const test = together(3);

const ROWS = 10_000;
const schemaOf = (rows) => `CREATE TABLE items (id int PRIMARY KEY, text text, other int NOT NULL);
  INSERT INTO items SELECT i, repeat('x', 300), -i FROM generate_series(1, ${rows}) i;
  CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small VALUES (1); ANALYZE`;
const SCHEMA = schemaOf(ROWS);
const MANY = 20_000; // for what takes several turns
const SLOW = ['--rate', '1MiB'];
const CONFIG = { 'snapshot.piece_bytes': '128KiB' };

// A house with a slow snapshot of `items` that has read some of it.
async function startSlow(t, rows = ROWS) {
  return slowIn(await startHouse(t, { schema: schemaOf(rows), config: CONFIG }), rows);
}

async function slowIn(house, all = ROWS) {
  const id = await started(house.walcast, 'items', ...SLOW);
  const { rows } = await waitRecord(house.walcast, id, 'rows', (record) => record.rows > 0);
  assert.ok(rows < all, 'it is not slow');
  return { house, id };
}

async function assertGoesOn(house) {
  await started(house.walcast, 'small', '--wait');
  await house.postgres.query('INSERT INTO small SELECT max(id) + 1 FROM small');
  await waitConfirmed(house.postgres);
}

test('the table is dropped', async (t) => {
  const { house, id } = await startSlow(t);
  await house.postgres.query('DROP TABLE items');
  const record = await waitState(house.walcast, id, 'failed');
  assert.match(record.error, /there is no table "public"."items"/);
  await assertGoesOn(house);
  const again = await snapshot(house.walcast, 'resume', id, '--wait');
  assert.equal(again.code, 1);
  assert.match(again.stdout, /there is no table/);
});

test('the table gets a column and its key another name: it goes on', async (t) => {
  const { house, id } = await startSlow(t);
  await house.postgres.query(`ALTER TABLE items ADD COLUMN more int;
    ALTER TABLE items RENAME COLUMN id TO number; ALTER TABLE items DROP COLUMN text`);
  const { rows } = await waitState(house.walcast, id, 'done');
  assert.ok(rows >= ROWS && rows < ROWS * 1.2, `${rows} rows`);
  const reads = (await house.walcast.changes()).filter(({ op }) => op === 'READ');
  const seen = new Set(reads.map(({ record }) => record.number ?? record.id));
  assert.equal(seen.size, ROWS, 'every row once');
  assert.ok(reads.some(({ record }) => 'number' in record && record.more === null && !('text' in record)));
});

for (const [what, statements] of Object.entries({
  dropped: 'ALTER TABLE items DROP CONSTRAINT items_pkey',
  'another column': 'ALTER TABLE items DROP CONSTRAINT items_pkey; ALTER TABLE items ADD PRIMARY KEY (other)',
  'of another type': 'ALTER TABLE items ALTER COLUMN id TYPE text',
})) test(`the key changes: ${what}`, async (t) => {
  const { house, id } = await startSlow(t);
  await house.postgres.query(statements);
  const record = await waitState(house.walcast, id, 'failed');
  assert.match(record.error, /the key of "public"."items" changed/);
  assert.match(record.error, /start another snapshot/);
  await assertGoesOn(house);
  await started(house.walcast, 'items', '--wait');
});

test('the table is renamed: it stops, and goes on under its old name', async (t) => {
  const { house, id } = await startSlow(t);
  await house.postgres.query('ALTER TABLE items RENAME TO gone');
  const { rows } = await waitState(house.walcast, id, 'failed');
  await house.postgres.query('ALTER TABLE gone RENAME TO items');
  assert.equal((await snapshot(house.walcast, 'resume', id)).code, 0);
  const record = await waitState(house.walcast, id, 'done');
  assert.ok(record.rows >= ROWS && record.rows < ROWS + rows, `${record.rows} rows, not from the start`);
  await assertCopied(house, { 'public.items': ['id'] });
});

test('rows that take longer to come than any query may', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA, config: { ...CONFIG, 'postgres.connect_timeout': '1s' } });
  await started(house.walcast, 'items', '--wait', '--where', 'id = 7 AND pg_sleep(5) IS NOT NULL');
  const reads = (await house.walcast.changes()).filter(({ op }) => op === 'READ');
  assert.deepEqual(reads.map(({ record }) => record.id), [7]);
});

test('the privilege is taken away: it stops, and goes on when it is given back', async (t) => {
  const reader = await startHouse(t, { walcast: false,
    schema: `${SCHEMA}; CREATE PUBLICATION walcast FOR TABLE items, small; ${READER}` });
  await startAsReader(reader, CONFIG);
  await reader.walcast.ready();
  const { house, id } = await slowIn(reader);
  await house.postgres.query('REVOKE SELECT ON items FROM reader; GRANT SELECT ON small TO reader');
  const { rows, error } = await waitState(house.walcast, id, 'failed');
  assert.match(error, /permission denied/);
  await assertGoesOn(house);
  await house.postgres.query('GRANT SELECT ON items TO reader');
  assert.equal((await snapshot(house.walcast, 'resume', id)).code, 0);
  const record = await waitState(house.walcast, id, 'done');
  assert.ok(record.rows >= ROWS && record.rows < ROWS + rows, `${record.rows} rows, not from the start`);
  await assertCopied(house, { 'public.items': ['id'] });
});

// An UPDATE leaves their text out, so each is read again under its new key: 25 MB of them at once.
test('large rows that move to keys that were passed', async (t) => {
  const house = await startHouse(t, { schema: `CREATE TABLE items (id int PRIMARY KEY, text text);
    ALTER TABLE items ALTER text SET STORAGE EXTERNAL;
    INSERT INTO items SELECT i, repeat(chr(97 + i % 26), 125000) FROM generate_series(1, 300) i; ANALYZE`,
  config: { 'snapshot.piece_bytes': '1MiB' } });
  const id = await started(house.walcast, 'items', '--rate', '4MiB');
  await waitRecord(house.walcast, id, 'rows', (record) => record.rows > 0);
  await house.postgres.query('UPDATE items SET id = id - 1000 WHERE id > 100');
  const record = await waitState(house.walcast, id, 'done');
  assert.ok(record.rows >= 300, `${record.rows} rows`);
  await assertCopied(house, { 'public.items': ['id'] });
});

test('the database is away for a while', async (t) => {
  const { house, id } = await startSlow(t, MANY);
  for (let i = 0; i < 3; i++) {
    const { rows } = await statusOf(house.walcast, id);
    await house.postgres.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'walcast snapshot%'");
    await waitRecord(house.walcast, id, 'more rows', (record) => record.rows > rows || record.state === 'done');
  }
  await house.postgres.kill();
  await house.postgres.restart();
  await waitState(house.walcast, id, 'done');
  const copy = await assertCopied(house, { 'public.items': ['id'] });
  assert.ok(copy.reads < MANY * 1.5, `${copy.reads} rows read`);
});

test('the broker is away for a while', async (t) => {
  const { house, id } = await startSlow(t, MANY);
  await house.nats.kill();
  await house.postgres.query("UPDATE items SET text = 'meanwhile' WHERE id % 10 = 0");
  await waitFor('walcast that notices', async () =>
    !(await fetch(`${house.walcast.url}/health/ready`)).ok, 30_000);
  await house.nats.restart();
  await waitState(house.walcast, id, 'done');
  const copy = await assertCopied(house, { 'public.items': ['id'] });
  assert.ok(copy.reads < MANY * 1.5, `${copy.reads} rows read`);
});

// Nothing else is published, so no later ack tells that they are gone.
test('rows that were on their way to a broker that dies', async (t) => {
  const house = await startHouse(t, { config: { 'nats.ack_timeout': '1m' }, schema:
    `CREATE TABLE items (id int PRIMARY KEY, text text);
     INSERT INTO items SELECT i, repeat('x', 1000) FROM generate_series(1, 40000) i; ANALYZE` });
  const id = await started(house.walcast, 'items', '--rate', '6MiB');
  await waitRecord(house.walcast, id, 'rows', (record) => record.rows > 0);
  process.kill(house.nats.process.pid, 'SIGSTOP');
  await waitFor('rows on their way', async () => await house.walcast.metric('walcast_fanout_window_messages') >= 16);
  await house.nats.kill();
  await house.nats.restart();
  await waitState(house.walcast, id, 'done');
  await assertCopied(house, { 'public.items': ['id'] });
});

test('the change stream is full: rows and changes wait, and status says so', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA, config: { ...CONFIG, 'nats.max_bytes': '1MiB' } });
  const id = await started(house.walcast, 'items');
  const { rows } = await waitRecord(house.walcast, id, 'a full stream', ({ state, error }) =>
    state === 'running' && /full stream/.test(error));
  assert.ok(rows < ROWS);
  await house.postgres.query('INSERT INTO small VALUES (2)');
  house.walcast.config['nats.max_bytes'] = '1GiB';
  await house.walcast.restart();
  await waitState(house.walcast, id, 'done');
  await assertCopied(house, { 'public.items': ['id'] });
});

test('what is asked for wrongly is refused', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA });
  for (const [args, says] of [
    [['status', 'nosuchid'], /there is no snapshot of public.nosuchid/],
    [['pause', 'nosuchid'], /there is no snapshot of/],
    [['begin', 'items'], /expected start, pause, resume, cancel or status, not begin/],
    [[], /expected start, pause, resume, cancel or status/],
    [['start'], /start what\? a table/],
    [['start', 'items', '--rate', 'fast'], /--rate fast/],
    [['start', 'items', '--rate', '-5MiB'], /--rate/],
    [['start', 'a.b.c'], /a\.b\.c/],
    [['start', 'items', '--where', 'x'.repeat(5000)], /--where has more than 4096 bytes/],
  ]) {
    const { code, stderr } = await snapshot(house.walcast, ...args);
    assert.equal(code, 2, `${args}: ${stderr}`);
    assert.match(stderr, says);
  }
  const { code, stdout } = await snapshot(house.walcast, 'start', 'items', '--where', 'nocolumn = 1', '--wait');
  assert.equal(code, 1);
  assert.match(stdout, /column "nocolumn" does not exist/);
  const { code: none, stdout: list } = await snapshot(house.walcast, 'status');
  assert.equal(none, 0);
  assert.equal(list.trim().split('\n').filter((line) => !line.startsWith(' ')).length, 1);
});
