// http.listen with a certificate: the same clients over TLS, slow ones, handshakes that come to
// nothing, and certificates that are replaced under clients that stay.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cpSync, renameSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { createClient } from '@supabase/supabase-js';
import WebSocket from 'ws';
import { startHouse } from '../lib/house.mjs';
import { run, runOk } from '../lib/process.mjs';
import { leave, RawClient, subscribed, websocketUrl } from '../lib/realtime.mjs';
import { EventStream, sseUrl } from '../lib/sse.mjs';
import { certificates, dial, dialPlain } from '../lib/tls.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { waitFor } from '../lib/wait.mjs';
import { BINARY, Walcast } from '../lib/walcast.mjs';

const BINDING = { event: 'INSERT', schema: 'public', table: 'todos' };
const isChange = (message) => message[3] === 'postgres_changes';
const SUBJECT = { server: 'Walcast test server', second: 'Walcast test second', chained: 'Walcast test chained' };

suite('TLS', () => {
  let house;
  let walcast;
  let standing; // connections that never go on with their handshakes
  const { path } = certificates();
  const cleanups = [];
  const suiteT = { after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true };

  // The files that walcast reads become NAME's pair, one after the other.
  const place = (name, key = name) => {
    for (const [file, from] of [['live.pem', `${name}.pem`], ['live-key.pem', `${key}-key.pem`]]) {
      cpSync(path(from), path(`${file}.new`));
      renameSync(path(`${file}.new`), path(file));
    }
  };
  const reload = () => walcast.process.child.kill('SIGHUP');
  const served = async (t, options) => (await dial(t, walcast, options)).getPeerCertificate().subject.CN;
  const url = (parameters) => websocketUrl(walcast, { apikey: goodToken(), vsn: '2.0.0', ...parameters });
  const metric = (name) => walcast.metric(`walcast_ws_tls_${name}`);

  before(async () => {
    place('server');
    house = await startHouse(suiteT, {
      schema: 'CREATE TABLE todos (id bigserial PRIMARY KEY, body text); CREATE TABLE big (id int PRIMARY KEY, body text);',
      config: { 'http.tls_cert': path('live.pem'), 'http.tls_key': path('live-key.pem'), 'http.tls_warn': '1h',
        'http.threads': '2', 'log.level': 'debug', 'ws.queue_bytes': '1MiB', 'audit.requests': 'none' } });
    ({ walcast } = house);
    standing = await Promise.all(Array.from({ length: 20 }, (_, i) => dialPlain(suiteT, walcast).then((socket) => {
      socket.write(Buffer.from('16030102000100', 'hex').subarray(0, i % 8)); // a ClientHello that begins
      socket.ended = new Promise((resolve) => { socket.once('close', resolve).resume(); });
      return socket;
    })));
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  test('supabase-js, a stream of events, curl; an insert reaches all', async (t) => {
    const client = createClient(walcast.url, goodToken(), { auth: { persistSession: false, autoRefreshToken: false },
      realtime: { transport: WebSocket } });
    t.after(() => leave(client.realtime));
    const got = [];
    await subscribed(client.channel('room', { config: { broadcast: { self: true } } })
      .on('postgres_changes', BINDING, ({ new: row }) => got.push(row.body))
      .on('broadcast', { event: 'e' }, ({ payload }) => got.push(payload.text)));
    const stream = await (await EventStream.open(t, sseUrl(walcast, { table: 'public.todos', apikey: goodToken() }))).ready();
    await client.channel('room').send({ type: 'broadcast', event: 'e', payload: { text: 'told' } });
    await house.postgres.query("INSERT INTO todos (body) VALUES ('over TLS')");
    await waitFor('both', () => got.includes('told') && got.includes('over TLS'));
    assert.equal((await stream.count(1))[0].record.body, 'over TLS');
    const answer = await runOk(['curl', '-sS', '--cacert', path('ca.pem'), '--http2', '-i', `${walcast.url}/health/live`]);
    assert.match(answer, /^HTTP\/1\.1 200 /);
  });

  test('large frames both ways, byte by byte', async (t) => {
    const client = await RawClient.connect(t, url());
    client.join('1', 'realtime:big', { broadcast: { self: true }, postgres_changes: [{ event: '*', schema: 'public', table: 'big' }] });
    await client.next('Subscribed', (message) => message[3] === 'system');
    const texts = [1, 16_360, 16_384, 100_000, 180_000].map((length) => randomBytes(length).toString('base64'));
    for (const text of texts) client.send(['1', '9', 'realtime:big', 'broadcast', { type: 'broadcast', event: 'e', payload: { text } }]);
    for (const text of texts)
      assert.ok((await client.next('it back', (message) => message[3] === 'broadcast'))[4].payload.text === text);
    for (const [id, megabytes] of [[1, 3], [2, 1], [3, 3]]) {
      const body = randomBytes(megabytes * 750_000).toString('base64');
      await house.postgres.query('INSERT INTO big VALUES ($1, $2)', [id, body]);
      const { record } = (await client.next('the row', isChange, 30_000))[4].data;
      assert.ok(record.id === id && record.body === body);
    }
  });

  test('200 clients, some of them slow: who reads on has every row in order, who does not is told and closed', async (t) => {
    const clients = await Promise.all(Array.from({ length: 200 }, async (_, i) => {
      const client = await RawClient.connect(t, url());
      client.slow = i % 4 === 0;
      client.stuck = i % 20 === 1;
      client.rows = [];
      client.socket.on('message', (data) => {
        const message = JSON.parse(data);
        if (isChange(message)) client.rows.push(message[4].data.record.body.length);
      });
      client.join('1', `realtime:${i % 3}`, { postgres_changes: [BINDING] });
      await client.next('Subscribed', (message) => message[3] === 'system', 30_000);
      if (client.slow || client.stuck) client.socket.pause();
      return client;
    }));
    const slow = clients.filter((client) => client.slow), stuck = clients.filter((client) => client.stuck && !client.slow);
    const insert = (from, to) => house.postgres.query(
      "INSERT INTO todos (body) SELECT repeat('x', 20000 + n) FROM generate_series($1::int, $2) n", [from, to]);
    const all = (to) => Array.from({ length: to }, (_, n) => 20_001 + n);
    const FIRST = 30, EACH = 20;
    await insert(1, FIRST); // 600 kB for each
    await waitFor('those that read', () => clients.every((client) => client.slow || client.stuck || client.rows.length === FIRST), 60_000);
    for (const client of slow) client.socket.resume();
    await waitFor('those that were slow', () => slow.every((client) => client.rows.length === FIRST), 60_000);
    for (const client of slow) client.socket.terminate();
    const readers = clients.filter((client) => !client.slow && !client.stuck);
    for (const client of readers.splice(10)) client.socket.terminate();
    for (let n = FIRST; await walcast.metric('walcast_ws_slow_clients_closed_total') < stuck.length; n += EACH) {
      assert.ok(n < 1500, 'they are not closed');
      await insert(n + 1, n + EACH);
      await waitFor('those that read', () => readers.every((client) => client.rows.length === n + EACH), 60_000);
    }
    for (const client of stuck) client.socket.resume();
    for (const client of stuck) {
      const { code } = await client.closed;
      assert.equal(code, 1013);
      assert.deepEqual(client.rows, all(client.rows.length)); // whole frames to the end
    }
    for (const client of [...slow, ...readers])
      assert.deepEqual(client.rows, all(client.rows.length));
    for (const client of clients) client.socket.terminate();
    await waitFor('nothing is held any more', async () => await walcast.metric('walcast_ws_held_bytes') === 0);
  });

  test('what is spoken: HTTP/1.1, TLS 1.2 and later, tickets that each thread knows; plain HTTP is told', async (t) => {
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      const socket = await dial(t, walcast, { ALPNProtocols: ['h2', 'http/1.1'], minVersion: version, maxVersion: version });
      assert.deepEqual([socket.alpnProtocol, socket.getProtocol(), socket.isSessionReused()], ['http/1.1', version, false]);
      const session = await new Promise((resolve) => {
        socket.once('session', resolve);
        if (version === 'TLSv1.2' && socket.getSession()) resolve(socket.getSession());
      });
      for (let i = 0; i < 8; i++)
        assert.equal((await dial(t, walcast, { session, minVersion: version, maxVersion: version })).isSessionReused(), true);
    }
    await waitFor('all counted', async () => await metric('resumed_total') >= 16); // fetch resumes too
    await assert.rejects(dial(t, walcast, { ALPNProtocols: ['h2'] }));
    await assert.rejects(dial(t, walcast, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }));
    const answer = await (await fetch(walcast.url.replace('https', 'http'))).text();
    assert.equal(answer, 'this port speaks TLS: use https:// or wss://.\n');
    assert.equal((await fetch(walcast.url.replace('https', 'http'), { method: 'OPTIONS' })).status, 400);
    await waitFor('a log line', () => /DEBUG.*a TLS handshake failed.*peer=127\.0\.0\.1.*plain HTTP/i.test(walcast.logText()));
  });

  test('clients that are cut in mid-handshake leave nothing', async (t) => {
    const failed = await metric('handshakes_failed_total');
    await Promise.all(Array.from({ length: 50 }, async (_, i) => {
      const socket = await dialPlain(t, walcast);
      socket.write(randomBytes(1)[0] % 2 ? Buffer.from([22, 3, 1, 2]) : Buffer.from([]));
      if (i % 2) socket.resetAndDestroy();
      else socket.destroy();
    }));
    await waitFor('all counted', async () => await metric('handshakes_failed_total') >= failed + 50);
    assert.equal((await fetch(`${walcast.url}/health/live`)).status, 200);
  });

  test('replaced under clients that stay: at SIGHUP, and when the files change; never by what cannot be used', async (t) => {
    const client = await RawClient.connect(t, url());
    client.join('1', 'realtime:stays', { broadcast: { self: true, ack: true } });
    await client.reply('1');
    const alive = async (word) => {
      client.send(['1', '2', 'realtime:stays', 'broadcast', { type: 'broadcast', event: word, payload: {} }]);
      await client.next(word, (message) => message[3] === 'broadcast' && message[4].event === word);
    };
    assert.equal(await served(t), SUBJECT.server);
    place('second');
    reload();
    await waitFor('the second', async () => await served(t) === SUBJECT.second);
    await alive('one');
    place('chained');
    await waitFor('the one with a chain, unasked', async () => await served(t) === SUBJECT.chained, 20_000);
    await alive('two');
    assert.deepEqual(await walcast.health(), { code: 200, status: 'ready', reason: undefined });
    for (const [name, key, reason] of [['second', 'server', /live-key\.pem.*is not the key of the certificate of .*Walcast test second/],
      ['expired', 'expired', /Walcast test expired expired at/], ['server-key', 'server', /holds no certificate in PEM/]]) {
      const refused = await metric('certificates_refused_total');
      place(name, key);
      reload();
      await waitFor(`${name} refused`, async () => await metric('certificates_refused_total') > refused);
      assert.match(walcast.logText().split('\n').filter((line) => line.includes('cannot be replaced')).at(-1), reason);
      assert.equal(await served(t), SUBJECT.chained);
      const health = await walcast.health();
      assert.equal(health.status, 'warning');
      assert.match(health.reason, /tls: what http\.tls_cert and http\.tls_key hold now was refused/);
    }
    place('server');
    reload();
    await waitFor('the first', async () => await served(t) === SUBJECT.server);
    assert.equal((await walcast.health()).status, 'ready');
    await alive('three');
    const expires = await metric('certificate_expiry_timestamp_seconds') * 1000 - Date.now();
    assert.ok(expires > 86_400_000 && expires < 2 * 86_400_000);
    // Each pair that was taken leaves a record, whatever audit.requests says, and none that was refused.
    const acts = async () => (await walcast.commandOk(['audit', '--from', 'first', '--until', 'now', '--kind', 'act']))
      .split('\n').filter(Boolean).map((line) => JSON.parse(line));
    const records = await waitFor('their records', async () => (await acts()).length >= 3 && acts());
    assert.deepEqual(records.map(({ act, object, by, project }) => [act, object, by, project]),
      Array(3).fill(['certificate.replaced', path('live.pem'), 'process', 'default']));
    for (const [i, name] of ['second', 'chained', 'server'].entries()) assert.match(records[i].detail, new RegExp(SUBJECT[name]));
  });

  test('check says whether the pair can be used; run refuses one that cannot, and warns of one that has expired', async (t) => {
    const pair = (name, key = name) => ({ ...walcast.config, 'http.listen': `127.0.0.1:0`, 'http.tls_cert': path(`${name}.pem`),
      'http.tls_key': key && path(`${key}-key.pem`) });
    const command = (args, config) => run([BINARY, ...args], { env: Object.fromEntries(Object.entries(config)
      .filter(([, value]) => value).map(([key, value]) => [`WALCAST_${key.toUpperCase().replaceAll('.', '_')}`, value])), cwd: walcast.directory });
    const good = await command(['check', '--offline', '--json'], pair('chained'));
    assert.equal(good.code, 0, good.stderr);
    assert.match(JSON.parse(good.stdout).tls.findings[0], /Walcast test chained is valid until 20/);
    for (const [config, reason] of [[pair('second', 'server'), /is not the key of the certificate/], [pair('expired'), /expired at/],
      [pair('absent', 'server'), /cannot read .*absent\.pem.*No such file/], [pair('server', 'locked'), /without a passphrase/]]) {
      const { code, stdout } = await command(['check', '--offline'], config);
      assert.equal(code, 2);
      assert.match(stdout, /TLS: NOT OK/);
      assert.match(stdout, reason);
    }
    const half = await command(['check', '--offline'], pair('server', null));
    assert.deepEqual([half.code, /http\.tls_cert: is set without http\.tls_key/.test(half.stderr)], [2, true]);
    const wrong = await command(['run'], pair('second', 'server'));
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /http\.tls_key: .*is not the key of the certificate/);
    const old = await Walcast.start({ ...house, args: ['--roles', 'ws'], config: { 'http.tls_cert': path('expired.pem'), 'http.tls_key': path('expired-key.pem') } });
    t.after(() => old.remove());
    const insecure = ['curl', '-sSk', `${old.url}/health/ready`];
    await waitFor('its warning', async () => /tls: the certificate expired at/.test((await run(insecure)).stdout));
    assert.match(old.logText(), /ERROR.*clients will not trust the certificate/i);
  });

  test('handshakes that stood still were cut after their time', async () => {
    await Promise.all(standing.map((socket) => socket.ended));
    await waitFor('none under way', async () => await metric('handshaking') <= 1); // the question's own
  });
});
