// An endpoint's rate and concurrency are what the definition says over all processes that share the
// work, also while one of them goes.
import assert from 'node:assert/strict';
import { insertOrders, startTriggers, trigger } from '../lib/triggers.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Receiver } from '../lib/webhooks.mjs';

const test = together(2);

const partitions = (walcast) => walcast.metric('walcast_triggers_partitions');
const of = (receiver, name) => receiver.delivered.filter(({ path }) => path === `/${name}`);

// Three processes that share the partitions.
async function startThree(t, definitions) {
  const house = await startTriggers(t, definitions);
  const all = [house.walcast, await house.more(), await house.more()];
  await waitFor('shared partitions', async () => {
    const counts = await Promise.all(all.map(partitions));
    return counts.every((count) => count >= 4) && counts.reduce((a, b) => a + b) === 16;
  }, 60_000);
  return { house, all };
}

test('no more requests at once than an endpoint\'s concurrency, over three processes and a stop', async (t) => {
  const COUNT = 120, CUSTOMERS = 60;
  const limits = { one: 1, few: 5, many: 20 };
  const open = {}, most = {};
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  const receiver = await Receiver.start(t, async ({ path }) => {
    const name = path.slice(1);
    open[name] = (open[name] ?? 0) + 1;
    most[name] = Math.max(most[name] ?? 0, open[name]);
    await released;
    await new Promise((resolve) => setTimeout(resolve, 10));
    open[name]--;
    return 200;
  });
  const { house, all } = await startThree(t, Object.entries(limits).map(([name, concurrency]) =>
    trigger(`${receiver.url}/${name}`, { name, more: `, concurrency: ${concurrency}` })));
  await insertOrders(house, 1, COUNT, CUSTOMERS);
  await waitFor('all places taken', () => Object.entries(limits).every(([name, places]) => open[name] >= places), 30_000);
  release();
  await waitFor('some', () => of(receiver, 'few').length > COUNT / 4, 30_000);
  await all[2].stop();
  await insertOrders(house, COUNT + 1, 2 * COUNT, CUSTOMERS);
  for (const name of Object.keys(limits)) {
    await waitFor(`all of ${name}`, () => of(receiver, name).length === 2 * COUNT, 60_000);
    const last = new Map();
    for (const { body: { data } } of of(receiver, name)) {
      assert.ok(!(last.get(data.customer) > data.id), `${name}: ${data.id} came late`);
      last.set(data.customer, data.id);
    }
  }
  assert.deepEqual(most, limits);
});

test('no more requests a second than an endpoint\'s rate, over three processes', async (t) => {
  const COUNT = 90, RATE = 30;
  const receiver = await Receiver.start(t);
  const { house } = await startThree(t, [trigger(`${receiver.url}/orders`, { more: `, rate: ${RATE}/s` })]);
  await insertOrders(house, 1, COUNT, COUNT);
  const times = (await receiver.waitFor(COUNT)).map(({ at }) => at).sort((a, b) => a - b);
  // Each process begins with one; the rest is slack for a machine that notes the first ones late.
  const took_ms = times.at(-1) - times[0];
  assert.ok(took_ms >= (COUNT - 3) / RATE * 1000 * 0.75, `${COUNT} in ${took_ms} ms`);
});
