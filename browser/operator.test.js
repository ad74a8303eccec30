/** The page for operators at the admin address. */

import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {API_KEY, TIMEOUT, assertSoon, launch, startWithHostAPI} from './fixtures.js';

/** @type {any} */
let server;
/** @type {any} */
let browser;

before(async () => {
  server = await startWithHostAPI();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.end();
  server?.remove();
});

async function post(path, body, token) {
  const headers = {'Content-Type': 'application/json', ...(token && {Authorization: `Bearer ${token}`})};
  return (await fetch(`${server.url}/writer/api${path}`, {method: 'POST', headers, body: JSON.stringify(body)})).json();
}

async function enter(project, username, section, state = {}) {
  const {token} = await post('/dev/token/', {username});
  const {success} = await post(`/project/${project}/presence/update/`, {section, session: 'tab', ...state}, token);
  assert.ok(success);
}

test('the page shows people by project and section to those who have the key', async () => {
  const page = await (await browser.newContext()).newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  const policy = (await fetch(server.admin)).headers.get('Content-Security-Policy');
  assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'/);
  await enter('thesis', '<img src=x onerror=alert(1)>', 'abstract');
  await enter('thesis', 'Bob', 'abstract', {unsaved: true});
  await enter('thesis', 'Carol', 'notes/a', {activity: 'viewing', waiting_for: 'abstract'});
  await enter('book', 'Dan', '');

  await page.goto(server.admin);
  const login = async (text) => {
    await page.locator('#key').fill(text);
    await page.locator('#login button').click();
  };
  const problem = () => page.locator('#problem').textContent();
  await login('short');
  await assertSoon(async () => assert.match(await problem(), /at least 32/));
  await login(`${API_KEY}x`);
  await assertSoon(async () => assert.match(await problem(), /--api-key-file/));
  await login(API_KEY);
  await page.locator('dl dd').first().waitFor({timeout: TIMEOUT});

  const text = () => page.evaluate(() => [...document.querySelectorAll('details')].map((d) => d.innerText.replace(/\s+/g, ' ')));
  await assertSoon(async () => assert.equal((await text()).length, 2));
  await assertSoon(async () => {
    const [book, thesis] = await text();
    assert.match(book, /^book 1 person no section .*Dan viewing/);
    assert.match(thesis, /^thesis 3 people 1 conflict abstract/);
    assert.match(thesis, /abstract .*<img src=x onerror=alert\(1\)> editing .*Bob editing, unsaved changes notes\/a .*Carol viewing, waits for abstract/);
  });
  assert.equal(await page.evaluate(() => document.querySelectorAll('#view img, .chart svg').length), 6);
  assert.match(await page.evaluate(() => document.getElementById('node')?.textContent), /^version .*store: ready$/);
  assert.equal(await page.evaluate(() => document.documentElement.outerHTML.includes('a-key-of')), false);

  await page.reload(); // the tab keeps the key
  await page.locator('dl dd').first().waitFor({timeout: TIMEOUT});
  await page.locator('#prefix').fill('bo');
  await assertSoon(async () => assert.match((await text()).join(), /^book[^,]*$/));

  await server.end();
  await page.locator('#prefix').fill('');
  await assertSoon(async () => assert.match(await page.locator('#status').textContent(), /^unknown who is online now/));
  assert.deepEqual(errors, []);
});
