// Every command and every program of docs/SSE.md, run as it stands there: only the port is another.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { launchBrowser } from '../lib/browser.mjs';
import { startHouse } from '../lib/house.mjs';
import { removeScratch, scratchDirectory } from '../lib/scratch.mjs';
import { waitFor } from '../lib/wait.mjs';
import { BINARY } from '../lib/walcast.mjs';

const PAGE = readFileSync(new URL('../../docs/SSE.md', import.meta.url), 'utf8');
const SCHEMA = `CREATE TABLE orders (id int PRIMARY KEY, status text);
  CREATE SCHEMA "My Schema";
  CREATE TABLE "My Schema"."order.lines" (id int PRIMARY KEY, status text, note text);`;

suite('docs/SSE.md', () => {
  let house;
  let directory;
  let environment;
  let next = 1;
  const cleanups = [];
  const blocks = (language) => [...PAGE.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, found]) => found === language)
    .map(([, , text]) => text.replaceAll('127.0.0.1:4000', `127.0.0.1:${house.walcast.port}`));
  before(async () => {
    house = await startHouse({ after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true },
      { schema: SCHEMA, config: { 'postgres.tables': 'public.*,"My Schema".*' } });
    directory = scratchDirectory();
    cleanups.push(() => removeScratch(directory));
    symlinkSync(resolve(import.meta.dirname, '../node_modules'), join(directory, 'node_modules'));
    environment = { ...process.env, ...house.walcast.env, TOKEN: await house.walcast.token({ role: 'authenticated' }),
      PATH: `${dirname(BINARY)}:${process.env.PATH}` };
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  // Starts it; { text: () => what it has said, ended }.
  function run(t, command, args, more = {}) {
    const process = spawn(command, args, { cwd: directory, env: { ...environment, ...more }, detached: true });
    let said = '';
    for (const stream of [process.stdout, process.stderr]) stream.setEncoding('utf8').on('data', (chunk) => { said += chunk; });
    const ended = new Promise((done) => process.once('close', done));
    t.after(() => {
      try {
        globalThis.process.kill(-process.pid, 'SIGKILL');
      } catch {} // it has ended
      return ended;
    });
    return { text: () => said, ended };
  }
  const shell = (t, block, more) => run(t, 'bash', ['-euc', block], more);
  const says = (program, what) => waitFor(`${what}`, () => what.exec(program.text()), 20_000).catch((error) => {
    throw new Error(`${error.message}: ${program.text()}`);
  });
  async function order(status = 'paid') {
    await house.postgres.query(`INSERT INTO orders VALUES (${next}, '${status}')`);
    return next++;
  }

  test('every block is of a kind that is run here', () => {
    assert.equal(blocks('sh').length, 4);
    assert.equal(blocks('js').length, 3);
    assert.equal([...PAGE.matchAll(/^```\w/gm)].length, 7);
  });

  test('curl shows changes; with the last id it goes on', async (t) => {
    const [first, , again] = blocks('sh');
    const curl = shell(t, first, { TOKEN: '' });
    await says(curl, /^event: ready$/m);
    await order();
    const [, id] = await says(curl, /^id: (\S+)\ndata: \{"schema":"public","table":"orders","commit_timestamp":"[^"]+","type":"INSERT"/m);
    const missed = await order();
    const later = shell(t, again, { ID: id });
    await says(later, new RegExp(`^data: .*"record":\\{"id":${missed},`, 'm'));
    await says(later, /^event: ready$/m);
    assert.equal(later.text().match(/^data: \{"schema"/gm).length, 1);
  });

  test('names in quotes, a filter, columns and events', async (t) => {
    const curl = shell(t, blocks('sh')[1]);
    await says(curl, /^event: ready$/m);
    await house.postgres.query(`INSERT INTO "My Schema"."order.lines" VALUES (1, 'open', 'x'), (2, 'paid', 'y');
      DELETE FROM "My Schema"."order.lines"; INSERT INTO "My Schema"."order.lines" VALUES (3, 'paid', 'z')`);
    await says(curl, /"record":\{"id":3,"status":"paid"\}/);
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
        show: (change) => shown.push(change.record.id), loadRowsAndBeginAnew: () => shown.push('gap') }), environment.TOKEN);
      await page.addScriptTag({ type: 'module', content: blocks('js')[at] });
      await waitFor('its stream', async () => (await house.walcast.metric('walcast_ws_event_streams')) === 1, 20_000);
      const id = await order();
      await waitFor('the change', async () => (await page.evaluate(() => shown)).includes(id), 20_000);
      await page.close();
      await waitFor('its end', async () => (await house.walcast.metric('walcast_ws_event_streams')) === 0, 20_000);
    });
  }

  test('supabase-js with resume, in Node', async (t) => {
    const fetched = shell(t, blocks('sh')[3]);
    assert.equal(await fetched.ended, 0, fetched.text());
    writeFileSync(join(directory, 'orders.mjs'), blocks('js')[2]);
    const program = run(t, process.execPath, ['orders.mjs']);
    await says(program, /^SUBSCRIBED$/m);
    const id = await order();
    await says(program, new RegExp(`^INSERT ${id} [0-9a-z]{16}-\\d+\\.\\d+$`, 'm'));
  });
});
