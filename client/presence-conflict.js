/**
 * The users who conflict with you in your section, and which of them you know about: those for whom you answered `Edit anyway`, and
 * those who entered while you were editing. An answer holds for its section and users as long as the page is open.
 *
 * @typedef {import('./presence-types.js').User} User
 */

import {differing} from './presence-sharing.js';

export class PresenceConflict {
  /** @type {readonly User[]} */ users = [];
  /** @type {string | null} */ #section = null;
  /** sections and users @type {Set<string>} */ #answered = new Set();
  /** @type {Set<User['user_id']>} reported while you were already editing the section */ #seen = new Set();
  /** @type {Set<User['user_id']>} open at the last call of note() */ #lastOpen = new Set();

  /** Changes the section, and forgets the conflicts of the last one. @param {string | null} section */
  enter(section) {
    this.#section = section;
    this.users = [];
    this.#seen.clear();
  }

  /** Your section has moved. What you have answered stays answered if nobody is open; answers in other sections that moved are forgotten. @param {string} section */
  follow(section) {
    const {agreed} = this;
    this.#section = section;
    if (agreed) this.answer();
  }

  /** Records `Edit anyway` for all users who conflict now. */
  answer() {
    for (const user of this.users) this.#answered.add(this.#key(user));
  }

  /** The ids of the users for whom you have not answered, and whom you have not seen while editing. */
  get open() {
    return this.users.filter((user) => !this.#answered.has(this.#key(user)) && !this.#seen.has(user.user_id)).map(({user_id}) => user_id);
  }

  /** Whether users conflict, and you know about all of them. */
  get agreed() {
    return this.users.length && !this.open.length;
  }

  /** Whether a user became open since the last call. While you are editing, they then count as seen. @param {boolean} editing */
  note(editing) {
    const {open} = this;
    const isNew = open.some((id) => !this.#lastOpen.has(id));
    this.#lastOpen = new Set(open);
    if (editing) for (const id of open) this.#seen.add(id);
    return isNew;
  }

  /** @param {User} user */
  #key(user) {
    return `${this.#section}\n${user.user_id}`;
  }
}

/** Whether a user edits a section. @param {User} user @param {string | null} section */
export const edits = ({editing, activity, section: last}, section) =>
  editing ? editing.includes(/** @type {string} */ (section)) : activity === 'editing' && last === section;

/** Whether a user edits a section or has unsaved changes in it (rule 18). @param {User} user @param {string | null} section */
export const claims = (user, section) => edits(user, section) || !!user.unsaved?.includes(/** @type {string} */ (section));

/** The users in the first list who are not in the second. @param {readonly User[]} these @param {readonly Pick<User, 'user_id'>[]} those */
export function missing(these, those) {
  const [some, others] = differing(these, those); // most are the same objects
  const ids = new Set(others.map((user) => user.user_id));
  return some.filter((user) => !ids.has(user.user_id));
}

/**
 * Whether some of these users may have left: any of them if the list is outdated, but in a partial list only those marked `old`.
 * @param {readonly User[]} users @param {import('./presence-types.js').Snapshot} snapshot
 */
export const areOld = (users, {stale, partial}) => stale && (!partial || users.some(({old}) => old));
