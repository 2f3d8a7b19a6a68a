// Takeovers between two Walcasts on one slot and one stream, each behind a proxy of its own to
// nats-server. One streams, the other stands by; by a means that the seed draws the first one loses
// the slot, and the other must stream within seconds. Then the first one comes back.
//
// In the means that prove the fence the old writer's link stands still first, with what it has
// published in it; those messages come to nats-server once the new writer publishes, or, by the
// seed, at some moment of its coming up.
import assert from 'node:assert/strict';
import { randomOf } from '../../lib/mixed.mjs';
import { waitFor } from '../../lib/wait.mjs';

const TAKEOVER_MS = 30_000;
const REFUSAL_MS = 2000;
const PUBLISH_BYTES = 300; // at least, with its headers
const SKIPPED = 'walcast_cdc_skipped_rows_total';
const FILL_MS = 2000;
const EARLY_TRANSACTIONS = 16; // a takeover from a dead one takes less
const BETWEEN_TRANSACTIONS = 6;

// How often each is drawn; a round has each of them.
const DECK = {
  kill: 4, // kill -9
  drain: 2, // SIGTERM
  terminate: 2, // PostgreSQL ends its walsender, until the other one was faster
  cut: 2, // its link to nats-server ends while it streams
  stall: 1, // the link stands still, as a cable that is pulled and put back later
  pause: 3, // it stands still itself, until PostgreSQL gives up on it, and wakes
  lateMessages: 3, // kill -9, and what it had published comes after its death
};

// 'ready' when it streams, 'standby', or why neither.
async function readiness(walcast) {
  try {
    const response = await fetch(`${walcast.url}/health/ready`);
    return response.ok ? (await response.json()).status : 'not ready';
  } catch {
    return 'not there'; // dead, or not listening yet
  }
}

export class Director {
  // walcasts: each with its `proxy` and `answers`.
  constructor({ postgres, walcasts }, seed, workload) {
    Object.assign(this, { postgres, walcasts, workload });
    this.random = randomOf(seed);
    this.deck = [];
    this.taken = Object.fromEntries(Object.keys(DECK).map((name) => [name, []])); // ms, by means
    this.refused = Object.fromEntries(Object.keys(DECK).map((name) => [name, 0])); // takeovers
    this.cut = 0; // takeovers in the middle of a transaction: what was stored of it is skipped
  }

  get count() {
    return Object.values(this.taken).flat().length;
  }

  #draw() {
    if (this.deck.length === 0) {
      this.deck = Object.entries(DECK).flatMap(([name, count]) => Array(count).fill(name));
      for (let i = this.deck.length - 1; i > 0; i--) {
        const j = this.random(i + 1);
        [this.deck[i], this.deck[j]] = [this.deck[j], this.deck[i]];
      }
    }
    return this.deck.pop();
  }

  // So many further ones of the workload, or less: the load is the clock that says when.
  async #transactions(most) {
    const until = this.workload.begun + this.random(most);
    await waitFor('transactions', () => {
      this.workload.assertGoing();
      return this.workload.begun >= until;
    }, TAKEOVER_MS, 2);
  }

  // One streams, has published, and the other stands by.
  async #settled() {
    return waitFor('one that streams and one that stands by', async () => {
      this.workload.assertGoing();
      for (const [old, other] of [this.walcasts, this.walcasts.toReversed()])
        if (await readiness(old) === 'ready' && await readiness(other) === 'standby' &&
          await old.metric('walcast_fanout_acked_messages_total') > (old.acked ?? 0))
          return { old, other };
      return undefined;
    }, TAKEOVER_MS, 20);
  }

  // From `since` until the other one is ready, which is that it streams, while `meanwhile` is repeated.
  async #takenOver({ name, old, other, since, meanwhile }) {
    await waitFor(`Walcast that takes over (${name})`, async () => {
      this.workload.assertGoing();
      await meanwhile?.();
      return await readiness(other) === 'ready';
    }, TAKEOVER_MS, 10).catch((error) => {
      throw new Error(`${error.message}\nthe old one:\n${old.logText().slice(-3000)}\n` +
        `the other one:\n${other.logText().slice(-3000)}`);
    });
    this.taken[name].push(performance.now() - since);
  }

  async #published(walcast) {
    const acked = () => walcast.metric('walcast_fanout_acked_messages_total');
    const from = await acked();
    await waitFor('the new one to publish', async () => await acked() > from, TAKEOVER_MS, 10);
  }

  // The old one's link stands still with messages of it inside. Without any in time the takeover is
  // as good, it only proves less.
  async #fillLink({ old: { proxy } }) {
    proxy.hold();
    await waitFor('publishes on their way', () => proxy.heldFromClients >= PUBLISH_BYTES, FILL_MS, 2)
      .catch(() => {});
  }

  // What the link holds comes to nats-server: now, or once the new one publishes.
  async #letCome({ old, other }, how) {
    const before = old.answers.refused;
    if (how === 'late') await this.#published(other);
    else await this.#transactions(EARLY_TRANSACTIONS);
    old.proxy.release();
    if (how === 'late')
      await waitFor('refusals', () => old.answers.refused > before, REFUSAL_MS, 5).catch(() => {});
  }

  #when() {
    return this.random(3) === 0 ? 'early' : 'late';
  }

  async #kill(turn) {
    const since = performance.now();
    await turn.old.kill();
    await this.#takenOver({ ...turn, since });
    turn.old.start();
  }

  async #drain(turn) {
    const since = performance.now();
    const [how] = await Promise.all([turn.old.stop(), this.#takenOver({ ...turn, since })]);
    assert.equal(how.code, 0, `a drain that ends well: ${JSON.stringify(how)}`);
    turn.old.start();
  }

  // Of the slot's walsender; the old one connects again at once and may well be the faster.
  async #terminate(turn) {
    const meanwhile = async () => {
      if (await readiness(turn.old) !== 'ready') return;
      await this.postgres.query(`SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
        WHERE slot_name = 'walcast' AND active_pid IS NOT NULL`);
    };
    await this.#takenOver({ ...turn, since: performance.now(), meanwhile });
  }

  async #cut(turn) {
    turn.old.proxy.down();
    await this.#takenOver({ ...turn, since: performance.now() });
    turn.old.proxy.up();
  }

  async #stall(turn) {
    const since = performance.now();
    await this.#fillLink(turn);
    await this.#takenOver({ ...turn, since });
    await this.#letCome(turn, 'late');
  }

  async #pause(turn) {
    const how = this.#when();
    await this.#fillLink(turn);
    const since = performance.now();
    turn.old.process.child.kill('SIGSTOP');
    try {
      const taken = this.#takenOver({ ...turn, since });
      if (how === 'late') await taken;
      await Promise.all([taken, this.#letCome(turn, how)]);
    } finally {
      turn.old.process.child.kill('SIGCONT');
    }
  }

  async #lateMessages(turn) {
    const how = this.#when();
    await this.#fillLink(turn);
    const since = performance.now();
    await turn.old.kill();
    const taken = this.#takenOver({ ...turn, since });
    if (how === 'late') await taken;
    await Promise.all([taken, this.#letCome(turn, how)]);
    turn.old.start();
  }

  #by(name) {
    return { kill: this.#kill, drain: this.#drain, terminate: this.#terminate, cut: this.#cut,
      stall: this.#stall, pause: this.#pause, lateMessages: this.#lateMessages }[name];
  }

  async #takeover() {
    const { old, other } = await this.#settled();
    await this.#transactions(BETWEEN_TRANSACTIONS);
    const name = this.#draw();
    const before = old.answers.refused;
    const skipped = await other.metric(SKIPPED);
    await this.#by(name).call(this, { name, old, other });
    if (old.answers.refused > before) this.refused[name]++;
    if (await other.metric(SKIPPED) > skipped) this.cut++;
    // A process that lives on counts on, a new one from nothing.
    old.acked = await old.metric('walcast_fanout_acked_messages_total').catch(() => 0);
    other.acked = await other.metric('walcast_fanout_acked_messages_total');
  }

  async run(count, say) {
    for (let told = 0; this.count < count;) {
      await this.#takeover();
      if (this.count - told < count / 10) continue;
      told = this.count;
      say(this.summary());
    }
  }

  // Takeovers in which publishes of the old one reached nats-server and were refused.
  get fenced() {
    return Object.values(this.refused).reduce((sum, each) => sum + each, 0);
  }

  get median_ms() {
    const times = Object.values(this.taken).flat().sort((a, b) => a - b);
    return times[times.length >> 1];
  }

  summary() {
    const answers = this.walcasts.map((walcast) => walcast.answers);
    const total = (key) => answers.reduce((sum, each) => sum + each[key], 0);
    const each = Object.entries(this.taken).filter(([, times]) => times.length > 0)
      .map(([name, times]) => `\n  ${name}: ${spread(times)}; refused in ${this.refused[name]}`);
    return `${this.count} takeovers: ${spread(Object.values(this.taken).flat())}; in ${this.fenced} ` +
      `late publishes were refused: ${total('refused')}, of these ${total('byId')} by the id alone; ` +
      `${this.cut} cut a transaction in two` + each.join('');
  }
}

// "3 in median 0.4 s, worst 0.9 s"
export function spread(times) {
  const sorted = times.toSorted((a, b) => a - b);
  const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
  return `${sorted.length} in median ${seconds(sorted[sorted.length >> 1])}, ` +
    `worst ${seconds(sorted.at(-1))}`;
}
