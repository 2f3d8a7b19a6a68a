// /events/v1: events published over HTTP are in the stream once their 202 has come, whatever is
// killed; asked again under an Idempotency-Key they are there once; nobody reads another project's.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { pageBlocks, Reader } from '../lib/docs.mjs';
import { readEvents } from '../lib/events.mjs';
import { startHouse } from '../lib/house.mjs';
import { EventStream } from '../lib/sse.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { waitFor } from '../lib/wait.mjs';
import '../lib/triggers_role.mjs';

const as = (project, more = {}) => `Bearer ${goodToken({ role: 'service_role', ...(project && { project_id: project }), ...more })}`;

suite('events over HTTP', () => {
  let house;
  const cleanups = [];
  const suiteT = { after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true };
  before(async () => {
    house = await startHouse(suiteT, { schema: 'CREATE TABLE t (id int PRIMARY KEY)', config: {
      'postgres.tenant_schemas': 'proj_{project_id}' } });
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  async function ask(method, path, body, headers = {}) {
    const response = await fetch(`${house.walcast.url}/events/v1${path}`, { method,
      headers: { authorization: as(), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }) });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: text ? JSON.parse(text) : undefined };
  }
  const publish = (type, data, headers) => ask('POST', '', { type, data }, headers);
  const stored = async (type) => (await readEvents(house.nats)).filter((event) => event.type === type.replaceAll('.', '%2E'));
  const list = async (parameters, headers) => (await ask('GET', `?${new URLSearchParams(parameters)}`, undefined, headers)).body;

  test('one is in the stream byte for byte once it is answered, and can be looked up', async () => {
    const data = '{"big": 12345678901234567890.10, "b":  [null,"\\u00e4"]}';
    const made = await ask('POST', '', `{"type":"order.paid","data":${data}}`);
    assert.equal(made.status, 202, made.text);
    const [event] = await stored('order.paid');
    assert.equal(event.text, data);
    assert.equal(event.subject, 'atlasdb.events.default.order%2Epaid');
    assert.equal(event.headers['Walcast-Source'], 'api');
    assert.equal(event.headers['Walcast-Depth'], '0');
    assert.ok(Math.abs(Date.parse(event.headers['Walcast-Time']) - Date.now()) < 60_000);
    const got = await ask('GET', `/${made.body.id}`);
    assert.equal(got.status, 200);
    assert.ok(got.text.includes(`"data":${data}`), got.text);
    assert.deepEqual({ ...got.body, data: null, time: null },
      { id: made.body.id, type: 'order.paid', time: null, source: 'api', data: null });
    const bare = await ask('POST', '', '{"type":"bare"}');
    assert.equal((await ask('GET', `/${bare.body.id}`)).body.data, null);
  });

  test('a batch keeps its order; lists go by type and from an id on', async () => {
    const events = Array.from({ length: 1000 }, (_, i) => ({ type: i % 4 === 0 ? 'batch:four' : 'batch/other', data: i }));
    const made = await ask('POST', '/batch', { events });
    assert.equal(made.status, 202, made.text);
    assert.equal(new Set(made.body.ids).size, 1000);
    const sequences = made.body.ids.map((id) => Number(id.split('-')[1]));
    assert.deepEqual(sequences, sequences.toSorted((a, b) => a - b));
    let all = [], page = { next: made.body.ids[0] };
    while ((page = await list({ since: page.next, limit: '300' })).events.length > 0) all = all.concat(page.events);
    assert.deepEqual(all.map(({ data }) => data), events.slice(1).map(({ data }) => data));
    assert.deepEqual(all.map(({ id }) => id), made.body.ids.slice(1));
    const fours = await list({ type: 'batch:four', limit: '1000' });
    assert.deepEqual(fours.events.map(({ data }) => data), events.filter(({ data }) => data % 4 === 0).map(({ data }) => data));
    const end = await list({ since: fours.next, type: 'batch:four' });
    assert.deepEqual(end, { events: [], next: fours.next });
    assert.equal((await list({})).events.length, 100, 'so many by default');
  });

  test('those of the outbox are shown beside', async () => {
    await house.postgres.query(`SELECT pg_logical_emit_message(true, 'from.sql', '{"n":1}'),
      pg_logical_emit_message(true, 'from.sql', 'no json'), pg_logical_emit_message(true, 'from.sql', '\\xff00'::bytea)`);
    const events = await waitFor('events of the outbox', async () => {
      const found = (await list({ type: 'from.sql' })).events;
      return found.length === 3 && found;
    });
    assert.deepEqual(events.map(({ data, data_base64 }) => data ?? data_base64), [{ n: 1 }, 'no json', '/wA=']);
    assert.ok(events.every(({ source, offset }) => source === 'message' && /^\w+-\d+\.\d+$/.test(offset)));
  });

  test('what is wrong is refused with a reason, and nothing of it is stored', async () => {
    const before = (await readEvents(house.nats)).length;
    const many = { events: Array.from({ length: 1001 }, () => ({ type: 'a' })) };
    const cases = [
      ['', '', 400, /no JSON object/], ['', '[]', 400, /no JSON object/], ['', '{"type":"a"', 400, /no JSON object/],
      ['', '{"type":"a"} x', 400, /no JSON object/], ['', '{"data":1}', 400, /"type" is missing/],
      ['', '{"type":7}', 400, /expected a string/], ['', '{"type":""}', 400, /expected letters/],
      ['', '{"type":"a b"}', 400, /expected letters/], ['', '{"type":"a\\u0062"}', 400, /expected letters/],
      ['', '{"type":"a*"}', 400, /expected letters/], ['', { type: 'x'.repeat(101) }, 400, /at most 100 bytes/],
      ['', { type: '.'.repeat(99) }, 400, /fewer where many are dots/], ['', { type: 'walcast.x' }, 400, /Walcast's own/],
      ['', { type: 'a', extra: 1 }, 400, /"extra" is not expected/], ['', { type: 'a', type2: 1 }, 400, /"type2"/],
      ['/batch', { events: [] }, 400, /is empty/], ['/batch', { type: 'a' }, 400, /expected \{"events"/],
      ['/batch', { events: [{ type: 'a' }, 7] }, 400, /event 1: expected an object/],
      ['/batch', { events: [{ type: 'a' }, { type: 'walcast.' }] }, 400, /event 1: .*Walcast's own/],
      ['/batch', { events: [{ type: 'a' }], more: 1 }, 400, /nothing is expected beside/],
      ['/batch', many, 413, /at most 1000 events/],
    ];
    for (const [path, body, status, says] of cases) {
      const answer = await ask('POST', path, body);
      assert.equal(answer.status, status, `${JSON.stringify(body)}: ${answer.text}`);
      assert.match(answer.headers.get('content-type'), /^application\/problem\+json/);
      assert.match(answer.body.detail, says, JSON.stringify(body));
    }
    assert.equal((await ask('POST', '', { type: 'a' }, { 'idempotency-key': 'k'.repeat(256) })).status, 400);
    for (const [query, status] of [['limit=0', 400], ['limit=1001', 400], ['limit=x', 400], ['since=x', 400], ['since=1-', 400],
      ['since=abc-7', 410], ['type=', 400], ['type=a%20b', 400], ['type=a&type=b', 400], ['type=%zz', 400]])
      assert.equal((await ask('GET', `?${query}`)).status, status, query);
    for (const id of ['x', 'abc-7', '1-1-1', '%00', 'a/b']) assert.equal((await ask('GET', `/${id}`)).status, 404, id);
    const known = (await list({ limit: '1' })).events[0].id;
    assert.equal((await ask('GET', `/${known.split('-')[0]}-999999999`)).status, 404);
    assert.equal((await ask('DELETE', `/${known}`)).status, 405);
    assert.equal((await readEvents(house.nats)).length, before);
  });

  test('only with the scope, and only the own project', async () => {
    assert.equal((await publish('a', 1, { authorization: '' })).status, 401);
    assert.equal((await publish('a', 1, { authorization: `Bearer ${goodToken({ role: 'authenticated' })}` })).status, 403);
    assert.equal((await ask('GET', '', undefined, { authorization: `Bearer ${goodToken()}` })).status, 403);
    const [acme, beta] = [{ authorization: as('acme') }, { authorization: as('beta') }];
    const made = await publish('secret', 'acme', acme);
    assert.equal(made.status, 202, made.text);
    assert.equal((await stored('secret'))[0].subject, 'atlasdb.events.acme.secret');
    assert.equal((await ask('GET', `/${made.body.id}`, undefined, acme)).body.data, 'acme');
    assert.equal((await ask('GET', `/${made.body.id}`, undefined, beta)).status, 404);
    assert.deepEqual((await list({}, beta)).events, []);
    assert.equal((await ask('GET', `/${made.body.id}`)).status, 404);
    assert.equal((await list({}, acme)).events.length, 1);
  });

  test('with Prefer: respond-async the answer does not wait', async () => {
    const made = await publish('early', 1, { prefer: 'respond-async, wait=5' });
    assert.equal(made.status, 202);
    assert.deepEqual(made.body, { accepted: 1 });
    assert.equal(made.headers.get('preference-applied'), 'respond-async');
    await waitFor('the early event', async () => (await stored('early')).length === 1);
    const keyed = { prefer: 'respond-async', 'idempotency-key': 'early' };
    const both = [await publish('early.keyed', 1, keyed), await publish('early.keyed', 1, keyed)];
    assert.ok(both[0].body.id, 'under a key it waits, for what is kept must be true');
    assert.equal(both[0].headers.get('preference-applied'), null);
    assert.deepEqual(both[1].body, both[0].body);
    assert.equal((await stored('early.keyed')).length, 1);
  });

  test('a failure is not kept under its key', async () => {
    const limit = (change) => house.nats.manage(async (manager) => {
      const { config, state } = await manager.streams.info('WALCAST_EVENTS');
      await manager.streams.update('WALCAST_EVENTS', { max_bytes: change(state.bytes) });
      return config.max_bytes;
    });
    const keyed = { 'idempotency-key': 'no room' };
    const before = await limit((bytes) => bytes + 1);
    assert.equal((await publish('keyed.full', 1, keyed)).status, 503);
    await limit(() => before);
    assert.equal((await publish('keyed.full', 1, keyed)).status, 202);
    assert.equal((await publish('keyed.full', 2, keyed)).status, 422);
    assert.equal((await stored('keyed.full')).length, 1);
  });

  test('under a key it is done once and answered alike', async () => {
    const key = { 'idempotency-key': 'order-7' };
    const first = await publish('keyed', 7, key);
    assert.equal(first.status, 202, first.text);
    assert.equal(first.headers.get('idempotency-replayed'), null);
    const again = await publish('keyed', 7, key);
    assert.equal(again.status, 202);
    assert.equal(again.text, first.text);
    assert.equal(again.headers.get('idempotency-replayed'), 'true');
    const other = await publish('keyed', 8, key);
    assert.equal(other.status, 422);
    assert.match(other.body.detail, /another body/);
    assert.equal((await publish('keyed', 7, { ...key, authorization: as('acme') })).headers.get('idempotency-replayed'), null);
    assert.equal((await ask('POST', '/batch', { events: [{ type: 'keyed' }] }, key)).status, 202, 'another path is another key');
    assert.equal((await stored('keyed')).filter(({ text, subject }) => text === '7' && subject.includes('.default.')).length, 1);
    const crowd = await Promise.all(Array.from({ length: 40 }, () => publish('crowd', 1, { 'idempotency-key': 'crowd' })));
    assert.ok(crowd.every(({ status }) => status === 202 || status === 409), crowd.map(({ status }) => status).join());
    assert.ok(crowd.some(({ status }) => status === 202));
    assert.ok(crowd.filter(({ status }) => status === 409).every(({ headers }) => headers.get('retry-after') === '1'));
    assert.equal((await stored('crowd')).length, 1);
    assert.equal((await publish('crowd', 1, { 'idempotency-key': 'crowd' })).headers.get('idempotency-replayed'), 'true');
  });

  const follow = (t, parameters = {}, headers = {}) => EventStream.open(t,
    `${house.walcast.url}/events/v1/stream?${new URLSearchParams(parameters)}`, { headers: { authorization: as(), ...headers } });

  test('a stream has what comes, and goes on from an id', async (t) => {
    const [all, some, acme] = await Promise.all([follow(t), follow(t, { type: 'sse.some' }), follow(t, {}, { authorization: as('acme') })]);
    assert.equal(all.response.status, 200);
    assert.match(all.response.headers.get('content-type'), /^text\/event-stream/);
    const began = performance.now();
    const ids = [];
    for (let i = 0; i < 20; i++) ids.push((await publish(i % 2 ? 'sse.some' : 'sse.other', i)).body.id);
    assert.deepEqual((await all.count(20)).map(({ data }) => data), ids.map((_, i) => i));
    t.diagnostic(`20 events one after the other, each to two streams: ${Math.round(performance.now() - began)} ms`);
    assert.deepEqual(all.changes.map(({ id, data }) => [id, data.id]), ids.map((id) => [id, id]));
    assert.deepEqual((await some.count(10)).map(({ data }) => data), ids.map((_, i) => i).filter((i) => i % 2));
    const again = await follow(t, {}, { 'last-event-id': ids[4] });
    assert.deepEqual((await again.count(15)).map(({ data }) => data), ids.map((_, i) => i).slice(5));
    const since = await follow(t, { since: ids[17], type: 'sse.some' });
    assert.deepEqual((await since.count(1)).map(({ data }) => data), [19]);
    assert.equal(acme.changes.length, 0);
    assert.equal((await follow(t, { since: 'abc-7' })).response.status, 410);
    assert.equal((await follow(t, { since: 'x' })).response.status, 400);
    assert.equal((await follow(t, {}, { authorization: '' })).response.status, 401);
  });

  test('a stream has all of it in order, also of one that reads slowly, and ends with its token', async (t) => {
    const data = 'x'.repeat(10_000);
    const first = (await publish('large', 'first')).body.id;
    for (let i = 0; i < 10; i++)
      assert.equal((await ask('POST', '/batch', { events: Array.from({ length: 90 }, (_, n) => ({ type: 'large', data: `${i * 90 + n} ${data}` })) })).status, 202);
    const slow = await fetch(`${house.walcast.url}/events/v1/stream?type=large&since=${first}`, { headers: { authorization: as() } });
    await waitFor('what does not fit into the socket', async () => await house.walcast.metric('walcast_ws_held_bytes') > 0);
    let text = '';
    for await (const chunk of slow.body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.includes('"899 ')) break;
    }
    assert.deepEqual([...text.matchAll(/"data":"(\d+) /g)].map(([, n]) => Number(n)), Array.from({ length: 900 }, (_, n) => n));
    const brief = await follow(t, {}, { authorization: as(undefined, { exp: Math.floor(Date.now() / 1000) + 2 }) });
    const { data: problem } = await brief.event('problem');
    assert.equal(problem.status, 401);
    await brief.ended;
  });

  test('every example of docs/EVENTS.md', async (t) => {
    const reader = new Reader({ TOKEN: as().slice('Bearer '.length) });
    t.after(() => reader.remove());
    const blocks = pageBlocks('docs/EVENTS.md', 'sh', { 4000: house.walcast.port });
    assert.equal(blocks.length, 4);
    const before = (await stored('order.paid')).length;
    await reader.shell(t, blocks[0]).says(/\{"id":"\w+-\d+"\}/);
    await reader.shell(t, blocks[1]).says(/\{"ids":\["\w+-\d+","\w+-\d+"\]\}/);
    await reader.shell(t, blocks[2]).says(/"data":\{"id": 7\}.*"data":\{"id": 8\}.*"next":/);
    assert.equal((await stored('order.paid')).length, before + 2);
    const curl = reader.shell(t, blocks[3]);
    await waitFor('curl to follow', async () => {
      await publish('order.paid', { id: 9 });
      return /^id: \w+-\d+\ndata: \{"id":"\w+-\d+","type":"order.paid",.*"data":\{"id":9\}\}$/m.test(curl.text());
    });
  });

  test('thousands at once', async (t) => {
    const began = performance.now();
    let next = 0;
    const answers = await Promise.all(Array.from({ length: 64 }, async () => {
      const seen = [];
      while (next < 4000) seen.push(await publish('many', next++));
      return seen;
    }));
    t.diagnostic(`${Math.round(4000 / ((performance.now() - began) / 1000))} requests/s, each with one event`);
    assert.ok(answers.flat().every(({ status }) => status === 202));
    const events = await stored('many');
    assert.deepEqual(events.map(({ text }) => Number(text)).sort((a, b) => a - b), Array.from({ length: 4000 }, (_, i) => i));
  });

  test('what was answered is in the stream, whatever becomes of NATS; under a key it is there once', async (t) => {
    const answered = [];
    let running = true, refused = 0;
    const followed = await follow(t, { type: 'killed' });
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let i = 0; running; i++) {
        const value = `${writer}-${i}`;
        for (let tries = 0; ; tries++) {
          const made = await publish('killed', value, { 'idempotency-key': value });
          if (made.status === 202) {
            answered.push(value);
            break;
          }
          assert.ok([503, 504, 409].includes(made.status), made.text);
          if (made.status === 503) assert.equal(made.headers.get('retry-after'), '1');
          refused++;
          await new Promise((done) => setTimeout(done, 50));
        }
      }
    });
    for (let kill = 0; kill < 3; kill++) {
      const target = answered.length + 200;
      await waitFor(`${target} events`, () => answered.length >= target, 60_000);
      await house.nats.kill();
      await waitFor('a refusal', () => refused > kill);
      await house.nats.restart();
    }
    const target = answered.length + 200;
    await waitFor(`${target} events after the kills`, () => answered.length >= target, 60_000);
    running = false;
    // What NATS's end met holds its key for no minute: whoever asks again is answered.
    let ended = false;
    const all = Promise.all(writers).finally(() => { ended = true; });
    await waitFor('each writer to be answered', () => ended, 30_000);
    await all;
    const counts = new Map();
    for (const { text } of await stored('killed')) counts.set(JSON.parse(text), (counts.get(JSON.parse(text)) ?? 0) + 1);
    t.diagnostic(`${answered.length} answered, ${refused} refused`);
    for (const value of answered) assert.equal(counts.get(value), 1, `${value} is there once`);
    const told = await waitFor('all of it on the stream', () => followed.changes.length >= counts.size && followed.changes);
    assert.deepEqual(told.map(({ data }) => data.data), (await stored('killed')).map(({ text }) => JSON.parse(text)));
    for (const value of counts.keys()) assert.ok(answered.includes(value), `${value} was not asked for`);
  });
});
