// What a definition may ask for: conditions, several tables, keys of several columns, paths into
// JSON, joined and child tables; and what happens when definition, table or stream change.
import assert from 'node:assert/strict';
import { startHouse } from '../lib/house.mjs';
import { define, files, read, waitEqual } from '../lib/search.mjs';
import { together } from '../lib/together.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { waitFor } from '../lib/wait.mjs';

const test = together(2);

const equal = (house, index, rows) => waitEqual(house.walcast, index, async () => rows);

// All that was asked for is told as done, whether it was built, overtaken, or built before a start.
const tasksEnd = (house, count) => waitFor('tasks to end', async () => {
  const response = await fetch(`${house.walcast.url}/tasks`, { headers: { authorization: `Bearer ${goodToken({ role: 'service_role' })}` } });
  const { results } = await response.json();
  return results?.length === count && results.every(({ status }) => status === 'succeeded');
}, 60_000, 50);

test('only rows that meet the condition are found, whatever an update leaves out', async (t) => {
  const house = await startHouse(t, { schema: `
    CREATE TABLE posts (id int PRIMARY KEY, title text, body text, published bool, meta jsonb);
    ALTER TABLE posts ALTER COLUMN body SET STORAGE EXTERNAL;
    INSERT INTO posts VALUES (1, 'one', repeat('x', 3000), true, '{"tags": ["a", "b"], "n": 1.50}'),
      (2, 'two', repeat('y', 3000), false, '{"tags": "c"}'), (3, 'three', 'short', NULL, NULL)` });
  define(house.walcast, 'posts', `name: posts\ntable: posts\nfields: {title: 2, body: 1, meta->tags: 1}
filterable: [meta.n]\nwhen: published\n`);
  const x = 'x'.repeat(3000), y = 'y'.repeat(3000);
  await equal(house, 'posts', [[1, { body: x, id: 1, meta: { n: 1.5, tags: ['a', 'b'] }, title: 'one' }]]);
  await house.postgres.query("UPDATE posts SET title = '2' WHERE id = 2");
  await house.postgres.query('UPDATE posts SET published = true WHERE id = 2');
  await house.postgres.query('UPDATE posts SET published = false WHERE id = 1');
  await house.postgres.query("UPDATE posts SET published = true, meta = '{}' WHERE id = 3");
  await equal(house, 'posts', [[2, { body: y, id: 2, meta: { n: null, tags: 'c' }, title: '2' }],
    [3, { body: 'short', id: 3, meta: { n: null, tags: null }, title: 'three' }]]);
  await house.postgres.query('UPDATE posts SET id = 20 WHERE id = 2');
  await house.postgres.query('UPDATE posts SET published = true WHERE id = 1');
  await house.postgres.query('DELETE FROM posts WHERE id = 3');
  await equal(house, 'posts', [[1, { body: x, id: 1, meta: { n: 1.5, tags: ['a', 'b'] }, title: 'one' }],
    [20, { body: y, id: 20, meta: { n: null, tags: 'c' }, title: '2' }]]);
  await house.postgres.query("TRUNCATE posts; INSERT INTO posts VALUES (7, 'seven', '', true, NULL)");
  await equal(house, 'posts', [[7, { body: '', id: 7, meta: { n: null, tags: null }, title: 'seven' }]]);
});

test('several tables, and keys of several columns', async (t) => {
  const house = await startHouse(t, { schema: `
    CREATE SCHEMA other;
    CREATE TABLE books (isbn text PRIMARY KEY, title text);
    CREATE TABLE other.films (year int, "No" text, title text, PRIMARY KEY ("No", year));
    INSERT INTO books VALUES ('1', 'Dune');
    INSERT INTO other.films VALUES (1984, 'a_b%', 'Dune')`, config: { 'postgres.tables': '*.*' } });
  define(house.walcast, 'all', 'name: all\ntables: [books, other.films]\nfields: [title]\nsortable: [year]\n');
  define(house.walcast, 'films', 'name: films\ntable: other.films\nfields: [title]\n');
  const book = ['books:1', { _id: 'books:1', _table: 'books', isbn: '1', title: 'Dune', year: null }];
  const film = (title) => ['films:a%5Fb%25_1984', { _id: 'films:a%5Fb%25_1984', _table: 'films', No: 'a_b%', title, year: 1984 }];
  await equal(house, 'all', [book, film('Dune')]);
  await house.postgres.query("UPDATE books SET title = 'Dune'; UPDATE other.films SET title = 'Dune, part one'");
  await equal(house, 'all', [book, film('Dune, part one')]);
  await equal(house, 'films', [['a%5Fb%25_1984', { _id: 'a%5Fb%25_1984', No: 'a_b%', title: 'Dune, part one', year: 1984 }]]);
  await house.postgres.query('TRUNCATE other.films');
  await equal(house, 'all', [book]);
  await equal(house, 'films', []);
  assert.equal((await house.walcast.health()).reason, undefined, 'that books have no year is no trouble');
});

const SHOP = `
  CREATE TABLE categories (id int PRIMARY KEY, name text);
  CREATE TABLE products (id int PRIMARY KEY, title text, category_id int);
  CREATE TABLE product_tags (id serial PRIMARY KEY, product_id int, tag text);
  INSERT INTO categories VALUES (1, 'tools'), (2, 'toys');
  INSERT INTO products SELECT i, 'p' || i, 1 + i % 2 FROM generate_series(1, 600) i;
  INSERT INTO product_tags (product_id, tag) SELECT i, 't' || i % 3 FROM generate_series(1, 600) i`;
const PRODUCTS = `name: products\ntable: products\nfields: {title: 2}\nfilterable: [category_id]
joins: {category: {table: categories, key: category_id, fields: [name]}}
children: {tags: {table: product_tags, key: product_id, fields: {tag: 0.5}}}\n`;

const productsOf = (house) => async () => (await house.postgres.query(`
  SELECT p.id, p.title, p.category_id, c.name,
    (SELECT array_agg(tag ORDER BY g.id::text COLLATE "C") FROM product_tags g WHERE g.product_id = p.id) AS tags
  FROM products p LEFT JOIN categories c ON c.id = p.category_id`)).rows
  .map(({ id, title, category_id, name, tags }) => [id, { category_id, id, title,
    category: name === null ? null : { name }, tags: (tags ?? []).map((tag) => ({ tag })) }]);

test('joined and child rows are in the documents, and changes of theirs too', async (t) => {
  const house = await startHouse(t, { schema: SHOP });
  define(house.walcast, 'products', PRODUCTS);
  const same = () => waitEqual(house.walcast, 'products', productsOf(house));
  await same();
  for (const statement of [
    "UPDATE categories SET name = 'games' WHERE id = 2",
    'UPDATE products SET category_id = 1 WHERE id % 7 = 0',
    'UPDATE products SET category_id = 99 WHERE id % 11 = 0',
    "INSERT INTO categories VALUES (99, 'late')",
    'UPDATE categories SET id = 3 WHERE id = 1',
    "INSERT INTO product_tags (product_id, tag) VALUES (5, 'extra'), (9999, 'nobody')",
    'UPDATE product_tags SET product_id = 6 WHERE product_id = 5',
    'DELETE FROM product_tags WHERE product_id = 7',
    "INSERT INTO products VALUES (9999, 'new', 2)",
    'UPDATE products SET id = 10000 WHERE id = 1',
    'DELETE FROM categories WHERE id = 2',
    'TRUNCATE product_tags',
  ]) {
    await house.postgres.query(statement);
    await same().catch((error) => { throw new Error(`${statement}: ${error.message}`); });
  }
});

test('joined tables too are whole after kills in the middle of writes', async (t) => {
  const house = await startHouse(t, { schema: SHOP });
  define(house.walcast, 'products', PRODUCTS);
  let writes = 0, stopped = false;
  const writing = (async () => {
    for (let i = 1; !stopped; i++, writes++) {
      await house.postgres.query(`UPDATE categories SET name = 'c${i}' WHERE id = ${1 + i % 2}`);
      await house.postgres.query(`UPDATE products SET category_id = ${1 + i % 2}, title = 't${i}' WHERE id = ${1 + i % 600}`);
      await house.postgres.query(`UPDATE product_tags SET tag = 'g${i}', product_id = ${1 + i % 50} WHERE id = ${1 + i % 600}`);
    }
  })();
  for (let kills = 0; kills < 8; kills++) {
    const before = writes;
    await waitFor('writes', () => writes > before + 20);
    await house.walcast.kill();
    house.walcast.start();
    if (kills > 4) await house.walcast.ready(60_000);
  }
  stopped = true;
  await writing;
  await waitEqual(house.walcast, 'products', productsOf(house), 60_000);
});

test('another definition is built beside the one that answers, and takes its place', async (t) => {
  const house = await startHouse(t, { schema:
    "CREATE TABLE notes (id int PRIMARY KEY, a text, b text); INSERT INTO notes SELECT i, 'a' || i, 'b' || i FROM generate_series(1, 8000) i" }); // built for long enough to be seen at it
  define(house.walcast, 'notes', 'name: notes\ntable: notes\nfields: [a]\n');
  await waitFor('the index', () => read(house.walcast, 'notes')?.documents.length === 8000, 60_000);
  const first = read(house.walcast, 'notes').generation;
  define(house.walcast, 'notes', 'name: notes\ntable: notes\nfields: [a, b]\n');
  await waitFor('the build beside', () => files(house.walcast, 'notes').length === 2, 60_000, 2);
  await house.walcast.kill();
  assert.equal(read(house.walcast, 'notes').generation, first);
  await house.postgres.query("UPDATE notes SET a = 'changed' WHERE id = 1; DELETE FROM notes WHERE id = 2");
  house.walcast.start();
  await house.walcast.ready(60_000);
  const found = await waitEqual(house.walcast, 'notes', async () =>
    (await house.postgres.query('SELECT id, a, b FROM notes')).rows.map(({ id, a, b }) => [id, { a, b, id }]));
  assert.ok(found.generation > first);
  await waitFor('the old file to go', () => files(house.walcast, 'notes').length === 1);
  await tasksEnd(house, 2);
  await house.walcast.restart();
  await tasksEnd(house, 2);
});

test('history that is gone means another build, and nothing is lost', async (t) => {
  const house = await startHouse(t, { schema:
    "CREATE TABLE notes (id int PRIMARY KEY, a text); INSERT INTO notes SELECT i, 'a' || i FROM generate_series(1, 50) i",
    config: { 'nats.max_age': '2s' } });
  define(house.walcast, 'notes', 'name: notes\ntable: notes\nfields: [a]\n');
  const same = () => waitEqual(house.walcast, 'notes', async () =>
    (await house.postgres.query('SELECT id, a FROM notes')).rows.map(({ id, a }) => [id, { a, id }]));
  await house.postgres.query("UPDATE notes SET a = 'x' WHERE id = 1");
  await same();
  // Another process takes in what changes, without this index, and it ages away.
  await house.walcast.stop();
  house.walcast.config.roles = 'cdc,ws';
  house.walcast.start();
  await house.walcast.ready();
  await house.postgres.query('UPDATE notes SET a = a || a; DELETE FROM notes WHERE id % 2 = 0');
  const lsn = (await house.postgres.query('SELECT pg_current_wal_lsn()')).rows[0].pg_current_wal_lsn;
  await waitFor('the stream to forget', async () => {
    const { rows } = await house.postgres.query("SELECT confirmed_flush_lsn >= $1 AS is_sent FROM pg_replication_slots WHERE slot_name = 'walcast'", [lsn]);
    return rows[0].is_sent && (await house.walcast.changes()).length === 0;
  }, 30_000, 200);
  await house.walcast.stop();
  house.walcast.config.roles = 'cdc,ws,search';
  house.walcast.start();
  await house.walcast.ready(60_000);
  assert.equal((await same()).build, 2);
  assert.equal(await house.walcast.metric('walcast_search_gaps_total'), 1);
});

test('what is wrong with a definition is told with its line and column, and the others count', async (t) => {
  const house = await startHouse(t, { schema: `
    CREATE TABLE notes (id int PRIMARY KEY, title text, meta jsonb, n int);
    CREATE TABLE keyless (title text);
    CREATE TABLE hidden (id int PRIMARY KEY, other int NOT NULL UNIQUE, title text);
    ALTER TABLE hidden REPLICA IDENTITY USING INDEX hidden_other_key;
    CREATE TABLE parted (id int PRIMARY KEY, title text) PARTITION BY RANGE (id);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10)` });
  const texts = {
    missing: 'name: missing\ntable: nots\nfields: [title]\n',
    column: 'name: column\ntable: notes\nfields:\n  titel: 2\n',
    keyless: 'name: keyless\ntable: keyless\nfields: [title]\n',
    hidden: 'name: hidden\ntable: hidden\nfields: [title]\n',
    parted: 'name: parted\ntable: parted\nfields: [title]\n',
    path: 'name: path\ntable: notes\nfields: [title, n->x]\n',
    when: 'name: when\ntable: notes\nfields: [title]\nwhen: title = 3\n',
    yaml: 'name: yaml\ntable: [\n',
    unknown: 'name: unknown\ntable: notes\nfileds: [title]\n',
    good: 'name: good\ntable: notes\nfields: [title]\n',
  };
  const told = {
    missing: ':2:8: table: there is no table public.nots; did you mean notes?',
    column: ':4:3: fields: public.notes has no column titel; did you mean title?',
    keyless: 'public.keyless has no primary key, which documents are named by: ALTER TABLE \\"public\\".\\"keyless\\" ADD PRIMARY KEY',
    hidden: 'changes of public.hidden do not tell its primary key: ALTER TABLE \\"public\\".\\"hidden\\" REPLICA IDENTITY DEFAULT;',
    parted: ':2:8: table: changes of public.parted come under the names of its partitions',
    path: ':3:17: fields: n is no json or jsonb column',
    when: ':4:',
    yaml: 'yaml.yaml:',
    unknown: ':3:1: fileds: unknown key; did you mean fields?',
  };
  for (const [name, text] of Object.entries(texts)) define(house.walcast, name, text);
  await waitFor('the good one', () => read(house.walcast, 'good'), 30_000);
  const log = house.walcast.logText();
  for (const [name, text] of Object.entries(told)) {
    const lines = log.split('\n').filter((line) => line.includes(`${name}.yaml:`) && line.includes('not taken'));
    assert.ok(lines.some((line) => line.includes(text)), `${name}: ${lines.join('\n') || 'nothing is told'}`);
    assert.equal(files(house.walcast, name).length, 0);
  }
  const { status, reason } = await house.walcast.health();
  assert.equal(status, 'warning');
  assert.match(reason, /\.yaml:\d+:\d+: /);
});
