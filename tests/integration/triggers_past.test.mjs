// Triggers held against what is past: `walcast trigger dry-run`, and what of it is delivered again.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { insertOrders, outcomes, SCHEMA, startTriggers, told, trigger } from '../lib/triggers.mjs';
import { Receiver } from '../lib/webhooks.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';

const test = together(3);

const lines = (text) => text.split('\n').filter(Boolean).map(JSON.parse);

test('a dry run says of each past change what would be delivered, and which clause did not hold', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(receiver.url)]);
  await insertOrders(house, 1, 20, 4);
  await receiver.waitFor(20);
  await house.postgres.query("INSERT INTO orders VALUES (21, 1, 'open'), (22, 2, NULL); DELETE FROM orders WHERE id = 1");
  const changes = await waitFor('all changes', async () => {
    const all = await house.walcast.changes({ table: 'public.orders' });
    return all.length === 23 && all;
  });
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

  await house.postgres.query("ALTER TABLE orders REPLICA IDENTITY FULL; INSERT INTO orders VALUES (30, 3, 'paid')");
  await waitFor('the row', async () => (await house.walcast.changes({ table: 'public.orders' })).some(({ record }) => record?.id === 30));
  writeFileSync(path, trigger(receiver.url, { name: 'tried' }).replace('key: new.customer\n', ''));
  assert.deepEqual((await dry(path, '--from', changes[22].offset, '--matched')).events.map((it) => it.key), ['30']);
  writeFileSync(path, trigger(receiver.url, { name: 'tried', when: 'new.totl > 1' }));
  const wrong = await house.walcast.command(['trigger', 'dry-run', path]);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /tried\.yaml:3:\d+: .*totl/);

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

test('of an event without an outcome, why: the clause, the beginning, the table, or where it waits', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(receiver.url)], {}, `${SCHEMA}; CREATE TABLE others (id int PRIMARY KEY)`);
  await house.postgres.query("INSERT INTO orders VALUES (1, 7, 'open'), (2, 7, 'paid')");
  await receiver.waitFor(1);
  const changes = await house.walcast.changes({ table: 'public.orders' });
  const why = async (name, id) =>
    lines(await house.walcast.commandOk(['trigger', 'deliveries', name, '--id', id, '--json'])).at(-1);

  const open = await why('orders', changes[0].offset);
  assert.equal(open.outcome, 'not matched');
  assert.match(open.reason, /^at character 1 of when: new\.status = 'paid' is false, with \{"new\.status":"open"\}$/);
  assert.deepEqual(open.clauses.map(({ text, result }) => [text, result]), [["new.status = 'paid'", 'false']]);
  assert.match(open.webhook_id, /^msg_/);
  const paid = await waitFor('the outcome', async () => {
    const told = await why('orders', changes[1].offset);
    return told.outcome === 'delivered' && told;
  });
  assert.equal(paid.status, 200);
  assert.match(await house.walcast.commandOk(['trigger', 'deliveries', 'orders', '--id', changes[0].offset]),
    /^TIME .*\n- +not matched +\S+ +at character 1 of when: new\.status = 'paid' is false/);

  // One that is made now begins behind both.
  writeFileSync(join(house.walcast.directory, 'triggers', 'late.yaml'), trigger(receiver.url, { name: 'late' }));
  await waitFor('late', async () => /late/.test(await house.walcast.commandOk(['trigger', 'list'])));
  assert.match((await why('late', changes[1].offset)).reason, /came before the trigger's beginning/);
  await house.postgres.query('INSERT INTO others VALUES (1)');
  const other = await waitFor('the other', async () => (await house.walcast.changes({ table: 'public.others' }))[0]);
  assert.match((await why('orders', other.offset)).reason, /it is no change of public\.orders/);
  await house.walcast.commandOk(['trigger', 'pause', 'late']);
  await house.postgres.query("INSERT INTO orders VALUES (3, 7, 'paid')");
  const third = await waitFor('the third', async () => (await house.walcast.changes({ table: 'public.orders' }))[2]);
  const waiting = await waitFor('its task', async () => {
    const told = await why('late', third.offset);
    return told.outcome !== 'not looked at' && told;
  });
  assert.ok(['waiting', 'held'].includes(waiting.outcome), waiting.outcome); // held: it is put aside already
  assert.match(waiting.reason, /the trigger is paused$/);

  writeFileSync(join(house.walcast.directory, 'triggers', 'late.yaml'), `${trigger(receiver.url, { name: 'late' })}disabled: true\n`);
  await waitFor('that it is off', async () => /late.*disabled/.test(await house.walcast.commandOk(['trigger', 'list'])));
  await house.postgres.query("INSERT INTO orders VALUES (4, 7, 'paid')");
  const fourth = await waitFor('the fourth', async () => (await house.walcast.changes({ table: 'public.orders' }))[3]);
  const off = await why('late', fourth.offset);
  assert.deepEqual([off.outcome, off.reason], ['not matched', 'the trigger is disabled']);
  assert.equal((await why('orders', `zzz-${'9'}.0`)).outcome, 'not held');
  for (const words of [['orders', '--id', 'x'], ['nobody', '--id', other.offset]])
    assert.equal((await house.walcast.command(['trigger', 'deliveries', ...words])).code, 1, words.join(' '));
});

// Changes are read, and no process matches them.
test('of an event that the matcher has not come to yet, that', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(receiver.url)]);
  await insertOrders(house, 1, 1, 1);
  await receiver.waitFor(1);
  await house.walcast.kill();
  const reader = await house.more({ roles: 'cdc' });
  await insertOrders(house, 2, 2, 1);
  const second = await waitFor('the second', async () => (await reader.changes({ table: 'public.orders' }))[1]);
  const why = async () => lines(await reader.commandOk(['trigger', 'deliveries', 'orders', '--id', second.offset, '--json']))[0];
  const { outcome, reason } = await why();
  assert.deepEqual([outcome, reason], ['not looked at', 'it matches; the matcher has not come to it yet']);
  house.walcast.start();
  await receiver.waitFor(2);
  await waitFor('its outcome', async () => (await why()).outcome === 'delivered');
});

test('events too: a dry run of a trigger on events, and why one is not delivered', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [`name: signups
on: { event: "user.*" }
when: new.data->>'plan' = 'pro'
do: { webhook: { url: "${receiver.url}" } }
`]);
  const token = await house.walcast.token({ role: 'service_role' });
  const ids = [];
  for (const [type, plan] of [['user.created', 'free'], ['user.created', 'pro'], ['order.created', 'pro'], ['user.removed', 'pro']]) {
    const response = await fetch(`${house.walcast.url}/events/v1`, { method: 'POST', headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ type, data: { plan } }) });
    assert.equal(response.status, 202);
    ids.push((await response.json()).id);
  }
  await receiver.waitFor(2);
  const told = lines(await house.walcast.commandOk(['trigger', 'dry-run', 'signups', '--json']));
  assert.deepEqual(told.slice(0, -1).map(({ event_id, outcome }) => [event_id, outcome]),
    [[ids[0], 'not matched'], [ids[1], 'matched'], [ids[3], 'matched']]);
  assert.deepEqual(told.slice(1, 3).map(({ body }) => JSON.stringify(body)).sort(), receiver.delivered.map(({ text }) => text).sort());
  assert.equal(told.at(-1).summary.matched, 2);
  const why = async (id) => lines(await house.walcast.commandOk(['trigger', 'deliveries', 'signups', '--id', id, '--json']))[0];
  assert.match((await why(ids[0])).reason, /is false, with/);
  assert.match((await why(ids[2])).reason, /no event that the trigger is on/);
});

test('outcomes over REST: the newest first, in pages, and of one event why', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(receiver.url), trigger(receiver.url, { name: 'other' })]);
  const token = await house.walcast.token({ role: 'service_role' });
  const ask = async (path, project = 'default') => {
    const response = await fetch(`${house.walcast.url}/v1/projects/${project}/triggers/${path}`, { headers: { authorization: `Bearer ${token}` } });
    return { status: response.status, ...await response.json() };
  };
  for (let round = 0; round < 5; round++) {
    await insertOrders(house, round * 20 + 1, round * 20 + 20, 5);
    await receiver.waitFor((round + 1) * 40);
  }
  await house.postgres.query("INSERT INTO orders VALUES (1000, 7, 'open')");
  await told(house, 'orders', 'delivered', 100);
  const all = await outcomes(house, 'orders');
  const newest = await ask('orders/deliveries?limit=1000');
  assert.equal(newest.next, null);
  assert.deepEqual(newest.deliveries, all.toReversed());
  assert.deepEqual((await ask('orders/deliveries?limit=1000', '-')).deliveries, newest.deliveries);
  const paged = [];
  for (let before = ''; before !== null;) {
    const page = await ask(`orders/deliveries?limit=7${before && `&before=${before}`}`);
    assert.ok(page.deliveries.length <= 7);
    paged.push(...page.deliveries);
    before = page.next;
  }
  assert.deepEqual(paged, newest.deliveries);
  const one = await ask(`orders/deliveries?id=${all[3].event_id}`);
  assert.deepEqual(one.deliveries, all.filter(({ event_id }) => event_id === all[3].event_id).toReversed());
  const open = await waitFor('the open one', async () =>
    (await house.walcast.changes({ table: 'public.orders' })).find(({ record }) => record?.id === 1000));
  const [why] = (await ask(`orders/deliveries?id=${open.offset}`)).deliveries;
  assert.equal(why.outcome, 'not matched');
  assert.match(why.reason, /new\.status = 'paid' is false/);
  assert.deepEqual((await ask('nobody/deliveries')).deliveries, []);
  for (const [path, status] of [[`nobody/deliveries?id=${open.offset}`, 404], ['orders/deliveries?limit=0', 400],
    ['orders/deliveries?before=7', 400], ['orders/deliveries?id=x', 400], ['a%20b/deliveries', 404]])
    assert.equal((await ask(path)).status, status, path);
  assert.equal((await ask('orders/deliveries', 'acme')).status, 403);
});

test('what the endpoint\'s rate holds back is told, with the reason', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(receiver.url, { more: ', rate: 1/m' })]);
  await insertOrders(house, 1, 4, 4);
  const throttled = await waitFor('one that is held back', async () =>
    lines(await house.walcast.commandOk(['trigger', 'deliveries', 'orders', '--json'])).find(({ outcome }) => outcome === 'throttled'));
  assert.equal(throttled.reason, "the endpoint's rate is used up for now");
  assert.ok(Date.parse(throttled.next_attempt) > Date.parse(throttled.time) + 10_000, throttled.next_attempt);
  assert.equal(receiver.events.length, 1);
  assert.ok(!receiver.events.some(({ body }) => body.offset === throttled.event_id));
  const [of] = lines(await house.walcast.commandOk(['trigger', 'deliveries', 'orders', '--id', throttled.event_id, '--json']));
  assert.deepEqual(of, throttled);
});

test('events are delivered again: one, and all of a range that match', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(receiver.url)]);
  await house.postgres.query("INSERT INTO orders VALUES (1, 1, 'paid'), (2, 2, 'open'), (3, 1, 'paid'), (4, 2, 'paid'), (5, 1, 'paid')");
  await receiver.waitFor(4);
  const changes = await house.walcast.changes({ table: 'public.orders' });
  const came = (id) => receiver.events.filter((it) => it.body.data.id === id).length;
  assert.match(await house.walcast.commandOk(['trigger', 'redeliver', 'orders', changes[0].offset]), /^1 event is delivered again/);
  await waitFor('the first again', () => came(1) === 2);
  const [first, again] = receiver.events.filter((it) => it.body.data.id === 1);
  assert.deepEqual([again.id, again.text], [first.id, first.text]);

  assert.match(await house.walcast.commandOk(['trigger', 'redeliver', 'orders', '--from', changes[1].offset, '--until', changes[3].offset]),
    /^2 events are delivered again/);
  await waitFor('the range again', () => came(3) === 2 && came(4) === 2);
  const token = await house.walcast.token({ role: 'service_role' });
  const ask = async (body, name = 'orders') => {
    const response = await fetch(`${house.walcast.url}/v1/projects/-/triggers/${name}/redeliver`,
      { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: JSON.stringify(body) });
    return [response.status, await response.json()];
  };
  assert.deepEqual(await ask({ event_ids: [changes[4].offset, changes[1].offset] }), [202, { redelivered: 2, next: null }]);
  await waitFor('the last again', () => came(5) === 2);
  assert.deepEqual(await ask({ from: changes[4].offset }), [202, { redelivered: 1, next: null }]);
  await waitFor('the last a third time', () => came(5) === 3);
  assert.equal(came(2), 0, 'which does not match');
  for (const [body, status] of [[{}, 400], [{ event_ids: ['x'] }, 400], [{ event_ids: [changes[0].offset], from: 'first' }, 400],
    [{ until: 'now' }, 400], [{ from: 'x' }, 400], [{ event_ids: Array(1001).fill(changes[0].offset) }, 413]])
    assert.equal((await ask(body))[0], status, JSON.stringify(body).slice(0, 80));
  assert.equal((await ask({ from: 'first' }, 'nobody'))[0], 404);
  const acts = await waitFor('four acts', async () => {
    const found = lines(await house.walcast.commandOk(['audit', '--from', 'first', '--until', 'now', '--kind', 'act']))
      .filter(({ act }) => act === 'trigger.redelivered');
    return found.length >= 4 && found;
  });
  assert.deepEqual(acts.map(({ object, detail, by }) => [object, detail, by]), [['orders', '1 event', 'cli'],
    ['orders', '2 events', 'cli'], ['orders', '2 events', 'credential'], ['orders', '1 event', 'credential']]);
});
