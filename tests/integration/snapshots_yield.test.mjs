// A snapshot beside changes that flow gives way: little at a time, evenly, and no less right.
import assert from 'node:assert/strict';
import test from 'node:test';
import { CHURN_KEYS, churnSchema, startChurn } from '../lib/churn.mjs';
import { startHouse } from '../lib/house.mjs';
import { assertCopied, quoted, started, statusOf, waitRecord, waitState } from '../lib/snapshot.mjs';
import { DEFAULT } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';

const PIECE_BYTES = 64 << 10;
const ROWS = 400; // one of `numbers` is 2.5 kB: a MB

function startYielding(t, config) {
  return startHouse(t, { schema: churnSchema(ROWS), config: { 'postgres.tables': '*.*', ...config } });
}

const bytesAPiece = ({ bytes, chunks }) => bytes / chunks;

test('while changes flow it reads little at a time, and all of it', async (t) => {
  const house = await startYielding(t, { 'snapshot.live_share': 20 });
  const churn = startChurn(house.postgres, { seed: 7, rows: ROWS });
  t.after(() => churn.stop());
  await waitFor('changes that flow', () => churn.count > 200);
  const ids = [];
  for (const table of Object.keys(CHURN_KEYS)) ids.push(await started(house.walcast, quoted(table)));
  for (const id of ids) {
    const record = await waitState(house.walcast, id, 'done');
    assert.ok(bytesAPiece(record) < 2 * PIECE_BYTES, `${record.bytes} bytes in ${record.chunks} pieces`);
  }
  await churn.stop();
  await assertCopied(house, CHURN_KEYS);
});

test('changes that begin in mid-snapshot slow it down, and leave it when they end', async (t) => {
  const house = await startHouse(t, { config: { 'snapshot.live_share': DEFAULT }, schema:
    `CREATE TABLE items (id int PRIMARY KEY, text text); CREATE TABLE ticks (id int PRIMARY KEY);
     INSERT INTO items SELECT i, repeat('x', 1000) FROM generate_series(1, 100000) i; ANALYZE` });
  const client = await house.postgres.connect();
  let flowing = true;
  const flow = (async () => {
    for (let i = 0; flowing; i++) await client.query(`INSERT INTO ticks VALUES (${i})`);
  })();
  const id = await started(house.walcast, 'items');
  const { bytes: before } = await waitRecord(house.walcast, id, 'rows', ({ rows }) => rows > 0);
  const slow = await waitRecord(house.walcast, id, 'more rows', ({ bytes }) => bytes > before);
  assert.equal(slow.state, 'running');
  assert.ok(slow.bytes - before < 16 << 20, `${slow.bytes - before} bytes between two looks`);
  flowing = false;
  await flow;
  await client.end();
  await waitState(house.walcast, id, 'done', 30_000);
  assert.equal((await statusOf(house.walcast, id)).rows >= 100000, true);
  await assertCopied(house, { 'public.items': ['id'], 'public.ticks': ['id'] });
});
