/** The interface in a page moves nothing, covers no caret, and shows each state. */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {TIMEOUT, assertSoon, environment, expectBadge, newProject, openPage, skipIf, token} from './fixtures.js';
import {PAGE, openScene} from './scene.js';

const env = environment({lease: 120_000});
const {onePage} = skipIf;

/**
 * Records every layout shift on the page from now on, also those just after input.
 * Chromium only: the others have no Layout Instability API.
 */
const recordShifts = (page) => page.evaluate(() => {
  globalThis.shifts = [];
  const since = performance.now();
  if (!PerformanceObserver.supportedEntryTypes?.includes('layout-shift')) return;
  new PerformanceObserver((list) => {
    for (const {value, startTime, sources} of list.getEntries()) {
      const nodes = sources.map(({node}) => node);
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
  'a warning': async () => { presence.setSection('methods'); await tell(person('Bob', {section: 'intro'})); presence.setSection('intro'); await renew(); },
  'that is answered': async () => { presence.editAnyway(); await renew(); },
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

test('the select and the elements of a section that moves follow, and nothing else changes, unless the page cancels it', {skip: onePage}, async () => { // rule 23
  const page = await openScene(env);
  const seen = await page.evaluate(async () => {
    await open({}, 'intro', 'viewing');
    await tell(person('Bob', {section: 'intro', activity: 'viewing'}));
    const select = document.querySelector('select');
    const events = [];
    select.addEventListener('change', () => events.push('change'));
    presence.addEventListener('section', (event) => {
      const {from, to} = event.detail;
      events.push(`${from} to ${to}`);
      if (to === 'end') event.preventDefault();
    });
    const state = () => [select.value, select.selectedOptions[0].label.includes('Bob'), document.querySelector('li').dataset.presenceSection, document.querySelector('li .presence-avatar') !== null];
    const first = document.querySelector('li .presence-avatar') !== null;
    await move('intro', 'start');
    const moved = [presence.currentSection, ...state()];
    await move('start', 'end');
    return {first, moved, cancelled: [presence.currentSection, ...state()], events};
  });
  assert.deepEqual(seen, {
    first: true, moved: ['start', 'start', true, 'start', true], cancelled: ['end', 'start', false, 'start', false], events: ['intro to start', 'start to end'],
  });
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

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
  await page.locator('#presence-badge[data-alone]').waitFor({timeout: TIMEOUT});
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

/** Whether the shown slot covers a point of the page's caret, and where it is. */
const slotBox = (page) => page.evaluate(() => {
  const {left, top, right, bottom} = document.querySelector('.presence-slot').getBoundingClientRect();
  return {left, top, right, bottom, height: innerHeight};
});

const NOTICE = '.presence-company:visible, .presence-warning:visible';
const FIELD = 'position: absolute; left: 8px; width: 600px; font: 16px/20px sans-serif; padding: 0; border: 0; margin: 0';

/** Fields directly below the bar, where the slot would be, with the caret in the first line. Each returns the caret's box in the window. */
const CARETS = {
  'a textarea': [`<textarea id="field" style="${FIELD}; top: 52px; height: 200px">One\nTwo</textarea>`, () => {
    const field = /** @type {any} */ (document.querySelector('#field'));
    field.focus();
    field.setSelectionRange(0, 0);
    return field.getBoundingClientRect().top;
  }],
  'an editable element': [`<div id="field" contenteditable style="${FIELD}; top: 52px; height: 200px"><p style="margin: 0">One</p><p>Two</p></div>`, () => {
    const field = /** @type {any} */ (document.querySelector('#field'));
    field.focus();
    getSelection().collapse(field.querySelector('p').firstChild, 1);
    return field.getBoundingClientRect().top;
  }],
  'a frame': [`<iframe id="frame" style="${FIELD}; top: 52px; height: 200px" srcdoc="<body style='margin: 0'><textarea style='border: 0; padding: 0; font: 16px/20px sans-serif; width: 500px; height: 100px'>One</textarea>"></iframe>`, async () => {
    const frame = /** @type {any} */ (document.querySelector('#frame'));
    while (!frame.contentDocument.querySelector('textarea')) await new Promise((next) => requestAnimationFrame(next));
    const field = frame.contentDocument.querySelector('textarea');
    field.focus();
    field.setSelectionRange(0, 0);
    return frame.getBoundingClientRect().top;
  }],
  'a shadow root': [`<div id="shadow" style="${FIELD}; top: 52px; height: 200px"></div>`, () => {
    const shadow = document.querySelector('#shadow').attachShadow({mode: 'open'});
    shadow.innerHTML = '<textarea style="border: 0; padding: 0; font: 16px/20px sans-serif; width: 500px; height: 100px">One</textarea>';
    const field = /** @type {any} */ (shadow.firstElementChild);
    field.focus();
    field.setSelectionRange(0, 0);
    return field.getBoundingClientRect().top;
  }],
};
const BAR = PAGE.slice(0, PAGE.indexOf('<textarea'));

for (const [where, [field, focus]] of /** @type {[string, any][]} */ (Object.entries(CARETS))) {
  test(`the slot does not cover the caret in ${where}, and is in the window`, {skip: onePage}, async () => {
    const page = await openScene(env, BAR + field);
    await page.evaluate(() => open());
    const top = await page.evaluate(focus);
    assert.ok(top < 60, 'the caret is where the slot would be');
    await page.evaluate(() => tell(person('Bob', {section: 'intro'})));
    await page.locator(NOTICE).first().waitFor({timeout: TIMEOUT});
    const slot = await slotBox(page);
    assert.ok(slot.top >= top + 20 || slot.bottom <= top, `the slot from ${slot.top} to ${slot.bottom} covers the line at ${top}`);
    assert.ok(slot.top >= 0 && slot.bottom <= slot.height, 'outside of the window');
    await page.context().close();
  });
}

test('the slot is below the bar if the caret is elsewhere, goes out of its way, and does not come back to it', {skip: onePage}, async () => {
  const page = await openScene(env, `${BAR}<textarea id="field" style="${FIELD}; top: 52px; height: 400px">${'line\n'.repeat(18)}</textarea>`);
  const caretAt = (at) => page.evaluate(async (at) => {
    const field = /** @type {any} */ (document.querySelector('#field'));
    field.focus();
    field.setSelectionRange(at, at);
    await frames();
  }, at);
  await page.evaluate(() => open());
  await caretAt(50); // the tenth line
  await page.evaluate(() => tell(person('Bob', {section: 'intro'})));
  const first = await slotBox(page);
  assert.ok(first.top >= 40 && first.top < 60, `at ${first.top}, not below the bar`);
  await caretAt(0);
  const away = await slotBox(page);
  assert.ok(away.top > 72, `at ${away.top}, on the caret`);
  await caretAt(50);
  assert.equal((await slotBox(page)).top, away.top, 'it came back');
  await caretAt(5);
  assert.equal((await slotBox(page)).top, away.top);
  await page.context().close();
});

test('in a page that is scrolled the slot is in the window', {skip: onePage}, async () => {
  const page = await openScene(env, `${PAGE}<div style="height: 3000px"></div>`);
  await page.evaluate(() => { scrollTo(0, 1500); return open(); });
  await page.evaluate(() => tell(person('Bob', {section: 'intro'})));
  for (const to of [1500, 0, 2000]) {
    await page.evaluate((to) => { scrollTo(0, to); return frames(); }, to);
    const {top, bottom, height} = await slotBox(page);
    assert.ok(top >= 0 && bottom <= height, `scrolled to ${to}: from ${top} to ${bottom}`);
  }
  await page.context().close();
});

test('in the space that the host reserved the slot stays there', {skip: onePage}, async () => {
  const page = await openScene(env, `${BAR}<div id="presence-warning" style="height: 60px"></div><textarea id="text" style="width: 90%; height: 100px">One</textarea>`);
  await page.evaluate(() => open());
  await page.locator('#text').focus();
  const space = await page.evaluate(() => document.querySelector('#presence-warning').getBoundingClientRect().toJSON());
  for (const act of [() => tell(person('Bob', {section: 'intro'})), () => tell(person('Carol', {section: 'results', waiting_for: 'intro'}))]) {
    await page.evaluate(act);
    const {top, left, right, bottom} = await slotBox(page);
    assert.deepEqual([top, left].map(Math.round), [space.top, space.left].map(Math.round));
    assert.ok(right <= space.right + 1);
    assert.ok(bottom <= space.bottom + 1, `down to ${bottom}`);
  }
  await page.context().close();
});

test('a press in the first 0.4 s after the slot appears reaches what is below it', {skip: onePage}, async () => {
  const page = await openScene(env);
  await page.evaluate(() => open());
  await page.evaluate(() => tell(person('Bob', {section: 'intro'})));
  /** Whether a press on the button would reach it, at a time after the notice appeared; at once if the time is not stated. */
  const hit = (at) => page.evaluate((at) => {
    const message = document.querySelector('.presence-company');
    for (const guard of message.parentElement.getAnimations({subtree: true})) {
      guard.pause();
      guard.currentTime = at;
    }
    const {left, top, width, height} = message.querySelector('.presence-close').getBoundingClientRect();
    return message.contains(document.elementFromPoint(left + width / 2, top + height / 2));
  }, at);
  await assertSoon(async () => assert.equal(await hit(500), true));
  await page.evaluate(() => tell());
  // In one turn, so that it is not over on a slow machine.
  const [guards, reached] = await page.evaluate(async () => {
    server.people = [person('Carol', {section: 'intro'})];
    await presence.updatePresence();
    presence.updateUI();
    const message = document.querySelector('.presence-company');
    const guards = message.parentElement.getAnimations({subtree: true});
    const {left, top, width, height} = message.querySelector('.presence-close').getBoundingClientRect();
    const at = (time) => {
      for (const guard of guards) {
        guard.pause();
        guard.currentTime = time;
      }
      return message.contains(document.elementFromPoint(left + width / 2, top + height / 2));
    };
    return [guards.length, [at(0), at(399), at(401)]];
  });
  assert.equal(guards, 2, 'of the slot and of the message');
  assert.deepEqual(reached, [false, false, true]);
  await page.context().close();
});

test('a select that is hidden when somebody comes keeps the width that it is shown with', {skip: onePage}, async () => {
  const page = await openScene(env);
  const width = () => page.evaluate(() => document.querySelector('#texfile-selector').offsetWidth);
  const show = (display) => page.evaluate((display) => { document.querySelector('#texfile-selector').style.display = display; }, display);
  await show('none');
  await page.evaluate(() => open({}, 'intro', 'viewing'));
  await page.evaluate(() => tell(person('Anna', {section: 'methods'})));
  await show('');
  const before = await width();
  assert.ok(before > 60, `${before} px`);
  await page.evaluate(() => tell(person('A person with a long name', {section: 'methods'})));
  assert.equal(await width(), before);
  await page.context().close();
});

for (const [change, act] of [
  ['moves', () => document.querySelector('main').prepend(document.querySelector('#place'))],
  ['empties', () => document.querySelector('#place').replaceChildren()],
  ['replaces', () => { document.querySelector('#place').id = ''; document.querySelector('main').append(Object.assign(document.createElement('div'), {id: 'place'})); }],
  ['takes away and puts back', () => { const place = document.querySelector('#place'); const next = place.nextSibling; place.remove(); next.before(place); }],
]) {
  test(`a warning is in sight again after the host ${change} its place`, {skip: onePage}, async () => {
    const page = await openScene(env, `<div id="place"></div>${PAGE}`);
    await page.evaluate(() => { server.people = [person('Bob', {section: 'intro'})]; });
    await page.evaluate(() => open({elements: {warning: '#place'}}));
    await page.locator('.presence-warning').waitFor({timeout: TIMEOUT});
    await page.evaluate(act);
    await page.evaluate(() => presence.updateUI());
    await page.locator('.presence-warning').waitFor({timeout: TIMEOUT});
    assert.deepEqual(await page.evaluate(() => ['.presence-slot', '#place > .presence-slot'].map((slot) => document.querySelectorAll(slot).length)), [1, 1]);
    await page.context().close();
  });
}

test('the focus does not fall to the body when a notice is dismissed in a page without a select', {skip: onePage}, async () => {
  const page = await openScene(env, PAGE.replace('texfile-selector', 'another').replace('texfile-selector', 'another'));
  await page.evaluate(() => open());
  await page.evaluate(() => tell(person('Bob', {section: 'intro'})));
  await page.getByRole('button', {name: 'Dismiss'}).focus();
  await page.keyboard.press('Enter');
  await page.locator('.presence-company').waitFor({state: 'hidden', timeout: TIMEOUT});
  assert.equal(await page.evaluate(() => document.activeElement.id), 'presence-badge');
  await page.context().close();
});
