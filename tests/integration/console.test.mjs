// The console page in a real browser: headless Chromium, driven from outside.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser } from '../lib/browser.mjs';
import { startHouse } from '../lib/house.mjs';
import { deadLetters, insertOrders, startTriggers, trigger } from '../lib/triggers.mjs';
import { Receiver } from '../lib/webhooks.mjs';
import { waitFor } from '../lib/wait.mjs';

const schema = 'CREATE TABLE todos (id bigint PRIMARY KEY, task text)';
let browser;

before(async () => {
  browser = await launchBrowser();
});
after(() => browser.close());

// A page whose script errors and console errors are collected in `problems`.
async function openConsole(url) {
  const page = await browser.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  await page.goto(url);
  return { page, problems };
}

test('rows show up as they are committed', async (t) => {
  const { postgres, walcast } = await startHouse(t, { schema });
  const { page, problems } = await openConsole(`${walcast.url}/#apikey=${await walcast.token()}`);
  await page.getByText('live', { exact: true }).waitFor();
  await postgres.query(`INSERT INTO todos VALUES (1, '<b>water</b> the plants');
    UPDATE todos SET task = 'done'; DELETE FROM todos`);
  const row = (operation) => page.locator('tr', { hasText: operation, hasNotText: 'Operation' });
  await row('DELETE').waitFor();
  assert.match(await row('INSERT').innerText(), /public\.todos[\s\S]*<b>water<\/b> the plants/);
  assert.match(await row('UPDATE').innerText(), /task\s+done/);
  assert.deepEqual(problems, []);
});

test('a key that is refused is told, and the page asks for another', async (t) => {
  const { walcast } = await startHouse(t, { schema });
  const { page } = await openConsole(walcast.url);
  await page.getByRole('textbox').first().fill('not a token');
  await page.keyboard.press('Enter');
  await page.getByText(/refused|not accepted|invalid|not valid/i).first().waitFor();
});

test('dead letters are listed, looked at, thrown away and put back', async (t) => {
  let failing = true;
  const receiver = await Receiver.start(t, ({ path }) => (failing && path === '/a' ? 404 : 200));
  const house = await startTriggers(t, [trigger(`${receiver.url}/a`, { name: 'first', retry: '[]' }), trigger(`${receiver.url}/b`, { name: 'second' })]);
  await insertOrders(house, 1, 4, 4);
  await deadLetters(house, 4);
  failing = false;
  const { page, problems } = await openConsole(`${house.walcast.url}/#apikey=${await house.walcast.token({ role: 'service_role' })}`);
  const letters = page.locator('tr.letter');
  await page.getByRole('button', { name: 'Dead letters' }).click();
  await letters.nth(3).waitFor();
  assert.match(await letters.first().innerText(), /first[\s\S]*1 · 404[\s\S]*the endpoint answered 404/);

  await letters.first().getByRole('button').click();
  const body = JSON.parse(await page.locator('#letters pre').innerText());
  assert.equal(body.type, 'public.orders.insert');
  assert.equal(await letters.first().locator('td').nth(3).innerText(), body.offset);
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  assert.equal(await letters.count(), 4, 'it asks twice');
  await page.getByRole('button', { name: 'Remove: sure?' }).click();
  await page.waitForFunction(() => document.querySelectorAll('tr.letter').length === 3);
  assert.equal(await page.locator('#letters pre').count(), 0);

  await letters.first().getByRole('checkbox').check();
  await page.getByRole('button', { name: 'Replay 1 selected' }).click();
  await page.getByText('put back').waitFor();
  await waitFor('its delivery', () => receiver.events.some(({ path, answer }) => path === '/a' && answer === 200));
  await page.getByPlaceholder('Of one trigger').fill('second');
  await page.keyboard.press('Enter');
  await page.getByText('No dead letters.').waitFor();
  await page.getByRole('button', { name: 'Changes' }).click();
  await page.getByText('Connected. Nothing has changed yet').waitFor();
  assert.deepEqual(problems, []);

  const anon = await openConsole(`${house.walcast.url}/#apikey=${await house.walcast.token()}`);
  await anon.page.getByRole('button', { name: 'Dead letters' }).click();
  await anon.page.locator('#letters-note.problem').waitFor();
  assert.match(await anon.page.locator('#letters-note').innerText(), /scope/);
});
