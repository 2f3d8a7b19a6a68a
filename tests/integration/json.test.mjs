// Issue point 11: with nats.encoding json the stream is read by a program that knows nothing of
// Walcast, with the same order, fencing and resume; Walcast's own readers cannot tell the encodings
// apart. The suites of values, TOAST and large rows run over a JSON stream too (CMakeLists.txt).
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { assertOrdered, changesOf, readStream, rebuild, withoutShapes } from '../lib/foreign.mjs';
import { startHouse } from '../lib/house.mjs';
import { parseExact } from '../lib/json.mjs';
import { MIXED_SCHEMA, runMixed } from '../lib/mixed.mjs';
import { assertHoldsTable, waitConfirmed } from '../lib/slot.mjs';
import { connectRealtime, received, subscribe } from '../lib/subscriber.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';

const JSON_CONFIG = { 'nats.encoding': 'json' };
const start = (t, options = {}) =>
  startHouse(t, { ...options, config: { ...JSON_CONFIG, ...options.config } });
const md5 = (value) => createHash('md5').update(value).digest('hex');
const streamed = async (house, parse) => withoutShapes(changesOf(await readStream(house.nats), parse));

// What differs from run to run; its form stays to be compared.
function settled(message) {
  const form = (value) => typeof value === 'string' ? value.replace(/[0-9A-Z]+\/[0-9A-F]+|\d+/gi, '#')
    .replace(/^[0-9a-z#]{16}$/, 'epoch') : typeof value;
  const { source, transaction, relation } = message;
  return {
    ...message,
    ts_ms: form(message.ts_ms), epoch: message.epoch.length,
    source: { ...source, version: form(source.version), ts_ms: form(source.ts_ms), ts_us: form(source.ts_us),
      txId: form(source.txId), lsn: form(source.lsn), commit_lsn: form(source.commit_lsn),
      end_lsn: form(source.end_lsn) },
    transaction: { ...transaction, id: form(transaction.id) },
    relation: { ...relation, oid: form(relation.oid), version: form(relation.version) },
  };
}

test('the message that docs/JSON.md shows', async (t) => {
  const house = await start(t, { schema: `CREATE TABLE todos
    (id bigint PRIMARY KEY, title text, price numeric(10,2), tags text[], due timestamptz, note text);
    ALTER TABLE todos ALTER note SET STORAGE EXTERNAL` });
  await house.postgres.query(`INSERT INTO todos VALUES
    (1, 'Buy milk', 1.10, '{home,"two words"}', '2024-02-29 10:00+01', repeat('note ', 2000))`);
  await house.postgres.query(`UPDATE todos SET title = 'Buy oat milk'`);
  await waitConfirmed(house.postgres);
  const page = readFileSync(new URL('../../docs/JSON.md', import.meta.url), 'utf8');
  const shown = JSON.parse(page.match(/```json\n([^`]*)```/)[1]);
  const [shape, , { text, subject }] = await readStream(house.nats);
  const message = JSON.parse(text);
  assert.deepEqual(settled(message), settled(shown));
  assert.deepEqual(Object.keys(message), Object.keys(shown));
  assert.match(text, /"price":1\.10,/);
  assert.doesNotMatch(text, /\n/);
  assert.equal(subject, 'atlasdb.default.dev.todos.UPDATE');
  const { rows: [row] } = await house.postgres.query(`SELECT xmin::text FROM todos`);
  assert.equal(message.source.txId, Number(row.xmin));
  // Before the first row its table's shape, at that row's place.
  const told = JSON.parse(shape.text);
  assert.equal(shape.subject, 'atlasdb.default.dev.todos.SCHEMA');
  assert.deepEqual([told.op, told.transaction.index, told.transaction.last, told.relation],
    ['s', 0, false, message.relation]);
  const { content } = told.message;
  assert.deepEqual([content.version, content.previous_version, content.replica_identity], [message.relation.version, null, 'd']);
  assert.deepEqual(content.columns.map(({ name }) => name), ['id', 'title', 'price', 'tags', 'due', 'note']);
});

test('a foreign consumer rebuilds the tables', async (t) => {
  const house = await start(t, { schema: MIXED_SCHEMA });
  const { postgres } = house;
  await runMixed(postgres, { seed: 11, sessions: 3, transactions: 5, messages: true });
  await waitConfirmed(postgres);
  const changes = await streamed(house);
  assertOrdered(changes);
  const { rows: items } = await postgres.query('SELECT id::int, session, text, big FROM items ORDER BY id');
  assert.ok(items.length > 500, `${items.length} rows`);
  const rebuilt = [...rebuild(changes, 'items').values()].sort((a, b) => a.id - b.id);
  assert.deepEqual(rebuilt, items);
  const { rows: whole } = await postgres.query('SELECT id::int, text FROM whole ORDER BY id, text');
  const inserted = changes.filter(({ source }) => source.table === 'whole').map(({ after }) => after)
    .sort((a, b) => a.id - b.id || (a.text < b.text ? -1 : 1));
  assert.deepEqual(inserted, whole);
  assert.ok(changes.some(({ op, unchanged }) => op === 'u' && unchanged?.includes('big')));
});

test('every digit, deletes, truncates, logical messages', async (t) => {
  const house = await start(t, { schema: `
    CREATE TABLE full_row (id bigint PRIMARY KEY, n numeric, doc json);
    ALTER TABLE full_row REPLICA IDENTITY FULL;
    CREATE TABLE keyed (id bigint PRIMARY KEY REFERENCES full_row, n int)` });
  const { postgres } = house;
  await postgres.query(`INSERT INTO full_row VALUES (9007199254740993, 12345678901234567890.10, E'{"a":\\n1.0}');
    INSERT INTO keyed VALUES (9007199254740993, 1); DELETE FROM keyed; DELETE FROM full_row;
    TRUNCATE full_row RESTART IDENTITY CASCADE`);
  await postgres.query(`SELECT pg_logical_emit_message(true, 'orders', '{"order":1}')`);
  await postgres.query(`SELECT pg_logical_emit_message(false, 'bytes', '\\xff00'::bytea)`);
  await waitConfirmed(postgres);
  const messages = await readStream(house.nats);
  assert.match(messages[1].text, /"after":\{"id":9007199254740993,"n":12345678901234567890\.10,"doc":\{"a": 1\.0\}\}/);
  const changes = withoutShapes(changesOf(messages));
  const of = (op) => changes.filter((change) => change.op === op);
  assert.deepEqual(changes.map(({ op }) => op).join(''), 'ccddttmm');
  assert.deepEqual(of('c')[0].exact, { after: { doc: '{"a":\n1.0}' } });
  const [keyed, full] = of('d');
  assert.deepEqual([keyed.old_kind, Object.keys(keyed.before), keyed.after], ['key', ['id'], null]);
  assert.deepEqual([full.old_kind, Object.keys(full.before)], ['full', ['id', 'n', 'doc']]);
  for (const { truncate, before, after } of of('t'))
    assert.deepEqual([truncate, before, after], [{ cascade: true, restart_identity: true }, null, null]);
  const [order, bytes] = of('m');
  assert.deepEqual([order.message.prefix, order.message.content, order.message.transactional],
    ['orders', '{"order":1}', true]);
  assert.deepEqual([bytes.message.content_base64, bytes.message.transactional, bytes.source.txId],
    ['/wA=', false, null]);
  assert.equal(messages.at(-1).subject, 'atlasdb.default.dev._.MESSAGE');
});

// ---- Resume ----

const ITEMS = 'CREATE TABLE items (id bigint PRIMARY KEY, text text)';
const insertItems = (from, to) =>
  `INSERT INTO items SELECT i, repeat('x', 200) FROM generate_series(${from}, ${to}) i`;

// Kills Walcast each time that the stream has got so many more messages, `count` times.
async function killWithin(house, count, messages, before = () => {}) {
  for (let kill = 0; kill < count; kill++) {
    const { state } = await house.nats.streamInfo().catch(() => ({ state: { last_seq: 0 } }));
    await waitFor(`${messages} more messages`, async () =>
      (await house.nats.streamInfo()).state.last_seq >= state.last_seq + messages, 60_000, 2);
    await house.walcast.kill();
    before();
    house.walcast.start();
  }
}

async function assertExact(house, rows) {
  await waitConfirmed(house.postgres);
  const changes = await assertHoldsTable(house.walcast, house.postgres, 'items');
  assert.equal(changes.length, rows);
  assert.equal(new Set(changes.map(({ offset }) => offset.split('-')[0])).size, 1, 'one epoch');
  return changes;
}

test('killed within a big transaction: nothing lost, nothing twice, in order', async (t) => {
  const house = await start(t, { schema: ITEMS });
  await house.postgres.query(insertItems(1, 60_000));
  await killWithin(house, 3, 10_000);
  await assertExact(house, 60_000);
  const changes = await streamed(house);
  assertOrdered(changes);
  assert.deepEqual(changes.map(({ after }) => after.id), Array.from({ length: 60_000 }, (_, i) => i + 1));
});

test('killed among many small transactions', async (t) => {
  const house = await start(t, { schema: ITEMS });
  const client = await house.postgres.connect();
  const load = (async () => {
    for (let id = 0; id < 6000; id += 3)
      await client.query(`${insertItems(id + 1, id + 2)}; ${insertItems(id + 3, id + 3)}`);
  })();
  await killWithin(house, 4, 800);
  await load;
  await client.end();
  await assertExact(house, 6000);
  const changes = await streamed(house);
  assertOrdered(changes);
  assert.equal(changes.length, 6000);
});

test('the encoding changes within a transaction, there and back', async (t) => {
  const house = await startHouse(t, { schema: ITEMS });
  const { walcast, postgres, nats } = house;
  let encoding = 'protobuf';
  const turn = () => {
    encoding = encoding === 'json' ? 'protobuf' : 'json';
    walcast.config['nats.encoding'] = encoding;
  };
  await postgres.query(insertItems(1, 60_000));
  await killWithin(house, 4, 60, turn);
  await postgres.query(insertItems(60_001, 60_002));
  await assertExact(house, 60_002);
  await walcast.stop();
  turn();
  walcast.start();
  await postgres.query(insertItems(60_003, 60_003));
  const changes = await assertExact(house, 60_003);
  const texts = (await readStream(nats)).map(({ text }) => text);
  const json = texts.filter((text) => text.startsWith('{'));
  assert.ok(json.length > 100 && json.length < texts.length, `${json.length} of ${texts.length} are JSON`);

  const from = async (place) => (await walcast.changes({ from: place })).map(({ record }) => record.id);
  const middle = changes[30_000];
  assert.equal((await from(`seq:${middle.offset.split(/[-.]/)[1]}`)).at(-1), 60_003);
  assert.deepEqual(await from(`lsn:${changes[60_000].lsn}`), [60_001, 60_002, 60_003]);
  const { rows: [{ time }] } = await postgres.query(`SELECT to_char(now() + '1 hour', 'YYYY-MM-DD"T"HH24:MI:SSOF":00"') AS time`);
  assert.deepEqual(await from(`time:${time}`), []);
});

// ---- Walcast's own readers ----

test('tail says the same of both encodings, side by side', async (t) => {
  const house = await start(t, { schema: MIXED_SCHEMA });
  const { postgres, nats, walcast } = house;
  const other = await Walcast.start({ postgres, nats, config: { 'nats.prefix': 'other', 'nats.stream': 'OTHER',
    'postgres.slot': 'other' } });
  t.after(() => other.remove());
  await other.ready();
  await runMixed(postgres, { seed: 5, sessions: 3, transactions: 3, messages: true });
  await postgres.query(`UPDATE whole SET text = 'w' WHERE id = 1; DELETE FROM whole; TRUNCATE items`);
  await waitConfirmed(postgres);
  const read = async (from) => (await from.changes({ parse: parseExact }))
    .map(({ offset, ...change }) => (assert.ok(offset), change));
  const json = await read(walcast);
  const expected = await waitFor('as many changes', async () => {
    const changes = await read(other);
    return changes.length >= json.length && changes;
  }, 30_000, 200);
  assert.ok(json.length > 500);
  assert.deepEqual(json, expected);
});

test('a supabase-js client over a JSON stream', async (t) => {
  const house = await start(t, { schema: `CREATE TABLE docs (id bigint PRIMARY KEY, room int, n numeric, tags text[], doc jsonb)` });
  const { postgres, walcast } = house;
  const client = await connectRealtime(t, walcast);
  const seen = await subscribe(client, [{ event: '*', schema: 'public', table: 'docs', filter: 'room=eq.7' }]);
  await postgres.query(`INSERT INTO docs VALUES (2, 8, 0.5, NULL, NULL), (1, 7, 1.5, '{a,"b c"}', '{"k": [1]}')`);
  await postgres.query(`UPDATE docs SET n = 2.5 WHERE id = 1`);
  await postgres.query(`INSERT INTO docs SELECT 3, 7, 3, NULL, jsonb_build_object('text',
    (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 625000) i))`);
  const [created, updated, large] = await received(seen, 3, 60_000);
  assert.deepEqual(created.new, { id: 1, room: 7, n: 1.5, tags: ['a', 'b c'], doc: { k: [1] } });
  assert.deepEqual([updated.eventType, updated.new.n, updated.old], ['UPDATE', 2.5, { id: 1 }]);
  const { rows: [{ sum }] } = await postgres.query(`SELECT md5(doc->>'text') AS sum FROM docs WHERE id = 3`);
  assert.equal(md5(large.new.doc.text), sum);
});

test('a 20 MB jsonb arrives whole, at tail and at a foreign consumer', async (t) => {
  const house = await start(t, { schema: 'CREATE TABLE docs (id int PRIMARY KEY, doc jsonb)' });
  const { postgres, walcast } = house;
  await postgres.query(`INSERT INTO docs VALUES (1, '1'); INSERT INTO docs SELECT 2, jsonb_build_object('text',
    (SELECT string_agg(md5(i::text) || E'"\\n\\u00e9', '') FROM generate_series(1, 555000) i)); INSERT INTO docs VALUES (3, '3')`);
  await waitConfirmed(postgres);
  const { rows: [{ sum }] } = await postgres.query(`SELECT md5(doc->>'text') AS sum FROM docs WHERE id = 2`);
  const messages = await readStream(house.nats);
  assert.ok(messages.length > 20, `${messages.length} messages`);
  const changes = withoutShapes(changesOf(messages));
  assertOrdered(changes);
  assert.deepEqual(changes.map(({ after }) => after.id), [1, 2, 3]);
  assert.equal(md5(changes[1].after.doc.text), sum);
  const [, { record }] = await walcast.changes();
  assert.equal(md5(record.doc.text), sum);
  assert.deepEqual((await walcast.changes({ from: 'seq:10' })).map((change) => change.record.id), [2, 3]);
});

test('with postgres.binary check and run refuse it and say what to do', async (t) => {
  const { walcast } = await start(t, {});
  await walcast.stop();
  walcast.config['postgres.binary'] = true;
  for (const args of [['check'], ['run']]) {
    const { code, stderr } = await walcast.command(args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /nats\.encoding: json: needs values as text, but postgres\.binary is true/);
  }
});
