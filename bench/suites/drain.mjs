// Rows a second from a prepared slot into JetStream with acks, against pg_recvlogical of the same
// slot to /dev/null: the fastest that anything can read the slot.
import { LOADS } from '../lib/loads.mjs';
import { inTurns, makeRow, median } from '../lib/measure.mjs';
import { PreparedSlot } from '../lib/prepared_slot.mjs';
import { drain } from '../lib/walcast_drain.mjs';

const GOAL = { value: 0.9, on: 'ratio', bound: 'min' };

const CASES = [
  { name: 'small', doc: '200-byte rows of 5 columns, 10 a transaction', goal: GOAL },
  { name: 'big', doc: 'the same rows in one transaction', goal: GOAL },
  { name: 'wide', doc: '1 KB rows of 41 columns, 10 a transaction', goal: GOAL },
  { name: 'large', doc: '2 KB rows of 21 columns, 10 a transaction' },
  { name: 'tiny', doc: '200-byte rows, each its own transaction', goal: GOAL },
  { name: 'tpcb', doc: "TPC-B: 3 updates and an insert on alternating tables, runs of one row" },
];

function detailOf(prepared, runs) {
  const names = Object.keys(runs[0].ours).filter((name) => name !== 'seconds');
  const pgoutput = prepared.options.map((option) => option.join(' ')).join(' ');
  const medians = names.map((name) => [name, median(runs.map(({ ours }) => ours[name]))]);
  return { ...Object.fromEntries(medians), pgoutput };
}

async function runCase({ name, goal }, { progress, repeat, quick, perf }) {
  const note = (text) => progress.show(`drain/${name}: ${text}`);
  note('making the load');
  const prepared = await PreparedSlot.make(LOADS[name], quick);
  try {
    const runs = await inTurns(repeat, {
      ours: (turn) => drain(prepared, perf && { directory: perf, label: `drain-${name}-${turn}` }),
      peer: () => prepared.peerSeconds(),
    }, note);
    const rates = runs.map(({ ours, peer }) =>
      ({ ours: prepared.rows / ours.seconds, peer: prepared.rows / peer }));
    return makeRow({
      suite: 'drain', name, unit: 'rows/s', goal, runs: rates, detail: detailOf(prepared, runs),
    });
  } finally {
    await prepared.remove();
  }
}

export default {
  name: 'drain',
  doc: 'rows a second from a prepared slot into JetStream with acks; peer: pg_recvlogical to /dev/null',
  cases: CASES,
  async *run(context) {
    for (const one of context.cases) yield await runCase(one, context);
  },
};
