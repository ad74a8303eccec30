/**
 * The headings of a rich text, whose editor says which of its blocks are headings, as a sorted list that is never changed.
 *
 * A heading keeps its section while it is renamed or moves. `settled()` gives the sections that the text has now, as others have them who
 * load it later.
 *
 * @typedef {object} Block a heading as the editor has it
 * @property {number} at where it begins
 * @property {number} end where the text below it begins
 * @property {string} title
 * @property {string} [id] by which the text names it
 *
 * @typedef {Block & {section: string, base: string}} Heading `base`: the last part of the section by this heading alone
 *
 * @typedef {object} Change of a text
 * @property {number} from where it begins, in the old and the new text
 * @property {number} oldTo
 * @property {number} newTo
 * @property {readonly Block[]} blocks the headings that begin or end between `from` and `newTo`, both included
 * @property {(heading: Heading) => number | undefined} [placeOf] where a heading that was there begins now; undefined if it is not known or was deleted
 */

import {MAX_SECTION, cut, identifier, slug} from './outline.js';

const MAX_TITLE = 1000; // characters of a heading that are read

/** The index of the first heading for which it is true. @param {readonly Heading[]} headings sorted, those for which it is true at the end @param {(heading: Heading) => boolean} is */
function firstIndex(headings, is) {
  let low = 0;
  let high = headings.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (is(headings[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The heading above a position, or around it. @param {readonly Heading[]} headings @param {number} position */
export const headingAt = (headings, position) => headings[firstIndex(headings, ({at}) => at > position) - 1];

/**
 * The headings of a text after a change; the time for it grows with the headings in the changed part, and little with the others.
 * @param {readonly Heading[]} before @param {Change} change @param {string} prefix of sections
 * @returns {{headings: readonly Heading[], same: boolean}} `same`: no heading was added, removed or changed, they only moved
 */
export function changed(before, {from, oldTo, newTo, blocks, placeOf = () => undefined}, prefix) {
  const start = firstIndex(before, ({end}) => end >= from);
  const stop = Math.max(start, firstIndex(before, ({at}) => at > oldTo));
  const shift = newTo - oldTo;
  const above = before.slice(0, start);
  const gone = before.slice(start, stop);
  const rest = before.slice(stop);
  // Not by `{...heading}`, which takes ten times as long.
  const below = shift ? rest.map(({at, end, title, id, section, base}) => ({at: at + shift, end: end + shift, title, id, section, base})) : rest;
  const same = blocks.length === gone.length && blocks.every(({title, id}, i) => title === gone[i].title && id === gone[i].id);
  const middle = same ? blocks.map((block, i) => ({...block, section: gone[i].section, base: gone[i].base})) : named(blocks, matches(gone, blocks, placeOf), prefix, [...above, ...rest]);
  return {headings: [...above, ...middle, ...below], same: same && !blocks.length};
}

/**
 * The headings with the sections that they have in a text that is loaded now, but for the one at the caret, which may be being renamed.
 * @param {readonly Heading[]} headings @param {number} caret a position; -1 for none @param {string} prefix
 * @param {(section: string) => boolean} [isHeld] whether a section keeps its name
 * @returns {{headings: readonly Heading[], renamed: {from: string, to: string}[]}} the same list if no section has another name now
 */
export function settled(headings, caret, prefix, isHeld = () => false) {
  if (final.has(headings)) return {headings, renamed: []};
  const kept = new Map();
  headings.forEach((heading, i) => ((heading.at <= caret && caret < heading.end) || isHeld(heading.section)) && kept.set(i, heading));
  const now = named(headings, kept, prefix, []); // by the bases that they have
  const renamed = now.flatMap(({section}, i) => (section === headings[i].section ? [] : [{from: headings[i].section, to: section}]));
  const result = renamed.length ? now : headings;
  if (!kept.size) final.add(result);
  return {headings: result, renamed};
}

/** Lists that are settled. @type {WeakSet<readonly Heading[]>} */
const final = new WeakSet();

/**
 * Headings with their sections. Those that keep theirs come first, so that a new heading above does not take it.
 * @param {readonly (Block & {base?: string})[]} blocks @param {Map<number, Heading>} kept what the blocks were @param {string} prefix @param {readonly Heading[]} others in the rest of the text
 * @returns {Heading[]}
 */
function named(blocks, kept, prefix, others) {
  const taken = new Set(others.map(({section}) => section));
  const start = prefix && `${prefix}/`;
  const bases = blocks.map(({id, title, base}) => base ?? baseOf(id, title, MAX_SECTION - start.length));
  /** @type {string[]} */ const sections = [];
  /** @type {Map<string, number>} the next number of a base that is used several times */ const numbers = new Map();
  const name = (/** @type {number} */ i) => {
    let section = start + bases[i];
    for (let number = numbers.get(bases[i]) ?? 2; taken.has(section); number++) {
      section = `${start}${cut(bases[i], MAX_SECTION - start.length - `-${number}`.length)}-${number}`;
      numbers.set(bases[i], number + 1);
    }
    taken.add((sections[i] = section));
  };
  blocks.forEach(({id}, i) => id && name(i));
  for (const [i, {section}] of kept) if (!sections[i] && !taken.has(section)) taken.add((sections[i] = section));
  blocks.forEach((_block, i) => sections[i] || name(i));
  return blocks.map(({at, end, title, id}, i) => ({at, end, title, id, section: sections[i], base: bases[i]}));
}

/** The heading that each block was. First those of the same title at the same place, then of the same title, then at the same place. @param {Heading[]} gone @param {readonly Block[]} blocks @param {(heading: Heading) => number | undefined} placeOf */
function matches(gone, blocks, placeOf) {
  /** @type {Map<number, Heading>} */ const kept = new Map();
  const byPlace = new Map(blocks.map(({at}, i) => [at, i]));
  const places = gone.map(placeOf).map((at) => (at === undefined ? undefined : byPlace.get(at)));
  const found = new Set();
  const keep = (/** @type {number} */ i, /** @type {Heading} */ heading) => {
    kept.set(i, heading);
    found.add(heading);
  };
  const keepAtPlace = (/** @type {boolean} */ sameTitle) => {
    // From the end, because the place of those that were deleted may be that of the next one.
    for (let g = gone.length - 1; g >= 0; g--) {
      const i = places[g];
      if (i === undefined || kept.has(i) || found.has(gone[g]) || (sameTitle && blocks[i].title !== gone[g].title)) continue;
      keep(i, gone[g]);
    }
  };
  keepAtPlace(true);
  /** @type {Map<string, number[]>} */ const byTitle = new Map();
  for (let i = blocks.length - 1; i >= 0; i--) {
    if (kept.has(i)) continue;
    const same = byTitle.get(blocks[i].title);
    if (same) same.push(i);
    else byTitle.set(blocks[i].title, [i]);
  }
  for (const heading of gone) {
    const i = found.has(heading) ? undefined : byTitle.get(heading.title)?.pop();
    if (i !== undefined) keep(i, heading);
  }
  keepAtPlace(false);
  return kept;
}

/** The last part of a section by its heading alone. @param {string | undefined} id @param {string} title @param {number} length */
const baseOf = (id, title, length) => cut((id && identifier(id)) || slug(title.slice(0, MAX_TITLE)) || 'section', length);
