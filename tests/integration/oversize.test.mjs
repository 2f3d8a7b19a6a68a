// Issue point 12: rows beyond the broker's max_payload (1 MiB by default) are split over several
// messages and put together again; nothing is cut, whoever is killed when.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { startHouse } from '../lib/house.mjs';
import { partAt } from '../lib/parts.mjs';
import { assertOrdered, waitConfirmed } from '../lib/slot.mjs';
import { connectRealtime, received, subscribe } from '../lib/subscriber.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';

const test = together(2);

const MIB = 1 << 20;
const SCHEMA = 'CREATE TABLE docs (id int PRIMARY KEY, doc jsonb, note text)';

// About `bytes` of text that does not repeat, another one for each seed.
const text = (bytes, seed = 0) =>
  `(SELECT string_agg(md5(i::text || '-' || ${seed}), '') FROM generate_series(1, ${Math.ceil(bytes / 32)}) i)`;
const insert = (id, bytes) =>
  `INSERT INTO docs SELECT ${id}, jsonb_build_object('text', ${text(bytes, id)}), 'row ${id}'`;

const md5 = (value) => createHash('md5').update(value).digest('hex');

// Every row of the table came once, with the very text that the table holds.
async function assertWhole({ postgres, walcast }) {
  const changes = await walcast.changes();
  assertOrdered(changes);
  const { rows } = await postgres.query(
    "SELECT id, md5(doc->>'text') AS sum, length(doc->>'text') AS length FROM docs ORDER BY id");
  const inserts = changes.filter(({ op }) => op === 'INSERT');
  assert.deepEqual(inserts.map(({ record }) => ({ id: record.id, sum: md5(record.doc.text),
    length: record.doc.text.length })).sort((a, b) => a.id - b.id), rows);
  return changes;
}

test('a 50 MB jsonb arrives whole', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA });
  await house.postgres.query(`${insert(1, 10)}; ${insert(2, 50e6)}; ${insert(3, 10)}`);
  await waitConfirmed(house.postgres);
  const changes = await assertWhole(house);
  assert.deepEqual(changes.map(({ record }) => record.id), [1, 2, 3]);
  assert.ok(changes[1].record.doc.text.length >= 50e6);
  const { state } = await house.nats.streamInfo();
  assert.ok(state.messages >= 50, `${state.messages} messages`);
});

test('old and new images, the only row, the last row, a message: all may be large', async (t) => {
  const house = await startHouse(t, { schema: `${SCHEMA}; ALTER TABLE docs REPLICA IDENTITY FULL` });
  const { postgres, walcast } = house;
  await postgres.query(insert(1, 3 * MIB));
  await postgres.query(`UPDATE docs SET note = 'changed'`);
  await postgres.query(`DELETE FROM docs`);
  await postgres.query(`SELECT pg_logical_emit_message(true, 'big', ${text(2 * MIB)}),
    pg_logical_emit_message(false, 'big', ${text(2 * MIB)})`);
  await waitConfirmed(postgres);
  const [created, updated, deleted, ...messages] = await walcast.changes();
  const sum = md5(created.record.doc.text);
  assert.equal(created.record.doc.text.length, 3 * MIB);
  assert.equal(updated.record.note, 'changed');
  assert.equal(md5(updated.record.doc.text), sum);
  assert.equal(md5(updated.old_record.doc.text), sum);
  assert.equal(md5(deleted.old_record.doc.text), sum);
  assert.deepEqual(messages.map(({ message }) => [message.content.length, message.transactional]).sort(),
    [[2 * MIB, false], [2 * MIB, true]]);
});

test('walcast killed between two parts: the row comes once and whole', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA });
  const { postgres, nats, walcast } = house;
  let within = 0;
  await nats.manage(async (manager) => {
    for (let id = 1; id <= 12 && within < 4; id++) {
      const before = (await manager.streams.info('WALCAST').catch(() => ({ state: { last_seq: 0 } }))).state.last_seq;
      await postgres.query(`BEGIN; ${insert(100 + id, 10)}; ${insert(id, 16e6)}; ${insert(200 + id, 10)}; COMMIT`);
      await waitFor('some parts in the stream', async () =>
        (await manager.streams.info('WALCAST')).state.last_seq >= before + 2 + (id % 4) * 3, 30_000, 1);
      await walcast.kill();
      const part = await partAt(manager);
      if (part && part.index + 1 < part.count) within++;
      walcast.start();
      await waitConfirmed(postgres);
    }
  });
  assert.ok(within >= 2, `killed within a row ${within} times`);
  await assertWhole(house);
});

test('nats-server killed between two parts', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA });
  const { postgres, nats } = house;
  for (let id = 1; id <= 3; id++) {
    const before = (await nats.streamInfo()).state.last_seq;
    await postgres.query(insert(id, 30e6));
    await waitFor('some parts in the stream', async () =>
      (await nats.streamInfo()).state.last_seq > before + 2, 30_000, 1);
    await nats.kill();
    await nats.restart();
    await waitConfirmed(postgres);
  }
  await assertWhole(house);
});

test('tail that begins within a row gives the row', async (t) => {
  const { postgres, nats, walcast } = await startHouse(t, { schema: SCHEMA });
  await postgres.query(`${insert(1, 10)}; ${insert(2, 4 * MIB)}; ${insert(3, 10)}`);
  await waitConfirmed(postgres);
  const { state } = await nats.streamInfo();
  let parts = 0;
  await nats.manage(async (manager) => {
    for (let sequence = state.first_seq; sequence <= state.last_seq; sequence++) {
      const part = await partAt(manager, sequence);
      if (!part) continue;
      parts++;
      const changes = await walcast.changes({ from: `seq:${sequence}` });
      assert.deepEqual(changes.map(({ record }) => record.id), [2, 3], `from ${sequence}`);
    }
  });
  assert.ok(parts >= 5);
});

test('a realtime client gets a row of 20 MB, and the next one', async (t) => {
  const { postgres, walcast } = await startHouse(t, { schema: SCHEMA });
  const client = await connectRealtime(t, walcast);
  const seen = await subscribe(client, [{ event: '*', schema: 'public', table: 'docs' }]);
  await postgres.query(insert(1, 20e6));
  const [large] = await received(seen, 1, 60_000);
  await postgres.query(insert(2, 10));
  const [, small] = await received(seen, 2);
  const { rows } = await postgres.query("SELECT md5(doc->>'text') AS sum FROM docs ORDER BY id");
  assert.deepEqual([large, small].map((change) => md5(change.new.doc.text)), rows.map(({ sum }) => sum));
});

test('a row beyond cdc.max_row_bytes stops with a reason and goes on when it is raised', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA, config: { 'cdc.max_row_bytes': '2MiB' } });
  const { postgres, walcast } = house;
  await postgres.query(`${insert(1, 10)}; ${insert(2, 4 * MIB)}; ${insert(3, 10)}`);
  const reason = await waitFor('a reason', async () => {
    const body = await (await fetch(`${walcast.url}/health/ready`)).text();
    return body.includes('cdc.max_row_bytes') && body;
  });
  assert.match(reason, /docs/);
  await walcast.stop();
  walcast.config['cdc.max_row_bytes'] = '8MiB';
  walcast.start();
  await waitConfirmed(postgres);
  await assertWhole(house);
});
