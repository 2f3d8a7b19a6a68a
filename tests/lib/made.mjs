// Indexes made over HTTP: what their files hold, what they must hold, and requests.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import './search.mjs';
import { goodToken } from './tokens.mjs';
import { waitFor } from './wait.mjs';

const { DatabaseSync } = await import('node:sqlite');

// Each file's documents by their ids: { generation: { id: document } }, of files that are built.
export function filesOf(walcast) {
  const directory = join(walcast.directory, '.walcast/search/WALCAST/default');
  const found = {};
  for (const name of existsSync(directory) ? readdirSync(directory).filter((entry) => /^=made\..*\.db$/.test(entry)) : []) {
    const database = new DatabaseSync(join(directory, name), { readOnly: true });
    try {
      const [state] = database.prepare('SELECT is_building FROM state').all();
      if (!state || state.is_building) continue;
      found[name.split('.')[1].split('-')[0]] = Object.fromEntries(database.prepare('SELECT id, json FROM document ORDER BY id').all()
        .map(({ id, json }) => [Buffer.from(id).toString(), JSON.parse(Buffer.from(json).toString())]));
    } catch (error) {
      if (!/locked|no such table|unable to open|busy/.test(error.message)) throw error;
    } finally {
      database.close();
    }
  }
  return found;
}

// What the log asks for, and so what indexes there must be: { generation: { id: document } }.
export class Model {
  constructor() { this.indexes = new Map(); } // name → { generation, documents }

  take(sequence, { kind, index, swaps }, body) {
    const it = this.indexes.get(index);
    const made = () => this.indexes.set(index, { generation: sequence, documents: {} }).get(index);
    let target = it;
    const documents = () => (target ??= made()).documents;
    if (kind === 'indexCreation' && !it) made();
    if (kind === 'indexDeletion') this.indexes.delete(index);
    if (kind === 'settingsUpdate' && !it) made();
    if (kind === 'documentAdditionOrUpdate') for (const one of body) documents()[one.id] = one;
    if (kind === 'documentPartialUpdate') for (const one of body) documents()[one.id] = { ...documents()[one.id], ...one };
    if (kind === 'documentDeletion' && it)
      if (body.ids) for (const id of body.ids) delete it.documents[id];
      else if (body.filter) for (const { id, n } of Object.values(it.documents)) { if (`n = ${n}` === body.filter) delete it.documents[id]; }
      else it.documents = {};
    if (kind === 'indexSwap' && this.indexes.has(swaps[0]) && this.indexes.has(swaps[1])) {
      const [a, b] = swaps.map((name) => this.indexes.get(name));
      this.indexes.set(swaps[0], b).set(swaps[1], a);
    }
  }

  expected() {
    return Object.fromEntries([...this.indexes.values()].map(({ generation, documents }) => [generation,
      Object.fromEntries(Object.entries(documents).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))))]));
  }
}

const sorted = (object) => JSON.stringify(object, (_, value) => (value && typeof value === 'object' && !Array.isArray(value)
  ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value));

export const settle = ({ walcast }, model) => waitFor('files as the log has them', () => {
  const [have, wanted] = [sorted(filesOf(walcast)), sorted(model.expected())];
  if (have !== wanted) throw new Error(`${have.slice(0, 500)} instead of ${wanted.slice(0, 500)}`);
  return true;
}, 60_000, 100);

export async function ask(walcast, method, path, body) {
  const response = await fetch(`${walcast.url}${path}`, { method, body: body && JSON.stringify(body),
    headers: { authorization: `Bearer ${goodToken({ role: 'service_role' })}`, ...(body && { 'content-type': 'application/json' }) } });
  return response.json();
}
