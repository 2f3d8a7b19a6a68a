// Logical messages as events: each once, in order, whoever is killed when; none dropped in silence.
import assert from 'node:assert/strict';
import { eventCount, readEvents } from '../lib/events.mjs';
import { startHouse } from '../lib/house.mjs';
import { waitConfirmed } from '../lib/slot.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';

const test = together(2);

const SCHEMA = 'CREATE TABLE items (id bigint PRIMARY KEY, text text)';

const waitEvents = (nats, count, timeout_ms = 60_000) => waitFor(`${count} events`,
  async () => await eventCount(nats) >= count || Promise.reject(new Error(`${await eventCount(nats)}`)),
  timeout_ms, 20);

// The messages `{type} {n}` for n of a range, of three types in turn, some in transactions with
// rows, some alone.
async function emit(client, from, to) {
  for (let n = from; n <= to; n++) {
    const type = ['order.paid', 'order.sent', 'user'][n % 3];
    if (n % 5 === 0)
      await client.query("SELECT pg_logical_emit_message(false, $1, $2)", [type, `${type} ${n}`]);
    else
      await client.query(`BEGIN; INSERT INTO items VALUES (${n}, 'x');
        SELECT pg_logical_emit_message(true, '${type}', '${type} ${n}'); COMMIT`);
  }
}

function assertEvents(events, count) {
  const numbers = events.map(({ text }) => Number(text.split(' ')[1]));
  assert.deepEqual(numbers, Array.from({ length: count }, (_, i) => i + 1));
  for (const { subject, text } of events)
    assert.equal(subject, `atlasdb.events.default.${text.split(' ')[0].replace('.', '%2E')}`);
}

// Both forms of the change stream.
const ENCODINGS = ['protobuf', 'json'];

for (const encoding of ENCODINGS) test(`${encoding}: messages become events, with what a consumer needs`, async (t) => {
  const { postgres, nats, walcast } = await startHouse(t, { schema: SCHEMA,
    config: { 'nats.encoding': encoding } });
  await postgres.query("SELECT pg_logical_emit_message(false, 'plain', 'one')");
  await postgres.query(`BEGIN; INSERT INTO items VALUES (1, 'a');
    SELECT pg_logical_emit_message(true, 'order.paid', '{"id":1}');
    SELECT pg_logical_emit_message(true, 'a b:*>%', decode('00ff0a0d', 'hex'));
    SELECT pg_logical_emit_message(true, 'walcast.own', 'not an event');
    SELECT pg_logical_emit_message(true, '', ''); COMMIT`);
  await postgres.query("BEGIN; SELECT pg_logical_emit_message(true, 'gone', 'x'); ROLLBACK");
  await postgres.query("SELECT pg_logical_emit_message(false, 'plain', 'two')");
  await waitEvents(nats, 5);
  const events = await readEvents(nats);
  assert.deepEqual(events.map(({ subject, text }) => [subject, text]), [
    ['atlasdb.events.default.plain', 'one'],
    ['atlasdb.events.default.order%2Epaid', '{"id":1}'],
    ['atlasdb.events.default.a%20b%3A%2A%3E%25', '\x00�\n\r'],
    ['atlasdb.events.default._', ''],
    ['atlasdb.events.default.plain', 'two'],
  ]);
  assert.deepEqual([...events[2].data], [0, 255, 10, 13]);
  const changes = (await walcast.changes()).filter(({ op }) => op === 'MESSAGE');
  events.forEach(({ headers }, i) => {
    const { offset, lsn, xid } = changes[i];
    assert.equal(headers['Walcast-Offset'], offset);
    assert.equal(headers['Nats-Msg-Id'], offset);
    assert.equal(headers['Walcast-Lsn'], lsn);
    assert.equal(headers['Walcast-Xid'], `${xid ?? 0}`);
    assert.equal(headers['Walcast-Source'], 'message');
    assert.match(headers['Walcast-Time'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Math.abs(Date.parse(headers['Walcast-Time']) - Date.now()) < 600_000);
  });
  const { config } = await nats.streamInfo('WALCAST_EVENTS');
  assert.deepEqual(config.subjects, ['atlasdb.events.*.*']);
  assert.equal(config.duplicate_window, 600e9);
  assert.equal(config.max_age, 7 * 86400e9);
  assert.equal(config.storage, 'file');
});

// Kills one of the two at random moments until the load is done, then lets both settle.
async function killDuring(loading, kills, { walcast, nats }) {
  let done = false;
  const finished = loading.finally(() => { done = true; });
  for (let i = 0; i < kills || !done; i++) {
    const before = await walcast.metric('walcast_cdc_outbox_events_total').catch(() => 0) ?? 0;
    await waitFor('some progress', async () => done
      || await walcast.metric('walcast_cdc_outbox_events_total') > before + 40, 60_000, 5)
      .catch(() => {});
    if (done && i >= kills) break;
    if (i % 2 === 0) {
      await walcast.kill();
      walcast.start();
    } else {
      await nats.kill();
      await nats.restart();
    }
    await walcast.ready(60_000);
  }
  await finished;
}

test('2,000 messages, walcast and nats-server killed in turn: none lost, none doubled, in order',
  async (t) => {
    const house = await startHouse(t, { schema: SCHEMA });
    const { postgres, nats } = house;
    const client = await postgres.connect();
    await killDuring(emit(client, 1, 2000), 8, house);
    await client.end();
    await waitConfirmed(postgres);
    await waitEvents(nats, 2000, 120_000);
    assertEvents(await readEvents(nats), 2000);
  });

test('what was relayed is known for longer than the broker knows ids', async (t) => {
  const { postgres, nats, walcast } = await startHouse(t, { schema: SCHEMA });
  await emit(postgres, 1, 60);
  await waitEvents(nats, 60);
  await waitConfirmed(postgres);
  await walcast.stop();
  // The broker forgets the ids, and the relay's place.
  await nats.manage(async (manager) => {
    const { config } = await manager.streams.info('WALCAST_EVENTS');
    await manager.streams.update('WALCAST_EVENTS', { ...config, duplicate_window: 100e6 });
    for await (const { name } of manager.consumers.list('WALCAST'))
      await manager.consumers.delete('WALCAST', name);
  });
  await nats.restart();
  await emit(postgres, 61, 80);
  walcast.start();
  await walcast.ready();
  await waitEvents(nats, 80);
  await waitFor('all looked at', async () =>
    await walcast.metric('walcast_cdc_outbox_repeated_total') === 60);
  assertEvents(await readEvents(nats), 80);
});

test('a standby relays nothing; it takes over; an old relay that wakes doubles nothing', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA, settings: { wal_sender_timeout: '3s' } });
  const { postgres, nats, walcast } = house;
  const second = await Walcast.start(house);
  t.after(() => second.remove());
  await second.ready();
  const client = await postgres.connect();
  await emit(client, 1, 100);
  await waitEvents(nats, 100);
  assert.equal(await second.metric('walcast_cdc_outbox_events_total'), 0);
  const loading = emit(client, 101, 400);
  await waitEvents(nats, 150);
  walcast.process.child.kill('SIGSTOP');
  await waitFor('the takeover', async () => (await second.health()).status === 'ready', 30_000);
  await loading;
  await waitEvents(nats, 400);
  walcast.process.child.kill('SIGCONT');
  await waitFor('the first standing by', async () => (await walcast.health()).status === 'standby',
    60_000);
  await emit(client, 401, 450);
  await client.end();
  await waitEvents(nats, 450);
  assertEvents(await readEvents(nats), 450);
  assert.ok(await second.metric('walcast_cdc_outbox_events_total') > 0);
});

for (const encoding of ENCODINGS) test(`${encoding}: a message too large for the broker is an event that says so`, async (t) => {
  const { postgres, nats, walcast } = await startHouse(t, { schema: SCHEMA,
    config: { 'nats.encoding': encoding }, nats: { extra: 'max_payload: 65536' } });
  // In the change stream the second comes in parts already, and still fits into an event.
  for (const bytes of [60_000, 64_450, 300_000, 10])
    await postgres.query("SELECT pg_logical_emit_message(false, 'file', repeat('x', $1::int))", [bytes]);
  await waitEvents(nats, 4);
  const events = await readEvents(nats);
  assert.deepEqual(events.map(({ text, headers }) => [text.length, headers['Walcast-Too-Large']]),
    [[60_000, undefined], [64_450, undefined], [0, '300000'], [10, undefined]]);
  const changes = await walcast.changes();
  assert.deepEqual(events.map(({ headers }) => headers['Walcast-Offset']),
    changes.map(({ offset }) => offset));
  assert.equal(changes[2].message.content.length, 300_000, 'there it is whole');
  assert.equal(await walcast.metric('walcast_cdc_outbox_too_large_total'), 1);
});

test('a full stream of events is told, holds up nothing else, and goes on with more room',
  async (t) => {
    const { postgres, nats, walcast } = await startHouse(t, { schema: SCHEMA,
      config: { 'events.max_bytes': '64KiB' } });
    for (let n = 1; n <= 40; n++)
      await postgres.query("SELECT pg_logical_emit_message(false, 'file', $1 || repeat(' ', 5000))",
        [`file ${n}`]);
    const health = await waitFor('a warning', async () => {
      const answer = await walcast.health();
      return answer.status === 'warning' && answer;
    });
    assert.match(health.reason, /^cdc: events are not relayed: .*maximum bytes exceeded/);
    await waitConfirmed(postgres);
    await nats.manage(async (manager) => {
      const { config } = await manager.streams.info('WALCAST_EVENTS');
      await manager.streams.update('WALCAST_EVENTS', { ...config, max_bytes: -1 });
    });
    await waitEvents(nats, 40);
    await waitFor('no warning', async () => (await walcast.health()).status === 'ready');
    const numbers = (await readEvents(nats)).map(({ text }) => Number(text.trim().split(' ')[1]));
    assert.deepEqual(numbers, Array.from({ length: 40 }, (_, i) => i + 1));
  });

test('messages that aged away before they were relayed are told, and it goes on', async (t) => {
  const { postgres, nats, walcast } = await startHouse(t, { schema: SCHEMA,
    config: { 'events.max_bytes': '32KiB', 'nats.max_age': '3s' } });
  const emitFile = (n) => postgres.query(
    "SELECT pg_logical_emit_message(false, 'file', $1 || repeat(' ', 5000))", [`file ${n}`]);
  for (let n = 1; n <= 20; n++) await emitFile(n);
  await waitFor('a warning', async () => (await walcast.health()).status === 'warning');
  await waitConfirmed(postgres);
  await waitFor('an empty change stream', async () =>
    (await nats.streamInfo()).state.messages === 0, 30_000, 100);
  await nats.manage(async (manager) => {
    const { config } = await manager.streams.info('WALCAST_EVENTS');
    await manager.streams.update('WALCAST_EVENTS', { ...config, max_bytes: -1 });
  });
  await waitFor('the loss told', () =>
    /logical messages that the change stream lost/.test(walcast.logText()), 30_000, 50);
  const kept = await eventCount(nats);
  assert.ok(kept < 20);
  for (let n = 21; n <= 25; n++) await emitFile(n);
  await waitEvents(nats, kept + 5);
  const numbers = (await readEvents(nats)).map(({ text }) => Number(text.trim().split(' ')[1]));
  assert.deepEqual(numbers, [...Array.from({ length: kept }, (_, i) => i + 1), 21, 22, 23, 24, 25]);
  await waitFor('no warning', async () => (await walcast.health()).status === 'ready');
});
