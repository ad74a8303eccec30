/** Unsaved work, saves, waiting and agents in real pages: the warning, the notices, the list and the markers (rules 18 to 21). */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {TIMEOUT, assertSoon, environment, expectBadge, expectList, newProject, skipIf, token} from './fixtures.js';

const env = environment({lease: 60_000}); // no lease expires during a test
const ABSTRACT = 'manuscript/abstract';
const METHODS = 'manuscript/methods';
const BODY = `<p><select id="texfile-selector"><option value="${ABSTRACT}">Abstract</option><option value="${METHODS}">Methods</option></select>
  <button id="presence-badge"></button></p><div id="presence-warning"></div><ul><li data-presence-section="${ABSTRACT}">Abstract</li></ul>`;

/** A page of a host with presence as `globalThis.presence`; in the context of another page, it is another tab of that person. */
async function openHost(project, name, section, {context, options = {}} = {}) {
  const place = context ?? (await env.browser.newContext({locale: 'en-GB'}));
  const transport = env.transport();
  if (transport === 'polling') await place.addInitScript(() => delete globalThis.WebSocket);
  const page = await place.newPage();
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(String(error)));
  const url = env.next();
  await page.route(`${url}/host`, (route) => route.fulfill({contentType: 'text/html', body: `<!doctype html><title>host</title>${BODY}`}));
  await page.goto(`${url}/host`);
  await page.evaluate(async ({project, token, section, options}) => {
    const {PresenceManager} = await import('/writer/api/client/writer-presence.js');
    globalThis.presence = new PresenceManager(project, null, {token, ...options});
    presence.setSection(section);
    presence.start();
  }, {project, token: await token(env, name), section, options});
  await page.waitForFunction(() => ['live', 'polling'].includes(presence.getSnapshot().status), undefined, {timeout: TIMEOUT});
  return page;
}

const warning = (page, text) => page.locator('.presence-warning:not([hidden])').filter({hasText: text}).waitFor({timeout: TIMEOUT});
const notice = (page, text) => page.locator('.presence-company:not([hidden])').filter({hasText: text}).waitFor({timeout: TIMEOUT});
const gone = (page, text) => page.locator('.presence-warning, .presence-company').filter({hasText: text, visible: true}).waitFor({state: 'detached', timeout: TIMEOUT});
const said = (page, text) => page.locator('.presence-said[role=status]').filter({hasText: text}).waitFor({state: 'attached', timeout: TIMEOUT});
const close = (...pages) => Promise.all(pages.map((page) => page.context().close()));

/** Makes the page hidden, as another tab in front of it does. */
const hide = (page) => page.evaluate(() => {
  Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true});
  document.dispatchEvent(new Event('visibilitychange'));
});

test('unsaved work in a hidden tab warns whoever enters, and is shown in words', async () => { // rule 18, case 45
  const project = newProject(env);
  const alice = await openHost(project, 'Alice', ABSTRACT);
  await alice.evaluate(() => presence.setUnsaved(true));
  await alice.clock.install();
  await hide(alice);
  await alice.clock.fastForward(31_000); // longer than a hidden page keeps its activity
  const bob = await openHost(project, 'Bob', METHODS);
  await expectList(bob, ['Alice (Abstract), idle, unsaved changes']);
  assert.equal((await bob.locator('option').first().getAttribute('label')).replace('\u2060', ''), 'Abstract — ✎ Alice (unsaved changes)');
  await bob.locator('[data-presence-section] [data-unsaved]').waitFor({timeout: TIMEOUT});
  await bob.evaluate((section) => presence.setSection(section), ABSTRACT);
  await warning(bob, 'Alice has unsaved changes here');
  await said(bob, 'Alice has unsaved changes here');
  await alice.evaluate(() => presence.setUnsaved(false));
  await gone(bob, 'unsaved changes');
  assert.deepEqual([...alice.errors, ...bob.errors], []);
  await close(alice, bob);
});

test('a newer save is a notice with its time, and Show latest asks the page', async () => { // rule 19, case 58
  const project = newProject(env);
  const alice = await openHost(project, 'Alice', ABSTRACT);
  const bob = await openHost(project, 'Bob', METHODS);
  await alice.evaluate(() => {
    presence.opened({revision: 'r1'});
    globalThis.latest = [];
    presence.addEventListener('showlatest', (event) => latest.push([event.cancelable, event.detail.revision, event.detail.username]));
  });
  await expectBadge(bob, '1');
  await bob.evaluate((section) => presence.saved({section, revision: 'r2'}), ABSTRACT);
  await notice(alice, /^Bob saved a newer version of this section at \d\d?:\d\d/);
  await said(alice, 'Bob saved a newer version of this section');
  await alice.getByRole('button', {name: 'Show latest'}).click();
  assert.deepEqual(await alice.evaluate(() => latest), [[true, 'r2', 'Bob']]);
  await notice(alice, 'Bob saved'); // it stays until the page shows that revision
  await alice.evaluate(() => presence.opened({revision: 'r2'}));
  await gone(alice, 'Bob saved');
  assert.deepEqual([...alice.errors, ...bob.errors], []);
  await close(alice, bob);
});

test('a save in your other tab is named as yours', {skip: skipIf.oneAddress}, async () => { // rules 7 and 19
  const project = newProject(env);
  const one = await openHost(project, 'Alice', ABSTRACT);
  const two = await openHost(project, 'Alice', ABSTRACT, {context: one.context()});
  for (const page of [one, two]) await page.evaluate(() => presence.opened({revision: 1}));
  await two.evaluate(() => presence.saved({revision: 2}));
  await notice(one, /You saved a newer version of this section in another window at \d\d?:\d\d/);
  assert.equal(await two.evaluate(() => presence.getSnapshot().newer), null);
  await close(one);
});

test('the editor sees who waits, and the waiting user sees when the section is free', async () => { // rule 20
  const project = newProject(env);
  const alice = await openHost(project, 'Alice', ABSTRACT);
  const bob = await openHost(project, 'Bob', ABSTRACT);
  await warning(bob, 'Alice is editing here');
  const button = bob.getByRole('button', {name: 'Tell me when it is free'});
  await button.focus();
  await bob.keyboard.press('Enter');
  await bob.locator('.presence-warning [aria-pressed=true]').waitFor({timeout: TIMEOUT});
  await notice(alice, 'Bob is waiting for this section');
  await bob.evaluate((section) => {
    presence.setSection(section);
    return presence.updatePresence(); // or else Alice could be there first, and Bob be warned
  }, METHODS);
  await notice(alice, 'Bob is waiting for this section');
  await alice.evaluate((section) => presence.setSection(section), METHODS);
  await gone(alice, 'Bob is waiting');
  await notice(bob, 'The section is free now');
  await said(bob, 'The section is free now');
  assert.equal(await bob.evaluate(() => presence.currentSection), METHODS, 'entering is left to the person');
  const shown = await bob.evaluate(() => {
    dispatchEvent(new Event('offline'));
    presence.updateUI();
    return [presence.getSnapshot().stale, [...document.querySelectorAll('.presence-company')].some((notice) => !notice.hidden)];
  });
  assert.deepEqual(shown, [true, false], 'while the list is outdated, it is not known to be free');
  await notice(bob, 'The section is free now');
  await bob.evaluate((section) => presence.setSection(section), ABSTRACT);
  await gone(bob, 'The section is free now');
  assert.deepEqual([...alice.errors, ...bob.errors], []);
  await close(alice, bob);
});

test('a dismissed notice stays away, also when the host redraws the page, until it says something new', {skip: skipIf.onePage}, async () => {
  const project = newProject(env);
  const alice = await openHost(project, 'Alice', ABSTRACT);
  const enter = async (name, section) => fetch(`${env.url}/writer/api/project/${project}/presence/update/`, {
    method: 'POST', headers: {'Content-Type': 'application/json', 'Authorization': `Bearer ${await token(env, name)}`}, body: JSON.stringify({session: 'only', section}),
  });
  const bob = 'Bob is editing this section too';
  await enter('Bob', ABSTRACT);
  await notice(alice, bob);
  await alice.getByRole('button', {name: 'Dismiss'}).click();
  await gone(alice, bob);
  for (const part of ['presence-warning', 'presence-badge']) {
    await alice.evaluate((part) => {
      document.getElementById(part).replaceChildren();
      presence.updateUI();
    }, part);
    assert.equal(await alice.locator('.presence-company').filter({visible: true}).count(), 0, part);
  }
  await enter('Bob', METHODS);
  await enter('Carol', ABSTRACT);
  await notice(alice, 'Carol is editing this section too');
  await enter('Carol', METHODS);
  await gone(alice, 'Carol');
  assert.deepEqual(alice.errors, []);
  await close(alice);
});

test('one notice at a time, the most important first, and each stays while it is true', async () => { // rules 19 and 20
  const project = newProject(env);
  const alice = await openHost(project, 'Alice', ABSTRACT);
  const bob = await openHost(project, 'Bob', METHODS);
  const shown = () => alice.locator('.presence-company, .presence-warning').filter({visible: true}).allInnerTexts();
  const expectShown = (...texts) => assertSoon(async () => assert.deepEqual((await shown()).map((text) => text.trim().split('\n')[0].replace(/ at .*/, '')), texts));
  await alice.evaluate(() => presence.opened({revision: 'r1'}));
  await bob.evaluate((section) => {
    presence.setSection(section);
    presence.editAnyway();
  }, ABSTRACT);
  await bob.locator('.presence-warning').waitFor({timeout: TIMEOUT});
  await bob.evaluate(() => presence.editAnyway());
  await expectShown('Bob is editing this section too');
  await bob.evaluate((section) => {
    presence.setSection(section);
    presence.waitFor('manuscript/abstract');
  }, METHODS);
  await expectShown('Bob is waiting for this section');
  await bob.evaluate((section) => presence.saved({section, revision: 'r2'}), ABSTRACT);
  await expectShown('Bob saved a newer version of this section');
  await alice.getByRole('button', {name: 'Dismiss'}).click();
  await expectShown('Bob is waiting for this section');
  await bob.evaluate(() => presence.waitFor(null));
  await expectShown();
  await close(alice, bob);
});

test('waiting is taken back by the same button', async () => { // rule 20
  const project = newProject(env);
  const alice = await openHost(project, 'Alice', ABSTRACT);
  const bob = await openHost(project, 'Bob', ABSTRACT);
  await warning(bob, 'Alice is editing');
  const button = bob.getByRole('button', {name: 'Tell me when it is free'});
  await button.click();
  await notice(alice, 'Bob is waiting');
  await button.click();
  await gone(alice, 'Bob is waiting');
  await bob.locator('.presence-warning [aria-pressed=false]').waitFor({timeout: TIMEOUT});
  await close(alice, bob);
});

test('a picture covers the initials, and initials stay where it cannot be loaded', async () => { // rule 21
  const page = await openHost(newProject(env), 'Alice', ABSTRACT);
  await page.route('https://pictures.example/**', (route) => route.abort());
  await page.evaluate(async (section) => {
    const {avatar} = await import('/writer/api/client/presence-avatar.js');
    const user = {user_id: 2, username: 'Bob', section, sections: [section], activity: 'viewing', avatar_color: '#10b981', initials: 'BO', avatar_url: 'https://pictures.example/bob.png'};
    globalThis.shown = avatar(user, section);
    globalThis.image = shown.querySelector('img');
    globalThis.others = [avatar({...user, avatar_url: 'http://pictures.example/bob.png'}, section), avatar(user, section, false)].map((other) => other.childElementCount);
    document.body.append(shown);
  }, ABSTRACT);
  assert.deepEqual(await page.evaluate(() => [image.alt, image.referrerPolicy, shown.dataset.initials]), ['', 'no-referrer', 'BO']);
  await page.waitForFunction(() => !globalThis.image.isConnected, undefined, {timeout: TIMEOUT});
  assert.deepEqual(await page.evaluate(() => globalThis.others), [0, 0], 'a picture without https, and one that the host has turned off');
  await close(page);
});
