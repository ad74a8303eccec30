/**
 * Presence in a Monaco editor: the headings of its text are the sections.
 *
 *     import {bindMonaco} from 'writer-presence/monaco';
 *     const binding = bindMonaco(manager, editor, {format: 'latex', prefix: 'main.tex'});
 *     binding.saved(revision); // after the text was saved
 */

import {Beside} from './beside.js';
import {Outline} from './outline.js';
import {Reports} from './reports.js';

/**
 * @typedef {import('monaco-editor').editor.ICodeEditor} Editor
 * @typedef {import('monaco-editor').editor.ITextModel} Model
 *
 * @typedef {object} MonacoOptions
 * @property {'markdown' | 'latex' | 'html' | undefined} [format] of the text; without it the language of the model decides, and Markdown is the default
 * @property {string | undefined} [prefix] of the sections, such as the name of the file
 * @property {((offset: number, model: Model) => string | null | undefined) | undefined} [sectionAt] the section of an offset, instead of the heading above it
 * @property {boolean | undefined} [warning] false: the warning stays where the page has it
 */

const EXACT = 0; // ContentWidgetPositionPreference.EXACT
const BY_OTHERS = [1, 2]; // CursorChangeReason.ContentFlush and RecoverFromMarkers
let bindings = 0;

/**
 * Binds a manager to an editor until one of them ends. Nothing of Monaco is imported.
 * @param {import('./editing.js').Manager & import('./beside.js').Manager} manager a `PresenceManager`; with a `PresenceCore` nothing is drawn
 * @param {Editor} editor @param {MonacoOptions} [options]
 * @returns {{saved(revision?: string | number): void, destroy(): void}} `saved`: the host has saved the text, as this revision
 */
export function bindMonaco(manager, editor, {format, prefix = '', sectionAt, warning} = {}) {
  const name = `presence-${++bindings}`;
  /** @type {Outline} */ let outline;
  /** @type {import('monaco-editor').editor.IContentWidget[]} */ let widgets = [];
  /** the event of the caret that follows is due to a change of the text */ let changed = false;

  const read = (/** @type {Outline | undefined} */ previous) => {
    const model = editor.getModel();
    outline = new Outline(sourceOf(model), format ?? formatOf(model?.getLanguageId()), {prefix, previous});
  };
  read(undefined);
  const readAgain = () => {
    read(undefined);
    beside.update();
  };

  const caret = () => offsetOf(editor.getModel(), editor.getPosition());
  const sectionOf = (/** @type {number} */ offset) => {
    const model = editor.getModel();
    return (sectionAt && model ? sectionAt(offset, model) : outline.sectionAt(offset)) || null;
  };
  const positionOf = (/** @type {string} */ section) => {
    const heading = outline.find(section);
    return heading && editor.getModel()?.getPositionAt(heading.to);
  };

  const reports = new Reports(manager, {
    goTo: (section) => {
      const position = positionOf(section);
      if (!position) return false;
      editor.setPosition(position);
      editor.revealPositionInCenterIfOutsideViewport(position);
      return true;
    },
    settle: (isHeld) => {
      const renamed = outline.settle(editor.hasTextFocus() ? caret() : -1, isHeld);
      if (renamed.length) beside.update();
      return renamed;
    },
  });

  const beside = new Beside(manager, {
    outside: () => editor.getContainerDomNode(),
    focus: editor.getDomNode()?.querySelector('.native-edit-context, .inputarea') ?? undefined,
    headings: () => {
      reports.settle();
      return outline.headings;
    },
    boxOf: (section) => {
      const position = positionOf(section);
      const place = position && editor.getScrolledVisiblePosition(position);
      const around = editor.getDomNode()?.getBoundingClientRect();
      if (!place || !around) return;
      const left = around.left + Math.max(0, place.left);
      return {left, right: left, top: around.top + place.top, bottom: around.top + place.top + place.height};
    },
    draw: (sections) => {
      for (const widget of widgets) editor.removeContentWidget(widget);
      widgets = sections.map((section) => ({
        suppressMouseDown: true,
        getId: () => `${name} ${section}`,
        getDomNode: () => beside.mark(section),
        getPosition: () => ({position: positionOf(section) ?? null, preference: [EXACT]}),
      }));
      for (const widget of widgets) editor.addContentWidget(widget);
    },
    position: () => {
      for (const widget of widgets) editor.layoutContentWidget(widget);
    },
    warning,
  });

  const report = (/** @type {'moved' | 'changed' | 'shifted' | 'focused'} */ what) => {
    const hasFocus = what === 'changed' ? editor.hasWidgetFocus() : editor.hasTextFocus(); // a change can be made by the find widget, too
    if (hasFocus) {
      reports[what](sectionOf(caret()));
      beside.claim();
    } else if (what === 'changed') reports.changedWithoutFocus();
  };

  const listeners = [
    editor.onDidChangeModelContent(({changes, isFlush, isEolChange, isUndoing, isRedoing}) => {
      const whole = isFlush || isEolChange;
      const edits = changes.map(({rangeOffset, rangeLength, text}) => ({from: rangeOffset, to: rangeOffset + rangeLength, length: text.length})).sort((a, b) => a.from - b.from);
      const headings = whole || outline.update(sourceOf(editor.getModel()), edits);
      if (whole) read(outline);
      if (headings) beside.update();
      else beside.moved();
      if (whole) return;
      changed = true;
      queueMicrotask(() => (changed = false));
      // The caret need not move by undo, or when what follows it is deleted. A deletion there by somebody else cannot be told from one by the person.
      if (isUndoing || isRedoing || editor.getSelections()?.some((selection) => changes.some(({range, text}) => !text && touch(range, selection)))) report('changed');
    }),
    editor.onDidChangeCursorPosition(({reason}) => {
      report(BY_OTHERS.includes(reason) ? 'shifted' : changed ? 'changed' : 'moved');
      changed = false;
    }),
    editor.onDidFocusEditorText(() => report('focused')),
    editor.onDidScrollChange(() => beside.moved()),
    editor.onDidLayoutChange(() => beside.moved()),
    editor.onDidChangeModel(() => {
      readAgain();
      reports.reset();
      report('moved');
    }),
    editor.onDidChangeModelLanguage(() => format || readAgain()),
    editor.onDidDispose(() => destroy()),
  ];

  report('moved');

  function destroy() {
    for (const listener of listeners.splice(0)) listener.dispose();
    reports.destroy();
    beside.destroy();
    for (const widget of widgets.splice(0)) editor.removeContentWidget(widget);
  }

  return {saved: (revision) => reports.saved(revision), destroy};
}

/** Whether two ranges have a position in common. @param {import('monaco-editor').IRange} a @param {import('monaco-editor').IRange} b */
const touch = (a, b) => !isAfter(a, b) && !isAfter(b, a);

/** @param {import('monaco-editor').IRange} a @param {import('monaco-editor').IRange} b */
const isAfter = (a, b) => a.startLineNumber > b.endLineNumber || (a.startLineNumber === b.endLineNumber && a.startColumn > b.endColumn);

/** A model's text as the outline reads it. @param {Model | null} model */
const sourceOf = (model) => ({
  length: model?.getValueLength() ?? 0,
  slice: (/** @type {number} */ from, /** @type {number} */ to) => {
    if (!model || from >= to) return '';
    const [start, end] = [model.getPositionAt(from), model.getPositionAt(to + 1)];
    // Monaco moves the ends of a range out of a line break and of the halves of a character.
    const range = model.validateRange({startLineNumber: start.lineNumber, startColumn: start.column, endLineNumber: end.lineNumber, endColumn: end.column});
    const begin = model.getOffsetAt({lineNumber: range.startLineNumber, column: range.startColumn});
    return model.getValueInRange(range).slice(from - begin, to - begin);
  },
});

/** @param {Model | null} model @param {import('monaco-editor').IPosition | null} position */
const offsetOf = (model, position) => (model && position ? model.getOffsetAt(position) : 0);

/** @param {string | undefined} language @returns {'markdown' | 'latex' | 'html'} */
const formatOf = (language) => (language === 'latex' || language === 'html' ? language : 'markdown');
