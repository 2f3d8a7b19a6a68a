// Fifty thousand WebSocket connections that have joined one channel each and say nothing: resident
// memory of each, and how fast they came in, handshakes included. Where a process may not have as
// many descriptors, as many gateways as it takes share them, one after the other filled; the
// memory is then all gateways' growth.
import { readFileSync } from 'node:fs';
import { startHouse } from '../../tests/lib/house.mjs';
import { Walcast } from '../../tests/lib/walcast.mjs';
import { realtimeClients, startReader } from '../lib/commits.mjs';
import { inTurns, makeRow, median } from '../lib/measure.mjs';
import { residentMb } from '../lib/proc.mjs';
import { Scope } from '../lib/scope.mjs';
import { UNLIMITED } from '../lib/unlimited.mjs';

const CONNECTIONS = 50_000;
const QUICK_CONNECTIONS = 200;
const SPARE_DESCRIPTORS = 500;
const SETTLE_MS = 2_000;
const CONFIG = { ...UNLIMITED, 'ws.max_connections': '100000', 'ws.idle_timeout': '1h' };

const CASES = [
  { name: 'memory', doc: 'resident memory a connection', unit: 'KB', goal: { value: 8, on: 'ours', bound: 'max' } },
  { name: 'joins', doc: 'connections opened and channels joined', unit: 'joins/s',
    goal: { value: 2000, on: 'ours', bound: 'min' } },
];

// What children of this process may open.
function descriptors() {
  const [, soft] = readFileSync('/proc/self/limits', 'utf8').match(/^Max open files +(\d+)/m);
  return Number(soft);
}

function sharesOf(connections) {
  const gateways = Math.ceil(connections / (descriptors() - SPARE_DESCRIPTORS));
  return Array.from({ length: gateways }, (_, at) =>
    Math.floor((connections * (at + 1)) / gateways) - Math.floor((connections * at) / gateways));
}

async function fill(scope, house, connections) {
  const gateway = await Walcast.start({ ...house, config: CONFIG, args: ['--roles', 'ws'] });
  scope.after(() => gateway.remove());
  await gateway.ready();
  const before_mb = residentMb(gateway.process.pid);
  const reader = startReader(await realtimeClients(gateway,
    { table: '-', connections, bindings: 0, rows: 0 }), scope);
  const seconds = await reader.ready;
  return { gateway, before_mb, seconds };
}

function measure(connections) {
  return Scope.run(async (scope) => {
    const house = await startHouse(scope, { args: ['--roles', 'cdc'] });
    const filled = [];
    for (const share of sharesOf(connections)) filled.push(await fill(scope, house, share));
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const sum = (of) => filled.reduce((total, one) => total + of(one), 0);
    return {
      memory: sum(({ gateway, before_mb }) => residentMb(gateway.process.pid) - before_mb) * 1024 / connections,
      joins: connections / sum(({ seconds }) => seconds),
      empty_mb: sum(({ before_mb }) => before_mb),
      gateways: filled.length,
    };
  });
}

export default {
  name: 'idle',
  doc: '50,000 idle WebSocket connections, a joined channel each',
  cases: CASES,
  async *run({ cases, progress, repeat, quick }) {
    const connections = quick ? QUICK_CONNECTIONS : CONNECTIONS;
    const runs = await inTurns(repeat, { ours: () => measure(connections) },
      (text) => progress.show(`idle: ${text}`));
    for (const { name, unit, goal } of cases) {
      const of = (field) => median(runs.map(({ ours }) => ours[field]));
      yield makeRow({
        suite: 'idle', name, unit, goal, runs: runs.map(({ ours }) => ({ ours: ours[name] })),
        detail: name === 'memory' ? { connections, gateways: of('gateways'), empty_mb: of('empty_mb') } : undefined,
      });
    }
  },
};
