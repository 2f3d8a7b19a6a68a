// A client holds a live copy of a query with nothing but a subscription: first the present rows, under
// its role, then the changes after exactly that point. Whatever happens meanwhile, the copy becomes
// what SELECT says, and no row goes back to an older version.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { startHouse } from '../lib/house.mjs';
import { randomOf } from '../lib/mixed.mjs';
import { offsetOf, withResume } from '../../ws/js/walcast.js';
import { RawClient, realtimeClient, subscribed, websocketUrl } from '../lib/realtime.mjs';
import { EventStream, sseUrl } from '../lib/sse.mjs';
import { SAMPLES, SAMPLES_SCHEMA } from '../lib/type_samples.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';

const MAJORS = (process.env.WALCAST_MAJORS ?? '13,15,18').split(',').map(Number);
const SEED = Number(process.env.WALCAST_SEED ?? 20261128);
const SCHEMA = `
  CREATE SEQUENCE versions;
  CREATE TABLE items (id int PRIMARY KEY, kind int NOT NULL, v bigint NOT NULL DEFAULT nextval('versions'), body text);
  ALTER TABLE items REPLICA IDENTITY FULL;
  INSERT INTO items (id, kind, body) SELECT i, i % 4, 'first' FROM generate_series(1, 400) i;
  GRANT USAGE ON SEQUENCE versions TO PUBLIC;`;
const KINDS = 4;

// What a client has of `items WHERE kind = n`: by id, kept as the messages say. `faults`: rows that
// came twice, or went back.
class Copy {
  rows = new Map();
  versions = new Map(); // id → the newest version seen, also of rows that are gone
  faults = [];
  reads = 0;

  take({ type, record, old_record: old }) {
    if (type === 'READ') {
      this.reads++;
      if (this.rows.has(record.id)) this.faults.push(`READ ${record.id} twice`);
      if (this.changed) this.faults.push(`READ ${record.id} behind a change`);
    } else {
      this.changed = true;
    }
    if (old && (type === 'DELETE' || type === 'LEAVE' || old.id !== record.id)) this.#drop(type, old);
    if (record && type !== 'LEAVE') this.#put(type, record);
  }

  #drop(type, { id, v }) {
    if (type !== 'UPDATE' && (this.versions.get(id) ?? 0) > v) this.faults.push(`${type} of ${id} at ${v} behind ${this.versions.get(id)}`);
    this.rows.delete(id);
  }

  #put(type, record) {
    const newest = this.versions.get(record.id) ?? 0;
    if (record.v <= newest) this.faults.push(`${type} of ${record.id} at ${record.v} behind ${newest}`);
    this.versions.set(record.id, record.v);
    this.rows.set(record.id, record);
  }
}

const byId = (a, b) => a.id - b.id;
const binding = (kind) => ({ event: '*', schema: 'public', table: 'items', filter: `kind=eq.${kind}`, leave: true });

// Joins by WebSocket; `complete` and `live` resolve with the system messages.
async function joinSocket(t, walcast, token, config, { vsn = '2.0.0', copy = new Copy(), topic = 'realtime:copy' } = {}) {
  const client = await RawClient.connect(t, websocketUrl(walcast, { apikey: token, vsn }));
  const order = [];
  client.socket.on('message', (data) => {
    const message = JSON.parse(data);
    const [event, payload] = vsn === '2.0.0' ? message.slice(3) : [message.event, message.payload];
    order.push(event === 'postgres_changes' ? payload.data.type : payload.message ?? event);
    if (event === 'postgres_changes') copy.take(payload.data);
  });
  const events = (name) => client.received.map((m) => (vsn === '2.0.0' ? { event: m[3], payload: m[4] } : m))
    .filter(({ event }) => event === name).map(({ payload }) => payload);
  if (vsn === '2.0.0') client.join('1', topic, config);
  else client.send({ topic, event: 'phx_join', payload: { config }, ref: '1', join_ref: '1' });
  const system = (text) => waitFor(text, () => {
    const refused = events('phx_reply').find(({ status }) => status === 'error') ?? events('system').find(({ status }) => status === 'error');
    assert.equal(refused, undefined);
    return events('system').find(({ message }) => message.includes(text));
  }, 60_000);
  const reply = () => waitFor('the answer to the join', () => events('phx_reply')[0], 20_000);
  return Object.assign(client, { copy, order, events, reply, complete: () => system('Snapshot complete'), live: () => system('Subscribed') });
}

async function joinStream(t, walcast, token, parameters, copy = new Copy()) {
  const stream = await EventStream.open(t, sseUrl(walcast, { apikey: token, snapshot: true, ...parameters }));
  let taken = 0;
  return Object.defineProperty(stream, 'copy', { get() {
    for (const { data } of stream.changes.slice(taken)) copy.take(data);
    taken = stream.changes.length;
    return copy;
  } });
}

// Sessions that change the table at random until they are stopped: rows come, go, change kind and key;
// `but`: an id that they leave alone.
function startWriters(postgres, { sessions = 4, seed = SEED, local = false, but } = {}) {
  let stopped = false;
  let count = 0;
  const running = Promise.all(Array.from({ length: sessions }, async (_, index) => {
    const random = randomOf(seed * 10 + index);
    const client = await postgres.connect();
    if (local) await client.query('SET synchronous_commit = local');
    const statement = () => {
      const any = 1 + random(600);
      const id = any === but ? any + 1 : any;
      switch (random(6)) {
        case 0: return `INSERT INTO items (id, kind, body) VALUES (${id}, ${random(KINDS)}, 'new') ON CONFLICT DO NOTHING`;
        case 1: return `DELETE FROM items WHERE id = ${id}`;
        case 2: return `UPDATE items SET id = ${600 + id}, v = nextval('versions') WHERE id = ${id} AND NOT EXISTS (SELECT FROM items WHERE id = ${600 + id})`;
        case 3: return `DELETE FROM items WHERE id = ${600 + id}`;
        case 4: return `UPDATE items SET kind = ${random(KINDS)}, v = nextval('versions') WHERE id = ${id}`;
        default: return `UPDATE items SET body = 'b${random(1000)}', v = nextval('versions') WHERE id = ${id}`;
      }
    };
    try {
      while (!stopped) {
        await client.query('BEGIN');
        try {
          for (let n = random(4); n >= 0; n--) await client.query(statement());
          await client.query(random(10) === 0 ? 'ROLLBACK' : 'COMMIT');
          count++;
        } catch (error) {
          if (!['40P01', '23505'].includes(error.code)) throw error; // a deadlock, a key taken meanwhile
          await client.query('ROLLBACK');
        }
      }
    } finally {
      await client.end();
    }
  }));
  return { get count() { return count; }, stop: () => { stopped = true; return running; } };
}

async function rowsOf(postgres, kind) {
  const { rows } = await postgres.query('SELECT id, kind, v::int AS v, body FROM items WHERE kind = $1 ORDER BY id', [kind]);
  return rows;
}

async function assertCopies(postgres, copies) {
  for (const [kind, client] of copies) {
    const expected = await rowsOf(postgres, kind);
    const held = () => [...client.copy.rows.values()].sort(byId);
    await waitFor(`a copy of kind ${kind}`, () => isDeepStrictEqual(held(), expected), 30_000)
      .catch(() => assert.deepEqual(held(), expected));
    assert.deepEqual(client.copy.faults, []);
  }
}

for (const major of MAJORS)
  suite(`live copies, PostgreSQL ${major}`, () => {
    let house;
    let token;
    const cleanups = [];
    before(async () => {
      house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
        { major, schema: SCHEMA, config: { 'http.threads': 2, 'ws.tail_bytes': '1MiB' } });
      token = await house.walcast.token({ role: 'authenticated', sub: 'me' });
      await house.postgres.query('DELETE FROM items WHERE id = 1');
      await waitFor('a change in the stream', async () => await house.walcast.metric('walcast_ws_events_total') > 0);
    });
    after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

    test('the answer, then the rows, then that they are complete and that changes flow, then changes', async (t) => {
      const client = await joinSocket(t, house.walcast, token, { postgres_changes: [binding(1)], snapshot: true });
      const { rows } = await client.complete();
      const { offset } = await client.live();
      assert.match(offset, /^[0-9a-z]+-\d+\.\d+$/);
      const expected = await rowsOf(house.postgres, 1);
      assert.equal(rows, expected.length);
      const { data: first } = client.events('postgres_changes')[0];
      assert.equal(first.type, 'READ');
      assert.equal('offset' in first, false);
      assert.match(first.commit_timestamp, /^\d{4}-.*Z$/);
      await house.postgres.query("INSERT INTO items (id, kind, body) VALUES (5001, 1, 'later')");
      await assertCopies(house.postgres, [[1, client]]);
      await house.postgres.query('DELETE FROM items WHERE id = 5001');
      await assertCopies(house.postgres, [[1, client]]);
      assert.deepEqual(client.order, ['phx_reply', ...expected.map(() => 'READ'), 'Snapshot complete', 'Subscribed to PostgreSQL', 'INSERT', 'DELETE']);
    });

    test('copies that are begun at random moments of a flow of changes all become what SELECT says', async (t) => {
      const writers = startWriters(house.postgres);
      t.after(() => writers.stop());
      const random = randomOf(SEED + 1);
      const copies = [];
      for (let i = 0; i < 60; i++) {
        const kind = random(KINDS);
        const config = { postgres_changes: [{ ...binding(kind), snapshot: 'true' }] };
        const opening = i % 3 === 0 ? joinStream(t, house.walcast, token, { table: 'public.items', filter: `kind=eq.${kind}`, leave: true })
          : joinSocket(t, house.walcast, token, config, { vsn: i % 3 === 1 ? '1.0.0' : '2.0.0', topic: `realtime:${i % 5}` });
        copies.push([kind, await opening]);
      }
      for (const [, client] of copies) await (client.live ?? client.ready).call(client);
      const flowed = writers.count;
      await waitFor('more changes', () => writers.count > flowed + 200, 60_000);
      await writers.stop();
      await assertCopies(house.postgres, copies);
      assert.ok(copies.every(([, { copy }]) => copy.reads > 0));
    });
  });

// What the tests below need besides, in one house: little room for each client, one place for snapshots.
const MORE = `${SCHEMA}
  CREATE TABLE many (id int PRIMARY KEY, body text);
  INSERT INTO many SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i;
  CREATE TABLE parts (id int PRIMARY KEY, title text, secret text); INSERT INTO parts VALUES (1, 'a', 'b');
  CREATE TABLE guarded (id int PRIMARY KEY); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
  CREATE POLICY some_rows ON guarded FOR SELECT USING (id > 1); INSERT INTO guarded VALUES (1), (2);
  CREATE TABLE closed (id int PRIMARY KEY);
  CREATE SCHEMA hidden; CREATE TABLE hidden.unpublished (id int PRIMARY KEY);
  GRANT USAGE ON SCHEMA hidden TO anon; GRANT SELECT ON hidden.unpublished TO anon;
  REVOKE ALL ON closed, parts FROM anon; GRANT SELECT (id, title) ON parts TO anon;`;

suite('snapshots of subscriptions', () => {
  let house;
  let token;
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { schema: MORE, config: { 'http.threads': 2, 'ws.queue_bytes': '256KiB', 'postgres.pool_size': 2, 'postgres.tables': 'public.*',
        'postgres.query_timeout': '3s', 'auth.grants_interval': '200ms' } });
    token = await house.walcast.token({ role: 'anon', sub: 'me' });
    await house.postgres.query('DELETE FROM items WHERE id = 1');
    await waitFor('a change in the stream', async () => await house.walcast.metric('walcast_ws_events_total') > 0);
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));
  const whole = (table, more) => ({ postgres_changes: [{ event: '*', schema: 'public', table, ...more }], snapshot: true });
  const join = (t, config, options) => joinSocket(t, house.walcast, token, config, { copy: { take() {} }, ...options });
  const records = (client) => client.events('postgres_changes').filter(({ data }) => data.type === 'READ').map(({ data }) => data.record);

  test('20,000 rows come whole, each once; a client that does not read delays nobody', async (t) => {
    const slow = await join(t, whole('many'));
    slow.socket.pause();
    const quick = await join(t, whole('many'));
    await quick.live();
    assert.deepEqual(records(quick).map(({ id }) => id).sort((a, b) => a - b), Array.from({ length: 20_000 }, (_, i) => i + 1));
    const other = await join(t, whole('items'));
    await other.live();
    slow.socket.resume();
    await house.postgres.query("INSERT INTO many VALUES (20001, 'later')");
    await slow.live();
    await waitFor('the change behind the rows', () => slow.order.includes('INSERT'), 30_000);
    assert.ok(slow.order.lastIndexOf('READ') < slow.order.indexOf('INSERT'));
    assert.equal(new Set(records(slow).map(({ id }) => id)).size, 20_000);
    assert.equal(records(slow).length, 20_000);
    await house.postgres.query('DELETE FROM many WHERE id = 20001');
  });

  test('a token of another role while rows are on their way ends the channel, to be joined again', async (t) => {
    const client = await join(t, whole('many'));
    await client.reply();
    client.socket.pause();
    client.send(['1', '2', 'realtime:copy', 'access_token', { access_token: await house.walcast.token({ role: 'authenticated' }) }]);
    client.socket.resume();
    await waitFor('the end', () => client.order.includes('phx_error') || client.order.includes('Subscribed to PostgreSQL'), 30_000);
    assert.ok(client.order.includes('phx_error'));
  });

  test('columns that are not granted or not selected do not appear', async (t) => {
    const client = await join(t, whole('parts'));
    await client.live();
    assert.deepEqual(records(client), [{ id: 1, title: 'a' }]);
    const narrow = await join(t, whole('items', { select: ['kind'], filter: 'id=in.(2,3)' }));
    await narrow.live();
    assert.deepEqual(records(narrow).map(({ kind }) => kind).sort(), [2, 3]);
    assert.deepEqual(Object.keys(records(narrow)[0]), ['kind'], 'with REPLICA IDENTITY FULL no column is a key');
  });

  test('of a table with row-level security the rows that the policies show', async (t) => {
    const client = await join(t, whole('guarded'));
    await client.live();
    assert.deepEqual(records(client), [{ id: 2 }]);
  });

  for (const [what, config, reason] of [
    ['a table that is not granted', whole('closed'), /^Unauthorized: .*GRANT SELECT/],
    ['a table that is not published', whole('unpublished', { schema: 'hidden' }), /^InvalidJoinPayload: .*not published/],
    ['any table', whole('*'), /^InvalidJoinPayload: snapshot needs a schema and a table/]])
    test(`${what} is refused`, async (t) => {
      const client = await join(t, config);
      const { status, response } = await client.reply();
      assert.equal(status, 'error');
      assert.match(response.reason, reason);
    });

  test('a binding that asks by itself gets its rows, another does not; an offset wins over the rows', async (t) => {
    const some = { event: '*', schema: 'public', table: 'items', filter: 'id=lt.10' };
    const client = await join(t, { postgres_changes: [{ ...some, snapshot: true }, { ...some, event: 'INSERT', filter: 'id=lt.20' }] });
    const [{ id }] = (await client.reply()).response.postgres_changes;
    const { offset } = await client.live();
    const messages = client.events('postgres_changes');
    assert.deepEqual([messages.length, new Set(messages.flatMap(({ ids }) => ids))], [8, new Set([id])]);
    const again = await join(t, { ...whole('items'), since: offset });
    await again.live();
    assert.deepEqual(records(again), []);
    const stream = await joinStream(t, house.walcast, token, { table: 'items', since: offset });
    await stream.ready();
    assert.deepEqual(stream.events.map(({ type }) => type), ['ready']);
    const first = await join(t, { ...whole('items'), since: '0-0.0' });
    await first.live();
    const types = first.events('postgres_changes').map(({ data }) => data.type);
    assert.deepEqual([...new Set(types)], ['DELETE'], 'the changes from the first on, and no rows');
  });

  test('supabase-js with walcast.js gets rows as READ, then changes', async (t) => {
    const client = withResume(realtimeClient(t, house.walcast, token));
    const channel = client.channel('rows', { config: { snapshot: true } });
    const got = [];
    channel.on('postgres_changes', { event: '*', schema: 'public', table: 'items', filter: 'id=lt.4' },
      ({ eventType, new: row, offset }) => got.push([eventType, row.id, typeof offset]));
    await subscribed(channel);
    await waitFor('the rows', () => got.length === 2 && offsetOf(channel));
    await house.postgres.query("UPDATE items SET body = 'now' WHERE id = 2");
    await waitFor('the change', () => got.length === 3);
    assert.deepEqual(got, [['READ', 2, 'undefined'], ['READ', 3, 'undefined'], ['UPDATE', 2, 'string']]);
  });

  test('more than ws.snapshot_max_bytes is ended with what to do', async (t) => {
    const walcast = await Walcast.start({ ...house, args: ['--roles', 'ws'], config: { 'ws.snapshot_max_bytes': '1MiB' } });
    t.after(() => walcast.remove());
    await walcast.ready();
    const client = await joinSocket(t, walcast, token, whole('many'), { copy: { take() {} } });
    await waitFor('the end', () => client.order.includes('phx_error'), 30_000);
    assert.match(client.events('system').at(-1).message, /^SnapshotTooLarge: .*ws.snapshot_max_bytes.*filter/);
  });

  test('values of every type are written as a change of them is', async (t) => {
    const { rows: types } = await house.postgres.query(`SELECT typname AS name, format_type(oid, NULL) AS type, typarray <> 0 AS has_array FROM pg_type
      WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'm', 'r') AND typcategory NOT IN ('A', 'P')
      AND left(typname, 1) <> '_' ORDER BY 1`);
    await house.postgres.query(`${SAMPLES_SCHEMA} CREATE DOMAIN digits AS int[]; CREATE DOMAIN word AS text; CREATE TYPE pair AS (a int, b text);
      CREATE TABLE type_own (id int PRIMARY KEY, mood mood, moods mood[], digits digits, words word[], pair pair, boxes box[])`);
    const sampled = types.filter(({ name }) => SAMPLES[name]?.length > 0);
    for (const { name, type, has_array: array } of sampled)
      await house.postgres.query(`CREATE TABLE "type_${name}" (id int PRIMARY KEY, v ${type}${array ? `, a ${type}[]` : ''})`);
    await house.postgres.query('GRANT SELECT ON ALL TABLES IN SCHEMA public TO authenticated');
    await house.walcast.restart(); // all are published
    await house.walcast.ready();
    const all = await house.walcast.token({ role: 'authenticated' });
    const texts = { INSERT: new Map(), READ: new Map() };
    const listen = (client) => client.socket.on('message', (data) => {
      const found = /"table":"(type_[^"]+)".*"type":"(INSERT|READ)"(,"columns":.*,"record":\{"id":(\d+).*\}),"errors":null/s.exec(data.toString());
      if (found) texts[found[2]].set(`${found[1]} ${found[4]}`, found[3]);
    });
    const live = await joinSocket(t, house.walcast, all, { postgres_changes: [{ event: 'INSERT', schema: 'public' }] }, { copy: { take() {} } });
    listen(live);
    await live.live();
    let count = 0;
    for (const { name, type, has_array: array } of sampled)
      for (const [id, sample] of [...SAMPLES[name], 'NULL'].entries()) {
        await house.postgres.query(`INSERT INTO "type_${name}" SELECT ${id}, (${sample})::${type}${array ? `, ARRAY[(${sample})::${type}, NULL]` : ''}`);
        count++;
      }
    await house.postgres.query(`INSERT INTO type_own VALUES (1, 'so-so', '{sad,NULL,"hap\\"py, {really}"}', '{1,2}', '{a,"b c"}', '(1,"x y")', ARRAY['(1,2),(3,4)'::box])`);
    await waitFor('all changes', () => texts.INSERT.size === count + 1, 60_000);
    const tables = [...sampled.map(({ name }) => `type_${name}`), 'type_own'];
    const client = await joinSocket(t, house.walcast, all,
      { postgres_changes: tables.map((table) => ({ event: '*', schema: 'public', table })), snapshot: true }, { copy: { take() {} } });
    listen(client);
    await client.live();
    assert.equal(texts.READ.size, texts.INSERT.size);
    for (const [row, text] of texts.INSERT) assert.equal(texts.READ.get(row), text, row);
  });

  test('while the database is away a join is refused with that reason, then served again', async (t) => {
    await house.postgres.stop();
    const client = await join(t, whole('items'));
    const { status, response } = await client.reply();
    assert.equal(status, 'error');
    assert.match(response.reason, /^DatabaseUnavailable: /);
    await house.postgres.restart();
    await waitFor('rows again', async () => {
      const again = await join(t, whole('items'));
      return (await again.reply()).status === 'ok' && again.live();
    }, 60_000);
  });
});

// ---- A commit that is in the stream and that nobody sees yet ----

const NOBODY = { synchronous_standby_names: 'nobody', synchronous_commit: 'local' };

// An UPDATE of row 50, until `end` is called.
async function commitThatWaits(t, house) {
  const client = await house.postgres.connect();
  t.after(() => client.end());
  await client.query('SET synchronous_commit = on');
  const waits = client.query("UPDATE items SET body = 'new', v = nextval('versions') WHERE id = 50");
  await waitFor('the change in the stream', async () =>
    (await house.walcast.changes()).some(({ op, record }) => op === 'UPDATE' && record.body === 'new'));
  const { rows: [seen] } = await house.postgres.query('SELECT body FROM items WHERE id = 50');
  assert.equal(seen.body, 'first', 'others do not see it yet');
  return { end: async () => {
    await house.postgres.query("ALTER SYSTEM SET synchronous_standby_names = ''");
    await house.postgres.query('SELECT pg_reload_conf()');
    await waits;
  } };
}

test('a commit that waits for a synchronous standby follows the rows, though it was spread before them', async (t) => {
  const house = await startHouse(t, { settings: NOBODY, schema: SCHEMA });
  const token = await house.walcast.token({ role: 'authenticated' });
  const waits = await commitThatWaits(t, house);
  const writers = startWriters(house.postgres, { local: true, sessions: 2, but: 50 });
  t.after(() => writers.stop());
  await waitFor('changes behind it', () => writers.count > 100, 60_000);
  const copies = [];
  for (let i = 0; i < 12; i++) copies.push([i % KINDS, await joinSocket(t, house.walcast, token, { postgres_changes: [binding(i % KINDS)], snapshot: true })]);
  for (const [, client] of copies) await client.live();
  for (const [, { events }] of copies.filter(([kind]) => kind === 2))
    assert.deepEqual(events('postgres_changes').filter(({ data }) => data.record?.id === 50).map(({ data }) => [data.type, data.record.body]),
      [['READ', 'first'], ['UPDATE', 'new']]);
  await writers.stop();
  await waits.end();
  await assertCopies(house.postgres, copies);
});

test('a gateway that began behind such a commit refuses until it is seen; other open transactions do not matter', async (t) => {
  const house = await startHouse(t, { settings: NOBODY, schema: SCHEMA });
  const token = await house.walcast.token({ role: 'authenticated' });
  const open = await house.postgres.connect();
  t.after(() => open.end());
  await open.query("BEGIN; INSERT INTO items (id, kind, body) VALUES (7000, 2, 'open')");
  const waits = await commitThatWaits(t, house);
  await house.walcast.restart();
  await house.walcast.ready();
  const config = { postgres_changes: [binding(2)], snapshot: true };
  const refused = await joinSocket(t, house.walcast, token, config);
  const { status, response } = await refused.reply();
  assert.equal(status, 'error');
  assert.match(response.reason, /^DatabaseUnavailable: .*synchronous standby/);
  await waits.end();
  const client = await joinSocket(t, house.walcast, token, config);
  await client.live();
  await open.query('COMMIT');
  await assertCopies(house.postgres, [[2, client]]);
});
