// Every command and every program of docs/SSE.md, run as it stands there: only the port is another.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { launchBrowser } from '../lib/browser.mjs';
import { pageBlocks, Reader } from '../lib/docs.mjs';
import { startHouse } from '../lib/house.mjs';
import { waitFor } from '../lib/wait.mjs';

const SCHEMA = `CREATE TABLE orders (id int PRIMARY KEY, status text);
  CREATE SCHEMA "My Schema";
  CREATE TABLE "My Schema"."order.lines" (id int PRIMARY KEY, status text, note text);`;

suite('docs/SSE.md', () => {
  let house;
  let reader;
  let token;
  let next = 1;
  const cleanups = [];
  const blocks = (language) => pageBlocks('docs/SSE.md', language, { 4000: house.walcast.port });
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { schema: SCHEMA, config: { 'postgres.tables': 'public.*,"My Schema".*' } });
    token = await house.walcast.token({ role: 'authenticated' });
    reader = new Reader({ ...house.walcast.env, TOKEN: token });
    cleanups.push(() => reader.remove());
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  async function order(status = 'paid') {
    await house.postgres.query(`INSERT INTO orders VALUES (${next}, '${status}')`);
    return next++;
  }

  test('every block is run here', () => {
    assert.equal(blocks('sh').length, 4);
    assert.equal(blocks('js').length, 3);
  });

  test('curl shows changes; with the last id it goes on', async (t) => {
    const [first, , again] = blocks('sh');
    const curl = reader.shell(t, first, { TOKEN: '' });
    await curl.says(/^event: ready$/m);
    await order();
    const [, id] = await curl.says(/^id: (\S+)\ndata: \{"schema":"public","table":"orders","commit_timestamp":"[^"]+","type":"INSERT"/m);
    const missed = await order();
    const later = reader.shell(t, again, { ID: id });
    await later.says(new RegExp(`^data: .*"record":\\{"id":${missed},`, 'm'));
    await later.says(/^event: ready$/m);
    assert.equal(later.text().match(/^data: \{"schema"/gm).length, 1);
  });

  test('names in quotes, a filter, columns and events', async (t) => {
    const curl = reader.shell(t, blocks('sh')[1]);
    await curl.says(/^event: ready$/m);
    await house.postgres.query(`INSERT INTO "My Schema"."order.lines" VALUES (1, 'open', 'x'), (2, 'paid', 'y');
      DELETE FROM "My Schema"."order.lines"; INSERT INTO "My Schema"."order.lines" VALUES (3, 'paid', 'z')`);
    await curl.says(/"record":\{"id":3,"status":"paid"\}/);
    assert.deepEqual(curl.text().match(/"record":\{.*?\}/g), ['"record":{"id":2,"status":"paid"}', '"record":{"id":3,"status":"paid"}']);
    assert.doesNotMatch(curl.text(), /"type":"DELETE"/);
  });

  for (const [at, what] of [[0, 'EventSource'], [1, 'walcast.js']]) {
    test(`in a page: ${what}`, async (t) => {
      const browser = await launchBrowser();
      t.after(() => browser.close());
      const page = await browser.newPage();
      await page.goto(`${house.walcast.url}/health/live`);
      await page.evaluate((token) => Object.assign(globalThis, { token, shown: [],
        show: (change) => shown.push(change.record.id), loadRowsAndBeginAnew: () => shown.push('gap') }), token);
      await page.addScriptTag({ type: 'module', content: blocks('js')[at] });
      await waitFor('its stream', async () => (await house.walcast.metric('walcast_ws_event_streams')) === 1, 20_000);
      const id = await order();
      await waitFor('the change', async () => (await page.evaluate(() => shown)).includes(id), 20_000);
      await page.close();
      await waitFor('its end', async () => (await house.walcast.metric('walcast_ws_event_streams')) === 0, 20_000);
    });
  }

  test('supabase-js with resume, in Node', async (t) => {
    const fetched = reader.shell(t, blocks('sh')[3]);
    assert.equal(await fetched.ended, 0, fetched.text());
    writeFileSync(join(reader.directory, 'orders.mjs'), blocks('js')[2]);
    const program = reader.run(t, process.execPath, ['orders.mjs']);
    await program.says(/^SUBSCRIBED$/m);
    const id = await order();
    await program.says(new RegExp(`^INSERT ${id} [0-9a-z]{16}-\\d+\\.\\d+$`, 'm'));
  });
});
