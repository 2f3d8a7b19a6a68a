// The initial snapshot: what the tables held when the slot was made, before the first change, and
// with it nothing lost and nothing twice.
import assert from 'node:assert/strict';
import { CHURN_KEYS, churnSchema, startChurn } from '../lib/churn.mjs';
import { startHouse } from '../lib/house.mjs';
import { killAtAnswers, killedBeforePublish } from '../lib/kills.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { assertCopied, READER, snapshot, startAsReader, started, statusOfAll, waitState } from '../lib/snapshot.mjs';
import { slotRow, waitConfirmed } from '../lib/slot.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';

const test = together(2);
const CONFIG = { 'postgres.tables': '*.*', 'snapshot.initial': '*.*' };
const BIG_KEYS = { ...CHURN_KEYS, 'public.big': ['id'] };
const bigTable = (rows) => `CREATE TABLE big (id bigint PRIMARY KEY, n int, text text);
  INSERT INTO big SELECT i, 0, 'row ' || i FROM generate_series(1, ${rows}) i; ANALYZE big;`;

const tableOf = ({ schema, table }) => `${schema}.${table}`;

async function initialEnds(house, state = 'done') {
  await house.walcast.ready(120_000);
  return waitFor('initial snapshots that are over', async () => {
    const records = await statusOfAll(house.walcast);
    return records.length > 0 && records.every((record) => ['done', 'failed'].includes(record.state)) &&
      records.every((record) => record.state === state || record.table === 'secret') && records;
  }, 120_000, 100);
}

// Tables of every kind and one of 300,000 rows, under writers that began long before Walcast.
test('rows first, then changes, under writers that never rest', async (t) => {
  const rows = 4000;
  const house = await startHouse(t, { walcast: false, schema: bigTable(300_000) + churnSchema(rows) });
  const churn = startChurn(house.postgres, { seed: 3, rows });
  t.after(() => churn.stop());
  await waitFor('changes before the slot', () => churn.count > 50);
  house.walcast = await Walcast.start({ ...house, config: { ...CONFIG, 'snapshot.workers': 4 } });
  const records = await initialEnds(house);
  const during = churn.count;
  await waitFor('changes behind the snapshot', () => churn.count > during + 50);
  await churn.stop();
  assert.deepEqual(records.map(tableOf).sort(), Object.keys(BIG_KEYS).sort());
  assert.equal(records.find(({ table }) => table === 'big').ranges.length, 3, 'ranges of the big table');
  const copy = await assertCopied(house, BIG_KEYS);
  assert.ok(copy.reads >= 300_000 + rows * 5, `${copy.reads} rows read`);

  const changes = await house.walcast.changes();
  const lastRead = changes.findLastIndex(({ op }) => op === 'READ');
  const firstChange = changes.findIndex(({ op }) => op !== 'READ' && op !== 'SCHEMA');
  assert.ok(firstChange > lastRead, `row ${lastRead} behind change ${firstChange}`);
  const read = new Set();
  for (const { op, schema, table, record } of changes) {
    if (!['READ', 'INSERT'].includes(op) || BIG_KEYS[`${schema}.${table}`].length === 0) continue;
    const key = `${schema}.${table} ${BIG_KEYS[`${schema}.${table}`].map((name) => record[name])}`;
    assert.ok(!read.has(key), `${op} of ${key}, which was there already`);
    if (op === 'READ') read.add(key);
  }
  const inTurn = new Set();
  for (const { op, table } of changes.slice(0, lastRead + 1)) if (op === 'READ') inTurn.add(table);
  const firstOf = (table) => changes.findIndex((change) => change.table === table);
  const lastOf = (table) => changes.findLastIndex((change) => change.op === 'READ' && change.table === table);
  const overlap = [...inTurn].some((one) => [...inTurn].some((other) => one !== other &&
    firstOf(one) < firstOf(other) && firstOf(other) < lastOf(one)));
  assert.ok(overlap, 'no two tables were read at the same time');
});

test('a table without privilege fails alone, and changes follow', async (t) => {
  const house = await startHouse(t, { walcast: false, schema:
    `CREATE TABLE items (id int PRIMARY KEY); CREATE TABLE secret (id int PRIMARY KEY);
     INSERT INTO items SELECT generate_series(1, 1000); INSERT INTO secret VALUES (1);
     CREATE PUBLICATION walcast FOR TABLE items, secret; ${READER}` });
  await startAsReader(house, { 'snapshot.initial': '*.*' });
  const records = await initialEnds(house);
  const secret = records.find(({ table }) => table === 'secret');
  assert.equal(secret.state, 'failed');
  assert.match(secret.error, /permission denied/);
  await house.postgres.query('INSERT INTO items VALUES (1001); INSERT INTO secret VALUES (2)');
  await waitConfirmed(house.postgres);
  const changes = (await house.walcast.changes()).map(({ op, table, record }) => `${op} ${table} ${record?.id}`);
  assert.ok(!changes.some((change) => change.startsWith('READ secret')));
  assert.deepEqual(changes.slice(-2), ['INSERT items 1001', 'INSERT secret 2']);
  // Once it may be read, the same snapshot goes on.
  await house.postgres.query('GRANT SELECT ON secret TO reader');
  const { code, stderr } = await house.walcast.command(['snapshot', 'resume', secret.id, '--wait']);
  assert.equal(code, 0, stderr);
  await assertCopied(house, { 'public.items': ['id'], 'public.secret': ['id'] });
});

test('killed in the middle it goes on beside the changes', async (t) => {
  const rows = 2000;
  const house = await startHouse(t, { walcast: false, schema: bigTable(150_000) + churnSchema(rows) });
  const slow = await Proxy.start(t, house.nats.port, { bytesPerSecond: 1 << 20 });
  const churn = startChurn(house.postgres, { seed: 4, rows });
  t.after(() => churn.stop());
  house.walcast = await Walcast.start({ ...house,
    config: { ...CONFIG, 'nats.url': `nats://127.0.0.1:${slow.port}`, 'snapshot.workers': 1, 'snapshot.piece_bytes': '16KiB' } });
  await waitFor('rows of the big table', async () =>
    (await statusOfAll(house.walcast)).some(({ table, rows: count }) => table === 'big' && count > 0));
  await house.walcast.kill();
  delete house.walcast.config['snapshot.piece_bytes']; // slow until here only
  slow.bytesPerSecond = undefined;
  house.walcast.start();
  const records = await initialEnds(house);
  assert.ok(records.some(({ table, initial }) => table === 'big' && !initial), 'it was cut');
  await churn.stop();
  await assertCopied(house, BIG_KEYS);
});

test('killed at its very beginning, again and again: every table is read', async (t) => {
  const house = await startHouse(t, { walcast: false, schema:
    `CREATE TABLE items (id int PRIMARY KEY); CREATE TABLE lines (id int);
     INSERT INTO items SELECT generate_series(1, 1000); INSERT INTO lines SELECT generate_series(1, 1000)` });
  house.walcast = await Walcast.start({ ...house, config: CONFIG });
  await waitFor('a slot', async () => await slotRow(house.postgres).catch(() => null), 20_000, 1);
  await house.walcast.kill();
  const kills = await killAtAnswers(t, house);
  assert.ok(kills > 10, `${kills} kills`);
  house.walcast.start();
  await initialEnds(house);
  await assertCopied(house, { 'public.items': ['id'], 'public.lines': [] });
});

// The next process makes the same records and finds them there, and with them what was wanted meanwhile.
test('killed between the records and the mark: every table is read once, unless it is cancelled', async (t) => {
  const names = ['gone', 'items', 'lines'];
  const house = await startHouse(t, { walcast: false, schema: names.map((name) =>
    `CREATE TABLE ${name} (id int ${name === 'lines' ? '' : 'PRIMARY KEY'});
     INSERT INTO ${name} SELECT generate_series(1, 1000);`).join('\n') });
  house.walcast = await killedBeforePublish(t, { ...house, config: CONFIG }, '$KV.WALCAST_state.initial');
  const left = await statusOfAll(house.walcast);
  assert.deepEqual(left.map(({ table, state }) => `${table} ${state}`).sort(), names.map((name) => `${name} requested`));
  const gone = left.find(({ table }) => table === 'gone');
  const cancelled = await snapshot(house.walcast, 'cancel', gone.id);
  assert.equal(cancelled.code, 0, cancelled.stderr);
  house.walcast.start();
  await house.walcast.ready();
  for (const { id, table } of left) await waitState(house.walcast, id, table === 'gone' ? 'cancelled' : 'done');
  assert.equal((await statusOfAll(house.walcast)).length, names.length, 'no record was made again');
  await waitConfirmed(house.postgres);
  const read = (await house.walcast.changes()).filter(({ op }) => op === 'READ').map(({ table }) => table);
  assert.deepEqual(names.map((name) => read.filter((table) => table === name).length), [0, 1000, 1000]);
});

test('paused and resumed in the middle: changes wait for it no longer', async (t) => {
  const house = await startHouse(t, { walcast: false, schema: bigTable(150_000) });
  const slow = await Proxy.start(t, house.nats.port, { bytesPerSecond: 1 << 20 });
  house.walcast = await Walcast.start({ ...house, config: { ...CONFIG,
    'nats.url': `nats://127.0.0.1:${slow.port}`, 'snapshot.workers': 1, 'snapshot.piece_bytes': '16KiB' } });
  const { id } = await waitFor('rows of the big table', async () =>
    (await statusOfAll(house.walcast)).find(({ rows }) => rows > 0));
  const paused = await snapshot(house.walcast, 'pause', id, '--wait');
  assert.equal(paused.code, 0, paused.stderr);
  slow.bytesPerSecond = undefined;
  await house.walcast.ready();
  await house.postgres.query('INSERT INTO big VALUES (0, 0, NULL)');
  await waitConfirmed(house.postgres);
  const resumed = await snapshot(house.walcast, 'resume', id, '--wait');
  assert.equal(resumed.code, 0, resumed.stderr);
  await assertCopied(house, { 'public.big': ['id'] });
});

test('a slot that was there, and no table asked for: nothing is read', async (t) => {
  const house = await startHouse(t, { schema:
    'CREATE TABLE items (id int PRIMARY KEY); INSERT INTO items VALUES (1)' });
  await house.walcast.stop();
  house.walcast.config['snapshot.initial'] = '*.*';
  house.walcast.start();
  await house.walcast.ready();
  await started(house.walcast, 'items', '--wait');
  assert.deepEqual((await statusOfAll(house.walcast)).map(({ initial }) => initial), [false]);
});
