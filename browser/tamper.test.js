/** Hosts that restyle, move, remove, translate, copy or replace any element of the interface at any time. SEED repeats one history. */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {TIMEOUT, environment, expectBadge, skipIf} from './fixtures.js';
import {PAGE, openScene} from './scene.js';

const env = environment({lease: 120_000});
const SEEDS = process.env.SEED ? [Number(process.env.SEED)] : [1, 2, 3, 4];
const STEPS = 80;

/** Counts the listeners on the document and the window that nothing has ended, in `listeners()`. */
const countListeners = (page) => page.evaluate(() => {
  const added = [];
  for (const target of [document, window]) {
    const {addEventListener} = target;
    target.addEventListener = (type, run, options) => {
      added.push(options?.signal);
      addEventListener.call(target, type, run, options);
    };
  }
  globalThis.listeners = () => added.filter((signal) => !signal?.aborted).length;
});

/** Does random things to the elements of the interface, and with `all` to those of the host too. @returns {Promise<string[]>} what went wrong */
const tamper = (page, seed, all) => page.evaluate(async ([seed, steps, all]) => {
  let state = seed;
  const random = (count) => { // mulberry32
    let t = (state = (state + 0x6d2b79f5) | 0);
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % count;
  };
  const any = (list) => list[random(list.length)];
  const main = document.querySelector('main');
  const texts = (root) => {
    const found = [];
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) found.push(walker.currentNode);
    return found;
  };
  const operations = {
    restyle: (element) => element.style.setProperty(any(['color', 'font-size', 'margin', 'translate']), any(['3px', '40px', 'red'])),
    remove: (element) => element.remove(),
    move: (element) => {
      const place = any([main, document.body, ...main.querySelectorAll('div, ul, span')]);
      if (!element.contains(place)) place.append(element);
    },
    translate: (element) => {
      for (const text of texts(element)) {
        const font = document.createElement('font');
        text.replaceWith(font);
        font.append(`${text.data} `);
      }
    },
    copy: (element) => element.after(element.cloneNode(true)),
    replace: (element) => element.replaceWith(element.cloneNode(true)),
    empty: (element) => element.replaceChildren(),
    rewrite: (element) => { element.innerHTML += ' '; },
    unlabel: (element) => { for (const {name} of [...element.attributes]) if (/^(aria|data-presence|label|role)/.test(name) && name !== 'data-presence-section') element.removeAttribute(name); },
  };
  const names = ['Anna', 'Ben', 'Cid', 'Dan'].map((name) => person(name));
  const changes = {
    open: () => document.querySelector('#presence-badge')?.focus(),
    arrow: () => document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', {key: any(['ArrowDown', 'ArrowUp', 'End', 'b']), bubbles: true, cancelable: true})),
    close: () => document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'})),
    press: () => any([...document.querySelectorAll('.presence-slot button, .presence-list button')])?.click(),
    tell: () => tell(...names.filter(() => random(3)).map((user) => ({...user, activity: any(['editing', 'viewing', 'idle']), section: 'intro', sections: ['intro'], waiting_for: any(['intro', ''])}))),
    lose: () => { server.down = random(2) === 0; return renew(); },
    enter: () => presence.setSection(any(['intro', 'methods', null])),
    draw: () => presence.updateUI(),
  };
  const faults = [];
  const own = Symbol.for('writer-presence');
  for (let step = 0; step < steps; step++) {
    const parts = [...document.querySelectorAll('[data-presence-part], [data-presence-part] *')];
    const hosts = all ? [...main.querySelectorAll('*')] : [];
    const act = any(Object.keys(changes));
    await changes[act]();
    const badge = document.querySelector('#presence-badge');
    const element = any([...parts, ...hosts].filter((element) => element.isConnected && (all || !element.closest('select'))));
    let name = any(Object.keys(operations));
    if (['copy', 'rewrite'].includes(name) && document.querySelectorAll('*').length > 500) name = 'remove';
    if (element) operations[name](element);
    await frames(1);
    const lists = [...document.querySelectorAll('.presence-list')].filter((list) => list[own]);
    const open = lists.some((list) => list.getClientRects().length);
    if (!all && badge.getAttribute('aria-expanded') !== String(open)) faults.push(`step ${step}: ${act}, then ${name} ${element?.className}: aria-expanded is ${badge.getAttribute('aria-expanded')}, and the list is ${open ? '' : 'not '}visible`);
  }
  server.down = false;
  return faults;
}, [seed, STEPS, all]);

/** Waits until all is drawn as for these people. */
async function assertIntact(page, message) {
  await page.evaluate(async () => {
    document.activeElement?.blur();
    document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'}));
    presence.setSection('intro', {activity: 'viewing'});
    await tell(person('Zoe', {section: 'methods'}), person('Yan', {section: 'intro', activity: 'viewing'}));
    presence.updateUI();
  });
  const found = await page.evaluate(() => ({
    badge: document.querySelector('#presence-badge .presence-count')?.textContent,
    options: [...document.querySelectorAll('#texfile-selector option')].map(({label}) => label.replace('\u2060', '')),
    parts: document.querySelectorAll('[data-presence-part]').length,
    occupants: [...document.querySelectorAll('[data-presence-section]')].map((element) => element.querySelectorAll('.presence-occupants').length),
  }));
  assert.equal(found.badge, '2', message);
  assert.deepEqual(found.options, ['Introduction — Yan viewing', 'Methods — ✎ Zoe', 'Results'], message);
  assert.deepEqual(found.occupants, [1, 1], message);
  assert.ok(found.parts <= 8, `${message}: ${found.parts} parts`);
  await page.locator('#presence-badge').focus();
  await page.locator('.presence-list').waitFor({timeout: TIMEOUT});
  assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll('.presence-list bdi')].map(({textContent}) => textContent)), ['You', 'Yan', 'Zoe'], message);
  assert.equal(await page.locator('#presence-badge').getAttribute('aria-expanded'), 'true', message);
  await page.keyboard.press('Escape');
}

for (const all of [false, true]) {
  for (const seed of SEEDS) {
    test(`a host that tampers with ${all ? 'everything' : 'the interface'} causes no exception and no leak, and the next drawing is right (seed ${seed})`, {skip: skipIf.onePage}, async () => {
      const message = `SEED=${seed}`;
      const page = await openScene(env);
      await countListeners(page);
      await page.evaluate(() => open());
      assert.deepEqual(await tamper(page, seed, all), [], message);
      assert.deepEqual(page.errors, [], message);
      if (all) await page.evaluate((body) => { document.body.innerHTML = `<main>${body}</main>`; }, PAGE);
      await assertIntact(page, message);
      assert.ok(await page.evaluate(() => globalThis.listeners()) < STEPS / 2 + 10, `${message}: ${await page.evaluate(() => globalThis.listeners())} listeners`);
      assert.deepEqual(page.errors, [], message);
      await page.context().close();
    });
  }
}

test('stop() restores the page of the host', {skip: skipIf.onePage}, async () => {
  const page = await openScene(env);
  const attributes = () => page.evaluate(() => [...document.querySelectorAll('main, main *')].filter((element) => !element.closest('#presence-badge')).map((element) => {
    const found = [...element.attributes].filter(({name, value}) => name !== 'style' || value).map(({name, value}) => `${name}=${value}`);
    return [element.tagName, element.childElementCount, ...found].join(' ');
  }));
  await page.evaluate(() => {
    document.querySelector('#texfile-selector').style.width = '150px';
    document.querySelector('option').label = 'The start';
  });
  const before = await attributes();
  await page.evaluate(() => open());
  await page.evaluate(() => tell(person('Zoe', {section: 'intro'}), person('Yan', {section: 'methods'})));
  await expectBadge(page, '2');
  assert.notDeepEqual(await attributes(), before, 'the interface is in the page');
  await page.evaluate(async () => { presence.stop(); await frames(); });
  assert.deepEqual(await attributes(), before);
  assert.equal(await page.evaluate(() => document.querySelectorAll('[data-presence-part]').length), 0);
  assert.equal(await page.locator('#presence-badge').isVisible(), false);
  assert.deepEqual(page.errors, []);
  await page.context().close();
});
