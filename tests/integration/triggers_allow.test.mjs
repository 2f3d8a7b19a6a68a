// Private addresses are opened to the projects that triggers.allow names them for, and to no other
// one, whatever connection is open already.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goodToken } from '../lib/tokens.mjs';
import { outcomes, SCHEMA, startTriggers, trigger } from '../lib/triggers.mjs';
import { Receiver } from '../lib/webhooks.mjs';
import { waitFor } from '../lib/wait.mjs';

const PROJECTS = ['acme', 'beta'];

test('an address is open to the one project that it was opened for, on kept connections too', async (t) => {
  const receiver = await Receiver.start(t);
  let connections = 0;
  receiver.server.on('connection', () => connections++);
  const house = await startTriggers(t, PROJECTS.map((project) => `project: ${project}\n${trigger(`${receiver.url}/${project}`, { retry: '[100ms, 100ms]' })}`),
    { 'triggers.allow': 'acme=127.0.0.1', 'postgres.tables': '*.*', 'postgres.tenant_schemas': 'proj_{project_id}' },
    `${SCHEMA}; ${PROJECTS.map((project) => `CREATE SCHEMA proj_${project}; CREATE TABLE proj_${project}.orders (LIKE orders INCLUDING ALL)`).join(';')}`);
  const insert = (project, id) => house.postgres.query(`INSERT INTO proj_${project}.orders VALUES (${id}, ${id}, 'paid')`);
  for (let id = 1; id <= 20; id++) {
    await insert('acme', id); // its connection is there and idle when beta's turn comes
    await receiver.waitFor(id);
    await insert('beta', id);
  }
  const refused = await waitFor('what became of beta\'s', async () => {
    const all = await outcomes(house, 'orders', '--project', 'beta');
    return new Set(all.map(({ event_id }) => event_id)).size === 20 && all;
  });
  for (const { outcome, reason } of refused) {
    assert.notEqual(outcome, 'delivered');
    if (outcome === 'failed' || outcome === 'dead') assert.match(reason, /127\.0\.0\.1 is a loopback address/);
  }
  assert.ok(refused.some(({ reason }) => /loopback/.test(reason)));
  assert.deepEqual([...new Set(receiver.events.map(({ path }) => path))], ['/acme']);
  assert.equal(receiver.delivered.length, 20);
  assert.ok(connections < 10, `${connections} connections for 20 deliveries: they are kept`);

  const enqueue = async (project) => {
    const response = await fetch(`${house.walcast.url}/jobs/v1`, { method: 'POST',
      headers: { authorization: `Bearer ${goodToken({ role: 'service_role', project_id: project })}` },
      body: JSON.stringify({ queue: 'q', callback: receiver.url }) });
    return { status: response.status, text: await response.text() };
  };
  const [mine, others] = [await enqueue('acme'), await enqueue('beta')];
  assert.equal(mine.status, 202, mine.text);
  assert.equal(others.status, 400, others.text);
  assert.match(others.text, /loopback/);
});
