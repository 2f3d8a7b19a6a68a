// What is asked for again comes again, with the same id: a change and an event by the trigger as it
// is now, a dead letter as it was. What cannot be had again is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deadLetters, insertOrders, outcomes, startTriggers, trigger, watchTasks } from '../lib/triggers.mjs';
import { Receiver } from '../lib/webhooks.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { waitFor } from '../lib/wait.mjs';

const headers = { authorization: `Bearer ${goodToken({ role: 'service_role' })}` };
async function post(house, path, body) {
  const response = await fetch(`${house.walcast.url}/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  const text = await response.text();
  assert.ok(response.ok, `${path}: ${response.status} ${text}`);
  return text && JSON.parse(text);
}
const again = (house, name, ids) => post(house, `v1/projects/default/triggers/${name}/redeliver`, { event_ids: ids });

test('a change and an event come again, matched by what the trigger is now', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(receiver.url), trigger(receiver.url, { name: 'none', when: "new.status = 'no'" }),
    `name: said\non: { event: said }\ndo: { webhook: { url: "${receiver.url}/said" } }`]);
  await house.postgres.query("INSERT INTO orders SELECT i, 1, CASE WHEN i = 7 THEN 'paid' ELSE 'open' END FROM generate_series(1, 20) i");
  const { id } = await post(house, 'events/v1', { type: 'said', data: { n: 1 } });
  await receiver.waitFor(2);
  const row = receiver.events.find(({ body }) => body.type !== 'said');
  await again(house, 'orders', [row.body.offset]);
  await again(house, 'said', [id]);
  await waitFor('both again', () => receiver.events.length === 4);
  for (const first of receiver.events.slice(0, 2)) {
    const second = receiver.events.slice(2).find((event) => event.id === first.id);
    assert.equal(second.text, first.text);
  }
  const [epoch] = row.body.offset.split('-');
  await again(house, 'orders', [`${epoch}-999999.0`, `${id.split('-')[0]}-77`]);
  await again(house, 'none', [row.body.offset]);
  const told = async (name) => (await outcomes(house, name)).filter(({ outcome }) => outcome === 'undecided').map(({ reason }) => reason);
  await waitFor('what is not held is told', async () => (await told('orders')).length === 2);
  for (const reason of await told('orders')) assert.match(reason, /redelivery: its stream does not hold/);
  await waitFor('what does not match is told', async () => (await told('none')).length === 1);
  assert.match((await told('none'))[0], /redelivery: the trigger as it is now does not match it/);
  assert.equal(receiver.events.length, 4);
});

test('dead letters become tasks again, each once over kills, and are gone then', async (t) => {
  const ROWS = 4, TRIGGERS = 8, COUNT = ROWS * TRIGGERS; // few a trigger: no breaker opens
  let failing = true;
  const receiver = await Receiver.start(t, () => failing ? 500 : 200);
  const house = await startTriggers(t, Array.from({ length: TRIGGERS }, (_, i) =>
    trigger(`${receiver.url}/${i}`, { name: `orders${i}`, retry: '[]' })));
  await insertOrders(house, 1, ROWS, ROWS);
  await deadLetters(house, COUNT);
  failing = false;
  const letters = (await house.walcast.commandOk(['dlq', 'list', '--json'])).split('\n').filter(Boolean).map(JSON.parse);
  assert.equal(letters.length, COUNT);
  await waitFor('no task but the last, which stays', async () => (await house.nats.streamInfo('WALCAST_TRIGGERS')).state.messages <= 1);
  const tasks = await watchTasks(t, house.nats);
  await waitFor('the tasks that are held', () => tasks.length >= 1);
  const before = tasks.length;
  await house.walcast.commandOk(['dlq', 'replay', '--all']);
  for (let kill = 1; kill <= 2; kill++) {
    await waitFor('some are back', () => tasks.length - before >= kill * COUNT / 4, 60_000, 1);
    await house.walcast.kill();
    house.walcast.start();
    await house.walcast.ready();
  }
  await receiver.waitFor(COUNT);
  await waitFor('no letters', async () => (await house.walcast.commandOk(['dlq', 'list', '--json'])).trim() === '');
  assert.equal(tasks.length - before, COUNT);
  assert.deepEqual(new Set(receiver.delivered.map(({ id }) => id)), new Set(letters.map(({ webhook_id }) => webhook_id)));
});
