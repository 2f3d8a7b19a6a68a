// Triggers that begin in the past: what stands behind their beginning comes once, in order per key,
// and then what comes live, whoever is killed in between; others do not wait for it.
import assert from 'node:assert/strict';
import { together } from '../lib/together.mjs';
import { insertOrders, outcomes, startTriggers, trigger, watchTasks } from '../lib/triggers.mjs';
import { Receiver } from '../lib/webhooks.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { waitFor } from '../lib/wait.mjs';

const test = together(2);

const headers = { authorization: `Bearer ${goodToken({ role: 'service_role' })}` };
async function put(house, text) {
  const response = await fetch(`${house.walcast.url}/v1/projects/default/triggers`, { method: 'POST', headers, body: text });
  assert.equal(response.status, 201, await response.clone().text());
  return response.json();
}
const from = (text, start) => `${text}start_from: ${start}\n`;
const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const of = (receiver, name) => receiver.delivered.filter(({ path }) => path === `/${name}`);
const idsOf = (receiver, name) => of(receiver, name).map(({ body }) => body.data.id).sort((a, b) => a - b);

function assertInOrder(events) {
  const last = new Map();
  for (const { body: { data } } of events) {
    assert.ok(!(last.get(data.customer) > data.id), `key ${data.customer}: ${data.id} came late`);
    last.set(data.customer, data.id);
  }
}
const live = async (house) => await house.walcast.metric('walcast_triggers_starting') === 0;

test('first, an offset, a time: what stands behind comes, and nothing of what is before', async (t) => {
  const receiver = await Receiver.start(t);
  const at = (name) => trigger(`${receiver.url}/${name}`, { name });
  const house = await startTriggers(t, [at('now')]);
  await insertOrders(house, 1, 20, 5);
  await receiver.waitFor(20);
  const offset = of(receiver, 'now').find(({ body }) => body.data.id === 12).body.offset;
  const time = (await house.postgres.query('SELECT clock_timestamp() AS now')).rows[0].now;
  await insertOrders(house, 21, 40, 5);
  await put(house, from(at('first'), 'first'));
  await put(house, from(at('offset'), offset));
  await put(house, from(at('time'), time.toISOString()));
  await put(house, at('new'));
  await insertOrders(house, 41, 50, 5);
  await waitFor('all', () => ['now', 'first'].every((name) => of(receiver, name).length >= 50) &&
    of(receiver, 'offset').length >= 38 && of(receiver, 'time').length >= 30 && of(receiver, 'new').length >= 10);
  assert.deepEqual(idsOf(receiver, 'first'), range(1, 50));
  assert.deepEqual(idsOf(receiver, 'offset'), range(13, 50));
  assert.deepEqual(idsOf(receiver, 'time'), range(21, 50));
  assert.deepEqual(idsOf(receiver, 'new'), range(41, 50), 'made, and the next row is its first');
  for (const name of ['first', 'offset', 'time', 'new']) assertInOrder(of(receiver, name));
  await waitFor('all live', () => live(house));
});

test('events: first and an id', async (t) => {
  const receiver = await Receiver.start(t);
  const on = (name, start) => ['name: ' + name, 'on: { event: step }', `start_from: ${start}`, `do: { webhook: { url: "${receiver.url}/${name}" } }`].join('\n');
  const house = await startTriggers(t, [on('now', 'now')]);
  const publish = async (first, last) => (await (await fetch(`${house.walcast.url}/events/v1/batch`, { method: 'POST', headers,
    body: JSON.stringify({ events: range(first, last).map((data) => ({ type: 'step', data })) }) })).json()).ids;
  const ids = await publish(1, 30);
  await put(house, on('first', 'first'));
  await put(house, on('id', ids[19]));
  await publish(31, 40);
  await waitFor('all', () => of(receiver, 'first').length >= 40 && of(receiver, 'id').length >= 20 && of(receiver, 'now').length >= 40);
  const data = (name) => of(receiver, name).map(({ body }) => body.data);
  assert.deepEqual(data('first'), range(1, 40));
  assert.deepEqual(data('id'), range(21, 40));
  assert.deepEqual(data('now'), range(1, 40));
});

test('a long history beside live writes, kills in its middle: each row one task, others on time', async (t) => {
  const PAST = 20_000, LIVE = 400, KILLS = 3;
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(`${receiver.url}/other`, { name: 'other', when: 'new.customer = 1000' })]);
  for (let first = 1; first <= PAST; first += 500) // a message each
    await house.postgres.query(`INSERT INTO orders SELECT i, i % 50, 'paid' FROM generate_series(${first}, ${first + 499}) i`);
  const tasks = await watchTasks(t, house.nats);
  await put(house, from(trigger(`${receiver.url}/past`, { name: 'past', when: "new.status = 'paid' and new.customer < 1000" }), 'first'));
  const sent = new Map();
  let kills = 0, live_rows = 0;
  while (live_rows < LIVE || (kills < KILLS && live_rows < 5 * LIVE)) {
    const i = ++live_rows;
    sent.set(1_000_000 + i, Date.now());
    await house.postgres.query(`INSERT INTO orders VALUES (${PAST + i}, ${i % 50}, 'paid'), (${1_000_000 + i}, 1000, 'paid')`);
    const past = tasks.filter(({ trigger: name }) => name === 'past').length;
    if (kills < KILLS && past > (kills + 1) * PAST / 6 && past < PAST) {
      kills++;
      await house.walcast.kill();
      house.walcast.start();
      await house.walcast.ready();
    } else {
      await waitFor('the other', () => of(receiver, 'other').length >= i, 20_000, 2);
    }
  }
  const ofPast = () => tasks.filter(({ trigger: name }) => name === 'past');
  await waitFor('all tasks', () => ofPast().length >= PAST + live_rows, 120_000).catch((error) => { throw new Error(`${error.message}: ${ofPast().length}`); });
  await waitFor('all live', () => live(house));
  await waitFor('all delivered', () => of(receiver, 'past').length >= PAST + live_rows && of(receiver, 'other').length >= live_rows, 120_000);
  assert.equal(ofPast().length, PAST + live_rows);
  assert.equal(new Set(ofPast().map(({ event_id }) => event_id)).size, PAST + live_rows);
  assert.deepEqual(idsOf(receiver, 'past'), [...range(1, PAST + live_rows)]);
  assertInOrder(of(receiver, 'past'));
  assert.equal(of(receiver, 'other').length, live_rows);
  const waits = of(receiver, 'other').map(({ body, at }) => at - sent.get(body.data.id)).sort((a, b) => a - b);
  t.diagnostic(`${kills} kills; the other trigger beside the history: p50 ${waits[Math.floor(live_rows / 2)]} ms, p90 ${waits[Math.floor(live_rows * 9 / 10)]} ms`);
  assert.equal(kills, KILLS);
  assert.ok(waits[Math.floor(live_rows / 2)] < 2000, 'behind the history they would wait for seconds');
});

test('a history that nobody asks for any more is read no further', async (t) => {
  const ROWS = 6000; // more tasks than a history writes ahead of what is done
  const receiver = await Receiver.start(t, ({ path }) => path === '/past' ? new Promise(() => {}) : 200);
  const house = await startTriggers(t, [trigger(`${receiver.url}/now`, { name: 'now', when: 'new.customer < 0' })]);
  for (let first = 1; first <= ROWS; first += 200)
    await insertOrders(house, first, first + 199, 200);
  const consumers = async () => (await house.nats.streamInfo()).state.consumer_count;
  const before = await consumers();
  await put(house, from(trigger(`${receiver.url}/past`, { name: 'past' }), 'first'));
  await waitFor('its history', async () => receiver.events.length > 0 && await consumers() === before + 1);
  const removed = await fetch(`${house.walcast.url}/v1/projects/default/triggers/past`, { method: 'DELETE', headers });
  assert.equal(removed.status, 204);
  await waitFor('the end of its reading', async () => await consumers() === before);
});

test('what the stream removed before it was matched is told, and what follows is delivered', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(receiver.url)], { 'nats.max_age': '2s' });
  await insertOrders(house, 1, 5, 5);
  await receiver.waitFor(5);
  const other = await house.more({ roles: 'cdc' }); // it takes over, without triggers
  await house.walcast.stop();
  await insertOrders(house, 6, 10, 5);
  await waitFor('rows in the stream, and then gone', async () => {
    const { state } = await house.nats.streamInfo();
    return state.last_seq >= 2 && state.first_seq > state.last_seq;
  });
  await house.walcast.start();
  await house.walcast.ready();
  const [lost] = await waitFor('the outcome', async () => {
    const all = (await outcomes(house, 'orders')).filter(({ outcome }) => outcome === 'lost');
    return all.length > 0 && all;
  });
  assert.match(lost.reason, /messages \d+ to \d+ of WALCAST were removed before they were matched/);
  assert.equal(await house.walcast.metric('walcast_triggers_gaps_total'), 1);
  await waitFor('a warning', async () => /triggers have missed something/.test((await house.walcast.health()).reason ?? ''));
  await insertOrders(house, 11, 15, 5);
  await receiver.waitFor(10);
  assert.deepEqual(receiver.delivered.map(({ body }) => body.data.id).sort((a, b) => a - b), [...range(1, 5), ...range(11, 15)]);
  await other.stop();
});

test('a gap of the change stream is an outcome of each trigger on a table, and what follows is delivered', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(receiver.url)]);
  const { postgres, walcast } = house;
  await insertOrders(house, 1, 5, 5);
  await receiver.waitFor(5);
  await walcast.stop();
  await postgres.query("SELECT pg_drop_replication_slot('walcast')");
  await insertOrders(house, 6, 10, 5);
  walcast.args = ['--on-gap', 'continue'];
  await walcast.start();
  await walcast.ready();
  const [lost] = await waitFor('the outcome', async () => {
    const all = (await outcomes(house, 'orders')).filter(({ outcome }) => outcome === 'lost');
    return all.length > 0 && all;
  });
  assert.match(lost.reason, /changes are missing from the change stream, which its GAP event/);
  assert.equal(await walcast.metric('walcast_triggers_gaps_total'), 1);
  await waitFor('a warning', async () => /triggers have missed something/.test((await walcast.health()).reason));
  await insertOrders(house, 11, 15, 5);
  await receiver.waitFor(10);
  assert.deepEqual(receiver.delivered.map(({ body }) => body.data.id).sort((a, b) => a - b), [...range(1, 5), ...range(11, 15)]);
});
