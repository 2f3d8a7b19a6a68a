// 10,000 clients (--clients N) lose their gateway at once and come back to another, with `since`.
// They stand at one gateway, which is killed with SIGKILL; rows go on being committed, and the other
// gateway is told about by all of them at the same moment (bench/load/herd.c). Each must get every
// row once, within a bounded time; the gateway's memory stays bounded; history is read for all
// together; and clients that were at the other gateway all the while get their rows in time. Once
// with the history in the gateway's memory, once with the stream's alone.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { suite, test } from 'node:test';
import { parseArgs } from 'node:util';
import { startHouse } from '../lib/house.mjs';
import { BINARY, Walcast } from '../lib/walcast.mjs';
import { waitFor } from '../lib/wait.mjs';

const { values } = parseArgs({ options: { clients: { type: 'string', default: '10000' } } });
const CLIENTS = Number(values.clients);
const BESIDE = 20;
const BEFORE = 50, MISSED = 150, DURING = 100; // rows: while all is well, without a gateway, while they come
const ROWS = BEFORE + MISSED + DURING;
const RATE_MS = 50; // between two rows of those
const BENCH = `${dirname(BINARY)}/bench`;
const SECONDS = 15 + CLIENTS / 250; // on a busy machine, for all of them
const P99_MS = 4000;
const MIB = 1 << 20;
const SCHEMA = 'CREATE TABLE ticks (id bigint PRIMARY KEY, sent_at bigint, note text)';
const UNLIMITED = Object.fromEntries(['max_project_joins_per_second', 'max_project_messages_per_second'].map((key) => [`ws.${key}`, 0]));

// A load program: what it prints, as it comes.
function program(t, name, args) {
  const child = spawn(`${BENCH}/bench_${name}`, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const it = { child, lines: [], errors: '', code: undefined };
  t.after(() => child.kill('SIGKILL'));
  createInterface({ input: child.stdout }).on('line', (line) => it.lines.push(line));
  child.stderr.on('data', (data) => { it.errors += data; });
  const failed = new Promise((resolve, reject) => {
    child.on('close', (code) => {
      it.code = code;
      if (code !== 0) reject(new Error(`${name}: ${it.errors}`));
    });
  });
  failed.catch(() => {}); // awaited where something is expected of it
  it.says = (word, timeout_ms) => Promise.race([failed,
    waitFor(`${name} to say ${word}`, () => it.lines.find((line) => line.startsWith(word)), timeout_ms)]);
  it.seconds = async (word, timeout_ms) => Number((await it.says(word, timeout_ms)).split(' ')[1]);
  return it;
}

suite(`a herd of ${CLIENTS}`, () => {
  for (const [where, config, readsPerSecond] of [
    ['in memory', {}, 0],
    ['in the stream alone', { 'ws.tail_bytes': '32KiB' }, 2], // a second, for all together
  ])
    test(`the history is ${where}`, async (t) => {
      const house = await startHouse(t, { schema: SCHEMA, args: ['--roles', 'cdc'] });
      const gateway = async () => {
        const walcast = await Walcast.start({ ...house, args: ['--roles', 'ws'],
          config: { ...UNLIMITED, ...config, 'ws.max_connections': CLIENTS + BESIDE, 'ws.idle_timeout': '1h', 'http.threads': 2 } });
        t.after(() => walcast.remove());
        return walcast.ready();
      };
      const [dies, stays] = [await gateway(), await gateway()];
      const token = await stays.token({ role: 'service_role' });
      const sent_us = [];
      const insert = async (count, pause_ms) => {
        for (let i = 0; i < count; i++) {
          sent_us.push((performance.timeOrigin + performance.now()) * 1000);
          await house.postgres.query(`INSERT INTO ticks VALUES (${sent_us.length}, 0, repeat('x', 500))`);
          await new Promise((resolve) => setTimeout(resolve, pause_ms));
        }
      };

      const beside = program(t, 'realtime_clients', [stays.port, token, 'ticks', '-', BESIDE, 1, 1, ROWS].map(String));
      const herd = program(t, 'herd', [dies.port, token, 'ticks', CLIENTS, ROWS].map(String));
      await beside.says('ready', 60_000);
      await herd.says('ready', 60_000);
      await insert(BEFORE, RATE_MS);
      await dies.process.kill('SIGKILL');
      await herd.says('closed', 60_000);
      await insert(MISSED, 0);
      const rss = () => stays.metric('process_resident_memory_bytes');
      const before = await rss();
      let most = before;
      const looks = setInterval(async () => { most = Math.max(most, await rss().catch(() => 0)); }, 200);
      t.after(() => clearInterval(looks));
      herd.child.stdin.write(`${stays.port}\n`);
      await insert(DURING, RATE_MS);
      const resumed = await herd.seconds('resumed', 120_000);
      const done = await herd.seconds('done', 120_000);
      await waitFor('those beside', () => beside.code === 0, 30_000);

      const delays_ms = beside.lines.filter((line) => /^\d/.test(line)).flatMap((line) => {
        const [id, ...came_us] = line.split(' ').map(Number);
        return id > BEFORE + MISSED ? came_us.map((us) => (us - sent_us[id - 1]) / 1000) : [];
      }).sort((a, b) => a - b);
      assert.equal(delays_ms.length, DURING * BESIDE);
      const at = (part) => delays_ms[Math.floor(delays_ms.length * part)];
      const reads = await stays.metric('walcast_ws_history_reads_total');
      const kb = (most - before) / 1024 / CLIENTS;
      t.diagnostic(`all live after ${resumed.toFixed(2)} s, all rows after ${done.toFixed(2)} s; ${reads} reads of history; ` +
        `${(before / MIB).toFixed(0)} to ${(most / MIB).toFixed(0)} MiB, ${kb.toFixed(1)} KiB each; ` +
        `beside: p50 ${at(0.5).toFixed(1)}, p99 ${at(0.99).toFixed(1)}, most ${delays_ms.at(-1).toFixed(1)} ms`);
      assert.ok(resumed < SECONDS, `${resumed} s until all were live`);
      assert.ok(reads <= readsPerSecond * (3 + Math.ceil(resumed)), `${reads} reads of history`);
      if (readsPerSecond > 0) assert.ok(reads > 0, 'the stream was read');
      assert.equal(await stays.metric('walcast_ws_resumes_total'), CLIENTS);
      assert.equal(await stays.metric('walcast_ws_slow_clients_closed_total'), 0);
      assert.ok(most - before < 32 * MIB + CLIENTS * 16 * 1024, `${most - before} bytes more`);
      assert.ok(at(0.99) < P99_MS, `p99 ${at(0.99)} ms beside them`);
    });
});
