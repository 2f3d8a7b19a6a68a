// Jobs over HTTP both ways: queues whose jobs are posted to an endpoint, and callbacks that tell of a
// job's end; signed, retried, given up, under the guard, and kept through kills.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { startHouse } from '../lib/house.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { Walcast } from '../lib/walcast.mjs';
import { Receiver } from '../lib/webhooks.mjs';
import { waitFor } from '../lib/wait.mjs';
import '../lib/triggers_role.mjs';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const OTHER = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const CONFIG = { 'triggers.allow': '127.0.0.1', 'triggers.lease': '2s', 'secrets.key': '42'.repeat(32) };
const auth = { authorization: `Bearer ${goodToken({ role: 'service_role' })}` };

suite('jobs over HTTP', () => {
  let house, nats;
  const cleanups = [];
  const suiteT = { after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true };
  before(async () => {
    house = await startHouse(suiteT, { config: CONFIG });
    nats = await house.nats.connect();
    await setSecret('QUEUE', SECRET);
    await waitFor('all partitions owned', async () => await house.walcast.metric('walcast_triggers_jobs_partitions') === 16);
  });
  after(async () => {
    await nats.close();
    await Promise.all(cleanups.map((cleanup) => cleanup()));
  });

  const setSecret = (name, value) => house.walcast.commandOk(['secret', 'set', name], { input: value });
  async function ask(method, path, body, walcast = house.walcast) {
    const response = await fetch(`${walcast.url}${path}`, { method, headers: auth, body: body && JSON.stringify(body) });
    const text = await response.text();
    return { status: response.status, text, body: text ? JSON.parse(text) : undefined };
  }
  async function enqueue(job, walcast) {
    const answer = await ask('POST', '/jobs/v1', job, walcast);
    assert.equal(answer.status, 202, answer.text);
    return answer.body.id;
  }
  const stands = (id, state, timeout_ms) => waitFor(`job ${id} that is ${state}`, async () => {
    const { body } = await ask('GET', `/jobs/v1/${id}`);
    return body?.state === state && body;
  }, timeout_ms);
  const called = (id, state) => waitFor(`a callback of ${id} that is ${state}`, async () => {
    const { body } = await ask('GET', `/jobs/v1/${id}`);
    return body?.callback?.state === state && body;
  });
  async function define(name, queue, url, { webhook = {}, ...more } = {}) {
    const answer = await ask('PUT', `/v1/projects/default/triggers/${name}`,
      { name, on: { queue }, do: { webhook: { url, secret: '${secret:QUEUE}', ...webhook } }, ...more });
    assert.ok([200, 201].includes(answer.status), answer.text);
    return answer;
  }

  test('a job carries its depth to worker and callback, and a loop through a queue ends', async (t) => {
    const receiver = await Receiver.start(t, async ({ path, headers }) => {
      if (path === '/loop') await publish(headers['walcast-depth']);
      return 200;
    });
    const publish = (depth) => fetch(`${house.walcast.url}/events/v1`, { method: 'POST', headers: { ...auth, 'walcast-depth': depth },
      body: JSON.stringify({ type: 'loop', data: {} }) });
    await setSecret('JOB_CALLBACK', OTHER);
    await define('deep-worker', 'deep', `${receiver.url}/deep`);
    const post = (depth) => fetch(`${house.walcast.url}/jobs/v1`, { method: 'POST', headers: { ...auth, 'walcast-depth': depth },
      body: JSON.stringify({ queue: 'deep', callback: `${receiver.url}/told` }) });
    assert.equal((await post('7')).status, 202);
    const [worked, told] = await receiver.waitFor(2);
    assert.deepEqual([worked.path, worked.headers['walcast-depth'], worked.body.data.depth], ['/deep', '7', 7]);
    assert.deepEqual([told.path, told.headers['walcast-depth'], told.body.data.depth], ['/told', '7', 7]);
    const refused = await post('1001');
    assert.equal(refused.status, 400);
    assert.match(await refused.text(), /Walcast-Depth/);

    await define('loop-worker', 'loop', `${receiver.url}/loop`);
    const { status, text } = await ask('PUT', '/v1/projects/default/triggers/looping', { name: 'looping', on: { event: 'loop' }, do: { job: { queue: 'loop' } } });
    assert.ok([200, 201].includes(status), text);
    await publish('0');
    await waitFor('the end of the chain', async () => await house.walcast.metric('walcast_triggers_dead_total') === 1);
    const depths = receiver.events.filter(({ path }) => path === '/loop').map(({ headers }) => Number(headers['walcast-depth']));
    assert.deepEqual(depths, Array.from({ length: 17 }, (_, i) => i + 1));
  });

  test('a queue is posted to its endpoint: signed, answered, retried, given up', async (t) => {
    let fails = 2;
    const receiver = await Receiver.start(t, ({ body: { data: { type } } }) => ({
      good: () => ({ status: 200, body: '{"sent": [1, 2]}' }),
      plain: () => 204,
      text: () => ({ status: 200, body: 'thanks' }),
      fails: () => (fails-- > 0 ? 500 : 200),
      gone: () => 410,
      waits: () => (fails-- > 0 ? { status: 429, headers: { 'retry-after': '1' } } : 200),
    })[type]());
    await define('posted', 'posted', `${receiver.url}/work`, { webhook: { headers: { 'x-shop': '7' } } });
    const ids = {};
    for (const type of ['good', 'plain', 'text', 'fails', 'gone'])
      ids[type] = await enqueue({ queue: 'posted', type, payload: { n: 1.50 }, backoff_ms: 100 });
    assert.deepEqual((await stands(ids.good, 'succeeded')).result, { sent: [1, 2] });
    assert.equal((await stands(ids.plain, 'succeeded')).result, null);
    assert.equal((await stands(ids.text, 'succeeded')).result, null);
    assert.equal((await stands(ids.fails, 'succeeded')).attempts, 3);
    assert.match((await stands(ids.gone, 'dead')).error, /the endpoint answered 410/);
    const of = (id) => receiver.events.filter(({ body }) => body.data.id === id);
    const [{ path, text, headers, body }] = of(ids.good);
    new Webhook(SECRET).verify(text, headers);
    assert.equal(path, '/work');
    assert.equal(headers['x-shop'], '7');
    assert.equal(headers['webhook-id'], `job_${ids.good}`);
    assert.equal(body.type, 'good');
    assert.ok(Math.abs(Date.parse(body.timestamp) - Date.now()) < 60_000);
    assert.deepEqual([body.data.queue, body.data.attempt, body.data.lease, body.data.payload], ['posted', 1, 1, { n: 1.5 }]);
    assert.match(text, /"payload":\{"n":1.5/);
    assert.deepEqual(of(ids.fails).map(({ id, body: { data } }) => [id, data.attempt]),
      [1, 2, 3].map((attempt) => [`job_${ids.fails}`, attempt]));
    fails = 1;
    const waits = await enqueue({ queue: 'posted', type: 'waits', backoff_ms: 1 });
    await stands(waits, 'succeeded');
    const [first, second] = of(waits);
    assert.ok(second.at - first.at >= 900, `Retry-After: ${second.at - first.at} ms`);
  });

  test('202 leaves the job to the endpoint, which says over NATS what became of it', async (t) => {
    const receiver = await Receiver.start(t, () => 202);
    await define('later', 'later', receiver.url);
    const id = await enqueue({ queue: 'later', timeout_ms: 20_000, backoff_ms: 100 });
    await waitFor('the job', () => receiver.events.length === 1);
    assert.equal((await ask('GET', `/jobs/v1/${id}`)).body.state, 'running');
    const { lease } = receiver.events[0].body.data;
    const word = (verb, more) => nats.request(`atlasdb.jobs.default.later.work.${verb}`, JSON.stringify({ id, lease, ...more }), { timeout: 10_000 });
    assert.equal((await word('progress')).json().status, 'ok');
    assert.equal((await word('result', { result: 'late' })).json().status, 'ok');
    assert.equal((await stands(id, 'succeeded')).result, 'late');
    const silent = await enqueue({ queue: 'later', timeout_ms: 1000, backoff_ms: 100, max_attempts: 2 });
    assert.match((await stands(silent, 'dead')).error, /said nothing for 1000 ms/);
  });

  test('so many at once, never faster than the rate; paused, resumed and gone', async (t) => {
    let open = [], most = 0;
    const receiver = await Receiver.start(t, () => new Promise((resolve) => {
      open.push(resolve);
      most = Math.max(most, open.length);
    }));
    await define('few', 'few', receiver.url, { webhook: { concurrency: 3 } });
    const ids = [];
    for (let i = 0; i < 10; i++) ids.push(await enqueue({ queue: 'few' }));
    await waitFor('three at once', () => open.length === 3);
    assert.equal((await ask('POST', '/v1/projects/default/triggers/few/pause')).status, 200);
    const taken = async (id) => waitFor('it to be taken in', async () => (await ask('GET', `/jobs/v1/${id}`)).body.state === 'ready');
    const later = await enqueue({ queue: 'few' });
    await taken(later); // by then the pause is known too
    const closing = setInterval(() => open.splice(0).forEach((resolve) => resolve(200)), 10);
    t.after(() => clearInterval(closing));
    await waitFor('three done', async () => receiver.delivered.length === 3 && open.length === 0);
    const last = await enqueue({ queue: 'few' });
    await taken(last);
    assert.equal(receiver.events.length, 3, 'nothing goes out while it is paused');
    assert.equal((await ask('POST', '/v1/projects/default/triggers/few/resume')).status, 200);
    await Promise.all([...ids, later, last].map((id) => stands(id, 'succeeded')));
    assert.equal(most, 3);
    clearInterval(closing);
    receiver.answer = () => 200;
    await define('few', 'few', receiver.url, { webhook: { rate: '10/s' } });
    await stands(await enqueue({ queue: 'few' }), 'succeeded'); // by then the rate is known too
    const began = Date.now();
    const rated = await Promise.all(Array.from({ length: 10 }, () => enqueue({ queue: 'few' })));
    await Promise.all(rated.map((id) => stands(id, 'succeeded')));
    assert.ok(Date.now() - began >= 850, `10 jobs at 10/s took ${Date.now() - began} ms`);
    assert.equal((await ask('DELETE', '/v1/projects/default/triggers/few')).status, 204);
    const left = await enqueue({ queue: 'few' });
    const { jobs } = await waitFor('a worker that gets it', async () => {
      const answer = (await nats.request('atlasdb.jobs.default.few.work.pull', '{"wait_ms":500}', { timeout: 3000 })).json();
      return answer.jobs.length === 1 && answer;
    });
    assert.equal(jobs[0].id, left);
  });

  test('without its secret a queue waits, and goes on once it is set', async (t) => {
    const receiver = await Receiver.start(t);
    await define('unset', 'unset', receiver.url, { webhook: { secret: '${secret:UNSET}' } });
    const id = await enqueue({ queue: 'unset' });
    await waitFor('it to be told', () => /jobs of a queue cannot be posted.*UNSET/.test(house.walcast.logText()));
    assert.equal((await ask('GET', `/jobs/v1/${id}`)).body.attempts, 0);
    await setSecret('UNSET', OTHER);
    await stands(id, 'succeeded');
    new Webhook(OTHER).verify(receiver.events[0].text, receiver.events[0].headers);
  });

  test('what does not go with a queue is refused with its place', async () => {
    const put = (definition) => ask('PUT', '/v1/projects/default/triggers/bad', { name: 'bad', ...definition });
    const webhook = { webhook: { url: 'https://example.org/', secret: '${secret:QUEUE}' } };
    for (const [definition, says] of [
      [{ on: { queue: 'a' }, do: { nats: { subject: 'x' } } }, /queue's jobs expected webhook/],
      [{ on: { queue: 'a' }, when: 'new.a = 1', do: webhook }, /when: does not go with a queue/],
      [{ on: { queue: 'a', table: 'b' }, do: webhook }, /not both/],
    ]) {
      const answer = await put(definition);
      assert.equal(answer.status, 400, answer.text);
      assert.match(answer.text, says);
    }
  });

  test('a callback tells a job\'s end: signed, retried, and given up with its reason', async (t) => {
    let fails = 1;
    const receiver = await Receiver.start(t, ({ path }) => ({
      '/good': () => 200,
      '/fails': () => (fails-- > 0 ? { status: 503, headers: { 'retry-after': '1' } } : 200),
      '/gone': () => 410,
    })[path]());
    await setSecret('JOB_CALLBACK', OTHER);
    const work = async (queue, word) => {
      const { jobs: [{ id, lease }] } = await waitFor('a job', async () => {
        const answer = (await nats.request(`atlasdb.jobs.default.${queue}.work.pull`, '{"wait_ms":500}', { timeout: 3000 })).json();
        return answer.jobs.length === 1 && answer;
      });
      assert.equal((await nats.request(`atlasdb.jobs.default.${queue}.work.result`, JSON.stringify({ id, lease, ...word }), { timeout: 3000 })).json().status, 'ok');
    };
    const good = await enqueue({ queue: 'told', callback: `${receiver.url}/good`, payload: 'p' });
    assert.equal((await ask('GET', `/jobs/v1/${good}`)).body.callback.state, 'waiting');
    await work('told', { result: [7] });
    assert.equal((await called(good, 'told')).callback.attempts, 1);
    const [{ text, headers, body }] = receiver.events;
    new Webhook(OTHER).verify(text, headers);
    assert.equal(headers['webhook-id'], `end_${good}_1`);
    assert.deepEqual([body.type, body.data.id, body.data.state, body.data.result, body.data.payload],
      ['job.succeeded', good, 'succeeded', [7], undefined]);

    const fallible = await enqueue({ queue: 'told', callback: `${receiver.url}/fails`, callback_secret: 'QUEUE' });
    await work('told', { error: 'no', final: true });
    assert.equal((await called(fallible, 'told')).callback.attempts, 2);
    const both = receiver.events.filter(({ path }) => path === '/fails');
    assert.equal(both.length, 2);
    assert.equal(both[0].id, both[1].id);
    assert.ok(both[1].at - both[0].at >= 900);
    for (const event of both) new Webhook(SECRET).verify(event.text, event.headers);
    assert.deepEqual([both[0].body.type, both[0].body.data.error], ['job.dead', 'no']);

    const gone = await enqueue({ queue: 'told', callback: `${receiver.url}/gone`, keep_ms: 0 });
    await work('told', {});
    const dead = await called(gone, 'dead');
    assert.match(dead.callback.error, /the endpoint answered 410/);
    receiver.answer = () => 200;
    const retried = await house.walcast.command(['job', 'retry', gone]);
    assert.equal(retried.code, 0, retried.stderr);
    await waitFor('it told after all', () => receiver.events.filter(({ path }) => path === '/gone').length === 2);
    await waitFor('its end', async () => (await ask('GET', `/jobs/v1/${gone}`)).status === 404);

    const cancelled = await enqueue({ queue: 'never', delay_ms: 60_000, callback: `${receiver.url}/good` });
    await waitFor('it there', async () => (await ask('GET', `/jobs/v1/${cancelled}`)).status === 200);
    assert.equal((await ask('DELETE', `/jobs/v1/${cancelled}`)).status, 200);
    await waitFor('its cancellation told', () => receiver.events.some(({ body: { type, data } }) => type === 'job.cancelled' && data.id === cancelled));
  });

  test('a callback reaches no private address, and needs its secret', async (t) => {
    for (const [callback, says] of [['http://10.0.0.1/', /private/], ['http://[::1]/', /loopback/], ['http://0x7f000002/', /loopback/],
      [house.walcast.url, /Walcast's own/], ['ftp://example.org/', /https:\/\/ or http:/], ['nonsense', /https:\/\//]]) {
      const answer = await ask('POST', '/jobs/v1', { queue: 'told', callback });
      assert.equal(answer.status, 400, `${callback}: ${answer.text}`);
      assert.match(answer.body.detail, says);
    }
    // what a name means is seen when it is connected to
    const receiver = await Receiver.start(t);
    const port = new URL(receiver.url).port;
    const named = await enqueue({ queue: 'never', delay_ms: 60_000, callback: `http://localhost.localdomain:${port}/`, callback_secret: 'QUEUE' });
    const unset = await enqueue({ queue: 'never', delay_ms: 60_000, callback: receiver.url, callback_secret: 'NOT_THERE' });
    for (const id of [named, unset]) {
      await waitFor('it there', async () => (await ask('GET', `/jobs/v1/${id}`)).status === 200);
      await ask('DELETE', `/jobs/v1/${id}`);
    }
    assert.match((await waitFor('an attempt', async () => {
      const { body } = await ask('GET', `/jobs/v1/${unset}`);
      return body.callback.attempts > 0 && body;
    })).callback.error, /NOT_THERE/);
    assert.equal(receiver.events.length, 0);
  });

  test('a node that joins takes queues over without a job posted twice', async (t) => {
    const receiver = await Receiver.start(t, () => new Promise((resolve) => setTimeout(resolve, 300, 200)));
    const queues = Array.from({ length: 12 }, (_, n) => `moved${n}`);
    for (const queue of queues) await define(queue, queue, receiver.url, { webhook: { concurrency: 2 } });
    const ids = [];
    const other = await Walcast.start({ ...house, config: { ...CONFIG, roles: 'triggers' } });
    t.after(() => other.remove());
    let hasJoined = false;
    const joined = waitFor('half of them each', async () => {
      const shares = await Promise.all([house.walcast, other].map((node) => node.metric('walcast_triggers_jobs_partitions')));
      return (hasJoined = shares.join() === '8,8');
    }).finally(() => { hasJoined = true; });
    while (!hasJoined || ids.length < 180) { // all queues have work all the time
      await waitFor('work to be done', () => ids.length - receiver.delivered.length < 5 * queues.length);
      ids.push(...await Promise.all(queues.map((queue) => enqueue({ queue }))));
    }
    await joined;
    await waitFor('all done', async () => receiver.delivered.length === ids.length, 60_000);
    await Promise.all(ids.map((id) => stands(id, 'succeeded')));
    assert.equal(receiver.events.length, ids.length);
    await other.stop();
    await waitFor('all again', async () => await house.walcast.metric('walcast_triggers_jobs_partitions') === 16);
  });

  test('kills lose no job and no callback', async (t) => {
    const receiver = await Receiver.start(t, ({ path }) => new Promise((resolve) => setTimeout(resolve, path === '/work' ? 60 : 1, 200)));
    const queues = Array.from({ length: 8 }, (_, n) => `killed${n}`); // of both nodes
    for (const queue of queues) await define(queue, queue, `${receiver.url}/work`, { webhook: { concurrency: 1 } });
    const other = await Walcast.start({ ...house, config: { ...CONFIG, roles: 'triggers' } });
    t.after(() => other.remove());
    await other.ready();
    await waitFor('half of them each', async () => await other.metric('walcast_triggers_jobs_partitions') === 8);
    const due = Date.now() + 2000; // when all are there
    const ids = await Promise.all(Array.from({ length: 120 }, (_, i) => enqueue({ queue: queues[i % 8], timeout_ms: 3000, backoff_ms: 10,
      delay_ms: Math.max(0, due - Date.now()), callback: `${receiver.url}/end` }, i % 2 ? other : house.walcast)));
    const ends = () => new Set(receiver.delivered.filter(({ path }) => path === '/end').map(({ body }) => body.data.id));
    await waitFor('a fifth done', () => ends().size >= 24);
    await house.walcast.kill();
    assert.ok(ends().size < 110, `${ends().size} of 120 had ended before the kill`);
    await waitFor('all told', () => ends().size === 120, 60_000);
    assert.deepEqual([...ends()].sort(), [...ids].sort());
    const work = receiver.events.filter(({ path }) => path === '/work');
    t.diagnostic(`120 jobs: ${work.length} requests, ${receiver.events.length - work.length} callbacks`);
    assert.ok(work.length < 160, 'only what was under way came twice');
    house.walcast.start();
    await house.walcast.ready();
  });
});
