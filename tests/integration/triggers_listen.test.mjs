// `walcast trigger listen`: what a trigger makes of events, with nobody at its endpoint.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { ServerProcess } from '../lib/process.mjs';
import { insertOrders, startTriggers, trigger } from '../lib/triggers.mjs';
import { BINARY } from '../lib/walcast.mjs';
import { Receiver } from '../lib/webhooks.mjs';
import { waitFor } from '../lib/wait.mjs';

// Runs it until the test ends; its output is in `logText()`.
async function listen(t, house, ...words) {
  const log = join(house.walcast.directory, 'listen.log');
  const process = new ServerProcess([BINARY, 'trigger', 'listen', ...words],
    { log, env: house.walcast.env, cwd: house.walcast.directory });
  t.after(() => process.stop());
  await waitFor('it listens', () => process.assertAlive() ?? /listening to/.test(process.logText()));
  return process;
}
const parsed = (process) => process.logText().split('\n').slice(0, -1).filter((line) => line.startsWith('{')).map(JSON.parse);

test('deliveries of a paused trigger are shown, with no endpoint', async (t) => {
  const house = await startTriggers(t, [trigger('http://127.0.0.1:9/nobody'), trigger('http://127.0.0.1:9/nobody', { name: 'other' })]);
  await house.walcast.commandOk(['trigger', 'pause', 'orders']);
  await insertOrders(house, 1, 1, 1);
  const process = await listen(t, house, 'orders', '--json');
  await insertOrders(house, 2, 11, 5);
  await waitFor('all of them', () => parsed(process).length === 10);
  const told = parsed(process);
  assert.deepEqual(told.map((it) => it.body.data.id), [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  for (const { trigger: name, event_id, webhook_id, key, body, depth } of told) {
    assert.equal(name, 'orders');
    assert.equal(event_id, body.offset);
    assert.match(webhook_id, /^msg_/);
    assert.equal(key, String(body.data.customer));
    assert.equal(depth, 0);
  }
  const nobody = await house.walcast.command(['trigger', 'listen', 'nobody']);
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /there is no trigger nobody/);
});

test('what is forwarded is signed with the secret that is printed', async (t) => {
  const receiver = await Receiver.start(t, ({ body }) => (body.data.id === 2 ? 503 : 200));
  const house = await startTriggers(t, [trigger('http://127.0.0.1:9/nobody')], { 'triggers.allow': '10.9.9.9' });
  const process = await listen(t, house, 'orders', '--json', '--forward', `${receiver.url}/dev`);
  const secret = process.logText().match(/signed with (whsec_\S+)/)[1];
  await insertOrders(house, 1, 3, 1);
  await waitFor('three', () => parsed(process).length === 3);
  assert.deepEqual(parsed(process).map((it) => it.forwarded.status), [200, 503, 200]);
  for (const { text, headers, path } of receiver.events) {
    assert.equal(path, '/dev');
    new Webhook(secret).verify(text, headers);
  }
  receiver.stop();
  await insertOrders(house, 4, 4, 1);
  await waitFor('the fourth', () => parsed(process).length === 4);
  assert.equal(parsed(process)[3].forwarded.status, 0);
  assert.match(parsed(process)[3].forwarded.reason, /127\.0\.0\.1|connect|refused/i);
});
