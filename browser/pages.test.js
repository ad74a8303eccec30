/** What happens to pages (hidden, reloaded, closed, duplicated), and what people need of them (keyboard, accessibility, safety). */

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {test} from 'node:test';
import {SOON, address, assertSoon, badgeSays, beats, is, listSays, newProject, several, token, watch, world, writer} from './world.js';

const here = world();
const patient = world({lease: 60_000}); // where nobody's lease ends within a test
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

test('a reload shows on nobody\'s screen', async () => { // case 7
  const project = newProject(here);
  const a = await writer(here, project, 'User A', {section: 'manuscript/abstract'});
  const b = await writer(here, project, 'User B');
  await badgeSays(b, '📝 1');
  await watch(b);
  for (let i = 0; i < 3; i++) {
    await a.reload();
    await is(a, a.way);
  }
  await beats(here, 5); // the grace of a hidden leave, and more
  assert.deepEqual(await b.evaluate(() => globalThis.seen.filter((text) => text !== '📝 1')), []);
  await listSays(b, ['User A (Abstract)']); // and no second self
  for (const page of [a, b]) await page.context().close();
});

test('a closed page is gone after the grace, long before its lease', async () => { // rule 9
  const project = newProject(patient);
  const a = await writer(patient, project, 'User A');
  const b = await writer(patient, project, 'User B');
  await badgeSays(b, '📝 1');
  await a.goto('about:blank');
  await badgeSays(b, null);
  for (const page of [a, b]) await page.context().close();
});

test('a hidden page is idle, in words, and comes back by itself', async () => { // rule 12
  const project = newProject(here);
  const a = await writer(here, project, 'User A', {section: 'manuscript/abstract'});
  const b = await writer(here, project, 'User B');
  const hide = (state) => a.evaluate((state) => {
    Object.defineProperty(document, 'visibilityState', {value: state, configurable: true});
    Object.defineProperty(document, 'hidden', {value: state === 'hidden', configurable: true});
    document.dispatchEvent(new Event('visibilitychange'));
  }, state);
  await hide('hidden');
  await badgeSays(b, '📝 1');
  await assertSoon(() => listSays(b, ['User A (Abstract), idle']));
  await hide('visible');
  await assertSoon(() => listSays(b, ['User A (Abstract)']));
  for (const page of [a, b]) await page.context().close();
});

test('a page that comes back from the back/forward cache is the same session', async () => { // case 8
  const project = newProject(here);
  const a = await writer(here, project, 'User A', {section: 'manuscript/abstract', way: 'polling'});
  const b = await writer(here, project, 'User B');
  await badgeSays(b, '📝 1');
  const sessions = [];
  a.on('request', (request) => request.url().endsWith('/update/') && sessions.push(request.postDataJSON().session));
  await a.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true})));
  await badgeSays(b, null);
  const before = new Set(sessions);
  await a.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true})));
  await badgeSays(b, '📝 1');
  assert.deepEqual(new Set([...before, ...sessions]).size, 1, 'it came back as another session');
  for (const page of [a, b]) await page.context().close();
});

test('two tabs of one person are one person; closing one keeps the other', async () => { // cases 9, 13 to 15
  const project = newProject(here);
  const a = await writer(here, project, 'User A', {section: 'manuscript/abstract'});
  const second = await a.context().newPage();
  await second.goto(address(here, project, 'User A', 'manuscript/methods'));
  const b = await writer(here, project, 'User B');
  await badgeSays(b, '📝 1');
  await assertSoon(() => listSays(b, ['User A (Abstract, Methods)']));
  await a.locator('#presence-badge').hover();
  await a.locator('#presence-list').filter({hasText: 'You, in another window (Methods)'}).waitFor({timeout: SOON});
  await second.goto(address(here, project, 'User A', 'manuscript/abstract'));
  await beats(here, 2);
  assert.equal(await a.locator('.presence-warning').isVisible(), false, 'somebody is warned of themselves');
  await second.close();
  await beats(here, 5);
  await listSays(b, ['User A (Abstract)']);
  for (const page of [a, b]) await page.context().close();
});

test('everything can be done with the keyboard alone', {skip: several.onePage}, async () => {
  const project = newProject(here);
  const a = await writer(here, project, 'User A', {section: 'manuscript/abstract'});
  const b = await writer(here, project, 'User B', {section: 'manuscript/methods'});
  await badgeSays(b, '📝 1');
  const press = async (key, times = 1) => { for (let i = 0; i < times; i++) await b.keyboard.press(key); };
  const focused = () => b.evaluate(() => document.activeElement?.id || document.activeElement?.textContent);
  const tabTo = async (due) => {
    for (let i = 0; i < 40; i++) {
      if (await focused() === due) return;
      await press('Tab');
    }
    assert.fail(`Tab does not come to ${due}`);
  };
  await tabTo('presence-badge');
  await b.locator('#presence-list').waitFor({timeout: SOON}); // the focus opens it
  await press('Escape');
  await b.locator('#presence-list').waitFor({state: 'hidden', timeout: SOON});
  await press('Enter');
  await b.locator('#presence-list').filter({hasText: 'User A (Abstract)'}).waitFor({timeout: SOON});
  await press('Enter');
  await b.locator('#presence-list').waitFor({state: 'hidden', timeout: SOON});

  await press('Shift+Tab');
  assert.equal(await focused(), 'texfile-selector');
  await press('a'); // Abstract
  await b.locator('.presence-warning').waitFor({timeout: SOON});
  assert.equal(await focused(), 'texfile-selector', 'the warning took the focus');
  await b.locator('#texfile-selector').evaluate((select) => select.addEventListener('change', () => (select.dataset.loaded = select.value)));
  await tabTo('Choose different section');
  await press('Enter');
  await b.locator('.presence-warning').waitFor({state: 'hidden', timeout: SOON});
  assert.equal(await focused(), 'texfile-selector');
  assert.equal(await b.locator('#texfile-selector').inputValue(), 'manuscript/methods');
  assert.equal(await b.locator('#texfile-selector').getAttribute('data-loaded'), 'manuscript/methods', 'a page that loads what is selected was not told');
  for (const page of [a, b]) await page.context().close();
});

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing on the page with its list and its warning open (${colorScheme})`, {skip: several.onePage}, async () => {
    const project = newProject(here);
    const a = await writer(here, project, 'User A', {section: 'manuscript/abstract'});
    const c = await writer(here, project, 'User C', {section: 'manuscript/results'});
    for (const viewport of [{width: 1200, height: 800}, {width: 360, height: 740}]) {
      const b = await writer(here, project, 'User B', {section: 'manuscript/abstract', colorScheme, viewport, bypassCSP: true});
      await b.locator('.presence-warning').waitFor({timeout: SOON});
      await b.locator('#presence-badge').waitFor({timeout: SOON}); // it may come a moment after the warning
      await b.locator('#presence-badge').focus();
      await b.locator('#presence-list').waitFor({timeout: SOON});
      await b.evaluate(axe);
      const {violations, passes} = await b.evaluate(() => globalThis.axe.run());
      assert.deepEqual(violations.map(({id, nodes}) => `${id}: ${nodes.map(({html}) => html).join(' ')}`), []);
      assert.ok(passes.length > 20, `axe checked only ${passes.length} rules`);
      const wide = await b.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `the page is ${wide} px wider than the window of ${viewport.width}`);
      await b.context().close();
    }
    for (const page of [a, c]) await page.context().close();
  });
}

test('markup in names and sections stays text', async () => { // case 43
  const project = newProject(here);
  const name = '<img src=x onerror="globalThis.owned=1"><b>Al</b>';
  const section = 'manuscript/<script>globalThis.owned=1<\\/script>';
  const b = await writer(here, project, 'User B', {section: 'manuscript/abstract'});
  const send = async (body) => fetch(`${here.next()}/writer/api/project/${project}/presence/update/`, {
    method: 'POST',
    headers: {'Content-Type': 'application/json', 'Authorization': `Bearer ${await token(here, name, '__proto__')}`},
    body: JSON.stringify(body),
  });
  assert.equal((await send({session: 'x', section: 'manuscript/abstract'})).status, 200);
  assert.equal((await send({session: 'y', section: 'manuscript/<i>x<'})).status, 200);
  assert.equal((await send({session: 'z', section})).status, 200);
  await badgeSays(b, '📝 1');
  await b.locator('#presence-badge').hover();
  await b.locator('#presence-list').filter({hasText: name}).waitFor({timeout: SOON});
  await b.getByText(`${name} is editing this section`, {exact: false}).first().waitFor({timeout: SOON});
  assert.equal(await b.evaluate(() => globalThis.owned), undefined);
  assert.equal(await b.locator('#presence-list img, #presence-list b, #presence-list i, #presence-list script, [data-presence-section] img').count(), 0);
  assert.deepEqual(b.errors, []);
  await b.context().close();
});

test('the policy of the page forbids what it does not need', {skip: several.onePage}, async () => {
  const b = await writer(here, newProject(here), 'User B');
  const ran = await b.evaluate(() => new Promise((resolve) => {
    addEventListener('securitypolicyviolation', ({violatedDirective}) => resolve(violatedDirective));
    const script = document.createElement('script');
    script.textContent = 'globalThis.owned = 1';
    document.head.append(script);
    setTimeout(() => resolve('it ran'), 1000);
  }));
  assert.match(ran, /^script-src/);
  await b.context().close();
});

test('a server that does not answer is "unknown" in words, and the list stays, marked as old', {skip: several.onePage}, async () => { // rule 13
  const project = newProject(here);
  const a = await writer(here, project, 'User A', {section: 'manuscript/abstract'});
  const b = await writer(here, project, 'User B', {way: 'polling'});
  await badgeSays(b, '📝 1');
  await b.route('**/presence/**', (route) => route.fulfill({status: 503, contentType: 'application/json', body: '{"success":false,"code":"unavailable","error":"later"}'}));
  await b.locator('.presence-status').filter({hasText: /unknown/i}).waitFor({timeout: SOON});
  await badgeSays(b, '📝 1');
  await b.locator('#presence-badge').hover();
  await b.locator('#presence-list[data-stale]').filter({hasText: 'User A (Abstract)'}).waitFor({timeout: SOON});
  await b.unroute('**/presence/**');
  await b.locator('#presence-list:not([data-stale])').waitFor({state: 'attached', timeout: 40_000});
  for (const page of [a, b]) await page.context().close();
});
