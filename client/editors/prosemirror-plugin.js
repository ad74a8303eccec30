/**
 * The plugin of the ProseMirror and the TipTap binding. They hand over the parts of ProseMirror that it needs, because each imports them
 * from the packages that its users have installed.
 *
 * @typedef {import('prosemirror-state').EditorState} EditorState
 * @typedef {EditorState['doc']} Node
 * @typedef {import('prosemirror-state').Transaction} Transaction
 * @typedef {import('prosemirror-view').EditorView} EditorView
 * @typedef {import('./editing.js').Manager & import('./beside.js').Manager} Manager
 *
 * @typedef {object} PluginOptions
 * @property {string | undefined} [prefix] of the sections: `manuscript` makes `manuscript/introduction`
 * @property {((position: number, state: EditorState) => string | null | undefined) | undefined} [sectionAt] the section of a position, instead of the heading above it
 * @property {((node: Node) => boolean) | undefined} [isHeading] by default a node of the type `heading`
 * @property {boolean | undefined} [warning] false: the warning stays where the page has it
 *
 * @typedef {object} State
 * @property {readonly import('./headings.js').Heading[]} headings
 * @property {readonly string[]} sections of the headings with users
 * @property {import('prosemirror-view').DecorationSet} marks
 * @property {number} edits changes of the text by the person
 * @property {{from: number, to: number} | null} edited where the last of them was; null: it has no place of its own
 * @property {number} changes changes of headings
 *
 * @typedef {object} Part what belongs to a view
 * @property {Reports} reports
 * @property {Beside} beside
 * @property {(view: EditorView, before: EditorState) => void} update
 * @property {State | undefined} state of the plugin at the last update
 * @property {number} views of the plugin: one, and for a moment none
 *
 * @typedef {{saved(revision?: string | number): void}} Saving `saved`: the host has saved the text, as this revision
 */

import {Beside} from './beside.js';
import {changed, headingAt, settled} from './headings.js';
import {prefixOf} from './outline.js';
import {Reports} from './reports.js';

const MAX_STEPS = 50; // of a transaction whose changed part is looked for; more are cheaper to read completely

/**
 * @param {{Plugin: typeof import('prosemirror-state').Plugin, PluginKey: typeof import('prosemirror-state').PluginKey, Selection: typeof import('prosemirror-state').Selection,
 *   Decoration: typeof import('prosemirror-view').Decoration, DecorationSet: typeof import('prosemirror-view').DecorationSet}} library
 * @param {Manager} manager
 * @param {PluginOptions} options
 * @returns {import('prosemirror-state').Plugin<State> & Saving}
 */
export function createPlugin({Plugin, PluginKey, Selection, Decoration, DecorationSet}, manager, {sectionAt, isHeading = isHeadingNode, warning, ...options}) {
  const prefix = prefixOf(options.prefix);
  const key = /** @type {import('prosemirror-state').PluginKey<State>} */ (new PluginKey('presence'));
  /** @type {Map<EditorView, Part>} */ const open = new Map();

  // A view draws a state that it was given before it makes the views of its plugins.
  /** @param {EditorView} view @param {string} section */
  const markOf = (view, section) => open.get(view)?.beside.mark(section) ?? view.dom.ownerDocument.createElement('span');

  /** @param {Node} doc @param {readonly import('./headings.js').Heading[]} headings @param {readonly string[]} sections */
  const marksOf = (doc, headings, sections) => {
    const shown = new Set(sections);
    const marked = shown.size ? headings.filter(({section}) => shown.has(section)) : [];
    return DecorationSet.create(doc, marked.map(({end, section}) => Decoration.widget(end - 1, (view) => markOf(view, section), {key: `presence ${section}`, side: 1, ignoreSelection: true})));
  };

  /** @param {Node} doc @param {number} from @param {number} to */
  const blocksIn = (doc, from, to) => {
    /** @type {import('./headings.js').Block[]} */ const blocks = [];
    doc.nodesBetween(Math.max(0, from - 1), Math.min(doc.content.size, to + 1), (node, at) => {
      if (isHeading(node)) blocks.push({at, end: at + node.nodeSize, title: node.textContent, id: idOf(node)});
      return !node.isTextblock;
    });
    return blocks.filter(({at, end}) => end >= from && at <= to);
  };

  /** @param {EditorState} state @param {number} position */
  const sectionOf = (state, position) => {
    if (sectionAt) return sectionAt(position, state) || null;
    return headingAt(key.getState(state)?.headings ?? [], position)?.section ?? (prefix || null);
  };

  const plugin = new Plugin({
    key,
    state: {
      init: (_config, {doc}) => {
        const {headings} = changed([], {from: 0, oldTo: 0, newTo: doc.content.size, blocks: blocksIn(doc, 0, doc.content.size)}, prefix);
        return /** @type {State} */ ({headings, sections: [], marks: DecorationSet.empty, edits: 0, edited: null, changes: 0});
      },
      apply: (tr, state, old) => {
        /** @type {Partial<State>} */ const meta = tr.getMeta(key) ?? {};
        const sections = meta.sections ?? state.sections;
        if (!tr.docChanged) {
          const headings = meta.headings ?? state.headings;
          return tr.getMeta(key) ? {...state, headings, sections, changes: state.changes + Number(headings !== state.headings), marks: marksOf(tr.doc, headings, sections)} : state;
        }
        const range = changedRange(tr, old.doc);
        const {headings, same} = changed(state.headings, {...range, blocks: blocksIn(tr.doc, range.from, range.newTo)}, prefix);
        const isEdit = isOwn(tr);
        const hasPlace = !tr.steps.some((step) => 'mark' in step);
        const {edited: last} = state;
        const edited = isEdit ? (hasPlace ? {from: range.from, to: range.newTo} : null) : last && {from: tr.mapping.map(last.from, -1), to: tr.mapping.map(last.to)};
        const marks = same && !range.isReplaced && sections === state.sections ? state.marks.map(tr.mapping, tr.doc) : marksOf(tr.doc, headings, sections);
        return {headings, sections, marks, edits: state.edits + Number(isEdit), edited, changes: state.changes + Number(!same)};
      },
    },
    props: {
      decorations: (state) => key.getState(state)?.marks,
      handleDOMEvents: {focus: (view) => open.get(view)?.reports.focused(sectionOf(view.state, view.state.selection.head))},
    },
    view: (view) => {
      // A plugin that the host adds or removes makes the views of all plugins again. Then what is reported and drawn goes on, unless the state is new.
      const kept = open.get(view);
      const part = kept && kept.state === key.getState(view.state) ? kept : begin(view);
      if (kept && kept !== part) {
        kept.reports.reset();
        end(kept);
      }
      open.set(view, part);
      part.views++;
      return {
        update: part.update,
        destroy: () => {
          part.views--;
          queueMicrotask(() => {
            if (part.views || open.get(view) !== part) return;
            open.delete(view);
            end(part);
          });
        },
      };
    },
  });

  /** @param {Part} part */
  const end = ({reports, beside}) => {
    reports.destroy();
    beside.destroy();
  };

  /** @param {EditorView} view @returns {Part} */
  const begin = (view) => {
    const state = () => /** @type {State} */ (key.getState(view.state));
    const caret = () => view.state.selection.head;
    const dispatchMeta = (/** @type {Partial<State>} */ meta) => {
      if (!view.isDestroyed) view.dispatch(view.state.tr.setMeta(key, meta).setMeta('addToHistory', false));
    };
    const find = (/** @type {string} */ section) => state().headings.find((heading) => heading.section === section);
    const reports = new Reports(manager, {
      goTo: (section) => {
        const at = section === prefix ? 0 : find(section)?.at;
        if (at === undefined || view.isDestroyed) return false;
        view.dispatch(view.state.tr.setSelection(Selection.near(view.state.doc.resolve(at))).scrollIntoView());
        return true;
      },
      settle: (isHeld) => {
        const {headings, renamed} = settled(state().headings, isHere(view) ? caret() : -1, prefix, isHeld);
        if (renamed.length) dispatchMeta({headings});
        return renamed;
      },
    });
    const beside = new Beside(manager, {
      outside: () => view.dom.parentElement,
      focus: view.dom,
      headings: () => {
        reports.settle();
        return state().headings;
      },
      boxOf: (section) => {
        const heading = find(section);
        return heading && view.coordsAtPos(heading.end - 1, -1);
      },
      draw: (sections) => dispatchMeta({sections}),
      warning,
    });
    const part = {
      beside, reports, state: key.getState(view.state), views: 0,
      update: (/** @type {EditorView} */ _view, /** @type {EditorState} */ before) => {
        const {changes, edits, edited, headings} = state();
        const old = key.getState(before);
        part.state = state();
        if (old?.changes !== changes) beside.update();
        else if (old?.headings !== headings) beside.moved();
        if (edits !== old?.edits) {
          const isAtCaret = !edited || (edited.from <= caret() && caret() <= edited.to);
          if (isHere(view)) reports.changed(sectionOf(view.state, isAtCaret ? caret() : edited.to));
          else reports.changedWithoutFocus();
        } else if (!isHere(view)) return;
        else if (view.state.doc !== before.doc) reports.shifted(sectionOf(view.state, caret()));
        else if (!view.state.selection.eq(before.selection)) reports.moved(sectionOf(view.state, caret()));
        else return;
        beside.claim();
      },
    };
    if (isHere(view)) reports.moved(sectionOf(view.state, caret()));
    return part;
  };

  return Object.assign(plugin, {saved: (/** @type {string | number | undefined} */ revision) => open.forEach(({reports}) => reports.saved(revision))});
}

/** @param {Node} node */
const isHeadingNode = ({type}) => type.name === 'heading';

/** The attributes that name a heading: the anchor of TipTap's TableOfContents, and without it the id. */
const NAMES = ['data-toc-id', 'id'];

/** The id by which a document names a heading. @param {Node} node @returns {string | undefined} */
const idOf = ({attrs}) => String(attrs[NAMES[0]] ?? attrs[NAMES[1]] ?? '') || undefined;

/**
 * Whether the person has changed the text. Undo in y-prosemirror is the person's, and marked as a change by others. What cannot be undone is the host's, and
 * so is TipTap's `setContent()`, which sets `preventUpdate` to true or false. What a plugin adds to a transaction counts as that transaction, by itself.
 * @param {Transaction} tr
 */
function isOwn(tr) {
  const {isChangeOrigin, isUndoRedoOperation} = ['y-sync$', 'y-sync$1'].map((key) => tr.getMeta(key)).find(Boolean) ?? {}; // the key of y-prosemirror where y-tiptap has the first one
  if (!tr.docChanged || isUndoRedoOperation) return tr.docChanged;
  const byOthers = tr.getMeta('collab$') || isChangeOrigin;
  const byHost = tr.getMeta('addToHistory') === false || tr.getMeta('preventUpdate') !== undefined;
  const byPlugin = tr.getMeta('appendedTransaction') || tr.steps.every((step, i) => isNaming(step, tr.docs[i]));
  return !byOthers && !byHost && !byPlugin;
}

/** Whether the person is in a view: it has the focus, or a part of it, such as a field of a node view; or the selection, if it is read-only. @param {EditorView} view */
const isHere = ({dom, editable, root}) => dom.contains(editable ? root.activeElement : (/** @type {any} */ (root).getSelection?.() ?? dom.ownerDocument.getSelection())?.anchorNode ?? null);

/** Whether a step changes only the name of a node, as `setNodeMarkup` or `setNodeAttribute` make it. @param {import('prosemirror-transform').Step} step @param {Node} doc before it */
function isNaming(step, doc) {
  const {attr, structure, from, to, gapFrom, gapTo, slice} = /** @type {any} */ (step);
  if (attr !== undefined) return NAMES.includes(attr);
  if (!structure || gapFrom !== from + 1 || gapTo !== to - 1) return false;
  /** @type {[Node | null, Node | null]} */ const [old, now] = [doc.nodeAt(from), slice.content.firstChild];
  return !!old && !!now && now.hasMarkup(old.type, now.attrs, old.marks) && Object.entries(now.attrs).every(([name, value]) => NAMES.includes(name) || value === old.attrs[name]);
}

/**
 * The part of the document that a transaction changed; all of it, if that takes longer to find. y-prosemirror replaces all of it with each change by others:
 * there the difference tells where.
 * @param {Transaction} tr @param {Node} old @returns {Pick<import('./headings.js').Change, 'from' | 'oldTo' | 'newTo' | 'placeOf'> & {isReplaced?: boolean}}
 *   `isReplaced`: the mapping of the transaction keeps no position
 */
function changedRange(tr, old) {
  const {mapping, steps, doc} = tr;
  const shift = doc.content.size - old.content.size;
  let from = doc.content.size;
  let newTo = 0;
  // A step that sets an attribute has no range.
  if (steps.length > MAX_STEPS || steps.some((step) => 'attr' in step)) [from, newTo] = [0, doc.content.size];
  else {
    mapping.maps.forEach((map, i) => map.forEach((_oldStart, _oldEnd, start, end) => {
      const rest = mapping.slice(i + 1);
      from = Math.min(from, rest.map(start, -1));
      newTo = Math.max(newTo, rest.map(end, 1));
    }));
    newTo = Math.max(from, newTo);
  }
  const start = !from && newTo === doc.content.size ? old.content.findDiffStart(doc.content) : null;
  if (start !== null) {
    const {a, b} = /** @type {{a: number, b: number}} */ (old.content.findDiffEnd(doc.content));
    const overlap = Math.max(0, start - Math.min(a, b));
    const oldTo = a + overlap;
    return {from: start, oldTo, newTo: b + overlap, isReplaced: true, placeOf: ({at}) => (at < start ? at : at >= oldTo ? at + shift : undefined)};
  }
  const placeOf = (/** @type {{at: number}} */ {at}) => {
    const {pos, deletedAcross} = mapping.mapResult(at + 1);
    return deletedAcross ? undefined : pos - 1;
  };
  return {from, oldTo: newTo - shift, newTo, placeOf: steps.length > MAX_STEPS ? undefined : placeOf};
}
