/**
 * What users do in a section, and in which order the interface shows them: first those who edit or have unsaved changes, then those who
 * view, then those who are idle; the server's order within each.
 *
 * @typedef {import('./presence-types.js').User} User
 */

import {claims, edits} from './presence-conflict.js';

/** @typedef {'editing' | 'viewing' | 'idle'} Activity */

/** What a user does in one of their sections. The server states idleness only for the section touched last. @param {User} user @param {string} section @returns {Activity} */
export function activityIn(user, section) {
  if (section && edits(user, section)) return 'editing';
  return user.activity === 'idle' && user.section === section ? 'idle' : 'viewing';
}

/** @param {User} user @param {string} section */
export const isUnsavedIn = (user, section) => !!user.unsaved?.includes(section);

/** @param {User} user @param {string} section */
const rank = (user, section) => (claims(user, section) ? 0 : activityIn(user, section) === 'viewing' ? 1 : 2);

/** Users in the order of the interface. @param {readonly User[]} users @param {(user: User) => string} sectionOf the section in which a user is shown */
export function ordered(users, sectionOf) {
  /** @type {User[][]} */ const ranks = [[], [], []];
  for (const user of users) ranks[rank(user, sectionOf(user))].push(user);
  return ranks.flat();
}

/**
 * The users of each section in the order of the interface.
 * @param {readonly User[]} users @param {(user: User) => readonly string[]} sectionsOf the sections in which a user is shown
 * @returns {Map<string, User[]>}
 */
export function bySection(users, sectionsOf) {
  /** @type {Map<string, User[]>} */ const sections = new Map();
  for (const user of users) {
    for (const section of sectionsOf(user)) {
      const same = sections.get(section);
      if (same) same.push(user);
      else sections.set(section, [user]);
    }
  }
  for (const [section, users] of sections) sections.set(section, ordered(users, () => section));
  return sections;
}

/** Whether both lists hold the same objects in the same order: a user who looks different is another object. @param {readonly User[]} these @param {readonly User[]} [those] */
export const sameUsers = (these, those) => these.length === those?.length && these.every((user, i) => user === those[i]);
