// What the index is made of, and sessions that change it without pause: products with a category and
// tags, long texts that updates leave out, keys that change, rows that leave the condition and return.
import { randomOf } from '../../lib/mixed.mjs';
import { waitFor } from '../../lib/wait.mjs';

export const MARK = -1; // the product that says how far the others are
export const SCHEMA = (rows) => `
CREATE TABLE categories (id int PRIMARY KEY, name text);
CREATE TABLE products (id bigint PRIMARY KEY, title text, body text, price numeric, category_id int, attrs jsonb, hidden bool NOT NULL DEFAULT false);
ALTER TABLE products ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE product_tags (id bigserial PRIMARY KEY, product_id bigint, tag text);
CREATE INDEX ON products (category_id);
CREATE INDEX ON product_tags (product_id);
CREATE FUNCTION words(seed bigint, count int) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(substr('lampstoneriverstandingboxesredgreenwalkedZürichgardentablechairs', 1 + abs(hashint8(seed * 31 + i)) % 55, 3 + abs(hashint8(seed + i)) % 6), ' ')
  FROM generate_series(1, count) i $$;
-- A long one is one that is stored apart.
CREATE FUNCTION long(seed bigint) RETURNS text LANGUAGE sql AS $$ SELECT words(seed, 25) || ' ' || repeat(chr(97 + (seed % 26)::int), 2300) $$;
CREATE FUNCTION product(i bigint) RETURNS products LANGUAGE sql AS $$
  SELECT i, words(i, 5), CASE WHEN i % 3 = 0 THEN long(i) ELSE words(i * 7, 12) END, abs(hashint8(i)) % 10000 / 100.0, abs(hashint8(i)) % 23,
    jsonb_build_object('colour', words(i, 1), 'size', i % 5), i % 11 = 0 $$;
INSERT INTO categories SELECT i, words(i, 2) FROM generate_series(0, 19) i;
INSERT INTO products SELECT p.* FROM generate_series(1, ${rows}) i, product(i) p;
INSERT INTO product_tags (product_id, tag) SELECT 1 + abs(hashint8(i)) % ${rows}, 't' || i % 13 FROM generate_series(1, ${rows}) i;
ANALYZE`;

// Another `version` is another index, which is built beside the one that answers.
export const definitionOf = (version) => `name: products
table: products
fields: {title: 2, body: 1, attrs->colour: 1.5}
filterable: [price, category_id, attrs.size]
sortable: [price, id]
facets: [category.name, tags.tag]
when: not hidden
language: english
stop_words: [stop${version}]
joins: {category: {table: categories, key: category_id, fields: [name]}}
children: {tags: {table: product_tags, key: product_id, fields: {tag: 0.5}}}
`;

function statement(random, rows, unique) {
  const id = 1 + random(rows);
  switch (random(15)) {
    case 0: return `INSERT INTO products SELECT * FROM product(${unique})`;
    case 1: return `INSERT INTO products SELECT p.* FROM generate_series(0, ${random(9)}) i, product(${unique} + i) p`;
    case 2: return `UPDATE products SET title = words(${unique}, 4) WHERE id = ${id}`; // without the body
    case 3: return `UPDATE products SET price = price + 1, attrs = attrs || '{"size": 9}' WHERE id BETWEEN ${id} AND ${id + 5}`;
    case 4: return `UPDATE products SET body = ${random(2) ? `long(${unique})` : `words(${unique}, 6)`} WHERE id = ${id}`;
    case 5: return `UPDATE products SET id = ${unique} WHERE id = ${id}`;
    case 6: return `UPDATE products SET id = ${id} WHERE id = (SELECT max(id) FROM products) AND NOT EXISTS (SELECT FROM products WHERE id = ${id})`;
    case 7: return `DELETE FROM products WHERE id = ${id} OR id IN (SELECT id FROM products WHERE id > 1000000 LIMIT ${random(9)})`;
    case 8: return `UPDATE products SET hidden = NOT hidden WHERE id BETWEEN ${id} AND ${id + 2}`;
    case 9: return `UPDATE products SET category_id = ${random(23)} WHERE id = ${id}`;
    case 10: if (random(15) > 0) return `UPDATE products SET hidden = NOT hidden WHERE id = ${id}`; // each makes 5 % of the documents anew
      return `UPDATE categories SET name = words(${unique}, 2) WHERE id = ${random(20)}`;
    case 11: if (random(15) > 0) return `UPDATE products SET title = title || ' new' WHERE id = ${id}`;
      return random(2) ? `DELETE FROM categories WHERE id = ${random(20)}`
      : `INSERT INTO categories VALUES (${random(23)}, words(${unique}, 2)) ON CONFLICT DO NOTHING`;
    case 12: return `INSERT INTO product_tags (product_id, tag) VALUES (${id}, 't${random(13)}')`;
    case 13: return `UPDATE product_tags SET product_id = ${id} WHERE id = ${1 + random(rows)}`;
    default: return `DELETE FROM product_tags WHERE id = ${1 + random(rows)}`;
  }
}

// A machine under other loads keeps up with so many.
const BETWEEN_MS = 10;

export class Load {
  count = 0; // transactions
  #sessions = [];
  #isPaused = false;
  #isStopped = false;

  constructor(postgres, { seed, rows, sessions = 2 }) {
    this.postgres = postgres;
    this.#sessions = Array.from({ length: sessions }, (_, number) => ({ number, random: randomOf(seed * 100 + number), made: 0, isIdle: false }));
    this.running = Promise.all(this.#sessions.map((session) => this.#run(session, rows)));
    this.running.catch(() => {}); // told by stop()
  }

  async #run(session, rows) {
    const client = await this.postgres.connect();
    try {
      while (!this.#isStopped) {
        session.isIdle = this.#isPaused;
        if (!this.#isPaused) await this.#transaction(client, session, rows);
        await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
      }
    } finally {
      session.isIdle = true;
      await client.end();
    }
  }

  async #transaction(client, session, rows) {
    await client.query('BEGIN');
    try {
      for (let k = session.random(3); k >= 0; k--)
        await client.query(statement(session.random, rows, 1_000_000 + (session.made++ * this.#sessions.length + session.number) * 50));
      await client.query(session.random(8) === 0 ? 'ROLLBACK' : 'COMMIT');
    } catch (error) {
      if (!['40P01', '23505'].includes(error.code)) throw error; // a deadlock, a key that is there
      await client.query('ROLLBACK');
    }
    this.count++;
  }

  // Nothing is under way when it resolves.
  async pause() {
    this.#isPaused = true;
    await waitFor('idle sessions', () => this.#sessions.every(({ isIdle }) => isIdle), 60_000, 1);
  }

  resume() {
    this.#isPaused = false;
    for (const session of this.#sessions) session.isIdle = false;
  }

  stop() {
    this.#isStopped = true;
    return this.running;
  }
}
