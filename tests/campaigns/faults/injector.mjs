// The faults: at random moments processes are killed (kill -9) or paused and woken. Two Walcasts run
// all the time, one streams, the other waits for the slot; which is which, the faults decide.
import { setTimeout as sleep } from 'node:timers/promises';
import { randomOf } from '../../lib/mixed.mjs';
import { waitFor } from '../../lib/wait.mjs';

const RECOVERY_MS = 60_000;

async function streams(walcast) {
  try {
    return await walcast.metric('walcast_cdc_streaming') === 1;
  } catch {
    return false; // dead, or not listening yet
  }
}

export class Injector {
  constructor({ postgres, nats, walcasts }, seed, assertGoing) {
    Object.assign(this, { postgres, nats, walcasts, assertGoing });
    this.random = randomOf(seed);
    this.kills = { walcast: 0, nats: 0, postgres: 0 };
    this.takeovers = 0;
    this.sequence = 0;
    this.longest_ms = 0;
  }

  get total() {
    return Object.values(this.kills).reduce((sum, count) => sum + count, 0);
  }

  async #active() {
    return waitFor('walcast that streams', async () => {
      for (const walcast of this.walcasts) if (await streams(walcast)) return walcast;
      return undefined;
    }, RECOVERY_MS, 20);
  }

  // Both are looked at: after a kill that came in the middle of another fault any may be gone.
  async #killWalcast() {
    const index = this.random(2);
    const victim = this.random(4) === 0 ? this.walcasts[index] : await this.#active();
    await victim.kill();
    this.kills.walcast++;
    if (this.random(2) === 0) await sleep(this.random(800));
    victim.start();
  }

  async #killNats() {
    await this.nats.kill();
    this.kills.nats++;
    if (this.random(2) === 0) await sleep(this.random(400));
    await this.nats.restart();
  }

  async #killPostgres() {
    await this.postgres.kill();
    this.kills.postgres++;
    await this.postgres.restart();
  }

  // The fence: the streaming one is stopped with what it has in flight, its slot taken from it, and
  // woken only once the other has written behind its back.
  async #pauseWalcast() {
    const old = await this.#active();
    const other = this.walcasts.find((walcast) => walcast !== old);
    old.process.child.kill('SIGSTOP');
    try {
      await waitFor('the other one to take over', async () => {
        await this.postgres.query('SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots ' +
          `WHERE slot_name = 'walcast' AND active_pid IS NOT NULL AND $1`, [!await streams(other)]);
        return streams(other);
      }, RECOVERY_MS, 50);
      const before = await this.#lastSequence();
      await waitFor('the other one to write', async () => await this.#lastSequence() > before, RECOVERY_MS);
    } finally {
      old.process.child.kill('SIGCONT');
    }
    this.takeovers++;
  }

  async #lastSequence() {
    return (await this.nats.streamInfo()).state.last_seq;
  }

  // Mostly the stream must have gone on since the fault before; now and then one hits recovery itself.
  async #wait() {
    this.assertGoing();
    if (this.random(4) > 0) {
      const from = performance.now();
      this.sequence = await waitFor('a stream that goes on', async () => {
        this.assertGoing();
        const sequence = await this.#lastSequence();
        return sequence > this.sequence && sequence;
      }, RECOVERY_MS, 20);
      this.longest_ms = Math.max(this.longest_ms, performance.now() - from);
    }
    await sleep(this.random(900));
  }

  async #fault() {
    const dice = this.random(20);
    if (dice < 9) return this.#killWalcast();
    if (dice < 12) return this.#killNats();
    if (dice < 15) return this.#killPostgres();
    if (dice < 17) return Promise.all([this.#killWalcast(), this.#killNats()]);
    if (dice < 18) return Promise.all([this.#killNats(), this.#killPostgres()]);
    return this.#pauseWalcast();
  }

  // Faults until `kills` processes were killed; told each tenth. Each server is killed at least once.
  async run(kills, say) {
    let told = 0;
    const first = ['#walcast', '#nats', '#postgres', '#pause'];
    while (this.total < kills || first.length > 0) {
      await this.#wait();
      await (first.length > 0 ? this.#named(first.shift()) : this.#fault());
      if (this.total - told >= 10) {
        told = this.total;
        say(this.summary());
      }
    }
  }

  #named(name) {
    switch (name) {
      case '#walcast': return this.#killWalcast();
      case '#nats': return this.#killNats();
      case '#postgres': return this.#killPostgres();
      default: return this.#pauseWalcast();
    }
  }

  summary() {
    const each = Object.entries(this.kills).map(([name, count]) => `${name} ${count}`).join(', ');
    return `${this.total} kills (${each}), ${this.takeovers} paused and taken over, ` +
      `longest wait for the stream to go on ${Math.round(this.longest_ms)} ms`;
  }
}
