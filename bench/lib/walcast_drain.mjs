// One drain by Walcast: a prepared slot into an empty JetStream, acks and all. The time is from the
// process's start to the ack of the last message; afterwards the stream is read back, and a stream
// that does not hold exactly the load's rows is an error, not a figure.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Nats } from '../../tests/lib/nats.mjs';
import { Walcast, BINARY } from '../../tests/lib/walcast.mjs';
import { cpuSeconds, peakResidentMb } from './proc.mjs';

const LOOK_MIN_MS = 5;
const LOOK_MAX_MS = 200;
const TIMEOUT_MS = 600_000;
const NEWLINE = 0x0a;

async function figuresOf(walcast) {
  const text = await (await fetch(`${walcast.url}/metrics`)).text();
  const value = (name) => Number(text.match(new RegExp(`^${name} (\\d+)`, 'm'))?.[1] ?? 0);
  return {
    ms: performance.now(),
    rows: value('walcast_cdc_rows_total'),
    published: value('walcast_fanout_published_messages_total'),
    acked: value('walcast_fanout_acked_messages_total'),
  };
}

// Half of what is left at the pace so far: few looks, so that looking costs nothing, and the last
// ones close to the end.
function nextLookMs({ rows, ms }, wanted, start_ms) {
  const left_ms = rows > 0 ? ((wanted - rows) * (ms - start_ms)) / rows : LOOK_MAX_MS;
  return Math.min(LOOK_MAX_MS, Math.max(LOOK_MIN_MS, left_ms / 2));
}

// When all rows had been decoded and every message that was published had its ack; that nothing is
// left to publish shows when the next look finds the same.
async function drainedAt(prepared, walcast, start_ms) {
  let last;
  while (performance.now() - start_ms < TIMEOUT_MS) {
    walcast.process.assertAlive();
    const now = await figuresOf(walcast).catch(() => ({ rows: 0, acked: 0 })); // not listening yet
    const isEven = now.rows >= prepared.rows && now.acked > 0 && now.acked >= now.published;
    if (isEven && last?.acked === now.acked) return last.ms;
    last = isEven ? now : undefined;
    await new Promise((resolve) => setTimeout(resolve, nextLookMs(now, prepared.rows, start_ms)));
  }
  throw new Error(`not drained within ${TIMEOUT_MS} ms:\n${walcast.logText()}`);
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
  const walsender = await prepared.lookAtWalsender(slot);
  return {
    peak_rss_mb: peakResidentMb(walcast.process.pid),
    rows_per_message: prepared.rows / stream.state.messages,
    walcast_cpu_us: perRow_us(walcast.process.pid),
    nats_cpu_us: perRow_us(nats.process.pid),
    walsender_cpu_us: perRow_us(walsender.pid),
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
    const end_ms = await drainedAt(prepared, walcast, start_ms);
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
