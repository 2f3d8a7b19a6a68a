// Broadcasts between clients: what one says in a channel, the others in it hear, whichever client
// library and serializer they speak.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, suite, test } from 'node:test';
import WebSocket from 'ws';
import { RealtimeClient as OldestClient } from 'realtime-js-oldest';
import { startHouse } from '../lib/house.mjs';
import { RawClient, realtimeClient, subscribed, VERSIONS, websocketUrl } from '../lib/realtime.mjs';
import { waitFor } from '../lib/wait.mjs';

const phoenix = createRequire(import.meta.url)('phoenix');
const BYTES = new Uint8Array([0, 1, 254, 255]).buffer;
const LIMIT = 2048;

suite('broadcast', () => {
  let house;
  let token;
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { config: { 'http.threads': 2, 'ws.max_broadcast_bytes': LIMIT } });
    token = await house.walcast.token({ role: 'authenticated', sub: 'me' });
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  // A subscribed channel that collects the broadcasts it hears.
  async function listen(t, topic, { vsn = '2.0.0', ...broadcast } = {}) {
    const client = realtimeClient(t, house.walcast, token, { vsn });
    const channel = client.channel(topic, { config: { broadcast } });
    const heard = [];
    channel.on('broadcast', { event: '*' }, (message) => heard.push(message));
    await subscribed(channel);
    return { channel, heard, hears: (n) => waitFor(`${n} broadcasts`, () => heard.length >= n && heard) };
  }
  const say = (channel, event, payload) => channel.send({ type: 'broadcast', event, payload });
  const raw = (t, vsn, path = 'v1/websocket') => RawClient.connect(t,
    websocketUrl(house.walcast, { apikey: token, vsn }).replace('v1/websocket', path));

  async function rawIn(t, topic, { vsn = '2.0.0', path, config = {} } = {}) {
    const client = await raw(t, vsn, path);
    if (vsn === '2.0.0') client.join('1', topic, config);
    else client.send({ topic, event: 'phx_join', payload: { config }, ref: '1', join_ref: '1' });
    await client.next('the join', (message) => (message[3] ?? message.event) === 'phx_reply');
    return client;
  }

  for (const from of VERSIONS) {
    for (const to of VERSIONS) {
      test(`from ${from} to ${to}: JSON arrives as it was sent, in order, and not at the sender`, async (t) => {
        const topic = `room ${from} "${to}" ☃`;
        const sender = await listen(t, topic, { vsn: from });
        const receiver = await listen(t, topic, { vsn: to });
        const payloads = [{ x: 1 }, [1, 'two', null], 'text "quoted" ☃', 12.5, { deep: { er: ['\u0000'] } }, {}];
        for (const payload of payloads) assert.equal(await say(sender.channel, 'cursor ☃', payload), 'ok');
        await receiver.hears(payloads.length);
        assert.deepEqual(receiver.heard, payloads.map((payload) => ({ type: 'broadcast', event: 'cursor ☃', payload })));
        assert.equal(sender.heard.length, 0);
      });
    }
  }

  test('self: the sender hears itself too; ack: it is answered', async (t) => {
    const sender = await listen(t, 'mirror', { self: true, ack: true });
    assert.equal(await say(sender.channel, 'e', { n: 1 }), 'ok');
    await sender.hears(1);
    assert.deepEqual(sender.heard[0].payload, { n: 1 });
  });

  test('bytes reach 2.0.0 clients whole, and 1.0.0 clients not at all', async (t) => {
    const sender = await listen(t, 'bytes');
    const two = await listen(t, 'bytes');
    const one = await listen(t, 'bytes', { vsn: '1.0.0' });
    await say(sender.channel, 'raw', BYTES);
    await say(sender.channel, 'end', {});
    await two.hears(2);
    await one.hears(1);
    assert.deepEqual([...new Uint8Array(two.heard[0].payload)], [0, 1, 254, 255]);
    assert.deepEqual(one.heard.map(({ event }) => event), ['end']);
  });

  test('a binary push reaches 2.0.0 clients as one (kind 4), text reaches them as text', async (t) => {
    const receiver = await rawIn(t, 'realtime:forms');
    const sender = await rawIn(t, 'realtime:forms');
    const names = ['1', '2', 'realtime:forms', 'e', ''].map((name) => Buffer.from(name));
    sender.send(Buffer.concat([Buffer.from([3, ...names.map(({ length }) => length), 1]), ...names, Buffer.from('{"a":1}')]));
    const pushed = await receiver.next('the binary frame', Buffer.isBuffer);
    assert.deepEqual([...pushed.subarray(0, 5)], [4, 'realtime:forms'.length, 1, 0, 1]);
    assert.equal(pushed.subarray(5).toString(), 'realtime:formse{"a":1}');
    sender.send(['1', '3', 'realtime:forms', 'broadcast', { type: 'broadcast', event: 'f', payload: { b: 2 } }]);
    assert.deepEqual(await receiver.next('the text frame', Array.isArray),
      [null, null, 'realtime:forms', 'broadcast', { event: 'f', payload: { b: 2 }, type: 'broadcast' }]);
  });

  test('another topic, and a channel that was left, hear nothing', async (t) => {
    const sender = await listen(t, 'here');
    const other = await listen(t, 'there');
    const left = await listen(t, 'here');
    await left.channel.unsubscribe();
    const receiver = await listen(t, 'here');
    await say(sender.channel, 'e', {});
    await receiver.hears(1);
    await say(other.channel, 'e', {}); // not heard by itself; by now the first would have come
    assert.equal(other.heard.length, 0);
    assert.equal(left.heard.length, 0);
  });

  test('too large a payload is refused as payload_size_exceeded and reaches nobody', async (t) => {
    const sender = await rawIn(t, 'realtime:large', { config: { broadcast: { ack: true } } });
    const receiver = await listen(t, 'large');
    const push = (ref, event, length) => sender.send(['1', ref, 'realtime:large', 'broadcast',
      { type: 'broadcast', event, payload: 'x'.repeat(length) }]);
    push('2', 'large', LIMIT);
    assert.deepEqual((await sender.reply('2'))[4], { status: 'error', response: { error: 'payload_size_exceeded' } });
    push('3', 'small', 10);
    assert.deepEqual((await sender.reply('3'))[4], { status: 'ok', response: {} });
    await receiver.hears(1);
    assert.equal(receiver.heard[0].event, 'small');
  });

  test('a broadcast that is none is refused, and the channel stays', async (t) => {
    const client = await rawIn(t, 'realtime:odd', { config: { broadcast: { ack: true } } });
    for (const payload of ['text', [], { type: 'broadcast' }, { event: 7 }, { event: 'x'.repeat(256) }]) {
      client.send(['1', '2', 'realtime:odd', 'broadcast', payload]);
      assert.equal((await client.reply('2'))[4].status, 'error', JSON.stringify(payload));
    }
    client.send(['1', '3', 'realtime:odd', 'broadcast', { event: 'e', payload: {} }]);
    assert.equal((await client.reply('3'))[4].status, 'ok');
  });

  test('the oldest realtime-js of 2.x', async (t) => {
    const client = new OldestClient(`ws://127.0.0.1:${house.walcast.port}/realtime/v1`,
      { params: { apikey: token }, transport: WebSocket });
    t.after(() => client.disconnect());
    client.connect();
    const channel = client.channel('ages');
    const heard = [];
    channel.on('broadcast', { event: 'e' }, (message) => heard.push(message));
    await subscribed(channel);
    const newest = await listen(t, 'ages');
    await say(newest.channel, 'e', { from: 'newest' });
    await waitFor('the broadcast', () => heard.length > 0);
    assert.deepEqual(heard[0].payload, { from: 'newest' });
    await channel.send({ type: 'broadcast', event: 'e', payload: { from: 'oldest' } });
    await newest.hears(1);
    assert.deepEqual(newest.heard[0].payload, { from: 'oldest' });
  });

  for (const path of ['realtime/v1', 'realtime/socket']) {
    test(`Phoenix's own client at ${path}`, async (t) => {
      const socket = new phoenix.Socket(`ws://127.0.0.1:${house.walcast.port}/${path}`,
        { params: { apikey: token }, transport: WebSocket });
      t.after(() => socket.disconnect());
      socket.connect();
      const topic = `phoenix ${path}`;
      const channel = socket.channel(`realtime:${topic}`, { config: { broadcast: { ack: true } } });
      const heard = [];
      channel.on('broadcast', (message) => heard.push(message));
      await new Promise((resolve, reject) => {
        channel.join().receive('ok', resolve).receive('error', (reason) => reject(new Error(JSON.stringify(reason))));
      });
      const sender = await listen(t, topic, { vsn: path === 'realtime/v1' ? '1.0.0' : '2.0.0' });
      // Bytes, which its reader would throw at, do not reach it.
      if (path === 'realtime/socket') await say(sender.channel, 'e', new Uint8Array([1, 2, 3]).buffer);
      await say(sender.channel, 'e', { n: 1 });
      await waitFor('the broadcast', () => heard.length > 0);
      assert.deepEqual(heard[0], { type: 'broadcast', event: 'e', payload: { n: 1 } });
      await new Promise((resolve, reject) => {
        channel.push('broadcast', { type: 'broadcast', event: 'back', payload: { n: 2 } })
          .receive('ok', resolve).receive('error', reject);
      });
      await sender.hears(1);
      assert.deepEqual(sender.heard[0].payload, { n: 2 });
    });
  }
});
