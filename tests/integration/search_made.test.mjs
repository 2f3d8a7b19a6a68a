// Indexes made over HTTP, by what the search log says of them: whatever is killed meanwhile, their
// files hold what a plain reading of the log gives. Records are put into the log as the HTTP surface
// puts them; what the files hold is read from them.
import assert from 'node:assert/strict';
import test from 'node:test';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { startHouse } from '../lib/house.mjs';
import { ask, filesOf, Model, settle } from '../lib/made.mjs';
import { randomOf } from '../lib/mixed.mjs';
import { PATIENT } from '../lib/nats.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';

async function logOf(t, house) {
  const connection = await house.nats.connect();
  t.after(() => connection.close());
  await (await jetstreamManager(connection, PATIENT)).streams.add({ name: 'WALCAST_SEARCH', subjects: ['atlasdb.search.default.*'],
    max_bytes: 64 << 20, num_replicas: 1, discard: 'new', duplicate_window: 120e9, deny_delete: true });
  const js = jetstream(connection);
  const model = new Model();
  return { model, async append(line, body) {
    const text = `${JSON.stringify({ v: 1, project: 'default', environment: 'dev', at: Date.now() * 1000, ...line })}\n`;
    const { seq } = await js.publish('atlasdb.search.default.log', text + (body === undefined ? '' : JSON.stringify(body)), PATIENT);
    model.take(seq, line, body);
    return seq;
  } };
}

test('what is asked of indexes is in their files', async (t) => {
  const house = await startHouse(t);
  const { model, append } = await logOf(t, house);
  for (const [line, body] of [
    [{ kind: 'indexCreation', index: 'a' }],
    [{ kind: 'documentAdditionOrUpdate', index: 'a' }, [{ id: 1, t: 'one' }, { id: 'x-2', t: 'two', n: 2 }]],
    [{ kind: 'documentPartialUpdate', index: 'a' }, [{ id: 'x-2', n: 3 }, { id: 5, t: 'five' }]],
    [{ kind: 'settingsUpdate', index: 'a' }, { filterableAttributes: ['n'], stopWords: ['the'] }],
    [{ kind: 'documentDeletion', index: 'a' }, { ids: [1, 'nothing'] }],
    [{ kind: 'documentAdditionOrUpdate', index: 'b' }, [{ id: 7 }]],
    [{ kind: 'documentDeletion', index: 'a' }, { filter: 'n = 3' }],
    [{ kind: 'indexUpdate', index: 'a', primary_key: 't' }], // which documents that are there keep from counting
    [{ kind: 'settingsUpdate', index: 'a' }, { filterableAttributes: [] }], // another file, in which the filter still removes
    [{ kind: 'documentAdditionOrUpdate', index: 'a' }, [{ id: 6, t: 'six' }]],
    [{ kind: 'settingsUpdate', index: 'a' }, { searchableAttributes: ['t'] }], // and another
    [{ kind: 'indexSwap', swaps: ['a', 'b'] }],
    [{ kind: 'documentAdditionOrUpdate', index: 'a' }, [{ id: 8 }]],
    [{ kind: 'documentDeletion', index: 'a' }, {}],
    [{ kind: 'documentAdditionOrUpdate', index: 'a' }, [{ id: 9 }]],
    [{ kind: 'indexDeletion', index: 'b' }],
    [{ kind: 'documentAdditionOrUpdate', index: 'b' }, [{ id: 10, t: 'anew' }]],
  ]) {
    await append(line, body);
    await settle(house, model).catch((error) => { throw new Error(`${JSON.stringify(line)}: ${error.message}`); });
  }
  await house.walcast.restart();
  await settle(house, model);
});

test('documents that cannot be taken fail their task, and the others are as they were; so in a full log', async (t) => {
  const house = await startHouse(t, { config: { 'search.log_bytes': '1MiB', 'search.base_bytes': '1MiB' } });
  const { model, append } = await logOf(t, house);
  await append({ kind: 'documentAdditionOrUpdate', index: 'a' }, [{ id: 1, t: 'one' }]);
  const before = model.expected();
  for (const documents of [[{ id: 'not valid!' }], [{ id: 2 }, { t: 'without' }], [{ id: { a: 1 } }]])
    await append({ kind: 'documentAdditionOrUpdate', index: 'a' }, documents);
  Object.assign(model, { expected: () => before });
  await append({ kind: 'nonsense', index: 'a' });
  await settle(house, { expected: () => before });
  await house.walcast.restart();
  await settle(house, { expected: () => before });
  // A full log, of documents for whose base there is no room, refuses others, and those that it has are indexed; what tells of them finds room.
  let full;
  for (let i = 10; !full && i < 40; i++) {
    const answer = await ask(house.walcast, 'POST', '/indexes/a/documents', [{ id: i, t: 'x'.repeat(200_000) }]);
    if (answer.code) full = answer;
    else before[1][i] = { id: i, t: 'x'.repeat(200_000) };
  }
  assert.deepEqual([full?.code, /search.log_bytes/.test(full?.message)], ['no_space_left_on_device', true]);
  await settle(house, { expected: () => before });
  const { taskUid } = await ask(house.walcast, 'POST', '/tasks/cancel?statuses=enqueued');
  await waitFor('the cancelation', async () => (await ask(house.walcast, 'GET', `/tasks/${taskUid}`)).status === 'succeeded');
});

test('after kills in the middle of writes the files are what the log says', async (t) => {
  const house = await startHouse(t);
  const { model, append } = await logOf(t, house);
  const random = randomOf(11);
  const names = ['a', 'b', 'c'];
  let stopped = false, count = 0, allowed = 0;
  const writing = (async () => {
    for (; !stopped; count++) {
      await waitFor('a turn', () => count < allowed || stopped, 60_000, 1);
      const index = names[random(3)];
      const documents = Array.from({ length: 1 + random(20) }, () => ({ id: random(200), t: `word${random(50)} ${count}`, n: random(9) }));
      const kind = random(40);
      if (kind === 0) await append({ kind: 'indexSwap', swaps: ['a', 'b'] });
      else if (kind === 1) await append({ kind: 'settingsUpdate', index }, { searchableAttributes: random(2) ? ['t'] : ['*'] });
      else if (kind === 2) await append({ kind: 'indexDeletion', index });
      else if (kind === 3) await append({ kind: 'documentDeletion', index }, {});
      else if (kind < 10) await append({ kind: 'documentDeletion', index }, { ids: documents.map(({ id }) => id) });
      else if (kind < 20) await append({ kind: 'documentPartialUpdate', index }, documents.map(({ id, n }) => ({ id, n })));
      else await append({ kind: 'documentAdditionOrUpdate', index }, documents);
    }
  })();
  let problem;
  writing.catch((error) => { problem = error; });
  const more = (before) => waitFor('records', () => count > before + 20 || problem, 60_000);
  for (let kills = 0; kills < 12 && !problem; kills++) {
    allowed += 100; // so many more are written until the next kill
    await more(count);
    await house.walcast.kill();
    house.walcast.start();
    if (kills % 3 === 2) await house.walcast.ready(60_000);
  }
  stopped = true;
  await writing;
  await settle(house, model);
  await tasksOf(house.walcast, [], count);
  t.diagnostic(`12 kills, ${count} records, ${Object.values(model.expected()).map((one) => Object.keys(one).length).join(', ')} documents`);
});

const hasEnded = ({ status }) => ['succeeded', 'failed', 'canceled'].includes(status);

// All tasks of this source, once all have ended; and that none was told otherwise meanwhile than `before` has it.
const tasksOf = (walcast, before = [], count = before.length) => waitFor('tasks to end', async () => {
  const { results, total } = await ask(walcast, 'GET', '/tasks?limit=1000');
  const told = new Map(before.map((task) => [task.uid, task]));
  for (const task of results ?? []) if (hasEnded(task) && told.has(task.uid)) assert.deepEqual(task, told.get(task.uid));
  return total > 0 && total >= count && results.every(hasEnded) && results;
}, 60_000, 20);

test('what became of tasks is told after a kill as before, and what waits can be canceled', async (t) => {
  const house = await startHouse(t);
  const { model, append } = await logOf(t, house);
  await append({ kind: 'documentAdditionOrUpdate', index: 'a' }, [{ id: 1, t: 'one' }]);
  const expected = { 1: 'succeeded', [await append({ kind: 'indexDeletion', index: 'none' })]: 'failed' };
  model.take = () => {}; // what is wrong, or canceled, is not there
  for (const [body, status] of [[[{ id: 'not valid!' }], 'failed'], [[{ other: 1 }], 'failed']])
    expected[await append({ kind: 'documentAdditionOrUpdate', index: 'a' }, body)] = status;
  await tasksOf(house.walcast, [], 4);
  // Records that take long let those behind them wait until they are canceled.
  const LONG = 4;
  const long = Array.from({ length: 8000 }, (_, i) => ({ id: `x${i}`, t: `word${i} word${i % 7} and more of it` }));
  for (let i = 0; i < LONG; i++) expected[await append({ kind: 'documentAdditionOrUpdate', index: 'b' }, long)] = 'succeeded';
  const waiting = await Promise.all(Array.from({ length: 300 }, (_, i) => append({ kind: 'documentAdditionOrUpdate', index: 'a' }, [{ id: `c${i}` }])));
  await waitFor('tasks that wait', async () => (await ask(house.walcast, 'GET', '/tasks?statuses=enqueued&limit=1')).total > 100, 10_000, 1);
  const { taskUid } = await ask(house.walcast, 'POST', '/tasks/cancel?statuses=enqueued&indexUids=a');
  const before = await tasksOf(house.walcast, [], 4 + LONG + waiting.length + 1);
  const own = before.find(({ uid }) => uid === taskUid);
  const canceled = before.filter(({ status }) => status === 'canceled');
  assert.deepEqual([own.type, own.status, own.details.canceledTasks], ['taskCancelation', 'succeeded', canceled.length]);
  assert.ok(canceled.length > 50 && own.details.matchedTasks >= canceled.length, `${canceled.length} of ${own.details.matchedTasks}`);
  for (const task of canceled) assert.deepEqual([task.canceledBy, task.error, task.indexUid], [taskUid, null, 'a']);
  assert.equal((await ask(house.walcast, 'GET', `/tasks?canceledBy=${taskUid}`)).total, canceled.length);
  for (const [uid, status] of Object.entries(expected)) assert.equal(before.find((task) => task.uid === Number(uid)).status, status, uid);
  assert.ok(before.filter(({ status }) => status === 'failed').every(({ error }) => error.code));
  const gone = new Set(canceled.map(({ uid }) => uid));
  const ids = ['1', ...waiting.flatMap((uid, i) => (gone.has(uid) ? [] : [`c${i}`]))].sort();
  const idsOf = (walcast) => waitFor('documents', () => Object.keys(filesOf(walcast)[1] ?? {}).sort().join() === ids.join(), 60_000, 50);
  await idsOf(house.walcast);
  await house.walcast.kill();
  house.walcast.start();
  assert.deepEqual(await tasksOf(house.walcast, before), before);
  // Another node decides as this one did.
  const other = await Walcast.start({ ...house, config: { roles: 'search' } });
  t.after(() => other.remove());
  await idsOf(other);
  assert.deepEqual((await tasksOf(other, [], before.length)).map(({ uid, status }) => [uid, status]), before.map(({ uid, status }) => [uid, status]));
  t.diagnostic(`${canceled.length} of ${waiting.length} canceled, ${before.length} tasks the same after a kill`);
});
