// 1,000 takeovers (--count N) between two Walcasts under load; --two-phase: prepared ones too.
// Both stand on one slot and one stream under a steady mixed load; the one that streams loses its
// turn by seven means (takeovers/director.mjs) and comes back. What the old one had still on its way
// comes late, in the middle of the new one's pipeline, and must be refused. Then the stream, read
// with `walcast tail`, must hold every committed transaction once, whole, in commit order, and
// nothing that was rolled back. A failure prints the seed and keeps the servers' directories.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseArgs } from 'node:util';
import { Nats } from '../lib/nats.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { keepScratch } from '../lib/scratch.mjs';
import { waitConfirmed } from '../lib/slot.mjs';
import { Walcast } from '../lib/walcast.mjs';
import { checkStream } from './faults/stream_read.mjs';
import { FILL, SCHEMA, Workload } from './faults/workload.mjs';
import { Answers } from './takeovers/answers.mjs';
import { Director } from './takeovers/director.mjs';

const { values } = parseArgs({ options: { count: { type: 'string', default: '1000' },
  'two-phase': { type: 'boolean', default: false } } });
const TWO_PHASE = values['two-phase'];
const COUNT = Number(values.count);
const SEED = Number(process.env.WALCAST_SEED ?? Date.now() % 1_000_000);

const SESSIONS = 4;
const MEDIAN_MS = 5000; // "within seconds", on a busy machine too
// Transactions are sent while they run; who does not answer loses the slot after a second.
const SETTINGS = { logical_decoding_work_mem: '64kB', deadlock_timeout: '100ms',
  wal_sender_timeout: '1s', max_prepared_transactions: 20 };
const CONFIG = { 'postgres.tables': 'public.*,"Odd Schema".*', 'cdc.memory_bytes': '1MiB',
  'nats.ack_timeout': '1s', 'nats.connect_timeout': '1s',
  'postgres.two_phase': TWO_PHASE };

async function startWalcast(postgres, nats, servers) {
  const answers = new Answers();
  const proxy = await Proxy.start({ after: (close) => servers.unshift({ remove: close, kill: close }) },
    nats.port, { linger_ms: 300, rewrite: (chunk, connection) => answers.look(chunk, connection) });
  const walcast = await Walcast.start({ postgres, nats: { url: `nats://127.0.0.1:${proxy.port}` },
    config: CONFIG, args: ['--roles', 'cdc'] });
  servers.unshift(walcast);
  return Object.assign(await walcast.ready(), { proxy, answers });
}

async function startServers(servers) {
  const postgres = await Postgres.start({ settings: SETTINGS });
  servers.push(postgres);
  const nats = await Nats.start();
  servers.push(nats);
  await postgres.query(SCHEMA);
  const walcasts = [];
  for (let i = 0; i < 2; i++) walcasts.push(await startWalcast(postgres, nats, servers));
  await postgres.query(FILL);
  return { postgres, nats, walcasts };
}

async function assertStreamWhole({ nats, walcasts }) {
  const { state } = await nats.streamInfo();
  assert.equal(state.num_deleted ?? 0, 0, 'num_deleted');
  assert.equal(state.messages, state.last_seq, 'every message is there');
  for (const { answers } of walcasts) assert.equal(answers.duplicates, 0, 'acks that say duplicate');
}

async function campaign(house, say) {
  const workload = new Workload(house.postgres, SEED, { sessions: SESSIONS, prepared: TWO_PHASE });
  const director = new Director(house, SEED, () => workload.assertGoing());
  workload.start();
  try {
    await director.run(COUNT, say);
  } finally {
    await workload.stop();
  }
  await waitConfirmed(house.postgres, 120_000);
  say(director.summary());
  await assertStreamWhole(house);
  say(await checkStream(house, workload));
  assert.equal(workload.count('unknown'), 0, 'the database was there all the time');
  assert.ok(director.median_ms < MEDIAN_MS, `a median of ${director.median_ms} ms`);
  assert.ok(director.fenced > 0, 'publishes of an overtaken writer that were refused');
}

// The servers are ended before their directories are put aside: these do not change any more.
async function keep(servers) {
  for (const server of servers) await server.kill();
  for (const directory of keepScratch()) console.log(`kept: ${directory}`);
  console.log(`failed: tests/campaign takeovers --seed ${SEED} --count ${COUNT}` +
    (TWO_PHASE ? ' --two-phase' : ''));
}

test(`seed ${SEED}: ${COUNT} takeovers`, async () => {
  const servers = [];
  try {
    await campaign(await startServers(servers), (text) => console.log(text));
  } catch (error) {
    await keep(servers);
    throw error;
  }
  for (const server of servers) await server.remove();
});
