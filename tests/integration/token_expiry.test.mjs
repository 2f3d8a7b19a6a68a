// A channel's token expires: it is warned of, then suspended, and a new token lets it go on where it
// was, as what that token may see. Nothing is lost, doubled, or seen that may not be.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { createClient } from '@supabase/supabase-js';
import { createClient as createOldest } from 'supabase-js-oldest';
import WebSocket from 'ws';
import { startHouse } from '../lib/house.mjs';
import { runOk } from '../lib/process.mjs';
import { RawClient, leave, subscribed, websocketUrl } from '../lib/realtime.mjs';
import { EventStream, sseUrl } from '../lib/sse.mjs';
import { goodToken, sign } from '../lib/tokens.mjs';
import { BINARY, Walcast } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';

const SCHEMA = `CREATE TABLE items (id serial PRIMARY KEY, kind text, secret text);
  CREATE TABLE hidden (id serial PRIMARY KEY);
  REVOKE ALL ON items, hidden FROM anon, authenticated; GRANT SELECT ON hidden TO authenticated;
  GRANT SELECT (id, kind) ON items TO anon; GRANT SELECT ON items TO authenticated;`;
const POLICIES = `
  CREATE POLICY hears ON realtime.messages FOR SELECT TO authenticated USING ((SELECT auth.jwt())->>'member' IS NOT NULL);
  CREATE POLICY says ON realtime.messages FOR INSERT TO authenticated WITH CHECK ((SELECT auth.jwt())->>'member' = 'full');`;
const WAIT_MS = 30_000;
const member = (more) => ({ role: 'authenticated', sub: 'me', ...more });
const good = (more) => goodToken(member(more));
const short = (more, seconds = 4) => sign({ exp: Math.floor(Date.now() / 1000) + seconds, ...member(more) });

// What `attempt` gives with a token that expires soon; where the machine was too slow for it, with a
// longer one. `first`: how long the first lives, where there is something to do before it expires.
async function withShort(attempt, more, first = 4) {
  for (const seconds of [first, 8, 16, 32]) {
    const result = await attempt(short(more, seconds));
    if (result) return result;
  }
  throw new Error('each token had expired before it was used');
}
const on = (kind, more) => ({ event: '*', schema: 'public', table: 'items', filter: `kind=eq.${kind}`, ...more });

// realtime-js waits 10 s for an answer to a token, which never comes; that is not to keep the process.
const realTimeout = globalThis.setTimeout;
globalThis.setTimeout = (call, ms, ...more) => {
  const timer = realTimeout(call, ms, ...more);
  return ms === 10_000 ? timer.unref() : timer;
};

suite('tokens that expire', { concurrency: true }, () => {
  let house;
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { schema: SCHEMA, config: { 'http.threads': 2, 'auth.expiry_warning': '1s', 'auth.policy_cache': 0 } });
    await runOk([BINARY, 'setup', '--apply'], { env: house.walcast.env });
    await house.postgres.query(POLICIES);
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  async function insert(kind, count = 1, postgres = house.postgres) {
    const { rows } = await postgres.query(
      `INSERT INTO items (kind, secret) SELECT '${kind}', 'x' FROM generate_series(1, ${count}) RETURNING id`);
    return rows.map(({ id }) => id);
  }

  // A connection with a long key of its own, whose channels are joined with tokens of theirs.
  async function connect(t, walcast = house.walcast) {
    const url = websocketUrl(walcast, { apikey: good(), vsn: '2.0.0' });
    // All tests begin at once: a machine that is busy with that may be late with the request's head.
    const client = await waitFor('a connection', () => RawClient.connect(t, url), WAIT_MS);
    let ref = 100;
    client.channel = async (name, token, config) => {
      const topic = `realtime:${name}`;
      const join = `${ref++}`;
      client.join(join, topic, config, { access_token: token });
      const reply = (await client.reply(join))[4];
      if (reply.status !== 'ok' && /expired/.test(reply.response.reason)) return undefined;
      assert.equal(reply.status, 'ok', JSON.stringify(reply));
      const of = (event) => client.received.filter((message) => message[2] === topic && message[3] === event).map((message) => message[4]);
      const system = (pattern) => of('system').find(({ message }) => pattern.test(message));
      return {
        of, system,
        push: (event, payload, to = `${ref++}`) => { client.send([join, to, topic, event, payload]); return to; },
        refresh: (access_token) => client.send([join, `${ref++}`, topic, 'access_token', { access_token }]),
        changes: () => of('postgres_changes').map(({ data }) => data),
        ids: () => of('postgres_changes').map(({ data }) => data.record.id),
        told: (what, pattern) => waitFor(what, () => system(pattern), WAIT_MS).catch((error) => {
          throw new Error(`${error.message}: ${JSON.stringify(of('system'))}`);
        }),
        suspended: () => waitFor('its suspension', () => system(/is suspended/), WAIT_MS),
        sees: (id) => waitFor(`change ${id}`, () => of('postgres_changes').some(({ data }) => data.record.id === id), WAIT_MS),
        closed: (event) => waitFor(event, () => of(event).length > 0, WAIT_MS),
      };
    };
    client.shortChannel = (name, config, more, first) => withShort((token) => client.channel(name, token, config), more, first);
    return client;
  }

  test('warned, suspended, refreshed: what came before, meanwhile and after, each once and in order', async (t) => {
    const [client, other] = [await connect(t), await connect(t)];
    const config = { postgres_changes: [on('all'), on('all', { select: ['id'] })], presence: { enabled: true, key: 'me' } };
    const channel = await client.shortChannel('room', config, {}, 7);
    const witness = await other.channel('room', good(), { ...config, presence: { enabled: true, key: 'witness' } });
    channel.push('presence', { type: 'presence', event: 'track', payload: { mood: 'fine' } });
    const first = await insert('all', 3);
    await channel.sees(first[2]);
    const warning = await channel.told('the warning', /expires in \d s: send a new access_token/);
    assert.deepEqual([warning.status, warning.extension, typeof warning.expires_at], ['ok', 'system', 'number']);
    const told = await channel.suspended();
    assert.match(told.message, /^InvalidJWTToken: .* for at most 300 s/);
    assert.deepEqual([told.status, told.extension, told.expires_at], ['error', 'system', warning.expires_at]);
    assert.equal(await house.walcast.metric('walcast_ws_channels_suspended') > 0, true);

    const [messages, missed] = [client.received.length, await insert('all', 20)];
    await witness.sees(missed[19]);
    other.send([null, 'b', 'realtime:room', 'broadcast', { type: 'broadcast', event: 'e', payload: { n: 1 } }]);
    witness.push('presence', { type: 'presence', event: 'track', payload: { mood: 'new' } });
    await waitFor('the new presence', () => witness.of('presence_diff').some(({ joins }) => joins.witness), WAIT_MS);
    assert.ok(!witness.of('presence_diff').some(({ leaves }) => leaves.me), 'it stays present');
    const refused = [channel.push('broadcast', { type: 'broadcast', event: 'e', payload: {} }),
      channel.push('presence', { type: 'presence', event: 'track', payload: {} })];
    const answers = [];
    for (const ref of refused) answers.push((await client.reply(ref))[4]);
    assert.deepEqual(answers.map(({ status }) => status), ['error', 'error']);
    assert.equal(answers[0].response.error, 'token_expired');
    assert.match(answers[1].response.reason, /^InvalidJWTToken/);
    assert.equal(client.received.length, messages, JSON.stringify(client.received.slice(messages)));

    channel.refresh(short({}, -5)); // the oldest clients send the old one with every heartbeat
    await waitFor('to be told again', () => channel.of('system').filter(({ message }) => /is suspended/.test(message)).length === 2);
    channel.refresh(good());
    assert.equal((await channel.told('that it goes on', /delivery goes on/)).status, 'ok');
    const later = await insert('all', 2);
    await channel.sees(later[1]);
    await waitFor('both messages of each', () => channel.ids().length === 50, WAIT_MS);
    assert.deepEqual(channel.ids(), [...first, ...missed, ...later].flatMap((id) => [id, id]));
    const state = channel.of('presence_state').at(-1);
    assert.deepEqual([Object.keys(state).sort(), state.witness.metas[0].mood], [['me', 'witness'], 'new']);
    assert.equal(channel.of('broadcast').length, 0);
    channel.push('broadcast', { type: 'broadcast', event: 'again', payload: {} });
    await waitFor('to be heard', () => witness.of('broadcast').some(({ event }) => event === 'again'), WAIT_MS);
    assert.equal(channel.of('phx_close').length + channel.of('phx_error').length, 0);
  });

  test('what it missed is what the new token may see', async (t) => {
    const client = await connect(t);
    const channel = await client.shortChannel('narrow', { postgres_changes: [on('narrow')] });
    const lost = await client.shortChannel('lost', { postgres_changes: [{ event: '*', schema: 'public', table: 'hidden' }] });
    await Promise.all([channel.suspended(), lost.suspended()]);
    const missed = await insert('narrow', 2);
    await house.postgres.query('INSERT INTO hidden DEFAULT VALUES');
    channel.refresh(good({ role: 'anon' }));
    lost.refresh(good({ role: 'anon' }));
    await channel.sees(missed[1]);
    assert.deepEqual(channel.changes().map(({ record }) => record), missed.map((id) => ({ id, kind: 'narrow' })));
    await lost.closed('phx_error');
    assert.ok(lost.system(/^Unauthorized: .*hidden/), JSON.stringify(lost.of('system')));
    assert.equal(lost.changes().length, 0);
  });

  test('in a private channel the policies are asked again', async (t) => {
    const [client, other] = [await connect(t), await connect(t)];
    const config = { private: true, presence: { enabled: true, key: 'me' } };
    const channel = await client.shortChannel('club', config, { member: 'full' }, 7);
    const witness = await other.channel('club', good({ member: 'full' }), { ...config, presence: { enabled: true, key: 'witness' } });
    const out = await client.shortChannel('out', config, { member: 'full' });
    channel.push('presence', { type: 'presence', event: 'track', payload: {} });
    await waitFor('to be seen', () => witness.of('presence_diff').some(({ joins }) => joins.me), WAIT_MS);
    await Promise.all([channel.suspended(), out.suspended()]);
    witness.push('broadcast', { type: 'broadcast', event: 'missed', payload: {} });
    channel.refresh(good({ member: 'reads' }));
    out.refresh(good());
    await waitFor('who may not be there to go', () => witness.of('presence_diff').some(({ leaves }) => leaves.me), WAIT_MS);
    witness.push('broadcast', { type: 'broadcast', event: 'heard', payload: {} });
    await waitFor('the broadcast', () => channel.of('broadcast').length > 0, WAIT_MS);
    assert.deepEqual(channel.of('broadcast').map(({ event }) => event), ['heard']);
    const ref = channel.push('broadcast', { type: 'broadcast', event: 'e', payload: {} });
    assert.equal((await client.reply(ref))[4].response.error, 'unauthorized');
    await out.closed('phx_error');
    assert.ok(out.system(/^Unauthorized: You do not have permissions to read/));
  });

  test('each channel lives by its own token; without one a join counts by the key of the handshake', async (t) => {
    const config = { postgres_changes: [on('own')] };
    const client = await withShort(async (apikey) => {
      const raw = await RawClient.connect(t, websocketUrl(house.walcast, { apikey, vsn: '2.0.0' })).catch(() => undefined);
      raw?.join('1', 'realtime:by key', config);
      return raw && (await raw.reply('1'))[4].status === 'ok' && raw;
    });
    const suspended = (topic) => client.received.some((message) => message[2] === topic && /is suspended/.test(message[4].message));
    client.join('2', 'realtime:by token', config, { access_token: good() });
    assert.equal((await client.reply('2'))[4].status, 'ok');
    await waitFor('the suspension', () => suspended('realtime:by key'), WAIT_MS);
    const [id] = await insert('own');
    await client.next('the change', (message) => message[3] === 'postgres_changes' && message[4].data.record.id === id, WAIT_MS);
    assert.ok(!suspended('realtime:by token'));
    client.join('3', 'realtime:late');
    assert.match((await client.reply('3'))[4].response.reason, /^InvalidJWTToken/);
    client.send(['1', '4', 'realtime:by key', 'access_token', { access_token: 'rubbish' }]); // ends it, as ever
    await client.next('the close', (message) => message[2] === 'realtime:by key' && message[3] === 'phx_close');
  });

  test('without a new token it is closed once the grace is over; with no grace at once', async (t) => {
    await Promise.all(['1s', '0'].map(async (grace) => {
      const config = { ...house.walcast.config, 'auth.expiry_grace': grace };
      delete config['http.listen'];
      const server = await Walcast.start({ config, args: ['--roles', 'ws'] });
      t.after(() => server.remove());
      await server.ready();
      const client = await connect(t, server);
      const channel = await client.shortChannel('over', { postgres_changes: [on('over')] });
      await channel.closed('phx_close');
      const errors = channel.of('system').filter(({ status }) => status === 'error').map(({ message }) => message);
      assert.equal(errors.length, grace === '0' ? 1 : 2, JSON.stringify(errors));
      assert.match(errors.at(-1), /^InvalidJWTToken: The token has expired/);
      assert.equal(await server.metric('walcast_ws_channels_suspended'), 0);
    }));
  });

  test('what has aged out of the stream meanwhile is told, not skipped', async (t) => {
    const small = await startHouse(t, { schema: SCHEMA, config: { 'nats.max_age': '2s', 'ws.tail_bytes': 0 } });
    const client = await connect(t, small.walcast);
    const channel = await client.shortChannel('old', { postgres_changes: [on('old')] }, {}, 7);
    const [first] = await insert('old', 1, small.postgres);
    await channel.sees(first);
    await channel.suspended();
    await insert('old', 1, small.postgres);
    await waitFor('the history to be gone', async () => {
      const late = await RawClient.connect(t, websocketUrl(small.walcast, { apikey: good(), vsn: '2.0.0' }));
      late.join('1', 'realtime:late', { postgres_changes: [on('old')], since: channel.changes()[0].offset });
      return (await late.reply('1'))[4].status === 'error';
    }, WAIT_MS);
    channel.refresh(good());
    await channel.closed('phx_error');
    assert.ok(channel.system(/^HistoryNotHeld: /), JSON.stringify(channel.of('system')));
  });

  test('hundreds that are suspended at once and refreshed under a flow miss nothing', async (t) => {
    let flowing = true;
    const flow = (async () => {
      const ids = [];
      while (flowing) ids.push(...await insert('flow', 1 + (ids.length % 5)));
      return ids;
    })();
    const witness = await (await connect(t)).channel('witness', good(), { postgres_changes: [on('flow')] });
    const channels = [];
    for (let i = 0; i < 4; i++) {
      const client = await connect(t);
      const names = Array.from({ length: 75 }, (_, n) => `flow ${i} ${n}`);
      channels.push(...await Promise.all(names.map((name) => client.shortChannel(name, { postgres_changes: [on('flow')] }))));
    }
    await Promise.all(channels.map((channel) => channel.suspended()));
    await waitFor('the stream to go on', () => witness.ids().length > 300, WAIT_MS);
    for (const channel of channels) channel.refresh(good());
    await Promise.all(channels.map((channel) => channel.told('it to go on', /goes on/)));
    flowing = false;
    const last = (await flow).at(-1);
    await Promise.all([witness, ...channels].map((channel) => channel.sees(last)));
    const all = witness.ids();
    for (const channel of channels) {
      const ids = channel.ids();
      assert.deepEqual(ids, all.slice(all.indexOf(ids[0])));
    }
  });

  test('a stream of events ends with its token, and goes on from its last id with another', async (t) => {
    const open = (token, more) => EventStream.open(t, sseUrl(house.walcast, { table: 'items', filter: 'kind=eq.sse', apikey: token, ...more }));
    const stream = await withShort(async (token) => {
      const opened = await open(token);
      // A busy machine may look at it only when it is over: then nobody was warned.
      return opened.response.status === 200 && opened.ready().then(() => opened.event('warning')).then(() => opened, () => undefined);
    });
    const [first] = await insert('sse'); // may come before the end or after it
    const warning = await stream.event('warning');
    assert.match(warning.data.detail, /expires in \d s/);
    const { data } = await stream.event('problem', WAIT_MS);
    assert.deepEqual([data.status, /new one and your last id/.test(data.detail)], [401, true]);
    await stream.ended;
    const missed = await insert('sse', 3);
    const again = await (await open(good(), { since: stream.lastEventId })).ready();
    const ids = [...stream.changes, ...again.changes].map((event) => event.data.record.id);
    assert.equal(again.changes.length, missed.length + 1 - stream.changes.length); // nothing comes twice
    assert.deepEqual(ids, [first, ...missed]);
  });

  // A laptop that slept: its heartbeats, and with them its new token, come late. supabase-js of today
  // asks its callback, or its session (here none: the key it was made with); the oldest sends again
  // what it was told last.
  const realtime = () => ({ transport: WebSocket, heartbeatIntervalMs: 1000, params: { apikey: good() } });
  const CLIENTS = {
    'supabase-js, newest, by its callback': (tokens) => createClient(house.walcast.url, good(),
      { accessToken: async () => tokens[0], realtime: realtime() }),
    'supabase-js, newest, by setAuth': (tokens) => createClient(house.walcast.url, tokens[0],
      { auth: { persistSession: false }, realtime: { ...realtime(), heartbeatIntervalMs: 60_000 } }),
    'supabase-js 2.0.0': (tokens) => createOldest(house.walcast.url, tokens[0],
      { auth: { persistSession: false }, realtime: realtime() }),
  };
  for (const [name, make] of Object.entries(CLIENTS)) {
    test(`${name}: sleeps past its token and goes on without joining again`, async (t) => {
      const kind = name.replaceAll(/\W/g, '');
      const seen = [], statuses = [], systems = [];
      const { tokens, client, channel } = await withShort(async (token) => {
        const tokens = [token];
        const client = make(tokens);
        t.after(() => (client.realtime.isDisconnecting ? leave(client.realtime) : client.realtime.disconnect()));
        await client.realtime.setAuth(token);
        const channel = client.channel(kind)
          .on('postgres_changes', on(kind), (change) => seen.push(change.new.id))
          .on('system', {}, (message) => systems.push(message.message));
        return subscribed(channel).then(() => ({ tokens, client, channel }), () => { client.realtime.disconnect(); });
      });
      channel._onClose?.(() => statuses.push('closed'));
      channel._onError?.(() => statuses.push('error'));
      const first = await insert(kind, 2);
      await waitFor('the suspension', () => systems.some((message) => /is suspended/.test(message)), WAIT_MS);
      const missed = await insert(kind, 3);
      tokens[0] = good();
      if (!name.includes('callback')) client.realtime.setAuth(tokens[0]);
      const later = await insert(kind, 2);
      await waitFor('all of it', () => seen.length >= 7, WAIT_MS);
      assert.deepEqual(seen, [...first, ...missed, ...later]);
      assert.deepEqual(statuses, []);
    });
  }
});
