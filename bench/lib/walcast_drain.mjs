// One drain by Walcast: a prepared slot into an empty JetStream, acks and all. The time is from the
// process's start to the ack of the last message; afterwards the stream is read back, and a stream
// that does not hold exactly the load's rows is an error, not a figure.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Nats } from '../../tests/lib/nats.mjs';
import { Walcast, BINARY } from '../../tests/lib/walcast.mjs';
import { waitFor } from '../../tests/lib/wait.mjs';
import { cpuSeconds, peakResidentMb } from './proc.mjs';

const SAMPLE_INTERVAL_MS = 25;
const TIMEOUT_MS = 600_000;
const NEWLINE = 0x0a;

// When all rows had been decoded and every message that was published had its ack; that nothing is
// left to publish shows when the next sample is the same.
async function drainedAt(prepared, walcast) {
  let last;
  return waitFor('drained slot', async () => {
    walcast.process.assertAlive();
    const text = await (await fetch(`${walcast.url}/metrics`)).text();
    const value = (name) => Number(text.match(new RegExp(`^${name} (\\d+)`, 'm'))?.[1] ?? 0);
    const rows = value('walcast_cdc_rows_total');
    const published = value('walcast_fanout_published_messages_total');
    const acked = value('walcast_fanout_acked_messages_total');
    if (rows < prepared.rows || acked < published || acked === 0) return false;
    if (acked === last?.acked) return last.ms;
    last = { acked, ms: performance.now() };
    return false;
  }, TIMEOUT_MS, SAMPLE_INTERVAL_MS);
}

function countLines(command, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], command.slice(1), { ...options, stdio: ['ignore', 'pipe', 'inherit'] });
    let lines = 0;
    child.stdout.on('data', (chunk) => {
      for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) lines++;
    });
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve(lines) : reject(new Error(`${command.join(' ')}: exit ${code}`)));
  });
}

async function verifyRows(prepared, walcast) {
  const env = { ...process.env, ...walcast.env };
  const command = [BINARY, 'tail', '--json', '--from', 'first', '--until', 'now'];
  const rows = await countLines(command, { env, cwd: walcast.directory });
  if (rows !== prepared.rows)
    throw new Error(`the stream holds ${rows} rows, expected ${prepared.rows}`);
}

// perf record of the drain, when asked for: DIR/LABEL.data.
function startPerf(directory, label, pid) {
  if (!directory) return undefined;
  const file = join(directory, `${label}.data`);
  return spawn('perf', ['record', '-q', '-F', '999', '-g', '-p', `${pid}`, '-o', file],
    { stdio: ['ignore', 'ignore', 'inherit'] });
}

async function costOf(prepared, slot, walcast, nats) {
  const perRow_us = (pid) => (cpuSeconds(pid) * 1e6) / prepared.rows;
  const stream = await nats.streamInfo();
  return {
    peak_rss_mb: peakResidentMb(walcast.process.pid),
    rows_per_message: prepared.rows / stream.state.messages,
    walcast_cpu_us: perRow_us(walcast.process.pid),
    nats_cpu_us: perRow_us(nats.process.pid),
    walsender_cpu_us: perRow_us(await prepared.walsenderPid(slot)),
  };
}

async function drainInto(nats, prepared, slot, perf) {
  const start_ms = performance.now();
  const config = { 'postgres.slot': slot, 'postgres.publication': prepared.publication };
  const walcast = await Walcast.start({
    postgres: prepared.postgres, nats, config, args: ['--roles', 'cdc'],
  });
  const profiler = startPerf(perf?.directory, perf?.label, walcast.process.pid);
  try {
    const end_ms = await drainedAt(prepared, walcast);
    const cost = await costOf(prepared, slot, walcast, nats);
    await walcast.stop();
    await verifyRows(prepared, walcast);
    return { seconds: (end_ms - start_ms) / 1000, ...cost };
  } finally {
    profiler?.kill('SIGINT');
    await walcast.remove();
  }
}

// Resolves with { seconds, peak_rss_mb, rows_per_message, walcast_cpu_us, nats_cpu_us,
// walsender_cpu_us }; the last three are microseconds of processor time a row.
export function drain(prepared, perf) {
  return prepared.withCopy(async (slot) => {
    const nats = await Nats.start();
    try {
      return await drainInto(nats, prepared, slot, perf);
    } finally {
      await nats.remove();
    }
  });
}
