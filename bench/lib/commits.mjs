// Rows that are committed at a steady rate, and readers that say when each came: what latencies are
// made of. All clocks are the machine's one.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { runOk } from '../../tests/lib/process.mjs';
import { program } from './environment.mjs';
import { percentile } from './measure.mjs';

export const RATE = 1_000;
export const ROWS = 10_000;
export const QUICK_ROWS = 200;
const CONNECTIONS = 8;
const RATE_TOLERANCE = 0.95; // below it this is no latency at that rate; 200 quick rows say nothing
const TIMEOUT_MS = 120_000;

// A reader that prints `ready`, and perhaps how many seconds it took, then, once all rows came,
// perhaps `done` with the processor time that it spent, and `id microseconds [microseconds ...]`
// lines. Its input stays open until the scope's end, or release().
// Returns { ready: of those seconds, done: of those, received: of arrays of microseconds, by row }.
export function startReader(command, scope) {
  const child = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  scope.after(() => child.kill('SIGKILL'));
  const received_us = [];
  const said = { ready: Promise.withResolvers(), done: Promise.withResolvers() };
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [first, ...others] = line.split(' ');
    if (said[first]) said[first].resolve(Number(others[0]));
    else received_us.push(others.map(Number));
  });
  const exited = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`${command[0]}: exit ${code}`)));
  });
  const received = exited.then(() => received_us);
  const done = Promise.race([said.done.promise, exited]);
  for (const later of [received, done]) later.catch(() => {}); // awaited later, perhaps after the failure
  return { ready: Promise.race([said.ready.promise, exited]), done, received, release: () => child.stdin.end() };
}

// Commits `rows` rows into the table; resolves with [{ sent_us, committed_us }].
export async function commitRows(postgres, table, rows) {
  const output = await runOk([program('commit_load'), postgres.url, table, `${RATE}`, `${rows}`,
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

// Milliseconds to every arrival of every row. `commit` counts from when COMMIT returned, `send` from
// just before the INSERT went out.
export function percentilesOf(commits, received_us) {
  const sorted_ms = (origin) => Float64Array.from(commits.flatMap((commit, at) =>
    received_us[at].map((one_us) => Math.max(0, one_us - commit[origin]) / 1000))).sort();
  const commit = sorted_ms('committed_us');
  const send = sorted_ms('sent_us');
  return {
    'commit-p50': percentile(commit, 0.5), 'commit-p99': percentile(commit, 0.99),
    'send-p50': percentile(send, 0.5), 'send-p99': percentile(send, 0.99),
  };
}

// The command of realtime clients (load/realtime_clients.c). column: binds to it, each binding to
// another value; otherwise there is no filter. tokens: a file of them, a connection's own in turn.
// owners: rows belong to as many, and so do the connections.
export async function realtimeClients(walcast, { table, column = '-', connections = 1, channels = 1, bindings = 1, rows, tokens, owners }) {
  const token = tokens ? `@${tokens}` : await walcast.token({ role: 'service_role' });
  return [program('realtime_clients'), `${walcast.port}`, token, table, column, `${connections}`,
    `${channels}`, `${bindings}`, `${rows}`, ...(owners ? [`${owners}`] : [])];
}
