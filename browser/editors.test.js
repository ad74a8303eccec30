/** The bindings of ProseMirror, TipTap, Quill and Monaco: two people with the same text on a real server. */

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {after, test} from 'node:test';
import {build} from 'esbuild';
import {codeOf, recipes} from '../client/test/recipes.js';
import {assertNoneLeft} from './listeners.js';
import {startProxy} from './proxy.js';
import {TIMEOUT, assertSoon, environment, newProject, passHeartbeats, skipIf, token} from './fixtures.js';
import {soon} from './scene.js';

const env = environment({lease: 60_000});
const skip = skipIf.onePage;
const STYLE = 'main{padding: 100px} .ProseMirror, .ql-editor{white-space: pre-wrap; outline: none}';
const pages = {};
let site;

/** Each block of the guide as a module that exports a function. Monaco is the part of it that edits text. */
const guide = {
  name: 'guide',
  setup({onResolve, onLoad}) {
    onResolve({filter: /^guide:/}, ({path}) => ({path, namespace: 'guide'}));
    onLoad({filter: /./, namespace: 'guide'}, ({path}) => {
      const code = recipes('js').filter(({name, text}) => name.includes('editors-rich-text') && text.includes(`'${path.replace('guide:', 'writer-presence/')}'`)).map(codeOf);
      assert.equal(code.length, 1, `blocks for ${path}`);
      const body = code[0].replace("'my-project'", 'globalThis.project').replace('userId', 'null, globalThis.options').replace("'monaco-editor'", "'monaco-editor/editor/editor.api.js'");
      const [, imports, rest] = /^((?:import [^\n]*\n)*)(.*)$/s.exec(body);
      return {contents: `${imports}export const run = () => { ${rest}; return [manager, typeof editor === 'undefined' ? undefined : editor]; };`, resolveDir: import.meta.dirname};
    });
  },
};

/** Opens the pages of both, when the first test needs them. */
async function openPages() {
  if (pages.Ben) return pages;
  const {outputFiles} = await build({
    entryPoints: [new URL('editors-page.js', import.meta.url).pathname], bundle: true, write: false, format: 'iife', outdir: '/', loader: {'.ttf': 'empty'}, logLevel: 'error', plugins: [guide],
  });
  const bundled = (ending) => outputFiles.find(({path}) => path.endsWith(ending)).text;
  const sheet = bundled('.css') + readFileSync(createRequire(import.meta.url).resolve('quill/dist/quill.core.css'), 'utf8');
  site = await startProxy(env.url); // a host without the server's policy
  site.page = (path) => path === '/host' ? `<!doctype html><html lang="en"><title>Editor</title><link rel="icon" href="data:,"><style>${STYLE}${sheet}</style><body><main></main></body></html>` : undefined;
  for (const name of ['Ann', 'Ben']) {
    const page = pages[name] = await (await env.browser.newContext({viewport: {width: 1300, height: 800}})).newPage();
    page.errors = [];
    page.on('pageerror', (error) => page.errors.push(String(error.stack)));
    await page.goto(`${site.url}/host`);
    await page.evaluate(bundled('.js'));
  }
  return pages;
}

after(async () => {
  await Promise.all(Object.values(pages).map((page) => page.context().close()));
  site?.stop();
});

/** The people beside a heading as a screen reader says them, on the other person's page. */
const expectBeside = (page, title, expected) => assertSoon(async () => assert.equal(await page.evaluate((title) => {
  const mark = document.querySelector(`[data-presence-section="${globalThis.editor.section(title)}"]`);
  return mark?.querySelector('.presence-said')?.textContent ?? '';
}, title), expected));

for (const kind of ['prosemirror', 'tiptap', 'quill', 'monaco']) {
  test(`${kind}: who reads and writes in which section, and the warning beside its heading`, {skip}, async (t) => {
    t.after(() => Promise.all(Object.values(pages).map((page) => page.evaluate(() => globalThis.closeEditor()))));
    const {Ann: ann, Ben: ben} = await openPages();
    const project = newProject(env);
    for (const name of ['Ann', 'Ben']) {
      await pages[name].evaluate(([kind, project, token]) => globalThis.openEditor(kind, project, token), [kind, project, await token(env, name)]);
    }

    // A caret that rests is viewing; a change is editing, and unsaved until it is saved.
    await ann.bringToFront(); // an editor in a page behind others has no focus in Firefox
    await ann.evaluate(() => globalThis.editor.below('Methods'));
    await expectBeside(ben, 'Methods', ' — Ann');
    await ann.keyboard.press('ArrowLeft');
    await ann.keyboard.press('Delete'); // the caret does not move
    await expectBeside(ben, 'Methods', ' — Ann (unsaved changes)');
    const {section, unsaved} = await ann.evaluate(() => globalThis.presence.getSnapshot());
    assert.deepEqual({section, unsaved}, {section: await ann.evaluate(() => globalThis.editor.section('Methods')), unsaved: true});

    // The caret of another person only views, and is not warned.
    await ben.bringToFront();
    await ben.evaluate(() => globalThis.editor.below('Methods'));
    await expectBeside(ann, 'Methods', ' — Ben');
    assert.equal(await ben.locator('.presence-warning:visible').count(), 0, 'a warning about a caret that rests');

    // A change is warned about beside the heading, and nothing moves.
    const was = await ben.evaluate(() => globalThis.editor.caret());
    await ben.keyboard.type('y');
    await ben.locator('.presence-warning:visible').getByText('Ann is editing here').waitFor({timeout: TIMEOUT});
    const boxes = () => ben.evaluate(() => ({
      caret: globalThis.editor.caret(), heading: globalThis.editor.heading('Methods'), warning: document.querySelector('.presence-slot').getBoundingClientRect().toJSON(),
    }));
    const {caret, heading, warning} = await boxes();
    assert.equal(caret.top, was.top, 'the text moved');
    assert.ok(warning.left >= heading.right && warning.left < heading.right + 120, `the warning at ${warning.left} begins beside the heading, which ends at ${heading.right}`);
    assert.ok(warning.top < heading.bottom && warning.bottom > heading.top && warning.bottom <= caret.top + 1, `the warning, ${warning.top} to ${warning.bottom}, is in the heading's line, ${heading.top} to ${heading.bottom}, and not over the caret`);
    await ben.setViewportSize({width: 900, height: 800});
    await assertSoon(async () => {
      const {heading, warning} = await boxes();
      assert.ok(warning.bottom <= heading.top + 1 && warning.bottom > heading.top - 20, `in a narrow window the warning, which ends at ${warning.bottom}, is above the heading, which begins at ${heading.top}`);
    });
    await ben.setViewportSize({width: 1300, height: 800});
    for (const name of ['Ann', 'Ben']) assert.doesNotMatch(await pages[name].evaluate(() => globalThis.editor.text()), /Ann|Ben/, 'names in the text');
    await ben.getByRole('button', {name: 'Edit anyway'}).click();
    await expectBeside(ann, 'Methods', ' — Ben (unsaved changes)');
    assert.ok(await ben.evaluate(() => globalThis.place.contains(document.activeElement)), 'the editor has the focus after Edit anyway');

    // A save ends what is unsaved.
    await ann.evaluate(() => globalThis.editor.saved('2'));
    await expectBeside(ben, 'Methods', ' — Ann (editing)');
    await soon(ben, () => globalThis.presence.getSnapshot().saves.map(({revision}) => revision).join() === '2');

    // A heading that is renamed keeps its section and its avatars.
    await ann.bringToFront();
    await ann.evaluate(() => globalThis.editor.endOf('Methods'));
    await ann.keyboard.type('es and data');
    await expectBeside(ben, 'Methods', ' — Ann (unsaved changes)');
    assert.equal(await ann.evaluate(() => globalThis.presence.currentSection), section);

    // What others or the host change is not editing, and moves the headings' marks with them.
    await ben.bringToFront();
    await ben.evaluate(async () => {
      const {presence, editor} = globalThis;
      editor.saved();
      globalThis.claimed = false;
      globalThis.stopWatching = presence.subscribe(() => { globalThis.claimed ||= presence.getSnapshot().unsaved; });
      editor.others('New ');
      await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))); // a change would be reported now
      editor.below('Results');
    });
    await expectBeside(ann, 'Results', ' — Ben');
    assert.equal(await ben.evaluate(() => (globalThis.stopWatching(), globalThis.claimed)), false);

    if (kind === 'monaco') {
      await ben.evaluate(() => globalThis.editor.replaceAll('Some', 'Any other'));
      await expectBeside(ann, 'Results', ' — Ben (unsaved changes)');
      await ben.evaluate(() => globalThis.editor.saved());
    }

    // Others get the section of the new title when the caret leaves the heading; what is unsaved stays unsaved.
    await ann.bringToFront();
    await ann.keyboard.press('ArrowDown');
    await soon(ann, (expected) => globalThis.presence.currentSection === expected, kind === 'tiptap' ? section : 'paper/methodses-and-data');
    assert.equal(await ann.evaluate(() => globalThis.presence.getSnapshot().unsaved), true);

    // Nothing is left of an editor that ends with a report on its way, and nothing is thrown while the manager is stopped.
    await ann.evaluate(() => globalThis.presence.stop());
    await ann.keyboard.type('x');
    await ann.evaluate(() => globalThis.editor.saved('3'));
    await ben.bringToFront();
    await ben.keyboard.type('x');
    for (const page of [ann, ben]) {
      const [open, left] = await page.evaluate(async () => {
        const {presence, listeners} = globalThis;
        const open = listeners(presence);
        globalThis.editor.destroy();
        await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
        return [open, [listeners(presence), document.querySelectorAll('[data-presence-section], .presence-heading, .presence-layer').length]];
      });
      const ofInterface = ['change', 'conflict', 'free', 'section'];
      assert.deepEqual(open, ['change', 'change', 'change', 'conflict', 'free', 'navigate', 'section', 'section']);
      assert.deepEqual(left, [ofInterface, 0]);
    }
    for (const page of [ann, ben]) assert.deepEqual(page.errors, []);
  });
}

for (const kind of ['prosemirror', 'tiptap', 'quill', 'monaco']) {
  test(`${kind}: the code of the guide reports where the person writes`, {skip}, async (t) => {
    const {Ann: page} = await openPages();
    t.after(() => page.evaluate(() => globalThis.closeEditor()));
    await page.evaluate(([kind, project, token]) => globalThis.openGuide(kind, project, token), [kind, newProject(env), await token(env, 'Ann')]);
    await page.bringToFront();
    await page.locator('#editor :is(.ProseMirror, .ql-editor, .view-lines)').click();
    await page.keyboard.type('x');
    await soon(page, (expected) => {
      const {section, unsaved, activity} = globalThis.presence.getSnapshot();
      return (section === expected && unsaved && activity === 'editing') || {section, unsaved, activity};
    }, kind === 'monaco' ? 'chapter.md' : 'manuscript');
    assert.deepEqual(page.errors, []);
  });
}

test('monaco: a heading below characters of two code units is found as soon as it is typed', {skip}, async (t) => {
  const page = await openInRoom(t, 'monaco');
  await page.evaluate(() => {
    const {editor} = globalThis.editor;
    // So that a range of 200 code units before the caret begins within a character.
    editor.setValue(`a${'\u{1f600}'.repeat(100)}\n\\sectin{One}`);
    editor.setPosition({lineNumber: 2, column: 7});
    editor.focus();
  });
  await page.keyboard.type('o');
  await soon(page, () => globalThis.presence.currentSection === 'paper/one' || globalThis.presence.currentSection);
  assert.deepEqual(page.errors, []);
});

/** Opens an editor of this kind in a simulated room. @returns its page, which is in front */
async function openInRoom(t, kind) {
  const {Ann: page} = await openPages();
  t.after(() => page.evaluate(() => globalThis.closeEditor()));
  await page.bringToFront();
  await page.evaluate((kind) => globalThis.openInRoom(kind), kind);
  return page;
}

/** Waits until the caret of a page rests below this heading. */
const rests = (page, title) => soon(page, (title) => {
  const {section, activity} = globalThis.presence.getSnapshot();
  return (section === globalThis.editor.section(title) && activity === 'viewing') || {section, activity};
}, title);

/** Waits until the section of this heading is edited, and has unsaved changes. */
const edits = (page, title) => soon(page, (title) => {
  const {section, unsaved, activity} = globalThis.presence.getSnapshot();
  return (section === globalThis.editor.section(title) && unsaved && activity === 'editing') || {section, unsaved, activity};
}, title);

test('tiptap: what extensions add to the text is not the work of the person, and an undo is', {skip}, async (t) => {
  const page = await openInRoom(t, 'tiptap');
  await page.evaluate(() => {
    globalThis.claimed = false;
    globalThis.presence.subscribe(() => { globalThis.claimed ||= globalThis.presence.getSnapshot().activity === 'editing'; });
    globalThis.editor.below('Methods'); // later, in a task of the editor, TableOfContents gives the headings their ids
  });
  await rests(page, 'Methods');
  await page.evaluate(() => globalThis.editor.othersHeading('Foreword')); // and an id
  await rests(page, 'Foreword');
  assert.match(await page.evaluate(() => {
    globalThis.editor.othersHeading('Afterword', true);
    return globalThis.editor.text();
  }), /Afterword\n$/, 'an extension adds a paragraph below the last heading');
  await passHeartbeats(env, 2);
  assert.equal(await page.evaluate(() => globalThis.claimed), false);
  await page.evaluate(() => globalThis.editor.undo());
  await soon(page, () => globalThis.presence.getSnapshot().unsaved);
});

for (const kind of ['prosemirror', 'tiptap', 'quill', 'monaco']) {
  test(`${kind}: changes by others do not take the person out of the section that the page has set`, {skip}, async (t) => {
    const page = await openInRoom(t, kind);
    await page.evaluate(() => {
      globalThis.editor.below('Methods');
      globalThis.presence.setSection('appendix', {activity: 'viewing'});
      globalThis.editor.others('New ');
    });
    await passHeartbeats(env, 2); // a report comes after 500 ms
    assert.equal(await page.evaluate(() => globalThis.presence.currentSection), 'appendix');
    // The person's own move within that section of the text is reported. After it, the person is in the section of a heading that others add above the caret.
    await page.evaluate(() => globalThis.editor.endOf('Methods'));
    await rests(page, 'Methods');
    await page.evaluate(() => globalThis.editor.below('Methods'));
    await page.evaluate(() => globalThis.editor.othersHeading('Foreword'));
    await rests(page, 'Foreword');
    assert.deepEqual(page.errors, []);
  });
}

for (const kind of ['prosemirror', 'tiptap', 'quill', 'monaco']) {
  test(`${kind}: a button of a toolbar makes changes of the person, and one that loads another text does not`, {skip}, async (t) => {
    const page = await openInRoom(t, kind);
    await page.evaluate(() => {
      globalThis.addButton('insert');
      globalThis.addButton('load');
      globalThis.editor.below('Methods');
    });
    await rests(page, 'Methods');
    await page.getByRole('button', {name: 'insert'}).click({delay: 100}); // as long as a person: Monaco notices after the task that it has lost the focus
    await edits(page, 'Methods');
    await page.evaluate(() => {
      globalThis.editor.saved();
      globalThis.claimed = false;
      globalThis.presence.subscribe(() => { globalThis.claimed ||= globalThis.presence.getSnapshot().unsaved; });
    });
    await page.getByRole('button', {name: 'load'}).click();
    await passHeartbeats(env, 2);
    assert.equal(await page.evaluate(() => globalThis.claimed), false);
    assert.deepEqual(page.errors, []);
  });
}

for (const kind of ['prosemirror', 'tiptap', 'quill', 'monaco']) {
  test(`${kind}: the people stay beside their heading when the whole text is replaced`, {skip}, async (t) => {
    const page = await openInRoom(t, kind);
    await page.evaluate(() => {
      if (globalThis.editor.section('Results').includes('toc-')) globalThis.editor.below('Results');
      globalThis.room.join({username: 'Ben', section: globalThis.editor.section('Results')});
    });
    const isBeside = () => soon(page, () => {
      const mark = document.querySelector(`[data-presence-section="${globalThis.editor.section('Results')}"]`)?.getBoundingClientRect();
      const {top, bottom, right} = globalThis.editor.heading('Results');
      return (mark?.width > 0 && mark.top < bottom && mark.bottom > top && mark.left >= right - 1) || {mark, top, bottom, right};
    });
    await isBeside();
    for (const change of ['load', 'othersType', 'newState']) {
      await page.evaluate((change) => globalThis.editor[change]?.(), change);
      await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
      await isBeside();
    }
    assert.deepEqual(page.errors, []);
  });
}

for (const kind of ['prosemirror', 'tiptap']) {
  test(`${kind}: what is unsaved stays so when others rename its heading by y-prosemirror, and when a plugin comes`, {skip}, async (t) => {
    const page = await openInRoom(t, kind);
    await page.evaluate(() => globalThis.editor.below('Methods'));
    await rests(page, 'Methods');
    await page.keyboard.type('x');
    await edits(page, 'Methods');
    await page.evaluate(() => {
      globalThis.lost = false;
      globalThis.presence.subscribe(() => { globalThis.lost ||= globalThis.presence.getSnapshot().activity !== 'editing'; });
      globalThis.editor.othersRename('Methods', 'Materials');
    });
    const renamed = kind === 'tiptap' ? 'Methods' : 'Materials'; // an id stays
    await passHeartbeats(env, 2);
    await edits(page, renamed);
    assert.equal(await page.evaluate(() => globalThis.lost), false);

    await page.keyboard.type('y');
    await page.evaluate(() => globalThis.editor.reconfigure());
    await page.evaluate(() => globalThis.editor.below('Results'));
    await rests(page, 'Results');
    await page.evaluate(() => globalThis.editor.below('Introduction'));
    await rests(page, 'Introduction');
    assert.equal(await page.evaluate(() => globalThis.presence.getSnapshot().unsaved), false);
    await page.evaluate(() => globalThis.editor.below('Materials'));
    await soon(page, () => globalThis.presence.getSnapshot().unsaved);
    assert.deepEqual(page.errors, []);
  });

  test(`${kind}: a change away from the caret counts where it is, and a caret in a text that is read-only counts`, {skip}, async (t) => {
    const page = await openInRoom(t, kind);
    await page.evaluate(() => globalThis.editor.below('Introduction'));
    await rests(page, 'Introduction');
    await page.evaluate(() => globalThis.editor.changeBelow('Results'));
    await edits(page, 'Results');
    await page.evaluate(() => {
      globalThis.editor.saved();
      globalThis.editor.readOnly();
    });
    await page.locator('.ProseMirror p').nth(1).click();
    await rests(page, 'Methods');
    assert.deepEqual(page.errors, []);
  });
}

for (const kind of ['prosemirror', 'monaco']) {
  test(`${kind}: another document in the same editor begins without unsaved changes`, {skip}, async (t) => {
    const page = await openInRoom(t, kind);
    await page.evaluate(() => globalThis.editor.below('Results'));
    await page.keyboard.type('x');
    await edits(page, 'Results');
    await page.evaluate(() => globalThis.editor.below('Methods'));
    await page.keyboard.type('x');
    await edits(page, 'Methods');
    await page.evaluate(() => globalThis.editor.openOther()); // which begins with a section of the same name
    await soon(page, () => !globalThis.presence.getSnapshot().unsaved);
    await rests(page, 'Methods');
    await page.evaluate(() => globalThis.editor.below('Results'));
    await rests(page, 'Results');
    assert.equal(await page.evaluate(() => globalThis.presence.getSnapshot().unsaved), false);
    assert.deepEqual(page.errors, []);
  });
}

test('quill: people are beside a heading whose letters go in the other direction than the page', {skip}, async (t) => {
  const page = await openInRoom(t, 'quill');
  t.after(() => page.evaluate(() => document.documentElement.removeAttribute('dir')));
  await page.evaluate(() => {
    document.documentElement.dir = 'rtl';
    globalThis.room.join({username: 'Ben', section: globalThis.editor.section('Methods')});
  });
  for (const align of ['left', 'right']) { // left is that of Quill's style sheets
    await page.evaluate((align) => {
      document.querySelector('.ql-editor').style.textAlign = align;
      dispatchEvent(new Event('resize'));
    }, align);
    await soon(page, (align) => {
      const mark = document.querySelector('[data-presence-section="paper/methods"]')?.getBoundingClientRect();
      const text = document.createRange();
      text.selectNodeContents([...document.querySelectorAll('h2')].find(({textContent}) => textContent === 'Methods'));
      const {left, right} = text.getBoundingClientRect();
      return (mark?.width > 0 && (align === 'left' ? mark.left >= right - 1 : mark.right <= left + 1)) || {mark, left, right}; // does not lie over it
    }, align);
  }
});

test('quill: a button that changes the format of a line leaves the person there', {skip}, async (t) => {
  const page = await openInRoom(t, 'quill');
  await page.evaluate(() => globalThis.editor.below('Introduction'));
  await rests(page, 'Introduction');
  await page.evaluate(() => globalThis.editor.makeList());
  await edits(page, 'Introduction');
  await page.evaluate(() => globalThis.editor.others('!', globalThis.editor.text().length - 1));
  await passHeartbeats(env, 2);
  await edits(page, 'Introduction');
});

test('monaco: undo of a deletion, which does not move the caret, is a change', {skip}, async (t) => {
  const page = await openInRoom(t, 'monaco');
  await page.evaluate(() => globalThis.editor.below('Methods'));
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('Delete');
  await edits(page, 'Methods');
  await page.evaluate(() => globalThis.editor.saved());
  assert.equal(await page.evaluate(() => globalThis.presence.getSnapshot().unsaved), false);
  await page.keyboard.press('Control+z');
  await edits(page, 'Methods');
});

test('no listener is left of editors that come and go', {skip}, async () => {
  const {Ann: page} = await openPages();
  await page.bringToFront();
  for (const kind of ['prosemirror', 'tiptap', 'quill', 'monaco']) assertNoneLeft(await page.evaluate((kind) => globalThis.leftListeners(kind), kind), kind);
  assert.deepEqual(page.errors, []);
});
