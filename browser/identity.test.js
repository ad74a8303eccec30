/** Who a tab of the reference page is on a development server. */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {TIMEOUT, environment, expectBadge, newProject, openPage, pageURL, skipIf, waitForStatus} from './fixtures.js';

const env = environment();

const nameOf = (page) => page.locator('#who').innerText();

test('two new browsers are two people, also if both begin with the same name', {skip: skipIf.oneAddress}, async () => {
  const project = newProject(env);
  const pages = [];
  for (let i = 0; i < 2; i++) {
    const context = await env.browser.newContext();
    await context.addInitScript(() => localStorage.setItem('writer:turn', '6'));
    const page = await context.newPage();
    await page.goto(pageURL(env, project, null));
    pages.push(page);
  }
  for (const page of pages) {
    await expectBadge(page, '1');
    assert.match(await nameOf(page), /^Goran \d{3}$/);
  }
  for (const page of pages) await page.context().close();
});

test('a tab that has a copy of the storage of an open tab is another person', {skip: skipIf.oneAddress || skipIf.popup}, async () => {
  const project = newProject(env);
  const a = await openPage(env, project, null);
  const first = await nameOf(a);

  const [opened] = await Promise.all([a.waitForEvent('popup'), a.evaluate(() => void window.open(location.href))]);
  await waitForStatus(opened, 'live');
  assert.notEqual(await nameOf(opened), first, 'a tab from window.open');
  await expectBadge(a, '1');

  const copy = await a.evaluate(() => Object.entries(sessionStorage));
  const duplicate = await a.context().newPage();
  await duplicate.addInitScript((copy) => {
    for (const [key, value] of copy) sessionStorage.setItem(key, value);
  }, copy);
  await duplicate.goto(a.url());
  await waitForStatus(duplicate, 'live');
  assert.equal(new Set([first, await nameOf(opened), await nameOf(duplicate)]).size, 3, 'a duplicated tab');
  await expectBadge(a, '2');
  await a.context().close();
});

test('a tab stays the same person when it is reloaded, and when it comes back', {skip: skipIf.oneAddress}, async () => {
  const a = await openPage(env, newProject(env), null);
  const first = await nameOf(a);
  await a.reload();
  await waitForStatus(a, 'live');
  assert.equal(await nameOf(a), first, 'after a reload');
  await a.goto('about:blank');
  await a.goBack();
  await a.locator('#who').filter({hasText: first}).waitFor({timeout: TIMEOUT});
  await a.context().close();
});
