/** The recipes of the documents that need a page: they run as they are printed, beside another person on a real server. */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {recipes} from '../client/test/recipes.js';
import {startProxy} from './proxy.js';
import {TIMEOUT, assertSoon, environment, expectBadge, newProject, openPage, skipIf} from './fixtures.js';

const env = environment({lease: 60_000}); // no lease expires during a test

/** A page of a host with this HTML. `page.sessions()` gives the sessions of its updates by request. */
async function page(t, html, prepare = () => {}) {
  const site = await startProxy(env.url);
  t.after(() => site.stop());
  site.page = (path) => path === '/host' ? html : undefined;
  const page = await (await env.browser.newContext()).newPage();
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(String(error)));
  page.sessions = () => page.evaluate(() => [...globalThis.sessions]);
  await page.addInitScript(() => {
    globalThis.sessions = new Set();
    const {fetch} = globalThis;
    globalThis.fetch = (url, options) => {
      if (String(url).endsWith('/update/')) globalThis.sessions.add(JSON.parse(options.body).session);
      return fetch(url, options);
    };
  });
  await page.addInitScript(prepare);
  await page.goto(`${site.url}/host`);
  return page;
}

// readme.test.js tests the page of README.md.
for (const {name, text} of recipes('html').filter(({name, text}) => text.includes('PresenceManager(') && !name.startsWith('README.md'))) {
  test(`the page of ${name} shows who is there, and warns`, {skip: skipIf.onePage}, async (t) => {
    const project = newProject(env);
    const a = await openPage(env, project, 'User A', {section: 'manuscript/abstract'});
    const html = text
      .replace(/(<option.*?<\/option>)?…/, '<option value="manuscript/abstract">Abstract</option><option value="manuscript/methods">Methods</option>')
      .replace('{{ config|json_script:"config" }}', `<script id="config" type="application/json">{"project": "${project}", "user": null}</script>`)
      .replace(/PresenceManager\('[\w-]+'/, `PresenceManager('${project}'`);
    const b = await page(t, text.includes('textarea>') ? html : `<textarea></textarea>${html}`, () => { globalThis.userId = null; });
    await expectBadge(b, '1');
    await b.locator('option[value="manuscript/abstract"][label$=" — ✎ User A"]').waitFor({state: 'attached', timeout: TIMEOUT});
    await b.getByText('User A is editing here').waitFor({timeout: TIMEOUT});
    await b.locator('select').selectOption('manuscript/methods');
    await b.locator('.presence-warning').waitFor({state: 'hidden', timeout: TIMEOUT});
    await b.locator('select').selectOption('manuscript/abstract');
    await b.locator('.presence-warning').waitFor({timeout: TIMEOUT});
    assert.deepEqual(b.errors, []);
    for (const page of [a, b]) await page.context().close();
  });
}

/** The page of the client guide, with a recipe of that guide in its script. @param {string} project @param {string} words in the recipe */
function pageWith(project, words) {
  const [{text}] = recipes('html').filter(({name}) => name.startsWith('docs/how-to/javascript-client.md'));
  const [{text: recipe}] = recipes('js').filter(({name, text}) => name.startsWith('docs/how-to/javascript-client.md') && text.includes(words));
  return text
    .replace('…', '<option value="manuscript/methods">Methods</option>')
    .replace("'my-project'", `'${project}'`)
    .replace('</script>', `${recipe}</script>`);
}

test('the recipe for typing answers the warning by the 20th keystroke and not before', {skip: skipIf.onePage}, async (t) => {
  const project = newProject(env);
  const a = await openPage(env, project, 'User A', {section: 'manuscript/abstract'});
  const b = await page(t, pageWith(project, 'keystrokes'), () => { globalThis.userId = null; });
  const warning = b.locator('.presence-warning');
  await warning.waitFor({timeout: TIMEOUT});
  await b.locator('textarea').pressSequentially('x'.repeat(19));
  await b.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  assert.ok(await warning.isVisible(), 'warned after 19 keystrokes');
  await b.locator('textarea').pressSequentially('x');
  await warning.waitFor({state: 'hidden', timeout: TIMEOUT});
  assert.deepEqual(b.errors, []);
  for (const page of [a, b]) await page.context().close();
});

test('the space that the client guide reserves holds the warning in windows of all widths', {skip: skipIf.onePage}, async (t) => {
  const project = newProject(env);
  const a = await openPage(env, project, 'User A', {section: 'manuscript/abstract'});
  const [{text: css}] = recipes('css').filter(({name}) => name.startsWith('docs/how-to/javascript-client.md'));
  const html = pageWith(project, 'keystrokes').replace(' style="height: 3rem"', '');
  const b = await page(t, `<style>${css}</style>${html}`, () => { globalThis.userId = null; });
  await b.locator('.presence-warning').waitFor({timeout: TIMEOUT});
  const narrow = skipIf.webkit('a window of its MiniBrowser is at least 447 px wide') ? [] : [390];
  for (const width of [1900, 1100, 1000, 800, 600, 560, ...narrow]) {
    await b.setViewportSize({width, height: 800});
    await assertSoon(async () => assert.ok(await b.evaluate(() => {
      const [slot, space] = ['.presence-slot', '#presence-warning'].map((part) => document.querySelector(part).getBoundingClientRect());
      return Math.abs(slot.top - space.top) < 1 && slot.bottom <= space.bottom + 1;
    }), `in a window of ${width} px`));
  }
  for (const page of [a, b]) await page.context().close();
});

test('the recipe for the list loads the section of the chosen person and leaves the select alone', {skip: skipIf.onePage}, async (t) => {
  const project = newProject(env);
  const a = await openPage(env, project, 'User A', {section: 'manuscript/methods'});
  const b = await page(t, pageWith(project, "'navigate'"), () => {
    globalThis.userId = null;
    globalThis.editor = {value: ''};
    globalThis.load = async (section) => ({text: `text of ${section}`, revision: '1'});
  });
  await expectBadge(b, '1');
  await b.locator('#presence-badge').click();
  await b.locator('#presence-list').getByRole('button', {name: /User A/}).click();
  await b.waitForFunction(() => globalThis.editor.value === 'text of manuscript/methods', undefined, {timeout: TIMEOUT});
  await a.locator('option[value="manuscript/methods"][label*="Visitor"]').waitFor({state: 'attached', timeout: TIMEOUT});
  assert.equal(await b.locator('select').inputValue(), 'manuscript/abstract');
  assert.deepEqual(b.errors, []);
  for (const page of [a, b]) await page.context().close();
});
