// Limits and what comes of passing them: first less is read, then messages are refused with the
// protocol's error, then the connection is closed. A channel is never closed for it, and nobody else
// notices.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { RawClient, websocketUrl } from '../lib/realtime.mjs';
import { sseUrl } from '../lib/sse.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { Walcast } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const BINDING = { event: 'INSERT', schema: 'public', table: 'todos' };

suite('limits', { concurrency: 3 }, () => {
  let house;
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { schema: 'CREATE TABLE todos (id bigserial PRIMARY KEY)' });
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  async function gateway(t, config) {
    const walcast = await Walcast.start({ postgres: house.postgres, nats: house.nats, args: ['--roles', 'ws'], config });
    t.after(() => walcast.remove());
    return walcast.ready();
  }
  const connect = (t, walcast) => RawClient.connect(t, websocketUrl(walcast, { apikey: goodToken(), vsn: '2.0.0' }));
  async function joined(t, walcast, topic = 'realtime:room') {
    const client = await connect(t, walcast);
    client.join('1', topic, { postgres_changes: [BINDING] });
    assert.equal((await client.reply('1'))[4].status, 'ok');
    return client;
  }
  const row = async () => Number((await house.postgres.query('INSERT INTO todos DEFAULT VALUES RETURNING id')).rows[0].id);
  const gets = (client, id) =>
    client.next(`row ${id}`, (message) => message[3] === 'postgres_changes' && message[4].data.record.id === id);
  const counted = (walcast, name) => walcast.metric(`walcast_ws_${name}_total`);
  // A message to a joined channel that is always answered.
  const say = (client, ref, topic = 'realtime:room') => client.send(['1', ref, topic, 'dance', {}]);
  const refusals = (client, reason) => client.received.filter((message) => message[3] === 'phx_reply' && message[4].response?.reason === reason);
  async function beat(client) {
    const begun = performance.now();
    client.send([null, 'beat', 'phoenix', 'heartbeat', {}]);
    await client.reply('beat');
    return performance.now() - begun;
  }
  const TOO_MANY = 'Too many messages per second';
  const told = (client) => client.received.filter((message) => message[3] === 'system' && message[4].message === TOO_MANY);

  test('a burst is read more slowly: nothing is refused, nothing is lost, no channel is closed', async (t) => {
    const walcast = await gateway(t, { 'ws.max_messages_per_second': 100 });
    const client = await joined(t, walcast);
    const beside = await joined(t, walcast);
    const begun = performance.now();
    for (let i = 0; i < 150; i++) say(client, `b${i}`);
    assert.ok((await beat(beside)) < 1000, 'others are read');
    await waitFor('all answers', () => client.received.filter((message) => /^b/.test(message[1])).length === 150, 30_000);
    const took_ms = performance.now() - begun;
    assert.ok(took_ms > 350, `${took_ms} ms for 150 messages at 100 a second`);
    assert.deepEqual(client.received.filter((message) => /^b/.test(message[1])).map((message) => message[1]), Array.from({ length: 150 }, (_, i) => `b${i}`));
    assert.equal(refusals(client, TOO_MANY).length, 0);
    assert.ok((await counted(walcast, 'throttled')) >= 1);
    assert.equal(await counted(walcast, 'messages_refused'), 0);
    await gets(client, await row());
  });

  test('who goes on is refused with the protocol’s error, then closed with 1008; others are not', async (t) => {
    const walcast = await gateway(t, { 'ws.max_messages_per_second': 50 });
    const client = await joined(t, walcast);
    const beside = await joined(t, walcast);
    let sent = 0;
    const timer = setInterval(() => { for (let i = 0; i < 20; i++) say(client, `f${sent++}`); }, 50); // 400 a second
    t.after(() => clearInterval(timer));
    await waitFor('a system message', () => told(client).length > 0);
    assert.deepEqual(told(client)[0], ['1', null, 'realtime:room', 'system', { message: TOO_MANY, status: 'error', extension: 'system', channel: 'room' }]);
    assert.ok(refusals(client, TOO_MANY).length > 0);
    assert.ok(!client.received.some((message) => message[3] === 'phx_close' || message[3] === 'phx_error'));
    assert.ok((await beat(client)) < 9000, 'heartbeats are answered even so');
    const id = await row();
    await gets(client, id); // changes still come
    const { code, reason } = await client.closed;
    assert.equal(code, 1008);
    assert.match(reason, /too many messages per second.*retry after \d+ ms/);
    assert.ok(told(client).length <= 15, `${told(client).length}: once a second`);
    assert.equal(await counted(walcast, 'flooding_clients_closed'), 1);
    assert.ok((await counted(walcast, 'messages_refused')) > 100);
    await gets(beside, id);
    assert.ok((await beat(beside)) < 1000);
  });

  test('a channel has a limit of its own: the other channels of the connection go on', async (t) => {
    const walcast = await gateway(t, { 'ws.max_channel_messages_per_second': 20, 'ws.max_messages_per_second': 0 });
    const client = await joined(t, walcast, 'realtime:busy');
    client.join('1', 'realtime:calm', {});
    await client.reply('1');
    const timer = setInterval(() => { for (let i = 0; i < 10; i++) say(client, 'x', 'realtime:busy'); }, 50);
    t.after(() => clearInterval(timer));
    await waitFor('a refusal', () => told(client).length > 0);
    assert.equal(told(client)[0][2], 'realtime:busy');
    for (let i = 0; i < 5; i++) say(client, `calm${i}`, 'realtime:calm');
    await waitFor('its answers', () => client.received.filter((message) => /^calm/.test(message[1])).length === 5);
    assert.equal(client.received.filter((message) => /^calm/.test(message[1]) && message[4].response.reason === TOO_MANY).length, 0);
  });

  test('what all send together is refused and closes nobody', async (t) => {
    const walcast = await gateway(t, { 'ws.max_project_messages_per_second': 50 });
    const clients = [];
    for (let i = 0; i < 5; i++) clients.push(await joined(t, walcast));
    const stop = Date.now() + 13_000; // past the time after which one client would be closed
    while (Date.now() < stop) {
      for (const client of clients) for (let i = 0; i < 4; i++) say(client, 'x');
      await sleep(100);
    }
    assert.ok(clients.every((client) => client.socket.readyState === client.socket.OPEN));
    assert.ok(clients.some((client) => told(client).length > 0));
    assert.equal(await counted(walcast, 'flooding_clients_closed'), 0);
    await waitFor('an end of refusals', async () => {
      say(clients[0], 'after');
      return (await clients[0].reply('after'))[4].response.reason !== TOO_MANY;
    }, 5000, 200);
  });

  test('joins: a storm waits, then is refused with ClientJoinRateLimitReached; messages are not', async (t) => {
    const walcast = await gateway(t, { 'ws.max_joins_per_second': 20 });
    const client = await connect(t, walcast);
    for (let i = 0; i < 30; i++) client.join(`j${i}`, `realtime:${i}`);
    const replies = () => client.received.filter((message) => /^j/.test(message[1]));
    await waitFor('the joins', () => replies().length === 30, 20_000);
    assert.ok(replies().every((message) => message[4].status === 'ok'), 'a burst and a half only waits');
    assert.ok((await counted(walcast, 'throttled')) >= 1);
    let sent = 30;
    while (!client.received.some((message) => /^ClientJoinRateLimitReached: Too many joins per second$/.test(message[4].response?.reason))) {
      for (let i = 0; i < 20; i++) client.join(`k${sent}`, `realtime:${sent++ % 60}`);
      await sleep(50);
      assert.ok(sent < 5000);
    }
    assert.ok((await counted(walcast, 'joins_refused')) >= 1);
    assert.equal(client.socket.readyState, client.socket.OPEN);
    await waitFor('a join', async () => {
      client.join('last', 'realtime:last');
      return (await client.reply('last'))[4].status === 'ok';
    }, 5000, 200);
  });

  test('joins of all connections together', async (t) => {
    const walcast = await gateway(t, { 'ws.max_project_joins_per_second': 10 });
    const clients = await Promise.all(Array.from({ length: 60 }, () => connect(t, walcast)));
    clients.forEach((client) => client.join('1', 'realtime:room', { postgres_changes: [BINDING] }));
    const answers = await Promise.all(clients.map((client) => client.reply('1')));
    const ok = answers.filter((answer) => answer[4].status === 'ok').length;
    assert.ok(ok >= 10 && ok <= 40, `${ok} joined`);
    assert.ok(answers.filter((answer) => answer[4].status !== 'ok').every((answer) => /^ClientJoinRateLimitReached: /.test(answer[4].response.reason)));
    assert.equal(await counted(walcast, 'joins_refused'), 60 - ok);
  });

  test('channels and connections: refused with their code, and counted', async (t) => {
    const walcast = await gateway(t, { 'ws.max_channels_per_connection': 2, 'ws.max_connections': 2 });
    const client = await connect(t, walcast);
    for (const ref of ['1', '2', '3']) client.join(ref, `realtime:${ref}`);
    assert.match((await client.reply('3'))[4].response.reason, /^ChannelRateLimitReached: Too many channels/);
    assert.equal(await counted(walcast, 'channels_refused'), 1);
    await connect(t, walcast);
    const response = await connect(t, walcast).catch((error) => error);
    assert.equal(response.statusCode, 429);
    assert.ok(Number(response.headers['retry-after']) > 0);
    assert.match(response.headers['content-type'], /^application\/problem\+json/);
    assert.equal(await counted(walcast, 'connections_refused'), 1);
    assert.equal((await fetch(sseUrl(walcast, { table: 'public.todos', apikey: goodToken() }))).status, 429);
    assert.equal(await counted(walcast, 'connections_refused'), 2);
  });

  test('0 is without limit', async (t) => {
    const walcast = await gateway(t, Object.fromEntries(['max_messages_per_second', 'max_channel_messages_per_second',
      'max_project_messages_per_second', 'max_joins_per_second', 'max_project_joins_per_second'].map((key) => [`ws.${key}`, 0])));
    const client = await joined(t, walcast);
    client.socket._socket.cork();
    for (let i = 0; i < 5000; i++) say(client, 'x');
    client.socket._socket.uncork();
    await waitFor('all answers', () => client.received.filter((message) => message[1] === 'x').length === 5000, 20_000);
    assert.equal(await counted(walcast, 'throttled'), 0);
  });

  test('walcast check adds up to what a machine has, by the total of the queues', async () => {
    const { memory } = JSON.parse(await house.walcast.commandOk(['check', '--json']));
    const part = (name) => memory.parts.find((one) => one.part.includes(name));
    assert.equal(part('ws.queue_total_bytes').bytes, 1 << 30);
    assert.ok(!part('ws.max_connections x ws.queue_bytes'));
    assert.ok(memory.total_bytes < 4 * 2 ** 30, `${memory.total_bytes}`);
  });
});
