// What triggers cost a change: 10,000 rules on one table, each change matching one.
import { rulesProgram } from '../lib/environment.mjs';
import { inTurns, makeRow, median } from '../lib/measure.mjs';
import { runOk } from '../../tests/lib/process.mjs';

const RATE_GOAL = { value: 200_000, on: 'ours', bound: 'min' };
const SCALE_GOAL = { value: 0.5, on: 'ratio', bound: 'min' };
const FEW = 100;
const MANY = 10_000;

const MIXES = [
  ['equality', 'new.customer_id = N'],
  ['in', 'new.customer_id in (N, …)'],
  ['range', 'new.total >= N and new.total < N + 1'],
  ['prefix', "new.path like '/users/N/%'"],
  ['or', 'new.customer_id = N or new.path like …'],
  ['changed', 'new.customer_id = N and a changed status'],
  ['mixed', 'these five in turn'],
  ['common', 'three equalities, each shared by hundreds'],
  ['common-range', 'equalities shared by thousands, and a range'],
  ['common-mixed', 'no equality is rare: three equalities, ranges, prefixes in turn'],
];

const CASES = [
  ...MIXES.map(([name, doc]) => ({ name, doc: `10,000 of ${doc}; peer: each asked in turn`, mix: name, goal: RATE_GOAL,
    ours: ['index', MANY], peer: ['linear', MANY], beside: ['index', FEW] })),
  ...MIXES.map(([name]) => ({ name: `event-${name}`, doc: 'decoded, matched, key and body written; peer: the same of 100 rules', mix: name, goal: SCALE_GOAL,
    ours: ['event', MANY], peer: ['event', FEW] })),
];

async function measure(mix, [mode, rules], quick) {
  const seconds = quick ? 0.02 : mode === 'linear' ? 0.5 : 1;
  const count = quick ? Math.min(rules, 200) : rules;
  return JSON.parse(await runOk([rulesProgram(), mix, `${count}`, `${seconds}`, mode], { timeout_ms: 120_000 }));
}

async function runCase({ name, mix, goal, ours, peer, beside }, { progress, repeat, quick }) {
  const sides = { ours: () => measure(mix, ours, quick), peer: () => measure(mix, peer, quick) };
  if (beside) sides.few = () => measure(mix, beside, quick);
  const runs = await inTurns(repeat, sides, (text) => progress.show(`rules/${name}: ${text}`));
  const of = (side, field) => median(runs.map((run) => run[side][field]));
  return makeRow({ suite: 'rules', name, unit: 'events/s', goal,
    detail: { evaluated: of('ours', 'evaluated'), made_ms: of('ours', 'made_ms'), ...(beside && { of_100_rules: of('few', 'events_per_s') }) },
    runs: runs.map((run) => ({ ours: run.ours.events_per_s, peer: run.peer.events_per_s })) });
}

export default {
  name: 'rules',
  doc: 'changes matched against 10,000 triggers on one table, by one thread',
  cases: CASES,
  async *run({ cases, ...context }) {
    for (const one of cases) yield await runCase(one, context);
  },
};
