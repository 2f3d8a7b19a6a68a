// Imported by tests of search indexes: definitions as files, and what the index files hold.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from './wait.mjs';
import { Walcast } from './walcast.mjs';

process.removeAllListeners('warning'); // node:sqlite is still called experimental
const { DatabaseSync } = await import('node:sqlite');

Walcast.roles = 'cdc,ws,search';

// Puts a definition (text of YAML) into the directory that Walcast looks at.
export function define(walcast, name, text) {
  const directory = join(walcast.directory, 'indexes');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, `${name}.yaml`), text);
}

function filesOf(walcast, index, project = 'default') {
  const directory = join(walcast.directory, '.walcast/search/WALCAST', project);
  if (!existsSync(directory)) return [];
  return readdirSync(directory).filter((name) => name.startsWith(`${index}.`) && name.endsWith('.db'))
    .map((name) => ({ path: join(directory, name), generation: Number(name.split('.').at(-2).split('-')[0]),
      build: Number(name.split('.').at(-2).split('-')[1]) }))
    .sort((a, b) => b.generation - a.generation || b.build - a.build);
}

// What the newest file that is built holds, or undefined while none is:
// { generation, position, documents: [object] in the order of their ids }.
export function read(walcast, index, project) {
  for (const { path, generation, build } of filesOf(walcast, index, project)) {
    // What a kill left behind is recovered by whoever opens the file next, who must be able to write.
    const database = new DatabaseSync(path, { readOnly: walcast.process.alive });
    try {
      const [state] = database.prepare('SELECT change_sequence, is_building FROM state').all();
      if (!state || state.is_building) continue;
      const rows = database.prepare('SELECT id, json, is_hidden FROM document ORDER BY id').all();
      const text = (bytes) => Buffer.from(bytes).toString();
      return { generation, build, position: Number(state.change_sequence), hidden: rows.filter((row) => row.is_hidden).length,
        documents: rows.filter((row) => !row.is_hidden).map((row) => ({ id: text(row.id), json: JSON.parse(text(row.json)) })) };
    } catch (error) {
      if (!/locked|no such table|unable to open|busy/.test(error.message)) throw error;
    } finally {
      database.close();
    }
  }
  return undefined;
}

export function files(walcast, index, project) {
  return filesOf(walcast, index, project).map(({ path }) => path);
}

// The index once it is built and holds exactly what `expected` gives: [[id, document], ...].
export async function waitEqual(walcast, index, expected, timeout_ms = 60_000) {
  let difference;
  const byId = (a, b) => Buffer.compare(Buffer.from(a[0]), Buffer.from(b[0]));
  return waitFor(`index ${index} as the table is`, async () => {
    const found = read(walcast, index);
    if (!found) return false;
    const wanted = (await expected()).map(([id, document]) => [`${id}`, document]).sort(byId);
    const have = new Map(found.documents.map(({ id, json }) => [id, JSON.stringify(json)]));
    difference = wanted.filter(([id, document]) => have.get(id) !== JSON.stringify(document)).slice(0, 3)
      .map(([id, document]) => ({ id, document: JSON.stringify(document).slice(0, 300), found: have.get(id)?.slice(0, 300) }));
    const ids = new Set(wanted.map(([id]) => id));
    const extra = found.documents.filter(({ id }) => !ids.has(id)).slice(0, 3);
    if (difference.length === 0 && have.size === wanted.length) return found;
    throw new Error(`${have.size} documents of ${wanted.length}: ${JSON.stringify(difference)} ${JSON.stringify(extra).slice(0, 300)}`);
  }, timeout_ms, 100);
}
