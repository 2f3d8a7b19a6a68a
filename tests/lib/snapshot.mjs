// `walcast snapshot` as tests use it, and the proof that the stream equals the tables.
import assert from 'node:assert/strict';
import { Copy } from './copy.mjs';
import { assertShapesTold } from './shapes.mjs';
import { waitConfirmed } from './slot.mjs';
import { waitFor } from './wait.mjs';
import { Walcast } from './walcast.mjs';

// "Other Schema.Pairs.of", split at its first dot, as the command takes it.
export const quoted = (name) => /^[a-z_]+\.[a-z_0-9]+$/.test(name) ? name
  : name.match(/^([^.]*)\.(.*)$/).slice(1).map((part) => `"${part.replaceAll('"', '""')}"`).join('.');

export const snapshot = (walcast, ...args) => walcast.command(['snapshot', ...args]);

// Resolves with its id, or with what --wait prints.
export async function started(walcast, table, ...options) {
  const { code, stdout, stderr } = await snapshot(walcast, 'start', table, ...options);
  assert.equal(code, 0, stderr + stdout);
  return stdout.trim();
}

export async function statusOf(walcast, id) {
  const { code, stdout, stderr } = await snapshot(walcast, 'status', id, '--json');
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

export async function statusOfAll(walcast) {
  const { code, stdout, stderr } = await snapshot(walcast, 'status', '--json');
  assert.equal(code, 0, stderr);
  return stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

export const waitRecord = (walcast, id, what, condition, timeout_ms = 60_000) =>
  waitFor(`snapshot ${id}: ${what}`, async () => {
    const record = await statusOf(walcast, id);
    if (!condition(record) && record.state === 'failed') return record; // for good
    return condition(record) ? record : Promise.reject(new Error(
      `it is ${record.state}, ${record.rows} rows, ${record.error}`));
  }, timeout_ms, 50).then((record) => {
    assert.ok(condition(record), `snapshot ${id} failed instead of ${what}: ${record.error}`);
    return record;
  });

export const waitState = (walcast, id, state, timeout_ms) =>
  waitRecord(walcast, id, state, (record) => record.state === state, timeout_ms);

// A role that may read `items` alone, for a house without Walcast.
export const READER = `CREATE ROLE reader LOGIN REPLICATION; GRANT SELECT ON items TO reader;
  GRANT CREATE ON DATABASE postgres TO reader`;

export async function startAsReader(house, config) {
  const url = new URL(house.postgres.url);
  url.username = 'reader';
  house.walcast = await Walcast.start({ ...house, config: { ...config, 'postgres.url': url.href } });
}

// Resolves with the copy once all that was committed is in the stream and makes the tables.
export async function assertCopied(house, keys) {
  await waitConfirmed(house.postgres);
  const copy = Copy.of(await house.walcast.changes(), keys);
  await copy.assertEqual(house.postgres);
  await assertShapesTold(house.nats); // rows of snapshots too stand behind their shape
  return copy;
}
