// Meilisearch's own JavaScript client, as npm has it, against an index that it makes: indexes,
// documents, settings, searches, tasks, keys and tokens by the client's own calls.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Meilisearch } from 'meilisearch';
import { startHouse } from '../lib/house.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';

Walcast.roles = 'cdc,ws,search';

const MOVIES = [
  { id: 1, title: 'Carol', genres: ['Romance', 'Drama'], year: 2015, user: 'a', rating: { users: 7.2 } },
  { id: 2, title: 'Wonder Woman', genres: ['Action', 'Adventure'], year: 2017, user: 'a', rating: { users: 7.4 } },
  { id: 3, title: 'Life of Pi', genres: ['Adventure', 'Drama'], year: 2012, user: 'b', rating: { users: 7.9 } },
  { id: 4, title: 'Mad Max: Fury Road', genres: ['Adventure', 'Science Fiction'], year: 2015, user: 'b', rating: { users: 8.1 } },
  { id: 5, title: 'Moana', genres: ['Fantasy', 'Action'], year: 2016, user: 'c', rating: { users: 7.6 } },
  { id: 6, title: 'Philadelphia', genres: ['Drama'], year: 1993, user: 'c', rating: { users: 7.7 } },
];
const WAIT = { timeout: 60_000, interval: 20 };

const ids = ({ hits }) => hits.map(({ id }) => id);
const code = (wanted) => (error) => {
  assert.equal(error.cause?.code, wanted, `${error.message} ${JSON.stringify(error.cause)}`);
  return true;
};

suite("Meilisearch's client", () => {
  let house;
  let client;
  const cleanups = [];
  const suiteT = { after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true };
  const clientOf = (token) => new Meilisearch({ host: house.walcast.url, apiKey: token, defaultWaitOptions: WAIT });
  const adminToken = (more) => goodToken({ role: 'service_role', ...more });

  before(async () => {
    house = await startHouse(suiteT, { schema: 'CREATE TABLE t (id int PRIMARY KEY)' });
    client = clientOf(adminToken());
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  async function movies(uid, settings) {
    if (settings) await succeeded(client.index(uid).updateSettings(settings));
    await succeeded(client.index(uid).addDocuments(MOVIES, { primaryKey: 'id' }));
    return client.index(uid);
  }
  async function succeeded(promise) {
    const task = await promise.waitTask(WAIT);
    assert.equal(task.status, 'succeeded', JSON.stringify(task));
    return task;
  }
  async function failed(promise, wanted) {
    const task = await promise.waitTask(WAIT);
    assert.equal(task.status, 'failed', JSON.stringify(task));
    assert.equal(task.error.code, wanted, JSON.stringify(task));
    return task;
  }

  test('health, version, stats', async () => {
    assert.deepEqual(await client.health(), { status: 'available' });
    assert.equal(await client.isHealthy(), true);
    assert.match((await client.getVersion()).pkgVersion, /^1\./);
    const index = await movies('stats');
    const stats = await index.getStats();
    assert.equal(stats.numberOfDocuments, 6);
    assert.equal(stats.isIndexing, false);
    assert.equal(stats.fieldDistribution.title, 6);
    const all = await client.getStats();
    assert.equal(all.indexes.stats.numberOfDocuments, 6);
    assert.ok(all.databaseSize > 0 && all.lastUpdate);
  });

  test('indexes are made, listed, changed, swapped and deleted', async () => {
    await succeeded(client.createIndex('made', { primaryKey: 'key' }));
    await failed(client.createIndex('made'), 'index_already_exists');
    assert.equal((await client.getIndex('made')).primaryKey, 'key');
    assert.equal((await client.getRawIndex('made')).uid, 'made');
    await succeeded(client.updateIndex('made', { primaryKey: 'other' }));
    assert.equal(await client.index('made').fetchPrimaryKey(), 'other');
    await succeeded(client.createIndex('more'));
    assert.equal((await client.getIndex('more')).primaryKey, null);
    const { results, total } = await client.getIndexes({ limit: 100 });
    assert.ok(total >= 2 && results.some(({ uid }) => uid === 'made'));
    assert.equal((await client.getRawIndexes({ limit: 1, offset: 1 })).results.length, 1);
    await movies('more');
    await succeeded(client.swapIndexes([{ indexes: ['made', 'more'], rename: false }]));
    assert.equal((await client.index('made').getStats()).numberOfDocuments, 6);
    assert.equal((await client.index('more').getStats()).numberOfDocuments, 0);
    assert.deepEqual(ids(await client.index('made').search('moana')), [5]);
    assert.equal((await succeeded(client.deleteIndex('made'))).details.deletedDocuments, null, 'nobody counts them');
    await assert.rejects(client.getIndex('made'), code('index_not_found'));
    await assert.rejects(client.index('made').search(''), code('index_not_found'));
    await failed(client.deleteIndex('never'), 'index_not_found');
    await assert.rejects(client.createIndex('no blanks'), code('invalid_index_uid'));
  });

  test('places: within a radius, within a box, by distance', async () => {
    const index = client.index('places');
    await succeeded(index.updateSettings({ filterableAttributes: ['_geo'], sortableAttributes: ['_geo'] }));
    await succeeded(index.addDocuments([{ id: 1, town: 'Munich', _geo: { lat: 48.137, lng: 11.575 } }, { id: 2, town: 'Augsburg', _geo: { lat: 48.366, lng: 10.898 } },
      { id: 3, town: 'Berlin', _geo: { lat: '52.52', lng: '13.405' } }, { id: 4, town: 'Nowhere' }]));
    assert.deepEqual(ids(await index.search('', { filter: '_geoRadius(48.137, 11.575, 70000)' })).sort(), [1, 2]);
    assert.deepEqual(ids(await index.search('', { filter: '_geoBoundingBox([53, 14], [52, 13])' })), [3]);
    const sorted = await index.search('', { sort: ['_geoPoint(52.5, 13.4):asc'] });
    assert.deepEqual(ids(sorted), [3, 2, 1, 4]);
    assert.ok(Math.abs(sorted.hits[0]._geoDistance - 2250) < 50, `${sorted.hits[0]._geoDistance}`);
    await succeeded(index.addDocuments([{ id: 5, town: 'Odd', _geo: { lat: 'north', lng: 0 } }])); // a document without a place
    assert.deepEqual(ids(await index.search('', { filter: '_geoRadius(0, 0, 30000000)' })).sort(), [1, 2, 3]);
    await assert.rejects(index.search('', { filter: '_geoRadius(91, 0, 1)' }), code('invalid_search_filter'));
  });

  test('documents are added, replaced, updated, read and deleted', async () => {
    const index = client.index('documents');
    const task = await succeeded(index.addDocuments(MOVIES));
    assert.deepEqual(task.details, { receivedDocuments: 6, indexedDocuments: 6 });
    assert.equal(task.type, 'documentAdditionOrUpdate');
    assert.equal(task.indexUid, 'documents');
    assert.deepEqual(await index.getDocument(3), MOVIES[2]);
    assert.deepEqual(await index.getDocument(3, { fields: ['title', 'rating.users'] }), { title: 'Life of Pi', rating: { users: 7.9 } });
    await assert.rejects(index.getDocument(99), code('document_not_found'));
    await succeeded(index.updateDocuments([{ id: 3, year: 2013 }, { id: 7, title: 'New' }]));
    assert.deepEqual(await index.getDocument(3), { ...MOVIES[2], year: 2013 });
    await succeeded(index.addDocuments([{ id: 3, title: 'Pi' }]));
    assert.deepEqual(await index.getDocument(3), { id: 3, title: 'Pi' });
    const page = await index.getDocuments({ limit: 2, offset: 1, fields: ['id'] });
    assert.equal(page.total, 7);
    assert.equal(page.results.length, 2);
    assert.deepEqual(Object.keys(page.results[0]), ['id']);
    await succeeded(index.updateFilterableAttributes(['year', 'genres']));
    assert.deepEqual((await index.getDocuments({ filter: 'year = 2015', fields: ['id'] })).results.map(({ id }) => id).sort(), [1, 4]);
    await succeeded(index.deleteDocument(7));
    await succeeded(index.deleteDocuments([1, '2', 99]));
    assert.deepEqual((await index.getDocuments({ fields: ['id'] })).results.map(({ id }) => id).sort(), [3, 4, 5, 6]);
    await succeeded(index.deleteDocuments({ filter: 'genres = "Science Fiction"' }));
    assert.deepEqual((await index.getDocuments({ fields: ['id'] })).results.map(({ id }) => id).sort(), [3, 5, 6]);
    await failed(index.deleteDocuments({ filter: 'title = x' }), 'invalid_document_filter');
    await succeeded(index.deleteAllDocuments());
    assert.equal((await index.getDocuments()).total, 0);
    await succeeded(index.addDocumentsFromString('id,title\n1,Carol\n2,"Moana, again"', 'text/csv'));
    await succeeded(index.addDocumentsFromString('{"id":3,"title":"Pi"}\n{"id":4,"title":"Max"}', 'application/x-ndjson'));
    assert.deepEqual(await index.getDocument(2), { id: '2', title: 'Moana, again' });
    for (const batch of index.addDocumentsInBatches([{ id: 10 }, { id: 11 }, { id: 12 }], 2)) await succeeded(batch);
    assert.equal((await index.getDocuments()).total, 7);
  });

  test('what a task was asked for can be found once it has succeeded', async () => {
    for (let i = 0; i < 15; i++) {
      await succeeded(client.createIndex(`soon${i}`));
      assert.deepEqual(ids(await client.index(`soon${i}`).search('')), []);
      await succeeded(client.index(`sooner${i}`).addDocuments([{ id: i, title: 'Soon' }]));
      assert.deepEqual(ids(await client.index(`sooner${i}`).search('soon')), [i]);
    }
  });

  test('what is wrong with documents fails the task and writes nothing', async () => {
    await failed(client.index('wrong1').addDocuments([{ title: 'no id' }]), 'index_primary_key_no_candidate_found');
    await failed(client.index('wrong2').addDocuments([{ aid: 1, bid: 2 }]), 'index_primary_key_multiple_candidates_found');
    const index = client.index('wrong3');
    await succeeded(index.addDocuments([{ id: 1 }]));
    await failed(index.addDocuments([{ id: 2 }, { id: 'a b' }]), 'invalid_document_id');
    await failed(index.addDocuments([{ id: 2 }, { name: 'x' }]), 'missing_document_id');
    await failed(index.addDocuments([{ id: 2, key: 1 }], { primaryKey: 'key' }), 'index_primary_key_already_exists');
    assert.equal((await index.getDocuments()).total, 1);
  });

  test('the primary key is that of the documents that are there', async () => {
    const index = client.index('keyed');
    await failed(index.addDocuments([{ aid: 1, bid: 2 }]), 'index_primary_key_multiple_candidates_found');
    await succeeded(client.updateIndex('keyed', { primaryKey: 'aid' }));
    await succeeded(index.addDocuments([{ aid: 1, bid: 'no id!' }]));
    await failed(client.updateIndex('keyed', { primaryKey: 'bid' }), 'index_primary_key_already_exists');
    await succeeded(client.updateIndex('keyed', {}));
    await succeeded(index.updateStopWords(['the'])); // read again from the log
    assert.equal((await client.getIndex('keyed')).primaryKey, 'aid');
    assert.deepEqual((await index.getDocuments()).results, [{ aid: 1, bid: 'no id!' }]);
    await succeeded(index.deleteAllDocuments());
    await succeeded(client.updateIndex('keyed', { primaryKey: 'bid' }));
    await succeeded(index.addDocuments([{ aid: 'no id!', bid: 7 }]));
    assert.deepEqual(await index.getDocument(7), { aid: 'no id!', bid: 7 });
  });

  test('searches: hits, pages, filters, facets, sorts, highlights', async () => {
    const index = await movies('search', { filterableAttributes: ['genres', 'year', 'rating.users'], sortableAttributes: ['year', 'title'] });
    const found = await index.search('wonder');
    assert.deepEqual(ids(found), [2]);
    assert.equal(found.query, 'wonder');
    assert.equal(found.limit, 20);
    assert.equal(found.estimatedTotalHits, 1);
    assert.deepEqual(found.hits[0], MOVIES[1]);
    assert.deepEqual(ids(await index.search('wodner')), [2], 'a typo');
    assert.deepEqual(ids(await index.search('phila')), [6], 'a beginning');
    assert.deepEqual(ids(await index.search('')).length, 6);
    assert.deepEqual(ids(await index.search('', { sort: ['year:desc'] })), [2, 5, 1, 4, 3, 6].sort((a, b) =>
      MOVIES[b - 1].year - MOVIES[a - 1].year));
    assert.deepEqual(ids(await index.search('', { filter: 'year > 2015', sort: ['title:asc'] })), [5, 2]);
    assert.deepEqual(ids(await index.search('', { filter: [['genres = Drama', 'genres = Fantasy'], 'year >= 2015'] })).sort(), [1, 5]);
    const faceted = await index.search('', { facets: ['genres', 'year'], limit: 0 });
    assert.deepEqual(faceted.facetDistribution.genres, { Action: 2, Adventure: 3, Drama: 3, Fantasy: 1, Romance: 1, 'Science Fiction': 1 });
    assert.deepEqual(faceted.facetStats, { year: { min: 1993, max: 2017 } });
    const paged = await index.search('', { hitsPerPage: 4, page: 2 });
    assert.deepEqual([paged.hits.length, paged.totalHits, paged.totalPages, paged.page, paged.hitsPerPage], [2, 6, 2, 2, 4]);
    const shown = await index.search('moana', { attributesToHighlight: ['title'], attributesToRetrieve: ['id'], showMatchesPosition: true, showRankingScore: true });
    assert.equal(shown.hits[0]._formatted.title, '<em>Moana</em>');
    assert.deepEqual(shown.hits[0]._matchesPosition.title, [{ start: 0, length: 5 }]);
    assert.ok(shown.hits[0]._rankingScore > 0);
    assert.equal(shown.hits[0].year, undefined);
    assert.deepEqual(ids(await index.searchGet('moana', { filter: 'year = 2016', attributesToRetrieve: ['id'] })), [5]);
    assert.deepEqual(await index.searchForFacetValues({ facetName: 'genres', facetQuery: 'a' }).then(({ facetHits }) => facetHits),
      [{ value: 'Action', count: 2 }, { value: 'Adventure', count: 3 }]);
    const letters = client.index('letters');
    await succeeded(letters.updateFilterableAttributes(['initial']));
    await succeeded(letters.addDocuments([{ id: 1, initial: 'Été' }, { id: 2, initial: 'Ünal' }]));
    assert.deepEqual((await letters.searchForFacetValues({ facetName: 'initial', facetQuery: 'ét' })).facetHits, [{ value: 'Été', count: 1 }]);
    await assert.rejects(index.search('', { filter: 'title = x' }), code('invalid_search_filter'));
    await assert.rejects(index.search('', { sort: ['genres:asc'] }), code('invalid_search_sort'));
    await assert.rejects(index.search('', { doggo: 1 }), code('bad_request'));
    await assert.rejects(index.search('', { limit: -1 }), code('invalid_search_limit'));
    await assert.rejects(index.searchSimilarDocuments({ id: 1, embedder: 'x' }), code('feature_not_enabled'));
  });

  test('several searches in one request, apart and federated', async () => {
    await movies('multi1');
    await movies('multi2');
    const { results } = await client.multiSearch({ queries: [{ indexUid: 'multi1', q: 'carol' }, { indexUid: 'multi2', q: 'moana', limit: 1 }] });
    assert.deepEqual(results.map((result) => [result.indexUid, ids(result)]), [['multi1', [1]], ['multi2', [5]]]);
    const together = await client.multiSearch({ federation: { limit: 3 }, queries: [
      { indexUid: 'multi1', q: 'carol' }, { indexUid: 'multi2', q: 'carol', federationOptions: { weight: 0.5 } }, { indexUid: 'multi2', q: 'moana' }] });
    assert.equal(together.hits.length, 3);
    assert.equal(together.hits[0]._federation.indexUid, 'multi1');
    assert.equal(together.hits[2]._federation.queriesPosition, 1);
    await assert.rejects(client.multiSearch({ queries: [{ indexUid: 'multi1' }, { indexUid: 'never' }] }), (error) => {
      assert.equal(error.cause.code, 'index_not_found');
      return error.message.includes('.queries[1]');
    });
  });

  test('every setting is read, changed and reset', async () => {
    await succeeded(client.createIndex('settings'));
    const index = client.index('settings');
    const defaults = await index.getSettings();
    assert.deepEqual(defaults.typoTolerance.minWordSizeForTypos, { oneTypo: 5, twoTypos: 9 });
    const each = [
      ['RankingRules', ['words', 'typo', 'year:desc']], ['DistinctAttribute', 'title'], ['FilterableAttributes', ['genres', 'year']],
      ['SortableAttributes', ['year']], ['SearchableAttributes', ['title', 'genres']], ['DisplayedAttributes', ['id', 'title']],
      ['StopWords', ['a', 'the']], ['Synonyms', { film: ['movie'] }], ['SeparatorTokens', ['|']], ['NonSeparatorTokens', ['#']],
      ['Dictionary', ['J. K.']], ['ProximityPrecision', 'byAttribute'], ['SearchCutoffMs', 100], ['FacetSearch', false],
      ['PrefixSearch', 'disabled'], ['LocalizedAttributes', [{ attributePatterns: ['*'], locales: ['eng'] }]],
    ];
    for (const [name, value] of each) {
      const key = name[0].toLowerCase() + name.slice(1);
      await succeeded(index[`update${name}`](value));
      assert.deepEqual(await index[`get${name}`](), value, name);
      assert.deepEqual((await index.getSettings())[key], value, name);
      await succeeded(index[`reset${name}`]());
      assert.deepEqual(await index[`get${name}`](), defaults[key], name);
    }
    await succeeded(index.updateTypoTolerance({ minWordSizeForTypos: { oneTypo: 3 } }));
    await succeeded(index.updateTypoTolerance({ enabled: false }));
    assert.deepEqual((await index.getTypoTolerance()).minWordSizeForTypos, { oneTypo: 3, twoTypos: 9 });
    assert.equal((await index.getTypoTolerance()).enabled, false);
    await succeeded(index.updatePagination({ maxTotalHits: 10 }));
    assert.deepEqual(await index.getPagination(), { maxTotalHits: 10 });
    await succeeded(index.updateFaceting({ maxValuesPerFacet: 5 }));
    assert.deepEqual((await index.getFaceting()).sortFacetValuesBy, { '*': 'alpha' });
    assert.deepEqual(await index.getEmbedders(), {});
    await succeeded(index.updateSettings({ stopWords: ['the'], pagination: { maxTotalHits: null } }));
    await succeeded(index.resetSettings());
    assert.deepEqual(await index.getSettings(), defaults);
    await assert.rejects(index.updateSettings({ rankingRules: ['doggo'] }), code('invalid_settings_ranking_rules'));
    await assert.rejects(index.updateEmbedders({ default: { source: 'openAi' } }), code('invalid_settings_embedders'));
  });

  test('settings that change how words are taken build the index anew', async () => {
    const index = await movies('anew', { searchableAttributes: ['genres'] });
    assert.deepEqual(ids(await index.search('moana')), []);
    await succeeded(index.updateSearchableAttributes(['title']));
    assert.deepEqual(ids(await index.search('moana')), [5]);
    await succeeded(index.updateStopWords(['mad', 'max']));
    assert.deepEqual(ids(await index.search('mad fury')), [4]);
    assert.deepEqual(ids(await index.search('max philadelphia')), [6]);
    await house.walcast.restart();
    assert.deepEqual(ids(await index.search('max philadelphia')), [6], 'after a restart');
    assert.deepEqual(await index.getStopWords(), ['mad', 'max']);
    assert.equal((await index.getDocuments()).total, 6);
  });

  test('tasks are listed, found and deleted', async () => {
    const { taskUid } = await client.createIndex('tasks');
    const task = await client.tasks.waitForTask(taskUid, WAIT);
    assert.deepEqual([task.uid, task.status, task.type, task.indexUid, task.error], [taskUid, 'succeeded', 'indexCreation', 'tasks', null]);
    assert.ok(task.finishedAt && task.startedAt && task.enqueuedAt && /^PT/.test(task.duration));
    const other = await client.index('tasks').addDocuments([{ id: 1 }]).waitTask(WAIT);
    const { results, total } = await client.tasks.getTasks({ indexUids: ['tasks'], limit: 1 });
    assert.deepEqual([results.length, results[0].uid, total], [1, other.uid, 2]);
    assert.deepEqual((await client.tasks.getTasks({ indexUids: ['tasks'], reverse: true })).results.map(({ uid }) => uid), [taskUid, other.uid]);
    assert.deepEqual((await client.tasks.getTasks({ indexUids: ['tasks'], types: ['indexCreation'], statuses: ['succeeded'] })).results.map(({ uid }) => uid), [taskUid]);
    const page = await client.tasks.getTasks({ indexUids: ['tasks'], limit: 1 });
    assert.equal((await client.tasks.getTasks({ indexUids: ['tasks'], from: page.next })).results[0].uid, taskUid);
    await assert.rejects(client.tasks.getTask(999_999), code('task_not_found'));
    await assert.rejects(client.tasks.deleteTasks({ uids: [] }), code('invalid_task_uids'));
    const none = await client.tasks.deleteTasks({ canceledBy: [taskUid] }).waitTask(WAIT);
    assert.deepEqual([none.details.matchedTasks, none.details.deletedTasks], [0, 0]);
    assert.equal((await client.tasks.getTask(taskUid)).uid, taskUid);
    const deletion = await client.tasks.deleteTasks({ uids: [taskUid] }).waitTask(WAIT);
    assert.deepEqual([deletion.status, deletion.type], ['succeeded', 'taskDeletion']);
    await assert.rejects(client.tasks.getTask(taskUid), code('task_not_found'));
    assert.equal((await client.tasks.cancelTasks({ statuses: ['enqueued'] }).waitTask(WAIT)).type, 'taskCancelation');
  });

  test('keys are made, used and ended; what is not allowed is refused', async () => {
    await movies('keys');
    await assert.rejects(client.createKey({ actions: ['search', 'serach'], indexes: ['*'], expiresAt: null }), code('invalid_api_key_actions'));
    const key = await client.createKey({ name: 'searcher', actions: ['search'], indexes: ['*'], expiresAt: null });
    assert.match(key.key, /^wc_/);
    const searcher = clientOf(key.key);
    await waitFor('the key', () => searcher.index('keys').search('moana').then((found) => found.hits.length === 1, () => false));
    await assert.rejects(searcher.index('keys').getDocuments(), code('invalid_api_key'));
    await assert.rejects(searcher.index('keys').addDocuments([{ id: 9 }]), code('invalid_api_key'));
    await assert.rejects(searcher.getStats(), code('invalid_api_key'));
    assert.ok((await client.getKeys()).results.some(({ uid }) => uid === key.uid));
    assert.equal((await client.getKey(key.uid)).name, 'searcher');
    await client.deleteKey(key.uid);
    await assert.rejects(client.getKey(key.uid), code('api_key_not_found'));
    await waitFor('its end', () => searcher.index('keys').search('').then(() => false, () => true));
    await assert.rejects(clientOf(undefined).getStats(), code('missing_authorization_header'));
    await assert.rejects(clientOf('nonsense').getStats(), code('invalid_api_key'));
    await assert.rejects(clientOf(goodToken()).getStats(), code('invalid_api_key'));
    assert.deepEqual(await clientOf(undefined).health(), { status: 'available' });
  });

  test('a key is for the indexes that it names; its words can be changed', async () => {
    await Promise.all(['shop_a', 'shop_b', 'depot'].map((uid) => movies(uid)));
    const key = await client.createKey({ name: 'shops', description: 'of shops', actions: ['search'], indexes: ['shop_*'], expiresAt: null });
    const writer = await client.createKey({ actions: ['documents.add'], indexes: ['depot'], expiresAt: null });
    assert.deepEqual([key.indexes, key.description, (await client.getKey(key.uid)).indexes], [['shop_*'], 'of shops', ['shop_*']]);
    const shops = clientOf(key.key), depot = clientOf(writer.key);
    await waitFor('the key', () => shops.index('shop_a').search('moana').then((found) => found.hits.length === 1, () => false));
    assert.equal((await shops.index('shop_b').search('moana')).hits.length, 1);
    await assert.rejects(shops.index('depot').search('moana'), code('invalid_api_key'));
    await assert.rejects(shops.multiSearch({ queries: [{ indexUid: 'shop_a', q: 'moana' }, { indexUid: 'depot', q: 'moana' }] }), code('invalid_api_key'));

    await waitFor('the other key', () => depot.getIndexes().then(({ results }) => results.length === 1, () => false));
    assert.equal((await depot.index('depot').addDocuments([{ id: 99, title: 'ninety nine' }]).waitTask(WAIT)).status, 'succeeded');
    assert.deepEqual(Object.keys((await depot.getStats()).indexes), ['depot']);
    assert.ok((await depot.tasks.getTasks({ limit: 100 })).results.every(({ indexUid }) => indexUid === 'depot'));
    await assert.rejects(depot.index('shop_a').addDocuments([{ id: 1 }]), code('invalid_api_key'));
    await assert.rejects(depot.createIndex('shop_c'), code('invalid_api_key'));
    await assert.rejects(depot.getKeys(), code('invalid_api_key'));
    await assert.rejects(depot.createKey({ actions: ['*'], indexes: ['*'], expiresAt: null }), code('invalid_api_key'));
    await assert.rejects(depot.swapIndexes([{ indexes: ['depot', 'shop_a'] }]), code('invalid_api_key'));

    const changed = await client.updateKey(key.uid, { name: 'my shops', description: null });
    assert.deepEqual([changed.uid, changed.name, changed.description, changed.indexes], [key.uid, 'my shops', null, ['shop_*']]);
    await client.updateKey(key.uid, { description: 'again' });
    const { name, description } = await client.getKey(key.uid);
    assert.deepEqual([name, description], ['my shops', 'again']);
    assert.equal((await shops.index('shop_a').search('moana')).hits.length, 1, 'it counts as before');
    await assert.rejects(client.updateKey(key.uid, { indexes: ['*'] }), code('immutable_api_key_indexes'));
    await assert.rejects(client.updateKey('never', { name: 'x' }), code('api_key_not_found'));
    for (const indexes of [[], ['a b'], ['a*b'], ['x'.repeat(1100)]])
      await assert.rejects(client.createKey({ actions: ['search'], indexes, expiresAt: null }), code('invalid_api_key_indexes'));
  });

  test("a tenant's token sees what its rules let it see, whichever way it asks", async () => {
    const filterable = ['user', 'genres'];
    await movies('tenants', { filterableAttributes: filterable });
    await movies('tenants_other', { filterableAttributes: filterable });
    const tenant = clientOf(goodToken({ searchRules: { tenants: { filter: 'user = a' } } }));
    const allowed = [1, 2];
    const index = tenant.index('tenants');
    assert.deepEqual(ids(await index.search('')).sort(), allowed);
    assert.deepEqual(ids(await index.searchGet('')).sort(), allowed);
    assert.deepEqual(ids(await index.search('', { filter: 'user = b' })), []);
    assert.deepEqual(ids(await index.search('', { filter: 'user = b OR user = a' })).sort(), allowed);
    assert.deepEqual(ids(await index.search('carol moana philadelphia')), [1]);
    assert.deepEqual((await index.search('', { facets: ['user'] })).facetDistribution.user, { a: 2 });
    assert.equal((await index.search('', { hitsPerPage: 1 })).totalHits, 2);
    assert.deepEqual((await index.searchForFacetValues({ facetName: 'user' })).facetHits, [{ value: 'a', count: 2 }]);
    const { results } = await tenant.multiSearch({ queries: [{ indexUid: 'tenants', q: '' }] });
    assert.deepEqual(ids(results[0]).sort(), allowed);
    const together = await tenant.multiSearch({ federation: {}, queries: [{ indexUid: 'tenants', q: '' }, { indexUid: 'tenants', filter: 'user = c' }] });
    assert.deepEqual(ids(together).sort(), allowed);
    const own = await fetch(`${house.walcast.url}/search/v1/-/tenants?q=`, { headers: { authorization: `Bearer ${goodToken({ searchRules: { tenants: { filter: 'user = a' } } })}` } });
    assert.deepEqual(ids(await own.json()).sort(), allowed);
    await assert.rejects(tenant.index('tenants_other').search(''), code('invalid_api_key'));
    await assert.rejects(tenant.multiSearch({ queries: [{ indexUid: 'tenants_other' }] }), code('invalid_api_key'));
    // Whoever has more rights than searching loses them with the rules.
    const strong = clientOf(adminToken({ searchRules: { tenants: { filter: 'user = a' } } }));
    await assert.rejects(strong.index('tenants').getDocuments(), code('invalid_api_key'));
    await assert.rejects(strong.index('tenants').getDocument(6), code('invalid_api_key'));
    await assert.rejects(strong.index('tenants').deleteAllDocuments(), code('invalid_api_key'));
    await assert.rejects(strong.getStats(), code('invalid_api_key'));
    await assert.rejects(strong.createKey({ actions: ['*'], indexes: ['*'], expiresAt: null }), code('invalid_api_key'));
    for (const searchRules of [null, {}, [], 'x', { tenants: 'user = a' }, { tenants: { filter: '' , other: 1 } }])
      await assert.rejects(clientOf(goodToken({ searchRules })).index('tenants').search(''), code('invalid_api_key'), JSON.stringify(searchRules));
    assert.equal(ids(await clientOf(goodToken({ searchRules: ['ten*'] })).index('tenants_other').search('')).length, 6);
  });

  test("another project's indexes are not there", async () => {
    await movies('private');
    const stranger = clientOf(adminToken({ environment_id: 'other' }));
    await assert.rejects(stranger.index('private').search(''));
    await assert.rejects(stranger.getIndex('private'));
  });
});
