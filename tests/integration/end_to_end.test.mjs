// A row committed in PostgreSQL reaches an unmodified realtime-js, through JetStream.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import WebSocket from 'ws';
import { connectRealtime, received, subscribe } from '../lib/subscriber.mjs';
import { waitFor } from '../lib/wait.mjs';
import '../lib/triggers_role.mjs';

const SCHEMA = `
  CREATE TABLE todos (id bigint PRIMARY KEY, task text, done boolean, due timestamptz);
  CREATE SCHEMA "Odd Names";
  CREATE TABLE "Odd Names"."a.b ""c"" %" ("Key Col" int PRIMARY KEY, "väl" text);
  CREATE TABLE full_image (id int PRIMARY KEY, note text);
  ALTER TABLE full_image REPLICA IDENTITY FULL;
  CREATE TABLE numbers (id int PRIMARY KEY, huge numeric, big bigint, real8 double precision,
    raw bytea, doc jsonb, list int[], nothing text);
  CREATE TABLE unpublished.secret (id int PRIMARY KEY)`;

const CONFIG = { 'postgres.tables': 'public.*,Odd Names.*' };
const schema = `CREATE SCHEMA unpublished; ${SCHEMA}`;

for (const vsn of ['1.0.0', '2.0.0'])
  test(`insert, update, delete and truncate arrive in order, serializer ${vsn}`, async (t) => {
    const { postgres, walcast } = await startHouse(t, { schema });
    const client = await connectRealtime(t, walcast, { vsn });
    const seen = await subscribe(client, [{ event: '*', schema: 'public', table: 'todos' }]);
    await postgres.query(`INSERT INTO todos VALUES (1, 'a "quoted" \\ täsk', false, '2024-02-29 12:00+02')`);
    await postgres.query(`UPDATE todos SET done = true WHERE id = 1`);
    await postgres.query(`DELETE FROM todos WHERE id = 1`);
    await postgres.query(`INSERT INTO todos SELECT n, 'many', null, null FROM generate_series(2, 101) n`);
    const changes = await received(seen, 103);
    const [inserted, updated, deleted, ...many] = changes;
    assert.equal(inserted.eventType, 'INSERT');
    assert.equal(inserted.schema, 'public');
    assert.equal(inserted.table, 'todos');
    assert.deepEqual({ ...inserted.new, due: Date.parse(inserted.new.due) },
      { id: 1, task: 'a "quoted" \\ täsk', done: false, due: Date.parse('2024-02-29T10:00Z') });
    assert.ok(Math.abs(Date.parse(inserted.commit_timestamp) - Date.now()) < 60_000);
    assert.equal(updated.eventType, 'UPDATE');
    assert.equal(updated.new.done, true);
    assert.equal(deleted.eventType, 'DELETE');
    assert.deepEqual(deleted.old, { id: 1 });
    assert.deepEqual(many.map((change) => change.new.id), Array.from({ length: 100 }, (_, n) => n + 2));
    assert.ok(many.every((change) => change.new.task === 'many' && change.new.done === null));
    await postgres.query('TRUNCATE todos');
    await postgres.query(`INSERT INTO todos VALUES (1000, 'after', true, null)`);
    await received(seen, 105);
    assert.deepEqual(changes.slice(-2).map((change) => [change.eventType, change.new.id]),
      [['TRUNCATE', undefined], ['INSERT', 1000]]);
    const stream = await walcast.changes({ table: 'public.todos' });
    assert.deepEqual(stream.slice(-2).map((change) => change.op), ['TRUNCATE', 'INSERT']);
  });

test('any schema, any name, and only what was asked for', async (t) => {
  const { postgres, walcast } = await startHouse(t, { schema, config: CONFIG });
  const client = await connectRealtime(t, walcast);
  const table = 'a.b "c" %';
  const odd = await subscribe(client, [{ event: '*', schema: 'Odd Names', table }], { topic: 'odd' });
  const inserts = await subscribe(client, [{ event: 'INSERT', schema: 'public', table: 'todos' }],
    { topic: 'inserts' });
  const all = await subscribe(client, [{ event: '*', schema: 'public' }], { topic: 'all' });
  await postgres.query(`INSERT INTO todos VALUES (1, 'x', false, null);
    UPDATE todos SET task = 'y'; INSERT INTO "Odd Names"."a.b ""c"" %" VALUES (7, 'ü');
    INSERT INTO full_image VALUES (1, 'n'); DELETE FROM todos`);
  await received(all, 4);
  await received(odd, 1);
  assert.deepEqual(odd.changes[0].new, { 'Key Col': 7, väl: 'ü' });
  assert.equal(odd.changes[0].table, table);
  assert.deepEqual(inserts.changes.map((change) => change.eventType), ['INSERT']);
  assert.deepEqual(all.changes.map((change) => `${change.table} ${change.eventType}`),
    ['todos INSERT', 'todos UPDATE', 'full_image INSERT', 'todos DELETE']);
});

test('eq filters choose rows; several bindings of one channel each get theirs', async (t) => {
  const { postgres, walcast } = await startHouse(t, { schema });
  const client = await connectRealtime(t, walcast);
  const one = { event: '*', schema: 'public', table: 'todos', filter: 'id=eq.1' };
  const word = { event: 'INSERT', schema: 'public', table: 'todos', filter: 'task=eq.b' };
  const seen = await subscribe(client, [one, word]);
  await postgres.query(`INSERT INTO todos VALUES (1, 'a'), (2, 'b'), (3, 'c');
    UPDATE todos SET done = true; INSERT INTO todos VALUES (4, 'b')`);
  await received(seen, 4);
  assert.deepEqual(seen.changes.map((change) => [change.eventType, change.new.id]),
    [['INSERT', 1], ['INSERT', 2], ['UPDATE', 1], ['INSERT', 4]]);
});

test('a full old image comes whole; values keep every digit in the stream', async (t) => {
  const { postgres, walcast } = await startHouse(t, { schema });
  const client = await connectRealtime(t, walcast);
  const seen = await subscribe(client, [{ event: '*', schema: 'public', table: 'full_image' }]);
  await postgres.query(`INSERT INTO full_image VALUES (1, 'before');
    UPDATE full_image SET note = 'after'; DELETE FROM full_image;
    INSERT INTO numbers VALUES (1, 12345678901234567890.123456789, 9007199254740993, 0.1,
      '\\xdeadbeef', '{"n": 1.10, "s": "ü"}', '{1,2,NULL}', null)`);
  await received(seen, 3);
  assert.deepEqual(seen.changes[1].old, { id: 1, note: 'before' });
  assert.deepEqual(seen.changes[2].old, { id: 1, note: 'after' });
  const text = await waitFor('the row of numbers', () => walcast.commandOk(['tail', '--json',
    '--from', 'first', '--until', 'now', '--table', 'public.numbers']));
  assert.match(text, /12345678901234567890\.123456789/);
  assert.match(text, /9007199254740993/);
  const { record } = JSON.parse(text);
  assert.equal(record.nothing, null);
});

test('an unchanged TOAST value is neither null nor sent as if it were new', async (t) => {
  const { postgres, walcast } = await startHouse(t, { schema });
  await postgres.query(`INSERT INTO todos SELECT 1, string_agg(md5(n::text), ''), false, null
    FROM generate_series(1, 1000) n; UPDATE todos SET done = true`);
  const [inserted, updated] = await waitFor('both changes in the stream', async () => {
    const changes = await walcast.changes({ table: 'public.todos' });
    return changes.length === 2 && changes;
  });
  assert.equal(inserted.record.task.length, 32_000);
  assert.equal('task' in updated.record, false);
  assert.deepEqual(updated.unchanged, ['task']);
  assert.equal(updated.record.done, true);
});

// The status of the HTTP answer to a WebSocket handshake, 101 when it is accepted.
function handshakeStatus(walcast, apikey) {
  return new Promise((resolve, reject) => {
    const url = `${walcast.url}/realtime/v1/websocket?vsn=2.0.0&apikey=${apikey}`;
    const socket = new WebSocket(url.replace('http', 'ws'));
    socket.on('open', () => {
      resolve(101);
      socket.close();
    });
    socket.on('unexpected-response', (_, response) => resolve(response.statusCode));
    socket.on('error', reject);
  });
}

test('without a valid token nobody joins, and others are not disturbed', async (t) => {
  const { postgres, walcast } = await startHouse(t, { schema });
  const client = await connectRealtime(t, walcast);
  const seen = await subscribe(client, [{ event: '*', schema: 'public', table: 'todos' }]);
  const valid = await walcast.token();
  const shortLived = await walcast.token({ ttl: '1s' });
  assert.equal(await handshakeStatus(walcast, valid), 101);
  const forged = `${valid.split('.').slice(0, 2).join('.')}.${'A'.repeat(43)}`;
  for (const apikey of ['', 'nonsense', forged])
    assert.equal(await handshakeStatus(walcast, apikey), 401, `apikey "${apikey.slice(0, 20)}"`);
  await waitFor('refusal of an expired token', async () =>
    (await handshakeStatus(walcast, shortLived)) === 401);
  await postgres.query(`INSERT INTO todos VALUES (1, 'still here')`);
  await received(seen, 1);
});
