/** The recipes of docs/how-to/editors.md: CodeMirror with two people and the same LaTeX file, and the fields of a page. */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {build} from 'esbuild';
import {codeOf, recipes, withClient} from '../client/test/recipes.js';
import {TIMEOUT, assertSoon, environment, newProject, skipIf, token} from './fixtures.js';
import {assertNoneLeft} from './listeners.js';
import {startProxy} from './proxy.js';
import {soon} from './scene.js';

const env = environment({lease: 60_000});
const skip = skipIf.onePage;

/** The recipe of docs/how-to/editors.md with some words. @param {string} words */
const recipe = (words) => codeOf(recipes('js').find(({name, text}) => name.startsWith('docs/how-to/editors.md') && text.includes(words)));

const CODEMIRROR = `
  import {Transaction} from '@codemirror/state';
  import {countListeners} from './listeners.js';
  globalThis.text = ['Introduction', 'Methods', 'Results'].map((title) => '\\section{' + title + '}\\n\\nSome text.\\n\\n').join('');
  globalThis.store = async () => '2';
  ${recipe('codemirror').replace("'my-project', null", 'globalThis.project, null, {token: globalThis.token, elements: {warning: false, editor: \'#save\'}}').replace('const outline', 'countListeners();\nconst outline')}
  Object.assign(globalThis, {view, presence: manager, saved: (revision) => presenceSaved(view, revision)});
  /** Sets the caret behind a text. */
  globalThis.behind = (text) => {
    view.focus();
    view.dispatch({selection: {anchor: view.state.doc.toString().indexOf(text) + text.length}});
  };
  globalThis.others = (text, from = 0) => view.dispatch({changes: {from, insert: text}, annotations: Transaction.remote.of(true)});
  globalThis.box = (text) => view.coordsAtPos(view.state.doc.toString().indexOf(text) + text.length, -1);`.replaceAll('\\section', '\\\\section');

const FIELDS = `
  import {PresenceManager} from 'writer-presence';
  import {countListeners} from './listeners.js';
  const presence = globalThis.presence = new PresenceManager(globalThis.project, null, {token: globalThis.token});
  presence.start();
  globalThis.revision = '5';
  countListeners();
  ${recipe('bindTextarea')}
  globalThis.bindings = [binding, note];`;

/** Editors in a simulated room, for what needs no second page. */
const ROOM = `
  import {EditorView} from '@codemirror/view';
  import {PresenceManager} from 'writer-presence';
  import {presence} from 'writer-presence/codemirror';
  import {bindTextarea} from 'writer-presence/textarea';
  import {createRoom} from 'writer-presence/testing';
  import {countListeners, leftListeners} from './listeners.js';
  countListeners();
  const text = '# One\\n\\n# Two\\n';
  const main = document.querySelector('main');
  const add = (name) => main.appendChild(Object.assign(document.createElement(name), {innerHTML: '<h1>One</h1><h1>Two</h1>', contentEditable: 'true'}));
  const bind = (place) => bindTextarea(globalThis.presence, place, {prefix: 'a', format: 'markdown'}).destroy;
  const kinds = {
    CodeMirror: () => globalThis.openIn(main, {prefix: 'a'}),
    textarea: () => bind(add('textarea')),
    contenteditable: () => bind(add('div')),
  };
  globalThis.begin = () => {
    const room = globalThis.room = createRoom();
    globalThis.presence = new PresenceManager('p', 1, {...room.options, elements: {warning: 'main'}});
    globalThis.presence.start();
  };
  globalThis.openIn = (parent, options) => {
    const view = new EditorView({doc: text, parent, root: parent.getRootNode(), extensions: [presence(globalThis.presence, options)]});
    return () => view.destroy();
  };
  globalThis.left = (kind) => leftListeners(async () => {
    globalThis.begin();
    globalThis.room.join({section: 'elsewhere'});
    await globalThis.room.settle();
    const close = kinds[kind]();
    globalThis.presence.setSection('elsewhere'); // not in the text, where the caret would rest and not warn
    return [globalThis.presence, () => { close(); main.replaceChildren(); }];
  });`;

const STYLE = 'body{display: flex; margin: 0; font: 16px/1.4 sans-serif} nav{width: 220px} main{flex: 1; padding: 80px 20px} .cm-editor{height: 420px}';

/** Opens a page with this body and this module as a person. */
async function openPerson(t, module, project, name, body) {
  const resolveDir = new URL('.', import.meta.url).pathname;
  const {outputFiles: [{text: script}]} = await build({stdin: {contents: withClient(module), resolveDir}, bundle: true, write: false, format: 'iife', logLevel: 'error'});
  const site = await startProxy(env.url);
  site.page = (path) => path === '/host' ? `<!doctype html><html lang="en"><title>Editor</title><link rel="icon" href="data:,"><style>${STYLE}</style><body>${body}<button id="save">Save</button></body></html>` : undefined;
  const context = await env.browser.newContext({viewport: {width: 1500, height: 700}});
  t.after(async () => {
    await context.close();
    site.stop();
  });
  const page = await context.newPage();
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(String(error.stack)));
  page.on('console', (message) => message.type() === 'error' && page.errors.push(message.text()));
  await page.goto(`${site.url}/host`);
  await page.locator('#save').waitFor(); // WebKit's driver adds listeners of its own at the first locator, which count() does not count then
  await page.evaluate((page) => Object.assign(globalThis, page), {project, token: await token(env, name)});
  await page.evaluate(script);
  return page;
}

/** The people in a section as a screen reader says them, in the editor and in the list of headings. */
const expectBeside = (page, section, expected) => assertSoon(async () => assert.deepEqual(await page.evaluate((section) => (
  ['main', 'nav'].map((part) => document.querySelector(`${part} [data-presence-section="${section}"] .presence-said`)?.textContent ?? '')
), section), [expected, expected]));

test('CodeMirror: who reads and writes in which section, the list of headings, and the warning beside its heading', {skip}, async (t) => {
  const project = newProject(env);
  const open = (name) => openPerson(t, CODEMIRROR, project, name, '<nav></nav><main></main>');
  const [ann, ben] = [await open('Ann'), await open('Ben')];
  const current = (page) => page.evaluate(() => globalThis.presence.getSnapshot().section);

  // A caret that rests is viewing; a change is editing, and unsaved until it is saved.
  await ann.bringToFront();
  await ann.evaluate(() => globalThis.behind('Methods}\n\nSome'));
  await expectBeside(ben, 'main.tex/methods', ' — Ann');
  await ann.keyboard.type('x');
  await expectBeside(ben, 'main.tex/methods', ' — Ann (unsaved changes)');
  assert.equal(await ben.locator('.cm-line', {hasText: '\\section{Methods}'}).locator('.presence-avatar').count(), 1, 'in the line of the heading');

  // A press in the list moves the caret there. It only rests, so nobody is warned.
  await ben.bringToFront();
  await ben.locator('nav button', {hasText: 'Methods'}).click();
  await expectBeside(ann, 'main.tex/methods', ' — Ben');
  assert.ok(await ben.evaluate(() => globalThis.view.hasFocus), 'the editor has the focus after a press in the list');
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

  // A save ends what is unsaved, and others see it. The page is not in front: with the focus, the caret of a saved text soon only rests.
  await ann.getByRole('button', {name: 'Save'}).click();
  await expectBeside(ben, 'main.tex/methods', ' — Ann (editing)');
  await soon(ben, () => globalThis.presence.getSnapshot().saves.map(({revision}) => revision).join() === '2');

  // A heading that is renamed keeps its section while others hold that, and is unsaved by its new one.
  await ann.bringToFront();
  await ann.evaluate(() => globalThis.behind('Methods'));
  await ann.keyboard.type(' and data');
  await expectBeside(ben, 'main.tex/methods', ' — Ann (unsaved changes)');
  await ann.keyboard.press('ArrowDown');
  await ann.locator('nav button', {hasText: 'Methods and data'}).waitFor({timeout: TIMEOUT});
  assert.equal(await current(ann), 'main.tex/methods');
  await ben.bringToFront();
  await ben.evaluate(() => globalThis.saved());
  await ben.evaluate(() => globalThis.behind('Results}'));
  await soon(ann, () => globalThis.presence.getSnapshot().section === 'main.tex/methods-and-data' && globalThis.presence.getSnapshot().unsaved);

  // What others change is no change of this person, and moves the marks.
  await ben.evaluate(() => globalThis.others('% a comment\n'.repeat(3)));
  await expectBeside(ann, 'main.tex/results', ' — Ben');
  assert.equal(await ben.evaluate(() => globalThis.presence.getSnapshot().unsaved), false);
  await ben.evaluate(() => globalThis.behind('Results}\n\nSome'));
  await ben.evaluate(() => globalThis.others('\\section{Discussion}\n', globalThis.view.state.doc.toString().lastIndexOf('Some')));
  await soon(ben, () => globalThis.presence.currentSection === 'main.tex/discussion' || globalThis.presence.currentSection);

  // A change away from the caret, as by replacing all, counts where it is.
  await ben.evaluate(() => {
    const text = globalThis.view.state.doc.toString();
    globalThis.view.dispatch({changes: {from: text.indexOf('Some', text.indexOf('{Methods')), insert: 'y'}, userEvent: 'input.replace.all'});
  });
  await soon(ben, () => (globalThis.presence.currentSection === 'main.tex/methods' && globalThis.presence.getSnapshot().unsaved) || globalThis.presence.currentSection);
  await ben.evaluate(() => globalThis.saved());

  // A section that the host sets moves the caret, and the focus stays where it is.
  await ben.locator('#save').focus();
  await ben.evaluate(() => globalThis.presence.setSection('main.tex/introduction'));
  await soon(ben, () => globalThis.view.state.doc.lineAt(globalThis.view.state.selection.main.head).text === '\\section{Introduction}');
  assert.equal(await ben.evaluate(() => document.activeElement.id), 'save');
  await ben.evaluate(() => globalThis.view.focus());

  // Many and strange headings cost bounded work, and are text.
  await ann.evaluate(() => globalThis.others(`${'\\section{x\0<img src=x onerror="throw 1">}\n'.repeat(10_000)}\\section{${'y'.repeat(10_000)}}\n`));
  await soon(ann, () => document.querySelectorAll('nav li').length === 1000 && !document.querySelector('nav img'));

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
      // In Firefox CodeMirror itself leaves listeners for `copy` and `cut`.
      const listeners = globalThis.listeners(globalThis.presence, document, window).filter((type) => !['copy', 'cut'].includes(type));
      const {warning, editor} = globalThis.presence.setElements({});
      return [listeners, document.querySelectorAll('[data-presence-section], .presence-heading, .presence-outline, .presence-slot').length, warning, editor];
    });
    assert.deepEqual(left, [[], 0, false, '#save'], 'the warning is again where the host had it');
    assert.deepEqual(page.errors, []);
  }
});

test('a textarea and a contenteditable element: who reads and writes in which section', {skip}, async (t) => {
  const project = newProject(env);
  const page = await openPerson(t, FIELDS, project, 'Ann', '<textarea rows="9"># One\n\ntext\n\n# Two\n\ntext</textarea><div contenteditable><p>first</p><h1>One</h1><p>text</p><h2>Two</h2><p>last</p></div>');
  const expect = (section, unsaved) => soon(page, ([section, unsaved]) => {
    const {section: now, unsaved: changed, status} = globalThis.presence.getSnapshot();
    return (status === 'live' && now === section && changed === unsaved) || `${status} ${now} ${changed}`;
  }, [section, unsaved]);
  const field = page.locator('textarea');
  await page.bringToFront();
  await field.focus();
  await field.press('Control+Home');
  await expect('paper.md/one', false);
  await field.press('Control+End');
  await expect('paper.md/two', false);
  await field.press('x');
  await expect('paper.md/two', true);
  await page.getByRole('button', {name: 'Save'}).click();
  await expect('paper.md/two', false);
  await soon(page, () => globalThis.presence.getSnapshot().saves.some(({section, revision}) => section === 'paper.md/two' && revision === '5'));

  await page.getByText('first').click();
  await expect('note', false);
  await page.getByText('last').click();
  await expect('note/two', false);
  await page.keyboard.type('x');
  await expect('note/two', true);
  await page.keyboard.press('ArrowUp');
  await page.keyboard.type('x');
  await page.keyboard.press('ArrowUp');
  await expect('note/one', false);
  await page.locator('[contenteditable] h2').click();
  const renamed = await page.evaluate(() => document.querySelector('[contenteditable] h2').textContent.toLowerCase());
  await expect(`note/${renamed}`, true);
  await page.evaluate(() => globalThis.presence.dispatchEvent(new CustomEvent('navigate', {cancelable: true, detail: {section: 'note/one', user: null}})));
  await expect('note/one', false);
  await page.locator('#save').focus();
  for (const section of ['paper.md/one', `note/${renamed}`]) {
    await page.evaluate((section) => globalThis.presence.setSection(section), section);
    await expect(section, section !== 'paper.md/one');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'save', 'a section that the host sets took the focus');
  }

  const left = await page.evaluate(() => {
    for (const binding of globalThis.bindings) binding.destroy();
    return globalThis.listeners(globalThis.presence, document, ...document.querySelectorAll('textarea, [contenteditable]'));
  });
  assert.deepEqual(left, []);
  assert.deepEqual(page.errors, []);
});

test('CodeMirror in shadow roots: the people in all of them are those of now', {skip}, async (t) => {
  const page = await openPerson(t, ROOM, '', 'Ann', '<main></main>');
  await page.evaluate(async () => {
    globalThis.begin();
    globalThis.people = ['a', 'b', 'c'].map((prefix) => globalThis.room.join({username: prefix, section: `${prefix}/two`}));
    globalThis.roots = globalThis.people.map(({username: prefix}, i) => {
      const root = document.querySelector('main').appendChild(document.createElement('div')).attachShadow({mode: 'open'});
      globalThis.openIn(root.appendChild(document.createElement('div')), {prefix, warning: i > 0});
      return root;
    });
  });
  const expect = (state) => soon(page, (state) => {
    const said = globalThis.roots.map((root) => root.querySelector('.presence-mark .presence-said')?.textContent);
    return said.join() === ['a', 'b', 'c'].map((name) => ` — ${name} (${state})`).join() || said;
  }, state);
  await expect('editing');
  await page.evaluate(() => globalThis.people.forEach((person) => person.set({unsaved: true})));
  await expect('unsaved changes');
  assert.deepEqual(page.errors, []);
});

test('CodeMirror, textarea, contenteditable: no listener is left of editors that come and go', {skip}, async (t) => {
  const page = await openPerson(t, ROOM, '', 'Ann', '<main></main>');
  for (const kind of ['CodeMirror', 'textarea', 'contenteditable']) assertNoneLeft(await page.evaluate((kind) => globalThis.left(kind), kind), kind);
  assert.deepEqual(page.errors, []);
});
