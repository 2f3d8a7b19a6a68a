// What the faults campaign asks of the stream, one change at a time: order, whole transactions, each
// once, and the tables that its changes make.
import assert from 'node:assert/strict';

function lsnOf(text) {
  const [high, low] = text.split('/').map((half) => BigInt(`0x${half}`));
  return (high << 32n) | low;
}

// A table with a key as its changes make it.
class Keyed {
  constructor(key) {
    this.key = key;
    this.held = new Map();
  }

  #keyOf(record) {
    return JSON.stringify(this.key.map((name) => record[name]));
  }

  apply({ op, record, old_record: old }) {
    const before = this.#keyOf(old ?? record);
    const row = this.held.get(before);
    if (op === 'INSERT') assert.ok(!row, `inserted twice: ${before}`);
    else assert.ok(row, `${op} of a row that is not there: ${before}`);
    if (op !== 'INSERT') this.held.delete(before);
    if (op !== 'DELETE') this.held.set(this.#keyOf(record), { ...row, ...record });
  }

  rows() {
    return [...this.held.values()].map((row) => JSON.stringify(row)).sort();
  }
}

// One without: a multiset of whole rows.
class Bag {
  constructor() {
    this.counts = new Map();
  }

  #add(record, by) {
    const text = JSON.stringify(record);
    const count = (this.counts.get(text) ?? 0) + by;
    assert.ok(count >= 0, `a row that is not there: ${text}`);
    if (count === 0) this.counts.delete(text);
    else this.counts.set(text, count);
  }

  apply({ op, record, old_record: old }) {
    if (op !== 'INSERT') this.#add(old, -1);
    if (op !== 'DELETE') this.#add(record, 1);
  }

  rows() {
    return [...this.counts].flatMap(([text, count]) => Array(count).fill(text)).sort();
  }
}

export class StreamCheck {
  // keys: by 'schema.table' as SQL names it, the key's columns, or null for a table without one.
  constructor(keys) {
    this.tables = new Map(Object.entries(keys).map(([name, key]) =>
      [name, key ? new Keyed(key) : new Bag()]));
    this.ledger = new Set();
    this.epochs = new Set();
    this.changes = 0;
    this.transactions = 0;
    this.biggest = 0;
    this.before = { lsn: -1n, index: -1, last: true };
  }

  #order(change) {
    const { lsn: text, index, last } = change;
    const lsn = lsnOf(text);
    const { before } = this;
    if (lsn === before.lsn) {
      assert.equal(before.last, false, 'nothing behind the last');
      assert.equal(index, before.index + 1, 'the next index');
    } else {
      assert.ok(lsn > before.lsn, 'a later commit');
      assert.equal(before.last, true, 'a whole transaction before');
      assert.equal(index, 0, 'a transaction from its start');
      this.entry = undefined;
    }
    this.before = { lsn, index, last };
  }

  // The entry is the transaction's last change and says how many there are.
  #account({ table, record, index, last }) {
    if (table === 'ledger') {
      assert.ok(!this.ledger.has(record.number), `transaction ${record.number} twice`);
      this.ledger.add(record.number);
      this.entry = record;
    }
    if (!last) return;
    assert.ok(this.entry, 'a transaction with its entry in the ledger');
    assert.equal(index + 1, this.entry.changes, `changes of transaction ${this.entry.number}`);
    this.transactions++;
    this.biggest = Math.max(this.biggest, index + 1);
  }

  add(change) {
    try {
      this.#order(change);
      this.#account(change);
      this.tables.get(`${change.schema}.${change.table}`).apply(change);
    } catch (error) {
      error.message = `at ${change.offset} (${change.lsn}, ${change.index}): ${error.message}`;
      throw error;
    }
    this.epochs.add(change.offset.split('-')[0]);
    this.changes++;
  }

  // outcome: what the writers know of each number.
  assertLedger(outcome) {
    assert.equal(this.before.last, true, 'the last transaction is whole');
    for (const number of this.ledger)
      assert.notEqual(outcome.get(number), 'rolled back', `number ${number}`);
    for (const [number, what] of outcome)
      if (what === 'committed') assert.ok(this.ledger.has(number), `number ${number} is missing`);
    assert.equal(this.epochs.size, 1, 'one epoch: the broker lost nothing');
  }

  // Every table row by row.
  async assertTables(postgres) {
    for (const [name, model] of this.tables) {
      const [schema, ...table] = name.split('.');
      const { rows } = await postgres.query(
        `SELECT row_to_json(t)::text AS row FROM "${schema}"."${table.join('.')}" t`);
      const there = rows.map(({ row }) => JSON.stringify(JSON.parse(row))).sort();
      const here = model.rows();
      const held = new Set(here);
      const known = new Set(there);
      const missing = there.filter((row) => !held.has(row));
      const extra = here.filter((row) => !known.has(row));
      assert.ok(missing.length === 0 && extra.length === 0 && here.length === there.length,
        `${name}: ${there.length} rows, the stream makes ${here.length}; missing ` +
        `${missing.length} ${missing.slice(0, 3)}; too much ${extra.length} ${extra.slice(0, 3)}`);
    }
  }
}
