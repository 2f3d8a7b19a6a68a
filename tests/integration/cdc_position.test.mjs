// What is confirmed to PostgreSQL and when; what happens when slot, stream or link are not as they
// were left.
import assert from 'node:assert/strict';
import { startHouse } from '../lib/house.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { assertHoldsTable, slotRow, waitConfirmed } from '../lib/slot.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';

const test = together(3);

const SCHEMA = 'CREATE TABLE items (id bigint PRIMARY KEY, text text)';
const MARK = 'MARKED-FOR-DAMAGE';

async function reasonOf(walcast) {
  const response = await fetch(`${walcast.url}/health/ready`);
  const text = await response.text();
  return { status: response.status, text: response.ok ? text : JSON.parse(text).detail };
}

async function waitRefused(walcast, pattern) {
  return waitFor(`a refusal ${pattern}`, async () => {
    const { status, text } = await reasonOf(walcast);
    return status === 503 && pattern.test(text) ? text : Promise.reject(new Error(text));
  }, 20_000);
}

async function insert(postgres, from, count) {
  await postgres.query(
    "INSERT INTO items SELECT i, repeat('x', 100) FROM generate_series($1::int, $2::int) i",
    [from, from + count - 1]);
}

test('a drain confirms all that was stored', async (t) => {
  const { postgres, walcast } = await startHouse(t, { schema: SCHEMA });
  await insert(postgres, 1, 5000);
  const { rows: [{ lsn }] } = await postgres.query('SELECT pg_current_wal_lsn()::text AS lsn');
  await waitFor('the rows decoded', async () => await walcast.metric('walcast_cdc_rows_total') >= 5000);
  assert.deepEqual(await walcast.stop(), { code: 0, signal: null });
  const { rows: [row] } = await postgres.query(
    "SELECT confirmed_flush_lsn >= $1::pg_lsn AS done, active FROM pg_replication_slots", [lsn]);
  assert.deepEqual(row, { done: true, active: false });
  walcast.start();
  await walcast.ready();
  await assertHoldsTable(walcast, postgres, 'items');
  assert.equal(await walcast.metric('walcast_cdc_skipped_rows_total'), 0, 'nothing is sent again');
});

test('WAL that is not for us does not stay pinned, nor fill the stream', async (t) => {
  const { postgres, nats, walcast } = await startHouse(t, { schema: SCHEMA,
    config: { 'postgres.tables': 'public.items' } });
  await postgres.query('CREATE TABLE noise (id int)');
  await insert(postgres, 1, 1);
  await waitConfirmed(postgres);
  const before = (await nats.streamInfo()).state.last_seq;
  for (let i = 0; i < 3; i++) {
    await postgres.query('INSERT INTO noise SELECT generate_series(1, 50000)');
    await waitConfirmed(postgres);
  }
  assert.equal((await nats.streamInfo()).state.last_seq, before);
  // A restart finds its place although the tail does not show it.
  await walcast.kill();
  walcast.start();
  await walcast.ready();
  await insert(postgres, 2, 1);
  await waitConfirmed(postgres);
  await assertHoldsTable(walcast, postgres, 'items');
});

test('nothing is confirmed while the broker does not acknowledge', async (t) => {
  const { postgres, nats, walcast } = await startHouse(t, { schema: SCHEMA });
  await insert(postgres, 1, 10);
  await waitConfirmed(postgres);
  const { confirmed_flush_lsn: before } = await slotRow(postgres);
  nats.process.child.kill('SIGSTOP');
  await insert(postgres, 11, 1000);
  await waitFor('the rows decoded', async () => await walcast.metric('walcast_cdc_rows_total') >= 1010);
  for (let i = 0; i < 20; i++)
    await waitFor('an answer', async () => (await slotRow(postgres)).confirmed_flush_lsn === before);
  nats.process.child.kill('SIGCONT');
  await waitConfirmed(postgres);
  await assertHoldsTable(walcast, postgres, 'items');
});

test('a stalled broker blocks reading, and the walsender is kept content', async (t) => {
  const { postgres, nats, walcast } = await startHouse(t, { schema: SCHEMA,
    settings: { wal_sender_timeout: '2s' },
    config: { 'nats.window_messages': 4, 'nats.ack_timeout': '60s' } });
  const { active_pid: pid } = await slotRow(postgres);
  await insert(postgres, 1, 1); // the first message of a writer travels alone
  await waitConfirmed(postgres);
  nats.process.child.kill('SIGSTOP');
  await insert(postgres, 2, 100000);
  await waitFor('a full window',
    async () => (await walcast.metric('walcast_fanout_window_messages')) === 4);
  const stalled = performance.now();
  await waitFor('longer than the sender waits', () => performance.now() - stalled > 6000);
  nats.process.child.kill('SIGCONT');
  await waitConfirmed(postgres);
  assert.equal((await slotRow(postgres)).active_pid, pid, 'the same walsender all along');
  await assertHoldsTable(walcast, postgres, 'items');
});

test('a link that is cut without a sign is noticed and made anew', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA, walcast: false,
    settings: { wal_sender_timeout: '2s' } });
  const proxy = await Proxy.start(t, house.postgres.port);
  const url = house.postgres.url.replace(`:${house.postgres.port}`, `:${proxy.port}`);
  const walcast = await Walcast.start({ ...house,
    config: { 'postgres.url': url, 'postgres.connect_timeout': '1s' } });
  t.after(() => walcast.remove());
  await walcast.ready();
  await insert(house.postgres, 1, 10);
  await waitConfirmed(house.postgres);
  proxy.hold();
  await insert(house.postgres, 11, 10);
  await waitRefused(walcast, /cdc: /);
  proxy.release();
  proxy.cut();
  await walcast.ready(30_000);
  await waitConfirmed(house.postgres);
  await assertHoldsTable(walcast, house.postgres, 'items');
});

test('bytes that cannot be decoded stop the slot with their position and lose nothing', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA, walcast: false });
  // The message's letter, 'I', becomes one that does not exist, where the marked row comes along.
  const proxy = await Proxy.start(t, house.postgres.port, { rewrite(chunk) {
    const mark = chunk.indexOf(MARK);
    const letter = mark < 0 ? -1 : chunk.lastIndexOf('I', mark);
    if (letter >= 0) chunk[letter] = 'Z'.charCodeAt(0);
    return chunk;
  } });
  const url = house.postgres.url.replace(`:${house.postgres.port}`, `:${proxy.port}`);
  const walcast = await Walcast.start({ ...house, config: { 'postgres.url': url } });
  t.after(() => walcast.remove());
  await walcast.ready();
  await insert(house.postgres, 1, 100);
  await waitConfirmed(house.postgres);
  const { confirmed_flush_lsn: before } = await slotRow(house.postgres);
  await house.postgres.query('INSERT INTO items VALUES (101, $1), (102, $2)', ['fine', MARK]);
  await insert(house.postgres, 103, 10);
  const text = await waitRefused(walcast, /pgoutput message 'Z'/);
  assert.match(text, /slot "walcast" at LSN [0-9A-F]+\/[0-9A-F]+/);
  assert.match(walcast.logText(), /the slot keeps the WAL/);
  assert.equal((await slotRow(house.postgres)).confirmed_flush_lsn, before);
  proxy.rewrite = undefined;
  await walcast.restart();
  await waitConfirmed(house.postgres);
  await assertHoldsTable(walcast, house.postgres, 'items');
});

test('nats.confirm_lag keeps the slot behind what was acknowledged', async (t) => {
  const { postgres, walcast } = await startHouse(t, { schema: SCHEMA,
    config: { 'nats.confirm_lag': '5s' } });
  const { confirmed_flush_lsn: before } = await slotRow(postgres);
  await insert(postgres, 1, 100);
  await waitFor('the rows in the stream', async () => (await walcast.changes()).length === 100);
  const stored = performance.now();
  await waitFor('the record of them', () => performance.now() - stored > 2000);
  assert.equal((await slotRow(postgres)).confirmed_flush_lsn, before);
  await walcast.kill(); // what was not confirmed is not sent twice
  walcast.start();
  await walcast.ready();
  await waitConfirmed(postgres);
  assert.ok(performance.now() - stored > 4000, 'after the lag');
  await assertHoldsTable(walcast, postgres, 'items');
});
