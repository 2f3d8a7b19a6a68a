// What the tests of gaps share: a source that must stop and say why, one that goes on behind a GAP
// event, and what the stream then holds.
import assert from 'node:assert/strict';
import { waitFor } from './wait.mjs';

export const SCHEMA = 'CREATE TABLE items (id bigint PRIMARY KEY, text text)';

export async function insert(postgres, from, count) {
  await postgres.query(
    "INSERT INTO items SELECT i, repeat('x', 100) FROM generate_series($1::int, $2::int) i",
    [from, from + count - 1]);
}

export const epochOf = (offset) => offset.split('-')[0];

async function reasonOf(walcast) {
  const response = await fetch(`${walcast.url}/health/ready`);
  return response.ok ? '' : JSON.parse(await response.text()).detail;
}

// Starts Walcast as it is configured by default: it must stop for `reason` with the choices, in
// readiness, metrics and log, and leave no event behind.
export async function assertStops({ walcast }, reason, pattern, { running = false } = {}) {
  const before = running ? 0 : (await gapsOf(walcast)).length;
  if (!running) walcast.start();
  const text = await waitFor(`a stop for ${reason}`, async () => {
    const said = await reasonOf(walcast);
    return said.includes(`(gap ${reason})`) ? said : Promise.reject(new Error(said));
  }, 30_000, 50);
  assert.match(text, pattern);
  assert.match(text, /--on-gap continue.*--on-gap snapshot.*docs\/OPERATIONS\.md, Gaps/);
  assert.equal(await walcast.metric('walcast_cdc_failed'), 1);
  assert.equal(await walcast.metric('walcast_cdc_gaps_total'), 0);
  assert.match(walcast.logText(), /stopped: nothing is read or confirmed/);
  await walcast.stop();
  assert.equal((await gapsOf(walcast)).length, before);
}

// Starts it once with --on-gap continue; resolves with the event's content.
export async function goOn({ walcast }, reason) {
  const before = await gapsOf(walcast);
  walcast.args = ['--on-gap', 'continue'];
  walcast.start();
  walcast.args = [];
  await walcast.ready(30_000);
  const gaps = await gapsOf(walcast);
  assert.equal(gaps.length, before.length + 1);
  assert.equal(gaps.at(-1).reason, reason);
  assert.equal(gaps.at(-1).policy, 'continue');
  assert.equal(await walcast.metric('walcast_cdc_gaps_total'), 1);
  return gaps.at(-1);
}

// The contents of all GAP events, in stream order.
export async function gapsOf(walcast) {
  const changes = await walcast.changes();
  return changes.filter((change) => change.op === 'GAP').map((change) => {
    assert.equal(change.message.prefix, 'walcast.gap');
    return JSON.parse(change.message.content);
  });
}

// The ids of all inserts, in stream order.
export async function idsOf(walcast) {
  const changes = await walcast.changes();
  return changes.filter((change) => change.op === 'INSERT').map((change) => Number(change.record.id));
}
