// Every command of docs/OPERATIONS.md, run as it stands there: only the ports are others.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { pageBlocks, Reader } from '../lib/docs.mjs';
import { startHouse } from '../lib/house.mjs';
import { freePort } from '../lib/scratch.mjs';
import { waitFor } from '../lib/wait.mjs';
import { JWT_SECRET } from '../lib/walcast.mjs';

const isReady = (port) => waitFor(`a gateway at ${port}`,
  () => fetch(`http://127.0.0.1:${port}/health/ready`).then(({ ok }) => ok, () => false), 60_000);

test('docs/OPERATIONS.md: set up, run, one more gateway, what to watch', async (t) => {
  const house = await startHouse(t, { walcast: false });
  const ports = { 4000: await freePort(), 4001: await freePort() };
  const [setUp, another, watch, ...more] = pageBlocks('docs/OPERATIONS.md', 'sh', ports);
  assert.deepEqual(more, [], 'every block is run here');
  const reader = new Reader({
    WALCAST_POSTGRES_URL: house.postgres.url, WALCAST_NATS_URL: house.nats.url,
    WALCAST_HTTP_LISTEN: `127.0.0.1:${ports[4000]}`, WALCAST_AUTH_JWT_SECRET: JWT_SECRET,
  });
  t.after(() => reader.remove());
  const first = reader.shell(t, setUp);
  await isReady(ports[4000]).catch((error) => assert.fail(`${error.message}: ${first.text()}`));
  const roles = await house.postgres.query("SELECT to_regprocedure('realtime.topic()') IS NOT NULL AS there");
  assert.equal(roles.rows[0].there, true, first.text());
  const second = reader.shell(t, another);
  await isReady(ports[4001]).catch((error) => assert.fail(`${error.message}: ${second.text()}`));
  await waitFor('each other', async () => {
    const watched = reader.shell(t, watch);
    assert.equal(await watched.ended, 0, watched.text());
    assert.match(watched.text(), /^\{"status":/);
    return /^walcast_ws_presence_nodes 1$/m.test(watched.text());
  }, 30_000);
});

test('every metric that docs/OPERATIONS.md names is one', async (t) => {
  const { walcast } = await startHouse(t, {});
  const page = readFileSync(new URL('../../docs/OPERATIONS.md', import.meta.url), 'utf8');
  const [table] = /^\| `walcast_…` \|[\s\S]*?\n\n/m.exec(page);
  const names = [...table.matchAll(/`((?:ws|auth|pg|fanout|audit|limits)_[a-z_]+)`/g)].map(([, name]) => name);
  assert.ok(names.length > 15);
  const served = await (await fetch(`${walcast.url}/metrics`)).text();
  for (const name of names)
    assert.match(served, new RegExp(`^# TYPE walcast_${name} `, 'm'));
});
