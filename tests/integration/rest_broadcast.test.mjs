// Broadcasts over HTTP: from unmodified clients and by hand, to both serializers, under the policies
// of private channels, and what is refused how.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { createClient } from '@supabase/supabase-js';
import WebSocket from 'ws';
import { startHouse } from '../lib/house.mjs';
import { runOk } from '../lib/process.mjs';
import { RawClient, realtimeClient, subscribed, VERSIONS, websocketUrl } from '../lib/realtime.mjs';
import { brokenTokens } from '../lib/tokens.mjs';
import { waitFor } from '../lib/wait.mjs';
import { BINARY, Walcast } from '../lib/walcast.mjs';

const LIMIT = 4096;
const SUBJECT = '00000000-0000-4000-8000-000000000001';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const JSON_TYPE = { 'content-type': 'application/json' };
const BYTES_TYPE = { 'content-type': 'application/octet-stream' };
const ODD = ['room1', 'a/b', 'ein Raum ☃', 'say "hi"', "it's", '100%25', 'a+b c', 'q?x=1&y#z', 'realtime:x', '\u{1F600}\\'];
// Questions about topics that begin with slow wait while somebody holds the lock 7.
const POLICIES = `
  CREATE FUNCTION public.gate() RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN true; END $$;
  CREATE POLICY read ON realtime.messages FOR SELECT TO authenticated USING (true);
  CREATE POLICY write ON realtime.messages FOR INSERT TO authenticated
    WITH CHECK ((auth.uid())::text = '${SUBJECT}' AND (realtime.topic() LIKE 'mine%'
      OR (realtime.topic() LIKE 'slow%' AND public.gate())));`;

suite('broadcasts over HTTP', () => {
  let house;
  const tokens = {};
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { config: { 'http.threads': 2, 'ws.max_broadcast_bytes': LIMIT, 'auth.policy_cache': 0,
        'auth.policy_timeout': '30s' } });
    for (const role of ['anon', 'authenticated', 'service_role', 'nobody'])
      tokens[role] = await house.walcast.token({ role, sub: SUBJECT });
    await runOk([BINARY, 'setup', '--apply'], { env: house.walcast.env });
    await house.postgres.query(POLICIES);
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  // A subscribed channel that collects what it hears.
  async function listen(t, topic, { vsn = '2.0.0', isPrivate = false, role = 'authenticated', walcast = house.walcast } = {}) {
    const client = realtimeClient(t, walcast, tokens[role], { vsn });
    const channel = client.channel(topic, { config: { private: isPrivate } });
    const heard = [];
    channel.on('broadcast', { event: '*' }, (message) => heard.push(message));
    await subscribed(channel);
    return { channel, heard, hears: (n) => waitFor(`${n} broadcasts`, () => heard.length >= n && heard) };
  }

  async function post(path, body, { token = tokens.authenticated, headers = JSON_TYPE, method = 'POST', walcast = house.walcast } = {}) {
    const response = await fetch(`${walcast.url}/realtime/v1/api/broadcast${path}`, { method,
      headers: { ...headers, ...(token && { authorization: `Bearer ${token}` }) }, body });
    const text = await response.text();
    return { status: response.status, text, json: text ? JSON.parse(text) : undefined, headers: response.headers };
  }
  const batch = (messages, options) => post('', JSON.stringify({ messages }), options);
  const single = (topic, event, payload, { query = '', ...options } = {}) =>
    post(`/${encodeURIComponent(topic)}/events/${encodeURIComponent(event)}${query}`, JSON.stringify(payload), options);
  const accepted = (answer) => assert.deepEqual([answer.status, answer.text], [202, '']);
  // A client that is not subscribed, as one makes it only to send.
  const sender = (t, topic, config = {}, role = 'authenticated', options = {}) =>
    realtimeClient(t, house.walcast, tokens[role], options).channel(topic, { config });
  // What send() says about its fallback.
  const quietly = (t) => t.mock.method(console, 'warn', () => {});

  suite('unmodified clients', () => {
    for (const vsn of VERSIONS) {
      test(`httpSend reaches ${vsn} clients, whatever the topic`, async (t) => {
        for (const topic of ODD) {
          const receiver = await listen(t, topic, { vsn });
          const payloads = [{ x: 1 }, [1, 'two', null], 'text ☃', 12.5, false];
          for (const [n, payload] of payloads.entries()) { // fetch may take another connection each time
            assert.deepEqual(await sender(t, topic).httpSend('ev/ent ☃?', payload), { success: true });
            await receiver.hears(n + 1);
          }
          assert.deepEqual(receiver.heard, payloads.map((payload) => ({ type: 'broadcast', event: 'ev/ent ☃?', payload })), topic);
        }
      });

      test(`send before subscribe falls back to HTTP and reaches ${vsn} clients`, async (t) => {
        quietly(t);
        for (const topic of ODD) {
          const receiver = await listen(t, topic, { vsn });
          assert.equal(await sender(t, topic).send({ type: 'broadcast', event: 'e', payload: { topic } }), 'ok');
          await receiver.hears(1);
          assert.deepEqual(receiver.heard, [{ type: 'broadcast', event: 'e', payload: { topic } }]);
        }
      });
    }

    test('httpSend of bytes reaches 2.0.0 clients as bytes, and no 1.0.0 client', async (t) => {
      const bytes = new Uint8Array([0, 1, 254, 255, 123]);
      const newer = await listen(t, 'bytes');
      const older = await listen(t, 'bytes', { vsn: '1.0.0' });
      for (const [n, form] of [bytes, bytes.buffer].entries()) {
        assert.deepEqual(await sender(t, 'bytes').httpSend('b', form), { success: true });
        await newer.hears(n + 1);
      }
      accepted(await single('bytes', 'last', {}));
      await newer.hears(3);
      await older.hears(1);
      assert.deepEqual(newer.heard.slice(0, 2).map(({ payload }) => [...new Uint8Array(payload)]), [[...bytes], [...bytes]]);
      assert.deepEqual(older.heard.map(({ event }) => event), ['last']);
    });

    test('supabase-js sends with its key alone, on public and private channels', async (t) => {
      quietly(t);
      const supabase = createClient(house.walcast.url, tokens.service_role, { realtime: { transport: WebSocket } });
      t.after(() => supabase.realtime.disconnect());
      const receiver = await listen(t, 'supa', { isPrivate: true });
      const channel = supabase.channel('supa', { config: { private: true } });
      assert.deepEqual(await channel.httpSend('e', { n: 1 }), { success: true });
      await receiver.hears(1);
      assert.equal(await channel.send({ type: 'broadcast', event: 'e', payload: { n: 2 } }), 'ok');
      await receiver.hears(2);
      assert.deepEqual(receiver.heard.map(({ payload }) => payload), [{ n: 1 }, { n: 2 }]);
    });

    test('httpSend rejects with what is wrong', async (t) => {
      await assert.rejects(sender(t, 'yours', { private: true }).httpSend('e', {}), /do not have permissions to write to this Channel topic: yours/);
      await assert.rejects(sender(t, 'big').httpSend('e', 'x'.repeat(LIMIT)), /payload has more than 4096 bytes/);
      await assert.rejects(sender(t, 't'.repeat(1016)).httpSend('e', {}), /topic is too long/);
      await assert.rejects(sender(t, 'mine', { private: true }).httpSend('e', {}, { persist: { ttl: -1 } }), /persist\[ttl\] must be/);
      assert.deepEqual(await sender(t, 'mine', { private: true }).httpSend('e', {}, { persist: { ttl: 60 } }), { success: true });
    });
  });

  suite('by hand', () => {
    test('a batch goes to each topic, in order, with an empty 202', async (t) => {
      const one = await listen(t, 'batch 1');
      const two = await listen(t, 'batch 2', { vsn: '1.0.0' });
      const messages = Array.from({ length: 1000 }, (_, n) => ({ topic: `batch ${1 + (n % 2)}`, event: 'e', payload: { n } }));
      const answer = await batch(messages);
      accepted(answer);
      assert.equal(answer.headers.get('content-length'), '0');
      await one.hears(500);
      await two.hears(500);
      for (const [receiver, first] of [[one, 0], [two, 1]])
        assert.deepEqual(receiver.heard.map(({ payload }) => payload.n), Array.from({ length: 500 }, (_, i) => 2 * i + first));
    });

    test('numbers, keys and escapes of a payload arrive as they were sent', async (t) => {
      const payload = '{"big":123456789012345678901234567890.10,"a":1,"a":2,"s":"\\u2603\\u0000"}';
      const client = await RawClient.connect(t, websocketUrl(house.walcast, { apikey: tokens.anon }));
      const texts = [];
      client.socket.on('message', (data) => texts.push(data.toString()));
      client.send({ topic: 'realtime:exact', event: 'phx_join', payload: { config: {} }, ref: '1', join_ref: '1' });
      await waitFor('the join', () => texts.length > 0);
      accepted(await post('/exact/events/e', payload));
      accepted(await post('', `{"messages":[{"topic":"exact","event":"e","payload":${payload}}]}`));
      await waitFor('both', () => texts.filter((text) => text.includes(`"payload":${payload}`)).length === 2);
    });

    test('the key may stand in each of its places', async () => {
      const none = { token: null };
      for (const headers of [{ apikey: tokens.anon }, { 'x-api-key': tokens.anon }, { authorization: `Bearer ${tokens.anon}` },
        { apikey: 'nonsense', authorization: `Bearer ${tokens.anon}` }])
        accepted(await single('t', 'e', {}, { ...none, headers: { ...JSON_TYPE, ...headers } }));
      accepted(await single('t', 'e', {}, { ...none, query: `?apikey=${tokens.anon}` }));
    });

    test('tokens that are missing or broken are refused', async () => {
      for (const [name, token] of [['none', null], ...Object.entries(brokenTokens())]) {
        if (/[\r\n]|^ | $/.test(token ?? '')) continue; // no header can hold it
        for (const answer of [await single('t', 'e', {}, { token }), await batch([{ topic: 't', event: 'e', payload: {} }], { token })]) {
          assert.equal(answer.status, name === 'a hundred kilobytes' ? 431 : 401, name);
          assert.ok(answer.json.message ?? answer.json.detail, name);
        }
      }
    });

    for (const [what, path, body, options, status, message] of [
      ['no JSON', '', '{"messages":', {}, 400, /not JSON/],
      ['no messages', '', '{}', {}, 422, /messages can't be blank/],
      ['too many messages', '', JSON.stringify({ messages: Array(1001).fill({ topic: 't', event: 'e', payload: {} }) }), {}, 422, /at most 1000/],
      ['too many private topics', '', JSON.stringify({ messages: Array.from({ length: 101 }, (_, n) => ({ topic: `t${n}`, event: 'e', payload: {}, private: true })) }), {}, 422, /more than 100 private topics/],
      ['persist in a batch', '', '{"messages":[{"topic":"t","event":"e","payload":{},"persist":true}]}', {}, 422, /persist is not for batches/],
      ['a large payload in a batch', '', JSON.stringify({ messages: [{ topic: 't', event: 'e', payload: 'x'.repeat(LIMIT) }] }), {}, 413, /messages\[0\]: payload has more than 4096 bytes/],
      ['a large payload', '/t/events/e', JSON.stringify('x'.repeat(LIMIT)), {}, 413, /more than 4096 bytes/],
      ['a payload that is no JSON', '/t/events/e', 'hello', {}, 400, /not JSON/],
      ['another type of content', '/t/events/e', 'hello', { headers: { 'content-type': 'text/plain' } }, 415, /application\/octet-stream/],
      ['bytes under a name that they cannot have', `/${'t'.repeat(247)}/events/e`, 'x', { headers: BYTES_TYPE }, 422, /too long for bytes/],
      ['a wrong escape', '/%zz/events/e', '{}', {}, 422, /topic is invalid/],
      ['a topic that is no text', '/%ff/events/e', '{}', {}, 422, /topic is invalid/],
      ['another path', '/a/b/events/e', '{}', {}, 404, /%2F/],
      ['persist on a public channel', '/t/events/e?persist=true', '{}', {}, 422, /persist is for private channels/],
      ['private that is no boolean', '/t/events/e?private=yes', '{}', {}, 422, /private must be true or false/],
    ]) {
      test(`${what} is answered ${status}`, async () => {
        const answer = await post(path, body, options);
        assert.equal(answer.status, status, answer.text);
        assert.match(answer.json.message, message);
      });
    }

    test('each wrong message of a batch is told, and none is sent', async (t) => {
      const receiver = await listen(t, 'whole');
      const answer = await batch([{ topic: 'whole', event: 'e', payload: { n: 1 } }, { topic: '', payload: null }]);
      assert.equal(answer.status, 422);
      assert.deepEqual(answer.json.errors, { messages: [{}, { topic: ["can't be blank"], payload: ["can't be blank"], event: ["can't be blank"] }] });
      accepted(await single('whole', 'e', { n: 2 }));
      await receiver.hears(1);
      assert.deepEqual(receiver.heard.map(({ payload }) => payload), [{ n: 2 }]);
    });

    test('other methods, long and missing bodies keep their HTTP answers', async () => {
      assert.equal((await post('', undefined, { method: 'OPTIONS' })).status, 204); // a page's preflight
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const answer = await post('', method === 'GET' ? undefined : '{}', { method });
        assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'POST']);
      }
      assert.equal((await post('', 'x'.repeat(2 ** 20 + 1))).status, 413);
      assert.equal((await post('s', '{}')).status, 404);
    });
  });

  // docs/BROADCAST.md's blocks of a language.
  const page = readFileSync(new URL('../../docs/BROADCAST.md', import.meta.url), 'utf8');
  const blocks = (language) => [...page.matchAll(new RegExp('```' + language + '\\n([^]*?)```', 'g'))].map(([, text]) => text);

  suite('the page about it', () => {
    test('its requests work', async (t) => {
      const [one, two] = [await listen(t, 'room:1'), await listen(t, 'room:2', { isPrivate: true })];
      for (const text of blocks('sh')) {
        const answer = await runOk(['bash', '-c', text.replaceAll('http://127.0.0.1:4000', house.walcast.url)], { env: { TOKEN: tokens.service_role } });
        assert.match(answer, /^HTTP\/1.1 202 Accepted\r\n/);
      }
      await one.hears(2);
      await two.hears(1);
      assert.deepEqual([one, two].map(({ heard }) => heard.map(({ event, payload }) => [event, payload])),
        [[['cursor', { x: 3 }], ['cursor', { x: 3 }]], [['news', { n: 1 }]]]);
    });

    test('its statements work, for a user who may not send himself', async (t) => {
      const [room, note] = [await listen(t, 'room:1', { isPrivate: true }), await listen(t, 'note:7', { isPrivate: true })];
      await house.postgres.query('CREATE TABLE notes (id int PRIMARY KEY, body text); GRANT ALL ON notes TO anon');
      for (const text of blocks('sql')) await house.postgres.query(text);
      await house.postgres.query("BEGIN; SET LOCAL ROLE anon; INSERT INTO notes VALUES (7, 'x'); UPDATE notes SET body = 'y'; COMMIT");
      await house.postgres.query("BEGIN; DELETE FROM notes; ROLLBACK");
      await room.hears(1);
      await note.hears(2);
      assert.equal(room.heard[0].payload.hello, 'world');
      assert.deepEqual(note.heard.map(({ event, payload }) => [event, payload.table, payload.record.body, payload.old_record?.body]),
        [['INSERT', 'notes', 'x', undefined], ['UPDATE', 'notes', 'y', 'x']]);
    });
  });

  suite('private channels', () => {
    const PRIVATE = { query: '?private=true' };

    test('the policies say who writes; a message has an id', async (t) => {
      const readers = await Promise.all(VERSIONS.map((vsn) => listen(t, 'mine', { vsn, isPrivate: true })));
      for (const [n, say] of [
        () => single('mine', 'e', { n: 1 }, PRIVATE),
        () => batch([{ topic: 'mine', event: 'e', payload: { n: 2 }, private: true }]),
        () => single('mine', 'e', { n: 3 }, { ...PRIVATE, token: tokens.service_role })].entries()) {
        accepted(await say());
        await readers[0].hears(n + 1);
      }
      for (const { hears, heard } of readers) {
        await hears(3);
        assert.deepEqual(heard.map(({ payload }) => payload), [{ n: 1 }, { n: 2 }, { n: 3 }]);
        for (const { meta } of heard) assert.match(meta.id, UUID);
        assert.equal(new Set(heard.map(({ meta }) => meta.id)).size, 3);
      }
      assert.deepEqual(readers[0].heard, readers[1].heard);
    });

    test('who may not write is answered 403, and nobody hears it', async (t) => {
      const reader = await listen(t, 'yours', { isPrivate: true });
      const refused = [await single('yours', 'e', { n: 1 }, PRIVATE),
        await single('mine', 'e', { n: 1 }, { ...PRIVATE, token: tokens.anon }),
        await single('mine', 'e', { n: 1 }, { ...PRIVATE, token: tokens.nobody }),
        await batch([{ topic: 'yours', event: 'e', payload: { n: 1 }, private: true }, { topic: 'his', event: 'e', payload: {}, private: true }])];
      for (const { status, json } of refused) {
        assert.equal(status, 403);
        assert.match(json.message, /do not have permissions to write to this Channel topic/);
      }
      assert.deepEqual(refused[3].json.refused.map(({ topic, messages }) => [topic, messages]), [['yours', 1], ['his', 1]]);
      accepted(await single('yours', 'e', { n: 2 }, { ...PRIVATE, token: tokens.service_role }));
      await reader.hears(1);
      assert.deepEqual(reader.heard.map(({ payload }) => payload), [{ n: 2 }]);
    });

    test('of a batch what may not be written is left out, and told', async (t) => {
      const [mine, open, yours] = [await listen(t, 'mine too', { isPrivate: true }), await listen(t, 'mine too'), await listen(t, 'yours', { isPrivate: true })];
      const answer = await batch([{ topic: 'yours', event: 'e', payload: 1, private: true }, { topic: 'mine too', event: 'e', payload: 2, private: true },
        { topic: 'mine too', event: 'e', payload: 3 }, { topic: 'yours', event: 'e', payload: 4, private: true }]);
      assert.equal(answer.status, 202);
      assert.match(answer.json.message, /^2 of 4 messages were not sent/);
      assert.deepEqual(answer.json.refused.map(({ topic, messages }) => [topic, messages]), [['yours', 2]]);
      await mine.hears(1);
      await open.hears(1);
      accepted(await single('yours', 'e', 5, { ...PRIVATE, token: tokens.service_role }));
      await yours.hears(1);
      assert.deepEqual([mine, open, yours].map(({ heard }) => heard.map(({ payload }) => payload)), [[2], [3], [5]]);
    });

    test('equal topics are asked of the database once', async () => {
      const checks = () => house.walcast.metric('walcast_auth_channel_checks_total');
      const before = await checks();
      accepted(await batch(Array.from({ length: 300 }, (_, n) => ({ topic: `mine ${n % 3}`, event: 'e', payload: n, private: true }))));
      assert.equal(await checks() - before, 3);
    });

    test('what is to persist is replayed to who joins later, until its time is over', async (t) => {
      const reader = await listen(t, 'mine kept', { isPrivate: true });
      const kept = sender(t, 'mine kept', { private: true });
      for (const [n, persist] of [true, undefined, { ttl: 1 }, { ttl: 3600 }].entries()) {
        assert.deepEqual(await kept.httpSend('e', { n }, { persist }), { success: true });
        await reader.hears(n + 1);
      }
      const late = await waitFor('the two that stay', async () => {
        const heard = [];
        const channel = sender(t, 'mine kept', { private: true, broadcast: { replay: { since: 1 } } });
        channel.on('broadcast', { event: 'e' }, (message) => heard.push(message));
        await subscribed(channel);
        const all = await waitFor('all', () => heard.map(({ payload }) => payload.n).join() === '0,3' && heard, 1000).catch(() => false);
        await channel.unsubscribe();
        return all;
      }, 20_000);
      assert.deepEqual(late.map(({ meta }) => meta), [0, 3].map((n) => ({ id: reader.heard[n].meta.id, replayed: true })));
    });

    // Holds the answers about topics that begin with slow until the end of `body`.
    async function held(t, body, url = house.postgres) {
      const holder = await url.connect();
      t.after(() => holder.end().catch(() => {}));
      await holder.query('SELECT pg_advisory_lock(7)');
      const asking = (n) => waitFor(`${n} questions`, async () =>
        (await holder.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")).rows.length >= n);
      await body(asking);
      await holder.query('SELECT pg_advisory_unlock(7)');
    }

    test('a slow policy holds up its own request only', async (t) => {
      const reader = await listen(t, 'slow 1', { isPrivate: true });
      let slow;
      await held(t, async (asking) => {
        slow = single('slow 1', 'e', { n: 1 }, PRIVATE);
        await asking(1);
        for (let n = 0; n < 20; n++) accepted(await single('fast', 'e', { n }));
        assert.equal(reader.heard.length, 0);
      });
      accepted(await slow);
      await reader.hears(1);
    });

    // The server's end of a connection from that port is still open.
    function serverHolds(port) {
      const hex = (number) => number.toString(16).toUpperCase().padStart(4, '0');
      return readFileSync('/proc/net/tcp', 'latin1').includes(`:${hex(house.walcast.port)} 0100007F:${hex(port)} `);
    }

    test('a client that goes away while it waits harms nobody, and its message is not sent', async (t) => {
      const reader = await listen(t, 'slow 2', { isPrivate: true });
      await held(t, async (asking) => {
        const sockets = Array.from({ length: 8 }, () => connect(house.walcast.port, '127.0.0.1').on('error', () => {}));
        for (const socket of sockets)
          socket.write('POST /realtime/v1/api/broadcast/slow%202/events/gone?private=true HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n' +
            `Authorization: Bearer ${tokens.authenticated}\r\nContent-Type: application/json\r\n\r\n{}`);
        await asking(1);
        const ports = sockets.map(({ localPort }) => localPort);
        for (const socket of sockets) socket.destroy();
        await waitFor('the server to let go of them', () => !ports.some((port) => serverHolds(port)));
      });
      accepted(await single('slow 2', 'e', { n: 1 }, PRIVATE));
      await reader.hears(1);
      accepted(await single('slow 2', 'e', { n: 2 }, PRIVATE));
      await reader.hears(2);
      assert.deepEqual(reader.heard.map(({ event, payload }) => [event, payload]), [['e', { n: 1 }], ['e', { n: 2 }]]);
    });

    test('policies that are not answered in time are a 503 that says to come again', async (t) => {
      const reader = await listen(t, 'slow 3', { isPrivate: true });
      await held(t, async () => {
        const answer = await single('slow 3', 'e', { n: 1 }, PRIVATE);
        assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '1']);
        assert.match(answer.json.message, /does not answer/);
      });
      accepted(await single('slow 3', 'e', { n: 2 }, PRIVATE));
      await reader.hears(1);
      assert.deepEqual(reader.heard.map(({ payload }) => payload), [{ n: 2 }]);
    });
  });

  suite('load and limits', () => {
    test('2,000 posts over connections that stay: none is lost, each connection’s are in order', async (t) => {
      const LANES = 4, EACH = 500;
      const receivers = await Promise.all(VERSIONS.map((vsn) => listen(t, 'load', { vsn })));
      const sockets = new Set();
      async function lane(name) {
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        t.after(() => agent.destroy());
        for (let n = 0; n < EACH; n++) {
          const status = await new Promise((resolve, reject) => {
            const sent = httpRequest(`${house.walcast.url}/realtime/v1/api/broadcast/load/events/e`, { agent, method: 'POST',
              headers: { ...JSON_TYPE, authorization: `Bearer ${tokens.anon}` } }, (response) => {
              sockets.add(response.socket);
              response.resume().once('end', () => resolve(response.statusCode));
            }).once('error', reject);
            sent.end(JSON.stringify({ name, n }));
          });
          assert.equal(status, 202);
        }
      }
      await Promise.all(Array.from({ length: LANES }, (_, name) => lane(name)));
      assert.equal(sockets.size, LANES);
      for (const { hears, heard } of receivers) {
        await hears(LANES * EACH);
        for (let name = 0; name < LANES; name++)
          assert.deepEqual(heard.filter(({ payload }) => payload.name === name).map(({ payload }) => payload.n), Array.from({ length: EACH }, (_, n) => n));
      }
    });

    test('clients of another gateway hear it too, with the same id', async (t) => {
      const other = await Walcast.start({ postgres: house.postgres, nats: house.nats, config: { roles: 'ws', 'auth.policy_cache': 0 } });
      t.after(() => other.remove());
      await other.ready();
      const here = await listen(t, 'mine', { isPrivate: true });
      const there = await listen(t, 'mine', { isPrivate: true, walcast: other });
      const open = await listen(t, 'mine', { walcast: other });
      await waitFor('the gateways to hear one another', async () => { // the bus has no past
        accepted(await single('mine', 'first', {}));
        return open.heard.length > 0;
      });
      accepted(await single('mine', 'e', { n: 1 }, { query: '?private=true&persist=true' }));
      accepted(await post('/mine/events/bytes?private=true', new Uint8Array([7]), { headers: BYTES_TYPE }));
      await here.hears(2);
      await there.hears(2);
      assert.deepEqual(there.heard, here.heard); // in one order, though the first is stored
      assert.match(there.heard[0].meta.id, UUID);
    });

    test('the project’s rate is a 429 with Retry-After, and counts messages, not requests', async (t) => {
      const limited = await Walcast.start({ nats: house.nats, config: { roles: 'ws', 'ws.max_project_messages_per_second': 5 } });
      t.after(() => limited.remove());
      await limited.ready();
      const say = (count) => batch(Array.from({ length: count }, () => ({ topic: 't', event: 'e', payload: {} })), { walcast: limited });
      const large = await say(6);
      assert.equal(large.status, 429);
      assert.match(large.json.message, /reduce the batch size/);
      accepted(await say(5));
      const refused = await say(5);
      assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '1']);
      assert.match(refused.json.message, /Too many messages per second/);
      assert.match(refused.headers.get('content-type'), /^application\/problem\+json/);
      assert.deepEqual([refused.json.status, refused.json.detail], [429, refused.json.message]);
      await waitFor('the bucket to fill again', async () => (await say(1)).status === 202);
      assert.ok(await limited.metric('walcast_ws_messages_refused_total') >= 11);
    });

    test('without a database private topics are a 503, public ones go on', async (t) => {
      const alone = await Walcast.start({ nats: house.nats, config: { roles: 'ws', 'postgres.url': 'postgres://nobody@127.0.0.1:1/none' } });
      t.after(() => alone.remove());
      await alone.ready();
      const answer = await single('mine', 'e', {}, { walcast: alone, query: '?private=true' });
      assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '1']);
      accepted(await single('mine', 'e', {}, { walcast: alone }));
      const both = await batch([{ topic: 'mine', event: 'e', payload: {} }, { topic: 'mine', event: 'e', payload: {}, private: true }], { walcast: alone });
      assert.equal(both.status, 503);
    });

    test('a stop while the policies are asked answers, and ends', async (t) => {
      const ending = await Walcast.start({ postgres: house.postgres, nats: house.nats,
        config: { roles: 'ws', 'drain.timeout': '2s', 'auth.policy_timeout': '60s' } });
      t.after(() => ending.remove());
      await ending.ready();
      const holder = await house.postgres.connect();
      t.after(() => holder.end());
      await holder.query('SELECT pg_advisory_lock(7)');
      const asked = single('slow 4', 'e', {}, { walcast: ending, query: '?private=true' }).then(({ status }) => status, () => 'cut');
      await waitFor('the question', async () =>
        (await holder.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")).rows.length > 0);
      const stopped = ending.stop();
      await waitFor('other requests to be refused', async () => {
        const { status, headers } = await single('t', 'e', {}, { walcast: ending });
        return status === 503 && headers.get('retry-after');
      });
      const code = await Promise.race([stopped, new Promise((resolve) => { setTimeout(resolve, 30_000, 'late').unref(); })]);
      assert.notEqual(code, 'late');
      assert.ok([503, 'cut'].includes(await asked), `${await asked}`);
    });

    test('a process without a gateway says so', async (t) => {
      const none = await Walcast.start({ nats: house.nats, config: { roles: 'cdc', 'postgres.url': 'postgres://nobody@127.0.0.1:1/none' } });
      t.after(() => none.remove());
      await waitFor('it to listen', () => fetch(`${none.url}/health/live`));
      const answer = await single('t', 'e', {}, { walcast: none });
      assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '1']);
      assert.match(answer.json.message, /gateway/);
    });
  });
});
