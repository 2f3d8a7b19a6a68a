// Webhooks to one local receiver, every row once and a key's in order: how many a second, what the
// process takes, and how long from the commit.
import { drainByPoller, drainByWalcast, sendByClient, streamByWalcast, webhookLatencies } from '../lib/webhooks.mjs';
import { QUICK_ROWS, ROWS } from '../lib/commits.mjs';
import { inTurns, makeRow, median } from '../lib/measure.mjs';
import { bareReader, latencies } from './latency.mjs';

const RATE_GOAL = { value: 10_000, on: 'ours', bound: 'min' };
const MEMORY_GOAL = { value: 60, on: 'ours', bound: 'max' };
const P99_GOAL = { value: 20, on: 'ours', bound: 'max' };
const FULL = 200_000;
const QUICK = 300;
const PEER_SHARE = 4; // the slow one gets fewer

const CASES = [
  { name: 'drain', side: 'drain', field: 'rate', unit: 'msg/s', goal: RATE_GOAL, peer: 'poller',
    doc: 'a backlog of the change stream, 1,000 keys; peer: a poller of an outbox table (Node)' },
  { name: 'drain-client', side: 'drain', field: 'rate', unit: 'msg/s', peer: 'client',
    doc: 'the same; peer: the bare HTTP client in a program by itself' },
  { name: 'stream', side: 'stream', field: 'rate', unit: 'msg/s', goal: RATE_GOAL,
    doc: 'rows that are committed meanwhile, PostgreSQL on the same cores' },
  { name: 'hanging', side: 'hanging', field: 'rate', unit: 'msg/s', goal: RATE_GOAL, peer: 'drain',
    doc: 'drain, with a second trigger on the rows whose endpoint hangs; peer: without it' },
  { name: 'hanging-memory', side: 'hanging', field: 'peak_mb', unit: 'MB', goal: MEMORY_GOAL, peer: 'drain',
    doc: 'peak of the process meanwhile; peer: without the one that hangs' },
  ...['commit-p50', 'commit-p99', 'send-p50', 'send-p99'].map((name) => ({
    name, side: 'latency', field: name, unit: 'ms', peer: 'reader', goal: name === 'commit-p99' ? P99_GOAL : undefined,
    doc: `${name.endsWith('p50') ? 'median' : '99 %'} from ${name.startsWith('commit') ? "COMMIT's return" :
      'before the INSERT was sent'} to the receiver at 1,000 rows/s; peer: a bare reader of the slot` })),
];

function sidesOf(cases, quick) {
  const rows = quick ? QUICK : FULL;
  const ticks = quick ? QUICK_ROWS : ROWS;
  const all = {
    drain: () => drainByWalcast(rows),
    hanging: () => drainByWalcast(rows, { hangs: true }),
    stream: () => streamByWalcast(rows),
    poller: () => drainByPoller(Math.ceil(rows / PEER_SHARE)),
    client: () => sendByClient(rows, quick),
    latency: () => webhookLatencies(ticks),
    reader: () => latencies(ticks, false, bareReader),
  };
  const used = new Set(cases.flatMap(({ side, peer }) => [side, peer]));
  return Object.fromEntries(Object.entries(all).filter(([name]) => used.has(name)));
}

function detailOf(runs, side) {
  const fields = Object.keys(runs[0][side]).filter((field) => field !== 'rate' && !/-p\d+$/.test(field));
  if (fields.length === 0) return undefined;
  return Object.fromEntries(fields.map((field) => [field, median(runs.map((run) => run[side][field]))]));
}

export default {
  name: 'webhooks',
  doc: 'webhooks to a local receiver, signed, each row once and in order per key',
  cases: CASES,
  async *run({ cases, progress, repeat, quick }) {
    const runs = await inTurns(repeat, sidesOf(cases, quick), (text) => progress.show(`webhooks: ${text}`));
    for (const { name, side, field, unit, goal, peer } of cases)
      yield makeRow({ suite: 'webhooks', name, unit, goal, detail: detailOf(runs, side),
        runs: runs.map((run) => ({ ours: run[side][field], peer: peer && run[peer][field] })) });
  },
};
