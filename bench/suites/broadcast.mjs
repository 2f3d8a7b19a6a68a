// Deliveries a second of one channel to a thousand WebSocket clients, as fast as the slowest of them
// follows and none lost: Walcast, nchan, nats-server, and a bare epoll loop of ten frames a send.
import { fan, missing } from '../lib/fan_servers.mjs';
import { inTurns, makeRow, median } from '../lib/measure.mjs';

const FULL = { subscribers: 1000, publishers: 4, rate: 0, seconds: 5, frames: 10 };
const QUICK = { ...FULL, subscribers: 20, seconds: 1 };
const goalOf = (value) => ({ value, on: 'ratio', bound: 'min' });

const CASES = [
  { name: 'nchan', doc: 'peer: nginx with nchan', goal: goalOf(4) },
  { name: 'nats', doc: "peer: nats-server's WebSocket listener, many messages a frame", goal: goalOf(1.5) },
  { name: 'epoll', doc: 'peer: a bare epoll loop, ten frames a send', goal: goalOf(0.6) },
];

function detailOf(runs, name) {
  const of = (side, pick) => median(runs.map((run) => run[side][pick]));
  return {
    server_us: of('walcast', 'server_us'), load_cpu: of('walcast', 'load_cpu'),
    ...(runs[0][name] && { peer_server_us: of(name, 'server_us'), peer_load_cpu: of(name, 'load_cpu') }),
  };
}

export default {
  name: 'broadcast',
  doc: 'deliveries a second of 200-byte payloads, 4 publishers to 1,000 clients, none lost',
  cases: CASES,
  async *run({ cases, progress, repeat, quick }) {
    const load = quick ? QUICK : FULL;
    const names = cases.map(({ name }) => name).filter((name) => !missing(name));
    const sides = ['walcast', ...names].map((name) => [name, () => fan(name, load)]);
    const runs = await inTurns(repeat, Object.fromEntries(sides),
      (text) => progress.show(`broadcast: ${text}`));
    for (const { name, goal } of cases) {
      const lacks = missing(name);
      yield makeRow({
        suite: 'broadcast', name, unit: 'msg/s', goal: lacks ? undefined : goal,
        runs: runs.map((run) => ({ ours: run.walcast.rate, peer: run[name]?.rate })),
        detail: { ...detailOf(runs, name), ...(lacks && { peer: lacks }) },
      });
    }
  },
};
