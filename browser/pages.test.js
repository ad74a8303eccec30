/** Pages that are hidden, reloaded, closed or opened twice; keyboard use, accessibility, and markup in names. */

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {test} from 'node:test';
import {TIMEOUT, assertSoon, environment, expectBadge, expectList, newProject, openPage, pageURL, passHeartbeats, recordBadge, skipIf, token, waitForStatus} from './fixtures.js';

const env = environment();
const longLease = environment({lease: 60_000}); // no lease expires during a test
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

test('a reload is not visible to others', async () => { // case 7
  const project = newProject(longLease);
  const a = await openPage(longLease, project, 'User A', {section: 'manuscript/abstract'});
  const b = await openPage(longLease, project, 'User B');
  await expectBadge(b, '1');
  await recordBadge(b);
  let quick = 0;
  for (let i = 0; i < 10 && quick < 3; i++) {
    const begun = Date.now();
    await a.reload();
    await waitForStatus(a, a.transport);
    if (Date.now() - begun < 2500) quick++;
    else { // may be visible: the grace time of a hidden leave is 3 s
      quick = 0;
      await passHeartbeats(longLease, 1);
      await expectBadge(b, '1');
      await b.evaluate(() => { globalThis.badgeTexts.length = 0; });
    }
  }
  assert.equal(quick, 3, 'a reload took longer than 2.5 s, again and again');
  await passHeartbeats(longLease, 5); // longer than the grace time
  assert.deepEqual(await b.evaluate(() => globalThis.badgeTexts.filter((text) => text !== '1')), []);
  await expectList(b, ['User A (Abstract)']); // listed once
  for (const page of [a, b]) await page.context().close();
});

test('a closed page is removed after the grace time, before its lease expires', async () => { // rule 9
  const project = newProject(longLease);
  const a = await openPage(longLease, project, 'User A');
  const b = await openPage(longLease, project, 'User B');
  await expectBadge(b, '1');
  await a.goto('about:blank');
  await expectBadge(b, null);
  for (const page of [a, b]) await page.context().close();
});

test('a page is shown as idle once it has been hidden for 30 s, and as active when it is visible again', async () => { // rule 12
  const project = newProject(longLease);
  const a = await openPage(longLease, project, 'User A', {section: 'manuscript/abstract'});
  const b = await openPage(longLease, project, 'User B');
  const hide = (state) => a.evaluate((state) => {
    Object.defineProperty(document, 'visibilityState', {value: state, configurable: true});
    Object.defineProperty(document, 'hidden', {value: state === 'hidden', configurable: true});
    document.dispatchEvent(new Event('visibilitychange'));
  }, state);
  await a.clock.install();
  await a.clock.pauseAt(Date.now() + 60_000); // from here on only the test moves the clock
  await passHeartbeats(longLease, 1); // the update that was due is answered
  await hide('hidden');
  await a.clock.fastForward(29_000);
  await passHeartbeats(longLease, 1);
  await expectBadge(b, '1');
  await expectList(b, ['User A (Abstract)']);
  await a.clock.fastForward(2_000);
  await assertSoon(() => expectList(b, ['User A (Abstract), idle']));
  await hide('visible');
  await assertSoon(() => expectList(b, ['User A (Abstract)']));
  for (const page of [a, b]) await page.context().close();
});

test('a page restored from the back/forward cache continues its session', {skip: skipIf.firefox('WebDriver BiDi does not give the body of a request')}, async () => { // case 8
  const project = newProject(env);
  const a = await openPage(env, project, 'User A', {section: 'manuscript/abstract', transport: 'polling'});
  const b = await openPage(env, project, 'User B');
  await expectBadge(b, '1');
  const sessions = [];
  a.on('request', (request) => request.url().endsWith('/update/') && sessions.push(request.postDataJSON().session));
  await a.waitForResponse((response) => response.url().endsWith('/update/'), {timeout: TIMEOUT});
  await a.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true})));
  await expectBadge(b, null);
  const before = new Set(sessions);
  assert.equal(before.size, 1);
  await a.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true})));
  await expectBadge(b, '1');
  assert.deepEqual(new Set([...before, ...sessions]).size, 1, 'the session changed');
  for (const page of [a, b]) await page.context().close();
});

test('two tabs of a user are one user, and closing one keeps the other', async () => { // cases 9, 13 to 15
  const project = newProject(env);
  const a = await openPage(env, project, 'User A', {section: 'manuscript/abstract'});
  const second = await a.context().newPage();
  await second.goto(pageURL(env, project, 'User A', 'manuscript/methods'));
  const b = await openPage(env, project, 'User B');
  await expectBadge(b, '1');
  await assertSoon(() => expectList(b, ['User A (Abstract, Methods)']));
  await a.locator('#presence-badge').hover();
  await a.locator('#presence-list').filter({hasText: 'You, in another window (Methods)'}).waitFor({timeout: TIMEOUT});
  await second.goto('about:blank'); // WebDriver BiDi does not end a navigation within a document
  await second.goto(pageURL(env, project, 'User A', 'manuscript/abstract'));
  await passHeartbeats(env, 2);
  assert.equal(await a.locator('.presence-warning').isVisible(), false, 'a user is warned of themselves');
  await second.close();
  await passHeartbeats(env, 5);
  await expectList(b, ['User A (Abstract)']);
  for (const page of [a, b]) await page.context().close();
});

test('badge, list and warning can be used with the keyboard alone', {skip: skipIf.onePage}, async () => {
  const project = newProject(longLease);
  const a = await openPage(longLease, project, 'User A', {section: 'manuscript/abstract'});
  const b = await openPage(longLease, project, 'User B', {section: 'manuscript/methods'});
  await expectBadge(b, '1');
  const press = async (key, times = 1) => { for (let i = 0; i < times; i++) await b.keyboard.press(key); };
  const focused = () => b.evaluate(() => document.activeElement?.id || document.activeElement?.textContent);
  const tabTo = async (expected) => {
    for (let i = 0; i < 40; i++) {
      if (await focused() === expected) return;
      await press('Tab');
    }
    assert.fail(`Tab does not reach ${expected}`);
  };
  await tabTo('presence-badge');
  await b.locator('#presence-list').waitFor({timeout: TIMEOUT}); // focus opens it
  await press('Escape');
  await b.locator('#presence-list').waitFor({state: 'hidden', timeout: TIMEOUT});
  await press('Enter');
  await b.locator('#presence-list').filter({hasText: 'User A (Abstract)'}).waitFor({timeout: TIMEOUT});
  await press('Enter');
  await b.locator('#presence-list').waitFor({state: 'hidden', timeout: TIMEOUT});

  await press('Shift+Tab');
  assert.equal(await focused(), 'texfile-selector');
  await press('a'); // Abstract
  await b.locator('.presence-warning').waitFor({timeout: TIMEOUT});
  assert.equal(await focused(), 'texfile-selector', 'the warning took the focus');
  await b.locator('#texfile-selector').evaluate((select) => select.addEventListener('change', () => (select.dataset.loaded = select.value)));
  await tabTo('Go back to Methods');
  await press('Enter');
  await b.locator('.presence-warning').waitFor({state: 'hidden', timeout: TIMEOUT});
  assert.equal(await focused(), 'texfile-selector');
  assert.equal(await b.locator('#texfile-selector').inputValue(), 'manuscript/methods');
  assert.equal(await b.locator('#texfile-selector').getAttribute('data-loaded'), 'manuscript/methods', 'the select fired no change event');
  for (const page of [a, b]) await page.context().close();
});

for (const [colorScheme, width, height] of /** @type {const} */ ([['light', 1200, 800], ['dark', 1200, 800], ['light', 360, 740], ['dark', 360, 740]])) {
  const skip = skipIf.onePage || (width < 447 && skipIf.webkit('a window of its MiniBrowser is at least 447 px wide'));
  test(`axe finds no violations on a page with list and warning open (${colorScheme}, ${width} px)`, {skip}, async () => {
    const project = newProject(env);
    const a = await openPage(env, project, 'User A', {section: 'manuscript/abstract'});
    const c = await openPage(env, project, 'User C', {section: 'manuscript/results'});
    const b = await openPage(env, project, 'User B', {section: 'manuscript/abstract', colorScheme, viewport: {width, height}, bypassCSP: true});
    await b.locator('.presence-warning').waitFor({timeout: TIMEOUT});
    await b.locator('#presence-badge').waitFor({timeout: TIMEOUT}); // it may appear after the warning
    await b.locator('#presence-badge').focus();
    await b.locator('#presence-list').waitFor({timeout: TIMEOUT});
    await b.evaluate(axe);
    const {violations, passes} = await b.evaluate(() => globalThis.axe.run());
    assert.deepEqual(violations.map(({id, nodes}) => `${id}: ${nodes.map(({html}) => html).join(' ')}`), []);
    assert.ok(passes.length > 20, `axe checked only ${passes.length} rules`);
    const wide = await b.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `the page is ${wide} px wider than its window of ${width} px`);
    for (const page of [a, b, c]) await page.context().close();
  });
}

test('markup in names and sections stays text', async () => { // case 43
  const project = newProject(longLease);
  const name = '<img src=x onerror="globalThis.owned=1"><b>Al</b>';
  const section = 'manuscript/<script>globalThis.owned=1<\\/script>';
  const b = await openPage(longLease, project, 'User B', {section: 'manuscript/abstract'});
  const send = async (body) => fetch(`${longLease.next()}/writer/api/project/${project}/presence/update/`, {
    method: 'POST',
    headers: {'Content-Type': 'application/json', 'Authorization': `Bearer ${await token(longLease, name, '__proto__')}`},
    body: JSON.stringify(body),
  });
  assert.equal((await send({session: 'x', section: 'manuscript/abstract'})).status, 200);
  assert.equal((await send({session: 'y', section: 'manuscript/<i>x<'})).status, 200);
  assert.equal((await send({session: 'z', section})).status, 200);
  await expectBadge(b, '1');
  await b.locator('#presence-badge').hover();
  await b.locator('#presence-list').filter({hasText: name}).waitFor({timeout: TIMEOUT});
  await b.getByText(`${name} is editing`, {exact: false}).first().waitFor({timeout: TIMEOUT});
  assert.equal(await b.evaluate(() => globalThis.owned), undefined);
  assert.equal(await b.locator('#presence-list img, #presence-list b, #presence-list i, #presence-list script, [data-presence-section] img').count(), 0);
  assert.deepEqual(b.errors, []);
  await b.context().close();
});

test('the Content-Security-Policy of the reference page forbids inline scripts', {skip: skipIf.onePage}, async () => {
  const b = await openPage(env, newProject(env), 'User B');
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

test('while the server is unavailable the page shows unknown and keeps the list as stale', {skip: skipIf.onePage}, async () => { // rule 13
  const project = newProject(env);
  const a = await openPage(env, project, 'User A', {section: 'manuscript/abstract'});
  const b = await openPage(env, project, 'User B', {transport: 'polling'});
  await expectBadge(b, '1');
  await b.route('**/presence/**', (route) => route.fulfill({status: 503, contentType: 'application/json', body: '{"success":false,"code":"unavailable","error":"later"}'}));
  await b.locator('.presence-status').filter({hasText: /unknown/i}).waitFor({timeout: TIMEOUT});
  await expectBadge(b, '1');
  await b.locator('#presence-badge').hover();
  await b.locator('#presence-list[data-stale]').filter({hasText: 'User A (Abstract)'}).waitFor({timeout: TIMEOUT});
  await b.unroute('**/presence/**');
  await b.locator('#presence-list:not([data-stale])').waitFor({state: 'attached', timeout: 40_000});
  for (const page of [a, b]) await page.context().close();
});
