/**
 * The page of editors.test.js, bundled: an editor of each kind with the same text, and the same functions to use it.
 */

import {PresenceManager} from 'writer-presence';
import {presencePlugin} from 'writer-presence/prosemirror';
import {Presence, presenceSaved} from 'writer-presence/tiptap';
import {PresenceModule} from 'writer-presence/quill';
import {bindMonaco} from 'writer-presence/monaco';
import {createRoom} from 'writer-presence/testing';
import * as guideMonaco from 'guide:monaco';
import * as guideProsemirror from 'guide:prosemirror';
import * as guideQuill from 'guide:quill';
import * as guideTiptap from 'guide:tiptap';
import {Editor} from '@tiptap/core';
import StarterKit from '@tiptap/starter-kit';
import {TableOfContents} from '@tiptap/extension-table-of-contents';
import {schema} from 'prosemirror-schema-basic';
import {EditorState, Plugin, PluginKey, TextSelection} from 'prosemirror-state';
import {EditorView} from 'prosemirror-view';
import {keymap} from 'prosemirror-keymap';
import {baseKeymap} from 'prosemirror-commands';
import * as monaco from 'monaco-editor/editor/editor.api.js';
import 'monaco-editor/editor/contrib/find/browser/findController.js';
import Quill from 'quill';
import {countListeners, leftListeners} from './listeners.js';

// No worker: nothing here needs one.
/** @type {any} */ (globalThis).MonacoEnvironment = {getWorker: () => new Worker(URL.createObjectURL(new Blob([''])))};

const page = /** @type {any} */ (globalThis);
const TITLES = ['Introduction', 'Methods', 'Results'];
const BODY = 'Some text.';

countListeners();
Quill.register('modules/presence', PresenceModule);

/** What can be done in any ProseMirror view. @param {() => EditorView} view */
const useView = (view) => {
  const find = (title) => {
    let at = -1;
    view().state.doc.descendants((node, pos) => { if (node.type.name === 'heading' && node.textContent === title) at = pos; });
    return at;
  };
  const setCaret = (position) => {
    view().focus();
    view().dispatch(view().state.tr.setSelection(TextSelection.create(view().state.doc, position)));
  };
  return {
    text: () => view().state.doc.textBetween(0, view().state.doc.content.size, '\n'),
    below: (title) => {
      const at = find(title);
      setCaret(at + view().state.doc.nodeAt(at).nodeSize + 1 + BODY.length);
    },
    endOf: (title) => {
      const at = find(title);
      setCaret(at + view().state.doc.nodeAt(at).nodeSize - 1);
    },
    caret: () => view().coordsAtPos(view().state.selection.head),
    heading: (title) => view().coordsAtPos(find(title) + 1 + title.length, -1),
    others: (text) => view().dispatch(view().state.tr.insertText(text, 1).setMeta('addToHistory', false)),
    /** Undoes something as y-prosemirror does it. */
    undo: () => view().dispatch(view().state.tr.insertText('x', 1).setMeta('addToHistory', false).setMeta('y-sync$', {isChangeOrigin: true, isUndoRedoOperation: true})),
    /** Renames a heading as y-prosemirror does it for others: it replaces the whole text and restores the selection. */
    othersRename: (from, to) => {
      const {tr, schema, doc, selection} = view().state;
      const {content} = schema.nodeFromJSON(JSON.parse(JSON.stringify(doc.toJSON()).replace(`"text":"${from}"`, `"text":"${to}"`)));
      tr.replaceWith(0, doc.content.size, content).setMeta('addToHistory', false).setMeta('y-sync$', {isChangeOrigin: true});
      view().dispatch(tr.setSelection(TextSelection.create(tr.doc, selection.head + to.length - from.length)));
    },
    /** Changes the text below a heading, as by a part of the text that has no caret. */
    changeBelow: (title) => {
      const at = find(title);
      view().dispatch(view().state.tr.insertText('y', at + view().state.doc.nodeAt(at).nodeSize + 1));
    },
    /** Changes nothing but one letter, as y-prosemirror does it for others: it replaces the whole text. */
    othersType: () => {
      const {tr, doc, schema} = view().state;
      const {content} = schema.nodeFromJSON(JSON.parse(JSON.stringify(doc.toJSON()).replace('Some', 'Sxome')));
      view().dispatch(tr.replaceWith(0, doc.content.size, content).setMeta('addToHistory', false).setMeta('y-sync$', {isChangeOrigin: true}));
    },
    /** A new state with the same text, as hosts make it to forget the history. */
    newState: () => view().updateState(view().state.constructor.create({doc: view().state.doc, plugins: view().state.plugins})),
    readOnly: () => view().setProps({editable: () => false}),
    /** Adds a heading above the paragraph of the caret, or at the end of the text, as somebody else does by y-prosemirror. */
    othersHeading: (title, atEnd = false) => {
      const {tr, schema, selection, doc} = view().state;
      const heading = schema.nodes.heading.create({level: 2}, schema.text(title));
      view().dispatch(tr.insert(atEnd ? doc.content.size : selection.$head.before(), heading).setMeta('y-sync$', {isChangeOrigin: true}));
    },
  };
};

const html = TITLES.map((title) => `<h2>${title}</h2><p>${BODY}</p>`).join('');

const editors = {
  prosemirror: (place, manager) => {
    const {nodes: {doc, heading, paragraph}} = schema;
    const content = TITLES.flatMap((title) => [heading.create({level: 2}, schema.text(title)), paragraph.create(null, schema.text(BODY))]);
    const presence = presencePlugin(manager, {prefix: 'paper'});
    const view = new EditorView(place, {state: EditorState.create({doc: doc.create(null, content), plugins: [presence, keymap(baseKeymap)]})});
    const press = (tr) => {
      view.dispatch(tr);
      view.focus();
    };
    return {
      ...useView(() => view),
      insert: () => press(view.state.tr.insertText('x')),
      reconfigure: () => view.updateState(view.state.reconfigure({plugins: [...view.state.plugins]})),
      openOther: () => view.updateState(EditorState.create({doc: doc.create(null, content.slice(2)), plugins: view.state.plugins})),
      load: () => press(view.state.tr.replaceWith(0, view.state.doc.content.size, content).setMeta('addToHistory', false)),
      section: (title) => `paper/${title.toLowerCase()}`,
      saved: (revision) => presence.saved(revision),
      destroy: () => view.destroy(),
    };
  },
  tiptap: (place, manager) => {
    const editor = new Editor({element: place, content: html, extensions: [StarterKit, TableOfContents.configure({getId: (title) => `toc-${title}`}), Presence.configure({manager, prefix: 'paper'})]});
    return {
      ...useView(() => editor.view),
      insert: () => editor.chain().focus().insertContent('x').run(), // the focus comes in the next frame
      reconfigure: () => editor.registerPlugin(new Plugin({key: new PluginKey('other')})),
      load: () => editor.chain().focus().setContent(html).run(),
      section: (title) => `paper/toc-${title}`,
      saved: (revision) => presenceSaved(editor, revision),
      destroy: () => editor.destroy(),
    };
  },
  quill: (place, manager) => {
    const quill = new Quill(place, {modules: {presence: {manager, prefix: 'paper'}}});
    const content = TITLES.flatMap((title) => [{insert: title}, {insert: '\n', attributes: {header: 2}}, {insert: `${BODY}\n`}]);
    quill.setContents(content);
    const find = (title) => `\n${quill.getText()}`.indexOf(`\n${title}\n`);
    const boxAt = (index) => {
      const {left, top} = quill.container.getBoundingClientRect();
      const bounds = quill.getBounds(index);
      return {left: left + bounds.left, right: left + bounds.right, top: top + bounds.top, bottom: top + bounds.bottom};
    };
    const setCaret = (index) => {
      quill.focus();
      quill.setSelection(index, 0, 'user');
    };
    return {
      text: () => quill.getText(),
      below: (title) => setCaret(find(title) + title.length + 1 + BODY.length),
      endOf: (title) => setCaret(find(title) + title.length),
      caret: () => boxAt(quill.getSelection().index),
      heading: (title) => boxAt(find(title) + title.length),
      others: (text, index = 0) => quill.insertText(index, text, 'api'),
      othersHeading: (title) => {
        const [, offset] = quill.getLine(quill.getSelection().index);
        quill.updateContents([{retain: quill.getSelection().index - offset}, {insert: title}, {insert: '\n', attributes: {header: 2}}], 'api');
      },
      makeList: () => quill.format('list', 'bullet', 'user'),
      insert: () => quill.insertText(quill.getSelection(true).index, 'x', 'user'),
      load: () => {
        quill.setContents(content);
        quill.focus();
      },
      section: (title) => `paper/${title.toLowerCase()}`,
      saved: (revision) => quill.getModule('presence').saved(revision),
      destroy: () => quill.getModule('presence').destroy(),
    };
  },
};

editors.monaco = (place, manager) => {
  place.style.height = '300px';
  const value = TITLES.map((title) => `\\section{${title}}\n${BODY}\n`).join('');
  const editor = monaco.editor.create(place, {value, minimap: {enabled: false}, quickSuggestions: false});
  const binding = bindMonaco(manager, editor, {prefix: 'paper'});
  monaco.languages.register({id: 'latex'});
  monaco.editor.setModelLanguage(editor.getModel(), 'latex'); // after the binding, as when a language is loaded late
  const model = () => editor.getModel();
  const lineOf = (title) => model().getLinesContent().findIndex((line) => line.startsWith(`\\section{${title}`)) + 1;
  const boxAt = (lineNumber, column) => {
    const {left, top} = place.getBoundingClientRect();
    const at = editor.getScrolledVisiblePosition({lineNumber, column});
    return {left: left + at.left, right: left + at.left, top: top + at.top, bottom: top + at.top + at.height};
  };
  const setCaret = (lineNumber, column) => {
    editor.focus();
    editor.setPosition({lineNumber, column});
  };
  return {
    editor,
    text: () => model().getValue(),
    below: (title) => setCaret(lineOf(title) + 1, BODY.length + 1),
    endOf: (title) => setCaret(lineOf(title), model().getLineMaxColumn(lineOf(title)) - 1),
    caret: () => boxAt(editor.getPosition().lineNumber, editor.getPosition().column),
    heading: (title) => boxAt(lineOf(title), model().getLineMaxColumn(lineOf(title))),
    others: (text) => { // the line of the caret
      const {lineNumber} = editor.getPosition();
      model().applyEdits([{range: {startLineNumber: lineNumber, startColumn: 1, endLineNumber: lineNumber, endColumn: model().getLineMaxColumn(lineNumber)}, text}]);
    },
    othersHeading: (title) => {
      const {lineNumber} = editor.getPosition();
      model().applyEdits([{range: {startLineNumber: lineNumber, startColumn: 1, endLineNumber: lineNumber, endColumn: 1}, text: `\\section{${title}}\n`}]);
    },
    /** Replaces all by the find widget, which has the focus. */
    replaceAll: async (searchString, replaceString) => {
      const find = editor.getContribution('editor.contrib.findController');
      await find.start({
        forceRevealReplace: true, seedSearchStringFromSelection: 'none', seedSearchStringFromNonEmptySelection: false, seedSearchStringFromGlobalClipboard: false,
        shouldFocus: 2, shouldAnimate: false, updateSearchScope: false, loop: true,
      }, {searchString, replaceString});
      await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
      if (editor.hasTextFocus()) throw new Error('the find widget has not the focus');
      find.replaceAll();
      find.closeFindWidget();
    },
    insert: () => {
      editor.trigger('toolbar', 'type', {text: 'x'});
      editor.focus();
    },
    openOther: () => editor.setModel(monaco.editor.createModel(value.slice(value.indexOf('\\section{Methods}')), 'latex')),
    load: () => {
      editor.setValue(value);
      editor.focus();
    },
    section: (title) => `paper/${title.toLowerCase()}`,
    saved: (revision) => binding.saved(revision),
    destroy: () => {
      editor.dispose();
      binding.destroy();
    },
  };
};

/** Starts a manager and opens an editor of this kind. */
page.openEditor = async (kind, project, token) => {
  const place = document.createElement('div');
  document.querySelector('main').append(place);
  page.presence = new PresenceManager(project, null, {token});
  page.presence.start();
  await new Promise((live) => {
    const end = page.presence.subscribe(() => page.presence.getSnapshot().version && (end(), live(undefined)));
  });
  page.place = place;
  page.editor = editors[kind](place, page.presence);
};

/** Opens an editor of this kind in a simulated room, where somebody edits the section `elsewhere`. */
page.openInRoom = async (kind) => {
  const room = page.room = createRoom();
  page.presence = new PresenceManager('p', 1, {...room.options});
  page.place = document.querySelector('main').appendChild(document.createElement('div'));
  page.presence.start();
  room.join({section: 'elsewhere'});
  await room.settle();
  page.editor = editors[kind](page.place, page.presence);
};

/** The listeners of the page while an editor of this kind is open with a warning, and after it, three times. */
page.leftListeners = (kind) => leftListeners(async () => {
  await page.openInRoom(kind);
  page.editor.below('Methods');
  page.presence.setSection('elsewhere'); // not in the text, where the caret would rest and not warn
  return [page.presence, () => { page.editor.destroy(); page.place.remove(); }];
});

const guides = {monaco: guideMonaco, prosemirror: guideProsemirror, quill: guideQuill, tiptap: guideTiptap};

/** Runs the code of the guide. */
page.openGuide = (kind, project, token) => {
  page.place = document.createElement('div');
  page.place.id = 'editor';
  page.place.style.height = '300px';
  document.querySelector('main').append(page.place);
  Object.assign(page, {project, options: {token}});
  [page.presence, page.editor] = guides[kind].run();
};

/** Adds a button that takes the focus from the editor, and then calls this function of it. @param {'insert' | 'load'} what */
page.addButton = (what) => {
  const button = Object.assign(document.createElement('button'), {textContent: what, onclick: () => page.editor[what]()});
  page.place.before(button);
};

page.closeEditor = () => {
  page.presence.stop();
  const {dispose, destroy} = page.editor ?? {};
  (dispose ?? destroy)?.call(page.editor); // in WebKit the next Monaco has no input from an editor that was removed without it
  document.querySelector('main').replaceChildren();
};
