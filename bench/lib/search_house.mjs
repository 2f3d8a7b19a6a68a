// An index of a table that has the corpus, its searches over HTTP one after the other on one
// connection, and rows that are committed meanwhile.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { startHouse } from '../../tests/lib/house.mjs';
import { goodToken } from '../../tests/lib/tokens.mjs';
import { DEFAULT, Walcast } from '../../tests/lib/walcast.mjs';
import { waitFor } from '../../tests/lib/wait.mjs';
import { peakResidentMb } from './proc.mjs';

const HITS = 20;
const FILL_ROWS = 10_000;
const BUILD_MS = 600_000;
const FRESH_RATE = 500;
const FRESH_WRITERS = 4;
const FRESH_WATCHED = 10; // of so many rows one is looked for
const FRESH_LOOK_MS = 5;
const FRESH_MS = 20_000;
const SCHEMA = `CREATE TABLE documents (id bigint PRIMARY KEY, title text NOT NULL, text text NOT NULL,
  kind text NOT NULL, source text NOT NULL, size int NOT NULL)`;
const DEFINITION = `name: documents
table: public.documents
fields: { title: 2.0, text: 1.0 }
filterable: [kind, source, size]
facets: [kind, source]
sortable: [size]
`;

const BODIES = {
  and: ([left, right]) => ({ q: `${left} ${right}`, matchingStrategy: 'all' }),
  or: ([left, right]) => ({ q: `${left} OR ${right}`, boolean: true }),
  prefix: ([word]) => ({ q: word }),
  typo: ([word]) => ({ q: word }),
  filter: ([word]) => ({ q: word, filter: 'kind = noun AND size > 60' }),
  facets: ([word]) => ({ q: word, facets: ['kind', 'source'] }),
  sort: ([word]) => ({ q: word, sort: ['size:desc'] }),
};

export class SearchHouse {
  static async start(scope, documents) {
    const it = new SearchHouse();
    it.documents = documents;
    it.house = await startHouse(scope, { schema: SCHEMA, settings: { fsync: 'on' }, walcast: false });
    for (let from = 0; from < documents.length; from += FILL_ROWS)
      await it.house.postgres.query(
        'INSERT INTO documents SELECT * FROM json_populate_recordset(null::documents, $1)',
        [JSON.stringify(documents.slice(from, from + FILL_ROWS))]);
    it.walcast = await Walcast.start({ ...it.house, config: { roles: DEFAULT, 'snapshot.live_share': DEFAULT } });
    scope.after(() => it.walcast.remove());
    await it.walcast.ready();
    it.agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    scope.after(() => it.agent.destroy());
    it.key = goodToken({ role: 'service_role' });
    return it;
  }

  request(method, path, body) {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${this.key}`, 'content-type': 'application/json' };
      const request = http.request(`${this.walcast.url}${path}`, { method, headers, agent: this.agent }, (response) => {
        const parts = [];
        response.on('data', (part) => parts.push(part));
        response.on('end', () => resolve({ status: response.statusCode, body: Buffer.concat(parts) }));
      });
      request.on('error', reject);
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async search(body) {
    const { status, body: text } = await this.request('POST', '/indexes/documents/search', { limit: HITS, ...body });
    if (status !== 200) throw new Error(`search: ${status} ${text}`);
    return JSON.parse(text);
  }

  // Documents a second from the definition's coming to the last document's being found.
  async build() {
    const directory = join(this.walcast.directory, 'indexes');
    mkdirSync(directory);
    const begun = performance.now();
    writeFileSync(join(directory, 'documents.yaml'), DEFINITION);
    await waitFor('the index', async () => {
      const { status, body } = await this.request('GET', '/indexes/documents/stats');
      return status === 200 && JSON.parse(body).numberOfDocuments === this.documents.length;
    }, BUILD_MS, 50);
    return this.documents.length / ((performance.now() - begun) / 1e3);
  }

  // Milliseconds of each query.
  async times(kind, queries) {
    const times = [];
    for (const words of queries) {
      const begun = performance.now();
      await this.search(BODIES[kind](words));
      times.push(performance.now() - begun);
    }
    return times;
  }

  async #found(word) {
    while ((await this.search({ q: `"${word}"` })).hits.length === 0)
      await new Promise((resolve) => setTimeout(resolve, FRESH_LOOK_MS));
  }

  // Milliseconds from COMMIT's return until a search finds the row, at FRESH_RATE rows a second.
  async freshness(rows) {
    const times = [], looks = [];
    const writers = await Promise.all(Array.from({ length: FRESH_WRITERS }, async () =>
      ({ client: await this.house.postgres.connect(), last: Promise.resolve() })));
    const begun = performance.now();
    for (let i = 0; i < rows; i++) {
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, begun + (i * 1e3) / FRESH_RATE - performance.now())));
      const word = `zq${i.toString(36)}xv`;
      const row = [1e9 + i, `fresh ${word}`, 'a row that is committed while others are searched', 'fresh', 'fresh', i];
      const writer = writers[i % writers.length];
      const committed = writer.last.then(() =>
        writer.client.query('INSERT INTO documents VALUES ($1, $2, $3, $4, $5, $6)', row));
      writer.last = committed;
      if (i % FRESH_WATCHED === 0)
        looks.push(committed.then(async () => {
          const from = performance.now();
          await this.#found(word);
          times.push(performance.now() - from);
        }));
    }
    const late = setTimeout(() => { throw new Error('rows were not found in time'); }, FRESH_MS);
    await Promise.all(looks);
    clearTimeout(late);
    for (const { client, last } of writers) await last.then(() => client.end());
    return times;
  }

  peakMb() {
    return peakResidentMb(this.walcast.process.pid);
  }
}

// A peer within one process (load/search_peer.py): what it says, or undefined where it is missing.
export function peerOf(python, program, engine, documents, queries) {
  const { status, stdout } = spawnSync(python.command, [program, engine, documents, queries],
    { encoding: 'utf8', maxBuffer: 1 << 26, env: { ...process.env, PYTHONPATH: python.path } });
  return status === 0 ? JSON.parse(stdout) : undefined;
}
