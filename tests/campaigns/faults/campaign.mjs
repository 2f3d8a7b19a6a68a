// What the campaigns with this workload share: the servers with two Walcasts on one slot, and a run
// whose failure prints how to repeat it and keeps the servers' directories, with the stream as read.
import { test } from 'node:test';
import { Nats } from '../../lib/nats.mjs';
import { Postgres } from '../../lib/postgres.mjs';
import { keepScratch } from '../../lib/scratch.mjs';
import { waitConfirmed } from '../../lib/slot.mjs';
import { checkStream } from './stream_read.mjs';
import { FILL, SCHEMA } from './workload.mjs';

export const SEED = Number(process.env.WALCAST_SEED ?? Date.now() % 1_000_000);
export const TABLES = 'public.*,"Odd Schema".*';

// startWalcast(house, servers): one that is ready. `servers` gets what is to be ended, latest first.
async function startServers(servers, settings, startWalcast) {
  const house = { postgres: await Postgres.start({ settings }), walcasts: [] };
  servers.push(house.postgres);
  house.nats = await Nats.start();
  servers.push(house.nats);
  await house.postgres.query(SCHEMA);
  for (let i = 0; i < 2; i++) house.walcasts.push(await startWalcast(house, servers));
  await house.postgres.query(FILL);
  return house;
}

// The servers are ended before their directories are put aside: these do not change any more.
async function keep(servers, { name, options }) {
  for (const server of servers) await Promise.resolve(server.kill()).catch(() => {});
  for (const directory of keepScratch()) console.log(`kept: ${directory}`);
  console.log(`failed: tests/campaign ${name} --seed ${SEED} ${options}`);
}

// `use(house)` is the campaign; `name` and `options` are as tests/campaign takes them.
export function campaign({ what, name, options, settings, startWalcast, use }) {
  test(`seed ${SEED}: ${what}`, async () => {
    const servers = [];
    try {
      await use(await startServers(servers, settings, startWalcast));
    } catch (error) {
      await keep(servers, { name, options });
      throw error;
    }
    for (const server of servers) await server.remove();
  });
}

// Lets `faults` (an Injector or a Director) have its turns under the workload's load; then the
// stream must hold what was committed.
export async function underLoad(house, { workload, faults, turns, check = () => {} }) {
  const say = (text) => console.log(text);
  workload.start();
  try {
    await faults.run(turns, say);
  } finally {
    await workload.stop();
  }
  await waitConfirmed(house.postgres, 120_000);
  say(faults.summary());
  await check();
  say(await checkStream(house, workload));
}
