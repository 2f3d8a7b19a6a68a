// ./deploy/up as its README says: the addresses and keys it prints work, README's examples run,
// killing it leaves nothing behind, starting it again goes on with the same data.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { pageBlocks, Reader } from '../lib/docs.mjs';
import { run, ServerProcess } from '../lib/process.mjs';
import { removeScratch, scratchDirectory } from '../lib/scratch.mjs';
import { waitFor } from '../lib/wait.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
const scratch = scratchDirectory();
const state = join(scratch, 'state');
let up;

async function startUp() {
  const command = [join(ROOT, 'deploy/up'), '--no-install', '--dir', state];
  const log = join(scratch, `up-${Date.now()}.log`);
  const started = new ServerProcess(command, { log, cwd: scratch });
  await waitFor('printed keys', () => {
    started.assertAlive();
    return /service_role key: \S+/.test(started.logText());
  }, 120_000);
  return started;
}

// { 'Project URL': 'http://…', … } from what it printed.
function printed(started) {
  return Object.fromEntries([...started.logText().matchAll(/^ +([^:]+): (\S+)$/gm)]
    .map(([, name, value]) => [name, value]));
}

function recordedPids() {
  return readdirSync(join(state, 'pids')).map((name) =>
    readFileSync(join(state, 'pids', name), 'utf8').split(' ')[0]);
}

function isRunning(pid) {
  const path = `/proc/${pid}/stat`;
  return existsSync(path) && !/\) Z /.test(readFileSync(path, 'utf8'));
}

async function query(url, text) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

before(async () => {
  up = await startUp();
});
after(async () => {
  await run([join(ROOT, 'deploy/down'), '--dir', state]);
  removeScratch(scratch);
});

test('what it printed works: console, health, database, keys', async () => {
  const addresses = printed(up);
  assert.equal((await fetch(addresses.Console)).status, 200);
  assert.equal((await fetch(`${addresses['Project URL']}/health/ready`)).status, 200);
  const roles = await query(addresses['Database URL'],
    `SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated', 'service_role')`);
  assert.equal(roles.length, 3);
  for (const role of ['anon', 'service_role']) {
    const claims = Buffer.from(addresses[`${role} key`].split('.')[1], 'base64url').toString();
    assert.equal(JSON.parse(claims).role, role);
  }
});

test('secrets can be kept at once', async () => {
  const { code, stderr } = await run(['bash', '-c',
    `source '${state}/env' && echo kept | '${ROOT}/build/release/walcast' secret set HOOK`]);
  assert.equal(code, 0, stderr);
});

test("README's examples, each as it stands there, print what they are for", async (t) => {
  const reader = new Reader({});
  t.after(() => reader.remove());
  const [up, curl, ...moreShell] = pageBlocks('README.md', 'sh');
  const [watch, room, ...moreScript] = pageBlocks('README.md', 'js');
  assert.match(up, /^\.\/deploy\/up /); // runs already
  assert.deepEqual([moreShell, moreScript], [[], []], 'every block is run here');
  symlinkSync(state, join(reader.directory, '.walcast'));
  const node = (name, text) => {
    writeFileSync(join(reader.directory, name), text);
    return reader.shell(t, `source .walcast/env && node ${name}`);
  };
  await node('watch.mjs', watch).says(/SUBSCRIBED[\s\S]*INSERT \{[^}]*task:/);
  await reader.shell(t, curl).says(/^data: \{"schema":"public","table":"todos",.*"type":"INSERT"/m);
  const talks = node('room.mjs', room);
  await talks.says(/^heard \{ from: 'ada'/m);
  await talks.says(/^here \[ 'ada' \]$/m);
});

test('a second one says that it runs and ends nothing', async () => {
  const { code, stdout } = await run([join(ROOT, 'deploy/up'), '--no-install', '--dir', state]);
  assert.equal(code, 0);
  assert.match(stdout, /already running/);
  assert.equal(printed(up)['anon key'], /anon key: (\S+)/.exec(stdout)[1]);
  assert.ok(up.alive);
});

test('killed, it leaves no process; started again, it goes on with its data', async () => {
  const first = printed(up);
  await query(first['Database URL'], `CREATE TABLE kept AS SELECT 42 AS answer`);
  const pids = recordedPids();
  assert.equal(pids.length, 5);
  await up.kill();
  await waitFor('end of every server', () => !pids.some(isRunning), 60_000);
  up = await startUp();
  const rows = await query(printed(up)['Database URL'], 'SELECT answer FROM kept');
  assert.deepEqual(rows, [{ answer: 42 }]);
});

test('a server that dies takes the rest with it, and says which', async () => {
  const [pid] = readFileSync(join(state, 'pids/nats'), 'utf8').split(' ');
  const pids = recordedPids();
  process.kill(Number(pid), 'SIGKILL');
  assert.equal((await up.exited).code, 1);
  assert.match(up.logText(), /deploy\/up: nats ended by itself/);
  assert.deepEqual(pids.filter(isRunning), []);
  up = await startUp();
});

test('Ctrl-C and deploy/down end everything', async () => {
  for (const end of [() => up.child.kill('SIGINT'),
    () => run([join(ROOT, 'deploy/down'), '--dir', state])]) {
    const pids = recordedPids();
    await end();
    assert.equal((await up.exited).code, 0);
    assert.deepEqual(pids.filter(isRunning), []);
    if (readdirSync(join(state, 'pids')).length === 0 && end.toString().includes('SIGINT'))
      up = await startUp();
  }
});
