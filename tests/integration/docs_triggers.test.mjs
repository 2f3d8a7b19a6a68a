// Every command and every definition of docs/TRIGGERS.md, as it stands there: only the port is another.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { pageBlocks, Reader } from '../lib/docs.mjs';
import { startHouse } from '../lib/house.mjs';
import { waitFor } from '../lib/wait.mjs';
import '../lib/triggers_role.mjs';

const SCHEMA = `CREATE TABLE orders (id bigint PRIMARY KEY, status text, total numeric, customer_id int);
  ALTER TABLE orders REPLICA IDENTITY FULL;
  CREATE TABLE orders_log (event text PRIMARY KEY, data jsonb);
  CREATE TABLE totals (event text PRIMARY KEY, customer int, total numeric);`;

suite('docs/TRIGGERS.md', () => {
  let house, reader;
  const cleanups = [];
  const blocks = (language) => pageBlocks('docs/TRIGGERS.md', language, { 4000: house.walcast.port });
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { schema: SCHEMA });
    reader = new Reader(house.walcast.env);
    cleanups.push(() => reader.remove());
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  async function run(t, block) {
    const shell = reader.shell(t, block);
    const code = await shell.ended;
    assert.equal(code, 0, shell.text());
    return shell.text();
  }

  test('every block is run here', () => {
    assert.equal(blocks('sh').length, 5);
    assert.equal(blocks('yaml').length, 7);
  });

  test('in files', async (t) => {
    const said = await run(t, blocks('sh')[0]);
    assert.match(said, /order-paid\.yaml: good\ncreated +order-paid .*\ncreated +order-paid/);
    assert.match(said, /^order-paid +default +active/m);
  });

  test('over REST', async (t) => {
    const said = await run(t, blocks('sh')[1]);
    assert.match(said, /"name":"order-large".*"select":\{"order":"new\.id","amount":"new\.total"\}/);
    assert.match(said, /"paused":true/);
  });

  test('what became of an event', async (t) => {
    assert.match(await run(t, blocks('sh')[2]), /^TIME +OUTCOME/m);
  });

  test('dead letters', async (t) => {
    assert.match(await run(t, blocks('sh')[3]), /^ID +DEAD SINCE[\s\S]*0 letters/m);
  });

  test('why it did not act', async (t) => {
    await house.postgres.query("INSERT INTO orders VALUES (1, 'open', 9.5, 7), (2, 'paid', 9.5, 7)");
    await waitFor('both in the stream', async () => (await house.walcast.changes({ table: 'public.orders' })).length === 2);
    const said = await run(t, blocks('sh')[4]);
    assert.match(said, /^2 events: 1 would be delivered, 1 not\n +1 +not matched: new\.status = 'paid' is false$/m);
    assert.match(said, /"event_id":"[^"]+","op":"INSERT".*\n\{"summary":\{"events":2,"matched":1,/);
  });

  test('each definition is valid', async () => {
    for (const [i, block] of blocks('yaml').entries()) {
      const path = join(house.walcast.directory, `example-${i}.yaml`);
      writeFileSync(path, block);
      const { code, stdout, stderr } = await house.walcast.command(['trigger', 'validate', path]);
      assert.equal(code, 0, stderr);
      if (/workflow:/.test(block)) assert.match(stderr, /warning.*runs no workflows/);
      else if (/sql:/.test(block)) assert.match(stderr, /^\S+ ?warning: statement: it runs as the superuser \S+ of postgres\.url; set triggers\.sql_url [^\n]*\n$/);
      else assert.equal(stderr, '', 'and without a warning');
      assert.match(stdout, /good/);
    }
  });
});
