/**
 * Presence in a Quill editor: the lines with the format `header` are the sections.
 *
 *     import {PresenceModule} from 'writer-presence/quill';
 *     Quill.register('modules/presence', PresenceModule);
 *     const quill = new Quill('#editor', {modules: {presence: {manager, prefix: 'manuscript'}}});
 *     quill.getModule('presence').saved(revision); // after the text was saved
 *     quill.getModule('presence').destroy(); // before the editor is removed from the page
 */

import {make} from '../element.js';
import {Beside} from './beside.js';
import {changed, headingAt, settled} from './headings.js';
import {prefixOf} from './outline.js';
import {Reports} from './reports.js';

/**
 * @typedef {import('quill').default} Quill
 * @typedef {import('quill').Delta} Delta
 * @typedef {{from: number, oldTo: number, newTo: number}} Range
 *
 * @typedef {object} PresenceOptions
 * @property {import('./editing.js').Manager & import('./beside.js').Manager} manager a `PresenceManager`; with a `PresenceCore` nothing is drawn
 * @property {string | undefined} [prefix] of the sections: `manuscript` makes `manuscript/introduction`
 * @property {((index: number, quill: Quill) => string | null | undefined) | undefined} [sectionAt] the section of an index, instead of the heading above it
 * @property {boolean | undefined} [warning] false: the warning stays where the page has it
 */

/** A module of one editor. The avatars lie over the text, because everything in Quill's own element is text. */
export class PresenceModule {
  #quill;
  #options;
  #prefix;
  #reports;
  #beside;
  /** @type {readonly import('./headings.js').Heading[]} */ #headings = [];
  /** -1: the editor has not the focus */ #caret = -1;
  #layer = make('div', 'presence-layer');
  /** the sections of the headings with users @type {readonly string[]} */ #sections = [];
  #sizes = new ResizeObserver(() => this.#beside.moved());

  /** Called by Quill. @param {Quill} quill @param {PresenceOptions} options */
  constructor(quill, options) {
    const {manager, warning} = options;
    this.#quill = quill;
    this.#options = options;
    this.#prefix = prefixOf(options.prefix);
    this.#change({from: 0, oldTo: 0, newTo: quill.getLength()});
    this.#reports = new Reports(manager, {goTo: (section) => this.#goTo(section), settle: (isHeld) => this.#settle(isHeld)});
    this.#beside = new Beside(manager, {
      outside: () => quill.container,
      focus: quill.root,
      headings: () => {
        this.#reports.settle();
        return this.#headings;
      },
      boxOf: (section) => this.#windowBox(this.#boundsOf(section)),
      draw: (sections) => this.#draw(sections),
      position: () => this.#position(),
      warning,
    });
    Object.assign(this.#layer.style, {position: 'absolute', inset: 0, overflow: 'hidden', pointerEvents: 'none'});
    quill.container.append(this.#layer);
    quill.on('text-change', this.#onText);
    quill.on('selection-change', this.#onSelection);
    quill.root.addEventListener('scroll', this.#onScroll, {passive: true});
    this.#sizes.observe(quill.root);
  }

  /** The host has saved the text. @param {string | number} [revision] without it, others see no save */
  saved(revision) {
    this.#reports.saved(revision);
  }

  /** Removes everything and ends all listeners. Safe to call twice. */
  destroy() {
    this.#quill.off('text-change', this.#onText);
    this.#quill.off('selection-change', this.#onSelection);
    this.#quill.root.removeEventListener('scroll', this.#onScroll);
    this.#sizes.disconnect();
    this.#reports.destroy();
    this.#beside.destroy();
    this.#layer.remove();
  }

  #onText = (/** @type {Delta} */ delta, /** @type {Delta} */ _before, /** @type {string} */ source) => {
    const range = rangeOf(delta);
    if (!range) return;
    const own = source === 'user';
    const same = this.#change(range, ({at}) => delta.transformPosition(at, true));
    if (same) this.#beside.moved();
    else this.#beside.update();
    if (this.#caret >= 0) this.#caret = this.#quill.getSelection()?.index ?? -1;
    if (own) this.#report('changed', range.from <= this.#caret && this.#caret <= range.newTo ? this.#caret : range.from);
    else if (this.#caret >= 0) this.#report('shifted', this.#caret);
  };

  #onSelection = (/** @type {{index: number} | null} */ range) => {
    this.#caret = range?.index ?? -1;
    if (range) this.#report('moved', range.index);
  };

  #onScroll = () => this.#beside.moved();

  /** @param {'moved' | 'changed' | 'shifted'} what @param {number} index */
  #report(what, index) {
    const {sectionAt} = this.#options;
    this.#reports[what](sectionAt ? sectionAt(index, this.#quill) || null : headingAt(this.#headings, index)?.section ?? (this.#prefix || null));
    this.#beside.claim();
  }

  /** @param {Range} range @param {import('./headings.js').Change['placeOf']} [placeOf] @returns {boolean} whether headings only moved */
  #change({from, oldTo, newTo}, placeOf) {
    const {headings, same} = changed(this.#headings, {from, oldTo, newTo, blocks: this.#blocksIn(from, newTo), placeOf}, this.#prefix);
    this.#headings = headings;
    return same;
  }

  /** @param {(section: string) => boolean} isHeld */
  #settle(isHeld) {
    const {headings, renamed} = settled(this.#headings, this.#caret, this.#prefix, isHeld);
    this.#headings = headings;
    if (renamed.length) this.#beside.update();
    return renamed;
  }

  /** @param {number} from @param {number} to */
  #blocksIn(from, to) {
    const start = Math.max(0, from - 1);
    const lines = this.#quill.getLines(start, to - start + 1);
    /** @type {import('./headings.js').Block[]} */ const blocks = [];
    let at = lines.length ? this.#quill.getIndex(lines[0]) : 0;
    for (const line of lines) {
      const end = at + line.length();
      const dom = /** @type {HTMLElement} */ (line.domNode);
      if (line.statics.blotName === 'header') blocks.push({at, end, title: dom.textContent ?? '', id: dom.id || undefined});
      at = end;
    }
    return blocks.filter(({at, end}) => end >= from && at <= to);
  }

  /** @param {string} section */
  #find(section) {
    return this.#headings.find((heading) => heading.section === section);
  }

  /** The end of a heading, in the editor's container. @param {string} section */
  #boundsOf(section) {
    const heading = this.#find(section);
    const end = heading && this.#quill.getBounds(heading.end - 1);
    const line = end && this.#quill.getBounds(heading.at, heading.end - 1 - heading.at);
    if (!end || !line || line.height > 1.5 * end.height) return end; // of several lines the last character
    return {...end, left: Math.min(line.left, end.left), right: Math.max(line.right, end.right)}; // text in the other direction ends at the other side
  }

  /** @param {import('../presence-caret.js').Box | null | undefined} bounds in the editor's container @returns {import('../presence-caret.js').Box | undefined} in the window */
  #windowBox(bounds) {
    if (!bounds) return;
    const {left, top} = this.#quill.container.getBoundingClientRect();
    return {left: left + bounds.left, right: left + bounds.right, top: top + bounds.top, bottom: top + bounds.bottom};
  }

  /** @param {readonly string[]} sections */
  #draw(sections) {
    this.#sections = sections;
    const marks = sections.map((section) => this.#beside.mark(section));
    for (const mark of marks) mark.style.position = 'absolute';
    this.#layer.replaceChildren(...marks);
  }

  #position() {
    const rtl = getComputedStyle(this.#quill.root).direction === 'rtl';
    const width = this.#quill.container.clientWidth;
    const all = this.#sections.map((section) => this.#boundsOf(section));
    this.#sections.forEach((section, i) => {
      const bounds = all[i];
      const {style} = this.#beside.mark(section);
      style.display = bounds ? 'flex' : 'none';
      if (!bounds) return;
      const isLeft = rtl && bounds.left > width - bounds.right; // Quill's style sheets align text from right to left at the left, too
      // Not `left` and `top`: a moved box would count as a layout shift.
      style.inset = isLeft ? '0 0 auto auto' : '0 auto auto 0';
      style.alignItems = 'center';
      style.height = `${bounds.height}px`;
      style.translate = `${isLeft ? bounds.left - width : bounds.right}px ${bounds.top}px`;
    });
  }

  /** @param {string} section */
  #goTo(section) {
    const at = section === this.#prefix ? 0 : this.#find(section)?.at;
    if (at === undefined) return false;
    const quill = this.#quill;
    if (quill.hasFocus()) quill.setSelection(at, 0, 'silent');
    else quill.selection.savedRange.index = at; // where focus() sets the caret; setSelection() would take the focus
    const box = this.#windowBox(quill.getBounds(at));
    if (box) quill.scrollRectIntoView(box);
    return true;
  }
}

/** The part of a text that a delta changes; undefined if it changes nothing. @param {Delta} delta @returns {Range | undefined} */
function rangeOf({ops}) {
  let index = 0;
  let shift = 0;
  let from = -1;
  let newTo = 0;
  for (const {insert, delete: gone, retain, attributes} of ops) {
    const length = typeof insert === 'string' ? insert.length : insert || typeof retain === 'object' ? 1 : retain ?? 0;
    const changes = insert !== undefined || gone !== undefined || attributes !== undefined || typeof retain === 'object';
    if (changes && from < 0) from = index;
    index += length;
    if (changes) newTo = index;
    shift += insert !== undefined ? length : -(gone ?? 0);
  }
  return from < 0 ? undefined : {from, oldTo: newTo - shift, newTo};
}
