// Two Walcasts on one server: one with the protocol that is tested, one that asks for whole
// transactions only. Their streams must be equal but for where runs begin.
import assert from 'node:assert/strict';
import { fold } from './fold.mjs';
import { startHouse } from './house.mjs';
import { MIXED_SCHEMA } from './mixed.mjs';
import { assertShapesTold } from './shapes.mjs';
import { assertOrdered } from './slot.mjs';
import { waitFor } from './wait.mjs';
import { Walcast } from './walcast.mjs';

const SETTINGS = { logical_decoding_work_mem: '64kB', max_prepared_transactions: 10 };
const SMALL = { 'cdc.memory_bytes': '1MiB' };

// The tables are MIXED_SCHEMA's; `house.plain` is the second Walcast.
export async function startModes(t, { major, config } = {}) {
  const house = await startHouse(t, { major, schema: MIXED_SCHEMA, settings: SETTINGS,
    config: { ...SMALL, ...config } });
  house.plain = await Walcast.start({ ...house, config: { 'postgres.slot': 'plain',
    'postgres.streaming': 'off', 'nats.stream': 'PLAIN', 'nats.prefix': 'plain' } });
  t.after(() => house.plain.remove());
  await house.plain.ready();
  return house;
}

// Resolves once the slot is confirmed up to what the server had written when this was called.
export async function waitSlot(postgres, slot) {
  const { rows: [{ lsn }] } = await postgres.query('SELECT pg_current_wal_lsn()::text AS lsn');
  await waitFor(`slot ${slot} confirmed to ${lsn}`, async () => {
    const { rows: [row] } = await postgres.query(
      `SELECT confirmed_flush_lsn >= $1::pg_lsn AS done, confirmed_flush_lsn::text AS at
       FROM pg_replication_slots WHERE slot_name = $2`, [lsn, slot]);
    return row.done || Promise.reject(new Error(`it is at ${row.at}`));
  }, 60_000, 50);
}

// Transactions that slot walcast was sent while they ran.
export async function streamedCount(postgres) {
  const { rows: [row] } = await postgres.query(
    "SELECT stream_txns::int AS count FROM pg_stat_replication_slots WHERE slot_name = 'walcast'");
  return row?.count ?? 0;
}

// One after the other on a connection of their own.
export async function runStatements(postgres, statements) {
  const client = await postgres.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

const withoutOffset = ({ offset, ...rest }) => rest;

// Once both have confirmed everything. Returns the changes.
export async function assertSameStreams(house) {
  await Promise.all([waitSlot(house.postgres, 'walcast'), waitSlot(house.postgres, 'plain')]);
  const [streamed, whole] = await Promise.all([house.walcast.changes(), house.plain.changes()]);
  assertOrdered(streamed);
  assert.equal(streamed.length, whole.length);
  for (let i = 0; i < whole.length; i++)
    assert.deepEqual(withoutOffset(streamed[i]), withoutOffset(whole[i]));
  assert.deepEqual(await assertShapesTold(house.nats), await assertShapesTold(house.nats, 'PLAIN'));
  return streamed;
}

// The stream's changes of `items` make the table.
export async function assertTable(changes, postgres) {
  const items = changes.filter(({ table }) => table === 'items');
  const { rows } = await postgres.query(
    'SELECT id::int, session, text, big FROM items ORDER BY id');
  const folded = [...fold(items, ({ id }) => id).values()].sort((a, b) => a.id - b.id);
  assert.equal(folded.length, rows.length);
  rows.forEach((row, i) => assert.deepEqual(
    { id: folded[i].id, session: folded[i].session, text: folded[i].text, big: folded[i].big }, row));
}
