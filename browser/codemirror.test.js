/** The binding of CodeMirror: two people with the same LaTeX file on a real server. */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {build} from 'esbuild';
import {TIMEOUT, assertSoon, environment, newProject, skipIf, token} from './fixtures.js';
import {soon} from './scene.js';

const env = environment({lease: 60_000});

/** The page, bundled: an editor with a list of its headings. */
const PAGE = `
  import {PresenceManager} from 'writer-presence';
  import {presence, presenceSaved} from 'writer-presence/codemirror';
  import {EditorView, basicSetup} from 'codemirror';
  import {Transaction} from '@codemirror/state';

  const titles = ['Introduction', 'Methods', 'Results'];
  const doc = titles.map((title) => '\\\\section{' + title + '}\\n\\nSome text.\\n\\n').join('');
  const add = EventTarget.prototype.addEventListener;
  const remove = EventTarget.prototype.removeEventListener;
  const open = new Set();
  /** Counts the listeners that are added from now on. */
  globalThis.count = () => {
    EventTarget.prototype.addEventListener = function (type, listener, options) {
      const entry = {target: this, type, listener};
      if (![...open].some((other) => other.target === this && other.type === type && other.listener === listener)) open.add(entry);
      options?.signal?.addEventListener('abort', () => open.delete(entry));
      add.call(this, type, listener, options);
    };
    EventTarget.prototype.removeEventListener = function (type, listener, options) {
      for (const entry of open) if (entry.target === this && entry.type === type && entry.listener === listener) open.delete(entry);
      remove.call(this, type, listener, options);
    };
  };
  globalThis.listeners = () => [...open].filter(({target}) => target === manager || target === document || target === window).map(({type}) => type);
  let manager;
  globalThis.openEditor = async (project, token) => {
    globalThis.presence = manager = new PresenceManager(project, null, {token});
    manager.start();
    await new Promise((live) => { const end = manager.subscribe(() => manager.getSnapshot().version && (end(), live())); });
    globalThis.count();
    const extensions = [basicSetup, presence(manager, {format: 'latex', prefix: 'main.tex', outline: document.querySelector('nav')})];
    globalThis.view = new EditorView({doc, extensions, parent: document.querySelector('main')});
  };
  /** Sets the caret behind a text. */
  globalThis.behind = (text) => {
    const at = view.state.doc.toString().indexOf(text) + text.length;
    view.focus();
    view.dispatch({selection: {anchor: at}});
  };
  globalThis.saved = (revision) => presenceSaved(view, revision);
  globalThis.others = (text) => view.dispatch({changes: {from: 0, insert: text}, annotations: Transaction.remote.of(true)});
  globalThis.box = (text) => view.coordsAtPos(view.state.doc.toString().indexOf(text) + text.length, -1);`;

const STYLE = 'body{display: flex; margin: 0; font: 16px/1.4 sans-serif} nav{width: 220px} main{flex: 1; padding: 80px 20px} .cm-editor{height: 420px}';

async function openPerson(script, project, name) {
  const page = await (await env.browser.newContext({viewport: {width: 1500, height: 700}, bypassCSP: true})).newPage();
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(String(error.stack)));
  page.on('console', (message) => message.type() === 'error' && !message.location().url.endsWith('/favicon.ico') && page.errors.push(message.text()));
  await page.goto(`${env.url}/writer/api/client/strings.js`); // for its origin
  await page.setContent(`<!doctype html><html lang="en"><title>Editor</title><style>${STYLE}</style><body><nav></nav><main></main></body></html>`);
  await page.evaluate(script);
  await page.evaluate(([project, token]) => globalThis.openEditor(project, token), [project, await token(env, name)]);
  return page;
}

/** The people in a section as a screen reader says them, in the editor and in the list of headings. */
const expectBeside = (page, section, expected) => assertSoon(async () => assert.deepEqual(await page.evaluate((section) => (
  ['main', 'nav'].map((part) => document.querySelector(`${part} [data-presence-section="${section}"] .presence-said`)?.textContent ?? '')
), section), [expected, expected]));

test('CodeMirror: who reads and writes in which section, the list of headings, and the warning beside its heading', {skip: skipIf.onePage}, async () => {
  const {outputFiles: [{text: script}]} = await build({stdin: {contents: PAGE, resolveDir: new URL('.', import.meta.url).pathname}, bundle: true, write: false, format: 'iife', logLevel: 'error'});
  const project = newProject(env);
  const [ann, ben] = [await openPerson(script, project, 'Ann'), await openPerson(script, project, 'Ben')];
  const current = (page) => page.evaluate(() => globalThis.presence.getSnapshot().section);

  // A caret that rests is viewing; a change is editing, and unsaved until it is saved.
  await ann.evaluate(() => globalThis.behind('Methods}\n\nSome'));
  await expectBeside(ben, 'main.tex/methods', ' — Ann');
  await ann.keyboard.type('x');
  await expectBeside(ben, 'main.tex/methods', ' — Ann (unsaved changes)');
  assert.equal(await ben.locator('.cm-line', {hasText: '\\section{Methods}'}).locator('.presence-avatar').count(), 1, 'in the line of the heading');

  // A press in the list moves the caret there. It only rests, so nobody is warned.
  await ben.locator('nav button', {hasText: 'Methods'}).click();
  await expectBeside(ann, 'main.tex/methods', ' — Ben');
  assert.equal(await ben.locator('nav button[aria-current]').textContent(), 'Methods');
  assert.equal(await ben.locator('.presence-warning:visible').count(), 0, 'a warning about a caret that rests');

  // A change warns beside the heading, and the text does not move.
  await ben.evaluate(() => globalThis.behind('Methods}\n\nSome'));
  const before = await ben.evaluate(() => [globalThis.box('Methods}'), globalThis.box('Methods}\n\nSome')]);
  await ben.keyboard.type('y');
  await ben.locator('.presence-warning:visible').getByText('Ann is editing here').waitFor({timeout: TIMEOUT});
  const expectWarning = (where, holds) => assertSoon(async () => {
    const [heading, caret, slot] = await ben.evaluate(() => [globalThis.box('Methods}'), globalThis.box('Methods}\n\nSome'), document.querySelector('.presence-slot').getBoundingClientRect().toJSON()]);
    assert.deepEqual([heading, caret], before, 'the text moved');
    assert.ok(holds(slot, heading, caret), `the warning ${JSON.stringify(slot)} is not ${where} the heading ${JSON.stringify(heading)}`);
  });
  await expectWarning('beside', (slot, heading, caret) => slot.left >= heading.right && slot.top < heading.bottom && slot.bottom > heading.top && slot.bottom <= caret.top);
  await ben.setViewportSize({width: 1000, height: 700});
  await expectWarning('above', (slot, heading) => slot.bottom <= heading.top + 1 && slot.bottom > heading.top - 20);
  await ben.setViewportSize({width: 1500, height: 700});
  await ben.getByRole('button', {name: 'Edit anyway'}).click();
  await expectBeside(ann, 'main.tex/methods', ' — Ben (unsaved changes)');
  assert.ok(await ben.evaluate(() => globalThis.view.hasFocus), 'the editor has the focus after Edit anyway');

  // A save ends what is unsaved, and others see it.
  await ann.evaluate(() => globalThis.saved('2'));
  await expectBeside(ben, 'main.tex/methods', ' — Ann (editing)');
  await soon(ben, () => globalThis.presence.getSnapshot().saves.map(({revision}) => revision).join() === '2');

  // A heading that is renamed keeps its section while others hold that, and is unsaved by its new one.
  await ann.evaluate(() => globalThis.behind('Methods'));
  await ann.keyboard.type(' and data');
  await expectBeside(ben, 'main.tex/methods', ' — Ann (unsaved changes)');
  await ann.keyboard.press('ArrowDown');
  await ann.locator('nav button', {hasText: 'Methods and data'}).waitFor({timeout: TIMEOUT});
  assert.equal(await current(ann), 'main.tex/methods');
  await ben.evaluate(() => globalThis.saved());
  await ben.evaluate(() => globalThis.behind('Results}'));
  await soon(ann, () => globalThis.presence.getSnapshot().section === 'main.tex/methods-and-data' && globalThis.presence.getSnapshot().unsaved);

  // What others change is no change of this person, and moves the marks.
  await ben.evaluate(() => globalThis.others('% a comment\n'.repeat(3)));
  await expectBeside(ann, 'main.tex/results', ' — Ben');
  assert.equal(await ben.evaluate(() => globalThis.presence.getSnapshot().unsaved), false);

  // Nothing is thrown while the manager is stopped, and nothing is left of an editor that ends with a report on its way.
  await ann.evaluate(() => globalThis.presence.stop());
  await ann.keyboard.type('x');
  await ann.evaluate(() => globalThis.saved('3'));
  await ben.keyboard.type('x');
  for (const page of [ann, ben]) {
    const left = await page.evaluate(async () => {
      globalThis.view.destroy();
      globalThis.presence.stop();
      await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
      return [globalThis.listeners(), document.querySelectorAll('[data-presence-section], .presence-heading, .presence-outline, .presence-slot').length];
    });
    assert.deepEqual(left, [[], 0]);
    assert.deepEqual(page.errors, []);
    await page.context().close();
  }
});
