// The stream at a campaign's end, against what its writers know and what the database holds.
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { runOk } from '../../lib/process.mjs';
import { BINARY } from '../../lib/walcast.mjs';
import { StreamCheck } from './stream_check.mjs';

// Of the tables in workload.mjs.
const KEYS = {
  'public.ledger': ['number'],
  'public.items': ['id'],
  'public.accounts': ['id'],
  'public.history': null,
  'public.whole': null,
  'Odd Schema.pa.irs': ['a', 'B b'],
};

// The stream as tail prints it stays in a file beside the servers' logs.
async function readStream(walcast, check) {
  const file = join(walcast.directory, 'stream.jsonl');
  await runOk(['sh', '-c', 'exec "$0" tail --json --from first --until now >"$1"', BINARY, file],
    { env: walcast.env, cwd: walcast.directory, timeout_ms: 600_000 });
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity }))
    check.add(JSON.parse(line));
}

// Once the slot is confirmed. Returns what was found, in words.
export async function checkStream({ postgres, walcasts }, workload) {
  const check = new StreamCheck(KEYS);
  await readStream(walcasts[0], check);
  check.assertLedger(workload.outcome);
  await check.assertTables(postgres);
  const counts = ['committed', 'rolled back', 'unknown'].map((what) => `${workload.count(what)} ${what}`);
  return `${check.changes} changes in ${check.transactions} transactions, the biggest ` +
    `${check.biggest}; ledger numbers: ${counts.join(', ')}`;
}
