// 40 kills (--kills N) of Walcast amid indexing: after each (--every N) the index equals a fresh rebuild.
// Products with categories and tags (--rows N) are changed without pause: inserts, updates that leave a
// long text out, changes of keys, deletes. Walcast is killed while an index is built, about when it
// takes the place of the one that answers, after group commits, anywhere amid changes, and again at
// its start. Each time it goes on under load until a mark in the stream; then a second process without
// a file builds the same index by its own snapshot, and both must hold the same: documents, each
// word's places, dictionary, rows beside the documents, answers with filters, sorts and facets.
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { parseArgs } from 'node:util';
import { startHouse } from '../lib/house.mjs';
import { randomOf } from '../lib/mixed.mjs';
import { define, files } from '../lib/search.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';
import { definitionOf, Load, MARK, SCHEMA } from './search/load.mjs';
import { answers, contents, differences, isBuilt, marked } from './search/whole.mjs';

const { values } = parseArgs({ options: { kills: { type: 'string', default: '40' }, rows: { type: 'string', default: '3000' },
  every: { type: 'string', default: '1' } } });
const KILLS = Number(values.kills);
const ROWS = Number(values.rows);
const EVERY = Number(values.every);
const SEED = Number(process.env.WALCAST_SEED ?? Date.now() % 1_000_000);
const CONFIG = { 'snapshot.piece_bytes': '64KiB' };
const LONG_MS = 60_000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Kills {
  constructor(house, load) {
    Object.assign(this, { house, load, random: randomOf(SEED), version: 0, kills: 0 });
  }

  // The file of the newest index is written `count` times more.
  async #commits(count) {
    const time = () => {
      try {
        return statSync(`${files(this.house.walcast, 'products')[0]}-wal`, { bigint: true }).mtimeNs;
      } catch (error) {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      }
    };
    for (let last = time(); count > 0; count--) last = await waitFor('a group commit', () => time() !== last && time(), LONG_MS, 1);
  }

  // Another definition: its file is there when this resolves.
  async build() {
    const [before] = files(this.house.walcast, 'products');
    define(this.house.walcast, 'products', definitionOf(++this.version));
    await waitFor('the build', () => files(this.house.walcast, 'products')[0] !== before, LONG_MS, 1);
  }

  async #kill(within_ms) {
    await pause(this.random(within_ms));
    await this.house.walcast.kill();
    this.kills++;
  }

  kinds = {
    'amid a build': async () => {
      await this.build();
      await this.#commits(this.random(7));
      await this.#kill(15);
    },
    'amid changes': async () => {
      const until = this.load.count + 5 + this.random(40);
      await waitFor('changes', () => this.load.count >= until, LONG_MS, 1);
      await this.#kill(15);
    },
    'after a group commit': async () => {
      await this.#commits(1 + this.random(5));
      await this.#kill(1);
    },
    'about a swap': async () => {
      await this.build();
      await waitFor('the index to be built', () => isBuilt(this.house.walcast), LONG_MS, 5);
      await this.#kill(30);
    },
    'at the start': async () => {
      await this.#commits(1);
      await this.#kill(1);
      this.house.walcast.start();
      await this.#kill(1000);
    },
  };

  async next(number) {
    const kind = Object.keys(this.kinds)[number % 5];
    await this.kinds[kind]();
    this.house.walcast.start();
    return { kind, isBuilding: kind === 'amid a build' || kind === 'about a swap' };
  }
}

// What is there after the mark is the same on both.
async function compare({ walcast, postgres }, fresh, mark) {
  await postgres.query(`INSERT INTO products (id, title) VALUES (${MARK}, '${mark}') ON CONFLICT (id) DO UPDATE SET title = '${mark}'`);
  for (const one of [walcast, fresh]) {
    await one.ready(LONG_MS);
    await waitFor(`${mark} in the index`, () => marked(one) === mark, LONG_MS, 20);
  }
  const [kept, made] = [walcast, fresh].map((one, place) => contents(one, `contents-${place}`));
  assert.deepEqual(differences(kept, made), [], `the index after ${mark} and a fresh one`);
  assert.equal(kept.parts.queued.count + kept.parts.tombstones.count, 0);
  const { documents, postings, terms, beside } = kept.parts;
  kept.close();
  made.close();
  assert.deepEqual(await answers(walcast), await answers(fresh), `answers after ${mark}`);
  return { documents: documents.count, postings: postings.count, terms: terms.count, beside: beside.count };
}

async function compareFresh(t, house, load, { kind, isBuilding, mark }) {
  // It begins while the other one recovers.
  const fresh = await Walcast.start({ ...house, config: { ...CONFIG, roles: 'search' } });
  t.after(() => fresh.remove());
  try {
    await house.walcast.ready(LONG_MS);
    await load.pause();
    const same = await compare(house, fresh, mark);
    assert.equal(await house.walcast.metric('walcast_search_gaps_total'), 0);
    if (!isBuilding) assert.equal(await house.walcast.metric('walcast_search_built_total'), 0, 'what there was goes on');
    assert.doesNotMatch(house.walcast.logText(), /a file of an index cannot be used/);
    t.diagnostic(`${kind}: ${load.count} transactions so far; the same ${Object.entries(same).map(([what, count]) => `${count} ${what}`).join(', ')}`);
  } finally {
    load.resume();
    await fresh.remove();
  }
}

async function underLoad(t, house, load) {
  const kills = new Kills(house, load);
  await kills.build();
  const told = {};
  for (let round = 1; kills.kills < KILLS; round++) {
    const { kind, isBuilding } = await kills.next(round - 1);
    if (round % EVERY === 0 || kills.kills >= KILLS) await compareFresh(t, house, load, { kind, isBuilding, mark: `kill${round}` });
    else await house.walcast.ready(LONG_MS);
    told[kind] = (told[kind] ?? 0) + 1;
  }
  t.diagnostic(`${kills.kills} kills (${Object.entries(told).map(([kind, count]) => `${count} ${kind}`).join(', ')}), ${load.count} transactions, ${kills.version} definitions; seed ${SEED}`);
}

test(`seed ${SEED}: ${KILLS} kills amid indexing`, async (t) => {
  const house = await startHouse(t, { schema: SCHEMA(ROWS), config: CONFIG });
  const load = new Load(house.postgres, { seed: SEED, rows: ROWS });
  try {
    await underLoad(t, house, load);
  } finally {
    await load.stop();
  }
});
