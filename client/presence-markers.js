/**
 * Shows the users beside each section, so that you see them before you enter: names after each option of the select with the
 * sections, avatars in every element with `data-presence-section`.
 *
 * The text of an option is never changed, and so never mistaken for the host's after a translator or an extension rewrote it: the names
 * are in the attribute `label`. Meanwhile `data-presence-label` has the host's `label`, also in a copy of the option; `''` for none.
 *
 * @typedef {import('./presence-types.js').User} User
 */

import {isCopy, make, own} from './element.js';
import {applyAvatar} from './presence-badge.js';
import {normalSection} from './section.js';
import {labelOf} from './strings.js';

const AVATARS = 4;

/** @type {WeakMap<HTMLOptionElement, {label: string, name: string, by: PresenceMarkers}>} the `label` that was set, a name in it, and by which manager's markers */
const shown = new WeakMap();

export class PresenceMarkers {
  #words;
  #selector;
  #findAll;
  /** @type {WeakMap<Element, {row: HTMLElement, key: string}>} */ #rows = new WeakMap();

  /**
   * @param {import('./strings.js').Words} words
   * @param {() => Element | null} selector the select with the sections, if there is one now
   * @param {(selector: string) => Iterable<Element>} findAll
   */
  constructor(words, selector, findAll) {
    this.#words = words;
    this.#selector = selector;
    this.#findAll = findAll;
  }

  /** The host's label for a section. @param {string} section */
  label(section) {
    const normal = normalSection(section);
    const option = this.#list().find(({value}) => normalSection(value) === normal);
    return (option && this.#labelOf(option)) || labelOf(section);
  }

  /** @param {readonly User[]} users */
  render(users) {
    /** @param {string} section */
    const usersIn = (section) => users.filter(({sections}) => sections.includes(section));
    for (const option of this.#list()) this.#mark(option, usersIn(normalSection(option.value)));
    for (const part of this.#findAll('[data-presence-part]')) if (isCopy(part)) part.remove();
    for (const element of this.#findAll('[data-presence-section]')) {
      const section = normalSection(element.getAttribute('data-presence-section'));
      this.#renderAvatars(element, section, usersIn(section));
    }
  }

  #list() {
    const selector = this.#selector();
    return selector instanceof HTMLSelectElement ? [...selector.options] : [];
  }

  /** The host's label of an option. @param {HTMLOptionElement} option */
  #labelOf({dataset, label, text}) {
    return dataset.presenceLabel === undefined ? label : dataset.presenceLabel || text;
  }

  /** @param {HTMLOptionElement} option @param {User[]} users */
  #mark(option, users) {
    const {dataset} = option;
    const last = shown.get(option);
    const label = option.getAttribute('label') ?? '';
    // Without our names it is the host's new label, and not ours that an extension rewrote.
    if (dataset.presenceLabel !== undefined && last && label !== last.label && !label.includes(last.name)) dataset.presenceLabel = label;
    if (users.length) {
      dataset.presenceLabel ??= label;
      const names = this.#named(users, normalSection(option.value));
      const next = this.#labelOf(option) + this.#words.sentence('occupants', names);
      shown.set(option, {label: next, name: names[0].username, by: this});
      if (label !== next) option.label = next;
    } else if (dataset.presenceLabel !== undefined && (last?.by ?? this) === this) {
      if (dataset.presenceLabel) option.label = dataset.presenceLabel;
      else option.removeAttribute('label');
      delete dataset.presenceLabel;
    }
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
    own(row);
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
