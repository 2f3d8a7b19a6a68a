// Triggers on what is no table's: events over HTTP, one and many, and logical messages; moments of
// schedules; other triggers' results. Each is heard once, in order, by those that it is for.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { PATIENT } from '../lib/nats.mjs';
import { together } from '../lib/together.mjs';
import { insertOrders, startTriggers, trigger, watchTasks } from '../lib/triggers.mjs';
import { Receiver } from '../lib/webhooks.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { waitFor } from '../lib/wait.mjs';

const test = together(2);

const as = (project = 'default') => `Bearer ${goodToken({ role: 'service_role', project_id: project })}`;

async function publish(house, path, body, project) {
  const response = await fetch(`${house.walcast.url}/events/v1${path}`, { method: 'POST',
    headers: { authorization: as(project) }, body: JSON.stringify(body) });
  assert.equal(response.status, 202, await response.clone().text());
  return response.json();
}

// On an event; `more`: further lines.
const onEvent = (url, name, type, more = []) => [`name: ${name}`, `on: { event: "${type}" }`, ...more,
  `do: { webhook: { url: "${url}/${name}" } }`].join('\n');
const of = (receiver, name) => receiver.delivered.filter(({ path }) => path === `/${name}`);

test('an event is heard by those on its type, with its data as it was published', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [
    onEvent(receiver.url, 'paid', 'order.paid'),
    onEvent(receiver.url, 'orders', 'order.*'),
    onEvent(receiver.url, 'large', 'order.*', ["when: (new.data->>'total')::int > 10", 'select: [new.id, new.type, new.source, new.subject, new.data]']),
    onEvent(receiver.url, 'others', 'user.*'),
  ]);
  const { id } = await publish(house, '', { type: 'order.paid', data: { total: 11, deep: [1, { a: null }] } });
  await publish(house, '/batch', { events: [{ type: 'order.sent', data: { total: 3 } }, { type: 'order.none' }] });
  await house.postgres.query(`SELECT pg_logical_emit_message(true, 'order.sql', '{"total": 70}'),
    pg_logical_emit_message(true, 'order.text', 'no json')`);
  await waitFor('all', () => of(receiver, 'orders').length >= 5 && of(receiver, 'large').length >= 2 && of(receiver, 'paid').length >= 1);
  const [paid] = of(receiver, 'paid');
  assert.deepEqual(Object.keys(paid.body), ['type', 'timestamp', 'data', 'offset']);
  assert.equal(paid.body.type, 'order.paid');
  assert.equal(paid.body.offset, id);
  assert.deepEqual(paid.body.data, { total: 11, deep: [1, { a: null }] });
  const byType = Object.fromEntries(of(receiver, 'orders').map(({ body }) => [body.type, body.data]));
  assert.deepEqual(byType, { 'order.paid': { total: 11, deep: [1, { a: null }] }, 'order.sent': { total: 3 },
    'order.none': null, 'order.sql': { total: 70 }, 'order.text': 'no json' });
  const large = of(receiver, 'large').map(({ body: { data } }) => data);
  assert.deepEqual(large.map(({ type, source }) => [type, source]), [['order.paid', 'api'], ['order.sql', 'message']]);
  assert.equal(large[0].id, id);
  assert.equal(large[0].subject, 'atlasdb.events.default.order%2Epaid');
  assert.equal(of(receiver, 'others').length, 0);

  // Tried by hand, the event makes the same bytes.
  const shown = await (await fetch(`${house.walcast.url}/events/v1/${id}`, { headers: { authorization: as() } })).text();
  const path = (name) => join(house.walcast.directory, name);
  writeFileSync(path('event.json'), shown);
  const tried = (i) => house.walcast.command(['trigger', 'test', path(`triggers/${i}.yaml`), '--event', path('event.json'), '--json']);
  const { stdout, code, stderr } = await tried(0);
  assert.equal(code, 0, stderr);
  assert.ok(stdout.includes(`"body":${paid.text}}`), `${stdout} has not ${paid.text}`);
  assert.equal(JSON.parse(stdout).key, '"order.paid"');
  assert.equal((await tried(3)).code, 1);
});

test('results come to the triggers that are on them, by their outcome', async (t) => {
  const receiver = await Receiver.start(t);
  const on = (name, more = '') => [`name: ${name}`, `on: { result: orders${more} }`, `do: { webhook: { url: "${receiver.url}/${name}" } }`].join('\n');
  const house = await startTriggers(t, [trigger(receiver.url), on('dead', ', outcome: dead'), on('both'),
    `${on('often')}\nwhen: new.attempts > 3 and new.http_status = 500`, on('other').replace('result: orders', 'result: others')]);
  const connection = await house.nats.connect();
  t.after(() => connection.close());
  const tell = async (status, attempts) => jetstream(connection, PATIENT).publish('atlasdb.events.default.walcast%2Eresult%2Eorders', JSON.stringify({
    trigger: 'orders', event_id: '0-1.0', status, reason: 'x', http_status: 500, attempts, time: '2026-01-01T00:00:00Z' }));
  await tell('delivered', 1);
  await tell('dead', 5);
  await waitFor('all', () => of(receiver, 'both').length === 2 && of(receiver, 'dead').length === 1 && of(receiver, 'often').length === 1);
  const [dead] = of(receiver, 'dead');
  assert.equal(dead.body.type, 'walcast.result.orders');
  assert.deepEqual({ ...dead.body.data, time: Date.parse(dead.body.data.time) }, { trigger: 'orders', event_id: '0-1.0', status: 'dead', reason: 'x',
    http_status: 500, attempts: 5, time: Date.parse('2026-01-01T00:00:00Z') });
  assert.deepEqual(of(receiver, 'both').map(({ body }) => body.data.status), ['delivered', 'dead']);
  assert.equal(of(receiver, 'other').length, 0);
});

test('events of one type come in order, and other projects hear nothing', async (t) => {
  const COUNT = 300;
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [
    onEvent(receiver.url, 'mine', 'step'),
    `project: acme\n${onEvent(receiver.url, 'theirs', '*')}`,
  ], { 'postgres.tenant_schemas': 'proj_{project_id}', 'postgres.tables': '*.*' });
  const events = Array.from({ length: COUNT }, (_, data) => ({ type: 'step', data }));
  await publish(house, '/batch', { events });
  await publish(house, '', { type: 'step', data: 'of acme' }, 'acme');
  await receiver.waitFor(COUNT + 1);
  assert.deepEqual(of(receiver, 'mine').map(({ body }) => body.data), events.map(({ data }) => data));
  assert.deepEqual(of(receiver, 'theirs').map(({ body }) => body.data), ['of acme']);
});

test('a schedule acts at its moments, and when it is run by hand', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [
    ['name: tick', 'on: { cron: "* * * * * *" }', `do: { webhook: { url: "${receiver.url}/tick" } }`].join('\n'),
    ['name: rare', 'on: { cron: "0 0 1 1 *" }', `do: { webhook: { url: "${receiver.url}/rare" } }`].join('\n'),
    onEvent(receiver.url, 'all', '*'),
  ]);
  await waitFor('three moments', () => of(receiver, 'tick').length >= 3);
  const moments = of(receiver, 'tick').map(({ body }) => Date.parse(body.data.time));
  for (let i = 1; i < moments.length; i++) assert.equal(moments[i] - moments[i - 1], 1000);
  const [first] = of(receiver, 'tick');
  assert.equal(first.body.type, 'walcast.cron.tick');
  assert.equal(first.body.data.schedule, 'tick');
  assert.equal(Date.parse(first.body.timestamp), Date.parse(first.body.data.time));
  const run = await fetch(`${house.walcast.url}/v1/projects/default/cron/rare/run`, { method: 'POST', headers: { authorization: as() } });
  assert.equal(run.status, 202);
  await waitFor('the run', () => of(receiver, 'rare').length === 1);
  assert.equal(of(receiver, 'rare')[0].body.type, 'walcast.run.rare');
  assert.equal(of(receiver, 'all').length, 0, "Walcast's own events are no application's");
});

test('what stands in a chain of triggers is so deep as its transaction or its event says', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(receiver.url), onEvent(receiver.url, 'said', 'said')]);
  const tasks = await watchTasks(t, house.nats);
  const chained = (depth, id) => house.postgres.query(`BEGIN; INSERT INTO orders VALUES (${id}, 0, 'paid');
    SELECT pg_logical_emit_message(true, 'walcast.chain', '${depth}'); INSERT INTO orders VALUES (${id + 1}, 0, 'paid');
    SELECT pg_logical_emit_message(true, 'said', '${id}'); INSERT INTO orders VALUES (${id + 2}, 0, 'paid'); COMMIT`);
  await insertOrders(house, 1, 1, 1);
  await chained(3, 10);
  await insertOrders(house, 2, 2, 1);
  await chained('no number', 20);
  await waitFor('ten tasks', () => tasks.length === 10);
  assert.deepEqual(tasks.filter(({ trigger: name }) => name === 'orders').map(({ depth }) => depth), [0, 0, 3, 3, 0, 0, 1000, 1000]);
  assert.deepEqual(tasks.filter(({ trigger: name }) => name === 'said').map(({ depth }) => depth), [3, 1000]);
});

// Tasks are the events that match, each once, whoever is killed in between.
test('kills of walcast leave each event one task', async (t) => {
  const COUNT = 2000, BATCH = 100, KILLS = 4;
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [onEvent(receiver.url, 'all', 'many.*', ['key: new.id']),
    onEvent(receiver.url, 'odd', 'many.odd', ['key: new.id']), trigger(receiver.url)]);
  const tasks = await watchTasks(t, house.nats);
  for (let first = 0; first < COUNT; first += BATCH) {
    const events = Array.from({ length: BATCH }, (_, i) => ({ type: (first + i) % 2 ? 'many.odd' : 'many.even', data: first + i }));
    await publish(house, '/batch', { events });
    await insertOrders(house, first, first + BATCH - 1, 7);
    if (first % (COUNT / KILLS) === 0) {
      await waitFor('some tasks', () => tasks.length > 0);
      await house.walcast.kill();
      house.walcast.start();
      await house.walcast.ready();
    }
  }
  const wanted = COUNT + COUNT / 2 + COUNT;
  await waitFor('all tasks', () => tasks.length >= wanted, 60_000).catch((error) => { throw new Error(`${error.message}: ${tasks.length}`); });
  assert.equal(tasks.length, wanted);
  assert.equal(new Set(tasks.map(({ trigger: name, event_id }) => `${name} ${event_id}`)).size, wanted);
  assert.ok(tasks.every(({ turn }, i) => i === 0 || turn >= tasks[i - 1].turn));
  await receiver.waitFor(wanted);
  const data = of(receiver, 'all').map(({ body }) => body.data).sort((a, b) => a - b);
  assert.deepEqual(data, Array.from({ length: COUNT }, (_, i) => i));
});

// Such a type's token in the subject ends in a hash, from which no name comes back.
test('types and names that no subject has whole are heard as others are', async (t) => {
  const receiver = await Receiver.start(t);
  const name = (letter) => letter.repeat(128);
  const type = `shop.${'order.'.repeat(40)}`;
  const lines = (letter, on, more = []) => [`name: ${name(letter)}`, `on: { ${on} }`, ...more,
    `do: { webhook: { url: "${receiver.url}/${letter}" } }`].join('\n');
  const house = await startTriggers(t, [
    lines('c', 'cron: "0 0 1 1 *"'), lines('t', 'cron: "* * * * * *"'), lines('r', `result: ${name('c')}`),
    lines('e', `event: "${type}paid"`), lines('w', `event: "${type}*"`)]);
  const cron = await fetch(`${house.walcast.url}/v1/projects/default/cron/${name('c')}/run`, { method: 'POST', headers: { authorization: as() } });
  assert.equal(cron.status, 202);
  await waitFor('the run, and its result', () => of(receiver, 'c').length === 1 && of(receiver, 'r').length === 1);
  await waitFor('a moment', () => of(receiver, 't').length > 0);
  assert.equal(of(receiver, 'c')[0].body.type, `walcast.run.${name('c')}`);
  assert.equal(of(receiver, 'r')[0].body.type, `walcast.result.${name('c')}`);
  assert.equal(of(receiver, 't')[0].body.type, `walcast.cron.${name('t')}`);
  await house.walcast.commandOk(['trigger', 'redeliver', name('c'), of(receiver, 'c')[0].body.offset]);
  await waitFor('it again', () => receiver.events.filter(({ path }) => path === '/c').length === 2);

  await house.postgres.query(`SELECT pg_logical_emit_message(true, '${type}paid', '1'), pg_logical_emit_message(true, '${type}sent', '2'),
    pg_logical_emit_message(true, 'other.${type}paid', '3')`);
  await waitFor('the events', () => of(receiver, 'e').length === 1 && of(receiver, 'w').length === 2);
  assert.deepEqual(of(receiver, 'w').map(({ body }) => [body.type, body.data]).sort(), [[`${type}paid`, 1], [`${type}sent`, 2]]);
  assert.equal(of(receiver, 'e')[0].body.type, `${type}paid`);
  const dry = (await house.walcast.commandOk(['trigger', 'dry-run', name('w'), '--json'])).split('\n').filter(Boolean).map(JSON.parse);
  assert.deepEqual(dry.slice(0, -1).map(({ body }) => body.data), [1, 2]);
  const shown = await (await fetch(`${house.walcast.url}/events/v1/${of(receiver, 'e')[0].body.offset}`, { headers: { authorization: as() } })).json();
  assert.equal(shown.type, `${type}paid`);
});
