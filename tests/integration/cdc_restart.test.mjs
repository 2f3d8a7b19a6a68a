// Promise 1: each of the three processes is killed in the middle of 100,000 changes; afterwards the
// stream holds each change once, in commit order, checked against the table.
import assert from 'node:assert/strict';
import { startHouse } from '../lib/house.mjs';
import { assertHoldsTable, waitConfirmed } from '../lib/slot.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';

const test = together(2);

const ROWS = 100_000;
const SCHEMA = 'CREATE TABLE items (id bigint PRIMARY KEY, text text)';

// Transactions of 1 to 500 rows, some rolled back, until the table's ids reach ROWS. A server that
// dies takes the connection along: it goes on from what the table says.
async function load(postgres, progress) {
  while (progress.id < ROWS) {
    const client = await waitFor('PostgreSQL', () => postgres.connect(), 30_000, 50);
    try {
      const { rows } = await client.query('SELECT coalesce(max(id), 0)::int AS id FROM items');
      progress.id = rows[0].id;
      while (progress.id < ROWS) {
        const count = [1, 10, 100, 500][progress.id % 4];
        const keep = progress.id % 11 !== 0 || progress.rolledBack === progress.id;
        await client.query(`BEGIN; INSERT INTO items SELECT i, repeat('x', 200) FROM
          generate_series(${progress.id + 1}, ${progress.id + count}) i; ${keep ? 'COMMIT' : 'ROLLBACK'}`);
        if (keep) progress.id += count;
        else progress.rolledBack = progress.id;
      }
    } catch {
      // The table tells what was committed.
    } finally {
      await client.end().catch(() => {});
    }
  }
}

async function killInTheMiddle(t, name, restart) {
  const house = await startHouse(t, { schema: SCHEMA });
  const progress = { id: 0 };
  const loading = load(house.postgres, progress);
  for (const part of [0.2, 0.5, 0.8]) {
    await waitFor(`${part} of the rows`, () => progress.id >= ROWS * part, 60_000);
    await house[name].kill();
    await restart(house);
  }
  await loading;
  await waitConfirmed(house.postgres);
  const changes = await assertHoldsTable(house.walcast, house.postgres, 'items');
  assert.ok(changes.length >= ROWS);
  assert.equal(new Set(changes.map((change) => change.offset.split('-')[0])).size, 1, 'one epoch');
}

test('walcast killed', (t) => killInTheMiddle(t, 'walcast', ({ walcast }) => walcast.start()));
test('nats-server killed', (t) => killInTheMiddle(t, 'nats', ({ nats }) => nats.restart()));
test('postgres killed', (t) => killInTheMiddle(t, 'postgres', ({ postgres }) => postgres.restart()));

test('one big transaction, walcast killed within it', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA });
  await house.postgres.query(
    `INSERT INTO items SELECT i, repeat('x', 200) FROM generate_series(1, ${ROWS}) i`);
  for (const part of [0.1, 0.4, 0.7]) {
    await waitFor(`${part} of the rows in the stream`, async () => {
      const { state } = await house.nats.streamInfo();
      return state.messages * 128 >= ROWS * part;
    }, 30_000, 2);
    await house.walcast.kill();
    house.walcast.start();
  }
  await waitConfirmed(house.postgres);
  await assertHoldsTable(house.walcast, house.postgres, 'items');
});
