/**
 * Avatars: initials or a picture on the user's colour. A mark in the corner shows the activity by its form and not by its colour: a
 * pencil for editing, a moon for idle, none for viewing; a dot above it shows unsaved changes. They only repeat what a text says.
 *
 * @typedef {import('./presence-types.js').User} User
 */

import {icon, make} from './element.js';
import {activityIn, isUnsavedIn} from './presence-occupants.js';

/** @param {User} user @param {string} section what the user does there is marked @param {boolean} [pictures] false: initials only */
export function avatar(user, section, pictures = true) {
  const element = make('span', 'presence-avatar');
  const activity = activityIn(user, section);
  element.ariaHidden = 'true';
  element.dataset.initials = user.initials || '?';
  element.dataset.activity = activity;
  element.toggleAttribute('data-unsaved', isUnsavedIn(user, section));
  if (/^#[0-9a-f]{6}$/i.test(user.avatar_color)) element.style.setProperty('--presence-color', user.avatar_color);
  if (pictures && user.avatar_url?.startsWith('https:')) {
    // It covers the initials, which stay visible until it is loaded.
    const picture = make('img');
    picture.alt = '';
    picture.referrerPolicy = 'no-referrer';
    picture.onerror = () => picture.remove();
    picture.src = user.avatar_url;
    element.append(picture);
  }
  if (activity !== 'viewing') element.append(icon(activity));
  return element;
}

/**
 * Overlapping avatars of the first users and the number of the others. Neighbours of one colour are told apart by stripes.
 * @param {readonly User[]} users @param {(user: User) => string} sectionOf the section in which a user is shown @param {number} max avatars @param {number} count of all users @param {boolean} pictures
 */
export function faces(users, sectionOf, max, count, pictures) {
  const row = make('span', 'presence-faces');
  row.ariaHidden = 'true';
  /** @type {HTMLElement | undefined} */ let last;
  for (const user of users.slice(0, max)) {
    const element = avatar(user, sectionOf(user), pictures);
    const alike = last?.style.getPropertyValue('--presence-color') === element.style.getPropertyValue('--presence-color');
    element.toggleAttribute('data-striped', alike && !last?.hasAttribute('data-striped'));
    row.append((last = element));
  }
  const more = count - Math.min(users.length, max);
  if (more > 0) {
    const rest = make('span', 'presence-avatar');
    rest.dataset.initials = `+${Math.min(more, 99)}`;
    row.append(rest);
  }
  return row;
}
