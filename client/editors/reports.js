/**
 * The reports of an editor whose positions do not stay: it looks up the section of a place when the person is there, and not later, when the
 * report is due and the text has changed. Sections that were renamed meanwhile have their new names.
 *
 * @typedef {{section: string | null}} Place
 * @typedef {import('./editing.js').Renamed} Renamed
 */

import {claims} from '../presence-conflict.js';
import {Editing, INTERVAL} from './editing.js';

export class Reports {
  #manager;
  #settle;
  /** @type {Editing<Place>} */ #editing;
  /** @type {Place} */ #caret = {section: null};
  /** @type {Place} */ #change = {section: null};
  /** when the text was last changed without the focus */ #changedAt = -Infinity;

  /**
   * @param {import('./editing.js').Manager & Pick<import('../presence-core.js').PresenceCore, 'getSnapshot'>} manager
   * @param {object} options
   * @param {(section: string, focus: boolean) => boolean} options.goTo as in `Editing`
   * @param {(isHeld: (section: string) => boolean) => readonly Renamed[]} options.settle gives renamed headings the sections by their text, except
   *   the heading at the caret, and those whose section others claim: they rename it, or have another text
   */
  constructor(manager, {goTo, settle}) {
    this.#manager = manager;
    this.#settle = settle;
    this.#editing = new Editing(manager, {
      sectionAt: ({section}) => section,
      goTo,
      settle: () => this.#rename(),
    });
  }

  /** @param {string | null} section */
  moved(section) {
    this.#editing.moved((this.#caret = {section}));
  }

  /** @param {string | null} section */
  shifted(section) {
    this.#editing.shifted((this.#caret = {section}));
  }

  /** @param {string | null} section */
  changed(section) {
    this.#editing.changed((this.#caret = this.#change = {section}));
  }

  /**
   * The text was changed while the editor did not have the focus: by the host, or by a button of a toolbar. What a button did is the person's:
   * after it the editor gets the focus, at once or in the next frame.
   */
  changedWithoutFocus() {
    this.#changedAt = performance.now();
  }

  /** The editor got the focus. @param {string | null} section */
  focused(section) {
    if (performance.now() - this.#changedAt < INTERVAL) this.changed(section);
    else this.moved(section);
    this.#changedAt = -Infinity;
  }

  /** Settles the sections now. To be called before the headings are compared with the sections of others. */
  settle() {
    this.#editing.renamed(this.#rename());
  }

  #rename() {
    const held = new Set(this.#manager.getSnapshot().users.flatMap((user) => user.sections.filter((section) => claims(user, section))));
    const renamed = this.#settle((section) => held.has(section));
    const names = new Map(renamed.map(({from, to}) => [from, to]));
    for (const place of [this.#caret, this.#change]) place.section = names.get(place.section ?? '') ?? place.section;
    return renamed;
  }

  /** The editor has another text. */
  reset() {
    this.#editing.reset();
  }

  /** @param {string | number} [revision] */
  saved(revision) {
    this.#editing.saved(revision);
  }

  destroy() {
    this.#editing.destroy();
  }
}
