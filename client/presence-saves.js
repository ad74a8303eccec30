/**
 * The newest save of each section as the server lists them (rule 19), and the revisions that this page opened and saved.
 *
 * A save of this page is sent with each update until an answer accepts it. The version of that answer says from which list on the save of
 * the section is this one or a newer one; older lists say nothing about it.
 *
 * @typedef {import('./presence-types.js').Save} Save
 * @typedef {import('./presence-types.js').Saved} Saved
 *
 * @typedef {object} Copy the text of a section in this page
 * @property {string} revision opened or saved last; `''`: the section had never been saved
 * @property {string} [own] saved last by this page
 * @property {unknown} [by] the user as whom the server accepted `own`: the page may sign in or out afterwards
 * @property {number} since the version of the answer that accepted `own`; Infinity: none did yet
 */

import {MAX_SAVES} from './constants.js';
import {after} from './section.js';

export class PresenceSaves {
  /** @type {readonly Save[]} sorted by section */ list = [];
  /** @type {readonly Save[]} new in the last list */ fresh = [];
  /** @type {Map<string, Copy>} by section, the one changed last at the end */ #copies = new Map();

  /** @param {string} section @param {string} revision */
  opened(section, revision) {
    this.#set(section, {since: 0, ...this.#copies.get(section), revision});
  }

  /** @param {string} section @param {string} revision */
  saved(section, revision) {
    this.#set(section, {revision, own: revision, since: Infinity});
  }

  /** The save to send next: the one that waits for the longest time. @returns {Saved | undefined} */
  get due() {
    for (const [section, {own, since}] of this.#copies) if (since === Infinity) return {section, revision: /** @type {string} */ (own)};
  }

  /** Ends the sending of a save, unless the section was saved again. @param {Saved | undefined} saved @param {number} version of the answer; 0: it was rejected @param {unknown} [by] your id in the answer @returns {boolean} whether it ended */
  end(saved, version, by) {
    const copy = this.#copies.get(saved?.section ?? '');
    if (!copy || copy.own !== saved?.revision || copy.since < Infinity) return false;
    copy.since = version;
    copy.by = by;
    return true;
  }

  /** Follows sections that moved. The next list has their saves there. @param {readonly import('./presence-types.js').Move[]} moves */
  follow(moves) {
    this.#copies = new Map([...this.#copies].map(([section, copy]) => [after(section, moves), copy]));
  }

  /** The list with these saves in place of older ones, and without these sections. @param {readonly Save[]} [saves] @param {readonly string[]} [gone] */
  merge(saves = [], gone = []) {
    if (!saves.length && !gone.length) return this.list;
    const replaced = new Set([...gone, ...saves.map(({section}) => section)]);
    const kept = this.list.filter(({section}) => !replaced.has(section));
    return [...kept, ...saves].sort((a, b) => (a.section < b.section ? -1 : 1));
  }

  /** @param {readonly Save[]} list @param {boolean} first nothing is new in it @param {readonly import('./presence-types.js').Move[]} moves since the last list */
  replace(list, first, moves) {
    if (list === this.list) return;
    const known = new Set(this.list.map((save) => JSON.stringify({...save, section: after(save.section, moves)})));
    this.fresh = first ? [] : list.filter((save) => !known.has(JSON.stringify(save)));
    this.list = list;
  }

  /** The server lost its data, so the versions of its lists start again. */
  reset() {
    for (const copy of this.#copies.values()) if (copy.since < Infinity) copy.since = 0;
  }

  /**
   * The save of a section if it is newer than the text in this page.
   * @param {string | null} section @param {number} version of the list @param {(save: Save) => boolean} isMine by any of the user's pages
   */
  newer(section, version, isMine) {
    const copy = this.#copies.get(section ?? '');
    const save = copy && this.list.find((save) => save.section === section);
    if (!save || save.revision === copy.revision || copy.since > version || this.isOwn(save, version, isMine)) return null;
    return save;
  }

  /** Whether this page made a save. @param {Save} save @param {number} version of the list @param {(save: Save) => boolean} isMine */
  isOwn(save, version, isMine) {
    const copy = this.#copies.get(save.section);
    return !!copy && (save.user_id === copy.by || isMine(save)) && (copy.own === save.revision || copy.since > version);
  }

  /** @param {string} section @param {Copy} copy */
  #set(section, copy) {
    this.#copies.delete(section);
    this.#copies.set(section, copy);
    if (this.#copies.size > MAX_SAVES) for (const oldest of this.#copies.keys()) return this.#copies.delete(oldest);
  }
}
