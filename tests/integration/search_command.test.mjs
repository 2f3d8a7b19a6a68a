// `walcast search`: what an operator asks of a running process, and what is said when it cannot be.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { define, read } from '../lib/search.mjs';
import { waitFor } from '../lib/wait.mjs';

test('words are found by the command, as lines or as one answer', async (t) => {
  const house = await startHouse(t, { schema: `
    CREATE TABLE notes (id int PRIMARY KEY, title text, n int);
    INSERT INTO notes VALUES (1, 'red shoes', 5), (2, 'blue shoes & socks', 7), (3, 'green hat', 7)` });
  define(house.walcast, 'notes', 'name: notes\ntable: notes\nfields: [title]\nfilterable: [n]\nsortable: [n]\n');
  await waitFor('the index', () => read(house.walcast, 'notes')?.documents.length === 3, 30_000);
  await waitFor('the answer', async () => {
    const { code, stderr } = await house.walcast.command(['search', 'notes', 'hat']);
    if (code !== 0) throw new Error(stderr);
    return true;
  });

  const lines = (await house.walcast.commandOk(['search', 'notes', 'shoes', '--sort', 'n:desc'])).trim().split('\n').map(JSON.parse);
  assert.deepEqual(lines.map(({ id }) => id), [2, 1]);
  const answer = JSON.parse(await house.walcast.commandOk(['search', 'notes', 'blue', 'shoes', '--json']));
  assert.equal(answer.hits[0].title, 'blue shoes & socks');
  assert.equal(typeof answer.processingTimeMs, 'number');
  const filtered = JSON.parse(await house.walcast.commandOk(['search', 'notes', 'shoes', '--filter', 'n = 5', '--json']));
  assert.deepEqual(filtered.hits.map(({ id }) => id), [1]);
  const limited = JSON.parse(await house.walcast.commandOk(['search', 'notes', '--limit', '1', '--json']));
  assert.equal(limited.hits.length, 1);

  const refusals = [[['search'], 2, /which index\?/], [['search', 'nothing', 'x'], 1, /nothing/],
    [['search', 'notes', 'x', '--filter', 'title = 1'], 1, /not filterable/],
    [['search', 'notes', 'x', '--token', 'wrong'], 1, /./]];
  for (const [args, code, says] of refusals) {
    const result = await house.walcast.command(args);
    assert.equal(result.code, code, `${args}: ${result.stdout}${result.stderr}`);
    assert.match(result.stderr, says);
    assert.equal(result.stdout, '');
    assert.ok(!result.stderr.includes('apikey'), result.stderr);
  }
});
