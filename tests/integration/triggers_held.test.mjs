// A trigger that is held back (paused, its endpoint failing, slower than what comes) costs others
// nothing: its tasks are put aside, and come in order once it goes on.
import assert from 'node:assert/strict';
import { insertOrders, startTriggers, told, trigger } from '../lib/triggers.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Receiver } from '../lib/webhooks.mjs';

const test = together(2);

const headers = { authorization: `Bearer ${goodToken({ role: 'service_role' })}` };
const insert = (house, status, first, last, customers) => house.postgres.query(
  `INSERT INTO orders SELECT i, i % ${customers}, '${status}' FROM generate_series(${first}, ${last}) i`);
const of = (receiver, name) => receiver.delivered.filter(({ path }) => path === `/${name}`);
const came = (receiver, name, count, timeout_ms = 120_000) => waitFor(`${count} of ${name}`,
  () => of(receiver, name).length >= count, timeout_ms)
  .catch((error) => { throw new Error(`${error.message}: ${of(receiver, name).length} came`); });
const tasksLeft = async (house) => (await house.nats.streamInfo('WALCAST_TRIGGERS')).state.messages;
const held = (house) => house.walcast.metric('walcast_triggers_held_tasks');
const say = (house, word, name) => house.walcast.commandOk(['trigger', word, name]);
const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const idsOf = (receiver, name) => of(receiver, name).map(({ body }) => body.data.id).sort((a, b) => a - b);

function assertInOrder(events) {
  const last = new Map();
  for (const { body: { data } } of events) {
    assert.ok(!(last.get(data.customer) > data.id), `key ${data.customer}: ${data.id} came late`);
    last.set(data.customer, data.id);
  }
}

test('a paused trigger with one waiting delivery holds up neither others, nor a history, nor the stream', async (t) => {
  const COUNT = 5000, WAITING = 40;
  const receiver = await Receiver.start(t);
  const at = (name, status) => trigger(`${receiver.url}/${name}`, { name, when: `new.status = '${status}'` });
  const house = await startTriggers(t, [at('waits', 'late'), at('busy', 'paid')]);
  await say(house, 'pause', 'waits');
  await insert(house, 'late', 1, 1, 5);
  await insertOrders(house, 1001, 1000 + COUNT, 100);
  await came(receiver, 'busy', COUNT);
  const made = await fetch(`${house.walcast.url}/v1/projects/default/triggers`,
    { method: 'POST', headers, body: `${at('history', 'paid')}start_from: first\n` });
  assert.equal(made.status, 201, await made.text());
  await came(receiver, 'history', COUNT);
  await waitFor('an empty stream of tasks', async () => await tasksLeft(house) <= 1, 60_000);
  await waitFor('the one put aside', async () => await held(house) === 1);
  assert.equal(of(receiver, 'waits').length, 0);
  const [outcome] = await told(house, 'waits', 'held');
  assert.match(outcome.reason, /paused/);

  await insert(house, 'late', 2, WAITING, 5); // behind the one that waits
  await waitFor('all put aside', async () => await held(house) === WAITING, 60_000);
  await say(house, 'resume', 'waits');
  await came(receiver, 'waits', WAITING);
  assert.deepEqual(idsOf(receiver, 'waits'), range(1, WAITING));
  for (const name of ['waits', 'busy', 'history']) assertInOrder(of(receiver, name));
  await waitFor('nothing put aside', async () => await held(house) === 0);
  await insert(house, 'late', 100, 110, 5); // live again
  await came(receiver, 'waits', WAITING + 11);
  assertInOrder(of(receiver, 'waits'));
});

test('what is put aside survives kills, before and while it comes back', async (t) => {
  const COUNT = 3000, CUSTOMERS = 60;
  const failed = new Set();
  // Some keys fail once on the way back, and are parked by themselves.
  const receiver = await Receiver.start(t, ({ body: { data } }) =>
    data.id % 97 === 0 && !failed.has(data.id) && failed.add(data.id) ? 500 : 200);
  const house = await startTriggers(t, [trigger(`${receiver.url}/orders`)]);
  await say(house, 'pause', 'orders');
  await insertOrders(house, 1, COUNT / 2, CUSTOMERS);
  await waitFor('some put aside', async () => await held(house) > 100, 60_000);
  await house.walcast.kill();
  await house.walcast.restart();
  await insertOrders(house, COUNT / 2 + 1, COUNT, CUSTOMERS);
  await waitFor('all put aside', async () => await held(house) === COUNT, 120_000);
  await waitFor('an empty stream of tasks', async () => await tasksLeft(house) <= 1, 30_000);
  await say(house, 'resume', 'orders');
  for (const part of [0.2, 0.5]) {
    await came(receiver, 'orders', COUNT * part);
    await house.walcast.kill();
    await house.walcast.restart();
  }
  await came(receiver, 'orders', COUNT);
  assert.deepEqual(idsOf(receiver, 'orders'), range(1, COUNT));
  assertInOrder(receiver.delivered);
  assert.equal(await house.walcast.metric('walcast_triggers_dead_total'), 0);
  await waitFor('nothing put aside', async () => await held(house) === 0);
});

test('a slow rate: what waits for it is put aside, and others go on', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [
    trigger(`${receiver.url}/slow`, { name: 'slow', more: ', rate: 10/s' }),
    trigger(`${receiver.url}/fast`, { name: 'fast' })]);
  await insertOrders(house, 1, 400, 10);
  await came(receiver, 'fast', 400);
  await waitFor('an empty stream of tasks', async () => await tasksLeft(house) <= 1, 38_000);
  assert.ok(of(receiver, 'slow').length < 400, 'it has not ended before');
  await came(receiver, 'slow', 150);
  for (const name of ['slow', 'fast']) assertInOrder(of(receiver, name));
});

// With a key a row, and endpoints whose answers do not open the breaker.
test('a trigger that takes its share of the parked keys waits unattempted, which is told; others retry', async (t) => {
  const COUNT = 2000, OTHERS = 50;
  let down = true;
  const once = new Set();
  const receiver = await Receiver.start(t, ({ path, id }) =>
    path === '/down' ? (down ? 404 : 200) : !once.has(id) && once.add(id) ? 429 : 200);
  const house = await startTriggers(t, [
    trigger(`${receiver.url}/down`, { name: 'down', when: "new.status = 'down'", retry: `[${Array(12).fill('10s').join(', ')}]` })
      .replace('new.customer\ndo', 'new.id\ndo'),
    trigger(`${receiver.url}/other`, { name: 'other', retry: '[1s, 1s, 1s, 1s, 1s]' })], { 'triggers.parked_keys': '1024' });
  await insert(house, 'down', 1, COUNT, COUNT);
  await waitFor('the share used up', async () => /share/.test((await house.walcast.health()).reason ?? ''), 60_000);
  assert.equal((await house.walcast.health()).code, 200, 'it is a warning');
  await waitFor('the metric', async () => await house.walcast.metric('walcast_triggers_held_up') === 1);
  await insertOrders(house, COUNT + 1, COUNT + OTHERS, OTHERS);
  await came(receiver, 'other', OTHERS, 60_000);
  assert.equal(await house.walcast.metric('walcast_triggers_dead_total'), 0);
  down = false;
  await came(receiver, 'down', COUNT);
  assert.equal(await house.walcast.metric('walcast_triggers_dead_total'), 0);
  await waitFor('no warning', async () => (await house.walcast.health()).reason === undefined, 30_000);
});

// Of the 64 keys of a partition a project gets half, where each of its triggers alone would get as
// much as those before it left.
test("a tenant's triggers take no more of the parked keys together than they leave free", async (t) => {
  const COUNT = 250, TRIGGERS = 6, OTHERS = 40;
  const once = new Set();
  const receiver = await Receiver.start(t, ({ path, id }) =>
    path === '/down' ? 404 : !once.has(id) && once.add(id) ? 429 : 200);
  const table = '(id bigint PRIMARY KEY, customer int, status text)';
  const down = (name) => `project: acme\n${trigger(`${receiver.url}/down`, { name, retry: '[1h]' })
    .replace('new.customer\ndo', 'new.id\ndo')}`;
  const house = await startTriggers(t, [...Array(TRIGGERS).keys()].map((i) => down(`down-${i}`))
    .concat(trigger(`${receiver.url}/other`, { name: 'other', retry: '[1s, 1s]' })),
  { 'triggers.parked_keys': '1024', 'postgres.tables': '*.*', 'postgres.tenant_schemas': 'proj_{project_id}' },
  `CREATE SCHEMA proj_acme; CREATE TABLE orders ${table}; CREATE TABLE proj_acme.orders ${table}`);
  await house.postgres.query(`INSERT INTO proj_acme.orders SELECT i, 1, 'paid' FROM generate_series(1, ${COUNT}) i`);
  await waitFor('all tried or put aside', async () =>
    await house.walcast.metric('walcast_triggers_parked_tasks') === COUNT * TRIGGERS, 60_000);
  const tried = receiver.events.length;
  assert.ok(tried > 16 * 32 / 2 && tried <= 16 * 32, `${tried} keys`);
  await insertOrders(house, 1, OTHERS, OTHERS);
  await came(receiver, 'other', OTHERS, 60_000);
  assert.equal(await house.walcast.metric('walcast_triggers_dead_total'), 0);
});

test('triggers whose endpoints hang leave places for others', async (t) => {
  const COUNT = 1500, OTHERS = 40;
  const receiver = await Receiver.start(t, ({ path }) => (path === '/other' ? 200 : 'hang'));
  const hangs = (name) => trigger(`${receiver.url}/${name}`, { name, when: "new.status = 'hangs'",
    more: ', concurrency: 1000, timeout: 60s' });
  const house = await startTriggers(t, [hangs('one'), hangs('two'), trigger(`${receiver.url}/other`, { name: 'other' })]);
  await insert(house, 'hangs', 1, COUNT, COUNT);
  await waitFor('many that hang', () => receiver.events.length > 500, 50_000);
  await insertOrders(house, COUNT + 1, COUNT + OTHERS, OTHERS);
  await came(receiver, 'other', OTHERS, 40_000);
  const hanging = receiver.events.filter(({ path }) => path !== '/other').length;
  assert.ok(hanging < 1000, `${hanging} of 1,024`);
});
