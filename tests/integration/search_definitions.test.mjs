// Definitions of indexes over REST, by `walcast apply` and in files: held in key-value, so that every
// node has them; who made one may change it; what is wrong is refused with its place.
import assert from 'node:assert/strict';
import { mkdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { define } from '../lib/search.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { Walcast } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';

const NOTES = 'name: notes\n# a comment\ntable: notes\nfields: {title: 2.0}\n';

test('indexes are defined over REST, by apply and by files, for every node', async (t) => {
  const house = await startHouse(t, { schema: `
    CREATE TABLE notes (id int PRIMARY KEY, title text, body text);
    INSERT INTO notes SELECT i, 'title ' || i, 'body ' || i FROM generate_series(1, 20) i` });
  const second = await Walcast.start({ ...house, args: ['--roles', 'search'] });
  t.after(() => second.remove());
  await second.ready();
  const admin = goodToken({ role: 'service_role' });

  async function ask(method, path, body, { walcast = house.walcast, token = admin, ...headers } = {}) {
    const response = await fetch(`${walcast.url}${path}`, { method, headers: { authorization: `Bearer ${token}`, ...headers }, body });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: text ? JSON.parse(text) : undefined };
  }
  const defined = (method, name, body, more) => ask(method, `/search/v1/default/indexes${name && `/${name}`}`, body, more);
  const hits = async (index, q, walcast) =>
    (await ask('GET', `/search/v1/-/${index}?q=${q}`, undefined, { walcast })).body.hits?.length;
  const found = (index, q, count, walcast) =>
    waitFor(`${count} of ${index}`, async () => (await hits(index, q, walcast)) === count, 60_000, 20);
  const gone = (index, walcast) => waitFor(`no ${index}`, async () =>
    (await ask('GET', `/search/v1/-/${index}?q=x`, undefined, { walcast })).body.code === 'index_not_found', 60_000, 20);

  await t.test('put over REST it is built and searched, on the other node too', async () => {
    const made = await defined('PUT', 'notes', NOTES);
    assert.equal(made.status, 201, made.text);
    assert.equal(made.headers.get('location'), '/search/v1/default/indexes/notes');
    const { name, project, environment, origin, revision, definition, disabled } = made.body;
    assert.deepEqual({ name, project, environment, origin, disabled, definition }, { name: 'notes', project: 'default',
      environment: 'dev', origin: 'rest', disabled: undefined, definition: { name: 'notes', table: 'notes', fields: { title: 2.0 } } });
    assert.equal(made.headers.get('etag'), `"${revision}"`);
    await found('notes', 'title', 20);
    await found('notes', 'title', 20, second);
    assert.equal((await defined('PUT', 'notes', NOTES)).body.revision, revision, 'the same again is no change');
    assert.deepEqual((await defined('GET', '')).body.indexes.map((it) => it.name), ['notes']);
    assert.equal((await defined('GET', 'notes', undefined, { walcast: second })).headers.get('etag'), `"${revision}"`);
  });

  await t.test('what is wrong is refused with its place, and nothing changes', async () => {
    for (const [body, line, column, message] of [
      [NOTES.replace('title', 'titel'), 4, 10, /fields: public.notes has no column titel; did you mean title\?/],
      [`${NOTES}fiterable: [id]\n`, 5, 1, /unknown key; did you mean filterable\?/],
      [`${NOTES}when: "body = "\n`, 5, 15, /when: at character 8/],
      [NOTES.replace('table: notes', 'table: nots'), 3, 8, /there is no table public\.nots; did you mean notes\?/],
      [NOTES.replace('name: notes', 'name: other'), 1, 7, /name: expected notes, the address's name/],
      [`${NOTES}project: shop\n`, 5, 10, /project: expected default/],
      ['name: [\n', 2, 1, /YAML/],
    ]) {
      const { status, text, body: problem } = await defined('PUT', 'notes', body);
      assert.equal(status, 400, text);
      assert.deepEqual([problem.problems[0].line, problem.problems[0].column], [line, column], text);
      assert.match(problem.problems[0].message, message);
    }
    assert.equal((await defined('POST', '', NOTES)).status, 409);
    assert.equal((await defined('POST', '', NOTES.replace('name: notes', 'name: indexes'))).status, 400);
    assert.equal((await defined('PUT', 'notes', NOTES, { 'if-match': '"999999"' })).status, 412);
    assert.equal((await defined('GET', 'never')).status, 404);
    assert.equal((await defined('DELETE', 'never')).status, 404);
    assert.equal((await ask('GET', '/search/v1/shop/indexes')).status, 403);
    for (const method of ['GET', 'PUT', 'DELETE'])
      assert.equal((await defined(method, 'notes', method === 'PUT' ? NOTES : undefined, { token: goodToken() })).status, 403);
    assert.equal((await ask('DELETE', '/indexes/notes')).body.code, 'index_is_of_tables');
    await found('notes', 'title', 20);
  });

  await t.test('another text is built beside, of JSON too; a name that documents made is taken', async () => {
    const etag = (await defined('GET', 'notes')).headers.get('etag');
    const body = JSON.stringify({ name: 'notes', table: 'notes', fields: ['title', 'body'] });
    assert.equal((await defined('PUT', 'notes', body, { 'if-match': etag })).status, 200);
    await found('notes', 'body', 20, second);
    await ask('POST', '/indexes', '{"uid":"made"}', { 'content-type': 'application/json' });
    await waitFor('the index made', async () => (await ask('GET', '/indexes/made')).status === 200);
    const taken = await defined('PUT', 'made', NOTES.replace('name: notes', 'name: made'));
    assert.equal(taken.status, 409, taken.text);
    // Defined where nobody knew of it, both nodes say so, until one of both goes.
    const file = join(house.walcast.directory, 'made.yaml');
    writeFileSync(file, NOTES.replace('name: notes', 'name: made'));
    await house.walcast.commandOk(['apply', file]);
    for (const walcast of [house.walcast, second])
      await waitFor('the clash to be told', async () => /index made .*made over HTTP/.test((await walcast.health()).reason));
    await ask('DELETE', '/indexes/made');
    await found('made', 'title', 20, second);
  });

  await t.test('apply tells indexes from triggers; who made one may change it', async () => {
    const directory = join(house.walcast.directory, 'pushed');
    mkdirSync(directory);
    writeFileSync(join(directory, 'i.yaml'), NOTES.replace('name: notes', 'name: pushed'));
    writeFileSync(join(directory, 't.yaml'), 'name: t\non: {table: notes}\ndo: {workflow: {name: x}}\n');
    const apply = async (args, code = 0) => {
      const result = await house.walcast.command(['apply', '--json', ...args]);
      assert.equal(result.code, code, result.stderr + result.stdout);
      return result.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line));
    };
    const plan = (rows) => rows.filter((it) => it.name).map(({ kind, name, outcome }) => `${kind} ${name} ${outcome}`);
    assert.deepEqual(plan(await apply(['--dry-run', directory])), ['trigger t created', 'index pushed created']);
    assert.deepEqual(plan(await apply([directory])), ['trigger t created', 'index pushed created']);
    await found('pushed', 'title', 20, second);
    assert.deepEqual(plan(await apply([directory])), ['trigger t unchanged', 'index pushed unchanged']);
    for (const [method, body] of [['PUT', `${NOTES}select: [body]`.replace('name: notes', 'name: pushed')], ['DELETE']]) {
      const refused = await defined(method, 'pushed', body);
      assert.equal(refused.status, 409);
      assert.match(refused.body.detail, /comes from the file .*i\.yaml: change it there/);
    }
    writeFileSync(join(directory, 'n.yaml'), NOTES);
    const theirs = (await apply([directory], 1)).find(({ name }) => name === 'notes');
    assert.deepEqual([theirs.outcome, /made over REST/.test(theirs.reason)], ['refused', true]);
    writeFileSync(join(directory, 'n.yaml'), NOTES.replace('title', 'titel'));
    assert.deepEqual((await apply([directory], 1)).filter((it) => it.severity === 'error').map(({ line, column }) => [line, column]), [[4, 10]]);
    unlinkSync(join(directory, 'n.yaml'));
    unlinkSync(join(directory, 'i.yaml'));
    writeFileSync(join(directory, 'j.yaml'), NOTES.replace('name: notes', 'name: pulled'));
    unlinkSync(join(directory, 't.yaml'));
    assert.deepEqual(plan(await apply(['--prune', directory])).sort(), ['index made removed', 'index pulled created', 'index pushed removed']);
    await gone('pushed', second);
    await found('pulled', 'title', 20);
  });

  await t.test('a restart keeps them; a file that is gone takes its index with it', async () => {
    define(house.walcast, 'filed', NOTES.replace('name: notes', 'name: filed'));
    await found('filed', 'title', 20, second);
    assert.equal((await defined('GET', 'filed')).body.file, 'filed.yaml');
    assert.equal((await defined('DELETE', 'filed')).status, 409);
    const tasks = async () => (await ask('GET', '/tasks?limit=1')).body.results[0].uid;
    const before = await tasks();
    await house.walcast.restart();
    for (const index of ['notes', 'pulled', 'filed']) await found(index, 'title', 20);
    assert.equal(await tasks(), before, 'and nothing is asked for again');

    define(second, 'other', NOTES.replace('name: notes', 'name: other'));
    await waitFor('the difference to be told', async () => /has other files of indexes/.test((await second.health()).reason));
    unlinkSync(join(second.directory, 'indexes/other.yaml'));
    unlinkSync(join(house.walcast.directory, 'indexes/filed.yaml'));
    await gone('filed');
    await gone('filed', second);
    assert.equal((await defined('GET', 'filed')).status, 404);
  });

  await t.test('a definition that is deleted takes its index with it', async () => {
    assert.equal((await defined('DELETE', 'notes', undefined, { 'if-match': '"1"' })).status, 412);
    assert.equal((await defined('DELETE', 'notes')).status, 204);
    await gone('notes');
    await gone('notes', second);
    assert.equal((await defined('PUT', 'notes', NOTES)).status, 201);
    await found('notes', 'title', 20, second);
  });
});
