// Limits by tier, held over two gateways that know of each other only by NATS: over HTTP and sockets,
// with a true word when to come again; limits by address; and what becomes of them without NATS.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { RawClient, refusedHandshake, websocketUrl } from '../lib/realtime.mjs';
import { sseUrl } from '../lib/sse.mjs';
import { goodToken, sign } from '../lib/tokens.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';

const LIMIT = 60;
const WINDOW_MS = 2000;
const SLACK_MS = 500; // of a question and its answer, on a loaded machine
const BOUND = 1 + LIMIT / 4; // docs/LIMITS.md: N - 1, and what is told while others decide
const forged = () => sign({ role: 'anon', exp: 4e9, jti: `${Math.random()}` }, { secret: 'x'.repeat(40) });

suite('limits by tier', () => {
  let house;
  const cleanups = [];
  const args = ['--roles', 'ws'];
  const config = { 'limits.tier': 'pro', 'limits.pro': LIMIT, 'limits.window': `${WINDOW_MS}ms`, 'limits.sync': '100ms' };
  const start = async (more) => {
    const walcast = await Walcast.start({ postgres: house.postgres, nats: house.nats, args, config: more });
    cleanups.push(() => walcast.remove());
    return walcast.ready();
  };
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { schema: 'CREATE TABLE todos (id bigserial PRIMARY KEY)' });
  });
  after(async () => { for (const cleanup of cleanups.reverse()) await cleanup(); });

  const bothShare = (gateways) => waitFor('both gateways to share limits', async () => {
    for (const walcast of gateways)
      if (await walcast.metric('walcast_limits_nodes') !== 2 || await walcast.metric('walcast_limits_shared') !== 1) return false;
    return true;
  }, 20_000, 50);
  // Two gateways of a project that nobody has asked anything yet, for the test's time.
  const pairOf = async (t, project) => {
    const gateways = await Promise.all([0, 1].map(() => start({ ...config, project })));
    t.after(() => Promise.all(gateways.map((walcast) => walcast.stop())));
    await bothShare(gateways);
    return gateways;
  };
  // Resolves once `goes` is true; it must be by `wait_s` from now, as was said.
  const goesWithin = async (what, wait_s, goes) => {
    const begun = performance.now();
    await waitFor(what, goes);
    const took_ms = performance.now() - begun;
    assert.ok(took_ms <= wait_s * 1000 + SLACK_MS, `${what}: after ${took_ms} ms, ${wait_s} s were said`);
  };
  const say = (walcast, messages = 1, token = goodToken()) => fetch(`${walcast.url}/realtime/v1/api/broadcast`, {
    method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ messages: Array.from({ length: messages }, () => ({ topic: 'room', event: 'e', payload: {} })) }) });
  const connect = (t, walcast) => RawClient.connect(t, websocketUrl(walcast, { apikey: goodToken(), vsn: '2.0.0' }));
  const retry_s = (text) => Number(/try again in (\d+) s$/.exec(text)[1]);

  test('writes over HTTP: two gateways together admit the limit, and Retry-After is true', async (t) => {
    const gateways = await pairOf(t, 'http');
    const begun = performance.now();
    const answers = (await Promise.all(gateways.map((walcast) => Promise.all(Array.from({ length: 100 }, () => say(walcast)))))).flat();
    let admitted = answers.filter(({ status }) => status === 202).length;
    const refused = answers.find(({ status }) => status === 429);
    assert.ok(answers.every(({ status }) => status === 202 || status === 429));
    assert.match((await refused.json()).message, /^Too many messages of this project, try again in \d+ s$/);
    const wait_s = Number(refused.headers.get('retry-after'));
    assert.ok(wait_s >= 1 && wait_s <= 2 * WINDOW_MS / 1000 + 1, `${wait_s}`);
    // What is left in the next looks goes too, and not more.
    const until = Date.now() + 500;
    while (Date.now() < until)
      for (const walcast of gateways) admitted += (await say(walcast)).status === 202;
    const slid = LIMIT * (performance.now() - begun) / WINDOW_MS; // what the window let go meanwhile
    assert.ok(admitted >= LIMIT * 0.8 && admitted <= LIMIT + BOUND + slid, `${admitted} of ${LIMIT} and ${slid}`);
    const last = await waitFor('a refusal', async () => {
      const answer = await say(gateways[0]);
      return answer.status === 429 && answer;
    });
    await goesWithin('a message', Number(last.headers.get('retry-after')), async () => (await say(gateways[0])).status === 202);
    assert.equal((await say(gateways[0], LIMIT + 1)).status, 429);
    assert.match((await (await say(gateways[0], LIMIT + 1)).json()).message, /reduce the batch size/);
    assert.ok(await gateways[0].metric('walcast_limits_refused_total') > 50);
  });

  test('sockets: a join and messages are refused with when to try again, and no channel is closed', async (t) => {
    const [walcast] = await pairOf(t, 'sockets');
    const client = await connect(t, walcast);
    client.join('1', 'realtime:room', { broadcast: { ack: true } });
    assert.equal((await client.reply('1'))[4].status, 'ok');
    for (let i = 0; i < LIMIT + 40; i++)
      client.send(['1', `b${i}`, 'realtime:room', 'broadcast', { type: 'broadcast', event: 'e', payload: {} }]);
    const replies = () => client.received.filter((message) => message[3] === 'phx_reply' && /^b/.test(message[1]));
    await waitFor('an answer to each', () => replies().length === LIMIT + 40);
    const errors = replies().filter((message) => message[4].status === 'error');
    // Of a burst on one of two, half goes at once.
    assert.ok(errors.length >= 40 - BOUND && errors.length <= 40 + LIMIT / 2, `${errors.length} refused`);
    assert.ok(errors.every((message) => /^Too many messages of this project, try again in \d+ s$/.test(message[4].response.reason)));
    const told = client.received.filter((message) => message[3] === 'system' && message[4].status === 'error');
    assert.equal(told.length, 1, 'once a second at most');
    const said = told[0][4].message;
    // Reads have a window of their own.
    let refusal, ref = 2;
    await waitFor('a join that is refused', async () => {
      client.join(`j${ref}`, `realtime:other${ref % 50}`, {});
      const answer = await client.reply(`j${ref++}`);
      refusal = answer[4].status === 'error' && answer[4].response.reason;
      return refusal;
    }, 10_000, 0);
    assert.match(refusal, /^ClientJoinRateLimitReached: Too many requests of this project, try again in \d+ s$/);
    // A window lets one go every few milliseconds: until one is refused.
    const handshake = await waitFor('a handshake that is refused', () => refusedHandshake(t, websocketUrl(walcast, { apikey: goodToken() })));
    assert.equal(handshake.status, 429);
    const stream = await waitFor('a stream that is refused', async () => {
      const answer = await fetch(sseUrl(walcast, { table: 'not.a.table.', apikey: goodToken() }));
      return answer.status === 429 && answer;
    }, 10_000, 0);
    assert.equal(stream.headers.get('content-type'), 'application/problem+json');
    await goesWithin('the channel, as it was', retry_s(said), async () => {
      client.send(['1', `after${++ref}`, 'realtime:room', 'broadcast', { type: 'broadcast', event: 'e', payload: {} }]);
      return (await client.reply(`after${ref}`))[4].status === 'ok';
    });
    await goesWithin('a join', Math.max(retry_s(refusal), Number(stream.headers.get('retry-after'))), async () => {
      client.join(`again${++ref}`, 'realtime:again', {});
      return (await client.reply(`again${ref}`))[4].status === 'ok';
    });
    assert.equal(client.socket.readyState, client.socket.OPEN);
    assert.ok(!client.received.some((message) => ['phx_close', 'phx_error'].includes(message[3]) && message[2] === 'realtime:room'));
  });

  test('addresses: who guesses is not looked at, and connections have a number', async (t) => {
    const walcast = await start({ 'limits.auth_failures_per_minute': 8, 'limits.connections_per_address': 2, 'http.trusted_proxies': '127.0.0.1' });
    const as = (address, token, path = '/realtime/v1/sse') => fetch(`${walcast.url}${path}`, { headers: { 'x-forwarded-for': address, apikey: token } });
    const client = await RawClient.connect(t, websocketUrl(walcast, { apikey: goodToken(), vsn: '2.0.0' }), { headers: { 'x-forwarded-for': '192.0.2.1' } });
    for (let i = 0; i < 8; i++) assert.equal((await as('192.0.2.1', forged())).status, 401);
    const blocked = await as('192.0.2.1', goodToken());
    assert.equal(blocked.status, 429);
    assert.equal(blocked.headers.get('content-type'), 'application/problem+json');
    assert.ok(Number(blocked.headers.get('retry-after')) >= 1 && Number(blocked.headers.get('retry-after')) <= 8);
    assert.match((await blocked.json()).detail, /^Too many refused credentials from your address, try again in \d+ s$/);
    client.join('1', 'realtime:room', {}, { access_token: goodToken({ sub: 'x' }) });
    assert.match((await client.reply('1'))[4].response.reason, /^ConnectionRateLimitReached: Too many refused credentials/);
    client.join('2', 'realtime:room', {});
    assert.equal((await client.reply('2'))[4].status, 'ok', 'the handshake’s key goes on counting');
    client.send(['2', '3', 'realtime:room', 'access_token', { access_token: sign({ role: 'anon', exp: 1 }) }]);
    const kept = await client.next('a word on the token', (message) => message[3] === 'system');
    assert.match(kept[4].message, /^ConnectionRateLimitReached: Too many refused credentials/);
    assert.equal((await as('192.0.2.2', goodToken())).status, 400, 'another address is looked at');
    assert.equal((await fetch(`${walcast.url}/health/live`, { headers: { 'x-forwarded-for': '192.0.2.1' } })).status, 200);
    for (let i = 0; i < 20; i++) // none, and what was good once, are no guesses
      await Promise.all([as('192.0.2.3', ''), as('192.0.2.3', sign({ role: 'anon', exp: 1 }))]);
    assert.equal((await as('192.0.2.3', goodToken())).status, 400);
    assert.ok(await walcast.metric('walcast_limits_addresses_refused_total') >= 2);

    const from = { headers: { 'x-forwarded-for': '2001:db8::1' } };
    const url = websocketUrl(walcast, { apikey: goodToken(), vsn: '2.0.0' });
    const first = await RawClient.connect(t, url, from);
    await RawClient.connect(t, url, { headers: { 'x-forwarded-for': '2001:db8::2' } }); // the same /64
    assert.equal((await refusedHandshake(t, url, from)).status, 429);
    await RawClient.connect(t, url, { headers: { 'x-forwarded-for': '2001:db8:0:1::1' } });
    first.socket.close();
    await waitFor('room for another', () => RawClient.connect(t, url, from).catch(() => false));
    // The token that came while none was looked at was kept, and is what it is.
    const ended = await client.next('a look at the token', (message) => message[3] === 'system', 30_000);
    assert.match(ended[4].message, /^InvalidJWTToken: The token has expired/);
  });

  test('without NATS each gateway admits its part; with it they share again', async (t) => {
    const gateways = await pairOf(t, 'apart');
    await house.nats.stop();
    await waitFor('gateways that are apart', async () => {
      for (const walcast of gateways) if (await walcast.metric('walcast_limits_shared') !== 0) return false;
      return true;
    });
    for (const walcast of gateways) {
      const begun = performance.now();
      const answers = await Promise.all(Array.from({ length: LIMIT }, () => say(walcast)));
      const admitted = answers.filter(({ status }) => status === 202).length;
      const slid = (LIMIT / 2) * (performance.now() - begun) / WINDOW_MS;
      assert.ok(admitted >= LIMIT / 2 && admitted <= LIMIT / 2 + slid, `${admitted}`);
    }
    await house.nats.restart();
    await bothShare(gateways);
  });
});
