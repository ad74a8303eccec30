/** What the interface tells assistive technology and shows without colour, in each of its states. */

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {test} from 'node:test';
import {TIMEOUT, assertSoon, environment, skipIf} from './fixtures.js';
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
      const {violations, passes} = await page.evaluate(() => globalThis.axe.run());
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

