// `walcast run` as a process: its roles, its readiness, its signals, what it refuses to start with.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { run } from '../lib/process.mjs';
import { waitFor } from '../lib/wait.mjs';
import { BINARY, Walcast } from '../lib/walcast.mjs';
import '../lib/triggers_role.mjs';

const SCHEMA = 'CREATE TABLE todos (id bigint PRIMARY KEY, title text)';

async function readiness(walcast) {
  const response = await fetch(`${walcast.url}/health/ready`);
  return { status: response.status, text: await response.text() };
}

async function startWalcast(t, house, options) {
  const walcast = await Walcast.start({ ...house, ...options });
  t.after(() => walcast.remove());
  return walcast;
}

test('SIGTERM drains and ends with 0; the next start goes on', async (t) => {
  const { postgres, walcast } = await startHouse(t, { schema: SCHEMA });
  for (const signal of ['SIGTERM', 'SIGINT']) {
    await postgres.query("INSERT INTO todos SELECT coalesce(max(id), 0) + 1, 'x' FROM todos");
    assert.deepEqual(await walcast.stop(signal), { code: 0, signal: null });
    assert.match(walcast.logText(), /draining/);
    assert.match(walcast.logText(), /stopping.*drained/);
    walcast.start();
    await walcast.ready();
  }
  await waitFor('both rows', async () => (await walcast.changes()).length === 2);
  assert.deepEqual((await walcast.changes()).map((change) => change.record.id), [1, 2]);
});

test('each role runs alone, and every process serves health and metrics', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA, walcast: false });
  const cdc = await startWalcast(t, house, { args: ['--roles', 'cdc'] });
  const gateway = await startWalcast(t, { nats: house.nats }, { config: { roles: 'ws' } });
  for (const walcast of [cdc, gateway]) {
    await walcast.ready();
    assert.equal((await fetch(`${walcast.url}/health/live`)).status, 200);
    assert.match(await (await fetch(`${walcast.url}/metrics`)).text(),
      /^walcast_core_allocator_allocated_bytes \d+$/m);
  }
  await house.postgres.query("INSERT INTO todos VALUES (1, 'x')");
  await waitFor('the row', async () => (await gateway.changes()).length === 1);
  assert.doesNotMatch(gateway.logText(), /role started.*cdc/);
});

test('a server that is away makes it wait, say why, and go on by itself', async (t) => {
  const { nats, postgres, walcast } = await startHouse(t, { schema: SCHEMA });
  await nats.stop();
  await waitFor('not ready', async () => (await readiness(walcast)).status === 503);
  assert.match((await readiness(walcast)).text, /cdc: .+/);
  await postgres.query("INSERT INTO todos VALUES (1, 'while away')");
  await nats.restart();
  await walcast.ready();
  await waitFor('the row', async () => (await walcast.changes()).length === 1);
  assert.equal((await fetch(`${walcast.url}/health/live`)).status, 200);
});

test('a stream of the same name that is not ours is left alone, and waited out', async (t) => {
  const { nats, postgres } = await startHouse(t, { schema: SCHEMA, walcast: false });
  await nats.manage((manager) => manager.streams.add({ name: 'WALCAST', subjects: ['orders.>'] }));
  for (const role of ['cdc', 'ws']) {
    const walcast = await startWalcast(t, { nats, postgres }, { args: ['--roles', role] });
    await waitFor(`${role}'s refusal`, () =>
      /stream 'WALCAST' exists with subjects 'orders\.>', expected 'atlasdb\.[^']+'.*nats\.stream/.test(walcast.logText()));
    assert.equal((await readiness(walcast)).status, 503);
    await walcast.stop();
  }
  assert.deepEqual((await nats.streamInfo()).config.subjects, ['orders.>']);
  const healed = await startWalcast(t, { nats, postgres }, {});
  await waitFor('not ready', async () => (await readiness(healed)).status === 503);
  await nats.manage((manager) => manager.streams.delete('WALCAST'));
  await healed.ready();
});

test('a drain that cannot end is cut by its time-out or a second signal', async (t) => {
  const { nats, postgres, walcast } = await startHouse(t, { schema: SCHEMA });
  await nats.stop();
  await postgres.query("INSERT INTO todos VALUES (1, 'cannot be acked')");
  await waitFor('not ready', async () => (await readiness(walcast)).status === 503);
  const started = performance.now();
  walcast.process.child.kill('SIGTERM');
  await waitFor('draining', () => /draining/.test(walcast.logText()));
  assert.deepEqual(await walcast.stop('SIGTERM'), { code: 0, signal: null });
  assert.ok(performance.now() - started < 9_000, 'before drain.timeout');

  walcast.config['drain.timeout'] = '200ms';
  walcast.start();
  await waitFor('an answer', async () => (await readiness(walcast)).status === 503);
  assert.deepEqual(await walcast.stop('SIGTERM'), { code: 0, signal: null });

  await nats.restart();
  walcast.start();
  await walcast.ready();
  await waitFor('the row', async () => (await walcast.changes()).length === 1);
});

test('an address that is taken ends with 2 and names the key', async (t) => {
  const { walcast } = await startHouse(t, {});
  const { code, stderr } = await run([BINARY, 'run'], { env: walcast.env, cwd: walcast.directory });
  assert.equal(code, 2);
  assert.match(stderr, new RegExp(`http\\.listen.*127\\.0\\.0\\.1:${walcast.port}`));
});
