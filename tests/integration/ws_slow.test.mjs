// Clients that do not read: each is told why and closed once its queue, or the queues of all together,
// reach their limit; memory stays within those limits; nobody else waits.
import assert from 'node:assert/strict';
import { get } from 'node:http';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { CLOSE, frame, RawSocket, TEXT } from '../lib/frames.mjs';
import { RawClient, websocketUrl } from '../lib/realtime.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { Walcast } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';

const MIB = 1 << 20;
const STUCK = 40;
const BINDING = { event: 'INSERT', schema: 'public', table: 'todos' };
const isChange = (message) => message[3] === 'postgres_changes';

suite('clients that do not read', () => {
  let house;
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { schema: `CREATE TABLE todos (id bigserial PRIMARY KEY, sent timestamptz, body text);
        CREATE TABLE state (id int PRIMARY KEY, version int, body text);
        CREATE TABLE cleared (id int PRIMARY KEY, version int, body text);` });
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  async function gateway(t, config) {
    const walcast = await Walcast.start({ postgres: house.postgres, nats: house.nats, args: ['--roles', 'ws'], config });
    t.after(() => walcast.remove());
    return walcast.ready();
  }
  const url = (walcast) => websocketUrl(walcast, { apikey: goodToken(), vsn: '2.0.0' });

  // Joins and then reads nothing more. Topics of its own mean frames of its own: nothing is shared.
  async function stuck(t, walcast, topic, config = { postgres_changes: [BINDING] }) {
    const raw = await RawSocket.open(t, walcast.port, `/realtime/v1/websocket?vsn=2.0.0&apikey=${goodToken()}`);
    await raw.send(frame(TEXT, JSON.stringify(['1', '1', topic, 'phx_join', { config }])));
    await waitFor('the join', () => raw.frames.some(({ payload }) => payload.includes('Subscribed to PostgreSQL')));
    raw.tcp.pause();
    return raw;
  }

  const changesOf = (raw) => raw.frames.map(({ payload }) => JSON.parse(payload)).filter(isChange).map(({ 4: { data } }) => data);

  // Clients beside that read, noting each change's delay.
  async function reader(t, walcast, topic) {
    const client = await RawClient.connect(t, url(walcast));
    client.join('1', topic, { postgres_changes: [BINDING] });
    assert.equal((await client.reply('1'))[4].status, 'ok');
    client.delays_ms = [];
    client.ids = [];
    client.socket.on('message', (data) => {
      const message = JSON.parse(data);
      if (!isChange(message)) return;
      client.ids.push(message[4].data.record.id);
      client.delays_ms.push(Date.now() - Date.parse(message[4].data.record.sent));
      client.received.length = 0;
    });
    return client;
  }

  for (const [what, config, held] of [
    ['each has 2 MiB', { 'ws.queue_bytes': '2MiB' }, STUCK * 2 * MIB],
    ['all have 24 MiB', { 'ws.queue_bytes': '16MiB', 'ws.queue_total_bytes': '24MiB' }, 24 * MIB],
  ])
    test(`${what}: ${STUCK} that do not read are closed with 1013, others wait for nothing`, async (t) => {
      const walcast = await gateway(t, config);
      const readers = await Promise.all(['realtime:a', 'realtime:a', 'realtime:b'].map((topic) => reader(t, walcast, topic)));
      const all = [];
      for (let i = 0; i < STUCK; i++) all.push(await stuck(t, walcast, `realtime:stuck${i}`));
      const rss = () => walcast.metric('process_resident_memory_bytes');
      const before = await rss();
      let mostRss = 0, mostHeld = 0, sent = 0, closed = 0;
      const first = Number((await house.postgres.query("SELECT nextval('todos_id_seq') AS id")).rows[0].id) + 1;
      while (closed < STUCK && sent < 600) {
        await house.postgres.query("INSERT INTO todos (sent, body) VALUES (clock_timestamp(), repeat('x', 100000))");
        sent++;
        closed = await walcast.metric('walcast_ws_slow_clients_closed_total');
        mostRss = Math.max(mostRss, await rss());
        mostHeld = Math.max(mostHeld, await walcast.metric('walcast_ws_held_bytes'));
      }
      assert.equal(closed, STUCK, `after ${sent} rows`);
      all.forEach(({ tcp }) => tcp.resume()); // the last that was closed at least in time to be told
      const one = await waitFor('one that is told', () => all.find(({ frames }) => frames.at(-1)?.opcode === CLOSE), 30_000, 500);
      const { code, reason } = await one.close();
      assert.equal(code, 1013);
      assert.match(reason, /^too slow: \d+ bytes wait for you, at most \d+ may; join again with since$/);
      assert.equal(one.frames.at(-1).opcode, CLOSE, 'frames are whole up to the close');
      await waitFor('all rows at the readers', () => readers.every((client) => client.ids.length === sent), 30_000);
      for (const client of readers) {
        assert.deepEqual(client.ids, Array.from({ length: sent }, (_, i) => first + i));
        const sorted = client.delays_ms.toSorted((a, b) => a - b);
        assert.ok(sorted[Math.floor(sent / 2)] < 1000, `median ${sorted[Math.floor(sent / 2)]} ms`);
        assert.ok(sorted.at(-1) < 15_000, `most ${sorted.at(-1)} ms`);
      }
      t.diagnostic(`${sent} rows, RSS ${(before / MIB).toFixed(1)} to ${(mostRss / MIB).toFixed(1)} MiB, held ${(mostHeld / MIB).toFixed(1)} MiB`);
      // Frames of which a part is sent count whole, and those on their way to the readers too.
      assert.ok(mostHeld <= held + 6 * MIB, `${mostHeld} bytes held`);
      assert.ok(mostHeld > held / 2, `${mostHeld} bytes held`);
      assert.ok(mostRss - before < held + 48 * MIB, `${mostRss - before} bytes more`);
      await waitFor('nothing held', async () => (await walcast.metric('walcast_ws_held_bytes')) === 0, 20_000);
      await waitFor('their ends', async () => (await walcast.metric('walcast_ws_connections')) === readers.length, 20_000);
    });

  test('frames that are shared are held once: many that do not read cost what one does', async (t) => {
    const walcast = await gateway(t, { 'ws.queue_bytes': '16MiB', 'ws.queue_total_bytes': '24MiB' });
    for (let i = 0; i < STUCK; i++) await stuck(t, walcast, 'realtime:same');
    for (let i = 0; i < 90; i++)
      await house.postgres.query("INSERT INTO todos (sent, body) VALUES (clock_timestamp(), repeat('x', 100000))");
    const held = await waitFor('frames that wait', () => walcast.metric('walcast_ws_held_bytes'));
    assert.ok(held < 12 * MIB, `${held}`);
    assert.equal(await walcast.metric('walcast_ws_slow_clients_closed_total'), 0);
  });

  test('messages that never become whole count too: past the total their senders are closed', async (t) => {
    const walcast = await gateway(t, { 'ws.queue_total_bytes': '4MiB', 'ws.max_frame_bytes': '1MiB' });
    const beside = await reader(t, walcast, 'realtime:beside');
    const senders = [];
    for (let i = 0; i < 12; i++) {
      const raw = await RawSocket.open(t, walcast.port, `/realtime/v1/websocket?vsn=2.0.0&apikey=${goodToken()}`);
      await raw.send(i % 2 ? frame(TEXT, '['.padEnd(800_000, ' ')).subarray(0, -1) : frame(TEXT, '['.padEnd(800_000, ' '), { final: false }));
      senders.push(raw);
    }
    await waitFor('closes', () => senders.filter((raw) => raw.ended || raw.frames.length > 0).length >= 6);
    const told = senders.filter((raw) => raw.frames.length > 0);
    for (const raw of told) assert.equal((await raw.close()).code, 1013);
    assert.ok(told.length <= 8, `${told.length} closed: some had room`);
    assert.ok((await walcast.metric('walcast_ws_held_bytes')) <= 5 * MIB);
    await house.postgres.query("INSERT INTO todos (sent, body) VALUES (clock_timestamp(), 'x')");
    await waitFor('a row', () => beside.ids.length === 1);
  });

  const STATE = ['state', 'cleared'].map((table) => ({ event: '*', schema: 'public', table }));
  const query = (sql) => house.postgres.query(sql);

  // Twenty rows change until whoever does not read must be closed, unless it asked to be conflated.
  async function flood(closed) {
    await query(`TRUNCATE state, cleared; INSERT INTO state SELECT i, 0, 'x' FROM generate_series(1, 20) i;
      INSERT INTO cleared SELECT i, 0, 'x' FROM generate_series(1, 20) i`);
    let version = 0;
    let rounds = Infinity; // as many again twice over once one is closed
    while (version < rounds) {
      assert.ok(++version < 400, 'nobody is closed');
      if (rounds === Infinity && (await closed())) rounds = 3 * version;
      for (const table of ['state', 'cleared'])
        await query(`UPDATE ${table} SET version = ${version}, body = repeat('x', 10000)`);
    }
    await query('DELETE FROM state WHERE id = 1; UPDATE state SET id = 102 WHERE id = 2; TRUNCATE cleared');
    await query('UPDATE state SET version = version + 1 WHERE id IN (3, 102)');
    return version;
  }

  // What a client that applies each change has in the end.
  function folded(changes) {
    const tables = { state: new Map(), cleared: new Map() };
    for (const { table, type, record, old_record } of changes) {
      if (type === 'TRUNCATE') tables[table].clear();
      if (old_record) tables[table].delete(old_record.id);
      if (record) tables[table].set(record.id, record.version);
    }
    return tables;
  }

  function assertFolded(changes, version) {
    const { state, cleared } = folded(changes);
    const expected = new Map(Array.from({ length: 18 }, (_, i) => [i + 3, version]));
    expected.set(3, version + 1).set(102, version + 1);
    assert.deepEqual([...state].toSorted(([a], [b]) => a - b), [...expected].toSorted(([a], [b]) => a - b));
    assert.deepEqual([...cleared], []);
    const offsets = changes.map(({ offset }) => offset.slice(offset.lastIndexOf('-') + 1).split('.').map(Number));
    for (let i = 1; i < offsets.length; i++)
      assert.ok(offsets[i][0] > offsets[i - 1][0] || (offsets[i][0] === offsets[i - 1][0] && offsets[i][1] > offsets[i - 1][1]), 'in order');
  }
  const isLast = (version) => ({ record }) => record?.id === 102 && record.version === version + 1;

  test('slow: conflate: who does not read keeps its place and gets the last state of each row', async (t) => {
    const walcast = await gateway(t, { 'ws.queue_bytes': '2MiB' });
    const config = { postgres_changes: STATE };
    const plain = await stuck(t, walcast, 'realtime:plain', { ...config, slow: 'close' });
    const conflated = await stuck(t, walcast, 'realtime:conflated', { ...config, slow: 'conflate' });
    const version = await flood(async () => (await walcast.metric('walcast_ws_slow_clients_closed_total')) > 0);
    plain.tcp.resume();
    assert.equal((await plain.close()).code, 1013);
    await waitFor('the end of the flood', async () => (await walcast.metric('walcast_ws_conflated_total')) > 40);
    assert.ok((await walcast.metric('walcast_ws_held_bytes')) < 4 * MIB);
    conflated.tcp.resume();
    await waitFor('the last state', () => changesOf(conflated).some(isLast(version)), 30_000);
    const changes = changesOf(conflated);
    t.diagnostic(`${changes.length} of ${version * 40 + 85} changes came`);
    assertFolded(changes, version);
    assert.ok(changes.length < version * 40);
    assert.equal(await walcast.metric('walcast_ws_slow_clients_closed_total'), 1);
    await query('INSERT INTO state VALUES (500, 0, NULL)');
    await waitFor('the live stream', () => changesOf(conflated).some(({ record }) => record?.id === 500));
  });

  test('slow=conflate of a stream of events', async (t) => {
    const walcast = await gateway(t, { 'ws.queue_bytes': '2MiB' });
    const open = async (slow) => {
      const { promise, resolve } = Promise.withResolvers();
      const request = get(`http://127.0.0.1:${walcast.port}/realtime/v1/sse?schema=public&slow=${slow}&apikey=${goodToken()}`, resolve);
      request.on('error', () => {});
      t.after(() => request.destroy());
      const response = await promise;
      assert.equal(response.statusCode, 200);
      const stream = { response, text: '' };
      response.on('data', (data) => { stream.text += data; }).on('error', () => {}).pause();
      return stream;
    };
    const [, conflated] = [await open('close'), await open('conflate')];
    const version = await flood(async () => (await walcast.metric('walcast_ws_slow_clients_closed_total')) > 0);
    conflated.response.resume();
    const changes = () => conflated.text.split('\n\n').slice(0, -1).filter((event) => !event.includes('event:') && event.includes('data:'))
      .map((event) => JSON.parse(event.slice(event.indexOf('data:') + 5)));
    await waitFor('the last state', () => changes().some(isLast(version)), 30_000);
    assertFolded(changes(), version);
  });

  test('slow must be close or conflate', async (t) => {
    const client = await RawClient.connect(t, url(house.walcast));
    for (const [ref, slow] of ['wait', 1, true, {}].entries()) {
      client.join(`${ref}`, 'realtime:a', { postgres_changes: [BINDING], slow });
      assert.match((await client.reply(`${ref}`))[4].response.reason, /^InvalidJoinPayload: config.slow must be close or conflate/);
    }
    for (const [ref, slow] of ['close', 'conflate', null].entries()) {
      client.join(`ok${ref}`, 'realtime:a', { postgres_changes: [BINDING], slow });
      assert.equal((await client.reply(`ok${ref}`))[4].status, 'ok');
    }
  });
});
