// Snapshots beside the live stream, against real servers: what a consumer holds that knows only the
// stream is the table, whatever is changed, killed or stopped meanwhile.
import assert from 'node:assert/strict';
import { CHURN_KEYS, churnSchema, startChurn } from '../lib/churn.mjs';
import { startHouse } from '../lib/house.mjs';
import { randomOf } from '../lib/mixed.mjs';
import { assertCopied, quoted, READER, snapshot, startAsReader, started, statusOf, waitRecord,
  waitState } from '../lib/snapshot.mjs';
import { unconfirmedBytes, waitConfirmed } from '../lib/slot.mjs';
import { together } from '../lib/together.mjs';
import { assertClean } from '../lib/verify.mjs';
import { waitFor } from '../lib/wait.mjs';

const test = together(2);

// Run a second time over a stream in JSON: what the encoding has no part in is not.
const once = process.env.WALCAST_NATS_ENCODING ? () => {} : test;

test('tables of every key under changes', async (t) => {
  const rows = 4000;
  const house = await startHouse(t, { schema: churnSchema(rows), config: { 'postgres.tables': '*.*' } });
  const churn = startChurn(house.postgres, { seed: 1, rows });
  t.after(() => churn.stop());
  const ids = [];
  for (const table of Object.keys(CHURN_KEYS)) ids.push(await started(house.walcast, quoted(table)));
  for (const id of ids) {
    const record = await waitState(house.walcast, id, 'done');
    assert.ok(record.rows > 0 && record.chunks > 0, `${record.rows} rows in ${record.chunks} pieces`);
  }
  const during = churn.count;
  await waitFor('changes behind the snapshots', () => churn.count > during + 20);
  await churn.stop();
  assert.ok(during > 20, `${during} transactions while rows were read`);
  const copy = await assertCopied(house, CHURN_KEYS);
  assert.ok(copy.reads > rows * 5, `${copy.reads} rows read`);
});

once('a table that grows faster than it is read has an end', async (t) => {
  const house = await startHouse(t, { config: { 'snapshot.piece_bytes': '16KiB' }, schema:
    `CREATE TABLE items (id bigint PRIMARY KEY, text text);
     INSERT INTO items SELECT i, repeat('x', 100) FROM generate_series(1, 2000) i; ANALYZE` });
  const client = await house.postgres.connect();
  let stopped = false;
  let last = 2000;
  const growing = (async () => {
    for (; !stopped; last += 100) {
      await client.query("INSERT INTO items SELECT i, 'new' FROM generate_series($1::int, $1 + 99) i", [last + 1]);
      await waitFor('the stream to follow',
        async () => await unconfirmedBytes(house.postgres) < 1 << 20, 60_000, 1);
    }
  })();
  t.after(async () => { stopped = true; await growing; await client.end(); });
  await waitFor('rows', () => last > 3000);
  const before = last;
  const id = await started(house.walcast, 'items', '--rate', '60KiB');
  const { rows } = await waitState(house.walcast, id, 'done');
  assert.ok(last - before > rows, `${last - before} rows were added while ${rows} were read`);
  stopped = true;
  await growing;
  await assertCopied(house, { 'public.items': ['id'] });
});

test('a large table without a key, killed in its pieces: no row twice', async (t) => {
  const house = await startHouse(t, { config: { 'snapshot.piece_bytes': '64KiB' }, schema:
    `CREATE TABLE whole (id int, text text); ALTER TABLE whole REPLICA IDENTITY FULL;
     INSERT INTO whole SELECT i % 5000, repeat('x', 200) FROM generate_series(1, 12000) i;
     CREATE TABLE log (id int, text text);
     INSERT INTO log SELECT i % 5000, repeat('x', 200) FROM generate_series(1, 12000) i; ANALYZE` });
  const ids = [];
  for (const table of ['whole', 'log']) ids.push(await started(house.walcast, table, '--rate', '1MiB'));
  for (let kills = 0; kills < 3; kills++) {
    const { rows } = await statusOf(house.walcast, ids[kills % 2]);
    await waitRecord(house.walcast, ids[kills % 2], 'other rows', (record) =>
      record.rows !== rows || record.state === 'done');
    await house.walcast.kill();
    await house.postgres.query(`DELETE FROM whole WHERE id = ${kills}; INSERT INTO log VALUES (-1, 'new')`);
    house.walcast.start();
    await house.walcast.ready();
  }
  for (const id of ids) await waitState(house.walcast, id, 'done');
  await assertCopied(house, { 'public.whole': [], 'public.log': [] });
  await assertClean(house.walcast, 'whole');
  await assertClean(house.walcast, 'log');
});

test('killed again and again, a snapshot goes on with the piece it was at', async (t) => {
  const rows = 8_000;
  const random = randomOf(7);
  const house = await startHouse(t, { schema: churnSchema(rows), config: { 'postgres.tables': '*.*' } });
  const churn = startChurn(house.postgres, { seed: 2, rows });
  t.after(() => churn.stop());
  const ids = [];
  for (const table of Object.keys(CHURN_KEYS))
    ids.push(await started(house.walcast, quoted(table), '--rate', '4MiB'));
  let rowsBefore = 0;
  for (let kills = 0; kills < 5; kills++) {
    await waitFor('rows that were read', async () => {
      const record = await statusOf(house.walcast, ids[0]);
      return record.state === 'done' || (record.rows > rowsBefore && (rowsBefore = record.rows));
    });
    const moment = churn.count + random(100);
    await waitFor('the moment', () => churn.count >= moment, 10_000, 2);
    await house.walcast.kill();
    house.walcast.start();
    await house.walcast.ready();
  }
  for (const id of ids) await waitState(house.walcast, id, 'done', 120_000);
  await churn.stop();
  const copy = await assertCopied(house, CHURN_KEYS);
  // From the start each time it would be several times as many.
  assert.ok(copy.reads < rows * 6 * 2, `${copy.reads} rows read of about ${rows * 6}`);
});

// Who asks for a synchronous commit waits for a standby that is not there.
const NOBODY = { synchronous_standby_names: 'nobody', synchronous_commit: 'local' };

// An UPDATE of row 50 that is in the stream and that nobody sees, until `end` is called.
async function commitThatWaits(t, house) {
  const client = await house.postgres.connect();
  t.after(() => client.end());
  await client.query('SET synchronous_commit = on');
  const waits = client.query("UPDATE items SET text = 'new' WHERE id = 50");
  await waitFor('the change in the stream', async () =>
    (await house.walcast.changes()).some(({ op, record }) => op === 'UPDATE' && record.text === 'new'));
  const { rows: [seen] } = await house.postgres.query('SELECT text FROM items WHERE id = 50');
  assert.equal(seen.text, 'old', 'others do not see it yet');
  const end = async () => {
    await house.postgres.query("ALTER SYSTEM SET synchronous_standby_names = ''");
    await house.postgres.query('SELECT pg_reload_conf()');
    await waits;
  };
  return { end };
}

// Starts a snapshot of what that commit changes, which must wait for it; it is not followed by the
// row before it.
async function assertWaitsFor(house, waits) {
  const id = await started(house.walcast, 'items');
  await waitFor('a snapshot that says what it waits for', async () =>
    /synchronous standby/.test((await statusOf(house.walcast, id)).error));
  assert.equal((await house.walcast.changes()).filter(({ op }) => op === 'READ').length, 0);
  await waits.end();
  await waitState(house.walcast, id, 'done');
  await assertCopied(house, { 'public.items': ['id'] });
}

const OLD_ROWS = `CREATE TABLE items (id int PRIMARY KEY, text text);
  INSERT INTO items SELECT i, 'old' FROM generate_series(1, 100) i; ANALYZE`;

once('a commit that waits for a synchronous standby is not followed by the row before it', async (t) => {
  const house = await startHouse(t, { settings: NOBODY, schema: OLD_ROWS });
  await assertWaitsFor(house, await commitThatWaits(t, house));
});

once('a commit that waited when walcast was killed is not followed by the row before it', async (t) => {
  const house = await startHouse(t, { settings: NOBODY, schema: OLD_ROWS });
  const waits = await commitThatWaits(t, house);
  await waitConfirmed(house.postgres);
  await house.walcast.kill();
  house.walcast.start();
  await house.walcast.ready();
  await assertWaitsFor(house, waits);
});

once('paused, resumed, cancelled', async (t) => {
  const house = await startHouse(t, { schema:
    `CREATE TABLE items (id int PRIMARY KEY, text text);
     INSERT INTO items SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i; ANALYZE` });
  const id = await started(house.walcast, 'items', '--rate', '1MiB');
  await waitFor('rows', async () => (await statusOf(house.walcast, id)).rows > 0);
  const paused = await snapshot(house.walcast, 'pause', id, '--wait');
  assert.equal(paused.code, 0, paused.stderr);
  const { rows: before } = await waitState(house.walcast, id, 'paused');
  assert.ok(before > 0 && before < 20_000);
  await house.walcast.restart();
  const kept = await statusOf(house.walcast, id);
  assert.deepEqual([kept.state, kept.rows], ['paused', before], 'it rests over a restart');
  assert.equal((await snapshot(house.walcast, 'resume', 'items')).code, 0);
  await waitState(house.walcast, id, 'done');
  const copy = await assertCopied(house, { 'public.items': ['id'] });
  assert.equal(copy.reads, 20_000, 'no row twice');

  const other = await started(house.walcast, 'items', '--rate', '1MiB');
  await waitFor('rows', async () => (await statusOf(house.walcast, other)).rows > 0);
  assert.equal((await snapshot(house.walcast, 'cancel', other, '--wait')).code, 0);
  await waitState(house.walcast, other, 'cancelled');
  const again = await snapshot(house.walcast, 'resume', other);
  assert.equal(again.code, 2);
  assert.match(again.stderr, /cancelled already/);
});

test('a row filter; a table in another order of columns; a partitioned one', async (t) => {
  const house = await startHouse(t, { schema:
    `CREATE TABLE items (text text, id int PRIMARY KEY);
     INSERT INTO items SELECT CASE WHEN i % 2 = 0 THEN 'even' END, i FROM generate_series(1, 1000) i;
     CREATE TABLE parts (id int PRIMARY KEY, text text) PARTITION BY RANGE (id);
     CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (500);
     CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (500) TO (1000);
     INSERT INTO parts SELECT i, 'p' FROM generate_series(1, 999) i; ANALYZE` });
  await started(house.walcast, 'items', '--wait', '--where', "text = 'even' -- and no more");
  await started(house.walcast, 'parts', '--wait');
  const changes = await house.walcast.changes();
  const evens = changes.filter(({ table }) => table === 'items');
  assert.equal(evens.length, 500);
  assert.ok(evens.every(({ op, record }) => op === 'READ' && record.text === 'even'));
  const parts = changes.filter(({ table }) => table === 'parts_1' || table === 'parts_2');
  assert.deepEqual(parts.map(({ record }) => record.id).sort((a, b) => a - b),
    Array.from({ length: 999 }, (_, i) => i + 1));
});

once('refused, and the rest goes on', async (t) => {
  const house = await startHouse(t, { walcast: false, schema:
    `CREATE TABLE items (id int PRIMARY KEY, text text); CREATE SCHEMA hidden;
     CREATE TABLE hidden.items (id int PRIMARY KEY); INSERT INTO items VALUES (1, 'a');
     CREATE TABLE secret (id int PRIMARY KEY);
     CREATE PUBLICATION walcast FOR TABLE items, secret; ${READER}` });
  await startAsReader(house);
  await house.walcast.ready();
  let reads = 0;
  for (const [what, { table, options = [], says }] of Object.entries({
    'an unknown table': { table: 'nowhere', says: /there is no table "public"."nowhere"/ },
    'a table that is not published': { table: 'hidden.items', says: /is not published/ },
    'a condition that is none': { table: 'items', options: ['--where', 'text ='], says: /syntax error/ },
    'a condition that breaks out': { table: 'items', says: /syntax error/,
      options: ['--where', 'true) TO STDOUT; DROP TABLE items; --'] },
    'no privilege': { table: 'secret', says: /permission denied/ },
  })) await t.test(what, async () => {
    const { code, stdout } = await snapshot(house.walcast, 'start', table, '--wait', '--json', ...options);
    assert.equal(code, 1);
    const record = JSON.parse(stdout);
    assert.equal(record.state, 'failed');
    assert.match(record.error, says);
    await started(house.walcast, 'items', '--wait');
    assert.equal((await house.walcast.changes()).filter(({ op }) => op === 'READ').length, ++reads);
  });
});
