// The command line by itself: help, refusals and their exit codes, tokens, and `check` with and
// without its servers.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { decodeProtectedHeader, jwtVerify } from 'jose';
import { startHouse } from '../lib/house.mjs';
import { run } from '../lib/process.mjs';
import { freePort, scratchDirectory, removeScratch } from '../lib/scratch.mjs';
import { BINARY, JWT_SECRET } from '../lib/walcast.mjs';
import '../lib/triggers_role.mjs';

const directory = scratchDirectory();
after(() => removeScratch(directory));

const SECRET = { WALCAST_AUTH_JWT_SECRET: JWT_SECRET };

function walcast(args, env = {}) {
  return run([BINARY, ...args], { env, cwd: directory });
}

// Exit code, and a text that standard error must hold, on one line of its own where it is a config
// problem.
async function assertRefused(args, code, text, env) {
  const result = await walcast(args, env);
  assert.equal(result.code, code, result.stderr);
  assert.equal(result.stdout, '');
  assert.match(result.stderr, text);
}

function configFile(name, text) {
  writeFileSync(join(directory, name), text);
  return name;
}

test('help lists every command, and each has its own', async () => {
  const { code, stdout } = await walcast(['help']);
  assert.equal(code, 0);
  const names = [...stdout.matchAll(/^ {2}(\w+) /gm)].map((found) => found[1]);
  assert.deepEqual(names, ['run', 'check', 'job', 'search', 'secret', 'setup', 'snapshot', 'tail', 'audit', 'apply', 'trigger', 'dlq', 'keys', 'token', 'verify', 'version', 'help']);
  for (const name of names) {
    const help = await walcast([name, '--help']);
    assert.equal(help.code, 0);
    assert.equal(help.stderr, '');
    assert.match(help.stdout, new RegExp(`^Usage: walcast ${name} `));
    assert.match(help.stdout, /^ {2}--help /m);
    assert.equal((await walcast(['help', name])).stdout, help.stdout);
  }
  assert.equal((await walcast(['--help'])).stdout, stdout);
});

test('a command line that is wrong ends with 2 and says what was meant', async () => {
  await assertRefused([], 2, /^Usage: walcast COMMAND/m);
  await assertRefused(['tial'], 2, /there is no command "tial"; did you mean tail\?/);
  await assertRefused(['frobnicate'], 2, /there is no command "frobnicate"\n/);
  await assertRefused(['help', 'nope'], 2, /there is no command "nope"/);
  await assertRefused(['tail', '--jsno'], 2, /tail: unknown option --jsno; did you mean --json\?/);
  await assertRefused(['tail', 'public.todos'], 2, /unexpected argument "public.todos"/);
  await assertRefused(['tail', '--from'], 2, /--from needs a value/);
  await assertRefused(['tail', '--from', 'yesterday'], 2, /--from yesterday: expected first, now/);
  await assertRefused(['tail', '--until', 'later'], 2, /--until later: expected now/);
  await assertRefused(['tail', '--table', 'a.b.c'], 2, /--table: a.b.c: expected SCHEMA.TABLE/);
  await assertRefused(['token'], 2, /token: --role R is missing/);
  await assertRefused(['token', 'revoke'], 2, /token: revoke what\? the token's jti/);
  await assertRefused(['token', 'revoke', 'x', '--role', 'anon'], 2, /token: revoke takes no --role/);
  await assertRefused(['token', 'rovoke', 'x'], 2, /token: expected revoke, not rovoke/);
  await assertRefused(['keys'], 2, /keys: expected create, list, rotate or revoke/);
  await assertRefused(['keys', 'rotate'], 2, /keys: rotate what\? the key's name/);
  await assertRefused(['keys', 'create', '--name', 'n'], 2, /keys: create: --role R is missing/);
  await assertRefused(['keys', 'create', '--name', 'n', '--role', 'anon'], 2,
    /--scope is missing: say what the key is for.*: subscribe, broadcast, search, events, jobs, triggers, workflows, admin/);
  await assertRefused(['keys', 'create', '--name', 'n', '--role', 'anon', '--scope', 'subscribe,fly'], 2, /--scope fly: /);
  await assertRefused(['keys', 'rotate', 'n', '--overlap', 'soon'], 2, /--overlap soon: expected a duration/);
  await assertRefused(['keys', 'list'], 1, /cannot connect to nats.url/, { WALCAST_NATS_URL: 'nats://127.0.0.1:1' });
  await assertRefused(['run', '--roles', 'cdc,nope'], 2, /--roles.*nope.*cdc/);
});

test('version prints one line, or JSON', async () => {
  const { stdout } = await walcast(['version']);
  assert.match(stdout, /^walcast \d+\.\d+\.\d+ \(\S+\)\n$/);
  const json = JSON.parse((await walcast(['version', '--json'])).stdout);
  assert.equal(stdout, `walcast ${json.version} (${json.revision})\n`);
  assert.equal((await walcast(['--version'])).stdout, stdout);
});

test('a configuration that is wrong ends every command with 2, file and line', async () => {
  const bad = configFile('bad.yaml', 'nats:\n  url: nats://127.0.0.1:4222\n  max_aeg: 7d\n');
  const broken = configFile('broken.yaml', 'nats:\n  url: [\n');
  const value = configFile('value.yaml', 'http:\n  threads: many\n');
  for (const command of [['run'], ['check'], ['check', '--offline'], ['tail'],
    ['token', '--role', 'anon']]) {
    await assertRefused([...command, '--config', bad], 2,
      /^bad\.yaml:3: .*nats\.max_aeg.*did you mean nats\.max_age/m);
    await assertRefused([...command, '--config', broken], 2, /^broken\.yaml:\d+: /m);
    await assertRefused([...command, '--config', value], 2,
      /^value\.yaml:2: .*http\.threads.*many.*expected a whole number/m);
    await assertRefused([...command, '--config', 'absent.yaml'], 2, /absent\.yaml/);
    await assertRefused(command, 2, /WALCAST_HTTP_THREADS.*0.*expected/,
      { WALCAST_HTTP_THREADS: '0' });
  }
});

test('a token is what another library takes', async () => {
  const args = ['token', '--role', 'authenticated', '--sub', 'u 1', '--ttl', '10m',
    '--claim', 'org={"id":[1,2]}', '--claim', 'name=Zoë "Z"', '--claim', 'n=0012', '--claim', 'e=',
    '--claim', 'flag=true', '--claim=text="true"'];
  const { code, stdout, stderr } = await walcast(args, SECRET);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const token = stdout.trim();
  assert.deepEqual(decodeProtectedHeader(token), { alg: 'HS256', typ: 'JWT' });
  const { payload } = await jwtVerify(token, new TextEncoder().encode(JWT_SECRET));
  const { iat, exp, ...claims } = payload;
  assert.deepEqual(claims, { role: 'authenticated', sub: 'u 1', org: { id: [1, 2] },
    name: 'Zoë "Z"', n: '0012', e: '', flag: true, text: 'true' });
  assert.equal(exp - iat, 600);
  assert.ok(Math.abs(iat - Date.now() / 1000) < 60);
  await assert.rejects(jwtVerify(token, new TextEncoder().encode(`${JWT_SECRET}x`)));
});

test('a token that nobody would take is not made', async () => {
  const token = (...args) => ['token', '--role', 'anon', ...args];
  await assertRefused(token('--claim', 'role=service_role'), 2, /--claim role/, SECRET);
  await assertRefused(token('--claim', 'exp=1'), 2, /--claim exp/, SECRET);
  await assertRefused(token('--claim', 'a=1', '--claim', 'a=2'), 2, /each name once/, SECRET);
  await assertRefused(token('--claim', 'a'), 2, /expected name=value/, SECRET);
  await assertRefused(token('--ttl', '5'), 2, /--ttl 5: expected a duration/, SECRET);
  await assertRefused(token('--ttl', '0s'), 2, /--ttl 0s: expected/, SECRET);
  await assertRefused(['token', '--role', ''], 2, /role and sub/, SECRET);
  await assertRefused(token(), 2, /auth\.jwt_secret is not set.*WALCAST_AUTH_JWT_SECRET/);
});

test('check --offline prints values with their origin, secrets hidden, and the memory', async () => {
  const file = configFile('good.yaml', `nats:
  stream: SHOP
auth: { jwt_secret: ${JWT_SECRET} }
postgres:
  url: postgres://app:hidden-password@127.0.0.1:5432/shop
`);
  const args = ['check', '--offline', '--config', file];
  const env = { WALCAST_HTTP_THREADS: '2' };
  const { code, stdout } = await walcast(args, env);
  assert.equal(code, 0);
  assert.match(stdout, /^nats\.stream +SHOP +\(good\.yaml:2\)$/m);
  assert.match(stdout, /^http\.threads +2 +\(WALCAST_HTTP_THREADS\)$/m);
  assert.match(stdout, /^nats\.prefix +atlasdb +\(default\)$/m);
  assert.match(stdout, /^memory: at most [\d.]+ MiB/m);
  const json = await walcast([...args, '--json'], env);
  const report = JSON.parse(json.stdout);
  assert.equal(report.ok, true);
  assert.deepEqual(report.config['http.threads'], { value: 2, origin: 'WALCAST_HTTP_THREADS' });
  const sum = report.memory.parts.reduce((total, part) => total + part.bytes, 0);
  assert.equal(report.memory.total_bytes, sum);
  assert.deepEqual(report.warnings, []);
  const two = configFile('two.yaml', 'sources.acme.postgres.url: postgres://127.0.0.1/acme\n');
  const both = JSON.parse((await walcast(['check', '--offline', '--json', '--config', two], SECRET)).stdout);
  const part = ({ memory }, name) => memory.parts.find((one) => one.part.startsWith(name)).bytes;
  assert.equal(part(both, 'publisher'), 2 * part(report, 'publisher')); // a slot, a stream and a hub each
  assert.equal(part(both, 'connections'), part(report, 'connections'));
  const warned = JSON.parse((await walcast(['check', '--offline', '--json'],
    { WALCAST_AUTH_JWT_SECRET: 'short' })).stdout);
  assert.match(warned.warnings.join(), /auth\.jwt_secret has less than the 32 bytes/);
  for (const text of [stdout, json.stdout]) {
    assert.ok(!text.includes(JWT_SECRET));
    assert.ok(!text.includes('hidden-password'));
  }
});

test('check tells what is wrong with the servers, and what is right', async (t) => {
  const { postgres, nats } = await startHouse(t, { walcast: false });
  const env = { ...SECRET, WALCAST_POSTGRES_URL: postgres.url, WALCAST_NATS_URL: nats.url };
  const check = async (more) => {
    const result = await walcast(['check', '--json'], { ...env, ...more });
    return { code: result.code, ...JSON.parse(result.stdout) };
  };
  const findings = (part) => part.findings.join('\n');

  const good = await check({});
  assert.equal(good.code, 0, JSON.stringify(good));
  assert.deepEqual([good.ok, good.postgres.ok, good.nats.ok], [true, true, true]);
  assert.match(findings(good.nats), /stream WALCAST does not exist yet/);
  const text = await walcast(['check'], env);
  assert.equal(text.code, 0);
  assert.match(text.stdout, /^PostgreSQL: ok$/m);
  assert.match(text.stdout, /^NATS: ok$/m);

  const port = await freePort();
  const away = await check({ WALCAST_POSTGRES_URL: `postgres://postgres@127.0.0.1:${port}/postgres`,
    WALCAST_NATS_URL: `nats://127.0.0.1:${port}` });
  assert.deepEqual([away.code, away.ok, away.postgres.ok, away.nats.ok], [1, false, false, false]);
  assert.match(findings(away.postgres), new RegExp(`${port}`));
  assert.match(findings(away.nats), new RegExp(`nats\\.url nats://127\\.0\\.0\\.1:${port}`));

  const database = await check({ WALCAST_POSTGRES_URL: postgres.url.replace(/postgres$/, 'absent') });
  assert.notEqual(database.code, 0);
  assert.match(findings(database.postgres), /absent/);

  await nats.manage((manager) => manager.streams.add({ name: 'WALCAST', subjects: ['other.*'] }));
  const foreign = await check({});
  assert.equal(foreign.code, 2);
  assert.match(findings(foreign.nats), /stream 'WALCAST' exists with subjects 'other\.\*'/);
  assert.equal((await nats.streamInfo()).config.subjects[0], 'other.*');
  const { rows } = await postgres.query('SELECT count(*)::int AS n FROM pg_replication_slots');
  assert.equal(rows[0].n, 0);
});

test('a server that is away, refuses or knows no stream ends tail at once', async (t) => {
  const { nats } = await startHouse(t, { walcast: false });
  const url = `nats://127.0.0.1:${await freePort()}`;
  await assertRefused(['tail'], 1, new RegExp(`^walcast: .*nats\\.url ${url}.*$`, 'm'),
    { WALCAST_NATS_URL: url });
  await assertRefused(['tail'], 1, /^walcast: .*stream WALCAST.*$/m, { WALCAST_NATS_URL: nats.url });
  await assertRefused(['tail'], 2, /WALCAST_NATS_URL: nats\.url.*expected/,
    { WALCAST_NATS_URL: 'http://127.0.0.1' });
});
