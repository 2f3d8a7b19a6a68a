// Secrets at rest: set, listed, removed and rotated by the command, told only to who asks for them in
// the process, and nowhere else: neither in logs, errors, metrics and process lists nor in key-value.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { run } from '../lib/process.mjs';
import { scratchDirectory } from '../lib/scratch.mjs';
import { BINARY } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';

const PROBE = process.env.WALCAST_SECRET_PROBE
  ?? new URL('../../build/release/tests/integration/secrets/secret_probe', import.meta.url).pathname;
const BUCKET = 'KV_WALCAST_defs';
const subject = (name, project = 'default') => `$KV.WALCAST_defs.secret.${project}.${name}`;

function* filesUnder(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* filesUnder(path);
    else if (entry.isFile()) yield path;
  }
}

suite('secrets', () => {
  let house;
  const cleanups = [];
  const told = []; // all that commands have printed
  const values = { stripe: 'whsec_canary-1 "ü"', lines: '-----BEGIN-----\ncanary-2\n-----END-----', prompted: 'canary-3 typed', held: 'canary-4 held' };
  const [KEY, NEXT] = [randomBytes(32).toString('hex'), randomBytes(32).toString('base64')];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { config: { 'secrets.key': KEY, 'log.level': 'debug' } });
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  // { code, stdout, stderr } of `walcast secret ARGS`. config: keys that are others.
  async function secret(args, { input, config = {} } = {}) {
    const env = { ...house.walcast.env };
    for (const [key, value] of Object.entries({ 'secrets.key': KEY, ...config })) {
      const name = `WALCAST_${key.toUpperCase().replaceAll('.', '_')}`;
      if (value === null) delete env[name];
      else env[name] = value;
    }
    const result = await run([BINARY, 'secret', ...args], { env, cwd: house.walcast.directory, input });
    told.push(result.stdout, result.stderr);
    return result;
  }
  async function ok(args, options) {
    const { code, stdout, stderr } = await secret(args, options);
    assert.equal(code, 0, stderr);
    return stdout;
  }
  const list = async (args = [], options) => (await ok(['list', '--json', ...args], options)).split('\n').filter(Boolean)
    .map((line) => JSON.parse(line)).sort((a, b) => (a.name < b.name ? -1 : 1));
  const expand = async (text, { project = 'default', config = {} } = {}) => run([PROBE, project],
    { env: { ...house.walcast.env, WALCAST_SECRETS_KEY: KEY, ...config }, input: text });
  const stored = (name) => house.nats.manage((manager) => manager.streams.getMessage(BUCKET, { last_by_subj: subject(name) }));
  const store = (name, bytes) => house.nats.manage(async (manager, connection) => connection.request(subject(name), bytes));

  test('set from standard input, told to who asks for it, listed without values, removed', async () => {
    await ok(['set', 'stripe'], { input: `${values.stripe}\n` });
    await ok(['set', 'lines', '--project', 'other.shop ü'], { input: values.lines });
    const { code, stdout, stderr } = await expand('Bearer ${secret:stripe}, ${secret:stripe} and $secret');
    assert.equal(code, 0, stderr);
    assert.equal(stdout, `Bearer ${values.stripe}, ${values.stripe} and $secret`);
    assert.equal((await expand('${secret:lines}', { project: 'other.shop ü' })).stdout, values.lines);
    const all = await list();
    assert.deepEqual(all.map(({ project, name, key }) => [project, name, key]),
      [['other.shop ü', 'lines', 'current'], ['default', 'stripe', 'current']]);
    assert.match(all[0].created, /^20\d\d-.*Z$/);
    assert.match(all[0].key_id, /^[0-9a-f]{16}$/);
    assert.deepEqual((await list(['--project', 'default'])).map(({ name }) => name), ['stripe']);
    assert.match(await ok(['list']), /^default +stripe +20\S+Z {2}key [0-9a-f]{16} \(current\)$/m);
    await ok(['set', 'gone'], { input: 'canary-0' });
    await ok(['rm', 'gone']);
    const missing = await secret(['rm', 'gone']);
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /there is no secret gone in project default/);
    assert.match((await expand('${secret:gone}')).stderr, /^probe: \$\{secret:gone\}: there is no secret gone/);
    const acts = await house.nats.manage(async (manager) => {
      const { state } = await manager.streams.info('WALCAST_AUDIT', { subjects_filter: 'atlasdb.audit.*.act' });
      return state.subjects;
    });
    assert.ok(Object.values(acts).reduce((sum, n) => sum + n, 0) >= 4, JSON.stringify(acts));
  });

  test('typed at a prompt it is not shown', async (t) => {
    const child = spawn('script', ['-qec', `${BINARY} secret set prompted`, '/dev/null'],
      { env: { ...process.env, ...house.walcast.env }, cwd: house.walcast.directory });
    t.after(() => child.kill('SIGKILL'));
    let screen = '';
    child.stdout.on('data', (data) => { screen += data; });
    await waitFor('the prompt', () => screen.includes('value of prompted: '));
    child.stdin.write(`${values.prompted}\n`);
    const code = await new Promise((resolve) => child.once('close', resolve));
    assert.equal(code, 0, screen);
    assert.ok(!screen.includes('canary'), screen);
    assert.equal((await expand('${secret:prompted}')).stdout, values.prompted);
  });

  test('cut off at the prompt it leaves the terminal as it was', async (t) => {
    const child = spawn('script', ['-qec', `exec sh -c 'trap : INT; ${BINARY} secret set cut; echo "ended: $?"; stty -a'`, '/dev/null'],
      { env: { ...process.env, ...house.walcast.env }, cwd: house.walcast.directory });
    t.after(() => child.kill('SIGKILL'));
    let screen = '';
    child.stdout.on('data', (data) => { screen += data; });
    await waitFor('the prompt', () => screen.includes('value of cut: '));
    child.stdin.write('half a canary\x03');
    assert.equal(await new Promise((resolve) => child.once('close', resolve)), 0, screen);
    assert.match(screen, /ended: 130\r\n[^]* echo /);
    assert.ok(!screen.includes('canary') && !screen.includes(' -echo '), screen);
    assert.ok((await list()).every(({ name }) => name !== 'cut'));
  });

  test('no process shows it while it is set', async (t) => {
    const child = spawn(BINARY, ['secret', 'set', 'held'], { env: { ...process.env, ...house.walcast.env }, cwd: house.walcast.directory });
    t.after(() => child.kill('SIGKILL'));
    child.stdin.write(values.held);
    const ended = new Promise((resolve) => child.once('close', resolve));
    await waitFor('it to wait for more', () => /^State:\s+S/m.test(readFileSync(`/proc/${child.pid}/status`, 'utf8')));
    const seen = execFileSync('ps', ['-eo', 'args', 'ww'], { encoding: 'utf8' });
    assert.ok(seen.includes('secret set held'), seen);
    for (const text of [seen, readFileSync(`/proc/${child.pid}/cmdline`, 'utf8'), readFileSync(`/proc/${child.pid}/environ`, 'utf8')])
      assert.ok(!text.includes('canary'));
    child.stdin.end();
    assert.equal(await ended, 0);
  });

  test('each thing that is wrong is said, and is the failure of that one secret', async () => {
    await ok(['set', 'good'], { input: 'canary-5' });
    await ok(['set', 'swapped'], { input: 'canary-6' });
    await ok(['set', 'tampered'], { input: 'canary-7' });
    await store('swapped', (await stored('good')).data);
    const bytes = Uint8Array.from((await stored('tampered')).data);
    bytes[bytes.length - 20] ^= 1;
    await store('tampered', bytes);
    await store('nonsense', new TextEncoder().encode('{}'));
    const other = { config: { WALCAST_SECRETS_KEY: randomBytes(32).toString('hex') } };
    const none = { config: { WALCAST_SECRETS_KEY: '' } };
    for (const [name, options, reason] of [
      ['swapped', {}, /secret swapped of project default: the stored value is another secret's \(good of project default\)/],
      ['tampered', {}, /secret tampered of project default: the stored value was changed since it was sealed/],
      ['nonsense', {}, /the stored value is of form 123/],
      ['good', other, /sealed under key [0-9a-f]{16}, which is not among those of secrets\.key/],
      ['good', none, /there is no master key: set secrets\.key \(WALCAST_SECRETS_KEY\)/],
      ['no.name', {}, /at byte 0: expected \$\{secret:NAME\}/]]) {
      const { code, stdout, stderr } = await expand(`\${secret:${name}}`, options);
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, reason);
      told.push(stderr);
    }
    const listed = await secret(['list', '--json']);
    assert.equal(listed.code, 1);
    assert.match(listed.stderr, /secret swapped of project default: the stored value is another secret's/);
    assert.match(listed.stderr, /secret nonsense of project default/);
    assert.match(listed.stdout, /"name":"good"/);
    assert.equal((await expand('${secret:good}')).stdout, 'canary-5');
    for (const name of ['swapped', 'tampered', 'nonsense']) await ok(['rm', name]);
    for (const [args, options, code, reason] of [
      [['set'], {}, 2, /set what\? the secret's name/],
      [['set', 'bad name'], { input: 'x' }, 2, /a name is a letter or _/],
      [['set', 'empty'], { input: '\n' }, 2, /the value has 0 bytes, expected 1 to 65536/],
      [['set', 'large'], { input: 'x'.repeat(70_000) }, 2, /expected 1 to 65536/],
      [['set', 'x'], { input: 'canary-8', config: { 'secrets.key': null } }, 2, /there is no master key/],
      [['set', 'x'], { input: 'canary-8', config: { 'secrets.key': 'canary-9' } }, 2, /secrets\.key: key 1 is not 32 bytes/],
      [['rotate', 'x'], {}, 2, /rotate takes no name/], [['show'], {}, 2, /expected set, list, rm, rotate or key, not show/]]) {
      const result = await secret(args, options);
      assert.equal(result.code, code, result.stderr);
      assert.match(result.stderr, reason);
    }
    assert.match(await ok(['key']), /^[0-9a-f]{64}\n$/);
  });

  test('rotation: a new key in front, all sealed anew, the old one gone', async () => {
    const file = join(scratchDirectory(), 'keys');
    const by = { config: { 'secrets.key': null, 'secrets.key_file': file } };
    writeFileSync(file, `# the present one\n${NEXT}\n${KEY}\n`, { mode: 0o640 });
    chmodSync(file, 0o640);
    const before = await list([], by);
    assert.ok(before.every(({ key }) => key === 'older') && before.length >= 4, JSON.stringify(before));
    const first = await secret(['rotate', '--json'], by);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stderr, /secrets\.key_file \S+ has mode 0640: others than its owner may read/);
    assert.deepEqual(JSON.parse(first.stdout), { sealed: before.length, current: 0, failed: 0 });
    writeFileSync(file, `${NEXT}\n`);
    chmodSync(file, 0o600);
    const again = await secret(['rotate'], by);
    assert.match(again.stdout, new RegExp(`^0 sealed anew, ${before.length} were already, 0 failed$`, 'm'));
    assert.equal(again.stderr, '');
    const after = await list([], by);
    assert.ok(after.every(({ key }) => key === 'current'));
    assert.deepEqual(after.map(({ name, created }) => [name, created]), before.map(({ name, created }) => [name, created]));
    const config = { WALCAST_SECRETS_KEY: '', WALCAST_SECRETS_KEY_FILE: file };
    assert.equal((await expand('${secret:stripe}', { config })).stdout, values.stripe);
    assert.match((await expand('${secret:stripe}')).stderr, /is not among those of secrets\.key/);
    await ok(['set', 'stays'], { input: 'canary-10' }); // under a key that the next rotation does not have
    const partly = await secret(['rotate'], by);
    assert.equal(partly.code, 1);
    assert.match(partly.stderr, /secret stays of project default: it is sealed under key/);
    assert.match(partly.stdout, /, 1 failed$/m);
    await ok(['rm', 'stays']);
  });

  test('neither a value nor a master key is anywhere else', async () => {
    const checked = await house.walcast.command(['check', '--json']);
    const metrics = await (await fetch(`${house.walcast.url}/metrics`)).text();
    const texts = { 'the commands': told.join('\n').replace(/^[0-9a-f]{64}$/m, ''), 'the log': house.walcast.logText(), metrics,
      check: checked.stdout + checked.stderr, processes: execFileSync('ps', ['-eo', 'args', 'ww'], { encoding: 'utf8' }) };
    for (const path of filesUnder(house.nats.directory))
      if (statSync(path).size > 0) texts[path] = readFileSync(path, 'latin1');
    assert.ok(Object.keys(texts).some((path) => path.includes(BUCKET)), 'the bucket is looked at');
    for (const [where, text] of Object.entries(texts)) {
      for (const word of ['canary', KEY, NEXT, Buffer.from(KEY, 'hex').toString('latin1'), Buffer.from(NEXT, 'base64').toString('latin1')])
        assert.ok(!text.includes(word), `in ${where}`);
    }
  });
});
