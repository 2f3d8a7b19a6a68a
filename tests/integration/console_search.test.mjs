// The console's search view in a real browser: what is typed is found, shown as text whatever it is, narrowed
// and turned; what the server refuses is told in its words; keys that may less see what they may.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { launchBrowser } from '../lib/browser.mjs';
import { startHouse } from '../lib/house.mjs';
import { define } from '../lib/search.mjs';
import { goodToken } from '../lib/tokens.mjs';

const EVIL = '<script>window.evil = 1</script> lamp <img src=x onerror="window.evil = 1">';
const SCHEMA = `
  CREATE TABLE brands (id int PRIMARY KEY, name text);
  INSERT INTO brands VALUES (1, 'Acme'), (2, 'O''Neil "x" \\ <b>y</b>');
  CREATE TABLE products (id int PRIMARY KEY, title text, body text, price int, brand_id int, color text);
  INSERT INTO products SELECT i, CASE WHEN i % 2 = 0 THEN 'Reading lamp ' ELSE 'Wooden table ' END || i, 'well made',
    i, 1 + (i % 10 = 0)::int, (ARRAY['red', 'blue', 'grey'])[1 + i % 3] FROM generate_series(1, 120) i;
  INSERT INTO products VALUES (900, '${EVIL}', NULL, 900, 2, '<i>none</i>');
  CREATE TABLE notes (id int PRIMARY KEY, text text);
  INSERT INTO notes VALUES (1, 'a note');
  GRANT SELECT ON notes TO service_role;`;
const PRODUCTS = `name: products
table: products
fields: { title: 2.0, body: 1 }
filterable: [price, color]
sortable: [price]
facets: [brand.name, color]
joins: { brand: { table: public.brands, key: brand_id, fields: [name] } }
`;

test('the search view', async (t) => {
  const [browser, house] = await Promise.all([launchBrowser(),
    startHouse(t, { schema: SCHEMA, config: { 'auth.claims.scopes': 'scope' } })]);
  t.after(() => browser.close());

  // A page on the view, whose errors are collected but for answers that it is to show.
  async function openSearch(claims) {
    const page = await browser.newPage();
    const problems = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
    await page.goto(`${house.walcast.url}/#apikey=${goodToken(claims)}`);
    await page.getByRole('button', { name: 'Search', exact: true }).first().click();
    return { page, problems: () => problems.filter((text) => !/responded with a status of (400|403|503)/.test(text)) };
  }
  const { page, problems } = await openSearch({ role: 'service_role' });
  const words = page.getByLabel('Words to look for');
  const filter = page.getByLabel('Filter', { exact: true });
  const hits = page.locator('tr.hit');
  const facet = (text) => page.locator('.facet button', { hasText: text });
  const index = (name) => page.locator('#find-list button', { hasText: name });
  const told = (text) => page.locator('#find-summary', { hasText: text }).waitFor();

  await page.getByText('No index is defined yet').waitFor();
  define(house.walcast, 'products', PRODUCTS);
  define(house.walcast, 'notes', 'name: notes\ntable: notes\nfields: [text]\nfilterable: [text]\nsecurity: rls\n');
  await index('products').click(); // what it refuses while it is built is asked again by itself
  await told('121 documents');
  assert.equal(await page.getByText('No index is defined yet').isVisible(), false);
  await page.locator('#find-facts', { hasText: 'up to date' }).waitFor();
  const { results } = await (await fetch(`${house.walcast.url}/tasks?indexUids=products`,
    { headers: { authorization: `Bearer ${goodToken({ role: 'service_role' })}` } })).json();
  assert.equal(results[0].details.receivedDocuments, 123, 'rows of both tables');

  await words.pressSequentially('lanp'); // one letter is wrong
  await told('61 documents in');
  assert.equal(await hits.count(), 20);
  assert.deepEqual([...new Set(await page.locator('tr.hit .opener mark').allInnerTexts())], ['lamp']);
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByText('page 2 of 4').waitFor();
  await page.getByLabel('Order').selectOption('price ↓');
  await page.getByText('page 1 of 4').waitFor();
  assert.match(await hits.first().innerText(), /^900\s/);

  // Data is text, in titles, facets, chosen ones and whole documents.
  assert.equal(await hits.first().locator('.opener').innerText(), EVIL);
  await words.focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  assert.equal(JSON.parse(await hits.locator('pre').innerText()).title, EVIL);
  await page.keyboard.press('Escape');
  await page.keyboard.press('/');
  assert.equal(await words.inputValue(), 'lanp/', 'a slash among words is one');
  await words.fill('lamp');
  await facet('O\'Neil "x" \\ <b>y</b>').click();
  await told('13 documents');
  await facet('<i>none</i>').click();
  await told('1 document in');
  assert.equal(await facet('<i>none</i>').getAttribute('aria-pressed'), 'true');
  assert.deepEqual(await page.evaluate(() => [window.evil, document.querySelector('#find img, #find script, #find i, #find-facets b b')]), [undefined, null]);
  await page.getByRole('button', { name: 'Without color: <i>none</i>' }).click();
  await told('13 documents');

  // A filter that is wrong is told, and what was found stays; one that lets nothing through can be undone.
  await filter.fill('prize < 10');
  await page.getByRole('alert').filter({ hasText: 'Attribute `prize` is not filterable' }).waitFor();
  assert.equal(await hits.count(), 13);
  await filter.fill('price < 15');
  await told('1 document in');
  assert.equal(await page.locator('#find-problem').isVisible(), false);
  await words.fill('lamp zzzzzz');
  await filter.fill('price < 0');
  await page.getByRole('button', { name: 'Clear them' }).click();
  await told('61 documents');
  await words.fill('qqqqqqqq');
  await page.getByText('Nothing matches these words.').waitFor();

  // Answers that come late do not count.
  let late;
  await page.route('**/products/search', (route) => {
    late = route;
  }, { times: 1 });
  await words.fill('table');
  await page.waitForRequest((request) => request.postData()?.includes('"q":"table"'));
  await words.fill('lamp');
  await told('61 documents');
  await late.continue().catch(() => {});
  await index('notes').click(); // which refuses facets: it is asked without them
  await words.fill('note');
  await hits.filter({ hasText: 'a note' }).waitFor();
  assert.equal(await page.getByText('Narrow down').isVisible(), false);
  await page.getByRole('button', { name: 'Changes' }).click();
  await page.getByText('Connected. Nothing has changed yet').waitFor();
  assert.deepEqual(problems(), []);

  // A key that may search and nothing else; one that may not.
  const some = await openSearch({ scope: 'search' });
  await some.page.getByText('not watching').waitFor();
  await some.page.getByRole('textbox', { name: /The name of one/ }).fill('products');
  await some.page.keyboard.press('Enter');
  await some.page.locator('#find-summary', { hasText: '121 documents' }).waitFor();
  const none = await openSearch({ scope: 'subscribe' });
  await none.page.getByRole('textbox', { name: /The name of one/ }).fill('products');
  await none.page.keyboard.press('Enter');
  await none.page.getByRole('alert').filter({ hasText: 'scope search' }).waitFor();
  assert.equal(await none.page.locator('tr.hit').count(), 0);
  assert.deepEqual([...some.problems(), ...none.problems()], []);
});
