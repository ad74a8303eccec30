/** What a page shows whose user the host removes, by the host API. */

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

/** Calls the host API. @param {string} method @param {string} path */
async function api(method, path) {
  return (await fetch(`${server.admin}api/v1/${path}`, {method, headers: {Authorization: `Bearer ${API_KEY}`}})).json();
}

test('the page of a removed user says so, and comes back when the host lets the user in again', async () => { // rule 24
  const page = await (await browser.newContext()).newPage();
  const status = (wanted) => page.locator(`#status[data-status=${wanted}]`).waitFor({state: 'attached', timeout: TIMEOUT});
  const users = async () => (await api('GET', 'projects/thesis')).users.map(({username}) => username);
  await page.goto(`${server.url}/?project=thesis&as=Alice#manuscript/abstract`);
  await status('live');
  const [{user_id: id}] = (await api('GET', 'projects/thesis')).users;

  assert.equal((await api('DELETE', `projects/thesis/users/${id}`)).success, true);
  await assertSoon(async () => assert.deepEqual(await users(), ['Alice'], 'without a time the page comes back by itself'));
  await status('live');

  assert.equal((await api('DELETE', `projects/thesis/users/${id}?for=3600`)).success, true);
  await status('refused');
  await page.getByText('No access to presence').first().waitFor({timeout: TIMEOUT});
  assert.deepEqual(await users(), []);

  await api('DELETE', `projects/thesis/users/${id}?for=0`);
  await page.reload();
  await status('live');
  assert.deepEqual(await users(), ['Alice']);
});
