// The helpers themselves: what every other integration test stands on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { existsSync } from 'node:fs';
import { startHouse } from '../lib/house.mjs';
import { waitFor } from '../lib/wait.mjs';

test('PostgreSQL keeps its data over a stop and a kill, on the same port', async (t) => {
  const { postgres } = await startHouse(t, { schema: 'CREATE TABLE a (id int)', walcast: false });
  await postgres.query('INSERT INTO a VALUES (1)');
  await postgres.restart();
  await postgres.query('INSERT INTO a VALUES (2)');
  await postgres.kill();
  await assert.rejects(postgres.query('SELECT 1'));
  await postgres.restart();
  const { rows } = await postgres.query('SELECT array_agg(id) AS ids FROM a');
  assert.deepEqual(rows[0].ids, [1, 2]);
  const { rows: level } = await postgres.query('SHOW wal_level');
  assert.equal(level[0].wal_level, 'logical');
});

test('nats-server keeps a stream over a stop and a kill', async (t) => {
  const { nats } = await startHouse(t, { walcast: false });
  await nats.manage((manager) => manager.streams.add({ name: 'KEPT', subjects: ['kept'] }));
  await nats.restart();
  await nats.manage((manager, connection) => connection.request('kept', 'one'));
  await nats.kill();
  await nats.restart();
  assert.equal((await nats.streamInfo('KEPT')).state.messages, 1);
});

test('what a test started is gone after it', async (t) => {
  const left = {};
  await t.test('starts servers', async (inner) => {
    Object.assign(left, await startHouse(inner, { walcast: false }));
  });
  for (const server of [left.postgres, left.nats]) {
    assert.equal(server.process.alive, false);
    assert.equal(existsSync(`/proc/${server.process.pid}`), false);
    assert.equal(existsSync(server.directory), false);
  }
});

test('waitFor says what it waited for and what it saw last', async () => {
  const failing = waitFor('sunrise', () => { throw new Error('still dark'); }, 30);
  await assert.rejects(failing, /no sunrise within 30 ms \(still dark\)/);
});
