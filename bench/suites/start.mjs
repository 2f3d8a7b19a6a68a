// From exec to the first 200 of /health/ready, all roles: with slot and stream there (every start
// but one), and the very first, which makes them.
import { get } from 'node:http';
import { startHouse } from '../../tests/lib/house.mjs';
import { Walcast } from '../../tests/lib/walcast.mjs';
import { Scope } from '../lib/scope.mjs';
import { inTurns, makeRow } from '../lib/measure.mjs';

const SCHEMA = 'CREATE TABLE items (id int PRIMARY KEY, note text)';
const TIMEOUT_MS = 30_000;
const PROBE_INTERVAL_MS = 1;

function isReady(port) {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/health/ready', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once('error', () => resolve(false));
  });
}

// start: begins the process; called once everything else is at hand.
async function millisecondsToReady(walcast, start) {
  const start_ms = performance.now();
  await start();
  while (!(await isReady(walcast().port))) {
    walcast().process.assertAlive();
    if (performance.now() - start_ms > TIMEOUT_MS) throw new Error(`not ready:\n${walcast().logText()}`);
    await new Promise((resolve) => setTimeout(resolve, PROBE_INTERVAL_MS));
  }
  return performance.now() - start_ms;
}

// One house gives one first start, and one start again.
function bothStarts() {
  return Scope.run(async (scope) => {
    const house = await startHouse(scope, { schema: SCHEMA, walcast: false });
    const first = await millisecondsToReady(() => house.walcast, async () => {
      house.walcast = await Walcast.start(house);
    });
    await house.walcast.stop();
    const again = await millisecondsToReady(() => house.walcast, () => house.walcast.start());
    return { first, again };
  });
}

const CASES = [
  { name: 'again', doc: 'slot, publication and stream are there',
    goal: { value: 100, on: 'ours', bound: 'max' } },
  { name: 'first', doc: 'an empty database and broker: slot, publication and stream are made' },
];

export default {
  name: 'start',
  doc: 'milliseconds from exec to readiness',
  cases: CASES,
  async *run({ cases, progress, repeat }) {
    const starts = await inTurns(repeat, { ours: bothStarts },
      (text) => progress.show(`start: ${text}`));
    for (const { name, goal } of cases) {
      const runs = starts.map(({ ours }) => ({ ours: ours[name] }));
      yield makeRow({ suite: 'start', name, unit: 'ms', goal, runs });
    }
  },
};
