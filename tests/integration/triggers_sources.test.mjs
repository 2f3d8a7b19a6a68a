// Triggers of a process with several sources: each project's go to the source that hosts it, over REST
// and from one directory, and are held against that source's own database.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { removeScratch, scratchDirectory } from '../lib/scratch.mjs';
import { goodToken } from '../lib/tokens.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Walcast } from '../lib/walcast.mjs';
import '../lib/triggers_role.mjs';

const definition = (name, table, more = '') =>
  `name: ${name}\non: {table: ${table}}\ndo: {webhook: {url: https://e.org/, secret: "\${secret:A}"}}\n${more}\n`;

test('two sources with triggers of their own', async (t) => {
  const house = await startHouse(t, { schema: 'CREATE TABLE here (id int PRIMARY KEY)', walcast: false });
  await house.postgres.query('CREATE DATABASE eu');
  const euUrl = house.postgres.url.replace(/\/postgres$/, '/eu');
  const client = await house.postgres.connect({ connectionString: euUrl });
  await client.query('CREATE TABLE there (id int PRIMARY KEY)');
  await client.end();
  const dir = scratchDirectory();
  t.after(() => removeScratch(dir));
  writeFileSync(join(dir, 'here.yaml'), definition('from-file-here', 'here'));
  writeFileSync(join(dir, 'there.yaml'), definition('from-file-there', 'there', 'project: acme\nenvironment: eu'));
  writeFileSync(join(dir, 'nobody.yaml'), definition('nobody', 'here', 'project: nobody'));
  const walcast = await Walcast.start({ ...house, config: { 'triggers.dir': dir },
    file: `sources:\n  eu:\n    project: acme\n    environment: eu\n    postgres.url: ${euUrl}\n` });
  t.after(() => walcast.remove());
  await walcast.ready();

  const own = { authorization: `Bearer ${goodToken({ role: 'service_role' })}` };
  const acme = { authorization: `Bearer ${goodToken({ role: 'service_role', project_id: 'acme', environment_id: 'eu' })}` };
  const ask = (method, project, headers, name = '', body) =>
    fetch(`${walcast.url}/v1/projects/${project}/triggers${name && '/'}${name}`, { method, headers, body });
  const names = async (project, headers) => {
    const { triggers } = await (await ask('GET', project, headers)).json();
    return triggers.map((it) => it.name);
  };
  await waitFor('both files to be loaded', async () =>
    (await names('default', own)).length === 1 && (await names('acme', acme)).length === 1);
  assert.deepEqual(await names('default', own), ['from-file-here']);
  assert.deepEqual(await names('acme', acme), ['from-file-there']);
  await waitFor('the file of nobody to be told', async () =>
    /nobody\.yaml:4:10: project: nobody \(dev\) is not hosted/.test((await walcast.health()).reason));

  assert.equal((await ask('POST', 'default', own, '', definition('rest', 'here'))).status, 201);
  assert.equal((await ask('POST', 'acme', acme, '', definition('rest', 'there'))).status, 201);
  const wrong = await ask('POST', 'acme', acme, '', definition('wrong', 'here'));
  assert.equal(wrong.status, 400);
  assert.match((await wrong.json()).problems[0].message, /no table public\.here; did you mean public\.there\?/);
  assert.equal((await ask('GET', 'default', acme)).status, 403);
  assert.equal((await ask('GET', 'acme', own)).status, 403);
  const list = (source) => walcast.commandOk(['trigger', 'list', '--json', ...source]);
  assert.deepEqual((await list([])).match(/"name":"[\w-]+","project"/g).length, 2);
  assert.match(await list(['--source', 'eu']), /from-file-there/);
});
