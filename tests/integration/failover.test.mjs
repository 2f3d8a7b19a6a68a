// Failover slots: the standby that is promoted has the slot, and the stream goes on from it.
import assert from 'node:assert/strict';
import { startHouse } from '../lib/house.mjs';
import { majors, Postgres } from '../lib/postgres.mjs';
import { assertHoldsTable, slotRow, waitConfirmed } from '../lib/slot.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';

const test = together(2);

const SCHEMA = 'CREATE TABLE items (id bigint PRIMARY KEY, text text)';

async function insert(postgres, from, count) {
  await postgres.query(
    "INSERT INTO items SELECT i, repeat('x', 100) FROM generate_series($1::int, $2::int) i",
    [from, from + count - 1]);
}

test('a slot that is there is marked, one marked stays so, and without the key none is', async (t) => {
  const { postgres, walcast } = await startHouse(t, { schema: SCHEMA, major: 17 });
  assert.equal((await slotRow(postgres)).failover, false);
  walcast.config['postgres.failover'] = true;
  await walcast.restart();
  assert.equal((await slotRow(postgres)).failover, true);
  assert.match(walcast.logText(), /the slot is a failover slot now/);
  walcast.config['postgres.failover'] = false;
  await walcast.restart();
  assert.equal((await slotRow(postgres)).failover, true);
  await insert(postgres, 1, 10);
  await waitConfirmed(postgres);
  await assertHoldsTable(walcast, postgres, 'items');
});

test('a server that has no failover slots: told, and all goes on', async (t) => {
  const { postgres, walcast } = await startHouse(t, { schema: SCHEMA, major: 16,
    config: { 'postgres.failover': true } });
  assert.match(walcast.logText(), /postgres\.failover is true, which needs PostgreSQL 17/);
  await insert(postgres, 1, 10);
  await waitConfirmed(postgres);
  await assertHoldsTable(walcast, postgres, 'items');
});

async function startPair(t) {
  const house = await startHouse(t, { schema: SCHEMA, major: majors().at(-1), walcast: false,
    settings: { synchronized_standby_slots: 'standby' } });
  const primary = house.postgres;
  await primary.query("SELECT pg_create_physical_replication_slot('standby', true)");
  const standby = await Postgres.startStandby(primary, { settings: {
    sync_replication_slots: 'on', hot_standby_feedback: 'on', synchronized_standby_slots: '' } });
  t.after(() => standby.remove());
  const hosts = `127.0.0.1:${primary.port},127.0.0.1:${standby.port}`;
  const walcast = await Walcast.start({ ...house, config: { 'postgres.failover': true,
    'postgres.url': `postgres://postgres@${hosts}/postgres?target_session_attrs=read-write` } });
  t.after(() => walcast.remove());
  await walcast.ready();
  return { ...house, primary, standby, walcast };
}

// The standby's copy is of use once it is synced and will outlive the promotion.
async function waitSynced(standby) {
  await waitFor('the slot on the standby', async () => {
    const row = await standby.query(
      "SELECT synced AND NOT temporary AS ok FROM pg_replication_slots WHERE slot_name = 'walcast'");
    return row.rows[0]?.ok;
  }, 90_000, 100);
}

test('primary killed, standby promoted: the stream goes on from the synced slot', async (t) => {
  const { primary, standby, walcast } = await startPair(t);
  await insert(primary, 1, 1000);
  await waitConfirmed(primary);
  await waitSynced(standby);
  for (let i = 0; i < 10; i++) await insert(primary, 1001 + i * 100, 100);
  await primary.kill();
  await standby.query('SELECT pg_promote()');
  await insert(standby, 10_001, 1000);
  await walcast.ready(60_000);
  await waitConfirmed(standby);
  await insert(standby, 20_001, 1000);
  await waitConfirmed(standby);
  assert.equal((await slotRow(standby)).failover, true);
  await assertHoldsTable(walcast, standby, 'items');
});
