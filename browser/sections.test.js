/** A page that writes sections in another way than the server: with slashes around them, in NFD, with white space. */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {TIMEOUT, assertSoon, environment, newProject, skipIf, token} from './fixtures.js';

const env = environment({lease: 60_000}); // no lease expires during a test

const HTML = `<!doctype html><title>Own spelling</title><p id="presence-badge"></p>
  <select id="texfile-selector"><option value="/notes/">Notes</option><option value="/ms/re\u0301sume\u0301/">Summary</option></select>
  <p data-presence-section=" ms/re\u0301sume\u0301 ">Summary</p>
  <script type="module">
    import {PresenceManager} from '/writer/api/client/writer-presence.js';
    const {project, token} = Object.fromEntries(new URLSearchParams(location.search));
    const presence = new PresenceManager(project, 2, {token});
    const select = document.querySelector('select');
    select.addEventListener('change', () => presence.setSection(select.value));
    presence.setSection(select.value);
    presence.start();
    globalThis.presence = presence;
  </script>`;

test('the select, the elements and the buttons work in the spelling of the page', {skip: skipIf.onePage}, async () => { // case 23
  const project = newProject(env);
  const context = await env.browser.newContext();
  const page = await context.newPage();
  await page.route('**/own?*', (route) => route.fulfill({contentType: 'text/html; charset=utf-8', body: HTML}));
  await page.goto(`${env.url}/own?${new URLSearchParams({project, token: await token(env, 'Bob', 2)})}`);
  const alice = await token(env, 'Alice', 1);
  const answer = await fetch(`${env.url}/writer/api/project/${project}/presence/update/`, {
    method: 'POST', headers: {'Content-Type': 'application/json', Authorization: `Bearer ${alice}`}, body: JSON.stringify({section: 'ms/r\u00e9sum\u00e9'}),
  });
  assert.equal(answer.status, 200);
  await page.locator('p[data-presence-section]').filter({hasText: 'Alice'}).waitFor({timeout: TIMEOUT});
  await page.locator('option[label*=Alice]').nth(0).waitFor({state: 'attached', timeout: TIMEOUT});

  await page.locator('select').selectOption({index: 1});
  await page.locator('.presence-warning').filter({hasText: 'Alice is editing here'}).waitFor({timeout: TIMEOUT});
  const tellMe = page.getByRole('button', {name: 'Tell me when it is free'});
  for (const pressed of [true, false]) {
    await tellMe.click({timeout: TIMEOUT});
    await page.locator(`.presence-warning [aria-pressed=${pressed}]`).waitFor({timeout: TIMEOUT});
  }
  await page.getByRole('button', {name: 'Go back to'}).click({timeout: TIMEOUT});
  await assertSoon(async () => assert.deepEqual(await page.evaluate(() => [document.querySelector('select').value, globalThis.presence.currentSection]), ['/notes/', '/notes/']));
  await context.close();
});
