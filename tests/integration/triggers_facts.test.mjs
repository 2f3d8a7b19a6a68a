// What a check sees of a table is the matcher's too: the primary key under REPLICA IDENTITY FULL,
// where the log does not tell it, and collations.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goodToken } from '../lib/tokens.mjs';
import { outcomes, startTriggers } from '../lib/triggers.mjs';
import { Receiver } from '../lib/webhooks.mjs';
import { waitFor } from '../lib/wait.mjs';

test('the primary key is the key under REPLICA IDENTITY FULL, and a collation orders', async (t) => {
  const receiver = await Receiver.start(t);
  const on = (name, lines) => [`name: ${name}`, 'on: { table: public.parts }', ...lines, `do: { webhook: { url: "${receiver.url}/${name}" } }`].join('\n');
  const house = await startTriggers(t, [on('all', []), on('low', ["when: new.code < 'b'"])], {},
    `CREATE TABLE parts (a int, code text COLLATE "C", note text, PRIMARY KEY (code, a)); ALTER TABLE parts REPLICA IDENTITY FULL`);
  await house.postgres.query("INSERT INTO parts VALUES (1, 'aa', 'x'), (2, 'ba', 'y'); DELETE FROM parts WHERE a = 1");
  await receiver.waitFor(4);
  const keys = await waitFor('outcomes', async () => {
    const all = await outcomes(house, 'all');
    return all.length === 3 && all.map(({ key }) => key).sort();
  });
  assert.deepEqual(keys, ['[1,"aa"]', '[1,"aa"]', '[2,"ba"]']);
  const low = await waitFor('its outcome', async () => {
    const all = await outcomes(house, 'low');
    return all.length > 0 && all;
  });
  assert.deepEqual(low.map(({ outcome }) => outcome), ['delivered']);
});

test("an event's texts are in the order of their bytes, for the matcher as for the check", async (t) => {
  const receiver = await Receiver.start(t);
  const house = await startTriggers(t, [`name: low\non: { event: "*" }\nwhen: new.type < 'b'\ndo: { webhook: { url: "${receiver.url}" } }`]);
  const response = await fetch(`${house.walcast.url}/events/v1/batch`, { method: 'POST',
    headers: { authorization: `Bearer ${goodToken({ role: 'service_role' })}` },
    body: JSON.stringify({ events: ['bb', 'aa', 'B', 'b'].map((type) => ({ type })) }) });
  assert.equal(response.status, 202);
  await receiver.waitFor(2);
  assert.deepEqual(receiver.delivered.map(({ body }) => body.type).sort(), ['B', 'aa']);
  await waitFor('outcomes', async () => (await outcomes(house, 'low')).length === 2);
});
