// What `walcast snapshot ... --wait` shows: a bar on a terminal, nothing of it elsewhere.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { run } from '../lib/process.mjs';
import { BINARY } from '../lib/walcast.mjs';

const SCHEMA = `CREATE TABLE items (id int PRIMARY KEY, text text);
  INSERT INTO items SELECT i, repeat('x', 300) FROM generate_series(1, 10000) i; ANALYZE`;
const START = ['snapshot', 'start', 'items', '--wait', '--rate', '1MiB'];

test('on a terminal: rows, rows a second, time left', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA, config: { 'snapshot.piece_bytes': '128KiB' } });
  const { code, stdout } = await run(['script', '-qec', [BINARY, ...START].join(' '), '/dev/null'],
    { env: house.walcast.env, cwd: house.walcast.directory });
  assert.equal(code, 0, stdout);
  const draws = stdout.split('\r\x1b[K').slice(1);
  assert.ok(draws.length > 3, `${draws.length} draws`);
  assert.match(draws.at(-1), /^\[#{30}\] 100 %  10\.0 k rows, [\d.]+( k)?\/s/);
  const halfway = draws.find((line) => /left/.test(line));
  assert.match(halfway, /^\[#*\.+\] +\d{1,2} %  [\d.]+( k)? rows, [\d.]+( k)?\/s, \d+:\d\d left/);
  assert.match(stdout, /items  done, 10000 rows/);
});

test('elsewhere: nothing', async (t) => {
  const house = await startHouse(t, { schema: SCHEMA });
  const { code, stderr, stdout } = await house.walcast.command(START);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^\w{16}  public\.items  done, 10000 rows, \d+ rows\/s, begun .*, ended .*\n$/);
});
