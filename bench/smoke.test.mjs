// bench/run's form, not its figures: every suite with a load too small to mean anything.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createServer } from 'node:net';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run, runOk } from '../tests/lib/process.mjs';
import { removeScratch, scratchDirectory } from '../tests/lib/scratch.mjs';
import { ReleaseError, program, requireRelease } from './lib/environment.mjs';
import { inTurns, makeRow, median, percentile } from './lib/measure.mjs';

const BENCH = join(dirname(fileURLToPath(import.meta.url)), 'run');
const FIELDS = ['suite', 'case', 'ours', 'peer', 'ratio', 'unit', 'goal', 'n', 'spread', 'met'];
const scratch = scratchDirectory();
after(() => removeScratch(scratch));

const isFigure = (value) => Number.isFinite(value) && value >= 0;

function assertRow(row) {
  const name = `${row.suite}/${row.case}`;
  for (const field of FIELDS) assert.ok(field in row, `${name} has ${field}`);
  assert.ok(isFigure(row.ours), `${name}: ours is ${row.ours}`);
  assert.ok(row.peer === null || isFigure(row.peer), `${name}: peer is ${row.peer}`);
  assert.ok(row.ratio === null || isFigure(row.ratio), `${name}: ratio is ${row.ratio}`);
  assert.equal(row.n, 1);
  assert.deepEqual(row.spread.ours, [row.ours, row.ours], name);
  assert.equal(typeof row.met, row.goal === null ? 'object' : 'boolean', name);
}

test('every case of every suite gives a row of finite figures', { timeout: 260_000 }, async () => {
  const file = join(scratch, 'bench.json');
  const table = await runOk([BENCH, '--quick', '--json', file], { timeout_ms: 240_000 });
  const { environment, rows, errors } = JSON.parse(readFileSync(file, 'utf8'));
  assert.ok(environment.cores > 0 && environment.kernel && environment.quick);
  assert.deepEqual(errors, []);
  rows.forEach(assertRow);
  const list = await runOk([BENCH, '--list']);
  const cases = [...list.matchAll(/^ {2}(\S+\/\S+)/gm)].map(([, name]) => name);
  assert.deepEqual(rows.map((row) => `${row.suite}/${row.case}`), cases);
  for (const row of rows) assert.match(table, new RegExp(`^${row.suite} +${row.case} `, 'm'));
});

test('a debug build, a sanitized one and one of unknown making are refused', () => {
  const binaryOf = (name, cache, code = '') => {
    const directory = join(scratch, name);
    mkdirSync(directory);
    if (cache) writeFileSync(join(directory, 'CMakeCache.txt'), cache);
    writeFileSync(join(directory, 'walcast'), code);
    return join(directory, 'walcast');
  };
  const release = 'CMAKE_BUILD_TYPE:STRING=RelWithDebInfo\nWALCAST_SANITIZE:STRING=';
  requireRelease(binaryOf('release', `${release}\n`));
  for (const binary of [
    binaryOf('debug', 'CMAKE_BUILD_TYPE:STRING=Debug\n'),
    binaryOf('asan', `${release}address\n`),
    binaryOf('marked', `${release}\n`, 'code\0__tsan_init\0'),
    binaryOf('unknown'),
    join(scratch, 'missing', 'walcast'),
  ]) assert.throws(() => requireRelease(binary), ReleaseError);
});

const PAYLOAD_BYTES = 200;
const PUBLISHED_BYTES = 8 + PAYLOAD_BYTES; // a masked frame

// A WebSocket server that passes each message on to all subscribers, after `spoil` had it: that
// returns the payloads to send instead of the nth one.
async function spoiledServer(t, spoil) {
  const subscribers = [];
  const sockets = new Set();
  let count = 0;
  const spread = (payload) => {
    for (const one of spoil(payload, count++))
      for (const socket of subscribers)
        socket.write(Buffer.concat([Buffer.from([0x81, 126, 0, PAYLOAD_BYTES]), one]));
  };
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.once('data', (request) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
      if (!`${request}`.startsWith('GET /pub')) return subscribers.push(socket);
      let input = Buffer.alloc(0);
      return socket.on('data', (bytes) => {
        input = Buffer.concat([input, bytes]);
        for (; input.length >= PUBLISHED_BYTES; input = input.subarray(PUBLISHED_BYTES))
          spread(input.subarray(PUBLISHED_BYTES - PAYLOAD_BYTES, PUBLISHED_BYTES));
      });
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return server.address().port;
}

test('the broadcast load has a figure only when every message came, once, in order, as it was', async (t) => {
  const load = async (spoil, rate) => run([program('fan'), 'epoll', `${await spoiledServer(t, spoil)}`,
    '-', '3', '2', `${rate}`, '1'], { timeout_ms: 60_000 });
  const at = (index, instead) => (payload, count) => (count === index ? instead(payload) : [payload]);
  for (const rate of [0, 20]) {
    const { code, stdout, stderr } = await load((payload) => [payload], rate);
    assert.equal(code, 0, stderr);
    const { published, deliveries } = JSON.parse(stdout);
    assert.ok(published > 0 && deliveries === 3 * published, stdout);
    for (const [spoil, problem] of [
      [at(5, () => []), /got message \d+ of publisher \d, expected \d+/],
      [at(5, (payload) => [payload, payload]), /got message \d+ of publisher \d, expected \d+/],
      [at(5, (payload) => [Buffer.from(payload).fill('?', 16, 20)]), /a message came changed/],
    ]) {
      const spoiled = await load(spoil, rate);
      assert.equal(spoiled.code, 1, spoiled.stdout);
      assert.match(spoiled.stderr, problem);
    }
  }
});

test('unknown suites, cases and options are usage errors', async () => {
  for (const words of [['draim'], ['drain/smal'], ['--fast'], ['--repeat', '0'], ['--repeat', 'x']]) {
    const { code, stderr } = await run([BENCH, ...words]);
    assert.equal(code, 2, words.join(' '));
    assert.match(stderr, /^bench\/run: /);
  }
});

test('medians, percentiles, ratios and goals', async () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([4, 1, 2, 9]), 3);
  assert.equal(percentile([1, 2, 3, 4], 0.5), 2);
  assert.equal(percentile(Array.from({ length: 100 }, (_, at) => at), 0.99), 98);
  const order = [];
  const runs = await inTurns(2, {
    ours: (turn) => order.push(`ours ${turn}`) && 8, peer: (turn) => order.push(`peer ${turn}`) && 10,
  }, () => {});
  assert.deepEqual(order, ['ours 0', 'peer 0', 'peer 1', 'ours 1']);
  const goal = { value: 0.9, on: 'ratio', bound: 'min' };
  const row = makeRow({ suite: 's', name: 'c', unit: 'rows/s', goal, runs });
  assert.deepEqual({ ratio: row.ratio, met: row.met }, { ratio: 0.8, met: false });
  const floor = makeRow({ suite: 's', name: 'c', unit: 'ms', runs: [{ ours: 1, peer: 0 }] });
  assert.deepEqual({ ratio: floor.ratio, met: floor.met }, { ratio: null, met: null });
});
