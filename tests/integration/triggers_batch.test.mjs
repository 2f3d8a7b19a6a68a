// Webhooks with `batch`: several events of one key in one request, with one outcome for all of them.
import assert from 'node:assert/strict';
import { Webhook } from 'standardwebhooks';
import { together } from '../lib/together.mjs';
import { insertOrders, outcomes, SECRET, startTriggers, told, trigger } from '../lib/triggers.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Receiver } from '../lib/webhooks.mjs';

const test = together(2);

const batching = (url, { size = 5, wait = '300ms', more = '', ...rest } = {}) =>
  trigger(url, { more: `, batch: { size: ${size}, wait: ${wait} }${more}`, ...rest });
const idsOf = (event) => event.body.map((one) => one.data.id);
const allIds = (receiver) => receiver.delivered.flatMap(idsOf);
const came = (receiver, count, timeout_ms = 60_000) => waitFor(`${count} events`,
  () => new Set(allIds(receiver)).size >= count, timeout_ms);
const upTo = (last, first = 1) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

function assertOrder(receiver, keys) {
  const last = new Map();
  const seen = new Set();
  for (const event of receiver.delivered) {
    assert.equal(new Set(event.body.map((one) => one.data.customer)).size, 1, 'a batch is of one key');
    for (const id of idsOf(event)) {
      if (seen.has(id)) continue; // a repeat
      seen.add(id);
      assert.ok(id > (last.get(id % keys) ?? 0), `${id} of key ${id % keys} came after ${last.get(id % keys)}`);
      last.set(id % keys, id);
    }
  }
}

test('as many of a key as there may be go in one request, the rest when it has waited, signed', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [batching(receiver.url, { size: 10, wait: '5s' })]);
  const from = Date.now();
  await insertOrders(house, 1, 23, 1);
  await came(receiver, 23);
  assert.deepEqual(receiver.events.slice(0, 2).map((event) => event.body.length), [10, 10]);
  assert.deepEqual(allIds(receiver), upTo(23));
  assert.ok(receiver.events.at(-1).at - from >= 5000, 'three have waited');
  assert.ok(receiver.events[1].at - from < 5000, 'whole ones have not');
  assert.equal(new Set(receiver.events.map((event) => event.id)).size, receiver.events.length);
  const webhook = new Webhook(SECRET);
  receiver.events.forEach((event) => webhook.verify(event.text, event.headers));

  const [first] = receiver.events[0].body;
  assert.deepEqual(Object.keys(first), ['type', 'timestamp', 'data', 'offset']);
  await told(house, 'orders', 'delivered', 23);
  for (const one of receiver.events.flatMap((event) => event.body.map((it) => ({ ...it, webhook: event.id })))) {
    const [outcome, ...others] = (await outcomes(house, 'orders', '--id', one.offset)).filter((it) => it.outcome === 'delivered');
    assert.equal(outcome.webhook_id, one.webhook);
    assert.match(outcome.batch, /^\S+\.\.\S+$/);
    assert.equal(others.length, 0);
  }

  await insertOrders(house, 24, 24, 1);
  await came(receiver, 24);
  assert.deepEqual(idsOf(receiver.events.at(-1)), [24], 'one alone is a list of one');
  new Webhook(SECRET).verify(receiver.events.at(-1).text, receiver.events.at(-1).headers);
});

test('a batch that fails comes again as it was, before what is behind it', async (t) => {
  const failures = new Map();
  const receiver = await Receiver.start(t, ({ body }) => {
    const key = body[0].data.customer;
    failures.set(key, (failures.get(key) ?? 0) + 1);
    return key < 3 && failures.get(key) <= 2 ? 500 : 200;
  });
  const house = await startTriggers(t, [batching(receiver.url, { size: 4, wait: '10s' })]);
  await insertOrders(house, 1, 100, 5);
  await came(receiver, 100);
  assertOrder(receiver, 5);
  for (const key of [0, 1, 2]) {
    const tries = receiver.events.filter((event) => event.body[0].data.customer === key).slice(0, 3);
    assert.equal(tries[0].body.length, 4);
    assert.equal(new Set(tries.map((event) => event.id)).size, 1, 'the same webhook-id');
    assert.equal(new Set(tries.map((event) => event.text)).size, 1, 'the same body');
  }
  await told(house, 'orders', 'delivered', 100);
  const failed = (await outcomes(house, 'orders')).filter((it) => it.outcome === 'failed');
  assert.equal(failed.length, 3 * 4 * 2, 'each event is told of each attempt');
  assert.ok(failed.every((it) => it.status === 500));
});

test('410: the list is one dead letter, and its replay is the same request', async (t) => {
  let gone = true;
  const receiver = await Receiver.start(t, () => (gone ? 410 : 200));
  const definition = (more) => batching(receiver.url, { size: 3, wait: '10s', more });
  const house = await startTriggers(t, [definition('')]);
  await insertOrders(house, 1, 3, 1);
  const dead = await told(house, 'orders', 'dead', 3);
  assert.equal(receiver.events.length, 1);
  assert.equal(dead.length, 3);
  const letters = (await house.walcast.commandOk(['dlq', 'list', '--json'])).trim().split('\n').map(JSON.parse);
  assert.equal(letters.length, 1);
  gone = false;
  await house.walcast.commandOk(['trigger', 'pause', 'orders']); // a new revision
  await house.walcast.commandOk(['trigger', 'resume', 'orders']);
  await house.walcast.commandOk(['dlq', 'replay', '--all']);
  await came(receiver, 3);
  assert.equal(receiver.events[1].text, receiver.events[0].text);
  assert.equal(receiver.events[1].id, receiver.events[0].id);
  new Webhook(SECRET).verify(receiver.events[1].text, receiver.events[1].headers);
});

test('a list has at most 250 events, fewer where there is much to tell, and fits into max_payload', async (t) => {
  const PAYLOAD_MAX = 1024 * 1024;
  const receiver = await Receiver.start(t);
  const by = (name, key, select) => trigger(`${receiver.url}/${name}`, { name, when: `new.status = '${name}'`,
    more: ', batch: { size: 250, wait: 5s }' }).replace('key: new.customer', `key: ${key}`).replace('new.id, new.customer', select);
  const house = await startTriggers(t, [by('short', 'new.customer', 'new.id, new.customer'),
    by('keyed', 'new.long', 'new.id, new.customer'), by('large', 'new.customer', 'new.id, new.customer, new.long')],
  { 'triggers.memory': '64MiB' }, 'CREATE TABLE orders (id bigint PRIMARY KEY, customer int, status text, long text)');
  await house.postgres.query(`INSERT INTO orders SELECT i, 1, CASE WHEN i <= 700 THEN 'short' WHEN i <= 1400 THEN 'keyed' ELSE 'large' END,
    repeat('k', CASE WHEN i <= 1400 THEN 300 ELSE 40000 END) FROM generate_series(1, 1460) i`);
  await came(receiver, 1460);
  const lists = (name) => receiver.events.filter((event) => event.path === `/${name}`);
  const sizes = (name) => lists(name).map((event) => event.body.length);
  assert.deepEqual(sizes('short'), [250, 250, 200]);
  assert.ok(Math.max(...sizes('keyed')) > 100 && Math.max(...sizes('keyed')) < 200, `${sizes('keyed')}`);
  assert.ok(Math.max(...sizes('large')) > 20, `${sizes('large')}`);
  assert.ok(receiver.events.every((event) => event.text.length < PAYLOAD_MAX - 8 * 1024));
  assert.deepEqual(['short', 'keyed', 'large'].map((name) => lists(name).flatMap(idsOf)), [upTo(700), upTo(1400, 701), upTo(1460, 1401)]);
  assert.equal(receiver.events.length, sizes('short').length + sizes('keyed').length + sizes('large').length);
});

test('kill -9 amid batches, some of which fail: every event comes, in order of its key, or is in a dead letter', async (t) => {
  let count = 0;
  let isWell = false;
  const receiver = await Receiver.start(t, async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return ++count % 4 === 0 && !isWell ? 503 : 200;
  });
  const house = await startTriggers(t, [batching(receiver.url, { size: 8, wait: '100ms' })]);
  await insertOrders(house, 1, 4000, 40);
  for (const enough of [300, 1500, 3000]) {
    await came(receiver, enough);
    await house.walcast.kill();
    await house.walcast.restart();
  }
  // One in four fails, and a list has four attempts: now and then one is given up.
  const done = await waitFor('an outcome of each', async () => {
    const all = (await outcomes(house, 'orders')).filter((it) => it.outcome === 'delivered' || it.outcome === 'dead');
    return new Set(all.map((it) => it.event_id)).size === 4000 && all;
  }, 90_000);
  assertOrder(receiver, 40);
  assert.ok(receiver.events.some((event) => event.body.length > 1));
  const dead = done.filter((it) => it.outcome === 'dead').map((it) => it.event_id);
  const delivered = new Set(receiver.delivered.flatMap((event) => event.body.map((one) => one.offset)));
  const missing = [...new Set(done.map((it) => it.event_id))].filter((id) => !delivered.has(id));
  assert.ok(missing.every((id) => dead.includes(id)), 'what did not come is in a dead letter');
  isWell = true;
  await house.walcast.commandOk(['dlq', 'replay', '--all']);
  await came(receiver, 4000);
  const webhook = new Webhook(SECRET);
  receiver.events.forEach((event) => webhook.verify(event.text, event.headers));
  t.diagnostic(`${dead.length} events given up, ${missing.length} that had not come, ${receiver.events.length} requests`);
});
