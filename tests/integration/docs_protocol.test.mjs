// The client of docs/PROTOCOL.md, run as it stands there: only the port is another.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pageBlocks, Reader } from '../lib/docs.mjs';
import { startHouse } from '../lib/house.mjs';

const ROOT = new URL('../../', import.meta.url);
const ORDER = (id, status) => `INSERT INTO orders VALUES (${id}, '${status}')`;

test('docs/PROTOCOL.md: the whole client follows a table and misses nothing over a restart', async (t) => {
  const house = await startHouse(t, { schema: 'CREATE TABLE orders (id int PRIMARY KEY, status text)' });
  const blocks = (language) => pageBlocks('docs/PROTOCOL.md', language, { 4000: house.walcast.port });
  const reader = new Reader(house.walcast.env);
  t.after(() => reader.remove());
  const [start, ...more] = [...blocks('sh'), ...blocks('js')];
  assert.equal(more.length, 1, 'every block is run here');
  writeFileSync(join(reader.directory, 'follow.mjs'), more[0]);
  const follow = reader.shell(t, start);
  await follow.says(/^live \S+$/m);
  await house.postgres.query(`${ORDER(1, 'paid')}; ${ORDER(2, 'open')}`);
  await follow.says(/^INSERT \{ id: 1, status: 'paid' \}$/m);
  await house.walcast.stop();
  await house.postgres.query(`${ORDER(3, 'paid')}; DELETE FROM orders WHERE id = 2`);
  house.walcast.start();
  await house.walcast.ready();
  await follow.says(/^INSERT \{ id: 3, status: 'paid' \}$/m);
  await house.postgres.query(ORDER(4, 'paid'));
  await follow.says(/^INSERT \{ id: 4, status: 'paid' \}$/m);
  assert.deepEqual([...follow.text().matchAll(/^[A-Z]{5,} .*id: (\d)/gm)].map(([, id]) => id), ['1', '3', '4']);
});

// "Code: what is wrong", as the sources of the protocol's side have it.
test('docs/PROTOCOL.md: its table has every code, and no other', () => {
  const sources = readdirSync(new URL('ws/', ROOT)).filter((name) => /^(hub|join|session).*\.c$/.test(name))
    .map((name) => readFileSync(new URL(`ws/${name}`, ROOT), 'utf8')).join('\n')
    .replace(/strncmp\([^;]*;/g, ''); // looks at one, says none
  const spoken = new Set([...sources.matchAll(/"((?:[A-Z][a-z]+|JWT){2,}|Unauthorized)(?:: |")/g)].map(([, code]) => code));
  const page = readFileSync(new URL('docs/PROTOCOL.md', ROOT), 'utf8');
  const [table] = /^\| code \|[\s\S]*?\n\n/m.exec(page);
  const told = new Set([...table.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, codes]) => [...codes.matchAll(/`(\w+)`/g)])
    .map(([, code]) => code));
  assert.deepEqual([...told].sort(), [...spoken].sort());
});
