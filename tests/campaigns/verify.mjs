// 30 rounds (--rounds N) of load, a kill and `walcast verify`: always clean, and what is planted is found.
// Sessions change tables of every sort of key without pause while one of walcast, nats-server and
// PostgreSQL is killed and started again; meanwhile every table is verified again and again. In each
// round one change that nobody publishes is planted, found by its key, and made good.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseArgs } from 'node:util';
import { startHouse } from '../lib/house.mjs';
import { randomOf } from '../lib/mixed.mjs';
import { assertClean, load, LOAD_SCHEMA, LOAD_TABLES, verify } from '../lib/verify.mjs';
import { isLost } from './faults/workload.mjs';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '30' } } });
const ROUNDS = Number(values.rounds);
const SEED = Number(process.env.WALCAST_SEED ?? Date.now() % 1_000_000);
const KEYED = LOAD_TABLES.filter((table) => table !== 'by_none');
const PLANTS = {
  different: (table) => `UPDATE ${table} SET n = -n - 1 WHERE ctid = (SELECT min(ctid) FROM ${table})`,
  missing_in_stream: (table) => `INSERT INTO ${table} (${table === 'by_two' ? 'a, b' : 'id'}, n)
    VALUES (${table === 'by_two' ? "-7, 'planted'" : table === 'by_uuid' ? 'gen_random_uuid()' : "'-7'"}, 1)`,
  only_in_stream: (table) => `DELETE FROM ${table} WHERE ctid = (SELECT min(ctid) FROM ${table})`,
};

async function killed(server) {
  await server.kill();
  if (server.start) server.start();
  else await server.restart();
}

// Sessions that go on whatever is killed: one that lost its server begins again.
function startLoad(postgres, round) {
  let ended = false;
  const sessions = [1, 2, 3].map(async (number) => {
    while (!ended)
      await load(postgres, SEED + round * 100 + number, () => ended).catch((error) => {
        if (!isLost(error)) throw error;
      });
  });
  return async () => {
    ended = true;
    await Promise.all(sessions);
  };
}

async function plant({ postgres, walcast }, table, kind) {
  await postgres.query(`BEGIN; ALTER PUBLICATION walcast DROP TABLE ${table}; ${PLANTS[kind](table)};
    ALTER PUBLICATION walcast ADD TABLE ${table}; COMMIT`);
  const { code, found, stderr } = await verify(walcast, table);
  assert.equal(code, 1, `${kind} in ${table}: ${stderr}`);
  // Rows alike have no key: one that differs is one that is missing and one too many.
  const kinds = found.map(([name]) => name);
  if (table !== 'by_all') assert.deepEqual(kinds, [kind]);
  await postgres.query(`TRUNCATE ${table}`);
}

test(`load, kills, verify; seed ${SEED}`, async (t) => {
  const house = await startHouse(t, { schema: LOAD_SCHEMA, settings: { fsync: 'on' } });
  const random = randomOf(SEED);
  const servers = [house.walcast, house.nats, house.postgres];
  for (let round = 0; round < ROUNDS; round++) {
    const stop = startLoad(house.postgres, round);
    try {
      const kill = killed(servers[round % servers.length]);
      await kill;
      await house.walcast.ready(60_000);
      for (const table of LOAD_TABLES) await assertClean(house.walcast, table);
    } finally {
      await stop();
    }
    for (const table of LOAD_TABLES) await assertClean(house.walcast, table);
    const table = KEYED[random(KEYED.length)];
    const kind = Object.keys(PLANTS)[random(3)];
    t.diagnostic(`round ${round}: ${kind} in ${table}`);
    await plant(house, table, kind);
  }
});
