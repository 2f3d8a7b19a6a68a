// `walcast trigger test`: what a definition makes of an event that `walcast tail --json` printed, by
// the live table's types and without them.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { startHouse } from '../lib/house.mjs';
import { removeScratch, scratchDirectory } from '../lib/scratch.mjs';
import '../lib/triggers_role.mjs';
import { waitFor } from '../lib/wait.mjs';

const SCHEMA = `CREATE TYPE mood AS ENUM ('sad', 'ok');
  CREATE TABLE orders (id bigint, status text, total numeric(12,2), at timestamptz, tags text[], doc jsonb, raw bytea, m mood, PRIMARY KEY (id));
  ALTER TABLE orders REPLICA IDENTITY FULL; CREATE TABLE plain (id int PRIMARY KEY, n int, note text);`;
const ACTION = 'do: {webhook: {url: https://e.org/, secret: "${secret:A}"}}';
const DEFINITION = `name: order-paid
on: { table: public.orders, ops: [insert, update] }
when: new.status = 'paid' and old.status is distinct from new.status and new.at > '2026-01-01T00:00:00Z' and 'a' = any (new.tags) and new.m = 'ok'
select: [new.id, new.total, new.tags, new.doc, new.raw, old.status]
${ACTION}
`;

suite('a trigger tried on an event', () => {
  let house, scratch;
  const cleanups = [];
  const suiteT = { after: (cleanup) => cleanups.push(cleanup), diagnostic: console.error, passed: true };
  before(async () => {
    scratch = scratchDirectory();
    house = await startHouse(suiteT, { schema: SCHEMA });
  });
  after(async () => {
    await Promise.all(cleanups.map((cleanup) => cleanup()));
    removeScratch(scratch);
  });
  const file = (name, content) => {
    writeFileSync(join(scratch, name), content);
    return join(scratch, name);
  };
  const tryOn = async (definition, event, args = []) => {
    const paths = [file('it.yaml', definition), '--event', file('e.json', event)];
    return house.walcast.command(['trigger', 'test', ...paths, ...args]);
  };
  const tried = async (definition, event, code, args = []) => {
    const result = await tryOn(definition, event, ['--json', ...args]);
    assert.equal(result.code, code, result.stderr + result.stdout);
    return JSON.parse(result.stdout);
  };

  test('each change that tail prints is taken, with its values as they are', async () => {
    await house.postgres.query(`INSERT INTO orders VALUES (9007199254740993, 'open', 129.90, '2026-02-01 12:00+00', '{a,"b c",NULL}', '{"q": "\\""}', '\\x00ff', 'sad');
      UPDATE orders SET status = 'paid', m = 'ok'; UPDATE orders SET total = 1; DELETE FROM orders`);
    const [insert, paid, again, gone] = await waitFor('all four in the stream', async () => {
      const output = await house.walcast.commandOk(['tail', '--json', '--table', 'public.orders', '--from', 'first', '--until', 'now']);
      const lines = output.split('\n').filter(Boolean);
      return lines.length === 4 && lines;
    });
    const matched = await tried(DEFINITION, paid, 0);
    assert.equal(matched.outcome, 'matched');
    assert.deepEqual(matched.clauses.map(({ result }) => result), ['true', 'true', 'true', 'true', 'true']);
    assert.equal(matched.key, '9007199254740993');
    assert.deepEqual(matched.body.data, { id: Number(9007199254740993n), total: 129.9, tags: ['a', 'b c', null], doc: { q: '"' }, raw: '00ff', 'old.status': 'open' });
    assert.equal(matched.body.type, 'public.orders.update');
    assert.equal(matched.body.offset, JSON.parse(paid).offset);
    assert.equal(matched.body.timestamp, JSON.parse(paid).commit_timestamp);
    assert.match((await tryOn(DEFINITION, paid)).stdout, /"id":9007199254740993,"total":129\.90,/);

    const notYet = await tried(DEFINITION, insert, 1);
    assert.equal(notYet.outcome, 'not matched');
    assert.match(notYet.reason, /^at character 1 of when: new\.status = 'paid' is false, with \{"new\.status":"open"\}$/);
    assert.match((await tried(DEFINITION, again, 1)).reason, /old\.status is distinct from new\.status is false/);
    assert.match((await tried(DEFINITION, gone, 1)).reason, /ops do not name DELETE/);
  });

  test('an event written by hand, with and without the table', async () => {
    const event = '{"op": "update", "record": {"id": 7, "n": 5}, "old_record": null}';
    const on = `name: p\non: {table: plain, ops: [update]}\n${ACTION}\n`;
    assert.equal((await tried(`${on}when: new.n > 4 and old.id = 7`, event, 0)).outcome, 'matched');
    assert.equal((await tried(`${on}when: new.n > 4 and old.id = 7`, event, 1, ['--offline'])).outcome, 'missing');
    assert.equal((await tried(`${on}when: new.n > 4`, event, 0, ['--offline'])).outcome, 'matched');
    const missing = await tried(`${on}when: new.n > 4 and new.note = 'x'`, event, 1);
    assert.equal(missing.outcome, 'missing');
    assert.match((await tried(`${on}when: old.n = 1`, event, 1)).reason, /REPLICA IDENTITY FULL/);
  });

  test('what is no event, no definition, no table', async () => {
    const on = `name: p\non: {table: plain, ops: [update]}\n${ACTION}\n`;
    for (const [definition, event, args, code, problem] of [
      [on, '{"op": "x"}', [], 1, /op: expected INSERT/],
      [on, 'nothing', [], 1, /expected a JSON object/],
      [on.replace('plain', 'nowhere'), '{"op": "UPDATE", "record": {}}', [], 1, /no table public\.nowhere/],
      ['name: [', '{"op": "UPDATE", "record": {}}', [], 1, /it\.yaml:/],
    ]) {
      const result = await tryOn(definition, event, args);
      assert.equal(result.code, code, result.stderr + result.stdout);
      assert.match(result.stderr, problem);
    }
    const { code, stderr } = await house.walcast.command(['trigger', 'test', file('it.yaml', on)]);
    assert.equal(code, 2);
    assert.match(stderr, /--event FILE/);
  });
});
