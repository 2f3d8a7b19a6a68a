// Audit records: one for each request, join and administrative act, complete and without a secret;
// what finds no room is counted, and NATS away holds up nobody.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { RawClient, refusedHandshake, websocketUrl } from '../lib/realtime.mjs';
import { EventStream, sseUrl } from '../lib/sse.mjs';
import { goodToken, sign } from '../lib/tokens.mjs';
import { JWT_SECRET, Walcast } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';

const ROOM = 4096; // records that wait for NATS
const SUBJECT = '00000000-0000-4000-8000-000000000001';

suite('audit', () => {
  let house;
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { schema: 'CREATE TABLE todos (id bigserial PRIMARY KEY)',
        config: { 'http.threads': 2, 'audit.max_age': '2h', 'audit.max_bytes': '32MiB' } });
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  // Every record, as { on (its subject), text, ...record }, once `count` are there beyond `skip`.
  async function records(count, skip = 0) {
    await waitFor(`${count} records`, async () =>
      (await house.nats.streamInfo('WALCAST_AUDIT')).state.last_seq >= skip + count, 20_000, 50);
    return house.nats.manage(async (manager) => {
      const { state } = await manager.streams.info('WALCAST_AUDIT');
      const found = [];
      for (let seq = Math.max(state.first_seq, skip + 1); seq <= state.last_seq; seq++) {
        const message = await manager.streams.getMessage('WALCAST_AUDIT', { seq });
        found.push({ on: message.subject, text: message.string(), ...JSON.parse(message.string()) });
      }
      return found;
    });
  }
  const last = async () => (await house.nats.streamInfo('WALCAST_AUDIT')).state.last_seq;

  // What raw bytes are answered.
  function exchange(bytes, done, walcast = house.walcast) {
    return new Promise((resolve, reject) => {
      let text = '';
      const socket = connect(walcast.port, '127.0.0.1', () => socket.write(bytes));
      socket.on('data', (data) => {
        text += data;
        if (!done(text)) return;
        socket.destroy();
        resolve(text);
      });
      socket.on('error', reject);
    });
  }

  test('records of every surface are complete and hold no secret', async (t) => {
    const { walcast } = house;
    const good = goodToken({ sub: SUBJECT, jti: 'id-of-token' });
    const forged = sign({ role: 'service_role', sub: 'forger', exp: 4e9 }, { secret: 'x'.repeat(40) });
    const post = (path, token, body) => fetch(`${walcast.url}${path}`, { method: 'POST', body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, 'x-request-id': 'mine-1' } });

    assert.equal((await post('/realtime/v1/api/broadcast/secret-topic/events/secret-event?private=false', good, {})).status, 202);
    assert.equal((await post('/realtime/v1/api/broadcast', forged, { messages: [] })).status, 401);
    assert.equal((await fetch(`${walcast.url}/nothing/secret-path?apikey=${good}`)).status, 404);
    assert.equal((await fetch(`${walcast.url}/health/live`, { method: 'POST', body: 'x' })).status, 405);
    for (const path of ['/health/live', '/health/ready', '/metrics', '/'])
      assert.equal((await fetch(`${walcast.url}${path}`)).status, 200);
    assert.match(await exchange('NOT HTTP\r\n\r\n', (text) => text.includes('\r\n\r\n')), /^HTTP\/1.1 400/);
    assert.equal((await refusedHandshake(t, websocketUrl(walcast, { apikey: forged }))).status, 401);
    const stream = await EventStream.open(t, sseUrl(walcast, { table: 'public.todos', apikey: good }));
    assert.equal(stream.response.status, 200);
    stream.close();
    const gone = await EventStream.open(t, sseUrl(walcast, { table: 'public.todos', apikey: good }),
      { headers: { accept: 'text/event-stream', 'last-event-id': '0000000000000001-1.0' } });
    await gone.ended;

    const client = await RawClient.connect(t, websocketUrl(walcast, { apikey: good, vsn: '2.0.0' }),
      { headers: { 'x-request-id': 'mine-2' } });
    client.join('1', 'realtime:secret-room', { postgres_changes: [{ event: '*', schema: 'public', table: 'todos' }] });
    assert.equal((await client.reply('1'))[4].status, 'ok');
    client.join('2', 'realtime:secret-room-2', {}, { access_token: forged });
    assert.match((await client.reply('2'))[4].response.reason, /^JwtSignatureError/);
    client.join('3', 'elsewhere', {});
    await client.reply('3');
    client.join('4', 'realtime:secret-room-3', { postgres_changes: [{ event: '*', schema: 'public', table: 'no_such' }] });
    assert.equal((await client.reply('4'))[4].status, 'error');
    await walcast.commandOk(['setup', '--apply']);

    const all = await records(14);
    // What the command prints of them is that, and only what it is asked for.
    const printed = async (...more) => (await walcast.commandOk(['audit', '--until', 'now', ...more])).split('\n').filter(Boolean);
    assert.deepEqual(await printed('--from', 'first'), all.map((record) => record.text));
    assert.deepEqual(await printed('--from', 'first', '--kind', 'act'), all.filter(({ kind }) => kind === 'act').map((record) => record.text));
    assert.deepEqual(await printed('--from', 'first', '--project', 'other'), []);
    assert.deepEqual(await printed('--from', 'seq:14'), [all[13].text]);
    assert.equal((await printed('--from', `time:${Math.floor(Date.parse(all[0].time) / 1000) - 1}`, '--project', 'default')).length, 14);
    assert.deepEqual(await printed(), []);
    assert.equal((await walcast.command(['audit', '--kind', 'x'])).code, 2);
    const of = (route, status) => {
      const found = all.filter((record) => record.kind === 'request' && record.route === route && record.status === status);
      assert.equal(found.length, 1, `${route} ${status}: ${JSON.stringify(found)}`);
      return found[0];
    };
    const broadcast = of('/realtime/v1/api/broadcast/:topic/events/:event', 202);
    const { on, text, time, ms, node, ...rest } = broadcast;
    assert.equal(on, 'atlasdb.audit.default.request');
    assert.deepEqual(rest, { v: 1, kind: 'request', id: 'mine-1', credential: 'id-of-token', subject: SUBJECT, role: 'anon',
      project: 'default', environment: 'dev', route: '/realtime/v1/api/broadcast/:topic/events/:event', method: 'POST',
      status: 202, bytes: 0, client: '127.0.0.1' });
    assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000 && ms > 0 && ms < 10_000 && node.length > 0);
    assert.equal(of('/realtime/v1/api/broadcast', 401).credential, undefined);
    assert.equal(of('unknown', 404).method, 'GET');
    assert.equal(of('/health/live', 405).method, 'POST');
    of('malformed', 400);
    of('/realtime/v1/websocket', 401);
    of('/realtime/v1/sse', 200);
    of('/realtime/v1/sse', 410); // although EventSource is answered 200, to hear the reason
    assert.equal(of('/realtime/v1/websocket', 101).id, 'mine-2');
    assert.deepEqual(all.filter((record) => record.kind === 'join')
      .map(({ id, role, outcome, credential, ms: took }) => [id, role, outcome, credential, took >= 0]).sort(),
    [['mine-2', 'anon', 'JwtSignatureError', 'id-of-token', true], ['mine-2', 'anon', 'ok', 'id-of-token', true],
      ['mine-2', 'anon', 'Unauthorized', 'id-of-token', true],
      ['mine-2', 'anon', 'unmatched topic', 'id-of-token', true]].sort());
    const [act] = all.filter((record) => record.kind === 'act');
    assert.equal(act.act, 'setup.applied');
    assert.equal(act.by, 'cli');
    assert.equal(all.length, 14, JSON.stringify(all.map((record) => record.text), null, 1));
    for (const record of all) {
      assert.equal(record.text.length < 880, true);
      for (const secret of [good, forged, JWT_SECRET, 'secret-', 'apikey', 'forger', 'no_such'])
        assert.ok(!record.text.includes(secret), record.text);
    }
  });

  test('the stream has a retention of its own', async () => {
    const { config } = await house.nats.streamInfo('WALCAST_AUDIT');
    assert.deepEqual([config.max_age, config.max_bytes], [2 * 3600 * 1e9, 32 * 2 ** 20]);
    assert.notEqual((await house.nats.streamInfo('WALCAST')).config.max_bytes, config.max_bytes);
  });

  test('what is asked of snapshots leaves a record', async () => {
    const before = await last();
    const id = (await house.walcast.commandOk(['snapshot', 'start', 'todos', '--where', "id <> 4711"])).trim();
    await house.walcast.command(['snapshot', 'cancel', id]); // which may be done already
    const [started] = await records(1, before);
    assert.deepEqual([started.kind, started.act, started.object, started.detail, started.by],
      ['act', 'snapshot.started', 'public.todos', id, 'cli']);
    assert.ok(!started.text.includes('4711'));
  });

  test('who leaves before the answer leaves a record', async (t) => {
    const { walcast, postgres } = house;
    const before = await last();
    postgres.process.child.kill('SIGSTOP'); // nobody answers the pool’s first connection
    t.after(() => postgres.process.child.kill('SIGCONT'));
    const asked = () => walcast.metric('walcast_auth_channel_checks_total');
    const askedBefore = await asked();
    const client = await RawClient.connect(t, websocketUrl(walcast, { apikey: goodToken(), vsn: '2.0.0' }));
    client.join('1', 'realtime:held', { private: true });
    const controller = new AbortController();
    const sent = fetch(`${walcast.url}/realtime/v1/api/broadcast`, { method: 'POST', signal: controller.signal,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${goodToken()}` },
      body: JSON.stringify({ messages: [{ topic: 'other', event: 'e', payload: {}, private: true }] }) });
    await waitFor('both questions', async () => (await asked()) - askedBefore === 2);
    client.socket.terminate();
    controller.abort();
    await assert.rejects(sent);
    const found = await records(3, before);
    assert.deepEqual(found.map(({ kind, status, outcome }) => [kind, status ?? outcome]).sort(),
      [['join', 'left'], ['request', 101], ['request', 499]]);
  });

  test('refused and none: what is recorded is a choice', async (t) => {
    const start = async (wish) => {
      const walcast = await Walcast.start({ postgres: house.postgres, nats: house.nats, args: ['--roles', 'ws'],
        config: { 'audit.requests': wish } });
      t.after(() => walcast.remove());
      return walcast.ready();
    };
    const before = await last();
    const [refused, none] = await Promise.all([start('refused'), start('none')]);
    for (const walcast of [none, refused]) {
      await fetch(`${walcast.url}/nothing`);
      const client = await RawClient.connect(t, websocketUrl(walcast, { apikey: goodToken(), vsn: '2.0.0' }));
      client.join('1', 'realtime:room', {});
      await client.reply('1');
      client.join('2', 'elsewhere', {});
      await client.reply('2');
    }
    await Promise.all([none.stop(), refused.stop()]);
    const found = await records(2, before);
    assert.deepEqual(found.map(({ kind, status, outcome }) => [kind, status ?? outcome]), [['request', 404], ['join', 'unmatched topic']]);
  });

  test('the client is whom a trusted proxy names, and nobody else is believed', async (t) => {
    const behind = await Walcast.start({ postgres: house.postgres, nats: house.nats, args: ['--roles', 'ws'],
      config: { 'http.trusted_proxies': '127.0.0.1,10.0.0.0/8' } });
    t.after(() => behind.remove());
    await behind.ready();
    const rows = [
      [behind, { 'x-forwarded-for': '6.6.6.6, 192.0.2.1, 10.0.0.9' }, '192.0.2.1'],
      [behind, { forwarded: 'for="[2001:db8::1]:4711";proto=https' }, '2001:db8::1'],
      [behind, { forwarded: 'for=6.6.6.6', 'x-forwarded-for': '192.0.2.1' }, '127.0.0.1'],
      [behind, {}, '127.0.0.1'],
      [house.walcast, { 'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.1' }, '127.0.0.1'],
    ];
    const before = await last();
    for (const [walcast, headers] of rows) await fetch(`${walcast.url}/nothing`, { headers });
    const client = await RawClient.connect(t, websocketUrl(behind, { apikey: goodToken(), vsn: '2.0.0' }),
      { headers: { 'x-forwarded-for': '192.0.2.7' } });
    client.join('1', 'elsewhere', {});
    await client.reply('1');
    // One connection of a proxy brings many clients: what cannot be read is none of theirs.
    const from = (address) => `Host: x\r\nX-Forwarded-For: ${address}\r\n\r\n`;
    await exchange(`GET /nothing HTTP/1.1\r\n${from('192.0.2.8')}NOT HTTP\r\n\r\n`, (text) => text.includes('HTTP/1.1 400'), behind);
    await exchange(`POST /nothing HTTP/1.1\r\n${from('192.0.2.9')}`, (text) => text.includes('HTTP/1.1 411'), behind);
    const others = ['192.0.2.7', '192.0.2.7', '192.0.2.8', '127.0.0.1', '192.0.2.9'];
    const found = (await records(rows.length + others.length, before)).map((record) => record.client);
    assert.deepEqual(found.sort(), [...rows.map(([, , address]) => address), ...others].sort());
    await behind.stop();
  });

  test('NATS away harms nobody: records wait, and what finds no room is counted', async () => {
    const { walcast, nats } = house;
    const before = await last();
    const stored = await walcast.metric('walcast_audit_records_total');
    await nats.stop();
    const flood = 5000;
    const begun = performance.now();
    const request = 'GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n';
    for (let sent = 0; sent < flood; sent += 500)
      await exchange(request.repeat(500), (text) => text.split('HTTP/1.1 404').length === 501);
    const took_ms = performance.now() - begun;
    assert.ok(took_ms < 60_000, `${flood} requests took ${took_ms} ms`);
    assert.equal(await walcast.metric('walcast_audit_lost_total'), flood - ROOM);
    await nats.restart();
    await waitFor('all that waited', async () =>
      (await walcast.metric('walcast_audit_records_total')) - stored >= ROOM, 30_000, 50);
    assert.equal((await last()) - before, ROOM, 'each once');
    assert.equal(await walcast.metric('walcast_audit_lost_total'), flood - ROOM);
    await fetch(`${walcast.url}/nothing`);
    await waitFor('a record of afterwards', async () => (await last()) - before === ROOM + 1);
    // A stream that somebody removed is made anew, and what was on its way is in it.
    await nats.manage((manager) => manager.streams.delete('WALCAST_AUDIT'));
    await fetch(`${walcast.url}/nothing`);
    await waitFor('the record in a new stream', async () => (await last()) === 1);
    assert.equal(await walcast.metric('walcast_audit_lost_total'), flood - ROOM);
    assert.ok(!(await house.walcast.logText()).includes(JWT_SECRET));
  });
});
