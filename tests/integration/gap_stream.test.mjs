// A broker that lost what it had acknowledged, and a stream or record that is not as it was left:
// replayed from the slot where that still has it all, told by a GAP event, stopped where it has not.
import assert from 'node:assert/strict';
import { cpSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { assertStops, epochOf, goOn, gapsOf, idsOf, insert, SCHEMA } from '../lib/gaps.mjs';
import { startHouse } from '../lib/house.mjs';
import { killAtAnswers } from '../lib/kills.mjs';
import { RawClient, websocketUrl } from '../lib/realtime.mjs';
import { waitConfirmed } from '../lib/slot.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';

const test = together(2);

const upTo = (last) => Array.from({ length: last }, (_, i) => i + 1);
const LAG = { 'nats.confirm_lag': '1h' };

const streamStore = (nats, stream = 'WALCAST') =>
  join(nats.directory, 'store/jetstream/$G/streams', stream);

// What a power cut can take: the stream's files as they were a while ago. whole: the record's too.
class Store {
  constructor(nats, { whole = false } = {}) {
    this.nats = nats;
    this.names = whole ? ['WALCAST', 'KV_WALCAST_state'] : ['WALCAST'];
  }

  async save() {
    await this.nats.stop();
    for (const name of this.names)
      cpSync(streamStore(this.nats, name), join(this.nats.directory, `saved-${name}`), { recursive: true });
    await this.nats.restart();
  }

  async setBack() {
    await this.nats.kill();
    for (const name of this.names) {
      rmSync(streamStore(this.nats, name), { recursive: true });
      cpSync(join(this.nats.directory, `saved-${name}`), streamStore(this.nats, name), { recursive: true });
    }
    await this.nats.restart();
  }
}

async function waitStored(walcast, last) {
  await waitFor(`row ${last} in the stream`, async () => (await idsOf(walcast)).includes(last), 60_000, 50);
}

// Rows 1 to 10 before the copy, 11 to 20 after it; Walcast stopped in good order.
async function housedSetBack(t, { config, whole } = {}) {
  const house = await startHouse(t, { schema: SCHEMA, config });
  const { postgres, nats, walcast } = house;
  await insert(postgres, 1, 10);
  await waitStored(walcast, 10);
  await walcast.stop();
  const store = new Store(nats, { whole });
  await store.save();
  walcast.start();
  await walcast.ready();
  for (let id = 11; id <= 20; id++) await insert(postgres, id, 1);
  await waitStored(walcast, 20);
  return { ...house, store };
}

test('a tail that went back is replayed from a slot that lags behind', async (t) => {
  const { postgres, walcast, store } = await housedSetBack(t, { config: LAG });
  const before = epochOf((await walcast.changes()).at(-1).offset);
  await walcast.stop();
  await store.setBack();
  await insert(postgres, 21, 1);
  walcast.start();
  await walcast.ready();
  await waitStored(walcast, 21);
  assert.deepEqual(await idsOf(walcast), upTo(21), 'nothing is missing, nothing twice');
  const [gap] = await gapsOf(walcast);
  assert.deepEqual([gap.reason, gap.missing], ['replayed', false]);
  assert.match(gap.text, /lost its last messages; slot "walcast" sends all after sequence \d+/);
  const changes = await walcast.changes();
  assert.equal(changes.findIndex((change) => change.op === 'GAP'), 10);
  assert.deepEqual([gap.old.epoch, gap.new.epoch],
    [before, epochOf(changes.at(-1).offset)]);
  assert.notEqual(gap.old.epoch, gap.new.epoch, 'old offsets are void');
  await walcast.restart();
  assert.equal((await gapsOf(walcast)).length, 1);
});

test('a tail that went back beyond what the slot has', async (t) => {
  const house = await housedSetBack(t);
  const { postgres, walcast, store } = house;
  await waitConfirmed(postgres);
  await walcast.stop();
  await store.setBack();
  await insert(postgres, 21, 1);
  await assertStops(house, 'stream_lost', /stream WALCAST ends at sequence \d+, but \d+ was acknowledged.*cannot all be sent again/);
  const gap = await goOn(house, 'stream_lost');
  assert.notEqual(gap.old.epoch, gap.new.epoch);
  await waitConfirmed(postgres);
  assert.deepEqual(await idsOf(walcast), [...upTo(10), 21]);
});

test('a tail that goes back, record and all, under a running Walcast', async (t) => {
  const { postgres, walcast, store } = await housedSetBack(t, { config: LAG, whole: true });
  await store.setBack();
  await waitFor('the replay', async () => (await gapsOf(walcast)).length === 1, 60_000, 50);
  await insert(postgres, 21, 1);
  await waitStored(walcast, 21);
  assert.deepEqual(await idsOf(walcast), upTo(21));
  assert.equal((await gapsOf(walcast))[0].reason, 'replayed');
});

test('clients of the gateway are told to join again', async (t) => {
  const { postgres, walcast, store } = await housedSetBack(t, { config: LAG });
  const token = await walcast.token();
  const client = await RawClient.connect(t, websocketUrl(walcast, { apikey: token, vsn: '2.0.0' }));
  const join = (ref) => client.join(ref, 'realtime:rows',
    { postgres_changes: [{ event: '*', schema: 'public', table: 'items' }] });
  join('1');
  await client.next('the subscription', (m) => m[3] === 'system' && m[4].status === 'ok');
  await store.setBack();
  const told = await client.next('the word', (m) => m[3] === 'system' && m[4].status === 'error', 60_000);
  assert.match(told[4].message, /changes may have been missed.*join again/);
  await client.next('the end of the channel', (m) => m[3] === 'phx_error');
  assert.ok(await walcast.metric('walcast_ws_gaps_total') >= 1);
  await waitStored(walcast, 20);
  client.received.length = 0;
  join('2');
  await client.next('the new subscription', (m) => m[3] === 'system' && m[4].status === 'ok', 60_000);
  await insert(postgres, 21, 1);
  const change = await client.next('a change', (m) =>
    m[3] === 'postgres_changes' && m[4].data.record.id === 21, 60_000);
  assert.equal(epochOf(change[4].data.offset), (await gapsOf(walcast))[0].new.epoch);
});

test('a tail that went back, record and all, before a start, and the slot has not', async (t) => {
  const house = await housedSetBack(t, { whole: true });
  const { postgres, walcast, store } = house;
  await waitConfirmed(postgres);
  await walcast.stop();
  await store.setBack();
  await assertStops(house, 'slot_ahead', /stream WALCAST holds changes only up to/);
});

test('kills at every moment of a replay leave one event and every row once behind it', async (t) => {
  const house = await housedSetBack(t, { config: LAG });
  const { walcast, store } = house;
  await walcast.stop();
  await store.setBack();
  const kills = await killAtAnswers(t, house);
  assert.ok(kills > 10, `${kills} kills`);
  walcast.start();
  await walcast.ready();
  await waitStored(walcast, 20);
  assert.equal((await gapsOf(walcast)).length, 1);
  assert.deepEqual(await idsOf(walcast), upTo(20));
  await walcast.stop();
  // Set back to before that event, too: what is left is of the history before it.
  await store.setBack();
  await assertStops({ walcast }, 'stream_lost', /was acknowledged/);
});

// nats-server writes blocks of 8 MB: with one wide row a message, one block is some hundred rows.
const WIDE = { 'cdc.run_rows': 1 };
const MIDDLE_ROWS = 1700;
const MIDDLE_MESSAGES = 1 + MIDDLE_ROWS; // the table's SCHEMA stands before them

async function insertWide(postgres, from, count) {
  await postgres.query(
    "INSERT INTO items SELECT i, repeat('x', 20000) FROM generate_series($1::int, $2::int) i",
    [from, from + count - 1]);
}

async function waitSequence(nats, sequence) {
  await waitFor(`sequence ${sequence}`,
    async () => (await nats.streamInfo()).state.last_seq >= sequence, 60_000, 50);
}

async function housedWithHole(t, config) {
  const house = await startHouse(t, { schema: SCHEMA, config: { ...WIDE, ...config } });
  const { postgres, nats, walcast } = house;
  await insertWide(postgres, 1, MIDDLE_ROWS);
  await waitSequence(nats, MIDDLE_MESSAGES);
  if (!config) await waitConfirmed(postgres);
  await walcast.stop();
  await nats.stop();
  cutBlock(nats, 1);
  await nats.restart();
  const { state } = await nats.streamInfo();
  assert.ok(state.num_deleted > 0, 'the middle is gone');
  assert.equal(state.last_seq, MIDDLE_MESSAGES, 'the end is not');
  return house;
}

// Cuts the block that is `index` places after the first of those that are whole.
function cutBlock(nats, index) {
  const folder = join(streamStore(nats), 'msgs');
  const blocks = readdirSync(folder).filter((name) => name.endsWith('.blk'))
    .map((name) => parseInt(name, 10)).sort((a, b) => a - b);
  assert.ok(blocks.length >= 4, `several blocks: ${blocks}`);
  truncateSync(join(folder, `${blocks.at(index)}.blk`), 0);
  for (const name of [`${blocks.at(index)}.idx`, `${blocks.at(index)}.fss`])
    rmSync(join(folder, name), { force: true });
}

test('a middle that was lost is replayed from a slot that lags behind', async (t) => {
  const { postgres, nats, walcast } = await housedWithHole(t, LAG);
  walcast.start();
  await walcast.ready();
  await insert(postgres, MIDDLE_ROWS + 1, 1);
  await waitStored(walcast, MIDDLE_ROWS + 1);
  const changes = await walcast.changes();
  const at = changes.findIndex((change) => change.op === 'GAP');
  const gap = JSON.parse(changes[at].message.content);
  assert.deepEqual([gap.reason, gap.missing], ['replayed', false]);
  const sequenceOf = (change) => Number(change.offset.split('-')[1].split('.')[0]);
  const stands = changes.filter((change) => sequenceOf(change) <= gap.from_sequence);
  const ids = [...stands, ...changes.slice(at + 1)].map((change) => Number(change.record.id));
  assert.deepEqual(ids, upTo(MIDDLE_ROWS + 1), 'before the hole and behind the event: each row once');
  assert.ok(changes.slice(at).every((change) => epochOf(change.offset) === gap.new.epoch));
  await walcast.restart();
  assert.equal((await gapsOf(walcast)).length, 1, 'a hole that was told is not told again');
  // Another one behind it is.
  const { state: { last_seq: last } } = await nats.streamInfo();
  await insertWide(postgres, MIDDLE_ROWS + 2, MIDDLE_ROWS);
  await waitSequence(nats, last + MIDDLE_ROWS);
  await walcast.stop();
  await nats.stop();
  cutBlock(nats, -2);
  await nats.restart();
  walcast.start();
  await walcast.ready();
  await waitFor('a second event', async () => (await gapsOf(walcast)).length === 2, 60_000, 100);
});

test('a middle that was lost and that the slot has not', async (t) => {
  const house = await housedWithHole(t);
  const { postgres, walcast } = house;
  await assertStops(house, 'stream_holed', /stream WALCAST misses messages from sequence \d+ on.*cannot all be sent again/);
  const check = await walcast.command(['check']);
  assert.match(check.stdout, /lacks \d+ messages in its middle/);
  const gap = await goOn(house, 'stream_holed');
  assert.notEqual(gap.old.epoch, gap.new.epoch);
  await insert(postgres, MIDDLE_ROWS + 1, 1);
  await waitConfirmed(postgres);
  assert.equal((await idsOf(walcast)).at(-1), MIDDLE_ROWS + 1);
  await walcast.restart();
  assert.equal((await gapsOf(walcast)).length, 1);
});

test('a stream that was made anew under its name begins with an event, in a new epoch', async (t) => {
  const { postgres, nats, walcast } = await startHouse(t, { schema: SCHEMA });
  await insert(postgres, 1, 10);
  await waitConfirmed(postgres);
  const before = epochOf((await walcast.changes())[0].offset);
  await walcast.stop();
  await nats.manage((manager) => manager.streams.delete('WALCAST'));
  await insert(postgres, 11, 10);
  walcast.start();
  await walcast.ready();
  await waitConfirmed(postgres);
  const [gap] = await gapsOf(walcast);
  assert.deepEqual([gap.reason, gap.old.epoch], ['stream_remade', before]);
  assert.notEqual(gap.new.epoch, before);
  assert.deepEqual(await idsOf(walcast), upTo(20).slice(10), 'what the slot still sends is there');
  await walcast.restart();
  assert.equal((await gapsOf(walcast)).length, 1);
});

test('messages without their position record', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA });
  const { postgres, nats, walcast } = house;
  await insert(postgres, 1, 10);
  await waitConfirmed(postgres);
  await walcast.stop();
  await nats.manage((manager) => manager.streams.delete('KV_WALCAST_state'));
  await insert(postgres, 11, 1);
  await assertStops(house, 'record_missing', /position record \(bucket WALCAST_state\) is gone.*cannot be told/);
  await goOn(house, 'record_missing');
  await waitConfirmed(postgres);
  assert.equal((await idsOf(walcast)).at(-1), 11);
  await walcast.restart();
  assert.equal((await gapsOf(walcast)).length, 1);
});

test('a tail that aged out leaves the record, and no gap', async (t) => {
  const { postgres, nats, walcast } = await startHouse(t, { schema: SCHEMA });
  await insert(postgres, 1, 10);
  await waitConfirmed(postgres);
  await walcast.stop();
  // The server ages them out; nobody purges.
  await nats.manage(async (manager) => {
    const { config } = await manager.streams.info('WALCAST');
    await manager.streams.update('WALCAST', { ...config, max_age: 1_000_000_000, duplicate_window: 100_000_000 });
  });
  await waitFor('an empty stream', async () => (await nats.streamInfo()).state.messages === 0, 30_000, 100);
  await insert(postgres, 11, 5);
  walcast.start();
  await walcast.ready();
  await waitConfirmed(postgres);
  assert.deepEqual(await idsOf(walcast), [11, 12, 13, 14, 15]);
  assert.deepEqual(await gapsOf(walcast), []);
});
