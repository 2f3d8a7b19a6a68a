// API keys and revoked tokens from outside: what a key opens by its scopes, what every broken one is
// told on every surface, rotation, a revocation seen by two gateways, and secrets that stand nowhere.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { brokenKeys, createKey } from '../lib/keys.mjs';
import { RawClient, realtimeClient, refusedHandshake, subscribed, websocketUrl } from '../lib/realtime.mjs';
import { EventStream, sseUrl } from '../lib/sse.mjs';
import { brokenTokens, sign } from '../lib/tokens.mjs';
import { runOk } from '../lib/process.mjs';
import { waitFor } from '../lib/wait.mjs';
import { BINARY, DEFAULT, Walcast } from '../lib/walcast.mjs';

const SCHEMA = 'CREATE TABLE todos (id bigint PRIMARY KEY, title text); GRANT SELECT ON todos TO anon;';
// Who may write waits while somebody holds the lock 7.
const POLICIES = `
  CREATE FUNCTION public.gate() RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN true; END $$;
  CREATE POLICY write ON realtime.messages FOR INSERT TO anon WITH CHECK (public.gate());`;
const BINDING = { event: 'INSERT', schema: 'public', table: 'todos' };
const BROADCAST = '/realtime/v1/api/broadcast';
const now_s = () => Math.floor(Date.now() / 1000);

suite('API keys', () => {
  let house;
  let other; // a second gateway
  let site; // a key for subscribe and broadcast
  let rows = 0;
  const cleanups = [];
  const suiteT = { after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true };
  before(async () => {
    house = await startHouse(suiteT, { schema: SCHEMA, config: { 'http.threads': 2, 'log.level': 'debug',
      'auth.policy_timeout': '30s' } });
    await runOk([BINARY, 'setup', '--apply'], { env: house.walcast.env });
    await house.postgres.query(POLICIES);
    other = await Walcast.start({ ...house, args: ['--roles', 'ws'], config: { 'log.level': 'debug' } });
    await other.ready();
    site = (await make('site')).key;
  });
  after(async () => {
    await other.remove();
    await Promise.all(cleanups.map((cleanup) => cleanup()));
  });
  // Each gateway hears of keys in the order they were written: who knows this one knows all before.
  const known = (key) => Promise.all([house.walcast, other].map((walcast) => waitFor('the key to be known',
    async () => (await post(BROADCAST, key, { messages: [] }, walcast)).status !== 401)));
  async function make(name, options) {
    const made = await createKey(house.walcast, name, options);
    await known(made.key);
    return made;
  }
  const row = () => house.postgres.query("INSERT INTO todos VALUES ($1, 'x')", [++rows]);
  const bearer = (key) => ({ authorization: `Bearer ${key}` });
  const json = (key) => ({ 'content-type': 'application/json', ...(key !== undefined && bearer(key)) });
  const connect = (t, key, walcast = house.walcast) =>
    RawClient.connect(t, websocketUrl(walcast, { apikey: key, vsn: '2.0.0' }));
  async function joined(t, key, { topic = 'realtime:room', walcast, config = {}, more } = {}) {
    const client = await connect(t, key, walcast);
    client.join('1', topic, config, more);
    return Object.assign(client, { answer: (await client.reply('1'))[4] });
  }
  const stream = (t, key, walcast = house.walcast) =>
    EventStream.open(t, sseUrl(walcast, { table: 'public.todos', apikey: key }), { headers: { accept: 'text/event-stream' } });
  const post = (path, key, body, walcast = house.walcast) =>
    fetch(walcast.url + path, { method: 'POST', headers: json(key), body: JSON.stringify(body) });
  const batch = (key) => post(BROADCAST, key, { messages: [{ topic: 'room', event: 'e', payload: {} }] });

  suite('what a key opens', () => {
    test('an unmodified client joins with it, sees rows, broadcasts and is present', async (t) => {
      const client = realtimeClient(t, house.walcast, site);
      const channel = client.channel('room', { config: { broadcast: { ack: true, self: true } } });
      const seen = [], heard = [];
      channel.on('postgres_changes', BINDING, (change) => seen.push(change.new));
      channel.on('broadcast', { event: '*' }, (message) => heard.push(message.payload));
      channel.on('presence', { event: 'sync' }, () => {});
      await subscribed(channel);
      assert.equal(await channel.send({ type: 'broadcast', event: 'e', payload: { a: 1 } }), 'ok');
      assert.equal(await channel.track({ name: 'me' }), 'ok');
      await waitFor('a row', async () => seen.length > 0 || (await row(), false), 10_000, 200);
      assert.equal(seen[0].title, 'x');
      await waitFor('the broadcast', () => heard.length > 0);
    });

    test('in each of the four places, on each surface', async (t) => {
      const places = [{ headers: bearer(site) }, { headers: { apikey: site } },
        { headers: { 'x-api-key': site } }, { query: { apikey: site } }];
      for (const { headers = {}, query = {} } of places) {
        const client = await RawClient.connect(t, websocketUrl(house.walcast, { vsn: '2.0.0', ...query }), { headers });
        client.join('1', 'realtime:room');
        assert.equal((await client.reply('1'))[4].status, 'ok');
        client.socket.close();
        const events = await EventStream.open(t, sseUrl(house.walcast, { table: 'public.todos', ...query }), { headers });
        assert.equal(events.response.status, 200);
        events.close();
        const search = new URLSearchParams(query);
        for (const [path, body] of [[BROADCAST, { messages: [{ topic: 'room', event: 'e', payload: {} }] }],
          [`${BROADCAST}/room/events/e`, {}]])
          assert.equal((await fetch(`${house.walcast.url}${path}?${search}`, { method: 'POST',
            headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })).status, 202);
      }
    });

    test('as access_token of a join, and later as another', async (t) => {
      const second = (await make('second')).key;
      const client = await joined(t, site, { more: { access_token: second } });
      assert.equal(client.answer.status, 'ok');
      client.send(['1', '2', 'realtime:room', 'access_token', { access_token: site }]);
      client.send([null, '3', 'phoenix', 'heartbeat', {}]);
      await client.reply('3');
      assert.equal(client.received.length, 0);
      // sb_… means: the handshake's goes on counting.
      assert.equal((await joined(t, second, { more: { access_token: 'sb_publishable_x' } })).answer.status, 'ok');
    });

    test('without the scope: refused with its name', async (t) => {
      const listens = (await make('listens', { scope: 'subscribe' })).key;
      const sends = (await make('sends', { scope: 'broadcast' })).key;
      const client = await joined(t, sends);
      assert.equal(client.answer.status, 'error');
      assert.match(client.answer.response.reason, /^Unauthorized: .*the scope subscribe/);
      assert.equal((await joined(t, sends, { more: { access_token: listens } })).answer.status, 'ok');
      const silent = await joined(t, listens, { config: { broadcast: { ack: true } } });
      silent.send(['1', '2', 'realtime:room', 'broadcast', { type: 'broadcast', event: 'e', payload: {} }]);
      const [, , , , refusal] = await silent.reply('2');
      assert.equal(refusal.status, 'error');
      assert.match(refusal.response.error, /^Unauthorized: .*the scope broadcast/);
      silent.send(['1', '3', 'realtime:room', 'access_token', { access_token: sends }]);
      const told = await silent.next('the reason', (message) => message[3] === 'system');
      assert.match(told[4].message, /^Unauthorized: .*the scope subscribe/);
      await silent.next('the close', (message) => message[3] === 'phx_close');
      const events = await fetch(sseUrl(house.walcast, { table: 'public.todos' }), { headers: bearer(sends) });
      assert.deepEqual([events.status, events.headers.get('content-type')], [403, 'application/problem+json']);
      assert.match((await events.json()).detail, /the scope subscribe/);
      assert.equal((await batch(sends)).status, 202);
      const refused = await batch(listens);
      assert.equal(refused.status, 403);
      assert.match((await refused.json()).message, /the scope broadcast/);
    });
  });

  // Each surface: what it says of a credential; the status, or a join's reason.
  const surfaces = {
    'handshake, bearer': async (t, key) => refusedHandshake(t, websocketUrl(house.walcast, { vsn: '2.0.0' }), { headers: bearer(key) }),
    'handshake, apikey': async (t, key) => refusedHandshake(t, websocketUrl(house.walcast), { headers: { apikey: key } }),
    'handshake, x-api-key': async (t, key) => refusedHandshake(t, websocketUrl(house.walcast), { headers: { 'x-api-key': key } }),
    'handshake, ?apikey=': async (t, key) => refusedHandshake(t, websocketUrl(house.walcast, { apikey: key })),
    'a join': async (t, key, client) => {
      client.join('9', 'realtime:broken', {}, { access_token: key });
      const { status, response } = (await client.reply('9'))[4];
      return { status: status === 'error' ? 401 : 200, body: response };
    },
    'SSE, bearer': async (t, key) => answer(await fetch(sseUrl(house.walcast, { table: 'public.todos' }), { headers: bearer(key) })),
    'SSE, ?apikey=': async (t, key) => answer(await fetch(sseUrl(house.walcast, { table: 'public.todos', apikey: key }))),
    'a batch': async (t, key) => answer(await batch(key)),
    'a single broadcast': async (t, key) => answer(await post(`${BROADCAST}/room/events/e`, key, {})),
  };
  const answer = async (response) => ({ status: response.status, body: await response.text() });
  const REFUSED = [401, 431, 414, 400]; // the last three: of headers and targets that are too long, or no text

  test('every broken key and token is refused on every surface, and never repeated', async (t) => {
    const broken = { ...await brokenKeys(house.walcast, site), ...brokenTokens(), 'an sb_ key': 'sb_secret_x' };
    await make('marker'); // what is before it has been heard of
    const client = await connect(t, site);
    let asked = 0;
    await waitFor('the key that ends', async () => (await batch(broken.expired)).status === 401);
    for (const [what, key] of Object.entries(broken))
      for (const [surface, ask] of Object.entries(surfaces)) {
        const inHeader = !/join|\?apikey/.test(surface);
        // Not to be sent by these clients: bytes outside of Latin-1, line breaks; and sb_ in a join is no key.
        if ((inHeader && /[\n]/.test(key)) || (surface === 'a join' && key.startsWith('sb_'))) continue;
        if (inHeader && (/^ | $/.test(key))) continue; // blanks around a header's value are none of it
        const { status, body } = await ask(t, key, client);
        asked++;
        assert.ok(REFUSED.includes(status), `${what}, ${surface}: ${status} ${JSON.stringify(body)}`);
        const said = typeof body === 'string' ? body : JSON.stringify(body);
        if (key.length > 20) assert.ok(!said.includes(key), `${what}, ${surface} repeats it`);
        if (surface === 'a join') assert.match(body.reason, /^\w+: /);
      }
    t.diagnostic(`${asked} refusals`);
  });

  test('of two credentials one counts, and a bad one is not made good by the other', async (t) => {
    const bad = `${site.slice(0, -1)}!`;
    const sse = async (query, headers) => (await fetch(sseUrl(house.walcast, { table: 'public.todos', ...query }), { headers })).status;
    assert.equal(await sse({ apikey: site }, bearer(bad)), 401);
    assert.equal(await sse({ apikey: bad }, { 'x-api-key': bad }), 401);
    const good = await EventStream.open(t, sseUrl(house.walcast, { table: 'public.todos', apikey: bad }), { headers: bearer(site) });
    assert.equal(good.response.status, 200);
    const { status } = await refusedHandshake(t, websocketUrl(house.walcast, { apikey: site }), { headers: { 'x-api-key': bad } });
    assert.equal(status, 401);
    await RawClient.connect(t, websocketUrl(house.walcast, { apikey: bad }), { headers: { 'x-api-key': site } });
  });

  // What one sees whose credential ends: clients of both gateways.
  async function crowd(t, key) {
    const members = [];
    for (const walcast of [house.walcast, other]) {
      for (let n = 0; n < 5; n++) members.push(await joined(t, key, { walcast, topic: `realtime:room ${n}`, config: { postgres_changes: [BINDING] } }));
      const beside = await joined(t, site, { walcast, more: { access_token: key } });
      members.push(Object.assign(beside, { stays: true }));
      members.push(await (await stream(t, key, walcast)).ready());
    }
    for (const member of members) if (member.answer) assert.equal(member.answer.status, 'ok');
    return members;
  }
  const ended = (member) => (member.events
    ? member.events.some(({ type, data }) => type === 'problem' && data.status === 401)
    : member.received.some((message) => message[3] === 'phx_close'));
  async function awaitEnds(members, what, begun) {
    await waitFor(`the end of ${what}`, () => members.every(ended), 10_000, 1);
    return performance.now() - begun;
  }
  async function assertGone(t, members, key, words) {
    for (const member of members) {
      if (member.events) {
        assert.match(member.events.at(-1).data.detail, words);
        await member.ended;
        continue;
      }
      const told = member.received.find((message) => message[3] === 'system' && message[4].status === 'error');
      assert.match(told[4].message, new RegExp(`^Unauthorized: .*${words.source}`));
      if (member.stays) {
        member.send([null, '7', 'phoenix', 'heartbeat', {}]);
        await member.reply('7');
      } else {
        assert.equal((await member.closed).code, 1008);
      }
    }
    for (const walcast of [house.walcast, other]) {
      assert.equal((await refusedHandshake(t, websocketUrl(walcast, { apikey: key }))).status, 401);
      assert.equal((await fetch(sseUrl(walcast, { table: 'public.todos', apikey: key }))).status, 401);
      assert.equal((await post(BROADCAST, key, { messages: [] }, walcast)).status, 401);
    }
  }

  test('a key that is revoked ends on two gateways within a second', async (t) => {
    const { key } = await make('doomed');
    const members = await crowd(t, key);
    const begun = performance.now();
    await house.walcast.commandOk(['keys', 'revoke', 'doomed']);
    const command_ms = performance.now() - begun;
    const took_ms = await awaitEnds(members, 'all that it opened', begun);
    t.diagnostic(`the command took ${command_ms.toFixed(0)} ms; ${took_ms.toFixed(0)} ms after its start all had ended`);
    assert.ok(took_ms < 3000 + command_ms, `${took_ms} ms`);
    await assertGone(t, members, key, /revoked/);
  });

  test('a token that is revoked by its jti, the same', async (t) => {
    const claims = { role: 'anon', exp: now_s() + 3600 };
    const token = sign({ ...claims, jti: 'a token/with.odd jti=' }), spared = sign({ ...claims, jti: 'another' });
    const members = await crowd(t, token);
    const beside = await joined(t, spared);
    const shared = await joined(t, spared, { more: { access_token: token } }); // equal but for the jti
    const begun = performance.now();
    await house.walcast.commandOk(['token', 'revoke', 'a token/with.odd jti=', '--ttl', '1h']);
    const took_ms = await awaitEnds([...members, shared], 'all that it opened', begun);
    t.diagnostic(`${took_ms.toFixed(0)} ms after the command's start all had ended`);
    assert.ok(took_ms < 5000, `${took_ms} ms`);
    await assertGone(t, members, token, /revoked/);
    beside.send([null, '7', 'phoenix', 'heartbeat', {}]);
    await beside.reply('7');
    assert.ok(!ended(beside));
  });

  test('a rotated key goes on for the overlap, and ends with it', async (t) => {
    const { key } = await make('turned');
    const members = await crowd(t, key);
    const next = JSON.parse(await house.walcast.commandOk(['keys', 'rotate', 'turned', '--overlap', '4s', '--json']));
    assert.equal(next.keys.length, 2);
    await known(next.key);
    const ends_ms = Date.parse(next.keys[0].expires);
    assert.equal((await joined(t, next.key)).answer.status, 'ok');
    assert.equal((await joined(t, key)).answer.status, 'ok');
    assert.ok(!members.some(ended));
    await awaitEnds(members, 'the old key', 0);
    const late_ms = Date.now() - ends_ms;
    t.diagnostic(`all had ended ${late_ms} ms after the overlap's end`);
    assert.ok(late_ms > -50 && late_ms < 3000, `${late_ms} ms`);
    await assertGone(t, members, key, /expired/);
    assert.equal((await joined(t, next.key)).answer.status, 'ok');
  });

  test('a broadcast that waits for policies is not sent once its key is revoked', async (t) => {
    const { key } = await make('waits');
    const holder = await house.postgres.connect();
    t.after(() => holder.end());
    await holder.query('SELECT pg_advisory_lock(7)');
    const body = { messages: [{ topic: 'room', event: 'e', payload: {}, private: true }] };
    const waits = post(BROADCAST, key, body);
    await waitFor('the question', async () =>
      (await holder.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")).rows.length > 0);
    await house.walcast.commandOk(['keys', 'revoke', 'waits']);
    await waitFor('the end of the key', async () => (await post(BROADCAST, key, { messages: [] })).status === 401);
    await holder.query('SELECT pg_advisory_unlock(7)');
    const { status } = await waits;
    assert.equal(status, 401);
    assert.equal((await post(BROADCAST, site, body)).status, 202);
  });

  test('closed by default: neither secret nor JWKS, and no key', async (t) => {
    const closed = await Walcast.start({ ...house, args: ['--roles', 'ws'], config: { 'auth.jwt_secret': DEFAULT, 'nats.stream': 'WALCAST' } });
    t.after(() => closed.remove());
    await closed.ready();
    const token = sign({ role: 'service_role', exp: now_s() + 3600 });
    for (const key of ['', 'x', token]) {
      assert.ok([401, 403].includes((await refusedHandshake(t, websocketUrl(closed, { apikey: key }))).status));
      assert.ok([401, 403].includes((await fetch(sseUrl(closed, { table: 'public.todos', apikey: key }))).status));
      assert.ok([401, 403].includes((await post(BROADCAST, key, { messages: [] }, closed)).status));
    }
    const client = await joined(t, site, { walcast: closed, more: { access_token: token } });
    assert.match(client.answer.response.reason, /^Unauthorized: /);
    assert.equal((await joined(t, site, { walcast: closed })).answer.status, 'ok'); // a key needs no secret
  });

  test('a record that cannot be read is told of, and hides no other', async () => {
    const at = (name) => `$KV.WALCAST_keys.key.default.dev.${name}`;
    const records = { odd: '{}', newer: JSON.stringify({ version: 3, name: 'newer' }) };
    await house.nats.manage(async (manager, connection) => {
      for (const [name, record] of Object.entries(records)) await connection.request(at(name), record);
    });
    await make('behind'); // records are told in the order they were written
    const list = (...more) => house.walcast.command(['keys', 'list', ...more]);
    const listed = await list('--json');
    const names = listed.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line).name);
    assert.equal(listed.code, 1);
    assert.ok(names.includes('site') && names.includes('behind') && !names.includes('newer'), names.join());
    assert.match(listed.stderr, /key\.default\.dev\.odd: the record of key '' is of version 0, expected 1/);
    assert.match(listed.stderr, /key\.default\.dev\.newer: .*is of version 3, expected 1 \(2 with indexes\): update this walcast/);
    await house.nats.manage(async (manager) => {
      for (const name of Object.keys(records)) await manager.streams.purge('KV_WALCAST_keys', { filter: at(name) });
    });
    const { code, stderr } = await list();
    assert.deepEqual([code, stderr], [0, '']);
  });

  test('no key stands anywhere: logs, metrics, processes, key-value, streams', async (t) => {
    const keys = [site];
    for (const name of ['shown', 'doomed', 'turned']) {
      const listed = (await house.walcast.commandOk(['keys', 'list', '--json'])).split('\n').filter(Boolean).map((line) => JSON.parse(line));
      assert.ok(listed.every((record) => record.key === undefined));
      if (name === 'shown') keys.push((await make(name)).key);
    }
    const secrets = keys.map((key) => key.slice(12)); // prefixes may be told
    await joined(t, keys[1]);
    await EventStream.open(t, sseUrl(house.walcast, { table: 'public.todos', apikey: keys[1] }));
    const texts = { log: house.walcast.logText(), 'other log': other.logText(), nats: house.nats.process.logText(),
      postgres: house.postgres.process.logText() };
    for (const walcast of [house.walcast, other]) texts[`metrics of ${walcast.port}`] = await (await fetch(`${walcast.url}/metrics`)).text();
    texts.processes = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).map((pid) => {
      try { return readFileSync(`/proc/${pid}/cmdline`, 'latin1'); } catch { return ''; }
    }).join('\n');
    await house.nats.manage(async (manager) => {
      for await (const { config, state } of manager.streams.list())
        for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
          const message = await manager.streams.getMessage(config.name, { seq }).catch(() => null);
          if (message) texts[config.name] = `${texts[config.name] ?? ''}\n${message.subject} ${message.string()}`;
        }
    });
    assert.ok(texts.KV_WALCAST_keys.includes('sha256'));
    assert.ok(texts.WALCAST_AUDIT.includes('key.created'));
    for (const [where, text] of Object.entries(texts))
      for (const secret of secrets) assert.ok(!text.includes(secret), `a key stands in ${where}`);
  });
});
