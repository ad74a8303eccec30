/**
 * Shows the users beside each section, so that you see them before you enter: names after each option of the select with the
 * sections, avatars in every element with `data-presence-section`.
 *
 * @typedef {import('./presence-types.js').User} User
 */

import {make} from './element.js';
import {applyAvatar} from './presence-badge.js';
import {normalSection} from './section.js';
import {labelOf} from './strings.js';

const AVATARS = 4;

export class PresenceMarkers {
  #words;
  #selector;
  /** @type {WeakMap<HTMLOptionElement, {label: string, shown: string}>} */ #options = new WeakMap();
  /** @type {WeakMap<Element, {row: HTMLElement, key: string}>} */ #rows = new WeakMap();

  /** @param {import('./strings.js').Words} words @param {() => Element | null} selector the select with the sections, if there is one now */
  constructor(words, selector) {
    this.#words = words;
    this.#selector = selector;
  }

  /** The host's label for a section. @param {string} section */
  label(section) {
    const normal = normalSection(section);
    const option = this.#list().find(({value}) => normalSection(value) === normal);
    return (option && this.#labelOf(option).trim()) || labelOf(section);
  }

  /** @param {readonly User[]} users */
  render(users) {
    /** @param {string} section */
    const usersIn = (section) => users.filter(({sections}) => sections.includes(section));
    for (const option of this.#list()) this.#mark(option, usersIn(normalSection(option.value)));
    for (const element of document.querySelectorAll('[data-presence-section]')) {
      const section = normalSection(element.getAttribute('data-presence-section'));
      this.#renderAvatars(element, section, usersIn(section));
    }
  }

  #list() {
    const selector = this.#selector();
    return selector instanceof HTMLSelectElement ? [...selector.options] : [];
  }

  /** The host's text of an option, also if the host changed it since. @param {HTMLOptionElement} option */
  #labelOf(option) {
    const cached = this.#options.get(option);
    return cached?.shown === option.textContent ? cached.label : option.textContent ?? '';
  }

  /** @param {HTMLOptionElement} option @param {User[]} users */
  #mark(option, users) {
    const label = this.#labelOf(option);
    const shown = users.length ? label.trimEnd() + this.#words.sentence('occupants', this.#named(users, normalSection(option.value))) : label;
    this.#options.set(option, {label, shown});
    if (option.textContent !== shown) option.textContent = shown;
  }

  /** @param {Element} element @param {string} section @param {User[]} users */
  #renderAvatars(element, section, users) {
    const names = this.#named(users, section);
    const key = JSON.stringify([names, users.map(({user_id, avatar_url}) => [user_id, avatar_url])]);
    const old = this.#rows.get(element);
    if (old?.key === key && old.row.parentNode === element) return;
    old?.row.remove();
    this.#rows.delete(element);
    if (!users.length) return;

    const text = make('span', 'presence-said');
    this.#words.showSentence(text, 'occupants', names);
    const avatars = users.slice(0, AVATARS).map((user) => avatar(user, section, isIdleIn(user, section) && this.#words.text('idle')));
    const row = make('span', 'presence-occupants', text, ...avatars);
    row.title = names.map(({username}) => username).join('\n');
    if (users.length > AVATARS) row.append(avatarElement(`+${users.length - AVATARS}`));
    element.append(row);
    this.#rows.set(element, {row, key});
  }

  /** @param {User[]} users @param {string} section @returns {import('./strings.js').Named[]} */
  #named(users, section) {
    return users.map((user) => {
      const name = this.#words.name(user);
      const state = user.unsaved?.includes(section) ? 'unsavedName' : isIdleIn(user, section) && 'idleName';
      return {username: state ? this.#words.text(state, {name}) : name, visitor: false};
    });
  }
}

/** Whether a user is idle in a section; the activity is known for the section touched last only. @param {User} user @param {string} section */
const isIdleIn = (user, section) => user.activity === 'idle' && user.section === section;

/** @param {User} user @param {string} section @param {string | false} idle the word for it */
function avatar(user, section, idle) {
  const element = avatarElement(user.initials || '?');
  applyAvatar(element, user, Boolean(idle));
  if (idle) element.append(` ${idle}`);
  element.toggleAttribute('data-unsaved', !!user.unsaved?.includes(section));
  return element;
}

/** @param {string} text */
function avatarElement(text) {
  const element = make('span', 'presence-avatar', text);
  element.ariaHidden = 'true';
  return element;
}
