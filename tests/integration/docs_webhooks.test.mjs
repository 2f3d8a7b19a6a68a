// The receiver of docs/WEBHOOKS.md and the definition of docs/SCHEDULES.md, as they stand there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageBlocks, Reader } from '../lib/docs.mjs';
import { startHouse } from '../lib/house.mjs';
import { insertOrders, SECRET, startTriggers, trigger } from '../lib/triggers.mjs';
import { Receiver } from '../lib/webhooks.mjs';
import { waitFor } from '../lib/wait.mjs';

test('docs/WEBHOOKS.md: what a receiver does takes a real delivery and nothing else', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(receiver.url)]);
  const reader = new Reader({ WEBHOOK_SECRET: SECRET });
  t.after(() => reader.remove());
  const [block, ...others] = pageBlocks('docs/WEBHOOKS.md', 'js');
  assert.deepEqual(others, []);
  await insertOrders(house, 1, 1, 1);
  const [{ text, headers }] = await receiver.waitFor(1);
  const verifies = async (body, given) => {
    const code = `const body = process.env.BODY, headers = JSON.parse(process.env.HEADERS);\n${block}`;
    const started = reader.run(t, 'node', ['--input-type=module', '-e', code], { BODY: body, HEADERS: JSON.stringify(given) });
    return { code: await started.ended, said: started.text() };
  };
  const good = await verifies(text, headers);
  assert.equal(good.code, 0, good.said);
  const cut = await verifies(text.replace('"id":1', '"id":2'), headers);
  assert.notEqual(cut.code, 0);
  assert.match(cut.said, /No matching signature found/);
});

test('docs/SCHEDULES.md: the definition is taken, and runs by hand', async (t) => {
  const { walcast } = await startHouse(t, {});
  const authorization = `Bearer ${await walcast.token({ role: 'service_role' })}`;
  const ask = (method, path, body) => fetch(`${walcast.url}/v1/projects/default/cron${path}`, { method, headers: { authorization }, body });
  const [block, ...others] = pageBlocks('docs/SCHEDULES.md', 'json');
  assert.deepEqual(others, []);
  await waitFor('NATS', async () => (await ask('GET', '')).ok);
  const made = await ask('POST', '', block);
  assert.equal(made.status, 201, await made.clone().text());
  const { definition, warnings = [] } = await made.json();
  assert.deepEqual(warnings, []);
  assert.deepEqual(definition.on, JSON.parse(block).on);
  const run = await ask('POST', '/nightly/run');
  assert.equal(run.status, 202);
  assert.equal((await run.json()).schedule, 'nightly');
});
