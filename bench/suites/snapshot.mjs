// Rows that are there already into JetStream, acks and all: the initial snapshot and one beside a
// live stream, against what both sides of it can do at the most, whichever is less: PostgreSQL's
// COPY of the table to /dev/null, and the bare publisher with as many bytes in as large messages.
// And what a snapshot costs the live stream: the 99th percentile from commit to a realtime client
// while a table is read over and over, against the same without.
import { Nats } from '../../tests/lib/nats.mjs';
import { Postgres, findBin } from '../../tests/lib/postgres.mjs';
import { runOk } from '../../tests/lib/process.mjs';
import { Walcast } from '../../tests/lib/walcast.mjs';
import { waitFor } from '../../tests/lib/wait.mjs';
import { publishProgram } from '../lib/environment.mjs';
import { inTurns, makeRow, median } from '../lib/measure.mjs';
import { peakResidentMb } from '../lib/proc.mjs';
import { latencies, realtimeClient } from './latency.mjs';

const ROWS = 2_000_000;
const QUICK_ROWS = 20_000;
const MESSAGE_BYTES = 128 << 10;
const TIMEOUT_MS = 600_000;
const SETTINGS = { autovacuum: 'off', max_wal_size: '8GB', shared_buffers: '256MB' };
const schemaOf = (rows) => `CREATE TABLE items (id bigint PRIMARY KEY, account int NOT NULL,
  amount numeric(12,2) NOT NULL, created_at timestamptz NOT NULL, note text NOT NULL);
INSERT INTO items SELECT i, i % 10000, i % 1000000 / 100.0, now(), repeat(md5(i::text), 5)::char(150)
  FROM generate_series(1, ${rows}) i;`;

const GOAL = { value: 0.8, on: 'ratio', bound: 'min' };
const CASES = [
  { name: 'initial', doc: 'rows/s of the initial snapshot; peer: COPY or JetStream', unit: 'rows/s', goal: GOAL },
  { name: 'live', doc: 'rows/s beside a live stream; peer: COPY or JetStream', unit: 'rows/s', goal: GOAL },
  { name: 'memory', doc: "Walcast's peak resident memory over both", unit: 'MB',
    goal: { value: 100, on: 'ours', bound: 'max' } },
  { name: 'latency', doc: 'commit-p99 at 1,000 changes/s while a table is read; peer: without', unit: 'ms',
    goal: { value: 2, on: 'ratio', bound: 'max' } },
];

const secondsOf = async (action) => {
  const start_ms = performance.now();
  const result = await action();
  return { seconds: (performance.now() - start_ms) / 1000, result };
};

async function withNats(action) {
  const nats = await Nats.start();
  try {
    return await action(nats);
  } finally {
    await nats.remove();
  }
}

// The table as a client may read it at the most.
const copySeconds = async (postgres) => (await secondsOf(() => runOk(
  [`${findBin()}/psql`, '-qX', postgres.url, '-c', '\\copy items to /dev/null'],
  { timeout_ms: TIMEOUT_MS }))).seconds;

const publishSeconds = (bytes) => withNats(async (nats) => (await secondsOf(() => runOk(
  [publishProgram(), nats.url, `${Math.ceil(bytes / MESSAGE_BYTES)}`, `${MESSAGE_BYTES}`],
  { timeout_ms: TIMEOUT_MS }))).seconds);

// One snapshot into an empty JetStream. The time is the snapshot's own: from its beginning to the
// last ack of its rows, as its record says.
function snapshotRun(postgres, rows, initial) {
  return withNats(async (nats) => {
    const config = initial ? { 'snapshot.initial': 'public.items' } : {};
    const walcast = await Walcast.start({ postgres, nats, config, args: ['--roles', 'cdc'] });
    try {
      await walcast.ready(TIMEOUT_MS);
      if (!initial)
        await walcast.commandOk(['snapshot', 'start', 'public.items', '--wait'], { timeout_ms: TIMEOUT_MS });
      const record = JSON.parse(await walcast.commandOk(['snapshot', 'status', 'public.items', '--json']));
      if (record.state !== 'done' || record.rows !== rows)
        throw new Error(`the snapshot is ${record.state} with ${record.rows} rows, expected ${rows}`);
      return {
        seconds: (record.finished_us - record.started_us) / 1e6, bytes: record.bytes,
        peak_rss_mb: peakResidentMb(walcast.process.pid),
      };
    } finally {
      await walcast.stop();
      await walcast.remove();
      await postgres.query("SELECT pg_drop_replication_slot('walcast')");
    }
  });
}

const speedNames = ['initial', 'live'];

// The runs of each case of speed that is asked for, or whose memory is.
async function speeds({ cases, progress, repeat, quick }) {
  const rows = quick ? QUICK_ROWS : ROWS;
  const wanted = CASES.filter(({ name }) => speedNames.includes(name) &&
    cases.some((one) => one.name === name || one.name === 'memory'));
  if (wanted.length === 0) return { rows, figures: [] };
  progress.show('snapshot: making the table');
  const postgres = await Postgres.start({ settings: SETTINGS });
  const figures = [];
  try {
    await postgres.query(schemaOf(rows));
    await postgres.query('VACUUM (ANALYZE, FREEZE) items');
    await postgres.query('CHECKPOINT'); // neither side's turn writes what loading has left
    for (const one of wanted) {
      const runs = await inTurns(repeat, {
        ours: () => snapshotRun(postgres, rows, one.name === 'initial'),
        peer: () => copySeconds(postgres),
      }, (text) => progress.show(`snapshot/${one.name}: ${text}`));
      for (const run of runs) {
        progress.show(`snapshot/${one.name}: JetStream`);
        run.publish = await publishSeconds(run.ours.bytes);
      }
      figures.push({ one, runs });
    }
  } finally {
    await postgres.remove();
  }
  return { rows, figures };
}

// A snapshot after the other for as long as the latencies are taken.
async function readOver(house, table) {
  let over = false;
  const reading = (async () => {
    while (!over)
      await house.walcast.commandOk(['snapshot', 'start', table, '--wait'], { timeout_ms: TIMEOUT_MS });
  })();
  reading.catch(() => {}); // awaited at the end
  await waitFor('a snapshot under way', async () => await house.walcast.metric('walcast_cdc_snapshots') > 0);
  return async () => {
    over = true;
    await reading;
  };
}

const besideSnapshot = (rows) => async (house) => {
  await house.postgres.query(schemaOf(rows));
  await house.postgres.query('ANALYZE items');
  await house.postgres.query('ALTER PUBLICATION bench ADD TABLE items');
  return readOver(house, 'public.items');
};

export default {
  name: 'snapshot',
  doc: 'rows that are there already into the stream, and what that costs the live one',
  cases: CASES,
  async *run(context) {
    const { rows, figures } = await speeds(context);
    for (const { one, runs } of figures.filter((figure) => context.cases.includes(figure.one))) {
      const rates = runs.map(({ ours, peer, publish }) =>
        ({ ours: rows / ours.seconds, peer: rows / Math.max(peer, publish) }));
      yield makeRow({ suite: 'snapshot', name: one.name, unit: one.unit, goal: one.goal, runs: rates,
        detail: { copy_rows_s: rows / median(runs.map(({ peer }) => peer)),
          jetstream_rows_s: rows / median(runs.map(({ publish }) => publish)) } });
    }
    const memory = context.cases.find(({ name }) => name === 'memory');
    const peaks = figures.flatMap(({ runs }) => runs.map(({ ours }) => ours.peak_rss_mb));
    if (memory)
      yield makeRow({ suite: 'snapshot', name: 'memory', unit: memory.unit, goal: memory.goal,
        runs: [{ ours: Math.max(...peaks) }] });
    const latency = context.cases.find(({ name }) => name === 'latency');
    if (!latency) return;
    const changes = context.quick ? 200 : 10_000;
    const runs = await inTurns(context.repeat, {
      ours: () => latencies(changes, true, realtimeClient, besideSnapshot(context.quick ? QUICK_ROWS : 500_000)),
      peer: () => latencies(changes, true, realtimeClient),
    }, (text) => context.progress.show(`snapshot/latency: ${text}`));
    yield makeRow({ suite: 'snapshot', name: 'latency', unit: latency.unit, goal: latency.goal,
      runs: runs.map(({ ours, peer }) => ({ ours: ours['commit-p99'], peer: peer['commit-p99'] })) });
  },
};
