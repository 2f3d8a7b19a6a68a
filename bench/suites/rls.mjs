// Row-level security at the engine's speed: ten thousand subscribers who each may see their own rows
// by `user_id = auth.uid()`, against the same who filter for them in a table without policies.
// Beside it, what PostgreSQL decides itself: a policy with a sub-query.
import { deliver, startOwnedRows } from '../lib/owned_rows.mjs';
import { inTurns, makeRow, median } from '../lib/measure.mjs';
import { Scope } from '../lib/scope.mjs';

const GOAL = { value: 0.8, on: 'ratio', bound: 'min' };

const CASES = [
  { name: 'one', doc: 'each change visible to one of 10,000; peer: eq filters, no policies', goal: GOAL,
    full: { connections: 10_000, owners: 10_000, rows: 200_000 }, quick: { connections: 20, owners: 20, rows: 40 } },
  { name: 'ten', doc: 'each change visible to ten sessions of one user, of 10,000 sessions', goal: GOAL,
    full: { connections: 10_000, owners: 1_000, rows: 20_000 }, quick: { connections: 20, owners: 2, rows: 20 } },
  { name: 'sql-100', doc: 'a policy with a sub-query, 100 subscribers in teams of ten; no peer', query: true,
    full: { connections: 100, owners: 10, rows: 500 }, quick: { connections: 10, owners: 1, rows: 2 } },
  { name: 'sql-1000', doc: 'the same, 1,000 subscribers in teams of ten', query: true,
    full: { connections: 1_000, owners: 100, rows: 100 }, quick: { connections: 20, owners: 2, rows: 2 } },
];

const sidesOf = (house, load, query) => query
  ? { ours: () => deliver(house, { ...load, by: 'query' }) }
  : { ours: () => deliver(house, { ...load, by: 'policy' }), peer: () => deliver(house, { ...load, by: 'filter' }) };

function detailOf(runs) {
  const of = (side, prefix = '') => Object.fromEntries(Object.keys(runs[0][side] ?? {})
    .filter((field) => field !== 'rate')
    .map((field) => [`${prefix}${field}`, median(runs.map((run) => run[side][field]))]));
  return { ...of('ours'), ...of('peer', 'peer_') };
}

async function runCase(house, { name, goal, query, full, quick: small }, { progress, repeat, quick }) {
  const runs = await inTurns(repeat, sidesOf(house, quick ? small : full, query),
    (text) => progress.show(`rls/${name}: ${text}`));
  return makeRow({ suite: 'rls', name, unit: 'msg/s', goal, detail: detailOf(runs),
    runs: runs.map(({ ours, peer }) => ({ ours: ours.rate, peer: peer?.rate })) });
}

export default {
  name: 'rls',
  doc: 'deliveries a second under row-level security, 10,000 subscribers with an auth.uid() each',
  cases: CASES,
  async *run({ cases, ...context }) {
    const scope = new Scope();
    try {
      const house = await startOwnedRows(scope);
      for (const one of cases) yield await runCase(house, one, context);
      scope.passed = true;
    } finally {
      await scope.end();
    }
  },
};
