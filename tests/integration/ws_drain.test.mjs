// SIGTERM with clients: not ready at once, nobody new, closes spread over ws.drain_spread with a hint
// when to come again, requests under way answered, exit code 0; a second signal or the time-out cuts.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { head, statuses } from '../lib/exchange.mjs';
import { CLOSE, closeFrame, parseFrames, RawSocket } from '../lib/frames.mjs';
import { startHouse } from '../lib/house.mjs';
import { RawClient, realtimeClient, refusedHandshake, subscribed, websocketUrl } from '../lib/realtime.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { Walcast } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';

const CLIENTS = 400;
const path = () => `/realtime/v1/websocket?vsn=2.0.0&apikey=${goodToken()}`;

// A client that notes when its close frame came, and answers it.
async function drained(t, port) {
  const raw = await RawSocket.open(t, port, path());
  raw.tcp.on('data', () => {
    const found = raw.frames.find(({ opcode }) => opcode === CLOSE);
    if (!found || raw.closed_at) return;
    raw.closed_at = performance.now();
    raw.code = found.payload.readUInt16BE(0);
    raw.reason = found.payload.subarray(2).toString();
    raw.tcp.write(closeFrame(raw.code));
  });
  return raw;
}

suite('drain', () => {
  let house;
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { schema: 'CREATE TABLE todos (id bigserial PRIMARY KEY)' });
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  async function gateway(t, config = {}) {
    const walcast = await Walcast.start({ postgres: house.postgres, nats: house.nats, args: ['--roles', 'ws'], config });
    t.after(() => walcast.remove());
    return walcast.ready();
  }

  for (const threads of [1, 2])
    test(`${CLIENTS} clients on ${threads} threads: closes are spread, none is lost, exit code 0`, async (t) => {
      const walcast = await gateway(t, { 'ws.drain_spread': '3s', 'drain.timeout': '20s', 'http.threads': threads });
      const clients = [];
      for (let i = 0; i < CLIENTS; i++) clients.push(await drained(t, walcast.port));
      const late = await RawClient.connect(t, websocketUrl(walcast, { apikey: goodToken(), vsn: '2.0.0' }));
      const begun = performance.now();
      const ended = walcast.stop();
      await waitFor('not ready', async () => (await fetch(`${walcast.url}/health/ready`)).status === 503);
      assert.ok(performance.now() - begun < 3000, 'readiness turns at once');
      assert.equal((await refusedHandshake(t, websocketUrl(walcast, { apikey: goodToken() }))).status, 503);
      if (late.socket.readyState === late.socket.OPEN) {
        late.join('1', 'realtime:late');
        await waitFor('a refusal, or its close', () => late.socket.readyState !== late.socket.OPEN ||
          late.received.some((message) => /^RealtimeRestarting: /.test(message[4].response?.reason)));
      }
      const { code } = await ended;
      assert.equal(code, 0);
      await waitFor('the ends', () => clients.every((client) => client.closed_at));
      assert.ok(clients.every((client) => client.code === 1012));
      assert.equal((await late.closed).code, 1012);
      const hints = clients.map(({ reason }) => Number(/shutting down; retry after (\d+) ms$/.exec(reason)[1]));
      assert.ok(Math.min(...hints) >= 1000 && Math.max(...hints) < 2000 && new Set(hints).size > 100, 'hints differ');
      const times = clients.map((client) => client.closed_at - begun).sort((a, b) => a - b);
      const spread = times.at(-1) - times[0];
      assert.ok(spread > 1500, `all within ${spread} ms`);
      // At most so many in any half second: of 13 batches an even share would be 31 each.
      const most = Math.max(...times.map((from) => times.filter((time) => time >= from && time < from + 200).length));
      assert.ok(most < CLIENTS / 2, `${most} at once`);
    });

  test('unmodified realtime-js clients come back by themselves and hear changes again', async (t) => {
    const walcast = await gateway(t);
    const apikey = await walcast.token();
    const rows = [];
    for (let i = 0; i < 5; i++) {
      const channel = realtimeClient(t, walcast, apikey).channel(`room${i}`);
      channel.on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'todos' }, ({ new: { id } }) => (rows[i] ??= []).push(id));
      await subscribed(channel);
    }
    await walcast.restart();
    await waitFor('five channels', async () => (await walcast.metric('walcast_ws_channels')) === 5, 60_000);
    await waitFor('a row everywhere', async () => {
      await house.postgres.query('INSERT INTO todos DEFAULT VALUES');
      return rows.filter((got) => got?.length > 0).length === 5;
    }, 30_000, 500);
  });

  test('few clients go at once', async (t) => {
    const walcast = await gateway(t, { 'ws.drain_spread': '20s', 'drain.timeout': '30s' });
    const clients = await Promise.all(Array.from({ length: 10 }, () => drained(t, walcast.port)));
    const begun = performance.now();
    assert.equal((await walcast.stop()).code, 0);
    assert.ok(performance.now() - begun < 12_000);
    assert.ok(clients.every((client) => client.code === 1012));
  });

  test('without clients the end is immediate', async (t) => {
    const walcast = await gateway(t, { 'ws.drain_spread': '20s', 'drain.timeout': '30s' });
    const begun = performance.now();
    assert.equal((await walcast.stop()).code, 0);
    assert.ok(performance.now() - begun < 10_000);
  });

  test('requests under way are answered: one whose body is coming, one whose head is', async (t) => {
    const walcast = await gateway(t);
    const answers = await Promise.all([
      [head('GET /health/live HTTP/1.1', 'Host: x', 'Content-Length: 5'), 'hello'],
      ['GET /health/live HTTP/1.1\r\nHo', 'st: x\r\n\r\n'],
    ].map(([first, second]) => new Promise((resolve) => {
      const socket = connect(walcast.port, '127.0.0.1');
      t.after(() => socket.destroy());
      const one = { socket, text: '', finish: () => socket.write(second) };
      socket.on('error', () => {});
      socket.on('data', (chunk) => { one.text += chunk; });
      socket.write(first, () => setTimeout(() => resolve(one), 200));
    })));
    const ended = walcast.stop();
    await waitFor('the drain', async () => (await fetch(`${walcast.url}/health/ready`)).status === 503);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.ok(walcast.process.alive, 'it waits for them');
    answers.forEach((one) => one.finish());
    await waitFor('the answers', () => answers.every(({ text }) => statuses(text)[0] === 200));
    answers.forEach(({ socket }) => socket.destroy());
    assert.equal((await ended).code, 0);
  });

  // Clients that never answer a close, and one that does not even read.
  async function stubborn(t, walcast) {
    const clients = [];
    for (let i = 0; i < 60; i++) clients.push(await RawSocket.open(t, walcast.port, path()));
    clients[0].tcp.pause();
    return clients;
  }

  test('drain.timeout cuts what does not end', async (t) => {
    const walcast = await gateway(t, { 'drain.timeout': '2s', 'ws.drain_spread': '1m' });
    const clients = await stubborn(t, walcast);
    const begun = performance.now();
    assert.equal((await walcast.stop()).code, 0);
    const took_ms = performance.now() - begun;
    assert.ok(took_ms > 1500 && took_ms < 14_000, `${took_ms} ms`);
    clients[0].tcp.resume();
    await waitFor('the ends', () => clients.every((client) => client.ended || client.closed));
    const told = clients.filter((client) => parseFrames(client.bytes).frames.some(({ opcode }) => opcode === CLOSE));
    assert.ok(told.length >= 59, `only ${told.length} of 60 were told: half of drain.timeout is theirs`);
  });

  test('a second signal cuts', async (t) => {
    const walcast = await gateway(t, { 'drain.timeout': '60s', 'ws.drain_spread': '20s' });
    await stubborn(t, walcast);
    const ended = walcast.stop();
    await waitFor('the drain', async () => (await fetch(`${walcast.url}/health/ready`)).status === 503);
    const begun = performance.now();
    const again = walcast.stop();
    assert.equal((await ended).code, 0);
    await again;
    assert.ok(performance.now() - begun < 14_000);
  });
});
