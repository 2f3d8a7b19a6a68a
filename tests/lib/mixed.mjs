// A workload of many sessions at once whose transactions are large enough to be sent while they run:
// savepoints within savepoints, rolled back or released, changes of shape among them, some
// transactions rolled back as a whole. The same seed gives the same statements to each session.

export const MIXED_SCHEMA = `
CREATE TABLE items (id bigint PRIMARY KEY, session int, text text, big text);
ALTER TABLE items ALTER COLUMN big SET STORAGE EXTERNAL;
CREATE TABLE whole (id bigint, text text);
ALTER TABLE whole REPLICA IDENTITY FULL;
`;

// A tiny generator: mulberry32.
export function randomOf(seed) {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

class Session {
  constructor(number, seed, { messages, prepared }) {
    this.number = number;
    this.random = randomOf(seed * 1000 + number);
    this.next = number * 1_000_000;
    this.messages = messages;
    this.prepared = prepared;
    this.count = 0;
  }

  insert(rows) {
    const from = this.next;
    this.next += rows;
    const big = this.random(3) === 0 ? "repeat('b', 3000)" : "'small'";
    return `INSERT INTO items SELECT i, ${this.number}, repeat(chr(97 + (i % 26)::int), 100), ${big}
      FROM generate_series(${from}, ${this.next - 1}) i`;
  }

  mine() {
    return `session = ${this.number} AND id % 7 = ${this.random(7)}`;
  }

  statement() {
    switch (this.random(this.messages ? 8 : 7)) {
      case 0: return `UPDATE items SET text = 'changed ' || id WHERE ${this.mine()}`;
      case 1: return `UPDATE items SET id = id + 500000 WHERE ${this.mine()} AND id % 1000000 < 400000`;
      case 2: return `DELETE FROM items WHERE ${this.mine()} AND id % 3 = 0`;
      case 3: return `INSERT INTO whole SELECT i, 'w${this.number}' FROM generate_series(1, 40) i`;
      case 7: return `SELECT pg_logical_emit_message(true, 's${this.number}', '${this.random(1000)}')`;
      default: return this.insert(20 + this.random(400));
    }
  }

  // A savepoint with what it holds, and its end.
  nested(depth) {
    const name = `s${depth}`;
    const inner = [];
    for (let i = 1 + this.random(4); i > 0; i--)
      inner.push(...(depth < 3 && this.random(3) === 0 ? this.nested(depth + 1) : [this.statement()]));
    const end = this.random(2) === 0 ? `ROLLBACK TO ${name}` : `RELEASE ${name}`;
    return [`SAVEPOINT ${name}`, ...inner, end];
  }

  transaction() {
    const body = [];
    for (let i = 2 + this.random(5); i > 0; i--)
      body.push(...(this.random(2) === 0 ? this.nested(1) : [this.statement()]));
    return ['BEGIN', ...body, ...this.end(this.random(6) === 0 ? 'ROLLBACK' : 'COMMIT')];
  }

  // Half of the transactions are prepared first, if any is to be.
  end(how) {
    if (!this.prepared || this.random(2) === 0) return [how];
    const gid = `'${this.number} ${this.count++}'`;
    return [`PREPARE TRANSACTION ${gid}`, 'INSERT INTO whole VALUES (-1, NULL)', `${how} PREPARED ${gid}`];
  }
}

// Runs `transactions` of each of `sessions` at once. messages: with logical ones; prepared: some are
// committed in two phases.
export async function runMixed(postgres,
  { seed, sessions = 4, transactions = 6, messages = false, prepared = false }) {
  await Promise.all(Array.from({ length: sessions }, async (_, index) => {
    const session = new Session(index + 1, seed, { messages, prepared });
    const client = await postgres.connect();
    try {
      for (let i = 0; i < transactions; i++)
        for (const statement of session.transaction()) await client.query(statement);
    } finally {
      await client.end();
    }
  }));
}
