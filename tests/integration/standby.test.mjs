// Two instances of one source: the second waits for the slot, is ready meanwhile, and goes on within
// seconds, however the first one ended; an old writer that wakes finds the fence.
import assert from 'node:assert/strict';
import { startHouse } from '../lib/house.mjs';
import { assertHoldsTable, slotRow, waitConfirmed } from '../lib/slot.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';
import '../lib/triggers_role.mjs';

const test = together(2);

const SCHEMA = 'CREATE TABLE items (id bigint PRIMARY KEY, text text)';
// What a dead host costs: the server finds it out by its silence.
const SENDER_TIMEOUT_MS = 3000;

async function startTwo(t, options = {}) {
  const house = await startHouse(t, { schema: SCHEMA,
    settings: { wal_sender_timeout: `${SENDER_TIMEOUT_MS}ms` }, ...options });
  const second = await Walcast.start({ ...house, config: options.config });
  t.after(() => second.remove());
  await second.ready();
  assert.deepEqual(await second.health(), { code: 200, status: 'standby', reason: undefined });
  assert.equal((await house.walcast.health()).status, 'ready');
  return { ...house, first: house.walcast, second };
}

// Small transactions, one after the other, until `stop` is set.
async function load(postgres, progress) {
  const client = await postgres.connect();
  while (!progress.stop) {
    await client.query(`INSERT INTO items SELECT i, repeat('x', 200) FROM
      generate_series(${progress.id + 1}, ${progress.id + 20}) i`);
    progress.id += 20;
  }
  await client.end();
}

const streams = async (walcast) => await walcast.metric('walcast_cdc_streaming') === 1;

// How long the slot stood still; the load goes on meanwhile.
async function takeOver(house, how) {
  const progress = { id: 0, stop: false };
  const loading = load(house.postgres, progress);
  await waitFor('some load', () => progress.id > 400);
  await how();
  const began = performance.now();
  await waitFor('the takeover', () => streams(house.second), 60_000);
  const took_ms = performance.now() - began;
  await waitFor('more load', () => progress.id > 1200, 60_000);
  return { took_ms, finish: async () => { progress.stop = true; await loading; } };
}

test('kill -9 of the first: the second streams within seconds, under load', async (t) => {
  const house = await startTwo(t);
  const { took_ms, finish } = await takeOver(house, () => house.first.kill());
  await finish();
  assert.ok(took_ms < 15_000, `${took_ms} ms`);
  assert.equal((await house.second.health()).status, 'ready');
  await waitConfirmed(house.postgres);
  await assertHoldsTable(house.second, house.postgres, 'items');
});

test('the first asked to end: the second goes on at once', async (t) => {
  const house = await startTwo(t);
  const { took_ms, finish } = await takeOver(house, () => house.first.stop());
  await finish();
  assert.ok(took_ms < 15_000, `${took_ms} ms`);
  await waitConfirmed(house.postgres);
  await assertHoldsTable(house.second, house.postgres, 'items');
});

test('a first that is paused: the server frees its slot, and what it says when it wakes is refused',
  async (t) => {
    // The paused one has messages on their way that nobody has stored: its window is never empty.
    const house = await startTwo(t, { config: { 'cdc.run_rows': 1, 'nats.ack_timeout': '2m' } });
    const { postgres, first, second } = house;
    const { active_pid: before } = await slotRow(postgres);
    const { took_ms, finish } = await takeOver(house,
      () => first.process.child.kill('SIGSTOP'));
    assert.ok(took_ms < SENDER_TIMEOUT_MS + 10_000, `${took_ms} ms`);
    assert.notEqual((await slotRow(postgres)).active_pid, before);
    first.process.child.kill('SIGCONT');
    await waitFor('the first standing by', async () => (await first.health()).status === 'standby',
      60_000);
    await finish();
    assert.ok(await streams(second), 'the second was not disturbed for good');
    await waitConfirmed(postgres);
    await assertHoldsTable(second, postgres, 'items');
    // And back: the roles are equal.
    await second.kill();
    await waitFor('the way back', () => streams(first), 60_000);
    await postgres.query("INSERT INTO items VALUES (-1, 'the last')");
    await waitConfirmed(postgres);
    await assertHoldsTable(first, postgres, 'items');
  });

// The fence itself, without PostgreSQL's help: both hold what they were sent, the old one publishes
// it after the new one did.
test('an old writer whose slot was taken while it had more to publish stores nothing', async (t) => {
  const house = await startTwo(t, { config: { 'cdc.run_rows': 1, 'nats.window_messages': 8 } });
  const { postgres, nats, first, second } = house;
  for (let round = 0; round < 3; round++) {
    const [old, fresh] = round % 2 === 0 ? [first, second] : [second, first];
    const from = round * 10_000;
    nats.process.child.kill('SIGSTOP'); // its window fills and more waits behind it
    await postgres.query(`INSERT INTO items SELECT i, repeat('x', 200) FROM
      generate_series(${from + 1}, ${from + 2000}) i`);
    await waitFor('a full window',
      async () => await old.metric('walcast_fanout_window_messages') > 0);
    old.process.child.kill('SIGSTOP');
    nats.process.child.kill('SIGCONT');
    await waitFor('the takeover', () => streams(fresh), 60_000);
    await waitConfirmed(postgres);
    old.process.child.kill('SIGCONT');
    await waitFor('the old one standing by', async () =>
      (await old.health()).status === 'standby', 60_000);
    await postgres.query(`INSERT INTO items VALUES (${from + 5000}, 'after')`);
    await waitConfirmed(postgres);
  }
  const changes = await assertHoldsTable(second, postgres, 'items');
  assert.equal(new Set(changes.map(({ offset }) => offset.split('-')[0])).size, 1, 'one epoch');
});
