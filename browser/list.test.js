/** The list of people: the keyboard, the focus, rows that come and go, and a thousand people. */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {TIMEOUT, assertSoon, environment, skipIf} from './fixtures.js';
import {openScene} from './scene.js';

const env = environment({lease: 120_000});
const {onePage} = skipIf;

/** The text of the focused element, or its id or tag: a person's row begins with the name. */
const focused = (page) => page.evaluate(() => {
  const {activeElement: element} = document;
  return element === document.body ? 'the body' : element?.querySelector('bdi')?.textContent || element?.getAttribute('aria-label') || element?.id || element?.tagName;
});
const isOpen = (page) => page.evaluate(() => !!document.querySelector('.presence-list')?.getClientRects().length);

/** A scene with four people in two sections, the list open and the focus on its first row. */
async function openList(people) {
  const page = await openScene(env);
  await page.evaluate(() => open({}, 'intro', 'viewing'));
  await page.evaluate(people ?? (() => tell(person('Anna', {section: 'methods'}), person('Ben', {section: 'intro', activity: 'viewing'}), person('Berta', {section: 'methods', activity: 'viewing'}), person('Cid'))));
  await page.locator('#presence-badge').focus();
  await page.keyboard.press('ArrowDown');
  await page.locator('.presence-list').waitFor({timeout: TIMEOUT});
  return page;
}

test('the list is used with the keyboard alone', {skip: onePage}, async () => {
  const page = await openList();
  const press = async (key, expected) => {
    await page.keyboard.press(key);
    assert.equal(await focused(page), expected, key);
  };
  assert.equal(await focused(page), 'You');
  await press('ArrowDown', 'Ben'); // over the title of the section
  await press('ArrowDown', 'Anna'); // editors first, in the next section
  await press('ArrowDown', 'Berta');
  await press('ArrowDown', 'Cid');
  await press('ArrowDown', 'Cid');
  await press('Home', 'You');
  await press('End', 'Cid');
  await press('ArrowUp', 'Berta');
  await press('PageUp', 'You');
  await page.keyboard.press('PageDown');
  assert.ok(['Berta', 'Cid'].includes(await focused(page)), 'PageDown moves over several rows');
  await press('PageDown', 'Cid');
  await press('b', 'Ben');
  await page.keyboard.press('e');
  await press('r', 'Berta'); // `ber`
  await press('Escape', '4 others online'); // the badge
  assert.equal(await isOpen(page), false);
  assert.equal(await page.locator('#presence-badge').getAttribute('aria-expanded'), 'false');
  await page.context().close();
});

test('Enter on a person goes to their section, unless the host cancels navigate', {skip: onePage}, async () => {
  const page = await openList();
  await page.evaluate(() => {
    globalThis.events = [];
    presence.addEventListener('navigate', (event) => {
      events.push([event.cancelable, event.detail.section, event.detail.user.username]);
      if (globalThis.cancel) event.preventDefault();
    });
    document.querySelector('select').addEventListener('change', ({target}) => events.push(target.value));
    globalThis.cancel = true;
  });
  await page.keyboard.press('a');
  await page.keyboard.press('Enter');
  assert.deepEqual(await page.evaluate(() => events.splice(0)), [[true, 'methods', 'Anna']]);
  assert.equal(await page.locator('select').inputValue(), 'intro');
  assert.equal(await isOpen(page), false);
  assert.equal(await focused(page), '4 others online', 'the host moved no focus, so it is on the badge');

  await page.evaluate(() => { globalThis.cancel = false; });
  await page.locator('#presence-badge').focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('a');
  await page.keyboard.press('Enter');
  assert.deepEqual(await page.evaluate(() => events), [[true, 'methods', 'Anna'], 'methods']);
  assert.equal(await page.locator('select').inputValue(), 'methods');
  assert.equal(await focused(page), 'texfile-selector');
  await page.context().close();
});

test('the list stays open, and keeps the focus, while the focus is in it', {skip: onePage}, async () => {
  const page = await openScene(env);
  await page.evaluate(() => open({}, 'intro', 'viewing'));
  await page.evaluate(() => tell(person('Anna', {section: 'methods'})));
  await page.locator('#presence-badge').focus();
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'Close');
  const closing = await page.evaluate(() => { // longer than the list waits before it closes
    const start = performance.now();
    return new Promise((ended) => setTimeout(() => ended(performance.now() - start), 1_000));
  });
  assert.ok(closing >= 990);
  assert.equal(await isOpen(page), true);
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'You');
  for (let i = 0; i < 3 && await isOpen(page); i++) await page.keyboard.press('Tab');
  await assertSoon(async () => assert.equal(await isOpen(page), false, 'the focus is beyond the list'));
  await page.context().close();
});

test('the focus goes to a neighbour when its person leaves, and never to the body', {skip: onePage}, async () => {
  const page = await openList(() => tell(...(globalThis.all = ['Anna', 'Ben', 'Cid', 'Dan'].map((name) => person(name, {section: 'intro', activity: 'viewing'})))));
  const without = (...gone) => page.evaluate((gone) => tell(...all.filter(({username}) => !gone.includes(username))), gone);
  await page.keyboard.press('c');
  assert.equal(await focused(page), 'Cid');
  await without('Anna');
  assert.equal(await focused(page), 'Cid', 'somebody else left');
  await page.evaluate(() => { all = all.map((user) => ({...user, activity: user.username === 'Cid' ? 'editing' : 'idle'})); });
  await without('Anna');
  assert.equal(await focused(page), 'Cid', 'all states changed');
  await without('Anna', 'Cid');
  assert.equal(await focused(page), 'Ben'); // its neighbour in the new order
  await without('Anna', 'Cid', 'Ben');
  assert.equal(await focused(page), 'Dan');
  await page.evaluate(() => { all = all.map((user) => ({...user, section: 'methods', sections: ['methods']})); });
  await without('Anna', 'Cid', 'Ben');
  assert.equal(await focused(page), 'Dan', 'moved to another section');
  await without('Anna', 'Ben', 'Cid', 'Dan');
  assert.equal(await focused(page), 'You');
  await page.context().close();
});

test('a list of a thousand people has few rows in the page, and End reaches the last', {skip: onePage}, async () => {
  const page = await openList(() => tell(...Array.from({length: 1000}, (_, i) => person(`Name ${String(i).padStart(3, '0')}`, {section: 'intro', activity: 'viewing'}))));
  const rows = () => page.evaluate(() => [...document.querySelectorAll('.presence-list li')].map((row) => [Number(row.ariaPosInSet), Number(row.ariaSetSize)]));
  const check = async () => {
    const found = await rows();
    assert.ok(found.length > 5 && found.length < 60, `${found.length} rows`);
    assert.deepEqual(new Set(found.map(([, size]) => size)), new Set([1002])); // you, the title, the others
    assert.deepEqual(found.map(([at]) => at), found.map(([at]) => at).toSorted((a, b) => a - b));
    return found;
  };
  assert.equal((await check())[0][0], 1);
  await page.keyboard.press('End');
  assert.equal(await focused(page), 'Name 999');
  assert.equal((await check()).at(-1)[0], 1002);
  const seen = await page.evaluate(() => {
    const {top, bottom} = document.activeElement.getBoundingClientRect();
    const box = document.querySelector('.presence-rows').getBoundingClientRect();
    return top >= box.top - 1 && bottom <= box.bottom + 1;
  });
  assert.ok(seen, 'the focused row is in view');
  await page.keyboard.type('name 500');
  assert.equal(await focused(page), 'Name 500');
  await check();
  await page.evaluate(() => (document.querySelector('.presence-rows').scrollTop = 0)); // the focused row is out of view, and keeps the focus
  await page.evaluate(() => frames());
  assert.equal(await focused(page), 'Name 500');
  await check();
  await page.context().close();
});

test('the heading of the list is what the badge is called', {skip: onePage}, async () => {
  const page = await openList();
  for (const [count, due] of /** @type {const} */ ([[1, '1 other online'], [2, '2 others online'], [1000, '1000 others online']])) {
    await page.evaluate((count) => tell(...Array.from({length: count}, (_, i) => person(`Name ${i}`))), count);
    const names = await page.evaluate(() => [
      document.querySelector('.presence-head p').textContent, document.querySelector('.presence-list').ariaLabel, document.querySelector('#presence-badge').ariaLabel,
    ]);
    assert.deepEqual(names, [due, due, due]);
  }
  await page.context().close();
});

test('a list that is outdated is faded, and says so', {skip: onePage}, async () => {
  const page = await openList();
  const look = () => page.evaluate(() => {
    const styles = (selector) => getComputedStyle(document.querySelector(`.presence-list ${selector}`));
    return [styles('.presence-row').color, styles('.presence-avatar').opacity, document.querySelector('.presence-foot').textContent];
  });
  const before = await look();
  await page.evaluate(() => { server.down = true; return renew(); });
  const [color, opacity, text] = await look();
  assert.notEqual(color, before[0], 'the names are as dark as before');
  assert.equal(opacity, '0.5');
  assert.match(text, /This list is outdated\.$/);
  await page.evaluate(() => { server.down = false; return renew(); });
  assert.deepEqual(await look(), before);
  await page.context().close();
});

test('on a phone the list is a sheet at the lower edge of the window', {skip: onePage || skipIf.webkit('a window of its MiniBrowser is at least 447 px wide')}, async () => {
  const page = await openScene(env, undefined, {viewport: {width: 390, height: 800}});
  await page.evaluate(() => open({}, 'intro', 'viewing'));
  await page.evaluate(() => tell(...Array.from({length: 40}, (_, i) => person(`Name ${i}`))));
  await page.locator('#presence-badge').click();
  await page.locator('.presence-list').waitFor({timeout: TIMEOUT});
  const {left, width, bottom, height} = await page.evaluate(() => document.querySelector('.presence-list').getBoundingClientRect().toJSON());
  assert.deepEqual([left, width, bottom], await page.evaluate(() => [0, document.documentElement.clientWidth, document.documentElement.clientHeight]));
  assert.ok(height <= 561, `${height} px high`);
  await page.context().close();
});

test('two sections with one label are two groups, and both are reached', {skip: onePage}, async () => {
  const page = await openList(() => tell(person('Anna', {section: 'paper/introduction'}), person('Ben', {section: 'supplement/introduction'})));
  assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll('.presence-list li')].map(({textContent}) => textContent.replace(/ ?\(.*/, ''))),
    ['You', 'Introduction', 'Anna', 'Introduction', 'Ben']);
  for (const expected of ['Anna', 'Ben']) {
    await page.keyboard.press('ArrowDown');
    assert.equal(await focused(page), expected);
  }
  await page.context().close();
});

test('the focus stays in a list that was cut when its last person leaves', {skip: onePage}, async () => {
  const page = await openList(() => {
    server.count = 10; // of which the server lists two
    return tell(person('Anna', {section: 'methods'}), person('Ben', {section: 'methods'}));
  });
  await page.keyboard.press('End');
  assert.equal(await focused(page), 'Ben');
  await page.evaluate(() => tell(server.people[0]));
  assert.equal(await focused(page), 'Anna');
  await page.context().close();
});

test('the badge keeps the focus when the last person leaves, and is hidden once it loses it', {skip: onePage}, async () => {
  const page = await openScene(env);
  await page.evaluate(() => open({}, 'intro', 'viewing'));
  await page.evaluate(() => tell(person('Anna')));
  await page.locator('#presence-badge').focus();
  await page.keyboard.press('Escape');
  await page.evaluate(() => tell());
  assert.equal(await page.evaluate(() => document.activeElement.id), 'presence-badge');
  await page.locator('#text').focus();
  await page.locator('#presence-badge').waitFor({state: 'hidden', timeout: TIMEOUT});
  await page.context().close();
});
