// 1,000 takeovers (--count N) between two Walcasts under load; --two-phase: prepared ones too.
// Both stand on one slot and one stream under a steady mixed load; the one that streams loses its
// turn by seven means (takeovers/director.mjs) and comes back. What the old one had still on its way
// comes late, in the middle of the new one's pipeline, and must be refused. Then the stream, read
// with `walcast tail`, must hold every committed transaction once, whole, in commit order, and
// nothing that was rolled back. A failure prints the seed and keeps the servers' directories.
import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import { Proxy } from '../lib/proxy.mjs';
import { Walcast } from '../lib/walcast.mjs';
import { campaign, SEED, TABLES, underLoad } from './faults/campaign.mjs';
import { Workload } from './faults/workload.mjs';
import { Answers } from './takeovers/answers.mjs';
import { Director } from './takeovers/director.mjs';

const { values } = parseArgs({ options: { count: { type: 'string', default: '1000' },
  'two-phase': { type: 'boolean', default: false } } });
const TWO_PHASE = values['two-phase'];
const COUNT = Number(values.count);

const SESSIONS = 4;
const MEDIAN_MS = 5000; // "within seconds", on a busy machine too
// Transactions are sent while they run; who does not answer loses the slot after a second.
const SETTINGS = { logical_decoding_work_mem: '64kB', deadlock_timeout: '100ms',
  wal_sender_timeout: '1s', max_prepared_transactions: 20 };
const CONFIG = { 'postgres.tables': TABLES, 'cdc.memory_bytes': '1MiB',
  'nats.ack_timeout': '1s', 'nats.connect_timeout': '1s',
  'postgres.two_phase': TWO_PHASE };

async function startWalcast({ postgres, nats }, servers) {
  const answers = new Answers();
  const proxy = await Proxy.start({ after: (close) => servers.unshift({ remove: close, kill: close }) },
    nats.port, { linger_ms: 300, rewrite: (chunk, connection) => answers.look(chunk, connection) });
  const walcast = await Walcast.start({ postgres, nats: { url: `nats://127.0.0.1:${proxy.port}` },
    config: CONFIG, args: ['--roles', 'cdc'] });
  servers.unshift(walcast);
  return Object.assign(await walcast.ready(), { proxy, answers });
}

async function assertStreamWhole({ nats, walcasts }) {
  const { state } = await nats.streamInfo();
  assert.equal(state.num_deleted ?? 0, 0, 'num_deleted');
  assert.equal(state.messages, state.last_seq, 'every message is there');
  for (const { answers } of walcasts) assert.equal(answers.duplicates, 0, 'acks that say duplicate');
}

campaign({
  what: `${COUNT} takeovers`,
  name: 'takeovers',
  options: `--count ${COUNT}${TWO_PHASE ? ' --two-phase' : ''}`,
  settings: SETTINGS,
  startWalcast,
  async use(house) {
    const workload = new Workload(house.postgres, SEED, { sessions: SESSIONS, prepared: TWO_PHASE });
    const faults = new Director(house, SEED, workload);
    await underLoad(house, { workload, faults, turns: COUNT, check: () => assertStreamWhole(house) });
    assert.equal(workload.count('unknown'), 0, 'the database was there all the time');
    assert.ok(faults.median_ms < MEDIAN_MS, `a median of ${faults.median_ms} ms`);
    assert.ok(faults.fenced > 0, 'publishes of an overtaken writer that were refused');
  },
});
