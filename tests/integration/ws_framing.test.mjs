// WebSocket framing over raw TCP, by the groups of the Autobahn suite (1 lengths, 2 pings, 3 reserved
// bits, 4 reserved opcodes, 5 fragments, 6 UTF-8, 7 closing, 9 limits, 10 and 12/13 compression).
//
// The endpoint echoes nothing, so what arrived is proved by what is answered: a heartbeat repeats its
// ref, the refusal of a topic repeats the topic. A good client beside must get every row meanwhile.
import assert from 'node:assert/strict';
import { deflateRawSync, inflateRawSync, constants } from 'node:zlib';
import { after, before, suite, test } from 'node:test';
import { BINARY, CLOSE, closeFrame, CONTINUATION, fragments, frame, PING, PONG, RawSocket, TEXT } from '../lib/frames.mjs';
import { startHouse } from '../lib/house.mjs';
import { RawClient, websocketUrl } from '../lib/realtime.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { waitFor } from '../lib/wait.mjs';

const LIMIT = 1 << 18; // ws.max_frame_bytes

// A heartbeat of exactly `length` bytes (at least 60).
function heartbeat(ref, length = 60) {
  const bare = JSON.stringify([null, ref, 'phoenix', 'heartbeat', { x: '' }]);
  return Buffer.from(JSON.stringify([null, ref, 'phoenix', 'heartbeat', { x: 'x'.repeat(length - bare.length) }]));
}
const heartbeatReply = (ref) => JSON.stringify([null, ref, 'phoenix', 'phx_reply', { status: 'ok', response: {} }]);
// What is answered with the topic in it.
const unjoined = (topic) => JSON.stringify([null, '1', topic, 'x', {}]);
// A binary push of exactly `length` bytes to a topic that is not joined.
function push(ref, length) {
  const topic = 'realtime:x';
  const head = Buffer.from([3, 0, ref.length, topic.length, 1, 0, 0]);
  const texts = Buffer.from(`${ref}${topic}e`);
  return Buffer.concat([head, texts, Buffer.alloc(length - head.length - texts.length, 0xFF)]);
}

for (const compression of [false, true]) {
  suite(`framing${compression ? ', with ws.compression on and not asked for' : ''}`, () => {
    let house;
    let good; // the client beside
    let rows = 0;
    const cleanups = [];
    const suiteT = { after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true };
    const path = () => `/realtime/v1/websocket?vsn=2.0.0&apikey=${goodToken()}`;
    const open = (t, options) => RawSocket.open(t, house.walcast.port, path(), options);
    before(async () => {
      house = await startHouse(suiteT, {
        schema: 'CREATE TABLE todos (id bigint PRIMARY KEY)',
        config: { 'ws.max_frame_bytes': `${LIMIT}B`, 'ws.compression': compression },
      });
      good = await RawClient.connect(suiteT, websocketUrl(house.walcast, { apikey: goodToken(), vsn: '2.0.0' }));
      good.join('1', 'realtime:good', { postgres_changes: [{ event: 'INSERT', schema: 'public', table: 'todos' }] });
      assert.equal((await good.reply('1'))[4].status, 'ok');
    });
    after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

    // After each group: a row, for the client beside.
    const row = () => house.postgres.query('INSERT INTO todos VALUES ($1)', [++rows]);

    async function answers(raw, ref) {
      const got = await raw.next();
      assert.deepEqual([got.opcode, got.final, got.rsv, got.masked], [TEXT, true, 0, false]);
      assert.equal(got.payload.toString(), heartbeatReply(ref));
    }

    async function stillOpen(raw, ref = 'alive') {
      await raw.send(frame(TEXT, heartbeat(ref)));
      await answers(raw, ref);
    }

    // Closed with that code and nothing else sent, then the end.
    async function refused(t, frames, code, { chop, answered = 0 } = {}) {
      const raw = await open(t);
      await raw.send(frames, chop);
      const close = await raw.close();
      assert.equal(close.code, code, close.reason);
      assert.equal(close.before.length, answered);
      assert.equal(close.behind.length, 0, 'nothing comes after a close frame');
      assert.ok(Buffer.byteLength(close.reason) <= 123);
      await raw.send(closeFrame(1000));
      await raw.end();
    }

    test('1.1 text of every kind of length, whole and chopped', async (t) => {
      const raw = await open(t);
      for (const length of [60, 124, 125, 126, 127, 128, 65_535, 65_536, 65_537, LIMIT])
        for (const chop of [undefined, 997]) {
          const ref = `${length}/${chop ?? 'whole'}`;
          await raw.send(frame(TEXT, heartbeat(ref, length)), chop);
          await answers(raw, ref);
        }
    });

    test('1.2 binary of every kind of length', async (t) => {
      const raw = await open(t);
      for (const length of [30, 125, 126, 127, 128, 65_535, 65_536, LIMIT])
        for (const chop of [undefined, 997]) {
          await raw.send(frame(BINARY, push('b', length)), chop);
          const { payload } = await raw.next();
          const [joinRef, ref, topic, event, { status }] = JSON.parse(payload);
          assert.deepEqual([joinRef, ref, topic, event, status], [null, 'b', 'realtime:x', 'phx_reply', 'error']);
        }
    });

    test('frames in the same segment as the handshake are read', async (t) => {
      const raw = await open(t, { with: Buffer.concat([frame(PING, 'early'), frame(TEXT, heartbeat('early'))]) });
      assert.equal((await raw.next()).payload.toString(), 'early');
      await answers(raw, 'early');
    });

    test('2 pings are answered with their bytes, in order; pongs are ignored', async (t) => {
      const raw = await open(t);
      const payloads = ['', 'Hello, world!', Buffer.from([0, 255, 254, 253, 252, 251, 0, 255]), Buffer.alloc(125, 0xFE),
        ...Array.from({ length: 10 }, (_, i) => `payload-${i}`)];
      for (const chop of [undefined, 1]) {
        await raw.send([frame(PONG), frame(PONG, 'unsolicited'), payloads.map((payload) => frame(PING, payload))], chop);
        for (const payload of payloads) {
          const pong = await raw.next();
          assert.deepEqual([pong.opcode, pong.final, pong.payload], [PONG, true, Buffer.from(payload)]);
        }
      }
      await stillOpen(raw);
    });
    test('2.5 a ping of 126 bytes', (t) => refused(t, frame(PING, Buffer.alloc(126)), 1002));
    test('2 a pong of 126 bytes', (t) => refused(t, frame(PONG, Buffer.alloc(126)), 1002));

    for (const rsv of [1, 2, 3, 4, 5, 6, 7])
      test(`3 reserved bits ${rsv}`, async (t) => {
        // RSV1 is refused like the others: this client has not asked for compression.
        await refused(t, frame(TEXT, heartbeat('1'), { rsv }), 1002);
        await refused(t, [frame(TEXT, heartbeat('1')), frame(BINARY, push('2', 40), { rsv })], 1002, { answered: 1 });
        await refused(t, frame(PING, 'x', { rsv }), 1002, { chop: 1 });
        await refused(t, frame(CLOSE, '', { rsv }), 1002);
        await refused(t, [frame(TEXT, '[', { final: false }), frame(CONTINUATION, ']', { rsv })], 1002);
      });

    for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
      test(`4 reserved opcode ${opcode}`, async (t) => {
        await refused(t, frame(opcode), 1002);
        await refused(t, frame(opcode, 'payload'), 1002);
        await refused(t, [frame(TEXT, heartbeat('1')), frame(opcode, 'x'), frame(PING)], 1002, { answered: 1 });
        await refused(t, frame(opcode, 'x', { final: false }), 1002, { chop: 1 });
      });

    const half = (text, at = 10) => [Buffer.from(text).subarray(0, at), Buffer.from(text).subarray(at)];
    test('5 fragments: of text and binary, chopped, with pings between, many, empty ones', async (t) => {
      const raw = await open(t);
      for (const chop of [undefined, 1]) {
        await raw.send(fragments(TEXT, half(heartbeat('two'))), chop);
        await answers(raw, 'two');
        await raw.send(fragments(TEXT, half(heartbeat('ping')), { between: [frame(PING, 'mid'), frame(PONG, 'x')] }), chop);
        assert.deepEqual((await raw.next()).payload.toString(), 'mid');
        await answers(raw, 'ping');
        await raw.send(fragments(TEXT, ['', '', ...half(heartbeat('empty')), '']), chop);
        await answers(raw, 'empty');
        await raw.send(fragments(TEXT, [...heartbeat('bytes')].map((byte) => Buffer.from([byte])), { between: [frame(PING)] }), chop);
        for (let i = 0; i < 59; i++) assert.equal((await raw.next()).opcode, PONG);
        await answers(raw, 'bytes');
        await raw.send(fragments(BINARY, half(push('b', 500))), chop);
        assert.equal(JSON.parse((await raw.next()).payload)[1], 'b');
      }
      const long = heartbeat('long', 65_536); // 10.1.1
      await raw.send(fragments(TEXT, Array.from({ length: Math.ceil(65_536 / 1300) }, (_, i) => long.subarray(i * 1300, (i + 1) * 1300))));
      await answers(raw, 'long');
    });
    const badFragments = {
      'a fragmented ping': frame(PING, 'x', { final: false }),
      'a fragmented pong': frame(PONG, 'x', { final: false }),
      'a fragmented close': frame(CLOSE, '', { final: false }),
      'a ping that is continued': [frame(PING, 'x', { final: false }), frame(CONTINUATION, 'y')],
      'a continuation of nothing': frame(CONTINUATION, 'x'),
      'an unfinished continuation of nothing': frame(CONTINUATION, 'x', { final: false }),
      'a text in an unfinished text': [frame(TEXT, '[', { final: false }), frame(TEXT, heartbeat('1'))],
      'a binary in an unfinished text': [frame(TEXT, '[', { final: false }), frame(BINARY, push('1', 40))],
      'unfinished text twice': [frame(TEXT, '[', { final: false }), frame(TEXT, '[', { final: false })],
    };
    for (const [what, frames] of Object.entries(badFragments)) {
      test(`5 ${what}`, (t) => refused(t, frames, 1002));
      test(`5 ${what}, chopped`, (t) => refused(t, frames, 1002, { chop: 1 }));
    }
    test('5.15 a continuation behind a whole message', (t) =>
      refused(t, [fragments(TEXT, half(heartbeat('1'))), frame(CONTINUATION, 'x', { final: false })], 1002, { answered: 1 }));

    // By code points: the edges of each length, and of what does not exist.
    const valid = ['Hello-µ@ßöäüàá-UTF-8!!', 'κόσμε', '\u0000'.replace('\u0000', '\\u0000'), '\u007F', '\u0080', '\u07FF', '\u0800',
      '\uD7FF', '\uE000', '\uFFFD', '\uFFFE', '\uFFFF', '\u{10000}', '\u{10FFFF}', '\u{1F600}', '\uFEFF', '日本語'];
    test('6 valid UTF-8 goes in and out unchanged, wherever it is cut', async (t) => {
      const raw = await open(t);
      for (const text of valid) {
        const topic = `realtime:${text}`;
        const message = Buffer.from(`[null,"1","${topic}","x",{}]`);
        const cuts = [undefined, ...Array.from({ length: message.length }, (_, i) => i)];
        await raw.send(cuts.map((cut) => (cut === undefined ? frame(TEXT, message) : fragments(TEXT, half(message, cut)))));
        const expected = text.startsWith('\\') ? 'realtime:\u0000' : topic;
        for (const cut of cuts)
          assert.equal(JSON.parse((await raw.next()).payload)[2], expected, `${text} cut at ${cut}`);
      }
      await raw.send(fragments(TEXT, [...Buffer.from(unjoined('realtime:日本語\u{1F600}'))].map((byte) => Buffer.from([byte]))), 1);
      assert.equal(JSON.parse((await raw.next()).payload)[2], 'realtime:日本語\u{1F600}');
    });

    const invalid = ['CEBAE1BDB9CF83CEBCCEB5EDA080656469746564', '80', 'BF', '8080', '80BF80BF', 'C220', 'C0', 'DF', 'E08080',
      'E0A0', 'EF', 'EFBF', 'F0', 'F08080', 'F0908080F0', 'F4BFBFBF', 'F4908080', 'F5808080', 'F7BFBFBF', 'F8888080', 'FBBFBFBFBF',
      'FC8480808080', 'FDBFBFBFBFBF', 'FE', 'FF', 'FEFEFFFF', 'C0AF', 'E080AF', 'F08080AF', 'F8808080AF', 'C1BF', 'E09FBF',
      'F08FBFBF', 'C080', 'EDA080', 'EDAD80', 'EDAFBF', 'EDB080', 'EDBFBF', 'EDA080EDB080', 'EDAFBFEDBFBF'];
    test('6 invalid UTF-8 is refused with 1007, whole and in fragments', async (t) => {
      for (const hex of invalid) {
        const message = Buffer.concat([Buffer.from('[null,"1","realtime:'), Buffer.from(hex, 'hex'), Buffer.from('","x",{}]')]);
        await refused(t, frame(TEXT, message), 1007);
        await refused(t, fragments(TEXT, [...message].map((byte) => Buffer.from([byte]))), 1007);
        await refused(t, frame(BINARY, push('x', 40).fill(Buffer.from(hex, 'hex')[0], 8, 10)), 1003);
      }
    });
    test('6.4 it is refused with the fragment that shows it, before the message ends', async (t) => {
      for (const [begin, more] of [['[null,"\xCE\xBA\xE1\xBD\xB9', '\xF4\x90'], ['["', '\xC3\x28'], ['["\xF4', '\x90'],
        ['["\xED\xA0', ''], ['["\xC0', '']])
        await refused(t, [frame(TEXT, Buffer.from(begin, 'latin1'), { final: false }),
          ...(more ? [frame(CONTINUATION, Buffer.from(more, 'latin1'), { final: false })] : [])], 1007);
      const raw = await open(t); // a sequence that is not whole yet can still become one
      await raw.send(frame(TEXT, Buffer.from('["\xF4\x8F', 'latin1'), { final: false }));
      await raw.send(frame(PING, 'waiting'));
      assert.equal((await raw.next()).payload.toString(), 'waiting');
      await raw.send(frame(CONTINUATION, ''));
      assert.equal((await raw.close()).code, 1007);
    });

    test('7.1 the closing handshake: the code comes back, then the end', async (t) => {
      for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
        for (const reason of ['', 'bye', 'x'.repeat(123), 'ß'.repeat(61)]) {
          const raw = await open(t);
          await raw.send(closeFrame(code, reason));
          assert.equal((await raw.close()).code, code);
          await raw.end();
        }
      const empty = await open(t);
      await empty.send(frame(CLOSE));
      assert.equal((await empty.close()).code, undefined);
      await empty.end();
    });
    test('7.1 nothing behind a close frame is answered', async (t) => {
      for (const behind of [closeFrame(1000), frame(PING, 'late'), frame(TEXT, heartbeat('late')), frame(CONTINUATION, ']')])
        for (const chop of [undefined, 1]) {
          const raw = await open(t);
          await raw.send([frame(TEXT, '[', { final: false }), closeFrame(1000), behind], chop);
          await raw.end();
          assert.deepEqual(raw.frames.map(({ opcode }) => opcode), [CLOSE]);
        }
      const raw = await open(t); // what came before it is answered first
      await raw.send([frame(TEXT, heartbeat('before', LIMIT)), closeFrame(1000)]);
      await answers(raw, 'before');
      assert.equal((await raw.close()).code, 1000);
      await raw.end();
    });
    test('7.3 a close of one byte', (t) => refused(t, frame(CLOSE, Buffer.from([3])), 1002));
    test('7.3 a close reason of 124 bytes', (t) => refused(t, closeFrame(1000, 'x'.repeat(124)), 1002));
    test('7.5 a close reason that is not UTF-8', (t) => refused(t, closeFrame(1000, Buffer.from([0xCE, 0xBA, 0xED, 0xA0, 0x80])), 1007));
    for (const code of [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])
      test(`7.9 close code ${code}`, (t) => refused(t, closeFrame(code, 'x'), 1002));
    test('7 a client that vanishes without closing leaves nothing behind', async (t) => {
      const before = await house.walcast.metric('walcast_ws_connections');
      for (const bytes of [[], frame(TEXT, '[', { final: false }), frame(TEXT, heartbeat('1', 1000)).subarray(0, 500)]) {
        const raw = await open(t);
        await raw.send(bytes);
        raw.tcp.resetAndDestroy();
      }
      await waitFor('their end', async () => (await house.walcast.metric('walcast_ws_connections')) <= before);
    });

    test('9 messages at the limit pass, over it they close with 1009', async (t) => {
      const raw = await open(t);
      const whole = heartbeat('limit', LIMIT);
      for (const size of [64, 4096, 65_536, LIMIT]) {
        const parts = Array.from({ length: LIMIT / size }, (_, i) => whole.subarray(i * size, (i + 1) * size));
        await raw.send(fragments(TEXT, parts));
        await answers(raw, 'limit');
      }
      const over = Buffer.alloc(LIMIT + 1, 0x20);
      await refused(t, frame(TEXT, over), 1009);
      await refused(t, frame(BINARY, over), 1009);
      await refused(t, fragments(TEXT, [over.subarray(0, LIMIT), ' ']), 1009);
      await refused(t, fragments(BINARY, Array(20).fill(over.subarray(0, 20_000))), 1009);
      await refused(t, Buffer.from([0x81, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4]), 1009); // 4 GiB, announced
      await refused(t, Buffer.from([0x82, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255]), 1009);
      await refused(t, Buffer.from([0x82, 0xFF, 0xFF, 255, 255, 255, 255, 255, 255, 255]), 1002);
    });
    test('a frame without mask', (t) => refused(t, frame(TEXT, heartbeat('1'), { masked: false }), 1002));
    test('a length in more bytes than it needs is read all the same', async (t) => {
      const raw = await open(t); // RFC 6455 5.2 binds the sender; there is nothing to mistake
      const text = heartbeat('wide', 60);
      const mask = Buffer.from([0, 0, 0, 0]);
      await raw.send([Buffer.from([0x81, 0xFE, 0, 60]), mask, text]);
      await answers(raw, 'wide');
      await raw.send([Buffer.from([0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0, 60]), mask, text]);
      await answers(raw, 'wide');
    });

    test('the client beside got every row once, in order', async () => {
      await row();
      await row();
      const got = () => good.received.filter((message) => message[3] === 'postgres_changes').map((message) => message[4].data.record.id);
      await waitFor('the last row', () => got().includes(rows));
      assert.deepEqual(got(), Array.from({ length: rows }, (_, i) => i + 1));
      assert.ok(await house.walcast.metric('walcast_ws_malformed_frames_total') > 50);
      assert.ok(await house.walcast.metric('walcast_ws_oversize_closed_total') >= 6);
      await waitFor('one connection', async () => (await house.walcast.metric('walcast_ws_connections')) === 1);
      await waitFor('nothing held', async () => (await house.walcast.metric('walcast_ws_held_bytes')) === 0);
    });

    test('it ends cleanly: under a sanitizer, without a leak', async () => {
      assert.equal((await house.walcast.stop()).code, 0, house.walcast.logText().slice(-4000));
      assert.doesNotMatch(house.walcast.logText(), /Sanitizer/);
    });
  });
}

suite('12, 13: permessage-deflate', () => {
  let house;
  const cleanups = [];
  const suiteT = { after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true };
  before(async () => {
    house = await startHouse(suiteT, {
      schema: 'CREATE TABLE todos (id bigint PRIMARY KEY, title text)',
      config: { 'ws.max_frame_bytes': `${LIMIT}B`, 'ws.compression': true },
    });
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));
  const path = () => `/realtime/v1/websocket?vsn=2.0.0&apikey=${goodToken()}`;
  const open = (t, offer = 'permessage-deflate') =>
    RawSocket.open(t, house.walcast.port, path(), { headers: offer ? [`Sec-WebSocket-Extensions: ${offer}`] : [] });
  // RFC 7692 7.2.1: the last four bytes of the flush are left out.
  const deflate = (text, options) => deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH, ...options }).subarray(0, -4);
  const inflate = (bytes) => inflateRawSync(Buffer.concat([bytes, Buffer.from([0, 0, 0xFF, 0xFF])]), { finishFlush: constants.Z_SYNC_FLUSH });
  const textOf = ({ rsv, payload }) => (rsv === 4 ? inflate(payload) : payload).toString();

  async function answers(raw, ref) {
    const got = await raw.next();
    assert.equal(textOf(got), heartbeatReply(ref));
  }
  async function refused(t, frames, code) {
    const raw = await open(t);
    await raw.send(frames);
    assert.equal((await raw.close()).code, code);
    await raw.send(closeFrame(1000));
    await raw.end();
  }

  const ANSWER = /Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n/;
  test('offers: taken as without context, or declined as RFC 7692 says', async (t) => {
    for (const offer of ['permessage-deflate', 'permessage-deflate; client_max_window_bits', 'permessage-deflate; client_max_window_bits=9',
      'permessage-deflate; server_no_context_takeover', 'x-unknown, permessage-deflate', 'permessage-deflate; server_max_window_bits=9, permessage-deflate'])
      assert.match((await open(t, offer)).head, ANSWER, offer);
    for (const offer of ['', 'permessage-deflate; server_max_window_bits=9', 'permessage-deflate; client_max_window_bits=16',
      'permessage-deflate; x', 'permessage-deflate; server_no_context_takeover; server_no_context_takeover', 'permessage-bzip2']) {
      const raw = await open(t, offer);
      assert.doesNotMatch(raw.head, /Sec-WebSocket-Extensions/i, offer);
      await raw.send(frame(TEXT, deflate(heartbeat('1')), { rsv: 4 }));
      assert.equal((await raw.close()).code, 1002, 'compressed without having been agreed');
    }
  });

  test('messages of every length, compressed, stored and plain, whole and in fragments', async (t) => {
    const raw = await open(t);
    for (const length of [60, 125, 126, 127, 1000, 65_535, 65_536, LIMIT]) {
      const text = heartbeat('c', length);
      for (const options of [{}, { level: 9 }, { level: 0 }, { windowBits: 9 }, { strategy: constants.Z_HUFFMAN_ONLY }, { strategy: constants.Z_FIXED }]) {
        const payload = deflate(text, options);
        if (payload.length > LIMIT) continue;
        await raw.send(frame(TEXT, payload, { rsv: 4 }));
        await answers(raw, 'c');
        const third = Math.ceil(payload.length / 3);
        await raw.send(fragments(TEXT, [payload.subarray(0, third), payload.subarray(third, 2 * third), '', payload.subarray(2 * third)],
          { rsv: 4, between: [frame(PONG)] }), 4099);
        await answers(raw, 'c');
      }
      await raw.send(frame(TEXT, text));
      await answers(raw, 'c');
    }
    const final = Buffer.concat([deflateRawSync(heartbeat('final')), Buffer.from([0])]); // BFINAL, 7.2.3.4
    await raw.send(frame(TEXT, final, { rsv: 4 }));
    await answers(raw, 'final');
    await raw.send(frame(BINARY, deflate(push('b', 5000)), { rsv: 4 }));
    assert.equal(JSON.parse(textOf(await raw.next()))[1], 'b');
    for (const topic of ['realtime:κόσμε', 'realtime:\u{10FFFF}']) {
      await raw.send(frame(TEXT, deflate(unjoined(topic)), { rsv: 4 }));
      assert.equal(JSON.parse(textOf(await raw.next()))[2], topic);
    }
  });

  test('long answers come compressed, short ones plain, control frames always plain', async (t) => {
    const raw = await open(t);
    const topic = `realtime:${'long '.repeat(150)}`;
    await raw.send([frame(TEXT, unjoined(topic)), frame(TEXT, heartbeat('short')), frame(PING, 'x'.repeat(125))]);
    const long = await raw.next();
    assert.equal(long.rsv, 4);
    assert.ok(long.payload.length < 200);
    assert.equal(JSON.parse(textOf(long))[2], topic);
    assert.equal((await raw.next()).rsv, 0);
    const pong = await raw.next();
    assert.deepEqual([pong.opcode, pong.rsv, pong.payload.length], [PONG, 0, 125]);
  });

  test('what is not deflate, is cut, or is not UTF-8: 1007; what grows over the limit: 1009', async (t) => {
    const payload = deflate(heartbeat('1', 1000));
    await refused(t, frame(TEXT, 'this is not deflate', { rsv: 4 }), 1007);
    await refused(t, frame(TEXT, payload.subarray(0, payload.length - 5), { rsv: 4 }), 1007);
    await refused(t, frame(TEXT, deflate(Buffer.from([0x22, 0xC3, 0x28, 0x22])), { rsv: 4 }), 1007);
    await refused(t, frame(TEXT, '', { rsv: 4 }), 1007);
    await refused(t, fragments(TEXT, [payload.subarray(0, 3), Buffer.alloc(50, 0xFF)], { rsv: 4 }), 1007);
    await refused(t, [frame(TEXT, payload.subarray(0, 3), { rsv: 4, final: false }), frame(CONTINUATION, payload.subarray(3), { rsv: 4 })], 1002);
    await refused(t, frame(PING, 'x', { rsv: 4 }), 1002);
    await refused(t, frame(TEXT, deflate(Buffer.alloc(LIMIT + 1, 0x20)), { rsv: 4 }), 1009);
    const bomb = deflate(Buffer.alloc(200 << 20, 0x78), { level: 9 });
    assert.ok(bomb.length < LIMIT, 'it would pass the frame’s limit');
    const rss = async () => house.walcast.metric('process_resident_memory_bytes');
    const before = await rss();
    for (let i = 0; i < 5; i++) await refused(t, frame(TEXT, bomb, { rsv: 4 }), 1009);
    assert.ok((await rss()) - before < 32 << 20, 'a bomb is not blown up');
  });

  test('a change is compressed once for all clients, and read by the ws package as it was', async (t) => {
    const url = websocketUrl(house.walcast, { apikey: goodToken(), vsn: '2.0.0' });
    const join = async (client) => {
      client.join('1', 'realtime:room', { postgres_changes: [{ event: 'INSERT', schema: 'public', table: 'todos' }] });
      assert.equal((await client.reply('1'))[4].status, 'ok');
      await client.next('the system message', (message) => message[3] === 'system');
      return client;
    };
    const plain = await join(await RawClient.connect(t, url, { perMessageDeflate: false }));
    const clients = [];
    for (let i = 0; i < 20; i++) clients.push(await join(await RawClient.connect(t, url, { perMessageDeflate: true })));
    assert.match(clients[0].socket.extensions, /permessage-deflate/);
    const metric = 'walcast_ws_compressed_frames_total';
    const before = await house.walcast.metric(metric);
    const title = 'the same words, '.repeat(200);
    for (let i = 1; i <= 10; i++) await house.postgres.query('INSERT INTO todos VALUES ($1, $2)', [i, title]);
    for (const client of [plain, ...clients]) {
      const rows = () => client.received.filter((message) => message[3] === 'postgres_changes').map((message) => message[4].data.record);
      await waitFor('ten rows', () => rows().length === 10);
      assert.deepEqual(rows().map(({ id }) => id), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      assert.ok(rows().every((record) => record.title === title));
    }
    assert.equal((await house.walcast.metric(metric)) - before, 10);
    const read = (client) => client.socket._socket.bytesRead;
    assert.ok(read(clients[0]) < read(plain) / 4, `${read(clients[0])} against ${read(plain)}`);
  });

  test('it ends cleanly: under a sanitizer, without a leak', async () => {
    assert.equal((await house.walcast.stop()).code, 0, house.walcast.logText().slice(-4000));
    assert.doesNotMatch(house.walcast.logText(), /Sanitizer/);
  });
});
