// Schedules over REST, and that each of their moments happens once: over two processes that are
// killed and stopped, over kills of nats-server, and over a definition that changes.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { readEvents } from '../lib/events.mjs';
import { startHouse } from '../lib/house.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { Walcast } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';
import '../lib/triggers_role.mjs';

const headers = { authorization: `Bearer ${goodToken({ role: 'service_role' })}` };
// Moments of the clock in which nothing that could be looked at is running.
const pass = (ms, until = Date.now() + ms) => waitFor('moments to pass', () => Date.now() >= until);

// Two processes that may run schedules, and what is asked of them.
async function startSchedules(t) {
  const config = { 'triggers.lease': '2s' };
  const house = await startHouse(t, { schema: 'CREATE TABLE t (id int PRIMARY KEY)', config });
  const other = await Walcast.start({ ...house, config: { ...config, roles: 'triggers' } });
  t.after(() => other.remove());
  await other.ready();
  async function ask(method, path, body, walcast = house.walcast) {
    const response = await fetch(`${walcast.url}/v1/projects/default/${path}`, { method, headers,
      ...(body !== undefined && { body: JSON.stringify(body) }) });
    const text = await response.text();
    return { status: response.status, text, body: text ? JSON.parse(text) : undefined };
  }
  const schedule = (name, cron, more = {}) => ({ name, on: { cron, ...more }, do: { nats: { subject: 'out.of.it' } } });
  const put = (name, cron, more) => ask('PUT', `cron/${name}`, schedule(name, cron, more));
  const eventsOf = async (name, type = 'cron') =>
    (await readEvents(house.nats)).filter((event) => event.type === `walcast%2E${type}%2E${name}`);
  const ticks = async (name) => (await eventsOf(name)).map(({ headers: { 'Walcast-Time': time } }) => Date.parse(time));
  async function grown(name, n) {
    const before = (await ticks(name)).length;
    await waitFor(`${n} moments more`, async () => (await ticks(name)).length >= before + n, 30_000, 200);
  }
  async function contiguous(name) {
    const moments = await ticks(name);
    for (let i = 1; i < moments.length; i++)
      assert.equal(moments[i] - moments[i - 1], 1000, `${new Date(moments[i - 1]).toISOString()} is followed by ${new Date(moments[i]).toISOString()}`);
    return moments;
  }
  return { house, other, ask, schedule, put, eventsOf, ticks, grown, contiguous };
}

suite('schedules', { concurrency: 2 }, () => {
  test('each moment once and none left out, while processes and nats-server are killed and stopped', async (t) => {
    const { house, other, ask, put, grown, contiguous } = await startSchedules(t);
    const names = ['a', 'b', 'c', 'd', 'e'].map((letter) => `once-${letter}`);
    for (const name of names) assert.equal((await put(name, '* * * * * *', { catch_up: 'all', tolerance: '0s' })).status, 201);
    await grown(names[4], 2);
    for (const walcast of [house.walcast, other]) {
      await walcast.kill();
      await grown(names[4], 2);
      walcast.start();
      await walcast.ready();
    }
    for (const walcast of [house.walcast, other]) {
      walcast.process.child.kill('SIGSTOP');
      await grown(names[4], 3); // past its lease: two to three seconds, whoever has it
      walcast.process.child.kill('SIGCONT');
      await grown(names[4], 2);
    }
    await house.nats.kill();
    await waitFor('word of it', () => /schedules wait/.test(house.walcast.logText()));
    await pass(1000);
    await house.nats.restart();
    await grown(names[4], 2);
    await Promise.all([house.walcast.kill(), other.kill()]);
    await pass(2500);
    house.walcast.start();
    other.start();
    await Promise.all([house.walcast.ready(), other.ready()]);
    await grown(names[4], 4);
    let count = 0;
    for (const name of names) {
      assert.equal((await ask('DELETE', `cron/${name}`)).status, 204);
      count += (await contiguous(name)).length;
    }
    t.diagnostic(`${count} moments of ${names.length} schedules`);
    assert.ok(count > 5 * 18);
  });

  suite('asked for', { concurrency: 1 }, () => {
    let ask, schedule, put, eventsOf, ticks, grown, contiguous, other;
    const cleanups = [];
    before(async () => {
      const suiteT = { after: (cleanup) => cleanups.unshift(cleanup), diagnostic: console.error, passed: true };
      ({ ask, schedule, put, eventsOf, ticks, grown, contiguous, other } = await startSchedules(suiteT));
    });
    after(async () => { for (const cleanup of cleanups) await cleanup(); });

    test('one is made, read, listed, replaced and removed; only schedules are seen here', async () => {
      const made = await ask('POST', 'cron', schedule('nightly', '0 3 * * *', { time_zone: 'Europe/Berlin' }));
      assert.equal(made.status, 201, made.text);
      assert.equal((await ask('GET', 'cron/nightly')).body.definition.on.cron, '0 3 * * *');
      assert.equal((await ask('GET', 'triggers/nightly')).status, 200, 'it is a trigger too');
      const table = { name: 'on-table', on: { table: 'public.t' }, do: { nats: { subject: 'out.of.it' } } };
      assert.equal((await ask('POST', 'triggers', table)).status, 201);
      assert.equal((await ask('GET', 'cron/on-table')).status, 404);
      assert.equal((await ask('DELETE', 'cron/on-table')).status, 404);
      assert.equal((await ask('POST', 'cron/on-table/run')).status, 404);
      assert.equal((await put('on-table', '@daily')).status, 409);
      const wrong = await ask('POST', 'cron', { ...table, name: 'third' });
      assert.equal(wrong.status, 400);
      assert.match(wrong.text, /expected cron/);
      const listed = await ask('GET', 'cron');
      assert.deepEqual(listed.body.schedules.map(({ name }) => name), ['nightly']);
      assert.equal((await put('nightly', '0 4 * * *')).status, 200);
      assert.equal((await ask('DELETE', 'cron/nightly')).status, 204);
      assert.equal((await ask('GET', 'cron/nightly')).status, 404);
    });

    test('an expression or zone that is none is refused with its place', async () => {
      for (const [cron, more, says, at] of [['61 * * * *', {}, /"61" is no minute/, '"61'], ['0 0 30 2 *', {}, /no day that ever comes/, '"0 0'],
        ['* * * * *', { time_zone: 'Mars/Olympus' }, /not in the tz database/, '"Mars']]) {
        const wrong = await ask('POST', 'cron', schedule('wrong', cron, more));
        assert.equal(wrong.status, 400, wrong.text);
        assert.match(wrong.body.problems[0].message, says);
        const column = JSON.stringify(schedule('wrong', cron, more)).indexOf(at) + 1;
        assert.deepEqual([wrong.body.problems[0].line, wrong.body.problems[0].column], [1, column], wrong.text);
      }
    });

    test('a moment is an event of its schedule, on time', async () => {
      assert.equal((await put('each', '* * * * * *')).status, 201);
      await waitFor('three moments', async () => (await eventsOf('each')).length >= 3);
      const [event] = await eventsOf('each');
      assert.equal(event.headers['Walcast-Source'], 'cron');
      assert.deepEqual(JSON.parse(event.text), { schedule: 'each', time: event.headers['Walcast-Time'] });
      const began = Date.now();
      const late = await waitFor('the next one', async () => (await ticks('each')).find((moment) => moment > began));
      assert.ok(Date.now() - late < 5000, `${Date.now() - late} ms late`);
      assert.equal((await ask('DELETE', 'cron/each')).status, 204);
    });

    test('run by hand it happens now, and its moments go on', async () => {
      assert.equal((await put('by-hand', '0 0 1 1 *')).status, 201);
      const ran = await ask('POST', 'cron/by-hand/run', undefined, other);
      assert.equal(ran.status, 202, ran.text);
      const [event] = await eventsOf('by-hand', 'run');
      assert.deepEqual(JSON.parse(event.text), ran.body);
      assert.ok(Math.abs(Date.parse(ran.body.time) - Date.now()) < 10_000);
      assert.equal((await eventsOf('by-hand')).length, 0);
      assert.equal((await ask('POST', 'cron/nobody/run')).status, 404);
      assert.equal((await ask('POST', 'cron/by-hand/disable')).status, 200);
      assert.equal((await ask('POST', 'cron/by-hand/run')).status, 409);
    });

    test('what it was switched off for does not happen; one that is made anew begins anew', async () => {
      for (const name of ['beside', 'off']) assert.equal((await put(name, '* * * * * *', { catch_up: 'all' })).status, 201);
      await waitFor('a moment', async () => (await ticks('off')).length >= 1);
      assert.equal((await ask('POST', 'cron/off/disable')).status, 200);
      await grown('beside', 3);
      const before = (await ticks('off')).length;
      await grown('beside', 2);
      assert.equal((await ticks('off')).length, before);
      const enabled = Date.now();
      assert.equal((await ask('POST', 'cron/off/enable')).status, 200);
      await waitFor('a moment after it', async () => (await ticks('off')).length > before);
      const moments = await ticks('off');
      assert.ok(moments[before] > enabled - 1000, 'nothing of the time between');
      assert.equal((await ask('DELETE', 'cron/off')).status, 204);
      await grown('beside', 3);
      const removed = (await ticks('off')).length;
      const anew = Date.now();
      assert.equal((await put('off', '* * * * * *', { catch_up: 'all' })).status, 201);
      await waitFor('a moment of the new one', async () => (await ticks('off')).length > removed);
      assert.ok((await ticks('off'))[removed] > anew - 1000);
      await contiguous('beside');
    });
  });
});
