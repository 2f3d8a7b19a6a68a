// Search indexes made of tables: built from a snapshot while changes flow, whatever is killed
// meanwhile, and then kept as the tables are. What the index holds is read from its file.
import assert from 'node:assert/strict';
import test from 'node:test';
import { churnSchema, startChurn } from '../lib/churn.mjs';
import { startHouse } from '../lib/house.mjs';
import { define, files, read, waitEqual } from '../lib/search.mjs';
import { waitFor } from '../lib/wait.mjs';

const NUMBERS = 'name: numbers\ntable: numbers\nfields: {small: 2, big: 1}\nsortable: [n]\n';

const numbersOf = (house) => async () =>
  (await house.postgres.query('SELECT id, n, small, big FROM numbers')).rows
    .map(({ id, n, small, big }) => [id, { big, id: Number(id), n, small }]);

test('an index is built under live writes and kills, and then equals its table', async (t) => {
  const rows = 5000;
  const house = await startHouse(t, { schema: churnSchema(rows), walcast: true,
    config: { 'snapshot.piece_bytes': '256KiB' } });
  const churn = startChurn(house.postgres, { seed: 3, rows });
  t.after(() => churn.stop());
  define(house.walcast, 'numbers', NUMBERS);
  await waitFor('the build', () => files(house.walcast, 'numbers').length > 0);
  let kills = 0;
  for (; kills < 6; kills++) {
    const before = churn.count;
    await waitFor('changes', () => churn.count > before + 15);
    await house.walcast.kill();
    house.walcast.start();
  }
  await house.walcast.ready(120_000);
  for (; kills < 10; kills++) { // and when it is live
    const before = churn.count;
    await waitFor('changes', () => churn.count > before + 30);
    await house.walcast.kill();
    house.walcast.start();
    await house.walcast.ready(60_000);
  }
  await churn.stop();
  const { documents, build } = await waitEqual(house.walcast, 'numbers', numbersOf(house));
  assert.ok(documents.length > rows / 2, `${documents.length} documents`);
  assert.equal(build, 1, 'it was begun anew');
  assert.equal(await house.walcast.metric('walcast_search_gaps_total'), 0);
  t.diagnostic(`${kills} kills, ${documents.length} documents, ${churn.count} transactions`);
});

test('a committed change is in the index within 250 ms', async (t) => {
  const house = await startHouse(t, { schema:
    "CREATE TABLE notes (id int PRIMARY KEY, text text); INSERT INTO notes SELECT i, 'n' || i FROM generate_series(1, 100) i" });
  define(house.walcast, 'notes', 'name: notes\ntable: notes\nfields: [text]\n');
  await waitFor('the index', () => read(house.walcast, 'notes')?.documents.length === 100, 30_000);
  const times = [];
  for (let i = 0; i < 40; i++) {
    const begun = performance.now();
    await house.postgres.query(`UPDATE notes SET text = 'changed ${i}' WHERE id = ${1 + i}`);
    await waitFor('the change', () => read(house.walcast, 'notes').documents
      .some(({ json }) => json.text === `changed ${i}`), 5000, 2);
    times.push(performance.now() - begun);
  }
  times.sort((a, b) => a - b);
  t.diagnostic(`from before the statement until it is read: median ${times[20].toFixed(1)} ms, largest ${times.at(-1).toFixed(1)} ms`);
  assert.ok(times.at(-2) < 250, `${times.at(-2)} ms`);
});
