// The realtime protocol spoken by hand: what the real client never sends, and what it never shows.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { RawClient, refusedHandshake, websocketUrl } from '../lib/realtime.mjs';
import { JWT_SECRET, Walcast } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';

const base64url = (value) => Buffer.from(value).toString('base64url');
const now_s = () => Math.floor(Date.now() / 1000);

function sign(claims, { secret = JWT_SECRET, alg = 'HS256' } = {}) {
  const signed = `${base64url(JSON.stringify({ alg, typ: 'JWT' }))}.${base64url(JSON.stringify(claims))}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

const good = (more = {}) => sign({ role: 'anon', exp: now_s() + 3600, ...more });
const BINDING = { event: '*', schema: 'public', table: 'todos' };

suite('the realtime protocol by hand', () => {
  let house;
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true }, {
      schema: 'CREATE TABLE todos (id bigint PRIMARY KEY, title text)',
      config: { 'ws.max_channels_per_connection': 3, 'ws.max_frame_bytes': '64KiB', 'ws.queue_bytes': '8MiB',
        'ws.max_connections': 200, 'ws.idle_timeout': '5s', 'log.level': 'debug' },
    });
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));
  const sql = (...all) => house.postgres.query(...all);
  const url = (parameters) => websocketUrl(house.walcast, { apikey: good(), vsn: '2.0.0', ...parameters });
  const raw = (t, parameters, options) => RawClient.connect(t, url(parameters), options);

  async function joined(t, topic = 'realtime:room', bindings = [BINDING]) {
    const client = await raw(t);
    client.join('1', topic, { postgres_changes: bindings });
    assert.equal((await client.reply('1'))[4].status, 'ok');
    return client;
  }

  // Nothing that one client did may matter to another.
  async function stillServes(t) {
    const client = await joined(t, 'realtime:check');
    await sql('DELETE FROM todos WHERE id = 4711');
    await sql('INSERT INTO todos VALUES (4711)');
    await client.next('a change', (message) => message[3] === 'postgres_changes' && message[4].data.type === 'INSERT');
    client.socket.close();
  }

  suite('the handshake', () => {
    const refusals = {
      'no key': [{ apikey: '' }, 401],
      'not a JWT': [{ apikey: 'nonsense' }, 401],
      'another secret': [{ apikey: sign({ role: 'anon', exp: now_s() + 60 }, { secret: 'x'.repeat(40) }) }, 401],
      'algorithm none': [{ apikey: sign({ role: 'anon', exp: now_s() + 60 }, { alg: 'none' }) }, 401],
      expired: [{ apikey: sign({ role: 'anon', exp: now_s() - 10 }) }, 401],
      'no role': [{ apikey: sign({ exp: now_s() + 60 }) }, 401],
      'no exp': [{ apikey: sign({ role: 'anon' }) }, 401],
      'another project': [{ apikey: good({ project_id: 'other' }) }, 401],
      'an unknown vsn': [{ vsn: '3.0.0' }, 400],
    };
    for (const [what, [parameters, status]] of Object.entries(refusals)) {
      test(`${what}: ${status} with {"error"}`, async (t) => {
        const refused = await refusedHandshake(t, url(parameters));
        assert.equal(refused.status, status);
        assert.deepEqual(Object.keys(refused.body), ['error']);
        assert.ok(refused.body.error.length > 5);
      });
    }

    test('the key may come as x-api-key, which wins, as apikey, or as bearer; unknown parameters do not matter', async (t) => {
      await raw(t, { apikey: 'nonsense', log_level: 'info' }, { headers: { 'x-api-key': good() } });
      const bare = websocketUrl(house.walcast, { vsn: '2.0.0', eventsPerSecond: '10' });
      await RawClient.connect(t, bare, { headers: { apikey: good() } });
      await RawClient.connect(t, bare, { headers: { authorization: `Bearer ${good()}` } });
      assert.equal((await refusedHandshake(t, url(), { headers: { 'x-api-key': 'nonsense' } })).status, 401);
    });

    test('other paths of the same endpoint', async (t) => {
      for (const path of ['/realtime/socket', '/realtime/socket/websocket'])
        await RawClient.connect(t, url().replace('/realtime/v1/websocket', path));
    });

    test('a process without the role says so', async (t) => {
      const cdc = await Walcast.start({ nats: house.nats, args: ['--roles', 'cdc'] });
      t.after(() => cdc.remove());
      await waitFor('it to listen', async () => (await fetch(`${cdc.url}/health/live`)).ok);
      assert.equal((await refusedHandshake(t, websocketUrl(cdc, { apikey: good() }))).status, 404);
    });

    test('without a secret nothing is open', async (t) => {
      const config = { 'auth.jwt_secret': '' };
      const closed = await Walcast.start({ nats: house.nats, config, args: ['--roles', 'ws'] });
      t.after(() => closed.remove());
      await closed.ready();
      assert.equal((await refusedHandshake(t, websocketUrl(closed, { apikey: good() }))).status, 403);
    });
  });

  test('the join’s answer repeats its bindings strictly, ids included later; then the system message', async (t) => {
    const client = await raw(t);
    const bindings = [
      { event: 'INSERT', schema: 'public', table: 'todos', filter: 'id=eq.1' },
      { event: '*', schema: 'public' },
      { event: '*', schema: 'public', table: 'todos', filter: '' },
      { schema: '*', event: 'UPDATE', unknown: 1 },
    ];
    client.join('1', 'realtime:room', { postgres_changes: bindings, broadcast: { self: 'false' }, private: 'false' });
    const answer = (await client.reply('1'));
    assert.deepEqual(answer.slice(0, 4), ['1', '1', 'realtime:room', 'phx_reply']);
    const told = answer[4].response.postgres_changes;
    assert.deepEqual(told.map(({ id, ...rest }) => rest), bindings.map(({ unknown, ...rest }) => rest));
    const ids = told.map(({ id }) => id);
    assert.ok(ids.every((id) => Number.isInteger(id) && id > 0 && id < 2 ** 31));
    assert.equal(new Set(ids).size, 4);
    assert.deepEqual(await client.next('system', (message) => message[3] === 'system'), ['1', null, 'realtime:room',
      'system', { message: 'Subscribed to PostgreSQL', status: 'ok', extension: 'postgres_changes', channel: 'room', offset: '0-0.0' }]);
    await sql('INSERT INTO todos VALUES (1)');
    const change = await client.next('the change', (message) => message[3] === 'postgres_changes');
    assert.deepEqual(change.slice(0, 4), [null, null, 'realtime:room', 'postgres_changes']);
    assert.deepEqual(change[4].ids.toSorted(), ids.slice(0, 3).toSorted());
    assert.deepEqual(Object.keys(change[4].data), ['schema', 'table', 'commit_timestamp', 'type', 'columns', 'record', 'errors', 'offset']);
    assert.deepEqual(change[4].data.columns, [{ name: 'id', type: 'int8' }, { name: 'title', type: 'text' }]);
    assert.match(change[4].data.offset, /^[0-9a-z]{16}-\d+\.\d+$/);
    await sql('DELETE FROM todos');
  });

  test('1.0.0 messages are objects without join_ref', async (t) => {
    const client = await raw(t, { vsn: '1.0.0' });
    client.send({ topic: 'realtime:room', event: 'phx_join', payload: { config: { postgres_changes: [BINDING] } }, ref: '1', join_ref: '1' });
    const answer = await client.next('the answer', (message) => message.event === 'phx_reply');
    assert.deepEqual(Object.keys(answer), ['topic', 'event', 'payload', 'ref']);
    assert.equal(answer.payload.status, 'ok');
    client.send({ topic: 'phoenix', event: 'heartbeat', payload: {}, ref: '2' });
    assert.deepEqual(await client.next('the heartbeat', (message) => message.topic === 'phoenix'),
      { topic: 'phoenix', event: 'phx_reply', payload: { status: 'ok', response: {} }, ref: '2' });
  });

  test('vsn absent means 1.0.0', async (t) => {
    const client = await RawClient.connect(t, websocketUrl(house.walcast, { apikey: good() }));
    client.send({ topic: 'phoenix', event: 'heartbeat', payload: {}, ref: 7 });
    assert.equal((await client.next('it', (message) => message.topic === 'phoenix')).ref, 7);
  });

  test('heartbeat, leave, close with the join’s ref', async (t) => {
    const client = await joined(t);
    client.send([null, '26', 'phoenix', 'heartbeat', {}]);
    assert.deepEqual(await client.reply('26'), [null, '26', 'phoenix', 'phx_reply', { status: 'ok', response: {} }]);
    client.send(['1', '2', 'realtime:room', 'phx_leave', {}]);
    assert.deepEqual(await client.reply('2'), ['1', '2', 'realtime:room', 'phx_reply', { status: 'ok', response: {} }]);
    assert.deepEqual(await client.next('close', (message) => message[3] === 'phx_close'), ['1', '1', 'realtime:room', 'phx_close', {}]);
    client.send(['1', '3', 'realtime:room', 'phx_leave', {}]);
    assert.deepEqual((await client.reply('3'))[4], { status: 'error', response: { reason: 'unmatched topic' } });
  });

  test('a second join of a topic closes the first; what was meant for the first is dropped', async (t) => {
    const client = await joined(t);
    client.join('5', 'realtime:room', { postgres_changes: [BINDING] });
    assert.deepEqual(await client.next('close', (message) => message[3] === 'phx_close'), ['1', '1', 'realtime:room', 'phx_close', {}]);
    assert.equal((await client.reply('5'))[4].status, 'ok');
    client.send(['1', '6', 'realtime:room', 'phx_leave', {}]);
    client.send([null, '7', 'phoenix', 'heartbeat', {}]);
    await client.reply('7');
    assert.ok(!client.received.some((message) => message[1] === '6'));
    await sql('INSERT INTO todos VALUES (2)');
    await client.next('one change', (message) => message[3] === 'postgres_changes');
    client.send([null, '8', 'phoenix', 'heartbeat', {}]);
    await client.reply('8');
    assert.ok(!client.received.some((message) => message[3] === 'postgres_changes'), 'it came once');
    await sql('DELETE FROM todos');
  });

  const refusedJoins = {
    'no topic name': ['realtime:', {}, {}, /^TopicNameRequired: /],
    'another topic': ['todos', {}, {}, /^unmatched topic$/],
    'a malformed token': ['realtime:a', {}, { access_token: 'abc' }, /^MalformedJWT: /],
    'a bad signature': ['realtime:a', {}, { access_token: sign({ role: 'anon', exp: now_s() + 60 }, { secret: 'y'.repeat(40) }) }, /^JwtSignatureError: /],
    'an expired token': ['realtime:a', {}, { access_token: sign({ role: 'anon', exp: now_s() - 5 }) }, /^InvalidJWTToken: /],
    'a token without role': ['realtime:a', {}, { access_token: sign({ exp: now_s() + 60 }) }, /^InvalidJWTToken: /],
    'a token that is a number': ['realtime:a', {}, { access_token: 5 }, /^InvalidJoinPayload: /],
    'a private channel': ['realtime:a', { private: true }, {}, /^Unauthorized: /],
    'bindings that are no array': ['realtime:a', { postgres_changes: {} }, {}, /^InvalidJoinPayload: /],
    'a binding that is no object': ['realtime:a', { postgres_changes: ['x'] }, {}, /^InvalidJoinPayload: /],
    'an unknown event': ['realtime:a', { postgres_changes: [{ ...BINDING, event: 'MERGE' }] }, {}, /event must be/],
    'neither schema nor table': ['realtime:a', { postgres_changes: [{ event: '*' }] }, {}, /schema or table/],
    'a filter that is not understood': ['realtime:a', { postgres_changes: [{ ...BINDING, filter: 'id==1' }] }, {}, /^InvalidJoinPayload: filter: /],
    'a filter without a table': ['realtime:a', { postgres_changes: [{ event: '*', schema: 'public', filter: 'id=eq.1' }] }, {}, /needs a schema and a table/],
    'select with a wildcard': ['realtime:a', { postgres_changes: [{ event: '*', schema: 'public', table: '*', select: ['id'] }] }, {}, /select needs/],
    'select that is no list': ['realtime:a', { postgres_changes: [{ ...BINDING, select: 'id' }] }, {}, /select must be/],
    'too many bindings': ['realtime:a', { postgres_changes: Array(101).fill(BINDING) }, {}, /too many/],
  };
  for (const [what, [topic, config, more, reason]] of Object.entries(refusedJoins)) {
    test(`a join with ${what} is refused, and the connection lives on`, async (t) => {
      const client = await raw(t);
      client.join('1', topic, config, more);
      const [, , , , { status, response }] = await client.reply('1');
      assert.equal(status, 'error');
      assert.match(response.reason, reason);
      client.join('2', 'realtime:a', { postgres_changes: [BINDING] }, { access_token: 'sb_publishable_key' });
      assert.equal((await client.reply('2'))[4].status, 'ok');
    });
  }

  test('more channels than allowed are refused; leaving makes room', async (t) => {
    const client = await raw(t);
    for (const ref of ['1', '2', '3']) {
      client.join(ref, `realtime:${ref}`);
      assert.equal((await client.reply(ref))[4].status, 'ok');
    }
    client.join('4', 'realtime:4');
    assert.match((await client.reply('4'))[4].response.reason, /^ChannelRateLimitReached: /);
    client.send(['1', '5', 'realtime:1', 'phx_leave', {}]);
    client.join('6', 'realtime:4');
    assert.equal((await client.reply('6'))[4].status, 'ok');
  });

  test('a refreshed token keeps the channel past the first one’s expiry; a bad one closes it', async (t) => {
    const client = await raw(t);
    const short = sign({ role: 'anon', exp: now_s() + 2 });
    for (const [ref, topic] of [['1', 'realtime:kept'], ['2', 'realtime:lost'], ['3', 'realtime:bad']]) {
      client.join(ref, topic, { postgres_changes: [BINDING] }, { access_token: short });
      assert.equal((await client.reply(ref))[4].status, 'ok');
    }
    client.send(['1', '4', 'realtime:kept', 'access_token', { access_token: good() }]);
    client.send(['3', '5', 'realtime:bad', 'access_token', { access_token: 'rubbish' }]);
    const isError = (topic) => (message) => message[2] === topic && message[3] === 'system' && message[4].status === 'error';
    assert.match((await client.next('bad', isError('realtime:bad')))[4].message, /^MalformedJWT/);
    await client.next('its close', (message) => message[2] === 'realtime:bad' && message[3] === 'phx_close');
    assert.match((await client.next('expiry', isError('realtime:lost')))[4].message, /^InvalidJWTToken: .*suspended/);
    await sql('INSERT INTO todos VALUES (3)');
    await client.next('a change', (message) => message[2] === 'realtime:kept' && message[3] === 'postgres_changes');
    assert.ok(!client.received.some((message) => message[1] === '4'), 'a good refresh is not answered');
    await sql('DELETE FROM todos');
  });

  test('a token of another role moves the channel without a gap or a double', async (t) => {
    const client = await joined(t, 'realtime:moves', [{ event: 'INSERT', schema: 'public', table: 'todos' }]);
    const writer = await house.postgres.connect();
    const roles = ['authenticated', 'service_role', 'anon'];
    t.after(() => writer.end());
    for (let i = 0; i < 300; i++) {
      if (i % 31 === 10)
        client.send(['1', `t${i}`, 'realtime:moves', 'access_token', { access_token: good({ role: roles[i % roles.length] }) }]);
      await writer.query('INSERT INTO todos VALUES ($1)', [10_000 + i]);
    }
    const rows = () => client.received.filter((message) => message[3] === 'postgres_changes').map((message) => message[4].data.record.id);
    await waitFor('all rows', () => rows().includes(10_299));
    assert.deepEqual(rows(), Array.from({ length: 300 }, (_, i) => 10_000 + i));
    await sql('DELETE FROM todos');
  });

  test('an event that is not served is answered with an error', async (t) => {
    const client = await joined(t);
    client.send(['1', '2', 'realtime:room', 'dance', {}]);
    assert.match((await client.reply('2'))[4].response.reason, /^UnknownEvent/);
  });

  suite('what is not the protocol closes that client and no other', () => {
    const text = (value) => ({ opcode: 1, payload: Buffer.from(value) });
    const cases = {
      'text that is not JSON': [text('nonsense'), 1007],
      'a message that is no array': [text('{"topic":"a"}'), 1007],
      'four elements': [text('["1","1","realtime:a","x"]'), 1007],
      'six elements': [text('["1","1","realtime:a","x",{},1]'), 1007],
      'a topic that is a number': [text('["1","1",5,"x",{}]'), 1007],
      'a ref that is an object': [text('["1",{},"realtime:a","x",{}]'), 1007],
      'a topic over its length': [text(JSON.stringify(['1', '1', 'x'.repeat(2000), 'x', {}])), 1007],
      'nesting without end': [text(`["1","1","a","x",${'['.repeat(5000)}`), 1007],
      'something behind the message': [text('["1","1","a","x",{}] {}'), 1007],
      'text that is not UTF-8': [{ opcode: 1, payload: Buffer.from([0x5B, 0xC3, 0x28, 0x5D]) }, 1007],
      'an overlong UTF-8 form': [{ opcode: 1, payload: Buffer.from([0x22, 0xC0, 0xAF, 0x22]) }, 1007],
      'an empty text': [text(''), 1007],
      'binary of an unknown kind': [{ opcode: 2, payload: Buffer.from([9, 0, 0, 0, 0, 0, 0]) }, 1003],
      'a binary push shorter than it says': [{ opcode: 2, payload: Buffer.from([3, 200, 0, 0, 0, 0, 0]) }, 1003],
      'an empty binary': [{ opcode: 2, payload: Buffer.alloc(0) }, 1003],
      'a frame without mask': [{ ...text('[]'), masked: false }, 1002],
      'reserved bits': [{ ...text('[]'), first: 0xC1 }, 1002],
      'an unknown opcode': [{ opcode: 3, payload: Buffer.alloc(0) }, 1002],
      'an unknown control opcode': [{ opcode: 11, payload: Buffer.alloc(0) }, 1002],
      'a fragmented ping': [{ opcode: 9, payload: Buffer.alloc(0), final: false }, 1002],
      'a long ping': [{ opcode: 9, payload: Buffer.alloc(126) }, 1002],
      'a continuation of nothing': [{ opcode: 0, payload: Buffer.from('x') }, 1002],
      'a message over ws.max_frame_bytes': [text(`["1","1","a","x","${'y'.repeat(70_000)}"]`), 1009],
      'a frame that claims 2^62 bytes': [{ header: Buffer.from([0x81, 0xFF, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]) }, 1009],
      'a frame that claims 2^63 bytes': [{ header: Buffer.from([0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]) }, 1002],
      'a close of one byte': [{ opcode: 8, payload: Buffer.from([3]) }, 1002],
      'a close code that may not be sent': [{ opcode: 8, payload: Buffer.from([0x03, 0xED]) }, 1002],
      'a close reason that is not UTF-8': [{ opcode: 8, payload: Buffer.from([0x03, 0xE8, 0xC3, 0x28]) }, 1007],
      'fragments over the limit': [[{ opcode: 1, payload: Buffer.alloc(40_000, 0x20), final: false },
        { opcode: 0, payload: Buffer.alloc(40_000, 0x20), final: true }], 1009],
      'a new message inside another': [[{ opcode: 1, payload: Buffer.from('['), final: false }, text('[]')], 1002],
    };

    function frameBytes({ header, opcode, payload, final = true, masked = true, first }) {
      if (header) return header;
      const size = payload.length < 126 ? 0 : payload.length < 65_536 ? 2 : 8;
      const head = Buffer.alloc(2 + size);
      head[0] = first ?? ((final ? 0x80 : 0) | opcode);
      head[1] = (masked ? 0x80 : 0) | (size === 0 ? payload.length : size === 2 ? 126 : 127);
      if (size === 2) head.writeUInt16BE(payload.length, 2);
      if (size === 8) head.writeBigUInt64BE(BigInt(payload.length), 2);
      if (!masked) return Buffer.concat([head, payload]);
      const mask = Buffer.from([0x11, 0x22, 0x33, 0x44]);
      return Buffer.concat([head, mask, Buffer.from(payload.map((byte, i) => byte ^ mask[i & 3]))]);
    }

    async function open(t) {
      const socket = connect(house.walcast.port, '127.0.0.1');
      t.after(() => socket.destroy());
      socket.on('error', () => {});
      const state = { socket, bytes: Buffer.alloc(0), ended: false };
      socket.on('data', (chunk) => { state.bytes = Buffer.concat([state.bytes, chunk]); });
      socket.on('end', () => { state.ended = true; });
      socket.write(`GET /realtime/v1/websocket?vsn=2.0.0&apikey=${good()} HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\n` +
        'Upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
      await waitFor('the upgrade', () => state.bytes.includes('\r\n\r\n'));
      const head = state.bytes.toString('latin1');
      assert.match(head, /^HTTP\/1\.1 101 /);
      assert.match(head, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/); // RFC 6455 1.3
      assert.match(head, /X-Request-Id: /);
      state.bytes = state.bytes.subarray(state.bytes.indexOf('\r\n\r\n') + 4);
      return state;
    }

    for (const [what, [frames, code]] of Object.entries(cases)) {
      test(`${what}: ${code}`, async (t) => {
        const state = await open(t);
        for (const frame of [frames].flat()) state.socket.write(frameBytes(frame));
        await waitFor('the close frame', () => state.bytes.length >= 4);
        assert.equal(state.bytes[0], 0x88, state.bytes.toString('hex'));
        assert.equal(state.bytes.readUInt16BE(2), code, state.bytes.subarray(4).toString());
        state.socket.write(frameBytes({ opcode: 8, payload: Buffer.from([0x03, 0xE8]) }));
        await waitFor('the end', () => state.ended);
      });
    }

    test('frames byte by byte, fragments with a ping between them, and a pong for it', async (t) => {
      const state = await open(t);
      const message = '["1","9","phoenix","heartbeat",{}]';
      const bytes = Buffer.concat([
        frameBytes({ opcode: 1, payload: Buffer.from(message.slice(0, 10)), final: false }),
        frameBytes({ opcode: 9, payload: Buffer.from('ping!') }),
        frameBytes({ opcode: 0, payload: Buffer.from(message.slice(10, 11)), final: false }),
        frameBytes({ opcode: 0, payload: Buffer.from(message.slice(11)) }),
      ]);
      for (const byte of bytes) {
        state.socket.write(Buffer.from([byte]));
        await new Promise((next) => setImmediate(next));
      }
      await waitFor('both answers', () => state.bytes.includes('phx_reply'));
      assert.deepEqual(state.bytes.subarray(0, 7), Buffer.from('\x8a\x05ping!', 'latin1'));
      state.socket.write(frameBytes({ opcode: 8, payload: Buffer.from([0x0F, 0xA1, 0x62]) }));
      await waitFor('the end', () => state.ended);
      assert.deepEqual(state.bytes.subarray(-4), Buffer.from([0x88, 0x02, 0x0F, 0xA1]), 'the peer’s code is repeated');
    });

    test('everybody else was served all the while', (t) => stillServes(t));
  });

  test('a client that does not read is closed with its reason counted; others get every change', async (t) => {
    const reader = await joined(t, 'realtime:reader');
    const stuck = await joined(t, 'realtime:stuck');
    stuck.socket.pause();
    const beats = setInterval(() => { // else they would be closed as silent
      for (const client of [reader, stuck]) client.send([null, 'beat', 'phoenix', 'heartbeat', {}]);
    }, 1000);
    t.after(() => clearInterval(beats));
    const rows = () => reader.received.filter((message) => message[3] === 'postgres_changes').length;
    for (let i = 0; i < 80; i++) {
      await sql("INSERT INTO todos SELECT $1 * 1000 + i, repeat('x', 1000) FROM generate_series(1, 500) i", [i + 1]);
      await waitFor('a reader that is no slow one itself', () => rows() > (i - 8) * 500, 60_000);
    }
    await waitFor('the cut', async () => (await house.walcast.metric('walcast_ws_slow_clients_closed_total')) === 1, 60_000);
    await waitFor('all rows', () => rows() === 40_000, 60_000);
    await sql('TRUNCATE todos');
  });

  // It is read no faster than it may ask. What it does not read fills the sockets' buffers within some
  // two seconds: whoever reads on before that has every answer, else it is closed as too slow.
  test('a client that asks and does not read: nothing piles up, others are served, it has every answer or is closed', async (t) => {
    const walcast = await Walcast.start({ ...house, args: ['--roles', 'ws'],
      config: { 'ws.queue_bytes': '16KiB' } });
    t.after(() => walcast.remove());
    await walcast.ready();
    const connect = () => RawClient.connect(t, websocketUrl(walcast, { apikey: good(), vsn: '2.0.0' }));
    const bystander = await connect();
    const client = await connect();
    const isOpen = () => client.socket.readyState === client.socket.OPEN;
    const topic = `realtime:${'x'.repeat(1000)}`;
    client.socket.pause();
    let asked = 0;
    await waitFor('the server to read no more', async () => {
      for (let i = 0; i < 500; i++) {
        client.join(`${asked}`, topic, { postgres_changes: [BINDING] });
        client.send([`${asked}`, `leave ${asked++}`, topic, 'phx_leave', {}]);
      }
      return client.socket.bufferedAmount > 1e6 || !isOpen();
    }, 60_000);
    bystander.join('1', 'realtime:fine', { postgres_changes: [BINDING] });
    assert.equal((await bystander.reply('1'))[4].status, 'ok');
    const held = await walcast.metric('walcast_ws_held_bytes');
    assert.ok(held < 256 * 1024, `${held} bytes wait`);
    client.socket.resume();
    const leaves = () => client.received.filter(([, ref, , event]) => event === 'phx_reply' && /^leave/.test(ref));
    await waitFor('the last reply, or its end', () => !isOpen() || leaves().length >= asked, 120_000, 200);
    const slow = await walcast.metric('walcast_ws_slow_clients_closed_total');
    t.diagnostic(`${leaves().length} of ${asked} answers${slow ? ', then closed' : ''}`);
    if (leaves().length !== asked) assert.equal(slow, 1);
  });

  test('a silent client is closed after ws.idle_timeout; a heartbeat keeps one', async (t) => {
    const silent = await raw(t);
    const beating = await raw(t);
    const timer = setInterval(() => beating.send([null, '1', 'phoenix', 'heartbeat', {}]), 1000);
    t.after(() => clearInterval(timer));
    const { code, reason } = await silent.closed;
    assert.equal(code, 1001);
    assert.match(reason, /nothing was heard/);
    assert.equal(beating.socket.readyState, beating.socket.OPEN);
  });

  test('connections over ws.max_connections get 429, and the next one a place when one goes', async (t) => {
    const clients = [];
    for (;;) {
      const client = await raw(t).catch((response) => response);
      if (!(client instanceof RawClient)) {
        assert.equal(client.statusCode, 429);
        assert.ok(client.headers['retry-after']);
        break;
      }
      clients.push(client);
      assert.ok(clients.length <= 200);
    }
    clients[0].socket.close();
    await clients[0].closed;
    await waitFor('a place', () => raw(t).catch(() => false));
  });

  test('joins wait for the stream to exist; when it is made anew every channel must join again', async (t) => {
    const gateway = await startHouse(t, { walcast: false, schema: 'CREATE TABLE todos (id bigint PRIMARY KEY)' });
    const walcast = await Walcast.start({ ...gateway, args: ['--roles', 'ws'] });
    t.after(() => walcast.remove());
    const stream = { name: 'WALCAST', subjects: ['atlasdb.*.*.*.*'], discard: 'new' };
    const client = await waitFor('it to listen', () =>
      RawClient.connect(t, websocketUrl(walcast, { apikey: good(), vsn: '2.0.0' })).catch(() => false));
    client.join('1', 'realtime:waits', { postgres_changes: [BINDING] });
    client.send([null, '2', 'phoenix', 'heartbeat', {}]);
    await client.reply('2');
    assert.equal(client.received.length, 0);
    assert.equal((await fetch(`${walcast.url}/health/ready`)).status, 503);
    await gateway.nats.manage((manager) => manager.streams.add(stream));
    assert.equal((await client.reply('1'))[4].status, 'ok');
    await walcast.ready();
    await gateway.nats.manage(async (manager) => {
      await manager.streams.delete('WALCAST');
      await manager.streams.add(stream);
    });
    await client.next('the error', (message) => message[3] === 'system' && message[4].status === 'error', 30_000);
    assert.deepEqual(await client.next('phx_error', (message) => message[3] === 'phx_error'),
      ['1', '1', 'realtime:waits', 'phx_error', {}]);
    client.join('3', 'realtime:waits', { postgres_changes: [BINDING] });
    assert.equal((await client.reply('3'))[4].status, 'ok');
  });

  test('a join that waits too long is refused before the client gives up', async (t) => {
    const { nats } = await startHouse(t, { walcast: false });
    const walcast = await Walcast.start({ nats, args: ['--roles', 'ws'] });
    t.after(() => walcast.remove());
    const client = await waitFor('it to listen', () =>
      RawClient.connect(t, websocketUrl(walcast, { apikey: good(), vsn: '2.0.0' })).catch(() => false));
    const start = performance.now();
    client.join('1', 'realtime:waits', { postgres_changes: [BINDING] });
    assert.match((await client.reply('1'))[4].response.reason, /^RealtimeRestarting: /);
    assert.ok(performance.now() - start < 9500);
  });

  test('no token and no secret is in the log', () => {
    const log = house.walcast.logText();
    assert.match(log, /following the change stream/);
    assert.doesNotMatch(log, /eyJ|apikey=/);
    assert.ok(!log.includes(JWT_SECRET));
  });
});
