// What a client may get wrong in the realtime protocol: malformed messages of both serializers, refs,
// events, and tokens of every broken kind at the handshake, at a join and at a refresh. Each has its
// answer, and a client beside gets every row all the while.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { RawClient, refusedHandshake, websocketUrl } from '../lib/realtime.mjs';
import { brokenTokens, goodToken, sign } from '../lib/tokens.mjs';
import { JWT_SECRET } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';

const BINDING = { event: 'INSERT', schema: 'public', table: 'todos' };

suite('bad input', () => {
  let house;
  let good;
  let rows = 0;
  const cleanups = [];
  const suiteT = { after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true };
  const url = (parameters) => websocketUrl(house.walcast, { apikey: goodToken(), vsn: '2.0.0', ...parameters });
  const connect = (t, parameters) => RawClient.connect(t, url(parameters));
  before(async () => {
    house = await startHouse(suiteT, {
      schema: 'CREATE TABLE todos (id bigint PRIMARY KEY)',
      config: { 'ws.max_frame_bytes': '64KiB', 'log.level': 'debug' },
    });
    good = await connect(suiteT);
    good.join('1', 'realtime:good', { postgres_changes: [BINDING] });
    assert.equal((await good.reply('1'))[4].status, 'ok');
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  const row = () => house.postgres.query('INSERT INTO todos VALUES ($1)', [++rows]);
  const heartbeat = async (client, ref) => {
    client.send([null, ref, 'phoenix', 'heartbeat', {}]);
    await client.reply(ref);
  };

  const deep = (open, close, n) => open.repeat(n) + close.repeat(n);
  const wrong2 = {
    'no JSON': 'hello', 'a word of JSON': 'true', 'a number': '1', 'null': 'null', 'a string': '"[]"', 'an object': '{}',
    'an object of 1.0.0': '{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"1"}',
    'an empty array': '[]', 'one element': '["1"]', 'four elements': '["1","1","a","b"]', 'six elements': '["1","1","a","b",{},null]',
    'an array that does not end': '["1","1","a","b",{}', 'a trailing comma': '["1","1","a","b",{},]', 'two messages': '["1","1","a","b",{}]["1","1","a","b",{}]',
    'single quotes': "['1','1','a','b',{}]", 'a comment': '["1","1","a","b",{}]//', 'a NUL': '["1","1","a","b",{}]\0', 'a byte order mark': '\uFEFF["1","1","a","b",{}]',
    'a control character in a string': '["1","1","a\n","b",{}]', 'a wrong escape': '["1","1","\\x61","b",{}]', 'half a surrogate': '["1","1","\\ud800","b",{}]',
    'a payload that is no JSON': '["1","1","a","b",{x}]', 'a payload with a number that is none': '["1","1","a","b",{"x":01}]', 'NaN': '["1","1","a","b",NaN]',
    'nesting without end': `["1","1","a","b",${deep('[', '', 5000)}`, 'nesting that ends': `["1","1","a","b",${deep('[', ']', 5000)}]`,
    'objects without end': `["1","1","a","b",${'{"x":'.repeat(5000)}`,
    'a topic that is null': '["1","1",null,"b",{}]', 'a topic that is an array': '["1","1",[],"b",{}]', 'a topic of 1,025 bytes': JSON.stringify(['1', '1', 'x'.repeat(1025), 'b', {}]),
    'an event that is null': '["1","1","a",null,{}]', 'an event of 256 bytes': JSON.stringify(['1', '1', 'a', 'x'.repeat(256), {}]),
    'a ref that is an array': '["1",[],"a","b",{}]', 'a ref that is true': '["1",true,"a","b",{}]', 'a join_ref that is an object': '[{},"1","a","b",{}]',
    'a ref of 100 bytes': JSON.stringify(['1', 'x'.repeat(100), 'a', 'b', {}]),
  };
  const object1 = (more) => JSON.stringify({ topic: 'phoenix', event: 'heartbeat', payload: {}, ref: '1', ...more });
  const wrong1 = {
    'no JSON': 'hello', 'an array of 2.0.0': '["1","1","phoenix","heartbeat",{}]', 'an empty object': '{}',
    'no topic': '{"event":"heartbeat","payload":{},"ref":"1"}', 'no event': '{"topic":"phoenix","payload":{},"ref":"1"}',
    'a topic that is a number': object1({ topic: 5 }), 'an event that is an object': object1({ event: {} }), 'a ref that is an object': object1({ ref: {} }),
    'a ref that is false': object1({ ref: false }), 'a join_ref that is an array': object1({ join_ref: [] }),
    'an object that does not end': object1().slice(0, -1), 'something behind it': `${object1()} {}`,
    'a key without quotes': '{topic:"phoenix"}', 'the same member for ever': `{${'"topic":"' + 'x'.repeat(900) + '",'}`.repeat(60),
    'nesting without end': `{"topic":"a","event":"b","payload":${deep('[', '', 5000)}`,
  };
  for (const [vsn, wrong] of [['2.0.0', wrong2], ['1.0.0', wrong1]])
    for (const [what, text] of Object.entries(wrong))
      test(`${vsn}: ${what}: closed with 1007 and a reason`, async (t) => {
        const client = await connect(t, { vsn });
        client.send(text);
        const { code, reason } = await client.closed;
        assert.equal(code, 1007, reason);
        assert.ok(reason.length > 5);
        if (rows < 40) await row();
      });

  const binary = (kind, lengths, encoding, rest = '') => Buffer.concat([Buffer.from([kind, ...lengths, encoding]), Buffer.from(rest)]);
  const wrongBinary = {
    'nothing': Buffer.alloc(0), 'a kind alone': Buffer.from([3]), 'kind 0': binary(0, [0, 0, 1, 1, 0], 0, 'te'), 'kind 4, the server’s': binary(4, [0, 0, 1, 1, 0], 0, 'te'),
    'a header cut short': Buffer.from([3, 0, 0, 0, 0, 0]), 'a join_ref beyond the end': binary(3, [9, 0, 0, 0, 0], 0, 'x'),
    'a topic beyond the end': binary(3, [1, 1, 255, 1, 0], 0, 'jrt'), 'metadata beyond the end': binary(3, [1, 1, 1, 1, 200], 0, 'jrte'),
    'encoding 2': binary(3, [1, 1, 1, 1, 0], 2, 'jrte{}'), 'JSON that is none': binary(3, [1, 1, 1, 1, 0], 1, 'jrte{x'), 'no JSON at all': binary(3, [1, 1, 1, 1, 0], 1, 'jrte'),
    'a topic that is not UTF-8': binary(3, [1, 1, 2, 1, 0], 0, Buffer.from([0x6A, 0x72, 0xC3, 0x28, 0x65])),
    'a ref of 200 bytes': binary(3, [1, 200, 1, 1, 0], 0, `j${'r'.repeat(200)}te`),
    'JSON nested without end': binary(3, [1, 1, 1, 1, 0], 1, `jrte${'['.repeat(5000)}`),
  };
  for (const [what, bytes] of Object.entries(wrongBinary))
    test(`binary: ${what}: closed with 1003 and a reason`, async (t) => {
      const client = await connect(t);
      client.send(bytes);
      const { code, reason } = await client.closed;
      assert.equal(code, 1003, reason);
      assert.ok(reason.length > 5);
    });
  test('binary in 1.0.0 is closed with 1003', async (t) => {
    const client = await connect(t, { vsn: '1.0.0' });
    client.send(binary(3, [1, 1, 1, 1, 0], 0, 'jrte'));
    assert.equal((await client.closed).code, 1003);
  });

  test('events and refs that nobody knows are answered or dropped, and the connection lives', async (t) => {
    const client = await connect(t);
    client.join('1', 'realtime:room', { postgres_changes: [BINDING] });
    assert.equal((await client.reply('1'))[4].status, 'ok');
    client.send(['1', '2', 'realtime:room', 'dance', {}]);
    assert.equal((await client.reply('2'))[4].status, 'error');
    client.send(['99', '3', 'realtime:room', 'phx_leave', {}]); // another join's: dropped
    client.send([null, '4', 'realtime:other', 'dance', {}]);
    assert.deepEqual((await client.reply('4'))[4], { status: 'error', response: { reason: 'unmatched topic' } });
    client.send([null, '5', 'phoenix', 'dance', {}]);
    assert.equal((await client.reply('5'))[4].status, 'error');
    client.send([null, '6', '', '', null]);
    assert.equal((await client.reply('6'))[4].status, 'error');
    for (const ref of [7, -1, 1.5, 1e300, 12345678901234567890n, null, '', '8"]', '\u0000', '日本']) {
      const text = typeof ref === 'bigint' ? `${ref}` : JSON.stringify(ref);
      client.send(`[null,${text},"phoenix","heartbeat",{}]`);
      await client.next(`the reply to ${text}`, (message) => message[2] === 'phoenix' && JSON.stringify(message[1]) === JSON.stringify(JSON.parse(text)));
    }
    client.send(['1', '9', 'realtime:room', 'access_token', 'x']);
    await client.next('the close', (message) => message[3] === 'phx_close');
    await heartbeat(client, '10');
    assert.ok(!client.received.some((message) => message[1] === '3'));
  });

  const payloads = {
    'null': 'null', 'an array': '[]', 'a string': '"x"', 'a number': '5', 'config null': '{"config":null}', 'config an array': '{"config":[]}', 'config a string': '{"config":"x"}',
    'postgres_changes a number': '{"config":{"postgres_changes":5}}', 'bindings of null': '{"config":{"postgres_changes":[null]}}', 'bindings of arrays': '{"config":{"postgres_changes":[[]]}}',
    'an event that is a number': '{"config":{"postgres_changes":[{"event":5,"schema":"public","table":"todos"}]}}',
    'a schema that is an object': '{"config":{"postgres_changes":[{"event":"*","schema":{},"table":"todos"}]}}',
    'a table of 256 bytes': JSON.stringify({ config: { postgres_changes: [{ event: '*', schema: 'public', table: 'x'.repeat(256) }] } }),
    'a filter that is an array': '{"config":{"postgres_changes":[{"event":"*","schema":"public","table":"todos","filter":["id=eq.1"]}]}}',
    'a filter without an operator': '{"config":{"postgres_changes":[{"event":"*","schema":"public","table":"todos","filter":"id"}]}}',
    'a filter of 30,000 bytes': JSON.stringify({ config: { postgres_changes: [{ ...BINDING, filter: `id=eq.${'1'.repeat(30_000)}` }] } }),
    'a select of numbers': '{"config":{"postgres_changes":[{"event":"*","schema":"public","table":"todos","select":[1]}]}}',
    'private that is an object': '{"config":{"private":{}}}',
    'a token that is an object': '{"config":{},"access_token":{}}',
  };
  test('joins with a malformed payload: refused with a reason, or taken as if empty; never closed', async (t) => {
    const client = await connect(t);
    let ref = 0;
    const outcomes = {};
    for (const [what, payload] of Object.entries(payloads)) {
      ref++;
      client.send(`["${ref}","${ref}","realtime:p${ref}","phx_join",${payload}]`);
      const { status, response } = (await client.reply(`${ref}`))[4];
      outcomes[what] = status;
      if (status === 'error') assert.match(response.reason, /^[A-Za-z]+: ./, what);
      else assert.deepEqual(response.postgres_changes, [], what);
    }
    const refused = Object.keys(outcomes).filter((what) => outcomes[what] === 'error');
    assert.ok(refused.length >= Object.keys(payloads).length - 7, `only ${refused} refused`);
    await heartbeat(client, 'after');
  });

  suite('tokens', () => {
    const CODES = /^(InvalidJWTToken|MalformedJWT|JwtSignatureError|Unauthorized): ./;
    for (const [what, token] of Object.entries(brokenTokens())) {
      test(`${what}: refused at the handshake, at a join and at a refresh`, async (t) => {
        const clean = !/[\s]|[^\x20-\x7E]/.test(token); // a header cannot carry the others
        const large = token.length > 50_000;
        if (!large) {
          const refused = await refusedHandshake(t, url({ apikey: token }));
          assert.equal(refused.status, 401, refused.body.error);
          assert.ok(refused.body.error.length > 5 && !refused.body.error.includes(token));
        }
        if (clean && !large)
          assert.equal((await refusedHandshake(t, websocketUrl(house.walcast, {}), { headers: { 'x-api-key': token } })).status, 401);
        const client = await connect(t);
        if (large) { // over ws.max_frame_bytes here
          client.join('1', 'realtime:a', {}, { access_token: token });
          assert.equal((await client.closed).code, 1009);
          return;
        }
        client.join('1', 'realtime:a', { postgres_changes: [BINDING] }, { access_token: token });
        const { status, response } = (await client.reply('1'))[4];
        assert.equal(status, 'error');
        assert.match(response.reason, CODES);
        for (const ref of ['2', '3']) {
          client.join(ref, `realtime:${ref}`, { postgres_changes: [BINDING] });
          assert.equal((await client.reply(ref))[4].status, 'ok');
        }
        client.send(['2', '4', 'realtime:2', 'access_token', { access_token: token }]);
        const told = await client.next('the error', (message) => message[2] === 'realtime:2' && message[3] === 'system' && message[4].status === 'error');
        assert.match(told[4].message, CODES);
        await client.next('its close', (message) => message[2] === 'realtime:2' && message[3] === 'phx_close');
        await row();
        await client.next('a change on the other channel', (message) => message[2] === 'realtime:3' && message[3] === 'postgres_changes');
      });
    }
    test('claims that are odd and not wrong are taken', async (t) => {
      const exp = Math.floor(Date.now() / 1000) + 600;
      for (const claims of [{ role: 'anon', exp, aud: ['a', 'b'] }, { role: 'anon', exp, sub: '日本"\\' }, { role: 'anon', exp: 253_402_300_799 },
        { role: 'anon', exp: exp + 0.5 }, { role: 'anon', exp, deep: JSON.parse(deep('[', ']', 20)) }]) {
        const client = await connect(t, { apikey: sign(claims) }).catch((response) => response);
        assert.ok(client instanceof RawClient, `${JSON.stringify(claims)}: ${client.statusCode}`);
      }
    });
  });

  test('the client beside got every row once, in order; no token and no secret is in the log', async () => {
    await row();
    const got = () => good.received.filter((message) => message[3] === 'postgres_changes').map((message) => message[4].data.record.id);
    await waitFor('the last row', () => got().includes(rows));
    assert.deepEqual(got(), Array.from({ length: rows }, (_, i) => i + 1));
    await waitFor('one connection', async () => (await house.walcast.metric('walcast_ws_connections')) === 1);
    const log = house.walcast.logText();
    assert.doesNotMatch(log, /eyJ|apikey=/);
    assert.ok(!log.includes(JWT_SECRET));
  });

  test('it ends cleanly: under a sanitizer, without a leak', async () => {
    assert.equal((await house.walcast.stop()).code, 0, house.walcast.logText().slice(-4000));
    assert.doesNotMatch(house.walcast.logText(), /Sanitizer/);
  });
});
