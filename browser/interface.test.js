/** The interface in a page moves nothing, covers no caret, and shows each state. */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {TIMEOUT, assertSoon, environment, expectBadge, newProject, openPage, skipIf, token} from './fixtures.js';
import {PAGE, openScene, soon} from './scene.js';

const env = environment({lease: 120_000});
const {onePage} = skipIf;

/**
 * Records every layout shift on the page from now on, also those just after input, except within a message whose own text changed.
 * Chromium only: the others have no Layout Instability API.
 */
const recordShifts = (page) => page.evaluate(() => {
  globalThis.shifts = [];
  const since = performance.now();
  if (!PerformanceObserver.supportedEntryTypes?.includes('layout-shift')) return;
  new PerformanceObserver((list) => {
    for (const {value, startTime, sources} of list.getEntries()) {
      const nodes = sources.map(({node}) => node).filter((node) => !node?.parentElement?.closest('.presence-slot'));
      if (startTime > since && nodes.length) globalThis.shifts.push(`${value} ${nodes.map((node) => node?.id || node?.className || node?.nodeName)}`);
    }
  }).observe({type: 'layout-shift', buffered: true});
});

/** The boxes of the host's elements; the badge's is the outer one, kept for it while it is hidden. */
const boxes = (page, selectors) => page.evaluate((selectors) => selectors.map((selector) => {
  const element = document.querySelector(selector);
  const {x, y, width, height} = (element.getClientRects().length ? element : element.nextElementSibling).getBoundingClientRect();
  return [x, y, width, height];
}), selectors);

/** The elements whose boxes differ by half a pixel or more. */
const movedParts = (before, after, selectors) => selectors.filter((_, i) => before[i].some((value, j) => Math.abs(value - after[i][j]) >= .5));

/** What people do, one step after the other, each drawn; `page.open` was called. */
const HISTORY = {
  'one person joins': () => tell(person('Bob')),
  'who edits another section': () => tell(person('Bob', {section: 'methods'})),
  'and then this one': () => tell(person('Bob', {section: 'intro'})),
  'with unsaved changes': () => tell(person('Bob', {section: 'intro', unsaved: ['intro']})),
  'edits in spite of it': async () => { presence.editAnyway(); await renew(); },
  'another one waits': () => tell(person('Carol', {section: 'results', waiting_for: 'intro'})),
  'a newer version was saved': async () => {
    presence.opened({revision: 'a'});
    server.saves = [{section: 'intro', revision: 'b', user_id: 99, username: 'Eve', saved_at: '2026-01-01T12:00:00Z'}];
    await renew();
  },
  'the connection is lost': async () => { server.down = true; await renew(); },
  'and comes back': async () => { server.down = false; await renew(); },
  'nine people': () => tell(...Array.from({length: 9}, (_, i) => person(`A rather long name for number ${i}`, {section: ['intro', 'methods', 'results', ''][i % 4]}))),
  'twelve people': () => tell(...Array.from({length: 12}, (_, i) => person(`Name ${i}`, {section: ['methods', ''][i % 2]}))),
  'a thousand people': () => tell(...Array.from({length: 1000}, (_, i) => person(`Name ${i}`, {section: ['intro', 'methods', 'results', ''][i % 4]}))),
  'one remains': () => tell(person('Bob', {section: 'methods'})),
  'all have left': () => tell(),
};

for (const [width, alone] of /** @type {const} */ ([[900, false], [900, true], [390, false]])) {
  const skip = onePage || (width < 447 && skipIf.webkit('a window of its MiniBrowser is at least 447 px wide'));
  test(`nothing of the host's page moves, whoever comes and goes (${width} px${alone ? ', alone' : ''})`, {skip}, async () => {
    const page = await openScene(env, PAGE, {viewport: {width, height: 600}});
    const parts = ['#bar', '#texfile-selector', '#presence-badge', '#after', '#text'];
    await page.evaluate((alone) => open({alone}), alone);
    await page.locator('#text').focus();
    await page.evaluate(() => frames(4)); // what the start itself moved is over
    await recordShifts(page);
    const before = await boxes(page, parts);
    for (const [step, act] of Object.entries(HISTORY)) {
      await page.evaluate(act);
      assert.deepEqual(movedParts(before, await boxes(page, parts), parts), [], step);
    }
    await page.evaluate(() => frames(4));
    assert.deepEqual(await page.evaluate(() => globalThis.shifts), [], 'layout shifts');
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });
}

test('nothing of the reference page moves once it is laid out', {skip: onePage}, async () => {
  const project = newProject(env);
  const page = await openPage(env, project, 'Me', {section: 'manuscript/abstract', bypassCSP: true});
  const parts = ['.bar', '#texfile-selector', '#presence-badge', '.identity', '#sections', '#sheets'];
  await recordShifts(page);
  const before = await boxes(page, parts);
  const send = async (name, path, body) => fetch(`${env.url}/writer/api/project/${project}/presence/${path}/`, {
    method: 'POST', headers: {'Content-Type': 'application/json', 'Authorization': `Bearer ${await token(env, name)}`}, body: JSON.stringify({session: 'only', ...body}),
  });
  const step = async (name, text) => {
    await expectBadge(page, text);
    assert.deepEqual(movedParts(before, await boxes(page, parts), parts), [], name);
  };
  await page.locator('textarea:visible').focus();
  await send('Bob', 'update', {section: 'manuscript/abstract'});
  await page.locator('.presence-company').waitFor({timeout: TIMEOUT});
  await step('somebody enters', '1');
  for (let i = 0; i < 8; i++) await send(`Somebody with a long name, number ${i}`, 'update', {section: 'manuscript/methods'});
  await step('nine people', '9');
  for (let i = 0; i < 8; i++) await send(`Somebody with a long name, number ${i}`, 'leave', {});
  await step('one is left', '1');
  await send('Bob', 'leave', {});
  await step('all have left', null);
  await page.waitForFunction(() => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(() => next(true)))));
  assert.deepEqual(await page.evaluate(() => globalThis.shifts), [], 'layout shifts');
  await page.context().close();
});
