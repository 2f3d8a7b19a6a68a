// A database whose WAL holds a load and a slot that has read none of it. Each drain gets a copy of
// the slot, so that ours and the peer read the same WAL from the same position.
import { runOk } from '../../tests/lib/process.mjs';
import { Postgres } from '../../tests/lib/postgres.mjs';
import { waitFor } from '../../tests/lib/wait.mjs';
import { rowsOf } from './loads.mjs';

// Nothing of the server's own housekeeping falls into a measurement; commits are not waited for
// while the load is made, but all is written and synced before the first drain.
const SETTINGS = {
  fsync: 'on', synchronous_commit: 'off', autovacuum: 'off', shared_buffers: '256MB',
  max_wal_size: '32GB', checkpoint_timeout: '1h',
};
const PUBLICATION = 'bench';
const SLOT = 'prepared';

export class PreparedSlot {
  static async make(load, quick) {
    const prepared = new PreparedSlot();
    prepared.rows = rowsOf(load, quick);
    prepared.publication = PUBLICATION;
    prepared.postgres = await Postgres.start({ settings: SETTINGS });
    try {
      await prepared.#fill(load);
    } catch (error) {
      await prepared.remove();
      throw error;
    }
    return prepared;
  }

  async #fill(load) {
    const rowsEach = Math.min(load.rowsEach, this.rows);
    const query = (text) => this.postgres.query(text);
    await query(`${load.schema} CREATE PUBLICATION ${PUBLICATION} FOR ALL TABLES`);
    await query(`SELECT pg_create_logical_replication_slot('${SLOT}', 'pgoutput')`);
    await query(`CALL fill(${this.rows}, ${rowsEach})`);
    const { rows } = await query('SELECT pg_current_wal_insert_lsn() AS lsn');
    this.endLsn = rows[0].lsn;
    // A commit behind the end, empty to the publication, makes sure that the end is passed.
    await query('CREATE TEMPORARY TABLE behind_the_end (id int)');
    await query('CHECKPOINT');
  }

  // Calls `use` with the name of a fresh copy of the slot; drops it afterwards.
  async withCopy(use) {
    const name = `copy_${process.hrtime.bigint()}`;
    await this.postgres.query('SELECT pg_copy_logical_replication_slot($1, $2)', [SLOT, name]);
    try {
      return await use(name);
    } finally {
      await waitFor('a slot that can be dropped', async () => {
        await this.postgres.query('SELECT pg_drop_replication_slot($1)', [name]);
        return true;
      });
    }
  }

  // The walsender that streams the slot: { pid, options }, options being what its client asked of
  // pgoutput, [name, value] each. Kept for the peer, whose walsender is to do the same work.
  async lookAtWalsender(slot) {
    const text = `SELECT pid, query FROM pg_stat_activity
      JOIN pg_replication_slots ON pid = active_pid WHERE slot_name = $1`;
    const { pid, query } = (await this.postgres.query(text, [slot])).rows[0];
    const options = [...query.slice(query.indexOf('(')).matchAll(/(\w+) '([^']*)'/g)];
    if (options.length === 0) throw new Error(`no pgoutput options in: ${query}`);
    this.options = options.map(([, name, value]) => [name, value]);
    return { pid, options: this.options };
  }

  // Seconds that pg_recvlogical takes for the whole load, from its start to its end. After a drain
  // by Walcast, whose options it takes.
  peerSeconds() {
    return this.withCopy(async (slot) => {
      const options = this.options.flatMap(([name, value]) => ['-o', `${name}=${value}`]);
      const start_ms = performance.now();
      await runOk([`${this.postgres.bin}/pg_recvlogical`, '-d', this.postgres.url, '-S', slot,
        '--start', '--no-loop', `--endpos=${this.endLsn}`, ...options, '-f', '/dev/null'],
      { timeout_ms: 600_000 });
      return (performance.now() - start_ms) / 1000;
    });
  }

  async remove() {
    await this.postgres.remove();
  }
}
