// A consumer that keeps a copy of tables by what the stream says, snapshot rows included, and knows
// nothing else: what it holds at the end must be the tables.
import assert from 'node:assert/strict';

const tableOf = ({ schema, table }) => `${schema}.${table}`;

export class Copy {
  // keys: key columns by "schema.table"; none: the rows are a multiset.
  constructor(keys) {
    this.keys = keys;
    this.tables = new Map(Object.keys(keys).map((name) => [name, new Map()]));
    this.reads = 0;
    this.begun = new Map();
  }

  #keyOf(name, record) {
    const columns = this.keys[name].length > 0 ? this.keys[name] : Object.keys(record).sort();
    return JSON.stringify(columns.map((column) => record[column]));
  }

  #put(name, record, held) {
    const rows = this.tables.get(name);
    const key = this.#keyOf(name, record);
    if (this.keys[name].length > 0) rows.set(key, { row: { ...held, ...record }, count: 1 });
    else rows.set(key, { row: record, count: (rows.get(key)?.count ?? 0) + 1 });
  }

  #take(name, record) {
    const rows = this.tables.get(name);
    const key = this.#keyOf(name, record);
    const held = rows.get(key);
    if (held && held.count > 1) held.count--;
    else rows.delete(key);
    return held?.row;
  }

  // Rows of a table without a key replace what changes and rows up to their snapshot's beginning
  // told, and those of snapshots that began before it.
  apply(change) {
    const name = tableOf(change);
    if (!this.tables.has(name)) return;
    const { op, record, old_record: old } = change;
    const sequence = Number(change.offset.split('-')[1].split('.')[0]);
    const begun = this.begun.get(name) ?? 0;
    if (this.keys[name].length === 0 && (op === 'READ'
      ? (change.snapshot.after_sequence ?? 0) !== begun : sequence <= begun)) return;
    if (op === 'TRUNCATE') this.tables.get(name).clear();
    else if (op === 'DELETE') this.#take(name, old);
    else if (op === 'UPDATE') this.#put(name, record, this.#take(name, old ?? record));
    else if (op === 'INSERT' || op === 'READ') {
      this.reads += op === 'READ';
      this.#put(name, record);
    }
  }

  static of(changes, keys) {
    const copy = new Copy(keys);
    for (const change of changes)
      if (change.op === 'READ' && change.snapshot.after_sequence !== undefined)
        copy.begun.set(tableOf(change),
          Math.max(change.snapshot.after_sequence, copy.begun.get(tableOf(change)) ?? 0));
    for (const change of changes) copy.apply(change);
    return copy;
  }

  // Against the tables themselves, as PostgreSQL writes them as JSON.
  async assertEqual(postgres) {
    for (const [name, rows] of this.tables) {
      const dot = name.indexOf('.');
      const [schema, table] = [name.slice(0, dot), name.slice(dot + 1)]
        .map((part) => `"${part.replaceAll('"', '""')}"`);
      const { rows: found } = await postgres.query(
        `SELECT to_jsonb(t)::text AS row FROM ONLY ${schema}.${table} t`);
      const expected = new Map();
      for (const { row } of found) {
        const parsed = JSON.parse(row);
        const key = this.#keyOf(name, parsed);
        expected.set(key, { row: parsed, count: (expected.get(key)?.count ?? 0) + 1 });
      }
      const differing = [];
      for (const [key, { row, count }] of expected) {
        const held = rows.get(key);
        if (!held) differing.push(`${key} is missing`);
        else if (held.count !== count) differing.push(`${key} is there ${held.count} times, not ${count}`);
        else
          try {
            assert.deepEqual(held.row, row);
          } catch {
            differing.push(`${key} is ${JSON.stringify(held.row)}, expected ${JSON.stringify(row)}`
              .slice(0, 300));
          }
      }
      for (const key of rows.keys()) if (!expected.has(key)) differing.push(`${key} is too many`);
      assert.deepEqual(differing.slice(0, 5), [], `${differing.length} rows of ${name} differ`);
    }
  }
}
