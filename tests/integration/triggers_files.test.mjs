// Definitions of triggers in files: `walcast apply` with its plan, the running process that loads and
// reloads its directory, nodes whose files differ, and what the commands show and switch.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { scratchDirectory, removeScratch } from '../lib/scratch.mjs';
import { Walcast } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';
import '../lib/triggers_role.mjs';

const SCHEMA = `CREATE TABLE orders (id bigint PRIMARY KEY, status text, total numeric);
  ALTER TABLE orders REPLICA IDENTITY FULL; CREATE TABLE plain (id int PRIMARY KEY, n int);`;
const ACTION = 'do: {webhook: {url: https://e.org/, secret: "${secret:A}"}}';
const text = (name, more = '') => `name: ${name}\non: {table: orders}\n${ACTION}\n${more}\n`;

suite('triggers in files', () => {
  let house, scratch;
  const cleanups = [];
  const suiteT = { after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true };
  before(async () => {
    scratch = scratchDirectory();
    house = await startHouse(suiteT, { schema: SCHEMA });
  });
  after(async () => {
    await Promise.all(cleanups.map((cleanup) => cleanup()));
    removeScratch(scratch);
  });

  function directory(name, files = {}) {
    const path = join(scratch, name);
    mkdirSync(path, { recursive: true });
    for (const [file, content] of Object.entries(files)) writeFileSync(join(path, file), content);
    return path;
  }
  const lines = (output) => output.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  async function apply(args, code = 0) {
    const result = await house.walcast.command(['apply', '--json', ...args]);
    assert.equal(result.code, code, result.stderr + result.stdout);
    return Object.assign(lines(result.stdout), { stderr: result.stderr });
  }
  const plan = (rows) => Object.fromEntries(rows.filter((row) => row.name).map((row) => [row.name, row.outcome])); // not warnings
  const list = async () => lines(await house.walcast.commandOk(['trigger', 'list', '--json']));
  const names = async () => (await list()).map((it) => it.name).sort();
  const rest = (method, name, body, walcast = house.walcast) =>
    fetch(`${walcast.url}/v1/projects/default/triggers${name ? `/${name}` : ''}`, { method,
      headers: { authorization: `Bearer ${goodToken({ role: 'service_role' })}` }, ...(body && { body }) });
  async function clear() {
    await apply(['--prune', directory('empty')]);
    for (const { name } of await list()) await rest('DELETE', name);
    assert.deepEqual(await names(), []);
  }

  test('apply makes, changes, leaves and removes, and says beforehand what it would', async () => {
    const dir = directory('plan', { 'a.yaml': text('a'), 'b.yml': text('b'),
      'c.json': JSON.stringify({ name: 'c', on: { table: 'orders' }, do: { workflow: { name: 'x' } } }),
      'notes.txt': 'no definition', '.hidden.yaml': 'broken: [' });
    mkdirSync(join(dir, 'more'), { recursive: true });
    writeFileSync(join(dir, 'more', 'd.yaml'), text('d'));
    const made = { a: 'created', b: 'created', c: 'created', d: 'created' };
    assert.deepEqual(plan(await apply(['--dry-run', dir])), made);
    assert.deepEqual(await names(), []);
    assert.deepEqual(plan(await apply([dir])), made);
    assert.deepEqual(await names(), ['a', 'b', 'c', 'd']);
    assert.deepEqual(plan(await apply([dir])), { a: 'unchanged', b: 'unchanged', c: 'unchanged', d: 'unchanged' });

    writeFileSync(join(dir, 'a.yaml'), `# a comment is no change\n${text('a')}`);
    writeFileSync(join(dir, 'b.yml'), text('b', 'key: new.status'));
    unlinkSync(join(dir, 'c.json'));
    assert.deepEqual(plan(await apply([dir])), { a: 'unchanged', b: 'changed', d: 'unchanged' });
    assert.deepEqual(await names(), ['a', 'b', 'c', 'd'], 'without --prune nothing is removed');
    assert.equal(plan(await apply(['--dry-run', '--prune', dir])).c, 'removed');
    assert.deepEqual(await names(), ['a', 'b', 'c', 'd']);
    assert.equal(plan(await apply(['--prune', dir])).c, 'removed');
    assert.deepEqual(await names(), ['a', 'b', 'd']);
    const [a] = (await list()).filter((it) => it.name === 'a');
    assert.equal(a.origin, 'file');
    assert.equal(a.file, join(dir, 'a.yaml'));
    assert.equal(plan(await apply([join(dir, 'a.yaml')])).a, 'unchanged', 'a single file');
    await clear();
  });

  test('when one file is wrong nothing is put, and all that is wrong is told', async () => {
    const dir = directory('wrong', { 'good.yaml': text('good'), 'bad.yaml': text('bad', 'when: new.totl > 1\nkey: new.idd'),
      'worse.yaml': 'name: [', 'same.yaml': text('good') });
    const rows = await apply([dir], 1);
    const told = rows.filter((it) => it.severity === 'error').map((it) => [it.file.slice(dir.length + 1), it.line, it.column]);
    assert.deepEqual(told, [['bad.yaml', 4, 7], ['bad.yaml', 5, 6], ['same.yaml', 1, 7], ['worse.yaml', 2, 1]]);
    assert.match(rows.find((it) => it.file.endsWith('same.yaml')).message, /also in .*good.yaml/);
    assert.deepEqual(await names(), []);
    const { code, stderr } = await house.walcast.command(['apply', dir]);
    assert.equal(code, 1);
    assert.match(stderr, /bad\.yaml:4:7: new\.totl: table public\.orders has no such column; did you mean new\.total\?/);
    assert.match(stderr, /nothing was changed/);
    assert.equal((await house.walcast.command(['apply', join(scratch, 'nowhere')])).code, 1);
    assert.deepEqual(await apply([]), Object.assign([], { stderr: '' }), 'a triggers.dir that is not there is empty');
  });

  test('what came from a file is read-only over REST, and the other way round', async () => {
    const dir = directory('owned', { 'mine.yaml': text('mine') });
    await apply([dir]);
    assert.equal((await rest('GET', 'mine')).status, 200);
    for (const [method, name, body] of [['PUT', 'mine', text('mine', 'key: new.id')], ['DELETE', 'mine'],
      ['POST', 'mine/disable'], ['POST', '', text('mine')]]) {
      const response = await rest(method, name, body);
      assert.equal(response.status, 409, `${method} ${name}`);
    }
    assert.match((await (await rest('DELETE', 'mine')).json()).detail, /comes from the file .*mine\.yaml/);
    assert.equal((await rest('POST', 'mine/pause')).status, 200, 'to pause is no change of the definition');
    await apply([dir]);
    assert.equal((await (await rest('GET', 'mine')).json()).paused, true, 'which a file that says nothing of it leaves');

    assert.equal((await rest('POST', '', text('theirs'))).status, 201);
    const rows = await apply([directory('theirs', { 't.yaml': text('theirs') })], 1);
    assert.equal(rows[0].outcome, 'refused');
    assert.match(rows[0].reason, /made over REST/);
    await clear();
  });

  test('the commands list, show, validate and switch', async () => {
    const command = (...args) => house.walcast.command(['trigger', ...args]);
    await rest('POST', '', text('one'));
    assert.match((await command('list')).stdout, /^one +default +active +\d+ +over REST$/m);
    assert.equal(JSON.parse((await command('show', 'one')).stdout).definition.name, 'one');
    const state = async () => (await list())[0];
    assert.equal((await command('pause', 'one')).code, 0);
    assert.match((await command('list')).stdout, /^one +default +paused/m);
    assert.equal((await command('resume', 'one')).code, 0);
    assert.equal((await command('disable', 'one')).code, 0);
    assert.deepEqual([(await state()).paused, (await state()).disabled], [false, true]);
    assert.equal(JSON.parse((await command('enable', 'one', '--json')).stdout).disabled, false);
    assert.equal((await command('delete', 'one')).code, 0);
    assert.deepEqual(await names(), []);
    for (const args of [['show', 'one'], ['pause', 'one'], ['delete', 'one']]) {
      const { code, stderr } = await command(...args);
      assert.equal(code, 1);
      assert.match(stderr, /no trigger one/);
    }
    for (const args of [[], ['explode'], ['pause'], ['show', 'a', 'b']]) assert.equal((await command(...args)).code, 2);

    const dir = directory('validate', { 'good.yaml': text('good'), 'bad.yaml': text('bad', 'when: old.n = 1').replace('orders', 'plain') });
    assert.match((await command('validate', join(dir, 'good.yaml'))).stdout, /good\.yaml: good/);
    const bad = await command('validate', join(dir, 'bad.yaml'));
    assert.equal(bad.code, 1);
    assert.match(bad.stderr, /bad\.yaml:4:7: old\.n: .*ALTER TABLE "public"\."plain" REPLICA IDENTITY FULL;/);
    assert.equal((await command('validate', '--offline', join(dir, 'bad.yaml'))).code, 0);
    assert.deepEqual(await names(), []);
  });

  async function node(t, dir, args = ['--roles', 'triggers']) {
    const walcast = await Walcast.start({ ...house, args, config: { 'triggers.dir': dir } });
    t.after(() => walcast.remove());
    return walcast.ready();
  }
  const until = (what, found) => waitFor(what, async () => (await found()) || undefined);
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

  test('a process loads its directory at the start, and again when it changes', async (t) => {
    const dir = directory('live', { 'a.yaml': text('a') });
    const walcast = await node(t, dir);
    await until('the file to be loaded', async () => same(await names(), ['a']));
    const [a] = await list();
    assert.deepEqual([a.origin, a.file], ['file', 'a.yaml']);
    writeFileSync(join(dir, 'b.yaml'), text('b'));
    await until('the new file', async () => same(await names(), ['a', 'b']));
    writeFileSync(join(dir, 'a.yaml'), text('a', 'key: new.status'));
    await until('the changed file', async () => (await list()).find((it) => it.name === 'a').definition.key === 'new.status');
    assert.equal((await list()).find((it) => it.name === 'a').since, a.since, 'it goes on from where it was');

    writeFileSync(join(dir, 'a.yaml'), text('a', 'when: new.totl > 1'));
    await until('the broken file to be told', async () => /a\.yaml:4:7: new\.totl/.test((await walcast.health()).reason));
    assert.equal((await walcast.health()).code, 200, 'it is a warning');
    assert.deepEqual(await names(), ['a', 'b'], 'what it said before stays in force');
    writeFileSync(join(dir, 'a.yaml'), 'name: [');
    await until('the unreadable file to be told', async () => /not valid YAML/.test((await walcast.health()).reason));
    assert.deepEqual(await names(), ['a', 'b']);
    writeFileSync(join(dir, 'a.yaml'), text('a'));
    await until('the warning to end', async () => (await walcast.health()).reason === undefined || !/yaml/.test((await walcast.health()).reason));

    await apply([directory('pushed', { 'p.yaml': text('pushed') })]);
    unlinkSync(join(dir, 'b.yaml'));
    await until('the removed file', async () => same(await names(), ['a', 'pushed']));
    unlinkSync(join(dir, 'a.yaml'));
    await until('the last one', async () => same(await names(), ['pushed']));
    await walcast.stop();
    rmSync(dir, { recursive: true });
    walcast.start();
    await walcast.ready();
    assert.deepEqual(await names(), ['pushed'], 'a directory that is not there is an empty one');
    await clear();
  });

  test('a restart takes over what was changed meanwhile', async (t) => {
    const dir = directory('restart', { 'a.yaml': text('a'), 'b.yaml': text('b') });
    const walcast = await node(t, dir);
    await until('both', async () => same(await names(), ['a', 'b']));
    await walcast.kill();
    unlinkSync(join(dir, 'b.yaml'));
    writeFileSync(join(dir, 'a.yaml'), text('a', 'description: new'));
    walcast.start();
    await walcast.ready();
    await until('the changes', async () => same((await list()).map((it) => it.definition.description), ['new']));
    await walcast.stop();
    await clear();
  });

  test('nodes with different files say so with both names, and load them once they are alike', async (t) => {
    const one = directory('one', { 'a.yaml': text('a') });
    const two = directory('two', { 'a.yaml': text('a', 'description: another') });
    const first = await node(t, one);
    await until('the first one', async () => same(await names(), ['a']));
    const second = await node(t, two);
    for (const [walcast, other] of [[first, second], [second, first]])
      await until('the difference to be told', async () => {
        const { code, reason } = await walcast.health();
        return code === 200 && reason?.includes(`127.0.0.1:${other.port} has other files`) &&
          reason.includes(`127.0.0.1:${walcast.port}`);
      });
    assert.equal((await list())[0].definition.description, undefined, 'who came second has put nothing');
    writeFileSync(join(one, 'a.yaml'), text('a', 'description: another'));
    await until('the agreed text', async () => (await list())[0].definition.description === 'another');
    for (const walcast of [first, second])
      await until('the warning to end', async () => !/other files/.test((await walcast.health()).reason ?? ''));
    await Promise.all([first, second].map((walcast) => walcast.stop()));
    await clear();
  });
});
