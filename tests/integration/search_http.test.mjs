// The search surface over bare HTTP: bad input gets Meilisearch's error and changes nothing; large
// documents; requests asked again; indexes of tables, which nobody writes to, with `min_offset`,
// status, and rows that policies hide.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { runOk } from '../lib/process.mjs';
import { define } from '../lib/search.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { waitFor } from '../lib/wait.mjs';

const SCHEMA = `
  CREATE TABLE notes (id int PRIMARY KEY, owner text, text text, secret text);
  INSERT INTO notes SELECT i, CASE i % 3 WHEN 0 THEN 'ann' ELSE 'bob' END, 'note ' || i, 's' || i FROM generate_series(1, 300) i;
  ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON notes FOR SELECT USING (owner = current_setting('request.jwt.claims', true)::json ->> 'sub');
  GRANT SELECT ON notes TO anon, service_role;
  CREATE TABLE pairs (a int, b text, text text, hidden text, PRIMARY KEY (a, b));
  INSERT INTO pairs SELECT i, 'x_' || i, 'pair ' || i, 'h' FROM generate_series(1, 10) i;
  REVOKE SELECT ON pairs FROM anon;
  GRANT SELECT (a, b, text) ON pairs TO anon;
  CREATE TABLE plain (id int PRIMARY KEY, text text);
  INSERT INTO plain SELECT i, 'plain ' || i FROM generate_series(1, 50) i;`;

suite('search over HTTP', () => {
  let house;
  const cleanups = [];
  const suiteT = { after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true };
  const admin = `Bearer ${goodToken({ role: 'service_role' })}`;

  before(async () => {
    house = await startHouse(suiteT, { schema: SCHEMA, config: { 'search.threads': '2' } });
    define(house.walcast, 'notes', 'name: notes\ntable: notes\nfields: [text]\nfilterable: [owner]\nsecurity: rls\n');
    define(house.walcast, 'pairs', 'name: pairs\ntable: pairs\nfields: [text]\nsecurity: rls\n');
    define(house.walcast, 'pairs_all', 'name: pairs_all\ntable: pairs\nfields: [text, hidden]\nsecurity: rls\n');
    define(house.walcast, 'plain', 'name: plain\ntable: plain\nfields: [text]\n');
    for (const index of ['notes', 'pairs', 'pairs_all', 'plain'])
      await waitFor(`index ${index}`, async () => (await ask('GET', `/indexes/${index}/stats`)).body.isIndexing === false, 60_000, 100);
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  async function ask(method, path, body, headers = {}) {
    const response = await fetch(`${house.walcast.url}${path}`, { method,
      headers: { authorization: admin, 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body) }) });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: text ? JSON.parse(text) : undefined };
  }
  async function done({ status, body, text }) {
    assert.equal(status, 202, text);
    return waitFor(`task ${body.taskUid}`, async () => {
      const task = (await ask('GET', `/tasks/${body.taskUid}`)).body;
      return task.status !== 'enqueued' && task.status !== 'processing' && task;
    }, 60_000, 20);
  }
  function assertError({ status, body, headers, text }, wantedStatus, wantedCode) {
    assert.equal(status, wantedStatus, text);
    assert.equal(body.code, wantedCode, text);
    assert.deepEqual(Object.keys(body), ['message', 'code', 'type', 'link']);
    assert.ok(body.message.length > 0 && body.link.endsWith(`#${wantedCode}`));
    assert.match(headers.get('content-type'), /^application\/json/);
  }

  test('bad bodies are refused in the form that clients read', async () => {
    const documents = '/indexes/bad/documents';
    const rows = [
      ['POST', documents, '', {}, 400, 'missing_payload'],
      ['POST', documents, '[{"id":1}', {}, 400, 'malformed_payload'],
      ['POST', documents, '"doggo"', {}, 400, 'malformed_payload'],
      ['POST', documents, new Uint8Array([0x5B, 0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D, 0x5D]), {}, 400, 'malformed_payload'],
      ['POST', documents, '[{"id":1}]', { 'content-type': '' }, 415, 'missing_content_type'],
      ['POST', documents, '[{"id":1}]', { 'content-type': 'text/plain' }, 415, 'invalid_content_type'],
      ['POST', `${documents}?csvDelimiter=ab`, 'a\n1', { 'content-type': 'text/csv' }, 400, 'invalid_document_csv_delimiter'],
      ['POST', `${documents}?csvDelimiter=;`, '[]', {}, 415, 'invalid_content_type'],
      ['POST', documents, 'a:number\nx', { 'content-type': 'text/csv' }, 400, 'malformed_payload'],
      ['POST', `${documents}?doggo=1`, '[]', {}, 400, 'bad_request'],
      ['POST', '/indexes/b%20d/documents', '[]', {}, 400, 'invalid_index_uid'],
      ['POST', `${documents}/delete-batch`, '{}', {}, 400, 'bad_request'],
      ['POST', `${documents}/delete-batch`, '[{}]', {}, 400, 'invalid_document_ids'],
      ['POST', `${documents}/delete`, '{}', {}, 400, 'missing_document_filter'],
      ['POST', `${documents}/delete`, '{"filter":"a ="}', {}, 400, 'invalid_document_filter'],
      ['DELETE', `${documents}/a%20b`, undefined, {}, 400, 'invalid_document_id'],
      ['POST', '/indexes', '{}', {}, 400, 'missing_index_uid'],
      ['POST', '/indexes', '{"uid":1}', {}, 400, 'invalid_index_uid'],
      ['POST', '/indexes', '{"uid":"a","doggo":1}', {}, 400, 'bad_request'],
      ['POST', '/indexes', '{"uid"', {}, 400, 'malformed_payload'],
      ['PATCH', '/indexes/bad/settings', '{"stopWords":1}', {}, 400, 'invalid_settings_stop_words'],
      ['PUT', '/indexes/bad/settings/stop-words', '1', {}, 400, 'invalid_settings_stop_words'],
      ['PUT', '/indexes/bad/settings/typo-tolerance', '{}', {}, 405, 'method_not_allowed'],
      ['PUT', '/indexes/bad/settings/doggo', '[]', {}, 404, 'not_found'],
      ['POST', '/swap-indexes', '[{"indexes":["a"]}]', {}, 400, 'invalid_swap_indexes'],
      ['POST', '/swap-indexes', '[{"indexes":["a","a"]}]', {}, 400, 'invalid_swap_duplicate_index_found'],
      ['GET', '/tasks?uids=doggo', undefined, {}, 400, 'invalid_task_uids'],
      ['GET', '/tasks?statuses=doggo', undefined, {}, 400, 'invalid_task_statuses'],
      ['GET', '/tasks?types=doggo', undefined, {}, 400, 'invalid_task_types'],
      ['GET', '/tasks?afterEnqueuedAt=doggo', undefined, {}, 400, 'invalid_task_after_enqueued_at'],
      ['GET', '/tasks/doggo', undefined, {}, 400, 'invalid_task_uids'],
      ['DELETE', '/tasks', undefined, {}, 400, 'missing_task_filters'],
      ['GET', '/indexes?limit=doggo', undefined, {}, 400, 'invalid_index_limit'],
      ['GET', '/indexes/never', undefined, {}, 404, 'index_not_found'],
      ['POST', '/multi-search', '{"queries":[{}]}', {}, 400, 'missing_index_uid'],
      ['POST', '/multi-search', '{"federation":{},"queries":[{"indexUid":"plain","federationOptions":{"weight":1e999}}]}', {}, 400, 'invalid_multi_search_weight'],
      ['POST', '/indexes/plain/search', '{"q":1}', {}, 400, 'invalid_search_q'],
      ['POST', '/indexes/plain/search', '{"filter":"("}', {}, 400, 'invalid_search_filter'],
      ['POST', '/indexes/plain/facet-search', '{"facetName":"nope","facetQuery":"a"}', {}, 400, 'invalid_facet_search_facet_name'],
      ['GET', '/indexes/plain/search?limit=x', undefined, {}, 400, 'invalid_search_limit'],
      ['POST', '/keys', '{"actions":["search"],"indexes":["a b"],"expiresAt":null}', {}, 400, 'invalid_api_key_indexes'],
      ['POST', '/dumps', undefined, {}, 400, 'feature_not_enabled'],
      ['GET', '/batches/1', undefined, {}, 400, 'feature_not_enabled'],
    ];
    for (const [method, path, body, headers, status, code] of rows)
      assertError(await ask(method, path, body, headers), status, code);
    assertError(await ask('GET', '/indexes/bad'), 404, 'index_not_found');
    assertError(await ask('GET', '/stats', undefined, { authorization: '' }), 401, 'missing_authorization_header');
    assertError(await ask('GET', '/stats', undefined, { authorization: `Bearer ${goodToken()}` }), 403, 'invalid_api_key');
    const unknown = await ask('GET', '/stats', undefined, { authorization: 'Bearer doggo' });
    assertError(unknown, 403, 'invalid_api_key');
    assert.equal(unknown.headers.get('www-authenticate'), null);
    assert.equal((await ask('GET', '/search/v1/-/plain', undefined, { authorization: 'Bearer doggo' })).status, 401);
  });

  test('a path with a part too many is nobody\'s, least of all a deletion\'s', async () => {
    await done(await ask('POST', '/indexes/kept/documents', [{ id: 1 }]));
    for (const [method, path] of [['DELETE', '/indexes/kept/document'], ['DELETE', '/indexes/kept/documents/1/2'], ['DELETE', '/indexes/kept/documents/'],
      ['DELETE', '/indexes/kept/settings/synonyms/a'], ['GET', '/indexes/kept/documents/1/2'], ['GET', '/tasks/1/2']])
      assertError(await ask(method, path), 404, 'not_found');
    assert.equal((await ask('GET', '/search/v1/-/kept/other')).status, 404);
    assert.deepEqual((await ask('GET', '/indexes/kept/documents')).body.results, [{ id: 1 }]);
  });

  test('a document of 10 MB is taken, in pieces; what is too large is refused', async () => {
    const text = 'a rather long word '.repeat(540_000);
    const task = await done(await ask('POST', '/indexes/large/documents', [{ id: 1, text }, { id: 2, text: 'short' }]));
    assert.equal(task.status, 'succeeded', JSON.stringify(task));
    assert.equal((await ask('GET', '/indexes/large/stats')).body.numberOfDocuments, 2);
    const grown = await done(await ask('PUT', '/indexes/large/documents', [{ id: 2, text: 'grown' }, { id: 1, more: text }]));
    assert.equal(grown.status, 'failed', JSON.stringify(grown));
    assert.equal(grown.error.code, 'payload_too_large');
    assert.equal((await ask('GET', '/indexes/large/documents/2')).body.text, 'short');
    const found = await ask('POST', '/indexes/large/search', { q: 'rather long', attributesToRetrieve: ['id'] });
    assert.deepEqual(found.body.hits, [{ id: 1 }]);
    assert.equal((await ask('GET', '/indexes/large/documents/1')).body.text, text);
    assert.equal((await ask('GET', '/indexes/large/documents?limit=1')).body.results[0].text, text);
    assert.equal((await ask('POST', '/indexes/large/search', { q: 'rather long' })).body.hits[0].text, text);
    assertError(await ask('POST', '/multi-search', { queries: Array(3).fill({ indexUid: 'large', q: 'rather long' }) }), 400, 'invalid_search_limit');
    await house.walcast.restart();
    await waitFor('it again', async () => (await ask('POST', '/indexes/large/search', { q: 'short', attributesToRetrieve: ['id'] })).body.hits?.length === 1);
    const huge = await ask('POST', '/indexes/large/documents', `[{"id":3,"text":"${'x'.repeat(40 << 20)}"}]`).catch((error) => error);
    if (!(huge instanceof Error)) assertError(huge, 413, 'payload_too_large');
    assert.equal((await ask('GET', '/indexes/large/stats')).body.numberOfDocuments, 2);
  });

  test('what is asked again under an Idempotency-Key is one task', async () => {
    const headers = { 'idempotency-key': 'once' };
    const put = (body, more = headers) => ask('POST', '/indexes/once/documents', body, more);
    const first = await put([{ id: 1 }]);
    const second = await put([{ id: 1 }]);
    assert.deepEqual([second.status, second.text, second.headers.get('idempotency-replayed')], [202, first.text, 'true']);
    assert.equal(first.headers.get('idempotency-replayed'), null);
    assertError(await put([{ id: 2 }]), 422, 'idempotency_key_other_body');
    assertError(await put([{ id: 1 }], { 'idempotency-key': 'k'.repeat(256) }), 400, 'bad_request');
    const other = await put([{ id: 1 }], {});
    assert.notEqual(other.body.taskUid, first.body.taskUid);
    const both = await Promise.all([put([{ id: 3 }], { 'idempotency-key': 'both' }), put([{ id: 3 }], { 'idempotency-key': 'both' })]);
    assert.ok(both.every(({ status }) => status === 202 || status === 409) && both.some(({ status }) => status === 202), both.map(({ text }) => text).join());
    // What was refused gives the key back; a key's text is kept nowhere.
    assertError(await put('[{', { 'idempotency-key': 'again' }), 400, 'malformed_payload');
    assert.equal((await put([{ id: 4 }], { 'idempotency-key': 'again' })).status, 202);
    const key = () => ask('POST', '/keys', { name: 'k1', actions: ['search'], indexes: ['*'], expiresAt: null }, { 'idempotency-key': 'key' });
    assert.deepEqual([(await key()).status, (await key()).status], [201, 409]);
    const define_ = (text) => ask('PUT', '/search/v1/-/indexes/defined', text, { 'idempotency-key': 'define' });
    const defined = await define_('name: defined\ntable: plain\nfields: [text]\n');
    const again = await define_('name: defined\ntable: plain\nfields: [text]\n');
    assert.deepEqual([defined.status, again.status, again.headers.get('idempotency-replayed')], [201, 201, 'true']);
    const problem = await define_('name: defined\n');
    assert.deepEqual([problem.status, problem.headers.get('content-type')], [422, 'application/problem+json']);
  });

  test('an index of tables is read and never written', async () => {
    for (const [method, path, body] of [['POST', '/documents', [{ id: 1 }]], ['PUT', '/documents', [{ id: 1 }]], ['DELETE', '/documents', undefined],
      ['DELETE', '/documents/1', undefined], ['PATCH', '/settings', {}], ['DELETE', '', undefined], ['PATCH', '', { primaryKey: 'x' }]])
      assertError(await ask(method, `/indexes/plain${path}`, body), 400, 'index_is_of_tables');
    assert.equal((await ask('GET', '/indexes/plain')).body.primaryKey, 'id');
    assert.deepEqual((await ask('GET', '/indexes/plain/settings/searchable-attributes')).body, ['text']);
    assert.equal((await ask('GET', '/indexes/plain/documents/7')).body.text, 'plain 7');
    const own = await ask('GET', '/search/v1/default/plain?q=plain&limit=3');
    assert.equal(own.body.hits.length, 3);
    const problem = await ask('GET', '/search/v1/default/never?q=x');
    assert.deepEqual([problem.status, problem.body.code], [404, 'index_not_found']);
    assert.match(problem.headers.get('content-type'), /problem\+json/);
    assert.equal((await ask('GET', '/search/v1/other/plain?q=x')).status, 403);
    const status = (await ask('GET', '/search/v1/-/plain/status')).body;
    assert.deepEqual([status.answers, status.documents, status.of_tables], [true, 50, true]);
    assert.deepEqual([status.building, status.lag_messages, status.lag_seconds], [null, 0, 0]);
  });

  test('a query waits for the offset of a change', async () => {
    for (let i = 0; i < 5; i++) {
      await house.postgres.query(`UPDATE plain SET text = '${'abcde'[i].repeat(8)}' WHERE id = ${i + 1}`);
      const { offset } = await waitFor('the change', async () => (await house.walcast.changes({ table: 'public.plain' }))[i]);
      const found = await ask('POST', '/indexes/plain/search', { q: 'abcde'[i].repeat(8), min_offset: offset });
      assert.equal(found.body.hits?.length, 1, found.text);
    }
  });

  test('queries that wait for an offset leave threads to the others', async () => {
    const change = await waitFor('a change', async () => (await house.walcast.changes({ table: 'public.plain' })).at(-1));
    const [, epoch, sequence] = change.offset.match(/^(.*)-(\d+)\.\d+$/);
    const later = `${epoch}-${Number(sequence) + 1000}.0`;
    const waiting = [0, 1, 2].map(() => ask('POST', '/indexes/plain/search', { q: '', min_offset: later }));
    const begun = performance.now();
    assert.equal((await ask('POST', '/indexes/plain/search', { q: 'plain 9', limit: 1 })).status, 200);
    assert.ok(performance.now() - begun < 4500, `${performance.now() - begun} ms`); // those wait for 5 s
    const codes = (await Promise.all(waiting)).map(({ status, body }) => `${status} ${body.code}`).sort();
    assert.deepEqual(codes, ['503 too_many_search_requests', '503 too_many_search_requests', '503 unavailable']);
  });

  test('a line of queries that is full refuses the next, and no other', async (t) => {
    const small = await startHouse(t, { schema: SCHEMA, config: { 'search.threads': '1', 'search.queue': '3' } });
    define(small.walcast, 'plain', 'name: plain\ntable: plain\nfields: [text]\n');
    const search = (body) => new Promise((resolve, reject) => {
      const request = http.request(`${small.walcast.url}/indexes/plain/search`, { method: 'POST', agent: false,
        headers: { authorization: admin, 'content-type': 'application/json' } }, async (response) => {
        resolve({ status: response.statusCode, headers: new Headers(response.headers), body: await new Response(response).json() });
      });
      request.on('error', reject);
      request.end(JSON.stringify(body));
    });
    await waitFor('the index', async () => (await search({ q: '' })).body.estimatedTotalHits === 50, 30_000, 50);
    await small.postgres.query("UPDATE plain SET text = 'changed' WHERE id = 1");
    const { offset } = await waitFor('a change', async () => (await small.walcast.changes({ table: 'public.plain' })).at(-1));
    const later = offset.replace(/-(\d+)\.\d+$/, (_, sequence) => `-${Number(sequence) + 1000}.0`);

    const held = search({ q: '', min_offset: later }); // the one thread, for 5 s
    let waits; // the first that is not answered: it has one of the three places
    do waits = search({ q: 'plain' });
    while (await Promise.race([waits, new Promise((resolve) => { setTimeout(resolve, 1000); })]));
    const answers = await Promise.all(Array.from({ length: 12 }, () => search({ q: 'plain' })));
    assert.deepEqual([(await held).status, (await waits).status], [503, 200]);
    const refused = answers.filter(({ status }) => status !== 200);
    assert.equal(refused.length, 10);
    for (const { status, headers, body } of refused) {
      assert.deepEqual([status, body.code, headers.get('retry-after')], [503, 'too_many_search_requests', '1']);
      assert.match(body.message, /running at the same time/);
    }
    assert.equal((await search({ q: 'plain' })).status, 200, 'and those that come later are answered');
  });

  test('long bodies have a share of memory; one in chunks takes of it what has come', async () => {
    const begin = (headers) => {
      const request = http.request(`${house.walcast.url}/indexes/long/documents`, { method: 'POST', agent: false,
        headers: { authorization: admin, 'content-type': 'application/json', expect: '100-continue', ...headers } });
      const answer = new Promise((resolve) => request.on('response', resolve).on('error', resolve));
      const said = Promise.race([new Promise((resolve) => request.on('continue', () => resolve(100))), answer.then(({ statusCode }) => statusCode)]);
      request.flushHeaders();
      return { request, answer, said };
    };
    const chunked = Array.from({ length: 8 }, () => begin({ 'transfer-encoding': 'chunked' }));
    for (const { said } of chunked) assert.equal(await said, 100);
    for (const { request } of chunked) request.end('[{"id":1}]');
    for (const { answer } of chunked) assert.equal((await answer).statusCode, 202);

    const announced = [30, 30, 30].map((mib) => () => begin({ 'content-length': mib << 20 }));
    const taken = [announced[0](), announced[1]()];
    for (const { said } of taken) assert.equal(await said, 100);
    const third = announced[2]();
    assert.equal(await third.said, 503);
    assert.equal((await new Response(await third.answer).json()).code, 'unavailable');
    const grows = begin({ 'transfer-encoding': 'chunked' });
    assert.equal(await grows.said, 100);
    grows.request.write(`[{"id":1,"text":"${'x'.repeat(8 << 20)}`);
    assert.equal((await grows.answer).statusCode, 503);
    for (const { request } of [...taken, third, grows]) request.destroy();
    const last = await waitFor('the share again', async () => { const it = begin({ 'content-length': 30 << 20 }); return (await it.said) === 100 ? it : void it.request.destroy(); });
    last.request.destroy();
  });

  // No file of the process may grow, as on a disk that is full.
  test('a full disk is told, queries go on, and what was asked is there once there is room', async () => {
    const limit = (bytes) => runOk(['prlimit', '--pid', `${house.walcast.process.pid}`, `--fsize=${bytes}:unlimited`]);
    const found = async (index, q) => (await ask('POST', `/indexes/${index}/search`, { q, limit: 1 })).body.hits?.length;
    const ready = async () => JSON.stringify(await (await fetch(`${house.walcast.url}/health/ready`)).json());
    await done(await ask('POST', '/indexes/full/documents', [{ id: 1, text: 'before' }]));
    await limit(64 << 10);
    try {
      const asked = await ask('POST', '/indexes/full/documents', Array.from({ length: 2000 }, (_, i) => ({ id: i + 2, text: `after ${i} ${'filler '.repeat(30)}` })));
      assert.equal(asked.status, 202, asked.text);
      await house.postgres.query("INSERT INTO plain SELECT i, 'after ' || i || repeat(' filler', 30) FROM generate_series(51, 2000) i");
      await waitFor('the disk to be told', async () => /no room|disk/.test(await ready()), 60_000, 50);
      assert.equal(await found('full', 'before'), 1);
      assert.equal(await found('plain', 'plain 7'), 1);
      assert.match((await ask('GET', `/tasks/${asked.body.taskUid}`)).body.status, /^(enqueued|processing)$/);
      await limit('unlimited');
      assert.equal((await done(asked)).status, 'succeeded');
    } finally {
      await limit('unlimited');
    }
    await waitFor('all documents', async () => (await ask('GET', '/indexes/full/stats')).body.numberOfDocuments === 2001
      && (await ask('GET', '/indexes/plain/stats')).body.numberOfDocuments === 2000, 60_000, 50);
    await waitFor('a ready process', async () => !/disk|no room/.test(await ready()));
    assert.equal(await found('plain', 'after 1999'), 1);
  });

  test('rows that policies hide are never shown', async () => {
    const as = (sub, more) => ({ authorization: `Bearer ${goodToken({ sub, ...more })}` });
    const search = (index, body, headers) => ask('POST', `/indexes/${index}/search`, body, headers);
    const seen = (await search('notes', { q: 'note', limit: 1000 }, as('ann'))).body;
    assert.equal(seen.hits.length, 100);
    assert.ok(seen.hits.every(({ owner }) => owner === 'ann'));
    assert.equal(seen.estimatedTotalHits, 100);
    const page = (await search('notes', { q: '', limit: 10, offset: 95 }, as('ann'))).body;
    assert.equal(page.hits.length, 5);
    assert.equal((await search('notes', { q: 'note' }, as('nobody'))).body.hits.length, 0);
    assert.equal((await search('notes', { q: 'note 1' }, as('bob'))).body.hits.every(({ owner }) => owner === 'bob'), true);
    assert.equal((await search('notes', { q: '', filter: 'owner = bob' }, as('ann'))).body.hits.length, 0);
    assertError(await search('notes', { q: '', facets: ['owner'] }, as('ann')), 400, 'invalid_search_facets');
    assertError(await ask('POST', '/indexes/notes/facet-search', { facetName: 'owner' }, as('ann')), 400, 'invalid_facet_search_facet_name');
    const { results } = (await ask('POST', '/multi-search', { queries: [{ indexUid: 'notes', q: '', limit: 500 }] }, as('ann'))).body;
    assert.equal(results[0].hits.length, 100);
    assert.equal((await search('notes', { q: '', limit: 400 }, { authorization: admin })).body.hits.length, 300, 'who bypasses policies');
    await house.postgres.query("UPDATE notes SET owner = 'zoe' WHERE id = 3");
    assert.ok(!(await search('notes', { q: '', limit: 1000 }, as('ann'))).body.hits.some(({ id }) => id === 3), 'at once');
    assert.equal((await search('pairs', { q: 'pair', limit: 20 }, as('ann'))).body.hits.length, 10, 'a key of two columns');
    assertError(await search('pairs_all', { q: 'pair' }, as('ann')), 403, 'invalid_api_key'); // a column that the role may not read
  });
});
