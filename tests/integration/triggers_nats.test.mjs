// Actions as NATS messages: heard by whoever listens, stored once by another application's stream,
// answered by a service; in order per key, and with a reason where it did not happen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { headers } from '@nats-io/transport-node';
import { acting, listen, startActions } from '../lib/actions.mjs';
import { insertOrders, outcomes, told } from '../lib/triggers.mjs';
import { waitFor } from '../lib/wait.mjs';

test('a message has the body, an id and a depth; who listens hears it in order per key', async (t) => {
  const house = await startActions(t, [acting('nats: { subject: shop.paid }')]);
  const heard = listen(house.client, 'shop.>');
  await house.client.flush();
  await insertOrders(house, 1, 200, 10);
  await waitFor('200 messages', () => heard.length >= 200);
  const [first] = heard;
  assert.deepEqual(Object.keys(JSON.parse(first.text)), ['type', 'timestamp', 'data', 'offset']);
  assert.equal(first.subject, 'shop.paid');
  assert.match(first.id, /^msg_[0-9a-f]{32}$/);
  assert.equal(first.depth, '1');
  assert.ok(!first.reply, 'nobody is asked for an answer');
  const last = new Map();
  for (const { data } of heard) {
    assert.ok(!(last.get(data.customer) > data.id));
    last.set(data.customer, data.id);
  }
  assert.equal(new Set(heard.map((it) => it.id)).size, 200);
});

test("another application's stream has each once, over kills of walcast and nats-server", async (t) => {
  const COUNT = 600;
  const house = await startActions(t, [acting('nats: { subject: shop.paid }', { retry: `[${Array(30).fill('1s').join(', ')}]` })]);
  await house.manager.streams.add({ name: 'SHOP', subjects: ['shop.*'], duplicate_window: 600e9 });
  for (let round = 0; round < 3; round++) {
    await insertOrders(house, round * COUNT / 3 + 1, (round + 1) * COUNT / 3, 20);
    await waitFor('some', async () => (await house.nats.streamInfo('SHOP')).state.messages > round * COUNT / 6, 60_000);
    if (round === 1) {
      await house.nats.kill();
      await house.nats.restart();
    } else {
      await house.walcast.kill();
      house.walcast.start();
    }
  }
  await waitFor('all', async () => (await house.nats.streamInfo('SHOP')).state.messages >= COUNT, 60_000);
  const info = await house.nats.streamInfo('SHOP');
  assert.equal(info.state.messages, COUNT); // ids are the same over attempts
});

test('a request is delivered when a service has answered; errors and silence are failures', async (t) => {
  const house = await startActions(t, [
    acting('nats: { subject: ask.good, request: true }', { name: 'good' }),
    acting('nats: { subject: ask.bad, request: true }', { name: 'bad', retry: '[]' }),
    acting('nats: { subject: ask.silent, request: true, timeout: 300ms }', { name: 'silent', retry: '[]' }),
    acting('nats: { subject: nobody.listens, request: true }', { name: 'nobody', retry: '[]' })]);
  const good = listen(house.client, 'ask.good', (message, count) => {
    const bad = headers();
    bad.set('Nats-Service-Error-Code', '503');
    bad.set('Nats-Service-Error', 'not now');
    message.respond('{}', count === 1 ? { headers: bad } : {});
  });
  listen(house.client, 'ask.bad', (message) => {
    const bad = headers();
    bad.set('Nats-Service-Error-Code', '409');
    bad.set('Nats-Service-Error', 'no such order');
    message.respond('', { headers: bad });
  });
  listen(house.client, 'ask.silent');
  await house.client.flush();
  await insertOrders(house, 1, 1, 1);
  await waitFor('a second attempt', () => good.length >= 2);
  assert.equal(good[0].id, good[1].id);
  const reasons = Object.fromEntries(await Promise.all(['bad', 'silent', 'nobody'].map(async (name) =>
    [name, (await told(house, name, 'dead'))[0].reason])));
  assert.match(reasons.bad, /the service answered with error 409: no such order/);
  assert.match(reasons.silent, /no answer in time/);
  assert.match(reasons.nobody, /nobody listens on nobody\.listens/);
  await told(house, 'good', 'delivered');
  const attempts = (await outcomes(house, 'good')).filter(({ outcome }) => ['failed', 'delivered', 'dead'].includes(outcome));
  assert.deepEqual(attempts.map(({ outcome }) => outcome), ['failed', 'delivered']);
  assert.match(attempts[0].reason, /error 503: not now/);
});

test('what a stream refuses is tried again, and goes through when it has room', async (t) => {
  const house = await startActions(t, [acting('nats: { subject: full.a }', { retry: `[${Array(30).fill('1s').join(', ')}]` })]);
  await house.manager.streams.add({ name: 'FULL', subjects: ['full.*'], max_msgs: 1, discard: 'new' });
  await insertOrders(house, 1, 2, 2);
  const failed = await waitFor('a refusal', async () => (await outcomes(house, 'orders')).find((it) => it.outcome === 'failed'));
  assert.match(failed.reason, /maximum messages/);
  await house.manager.streams.update('FULL', { max_msgs: 10 });
  await waitFor('both', async () => (await house.nats.streamInfo('FULL')).state.messages === 2, 30_000);
});

test('a subject of Walcast is refused, and a tenant has those below its name', async (t) => {
  const house = await startActions(t, [], { 'postgres.tenant_schemas': 'proj_{project_id}' },
    'CREATE TABLE orders (id bigint PRIMARY KEY, customer int, status text); CREATE SCHEMA proj_acme; CREATE TABLE proj_acme.orders (id bigint PRIMARY KEY, customer int, status text)');
  const validate = async (subject, project = 'default') => {
    const { writeFileSync } = await import('node:fs');
    const file = `${house.walcast.directory}/one.yaml`;
    writeFileSync(file, acting(`nats: { subject: ${subject} }`, { more: `project: ${project}` }));
    const { stdout, stderr } = await house.walcast.command(['trigger', 'validate', file]);
    return stdout + stderr;
  };
  assert.match(await validate('atlasdb.default.dev.orders.INSERT'), /is Walcast's own/);
  assert.match(await validate('shop.paid', 'acme'), /a tenant's begins with its project: acme\.\*/);
  assert.match(await validate('acme2.paid', 'acme'), /a tenant's begins with its project: acme\.\*/);
  assert.doesNotMatch(await validate('acme.paid', 'acme'), /subject/);
});
