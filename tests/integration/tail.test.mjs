// `walcast tail` against a real stack: every form of its options, and how it ends.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { run } from '../lib/process.mjs';
import { waitFor } from '../lib/wait.mjs';
import { BINARY } from '../lib/walcast.mjs';

const SCHEMA = `
CREATE TABLE todos (id bigint PRIMARY KEY, title text, big text);
CREATE SCHEMA "My Schema";
CREATE TABLE "My Schema"."T.x" (id int PRIMARY KEY);
CREATE TABLE "My Schema"."a""b\\c" (id int PRIMARY KEY);
ALTER TABLE todos ALTER COLUMN big SET STORAGE EXTERNAL;
`;

test('tail', async (suite) => {
  const house = await startHouse(suite, { schema: SCHEMA,
    config: { 'postgres.tables': 'public.*,"My Schema".*' } });
  await house.postgres.query(`
    INSERT INTO todos VALUES (9007199254740993, 'one', repeat('x', 5000));
    UPDATE todos SET title = 'two';
    UPDATE todos SET id = 7;
    DELETE FROM todos;`);
  await house.postgres.query('INSERT INTO "My Schema"."T.x" VALUES (1), (2)');
  await house.postgres.query('TRUNCATE todos');

  const tail = (...args) => house.walcast.commandOk(['tail', ...args]);
  async function changes(...args) {
    const text = await tail('--json', '--from', 'first', '--until', 'now', ...args);
    return text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }

  await waitFor('seven changes in the stream', async () => (await changes()).length === 7);

  // A tail that follows; `next()` resolves with its next line's object.
  function follow(t, ...args) {
    const child = spawn(BINARY, ['tail', '--json', ...args], {
      env: { ...process.env, ...house.walcast.env }, stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return { child, next: async () => JSON.parse((await lines.next()).value) };
  }

  await suite.test('one object a change, in commit order, with every member', async () => {
    const all = await changes();
    assert.deepEqual(all.map((change) => change.op),
      ['INSERT', 'UPDATE', 'UPDATE', 'DELETE', 'INSERT', 'INSERT', 'TRUNCATE']);
    for (const change of all) {
      assert.match(change.offset, /^[0-9a-z]{16}-\d+\.\d+$/);
      assert.match(change.lsn, /^[0-9A-F]+\/[0-9A-F]+$/);
      assert.ok(Number.isInteger(change.xid) && Number.isInteger(change.index));
      assert.match(change.commit_timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      for (const member of ['schema', 'table', 'record', 'old_record', 'last'])
        assert.ok(member in change, member);
    }
    assert.equal(new Set(all.map((change) => change.offset)).size, all.length);
    // Four statements in one query string are one transaction.
    assert.deepEqual(all.slice(0, 4).map((change) => [change.index, change.last]),
      [[0, false], [1, false], [2, false], [3, true]]);
    assert.equal(new Set(all.slice(0, 4).map((change) => change.lsn)).size, 1);
  });

  await suite.test('numbers keep their digits, unchanged is named and never null', async () => {
    const text = await tail('--json', '--from', 'first', '--until', 'now');
    assert.match(text.split('\n')[0], /"record":\{"id":9007199254740993,"title":"one"/);
    const [, update, rekey, removed, , , truncate] = await changes();
    assert.deepEqual(update.unchanged, ['big']);
    assert.equal('big' in update.record, false);
    assert.equal(update.old_record, null);
    assert.equal(rekey.record.id, 7);
    assert.deepEqual(Object.keys(rekey.old_record), ['id']);
    assert.deepEqual([removed.record, removed.old_record], [null, { id: 7 }]);
    assert.deepEqual([truncate.cascade, truncate.restart_identity], [false, false]);
  });

  await suite.test('--table takes one table, quoted where it must be', async () => {
    assert.equal((await changes('--table', 'public.todos')).length, 5);
    assert.equal((await changes('--table', 'todos')).length, 5);
    const quoted = await changes('--table', '"My Schema"."T.x"');
    assert.deepEqual(quoted.map((change) => change.record), [{ id: 1 }, { id: 2 }]);
    assert.deepEqual([quoted[0].schema, quoted[0].table], ['My Schema', 'T.x']);
    assert.equal((await changes('--table', 'public.absent')).length, 0);
  });

  await suite.test('--from begins where it says', async () => {
    const all = await changes();
    const until = ['--until', 'now'];
    const from = async (place) => (await tail('--json', '--from', place, ...until))
      .split('\n').filter(Boolean).map((line) => JSON.parse(line).offset);
    const offsets = all.map((change) => change.offset);
    assert.deepEqual(await from('now'), []);
    assert.deepEqual(await from(`lsn:${all[0].lsn}`), offsets);
    assert.deepEqual(await from(`lsn:${all[4].lsn}`), offsets.slice(4));
    assert.deepEqual(await from(`lsn:${all[6].lsn}`), offsets.slice(6));
    assert.deepEqual(await from('lsn:FFFFFFFF/0'), []);
    assert.deepEqual(await from(`time:${all[0].commit_timestamp}`), offsets);
    assert.deepEqual(await from('time:2100-01-01T00:00:00Z'), []);
    const sequence = /-(\d+)\./.exec(all[6].offset)[1];
    assert.deepEqual(await from(`seq:${sequence}`), offsets.slice(6));
    assert.deepEqual(await from(`seq:${Number(sequence) + 1}`), []);
  });

  await suite.test('without --json a line is for people', async () => {
    const lines = (await tail('--from', 'first', '--until', 'now')).split('\n').filter(Boolean);
    assert.equal(lines.length, 7);
    assert.match(lines[4], / INSERT My Schema\.T\.x \{"id":1\}$/);
  });

  await suite.test('it follows, each change at once, over a restart of nats-server, until SIGINT', async (t) => {
    const { child, next } = follow(t, '--table', 'public.todos', '--from', 'seq:1');
    for (let i = 0; i < 5; i++) await next();
    await house.postgres.query("INSERT INTO todos VALUES (100, 'live')");
    assert.equal((await next()).record.id, 100);
    await house.postgres.query('INSERT INTO "My Schema"."T.x" VALUES (3)');
    await house.nats.kill();
    await house.nats.restart();
    await house.postgres.query("INSERT INTO todos VALUES (101, 'after')");
    assert.equal((await next()).record.id, 101);
    child.kill('SIGINT');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });

  await suite.test('it follows a table whose name has quotes and backslashes', async (t) => {
    const { next } = follow(t, '--from', 'first', '--table', '"My Schema"."a""b\\c"');
    const first = next();
    await house.postgres.query('INSERT INTO "My Schema"."a""b\\c" VALUES (5)');
    const { table, record } = await first;
    assert.deepEqual([table, record], ['a"b\\c', { id: 5 }]);
  });

  await suite.test('it ends when its reader goes away', async (t) => {
    const { child, next } = follow(t, '--from', 'first');
    await next();
    child.stdout.destroy();
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });

  await suite.test('a disk that is full is told', async () => {
    const command = ['sh', '-c', 'exec "$0" "$@" >/dev/full', BINARY,
      'tail', '--json', '--from', 'first', '--until', 'now'];
    const result = await run(command, { env: house.walcast.env });
    assert.equal(result.code, 1);
    assert.match(result.stderr, /cannot write to standard output: No space left/);
  });
});
