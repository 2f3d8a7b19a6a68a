// Hybrid queries by Meilisearch's own client: neighbours of a vector column fused with what words
// find. The oracle fuses by itself what the words alone find and what SQL says is nearest. With
// pgvector where install-pgvector found it, else with contrib's cube, whose neighbours are asked for
// alike.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Meilisearch } from 'meilisearch';
import { startHouse } from '../lib/house.mjs';
import { hasPgvector } from '../lib/postgres.mjs';
import { define } from '../lib/search.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { waitFor } from '../lib/wait.mjs';

const MAJOR = 16;
const [TYPE, COLUMN, OPEN, CLOSE] = hasPgvector(MAJOR) ? ['vector', 'vector(2)', '[', ']'] : ['cube', 'cube', '(', ')'];
const SCHEMA = `
  CREATE SCHEMA ext; CREATE EXTENSION ${TYPE} SCHEMA ext; GRANT USAGE ON SCHEMA ext TO anon, service_role;
  CREATE TABLE films (id int PRIMARY KEY, title text, year int, shop int, note int, "Em bedding" ext.${COLUMN});
  INSERT INTO films SELECT i, CASE WHEN i % 3 = 0 THEN 'storm chasers ' WHEN i % 3 = 1 THEN 'quiet storm ' ELSE 'village ' END || 'number' || i,
    1900 + i % 7, i % 2, 1, CASE WHEN i % 10 > 0 THEN ('${OPEN}' || (i * 37 % 101) || ',' || (i * 11 % 13) || '${CLOSE}')::ext.${TYPE} END
    FROM generate_series(1, 300) i;
  CREATE TABLE clips (id int PRIMARY KEY, title text, "Em bedding" ext.${COLUMN});
  INSERT INTO clips VALUES (1, 'storm', '${OPEN}50,6${CLOSE}'), (2, 'storm', '${OPEN}51,6.5${CLOSE}'), (3, 'storm', NULL), (4, 'hidden storm', '${OPEN}50.5,6${CLOSE}');
  CREATE TABLE diaries (who text, n int, text text, near ext.${TYPE}, PRIMARY KEY (who, n));
  INSERT INTO diaries SELECT CASE i % 4 WHEN 0 THEN 'z_n%n' ELSE 'bob' END, i, 'rain on day ' || i, ('${OPEN}' || i || ',0${CLOSE}')::ext.${TYPE} FROM generate_series(1, 200) i;
  ALTER TABLE diaries ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON diaries FOR SELECT USING (who = current_setting('request.jwt.claims', true)::json ->> 'sub');
  GRANT SELECT ON films, clips, diaries TO anon, service_role;`;
const VECTOR = 'vector: { column: "\\"Em bedding\\"", metric: l2, embedder: mine }\n';
const RANK = 60;

// Reciprocal ranks, ours as Meilisearch's scores from 0 to 1.
function fuse(words, near, ratio) {
  const scores = new Map();
  for (const [list, weight] of [[words, 1 - ratio], [near, ratio]])
    list.forEach((id, i) => scores.set(id, (scores.get(id) ?? 0) + weight * (RANK + 1) / (RANK + 1 + i)));
  const rank = (id) => (words.includes(id) ? words.indexOf(id) : Infinity);
  return [...scores].filter(([, score]) => score > 0).sort(([a, x], [b, y]) => (Math.abs(x - y) > 1e-9 ? y - x : rank(a) === rank(b) ? 0 : rank(a) - rank(b)));
}

suite(`hybrid queries (${TYPE})`, () => {
  let house;
  const cleanups = [];
  const suiteT = { after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true };
  const clientOf = (more) => new Meilisearch({ host: house.walcast.url, apiKey: goodToken({ role: 'service_role', ...more }) });
  const ids = ({ hits }, key = 'id') => hits.map((hit) => hit[key]);
  const hybrid = (semanticRatio) => ({ vector: [50.5, 6], hybrid: { embedder: 'mine', semanticRatio } });

  async function nearest(where = 'true', limit = 200) {
    const { rows } = await house.postgres.query(`SELECT id FROM films WHERE "Em bedding" IS NOT NULL AND ${where}
      ORDER BY "Em bedding" OPERATOR(ext.<->) '${OPEN}50.5,6${CLOSE}'::ext.${TYPE}, id::text COLLATE "C" LIMIT ${limit}`);
    return rows.map(({ id }) => id);
  }

  before(async () => {
    house = await startHouse(suiteT, { schema: SCHEMA, major: hasPgvector(MAJOR) ? MAJOR : undefined, config: { 'search.threads': '3' } });
    define(house.walcast, 'films', `name: films\ntable: films\nfields: [title]\nfilterable: [shop, year]\nsortable: [year]\n${VECTOR}`);
    define(house.walcast, 'few', `name: few\ntable: films\nfields: [title]\nwhen: id % 20 = 1\nvector: { column: "\\"Em bedding\\"", metric: l2, candidates: 10 }\n`);
    define(house.walcast, 'both', `name: both\ntables: [films, { table: clips, when: id < 4 }]\nfields: [title]\n${VECTOR}`);
    define(house.walcast, 'diaries', 'name: diaries\ntable: diaries\nfields: [text]\nsecurity: rls\nvector: { column: near, metric: l2, candidates: 20 }\n');
    define(house.walcast, 'wrong', 'name: wrong\ntable: films\nfields: [title]\nvector:\n  column: note\n');
    define(house.walcast, 'absent', 'name: absent\ntable: films\nfields: [title]\nvector: nothere\n');
    if (TYPE === 'cube') define(house.walcast, 'metric', 'name: metric\ntable: diaries\nfields: [text]\nvector: near\n');
    for (const index of ['films', 'few', 'both', 'diaries'])
      await waitFor(`index ${index}`, async () => (await clientOf().index(index).getStats()).isIndexing === false, 60_000, 50);
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  test('what words find and what is near are one list by their ranks', async () => {
    const films = clientOf().index('films');
    const rows = [[0.5, 'storm', {}, 'true'], [0.2, 'storm chasers', {}, 'true'], [0.9, 'storm', { filter: 'shop = 1 AND year > 1902' }, 'shop = 1 AND year > 1902'], [1, 'storm', {}, 'true'], [0.5, '', {}, 'true']];
    for (const [ratio, q, more, where] of rows) {
      const isNearOnly = ratio === 1 || q === '';
      const words = isNearOnly ? [] : ids(await films.search(q, { ...more, limit: 1000, matchingStrategy: 'all' }));
      const all = await films.search(q, { ...hybrid(ratio), ...more, limit: 1000, matchingStrategy: 'all', showRankingScore: true });
      const near = await nearest(where); // a filter leaves so many of the candidates, 50 or more
      assert.ok(where === 'true' ? all.semanticHitCount === 200 : all.semanticHitCount >= 50, all.semanticHitCount);
      const wanted = fuse(words, near.slice(0, all.semanticHitCount), isNearOnly ? 1 : ratio);
      assert.deepEqual(ids(all), wanted.map(([id]) => id), `${ratio} ${q}`);
      all.hits.forEach((hit, i) => assert.ok(Math.abs(hit._rankingScore - wanted[i][1]) < 2e-6, `${hit._rankingScore} ${wanted[i]}`));
      const pages = [];
      for (let page = 1; page <= 4; page++) pages.push(...ids(await films.search(q, { ...hybrid(ratio), ...more, matchingStrategy: 'all', page, hitsPerPage: 7 })));
      assert.deepEqual(pages, ids(all).slice(0, 28));
    }
  });

  test('sorts, negations, facets, thresholds, several queries and the other surface', async () => {
    const films = clientOf().index('films');
    const sorted = await films.search('storm', { ...hybrid(0.5), limit: 1000, sort: ['year:desc'], facets: ['shop'] });
    const years = sorted.hits.map(({ year }) => year);
    assert.deepEqual(years, years.toSorted((a, b) => b - a));
    assert.equal(Object.values(sorted.facetDistribution.shop).reduce((a, b) => a + b), sorted.hits.length);
    const without = await films.search('storm -chasers', { ...hybrid(0.5), limit: 1000 });
    assert.ok(without.hits.length > 100 && without.hits.every(({ title }) => !title.includes('chasers')));
    const above = await films.search('storm', { ...hybrid(0.5), rankingScoreThreshold: 0.5, showRankingScore: true });
    assert.ok(above.hits.length > 0 && above.hits.every(({ _rankingScore }) => _rankingScore >= 0.5));
    const plain = await films.search('storm', { hybrid: { embedder: 'mine', semanticRatio: 0 } });
    assert.equal(plain.semanticHitCount, undefined);

    const query = { indexUid: 'films', q: 'storm', ...hybrid(0.7) };
    const [alone] = [await films.search('storm', hybrid(0.7))];
    const { results } = await clientOf().multiSearch({ queries: [query, { indexUid: 'films', q: 'village' }] });
    assert.deepEqual([ids(results[0]), results[0].semanticHitCount], [ids(alone), alone.semanticHitCount]);
    const merged = await clientOf().multiSearch({ federation: {}, queries: [query] });
    assert.deepEqual([ids(merged), merged.semanticHitCount], [ids(alone), alone.semanticHitCount]);
    const headers = { authorization: `Bearer ${goodToken({ role: 'service_role' })}` };
    const own = await (await fetch(`${house.walcast.url}/search/v1/-/films?q=storm&vector=50.5,6&hybridEmbedder=mine&hybridSemanticRatio=0.7`, { headers })).json();
    assert.deepEqual(ids(own), ids(alone));

    const both = ids(await clientOf().index('both').search('', hybrid(1)), '_id');
    assert.deepEqual(both.filter((id) => id.startsWith('clips:')), ['clips:1', 'clips:2']);
    assert.equal((await clientOf().index('both').search('hidden')).hits.length, 0);
    await house.postgres.query('UPDATE clips SET id = 0 WHERE id = 4');
    await waitFor('the row that belongs now', async () => ids(await clientOf().index('both').search('', hybrid(1)), '_id')[0] === 'clips:0', 30_000, 20);
    assert.deepEqual(both.filter((id) => id.startsWith('films:')), (await nearest('true', 18)).map((id) => `films:${id}`));
    // Ten are near, of which the condition has one: more are asked for until there are enough.
    const few = await clientOf().index('few').search('', { vector: [50.5, 6], hybrid: { embedder: 'default' } });
    assert.deepEqual(ids(few).slice(0, 5), await nearest('id % 20 = 1', 5));
    await house.postgres.query('DELETE FROM films WHERE id = $1', [few.hits[0].id]);
    await waitFor('it gone', async () => !ids(await films.search('', hybrid(1))).includes(few.hits[0].id), 30_000, 20);
  });

  test('who may not see a row finds it by no vector, and no rank tells of it', async () => {
    const more = { vector: [200, 0], hybrid: { embedder: 'default', semanticRatio: 0.5 } };
    const diary = clientOf({ role: 'anon', sub: 'z_n%n' }).index('diaries');
    const ann = await diary.search('rain', { ...more, limit: 1000, showRankingScore: true });
    assert.equal(ann.hits.length, 50);
    assert.ok(ann.hits.every(({ who, _id }) => who === 'z_n%n' && _id.startsWith('z%5Fn%25n_')));
    const words = ids(await diary.search('rain', { limit: 1000 }), 'n');
    const wanted = fuse(words, words.toSorted((a, b) => b - a).slice(0, 20), 0.5); // as if there were no others
    assert.deepEqual(ids(ann, 'n'), wanted.map(([n]) => n));
    ann.hits.forEach((hit, i) => assert.ok(Math.abs(hit._rankingScore - wanted[i][1]) < 2e-6, `${hit._rankingScore} ${wanted[i]}`));
    const page = await diary.search('rain', { ...more, limit: 5, offset: 20, rankingScoreThreshold: 0.1 });
    assert.deepEqual(ids(page, 'n'), ids(ann, 'n').slice(20, 25));
    assert.equal((await clientOf({ role: 'anon', sub: 'no' }).index('diaries').search('rain', more)).hits.length, 0);

    const tenant = clientOf({ role: 'anon', searchRules: { films: { filter: 'shop = 1' } } });
    const found = await tenant.index('films').search('storm', { ...hybrid(0.5), limit: 1000 });
    assert.ok(found.hits.length > 100 && found.hits.every(({ shop }) => shop === 1));
    await assert.rejects(tenant.index('few').search('storm', hybrid(0.5)), (error) => error.cause?.code === 'invalid_api_key');
  });

  test('bad input is refused as Meilisearch does, and a wrong definition where it is written', async () => {
    const ask = async (body) => {
      const response = await fetch(`${house.walcast.url}/indexes/films/search`, { method: 'POST', body,
        headers: { authorization: `Bearer ${goodToken({ role: 'service_role' })}`, 'content-type': 'application/json' } });
      return [response.status, (await response.json()).code];
    };
    const mine = '"hybrid":{"embedder":"mine"}';
    for (const [body, code] of [
      ['{"q":"storm","hybrid":{"embedder":"mine"}}', 'vector_embedding_error'],
      ['{"q":"storm","vector":[1,2],"hybrid":{"embedder":"other"}}', 'invalid_search_embedder'],
      ['{"vector":[1,2]}', 'missing_search_hybrid'],
      [`{"vector":[],${mine}}`, 'invalid_search_vector'],
      [`{"vector":[1e999,1],${mine}}`, 'invalid_search_vector'],
      [`{"vector":[1e39,1],${mine}}`, 'invalid_search_vector'],
      [`{"vector":[null,1],${mine}}`, 'invalid_search_vector'],
      [`{"vector":[NaN,1],${mine}}`, 'malformed_payload'],
      [`{"vector":[${Array(100_000).fill(1)}],${mine}}`, 'invalid_search_vector'],
      [`{"vector":"1,2",${mine}}`, 'invalid_search_vector'],
      ['{"vector":[1,2],"hybrid":{"embedder":"mine","semanticRatio":1.5}}', 'invalid_search_semantic_ratio'],
      ['{"vector":[1,2],"hybrid":{}}', 'invalid_search_hybrid_query'],
      ...(TYPE === 'vector' ? [[`{"vector":[1,2,3],${mine}}`, 'invalid_vector_dimensions']] : [[`{"vector":[${Array(200).fill(1)}],${mine}}`, 'invalid_search_vector']]),
    ]) assert.deepEqual(await ask(body), [400, code], body.slice(0, 100));
    const other = clientOf().index('diaries').search('', { vector: [1, 2, 3], hybrid: { embedder: 'default' } }).then(() => 'none', (error) => error.cause?.code);
    assert.equal(await other, TYPE === 'vector' ? 'invalid_vector_dimensions' : 'none'); // a column that does not say how many
    for (const told of ['wrong.yaml:5:11: vector: note is of type integer', 'absent.yaml:4:9: vector: public.films has no column nothere',
      ...(TYPE === 'cube' ? ['metric.yaml:4:9: vector: type ext.cube has no operator for metric cosine'] : [])])
      await waitFor(told, () => house.walcast.process.logText().includes(told), 30_000, 50);
  });

  test('a database that is busy or away costs hybrid queries an error, the others nothing', async () => {
    const films = clientOf().index('films');
    const client = await house.postgres.connect();
    await client.query('BEGIN; LOCK TABLE films IN ACCESS EXCLUSIVE MODE');
    const held = films.search('storm', hybrid(0.5)).then(() => undefined, (error) => error.cause?.code);
    assert.equal((await films.search('storm')).hits.length, 20);
    assert.equal(await Promise.race([held, Promise.resolve('waits')]), 'waits');
    assert.equal(await held, 'unavailable');
    await client.query('ROLLBACK');
    await client.end();
    assert.equal((await films.search('storm', hybrid(0.5))).hits.length, 20);
    await house.postgres.stop();
    await assert.rejects(films.search('storm', hybrid(0.5)), (error) => error.cause?.code === 'unavailable');
    assert.equal((await films.search('storm')).hits.length, 20);
    await house.postgres.restart();
    await waitFor('hybrid answers again', async () => (await films.search('storm', hybrid(0.5))).hits.length === 20);
  });
});
