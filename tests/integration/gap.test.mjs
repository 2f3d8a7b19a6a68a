// A slot, a publication or a server that is not as it was left: Walcast stops with the reason and the
// choices, and with --on-gap continue says so in the stream, once, and goes on.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertStops, epochOf, goOn, gapsOf, idsOf, insert, SCHEMA } from '../lib/gaps.mjs';
import { startHouse } from '../lib/house.mjs';
import { killAtAnswers } from '../lib/kills.mjs';
import { majors, Postgres } from '../lib/postgres.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { slotRow, waitConfirmed } from '../lib/slot.mjs';
import { together } from '../lib/together.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';

const test = together(2);

// Rows 1 to 10 in the stream and confirmed, Walcast stopped in good order.
async function settledHouse(t, options = {}) {
  const house = await startHouse(t, { schema: SCHEMA, ...options });
  await insert(house.postgres, 1, 10);
  await waitConfirmed(house.postgres);
  await house.walcast.stop();
  return house;
}

// Inserts one more; resolves with all ids in the stream behind 1 to 10.
async function idsBehind({ postgres, walcast }, id) {
  await insert(postgres, id, 1);
  await waitConfirmed(postgres);
  return (await idsOf(walcast)).slice(10);
}

function copyData(postgres) {
  const copy = join(postgres.directory, 'copy');
  execFileSync('cp', ['-a', postgres.data, copy]);
  return copy;
}

function takeCopy(postgres, copy) {
  rmSync(postgres.data, { recursive: true });
  execFileSync('cp', ['-a', copy, postgres.data]);
}

async function promote(postgres) {
  const marker = join(postgres.data, 'standby.signal');
  writeFileSync(marker, '');
  if (process.getuid() === 0) execFileSync('chown', ['--reference', postgres.data, marker]);
  await postgres.restart();
  await postgres.query('SELECT pg_promote()');
  await waitFor('a primary', async () =>
    (await postgres.query('SELECT NOT pg_is_in_recovery() AS it')).rows[0].it);
}

test('a slot that was dropped', async (t) => {
  const house = await settledHouse(t);
  const { postgres, walcast } = house;
  const [{ offset: before }] = await walcast.changes();
  await postgres.query("SELECT pg_drop_replication_slot('walcast')");
  await insert(postgres, 11, 1);
  await assertStops(house, 'slot_missing', /slot "walcast" is gone, but stream WALCAST holds .* up to/);
  assert.equal(await slotRow(postgres), undefined, 'none was made in its place');
  const gap = await goOn(house, 'slot_missing');
  assert.ok(gap.missing && gap.from_lsn && gap.to_lsn);
  assert.equal(gap.old.system_id, gap.new.system_id);
  await insert(postgres, 12, 3);
  await waitConfirmed(postgres);
  assert.deepEqual(await idsOf(walcast), [...Array(10).keys()].map((i) => i + 1).concat([12, 13, 14]));
  assert.equal(epochOf((await walcast.changes()).at(-1).offset), epochOf(before),
    'sequences and LSNs only grew: the epoch stays');
  await walcast.restart();
  assert.equal((await gapsOf(walcast)).length, 1, 'a restart finds no second gap');
});

test('a slot that was made anew by somebody', async (t) => {
  const house = await settledHouse(t);
  const { postgres, walcast } = house;
  await postgres.query("SELECT pg_drop_replication_slot('walcast')");
  await insert(postgres, 11, 1);
  await postgres.query("SELECT pg_create_logical_replication_slot('walcast', 'pgoutput')");
  await insert(postgres, 12, 1);
  await assertStops(house, 'slot_ahead', /slot "walcast" stands at .* stream WALCAST holds changes only up to .* made the slot anew/);
  await goOn(house, 'slot_ahead');
  await waitConfirmed(postgres);
  assert.deepEqual((await idsOf(walcast)).slice(10), [12], 'from where the slot stands');
});

test('a slot that was advanced by somebody', async (t) => {
  const house = await settledHouse(t);
  await insert(house.postgres, 11, 1);
  await house.postgres.query("SELECT pg_replication_slot_advance('walcast', pg_current_wal_lsn())");
  await assertStops(house, 'slot_ahead', /moved it \(pg_replication_slot_advance\)/);
  await goOn(house, 'slot_ahead');
  assert.deepEqual(await idsBehind(house, 12), [12]);
});

test('a slot whose WAL the server removed', async (t) => {
  const house = await settledHouse(t,
    { settings: { max_slot_wal_keep_size: '1MB', max_wal_size: '64MB', min_wal_size: '32MB' } });
  const { postgres, walcast } = house;
  await waitFor('a lost slot', async () => {
    await postgres.query("SELECT pg_logical_emit_message(false, 'fill', repeat('x', 8000000))");
    await postgres.query('SELECT pg_switch_wal()');
    await postgres.query('CHECKPOINT');
    return (await slotRow(postgres)).wal_status === 'lost';
  }, 60_000);
  await assertStops(house, 'slot_lost', /slot "walcast" is lost: .*max_slot_wal_keep_size/);
  assert.equal((await slotRow(postgres)).wal_status, 'lost', 'it is left as it is');
  await goOn(house, 'slot_lost');
  assert.match(walcast.logText(), /dropping the lost slot/);
  assert.deepEqual(await idsBehind(house, 12), [12]);
});

test('a slot that PostgreSQL 18 invalidated since it was idle',
  { skip: !majors().includes(18) }, async (t) => {
    const house = await settledHouse(t, { major: 18, settings: { idle_replication_slot_timeout: '1s' } });
    const { postgres } = house;
    await waitFor('an invalidated slot', async () => {
      await insert(postgres, Math.floor(performance.now()) + 100, 1);
      await postgres.query('CHECKPOINT');
      return (await slotRow(postgres)).invalidation_reason === 'idle_timeout';
    }, 60_000, 200);
    await postgres.query('ALTER SYSTEM SET idle_replication_slot_timeout = 0');
    await postgres.query('SELECT pg_reload_conf()');
    await assertStops(house, 'slot_lost', /slot "walcast" is lost: it was not used for idle_replication_slot_timeout/);
    await goOn(house, 'slot_lost');
    assert.deepEqual(await idsBehind(house, 12), [12]);
  });

// Clusters of one version are copies of one here: another version's is another.
test('another cluster, whose positions are lower', { skip: majors().length < 2 }, async (t) => {
  const house = await settledHouse(t);
  const { walcast } = house;
  const other = await Postgres.start({ major: majors().find((major) => major !== house.postgres.major) });
  t.after(() => other.remove());
  await other.query(SCHEMA);
  const url = walcast.config['postgres.url'];
  // More WAL on the first: the other's LSNs are before what the stream holds.
  await house.postgres.query("SELECT pg_logical_emit_message(false, 'fill', repeat('x', 30000000))");
  walcast.start();
  await walcast.ready();
  await insert(house.postgres, 11, 1);
  await waitConfirmed(house.postgres);
  await walcast.stop();
  walcast.config['postgres.url'] = other.url;
  await assertStops(house, 'other_cluster', /leads to another cluster \(system identifier \d+\) than the one that stream WALCAST was made from \(\d+\).*point postgres.url back/);
  const gap = await goOn(house, 'other_cluster');
  assert.notEqual(gap.old.system_id, gap.new.system_id);
  assert.notEqual(gap.old.epoch, gap.new.epoch);
  await insert(other, 1, 5);
  await waitConfirmed(other);
  const changes = await walcast.changes({ table: 'public.items' });
  const rows = changes.filter((change) => change.op === 'INSERT');
  assert.deepEqual(rows.slice(11).map((change) => change.record.id), [1, 2, 3, 4, 5],
    'nothing new is skipped although positions went back');
  assert.equal(epochOf(rows.at(-1).offset), gap.new.epoch);
  await walcast.kill();
  walcast.start();
  await walcast.ready();
  await insert(other, 6, 1);
  await waitConfirmed(other);
  assert.deepEqual((await idsOf(walcast)).slice(11), [1, 2, 3, 4, 5, 6]);
  assert.equal((await gapsOf(walcast)).length, 1);
  walcast.config['postgres.url'] = url;
});

test('a promoted standby that has all that the stream holds goes on without a gap', async (t) => {
  const { postgres, walcast } = await settledHouse(t);
  await postgres.stop();
  await promote(postgres);
  await insert(postgres, 11, 5);
  walcast.start();
  await walcast.ready();
  await waitConfirmed(postgres);
  assert.deepEqual(await idsOf(walcast), [...Array(15).keys()].map((i) => i + 1));
  assert.deepEqual(await gapsOf(walcast), []);
  assert.match(walcast.logText(), /another timeline than the stream.*timeline=2/);
  await walcast.restart();
  await insert(postgres, 16, 1);
  await waitConfirmed(postgres);
  assert.equal((await idsOf(walcast)).length, 16);
});

test('a promoted standby that lacks what the stream holds', async (t) => {
  const house = await settledHouse(t);
  const { postgres, walcast } = house;
  await postgres.stop();
  const copy = copyData(postgres);
  await postgres.restart();
  walcast.start();
  await walcast.ready();
  await insert(postgres, 11, 5);
  await waitConfirmed(postgres);
  await walcast.stop();
  await postgres.stop();
  takeCopy(postgres, copy);
  await promote(postgres);
  await insert(postgres, 21, 2);
  await assertStops(house, 'other_timeline', /timeline 2, which left timeline 1 at .* do not exist on this timeline/);
  const gap = await goOn(house, 'other_timeline');
  assert.deepEqual([gap.old.timeline, gap.new.timeline], [1, 2]);
  assert.notEqual(gap.old.epoch, gap.new.epoch);
  await waitConfirmed(postgres);
  assert.deepEqual((await idsOf(walcast)).slice(15), [21, 22]);
});

test('a server set back to an older copy of its data', async (t) => {
  const house = await settledHouse(t);
  const { postgres, walcast } = house;
  await postgres.stop();
  const copy = copyData(postgres);
  await postgres.restart();
  walcast.start();
  await walcast.ready();
  await postgres.query("SELECT pg_logical_emit_message(false, 'fill', repeat('x', 5000000))");
  await insert(postgres, 11, 5);
  await waitConfirmed(postgres);
  await walcast.stop();
  await postgres.stop();
  takeCopy(postgres, copy);
  await postgres.restart();
  await insert(postgres, 21, 2);
  await assertStops(house, 'server_behind', /the server has written WAL up to .*set back/);
  const gap = await goOn(house, 'server_behind');
  assert.notEqual(gap.old.epoch, gap.new.epoch);
  await waitConfirmed(postgres);
  // Where the copy was made cannot be told: the slot's whole rest comes, old rows perhaps again.
  const again = (await idsOf(walcast)).slice(15);
  assert.deepEqual(again.filter((id) => id > 10), [21, 22]);
  assert.equal(new Set(again).size, again.length);
});

test('a publication that was dropped and made anew while nobody looked', async (t) => {
  const house = await settledHouse(t);
  const { postgres, walcast } = house;
  await postgres.query('DROP PUBLICATION walcast');
  await insert(postgres, 11, 1);
  await postgres.query('CREATE PUBLICATION walcast FOR TABLE items');
  await insert(postgres, 12, 1);
  await assertStops(house, 'publication_remade', /publication of slot "walcast" was dropped and made anew/);
  await assertStops(house, 'publication_remade', /what was committed while it was gone is missing/);
  await goOn(house, 'publication_remade');
  assert.deepEqual(await idsBehind(house, 13), [13]);
});

test('a publication that is dropped while it is streamed is noticed on an idle system', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA, major: majors().at(-1) });
  const { postgres, walcast } = house;
  await insert(postgres, 1, 10);
  await waitConfirmed(postgres);
  await postgres.query('DROP PUBLICATION walcast');
  await assertStops(house, 'publication_remade', /publication/, { running: true });
  assert.match(walcast.logText(), /was dropped or made anew while it was streamed/);
});

test('with --on-gap snapshot what is there now is read, all tables of it', async (t) => {
  const house = await settledHouse(t);
  const { postgres, walcast } = house;
  await postgres.query("SELECT pg_drop_replication_slot('walcast')");
  await postgres.query('CREATE TABLE "Second one" (id int PRIMARY KEY)');
  await postgres.query('INSERT INTO "Second one" VALUES (7)');
  await insert(postgres, 11, 2); // the gap: no slot tells of these
  walcast.args = ['--on-gap', 'snapshot'];
  walcast.start();
  await walcast.ready();
  await waitFor('snapshots of both tables', async () =>
    (await walcast.commandOk(['snapshot', 'status', '--json'])).trim().split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ state, table }) => state === 'done' && table !== '*').length === 2);
  await insert(postgres, 13, 1);
  await waitConfirmed(postgres);
  const changes = await walcast.changes();
  const gap = changes.findIndex(({ op }) => op === 'GAP');
  const reads = changes.slice(gap).filter(({ op }) => op === 'READ');
  assert.equal(changes.filter(({ op }) => op === 'READ').length, reads.length, 'none before the gap');
  assert.deepEqual(reads.filter(({ table }) => table !== 'Second one').map(({ record }) => record.id),
    Array.from({ length: 12 }, (_, i) => i + 1));
  assert.deepEqual(reads.filter(({ table }) => table === 'Second one').map(({ record }) => record.id), [7]);
  assert.equal(changes.at(-1).record.id, 13);
  await walcast.restart();
  assert.equal((await gapsOf(walcast)).length, 1);
  assert.equal((await walcast.changes()).filter(({ op }) => op === 'READ').length, reads.length,
    'asked for once');
  const wrong = await walcast.command(['run', '--on-gap', 'maybe']);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /--on-gap/);
});

test('a GAP event is stored once, whatever is killed between it and its record', async (t) => {
  const house = await settledHouse(t);
  const { postgres, nats, walcast } = house;
  await postgres.query("SELECT pg_drop_replication_slot('walcast')");
  await insert(postgres, 11, 1);
  // The broker stores the event; its ack, and everything after, does not come through.
  const proxy = await Proxy.start(t, nats.port, { rewrite(chunk) {
    if (/"stream":"WALCAST", ?"seq":/.test(chunk.toString('latin1'))) {
      proxy.hold();
      return Buffer.alloc(0);
    }
    return chunk;
  } });
  walcast.config['nats.url'] = `nats://127.0.0.1:${proxy.port}`;
  walcast.args = ['--on-gap', 'continue'];
  walcast.start();
  await waitFor('the ack held back', () => proxy.held, 20_000);
  await walcast.kill();
  walcast.config['nats.url'] = nats.url;
  assert.equal((await gapsOf(walcast)).length, 1, 'it is in the stream, its record is not');
  walcast.args = []; // not even a policy is needed: the gap is settled
  walcast.start();
  await walcast.ready();
  assert.deepEqual(await idsBehind(house, 12), [12]);
  assert.equal((await gapsOf(walcast)).length, 1);
});

test('in JSON the event is a message that any reader understands, and a writer goes on behind', async (t) => {
  const house = await settledHouse(t, { config: { 'nats.encoding': 'json' } });
  const { postgres, nats, walcast } = house;
  await postgres.query("SELECT pg_drop_replication_slot('walcast')");
  await insert(postgres, 11, 1);
  const gap = await goOn(house, 'slot_missing');
  const event = await nats.manage(async (manager) => {
    const { state: { last_seq: seq } } = await manager.streams.info('WALCAST');
    return (await manager.streams.getMessage('WALCAST', { seq })).json();
  });
  assert.equal(event.op, 'g');
  assert.deepEqual(event.message.content, gap);
  await walcast.kill(); // the event is the last message: it tells where to go on
  await nats.manage((manager) => manager.streams.delete('KV_WALCAST_state'));
  walcast.start();
  await walcast.ready();
  assert.deepEqual(await idsBehind(house, 12), [12]);
  assert.equal((await gapsOf(walcast)).length, 1);
});

test('kills at every moment of settling a gap leave one event', async (t) => {
  const house = await settledHouse(t);
  const { postgres, walcast } = house;
  walcast.args = ['--on-gap', 'continue'];
  let id = 11;
  for (let gaps = 1; gaps <= 3; gaps++) {
    await postgres.query("SELECT pg_drop_replication_slot('walcast')");
    await insert(postgres, id++, 1);
    const kills = await killAtAnswers(t, house, gaps);
    assert.ok(kills > 5, `${kills} kills`);
    walcast.start();
    await walcast.ready();
    await insert(postgres, id++, 1);
    await waitConfirmed(postgres);
    assert.equal((await gapsOf(walcast)).length, gaps);
    await walcast.stop();
  }
  assert.deepEqual((await idsOf(walcast)).slice(10), [12, 14, 16]);
});

test('two that find the same gap tell it once', async (t) => {
  const house = await settledHouse(t);
  const { postgres, walcast } = house;
  await postgres.query("SELECT pg_drop_replication_slot('walcast')");
  const second = await Walcast.start({ ...house, args: ['--on-gap', 'continue'] });
  t.after(() => second.remove());
  walcast.args = ['--on-gap', 'continue'];
  walcast.start();
  await walcast.ready();
  await second.ready();
  assert.deepEqual(await idsBehind(house, 12), [12]);
  assert.equal((await gapsOf(walcast)).length, 1);
});
