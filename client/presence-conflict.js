/**
 * Who else is editing your section, and of whom you know it: because you answered `Edit anyway`, or because they came to you.
 * An answer holds for that section and those people as long as the page lives; somebody new is news again.
 *
 * @typedef {import('./presence-types.js').User} User
 */

export class PresenceConflict {
  /** @type {readonly User[]} */ users = [];
  /** @type {string | null} */ #section = null;
  /** @type {Set<string>} */ #answered = new Set();
  /** @type {Set<string>} of whom you heard while you were editing the section already */ #told = new Set();
  /** @type {Set<string>} who was news at the last look */ #alarm = new Set();

  /** Another section: what was true of the last one says nothing about it. @param {string | null} section */
  enter(section) {
    this.#section = section;
    this.users = [];
    this.#told.clear();
  }

  /** Edit beside all who are here now. */
  answer() {
    for (const user of this.users) this.#answered.add(this.#key(user));
  }

  /** Those whom you have neither answered for nor been told of. */
  get open() {
    return this.users.map((user) => this.#key(user)).filter((key) => !this.#answered.has(key) && !this.#told.has(key));
  }

  /** Others are editing here, and you edit beside every one of them knowingly. */
  get agreed() {
    return this.users.length > 0 && !this.open.length;
  }

  /** Whether somebody is news who was none a moment ago; whoever edits already has now been told. @param {boolean} editing */
  look(editing) {
    const {open} = this;
    const news = open.some((key) => !this.#alarm.has(key));
    this.#alarm = new Set(open);
    if (editing) for (const key of open) this.#told.add(key);
    return news;
  }

  /** @param {User} user */
  #key(user) {
    return `${this.#section}\n${user.user_id}`;
  }
}

/** Who of these is not among those. @param {readonly User[]} these @param {readonly Pick<User, 'user_id'>[]} those */
export function missing(these, those) {
  const ids = new Set(those.map((user) => user.user_id));
  return these.filter((user) => !ids.has(user.user_id));
}

/**
 * Whether these are people last heard of, not surely here: all of them when the list is old, and of a partial list those whom it does not name.
 * @param {readonly User[]} users @param {import('./presence-types.js').Snapshot} snapshot
 */
export const areOld = (users, {stale, partial}) => stale && (!partial || users.some(({old}) => old));
