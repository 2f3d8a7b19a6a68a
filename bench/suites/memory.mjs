// Resident memory: the peak during a drain, and what an idle process keeps.
import { startHouse } from '../../tests/lib/house.mjs';
import { LOADS } from '../lib/loads.mjs';
import { Scope } from '../lib/scope.mjs';
import { inTurns, makeRow } from '../lib/measure.mjs';
import { PreparedSlot } from '../lib/prepared_slot.mjs';
import { residentMb } from '../lib/proc.mjs';
import { drain } from '../lib/walcast_drain.mjs';

const DRAIN_GOAL = { value: 60, on: 'ours', bound: 'max' };
const IDLE_GOAL = { value: 20, on: 'ours', bound: 'max' };
const IDLE_MS = 10_000;
const QUICK_IDLE_MS = 500;

async function drainPeaks(load, { repeat, quick }, note) {
  const prepared = await PreparedSlot.make(LOADS[load], quick);
  try {
    return await inTurns(repeat, { ours: async () => (await drain(prepared)).peak_rss_mb }, note);
  } finally {
    await prepared.remove();
  }
}

function idleMb(quick) {
  return Scope.run(async (scope) => {
    const house = await startHouse(scope, { schema: 'CREATE TABLE quiet (id int PRIMARY KEY)' });
    await new Promise((resolve) => setTimeout(resolve, quick ? QUICK_IDLE_MS : IDLE_MS));
    return residentMb(house.walcast.process.pid);
  });
}

function idle({ repeat, quick }, note) {
  return inTurns(repeat, { ours: () => idleMb(quick) }, note);
}

const CASES = [
  { name: 'drain-small', doc: 'peak while draining 200-byte rows, 10 a transaction', goal: DRAIN_GOAL,
    runs: (context, note) => drainPeaks('small', context, note) },
  { name: 'drain-big', doc: 'peak while draining one big transaction', goal: DRAIN_GOAL,
    runs: (context, note) => drainPeaks('big', context, note) },
  { name: 'drain-wide', doc: 'peak while draining 1 KB rows', goal: DRAIN_GOAL,
    runs: (context, note) => drainPeaks('wide', context, note) },
  { name: 'idle', doc: 'all roles, 10 s after readiness, nothing to do', goal: IDLE_GOAL, runs: idle },
];

export default {
  name: 'memory',
  doc: 'resident memory of the walcast process',
  cases: CASES,
  async *run(context) {
    for (const { name, goal, runs } of context.cases) {
      const note = (text) => context.progress.show(`memory/${name}: ${text}`);
      yield makeRow({ suite: 'memory', name, unit: 'MB', goal, runs: await runs(context, note) });
    }
  },
};
