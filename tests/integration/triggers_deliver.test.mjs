// Webhooks of triggers from the commit to the receiver: signed, in order per key, parked at a first
// failure, given up with a reason, whatever the endpoint does and whoever is killed meanwhile.
import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test as alone } from 'node:test';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Webhook } from 'standardwebhooks';
import { Webhook as Svix } from 'svix';
import { insertOrders, outcomes, SCHEMA, SECRET, startTriggers, told, trigger } from '../lib/triggers.mjs';
import { Receiver } from '../lib/webhooks.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { PATIENT } from '../lib/nats.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';

const test = together(3);

function assertInOrder(events) {
  const last = new Map();
  for (const { body: { data } } of events) {
    assert.ok(!(last.get(data.customer) > data.id), `key ${data.customer}: ${data.id} came late`);
    last.set(data.customer, data.id);
  }
}
const ids = (events) => events.map((event) => event.body.data.id).sort((a, b) => a - b);
const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

test('what matches is delivered once, in order per key, and its signature is good', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(receiver.url)]);
  await house.postgres.query("INSERT INTO orders VALUES (1000000, 1, 'open')");
  await insertOrders(house, 1, 500, 20);
  await receiver.waitFor(500);
  await house.postgres.query("INSERT INTO orders VALUES (501, 1, 'paid')");
  const events = await receiver.waitFor(501);
  assert.equal(receiver.events.length, 501);
  assert.deepEqual(ids(events), range(1, 501));
  assertInOrder(receiver.events);
  for (const library of [new Webhook(SECRET), new Svix(SECRET)]) {
    for (const { text, headers } of events.slice(0, 50)) library.verify(text, headers);
    assert.throws(() => library.verify(`${events[0].text} `, events[0].headers));
  }
});

// Messages that some consumer holds without having acknowledged them.
const unacked = (house) => house.nats.manage(async (manager) => {
  const pending = [];
  for await (const { config: { name } } of manager.streams.list())
    for await (const consumer of manager.consumers.list(name)) pending.push(consumer.num_ack_pending);
  assert.ok(pending.length > 0);
  return pending.reduce((sum, count) => sum + count, 0);
});

test('a key that fails waits by itself, in order, and its id stays the same', async (t) => {
  let failing = true;
  const receiver = await Receiver.start(t, ({ body: { data } }) => failing && data.customer === 3 ? 500 : 200);
  const house = await startTriggers(t, [trigger(receiver.url, { retry: `[${Array(8).fill('1s').join(', ')}]` })]);
  await insertOrders(house, 1, 100, 10);
  await receiver.waitFor(90);
  await waitFor('a third attempt', () => receiver.events.filter((it) => it.body.data.id === 3).length >= 3);
  assert.equal(receiver.events.filter((it) => it.body.data.id === 13).length, 0);
  await waitFor('that it waits in no consumer', async () => await unacked(house) === 0);
  failing = false;
  await receiver.waitFor(100);
  assertInOrder(receiver.delivered);
  assert.equal(new Set(receiver.events.filter((it) => it.body.data.id === 3).map((it) => it.id)).size, 1);
  await waitFor('nothing parked', async () => await house.walcast.metric('walcast_triggers_parked_tasks') === 0);
});

test('retries end as dead letters, 410 at once; 429 waits as it is asked', async (t) => {
  const answers = { '/fails': 503, '/gone': 410, '/later': 200 };
  let asked = 0;
  const receiver = await Receiver.start(t, ({ path }) =>
    path === '/later' && asked++ === 0 ? { status: 429, headers: { 'retry-after': '2' } } : answers[path]);
  const house = await startTriggers(t, ['fails', 'gone', 'later'].map((name) =>
    trigger(`${receiver.url}/${name}`, { name, retry: '[100ms, 100ms]' })));
  await insertOrders(house, 1, 3, 1);
  // The breaker opens behind the fifth failure in a row.
  await waitFor('dead letters', async () => await house.walcast.metric('walcast_triggers_dead_total') === 6, 40_000);
  const of = (path) => receiver.events.filter((it) => it.path === path);
  assert.equal(of('/gone').length, 1);
  await waitFor('the later ones', () => of('/later').filter((it) => it.answer === 200).length === 3);
  const [first, second] = of('/later');
  assert.equal(first.id, second.id);
  assert.ok(second.at - first.at >= 1900, `after ${second.at - first.at} ms`);

  const later = await waitFor('all outcomes', async () => {
    const told = await outcomes(house, 'later');
    return told.filter(({ outcome }) => outcome === 'delivered').length === 3 && told;
  });
  const asks = later.find(({ outcome }) => outcome === 'failed');
  assert.equal(asks.status, 429);
  assert.equal(asks.webhook_id, first.id);
  assert.ok(Date.parse(asks.next_attempt) - Date.parse(asks.time) >= 1900, asks.next_attempt);
  const one = await outcomes(house, 'later', '--id', first.body.offset);
  assert.equal(one.at(-1).outcome, 'delivered');
  assert.equal(one.at(-1).status, 200);
  assert.ok(one.every(({ event_id, key }) => event_id === first.body.offset && key === one[0].key));
  await told(house, 'fails', 'dead', 3);
  const fails = await outcomes(house, 'fails', '--id', of('/fails')[0].body.offset);
  assert.deepEqual(fails.filter(({ outcome }) => outcome === 'failed').map(({ status, attempts }) => [status, attempts]),
    [[503, 1], [503, 2], [503, 3]]);
  assert.equal(fails.at(-1).outcome, 'dead');
  assert.match(fails.at(-1).reason, /given up after 3 attempts/);
  assert.equal((await told(house, 'gone', 'gone'))[0].status, 410);
  assert.deepEqual(await outcomes(house, 'nobody'), []);
  const { stdout } = await house.walcast.command(['trigger', 'deliveries', 'fails']);
  assert.match(stdout, /^TIME .*\n(?:.*\n)*20\S+Z +failed +503 /);
});

test('a row for which the condition fails is told, and those around it are delivered', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(receiver.url, { when: '10 / new.customer > 0' })]);
  await insertOrders(house, 1, 6, 3);
  await receiver.waitFor(4);
  const [told, ...others] = await waitFor('outcomes', async () => {
    const all = (await outcomes(house, 'orders')).filter(({ outcome }) => outcome === 'undecided');
    return all.length === 2 && all;
  });
  assert.match(told.reason, /division by zero/);
  assert.notEqual(told.event_id, others[0].event_id);
  assert.deepEqual(ids(receiver.delivered), [1, 2, 4, 5]);
});

test('a condition computes dates, times and intervals', async (t) => {
  const receiver = await Receiver.start(t);
  const when = "new.due + 7 >= date '2024-02-29' and new.paid - new.asked <= interval '36 hours' and extract(month from new.due) <> 3";
  const house = await startTriggers(t, [trigger(receiver.url, { when })], {},
    'CREATE TABLE orders (id bigint PRIMARY KEY, customer int, status text, due date, asked timestamptz, paid timestamptz)');
  const rows = Array.from({ length: 60 }, (_, i) => `(${i + 1}, 1, 'paid', date '2024-02-01' + ${i % 40}, '2024-02-01 10:00+01', ${i % 7 ? `timestamptz '2024-02-01 09:00+00' + interval '${i} hours'` : 'NULL'})`);
  await house.postgres.query(`INSERT INTO orders VALUES ${rows}`);
  const { rows: [{ expected }] } = await house.postgres.query(`SELECT array_agg(id::int ORDER BY id) AS expected FROM orders new WHERE ${when}`);
  assert.ok(expected.length > 5 && expected.length < 30, `${expected.length}`);
  await receiver.waitFor(expected.length);
  await house.postgres.query("INSERT INTO orders VALUES (1002, 1, 'paid', '2024-02-29', '2024-02-01Z', '2024-02-01Z')");
  const events = await receiver.waitFor(expected.length + 1); // in order of the one key
  assert.deepEqual(ids(events), [...expected, 1002]);
});

test('each row of one statement that is not decided is told, however many they are', async (t) => {
  const ROWS = 128, NAMES = ['one', 'two'];
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, NAMES.map((name) =>
    trigger(receiver.url, { name, when: '10 / new.customer > 0' })));
  await house.postgres.query(`INSERT INTO orders SELECT i, 0, 'paid' FROM generate_series(1, ${ROWS}) i`);
  for (const name of NAMES) {
    const told = await waitFor(`all of ${name}`, async () => {
      const all = (await outcomes(house, name)).filter(({ outcome }) => outcome === 'undecided');
      return all.length >= ROWS && all;
    });
    assert.equal(told.length, ROWS);
    assert.equal(new Set(told.map(({ event_id }) => event_id)).size, ROWS);
  }
});

test("a tenant's trigger hears of its own rows only, whoever has tables and triggers of the same names", async (t) => {
  const receiver = await Receiver.start(t);
  const projects = ['default', 'acme', 'beta'];
  const schemas = ['public', 'proj_acme', 'proj_beta'];
  const house = await startTriggers(t, projects.map((project) => `project: ${project}\n${trigger(`${receiver.url}/${project}`)}`),
    { 'postgres.tables': '*.*', 'postgres.tenant_schemas': 'proj_{project_id}' },
    `${SCHEMA}; ${schemas.slice(1).map((schema) => `CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.orders (LIKE orders INCLUDING ALL)`).join(';')}`);
  for (let id = 1; id <= 30; id++)
    await house.postgres.query(`INSERT INTO ${schemas[id % 3]}.orders VALUES (${id}, ${id % 5}, 'paid')`);
  const events = await receiver.waitFor(30);
  assert.equal(events.length, 30);
  for (const { path, body: { data } } of events) assert.equal(path, `/${projects[data.id % 3]}`);
  for (const project of projects)
    await waitFor(`the outcomes of ${project}`, async () =>
      (await outcomes(house, 'orders', '--project', project)).filter(({ outcome }) => outcome === 'delivered').length === 10);
});

// Partitions write into the same stream: what nobody removed would end all deliveries.
test('what was not decided is kept up to its share of the log, the newest', async (t) => {
  const ROWS = 120, KEPT = 32; // 16 MiB / 8 / 64 KiB; half of it more may be there
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(receiver.url, { when: '10 / new.customer > 0' })],
    { 'triggers.history_bytes': '16MiB' });
  await house.postgres.query(`DO $$ BEGIN FOR i IN 1..${ROWS} LOOP
    INSERT INTO orders VALUES (i, 0, 'paid'); UPDATE orders SET status = 'new' WHERE id = i; -- a message each
    END LOOP; END $$`);
  await waitFor('all undecided', async () =>
    await house.walcast.metric('walcast_triggers_undecided_total') === ROWS, 60_000);
  const told = await waitFor('the last row', async () => {
    const all = await outcomes(house, 'orders');
    return Number(/-(\d+)\./.exec(all.at(-1).event_id)[1]) >= 2 * ROWS - 1 && all;
  });
  assert.ok(told.length >= KEPT && told.length <= KEPT * 3 / 2 + 1, `${told.length} are kept`);
  assert.ok(told.every(({ outcome }) => outcome === 'undecided'));
});

test('an endpoint that hangs delays no other', async (t) => {
  const receiver = await Receiver.start(t, ({ path }) => path === '/hangs' ? 'hang' : 200);
  const house = await startTriggers(t, [
    trigger(`${receiver.url}/hangs`, { name: 'hangs', more: ', timeout: 8s' }),
    trigger(`${receiver.url}/good`, { name: 'good' })]);
  await insertOrders(house, 1, 3000, 300);
  const began = Date.now();
  const events = await receiver.waitFor(3000);
  t.diagnostic(`3,000 deliveries beside an endpoint that hangs: ${Date.now() - began} ms`);
  assert.equal(events.filter((it) => it.path === '/good').length, 3000);
  assertInOrder(events);
  assert.ok(Date.now() - began < 60_000);
});

// nats-server 2.9 cuts a stream's beginning off by writing the file anew in its place, and loses what
// stands behind when it is killed amid it; what goes by its subject stays in the file.
test('tasks that are done go without a file that is written anew', async (t) => {
  const COUNT = 2000, LEAST_BYTES = 100; // of a task
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(receiver.url)]);
  await insertOrders(house, 1, COUNT, COUNT);
  await receiver.waitFor(COUNT);
  await waitFor('the tasks to go', async () => (await house.nats.streamInfo('WALCAST_TRIGGERS')).state.messages <= 1);
  const files = readdirSync(house.nats.directory, { recursive: true }).filter((name) => /WALCAST_TRIGGERS\/msgs\/\d+\.blk$/.test(name));
  const bytes = files.reduce((sum, name) => sum + statSync(join(house.nats.directory, name)).size, 0);
  assert.ok(bytes >= COUNT * LEAST_BYTES, `${bytes} bytes in ${files.length} files`);
});

alone('an endpoint is asked as often as its rate allows, and no more often', async (t) => {
  const COUNT = 4000, RATE = 1000;
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(receiver.url, { more: `, rate: ${RATE}/s` })]);
  await insertOrders(house, 1, COUNT, COUNT);
  const events = await receiver.waitFor(COUNT);
  const rate = (COUNT - 1) / (events.at(-1).at - events[0].at) * 1000;
  t.diagnostic(`${Math.round(rate)} deliveries a second`);
  assert.ok(rate < RATE * 1.02 && rate > RATE * 0.3, `${rate} a second`);
});

// A place that the endpoint has free again goes to another partition each time: else those that have
// one keep it, and the keys of the others wait until the first are done.
test('partitions share the places of an endpoint', async (t) => {
  const COUNT = 400, FIRST = 100;
  const told = Promise.withResolvers();
  const receiver = await Receiver.start(t, () => told.promise);
  const house = await startTriggers(t, [trigger(receiver.url, { more: ', concurrency: 2' })]);
  await insertOrders(house, 1, COUNT, COUNT);
  await waitFor('all tasks', async () =>
    (await house.nats.streamInfo('WALCAST_TRIGGERS')).state.messages === COUNT);
  told.resolve(200);
  const events = await receiver.waitFor(COUNT);
  const last = Math.max(...ids(events.slice(0, FIRST)));
  assert.ok(last < COUNT * 3 / 4, `row ${last} was among the first ${FIRST}`);
});

test('a process that slept past its lease sends and records nothing when it wakes', async (t) => {
  let slow = true;
  const receiver = await Receiver.start(t, async () => {
    if (slow) await new Promise((resolve) => setTimeout(resolve, 200));
    return 200;
  });
  const house = await startTriggers(t, [trigger(receiver.url)]);
  const other = await house.more();
  await waitFor('shared partitions', async () => await other.metric('walcast_triggers_partitions') === 8
    && await house.walcast.metric('walcast_triggers_partitions') === 8);
  await insertOrders(house, 1, 400, 40);
  await waitFor('some', () => receiver.delivered.length > 40);
  other.process.child.kill('SIGSTOP');
  await waitFor('the others', async () => await house.walcast.metric('walcast_triggers_partitions') === 16, 30_000);
  slow = false;
  await receiver.waitFor(400);
  // What it took over it makes once more; that, too, is over.
  await waitFor('an outcome of each', async () => new Set((await outcomes(house, 'orders'))
    .filter((it) => it.outcome === 'delivered').map((it) => it.event_id)).size === 400);
  const attempts = receiver.events.length;
  other.process.child.kill('SIGCONT');
  await waitFor('shared partitions again', async () => await house.walcast.metric('walcast_triggers_partitions') === 8
    && await other.metric('walcast_triggers_partitions') === 8, 30_000);
  assertInOrder(receiver.delivered);
  assert.equal(receiver.events.length, attempts); // nothing was sent on waking
  await insertOrders(house, 401, 440, 40);
  await receiver.waitFor(440);
  assertInOrder(receiver.delivered);
});

// As where another process's matcher has read a new trigger before this one has: its task, made of
// the first one's with its name (equally long) and the revision that it will have.
test('a task waits for a trigger that is not read here yet, and no good event is given up', async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(receiver.url)]);
  const client = await house.nats.connect();
  t.after(() => client.close());
  const messages = await (await jetstream(client, PATIENT).consumers.get('WALCAST_TRIGGERS')).consume({ max_messages: 1 });
  await insertOrders(house, 1, 1, 50);
  await receiver.waitFor(1);
  const { value: task } = await messages[Symbol.asyncIterator]().next();
  const bytes = Buffer.from(task.data);
  const { state } = await (await jetstreamManager(client, PATIENT)).streams.info('KV_WALCAST_defs');
  bytes.writeBigUInt64BE(BigInt(state.last_seq + 1), 3);
  const name = Buffer.from('\0\x06orders');
  bytes.set(Buffer.from('wanted'), bytes.indexOf(name) + 2);
  await jetstream(client, PATIENT).publish(task.subject, bytes);
  await insertOrders(house, 2, 40, 50); // other partitions go on
  await receiver.waitFor(30);
  assert.equal(receiver.events.filter(({ path }) => path === '/wanted').length, 0);
  const put = await fetch(`${house.walcast.url}/v1/projects/default/triggers/wanted`, { method: 'PUT',
    headers: { authorization: `Bearer ${goodToken({ role: 'service_role' })}` }, body: trigger(`${receiver.url}/wanted`, { name: 'wanted' }) });
  assert.ok(put.ok, await put.text());
  await receiver.waitFor(41);
  assert.equal(receiver.events.filter(({ path }) => path === '/wanted').length, 1);
  assert.equal(await house.walcast.metric('walcast_triggers_dead_total'), 0);
});

test("a snapshot's rows come to triggers on read, and to no others", async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [trigger(`${receiver.url}/inserts`),
    trigger(`${receiver.url}/reads`, { name: 'reads' }).replace('ops: [insert]', 'ops: [read]')]);
  await insertOrders(house, 1, 20, 5);
  await receiver.waitFor(20);
  await house.walcast.commandOk(['snapshot', 'start', 'public.orders', '--wait']);
  await insertOrders(house, 21, 40, 5);
  await receiver.waitFor(60);
  const of = (path) => receiver.events.filter((it) => it.path === path);
  assert.deepEqual(ids(of('/reads')), range(1, 20));
  assert.deepEqual(ids(of('/inserts')), range(1, 40));
});
