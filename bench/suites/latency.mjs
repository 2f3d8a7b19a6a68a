// From commit to client at 1,000 single-row transactions a second: Walcast with all roles and a
// realtime client, against a bare reader of the slot, which is the least that WAL can take.
//
// Two clocks: `commit` counts from when COMMIT returned to the application (0 when the change was
// there before that: synchronous commit waits for the disk, the slot's reader need not), `send` from
// just before the INSERT went out, PostgreSQL's own time and disk included.
import { startHouse } from '../../tests/lib/house.mjs';
import { DEFAULT } from '../../tests/lib/walcast.mjs';
import { QUICK_ROWS, RATE, ROWS, commitRows, percentilesOf, realtimeClients, startReader,
} from '../lib/commits.mjs';
import { program } from '../lib/environment.mjs';
import { Scope } from '../lib/scope.mjs';
import { inTurns, makeRow } from '../lib/measure.mjs';

const MANY = 100;
const QUICK_MANY = 5;
const SLOT = 'bench';
const PUBLICATION = 'bench';
const TABLE = 'ticks';
const SCHEMA = `CREATE TABLE ${TABLE} (id bigint PRIMARY KEY, sent_at bigint NOT NULL, note text NOT NULL);
CREATE PUBLICATION ${PUBLICATION} FOR TABLE ${TABLE};`;
const SETTINGS = { fsync: 'on', autovacuum: 'off' };

// readerOf: makes the house's reader, once the house stands. beside: starts what goes on meanwhile,
// and resolves with what ends it.
export function latencies(rows, walcast, readerOf, beside) {
  return Scope.run(async (scope) => {
    const config = { 'postgres.publication': PUBLICATION, 'snapshot.live_share': DEFAULT };
    const house = await startHouse(scope, { schema: SCHEMA, settings: SETTINGS, walcast, config });
    const reader = startReader(await readerOf(house, rows), scope);
    await reader.ready;
    const end = await beside?.(house);
    const commits = await commitRows(house.postgres, TABLE, rows);
    const percentiles = percentilesOf(commits, await reader.received);
    await end?.();
    return percentiles;
  });
}

export function realtimeClient({ walcast }, rows) {
  return realtimeClients(walcast, { table: TABLE, rows });
}

const manyClients = (connections) => ({ walcast }, rows) =>
  realtimeClients(walcast, { table: TABLE, connections, rows });

export async function bareReader({ postgres }, rows) {
  await postgres.query(`SELECT pg_create_logical_replication_slot('${SLOT}', 'pgoutput')`);
  return [program('wal_reader'), `${postgres.url}?replication=database`, SLOT, PUBLICATION, `${rows}`];
}

const P50_GOAL = { value: 3, on: 'ours', bound: 'max' };
const P99_GOAL = { value: 10, on: 'ours', bound: 'max' };
const CASES = [
  { name: 'commit-p50', doc: "median from COMMIT's return to the client", goal: P50_GOAL },
  { name: 'commit-p99', doc: "99 % from COMMIT's return to the client", goal: P99_GOAL },
  { name: 'send-p50', doc: 'median from before the INSERT was sent to the client' },
  { name: 'send-p99', doc: '99 % from before the INSERT was sent to the client' },
  { name: 'many-commit-p50', doc: `the same to ${MANY} clients, each told of every row`, goal: P50_GOAL },
  { name: 'many-commit-p99', doc: `the same to ${MANY} clients, each told of every row`, goal: P99_GOAL },
  { name: 'many-send-p50', doc: `the same to ${MANY} clients, each told of every row` },
  { name: 'many-send-p99', doc: `the same to ${MANY} clients, each told of every row` },
];
const MANY_PREFIX = 'many-';

export default {
  name: 'latency',
  doc: `commit to realtime client at ${RATE} changes/s; peer: a bare reader of the slot`,
  cases: CASES,
  async *run({ cases, progress, repeat, quick }) {
    const rows = quick ? QUICK_ROWS : ROWS;
    const isMany = ({ name }) => name.startsWith(MANY_PREFIX);
    const runs = await inTurns(repeat, {
      ...(!cases.every(isMany) && { one: () => latencies(rows, true, realtimeClient) }),
      peer: () => latencies(rows, false, bareReader),
      ...(cases.some(isMany) && {
        many: () => latencies(rows, true, manyClients(quick ? QUICK_MANY : MANY)) }),
    }, (text) => progress.show(`latency: ${text}`));
    for (const { name, goal } of cases) {
      const side = isMany({ name }) ? 'many' : 'one';
      const field = name.replace(MANY_PREFIX, '');
      const each = runs.map((run) => ({ ours: run[side][field], peer: run.peer[field] }));
      yield makeRow({ suite: 'latency', name, unit: 'ms', goal, runs: each });
    }
  },
};
