// Definitions of triggers over REST: made, read, replaced, paused, removed; what is wrong told with
// its place and against the live schema; and that nobody touches another project's.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { createKey } from '../lib/keys.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { Walcast } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';
import '../lib/triggers_role.mjs';

const SCHEMA = `
  CREATE TYPE mood AS ENUM ('sad', 'glad');
  CREATE DOMAIN short AS varchar(20);
  CREATE TABLE orders (id bigint PRIMARY KEY, status text, total numeric, customer_id int, feels mood,
    tag short, paid_at timestamptz, doc jsonb);
  ALTER TABLE orders REPLICA IDENTITY FULL;
  CREATE TABLE plain (id int PRIMARY KEY, n int, body text, twice int GENERATED ALWAYS AS (n * 2) STORED);
  CREATE TABLE "long" (id int PRIMARY KEY, body text);
  ALTER TABLE "long" ALTER body SET STORAGE EXTERNAL;
  INSERT INTO "long" VALUES (1, repeat('x', 100000));
  CREATE TABLE nokey (a int);
  CREATE TABLE byindex (id int PRIMARY KEY, code int NOT NULL UNIQUE);
  ALTER TABLE byindex REPLICA IDENTITY USING INDEX byindex_code_key;
  CREATE TABLE "Odd.Name" ("Weird Col" int PRIMARY KEY, "b""q" int);
  CREATE TABLE parts (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
  CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
  CREATE VIEW seen AS SELECT 1 AS a;
  CREATE SCHEMA shop; CREATE TABLE shop.items (id int PRIMARY KEY, name text);
  CREATE SCHEMA proj_acme; CREATE TABLE proj_acme.todos (id int PRIMARY KEY, body text);
  CREATE SCHEMA proj_beta; CREATE TABLE proj_beta.secret (id int PRIMARY KEY);`;

suite('triggers over REST', () => {
  let house, auth;
  const cleanups = [];
  const suiteT = { after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true };
  before(async () => {
    house = await startHouse(suiteT, { schema: SCHEMA, config: {
      'postgres.tables': 'public.*,shop.*,proj_acme.*', 'postgres.tenant_schemas': 'proj_{project_id}' } });
    auth = await as();
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  async function as({ project, role = 'service_role', ...claims } = {}) {
    const token = goodToken({ role, ...(project && { project_id: project }), ...claims });
    return { authorization: `Bearer ${token}` };
  }
  const path = (name = '', project = 'default') => `/v1/projects/${project}/triggers${name && '/'}${name}`;
  async function ask(method, at, body, headers = auth, walcast = house.walcast) {
    const response = await fetch(walcast.url + at, { method, headers, ...(body !== undefined &&
      { body: typeof body === 'string' ? body : JSON.stringify(body) }) });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text,
      body: text ? JSON.parse(text) : undefined };
  }
  const webhook = { webhook: { url: 'https://example.org/hook', secret: '${secret:HOOK}' } };
  const definition = (name, more = {}) => ({ name, on: { table: 'public.orders' }, do: webhook, ...more });

  test('one is made, read, replaced, listed and removed', async () => {
    const made = await ask('POST', path(), definition('first', { select: ['new.id'] }));
    assert.equal(made.status, 201, made.text);
    assert.equal(made.headers.get('location'), path('first'));
    assert.equal(made.headers.get('etag'), `"${made.body.revision}"`);
    assert.equal(made.body.origin, 'rest');
    assert.deepEqual(made.body.definition, definition('first', { select: ['new.id'] }));
    assert.match(made.body.since, /^[0-9a-z]+-\d+\.\d+$/);
    const got = await ask('GET', path('first'));
    assert.equal(got.status, 200);
    assert.deepEqual(got.body, made.body);
    assert.equal((await ask('POST', path(), definition('first'))).status, 409);

    const put = await ask('PUT', path('first'), definition('first', { key: 'new.customer_id' }));
    assert.equal(put.status, 200, put.text);
    assert.equal(put.body.definition.key, 'new.customer_id');
    assert.equal(put.body.since, made.body.since, 'a replaced one goes on from where it was');
    assert.ok(put.body.revision > made.body.revision);
    const again = await ask('PUT', path('first'), definition('first', { key: 'new.customer_id' }));
    assert.equal(again.body.revision, put.body.revision, 'the same is no change');

    assert.equal((await ask('PUT', path('second'), definition('second'))).status, 201);
    const list = await ask('GET', path());
    assert.deepEqual(list.body.triggers.map((it) => it.name), ['first', 'second']);
    assert.equal(list.body.next, null);
    const page = await ask('GET', `${path()}?limit=1`);
    assert.deepEqual([page.body.triggers.length, page.body.next], [1, 'first']);
    assert.deepEqual((await ask('GET', `${path()}?limit=1&after=first`)).body.triggers.map((it) => it.name), ['second']);

    assert.equal((await ask('DELETE', path('first'))).status, 204);
    assert.equal((await ask('DELETE', path('second'))).status, 204);
    assert.equal((await ask('DELETE', path('second'))).status, 404);
    assert.equal((await ask('GET', path('second'))).status, 404);
    assert.deepEqual((await ask('GET', path())).body, { triggers: [], next: null });
  });

  test('under an Idempotency-Key it is done once and answered alike', async () => {
    const keyed = (name) => ({ ...auth, 'idempotency-key': name });
    const made = await ask('POST', path(), definition('keyed'), keyed('a'));
    assert.equal(made.status, 201, made.text);
    const again = await ask('POST', path(), definition('keyed'), keyed('a'));
    assert.deepEqual([again.status, again.text], [201, made.text]);
    for (const name of ['etag', 'location', 'content-type']) assert.equal(again.headers.get(name), made.headers.get(name), name);
    assert.equal(again.headers.get('idempotency-replayed'), 'true');
    assert.equal((await ask('POST', path(), definition('keyed'), keyed('b'))).status, 409);
    assert.equal((await ask('POST', path(), definition('other'), keyed('a'))).status, 422);
    assert.equal((await ask('POST', path(), definition('keyed'), keyed('k'.repeat(256)))).status, 400);
    assert.equal((await ask('POST', `${path('keyed')}/pause`, undefined, keyed('a'))).body.paused, true);
    assert.equal((await ask('POST', `${path('keyed')}/resume`, undefined, keyed('a'))).body.paused, false);
    assert.equal((await ask('POST', `${path('keyed')}/pause`, undefined, keyed('a'))).headers.get('idempotency-replayed'), 'true');
    assert.equal((await ask('GET', path('keyed'), undefined, keyed('a'))).body.paused, false);
    const gone = [await ask('DELETE', path('keyed'), undefined, keyed('a')), await ask('DELETE', path('keyed'), undefined, keyed('a'))];
    assert.deepEqual(gone.map(({ status, text }) => [status, text]), [[204, ''], [204, '']]);
    assert.equal((await ask('DELETE', path('keyed'), undefined, keyed('c'))).status, 404);
  });

  test('If-Match keeps what somebody else has changed', async () => {
    const made = await ask('POST', path(), definition('etag'));
    const stale = { ...auth, 'if-match': made.headers.get('etag') };
    const put = await ask('PUT', path('etag'), definition('etag', { when: 'new.total > 1' }), stale);
    assert.equal(put.status, 200, put.text);
    for (const [method, at, body] of [['PUT', path('etag'), definition('etag')], ['DELETE', path('etag')],
      ['POST', path('etag/pause')]])
      assert.equal((await ask(method, at, body, stale)).status, 412, `${method} ${at}`);
    assert.equal((await ask('DELETE', path('etag'), undefined, { ...auth, 'if-match': put.headers.get('etag') })).status, 204);
  });

  test('paused, resumed, disabled, enabled; each is recorded', async () => {
    await ask('POST', path(), definition('states'));
    const state = async (act) => {
      const { status, body } = await ask('POST', path(`states/${act}`));
      assert.equal(status, 200);
      return [body.disabled, body.paused];
    };
    assert.deepEqual(await state('pause'), [false, true]);
    assert.deepEqual(await state('disable'), [true, true]);
    await ask('PUT', path('states'), definition('states', { description: 'x' }));
    const { body } = await ask('GET', path('states'));
    assert.deepEqual([body.disabled, body.paused], [true, true], 'replacing leaves the state');
    assert.deepEqual(await state('resume'), [true, false]);
    assert.deepEqual(await state('enable'), [false, false]);
    assert.equal((await ask('POST', path('states/explode'))).status, 404);
    assert.equal((await ask('POST', path('nobody/pause'))).status, 404);
    await ask('DELETE', path('states'));
    const acts = await waitFor('the acts in the audit', async () => {
      const lines = (await house.walcast.commandOk(['audit', '--json', '--from', 'first', '--until', 'now'])).split('\n');
      const mine = lines.filter(Boolean).map((line) => JSON.parse(line)).filter((it) => it.object === 'states');
      return mine.some((it) => it.act === 'trigger.removed') && mine.map((it) => it.act);
    });
    assert.deepEqual(acts, ['trigger.created', 'trigger.paused', 'trigger.disabled', 'trigger.changed',
      'trigger.resumed', 'trigger.enabled', 'trigger.removed']);
  });

  // [what is wrong, the definition's text, line, column, what is said]
  const HEAD = 'name: x\ndo: {webhook: {url: https://example.org/, secret: "${secret:A}"}}\n';
  const FULL = (table) => `ALTER TABLE "public"."${table}" REPLICA IDENTITY FULL;`;
  const wrong = [
    ['a key that is not known', `${HEAD}on: {table: orders}\nwhn: true`, 4, 1, 'did you mean when'],
    ['a syntax error', `${HEAD}on: {table: orders`, 0, 0, 'not valid YAML'],
    ['a table that is not there', `${HEAD}on: {table: public.ordres}`, 3, 13, 'no table public.ordres; did you mean public.orders?'],
    ['a schema that is not there', `${HEAD}on: {table: shpo.items}`, 3, 13, 'no schema shpo; did you mean shop?'],
    ['a view', `${HEAD}on: {table: seen}`, 3, 13, 'is no table'],
    ['another project\'s schema', `${HEAD}on: {table: proj_beta.secret}`, 3, 13, "is not project default's"],
    ['a column in select', `${HEAD}on: {table: orders}\nselect: [new.id, new.totl]`, 4, 18, 'no such column; did you mean new.total?'],
    ['a column in key', `${HEAD}on: {table: orders}\nkey: new.customerid`, 4, 6, 'did you mean new.customer_id?'],
    ['a column in when', `${HEAD}on: {table: orders}\nwhen: new.total > 5 and new.staus = 'paid'`, 4, 25, 'new.staus: table public.orders has no such column; did you mean new.status?'],
    ['a name with capitals', `${HEAD}on: {table: Odd.Name}`, 3, 13, 'no schema Odd'],
    ['a column with capitals', `${HEAD}on: {table: '"Odd.Name"'}\nkey: new.weird_col`, 4, 6, 'did you mean new."Weird Col"?'],
    ['types that do not go together', `${HEAD}on: {table: orders}\nwhen: new.id = 1\n  and new.paid_at > 5`, 5, 19, 'no comparison of timestamp with time zone with integer'],
    ['a value of another type', `${HEAD}on: {table: orders}\nwhen: new.customer_id = 'seven'`, 4, 25, 'integer'],
    ['a function of the time', `${HEAD}on: {table: orders}\nwhen: "new.paid_at > now()"`, 4, 22, 'hangs on the time'],
    ['days of a time with its zone', `${HEAD}on: {table: orders}\nwhen: "new.paid_at + interval '1 day' > new.paid_at"`, 4, 20, "AT TIME ZONE 'UTC'"],
    ['syntax of SQL', `${HEAD}on: {table: orders}\nwhen: |\n  new.total > 1\n  and and new.id = 2`, 6, 7, 'syntax error'],
    ['a bare column', `${HEAD}on: {table: orders}\nwhen: status = 'paid'`, 4, 7, 'new.status or old.status'],
    ['a sub-select', `${HEAD}on: {table: orders}\nwhen: new.id in (select 1)`, 4, 7, 'sub-select'],
    ['a label that the enum does not have', `${HEAD}on: {table: orders}\nwhen: new.id = 1 or new.feels in ('glad', 'gladd')`, 4, 43, 'invalid input value for enum mood: "gladd"'],
    ['who asks', `${HEAD}on: {table: orders}\nwhen: new.status = current_user`, 4, 7, 'a trigger has none'],
    ['what is never true', `${HEAD}on: {table: orders}\nwhen: 1 = 2`, 4, 7, 'never true'],
    ['a generated column', `${HEAD}on: {table: plain}\nselect: [new.twice]`, 4, 10, 'generated column'],
    ['old in a condition', `${HEAD}on: {table: plain}\nwhen: old.n is distinct from new.n`, 4, 7, FULL('plain')],
    ['old in select', `${HEAD}on: {table: plain, ops: update}\nselect: {was: old.n}`, 4, 15, FULL('plain')],
    ['old of a DELETE', `${HEAD}on: {table: plain, ops: delete}\nselect: [old.id, old.n]`, 4, 18, 'a DELETE does not tell it'],
    ['a key of a DELETE', `${HEAD}on: {table: plain}\nkey: new.n`, 4, 6, FULL('plain')],
    ['old with an index', `${HEAD}on: {table: byindex}\nselect: [old.code, old.id]`, 4, 20, FULL('byindex')],
    ['a table that its partitions stand for', `${HEAD}on: {table: parts}`, 3, 13, 'ALTER PUBLICATION "walcast" SET (publish_via_partition_root = true);'],
    ['old of odd names', `${HEAD}on: {table: '"Odd.Name"'}\nwhen: old."b""q" = 1`, 4, 7, FULL('Odd.Name')],
    ['a long value in a condition', `${HEAD}on: {table: long}\nwhen: new.body like 'x%'`, 4, 7, FULL('long')],
    ['old in a template', `${HEAD}on: {table: plain}\ntemplate: '{"a": {{old.n}}}'`, 4, 20, FULL('plain')],
    ['old of an event', `${HEAD}on: {event: a.b}\nwhen: old.type = 'x'`, 4, 7, 'only changes of a table'],
    ['a column of an event', `${HEAD}on: {event: a.b}\nwhen: new.typ = 'x'`, 4, 7, 'did you mean new.type'],
    ['a subject of ours', 'name: x\non: {table: orders}\ndo: {nats: {subject: atlasdb.default.dev.orders.INSERT}}', 3, 22, "Walcast's own"],
    ['parameters', 'name: x\non: {table: orders}\ndo: {sql: {statement: select $1, parameters: [new.idd]}}', 3, 47, 'did you mean new.id?'],
    ['another project', `${HEAD}on: {table: orders}\nproject: acme`, 4, 10, "the address's project"],
  ];
  for (const [what, text, line, column, says] of wrong)
    test(`refused: ${what}`, async () => {
      const { status, headers, body, text: answer } = await ask('POST', path(), text);
      assert.equal(status, 400, answer);
      assert.equal(headers.get('content-type'), 'application/problem+json');
      assert.equal(body.status, 400);
      const [problem] = body.problems.filter((it) => !it.warning);
      assert.ok(problem.message.includes(says), answer);
      if (line) assert.equal(problem.line, line, answer);
      if (column) assert.equal(problem.column, column, answer);
      assert.equal((await ask('GET', path('x'))).status, 404);
    });

  test('several mistakes are told at once', async () => {
    const { body } = await ask('POST', path(), 'name: x y\non: {table: orders, ops: [upsert]}\ndo: {webhok: {}}\nkey: id');
    assert.deepEqual(body.problems.map((it) => [it.line, it.column]), [[1, 7], [2, 27], [3, 6], [4, 6], [3, 5]]);
  });

  test('what the log tells is taken, whatever the table', async () => {
    const good = [
      ['full', 'on: {table: public.orders}\nwhen: new.status = \'paid\' and old.status is distinct from new.status\nkey: new.customer_id\nselect: [old.doc, new.doc]'],
      ['typed', "on: {table: orders}\nwhen: new.feels = 'glad' and new.tag like 'a%' and new.paid_at > '2020-01-01 00:00:00+00'"],
      ['inserts', 'on: {table: plain, ops: insert}\nwhen: new.body like \'%x%\'\nkey: new.n'],
      ['old-key', 'on: {table: plain}\nwhen: old.id > 5\nselect: [old.id]'],
      ['by-index', 'on: {table: byindex}\nselect: [old.code]\nkey: new.code'],
      ['odd', 'on: {table: \'"Odd.Name"\', ops: [insert, update]}\nkey: new."Weird Col"\nwhen: new."b""q" = 1'],
      ['no-key', 'on: {table: nokey, ops: insert}\nkey: new.a'],
      ['a-part', 'on: {table: parts_1}'],
      ['part', 'on: {table: parts}\nwhen: new.n = 1 and old.id = 2'],
      ['other-schema', 'on: {table: shop.items}'],
      ['event', "on: {event: auth.*}\nwhen: new.data->>'plan' = 'pro'\nselect: [new.data]"],
      ['cron', 'on: {cron: "0 9 * * *"}'],
      ['result', "on: {result: full}\nwhen: new.http_status = 410"],
    ];
    for (const [name, text] of good) {
      if (name === 'part') await house.postgres.query('ALTER PUBLICATION walcast SET (publish_via_partition_root = true)');
      const { status, text: answer } = await ask('POST', path(), `name: ${name}\ndo: {webhook: {url: https://e.org/, secret: "\${secret:A}"}}\n${text}`);
      assert.equal(status, 201, `${name}: ${answer}`);
      await ask('DELETE', path(name));
    }
    const { text } = await ask('POST', path(), `${HEAD}on: {table: parts}\nwhen: old.n = 1`);
    assert.match(text, /ALTER TABLE PARTITION REPLICA IDENTITY FULL; with each PARTITION of \\"public\\"\.\\"parts\\"/);
  });

  test('what is allowed but hardly meant comes with warnings', async () => {
    const said = async (text) => {
      const { status, body, text: answer } = await ask('PUT', path('warned'), `name: warned\n${text}`);
      assert.ok(status === 200 || status === 201, answer);
      return (body.warnings ?? []).map((it) => it.message).join('\n');
    };
    const action = 'do: {webhook: {url: https://e.org/, secret: "${secret:A}"}}\n';
    assert.match(await said('on: {table: orders}\ndo: {webhook: {url: https://e.org/, secret: whsec_abc}}'), /literal secret/);
    assert.match(await said('on: {table: orders}\ndo: {webhook: {url: "http://0xa9fea9fe/", secret: "${secret:A}"}}'), /not be reached: 169.254.169.254 is a link-local/);
    assert.match(await said(`${action}on: {table: plain, ops: update}\nwhen: new.body = 'x'`), /did not change: .*REPLICA IDENTITY FULL/);
    assert.match(await said(`${action}on: {table: nokey}`), /no UPDATE or DELETE of a table without a key[^]*no primary key/);
    assert.match(await said(`${action}on: {table: plain, ops: insert}\nselect: {was: old.n}`), /always null/);
    assert.equal(await said('on: {table: orders}\ndo: {webhook: {url: https://e.org/, secret: "${secret:A}", batch: {size: 10}}}'), '');
    assert.equal(await said(`${action}on: {table: orders}`), '');
    await ask('DELETE', path('warned'));
  });

  test('a table that the publication leaves out is told', async () => {
    await house.postgres.query('CREATE SCHEMA hidden; CREATE TABLE hidden.t (id int PRIMARY KEY)');
    const { body } = await ask('POST', path(), { name: 'hidden', on: { table: 'hidden.t' }, do: webhook });
    assert.match(body.warnings[0].message, /not published now/);
    await ask('DELETE', path('hidden'));
  });

  test('nobody without the scope, and nobody of another project', async () => {
    assert.equal((await ask('GET', path(), undefined, {})).status, 401);
    assert.equal((await ask('GET', path(), undefined, await as({ role: 'anon' }))).status, 403);
    const other = await as({ project: 'acme' });
    for (const [method, at] of [['GET', path()], ['PUT', path('a')], ['DELETE', path('a')], ['POST', path('a/pause')]])
      assert.equal((await ask(method, at, method === 'PUT' ? definition('a') : undefined, other)).status, 403, `${method} ${at}`);
    const { key } = await createKey(house.walcast, 'acting', { role: 'service_role', scope: 'triggers' });
    await waitFor('the key to be known', async () =>
      (await ask('GET', path(), undefined, { 'x-api-key': key })).status === 200);
  });

  test('a tenant has its own, in its own schemas', async () => {
    const acme = await as({ project: 'acme' });
    const mine = (text) => ask('POST', path('', 'acme'), `name: mine\n${HEAD.split('\n')[1]}\n${text}`, acme);
    const made = await mine('on: {table: public.todos}\nselect: [new.body]');
    assert.equal(made.status, 201, made.text);
    assert.equal(made.body.project, 'acme');
    assert.deepEqual((await ask('GET', path('', 'acme'), undefined, acme)).body.triggers.map((it) => it.name), ['mine']);
    assert.deepEqual((await ask('GET', path())).body.triggers.map((it) => it.name), []);
    assert.equal((await ask('GET', path('mine'))).status, 404);
    assert.equal((await ask('DELETE', path('mine', 'acme'), undefined, acme)).status, 204);
    for (const table of ['public.orders', 'shop.items', 'proj_beta.secret']) {
      const { status, body } = await mine(`on: {table: ${table}}`);
      assert.equal(status, 400);
      assert.match(body.problems[0].message, table === 'public.orders' ? /no table proj_acme.orders/ : /is not project acme's/);
    }
  });

  test('a second process has the same', async (t) => {
    const other = await Walcast.start({ ...house, args: ['--roles', 'triggers'], config: {
      'postgres.tenant_schemas': 'proj_{project_id}' } });
    t.after(() => other.remove());
    await other.ready();
    await ask('POST', path(), definition('shared'));
    assert.equal((await ask('POST', path('shared/pause'), undefined, auth, other)).status, 200);
    assert.equal((await ask('GET', path('shared'))).body.paused, true);
    assert.equal((await ask('POST', path(), definition('shared'), auth, other)).status, 409);
    const races = await Promise.all(Array.from({ length: 10 }, (_, i) =>
      ask('POST', path(), definition('raced', { description: `${i}` }), auth, i % 2 ? other : house.walcast)));
    assert.deepEqual(races.map((it) => it.status).sort(), [201, ...Array(9).fill(409)]);
    for (const name of ['shared', 'raced']) assert.equal((await ask('DELETE', path(name))).status, 204);
  });

  test('a database that is away is told as such', async (t) => {
    const walcast = await Walcast.start({ nats: house.nats, postgres: { url: 'postgres://postgres@127.0.0.1:1/postgres' },
      args: ['--roles', 'triggers'] });
    t.after(() => walcast.remove());
    await walcast.ready();
    const { status, headers } = await ask('POST', path(), definition('x'), auth, walcast);
    assert.equal(status, 503);
    assert.equal(headers.get('retry-after'), '1');
  });
});
