/**
 * The headings of a text in Markdown, LaTeX or HTML, each with a section for `setSection`.
 *
 *     const {headings, sectionAt} = outline(text, 'latex', {prefix: 'paper.tex'});
 *     presence.setSection(sectionAt(caret), {activity: 'viewing'});
 *
 * Offsets count UTF-16 code units, as in JavaScript's strings. An editor keeps an `Outline` and calls `update()` with each change, which
 * reads the changed lines only.
 *
 * A heading that is being renamed keeps its section, so that others do not see the person leave and enter with each key. `settle()` gives
 * the sections that the text has now, which are those that others get who load it.
 */

import {need} from '../presence-check.js';
import {normalSection} from '../section.js';
import {FORMATS, LONGEST} from './outline-formats.js';

/**
 * @typedef {import('./outline-formats.js').Source} Source
 * @typedef {import('./outline-formats.js').Mark & {base?: string, id?: string}} Mark `base`: the id by its text alone; `id`: of a heading
 *   that is no part of a block, unique
 *
 * @typedef {object} Heading
 * @property {number} level 1 to 6; in LaTeX `\part` is 1 and `\paragraph` is 6
 * @property {string} title at most 200 characters of plain text
 * @property {string} id unique in the text
 * @property {string} section for `setSection`: the prefix, a slash and the id
 * @property {number} from where the heading begins
 * @property {number} to where the heading ends
 * @property {number} end where its part of the text ends: at the next heading
 *
 * @typedef {{from: number, to: number, length: number}} Change a range of the earlier text, and the length of what replaced it
 *
 * @typedef {object} OutlineOptions
 * @property {string | undefined} [prefix] of all sections, such as the name of the file; at most 80 characters
 * @property {{headings: readonly Heading[]} | undefined} [previous] an earlier outline of the text: headings that are at the same place keep its sections
 */

export const MAX_SECTION = 100; // characters, as on the server
const MAX_PREFIX = 80;

/**
 * The outline of a text.
 * @param {string} text @param {'markdown' | 'latex' | 'html'} format @param {OutlineOptions} [options]
 * @returns {Outline}
 */
export const outline = (text, format, options) => new Outline(text, format, options);

/** A prefix in the form in which sections have it. @param {string} [prefix] at most 80 characters */
export function prefixOf(prefix = '') {
  const normal = normalSection(prefix);
  const {length} = [...normal];
  need(length <= MAX_PREFIX, `the prefix of the sections is ${length} characters long; the limit is ${MAX_PREFIX}`);
  return normal;
}

export class Outline {
  #format;
  #prefix;
  #longestId;
  /** @type {Source} */ #source;
  /** by offset @type {Mark[]} */ #marks;
  /** the marks that are headings @type {Mark[]} */ #active = [];
  /** @type {readonly Heading[] | undefined} */ #headings;
  /** the ids are those that a new outline has */ #settled = false;

  /**
   * @param {Source} source a string, or an object by which the text is read @param {'markdown' | 'latex' | 'html'} format @param {OutlineOptions} [options]
   */
  constructor(source, format, {prefix = '', previous} = {}) {
    need(Object.hasOwn(FORMATS, format), `there is no outline of the format ${format}: pass 'markdown', 'latex' or 'html'`);
    this.#format = FORMATS[format];
    this.#prefix = prefixOf(prefix);
    const {length} = [...this.#prefix];
    this.#longestId = MAX_SECTION - (length && length + 1);
    this.#source = source;
    const text = typeof source === 'string' ? source : source.slice(0, source.length);
    this.#marks = this.#format.scan(text, 0, text.length);
    this.#resolve();
    if (previous) {
      carry(previous.headings.map((heading) => ({...heading, base: bases.get(heading) ?? heading.id})), this.#active, (old, mark) => (mark.id = old.id));
      this.#settled = false;
    }
    this.#name();
  }

  /** @returns {readonly Heading[]} */
  get headings() {
    return (this.#headings ??= Object.freeze(this.#active.map((mark, i) => {
      const heading = Object.freeze({
        level: /** @type {number} */ (mark.level), title: /** @type {string} */ (mark.title), id: /** @type {string} */ (mark.id),
        section: this.#sectionOf(mark), from: mark.from, to: mark.to, end: this.#active[i + 1]?.from ?? this.#source.length,
      });
      bases.set(heading, /** @type {string} */ (mark.base));
      return heading;
    })));
  }

  /** The section of the heading above an offset; the prefix before the first one. @param {number} offset @returns {string} */
  sectionAt = (offset) => {
    const i = firstAfter(this.#active, offset, 'from');
    return i ? this.#sectionOf(this.#active[i - 1]) : this.#prefix;
  };

  /** Where the heading of a section begins and ends; the prefix is at 0. @param {string} section @returns {{from: number, to: number} | undefined} */
  find(section) {
    const wanted = normalSection(section);
    const mark = this.#active.find((mark) => this.#sectionOf(mark) === wanted);
    if (mark) return {from: mark.from, to: mark.to};
    return wanted && wanted === this.#prefix ? {from: 0, to: 0} : undefined;
  }

  /**
   * Follows a text of which only the next version is known: everything between its equal beginning and end counts as one change.
   * @param {string} text @returns {boolean} as `update()`
   */
  replace(text) {
    const before = this.#source.slice(0, this.#source.length);
    const shorter = Math.min(before.length, text.length);
    let from = 0;
    while (from < shorter && before.charCodeAt(from) === text.charCodeAt(from)) from++;
    let end = 0;
    while (end < shorter - from && before.charCodeAt(before.length - end - 1) === text.charCodeAt(text.length - end - 1)) end++;
    if (from + end === shorter && before.length === text.length) return false;
    return this.update(text, [{from, to: before.length - end, length: text.length - end - from}]);
  }

  /**
   * Follows changes of the text.
   * @param {Source} source the text after all changes
   * @param {readonly Change[]} changes in the order of the text, not overlapping, with offsets in the text before all of them
   * @returns {boolean} whether a heading was added, removed or changed, and not only moved
   */
  update(source, changes) {
    this.#source = source;
    this.#headings = undefined;
    let changed = false;
    let shift = 0; // by the changes before
    for (let i = 0; i < changes.length; i++) {
      const from = changes[i].from + shift;
      let {length} = changes[i];
      let removed = changes[i].to - changes[i].from;
      let last = this.#format.affected(source, from + length);
      // Changes in the same units are one.
      for (let next; (next = changes[i + 1]) && next.from + shift + length - removed <= last; i++) {
        length = next.from + shift + length - removed - from + next.length;
        removed = next.to + shift - from;
        last = this.#format.affected(source, from + length);
      }
      changed = this.#replace(from, removed, length, last) || changed;
      shift += length - removed;
    }
    if (changed) {
      this.#resolve();
      this.#name();
    }
    return changed;
  }

  /**
   * Gives each heading the section that it has in a new outline of the text.
   * @param {number} [caret] the heading at this offset keeps its section, because it is being renamed
   * @param {(section: string) => boolean} [keeps] whether a section stays, because somebody else who renames it has the earlier name
   * @returns {readonly {from: string, to: string}[]} the sections that are other ones now
   */
  settle(caret = -1, keeps = () => false) {
    if (this.#settled) return [];
    const before = this.#active.map((mark) => this.#sectionOf(mark));
    let kept = false;
    this.#active.forEach((mark, i) => {
      if ((mark.from <= caret && caret <= mark.to) || keeps(before[i])) kept = true;
      else mark.id = undefined;
    });
    this.#name();
    this.#settled = !kept;
    this.#headings = undefined;
    return this.#active.flatMap((mark, i) => (this.#sectionOf(mark) === before[i] ? [] : [{from: before[i], to: this.#sectionOf(mark)}]));
  }

  /** @param {Mark} mark */
  #sectionOf({id}) {
    return this.#prefix ? `${this.#prefix}/${id}` : /** @type {string} */ (id);
  }

  /**
   * Scans the units of a change again, and shifts the marks behind it.
   * @param {number} at @param {number} removed characters @param {number} length of what replaced them @param {number} last the beginning of the last unit that may have changed
   * @returns {boolean} whether there are other marks now
   */
  #replace(at, removed, length, last) {
    const marks = this.#marks;
    const format = this.#format;
    const from = Math.max(0, at - format.width);
    let first = format.unitAt(this.#source, from);
    // Marks before the change for which the changed text was read, too.
    for (let i = firstAfter(marks, at, 'unit') - 1; i >= 0 && marks[i].unit >= at - 2 * LONGEST; i--) {
      if (marks[i].reach >= at && (first < 0 || marks[i].unit < first)) first = marks[i].unit;
    }
    const shift = length - removed;
    const end = Math.max(last, at + length);
    const begin = first < 0 ? firstAfter(marks, from, 'unit') : firstAfter(marks, first - 1, 'unit');
    const after = Math.max(begin, firstAfter(marks, end - shift, 'unit'));
    const start = first < 0 ? this.#source.slice(from, end).indexOf('\n') + 1 : 0;
    const found = first >= 0 ? format.scan(this.#source, first, end) : start ? format.scan(this.#source, from + start, end) : [];
    if (shift) {
      for (let i = after; i < marks.length; i++) {
        const mark = marks[i];
        mark.unit += shift;
        mark.from += shift;
        mark.to += shift;
        mark.reach += shift;
      }
    }
    if (begin === after && !found.length) return false;
    const old = marks.slice(begin, after);
    if (old.length === found.length && old.every((mark, i) => looksSame(mark, found[i]))) {
      old.forEach((mark, i) => Object.assign(mark, found[i]));
      return false;
    }
    splice(marks, begin, after, found);
    for (const mark of found) this.#base(mark);
    carry(old.filter(({id}) => id !== undefined), /** @type {Mark[]} */ (found).filter(({level}) => level !== undefined), (old, mark) => (mark.id = old.id));
    return true;
  }

  /** Decides which marks are headings, and no part of a block. */
  #resolve() {
    const {closes} = this.#format;
    this.#active = [];
    this.#settled = false;
    let block = '';
    for (const mark of this.#marks) {
      const active = !block && mark.level !== undefined;
      if (active) this.#active.push(this.#base(mark));
      else mark.id = undefined;
      if (block) block = closes(block, mark) ? '' : block;
      else if (mark.opens && this.#begins(mark)) block = mark.opens;
    }
  }

  /** Whether a block begins at a mark. Front matter that does not end is none. @param {Mark} mark */
  #begins({opens = ''}) {
    return !['---', '+++'].includes(opens) || this.#marks.some((mark) => mark.from > 0 && this.#format.closes(opens, mark));
  }

  /** Gives a unique id to each heading that has none. */
  #name() {
    const missing = this.#active.filter(({id}) => id === undefined);
    if (!missing.length) return;
    const used = new Set(this.#active.map(({id}) => id));
    if (missing.length === this.#active.length) this.#settled = true;
    /** @type {Map<string, number>} */ const numbers = new Map();
    for (const mark of missing) {
      const base = /** @type {string} */ (mark.base);
      let id = base;
      let number = numbers.get(base) ?? 2;
      while (used.has(id)) {
        const suffix = `-${number++}`;
        id = cut(base, this.#longestId - suffix.length) + suffix;
      }
      numbers.set(base, number);
      used.add(id);
      mark.id = id;
    }
  }

  /** @param {Mark} mark */
  #base(mark) {
    if (mark.level !== undefined) mark.base ??= cut(identifier(mark.name ?? '') || slug(mark.title ?? '') || 'section', this.#longestId);
    return mark;
  }
}

const SHOWN = /** @type {const} */ (['level', 'title', 'name', 'opens', 'closes']);

/** The ids of headings by their text alone. @type {WeakMap<Heading, string>} */
const bases = new WeakMap();

/** Letters that are blank, which the server does not accept alone. */
const BLANK = /[\u115f\u1160\u2800\u3164\uffa0\ufffd\u00ad\u200c\u200d]/g;

/** @param {string} text what is visible nowhere is no id */
const visible = (text) => (/[\p{L}\p{N}]/u.test(text) ? text : '');

/** An id from a title: `Related Work` gives `related-work`. @param {string} title */
export const slug = (title) => visible(title.toLowerCase().replace(BLANK, '').normalize().replace(/[^\p{L}\p{N}\p{M}_]+/gu, '-').replace(/^-|-$/g, ''));

/** An id that the author gave, without what a section cannot contain. @param {string} name */
export const identifier = (name) => visible(name.slice(0, 1000).replace(BLANK, '').normalize().replace(/[^\p{L}\p{N}\p{M}\p{P}\p{S}]+|\//gu, '-').replace(/^-+|-+$/g, ''));

/** The first characters of a text. @param {string} text @param {number} length */
export const cut = (text, length) => (text.length <= length ? text : [...text.slice(0, 2 * length)].slice(0, length).join('').replace(/-+$/, ''));

/** The index of the first mark whose offset is greater. @param {readonly Mark[]} marks @param {number} offset @param {'unit' | 'from'} key */
function firstAfter(marks, offset, key) {
  let low = 0;
  for (let high = marks.length; low < high;) {
    const middle = (low + high) >> 1;
    if (marks[middle][key] <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param {Mark} these @param {Mark} those */
const looksSame = (these, those) => SHOWN.every((key) => these[key] === those[key]);

/** Replaces marks. Not by one call, whose arguments would be too many. @param {Mark[]} marks @param {number} begin @param {number} after @param {Mark[]} found */
function splice(marks, begin, after, found) {
  const rest = found.length === after - begin ? undefined : marks.slice(after);
  found.forEach((mark, i) => (marks[begin + i] = mark));
  if (!rest) return;
  marks.length = begin + found.length;
  for (const mark of rest) marks.push(mark);
}

/**
 * Calls `keep` for each heading that is at the same place as before: those at the beginning and at the end that are the same, and
 * between them, if they are as many as before, those with another title. One whose title was there before has been moved.
 * @template {{base?: string, level?: number}} T @param {readonly T[]} before @param {readonly Mark[]} now @param {(old: T, mark: Mark) => void} keep
 */
function carry(before, now, keep) {
  let begin = 0;
  let oldEnd = before.length;
  let end = now.length;
  while (begin < Math.min(oldEnd, end) && before[begin].base === now[begin].base) keep(before[begin], now[begin++]);
  while (Math.min(oldEnd, end) > begin && before[oldEnd - 1].base === now[end - 1].base) keep(before[--oldEnd], now[--end]);
  if (oldEnd !== end) return;
  const old = new Set(before.slice(begin, end).map(({base}) => base));
  const fresh = new Set(now.slice(begin, end).map(({base}) => base));
  for (let i = begin; i < end; i++) if (!old.has(now[i].base) && !fresh.has(before[i].base)) keep(before[i], now[i]);
}
