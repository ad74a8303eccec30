/** What the outline reads of CodeMirror's documents and changes. */

/**
 * @typedef {import('./outline-formats.js').Source} Source
 * @typedef {import('./outline.js').Change} Change
 */

/** @param {import('@codemirror/state').Text} document @returns {Source} */
export const sourceOf = (document) => ({length: document.length, slice: (from, to) => document.sliceString(Math.min(from, document.length), Math.min(to, document.length))});

/** @param {import('@codemirror/state').ChangeDesc} changes @returns {Change[]} */
export function changesOf(changes) {
  /** @type {Change[]} */ const list = [];
  changes.iterChangedRanges((from, to, fromB, toB) => list.push({from, to, length: toB - fromB}));
  return list;
}
