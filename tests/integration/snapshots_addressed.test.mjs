// Snapshots for one consumer: rows on a stream of their own, each naming the place in the change
// stream that it belongs after; nobody else sees them. Read with npm's client, as JSON.
import assert from 'node:assert/strict';
import { CHURN_KEYS, churnSchema, startChurn } from '../lib/churn.mjs';
import { Copy } from '../lib/copy.mjs';
import { changesOf, readStream } from '../lib/foreign.mjs';
import { startHouse } from '../lib/house.mjs';
import { quoted, snapshot, started, statusOf, waitRecord, waitState } from '../lib/snapshot.mjs';
import { waitConfirmed } from '../lib/slot.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';

const test = together(2);

const JSON_CONFIG = { 'postgres.tables': '*.*', 'nats.encoding': 'json', 'project': 'shop' };
const sequenceOf = ({ offset }) => Number(offset.split('-')[1].split('.')[0]);

// As the documentation says: changes in order, and right behind the change that it names each row.
// A table without a key begins to be known where its snapshot began.
function consumed(changes, rows, record, key) {
  const copy = new Copy({ [`${record.schema}.${record.table}`]: key });
  if (key.length === 0) copy.begun.set(`${record.schema}.${record.table}`, record.start_sequence);
  const events = [
    ...changes.map((change) => ({ at: sequenceOf(change), row: 0, change })),
    ...rows.map(({ source, after, snapshot: { id, after_sequence: at = 0 } }) => ({ at, row: 1,
      change: { op: 'READ', schema: source.schema, table: source.table, record: after,
        offset: `x-${at}.0`, snapshot: { id, after_sequence: record.start_sequence || undefined } } })),
  ].sort((left, right) => left.at - right.at || left.row - right.row);
  for (const { change } of events) copy.apply(change);
  return copy;
}

test('a consumer that starts later has the table, and nobody else is disturbed', async (t) => {
  const rows = 4000;
  const house = await startHouse(t, { schema: churnSchema(rows),
    config: { ...JSON_CONFIG, 'snapshot.piece_bytes': '256KiB' } });
  const churn = startChurn(house.postgres, { seed: 5, rows });
  t.after(() => churn.stop());
  const ids = {};
  for (const table of Object.keys(CHURN_KEYS))
    ids[table] = await started(house.walcast, quoted(table), '--addressed');
  for (const id of Object.values(ids)) await waitState(house.walcast, id, 'done', 120_000);
  const during = churn.count;
  await waitFor('changes behind the snapshots', () => churn.count > during + 20);
  await churn.stop();
  await waitConfirmed(house.postgres);
  const changes = await house.walcast.changes();
  assert.ok(!changes.some(({ op }) => op === 'READ'), 'rows in the change stream');
  for (const [table, id] of Object.entries(ids)) {
    const record = await statusOf(house.walcast, id);
    assert.equal(record.stream, `WALCAST_SNAPSHOT_${id}`);
    const messages = await readStream(house.nats, record.stream);
    assert.ok(messages.every(({ subject }) => subject === `atlasdb.snapshots.shop.${id}`));
    const read = changesOf(messages);
    assert.ok(read.length > rows / 2, `${read.length} rows of ${table}`);
    assert.ok(read.every((row) => row.op === 'r' && row.snapshot.id === id));
    const places = read.map((row) => row.snapshot.after_sequence ?? 0);
    assert.deepEqual(places, [...places].sort((a, b) => a - b), 'the order goes backwards');
    assert.ok(places.at(-1) <= sequenceOf(changes.at(-1)));
    await consumed(changes, read, record, CHURN_KEYS[table]).assertEqual(house.postgres);
  }
});

test('killed and restarted it goes on in its stream', async (t) => {
  const house = await startHouse(t, { config: JSON_CONFIG, schema:
    `CREATE TABLE items (id int PRIMARY KEY, text text);
     INSERT INTO items SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i; ANALYZE` });
  const id = await started(house.walcast, 'items', '--addressed', '--rate', '4MiB');
  for (let kills = 0, rows = 0; kills < 2; kills++) {
    ({ rows } = await waitRecord(house.walcast, id, 'more rows', (record) => record.rows > rows));
    await house.walcast.kill();
    await house.postgres.query(`UPDATE items SET text = 'changed ${kills}' WHERE id % 100 = ${kills}`);
    house.walcast.start();
    await house.walcast.ready();
  }
  const record = await waitState(house.walcast, id, 'done');
  await waitConfirmed(house.postgres);
  const read = changesOf(await readStream(house.nats, record.stream));
  assert.ok(read.length < 40_000, `${read.length} rows`);
  await consumed(await house.walcast.changes(), read, record, ['id']).assertEqual(house.postgres);
});

test('a stream that is full is waited for, and says so', async (t) => {
  const house = await startHouse(t, { schema:
    `CREATE TABLE items (id int PRIMARY KEY, text text);
     INSERT INTO items SELECT i, repeat('x', 1000) FROM generate_series(1, 4000) i; ANALYZE`,
    config: { ...JSON_CONFIG, 'snapshot.stream_max_bytes': '1MiB' } });
  const id = await started(house.walcast, 'items', '--addressed');
  await waitRecord(house.walcast, id, 'a full stream', ({ state, error }) =>
    state === 'running' && /maximum bytes exceeded/.test(error));
  await house.postgres.query("INSERT INTO items VALUES (0, 'live')");
  await waitConfirmed(house.postgres); // nobody else is disturbed
  house.walcast.config['snapshot.stream_max_bytes'] = '1GiB';
  await house.walcast.restart();
  const record = await waitState(house.walcast, id, 'done');
  const read = changesOf(await readStream(house.nats, record.stream));
  await consumed(await house.walcast.changes(), read, record, ['id']).assertEqual(house.postgres);
});

test('in protobuf too; rows beyond max_payload come in parts; an empty table has no stream', async (t) => {
  const house = await startHouse(t, { schema:
    `CREATE TABLE large (id int PRIMARY KEY, text text);
     INSERT INTO large SELECT i, repeat(chr(96 + i), 20 << 20) FROM generate_series(1, 2) i;
     CREATE TABLE empty (id int PRIMARY KEY); ANALYZE` });
  const id = await started(house.walcast, 'large', '--addressed', '--wait', '--json');
  const record = JSON.parse(id);
  assert.equal(record.rows, 2);
  const parts = await readStream(house.nats, record.stream);
  assert.ok(parts.length >= 40, `${parts.length} messages`);
  assert.ok(!parts[0].text.startsWith('{'));
  const none = JSON.parse(await started(house.walcast, 'empty', '--addressed', '--wait', '--json'));
  assert.deepEqual([none.state, none.rows], ['done', 0]);
  await assert.rejects(house.nats.streamInfo(none.stream), /not found/);
  const { code } = await snapshot(house.walcast, 'status', none.id);
  assert.equal(code, 0);
});

test('rows of 20 MB as JSON', async (t) => {
  const house = await startHouse(t, { config: JSON_CONFIG, schema:
    `CREATE TABLE large (id int PRIMARY KEY, text text);
     INSERT INTO large SELECT i, repeat(chr(96 + i), 20 << 20) FROM generate_series(1, 1) i; ANALYZE` });
  const record = JSON.parse(await started(house.walcast, 'large', '--addressed', '--wait', '--json'));
  const read = changesOf(await readStream(house.nats, record.stream));
  await consumed([], read, record, ['id']).assertEqual(house.postgres);
});
