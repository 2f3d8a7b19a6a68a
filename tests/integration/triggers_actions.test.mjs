// Actions inside Walcast: a broadcast that supabase-js hears, a job that a worker gets once, a run of a
// workflow that is asked for once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BINARY } from '../lib/walcast.mjs';
import { acting, startActions } from '../lib/actions.mjs';
import { runOk } from '../lib/process.mjs';
import { realtimeClient, subscribed } from '../lib/realtime.mjs';
import { insertOrders, outcomes, SCHEMA, told } from '../lib/triggers.mjs';
import { waitFor } from '../lib/wait.mjs';

const MANY = `[${Array(30).fill('1s').join(', ')}]`;

async function enter(t, house, topic, config, claims = {}) {
  const token = await house.walcast.token({ role: 'service_role', sub: 'me', claims });
  const channel = realtimeClient(t, house.walcast, token, { vsn: '2.0.0' }).channel(topic, { config });
  const heard = [];
  channel.on('broadcast', { event: '*' }, (message) => heard.push(message));
  await subscribed(channel);
  return heard;
}

test('supabase-js hears it, in a private and in a public channel, and replays the private one', async (t) => {
  const house = await startActions(t, [
    acting('broadcast: { channel: "room:1", event: paid }', { name: 'private' }),
    acting('broadcast: { channel: "room:1", event: open, private: false }', { name: 'public' })]);
  await runOk([BINARY, 'setup', '--apply'], { env: house.walcast.env });
  const [inside, outside] = [await enter(t, house, 'room:1', { private: true }), await enter(t, house, 'room:1', {})];
  await insertOrders(house, 1, 20, 1);
  await waitFor('20 in each', () => inside.length === 20 && outside.length === 20);
  assert.deepEqual(inside.map(({ event, payload }) => [event, payload]), Array.from({ length: 20 }, (_, i) => ['paid', { id: i + 1, customer: 0 }]));
  assert.deepEqual(outside.map(({ event, payload }) => [event, payload.id]), Array.from({ length: 20 }, (_, i) => ['open', i + 1]));
  assert.equal(new Set(inside.map(({ meta }) => meta.id)).size, 20);
  const late = await waitFor('a replay', async () => {
    const heard = await enter(t, house, 'room:1', { private: true, broadcast: { replay: { since: 0, limit: 25 } } });
    return waitFor('all', () => heard.length === 20 && heard, 1000).catch(() => false);
  });
  assert.deepEqual(late.map(({ meta }) => meta.id), inside.map(({ meta }) => meta.id));
  assert.ok(late.every(({ meta }) => meta.replayed));
});

test('what is larger than a broadcast may be is a dead letter that says so', async (t) => {
  const house = await startActions(t, [acting('broadcast: { channel: c, event: e }')], { 'ws.max_broadcast_bytes': 1024 },
    'CREATE TABLE orders (id bigint PRIMARY KEY, customer text, status text)');
  await house.postgres.query("INSERT INTO orders VALUES (1, repeat('x', 2000), 'paid')");
  const [dead] = await told(house, 'orders', 'dead');
  assert.match(dead.reason, /ws\.max_broadcast_bytes allows 1024/);
});

// A worker: pulls until `count` jobs came.
async function work(house, queue, count, reply = { result: null }) {
  const say = (verb, word) => house.client.request(`atlasdb.jobs.default.${queue}.work.${verb}`, JSON.stringify(word), { timeout: 3000 })
    .then((answer) => answer.json(), () => ({}));
  const got = [];
  await waitFor(`${count} jobs`, async () => {
    const { jobs = [] } = await say('pull', { max: 10, wait_ms: 500 });
    for (const job of jobs) {
      got.push(job);
      await say('result', { id: job.id, lease: job.lease, ...reply });
    }
    return got.length >= count;
  }, 60_000);
  return { got, say };
}

test('a worker gets each job once, over kills of walcast and nats-server', async (t) => {
  const house = await startActions(t, [acting('job: { queue: mail, priority: 3 }', { retry: MANY })]);
  await insertOrders(house, 1, 100, 10);
  await waitFor('some', async () => (await outcomes(house, 'orders')).length > 5);
  await house.walcast.kill();
  house.walcast.start();
  await insertOrders(house, 101, 200, 10);
  await house.nats.kill();
  await house.nats.restart();
  const { got, say } = await work(house, 'mail', 200);
  await waitFor('the end of all', async () => (await outcomes(house, 'orders')).filter((it) => it.outcome === 'delivered').length === 200, 60_000);
  assert.equal((await say('pull', { max: 10, wait_ms: 1000 })).jobs?.length ?? 0, 0);
  assert.deepEqual(got.map((it) => it.payload.id).sort((a, b) => a - b), Array.from({ length: 200 }, (_, i) => i + 1));
  assert.equal(new Set(got.map((it) => it.id)).size, 200);
  assert.equal(got[0].type, 'orders');
});

test('unique and concurrency keys are those of the row; a delay is kept', async (t) => {
  const house = await startActions(t, [
    acting('job: { queue: once, unique: new.customer }', { name: 'once' }),
    acting('job: { queue: serial, concurrency: new.customer }', { name: 'serial' }),
    acting('job: { queue: later, delay: 2s }', { name: 'later' })]);
  const began = Date.now();
  await insertOrders(house, 1, 6, 2);
  await waitFor('all made', async () => (await Promise.all(['once', 'serial', 'later'].map((name) => outcomes(house, name))))
    .every((all) => all.filter((it) => it.outcome === 'delivered').length === 6));
  await waitFor('the queues to have their owner', async () => await house.walcast.metric('walcast_triggers_jobs_partitions') === 16);
  const pull = (queue) => house.client.request(`atlasdb.jobs.default.${queue}.work.pull`, JSON.stringify({ max: 10, wait_ms: 1000 }), { timeout: 3000 })
    .then((answer) => answer.json().jobs);
  assert.deepEqual((await pull('once')).map((it) => it.payload.customer).sort(), [0, 1]);
  assert.deepEqual((await pull('serial')).map((it) => it.payload.id).sort(), [1, 2], 'one of a customer at a time');
  const { got } = await work(house, 'later', 6);
  assert.equal(got.length, 6);
  assert.ok(Date.now() - began >= 2000);
});

test('a run of a workflow is asked for once for each id, with all that it needs', async (t) => {
  const house = await startActions(t, [
    acting('workflow: { name: welcome, run: new.customer }', { name: 'first' }),
    acting('workflow: { name: each }', { name: 'each' })]);
  await insertOrders(house, 1, 20, 5);
  await waitFor('all', async () => (await outcomes(house, 'first')).filter((it) => it.outcome === 'delivered').length === 20
    && (await outcomes(house, 'each')).filter((it) => it.outcome === 'delivered').length === 20);
  const info = await house.manager.streams.info('WALCAST_WORKFLOWS', { subjects_filter: '>' });
  assert.equal(info.state.messages, 25);
  const one = await house.manager.streams.getMessage('WALCAST_WORKFLOWS', { last_by_subj: 'atlasdb.workflows.default.welcome%3A3' });
  const { time, event_id, ...record } = one.json();
  assert.deepEqual(record, { version: 1, workflow: 'welcome', run: 'welcome:3', project: 'default',
    input: { id: 3, customer: 3 }, trigger: 'first', depth: 1 });
  assert.match(time, /^\d{4}-.*Z$/);
  assert.match(event_id, /-\d+\.\d+$/);
  const again = (await outcomes(house, 'first')).filter((it) => /refused|wrong last sequence/.test(it.reason ?? ''));
  assert.equal(again.length, 15);
});

test('a tenant\'s broadcast is heard by its own only, and its runs are its own', async (t) => {
  const of = (project, action, name) => `project: ${project}\n${acting(action, { name })}`;
  const house = await startActions(t, ['acme', 'default'].flatMap((project) => [
    of(project, 'broadcast: { channel: "room:1", event: paid }', 'private'),
    of(project, 'broadcast: { channel: "room:1", event: open, private: false }', 'public'),
    of(project, 'workflow: { name: welcome, run: new.customer }', 'welcome')]),
  { 'postgres.tables': '*.*', 'postgres.tenant_schemas': 'proj_{project_id}' },
  `${SCHEMA}; CREATE SCHEMA proj_acme; CREATE TABLE proj_acme.orders (LIKE orders INCLUDING ALL)`);
  await runOk([BINARY, 'setup', '--apply'], { env: house.walcast.env });
  const [heard, others] = [{}, {}];
  for (const [words, more] of [[heard, { project_id: 'acme' }], [others, {}]])
    for (const kind of [true, false]) words[kind] = await enter(t, house, 'room:1', kind ? { private: true } : {}, more);
  await house.postgres.query("INSERT INTO proj_acme.orders SELECT i, 7, 'paid' FROM generate_series(1, 10) i");
  await waitFor('ten in each', () => heard[true].length === 10 && heard[false].length === 10);
  await house.postgres.query("INSERT INTO orders VALUES (99, 7, 'paid')"); // behind all of the tenant's
  await waitFor("the source's own", () => others[true].length > 0 && others[false].length > 0);
  for (const kind of [true, false]) {
    assert.deepEqual(heard[kind].map(({ payload }) => payload.id), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert.deepEqual(others[kind].map(({ payload }) => payload.id), [99]);
  }
  await waitFor('all runs', async () => (await outcomes(house, 'welcome', '--project', 'acme')).filter((it) => it.outcome === 'delivered').length === 10
    && (await outcomes(house, 'welcome', '--project', 'default')).some((it) => it.outcome === 'delivered'));
  const { state } = await house.manager.streams.info('WALCAST_WORKFLOWS', { subjects_filter: '>' });
  const runs = await Promise.all(Object.keys(state.subjects).map(async (subject) =>
    (await house.manager.streams.getMessage('WALCAST_WORKFLOWS', { last_by_subj: subject })).json()));
  assert.deepEqual(runs.map(({ project, run, input }) => [project, run, input.customer]).sort(),
    [['acme', 'welcome:7', 7], ['default', 'welcome:7', 7]], 'an equal id of two projects is two runs');
});
