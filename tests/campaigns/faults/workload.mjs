// The faults campaign's writers: sessions whose transactions change several tables, with savepoints
// and rollbacks, some large enough to be sent while they run. The last row that a transaction writes
// is its entry in `ledger`: a number of its own and how many changes it made, so that each
// transaction in the stream can be checked for being whole and being there once.
import { setTimeout as sleep } from 'node:timers/promises';
import { randomOf } from '../../lib/mixed.mjs';
import { waitFor } from '../../lib/wait.mjs';

const ACCOUNTS = 50;
const THINK_MS = 250;
const MEANWHILE = 30; // transactions that the others begin while one is prepared
const PREPARED_MS = 1000;

export const SCHEMA = `
CREATE TABLE ledger (number bigint PRIMARY KEY, session int NOT NULL, changes int NOT NULL);
CREATE TABLE items (id bigint PRIMARY KEY, session int, text text, big text);
ALTER TABLE items ALTER COLUMN big SET STORAGE EXTERNAL;
CREATE INDEX ON items (session);
CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL, note text);
CREATE TABLE history (account int, delta numeric, at timestamptz);
CREATE SCHEMA "Odd Schema";
CREATE TABLE "Odd Schema"."pa.irs" (a int, "B b" text, value numeric, PRIMARY KEY (a, "B b"));
CREATE TABLE whole (session int, number int, text text);
ALTER TABLE whole REPLICA IDENTITY FULL;
`;

// Run once the slot exists: what the stream is to hold is all that the tables hold.
export const FILL = `BEGIN;
INSERT INTO accounts SELECT i, 0, NULL FROM generate_series(1, ${ACCOUNTS}) i;
INSERT INTO ledger VALUES (0, 0, ${ACCOUNTS + 1});
COMMIT`;

// A transaction that is to be rolled back is not an error of the writer.
class Abandoned extends Error {}

class Session {
  constructor(number, seed, postgres, outcome, prepared) {
    this.session = number;
    this.prepared = prepared;
    this.random = randomOf(seed * 1000 + number);
    this.postgres = postgres;
    this.outcome = outcome;
    this.next = number * 100_000_000;
    this.number = number * 1_000_000;
  }

  insertItems(rows) {
    const from = this.next;
    this.next += rows;
    const big = this.random(4) === 0 ? "repeat('b', 3000)" : 'NULL';
    return `INSERT INTO items SELECT i, ${this.session}, repeat(chr(97 + (i % 26)::int), 60), ${big}
      FROM generate_series(${from}, ${this.next - 1}) i`;
  }

  // Some of this session's items: what it inserted lately.
  mine() {
    const from = this.next - 1 - this.random(400);
    return `session = ${this.session} AND id >= ${from} AND id % 5 = ${this.random(5)}`;
  }

  // Two tables by turns: runs of one.
  alternating() {
    const statements = [];
    for (let i = 1 + this.random(12); i > 0; i--) {
      const account = 1 + this.random(ACCOUNTS);
      const delta = this.random(2000) - 1000;
      statements.push(
        `UPDATE accounts SET balance = balance + ${delta}, note = 's${this.session}' WHERE id = ${account}`,
        `INSERT INTO history VALUES (${account}, ${delta}.${10 + this.random(90)}, clock_timestamp())`);
    }
    return statements;
  }

  pairs() {
    const a = `${this.session * 1000 + this.random(200)}`;
    const b = `'b ${this.random(4)} "ü"'`;
    return [`INSERT INTO "Odd Schema"."pa.irs" VALUES (${a}, ${b}, ${this.random(1000)}.50)
      ON CONFLICT (a, "B b") DO UPDATE SET value = "pa.irs".value + 1.25`];
  }

  whole() {
    const mine = `session = ${this.session} AND number = ${this.random(20)}`;
    switch (this.random(3)) {
      case 0: return [`UPDATE whole SET text = text || '+' WHERE ${mine} AND length(text) < 20`];
      case 1: return [`DELETE FROM whole WHERE ${mine}`];
      default: return [`INSERT INTO whole SELECT ${this.session}, i % 20, 'w'
        FROM generate_series(1, ${1 + this.random(30)}) i`];
    }
  }

  statements() {
    switch (this.random(10)) {
      case 0: return [`UPDATE items SET text = 'changed ' || id WHERE ${this.mine()}`];
      case 1: return [`UPDATE items SET id = id + 50000000 WHERE ${this.mine()} AND id % 100000000 < 50000000`];
      case 2: return [`DELETE FROM items WHERE ${this.mine()}`];
      case 3: return [`DELETE FROM items WHERE session = ${this.session} AND id < ${this.next - 3000}`];
      case 4: return this.pairs();
      case 5: return this.whole();
      case 6: case 7: return this.alternating();
      default: return [this.insertItems(this.random(12) === 0 ? 1500 : 1 + this.random(30))];
    }
  }

  async #changes(client, statements) {
    let changes = 0;
    for (const statement of statements) changes += (await client.query(statement)).rowCount ?? 0;
    return changes;
  }

  // Returns how many changes of it survive. A rolled back one leaves a number that nobody may see.
  async #nested(client, depth) {
    const name = `s${depth}`;
    await client.query(`SAVEPOINT ${name}`);
    let changes = 0;
    for (let i = 1 + this.random(3); i > 0; i--)
      changes += depth < 4 && this.random(3) === 0
        ? await this.#nested(client, depth + 1) : await this.#changes(client, this.statements());
    if (this.random(2) === 0) {
      await client.query(`RELEASE ${name}`);
      return changes;
    }
    await this.#note(client, 0);
    await client.query(`ROLLBACK TO ${name}`);
    return 0;
  }

  async #note(client, changes) {
    const number = this.number++;
    this.outcome.set(number, 'rolled back');
    await client.query('INSERT INTO ledger VALUES ($1, $2, $3)', [number, this.session, changes]);
    return number;
  }

  async #transaction(client) {
    let changes = 0;
    await client.query('BEGIN');
    for (let i = 1 + this.random(4); i > 0; i--)
      changes += this.random(3) === 0
        ? await this.#nested(client, 1) : await this.#changes(client, this.statements());
    const number = await this.#note(client, changes + 1);
    if (this.random(6) === 0) throw new Abandoned();
    if (this.prepared && this.random(3) === 0) return this.#endPrepared(client, number);
    this.outcome.set(number, 'unknown');
    await client.query('COMMIT');
    this.outcome.set(number, 'committed');
  }

  // In two phases, with time for a fault between them.
  async #endPrepared(client, number) {
    await client.query(`PREPARE TRANSACTION '${number}'`);
    const until = this.outcome.size + this.random(MEANWHILE);
    await waitFor('other transactions', () => this.outcome.size >= until, PREPARED_MS, 5)
      .catch(() => {}); // they may all wait for this one's locks
    if (this.random(6) === 0) {
      await client.query(`ROLLBACK PREPARED '${number}'`);
      return;
    }
    this.outcome.set(number, 'unknown');
    await client.query(`COMMIT PREPARED '${number}'`);
    this.outcome.set(number, 'committed');
  }

  async #use(client, running) {
    while (running()) {
      try {
        await this.#transaction(client);
      } catch (error) {
        if (!(error instanceof Abandoned) && error.code !== '40P01') throw error; // or a deadlock
        await client.query('ROLLBACK');
      }
      await sleep(this.random(THINK_MS));
    }
  }

  // Until told to end, over as many connections as the faults take.
  async run(running) {
    while (running()) {
      const client = await waitFor('PostgreSQL',
        () => (running() ? this.postgres.connect() : 'told to end'), 60_000, 30);
      if (client === 'told to end') return;
      try {
        await this.#use(client, running);
      } catch (error) {
        if (!isLost(error)) throw error;
      } finally {
        await client.end().catch(() => {});
      }
    }
  }
}

// The server or the connection is gone; anything else is a mistake of the workload.
export function isLost(error) {
  return error.code === undefined || /^(57P0|08|ECONN|EPIPE)/.test(error.code);
}

export class Workload {
  // prepared: some transactions are committed in two phases.
  constructor(postgres, seed, { sessions = 5, prepared = false } = {}) {
    this.outcome = new Map([[0, 'committed']]); // by ledger number
    this.sessions = Array.from({ length: sessions }, (_, index) =>
      new Session(index + 1, seed, postgres, this.outcome, prepared));
  }

  start() {
    this.going = true;
    const running = () => this.going;
    this.done = Promise.all(this.sessions.map((session) => session.run(running)));
    this.done.catch((error) => { this.error = error; });
  }

  assertGoing() {
    if (this.error) throw this.error;
  }

  // Transactions that got to their entry, whatever became of them.
  get begun() {
    return this.outcome.size;
  }

  async stop() {
    this.going = false;
    await this.done;
  }

  count(what) {
    return [...this.outcome.values()].filter((outcome) => outcome === what).length;
  }
}
