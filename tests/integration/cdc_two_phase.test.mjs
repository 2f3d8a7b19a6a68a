// Two-phase commit: what is prepared is published at its COMMIT PREPARED, exactly once, in the order
// of commits, whatever happens between; and the slot never passes a PREPARE before.
import assert from 'node:assert/strict';
import { startHouse } from '../lib/house.mjs';
import { MIXED_SCHEMA, runMixed } from '../lib/mixed.mjs';
import { assertSameStreams, assertTable, runStatements, startModes } from '../lib/modes.mjs';
import { majors } from '../lib/postgres.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { assertOrdered } from '../lib/slot.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';

const test = together(2);

const TWO_PHASE = { 'postgres.two_phase': 'true' };
const insert = (from, count) => `INSERT INTO items SELECT i, 1, repeat('x', 100), 'a'
  FROM generate_series(${from}, ${from + count - 1}) i`;

async function prepare(postgres, gid, from, count) {
  await runStatements(postgres, ['BEGIN', insert(from, count), 'SAVEPOINT a',
    insert(from + count, count), 'ROLLBACK TO a', `PREPARE TRANSACTION '${gid}'`]);
  const { rows: [{ lsn }] } = await postgres.query('SELECT pg_current_wal_lsn()::text AS lsn');
  return lsn; // behind the PREPARE
}

// Whether the slot's confirmed position is beyond `lsn`.
async function confirmedBeyond(postgres, lsn) {
  const { rows: [{ beyond }] } = await postgres.query(`SELECT confirmed_flush_lsn >= $1::pg_lsn AS beyond
    FROM pg_replication_slots WHERE slot_name = 'walcast'`, [lsn]);
  return beyond;
}

async function marked(house, id) {
  await house.postgres.query(insert(id, 1));
  await waitFor(`row ${id} in the stream`, async () =>
    (await house.walcast.changes()).some(({ record }) => record?.id === id));
}

const held = (walcast) => walcast.metric('walcast_cdc_held_transactions');

for (const major of majors().filter((number) => number >= 15)) {
  test(`PostgreSQL ${major}: prepared, killed, committed: published once`, async (t) => {
    const house = await startModes(t, { major, config: TWO_PHASE });
    const { postgres, walcast } = house;
    const small = await prepare(postgres, 'small', 1, 10);
    await prepare(postgres, 'large', 1001, 2000); // streamed
    await prepare(postgres, 'gone', 5001, 10);
    await marked(house, 9001);
    await waitFor('three held', async () => await held(walcast) === 3);
    assert.equal((await walcast.changes()).length, 1);
    await walcast.kill();
    await marked({ ...house, walcast: house.plain }, 9002);
    walcast.start();
    await walcast.ready();
    await waitFor('three held again', async () => await held(walcast) === 3);
    await marked(house, 9003);
    assert.equal(await confirmedBeyond(postgres, small), false);
    await postgres.query("COMMIT PREPARED 'large'");
    await postgres.query("ROLLBACK PREPARED 'gone'");
    await waitFor('one held', async () => await held(walcast) === 1);
    await walcast.restart();
    await waitFor('one held again', async () => await held(walcast) === 1);
    assert.equal(await confirmedBeyond(postgres, small), false);
    await postgres.query("COMMIT PREPARED 'small'");
    const changes = await assertSameStreams(house);
    assert.equal(changes.length, 3 + 2000 + 10);
    assert.equal(await confirmedBeyond(postgres, small), true);
    await runMixed(postgres, { seed: major, sessions: 2, transactions: 4, prepared: true });
    await assertTable(await assertSameStreams(house), postgres);
  });
}

test('killed at any moment among prepared transactions', async (t) => {
  const house = await startModes(t, { config: TWO_PHASE });
  const { walcast, postgres } = house;
  let running = true;
  const load = runMixed(postgres, { seed: 7, sessions: 4, transactions: 12, prepared: true })
    .finally(() => { running = false; });
  let kills = 0;
  while (running) {
    const before = await walcast.metric('walcast_cdc_received_bytes_total');
    await waitFor('something received', async () => !running ||
      await walcast.metric('walcast_cdc_received_bytes_total') > before + 200_000);
    await walcast.kill();
    kills++;
    walcast.config['postgres.streaming'] = kills % 3 === 0 ? 'off' : 'auto';
    walcast.start();
    await walcast.ready();
  }
  await load;
  assert.ok(kills >= 3, `${kills} kills`);
  await assertTable(await assertSameStreams(house), postgres);
});

// PostgreSQL keeps the property on the slot, whatever START_REPLICATION says later.
// In JSON each change of a run is a message: the stream can end in the middle of the last one.
test('cut while the last run of a commit is sent: its PREPARE was not confirmed', async (t) => {
  const house = await startHouse(t, { schema: MIXED_SCHEMA, walcast: false,
    settings: { max_prepared_transactions: 10, wal_sender_timeout: '3s' } });
  const { postgres, nats } = house;
  const proxy = await Proxy.start(t, nats.port, { rewrite(chunk) {
    if (/"stream":"WALCAST", ?"seq":1\d\d\}/.test(chunk.toString('latin1'))) proxy.hold();
    return chunk;
  } });
  const walcast = await Walcast.start({ postgres, nats: { url: `nats://127.0.0.1:${proxy.port}` },
    config: { ...TWO_PHASE, 'nats.encoding': 'json', 'nats.window_messages': 16,
      'nats.ack_timeout': '1m', 'cdc.run_rows': 4096, 'cdc.run_bytes': '1MiB' } });
  t.after(() => walcast.remove());
  await walcast.ready();
  const prepared = await prepare(postgres, 'cut', 1, 1000);
  await waitFor('it held', async () => await held(walcast) === 1);
  await postgres.query("COMMIT PREPARED 'cut'");
  await waitFor('the link held', () => proxy.held, 60_000);
  const { rows: [{ now }] } = await postgres.query('SELECT clock_timestamp()::text AS now');
  await waitFor('positions told since', async () => (await postgres.query(`SELECT reply_time >
    $1::timestamptz + interval '2 s' AS told FROM pg_stat_replication`, [now])).rows[0]?.told, 60_000);
  assert.equal(await confirmedBeyond(postgres, prepared), false);
  await walcast.kill();
  walcast.config['nats.url'] = nats.url;
  walcast.start();
  await walcast.ready();
  await waitFor('its last row', async () => (await walcast.changes()).length >= 1000, 60_000);
  const changes = await walcast.changes();
  assert.equal(changes.length, 1000);
  assertOrdered(changes);
});

test('on, then off: the slot goes on as it was, nothing is lost', async (t) => {
  const house = await startModes(t, { config: TWO_PHASE });
  const { postgres, walcast } = house;
  const behind = await prepare(postgres, 'kept', 1, 10);
  await marked(house, 9001);
  await walcast.stop();
  walcast.config['postgres.two_phase'] = false;
  walcast.start();
  await walcast.ready();
  await marked(house, 9002);
  assert.equal(await confirmedBeyond(postgres, behind), false);
  await postgres.query("COMMIT PREPARED 'kept'");
  const changes = await assertSameStreams(house);
  assert.deepEqual(changes.map(({ record }) => record.id), [9001, 9002, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

// A slot of somebody else's making; `between` runs before Walcast uses it.
async function useSlotTwo(house, between = async () => {}) {
  const { postgres, walcast } = house;
  await walcast.stop();
  await postgres.query(`SELECT pg_create_logical_replication_slot('two', 'pgoutput', false, true)`);
  await between();
  Object.assign(walcast.config, { 'postgres.slot': 'two', 'nats.stream': 'TWO', 'nats.prefix': 'two' });
  walcast.start();
  await walcast.ready();
}

test('a slot made for two phases is used as it is', async (t) => {
  const house = await startModes(t);
  const { postgres, walcast } = house;
  await useSlotTwo(house);
  await prepare(postgres, 'kept', 1, 10);
  await marked(house, 9001);
  await walcast.restart();
  await postgres.query("COMMIT PREPARED 'kept'");
  await marked(house, 9002);
  const ids = (await walcast.changes()).map(({ record }) => record.id);
  assert.deepEqual(ids, [9001, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 9002]);
});

test('what another reader of the slot was given is a gap, told with what to do', async (t) => {
  const house = await startModes(t);
  const { postgres, walcast } = house;
  await useSlotTwo(house, async () => {
    await prepare(postgres, 'taken', 1, 10);
    await postgres.query(`SELECT pg_logical_slot_get_binary_changes('two', NULL, NULL,
      'proto_version', '3', 'publication_names', 'walcast', 'two_phase', 'on')`);
  });
  await postgres.query("COMMIT PREPARED 'taken'");
  await waitFor('the gap', () =>
    /code=gap error=.*prepared as 'taken'.*another reader of this slot/.test(walcast.logText()));
  assert.equal((await walcast.changes()).length, 0);
});

test('a server that is too old refuses with what to do', async (t) => {
  const house = await startModes(t, { major: 14 });
  const { walcast } = house;
  await walcast.stop();
  walcast.config['postgres.two_phase'] = 'true';
  walcast.start();
  await waitFor('the reason', () =>
    /postgres\.two_phase \(WALCAST_POSTGRES_TWO_PHASE\) is true, which needs PostgreSQL 15; the server is 14/
      .test(walcast.logText()));
});
