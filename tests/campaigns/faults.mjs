// 200 kills (--kills K) of walcast, nats-server and PostgreSQL under a mixed workload; paused writers.
// At random moments processes are killed, and a paused writer wakes beside its successor. Then the
// stream, read with `walcast tail` alone, must hold every committed transaction once, whole, in commit
// order, and nothing that was rolled back. A failure prints the seed and keeps the servers'
// directories, with the stream as it was read; the moments themselves do not repeat.
import { test } from 'node:test';
import { parseArgs } from 'node:util';
import { Nats } from '../lib/nats.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { waitConfirmed } from '../lib/slot.mjs';
import { keepScratch } from '../lib/scratch.mjs';
import { Walcast } from '../lib/walcast.mjs';
import { Injector } from './faults/injector.mjs';
import { checkStream } from './faults/stream_read.mjs';
import { FILL, SCHEMA, Workload } from './faults/workload.mjs';

const { values } = parseArgs({ options: { kills: { type: 'string', default: '200' } } });
const KILLS = Number(values.kills);
const SEED = Number(process.env.WALCAST_SEED ?? Date.now() % 1_000_000);

// As it comes, fsync on; transactions are sent while they run, a lost peer is noticed soon.
const SETTINGS = { fsync: 'on', logical_decoding_work_mem: '64kB', deadlock_timeout: '100ms',
  wal_sender_timeout: '5s' };
const CONFIG = { 'postgres.tables': 'public.*,"Odd Schema".*', 'cdc.memory_bytes': '1MiB' };

async function startServers(servers) {
  const postgres = await Postgres.start({ settings: SETTINGS });
  servers.push(postgres);
  const nats = await Nats.start();
  servers.push(nats);
  await postgres.query(SCHEMA);
  const walcasts = [];
  for (let i = 0; i < 2; i++) {
    const walcast = await Walcast.start({ postgres, nats, config: CONFIG, args: ['--roles', 'cdc'] });
    servers.unshift(walcast);
    walcasts.push(await walcast.ready());
  }
  await postgres.query(FILL);
  return { postgres, nats, walcasts };
}

async function campaign(house, say) {
  const workload = new Workload(house.postgres, SEED);
  const injector = new Injector(house, SEED, () => workload.assertGoing());
  workload.start();
  try {
    await injector.run(KILLS, say);
  } finally {
    await workload.stop();
  }
  await waitConfirmed(house.postgres, 120_000);
  say(injector.summary());
  say(await checkStream(house, workload));
}

// The servers are ended before their directories are put aside: these do not change any more.
async function keep(servers) {
  for (const server of servers) await server.kill().catch(() => {});
  for (const directory of keepScratch()) console.log(`kept: ${directory}`);
  console.log(`failed: tests/campaign faults --seed ${SEED} --kills ${KILLS}`);
}

test(`seed ${SEED}: ${KILLS} kills`, async () => {
  const servers = [];
  try {
    await campaign(await startServers(servers), (text) => console.log(text));
  } catch (error) {
    await keep(servers);
    throw error;
  }
  for (const server of servers) await server.remove();
});
