// Rows that a trigger makes webhooks of, and a receiver (load/webhook_receiver.c) that wants each of
// them once and a key's in order: backlogs that are drained, and rows on their way.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startHouse } from '../../tests/lib/house.mjs';
import { runOk } from '../../tests/lib/process.mjs';
import { DEFAULT, Walcast } from '../../tests/lib/walcast.mjs';
import { waitFor } from '../../tests/lib/wait.mjs';
import { commitRows, percentilesOf, startReader } from './commits.mjs';
import { httpProgram, program } from './environment.mjs';
import { cpuSeconds, peakResidentMb } from './proc.mjs';
import { Scope } from './scope.mjs';

const KEYS = 1_000;
const ROWS_EACH = 10; // a transaction
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const CONFIG = { 'triggers.allow': '127.0.0.1', 'snapshot.live_share': DEFAULT };
const TIMEOUT_MS = 300_000;
const PARTITIONS = 16;
const REQUEST_BYTES = 300; // a body's

const SCHEMA = `
CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL, note text NOT NULL);
CREATE PROCEDURE fill(rows int) LANGUAGE plpgsql AS $$
BEGIN
  FOR low IN 1..rows BY ${ROWS_EACH} LOOP
    INSERT INTO orders SELECT i, i % ${KEYS}, repeat(md5(i::text), 4)
      FROM generate_series(low, least(low + ${ROWS_EACH - 1}, rows)) i;
    COMMIT;
  END LOOP;
END $$;
-- As bench_commit_load fills it; the key is its own.
CREATE TABLE ticks (id bigint PRIMARY KEY, sent_at bigint NOT NULL, note text NOT NULL, customer int);
CREATE FUNCTION customer() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN new.customer := new.id % ${KEYS}; RETURN new; END $$;
CREATE TRIGGER customer BEFORE INSERT ON ticks FOR EACH ROW EXECUTE FUNCTION customer();`;

const triggerOf = (name, table, url) => `name: ${name}
on: { table: ${table}, ops: [insert] }
select: [new.id, new.customer, new.note]
key: new.customer
do: { webhook: { url: "${url}", secret: "${SECRET}" } }
`;

async function startReceiver(scope, rows) {
  const reader = startReader([program('webhook_receiver'), `${rows}`, `${KEYS}`], scope);
  return { ...reader, url: `http://127.0.0.1:${await reader.ready}` };
}

// A process with these definitions, which count from now on.
async function startTriggers(scope, house, args, definitions) {
  const walcast = await Walcast.start({ ...house, config: { roles: DEFAULT, ...CONFIG }, args });
  scope.after(() => walcast.remove());
  mkdirSync(join(walcast.directory, 'triggers'));
  definitions.forEach((text, at) => writeFileSync(join(walcast.directory, 'triggers', `${at}.yaml`), text));
  await walcast.ready();
  await waitFor('the triggers', async () =>
    (await walcast.commandOk(['trigger', 'list', '--json'])).split('\n').filter(Boolean).length === definitions.length &&
    await walcast.metric('walcast_triggers_partitions') === PARTITIONS);
  return walcast;
}

async function inStream(walcast, rows) {
  const of = (name) => walcast.metric(`walcast_${name}_total`);
  await waitFor('the rows in the stream', async () => await of('cdc_rows') >= rows &&
    await of('fanout_acked_messages') >= await of('fanout_published_messages'), TIMEOUT_MS);
}

// Deliveries a second between the first and the last, and what it took: of the process and of
// nats-server microseconds of processor time a delivery, of the receiver the share of a core.
async function drained(receiver, rows, { walcast, nats }) {
  const before_s = nats && cpuSeconds(nats.process.pid);
  const load_s = await receiver.done;
  const cost = walcast && {
    peak_mb: peakResidentMb(walcast.process.pid),
    server_us: cpuSeconds(walcast.process.pid) * 1e6 / rows,
    nats_us: (cpuSeconds(nats.process.pid) - before_s) * 1e6 / rows,
  };
  receiver.release();
  const received_us = Float64Array.from((await receiver.received).flat()).sort();
  const taken_us = received_us.at(-1) - received_us[0];
  return { rate: (rows - 1) * 1e6 / taken_us, load_cpu: load_s * 1e6 / taken_us, ...cost };
}

// The rows are committed and in the change stream before the process with the role `triggers`, which
// knew its definitions before, starts. hangs: another trigger sends the same rows to an endpoint
// that never answers.
export function drainByWalcast(rows, { hangs = false } = {}) {
  return Scope.run(async (scope) => {
    const house = await startHouse(scope, { schema: SCHEMA, args: ['--roles', 'cdc'], settings: { fsync: 'off', autovacuum: 'off' } });
    const receiver = await startReceiver(scope, rows);
    const definitions = [triggerOf('good', 'orders', `${receiver.url}/hook`)];
    if (hangs) definitions.push(triggerOf('hangs', 'orders', `${receiver.url}/hang`));
    const triggers = await startTriggers(scope, house, ['--roles', 'triggers'], definitions);
    await triggers.stop();
    await house.postgres.query(`CALL fill(${rows})`);
    await inStream(house.walcast, rows);
    triggers.start();
    return drained(receiver, rows, { walcast: triggers, nats: house.nats });
  });
}

// The rows are committed while they are delivered, by one process with all roles, and all share the
// machine: PostgreSQL, nats-server, Walcast and the receiver.
export function streamByWalcast(rows) {
  return Scope.run(async (scope) => {
    const house = await startHouse(scope, { schema: SCHEMA, walcast: false, settings: { fsync: 'off', autovacuum: 'off' } });
    const receiver = await startReceiver(scope, rows);
    const walcast = await startTriggers(scope, house, [], [triggerOf('good', 'orders', `${receiver.url}/hook`)]);
    const [result] = await Promise.all([drained(receiver, rows, { walcast, nats: house.nats }),
      house.postgres.query(`CALL fill(${rows})`)]);
    return result;
  });
}

export function drainByPoller(rows) {
  return Scope.run(async (scope) => {
    const { postgres } = await startHouse(scope, { schema: SCHEMA, walcast: false });
    const receiver = await startReceiver(scope, rows);
    await postgres.query(`CALL fill(${rows})`);
    const poller = spawn(process.execPath, [new URL('../load/outbox_poller.mjs', import.meta.url).pathname,
      postgres.url, `${receiver.url}/hook`, `${rows}`], { stdio: ['ignore', 'ignore', 'inherit'] });
    scope.after(() => poller.kill('SIGKILL'));
    return drained(receiver, rows, {});
  });
}

// The HTTP client alone, which has no more to do than to send and to be answered.
export async function sendByClient(rows, quick) {
  const output = await runOk([httpProgram(), `${Math.max(rows, 1024)}`, '50', `${REQUEST_BYTES}`],
    { timeout_ms: quick ? 30_000 : TIMEOUT_MS });
  return { rate: Number(output.match(/net_http +(\d+) requests/)[1]) };
}

// From commit to webhook; see commits.mjs.
export function webhookLatencies(rows) {
  return Scope.run(async (scope) => {
    const house = await startHouse(scope, { schema: SCHEMA, walcast: false, settings: { fsync: 'on', autovacuum: 'off' } });
    const receiver = await startReceiver(scope, rows);
    await startTriggers(scope, house, [], [triggerOf('ticks', 'ticks', `${receiver.url}/hook`)]);
    const commits = await commitRows(house.postgres, 'ticks', rows);
    await receiver.done;
    receiver.release();
    return percentilesOf(commits, await receiver.received);
  });
}
