// Whatever stops the stream from taking changes, Walcast stops reading, PostgreSQL holds the WAL,
// and everything goes on by itself, with nothing lost or doubled.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { startHouse } from '../lib/house.mjs';
import { ServerProcess } from '../lib/process.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { removeScratch, scratchDirectory } from '../lib/scratch.mjs';
import { assertHoldsTable, slotRow, waitConfirmed } from '../lib/slot.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';
import { BINARY, Walcast } from '../lib/walcast.mjs';

const test = together(3);
const SCHEMA = 'CREATE TABLE items (id bigint PRIMARY KEY, text text)';
const SENDER_TIMEOUT_MS = 2000;
const IMPATIENT = { wal_sender_timeout: `${SENDER_TIMEOUT_MS}ms` };

async function insert(postgres, from, count) {
  await postgres.query(
    "INSERT INTO items SELECT i, repeat('x', 500) FROM generate_series($1::int, $2::int) i",
    [from, from + count - 1]);
}

function count(text, pattern) {
  return text.split('\n').filter((line) => pattern.test(line)).length;
}

async function waitFull(walcast) {
  await waitFor('a full stream', async () =>
    await walcast.metric('walcast_cdc_stream_full') === 1, 60_000, 50);
}

// Longer than the walsender waits for a sign of life.
async function sitOut(what, check) {
  const began = performance.now();
  await waitFor(what, async () => {
    await check();
    return performance.now() - began > 2 * SENDER_TIMEOUT_MS;
  }, 60_000, 100);
}

async function fill(t) {
  const house = await startHouse(t, { schema: SCHEMA, settings: IMPATIENT,
    config: { 'nats.max_bytes': '1MiB' } });
  await insert(house.postgres, 1, 10);
  await waitConfirmed(house.postgres);
  for (let i = 0; i < 8; i++) await insert(house.postgres, 11 + i * 1000, 1000);
  await waitFull(house.walcast);
  return house;
}

test('stream full: told, the walsender content, no storm; more room by the broker\'s own tool',
  async (t) => {
    const { postgres, nats, walcast } = await fill(t);
    const { active_pid: pid } = await slotRow(postgres);
    const { state } = await nats.streamInfo();
    const refusals = await walcast.metric('walcast_fanout_publish_failures_total');
    const health = await walcast.health();
    assert.equal(health.code, 503);
    assert.match(health.reason, /maximum bytes exceeded.*nats\.max_bytes/);
    await sitOut('a long time full', async () => {
      assert.equal((await slotRow(postgres)).active_pid, pid, 'the same walsender all along');
      assert.ok(await walcast.metric('walcast_fanout_publish_failures_total') - refusals <= 1);
    });
    assert.equal((await nats.streamInfo()).state.last_seq, state.last_seq);
    assert.equal(count(walcast.logText(), /the stream has no room/), 1);
    await nats.manage(async (manager) => {
      const { config } = await manager.streams.info('WALCAST');
      await manager.streams.update('WALCAST', { ...config, max_bytes: 64 << 20 });
    });
    await waitConfirmed(postgres);
    assert.deepEqual(await walcast.health(), { code: 200, status: 'ready', reason: undefined });
    assert.equal(await walcast.metric('walcast_cdc_stream_full'), 0);
    assert.equal((await nats.streamInfo()).config.max_bytes, 64 << 20, 'it is not taken back');
    await assertHoldsTable(walcast, postgres, 'items');
  });

test('stream full: more room by configuration and restart', async (t) => {
  const { postgres, nats, walcast } = await fill(t);
  await walcast.stop();
  walcast.start(); // as it was: it comes up full
  await waitFull(walcast);
  await walcast.kill();
  walcast.config['nats.max_bytes'] = '64MiB';
  walcast.start();
  await walcast.ready();
  await waitConfirmed(postgres);
  assert.equal((await nats.streamInfo()).config.max_bytes, 64 << 20);
  await assertHoldsTable(walcast, postgres, 'items');
});

test('stream full: age makes room, bit by bit', async (t) => {
  const { postgres, nats, walcast } = await startHouse(t, { schema: SCHEMA, settings: IMPATIENT,
    config: { 'nats.max_bytes': '1MiB', 'nats.max_age': '3s' } });
  // What was stored ages away: a reader sees each change while it is there.
  const reader = new ServerProcess([BINARY, 'tail', '--json', '--from', 'first'],
    { env: walcast.env, cwd: walcast.directory, log: join(walcast.directory, 'tail.log') });
  t.after(() => reader.kill());
  for (let i = 0; i < 5; i++) await insert(postgres, 1 + i * 1000, 1000);
  await waitFull(walcast);
  await waitConfirmed(postgres, 90_000);
  const read = () => reader.logText().split('\n').filter((line) => line.startsWith('{'));
  await waitFor('all changes read', () => read().length >= 5000);
  const ids = read().map((line) => JSON.parse(line).record.id);
  assert.deepEqual(ids, Array.from({ length: 5000 }, (_, i) => i + 1));
  assert.equal((await walcast.health()).status, 'ready');
  assert.ok((await nats.streamInfo()).state.first_seq > 1, 'it did age');
});

test('the server\'s store full: it goes on when the server is given more', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA, settings: IMPATIENT,
    config: { roles: 'cdc,ws' }, nats: { maxFileStore: '3MB' } });
  const { postgres, nats, walcast } = house;
  await insert(postgres, 1, 10);
  await waitConfirmed(postgres);
  for (let i = 0; i < 12; i++) await insert(postgres, 11 + i * 1000, 1000);
  await waitFull(walcast);
  await sitOut('a long time full', async () => assert.equal((await walcast.health()).code, 503));
  await nats.setMaxFileStore('1GB');
  await walcast.ready(90_000);
  await waitConfirmed(postgres);
  await assertHoldsTable(walcast, postgres, 'items');
});

test('no room for the record of positions: one wait, and on as soon as there is some', async (t) => {
  const { postgres, nats, walcast } = await startHouse(t, { schema: SCHEMA, settings: IMPATIENT });
  await insert(postgres, 1, 10);
  await waitConfirmed(postgres);
  const refuseRecords = (refuse) => nats.manage(async (manager) => {
    const { config } = await manager.streams.info('KV_WALCAST_state');
    await manager.streams.update('KV_WALCAST_state', { ...config, discard_new_per_subject: refuse });
  });
  await refuseRecords(true);
  await insert(postgres, 11, 10);
  await waitFull(walcast);
  const { active_pid: pid } = await slotRow(postgres);
  await sitOut('a long time full', async () => {
    assert.equal((await slotRow(postgres)).active_pid, pid, 'the same walsender all along');
    assert.equal(await walcast.metric('walcast_cdc_stream_full'), 1);
  });
  assert.match((await walcast.health()).reason, /storing the position/);
  await refuseRecords(false);
  await walcast.ready(10_000);
  await waitConfirmed(postgres);
  await assertHoldsTable(walcast, postgres, 'items');
});

test('broker away for longer than the sender waits', async (t) => {
  const { postgres, nats, walcast } = await startHouse(t, { schema: SCHEMA, settings: IMPATIENT });
  await insert(postgres, 1, 1000);
  await waitConfirmed(postgres);
  await nats.kill();
  await insert(postgres, 1001, 20000);
  const { confirmed_flush_lsn: before } = await slotRow(postgres);
  await sitOut('a long time without a broker', async () =>
    assert.equal((await slotRow(postgres)).confirmed_flush_lsn, before));
  assert.equal((await walcast.health()).code, 503);
  await nats.restart();
  await walcast.ready(60_000);
  await waitConfirmed(postgres);
  await assertHoldsTable(walcast, postgres, 'items');
});

test('broker slow: the walsender stays content, memory bounded, nothing lost', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA, settings: IMPATIENT, walcast: false });
  const { postgres, nats } = house;
  const proxy = await Proxy.start(t, nats.port, { bytesPerSecond: 1 << 20 });
  const walcast = await Walcast.start({ ...house, config: {
    'nats.url': `nats://127.0.0.1:${proxy.port}`, 'nats.window_bytes': '2MiB',
    'nats.ack_timeout': '30s' } });
  t.after(() => walcast.remove());
  await walcast.ready();
  await insert(postgres, 1, 1);
  await waitConfirmed(postgres);
  const { active_pid: pid } = await slotRow(postgres);
  const before = await walcast.metric('process_resident_memory_bytes');
  await insert(postgres, 2, 20000); // 10 MB: ten seconds at this rate
  await sitOut('a long time slow', async () => {
    assert.equal((await slotRow(postgres)).active_pid, pid, 'the same walsender all along');
    assert.ok(await walcast.metric('process_resident_memory_bytes') - before < 48 << 20);
  });
  assert.equal((await walcast.health()).status, 'ready');
  proxy.bytesPerSecond = undefined;
  await waitConfirmed(postgres);
  assert.equal(await walcast.metric('walcast_fanout_publish_failures_total'), 0);
  await assertHoldsTable(walcast, postgres, 'items');
});

test('the spill directory\'s disk full: PostgreSQL holds transactions itself', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA, walcast: false,
    settings: { ...IMPATIENT, logical_decoding_work_mem: '64kB' } });
  const { postgres } = house;
  const spill = scratchDirectory();
  t.after(() => removeScratch(spill));
  const mount = 'mount -t tmpfs -o size=2m tmpfs "$0" && exec "$@"';
  const walcast = await Walcast.start({ ...house,
    wrap: ['unshare', '--map-root-user', '--mount', 'sh', '-c', mount, spill],
    config: { 'cdc.memory_bytes': '1MiB', 'cdc.spill_dir': spill } });
  t.after(() => walcast.remove());
  await walcast.ready();
  await insert(postgres, 1, 1000);
  await insert(postgres, 1001, 20000); // ten megabytes
  await insert(postgres, 21001, 1000);
  await waitConfirmed(postgres);
  assert.match(walcast.logText(), /No space left on device/);
  assert.match(walcast.logText(), /streaming .*transactions=whole/);
  assert.equal((await walcast.health()).status, 'ready');
  await assertHoldsTable(walcast, postgres, 'items');
});
