// A client that was away joins with the offset it has (`since`) and gets what it missed, filtered,
// then the live stream: every change once, in order.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { RawClient, websocketUrl } from '../lib/realtime.mjs';
import { Walcast } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';

const SCHEMA = `CREATE TABLE items (id int PRIMARY KEY, kind text, body text);
  CREATE TABLE other (id int PRIMARY KEY);`;
const ITEMS = { event: '*', schema: 'public', table: 'items' };
const EVEN = { ...ITEMS, filter: 'kind=eq.even' };

suite('resume', () => {
  let house;
  let token;
  let next = 1;
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { schema: SCHEMA, config: { 'http.threads': 2, 'ws.tail_bytes': '256KiB', 'ws.queue_bytes': '256KiB', 'nats.connect_timeout': '2s' } });
    token = await house.walcast.token({ role: 'authenticated', sub: 'me' });
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  // Inserts `count` rows, several in a transaction; returns their ids.
  async function insert(count, { bytes = 10 } = {}) {
    const first = next;
    next += count;
    await house.postgres.query(`INSERT INTO items SELECT i, CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END,
      repeat('x', ${bytes}) FROM generate_series(${first}, ${next - 1}) i`);
    return Array.from({ length: count }, (_, i) => first + i);
  }

  // A client that collects what comes; joined unless the answer says otherwise.
  async function join(t, { since, bindings = [ITEMS], vsn = '2.0.0', walcast = house.walcast, topic = 'realtime:r' } = {}) {
    const client = await RawClient.connect(t, websocketUrl(walcast, { apikey: token, vsn }));
    client.join('1', topic, { postgres_changes: bindings, ...(since && { since }) });
    const reply = (await client.reply('1'))[4];
    const of = (event) => client.received.filter((message) => message[3] === event).map((message) => message[4]);
    return Object.assign(client, {
      joined: reply,
      changes: () => of('postgres_changes').map(({ data }) => data),
      ids: () => of('postgres_changes').map(({ data }) => (data.record ?? data.old_record).id),
      live: () => waitFor('the subscription to be live', () => of('system').find(({ message }) => /Subscribed/.test(message)), 30_000),
      sees: (id) => waitFor(`the change of ${id}`, () => client.ids().includes(id), 30_000),
    });
  }
  const offsets = (client) => client.changes().map(({ offset }) => offset);

  async function offsetNow(t) {
    const client = await join(t);
    const { offset } = await client.live();
    client.socket.close();
    return offset;
  }

  test('what was missed, then the live stream, each once and in order', async (t) => {
    const first = await join(t);
    await first.live();
    const seen = await insert(3);
    await first.sees(seen[2]);
    const since = first.changes()[1].offset; // in the middle of a run
    first.socket.close();
    const missed = await insert(20);
    const second = await join(t, { since });
    await second.live();
    const later = await insert(5);
    await second.sees(later[4]);
    assert.deepEqual(second.ids(), [seen[2], ...missed, ...later]);
    assert.equal(new Set(offsets(second)).size, second.ids().length);
  });

  test('the offset of joining serves a client that has seen no change yet', async (t) => {
    const since = await offsetNow(t);
    const missed = await insert(4);
    const client = await join(t, { since });
    await client.sees(missed[3]);
    assert.deepEqual(client.ids(), missed);
  });

  test('filters hold for history as they do for the live stream; other tables do not disturb', async (t) => {
    const since = await offsetNow(t);
    const missed = await insert(10);
    await house.postgres.query('INSERT INTO other VALUES (1); DELETE FROM other');
    const client = await join(t, { since, bindings: [EVEN] });
    await client.live();
    const later = await insert(4);
    const even = [...missed, ...later].filter((id) => id % 2 === 0);
    await client.sees(even.at(-1));
    assert.deepEqual(client.ids(), even);
  });

  test('a change that comes in parts, for bindings with different columns, is resumed with all of them', async (t) => {
    const first = await join(t);
    await first.live();
    const seen = await insert(1);
    await first.sees(seen[0]);
    const missed = await insert(3);
    const bindings = [{ ...ITEMS, select: ['id', 'kind'] }, ITEMS, { ...EVEN, select: ['id'] }];
    const client = await join(t, { since: first.changes()[0].offset, bindings });
    await client.live();
    const later = await insert(3);
    await client.sees(later[2]);
    await waitFor('all parts', () => client.changes().at(-1).record.id === later[2]
      && client.ids().filter((id) => id === later[2]).length === (later[2] % 2 === 0 ? 3 : 2), 5000);
    assert.deepEqual(client.ids(), [...missed, ...later].flatMap((id) => Array(id % 2 === 0 ? 3 : 2).fill(id)));
  });

  for (const vsn of ['1.0.0', '2.0.0']) {
    test(`${vsn}: history that the tail no longer holds is read from the stream`, async (t) => {
      const since = await offsetNow(t);
      const missed = [];
      for (let i = 0; i < 8; i++) missed.push(...await insert(100, { bytes: 800 })); // 640 KB
      const client = await RawClient.connect(t, websocketUrl(house.walcast, { apikey: token, vsn }));
      const config = { postgres_changes: [ITEMS], since };
      if (vsn === '2.0.0') client.join('1', 'realtime:r', config);
      else client.send({ topic: 'realtime:r', event: 'phx_join', payload: { config }, ref: '1', join_ref: '1' });
      const ids = () => client.received.filter((m) => (m[3] ?? m.event) === 'postgres_changes')
        .map((m) => (m[4] ?? m.payload).data.record.id);
      await waitFor('the missed changes', () => ids().length >= missed.length, 15_000).catch((e) => { console.log('HAVE', ids().length, ids().slice(0, 3), ids().at(-1), missed.length, missed[0], JSON.stringify(client.received.at(-1)).slice(0, 300), client.received.filter((m) => m[3] !== 'postgres_changes')); throw e; });
      const later = await insert(3);
      await waitFor('the live changes', () => ids().includes(later[2]));
      assert.deepEqual(ids(), [...missed, ...later]);
      assert.ok(await house.walcast.metric('walcast_ws_history_reads_total') >= 1);
    });
  }

  test('while NATS is away history is waited for, not given up', async (t) => {
    const first = await join(t);
    await first.live();
    await first.sees((await insert(1))[0]);
    const since = first.changes()[0].offset;
    const missed = [];
    for (let i = 0; i < 8; i++) missed.push(...await insert(100, { bytes: 800 }));
    const watcher = await join(t, { since });
    await watcher.sees(missed.at(-1));
    await house.nats.kill();
    const client = await RawClient.connect(t, websocketUrl(house.walcast, { apikey: token, vsn: '2.0.0' }));
    client.join('1', 'realtime:r', { postgres_changes: [ITEMS], since });
    await waitFor('an attempt to read it', () => /history that a client asked for cannot be read/.test(house.walcast.logText()));
    await house.nats.restart();
    const ids = () => client.received.filter((m) => m[3] === 'postgres_changes').map((m) => m[4].data.record.id);
    await waitFor('the missed changes', () => ids().length >= missed.length, 30_000)
      .catch((error) => { throw new Error(`${error.message}: ${JSON.stringify(client.received.at(-1))}`); });
    assert.deepEqual(ids(), missed);
  });

  test('a client that reads slowly gets all of a long history, and nobody waits for it', async (t) => {
    const since = await offsetNow(t);
    const missed = [];
    for (let i = 0; i < 20; i++) missed.push(...await insert(100, { bytes: 2000 })); // 4 MB, 16 times its queue
    const witness = await join(t, { since }); // what is not in the stream yet would come live, and close a slow one
    await witness.sees(missed.at(-1));
    const slow = await RawClient.connect(t, websocketUrl(house.walcast, { apikey: token, vsn: '2.0.0' }));
    slow.socket.pause();
    slow.join('1', 'realtime:slow', { postgres_changes: [ITEMS], since });
    const quick = await join(t, { since });
    await quick.sees(missed.at(-1));
    assert.deepEqual(quick.ids(), missed);
    slow.socket.resume();
    const ids = () => slow.received.filter((m) => m[3] === 'postgres_changes').map((m) => m[4].data.record.id);
    await waitFor('the slow one to have all', () => ids().length >= missed.length, 60_000).catch((error) => {
      const others = slow.received.filter((m) => m[3] !== 'postgres_changes');
      throw new Error(`${error.message}: it has ${ids().length} of ${missed.length}, and ${JSON.stringify(others)}`);
    });
    const later = await insert(3);
    await waitFor('the live changes', () => ids().includes(later[2]), 30_000);
    assert.deepEqual(ids(), [...missed, ...later]);
  });

  test('under a flow of changes many clients resume from many places without gap or duplicate', async (t) => {
    const watcher = await join(t);
    await watcher.live();
    let flowing = true;
    const flow = (async () => {
      const ids = [];
      while (flowing) ids.push(...await insert(1 + (next % 7), { bytes: 300 }));
      return ids;
    })();
    await waitFor('a history', () => watcher.ids().length > 1500, 60_000);
    const places = watcher.changes();
    const clients = [];
    for (let i = 0; i < 60; i++) {
      const at = (i * 7919) % places.length;
      clients.push([at, await join(t, { since: places[at].offset, bindings: i % 3 ? [ITEMS] : [EVEN] })]);
    }
    flowing = false;
    await flow;
    const last = next - 1 - (next - 1) % 2;
    await watcher.sees(last);
    const all = watcher.ids();
    for (const [at, client] of clients) {
      const even = clients.findIndex(([, other]) => other === client) % 3 === 0;
      const expected = all.slice(at + 1).filter((id) => !even || id % 2 === 0);
      await waitFor('the rest', () => client.ids().length >= expected.length, 60_000);
      assert.deepEqual(client.ids(), expected);
    }
  });

  test('another gateway, and one that was started anew, go on from the same offset', async (t) => {
    const since = await offsetNow(t);
    const missed = await insert(5);
    const second = await Walcast.start({ ...house, args: ['--roles', 'ws'], config: { 'log.level': 'debug' } });
    t.after(() => second.remove());
    await second.ready();
    const client = await join(t, { since, walcast: second });
    await client.sees(missed[4]);
    await second.process.kill('SIGKILL');
    const more = await insert(5);
    second.start();
    await second.ready();
    const again = await join(t, { since: client.changes().at(-1).offset, walcast: second });
    await again.sees(more[4]);
    assert.deepEqual([...client.ids(), ...again.ids()], [...missed, ...more]);
  });

  test('an offset of another history, from the future, or that is none: a clear refusal', async (t) => {
    const since = await offsetNow(t);
    const [epoch, place] = [since.slice(0, since.lastIndexOf('-')), since.slice(since.lastIndexOf('-') + 1)];
    const future = `${epoch}-${Number(place.split('.')[0]) + 1_000_000}.0`;
    for (const [text, reason] of [[`0000000000000000-${place}`, /^HistoryNotHeld: .*load the rows anew/],
      [future, /^HistoryNotHeld: /], ['nonsense', /^InvalidJoinPayload: /], ["0-7.0", /^InvalidJoinPayload: /], [`${epoch}-0.0`, /^InvalidJoinPayload: /]]) {
      const client = await join(t, { since: text });
      assert.equal(client.joined.status, 'error', text);
      assert.match(client.joined.response.reason, reason);
    }
  });

  test('a client that joined before there was any change can go on from there', async (t) => {
    const empty = await startHouse(t, { schema: SCHEMA });
    const first = await join(t, { walcast: empty.walcast });
    const { offset } = await first.live();
    assert.equal(offset, '0-0.0');
    first.socket.close();
    const still = await join(t, { walcast: empty.walcast, since: offset });
    await still.live();
    await empty.postgres.query("INSERT INTO items VALUES (1, 'odd', ''); INSERT INTO items VALUES (2, 'even', '')");
    await still.sees(2);
    const back = await join(t, { walcast: empty.walcast, since: offset });
    await back.sees(2);
    await empty.walcast.restart(); // its tail is gone
    const later = await join(t, { walcast: empty.walcast, since: offset });
    await later.sees(2);
    for (const client of [still, back, later]) assert.deepEqual(client.ids(), [1, 2]);
  });

  test('history that has aged out of the stream is told, not skipped', async (t) => {
    const small = await startHouse(t, { schema: SCHEMA, config: { 'nats.max_age': '5s', 'ws.tail_bytes': 0 } });
    const query = (sql) => small.postgres.query(sql);
    const client = await join(t, { walcast: small.walcast });
    await client.live();
    await query("INSERT INTO items VALUES (1, 'odd', '')");
    await client.sees(1);
    const since = client.changes()[0].offset;
    await query("INSERT INTO items VALUES (2, 'even', '')");
    await client.sees(2);
    const again = await waitFor('the history to be gone', async () => {
      const late = await join(t, { walcast: small.walcast, since });
      return late.joined.status === 'error' && late;
    }, 30_000);
    assert.match(again.joined.response.reason, /^HistoryNotHeld: the stream does not go back/);
  });
});
