// A full-text index that follows a table: how fast it is built, how soon a committed row is found,
// and how long searches take, over HTTP, in 300,000 short documents (lib/corpus.mjs). Beside it in the
// same run Tantivy, and FTS5 as SQLite has it, within one process each, without server and database.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { corpus, corpusMissing, madeUp } from '../lib/corpus.mjs';
import { inTurns, makeRow, median, percentile } from '../lib/measure.mjs';
import { Scope } from '../lib/scope.mjs';
import { peerOf, SearchHouse } from '../lib/search_house.mjs';
import { searchQueries } from '../lib/search_queries.mjs';

const DOCUMENTS = 300_000;
const QUERIES = 1_000;
const FRESH_ROWS = 5_000;
const QUICK = { documents: 2_000, queries: 20, rows: 100 };
const HERE = dirname(fileURLToPath(import.meta.url));
const PEER = join(HERE, '../load/search_peer.py');
const PYTHON = { command: '/usr/bin/python3', path: join(HERE, '../peers/python') }; // lib/install-peers
const ASKED = ['and', 'or', 'prefix', 'typo', 'filter', 'facets', 'sort'];

const most = (value) => ({ value, on: 'ours', bound: 'max' });
const TIMES = [
  ['and-p50', 'two words, both wanted', 2], ['and-p99', 'two words, both wanted', 20],
  ['or-p50', 'two words, one is enough'], ['or-p99', 'two words, one is enough', 60],
  ['prefix-p50', 'the beginning of a word'], ['prefix-p99', 'the beginning of a word', 40],
  ['typo-p50', 'a word with a typo'], ['typo-p99', 'a word with a typo', 40],
  ['filter-p50', 'a word, and a filter on two attributes'], ['filter-p99', 'a word, and a filter on two attributes'],
  ['facets-p50', 'a word, its facets counted'], ['facets-p99', 'a word, its facets counted'],
  ['sort-p50', 'a word, sorted by a number'], ['sort-p99', 'a word, sorted by a number'],
].map(([name, doc, goal]) => ({ name, doc, unit: 'ms', goal: goal && most(goal) }));
const CASES = [
  { name: 'backfill', doc: 'documents a second, from the definition to the last one found; peer: Tantivy, one thread',
    unit: 'documents/s', goal: { value: 10_000, on: 'ours', bound: 'min' } },
  ...TIMES,
  { name: 'fresh-p99', doc: "from COMMIT's return until it is found, at 500 rows/s", unit: 'ms', goal: most(250) },
  { name: 'memory', doc: 'peak of the process, all roles', unit: 'MB', goal: most(150) },
];

function figuresOf(times, peak_mb, backfill) {
  const figures = { backfill, memory: peak_mb };
  for (const [kind, all] of Object.entries(times)) {
    if (!all) continue;
    const sorted = all.toSorted((left, right) => left - right);
    figures[`${kind}-p50`] = percentile(sorted, 0.5);
    figures[`${kind}-p99`] = percentile(sorted, 0.99);
  }
  return figures;
}

function ours({ documents, queries, rows }) {
  return Scope.run(async (scope) => {
    const house = await SearchHouse.start(scope, documents);
    const backfill = await house.build();
    const times = {};
    for (const kind of ASKED) times[kind] = await house.times(kind, queries[kind] ?? queries.word);
    const peak_mb = house.peakMb();
    times.fresh = await house.freshness(rows);
    return figuresOf(times, peak_mb, backfill);
  });
}

function peer(engine, { files }) {
  const said = peerOf(PYTHON, PEER, engine, files.documents, files.queries);
  return said ? figuresOf(said.ms, said.peak_mb, said.documents_per_s) : {};
}

function loadOf(quick, directory) {
  const documents = quick ? madeUp(QUICK.documents) : corpus(DOCUMENTS);
  const queries = searchQueries(documents, quick ? QUICK.queries : QUERIES);
  const files = { documents: join(directory, 'documents.jsonl'), queries: join(directory, 'queries.json') };
  writeFileSync(files.documents, documents.map((one) => `${JSON.stringify(one)}\n`).join(''));
  writeFileSync(files.queries, JSON.stringify(queries));
  return { documents, queries: { ...queries, filter: queries.word, facets: queries.word, sort: queries.word },
    rows: quick ? QUICK.rows : FRESH_ROWS, files };
}

export default {
  name: 'search',
  doc: 'a full-text index of 300,000 short documents; peers: Tantivy, and plain FTS5 in the details',
  cases: CASES,
  async *run({ cases, progress, repeat, quick }) {
    if (!quick && corpusMissing()) throw new Error(`the corpus needs Debian's ${corpusMissing()}: apt-get install ${corpusMissing()}`);
    const directory = mkdtempSync(join(tmpdir(), 'walcast-search-'));
    try {
      const load = loadOf(quick, directory);
      const hasTantivy = !quick && existsSync(PYTHON.path);
      const runs = await inTurns(repeat, {
        ours: () => ours(load),
        ...(hasTantivy && { tantivy: () => peer('tantivy', load) }),
        ...(!quick && { fts5: () => peer('fts5', load) }),
      }, (text) => progress.show(`search: ${text}`));
      for (const { name, unit, goal } of cases) {
        const plain = runs.map((run) => run.fts5?.[name]);
        yield makeRow({ suite: 'search', name, unit, goal,
          runs: runs.map((run) => ({ ours: run.ours[name], peer: run.tantivy?.[name] })),
          ...(plain.every((each) => each !== undefined) && { detail: { fts5: median(plain) } }) });
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
};
