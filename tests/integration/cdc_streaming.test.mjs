// Issue "bounded memory, protocols 1 to 4": transactions sent while they run give the same stream as
// whole ones, whatever is rolled back, spilled or killed.
import assert from 'node:assert/strict';
import { runMixed } from '../lib/mixed.mjs';
import { assertSameStreams, assertTable, runStatements, startModes, streamedCount,
  waitSlot } from '../lib/modes.mjs';
import { majors } from '../lib/postgres.mjs';
import { assertOrdered } from '../lib/slot.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';

const test = together(2);

// PostgreSQL does not say which savepoint a streamed logical message is of: whole ones tell.
for (const major of majors()) {
  test(`PostgreSQL ${major}: streamed and whole transactions give the same stream, and no message of a rolled back savepoint`, async (t) => {
    const house = await startModes(t, { major });
    await runStatements(house.postgres, [
      'BEGIN', 'SAVEPOINT a',
      "SELECT pg_logical_emit_message(true, 'gone', repeat('x', 20000)) FROM generate_series(1, 20)",
      'ROLLBACK TO a', "INSERT INTO items VALUES (1, 1, 'kept')",
      "SELECT pg_logical_emit_message(true, 'kept', 'hello')", 'COMMIT']);
    await runMixed(house.postgres, { seed: major, messages: true });
    const changes = await assertSameStreams(house);
    await assertTable(changes.filter(({ message }) => !message), house.postgres);
    assert.equal(changes[0].record.text, 'kept');
    assert.equal(changes.filter(({ message }) => message?.prefix === 'gone').length, 0);
    assert.equal(changes.filter(({ message }) => message?.prefix === 'kept').length, major >= 14 ? 1 : 0);
    if (major >= 14)
      await waitFor('streamed transactions', async () => await streamedCount(house.postgres) > 0);
    assert.equal(await house.walcast.metric('walcast_cdc_held_transactions'), 0);
    assert.equal(await house.walcast.metric('walcast_cdc_held_spill_bytes'), 0);
  });
}

test('killed and restarted at any moment, both modes give the same stream', async (t) => {
  const house = await startModes(t);
  let running = true;
  const load = runMixed(house.postgres, { seed: 99, sessions: 5, transactions: 12 })
    .finally(() => { running = false; });
  let kills = 0;
  while (running) {
    const before = await house.walcast.metric('walcast_cdc_received_bytes_total');
    await waitFor('something received', async () => !running ||
      await house.walcast.metric('walcast_cdc_received_bytes_total') > before + 300_000);
    await house.walcast.kill();
    kills++;
    // Every third time with whole transactions, so that what was streamed comes whole and back.
    house.walcast.config['postgres.streaming'] = kills % 3 === 0 ? 'off' : 'auto';
    house.walcast.start();
    await house.walcast.ready();
  }
  await load;
  assert.ok(kills >= 3, `${kills} kills`);
  const changes = await assertSameStreams(house);
  await assertTable(changes, house.postgres);
});

// Decoded while it runs and, by a Walcast that was away, from its start long after its end: then
// PostgreSQL cannot always stream it ("could not map filenode"), and it is asked for whole.
for (const away of [false, true]) test(`a shape changed in a rolled back savepoint is never seen${away ? ', nor later' : ''}`, async (t) => {
  const house = await startModes(t);
  if (away) await house.walcast.stop();
  await runStatements(house.postgres, [
    'BEGIN', "INSERT INTO items SELECT i, 1, repeat('x', 100), 'a' FROM generate_series(1, 2000) i",
    'SAVEPOINT a', 'ALTER TABLE items ADD COLUMN gone int DEFAULT 7',
    "INSERT INTO items SELECT i, 1, repeat('x', 100), 'gone' FROM generate_series(3001, 5000) i",
    'ROLLBACK TO a',
    "INSERT INTO items SELECT i, 1, repeat('x', 100), 'b' FROM generate_series(5001, 7000) i",
    'ALTER TABLE items ADD COLUMN kept int DEFAULT 8',
    "INSERT INTO items SELECT i, 1, repeat('x', 100), 'c' FROM generate_series(7001, 9000) i",
    'COMMIT']);
  if (away) house.walcast.start();
  const all = await assertSameStreams(house);
  const shapes = all.filter(({ op }) => op === 'SCHEMA').map(({ index, shape }) => [index, shape.columns.at(-1).name]);
  assert.deepEqual(shapes, [[4000, 'kept']]);
  const changes = all.filter(({ op }) => op !== 'SCHEMA');
  assert.equal(changes.length, 6000);
  assert.ok(changes.every(({ record }) => !('gone' in record)));
  assert.equal(changes.filter(({ record }) => record.kept === 8).length, 2000);
});

test('spilled to disk, then published; rolled back, nothing is left', async (t) => {
  const house = await startModes(t);
  const client = await house.postgres.connect();
  t.after(() => client.end());
  const insert = (from) => client.query(`INSERT INTO items SELECT i, 1, repeat('x', 500), 'a'
    FROM generate_series(${from}, ${from + 9999}) i`);
  const spilled = () => house.walcast.metric('walcast_cdc_held_spill_bytes');
  await client.query('BEGIN');
  await insert(1);
  await waitFor('a spill file', async () => await spilled() > 2_000_000);
  assert.ok(await house.walcast.metric('walcast_cdc_held_memory_bytes') <= 1 << 20);
  await client.query('ROLLBACK');
  await house.postgres.query("INSERT INTO whole VALUES (1, 'after')");
  await waitFor('nothing held', async () =>
    await house.walcast.metric('walcast_cdc_held_transactions') === 0 && await spilled() === 0);
  await client.query('BEGIN');
  await insert(1);
  await client.query('COMMIT');
  await waitSlot(house.postgres, 'walcast');
  const changes = await house.walcast.changes();
  assertOrdered(changes);
  assert.equal(changes.length, 10_001);
  assert.equal(await spilled(), 0);
});

test('a full spill file: PostgreSQL holds transactions itself, nothing is lost', async (t) => {
  const house = await startModes(t, { config: { 'cdc.spill_max_bytes': '1MiB' } });
  await house.postgres.query(`INSERT INTO items SELECT i, 1, repeat('x', 500), 'a'
    FROM generate_series(1, 10000) i`);
  await runMixed(house.postgres, { seed: 5 });
  await assertSameStreams(house);
  assert.match(house.walcast.logText(), /cdc\.spill_max_bytes \(1048576\).*raise it/);
  assert.match(house.walcast.logText(), /streaming .*transactions=whole/);
});

test('binary values arrive', async (t) => {
  const house = await startModes(t, { config: { 'postgres.binary': 'true' } });
  await house.postgres.query("INSERT INTO items VALUES (1, 2, 'text', NULL)");
  await waitSlot(house.postgres, 'walcast');
  const [change] = await house.walcast.changes();
  assert.equal(change.op, 'INSERT');
  assert.equal(change.record.text, '74657874'); // the bytes of a binary value, in hexadecimal
  assert.equal(change.record.big, null);
});
