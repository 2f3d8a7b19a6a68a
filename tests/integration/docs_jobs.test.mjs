// The command and both workers of docs/JOBS.md, run as they stand there: only the ports are others.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { pageBlocks, Reader } from '../lib/docs.mjs';
import { startHouse } from '../lib/house.mjs';
import { waitFor } from '../lib/wait.mjs';
import '../lib/triggers_role.mjs';

suite('docs/JOBS.md', () => {
  let house;
  let reader;
  let token;
  const cleanups = [];
  const blocks = (language) => pageBlocks('docs/JOBS.md', language, { 4000: house.walcast.port, 4222: house.nats.port })
    .map((block) => block.replaceAll('/dev/tcp/127.0.0.1/4222', `/dev/tcp/127.0.0.1/${house.nats.port}`));
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true }, {});
    token = await house.walcast.token({ role: 'service_role' });
    reader = new Reader({ ...house.walcast.env, TOKEN: token });
    cleanups.push(() => reader.remove());
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  const succeeds = (id) => waitFor(`job ${id} that has succeeded`, async () => {
    const response = await fetch(`${house.walcast.url}/jobs/v1/${id}`, { headers: { authorization: `Bearer ${token}` } });
    const job = response.ok && await response.json();
    return job.state === 'succeeded' && job;
  }, 30_000);

  test('every block is run here', () => {
    assert.deepEqual(['sh', 'js', 'bash', 'yaml'].map((language) => blocks(language).length), [1, 1, 1, 1]);
  });

  test('the definition of an endpoint is a good one', async () => {
    const response = await fetch(`${house.walcast.url}/v1/projects/default/triggers`, { method: 'POST',
      headers: { authorization: `Bearer ${token}` }, body: blocks('yaml')[0] });
    assert.equal(response.status, 201, await response.text());
    await fetch(`${house.walcast.url}/v1/projects/default/triggers/mail-worker/disable`, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
  });

  test('the command enqueues, the worker in JavaScript does the job', async (t) => {
    writeFileSync(join(reader.directory, 'worker.mjs'), blocks('js')[0]);
    reader.run(t, 'node', ['worker.mjs']);
    const command = reader.run(t, 'sh', ['-c', blocks('sh')[0]]);
    await command.ended;
    const { id } = JSON.parse(command.text());
    assert.deepEqual((await succeeds(id)).result, { sent: 'ada@example.com' });
  });

  test('the worker in a shell does its jobs', async (t) => {
    const worker = reader.run(t, 'bash', ['-c', blocks('bash')[0]]);
    for (let n = 0; n < 3; n++) {
      const response = await fetch(`${house.walcast.url}/jobs/v1`, { method: 'POST',
        headers: { authorization: `Bearer ${token}` }, body: JSON.stringify({ queue: 'reports', payload: { n, text: 'a "b" {c}' } }) });
      const { id } = await response.json();
      assert.equal((await succeeds(id)).result, 'done by a shell', worker.text());
    }
  });
});
