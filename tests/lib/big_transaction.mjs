// One transaction too large for memory, against a server that gives its reader 5 seconds to answer:
// every row arrives once and in order, memory stays bounded, the walsender is never cut. The suite
// runs it small, the campaign at full size.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { startHouse } from './house.mjs';
import { waitFor } from './wait.mjs';
import { BINARY } from './walcast.mjs';

const SENDER_TIMEOUT = '5s';
const SCHEMA = 'CREATE TABLE items (id bigint PRIMARY KEY, text text)';
const INDEX = /"index":(\d+)/;
const ID = /"record":\{"id":(\d+)/;
const LAST = /"last":true/;

// The most memory that the process has had, in MiB.
function peakMib(pid) {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}

// Reads the stream line by line: as text, since the whole does not fit anywhere.
async function assertStream(walcast, rows, progress) {
  const child = spawn(BINARY, ['tail', '--json', '--from', 'first', '--until', 'now'],
    { env: { ...process.env, ...walcast.env }, cwd: walcast.directory, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let count = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const place = `row ${count}: ${line.slice(0, 200)}`;
    if (Number(INDEX.exec(line)?.[1]) !== count) assert.fail(`another index at ${place}`);
    if (Number(ID.exec(line)?.[1]) !== count + 1) assert.fail(`another id at ${place}`);
    if (LAST.test(line) !== (count === rows - 1)) assert.fail(`a wrong last at ${place}`);
    count++;
    if (count % 1_000_000 === 0) progress(`${count} rows read back`);
  }
  assert.deepEqual(await exited, [0, null]);
  assert.equal(count, rows);
}

async function streamedRows({ walcast }) {
  const [rows, held] = await Promise.all([walcast.metric('walcast_cdc_rows_total'),
    walcast.metric('walcast_cdc_held_transactions')]);
  return { rows, held };
}

// rows of about rowBytes; peak_mib: what the process may take. Resolves with figures.
export async function bigTransaction(t, { rows, rowBytes, peak_mib, timeout_ms, progress = () => {} }) {
  const house = await startHouse(t, { schema: SCHEMA, args: ['--roles', 'cdc'],
    settings: { wal_sender_timeout: SENDER_TIMEOUT, max_wal_size: '2GB' } });
  const { postgres, walcast } = house;
  const idle = peakMib(walcast.process.pid);
  const started = performance.now();
  await postgres.query(`INSERT INTO items SELECT i, repeat(chr(97 + (i % 26)::int), ${rowBytes})
    FROM generate_series(1, ${rows}) i`);
  const committed = performance.now();
  progress(`committed after ${Math.round(committed - started)} ms`);
  let spilled = 0;
  await waitFor('every row published', async () => {
    spilled = Math.max(spilled, await walcast.metric('walcast_cdc_held_spill_bytes'));
    const { rows: done, held } = await streamedRows(house);
    progress(`${done} rows published, peak ${Math.round(peakMib(walcast.process.pid))} MiB`);
    return done === rows && held === 0 && await walcast.metric('walcast_fanout_window_messages') === 0;
  }, timeout_ms, Math.min(5000, timeout_ms / 200));
  const published = performance.now();
  const peak = peakMib(walcast.process.pid);
  assert.ok(peak < peak_mib, `${peak.toFixed(1)} MiB of memory, at most ${peak_mib} allowed`);
  assert.ok(spilled > 0, 'some of it was spilled');
  assert.equal(await walcast.metric('walcast_cdc_held_spill_bytes'), 0);
  assert.equal(await walcast.metric('walcast_cdc_reconnects_total'), 0);
  assert.doesNotMatch(postgres.process.logText(), /terminating walsender/);
  await assertStream(walcast, rows, progress);
  return { idle_mib: idle, peak_mib: peak, spilled_bytes: spilled,
    insert_ms: committed - started, publish_ms: published - committed };
}
