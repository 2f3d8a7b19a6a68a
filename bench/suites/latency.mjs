// From commit to client at 1,000 single-row transactions a second: Walcast with all roles and a
// realtime client, against a bare reader of the slot, which is the least that WAL can take.
//
// Two clocks: `commit` counts from when COMMIT returned to the application (0 when the change was
// there before that: synchronous commit waits for the disk, the slot's reader need not), `send` from
// just before the INSERT went out, PostgreSQL's own time and disk included.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { startHouse } from '../../tests/lib/house.mjs';
import { DEFAULT } from '../../tests/lib/walcast.mjs';
import { runOk } from '../../tests/lib/process.mjs';
import { program } from '../lib/environment.mjs';
import { Scope } from '../lib/scope.mjs';
import { inTurns, makeRow, percentile } from '../lib/measure.mjs';

const RATE = 1_000;
const ROWS = 10_000;
const QUICK_ROWS = 200;
const CONNECTIONS = 8;
const RATE_TOLERANCE = 0.95; // below it this is no latency at that rate; 200 quick rows say nothing
const TIMEOUT_MS = 120_000;
const SLOT = 'bench';
const PUBLICATION = 'bench';
const TABLE = 'ticks';
// The roles are those of Supabase: a token names one.
const SCHEMA = `CREATE TABLE ${TABLE} (id bigint PRIMARY KEY, sent_at bigint NOT NULL, note text NOT NULL);
CREATE ROLE service_role NOLOGIN BYPASSRLS; GRANT ALL ON ${TABLE} TO service_role;
CREATE PUBLICATION ${PUBLICATION} FOR TABLE ${TABLE};`;
const SETTINGS = { fsync: 'on', autovacuum: 'off' };

// A reader that prints `ready`, then, once all rows came, `id microseconds` lines.
function startReader(command, scope) {
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  scope.after(() => child.kill('SIGKILL'));
  const lines = [];
  let isReady;
  const ready = new Promise((resolve) => {
    isReady = resolve;
  });
  const output = createInterface({ input: child.stdout });
  output.on('line', (line) => (line === 'ready' ? isReady() : lines.push(line)));
  const exited = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`${command[0]}: exit ${code}`)));
  });
  const received = exited.then(() => lines.map((line) => Number(line.split(' ')[1])));
  received.catch(() => {}); // awaited below, perhaps after the failure
  return { ready: Promise.race([ready, exited]), received };
}

async function commitRows(house, rows) {
  const output = await runOk([program('commit_load'), house.postgres.url, TABLE, `${RATE}`, `${rows}`,
    `${CONNECTIONS}`], { timeout_ms: TIMEOUT_MS });
  const commits = output.trim().split('\n').map((line) => {
    const [, sent_us, committed_us] = line.split(' ').map(Number);
    return { sent_us, committed_us };
  });
  const sent_us = commits.map((commit) => commit.sent_us);
  const rate = ((rows - 1) * 1e6) / (Math.max(...sent_us) - Math.min(...sent_us));
  if (rows > QUICK_ROWS && rate < RATE * RATE_TOLERANCE)
    throw new Error(`PostgreSQL took ${Math.round(rate)} commits/s here, expected ${RATE}`);
  return commits;
}

function percentilesOf(commits, received_us) {
  const sorted_ms = (origin) => commits
    .map((commit, at) => Math.max(0, received_us[at] - commit[origin]) / 1000)
    .sort((left, right) => left - right);
  const commit = sorted_ms('committed_us');
  const send = sorted_ms('sent_us');
  return {
    'commit-p50': percentile(commit, 0.5), 'commit-p99': percentile(commit, 0.99),
    'send-p50': percentile(send, 0.5), 'send-p99': percentile(send, 0.99),
  };
}

// readerOf: makes the house's reader, once the house stands. beside: starts what goes on meanwhile,
// and resolves with what ends it.
export function latencies(rows, walcast, readerOf, beside) {
  return Scope.run(async (scope) => {
    const config = { 'postgres.publication': PUBLICATION, 'snapshot.live_share': DEFAULT };
    const house = await startHouse(scope, { schema: SCHEMA, settings: SETTINGS, walcast, config });
    const reader = startReader(await readerOf(house, `${rows}`), scope);
    await reader.ready;
    const end = await beside?.(house);
    const commits = await commitRows(house, rows);
    const percentiles = percentilesOf(commits, await reader.received);
    await end?.();
    return percentiles;
  });
}

export async function realtimeClient({ walcast }, rows) {
  const token = await walcast.token({ role: 'service_role' });
  return [program('ws_client'), `${walcast.port}`, token, 'public', TABLE, rows];
}

async function bareReader({ postgres }, rows) {
  await postgres.query(`SELECT pg_create_logical_replication_slot('${SLOT}', 'pgoutput')`);
  return [program('wal_reader'), `${postgres.url}?replication=database`, SLOT, PUBLICATION, rows];
}

const CASES = [
  { name: 'commit-p50', doc: "median from COMMIT's return to the client", goal: { value: 3, on: 'ours', bound: 'max' } },
  { name: 'commit-p99', doc: "99 % from COMMIT's return to the client", goal: { value: 10, on: 'ours', bound: 'max' } },
  { name: 'send-p50', doc: 'median from before the INSERT was sent to the client' },
  { name: 'send-p99', doc: '99 % from before the INSERT was sent to the client' },
];

export default {
  name: 'latency',
  doc: `commit to realtime client at ${RATE} changes/s; peer: a bare reader of the slot`,
  cases: CASES,
  async *run({ cases, progress, repeat, quick }) {
    const rows = quick ? QUICK_ROWS : ROWS;
    const runs = await inTurns(repeat, {
      ours: () => latencies(rows, true, realtimeClient),
      peer: () => latencies(rows, false, bareReader),
    }, (text) => progress.show(`latency: ${text}`));
    for (const { name, goal } of cases) {
      const each = runs.map(({ ours, peer }) => ({ ours: ours[name], peer: peer[name] }));
      yield makeRow({ suite: 'latency', name, unit: 'ms', goal, runs: each });
    }
  },
};
