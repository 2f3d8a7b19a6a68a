// 60 kills (--kills N) while the search log is compacted: after each few all nodes hold what was written.
// Three nodes, of which one after the other, or all, are killed at any moment, above all while a base is
// written and about when the log forgets; one sleeps meanwhile; nats-server is killed too. A writer
// goes on all the time: documents, parts of them, removals, swaps, settings that build an index anew.
// Now and then it rests: then each node's files, and those of one without any, equal its model.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseArgs } from 'node:util';
import { startHouse } from '../lib/house.mjs';
import { settle } from '../lib/made.mjs';
import { another, BASE, baseOf, LOG, logOf, Writer } from '../lib/made_log.mjs';
import { randomOf } from '../lib/mixed.mjs';
import { waitFor } from '../lib/wait.mjs';

const { values } = parseArgs({ options: { kills: { type: 'string', default: '60' }, every: { type: 'string', default: '5' } } });
const KILLS = Number(values.kills);
const EVERY = Number(values.every);
const SEED = Number(process.env.WALCAST_SEED ?? Date.now() % 1_000_000);
const CONFIG = { 'search.log_bytes': '1MiB', 'triggers.lease': '2s' };
const LONG_MS = 60_000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// What was asked while the server went has no answer, and would be waited for as long as requests may take.
const answers = ({ manager }) => waitFor('a server that answers',
  () => Promise.race([manager.streams.info(LOG), pause(500)]), LONG_MS);

// A writer that rests when it is told to.
class Writing {
  #rests = false;
  #idle = false;
  #isOver = false;

  constructor(writer) {
    this.writer = writer;
    this.done = this.#run();
    this.done.catch((error) => { this.problem = error; });
  }

  async #run() {
    while (!this.#isOver) {
      this.#idle = this.#rests;
      if (this.#rests) await pause(1);
      else await this.writer.batch();
    }
  }

  async rest() {
    this.#rests = true;
    await waitFor('the writer to rest', () => this.problem || this.#idle, LONG_MS, 1);
    if (this.problem) throw this.problem;
  }

  go() {
    this.#rests = false;
    this.#idle = false;
  }

  end() {
    this.#isOver = true;
    return this.done;
  }
}

class Round {
  constructor(house, log, nodes, writing, random) { Object.assign(this, { house, log, nodes, writing, random }); }

  async #moment() {
    const before = await waitFor('the base', () => baseOf(this.log), 2 * LONG_MS, 100); // a request may be lost with nats-server
    const is = [(now) => now.last > before.last, (now) => now.last > before.last + 1, (now) => now.head > before.head][this.random(3)];
    await waitFor('a base that is written', async () => is(await baseOf(this.log)), 2 * LONG_MS, 1);
    await pause(this.random(15));
  }

  async #killed(nodes) {
    await Promise.all(nodes.map((node) => node.kill()));
    for (const node of nodes) node.start();
  }

  kinds = {
    'one': async () => {
      await this.#moment();
      await this.#killed([this.nodes[this.random(3)]]);
    },
    'all': async () => {
      await this.#moment();
      await this.#killed(this.nodes);
    },
    'one, and again at its start': async () => {
      await this.#moment();
      const node = this.nodes[this.random(3)];
      await this.#killed([node]);
      await pause(this.random(800));
      await this.#killed([node]);
    },
    'one sleeps': async () => {
      const { pid } = this.nodes[this.random(3)].process;
      process.kill(pid, 'SIGSTOP');
      await this.#moment().finally(() => process.kill(pid, 'SIGCONT'));
    },
    'nats-server': async () => {
      await this.#moment();
      await this.writing.rest(); // what has no answer would be there twice for the model
      await this.house.nats.kill();
      await this.house.nats.restart();
      await answers(this.log);
      this.writing.go();
    },
  };

  async run(number) {
    const kind = Object.keys(this.kinds)[number % 5];
    await this.kinds[kind]();
    await Promise.all(this.nodes.map((node) => node.ready(LONG_MS)));
    return kind;
  }
}

async function compare(t, { house, log, nodes, writing }) {
  await writing.rest();
  const fresh = await another(t, house, CONFIG);
  await fresh.ready(LONG_MS);
  for (const walcast of [...nodes, fresh]) await settle({ walcast }, log.model);
  await fresh.remove();
  writing.go();
}

test(`seed ${SEED}: ${KILLS} kills while the log is compacted`, async (t) => {
  const house = await startHouse(t, { config: CONFIG });
  const log = await logOf(t, house, 1 << 20);
  const nodes = [house.walcast, await another(t, house, CONFIG), await another(t, house, CONFIG)];
  const writing = new Writing(new Writer(log, { ids: 70, bytes: 3000, seed: SEED }));
  const round = new Round(house, log, nodes, writing, randomOf(SEED));
  const told = {};
  try {
    for (let number = 0; number < KILLS; number++) {
      const kind = await round.run(number);
      told[kind] = (told[kind] ?? 0) + 1;
      if ((number + 1) % EVERY === 0 || number + 1 === KILLS) await compare(t, round);
    }
  } finally {
    await writing.end();
  }
  const { state } = await log.manager.streams.info(LOG);
  assert.ok(state.first_seq > 1, 'it was compacted');
  t.diagnostic(`${Object.entries(told).map(([kind, count]) => `${count} ${kind}`).join(', ')}; ${(log.bytes / 1e6).toFixed(1)} MB written, `
    + `${state.bytes} bytes of the log and ${(await log.manager.streams.info(BASE)).state.bytes} of the base are left; seed ${SEED}`);
});
