// From a publisher to a thousand clients at twenty messages a second, over all clients: Walcast, a
// bare epoll loop of one frame a send, nchan and nats-server.
import { fan, missing } from '../lib/fan_servers.mjs';
import { inTurns, makeRow } from '../lib/measure.mjs';

const FULL = { subscribers: 1000, publishers: 4, rate: 20, seconds: 10, frames: 1 };
const QUICK = { ...FULL, subscribers: 20, seconds: 1 };
const PEERS = ['epoll', 'nchan', 'nats'];
const GOAL = { value: 1.25, on: 'ratio', bound: 'max' };

const CASES = PEERS.flatMap((peer) => ['p50', 'p99'].map((share) => ({
  name: `${peer}-${share}`, peer, field: `${share}_us`,
  doc: `${share === 'p50' ? 'median' : '99 %'}; peer: ${
    { epoll: 'a bare epoll loop, one frame a send', nchan: 'nginx with nchan', nats: 'nats-server' }[peer]}`,
  goal: peer === 'epoll' && share === 'p99' ? GOAL : undefined,
})));

export default {
  name: 'paced',
  doc: 'send to receive at 20 messages/s, 4 publishers to 1,000 clients, 200-byte payloads',
  cases: CASES,
  async *run({ cases, progress, repeat, quick }) {
    const load = quick ? QUICK : FULL;
    const peers = [...new Set(cases.map(({ peer }) => peer))].filter((peer) => !missing(peer));
    const sides = ['walcast', ...peers].map((name) => [name, () => fan(name, load)]);
    const runs = await inTurns(repeat, Object.fromEntries(sides),
      (text) => progress.show(`paced: ${text}`));
    for (const { name, peer, field, goal } of cases) {
      const lacks = missing(peer);
      const peerOf = (run) => (run[peer] ? run[peer][field] / 1000 : undefined);
      yield makeRow({
        suite: 'paced', name, unit: 'ms', goal,
        runs: runs.map((run) => ({ ours: run.walcast[field] / 1000, peer: peerOf(run) })),
        detail: lacks && { peer: lacks },
      });
    }
  },
};
