// Triggers held against what is past: `walcast trigger dry-run`, and what of it is delivered again.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { insertOrders, startTriggers, trigger } from '../lib/triggers.mjs';
import { Receiver } from '../lib/webhooks.mjs';

const lines = (text) => text.split('\n').filter(Boolean).map(JSON.parse);

test('a dry run says of each past change what would be delivered, and which clause did not hold', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(receiver.url)]);
  await insertOrders(house, 1, 20, 4);
  await receiver.waitFor(20);
  await house.postgres.query("INSERT INTO orders VALUES (21, 1, 'open'), (22, 2, NULL); DELETE FROM orders WHERE id = 1");
  const changes = await house.walcast.changes({ table: 'public.orders' });
  const dry = async (...words) => {
    const all = lines(await house.walcast.commandOk(['trigger', 'dry-run', ...words, '--json']));
    return { events: all.slice(0, -1), summary: all.at(-1).summary };
  };

  const { events, summary } = await dry('orders');
  assert.deepEqual(events.map((it) => it.event_id), changes.map((it) => it.offset));
  const matched = events.filter((it) => it.outcome === 'matched');
  assert.deepEqual(matched.map(({ event_id, key, body }) => [event_id, key, JSON.stringify(body)]),
    receiver.delivered.map(({ text, body }) => [body.offset, String(body.data.customer), text])
      .sort((a, b) => matched.findIndex((it) => it.event_id === a[0]) - matched.findIndex((it) => it.event_id === b[0])));
  assert.match(events[20].reason, /^at character 1 of when: new\.status = 'paid' is false, with \{"new\.status":"open"\}$/);
  assert.match(events[21].reason, /is null/);
  assert.match(events[22].reason, /ops do not name DELETE/);
  assert.equal(summary.events, 23);
  assert.equal(summary.matched, 20);
  assert.deepEqual(summary.others.map(({ outcome, count, clause, result }) => [outcome, count, clause, result]),
    [['not matched', 1, "new.status = 'paid'", 'false'], ['not matched', 1, "new.status = 'paid'", 'null'],
      ['not matched', 1, undefined, undefined]]);

  const [from, until] = [changes[5].offset, changes[9].offset];
  assert.deepEqual((await dry('orders', '--from', from, '--until', until)).events, events.slice(5, 10));
  assert.deepEqual((await dry('orders', '--from', from, '--limit', '2')).events, events.slice(5, 7));
  const since = changes[20].commit_timestamp;
  assert.deepEqual((await dry('orders', '--from', since)).events,
    events.filter((_, i) => Date.parse(changes[i].commit_timestamp) >= Date.parse(since)));
  assert.equal((await dry('orders', '--from', new Date(Date.now() + 3_600_000).toISOString())).summary.events, 0);
  assert.equal((await dry('orders', '--until', changes[0].commit_timestamp)).events.length, 20);

  // Of a file, which nobody put.
  const path = join(house.walcast.directory, 'tried.yaml');
  writeFileSync(path, trigger(receiver.url, { name: 'tried', when: "new.customer = 3 and new.status = 'paid'" }));
  const tried = await dry(path, '--matched');
  assert.deepEqual(tried.events.map((it) => it.body.data.customer), [3, 3, 3, 3, 3]);
  const said = await house.walcast.commandOk(['trigger', 'dry-run', path]);
  assert.match(said, /^23 events: 5 would be delivered, 18 not$/m);
  assert.match(said, /^ +\d+ +not matched: new\.customer = 3 is false$/m);

  const bad = async (...words) => {
    const { code, stderr } = await house.walcast.command(['trigger', 'dry-run', ...words]);
    assert.equal(code, 1, words.join(' '));
    return stderr;
  };
  assert.match(await bad('nobody'), /there is no trigger nobody/);
  assert.match(await bad('orders', '--from', 'yesterday'), /--from: yesterday: expected first, now, an offset/);
  assert.match(await bad('orders', '--from', from.replace(/^./, (c) => (c === 'a' ? 'b' : 'a'))), /made anew since/);
  assert.match(await bad('orders', '--from', from.replace(/-\d+/, '-999999')), /has not come so far/);
});
