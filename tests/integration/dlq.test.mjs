// Dead letters from outside: listed in pages, shown whole, thrown away; over the command line and
// over REST, and nobody sees another project's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTriggers, trigger, deadLetters, insertOrders } from '../lib/triggers.mjs';
import { Receiver } from '../lib/webhooks.mjs';
import { waitFor } from '../lib/wait.mjs';

const lines = (text) => text.split('\n').filter(Boolean).map(JSON.parse);
const dlq = async (house, ...words) => lines(await house.walcast.commandOk(['dlq', ...words, '--json']));

test('letters are listed in pages, shown whole and thrown away', async (t) => {
  const receiver = await Receiver.start(t, () => 500);
  const house = await startTriggers(t, [trigger(`${receiver.url}/a`, { name: 'a', retry: '[]' }),
    trigger(`${receiver.url}/b`, { name: 'b', retry: '[]' })]);
  await insertOrders(house, 1, 6, 6);
  await deadLetters(house, 12);

  const all = await dlq(house, 'list');
  assert.equal(all.length, 12);
  assert.deepEqual(all.map((it) => Number(it.id)), all.map((it) => Number(it.id)).sort((x, y) => x - y));
  const [first] = all.filter((it) => it.trigger === 'b');
  assert.equal(first.status, 500);
  assert.equal(first.attempts, 1);
  assert.match(first.reason, /given up after 1 attempt/);
  assert.match(first.webhook_id, /^msg_/);
  const page = await dlq(house, 'list', '--limit', '5', '--trigger', 'b');
  const rest = await dlq(house, 'list', '--after', page.at(-1).id, '--trigger', 'b');
  assert.deepEqual([...page, ...rest], all.filter((it) => it.trigger === 'b'));
  const more = await house.walcast.command(['dlq', 'list', '--limit', '5']);
  assert.equal(more.stdout.split('\n').filter(Boolean).length, 6);
  assert.match(more.stderr, /there are more/);

  const [whole] = await dlq(house, 'show', first.id);
  assert.equal(whole.body.type, 'public.orders.insert');
  assert.equal(whole.body.offset, whole.event_id);
  assert.equal(receiver.events.find((it) => it.id === whole.webhook_id).text, JSON.stringify(whole.body));

  await house.walcast.commandOk(['dlq', 'remove', first.id]);
  assert.equal((await dlq(house, 'list')).length, 11);
  const gone = await house.walcast.command(['dlq', 'show', first.id]);
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /there is no dead letter/);
  assert.match(await house.walcast.commandOk(['dlq', 'remove', '--all', '--trigger', 'b']), /^5 letters/);
  assert.ok((await dlq(house, 'list')).every((it) => it.trigger === 'a'));
  for (const words of [['replay'], ['remove', '--all', '1'], ['show', 'x'], ['lisst'], ['list', '--limit', '0']])
    assert.notEqual((await house.walcast.command(['dlq', ...words])).code, 0, words.join(' '));
});
