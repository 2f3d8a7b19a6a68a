// Dead letters from outside: listed in pages, shown whole, thrown away; over the command line and
// over REST, and nobody sees another project's.
import assert from 'node:assert/strict';
import { jetstream } from '@nats-io/jetstream';
import { together } from '../lib/together.mjs';
import { deadLetters, insertOrders, SCHEMA, startTriggers, trigger } from '../lib/triggers.mjs';
import { Receiver } from '../lib/webhooks.mjs';
import { waitFor } from '../lib/wait.mjs';

const test = together(2);

const lines = (text) => text.split('\n').filter(Boolean).map(JSON.parse);
const dlq = async (house, ...words) => lines(await house.walcast.commandOk(['dlq', ...words, '--json']));

test('letters are listed in pages, shown whole and thrown away', async (t) => {
  const receiver = await Receiver.start(t, () => 500);
  const house = await startTriggers(t, [trigger(`${receiver.url}/a`, { name: 'a', retry: '[]' }),
    trigger(`${receiver.url}/b`, { name: 'b', retry: '[]' })]);
  await insertOrders(house, 1, 6, 6);
  await deadLetters(house, 12);

  const all = await dlq(house, 'list');
  assert.equal(all.length, 12);
  assert.deepEqual(all.map((it) => Number(it.id)), all.map((it) => Number(it.id)).sort((x, y) => x - y));
  const [first] = all.filter((it) => it.trigger === 'b');
  assert.equal(first.status, 500);
  assert.equal(first.attempts, 1);
  assert.match(first.reason, /given up after 1 attempt/);
  assert.match(first.webhook_id, /^msg_/);
  const page = await dlq(house, 'list', '--limit', '5', '--trigger', 'b');
  const rest = await dlq(house, 'list', '--after', page.at(-1).id, '--trigger', 'b');
  assert.deepEqual([...page, ...rest], all.filter((it) => it.trigger === 'b'));
  const more = await house.walcast.command(['dlq', 'list', '--limit', '5']);
  assert.equal(more.stdout.split('\n').filter(Boolean).length, 6);
  assert.match(more.stderr, /there are more/);

  const [whole] = await dlq(house, 'show', first.id);
  assert.equal(whole.body.type, 'public.orders.insert');
  assert.equal(whole.body.offset, whole.event_id);
  assert.equal(receiver.events.find((it) => it.id === whole.webhook_id).text, JSON.stringify(whole.body));

  await house.walcast.commandOk(['dlq', 'remove', first.id]);
  assert.equal((await dlq(house, 'list')).length, 11);
  const gone = await house.walcast.command(['dlq', 'show', first.id]);
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /there is no dead letter/);
  assert.match(await house.walcast.commandOk(['dlq', 'remove', '--all', '--trigger', 'b']), /^5 letters/);
  assert.ok((await dlq(house, 'list')).every((it) => it.trigger === 'a'));
  for (const words of [['replay'], ['remove', '--all', '1'], ['show', 'x'], ['lisst'], ['list', '--limit', '0']])
    assert.notEqual((await house.walcast.command(['dlq', ...words])).code, 0, words.join(' '));
});

// Asks as a project's service_role: { status, body }.
async function asker(house, claims) {
  const token = await house.walcast.token({ role: 'service_role', claims });
  return async (method, path) => {
    const response = await fetch(`${house.walcast.url}/v1/projects/${path}`,
      { method, headers: { authorization: `Bearer ${token}` } });
    const text = await response.text();
    return { status: response.status, body: text && JSON.parse(text), type: response.headers.get('content-type') };
  };
}

test('over REST in pages, and nobody sees another project\'s', async (t) => {
  const receiver = await Receiver.start(t, () => 500);
  const projects = ['default', 'acme'];
  const house = await startTriggers(t, projects.map((project) =>
    `project: ${project}\n${trigger(receiver.url, { retry: '[]' })}`),
    { 'postgres.tables': '*.*', 'postgres.tenant_schemas': 'proj_{project_id}' },
    `${SCHEMA}; CREATE SCHEMA proj_acme; CREATE TABLE proj_acme.orders (LIKE orders INCLUDING ALL)`);
  for (let id = 1; id <= 5; id++)
    await house.postgres.query(`INSERT INTO orders VALUES (${id}, ${id}, 'paid'); INSERT INTO proj_acme.orders VALUES (${id + 100}, ${id}, 'paid')`);
  await deadLetters(house, 10);
  const [own, acme] = [await asker(house, {}), await asker(house, { project_id: 'acme' })];

  const { status, body: { dead_letters: letters, next } } = await acme('GET', 'acme/dead-letters');
  assert.equal(status, 200);
  assert.equal(next, null);
  assert.equal(letters.length, 5);
  assert.ok(letters.every((it) => it.project === 'acme' && it.trigger === 'orders'));
  const paged = [];
  for (let after = ''; after !== null;) {
    const { body } = await acme('GET', `acme/dead-letters?limit=2&trigger=orders${after && `&after=${after}`}`);
    assert.ok(body.dead_letters.length <= 2);
    paged.push(...body.dead_letters);
    after = body.next;
  }
  assert.deepEqual(paged, letters);
  assert.deepEqual((await acme('GET', 'acme/dead-letters?trigger=nobody')).body, { dead_letters: [], next: null });

  const one = await acme('GET', `acme/dead-letters/${letters[0].id}`);
  assert.equal(one.body.body.offset, letters[0].event_id);
  assert.ok(one.body.body.data.id > 100, "the tenant's row");
  for (const [method, path] of [['GET', letters[0].id], ['DELETE', letters[0].id], ['POST', `${letters[0].id}/replay`]])
    assert.equal((await own(method, `default/dead-letters/${path}`)).status, 404, method);
  assert.equal((await own('GET', 'acme/dead-letters')).status, 403);
  assert.equal((await acme('DELETE', `acme/dead-letters/${letters[0].id}`)).status, 204);
  const gone = await acme('GET', `acme/dead-letters/${letters[0].id}`);
  assert.equal(gone.status, 404);
  assert.match(gone.type, /problem\+json/);
  assert.equal((await acme('GET', 'acme/dead-letters')).body.dead_letters.length, 4);
  assert.equal((await own('GET', 'default/dead-letters')).body.dead_letters.length, 5);
  for (const path of ['x', '0', '1/2', 'replay'])
    assert.equal((await acme('GET', `acme/dead-letters/${path}`)).status, 404, path);
  for (const query of ['limit=0', 'limit=1001', 'after=x', 'trigger=a%20b', 'limit=1&limit=2'])
    assert.equal((await acme('GET', `acme/dead-letters?${query}`)).status, 400, query);
  const acts = await waitFor('the act', async () => {
    const found = lines(await house.walcast.commandOk(['audit', '--from', 'first', '--until', 'now', '--kind', 'act']))
      .filter(({ act }) => act.startsWith('dead_letter.'));
    return found.length > 0 && found;
  });
  assert.deepEqual(acts.map(({ act, object, project, by }) => [act, object, project, by]),
    [['dead_letter.removed', letters[0].id, 'acme', 'credential']]);
});

// Letters of some 10 KB each: the tenant's are more than the whole stream holds.
test('a tenant uses up its share of the dead letters and nobody else\'s', async (t) => {
  const receiver = await Receiver.start(t, () => 410);
  const table = '(id bigint PRIMARY KEY, customer int, status text)';
  const failing = (project) => `${trigger(`${receiver.url}/${project}`, { name: 'a', retry: '[]' })}project: ${project}\n`
    .replace('[new.id, new.customer]', '[new.id, new.status]').replace("new.status = 'paid'", 'new.id > 0');
  const house = await startTriggers(t, [failing('default'), failing('acme')],
    { 'triggers.dlq_bytes': '1MiB', 'postgres.tables': '*.*', 'postgres.tenant_schemas': 'proj_{project_id}' },
    `CREATE SCHEMA proj_acme; CREATE TABLE orders ${table}; CREATE TABLE proj_acme.orders ${table}`);
  const insert = (schema, first, last) => house.postgres.query(`INSERT INTO ${schema}.orders
    SELECT i, i, repeat('x', 10000) FROM generate_series(${first}, ${last}) i`);
  await insert('public', 1, 5);
  await deadLetters(house, 5);
  await insert('proj_acme', 1, 150);
  await deadLetters(house, 155);
  await waitFor('that the tenant\'s oldest go', async () => await house.walcast.metric('walcast_triggers_dead_removed_total') >= 100);
  const acme = await asker(house, { project_id: 'acme' });
  const left = await waitFor('what is left', async () => {
    const { body } = await acme('GET', 'acme/dead-letters?limit=1000');
    const removed = await house.walcast.metric('walcast_triggers_dead_removed_total');
    return body.dead_letters.length + removed === 150 && body.dead_letters;
  });
  assert.ok(left.length >= 15 && left.length <= 60, `${left.length}`);
  assert.deepEqual(left.map((it) => Number(it.id)), left.map((_, i) => 156 - left.length + i)); // the newest
  assert.equal((await dlq(house, 'list')).length, 5);
  assert.match(house.walcast.logText(), /its oldest are removed/);
});

// Letters of some 10 KB each, of which few are the tenant's.
test('a project is shown what it has, and nobody reads what others have for that', async (t) => {
  const receiver = await Receiver.start(t, () => 410);
  const table = '(id bigint PRIMARY KEY, customer int, status text)';
  const failing = (project) => `${trigger(receiver.url, { name: 'a', retry: '[]' })}project: ${project}\n`
    .replace('[new.id, new.customer]', '[new.id, new.status]').replace("new.status = 'paid'", 'new.id > 0');
  const house = await startTriggers(t, [failing('default'), failing('acme')],
    { 'postgres.tables': '*.*', 'postgres.tenant_schemas': 'proj_{project_id}' },
    `CREATE SCHEMA proj_acme; CREATE TABLE orders ${table}; CREATE TABLE proj_acme.orders ${table}`);
  const insert = (schema, first, last) => house.postgres.query(`INSERT INTO ${schema}.orders
    SELECT i, i, repeat('x', 10000) FROM generate_series(${first}, ${last}) i`);
  const sent = async () => (await (await fetch(`http://127.0.0.1:${house.nats.monitorPort}/varz`)).json()).out_bytes;
  const acme = await asker(house, { project_id: 'acme' });
  const ids = async (query = '') => (await acme('GET', `acme/dead-letters?${query}`)).body.dead_letters.map(({ id }) => id);
  await insert('proj_acme', 1, 2);
  await deadLetters(house, 2);
  await insert('public', 1, 300);
  await deadLetters(house, 302);
  await insert('proj_acme', 3, 4);
  await deadLetters(house, 304);

  for (const query of ['limit=1000', 'trigger=a']) {
    const before = await sent();
    assert.deepEqual(await ids(query), ['1', '2', '303', '304']);
    const bytes = await sent() - before;
    assert.ok(bytes < 1_000_000, `${bytes} bytes for ${query}`);
  }
  assert.deepEqual(await ids('after=2&limit=1'), ['303']);
  assert.deepEqual(await ids('trigger=b'), []);
  assert.equal((await dlq(house, 'list', '--limit', '1000')).length, 300);

  // As one sees them for whom schemas are no tenants (any more).
  const { WALCAST_POSTGRES_TENANT_SCHEMAS: _, ...env } = house.walcast.env;
  for (const more of [[], ['--trigger', 'a']])
    assert.equal(lines(await house.walcast.commandOk(['dlq', 'list', '--json', '--limit', '1000', ...more], { env })).length, 300);

  // As an earlier version wrote them, which did not tell projects apart.
  const plain = 'atlasdb.dlq.default.a';
  await house.nats.manage(async (manager, connection) => {
    const { data } = await manager.streams.getMessage('WALCAST_DLQ', { seq: 303 });
    await jetstream(connection).publish(plain, data);
    assert.ok(await manager.streams.deleteMessage('WALCAST_DLQ', 303));
  });
  await house.walcast.stop();
  await house.walcast.restart();
  await waitFor('it among its own', async () => (await ids()).join() === '1,2,304,306');
  const { state } = await house.nats.manage((manager) => manager.streams.info('WALCAST_DLQ', { subjects_filter: '>' }));
  assert.deepEqual(Object.values(state.subjects).sort(), [300, 4]);
  assert.equal((await acme('POST', 'acme/dead-letters/306/replay')).status, 202);
});

test('a letter that is put back is delivered as it was, once, and leaves', async (t) => {
  let failing = true;
  const receiver = await Receiver.start(t, () => (failing ? 404 : 200));
  const house = await startTriggers(t, [trigger(receiver.url, { retry: '[]' })]);
  await insertOrders(house, 1, 6, 2);
  await deadLetters(house, 6, 120_000);
  const letters = await dlq(house, 'list');
  const before = new Map(receiver.events.map((it) => [it.id, it.text]));
  failing = false;
  await house.walcast.commandOk(['dlq', 'replay', letters[0].id]);
  await house.walcast.commandOk(['dlq', 'replay', letters[0].id]).catch(() => {}); // it may have left by then
  await receiver.waitFor(1);
  const left = await waitFor('that it leaves', async () => {
    const now = await dlq(house, 'list');
    return now.length === 5 && now;
  });
  assert.ok(!left.some((it) => it.id === letters[0].id));
  const ask = await asker(house, {});
  assert.equal((await ask('POST', `default/dead-letters/${left[0].id}/replay`)).status, 202);
  assert.deepEqual((await ask('POST', 'default/dead-letters/replay?trigger=orders')).body.next, null);
  await receiver.waitFor(6);
  await waitFor('that all leave', async () => (await dlq(house, 'list')).length === 0);
  assert.equal(receiver.events.filter((it) => it.answer === 200).length, 6, 'each once');
  for (const { id, text } of receiver.delivered) assert.equal(text, before.get(id));
  const told = lines(await house.walcast.commandOk(['trigger', 'deliveries', 'orders', '--id', letters[0].event_id, '--json']));
  assert.deepEqual(told.map(({ outcome }) => outcome).filter((it) => ['dead', 'delivered'].includes(it)), ['dead', 'delivered']);
});

test('ten thousand letters: a page costs what it shows, wherever it is', async (t) => {
  const receiver = await Receiver.start(t, () => 410);
  const house = await startTriggers(t, [trigger(receiver.url)]);
  await insertOrders(house, 1, 10_000, 1000);
  await deadLetters(house, 10_000, 120_000);
  const ask = await asker(house, {});
  const timed = async (path) => {
    const begun = performance.now();
    const { body } = await ask('GET', `default/dead-letters?${path}`);
    return { ...body, ms: performance.now() - begun };
  };
  const first = await timed('limit=100');
  assert.equal(first.dead_letters.length, 100);
  const ids = [];
  let pages = 0, all_ms = 0;
  for (let after = ''; after !== null; pages++) {
    const page = await timed(`limit=1000${after && `&after=${after}`}`);
    ids.push(...page.dead_letters.map(({ id }) => Number(id)));
    all_ms += page.ms;
    after = page.next;
  }
  assert.equal(new Set(ids).size, 10_000);
  const last = await timed(`limit=100&after=${ids.at(-101)}`);
  assert.deepEqual([last.dead_letters.length, last.next], [100, null]);
  t.diagnostic(`a page of 100: the first ${first.ms.toFixed(1)} ms, the last ${last.ms.toFixed(1)} ms; all in ${pages} pages ${all_ms.toFixed(0)} ms`);
  assert.ok(last.ms < 5000 && first.ms < 5000);
  const begun = performance.now();
  assert.match(await house.walcast.commandOk(['dlq', 'remove', '--all'], { timeout_ms: 120_000 }), /^10000 letters/);
  t.diagnostic(`all removed in ${(performance.now() - begun).toFixed(0)} ms`);
  assert.deepEqual((await timed('')).dead_letters, []);
});
