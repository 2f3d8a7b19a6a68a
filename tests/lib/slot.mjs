// The slot and the stream as PostgreSQL and Walcast's own reader see them, for tests of cdc.
import assert from 'node:assert/strict';
import { waitFor } from './wait.mjs';

export async function slotRow(postgres, name = 'walcast') {
  const { rows } = await postgres.query(
    'SELECT *, pg_current_wal_lsn() AS now FROM pg_replication_slots WHERE slot_name = $1', [name]);
  return rows[0];
}

// Resolves once the slot is confirmed up to what the server had written when this was called.
export async function waitConfirmed(postgres, timeout_ms = 60_000) {
  const { rows: [{ lsn }] } = await postgres.query('SELECT pg_current_wal_lsn()::text AS lsn');
  await waitFor(`a slot confirmed to ${lsn}`, async () => {
    const { rows: [row] } = await postgres.query(
      `SELECT confirmed_flush_lsn >= $1::pg_lsn AS done, confirmed_flush_lsn::text AS at
       FROM pg_replication_slots WHERE slot_name = 'walcast'`, [lsn]);
    return row.done || Promise.reject(new Error(`it is at ${row.at}`));
  }, timeout_ms, 50);
}

// What the server has written and the slot has not confirmed.
export async function unconfirmedBytes(postgres) {
  const { rows: [{ bytes }] } = await postgres.query(`SELECT
    pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::float8 AS bytes
    FROM pg_replication_slots WHERE slot_name = 'walcast'`);
  return bytes;
}

function lsnOf(text) {
  const [high, low] = text.split('/').map((half) => BigInt(`0x${half}`));
  return (high << 32n) | low;
}

// Promise 1 over the whole stream: commits in order, each transaction's changes contiguous, numbered
// from 0 and closed by exactly one `last`.
// A SCHEMA has no index of its own but that of the change behind it.
export function assertOrdered(changes) {
  let before = { lsn: -1n, index: -1, last: true };
  for (const change of changes.filter(({ op }) => op !== 'SCHEMA')) {
    const lsn = lsnOf(change.lsn);
    const says = `at ${change.offset} (${change.lsn}, ${change.index})`;
    if (lsn === before.lsn) {
      assert.equal(change.index, before.index + 1, `the next index ${says}`);
      assert.equal(before.last, false, `nothing behind the last ${says}`);
    } else {
      assert.ok(lsn > before.lsn, `a later commit ${says}`);
      assert.equal(change.index, 0, `a transaction from its start ${says}`);
      assert.equal(before.last, true, `a whole transaction before ${says}`);
    }
    before = { lsn, index: change.index, last: change.last };
  }
}

// The stream's inserts of a table, in stream order, are the table's rows, each once.
export async function assertHoldsTable(walcast, postgres, table) {
  const changes = await walcast.changes();
  assertOrdered(changes);
  const ids = changes.filter((change) => change.table === table).map((change) => change.record.id);
  const { rows } = await postgres.query(`SELECT id::int FROM ${table} ORDER BY id`);
  const sorted = [...ids].sort((left, right) => left - right);
  assert.equal(new Set(ids).size, ids.length, 'no change twice');
  assert.deepEqual(sorted, rows.map((row) => row.id));
  return changes;
}
