// Rows committed in PostgreSQL reach an unmodified realtime-js client, through JetStream, with both
// serializers.
import assert from 'node:assert/strict';
import { createClient } from '@supabase/supabase-js';
import WebSocket from 'ws';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { realtimeClient, subscribed, VERSIONS } from '../lib/realtime.mjs';
import { waitFor } from '../lib/wait.mjs';

const SCHEMA = `
  CREATE TABLE todos (id bigint PRIMARY KEY, title text, done boolean, price numeric, tags text[],
    body jsonb, due timestamptz, raw bytea);
  CREATE TABLE whole (id int PRIMARY KEY, note text, big text);
  ALTER TABLE whole REPLICA IDENTITY FULL;
  CREATE TABLE grows (id int PRIMARY KEY);
  CREATE SCHEMA "Other Place";
  CREATE TABLE "Other Place"."Strange.Name*" ("Key One" int, b text, PRIMARY KEY ("Key One"));`;

suite('postgres_changes', () => {
  let house;
  let token;
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { schema: SCHEMA, config: { 'postgres.tables': 'public.*,"Other Place".*', 'http.threads': 2 } });
    token = await house.walcast.token({ role: 'authenticated', sub: 'me' });
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));
  const sql = (...all) => house.postgres.query(...all);

  // A subscribed channel that collects what comes, in order.
  async function collect(t, vsn, ...filters) {
    const client = realtimeClient(t, house.walcast, token, { vsn });
    const channel = client.channel('room');
    const changes = [];
    for (const filter of filters) channel.on('postgres_changes', { event: '*', schema: 'public', ...filter }, (change) => changes.push(change));
    await subscribed(channel);
    return { client, channel, changes, count: (n) => waitFor(`${n} changes`, () => changes.length >= n && changes) };
  }

  for (const vsn of VERSIONS) {
    test(`${vsn}: insert, update, delete, truncate arrive in order with their values`, async (t) => {
      const { changes, count } = await collect(t, vsn, { table: 'todos' });
      await sql(`INSERT INTO todos VALUES (1, 'milk "and" \\ eggs ☃', true, 1.50, '{a,"b c",NULL}', '{"k":[1,null]}',
        '2025-11-03 09:32:55+00', '\\xdeadbeef')`);
      await sql('UPDATE todos SET done = false, price = 12345678901234567890.123 WHERE id = 1');
      await sql('DELETE FROM todos WHERE id = 1');
      await sql('TRUNCATE todos');
      await count(4);
      assert.deepEqual(changes.map((change) => change.eventType), ['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']);
      const [insert, update, remove, truncate] = changes;
      assert.deepEqual(insert.new, { id: 1, title: 'milk "and" \\ eggs ☃', done: true, price: 1.5,
        tags: ['a', 'b c', null], body: { k: [1, null] }, due: '2025-11-03T09:32:55+00:00', raw: 'deadbeef' });
      assert.deepEqual(insert.old, {});
      assert.equal(insert.errors, null);
      assert.match(insert.commit_timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.ok(Math.abs(Date.parse(insert.commit_timestamp) - Date.now()) < 60_000);
      assert.equal(update.new.done, false);
      assert.deepEqual(update.old, { id: 1 });
      assert.deepEqual(remove.old, { id: 1 });
      assert.deepEqual(remove.new, {});
      assert.deepEqual([truncate.new, truncate.old], [{}, {}]);
      assert.ok(changes.every((change) => change.schema === 'public' && change.table === 'todos'));
    });

    test(`${vsn}: filters, events and wildcards each get theirs, once`, async (t) => {
      const client = realtimeClient(t, house.walcast, token, { vsn });
      const channel = client.channel('many');
      const got = {};
      const listen = (name, filter) => {
        got[name] = [];
        channel.on('postgres_changes', filter, ({ eventType, new: row, old }) => got[name].push(`${eventType} ${row.id ?? old.id}`));
      };
      listen('all', { event: '*', schema: '*' });
      listen('schema', { event: '*', schema: 'public' });
      listen('inserts', { event: 'INSERT', schema: 'public', table: 'todos' });
      listen('updates', { event: 'UPDATE', schema: 'public', table: 'todos' });
      listen('deletes', { event: 'DELETE', schema: 'public', table: 'todos' });
      listen('two', { event: '*', schema: 'public', table: 'todos', filter: 'id=eq.2' });
      listen('price', { event: '*', schema: 'public', table: 'todos', filter: 'price=eq.1.50' });
      listen('title', { event: 'INSERT', schema: 'public', table: 'todos', filter: 'title=eq.two words' });
      listen('empty', { event: 'INSERT', schema: 'public', table: 'todos', filter: '' });
      listen('other', { event: '*', schema: 'public', table: 'whole' });
      await subscribed(channel);
      await sql("INSERT INTO todos (id, title, price) VALUES (1, 'one', 1.5), (2, 'two words', 1.500), (3, 'three', 2)");
      await sql('UPDATE todos SET done = true WHERE id IN (2, 3)');
      await sql('DELETE FROM todos WHERE id IN (1, 2)');
      await sql('DELETE FROM todos');
      const everything = ['INSERT 1', 'INSERT 2', 'INSERT 3', 'UPDATE 2', 'UPDATE 3', 'DELETE 1', 'DELETE 2', 'DELETE 3'];
      await waitFor('everything', () => got.all.length === everything.length);
      assert.deepEqual(got, {
        all: everything,
        schema: everything,
        inserts: everything.filter((text) => text.startsWith('INSERT')),
        updates: everything.filter((text) => text.startsWith('UPDATE')),
        deletes: everything.filter((text) => text.startsWith('DELETE')),
        two: ['INSERT 2', 'UPDATE 2', 'DELETE 2'],
        price: ['INSERT 1', 'INSERT 2', 'UPDATE 2'],
        title: ['INSERT 2'],
        empty: ['INSERT 1', 'INSERT 2', 'INSERT 3'],
        other: [],
      });
    });
  }

  test('replica identity full: whole old rows, and deletes that filters see', async (t) => {
    const { changes, count } = await collect(t, '2.0.0', { table: 'whole', filter: 'note=eq.mine' });
    await sql("INSERT INTO whole VALUES (1, 'mine', 'x'), (2, 'yours', 'x')");
    await sql("UPDATE whole SET big = 'y'");
    await sql('DELETE FROM whole');
    await count(3);
    assert.deepEqual(changes.map(({ eventType, old }) => [eventType, old]), [['INSERT', {}],
      ['UPDATE', { id: 1, note: 'mine', big: 'x' }], ['DELETE', { id: 1, note: 'mine', big: 'y' }]]);
  });

  test('a delete that a filter cannot see is said to its subscriber', async (t) => {
    const client = realtimeClient(t, house.walcast, token);
    const channel = client.channel('blind');
    const told = [];
    channel.on('postgres_changes', { event: '*', schema: 'public', table: 'todos', filter: 'title=eq.x' }, () => {});
    channel.on('system', {}, (message) => told.push(message));
    await subscribed(channel);
    await sql("INSERT INTO todos (id, title) VALUES (77, 'x'), (78, 'x')");
    await sql('DELETE FROM todos WHERE id = 77');
    await sql('DELETE FROM todos WHERE id = 78');
    await waitFor('the message', () => told.find((message) => /REPLICA IDENTITY FULL/.test(message.message)));
    assert.equal(told.filter((message) => message.status === 'error').length, 1);
  });

  test('an update without the large value that a filter reads is said to its subscriber, once', async (t) => {
    const client = realtimeClient(t, house.walcast, token);
    const channel = client.channel('unread');
    const told = [], got = [];
    channel.on('postgres_changes', { event: '*', schema: 'public', table: 'todos', filter: 'title=like.a%' },
      ({ eventType }) => got.push(eventType));
    channel.on('system', {}, ({ status, message }) => { if (status === 'error') told.push(message); });
    await subscribed(channel);
    await sql("INSERT INTO todos (id, title) SELECT 80, 'a' || string_agg(md5(i::text), '') FROM generate_series(1, 400) i");
    await sql('UPDATE todos SET done = true WHERE id = 80');
    await sql('UPDATE todos SET done = false WHERE id = 80');
    await sql("UPDATE todos SET title = 'a' WHERE id = 80");
    await waitFor('both', () => got.length === 2);
    assert.deepEqual(got, ['INSERT', 'UPDATE']);
    assert.equal(told.length, 1);
    assert.match(told[0], /public\.todos .*filter title=like\.a% cannot be evaluated.*REPLICA IDENTITY FULL/);
    await sql('DELETE FROM todos');
  });

  test('a value that an update did not touch is absent and named, never null', async (t) => {
    const { changes, count } = await collect(t, '2.0.0', { table: 'whole' });
    await sql('ALTER TABLE whole REPLICA IDENTITY DEFAULT');
    t.after(() => sql('ALTER TABLE whole REPLICA IDENTITY FULL'));
    await sql("INSERT INTO whole SELECT 9, 'n', string_agg(md5(i::text), '') FROM generate_series(1, 400) i");
    await sql("UPDATE whole SET note = 'm' WHERE id = 9");
    await count(2);
    assert.equal(changes[0].new.big.length, 12800);
    assert.deepEqual(changes[1].new, { id: 9, note: 'm' });
    await sql('DELETE FROM whole');
  });

  test('quoted names of another schema, and a table made after the subscription', async (t) => {
    const client = realtimeClient(t, house.walcast, token);
    const channel = client.channel('strange');
    const got = [];
    channel.on('postgres_changes', { event: '*', schema: 'Other Place', table: 'Strange.Name*' }, (change) => got.push(change));
    await subscribed(channel);
    await sql(`INSERT INTO "Other Place"."Strange.Name*" VALUES (5, 'five')`);
    await waitFor('it', () => got.length === 1);
    assert.deepEqual(got[0].new, { 'Key One': 5, b: 'five' });
    assert.deepEqual([got[0].schema, got[0].table], ['Other Place', 'Strange.Name*']);
  });

  test('a column added in mid-stream, and the filter on it', async (t) => {
    const client = realtimeClient(t, house.walcast, token);
    const got = [];
    const channel = client.channel('grows');
    channel.on('postgres_changes', { event: '*', schema: 'public', table: 'grows' }, (change) => got.push(change.new));
    await subscribed(channel);
    await sql('INSERT INTO grows VALUES (1)');
    await sql('ALTER TABLE grows ADD COLUMN extra text');
    await sql("INSERT INTO grows VALUES (2, 'e')");
    await waitFor('both', () => got.length === 2);
    assert.deepEqual(got, [{ id: 1 }, { id: 2, extra: 'e' }]);
    // Now that the shape is known a filter that does not fit is refused at the join.
    const wrong = client.channel('wrong').on('postgres_changes',
      { event: '*', schema: 'public', table: 'grows', filter: 'nothing=eq.1' }, () => {});
    await assert.rejects(subscribed(wrong), /no column "nothing"/);
  });

  test('select narrows the row; the key stays', async (t) => {
    const { changes, count } = await collect(t, '2.0.0', { table: 'todos', select: ['title'] });
    await sql("INSERT INTO todos (id, title, price) VALUES (50, 'narrow', 3)");
    await count(1);
    assert.deepEqual(changes[0].new, { id: 50, title: 'narrow' });
    await sql('DELETE FROM todos');
  });

  test('supabase-js, unmodified', async (t) => {
    const supabase = createClient(house.walcast.url, token, { realtime: { transport: WebSocket } });
    t.after(() => supabase.removeAllChannels());
    const rows = [];
    const channel = supabase.channel('todos').on('postgres_changes',
      { event: 'INSERT', schema: 'public', table: 'todos' }, ({ new: row }) => rows.push(row.title));
    await subscribed(channel);
    await sql("INSERT INTO todos (id, title) VALUES (60, 'from supabase-js')");
    await waitFor('the row', () => rows.length === 1);
    assert.deepEqual(rows, ['from supabase-js']);
    assert.equal(await supabase.removeChannel(channel), 'ok');
    await sql('DELETE FROM todos');
  });

  test('SUBSCRIBED means that the next change comes: many subscribers, each at once writes', async (t) => {
    const client = realtimeClient(t, house.walcast, token);
    const seen = [];
    await Promise.all(Array.from({ length: 30 }, async (_, i) => {
      const channel = client.channel(`own-${i}`);
      channel.on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'todos', filter: `id=eq.${1000 + i}` },
        ({ new: row }) => seen.push(row.id));
      await subscribed(channel);
      await sql('INSERT INTO todos (id) VALUES ($1)', [1000 + i]);
    }));
    await waitFor('all of them', () => seen.length === 30);
    assert.equal(new Set(seen).size, 30);
    await sql('DELETE FROM todos');
  });

  test('leaving ends the changes; a second join of the topic gets them once', async (t) => {
    const { client, channel, changes, count } = await collect(t, '2.0.0', { table: 'todos' });
    assert.equal(await channel.unsubscribe(), 'ok');
    const again = client.channel('again');
    const got = [];
    again.on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'todos' }, ({ new: row }) => got.push(row.id));
    await subscribed(again);
    await sql('INSERT INTO todos (id) VALUES (70)');
    await waitFor('it', () => got.length === 1);
    assert.equal(changes.length, 0);
    await count(0);
    await sql('DELETE FROM todos');
  });

  test('ten thousand changes to twenty clients: each gets all of them, in order', async (t) => {
    const clients = await Promise.all(Array.from({ length: 20 }, async () => {
      const client = realtimeClient(t, house.walcast, token);
      const ids = [];
      const channel = client.channel('all');
      channel.on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'todos' }, ({ new: row }) => ids.push(row.id));
      await subscribed(channel);
      return ids;
    }));
    await sql('INSERT INTO todos (id) SELECT generate_series(100001, 110000)');
    const expected = Array.from({ length: 10_000 }, (_, i) => 100_001 + i);
    await waitFor('all of them', () => clients.every((ids) => ids.length >= expected.length), 60_000);
    for (const ids of clients) assert.deepEqual(ids, expected);
    await sql('TRUNCATE todos');
  });

  test('clients are closed with 1012 when the server drains, and rejoin the next one', async (t) => {
    const { changes, count, client } = await collect(t, '2.0.0', { table: 'todos' });
    const codes = [];
    client.socketAdapter.getSocket().onClose((event) => codes.push(event.code));
    await house.walcast.stop();
    assert.equal(codes[0], 1012);
    house.walcast.start();
    await house.walcast.ready();
    await waitFor('the channel joined again', () => client.getChannels()[0].state === 'joined', 30_000);
    await sql('INSERT INTO todos (id) VALUES (80)');
    await count(1);
    assert.deepEqual(changes.map((change) => change.new.id), [80]);
  });
});
