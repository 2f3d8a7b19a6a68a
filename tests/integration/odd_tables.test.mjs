// Tables of every awkward shape: odd names of schemas, tables and columns, as many columns as there
// may be, dropped ones, generated ones. What the stream holds is the table.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fold } from '../lib/fold.mjs';
import { startHouse } from '../lib/house.mjs';
import { assertShapesTold } from '../lib/shapes.mjs';
import { waitConfirmed } from '../lib/slot.mjs';

const quote = (name) => `"${name.replaceAll('"', '""')}"`;

const NAMES = ['a b', 'a.b', '.', 'a"b', "a'b", '"', 'ünïcødé', 'İ', '漢字', '😀', '*', '>', 'a*b>c', '%', '%2E', ':', 'a:b',
  '\\', '\n', '\t', '$', '$1', ' lead', 'trail ', 'NULL', 'null', 'select', 'UPPER', 'upper', '_', '{}', '[]', ',', ';--',
  '/', '@', '#', '~', 'x'.repeat(63), '😀'.repeat(15), 'é'.repeat(31), '\u0001', '\u00a0', '\u200b', 'e\u0301'];

test('odd names of schemas, tables and columns', async (suite) => {
  const house = await startHouse(suite, {
    schema: NAMES.map((name, i) => `
      CREATE SCHEMA IF NOT EXISTS ${quote(name)};
      CREATE TABLE ${quote(name)}.${quote(name)} (id int PRIMARY KEY, ${quote(name)} text, "c""${i}" int);
      CREATE TABLE public.${quote(name)} (${quote(name)} text PRIMARY KEY);`).join('')
      + 'CREATE PUBLICATION walcast FOR ALL TABLES' });
  const { postgres, walcast } = house;
  for (const [i, name] of NAMES.entries())
    await postgres.query(`
      INSERT INTO ${quote(name)}.${quote(name)} VALUES (${i}, 'v${i}', 7);
      INSERT INTO public.${quote(name)} VALUES ('home');`);
  await waitConfirmed(postgres);
  const all = await walcast.changes({ shapes: true });
  const changes = all.filter(({ op }) => op === 'INSERT');
  assert.equal(changes.length, 2 * NAMES.length);
  assert.equal(all.length, 2 * changes.length, 'each row behind its table\'s shape');
  const shape = (table, schema) => all.find((change) => change.op === 'SCHEMA'
    && change.schema === schema && change.table === table).shape.columns.map((column) => column.name);
  for (const [i, name] of NAMES.entries()) {
    await suite.test(JSON.stringify(name), async () => {
      const find = (schema) => changes.filter((change) => change.schema === schema && change.table === name)
        .map(({ record }) => record);
      assert.deepEqual(find(name), [{ id: i, [name]: `v${i}`, [`c"${i}`]: 7 }]);
      assert.deepEqual(find('public'), [{ [name]: 'home' }]);
      assert.deepEqual(shape(name, name), ['id', name, `c"${i}`]);
      assert.deepEqual(shape(name, 'public'), [name]);
    });
  }
  await suite.test('each table has a subject of its own, of five tokens', async () => {
    const all = await house.nats.manage(async (manager) =>
      Object.keys((await manager.streams.info('WALCAST', { subjects_filter: '>' })).state.subjects));
    const subjects = all.filter((subject) => subject.endsWith('.INSERT'));
    assert.equal(subjects.length, 2 * NAMES.length);
    assert.deepEqual(all.filter((subject) => !subjects.includes(subject)).sort(),
      subjects.map((subject) => subject.replace(/INSERT$/, 'SCHEMA')).sort());
    for (const subject of all) {
      assert.equal(subject.split('.').length, 5, subject);
      assert.match(subject, /^[^ \t\r\n*>]+$/);
    }
  });
  await suite.test('tail finds each by its quoted name', async () => {
    for (const [i, name] of NAMES.slice(0, 12).entries())
      assert.deepEqual((await walcast.changes({ table: `${quote(name)}.${quote(name)}` }))
        .map(({ record }) => record.id), [i]);
  });
  await suite.test('each shape is known again after a kill, and each change of one told', async () => {
    await walcast.kill();
    walcast.start();
    for (const [i, name] of NAMES.entries())
      await postgres.query(`
        INSERT INTO ${quote(name)}.${quote(name)} VALUES (${i + 1000}, 'w', 7);
        INSERT INTO public.${quote(name)} VALUES ('again');
        ALTER TABLE ${quote(name)}.${quote(name)} ADD more int;
        INSERT INTO ${quote(name)}.${quote(name)} VALUES (${i + 2000}, 'w', 7, 8);`);
    await waitConfirmed(postgres);
    const later = (await walcast.changes({ shapes: true })).slice(all.length);
    assert.deepEqual(later.map(({ op, schema, table }) => [op, schema, table]),
      NAMES.flatMap((name) => [['INSERT', name, name], ['INSERT', 'public', name],
        ['SCHEMA', name, name], ['INSERT', name, name]]));
    await assertShapesTold(house.nats);
  });
});

test('1,600 columns', async (suite) => {
  const numbers = Array.from({ length: 1599 }, (_, i) => i);
  const house = await startHouse(suite, { schema: `
    CREATE TABLE wide (id smallint PRIMARY KEY, ${numbers.map((i) => `c${i} smallint`).join(', ')});
    CREATE TABLE wide_names (id int PRIMARY KEY,
      ${numbers.map((i) => `${quote(`${'long name '.repeat(5)}${i}`)} bool`).join(', ')});` });
  const { postgres, walcast } = house;
  await postgres.query(`INSERT INTO wide VALUES (1, ${numbers.join(', ')})`);
  await postgres.query('UPDATE wide SET c7 = NULL, c1598 = -1');
  await postgres.query(`INSERT INTO wide_names VALUES (1, ${numbers.map((i) => i % 3 === 0).join(', ')})`);
  await waitConfirmed(postgres);
  for (const table of ['wide', 'wide_names']) {
    const rows = fold(await walcast.changes({ table: `public.${table}` }), ({ id }) => id);
    const { rows: [{ row }] } = await postgres.query(`SELECT to_json(t) AS row FROM ${table} t`);
    assert.equal(Object.keys(row).length, 1600);
    assert.deepEqual([...rows.values()], [row]);
  }
});

test('columns that were dropped, added, renamed and retyped leave no trace', async (suite) => {
  const house = await startHouse(suite, { schema: `
    CREATE TABLE shaped (gone int, id int PRIMARY KEY, a text, b int, c text);
    ALTER TABLE shaped DROP COLUMN gone` });
  const { postgres, walcast } = house;
  await postgres.query("INSERT INTO shaped VALUES (1, 'a', 2, 'c')");
  await postgres.query('ALTER TABLE shaped DROP COLUMN a, ADD COLUMN d numeric DEFAULT 1.50');
  await postgres.query("INSERT INTO shaped VALUES (2, 2, 'c')");
  await postgres.query('ALTER TABLE shaped RENAME COLUMN b TO "B b"');
  await postgres.query('UPDATE shaped SET "B b" = 9 WHERE id = 1');
  await postgres.query(`BEGIN; INSERT INTO shaped VALUES (3, 3, 'c');
    ALTER TABLE shaped ALTER COLUMN "B b" TYPE text, DROP COLUMN c;
    INSERT INTO shaped VALUES (4, 'now text', 0.10); COMMIT`);
  await waitConfirmed(postgres);
  const changes = await walcast.changes();
  assert.deepEqual(changes.map(({ op }) => op), ['INSERT', 'SCHEMA', 'INSERT', 'SCHEMA', 'UPDATE',
    'INSERT', 'SCHEMA', 'INSERT']);
  assert.deepEqual(changes.filter(({ op }) => op !== 'SCHEMA').map(({ record }) => record), [
    { id: 1, a: 'a', b: 2, c: 'c' },
    { id: 2, b: 2, c: 'c', d: 1.5 },
    { id: 1, 'B b': 9, c: 'c', d: 1.5 },
    { id: 3, 'B b': 3, c: 'c', d: 1.5 },
    { id: 4, 'B b': 'now text', d: 0.1 }]);
});

for (const major of [undefined, 18]) {
  test(`generated columns, PostgreSQL ${major ?? 'from Debian'}`, async (suite) => {
    const house = await startHouse(suite, { major, schema: `
      CREATE TABLE made (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED, b int)` });
    const { postgres, walcast } = house;
    const insert = async (id) => {
      await postgres.query(`INSERT INTO made (id, a, b) VALUES (${id}, 7, 8)`);
      await waitConfirmed(postgres);
      return (await walcast.changes()).at(-1).record;
    };
    assert.deepEqual(await insert(1), { id: 1, a: 7, b: 8 });
    if (major !== 18) return;
    // A publication may ask for the stored ones from 18 on.
    await postgres.query('ALTER PUBLICATION walcast SET (publish_generated_columns = stored)');
    assert.deepEqual(await insert(2), { id: 2, a: 7, twice: 14, b: 8 });
  });
}
