// Jobs from outside: enqueued over HTTP, worked on over NATS, with real servers: delay, priority,
// unique and concurrency keys, retries to dead ones, silent workers, cancellation, results, and an
// owner that is killed.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { runOk } from '../lib/process.mjs';
import { waitFor } from '../lib/wait.mjs';
import { BINARY, Walcast } from '../lib/walcast.mjs';
import '../lib/triggers_role.mjs';

const CONFIG = { 'triggers.lease': '2s' };

// A job as the inbox stream holds it (triggers/job_wire.c), due in a day.
function wireJob(queue, partition, n) {
  const text = (value) => {
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const numbers = Buffer.alloc(12 + 56 + 2); // at its end the depth
  [1, 0, 20].forEach((value, i) => numbers.writeUInt32BE(value, 4 * i));
  const now = BigInt(Date.now()) * 1000n;
  [5000n, 60000n, 60000n, 60000n, now, now + 86_400_000_000n, 0n].forEach((value, i) => numbers.writeBigInt64BE(value, 12 + 8 * i));
  const id = `1mxyz012340${partition}${`${n}`.padStart(16, '0')}`;
  return Buffer.concat([Buffer.from([2]), Buffer.from(id), text('default'), text(queue), text(''),
    text(JSON.stringify({ n: 'x'.repeat(50) })), text(''), text(''), text(''), text(''), numbers]);
}

suite('jobs', () => {
  let house;
  let nats;
  let key;
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { config: CONFIG });
    nats = await house.nats.connect();
    key = await token();
    await share('16', house.walcast);
  });
  after(async () => {
    await nats.close();
    await Promise.all(cleanups.map((cleanup) => cleanup()));
  });

  const token = (claims = {}) => house.walcast.token({ role: 'service_role', claims });

  async function http(method, path, body, { walcast = house.walcast, bearer = key, headers = {} } = {}) {
    const response = await fetch(`${walcast.url}/jobs/v1${path}`, { method,
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json', ...headers },
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body) });
    const text = await response.text();
    return { status: response.status, headers: response.headers, type: response.headers.get('content-type'), json: text ? JSON.parse(text) : undefined };
  }

  async function enqueue(job, options) {
    const answer = await http('POST', '', job, options);
    assert.equal(answer.status, 202, JSON.stringify(answer));
    return answer.json.id;
  }

  async function show(id, options) {
    const answer = await http('GET', `/${id}`, undefined, options);
    assert.equal(answer.status, 200, JSON.stringify(answer));
    return answer.json;
  }

  const stands = (id, state, timeout_ms) => waitFor(`job ${id} that is ${state}`, async () => {
    const job = await show(id);
    return job.state === state && job;
  }, timeout_ms);

  // A worker's word, said again until the owner answers.
  async function say(queue, verb, word, timeout = 2000) {
    const subject = `atlasdb.jobs.default.${queue}.work.${verb}`;
    return waitFor(`an answer on ${subject}`, async () => {
      try {
        return (await nats.request(subject, JSON.stringify(word), { timeout })).json();
      } catch (error) {
        if (!/timeout|no responders/i.test(`${error.name} ${error.message}`)) throw error;
        return undefined;
      }
    }, 60_000);
  }

  async function pull(queue, word = {}) {
    const answer = await say(queue, 'pull', { wait_ms: 0, ...word }, (word.wait_ms ?? 0) + 2000);
    assert.equal(answer.status, 'ok');
    return answer.jobs;
  }

  const done = ({ id, lease, queue }, word = {}) => say(queue, 'result', { id, lease, ...word });
  const share = (counts, ...nodes) => waitFor(`nodes that share ${counts}`, async () =>
    (await Promise.all(nodes.map((node) => node.metric('walcast_triggers_jobs_partitions')))).join() === counts, 30_000);
  let queues = 0;
  const newQueue = () => `q${++queues}`;

  test('a job is enqueued, worked on and looked up', async () => {
    const queue = newQueue();
    const id = await enqueue({ queue, type: 'welcome', payload: { to: 'a@b', n: 1.50 } });
    const waiting = await show(id);
    assert.deepEqual([waiting.state, waiting.attempts, waiting.payload], ['ready', 0, { to: 'a@b', n: 1.5 }]);
    const [job] = await pull(queue);
    assert.deepEqual([job.id, job.type, job.attempt, job.payload], [id, 'welcome', 1, { to: 'a@b', n: 1.5 }]);
    assert.equal((await show(id)).state, 'running');
    assert.deepEqual(await say(queue, 'progress', { id, lease: job.lease }), { status: 'ok' });
    assert.deepEqual(await done(job, { result: { sent: true } }), { status: 'ok' });
    assert.deepEqual(await done(job, { result: { sent: true } }), { status: 'known' });
    const over = await show(id);
    assert.deepEqual([over.state, over.result], ['succeeded', { sent: true }]);
    assert.deepEqual(await pull(queue), []);
  });

  test('a pull waits for a job', async () => {
    const queue = newQueue();
    const waiting = pull(queue, { wait_ms: 10_000 });
    await waitFor('the pull', async () => await house.walcast.metric('walcast_triggers_jobs_pulls') >= 1);
    const id = await enqueue({ queue });
    assert.deepEqual((await waiting).map((job) => job.id), [id]);
  });

  test('a delayed job comes at its time, higher priorities first', async () => {
    const queue = newQueue();
    const start = Date.now();
    const late = await enqueue({ queue, delay_ms: 4000, priority: 100 });
    assert.equal((await show(late)).state, 'scheduled');
    const ids = [];
    for (const priority of [0, 5, -5]) ids.push(await enqueue({ queue, priority }));
    for (const id of ids) await show(id);
    assert.deepEqual((await pull(queue, { max: 10 })).map((job) => job.id), [ids[1], ids[0], ids[2]]);
    const [job] = await pull(queue, { wait_ms: 10_000 });
    assert.equal(job.id, late);
    assert.ok(Date.now() - start >= 4000);
  });

  test('of a unique key one job is not over', async () => {
    const queue = newQueue();
    const first = await enqueue({ queue, unique_key: 'u' });
    const second = await enqueue({ queue, unique_key: 'u' });
    const duplicate = await show(second);
    assert.deepEqual([duplicate.state, duplicate.duplicate_of], ['duplicate', first]);
    const jobs = await pull(queue, { max: 10 });
    assert.deepEqual(jobs.map((job) => job.id), [first]);
    await done(jobs[0]);
    assert.equal((await show(await enqueue({ queue, unique_key: 'u' }))).state, 'ready');
  });

  test('as many of a concurrency key run at once as it says', async () => {
    const queue = newQueue();
    const ids = [];
    for (let n = 0; n < 5; n++) ids.push(await enqueue({ queue, concurrency_key: 'k', concurrency: 2 }));
    for (const id of ids) await show(id);
    const jobs = await pull(queue, { max: 10 });
    assert.equal(jobs.length, 2);
    const waiting = pull(queue, { max: 10, wait_ms: 10_000 });
    await done(jobs[0]);
    assert.equal((await waiting).length, 1);
  });

  test('a job that fails comes again, and at last is dead', async () => {
    const queue = newQueue();
    const id = await enqueue({ queue, max_attempts: 3, backoff_ms: 20 });
    for (let attempt = 1; attempt <= 3; attempt++) {
      const [job] = await pull(queue, { wait_ms: 10_000 });
      assert.equal(job.attempt, attempt);
      await done(job, { error: `no ${attempt}` });
    }
    const dead = await show(id);
    assert.deepEqual([dead.state, dead.error, dead.attempts], ['dead', 'no 3', 3]);
    const other = await enqueue({ queue });
    const [job] = await pull(queue, { wait_ms: 10_000 });
    await done(job, { error: 'never', final: true });
    assert.equal((await show(other)).state, 'dead');
  });

  test('a silent worker loses its attempt and its late word counts no more', async () => {
    const queue = newQueue();
    const id = await enqueue({ queue, timeout_ms: 3000, backoff_ms: 0 });
    const [first] = await pull(queue, { wait_ms: 10_000 });
    const [second] = await pull(queue, { wait_ms: 20_000 });
    assert.deepEqual([second.id, second.attempt], [id, 2]);
    assert.equal((await done(first, { result: 1 })).status, 'stale');
    assert.equal((await done(second, { result: 2 })).status, 'ok');
    assert.equal((await show(id)).result, 2);
  });

  test('jobs are cancelled, those that run by their worker', async () => {
    const queue = newQueue();
    const [waiting, running] = [await enqueue({ queue, delay_ms: 60_000 }), await enqueue({ queue })];
    const cancelled = await http('DELETE', `/${waiting}`);
    assert.deepEqual([cancelled.status, cancelled.json.state], [200, 'cancelled']);
    const again = await http('DELETE', `/${waiting}`);
    assert.deepEqual([again.status, again.type], [409, 'application/problem+json']);
    await show(running);
    const [job] = await pull(queue);
    const asked = await http('DELETE', `/${running}`);
    assert.deepEqual([asked.status, asked.json.state, asked.json.cancel_requested], [202, 'running', true]);
    assert.equal((await say(queue, 'progress', job.id && { id: job.id, lease: job.lease })).status, 'cancels');
    await done(job, { error: 'given up' });
    assert.equal((await show(running)).state, 'cancelled');
  });

  test('what is wrong is refused with what was expected', async () => {
    for (const [body, part] of [['{', 'JSON'], [{ queue: 'a.b' }, 'queue'], [{}, 'queue'], [{ queue: 'q', priority: 101 }, 'priority'],
      [{ queue: 'q', max_attempts: 0 }, 'max_attempts'], [{ queue: 'q', nothing: 1 }, 'nothing'], [{ queue: 'q', delay_ms: 'x' }, 'delay_ms']]) {
      const answer = await http('POST', '', body);
      assert.deepEqual([answer.status, answer.type], [400, 'application/problem+json'], JSON.stringify(body));
      assert.match(answer.json.detail, new RegExp(part));
    }
    assert.equal((await http('GET', '/nothing')).status, 404);
    assert.equal((await http('GET', '/1mxyz01234070000000000000001')).status, 404);
    assert.equal((await say('q', 'result', {})).status, 'invalid');
    assert.equal((await say('q', 'pull', { wait_ms: 'soon' })).status, 'invalid');
  });

  test('a credential sees its own project only, and needs the scope', async () => {
    const id = await enqueue({ queue: newQueue() });
    const anon = await house.walcast.token({ role: 'anon' });
    assert.equal((await http('GET', `/${id}`, undefined, { bearer: anon })).status, 403);
    const other = await token({ project_id: 'other' });
    const answer = await http('GET', `/${id}`, undefined, { bearer: other });
    assert.ok([401, 403, 404, 503].includes(answer.status), `${answer.status}`);
  });

  test('under an Idempotency-Key a job is made once, also when nobody knows whether it was', async () => {
    const job = { queue: 'keyed', payload: 1 };
    const ask = (body, name) => http('POST', '', body, { headers: { 'idempotency-key': name } });
    const first = await ask(job, 'one');
    assert.equal(first.status, 202, JSON.stringify(first));
    const again = await ask(job, 'one');
    assert.deepEqual([again.status, again.json, again.headers.get('idempotency-replayed')], [202, first.json, 'true']);
    assert.equal((await ask({ ...job, payload: 2 }, 'one')).status, 422);
    assert.equal((await ask({ queue: 'no good' }, 'wrong')).status, 400);
    assert.equal((await ask(job, 'wrong')).status, 202, 'a refusal gives the key back');
    const crowd = await Promise.all(Array.from({ length: 30 }, () => ask(job, 'crowd')));
    assert.ok(crowd.every(({ status }) => status === 202 || status === 409), crowd.map(({ status }) => status).join());
    assert.equal(new Set(crowd.filter(({ status }) => status === 202).map(({ json }) => json.id)).size, 1);
    const taken = ({ json: { id } }) => waitFor('its state', async () => (await http('GET', `/${id}`)).json.state === 'ready');
    await taken(first);
    // the stream is full: nobody can have it, and who asks again gets the same id
    const limit = (change) => house.nats.manage(async (manager) => {
      const { config, state } = await manager.streams.info('WALCAST_JOBS');
      await manager.streams.update('WALCAST_JOBS', { max_bytes: change(state.bytes) });
      return config.max_bytes;
    });
    const before = await limit((bytes) => bytes + 1);
    assert.equal((await ask(job, 'full')).status, 503);
    await limit(() => before);
    const last = await ask(job, 'full');
    assert.equal(last.status, 202);
    await taken(last);
    const jobs = await say('keyed', 'pull', { max: 10, wait_ms: 500 });
    assert.equal(jobs.jobs.length, 4, JSON.stringify(jobs));
    const removed = await Promise.all([0, 1].map(() => http('DELETE', `/${first.json.id}`, undefined, { headers: { 'idempotency-key': 'gone' } })));
    assert.ok(removed.every(({ status }) => status === 202 || status === 409), JSON.stringify(removed));
  });

  test('the command line enqueues, shows, lists, cancels and retries', async () => {
    const queue = newQueue();
    const command = async (...args) => (await house.walcast.commandOk(['job', ...args])).trim();
    const id = await command('enqueue', queue, '--payload', '{"n":1}', '--type', 'by-hand', '--priority', '7', '--attempts', '1');
    assert.deepEqual((({ state, type, priority, payload }) => ({ state, type, priority, payload }))(JSON.parse(await command('show', id))),
      { state: 'ready', type: 'by-hand', priority: 7, payload: { n: 1 } });
    const [job] = await pull(queue, { wait_ms: 5000 });
    await done(job, { error: 'no' });
    const dead = await command('list', '--queue', queue, '--state', 'dead', '--json');
    assert.deepEqual([JSON.parse(dead).id, JSON.parse(dead).error], [id, 'no']);
    assert.equal(JSON.parse(await command('retry', id)).state, 'ready');
    assert.equal(JSON.parse(await command('cancel', id)).state, 'cancelled');
    assert.match(await command('list'), new RegExp(`${id} +cancelled +${queue}`));
    for (const [args, code, text] of [[['cancel', id], 1, /not in a state/], [['show', '1mxyz01234070000000000000001'], 1, /no job/],
      [['show', 'x'], 2, /no job's id/], [['enqueue', 'a.b'], 2, /queue/], [['enqueue', queue, '--payload', '{'], 2, /JSON/], [['dance'], 2, /enqueue/]]) {
      const answer = await house.walcast.command(['job', ...args]);
      assert.equal(answer.code, code, `${args}: ${answer.stderr}`);
      assert.match(answer.stderr, text);
    }
  });

  test('what was accepted survives a kill, and running attempts get their time anew', async () => {
    const queue = newQueue();
    const ids = [];
    for (let n = 0; n < 200; n++) ids.push(await enqueue({ queue, payload: n, delay_ms: n % 2 ? 500 : 0 }));
    for (const id of ids.slice(-2)) await show(id);
    const taken = await pull(queue, { max: 20 });
    assert.equal(taken.length, 20);
    await done(taken[0], { result: 'before' });
    await house.walcast.kill();
    house.walcast.start();
    await house.walcast.ready();
    const seen = new Map([[taken[0].id, 1]]);
    for (const job of taken.slice(1)) { // they were running all the time
      assert.equal((await done(job, { result: 'after' })).status, 'ok');
      seen.set(job.id, 1);
    }
    while (seen.size < 200) {
      for (const job of await pull(queue, { max: 50, wait_ms: 5000 })) {
        assert.ok(!seen.has(job.id), 'a job that was done ran again');
        seen.set(job.id, 1);
        assert.equal((await done(job)).status, 'ok');
      }
    }
    assert.deepEqual([...seen.keys()].sort(), [...ids].sort());
    assert.equal((await show(taken[0].id)).result, 'before');
  });

  test('while the log has no room nothing is asked or handed out, and no attempt is lost', async () => {
    const queue = newQueue();
    const limit = (change) => house.nats.manage(async (manager) => {
      const { config, state } = await manager.streams.info('WALCAST_JOBLOG');
      await manager.streams.update('WALCAST_JOBLOG', { max_bytes: change(state.bytes) });
      return config.max_bytes;
    });
    const first = await enqueue({ queue, timeout_ms: 4000 });
    const [running] = await pull(queue, { wait_ms: 10_000 });
    const began = Date.now();
    const before = await limit((bytes) => bytes + 1);
    const second = await enqueue({ queue });
    await waitFor('a full log', async () => /jobs.log_bytes/.test((await house.walcast.health()).reason));
    const refused = await http('GET', `/${first}`);
    assert.deepEqual([refused.status, /jobs.log_bytes/.test(refused.json.detail)], [503, true], JSON.stringify(refused));
    await assert.rejects(nats.request(`atlasdb.jobs.default.${queue}.work.pull`, '{}', { timeout: 500 }));
    await waitFor('longer than the timeout', () => Date.now() - began > 5000);
    await limit(() => before);
    assert.equal((await done(running, { result: 1 })).status, 'ok');
    assert.equal((await show(second)).attempts, 0);
    assert.deepEqual((await pull(queue, { max: 2 })).map((job) => [job.id, job.attempt]), [[second, 1]]);
    await waitFor('no word of it', async () => !/jobs.log_bytes/.test((await house.walcast.health()).reason));
  });

  test('a log that cannot be read is left to other nodes, and taken again when it can', async () => {
    const log = 'atlasdb.joblog.default.00';
    const partitions = () => house.walcast.metric('walcast_triggers_jobs_partitions');
    await house.nats.manage(async (manager) => {
      const { seq } = await manager.jetstream().publish(log, Buffer.from([9]));
      const holder = () => manager.streams.getMessage('KV_WALCAST_leases', { last_by_subj: '$KV.WALCAST_leases.jobs.00' })
        .then((message) => message?.header?.get('KV-Operation') ? undefined : message, () => undefined);
      let queue;
      do queue = newQueue(); while ((await enqueue({ queue }))[11] !== '0'); // one of that partition's
      await waitFor('the log refused', async () => /cannot be read/.test((await house.walcast.health()).reason));
      await waitFor('the lease given back', async () => !await holder());
      await waitFor('one partition less', async () => await partitions() === 15);
      await manager.streams.purge('WALCAST_JOBLOG', { filter: log, seq: seq + 1 }); // what it holds that matters stands in the inbox
      await waitFor('the partition again', async () => await partitions() === 16, 30_000);
      assert.equal((await pull(queue, { wait_ms: 5000 })).length, 1);
      await waitFor('no word of it', async () => !/cannot be read/.test((await house.walcast.health()).reason));
    });
  });

  test('a hundred thousand scheduled jobs cost memory and nothing else', async (t) => {
    const queue = newQueue();
    const before = await house.walcast.metric('process_resident_memory_bytes');
    const start = Date.now();
    const partition = (await enqueue({ queue, delay_ms: 86_400_000 }))[11];
    const subject = `atlasdb.jobs.default.${`${parseInt(partition, 16)}`.padStart(2, '0')}`;
    for (let n = 1; n < 100_000; n++) {
      nats.publish(subject, wireJob(queue, partition, n));
      if (n % 1000 === 0) await nats.flush();
    }
    const enqueued = Date.now();
    await waitFor('all of them', async () => await house.walcast.metric('walcast_triggers_jobs_scheduled') >= 100_000, 120_000);
    const bytes = await house.walcast.metric('process_resident_memory_bytes') - before;
    const cpu = () => house.walcast.metric('process_cpu_seconds_total');
    const idle = await cpu();
    await new Promise((done) => setTimeout(done, 3000)); // what an idle time costs is what is measured
    const cost = await cpu() - idle;
    const id = await enqueue({ queue });
    const [job] = await pull(queue, { wait_ms: 5000 });
    assert.equal(job.id, id);
    await house.walcast.kill();
    const killed = Date.now();
    house.walcast.start();
    await house.walcast.ready();
    await waitFor('the jobs again', async () => await house.walcast.metric('walcast_triggers_jobs_scheduled') >= 100_000, 120_000);
    t.diagnostic(`100,000 enqueued in ${enqueued - start} ms; ${Math.round(bytes / 1e6)} MB more; ${cost.toFixed(2)} s of CPU in 3 s idle; `
      + `${Date.now() - killed} ms from kill to all scheduled again`);
    assert.ok(bytes < 200e6, `${bytes} bytes`);
    assert.ok(cost < 0.6, `${cost} s of CPU`);
    assert.equal((await done(job)).status, 'ok');
  });

  test('a node that joins gets its share, and no attempt is cut by it', async (t) => {
    await share('16', house.walcast); // a node that was killed counts for as long as its lease
    const running = []; // of all partitions: an attempt each, which goes on
    for (let n = 0; n < 40; n++) {
      const queue = newQueue();
      await enqueue({ queue, payload: n, timeout_ms: 120_000 });
      const [job] = await pull(queue, { wait_ms: 10_000 });
      running.push(job);
    }
    const second = await Walcast.start({ nats: house.nats, config: { ...CONFIG, 'postgres.url': house.postgres.url, roles: 'triggers' } });
    t.after(() => second.remove());
    await second.ready();
    await share('8,8', house.walcast, second);
    for (const { queue, id, lease } of running.slice(0, 20)) assert.equal((await say(queue, 'progress', { id, lease })).status, 'ok');
    for (const job of running) assert.equal((await done(job)).status, 'ok');
    for (const { id } of running) assert.equal((await show(id)).attempts, 1);
    await second.stop();
    await share('16', house.walcast);
  });

  test('two nodes share the partitions; when one is killed the other one goes on', async (t) => {
    const queue = newQueue();
    const second = await Walcast.start({ nats: house.nats, config: { ...CONFIG, 'postgres.url': house.postgres.url, roles: 'ws,triggers' } });
    t.after(() => second.remove());
    await second.ready();
    await share('8,8', house.walcast, second);
    const ids = [];
    for (let n = 0; n < 100; n++) ids.push(await enqueue({ queue, payload: n }, { walcast: n % 2 ? second : house.walcast }));
    for (const id of ids.slice(-10)) assert.equal((await show(id, { walcast: second })).state, 'ready'); // asked of the owner
    const done_before = await pull(queue, { max: 30 });
    for (const job of done_before) assert.equal((await done(job)).status, 'ok');
    const held = await pull(queue, { max: 10 });
    await house.walcast.kill();
    await share('16', second);
    for (const job of held) assert.equal((await done(job)).status, 'ok');
    const rest = [];
    while (rest.length < 60) {
      for (const job of await pull(queue, { max: 20, wait_ms: 5000 })) {
        rest.push(job.id);
        assert.equal((await done(job)).status, 'ok');
      }
    }
    assert.equal(new Set([...done_before, ...held].map((job) => job.id).concat(rest)).size, 100);
    house.walcast.start();
    await house.walcast.ready();
  });
});

test('a tenant has its share of the jobs, and nobody else is held up', async (t) => {
  const house = await startHouse(t, { config: { ...CONFIG, 'jobs.max_jobs': 100, 'postgres.tenant_schemas': 'proj_{project_id}' } });
  await waitFor('all partitions', async () => await house.walcast.metric('walcast_triggers_jobs_partitions') === 16, 30_000);
  const asker = async (claims) => {
    const bearer = await house.walcast.token({ role: 'service_role', claims });
    return async (method, path, body) => {
      const response = await fetch(`${house.walcast.url}/jobs/v1${path}`, { method, body: body && JSON.stringify(body),
        headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' } });
      return response.json();
    };
  };
  const [acme, own] = [await asker({ project_id: 'acme' }), await asker({})];
  const queued = async (ask, count) => {
    const ids = [];
    for (let n = 1; n <= count; n++) ids.push((await ask('POST', '', { queue: 'mail', type: 'send', payload: { n } })).id);
    return waitFor('all taken in', async () => {
      const all = await Promise.all(ids.map((id) => ask('GET', `/${id}`)));
      return all.every((job) => job.state) && all;
    });
  };
  const theirs = await queued(acme, 60);
  assert.deepEqual(theirs.map((job) => job.state), theirs.map((_, i) => (i < 25 ? 'ready' : 'cancelled')));
  assert.match(theirs[25].error, /used up its share .*jobs\.project_share/);
  await waitFor('the count', async () => await house.walcast.metric('walcast_triggers_jobs_refused') === 35);
  assert.ok((await queued(own, 20)).every((job) => job.state === 'ready'));
  await acme('DELETE', `/${theirs[0].id}`);
  assert.equal((await queued(acme, 1))[0].state, 'ready'); // there is room again
});
