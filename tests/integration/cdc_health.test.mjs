// What others write never pins WAL, and a slot in danger is told in time: heartbeat, figures,
// warnings.
import assert from 'node:assert/strict';
import { startHouse } from '../lib/house.mjs';
import { majors } from '../lib/postgres.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { assertHoldsTable, slotRow, waitConfirmed } from '../lib/slot.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';

const test = together(3);

const SCHEMA = 'CREATE TABLE items (id bigint PRIMARY KEY, text text); CREATE TABLE noise (id int)';
const ONLY_ITEMS = { 'postgres.tables': 'public.items' };

async function currentLsn(postgres) {
  return (await postgres.query('SELECT pg_current_wal_lsn()::text AS lsn')).rows[0].lsn;
}

async function isBeyond(postgres, column, lsn) {
  const { rows: [row] } = await postgres.query(
    `SELECT ${column} >= $1::pg_lsn AS beyond FROM pg_replication_slots WHERE slot_name = 'walcast'`,
    [lsn]);
  return row.beyond;
}

function count(text, pattern) {
  return text.split('\n').filter((line) => pattern.test(line)).length;
}

// The oldest, Debian's own and the newest.
for (const major of new Set([majors()[0], undefined, majors().at(-1)]))
  test(`PostgreSQL ${major ?? 'of Debian'}: unpublished tables and other databases pin no WAL, without a heartbeat`,
    async (t) => {
      const { postgres, nats, walcast } = await startHouse(t, { major, schema: SCHEMA,
        config: { ...ONLY_ITEMS, 'cdc.heartbeat': '2s' } });
      await postgres.query('CREATE DATABASE other');
      const other = await postgres.connect({
        connectionString: postgres.url.replace(/postgres$/, 'other') });
      await other.query('CREATE TABLE noise (id int)');
      const before = (await nats.streamInfo()).state.last_seq;
      for (const client of [postgres, other]) {
        await client.query('INSERT INTO noise SELECT generate_series(1, 20000)');
        await waitConfirmed(postgres, 20_000);
      }
      // restart_lsn follows at the next checkpoint or the background writer's own mark.
      const lsn = await currentLsn(postgres);
      await waitFor(`restart_lsn beyond ${lsn}`, async () => {
        await other.query('INSERT INTO noise VALUES (1)');
        return isBeyond(postgres, 'restart_lsn', lsn);
      }, 60_000, 200);
      await waitConfirmed(postgres, 20_000);
      await other.end();
      assert.equal((await nats.streamInfo()).state.last_seq, before);
      assert.equal(await walcast.metric('walcast_cdc_heartbeats_total'), 0, 'no WAL for nothing');
    });

// A link on which the server's keepalives tell no position. A CopyData of a keepalive is 'd', its
// length 22, 'k', the position, the time and the wish for an answer.
const KEEPALIVE = Buffer.from([0x64, 0, 0, 0, 22, 0x6b]);

async function startMuted(t, { config, user = 'postgres', prepare = '' } = {}) {
  const house = await startHouse(t, { schema: SCHEMA, walcast: false });
  if (prepare) await house.postgres.query(prepare);
  const proxy = await Proxy.start(t, house.postgres.port, { rewrite(chunk) {
    for (let at = chunk.indexOf(KEEPALIVE); at >= 0; at = chunk.indexOf(KEEPALIVE, at + 1))
      chunk.fill(0, at + KEEPALIVE.length, at + KEEPALIVE.length + 8);
    return chunk;
  } });
  const url = `postgres://${user}@127.0.0.1:${proxy.port}/postgres`;
  const walcast = await Walcast.start({ ...house,
    config: { ...ONLY_ITEMS, 'postgres.url': url, ...config } });
  t.after(() => walcast.remove());
  await walcast.ready();
  return { ...house, walcast };
}

test('a heartbeat moves the position when keepalives do not, and is not published', async (t) => {
  const { postgres, nats, walcast } = await startMuted(t, { config: { 'cdc.heartbeat': '1s' } });
  await postgres.query("INSERT INTO items VALUES (1, 'a')");
  await waitConfirmed(postgres);
  const before = (await nats.streamInfo()).state.last_seq;
  await postgres.query('INSERT INTO noise SELECT generate_series(1, 20000)');
  await waitConfirmed(postgres, 40_000);
  const beats = await walcast.metric('walcast_cdc_heartbeats_total');
  assert.ok(beats >= 1, 'nothing else could move it');
  assert.equal((await nats.streamInfo()).state.last_seq, before);
  // Neither is a message of Walcast's own within a transaction; others are, and order is kept.
  await postgres.query(`BEGIN; INSERT INTO items VALUES (2, 'b');
    SELECT pg_logical_emit_message(true, 'walcast.mark', 'x');
    SELECT pg_logical_emit_message(true, 'walcastic', 'y'); COMMIT`);
  await postgres.query("SELECT pg_logical_emit_message(false, 'walcast.mark', 'x')");
  await waitConfirmed(postgres, 40_000);
  const changes = await walcast.changes();
  assert.deepEqual(changes.map(({ op, last }) => [op, last]),
    [['INSERT', true], ['INSERT', false], ['MESSAGE', true]]);
});

test('a user that may write no heartbeat: told once, and all goes on', async (t) => {
  const { postgres, walcast } = await startMuted(t, { user: 'carrier',
    config: { 'cdc.heartbeat': '1s' },
    prepare: `CREATE ROLE carrier LOGIN REPLICATION; CREATE PUBLICATION walcast FOR TABLE items;
      REVOKE EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text) FROM PUBLIC` });
  await postgres.query('INSERT INTO noise SELECT generate_series(1, 20000)');
  await waitFor('the warning', () => /no heartbeat can be written/.test(walcast.logText()), 40_000);
  await postgres.query('INSERT INTO noise SELECT generate_series(1, 20000)');
  await postgres.query("INSERT INTO items VALUES (1, 'a')");
  await waitConfirmed(postgres);
  const changes = await assertHoldsTable(walcast, postgres, 'items');
  assert.equal(changes.length, 1);
  assert.equal((await walcast.health()).status, 'ready');
  assert.equal(count(walcast.logText(), /heartbeat/), 1);
});

async function writeNoise(postgres, mebibytes) {
  await postgres.query(
    `SELECT pg_logical_emit_message(false, 'noise', repeat('x', 1048576)) FROM generate_series(1, $1)`,
    [mebibytes]);
}

test('a slot that is held back is told by readiness, metrics and log, and so is its recovery',
  async (t) => {
    const { postgres, nats, walcast } = await startHouse(t, { schema: SCHEMA,
      settings: { max_slot_wal_keep_size: '128MB' },
      config: { ...ONLY_ITEMS, 'nats.ack_timeout': '5m', 'nats.window_bytes': '1MiB',
        'cdc.warn_lag_bytes': '16MiB', roles: 'cdc,ws' } });
    await postgres.query("INSERT INTO items VALUES (1, 'a')");
    await waitConfirmed(postgres);
    assert.deepEqual(await walcast.health(), { code: 200, status: 'ready', reason: undefined });
    nats.process.child.kill('SIGSTOP');
    await writeNoise(postgres, 24);
    const warned = await waitFor('a warning', async () => {
      const health = await walcast.health();
      return health.status === 'warning' && health;
    }, 30_000, 100);
    assert.equal(warned.code, 200);
    assert.match(warned.reason, /^cdc: \d+ bytes of WAL.*cdc\.warn_lag_bytes/);
    const { rows: [slot] } = await postgres.query(`SELECT
      pg_current_wal_lsn() - confirmed_flush_lsn AS lag, pg_current_wal_lsn() - restart_lsn AS retained,
      safe_wal_size AS safe FROM pg_replication_slots`);
    for (const [name, value] of [['lag_bytes', slot.lag], ['slot_retained_bytes', slot.retained],
      ['slot_safe_wal_bytes', slot.safe], ['slot_active', 1], ['slot_wal_status', 1], ['warning', 1]])
      await waitFor(`walcast_cdc_${name} ${value}`,
        async () => await walcast.metric(`walcast_cdc_${name}`) === Number(value), 20_000, 200);
    await waitFor('a lag in time', async () => await walcast.metric('walcast_cdc_lag_seconds') >= 5,
      30_000, 200);
    await writeNoise(postgres, 56);
    await waitFor('a warning of the slot in danger', async () =>
      /^cdc: the slot is lost once \d+ more bytes/.test((await walcast.health()).reason), 30_000, 100);
    nats.process.child.kill('SIGCONT');
    await waitFor('no warning', async () => (await walcast.health()).status === 'ready', 60_000, 100);
    await waitConfirmed(postgres);
    assert.equal(await walcast.metric('walcast_cdc_warning'), 0);
    await waitFor('no lag', async () => await walcast.metric('walcast_cdc_lag_seconds') === 0,
      20_000, 200);
    assert.equal(count(walcast.logText(), /the slot needs attention/), 1);
    assert.equal(count(walcast.logText(), /the slot is well again/), 1);
  });

test('figures and warnings go on while the broker is away', async (t) => {
  const { postgres, nats, walcast } = await startHouse(t, { schema: SCHEMA,
    config: { ...ONLY_ITEMS, 'cdc.warn_lag_bytes': '8MiB' } });
  await postgres.query("INSERT INTO items VALUES (1, 'a')");
  await waitConfirmed(postgres);
  await nats.kill();
  await writeNoise(postgres, 16);
  await waitFor('the lag', async () =>
    await walcast.metric('walcast_cdc_lag_bytes') > 16 << 20, 40_000, 200);
  assert.equal(await walcast.metric('walcast_cdc_slot_active'), 0);
  assert.equal((await walcast.health()).code, 503);
  assert.match(walcast.logText(), /the slot needs attention/);
  await nats.restart();
  await waitFor('all well', async () => (await walcast.health()).status === 'ready', 60_000, 100);
  assert.ok((await slotRow(postgres)).active);
});
