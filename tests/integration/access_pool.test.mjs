// The pool of connections: bounded, never waiting, and back by itself after its server was away.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AccessProbe } from '../lib/access_probe.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { waitFor } from '../lib/wait.mjs';

async function start(t, config) {
  const postgres = await Postgres.start();
  t.after(() => postgres.remove());
  return { postgres, probe: AccessProbe.start(t, postgres, config) };
}
const connections = async (postgres) => (await postgres.query(
  "SELECT pid, state FROM pg_stat_activity WHERE application_name = 'walcast pool'")).rows;

test('no connection before the first job, never more than the size, all jobs ended', async (t) => {
  const { postgres, probe } = await start(t, { 'postgres.pool_size': '3' });
  assert.deepEqual(await connections(postgres), []);
  const all = await probe.askAll({ ask: 'query', sql: 'SELECT 7', times: 2000 });
  assert.ok(all.every(({ value }) => value === '7'));
  const { length } = await connections(postgres);
  assert.ok(length >= 1 && length <= 3, `${length} connections`);
});

test('a full queue refuses with LIMIT; a job that waited too long ends', async (t) => {
  const { probe } = await start(t, { 'postgres.pool_size': '1', 'postgres.pool_queue': '3', 'postgres.query_timeout': '1s' });
  await probe.query('SELECT 1');
  const got = await probe.askAll({ ask: 'query', sql: 'SELECT pg_sleep(30)', times: 8 });
  const by = (code) => got.filter((answer) => answer.code === code);
  assert.equal(by('limit').length >= 4, true, JSON.stringify(got));
  assert.match(by('limit')[0].error, /3 queries wait for the database already \(postgres.pool_queue\)/);
  assert.equal(by('limit').length + by('transient').length, 8);
  assert.ok(by('transient').some(({ error }) => /statement timeout/.test(error)));
  assert.ok(by('transient').some(({ error, runs }) => runs === 0 && /became free within 1000 ms/.test(error)));
  assert.equal((await probe.query('SELECT 2')).value, '2');
});

test('a connection left in a transaction, failed or broken, is not given to the next', async (t) => {
  const { postgres, probe } = await start(t, { 'postgres.pool_size': '1' });
  const pid = async () => (await probe.query('SELECT pg_backend_pid()')).value;
  const first = await pid();
  assert.match((await probe.query('SELECT 1/0')).error, /division by zero \(SQLSTATE 22012\)/);
  assert.equal(await pid(), first);
  await probe.query('BEGIN');
  const second = await pid();
  assert.notEqual(second, first);
  await waitFor('the end of the first', async () => (await connections(postgres)).length === 1);
  // One that broke while idle costs nothing but a second run.
  await postgres.query(`SELECT pg_terminate_backend(${second})`);
  await waitFor('the end of the second', async () => (await connections(postgres)).length === 0);
  const third = await probe.query('SELECT pg_backend_pid()');
  assert.notEqual(third.value, second);
  assert.equal(third.runs, 2);
});

test('the server away: jobs end at once with the reason; then it goes on by itself', async (t) => {
  const { postgres, probe } = await start(t);
  assert.equal((await probe.query('SELECT 1')).value, '1');
  await postgres.kill();
  const started = performance.now();
  const lost = await probe.askAll({ ask: 'query', sql: 'SELECT 1', times: 500 });
  assert.ok(lost.every(({ code }) => code === 'transient'), JSON.stringify(lost[0]));
  assert.ok(performance.now() - started < 20_000);
  await postgres.restart();
  await waitFor('an answer', async () => (await probe.query('SELECT 1')).value === '1');
});

test('a stop calls off what runs and ends what waits', async (t) => {
  const { postgres, probe } = await start(t, { 'postgres.pool_size': '2', 'postgres.query_timeout': '5m' });
  const sleeping = probe.askAll({ ask: 'query', sql: 'SELECT pg_sleep(600)', times: 50 });
  await waitFor('two that run', async () => (await connections(postgres)).filter(({ state }) => state === 'active').length === 2);
  const waiting = probe.ask({ ask: 'channel', role: 'anon', topic: 'room', claims: '{}', sub: '', hash: 1 });
  const started = performance.now();
  assert.equal((await probe.stop()).code, 0);
  assert.ok(performance.now() - started < 30_000);
  const got = await sleeping;
  assert.equal(got.filter(({ error }) => /stopped while a query ran/.test(error)).length, 2);
  assert.equal(got.filter(({ error }) => /stopped before the query was begun/.test(error)).length, 48);
  assert.equal((await waiting).unavailable, true);
});

test('a server that does not answer is given up in time', async (t) => {
  const { postgres, probe } = await start(t, { 'postgres.query_timeout': '500ms', 'postgres.pool_size': '1' });
  assert.equal((await probe.query('SELECT 1')).value, '1');
  const [{ pid }] = await connections(postgres);
  process.kill(pid, 'SIGSTOP');
  const got = await probe.query('SELECT 2').finally(() => process.kill(pid, 'SIGCONT'));
  assert.match(got.error, /no answer to a query within 500 ms/);
  assert.equal((await probe.query('SELECT 3')).value, '3');
});
