// What a change that one subscription matches costs where a hundred thousand have filters of their
// own, against where a thousand have: processor time of a process that only serves clients, and
// the time from commit to client. The number of connections is the same.
import { startHouse } from '../../tests/lib/house.mjs';
import { Walcast } from '../../tests/lib/walcast.mjs';
import { QUICK_ROWS, ROWS, commitRows, percentilesOf, realtimeClients, startReader,
} from '../lib/commits.mjs';
import { inTurns, makeRow, median } from '../lib/measure.mjs';
import { cpuSeconds, residentMb } from '../lib/proc.mjs';
import { Scope } from '../lib/scope.mjs';
import { UNLIMITED } from '../lib/unlimited.mjs';

const FULL = { connections: 1000, many: 100, few: 1, rows: ROWS }; // channels a connection
const QUICK = { connections: 20, many: 10, few: 1, rows: QUICK_ROWS };
const TABLE = 'ticks';
// A row's key is that of one subscription, in an order that jumps about.
const schemaOf = (subscriptions) => `
CREATE TABLE ${TABLE} (id bigint PRIMARY KEY, sent_at bigint NOT NULL, note text NOT NULL, key bigint);
CREATE FUNCTION give_key() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW.key := NEW.id * 7919 % ${subscriptions}; RETURN NEW; END $$;
CREATE TRIGGER give_key BEFORE INSERT ON ${TABLE} FOR EACH ROW EXECUTE FUNCTION give_key();`;
const SETTINGS = { fsync: 'on', autovacuum: 'off' };
const CONFIG = { ...UNLIMITED, 'ws.idle_timeout': '1h' }; // the clients send no heartbeats

const CASES = [
  { name: 'cpu', doc: 'processor time a change', unit: 'µs', goal: { value: 2, on: 'ratio', bound: 'max' } },
  { name: 'commit-p50', doc: "median from COMMIT's return to the client", unit: 'ms' },
  { name: 'commit-p99', doc: "99 % from COMMIT's return to the client", unit: 'ms' },
];

function measure({ connections, rows }, channels) {
  return Scope.run(async (scope) => {
    const subscriptions = connections * channels;
    const house = await startHouse(scope, { schema: schemaOf(subscriptions), settings: SETTINGS,
      args: ['--roles', 'cdc'] });
    const gateway = await Walcast.start({ ...house, config: CONFIG, args: ['--roles', 'ws'] });
    scope.after(() => gateway.remove());
    await gateway.ready();
    const { pid } = gateway.process;
    const before_mb = residentMb(pid);
    const reader = startReader(await realtimeClients(gateway,
      { table: TABLE, column: 'key', connections, channels, rows }), scope);
    const seconds = await reader.ready;
    const joined_mb = residentMb(pid);
    const before_s = cpuSeconds(pid);
    const commits = await commitRows(house.postgres, TABLE, rows);
    const percentiles = percentilesOf(commits, await reader.received);
    return {
      ...percentiles, cpu: (cpuSeconds(pid) - before_s) * 1e6 / rows,
      joins_s: subscriptions / seconds, subscription_kb: (joined_mb - before_mb) * 1024 / subscriptions,
    };
  });
}

export default {
  name: 'subscriptions',
  doc: 'a change that one of 100,000 subscriptions with filters of their own matches; peer: of 1,000',
  cases: CASES,
  async *run({ cases, progress, repeat, quick }) {
    const load = quick ? QUICK : FULL;
    const runs = await inTurns(repeat, {
      ours: () => measure(load, load.many), peer: () => measure(load, load.few),
    }, (text) => progress.show(`subscriptions: ${text}`));
    for (const { name, unit, goal } of cases) {
      const of = (field) => median(runs.map(({ ours }) => ours[field]));
      yield makeRow({
        suite: 'subscriptions', name, unit, goal,
        runs: runs.map(({ ours, peer }) => ({ ours: ours[name], peer: peer[name] })),
        detail: name === 'cpu'
          ? { subscriptions: load.connections * load.many, joins_s: of('joins_s'),
            subscription_kb: of('subscription_kb') } : undefined,
      });
    }
  },
};
