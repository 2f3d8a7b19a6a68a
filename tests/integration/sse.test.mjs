// Changes as server-sent events: to curl, to readers of lines, and what is refused how.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { after, before, beforeEach, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { RawClient, websocketUrl } from '../lib/realtime.mjs';
import { EventStream, sseUrl } from '../lib/sse.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';

const SCHEMA = `
  CREATE TABLE todos (id bigint PRIMARY KEY, title text, price numeric, raw json);
  CREATE TABLE other (id int PRIMARY KEY);
  CREATE TABLE big (id int PRIMARY KEY, body text);
  CREATE TABLE closed (id int PRIMARY KEY);
  REVOKE ALL ON closed FROM anon, authenticated;
  CREATE TABLE marks (id serial PRIMARY KEY);
  CREATE SCHEMA "My Schema";
  CREATE TABLE "My Schema"."t.x" ("Key One" int PRIMARY KEY, "a,b" text, c text);`;
const OFFSET = /^[0-9a-z]{16}-\d+\.\d+$/;

suite('server-sent events', () => {
  let house;
  let token;
  let marks;
  const cleanups = [];
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { schema: SCHEMA, config: { 'postgres.tables': 'public.*,"My Schema".*', 'http.threads': 2, 'ws.tail_bytes': '256KiB' } });
    token = await house.walcast.token();
    marks = await open({ after: (cleanup) => cleanups.push(cleanup) }, { table: 'marks' });
  });
  // What earlier tests changed has passed the gateway.
  beforeEach(async () => {
    const before = marks.changes.length;
    await sql('INSERT INTO marks DEFAULT VALUES');
    await marks.count(before + 1);
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));
  const sql = (...all) => house.postgres.query(...all);
  const open = async (t, parameters, options) =>
    (await EventStream.open(t, sseUrl(house.walcast, { apikey: token, ...parameters }), options)).ready();
  const streams = () => house.walcast.metric('walcast_ws_event_streams');

  test('curl -N shows each change as it is committed', async (t) => {
    const curl = spawn('curl', ['-sN', '-H', `Authorization: Bearer ${token}`,
      sseUrl(house.walcast, { table: 'public.todos' })]);
    t.after(() => curl.kill('SIGKILL'));
    let text = '';
    curl.stdout.setEncoding('utf8').on('data', (chunk) => { text += chunk; });
    await waitFor('ready', () => text.includes('event: ready\n'));
    await sql("INSERT INTO todos VALUES (1, 'milk')");
    await waitFor('a change', () => /\n\nid: [0-9a-z]{16}-\d+\.\d+\ndata: \{"schema":"public","table":"todos".*\}\n\n/.test(text));
    await sql('DELETE FROM todos');
  });

  test('the head is an event stream’s', async (t) => {
    const { response } = await open(t, { table: 'todos' });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    assert.equal(response.headers.get('cache-control'), 'no-cache, no-transform');
    assert.equal(response.headers.get('x-accel-buffering'), 'no');
    assert.ok(response.headers.get('x-request-id'));
    assert.equal(response.headers.get('content-length'), null);
  });

  test('each change’s data is the postgres_changes data, its id the offset', async (t) => {
    const stream = await open(t, { table: 'public.todos' });
    const client = await RawClient.connect(t, websocketUrl(house.walcast, { apikey: token, vsn: '2.0.0' }));
    client.join('1', 'realtime:x', { postgres_changes: [{ event: '*', schema: 'public', table: 'todos' }] });
    await client.reply('1');
    await sql(`INSERT INTO todos VALUES (1, 'a "b" ☃', 12345678901234567890.5, E'{"a":\\r\\n[1,\\n2]}')`);
    await sql('UPDATE todos SET title = NULL');
    await sql('DELETE FROM todos');
    await sql('TRUNCATE todos');
    const got = await stream.count(4);
    await waitFor('the same by WebSocket', () => client.received.filter((m) => m[3] === 'postgres_changes').length === 4);
    const expected = client.received.filter((m) => m[3] === 'postgres_changes').map((m) => m[4].data);
    assert.deepEqual(got, expected);
    assert.deepEqual(got.map(({ type }) => type), ['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']);
    assert.deepEqual(stream.changes.map(({ id }) => id), got.map(({ offset }) => offset));
    assert.ok(stream.changes.every(({ id }) => OFFSET.test(id)));
    assert.equal(new Set(stream.changes.map(({ id }) => id)).size, 4);
  });

  test('filters, columns, events, quoted names and wildcards', async (t) => {
    const of = async (parameters) => [parameters, await open(t, parameters)];
    const all = new Map([
      await of({ table: 'todos', filter: 'id=gt.1' }),
      await of({ table: 'public.todos', select: 'title' }),
      await of({ table: 'public.todos', events: 'DELETE,update' }),
      await of({ table: '"My Schema"."t.x"', select: '"a,b"' }),
      await of({ schema: 'My Schema', table: 't.x' }),
      await of({ schema: 'My Schema' }),
      await of({ table: 'public.*' }),
      await of({ table: '*.*' }),
    ]);
    await sql("INSERT INTO todos VALUES (1, 'one'), (2, 'two')");
    await sql("UPDATE todos SET title = 'changed' WHERE id = 1");
    await sql('DELETE FROM todos');
    await sql('INSERT INTO "My Schema"."t.x" VALUES (7, \'seven\', \'C\')');
    await sql('INSERT INTO other VALUES (1)');
    const [any] = [...all.values()].slice(-1);
    await any.count(7);
    const told = ({ changes }) => changes.map(({ data: { table, type, record, old_record } }) =>
      `${type} ${table} ${JSON.stringify(record ?? old_record)}`);
    const expected = [
      ['INSERT todos {"id":2,"title":"two","price":null,"raw":null}', 'DELETE todos {"id":2}'],
      ['INSERT todos {"id":1,"title":"one"}', 'INSERT todos {"id":2,"title":"two"}',
        'UPDATE todos {"id":1,"title":"changed"}', 'DELETE todos {"id":2}', 'DELETE todos {"id":1}'],
      ['UPDATE todos {"id":1,"title":"changed","price":null,"raw":null}', 'DELETE todos {"id":2}', 'DELETE todos {"id":1}'],
      ['INSERT t.x {"Key One":7,"a,b":"seven"}'],
      ['INSERT t.x {"Key One":7,"a,b":"seven","c":"C"}'],
      ['INSERT t.x {"Key One":7,"a,b":"seven","c":"C"}'],
    ];
    for (const [i, stream] of [...all.values()].entries()) {
      if (i >= expected.length) break;
      await stream.count(expected[i].length);
      assert.deepEqual(told(stream), expected[i], JSON.stringify([...all.keys()][i]));
    }
    assert.equal([...all.values()][6].changes.length, 6);
    assert.equal(any.changes.length, 7);
    await sql('DELETE FROM other; DELETE FROM "My Schema"."t.x"');
  });

  const refused = {
    'no table': [400, {}, /table is missing/],
    'a table of three parts': [400, { table: 'a.b.c' }, /table must be schema.table/],
    'a filter that is none': [400, { table: 'todos', filter: 'id~1' }, /filter/],
    'a filter over a wildcard': [400, { table: 'public.*', filter: 'id=eq.1' }, /filter needs/],
    'leave without a filter': [400, { table: 'todos', leave: 'true' }, /leave needs a filter/],
    'an unknown event': [400, { table: 'todos', events: 'SELECT' }, /event must be/],
    'a parameter that is misspelled': [400, { table: 'todos', fliter: 'id=eq.1' }, /fliter is no parameter/],
    'since that is no offset': [400, { table: 'todos', since: 'yesterday' }, /since is no offset/],
    'no token': [401, { table: 'todos', apikey: '' }, /token|key/i],
    'a token that is none': [401, { table: 'todos', apikey: 'abc' }, /token|JWT/i],
  };
  for (const [what, [status, parameters, detail]] of Object.entries(refused)) {
    test(`${what} is a problem with status ${status}, to EventSource too`, async () => {
      for (const accept of ['*/*', 'text/event-stream']) {
        const response = await fetch(sseUrl(house.walcast, { apikey: token, ...parameters }), { headers: { accept } });
        assert.equal(response.status, status);
        assert.equal(response.headers.get('content-type'), 'application/problem+json');
        const problem = await response.json();
        assert.equal(problem.status, status);
        assert.match(problem.detail, detail);
      }
    });
  }

  test('what the role may not see is 403 with what to do; of a wildcard it is told once', async (t) => {
    for (const accept of ['*/*', 'text/event-stream']) {
      const response = await fetch(sseUrl(house.walcast, { apikey: token, table: 'closed' }), { headers: { accept } });
      assert.equal(response.status, 403);
      assert.match((await response.json()).detail, /GRANT SELECT/);
    }
    const all = await open(t, { schema: 'public' });
    await sql('INSERT INTO closed VALUES (1), (2); INSERT INTO other VALUES (1)');
    const changes = await all.count(1);
    assert.equal(changes[0].table, 'other');
    const problems = all.events.filter(({ type }) => type === 'problem');
    assert.deepEqual(problems.map(({ data }) => data.status), [403]);
    assert.match(problems[0].data.detail, /closed/);
    await sql('DELETE FROM other');
    await all.count(2); // the stream goes on
  });

  test('only GET', async () => {
    for (const method of ['HEAD', 'POST', 'DELETE']) {
      const response = await fetch(sseUrl(house.walcast, { table: 'todos', apikey: token }), { method, body: method === 'POST' ? '{}' : undefined });
      assert.equal(response.status, 405, method);
      assert.match(response.headers.get('allow'), /GET/);
    }
  });

  test('the token may be a bearer, a header or a parameter; the bearer counts first', async (t) => {
    const url = sseUrl(house.walcast, { table: 'todos' });
    const ways = [{ authorization: `Bearer ${token}` }, { 'x-api-key': token }, { apikey: token },
      { authorization: `Bearer ${token}`, apikey: 'another' }];
    for (const headers of ways) await (await EventStream.open(t, url, { headers })).ready();
    const wrong = await fetch(url, { headers: { authorization: 'Bearer wrong', apikey: token } });
    assert.equal(wrong.status, 401);
  });

  test('HTTP/1.0 and requests that come behind are taken', async () => {
    const socket = connect(house.walcast.port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk) => { text += chunk; });
    const path = `/realtime/v1/sse?table=todos&apikey=${token}`;
    socket.write(`GET ${path} HTTP/1.0\r\n\r\nGET /health/live HTTP/1.0\r\n\r\n`);
    await waitFor('ready', () => text.includes('event: ready\n'));
    await sql('INSERT INTO todos VALUES (1)');
    await waitFor('the change', () => text.includes('"type":"INSERT"'));
    assert.equal(text.match(/HTTP\/1\.1 /g).length, 1);
    socket.destroy();
    await sql('DELETE FROM todos');
  });

  test('ready tells the offset, so a client goes on from there though it saw no change', async (t) => {
    const first = await open(t, { table: 'todos' });
    const { id, data } = await first.event('ready');
    assert.match(id, OFFSET);
    assert.equal(data.offset, id);
    first.close();
    await sql("INSERT INTO todos VALUES (1, 'missed')");
    const second = await open(t, { table: 'todos' }, { headers: { 'last-event-id': id } });
    assert.deepEqual((await second.count(1)).map(({ record }) => record.title), ['missed']);
    await sql('DELETE FROM todos');
  });

  test('Last-Event-ID, or since, gives what was missed, then the live stream, each once', async (t) => {
    const first = await open(t, { table: 'todos' });
    await sql('INSERT INTO todos SELECT generate_series(1, 5)');
    await first.count(5);
    first.close();
    const ids = first.changes.map(({ id }) => id);
    const watcher = await open(t, { table: 'todos' });
    await sql('INSERT INTO todos SELECT generate_series(6, 300)');
    await watcher.count(295); // so the gateway has it
    const ways = [[{}, { 'last-event-id': ids[2] }], [{ since: ids[2] }, {}], [{ since: ids[4] }, { 'last-event-id': ids[2] }]];
    const streams = await Promise.all(ways.map(([parameters, headers]) => open(t, { table: 'todos', ...parameters }, { headers })));
    await sql('INSERT INTO todos VALUES (301)');
    for (const stream of streams) {
      const got = await stream.count(298);
      assert.deepEqual(got.map(({ record }) => record.id), Array.from({ length: 298 }, (_, i) => i + 4));
      const ready = stream.events.findIndex(({ type }) => type === 'ready');
      assert.ok(ready === 297, `ready after ${ready} changes`);
    }
    await sql('DELETE FROM todos');
  });

  test('a long history is read as fast as its client reads', async (t) => {
    const first = await open(t, { table: 'big' });
    const { id } = await first.event('ready');
    first.close();
    const rows = 30;
    for (let i = 0; i < rows; i++)
      await sql(`INSERT INTO big SELECT ${1000 + i}, string_agg(md5(n::text), '') FROM generate_series(1, 16384) n`);
    const slow = connect({ port: house.walcast.port, host: '127.0.0.1' });
    t.after(() => slow.destroy());
    slow.pause();
    slow.write(`GET /realtime/v1/sse?table=big&apikey=${token} HTTP/1.1\r\nHost: x\r\nLast-Event-ID: ${id}\r\n\r\n`);
    const quick = await EventStream.open(t, sseUrl(house.walcast, { apikey: token, table: 'big', since: id }));
    await quick.count(rows, 60_000);
    let text = '';
    slow.setEncoding('latin1').on('data', (chunk) => { text += chunk; });
    slow.resume();
    await waitFor('all of it', () => text.includes('event: ready\n'), 60_000);
    assert.equal(text.match(/^id: .*\ndata: /gm).length, rows);
    assert.ok(!text.includes('event: problem'));
    await sql('DELETE FROM big');
  });

  test('history that is no longer held: 410, and to EventSource an event', async () => {
    const gone = 'zzzzzzzzzzzzzzzz-1.0';
    const url = sseUrl(house.walcast, { table: 'todos', apikey: token, since: gone });
    const plain = await fetch(url);
    assert.equal(plain.status, 410);
    const problem = await plain.json();
    assert.equal(problem.title, 'Gone');
    assert.match(problem.detail, /load the rows anew/);
    const source = await fetch(sseUrl(house.walcast, { table: 'todos', apikey: token }),
      { headers: { accept: 'text/event-stream', 'last-event-id': gone } });
    assert.equal(source.status, 200);
    const [, retry, data] = /^retry: (\d+)\nevent: gap\ndata: (.*)\n\n$/.exec(await source.text());
    assert.equal(Number(retry), 30_000);
    assert.deepEqual(JSON.parse(data), problem);
  });

  test('clients that go, waiting or served, leave nothing behind', async (t) => {
    await waitFor('no streams', async () => (await streams()) === 1); // marks
    const opened = await Promise.all(Array.from({ length: 20 }, () => open(t, { table: 'todos' })));
    assert.equal(await streams(), 21);
    for (const stream of opened) stream.close();
    for (let i = 0; i < 50; i++) { // cut at once: most before the hub has answered
      const socket = connect(house.walcast.port, '127.0.0.1');
      await new Promise((resolve) => socket.once('connect', resolve));
      socket.write(`GET /realtime/v1/sse?table=todos&apikey=${token} HTTP/1.1\r\nHost: x\r\n\r\n`,
        () => socket.destroy());
    }
    await waitFor('no streams', async () => (await streams()) === 1);
    await waitFor('no connections', async () => (await house.walcast.metric('walcast_ws_connections')) === 1);
    const again = await open(t, { table: 'todos' });
    await sql('INSERT INTO todos VALUES (1)');
    await again.count(1);
    await sql('DELETE FROM todos');
  });

  test('a client that does not read is told so and closed; others get everything', async (t) => {
    const before = await house.walcast.metric('walcast_ws_slow_clients_closed_total');
    const good = await open(t, { table: 'big' });
    const socket = connect({ port: house.walcast.port, host: '127.0.0.1' });
    t.after(() => socket.destroy());
    socket.write(`GET /realtime/v1/sse?table=big&apikey=${token} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await waitFor('both', async () => (await streams()) === 3);
    socket.pause();
    let end = '';
    const told = waitFor('the slow one to be closed',
      async () => (await house.walcast.metric('walcast_ws_slow_clients_closed_total')) === before + 1, 120_000).then(() => {
      socket.setEncoding('latin1').on('data', (chunk) => { end = (end + chunk).slice(-2000); });
      socket.resume(); // in time to be told
    });
    const rows = 40;
    for (let i = 0; i < rows; i++)
      await sql(`INSERT INTO big SELECT ${i}, string_agg(md5(n::text), '') FROM generate_series(1, 16384) n`);
    await good.count(rows, 60_000);
    await told;
    await waitFor('its end', () => socket.closed);
    assert.match(end, /\n\nevent: problem\ndata: \{[^\n]*too slow[^\n]*\}\n\n$/);
  });

  suite('beside each other', { concurrency: 4 }, () => {
    test('a stream without changes of its own is told how far it is, so that it does not fall behind', async (t) => {
      const quiet = await open(t, { table: 'todos', filter: 'id=eq.-1' });
      const { id } = await quiet.event('ready');
      let at = 0;
      await waitFor('another id', async () => {
        await sql(`INSERT INTO other VALUES (${1000 + at++})`);
        return quiet.lastEventId !== id;
      }, 60_000, 500);
      assert.equal(quiet.changes.length, 0);
      const told = quiet.lastEventId;
      const again = await open(t, { table: 'other', since: told });
      const whole = await open(t, { table: 'other', since: id, events: 'INSERT' });
      await sql('DELETE FROM other');
      await waitFor('all deletes', () => again.changes.filter(({ data }) => data.type === 'DELETE').length === at);
      await whole.count(at);
      const late = again.changes.filter(({ data }) => data.type === 'INSERT').length;
      assert.ok(late < at, `${late} of ${at} came again`);
    });

    test('a token that expires ends its stream, and says so', async (t) => {
      const short = await house.walcast.token({ ttl: '2s' });
      const stream = await open(t, { table: 'todos', apikey: short });
      const { data } = await stream.event('problem');
      assert.equal(data.status, 401);
      assert.match(data.detail, /expired/);
      await stream.ended;
    });

    test('a server that drains ends its streams with a time to come back, and takes no more', async (t) => {
      const config = { ...house.walcast.config, 'drain.timeout': '20s' };
      delete config['http.listen'];
      const server = await Walcast.start({ config, args: ['--roles', 'ws'] });
      t.after(() => server.remove());
      await server.ready();
      const stream = await (await EventStream.open(t, sseUrl(server, { table: 'todos', apikey: token }))).ready();
      const ended = server.stop();
      const { data } = await stream.event('problem');
      assert.equal(data.status, 503);
      assert.ok(stream.retry >= 1000 && stream.retry < 30_000, `retry ${stream.retry}`);
      await stream.ended;
      assert.equal((await ended).code, 0);
    });

    test('while the change stream is away: 503, and EventSource is told to come back', async (t) => {
      const config = { ...house.walcast.config, 'nats.url': 'nats://127.0.0.1:1' };
      delete config['http.listen'];
      const server = await Walcast.start({ config, args: ['--roles', 'ws'] });
      t.after(() => server.remove());
      await waitFor('a server', async () => (await fetch(`${server.url}/health/live`)).ok);
      const url = sseUrl(server, { table: 'todos', apikey: token });
      const [plain, source] = await Promise.all(['*/*', 'text/event-stream'].map((accept) => fetch(url, { headers: { accept } })));
      assert.equal(plain.status, 503);
      assert.ok(Number(plain.headers.get('retry-after')) > 0);
      assert.equal((await plain.json()).status, 503);
      assert.equal(source.status, 200);
      assert.equal(source.headers.get('content-type'), 'text/event-stream');
      assert.match(await source.text(), /^retry: \d+\nevent: problem\ndata: \{.*"status":503.*\}\n\n$/);
    });
  });
});
