// All that an index file holds, and what is asked of it, so that two of one table can be compared: the
// documents, each word's places, attributes' columns, rows beside the documents. What may differ is
// left out: numbers that an engine gives (docids), versions, and the stream's position.
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { files } from '../../lib/search.mjs';
import { goodToken } from '../../lib/tokens.mjs';
import { MARK } from './load.mjs';

const { DatabaseSync } = await import('node:sqlite');

// Of the files' spaces of side rows (generation_private.h): the first of those that hold rows of
// tables and which document shows which; before them are queues, empty when all is done.
const SPACE_DIRTY = 1;
const SPACE_TABLES = 16;

const PARTS = {
  documents: 'SELECT id, json, source, norm, is_hidden FROM document ORDER BY id',
  postings: `SELECT CAST(term AS BLOB) AS term, d.id, col, "offset" FROM temp.places LEFT JOIN document d ON d.docid = doc
    ORDER BY term, d.id, col, "offset"`,
  terms: 'SELECT CAST(term AS BLOB) AS term, doc, cnt FROM temp.terms ORDER BY term',
  fields: 'SELECT name, slot FROM field ORDER BY name',
  beside: `SELECT space, key, parent, bytes FROM side WHERE space >= ${SPACE_TABLES} ORDER BY space, key`,
  queued: `SELECT space, key FROM side WHERE space = ${SPACE_DIRTY}`,
  tombstones: 'SELECT id FROM tombstone',
  state: 'SELECT is_building, CAST(fingerprint AS TEXT) FROM state',
};

function newest(walcast) {
  const [path] = files(walcast, 'products');
  return path && new DatabaseSync(path, { readOnly: walcast.process.alive });
}

// Whether the newest file is built.
export function isBuilt(walcast) {
  const database = newest(walcast);
  try {
    return database?.prepare('SELECT is_building FROM state').get()?.is_building === 0;
  } finally {
    database?.close();
  }
}

// The title of the product that marks, once nothing is to be made again.
export function marked(walcast) {
  const database = newest(walcast);
  try {
    if (!database || database.prepare('SELECT is_building FROM state').get()?.is_building !== 0 ||
      database.prepare(`SELECT count(*) AS n FROM side WHERE space = ${SPACE_DIRTY}`).get().n > 0) return undefined;
    const row = database.prepare('SELECT json FROM document WHERE id = ?').get(Buffer.from(`${MARK}`));
    return row && JSON.parse(Buffer.from(row.json).toString()).title;
  } finally {
    database?.close();
  }
}

const text = (value) => (value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : `${value}`);
const lineOf = (row) => Object.values(row).map(text).join('\u0001');

// { part: { count, hash, lines() } }. The engine's own tokenizer is not here, and what is stored needs none: it is
// replaced in a copy.
export function contents(walcast, name) {
  const copy = join(walcast.directory, `${name}.db`);
  rmSync(copy, { force: true });
  const database = newest(walcast);
  database.exec(`VACUUM INTO '${copy}'`);
  database.close();
  const it = new DatabaseSync(copy);
  it.exec(`PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(sql, '''walcast''', '''unicode61''') WHERE name = 'words';
    PRAGMA writable_schema = RESET;
    CREATE VIRTUAL TABLE temp.places USING fts5vocab(main, words, instance);
    CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, words, row)`);
  const parts = Object.fromEntries(Object.entries(PARTS).map(([part, sql]) => {
    const hash = createHash('sha1');
    let count = 0;
    for (const row of it.prepare(sql).iterate()) {
      hash.update(lineOf(row)).update('\u0002');
      count++;
    }
    return [part, { count, hash: hash.digest('hex'), lines: () => it.prepare(sql).all().map(lineOf) }];
  }));
  return { parts, close() { it.close(); rmSync(copy); } };
}

export function differences(a, b) {
  return Object.keys(PARTS).filter((part) => a.parts[part].hash !== b.parts[part].hash).map((part) => {
    const [has, other] = [a, b].map((one) => one.parts[part].lines());
    const [hasSet, otherSet] = [new Set(has), new Set(other)];
    const show = (lines) => lines.slice(0, 3).map((line) => JSON.stringify(line).slice(0, 300)).join(', ');
    return `${part}: ${has.length} and ${other.length}; only in the first ${show(has.filter((line) => !otherSet.has(line)))}; only in the second ${show(other.filter((line) => !hasSet.has(line)))}`;
  });
}

// Columns of attributes are in memory: queries show them. Ties end with `id`.
const QUERIES = [
  { facets: ['*'], sort: ['id:asc'], limit: 20 },
  { filter: 'price > 50 AND attrs.size IN [0, 9]', sort: ['price:desc', 'id:asc'], facets: ['category.name', 'tags.tag'], limit: 50 },
  { filter: 'category_id IS NULL OR category_id >= 20', sort: ['id:desc'], limit: 50 },
  { filter: '"category.name" IS NULL', sort: ['id:asc'], facets: ['tags.tag'], limit: 50 },
  { q: 'lamp stone', sort: ['id:asc'], limit: 50 },
  { q: 'river -green', sort: ['price:asc', 'id:asc'], filter: '"tags.tag" = t3', limit: 50 },
];

async function ask(walcast, path, body) {
  const response = await fetch(`${walcast.url}${path}`, { method: body ? 'POST' : 'GET', body: body && JSON.stringify(body),
    headers: { authorization: `Bearer ${goodToken({ role: 'service_role' })}`, 'content-type': 'application/json' } });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`);
  return answer;
}

export async function answers(walcast) {
  const found = [];
  for (const query of QUERIES) {
    const { hits, estimatedTotalHits, facetDistribution, facetStats } = await ask(walcast, '/indexes/products/search', query);
    found.push({ query, hits, estimatedTotalHits, facetDistribution, facetStats });
  }
  const { numberOfDocuments, fieldDistribution } = await ask(walcast, '/indexes/products/stats');
  return [...found, { numberOfDocuments, fieldDistribution }];
}
