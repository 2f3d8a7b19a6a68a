// Databases in other encodings than UTF-8: names and values come out as UTF-8, and no byte that some
// client once stored stops the slot.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';

// A database in that encoding beside the house's, a connection to it, and Walcast on it.
async function startEncoded(suite, encoding, schema) {
  const house = await startHouse(suite, { walcast: false });
  await house.postgres.query(`CREATE DATABASE encoded ENCODING '${encoding}'
    LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`);
  const url = house.postgres.url.replace(/postgres$/, 'encoded');
  const client = await house.postgres.connect({ connectionString: url });
  suite.after(() => client.end());
  for (const sql of schema) await client.query(sql);
  house.walcast = await Walcast.start({ ...house, config: { 'postgres.url': url } });
  await house.walcast.ready();
  // Stores bytes as they are: they come from a literal's escapes on the server.
  const storeBytes = (sql) => client.query(`DO $$ BEGIN EXECUTE E'${sql}'; END $$`);
  const changes = async (count) => {
    let all;
    await waitFor(`${count} changes`, async () => {
      all = await house.walcast.changes();
      return all.length >= count;
    }, 20_000);
    assert.equal(all.length, count);
    return all;
  };
  return { ...house, client, storeBytes, changes };
}

const ENCODINGS = [
  ['LATIN1', 'é', 'ÿ£ü'],
  ['LATIN9', 'Šš', '€'],
  ['WIN1251', 'таблица', 'Привет'],
  ['KOI8R', 'таблица', 'Привет'],
  ['EUC_JP', '漢字', 'カタカナ 漢字 ～ ｱ'],
  ['EUC_KR', '한글', '한국어'],
];

for (const [encoding, name, text] of ENCODINGS) {
  test(encoding, async (suite) => {
    const house = await startEncoded(suite, encoding, [
      `CREATE TYPE "${name} t" AS ENUM ('${name}')`,
      `CREATE TABLE "${name}" (id int PRIMARY KEY, "${name}" text, j json, e "${name} t"[])`]);
    await house.client.query(`INSERT INTO "${name}" VALUES (1, '${text}', '{"${text}": 1}', ARRAY['${name}'::"${name} t"])`);
    await house.client.query(`SELECT pg_logical_emit_message(true, 'outbox', 'x')`);
    const [change] = await house.changes(2);
    assert.equal(change.table, name);
    assert.deepEqual(change.record, { id: 1, [name]: text, j: { [text]: 1 }, e: [name] });
    assert.doesNotMatch(house.walcast.logText(), /cannot convert/);
  });
}

test('SQL_ASCII: UTF-8 stays, other bytes become U+FFFD', async (suite) => {
  const house = await startEncoded(suite, 'SQL_ASCII', [
    'CREATE TABLE t (id int PRIMARY KEY, v text, j json)',
    'DO $$ BEGIN EXECUTE E\'CREATE TABLE "bad\\xff.name" (id int PRIMARY KEY, "c\\xfe" text)\'; END $$']);
  await house.client.query("INSERT INTO t VALUES (1, 'é 漢字', '\"é\"')");
  await house.storeBytes("INSERT INTO t VALUES (2, ''a\\xff\\xfeb'', ''\"\\xff\"'')");
  await house.storeBytes("INSERT INTO \"bad\\xff.name\" VALUES (1, ''\\xc3'')");
  const changes = await house.changes(3);
  assert.deepEqual(changes.map(({ record }) => record), [
    { id: 1, v: 'é 漢字', j: 'é' },
    { id: 2, v: 'a\ufffd\ufffdb', j: '"\ufffd"' }, // no JSON: its text
    { id: 1, 'c\ufffd': '\ufffd' }]);
  assert.equal(changes[2].table, 'bad\ufffd.name');
  // Another start goes on from there.
  await house.walcast.restart();
  await house.storeBytes("UPDATE t SET v = ''\\xe9'' WHERE id = 2");
  assert.equal((await house.changes(4)).at(-1).record.v, '\ufffd');
});

test('what has no equivalent does not stop the slot', async (suite) => {
  const house = await startEncoded(suite, 'EUC_JP', [
    'CREATE TABLE "表" (id int PRIMARY KEY, "列" text)']);
  const { client, walcast } = house;
  await client.query(`INSERT INTO "表" VALUES (1, '漢字')`);
  await house.changes(1);
  // Bytes whose place in JIS X 0208 is empty, and neighbours that must not suffer. The name's and
  // the text's bytes are those of 表, 漢 and 字 in EUC_JP.
  await client.query("SET client_encoding = 'EUC_JP'");
  await client.query(`DO $$ BEGIN EXECUTE convert_from('\\x'::bytea ||
    'INSERT INTO "'::bytea || '\\xc9bd' || '" VALUES (2, '''::bytea || '\\xb4c1f5a1bbfa' || ''')'::bytea, 'EUC_JP'); END $$`);
  await client.query("SET client_encoding = 'UTF8'");
  await client.query(`INSERT INTO "表" VALUES (3, '後')`);
  const changes = await house.changes(3);
  assert.deepEqual(changes.map(({ record }) => record), [
    { id: 1, 列: '漢字' }, { id: 2, 列: '漢\ufffd字' }, { id: 3, 列: '後' }]);
  assert.deepEqual(changes.map(({ table }) => table), ['表', '表', '表']);
  assert.match(walcast.logText(), /cannot convert a text of the slot.*EUC_JP/);
  // Once it is behind, the server converts again.
  await walcast.restart();
  await client.query(`INSERT INTO "表" VALUES (4, '～')`);
  assert.deepEqual((await house.changes(4)).at(-1).record, { id: 4, 列: '～' });
});
