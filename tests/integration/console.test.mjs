// The console page in a real browser: headless Chromium, driven from outside.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser } from '../lib/browser.mjs';
import { startHouse } from '../lib/house.mjs';

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
