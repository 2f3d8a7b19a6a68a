// The search log is compacted by itself: however much is written of however few documents, it stays
// within its limit, and whoever reads it afterwards, was away meanwhile or was killed amid it has the
// same indexes, settings and tasks.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { ask, settle } from '../lib/made.mjs';
import { another, BASE, baseOf, LOG, logOf, Writer } from '../lib/made_log.mjs';
import { define, read, waitEqual } from '../lib/search.mjs';
import { waitFor } from '../lib/wait.mjs';

const MIB = 1 << 20;

// What each node says of itself, that must be the same on all.
async function views(walcasts, names, uids) {
  return Promise.all(walcasts.map(async (walcast) => ({
    settings: await Promise.all(names.map((name) => ask(walcast, 'GET', `/indexes/${name}/settings`))),
    tasks: await waitFor('ended tasks', async () => {
      const tasks = await Promise.all(uids.map((uid) => ask(walcast, 'GET', `/tasks/${uid}`)));
      return tasks.every(({ status }) => ['succeeded', 'failed'].includes(status))
        && tasks.map(({ uid, status, type, indexUid, error }) => [uid, status, type, indexUid, error?.code]);
    }),
  })));
}

test('a log takes many times its limit; who was away and who comes has all that it came to', async (t) => {
  const CONFIG = { 'search.log_bytes': '1MiB', 'triggers.lease': '2s' };
  const house = await startHouse(t, { config: CONFIG, schema: `CREATE TABLE products (id int PRIMARY KEY, title text);
    INSERT INTO products VALUES (1, 'red lamp'), (2, 'blue lamp')` });
  const log = await logOf(t, house, MIB);
  const [away, other, asleep] = [await another(t, house, CONFIG), await another(t, house, CONFIG), await another(t, house, CONFIG)];
  define(house.walcast, 'products', 'name: products\ntable: products\nfields: {title: 1}\n');
  const rows = async () => [[1, { id: 1, title: 'red lamp' }], [2, { id: 2, title: 'blue lamp' }]];
  await log.append({ kind: 'documentAdditionOrUpdate', index: 'still' }, [{ id: 1, t: 'the one that is never written again' }]);
  await log.append({ kind: 'settingsUpdate', index: 'still' }, { filterableAttributes: ['t'], synonyms: { one: ['single'] } });
  const uids = [await log.append({ kind: 'indexDeletion', index: 'none' }), await log.append({ kind: 'settingsUpdate', index: 'i0' }, { filterableAttributes: ['n'], sortableAttributes: ['t'] })];
  const writer = new Writer(log, { ids: 60, bytes: 3000, seed: 5 });
  while (log.bytes < MIB / 4) await writer.batch();
  for (const walcast of [away, asleep]) await settle({ walcast }, log.model);
  await away.kill();
  process.kill(asleep.process.pid, 'SIGSTOP');
  while (log.bytes < 5 * MIB) uids[2 + writer.count % 10] = await writer.batch();
  const { state } = await log.manager.streams.info(LOG);
  assert.ok(state.bytes <= MIB && state.first_seq > 1, JSON.stringify(state));
  for (const walcast of [house.walcast, other]) await settle({ walcast }, log.model);
  const compacted = await house.walcast.metric('walcast_search_compacted_total') + await other.metric('walcast_search_compacted_total');
  assert.ok(compacted >= 4, `${compacted} times`);
  assert.ok(await house.walcast.metric('walcast_search_log_bytes') > 0);
  away.start();
  process.kill(asleep.process.pid, 'SIGCONT');
  const fresh = await another(t, house, CONFIG);
  for (const walcast of [away, asleep, fresh]) {
    await walcast.ready();
    await settle({ walcast }, log.model);
  }
  const [mine, ...others] = await views([house.walcast, other, away, asleep, fresh], [...log.model.indexes.keys()], uids);
  assert.deepEqual(mine.tasks[0].slice(1), ['failed', 'indexDeletion', 'none', 'index_not_found']);
  for (const one of others) assert.deepEqual(one, mine);
  for (const walcast of [house.walcast, fresh]) await waitEqual(walcast, 'products', rows);
  assert.equal(read(fresh, 'products').generation, read(house.walcast, 'products').generation);
  const { bytes } = (await log.manager.streams.info(BASE)).state;
  // Without the base a node says so, until those that have all have made another one.
  await log.manager.streams.delete(BASE);
  const late = await another(t, house, CONFIG);
  await waitFor('a node that lacks the base', async () => /no base has what was before/.test((await late.health()).reason));
  const { first_seq } = (await log.manager.streams.info(LOG)).state;
  const more = () => log.append({ kind: 'documentAdditionOrUpdate', index: 'i0' }, Array.from({ length: 12 }, (_, id) => writer.document(id)));
  do await more(); while ((await log.manager.streams.info(LOG)).state.first_seq === first_seq);
  await late.ready();
  for (const walcast of [house.walcast, late]) await settle({ walcast }, log.model);
  t.diagnostic(`${(log.bytes / MIB).toFixed(1)} MiB written, ${compacted} times compacted, ${state.bytes} bytes left, ${bytes} of the base`);
});

// nats-server 2.9 goes on telling a first message that is gone when several files went at once.
test('a log of several files forgets more than one of them at once, again and again', async (t) => {
  const CONFIG = { 'search.log_bytes': '20MiB', 'triggers.lease': '2s' };
  const house = await startHouse(t, { config: CONFIG });
  const log = await logOf(t, house, 20 * MIB);
  const asleep = await another(t, house, CONFIG);
  const writer = new Writer(log, { ids: 12, bytes: 40_000, seed: 7 });
  while (log.bytes < 5 * MIB) await writer.batch();
  await settle({ walcast: asleep }, log.model);
  process.kill(asleep.process.pid, 'SIGSTOP');
  await log.append({ kind: 'documentAdditionOrUpdate', index: 'once' }, [{ id: 1, t: 'written while one sleeps' }]);
  const compacted = () => house.walcast.metric('walcast_search_compacted_total');
  for (const times of [1, 2, 3])
    while (await compacted() < times) {
      assert.ok(log.bytes < (times + 1) * 25 * MIB, `${log.bytes} bytes were written, and it was not compacted ${times} times`);
      await writer.batch(); // waits for room
    }
  process.kill(asleep.process.pid, 'SIGCONT');
  const fresh = await another(t, house, CONFIG);
  await fresh.ready();
  for (const walcast of [house.walcast, asleep, fresh]) await settle({ walcast }, log.model);
});

test('pieces of a body stay until their record has come', async (t) => {
  const CONFIG = { 'search.log_bytes': '1MiB', 'triggers.lease': '2s' };
  const house = await startHouse(t, { config: CONFIG });
  const log = await logOf(t, house, MIB);
  const writer = new Writer(log, { ids: 20, bytes: 3000, seed: 3 });
  while (log.bytes < MIB / 4) await writer.batch();
  const body = JSON.stringify([{ id: 'whole', t: 'x'.repeat(1000) }]);
  const pieces = [];
  for (const part of [body.slice(0, 300), body.slice(300, 600)]) {
    const { seq } = await log.publish(`${JSON.stringify({ v: 1, kind: 'documentAdditionOrUpdate', at: Date.now() * 1000, piece: true })}\n${part}`);
    pieces.push(seq);
    await writer.batch();
  }
  while (log.bytes < 0.85 * MIB) await writer.batch();
  await waitFor('a log without what is before them', async () => (await log.manager.streams.info(LOG)).state.first_seq === pieces[0], 20_000, 20);
  const line = { v: 1, project: 'default', environment: 'dev', at: Date.now() * 1000, kind: 'documentAdditionOrUpdate', index: 'pieces' };
  const { seq } = await log.publish(`${JSON.stringify({ ...line, pieces })}\n${body.slice(600)}`);
  log.model.take(seq, line, JSON.parse(body));
  await settle(house, log.model);
  const fresh = await another(t, house, CONFIG);
  await fresh.ready();
  await settle({ walcast: fresh }, log.model);
  // A record whose pieces are gone fails, wherever it is read.
  const { seq: broken } = await log.publish(`${JSON.stringify({ ...line, pieces: [1] })}\n]`);
  for (const walcast of [house.walcast, fresh]) {
    await waitFor('the task to fail', async () => (await ask(walcast, 'GET', `/tasks/${broken}`)).status === 'failed');
    await settle({ walcast }, log.model);
  }
});

test('killed while it is compacted the nodes have what was written', async (t) => {
  const CONFIG = { 'search.log_bytes': '2MiB', 'triggers.lease': '2s', 'nats.confirm_lag': '1s' };
  const house = await startHouse(t, { config: CONFIG });
  const log = await logOf(t, house, 2 * MIB);
  const other = await another(t, house, CONFIG);
  const both = [house.walcast, other];
  const writer = new Writer(log, { ids: 150, bytes: 3000, seed: 9 });
  let isOver = false;
  const writing = (async () => { while (!isOver) await writer.batch(); })();
  writing.catch(() => {}); // told below
  const standing = () => baseOf(log);
  const kinds = {
    'amid the documents': (before, now) => now.head === before.head && now.last > before.last + 1,
    'behind the base, before the log forgets': (before, now) => now.head > before.head,
  };
  let whole = 0;
  for (let round = 0; round < 4; round++) {
    const [kind, is] = Object.entries(kinds)[round % 2];
    const before = await standing();
    await waitFor(kind, async () => is(before, await standing()), 30_000, 1);
    await Promise.all(both.map((walcast) => walcast.kill()));
    const now = await standing();
    const { state } = await log.manager.streams.info(LOG);
    t.diagnostic(`killed ${kind}: base ${JSON.stringify(now)}, log from ${state.first_seq} to ${state.last_seq}`);
    whole += now.spared >= state.first_seq;
    for (const walcast of both) walcast.start();
    await Promise.all(both.map((walcast) => walcast.ready()));
  }
  isOver = true;
  await writing;
  const fresh = await another(t, house, CONFIG);
  await fresh.ready();
  for (const walcast of [...both, fresh]) await settle({ walcast }, log.model);
  assert.ok(whole > 0, 'a base was whole while the log had still all of it');
  assert.ok(log.bytes > 2 * MIB, `${log.bytes} bytes`);
});
