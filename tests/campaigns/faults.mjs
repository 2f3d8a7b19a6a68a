// 200 kills (--kills K) of walcast, nats-server and PostgreSQL under a mixed workload; paused writers.
// At random moments processes are killed, and a paused writer wakes beside its successor. Then the
// stream, read with `walcast tail` alone, must hold every committed transaction once, whole, in commit
// order, and nothing that was rolled back. A failure prints the seed and keeps the servers'
// directories, with the stream as it was read; the moments themselves do not repeat.
import { parseArgs } from 'node:util';
import { Walcast } from '../lib/walcast.mjs';
import { campaign, SEED, TABLES, underLoad } from './faults/campaign.mjs';
import { Injector } from './faults/injector.mjs';
import { Workload } from './faults/workload.mjs';

const { values } = parseArgs({ options: { kills: { type: 'string', default: '200' } } });
const KILLS = Number(values.kills);

// As it comes, fsync on; transactions are sent while they run, a lost peer is noticed soon.
const SETTINGS = { fsync: 'on', logical_decoding_work_mem: '64kB', deadlock_timeout: '100ms',
  wal_sender_timeout: '5s' };
const CONFIG = { 'postgres.tables': TABLES, 'cdc.memory_bytes': '1MiB' };

async function startWalcast({ postgres, nats }, servers) {
  const walcast = await Walcast.start({ postgres, nats, config: CONFIG, args: ['--roles', 'cdc'] });
  servers.unshift(walcast);
  return walcast.ready();
}

campaign({
  what: `${KILLS} kills`,
  name: 'faults',
  options: `--kills ${KILLS}`,
  settings: SETTINGS,
  startWalcast,
  async use(house) {
    const workload = new Workload(house.postgres, SEED);
    const faults = new Injector(house, SEED, () => workload.assertGoing());
    await underLoad(house, { workload, faults, turns: KILLS });
  },
});
