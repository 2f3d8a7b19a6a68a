// Dead letters from outside: listed in pages, shown whole, thrown away; over the command line and
// over REST, and nobody sees another project's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deadLetters, insertOrders, SCHEMA, startTriggers, trigger } from '../lib/triggers.mjs';
import { Receiver } from '../lib/webhooks.mjs';
import { waitFor } from '../lib/wait.mjs';

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
  assert.equal(one.body.body.data.id, 101);
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
  const acts = (await house.walcast.commandOk(['audit', '--from', 'first', '--until', 'now', '--kind', 'act']))
    .split('\n').filter(Boolean).map(JSON.parse).filter(({ act }) => act.startsWith('dead_letter.'));
  assert.deepEqual(acts.map(({ act, object, project, by }) => [act, object, project, by]),
    [['dead_letter.removed', letters[0].id, 'acme', 'credential']]);
});
