// Chains: what a trigger causes carries how deep it stands, results are told to who waits for them, and
// a loop ends in the dead letters at the depth of 16.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { acting, startActions } from '../lib/actions.mjs';
import { readEvents } from '../lib/events.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { deadLetters, insertOrders, SCHEMA, SECRET, told, trigger } from '../lib/triggers.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Receiver } from '../lib/webhooks.mjs';

const results = async (house) => (await readEvents(house.nats)).filter((it) => it.type.startsWith('walcast%2Eresult%2E'));

test('a statement that makes its own trigger true again ends at 16', async (t) => {
  const house = await startActions(t, [acting(
    'sql: { statement: "update orders set customer = customer + 1 where id = $1", parameters: [new.id] }',
    { name: 'loop', ops: 'insert, update', when: 'new.id < 100' })], {}, SCHEMA);
  await house.postgres.query("INSERT INTO orders VALUES (1, 0, 'paid'), (100, 0, 'paid')");
  const [dead] = await told(house, 'loop', 'dead');
  assert.equal((await told(house, 'loop', 'delivered', 17)).length, 17); // of depth 0 to 16
  assert.match(dead.reason, /not attempted: it stands deeper in a chain of triggers than 16/);
  const { rows } = await house.postgres.query('SELECT id, customer FROM orders ORDER BY id');
  assert.deepEqual(rows, [{ id: '1', customer: 17 }, { id: '100', customer: 0 }]);
  // What a user does begins a chain of its own.
  await house.postgres.query('UPDATE orders SET customer = 0 WHERE id = 1');
  await deadLetters(house, 2);
  assert.equal((await house.postgres.query('SELECT customer FROM orders WHERE id = 1')).rows[0].customer, 17);
});

test('a receiver that passes the depth on: its event carries it', async (t) => {
  const headers = { authorization: `Bearer ${goodToken({ role: 'service_role' })}` };
  let house;
  const receiver = await Receiver.start(t, async ({ headers: got }) => {
    const answer = await fetch(`${house.walcast.url}/events/v1`, { method: 'POST', body: '{"type":"passed.on","data":1}',
      headers: { ...headers, 'walcast-depth': got['walcast-depth'] } });
    return answer.status === 202 ? 200 : 500;
  });
  house = await startActions(t, [trigger(receiver.url)]);
  await insertOrders(house, 1, 1, 1);
  await receiver.waitFor(1);
  const [event] = (await readEvents(house.nats)).filter((it) => it.type === 'passed%2Eon');
  assert.equal(event.headers['Walcast-Depth'], '1');
  for (const wrong of ['-1', 'x', '1001', '1.5']) {
    const answer = await fetch(`${house.walcast.url}/events/v1`, { method: 'POST', body: '{"type":"passed.on"}', headers: { ...headers, 'walcast-depth': wrong } });
    assert.equal(answer.status, 400);
    assert.match(await answer.text(), /Walcast-Depth/);
  }
});

test('results are told to who waits for them, before the end counts, over kills', async (t) => {
  const receiver = await Receiver.start(t, ({ path }) => path === '/bad' ? 410 : 200);
  const waiting = (name, of, outcome) => `name: ${name}\non: { result: ${of}, outcome: [${outcome}] }\ndo: { nats: { subject: told.${name} } }\n`;
  const house = await startActions(t, [
    trigger(`${receiver.url}/good`, { name: 'good' }), trigger(`${receiver.url}/bad`, { name: 'bad' }),
    trigger(`${receiver.url}/other`, { name: 'other' }),
    waiting('after-good', 'good', 'delivered'), waiting('after-bad', 'bad', 'dead'), waiting('never', 'other', 'dead')]);
  await insertOrders(house, 1, 100, 10);
  await waitFor('some results', async () => (await results(house)).length > 20);
  await house.walcast.kill();
  house.walcast.start();
  await waitFor('all results', async () => (await results(house)).length >= 200, 60_000);
  const all = await results(house);
  const of = (name) => all.filter((it) => it.type === `walcast%2Eresult%2E${name}`).map((it) => JSON.parse(it.text));
  assert.equal(of('other').length, 0);
  assert.equal(new Set(of('good').map((it) => it.event_id)).size, 100);
  assert.equal(of('good').length, 100, 'a repeat is taken away by its id');
  assert.equal(of('bad').length, 100);
  const [good] = of('good'), bad = of('bad').find((it) => it.attempts === 1);
  assert.deepEqual(Object.keys(good), ['trigger', 'event_id', 'status', 'reason', 'http_status', 'attempts', 'time']);
  assert.deepEqual([good.trigger, good.status, good.reason, good.http_status, good.attempts], ['good', 'delivered', null, 200, 1]);
  assert.deepEqual([bad.trigger, bad.status, bad.http_status], ['bad', 'dead', 410]);
  assert.match(bad.reason, /410 Gone/);
  assert.ok(all.every((it) => it.headers['Walcast-Depth'] === '1'));
});

test('a trigger on its own result ends at 16, and the depths are told', async (t) => {
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  const receiver = await Receiver.start(t, async () => { await released; return 200; });
  const house = await startActions(t, [trigger(receiver.url, { name: 'itself' })]);
  await insertOrders(house, 1, 1, 1);
  await waitFor('the first attempt', () => receiver.events.length === 1);
  writeFileSync(join(house.walcast.directory, 'triggers/0.yaml'), `name: itself
on: { result: itself }
do: { webhook: { url: "${receiver.url}", secret: "${SECRET}" } }
`);
  await waitFor('the other definition', async () => /"result"/.test(await house.walcast.commandOk(['trigger', 'list', '--json'])), 20_000);
  release();
  const [dead] = await told(house, 'itself', 'dead');
  assert.deepEqual(receiver.events.map((it) => it.headers['walcast-depth']), Array.from({ length: 17 }, (_, i) => `${i + 1}`));
  assert.match(dead.reason, /deeper in a chain of triggers than 16/);
  assert.equal((await results(house)).length, 17, 'the last one tells no result');
});

test('whom nobody may reach is a dead letter at once', async (t) => {
  const house = await startActions(t, [trigger('http://10.1.2.3/hook', { name: 'guarded', retry: '[1h]' }),
    trigger('http://169.254.169.254/latest', { name: 'metadata', retry: '[1h]' })]);
  await insertOrders(house, 1, 1, 1);
  for (const name of ['guarded', 'metadata']) {
    const [{ reason }, ...others] = await told(house, name, 'dead');
    assert.equal(others.length, 0);
    assert.match(reason, /refused: .*(10\.1\.2\.3|169\.254\.169\.254)/);
  }
});
