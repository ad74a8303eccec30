/** Sections in the form in which the server compares and lists them. The server's NormalSection has the same rules. */

import {MAX_SECTION} from './constants.js';

/** @type {Map<string, string>} normal forms of recent spellings, since the users of a list are in few sections */
const known = new Map();

/**
 * A section in NFC, with single slashes inside, without "." segments and white space around segments; `''` for none.
 * @param {string | null | undefined} section in any spelling
 */
export function normalSection(section) {
  const text = section ?? '';
  let normal = known.get(text);
  if (normal === undefined) {
    const parts = text.normalize().split('/').map((part) => part.replace(/\p{Zs}+/gu, ' ').trim());
    normal = parts.filter((part) => part && part !== '.').join('/');
    if (known.size > 1000) known.clear();
    known.set(text, normal);
  }
  return normal;
}

/**
 * Where a section is after moves, which apply in order to a section and all below it (rule 23). One that did not move stays as it is written;
 * so does one whose path would be too long.
 * @template {string | null | undefined} T @param {T} section @param {readonly {from: string, to: string}[]} moves @returns {T | string}
 */
export function after(section, moves) {
  /** @type {T | string} */ let now = section;
  for (const {from, to} of moves) {
    const normal = normalSection(now);
    const moved = to + normal.slice(from.length);
    if (`${normal}/`.startsWith(`${from}/`) && [...moved].length <= MAX_SECTION) now = moved;
  }
  return now;
}
