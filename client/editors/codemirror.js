/**
 * Presence in CodeMirror 6: the headings of the text are the sections.
 *
 *     new EditorView({extensions: [basicSetup, presence(manager, {format: 'latex', prefix: 'main.tex'})], parent});
 *     presenceSaved(view, revision);  // the host has saved the text
 *
 * Beside each heading are the people in its section, and the warning appears there, over the text. With each change only the changed lines
 * are read.
 */

import {StateEffect, Transaction} from '@codemirror/state';
import {Decoration, EditorView, ViewPlugin, WidgetType} from '@codemirror/view';
import {claims} from '../presence-conflict.js';
import {Beside} from './beside.js';
import {changesOf, sourceOf} from './codemirror-text.js';
import {Editing} from './editing.js';
import {OutlineList} from './outline-list.js';
import {Outline} from './outline.js';

/**
 * @typedef {import('./editing.js').Manager & import('./beside.js').Manager} Manager a `PresenceManager`; with a `PresenceCore` nothing is drawn
 *
 * @typedef {object} CodeMirrorOptions
 * @property {'markdown' | 'latex' | 'html' | undefined} [format] of the text, by default Markdown
 * @property {string | undefined} [prefix] of all sections, such as the name of the file
 * @property {((offset: number, state: import('@codemirror/state').EditorState) => string | null) | undefined} [sectionAt] the section at an offset, instead of the heading above it
 * @property {HTMLElement | undefined} [outline] an element of the page that gets the list of headings, with the people in each; a press moves the caret there
 * @property {boolean | undefined} [warning] false: the warning stays where the page has it
 */

/** The bindings of each editor. @type {WeakMap<EditorView, Set<Binding>>} */
const bindings = new WeakMap();

/** @type {import('@codemirror/state').StateEffectType<null>} */ const redraw = StateEffect.define();

/**
 * An extension that reports where the person reads and writes, and shows where the others do. It ends with the editor.
 * @param {Manager} manager @param {CodeMirrorOptions} [options]
 * @returns {import('@codemirror/state').Extension}
 */
export const presence = (manager, options = {}) => ViewPlugin.define((view) => new Binding(view, manager, options), {decorations: ({decorations}) => decorations});

/** States that the host has saved the text as it is now. @param {EditorView} view @param {string | number} [revision] as in `presence.saved()` */
export function presenceSaved(view, revision) {
  for (const binding of bindings.get(view) ?? []) binding.saved(revision);
}

class Binding {
  decorations = Decoration.none;
  #view;
  #manager;
  #outline;
  #editing;
  #beside;
  #list;
  /** the sections whose people are shown @type {readonly string[]} */ #shown = [];
  /** the offset of the caret, and that of the last change, kept up to date until they are reported */ #places = [{at: 0}, {at: 0}];
  /** @type {number | undefined} the frame that fills marks which came into sight */ #frame;

  /** @param {EditorView} view @param {Manager} manager @param {CodeMirrorOptions} options */
  constructor(view, manager, {format = 'markdown', prefix, sectionAt, outline: panel, warning}) {
    this.#view = view;
    this.#manager = manager;
    this.#outline = new Outline(sourceOf(view.state.doc), format, {prefix});
    this.#editing = new Editing(manager, {
      sectionAt: ({at}) => (sectionAt ? sectionAt(at, view.state) : this.#outline.sectionAt(at)),
      goTo: (section, focus) => this.#goTo(section, focus),
      settle: () => this.#settle(),
    });
    this.#beside = new Beside(manager, {
      outside: () => (view.dom.isConnected ? view.dom : null),
      focus: view.contentDOM,
      headings: () => {
        this.#editing.renamed(this.#settle());
        return this.#outline.headings;
      },
      boxOf: (section) => {
        const found = this.#outline.find(section);
        return found && view.coordsAtPos(this.#endOfLine(found.to), -1);
      },
      draw: (sections) => {
        this.#shown = sections;
        this.#decorate();
        view.dispatch({effects: redraw.of(null)});
      },
      warning,
    });
    this.#list = panel && new OutlineList(panel, manager, () => this.#outline.headings, (section) => this.#goTo(section, true));
    bindings.set(view, (bindings.get(view) ?? new Set()).add(this));
    if (view.hasFocus) this.#moved('moved', view.state.selection.main.head);
  }

  /** @param {import('@codemirror/view').ViewUpdate} update */
  update(update) {
    if (update.docChanged) this.#follow(update);
    const at = update.state.selection.main.head;
    if (update.transactions.some((transaction) => transaction.docChanged && isEdit(transaction))) {
      this.#places = [{at}, {at: placeOf(update.changes, at)}];
      this.#editing.changed(this.#places[1]);
      this.#beside.claim();
    } else if ((update.selectionSet || update.focusChanged) && update.view.hasFocus) {
      this.#moved('moved', at);
      this.#beside.claim();
    } else if (update.docChanged && update.view.hasFocus) this.#moved('shifted', at);
    if (update.geometryChanged || update.viewportChanged) this.#beside.moved();
  }

  /** @param {string | number} [revision] */
  saved(revision) {
    this.#editing.saved(revision);
  }

  destroy() {
    this.#editing.destroy();
    this.#beside.destroy();
    this.#list?.destroy();
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    bindings.get(this.#view)?.delete(this);
  }

  /** @param {'moved' | 'shifted'} how @param {number} at */
  #moved(how, at) {
    this.#places[0] = {at};
    this.#editing[how](this.#places[0]);
  }

  /** The element with the people in a section. @param {string} section */
  mark(section) {
    // The manager fills what is in the page, and the mark was not while its heading was out of sight.
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      this.#manager.updateUI?.();
    });
    return this.#beside.mark(section);
  }

  /** @param {import('@codemirror/view').ViewUpdate} update */
  #follow({changes, state}) {
    for (const place of this.#places) place.at = changes.mapPos(Math.min(place.at, changes.length), 1);
    const headings = this.#outline.update(sourceOf(state.doc), changesOf(changes));
    let touched = headings;
    changes.iterChangedRanges((from, to) => this.decorations.between(from, to, () => {
      touched = true;
      return false; // no further ones
    }));
    if (touched) this.#decorate(state);
    else this.decorations = this.decorations.map(changes);
    if (!headings) return;
    this.#beside.update();
    this.#list?.update();
  }

  /** Puts a mark behind the heading of each section that is shown. */
  #decorate(state = this.#view.state) {
    const shown = new Set(this.#shown);
    const marks = shown.size ? this.#outline.headings.filter(({section}) => shown.has(section)) : [];
    this.decorations = Decoration.set(marks.map(({section, to}) => Decoration.widget({widget: new Mark(this, section), side: 1}).range(state.doc.lineAt(to).to)), true);
  }

  /** Gives renamed headings the sections by their text, except where others hold the earlier one: they rename it, or have another text. */
  #settle() {
    const {users} = this.#manager.getSnapshot();
    const renamed = this.#outline.settle(this.#view.hasFocus ? this.#view.state.selection.main.head : -1, (section) => users.some((user) => claims(user, section)));
    if (renamed.length) {
      this.#beside.update();
      this.#list?.update();
    }
    return renamed;
  }

  /** @param {string} section @param {boolean} focus */
  #goTo(section, focus) {
    const found = this.#outline.find(section);
    if (!found) return false;
    const anchor = this.#endOfLine(found.to);
    this.#view.dispatch({selection: {anchor}, effects: EditorView.scrollIntoView(anchor, {y: 'nearest', yMargin: 50})});
    if (focus) this.#view.focus();
    return true;
  }

  /** @param {number} at */
  #endOfLine(at) {
    const {doc} = this.#view.state;
    return doc.lineAt(Math.min(at, doc.length)).to;
  }
}

/** Whether the person made a change, and not the host or somebody else. @param {Transaction} transaction */
const isEdit = (transaction) => transaction.annotation(Transaction.userEvent) !== undefined && !transaction.annotation(Transaction.remote);

/** Where a text was changed: at the caret, if that is in a changed range, and else at the end of the last one. @param {import('@codemirror/state').ChangeSet} changes @param {number} caret */
function placeOf(changes, caret) {
  let place = caret;
  let isAtCaret = false;
  changes.iterChangedRanges((_fromBefore, _toBefore, from, to) => {
    isAtCaret ||= from <= caret && caret <= to;
    place = to;
  });
  return isAtCaret ? caret : place;
}

class Mark extends WidgetType {
  /** @param {Binding} binding @param {string} section */
  constructor(binding, section) {
    super();
    this.binding = binding;
    this.section = section;
  }

  /** @override @param {Mark} other */
  eq({binding, section}) {
    return binding === this.binding && section === this.section;
  }

  /** @override */
  toDOM() {
    return this.binding.mark(this.section);
  }
}
