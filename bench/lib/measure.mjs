// Repeated measurement and what is made of it. A suite runs ours and the peer in turns, so that a
// slow minute of the machine falls on both, and reports the median with the least and the most.

export function median(values) {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// The value that `share` (0.5, 0.99) of the sorted values do not exceed.
export function percentile(sorted, share) {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

function rangeOf(values) {
  return [Math.min(...values), Math.max(...values)];
}

// Runs each of `sides` ({ ours, peer }, or whatever they are called) `repeat` times; every other turn
// goes through them backwards. Resolves with what they resolved with, an object of the same names
// for each turn.
export async function inTurns(repeat, sides, note) {
  const runs = [];
  const order = Object.entries(sides);
  for (let turn = 0; turn < repeat; turn++) {
    const one = {};
    for (const [name, side] of turn % 2 ? order.toReversed() : order) {
      note(`${name} ${turn + 1} of ${repeat}`);
      one[name] = await side(turn);
    }
    runs.push(one);
  }
  return runs;
}

// The ratio of ours to the peer's; none where the peer's figure is 0 (a latency's floor).
function ratioOf(ours, peer) {
  return peer ? ours / peer : null;
}

function isMet(goal, { ours, ratio }) {
  if (!goal) return null;
  const figure = goal.on === 'ratio' ? ratio : ours;
  return goal.bound === 'min' ? figure >= goal.value : figure <= goal.value;
}

// One row of the report. runs: [{ ours, peer }] of numbers, peer undefined throughout where there
// is none. goal: { value, on: 'ratio' | 'ours', bound: 'min' | 'max' }, or none. detail: whatever
// else is worth keeping.
export function makeRow({ suite, name, unit, goal, runs, detail }) {
  const side = (pick) => runs.map((run) => run[pick]);
  const hasPeer = runs.every((run) => run.peer !== undefined);
  const ours = median(side('ours'));
  const peer = hasPeer ? median(side('peer')) : null;
  const ratio = hasPeer ? ratioOf(ours, peer) : null;
  const ratios = runs.map((run) => ratioOf(run.ours, run.peer)).filter((each) => each !== null);
  return {
    suite, case: name, ours, peer, ratio, unit,
    goal: goal?.value ?? null, goal_on: goal?.on ?? null, goal_bound: goal?.bound ?? null,
    met: isMet(goal, { ours, ratio }),
    n: runs.length,
    spread: {
      ours: rangeOf(side('ours')),
      peer: hasPeer ? rangeOf(side('peer')) : null,
      ratio: hasPeer && ratios.length ? rangeOf(ratios) : null,
    },
    ...(detail && { detail }),
  };
}
