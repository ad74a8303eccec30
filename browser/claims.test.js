/** Unsaved work, saves, waiting and agents in real pages: the warning, the notices, the list and the markers (rules 18 to 21). */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {TIMEOUT, environment, expectBadge, expectList, newProject, skipIf, token} from './fixtures.js';

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
  assert.equal(await bob.locator('option').first().getAttribute('label'), 'Abstract — Alice (unsaved changes)');
  await bob.locator('[data-presence-section] [data-unsaved]').waitFor({timeout: TIMEOUT});
  await bob.evaluate((section) => presence.setSection(section), ABSTRACT);
  await warning(bob, '⚠️ Alice has unsaved changes in this section');
  await said(bob, 'Alice has unsaved changes in this section');
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
  await expectBadge(bob, '📝 1');
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
  await warning(bob, 'Alice is editing this section');
  const button = bob.getByRole('button', {name: 'Tell me when it is free'});
  await button.focus();
  await bob.keyboard.press('Enter');
  await bob.locator('.presence-warning [aria-pressed=true]').waitFor({timeout: TIMEOUT});
  await notice(alice, 'Bob is waiting for this section');
  await bob.evaluate((section) => presence.setSection(section), METHODS);
  await notice(alice, 'Bob is waiting for this section');
  await alice.evaluate((section) => presence.setSection(section), METHODS);
  await gone(alice, 'Bob is waiting');
  await notice(bob, 'The section is free now');
  await said(bob, 'The section is free now');
  assert.equal(await bob.evaluate(() => presence.currentSection), METHODS, 'entering is left to the person');
  const shown = await bob.evaluate(() => {
    dispatchEvent(new Event('offline'));
    return [presence.getSnapshot().stale, [...document.querySelectorAll('.presence-company')].some((notice) => !notice.hidden)];
  });
  assert.deepEqual(shown, [true, false], 'while the list is outdated, it is not known to be free');
  await notice(bob, 'The section is free now');
  await bob.evaluate((section) => presence.setSection(section), ABSTRACT);
  await gone(bob, 'The section is free now');
  assert.deepEqual([...alice.errors, ...bob.errors], []);
  await close(alice, bob);
});

test('a notice that disappeared by itself does not come back when the host redraws the page', {skip: skipIf.onePage}, async () => {
  const page = await openHost(newProject(env), 'Alice', ABSTRACT);
  const shown = await page.evaluate(async () => {
    const {PresenceWarning} = await import('/writer/api/client/presence-warning.js');
    const {Words} = await import('/writer/api/client/strings.js');
    const place = document.body.appendChild(document.createElement('div'));
    const notices = new PresenceWarning(new Words(), (parts) => place.append(...parts), {});
    /** @type {(() => void)[]} */
    const timers = [];
    globalThis.setTimeout = (run) => timers.push(run);
    const say = (...names) => {
      notices.notify('company', ['company', names.map((username) => ({username}))], true);
      return place.innerText.trim();
    };
    const all = [say('Bob')];
    timers.splice(0).forEach((run) => run());
    all.push(say('Bob'));
    for (let i = 0; i < 2; i++) {
      place.replaceChildren();
      all.push(say('Bob'));
    }
    all.push(say(), say('Bob'));
    timers.splice(0).forEach((run) => run());
    notices.remove();
    all.push(say(), say('Bob'));
    return all;
  });
  assert.deepEqual(shown.map((text) => text.split(' ')[0]), ['Bob', '', '', '', '', 'Bob', '', 'Bob']);
  await close(page);
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
    const {applyAvatar} = await import('/writer/api/client/presence-badge.js');
    const avatar = document.createElement('span');
    avatar.id = 'avatar';
    avatar.className = 'presence-avatar';
    avatar.textContent = 'BO';
    document.body.append(avatar);
    const user = {user_id: 2, username: 'Bob', section, sections: [section], activity: 'editing', avatar_color: '#10b981', initials: 'BO', avatar_url: 'https://pictures.example/bob.png'};
    applyAvatar(avatar, user);
    const other = document.createElement('span');
    applyAvatar(other, {...user, avatar_url: 'http://pictures.example/bob.png'});
    globalThis.other = other.childElementCount;
  }, ABSTRACT);
  const image = page.locator('#avatar img');
  await image.waitFor({state: 'attached'});
  assert.deepEqual([await image.getAttribute('alt'), await image.getAttribute('referrerpolicy')], ['', 'no-referrer']);
  assert.equal(await page.locator('#avatar').innerText(), 'BO');
  assert.equal(await page.evaluate(() => globalThis.other), 0, 'a picture without https');
  await close(page);
});
