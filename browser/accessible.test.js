/** What the interface tells assistive technology and shows without colour, in each of its states. */

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {test} from 'node:test';
import {ENGINE, TIMEOUT, assertSoon, environment, skipIf} from './fixtures.js';
import {PAGE, openScene} from './scene.js';

const env = environment({lease: 120_000});
const {onePage} = skipIf;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const openList = async (page) => {
  await page.locator('#presence-badge').focus();
  await page.locator('.presence-list').waitFor({timeout: TIMEOUT});
};
const save = () => {
  presence.opened({revision: 'a'});
  server.saves = [{section: 'intro', revision: 'b', user_id: 99, username: 'Eve', saved_at: '2026-01-01T12:00:00Z'}];
  return renew();
};
const people = () => tell(
  person('Anna', {section: 'methods'}), person('Ben', {section: 'methods', activity: 'viewing'}), person('Cid', {section: 'methods', activity: 'idle'}),
  person('Dan', {section: 'methods', activity: 'idle', unsaved: ['methods']}), person('Robot', {agent: true}), person('Bird', {visitor: true}),
);
const warn = async () => { presence.setSection('results'); await tell(person('Anna', {section: 'intro'})); presence.setSection('intro'); await renew(); };

/** The states of the interface: what makes them, and what is then visible. @type {Record<string, [act: any, visible: string, options?: object]>} */
const STATES = {
  alone: [() => tell(), '#presence-badge[data-alone]'],
  people: [people, '#presence-badge'],
  'a warning': [warn, '.presence-warning'],
  'a company notice': [() => tell(person('Anna', {section: 'intro'})), '[data-notice=company]'],
  'a waiting notice': [() => tell(person('Anna', {section: 'methods', waiting_for: 'intro'})), '[data-notice=waiting]'],
  'a newer notice': [save, '[data-notice=newer]'],
  'a free notice': [async () => { presence.setSection('results'); await tell(person('Anna', {section: 'methods'})); presence.waitFor('methods'); await renew(); await tell(); }, '[data-notice=free]'],
  offline: [async () => { await tell(person('Anna', {section: 'methods'})); server.down = true; await renew(); }, '.presence-status'],
};
const LOOKS = {light: {}, dark: {colorScheme: 'dark'}, phone: {viewport: {width: 390, height: 800}}, 'forced colours': {forcedColors: 'active'}};

for (const [look, options] of Object.entries(LOOKS)) {
  const skip = onePage || (look === 'phone' && skipIf.webkit('a window of its MiniBrowser is at least 447 px wide')) || (look !== 'light' && look !== 'dark' && look !== 'phone' && (skipIf.webkit('it has no forced colours') || skipIf.firefox('WebDriver BiDi does not force colours')));
  test(`axe finds no violations in any state (${look})`, {skip}, async () => {
    const page = await openScene(env, `<h1>Host</h1>${PAGE}`, options);
    await page.evaluate(() => { document.documentElement.lang = 'en'; document.documentElement.style.colorScheme = 'light dark'; });
    await page.evaluate(axe);
    await page.evaluate(() => open({alone: true}));
    const check = async (state) => {
      const {violations, passes} = await page.evaluate(() => globalThis.axe.run({exclude: ['#after']})); // a button with the engine's own colours
      assert.deepEqual(violations.map(({id, nodes}) => `${id}: ${nodes.map(({html, failureSummary}) => `${html} ${failureSummary}`).join(' ')}`), [], state);
      assert.ok(passes.length > 10, `axe checked only ${passes.length} rules`);
    };
    for (const [state, [act, visible]] of Object.entries(STATES)) {
      await page.evaluate(async () => { server.saves = []; server.down = false; presence.setSection('intro'); await tell(); });
      await page.evaluate(act);
      await page.locator(`${visible}:visible`).first().waitFor({timeout: TIMEOUT});
      await check(state);
      await openList(page);
      await check(`${state}, list open`);
      await page.keyboard.press('Escape');
      await page.locator('#presence-badge').evaluate((badge) => badge.blur());
    }
    await page.context().close();
  });
}

const GOLDEN = {
  list: `
- dialog "5 others online":
  - paragraph: 5 others online
  - button "Close"
  - list:
    - listitem:
      - button "You (Introduction) viewing" [disabled]
    - listitem: Methods
    - listitem:
      - button "Anna (Methods) editing"
    - listitem:
      - button "Dan (Methods) idle, unsaved changes"
    - listitem:
      - button "Ben (Methods) viewing"
    - listitem:
      - button "Cid (Methods) idle"
    - listitem: In no section
    - listitem:
      - button "Robot (agent)" [disabled]
    - listitem:
      - button "Visitor Bird" [disabled]
  - text: Presence checked every 3600 s`,
  warning: `
- group "Anna is editing here, active just now":
  - paragraph: Anna is editing here, active just now
  - button "Go back to Results"
  - button "Edit anyway"
  - button "Tell me when it is free"`,
  said: `
- status: Anna is editing here`,
};

/** The accessibility tree below an element as text. */
const tree = async (page, selector) => `\n${await page.locator(selector).first().ariaSnapshot()}`;
const noTree = onePage || skipIf.webkit('WebDriver does not tell the accessibility tree');

test('a screen reader finds the list as one dialog of rows, the person first and what they do last', {skip: noTree}, async () => {
  const page = await openScene(env);
  await page.evaluate(() => open({}, 'intro', 'viewing'));
  await page.evaluate(people);
  await openList(page);
  assert.equal(await tree(page, '.presence-list'), GOLDEN.list);
  await page.context().close();
});

test('a screen reader finds the warning as a group with its sentence and three buttons', {skip: noTree}, async () => {
  const page = await openScene(env);
  await page.evaluate(() => open());
  await page.evaluate(warn);
  await page.locator('.presence-warning').waitFor({timeout: TIMEOUT});
  assert.equal(await tree(page, '.presence-slot'), GOLDEN.warning);
  await assertSoon(async () => assert.equal(await tree(page, '[role=status]'), GOLDEN.said));
  await page.context().close();
});


/** The marks of the avatars in an element: `activity, icon, unsaved dot, border`. */
const marks = (page, selector) => page.evaluate((selector) => [...document.querySelectorAll(`${selector} .presence-avatar[data-activity]`)].map((element) => {
  const icon = element.querySelector('.presence-icon');
  const dot = getComputedStyle(element, '::after');
  const painted = icon && getComputedStyle(icon).fill !== getComputedStyle(icon).backgroundColor && icon.getBoundingClientRect().width > 5;
  const dotted = dot.content !== 'none' && dot.display !== 'none' && parseFloat(dot.width) > 4 && dot.backgroundColor !== getComputedStyle(element).backgroundColor;
  return [element.dataset.initials, painted ? icon.firstElementChild.getAttribute('d').slice(0, 5) : '', dotted ? 'dot' : '', getComputedStyle(element).borderStyle].join(' ').replace(/ +/g, ' ');
}), selector);

for (const [look, options] of Object.entries({light: {}, 'forced colours': {forcedColors: 'active'}})) {
  const skip = onePage || (look === 'forced colours' && (skipIf.webkit('it has no forced colours') || skipIf.firefox('WebDriver BiDi does not force colours')));
  test(`editors are first, and each state has a mark of its own form (${look})`, {skip}, async () => {
    const page = await openScene(env, PAGE, options);
    await page.evaluate(() => open({}, 'results', 'viewing'));
    await page.evaluate(() => tell(
      person('Aa', {section: 'methods', activity: 'idle'}), person('Bb', {section: 'methods', activity: 'viewing'}),
      person('Cc', {section: 'methods', activity: 'idle', unsaved: ['methods']}), person('Dd', {section: 'methods'}),
    ));
    const due = ['CC M6.2 dot dashed', 'DD M11.3 solid', 'BB solid', 'AA M6.2 dashed'];
    const clean = (found) => found.map((text) => text.replace(/(M\d+\.\d)\S*/, '$1').trim());
    assert.deepEqual(clean(await marks(page, '[data-presence-section=methods]')), due);
    const label = await page.evaluate(() => document.querySelector('option[value=methods]').label.replace('\u2060', ''));
    assert.equal(label, 'Methods — ✎ Cc (unsaved changes), Dd, Bb viewing, Aa idle');
    await openList(page);
    assert.deepEqual(clean(await marks(page, '.presence-rows')).slice(1), due);
    await page.context().close();
  });
}

test('the warning leads back, or to a choice, and says for how long nothing was heard', {skip: onePage}, async () => {
  const page = await openScene(env);
  await page.evaluate(() => open());
  await page.evaluate(warn);
  await page.getByRole('button', {name: 'Go back to Results'}).click();
  assert.equal(await page.locator('select').inputValue(), 'results');
  assert.equal(await page.evaluate(() => presence.currentSection), 'results');
  await page.context().close();

  const other = await openScene(env);
  await other.evaluate(async () => {
    server.people = [person('Anna', {section: 'intro', last_seen: '2026-01-01T11:58:50Z'})];
    await open();
  });
  await other.locator('.presence-warning').waitFor({timeout: TIMEOUT});
  assert.equal(await other.locator('.presence-warning p').innerText(), 'Anna is editing here, last seen 1 minute ago');
  assert.deepEqual(await other.locator('.presence-warning button').allInnerTexts(), ['Choose different section', 'Edit anyway', 'Tell me when it is free']);
  await other.context().close();
});

test('the option alone says that nobody else is here, and pictures: false loads none', {skip: onePage}, async () => {
  for (const pictures of [true, false]) {
    const page = await openScene(env);
    const asked = [];
    await page.route('https://pictures.example/**', (route) => { asked.push(route.request().url()); return route.abort(); });
    await page.evaluate((pictures) => open({alone: true, pictures}, 'intro', 'viewing'), pictures);
    assert.equal((await page.locator('#presence-badge').innerText()).trim(), 'Only you are here');
    await page.evaluate(() => tell(person('Anna', {section: 'methods', avatar_url: 'https://pictures.example/anna.png'})));
    await openList(page);
    await page.evaluate(() => frames(5));
    if (pictures && ENGINE === 'chromium') await assertSoon(async () => assert.ok(asked.length > 0)); // other drivers do not tell of pictures
    if (!pictures) assert.deepEqual([asked, await page.locator('img').count()], [[], 0]);
    await page.context().close();
  }
});

test('nobody is said to be alone while it is not known who is there', {skip: onePage}, async () => { // rule 13
  const page = await openScene(env);
  const said = () => page.evaluate(() => ['#presence-badge', '.presence-list'].map((selector) => document.querySelector(selector)?.innerText).join());
  await page.evaluate(() => {
    server.people.push(person('Anna', {section: 'intro'}));
    server.unlisted = true; // as the answer on a live connection, which comes before the list
    return open({alone: true}, 'intro', 'editing');
  });
  await page.locator('.presence-warning').getByText('Anna is editing here').waitFor({timeout: TIMEOUT});
  assert.doesNotMatch(await said(), /Only you/);
  await page.evaluate(() => {
    server.unlisted = false;
    return tell();
  });
  assert.match(await said(), /Only you/, 'alone, and known to be');
  await page.evaluate(() => tell(person('Anna')));
  await openList(page);
  await page.evaluate(async () => {
    server.refusing = true;
    await renew();
  });
  assert.doesNotMatch(await said(), /Only you/, 'without access');
  await page.context().close();
});

test('names, colours, pictures and sections that are not valid break nothing', {skip: onePage || skipIf.webkit('a window of its MiniBrowser is at least 447 px wide')}, async () => {
  const page = await openScene(env, PAGE.replace('#bar{', '#bar{flex-wrap: wrap; '), {viewport: {width: 360, height: 700}});
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  await page.evaluate(() => open());
  const width = await page.evaluate(() => document.querySelector('#presence-badge + .presence-place').getBoundingClientRect().width);
  asked.length = 0;
  await page.evaluate(async () => {
    const names = ['x'.repeat(10_000), 'long '.repeat(2_000), '<img src="/owned.png" onerror="globalThis.owned = 1">', '\u202eevil\u202d', '', '\u0000', '👩‍👩‍👧‍👦'.repeat(50), 'محمد', '名前'.repeat(100)];
    const colors = ['red;background:url(/owned.png)', '', 'url(/owned.png)', '#12', 'expression(1)'];
    const pictures = ['javascript:globalThis.owned=1', 'data:image/svg+xml,<svg onload="globalThis.owned=1"/>', 'http://pictures.example/x.png', '//pictures.example/x.png', '', 'https://', 'HTTPS:x'];
    const sections = ['intro', 'methods', '__proto__', '"]', 'a'.repeat(5_000), '../<b>', ''];
    const all = names.flatMap((name, i) => pictures.map((avatar_url, j) => person(name, {section: sections[(i + j) % sections.length], avatar_url, avatar_color: colors[(i + j) % 5], initials: ['', name, '\u202e'][j % 3]})));
    await tell(...all);
    presence.setSection('intro');
  });
  await openList(page);
  for (const key of ['End', 'Home']) {
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press(key);
    await page.evaluate(() => frames());
    const found = await page.evaluate(() => ({
      badge: document.querySelector('#presence-badge').getBoundingClientRect().width,
      rows: [...new Set([...document.querySelectorAll('.presence-rows li')].map((row) => Math.round(row.getBoundingClientRect().height)))],
      wide: document.documentElement.scrollWidth - innerWidth,
      slot: document.querySelector('.presence-slot').getBoundingClientRect().width,
    }));
    assert.equal(found.badge, width);
    assert.deepEqual(found.rows, [48]);
    assert.ok(found.wide <= 0, `${found.wide} px wider than the window`);
    assert.ok(found.slot <= 360, `a slot of ${found.slot} px`);
  }
  assert.equal(await page.evaluate(() => globalThis.owned), undefined);
  assert.deepEqual(asked.filter((url) => !url.startsWith('https:')), []);
  assert.deepEqual(page.errors, []);
  await page.context().close();
});
