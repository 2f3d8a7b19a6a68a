// The SQL that logical replication is hardest on, replayed from the stream into a second database.
// Each case runs in the source; what `walcast tail` then shows is applied to a second database, and
// every table of both is compared row by row. Nothing in it is random: --seed changes nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { parseRaw, Replay } from '../lib/replay.mjs';
import { assertOrdered, waitConfirmed } from '../lib/slot.mjs';
import { CASES } from './differential/cases.mjs';

async function tables(client) {
  const { rows } = await client.query(`
    SELECT n.nspname || '.' || c.relname AS name, c.oid::regclass::text AS quoted,
      array(SELECT quote_ident(attname) FROM pg_attribute
            WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum) AS columns
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind = 'r'`);
  return rows;
}

async function rowsOf(client, { quoted, columns }) {
  const { rows } = await client.query(
    `SELECT ROW(${columns.join(', ')})::text AS row FROM ONLY ${quoted}`);
  return rows.map(({ row }) => row).sort();
}

async function assertEqualTables(source, replica) {
  for (const table of await tables(source))
    assert.deepEqual(await rowsOf(replica, table), await rowsOf(source, table), table.name);
}

async function runCase(t, { both, source, replica }) {
  const house = await startHouse(t, { schema: both,
    settings: { logical_decoding_work_mem: '64kB' } });
  await house.postgres.query('CREATE DATABASE second');
  const url = house.postgres.url.replace(/postgres$/, 'second');
  const clients = [await house.postgres.connect(), await house.postgres.connect({ connectionString: url })];
  try {
    await clients[1].query(`${both}; ${replica ?? ''}`);
    for (const statement of source) await clients[0].query(statement);
    await waitConfirmed(house.postgres);
    const changes = await house.walcast.changes({ parse: parseRaw, shapes: true });
    assertOrdered(changes.map((change) => ({ ...change, index: Number(JSON.stringify(change.index)) })));
    const replay = await Replay.open(clients[1]);
    await clients[1].query('BEGIN');
    for (const change of changes) await replay.apply(change);
    await clients[1].query('COMMIT');
    await assertEqualTables(...clients);
  } finally {
    for (const client of clients) await client.end();
  }
}

for (const one of CASES) test(one.name, (t) => runCase(t, one));
