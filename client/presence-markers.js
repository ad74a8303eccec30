/**
 * Shows the users beside each section, so that you see them before you enter: in the select with the sections who edits and how many view
 * or are idle, avatars in every element with `data-presence-section`.
 *
 * The text of an option is never changed, and so never mistaken for the host's after a translator or an extension rewrote it: the names
 * are in the attribute `label`. Meanwhile `data-presence-label` has the host's `label`, also in a copy of the option; `''` for none.
 * The select keeps the width that it has without the names.
 *
 * @typedef {import('./presence-types.js').User} User
 * @typedef {{label: string, by: PresenceMarkers, users: readonly User[], own: string}} Shown the `label` that was set, by which manager's markers, for whom, and the host's label then
 */

import {isCopy, make, own} from './element.js';
import {faces} from './presence-avatar.js';
import {activityIn, bySection, isUnsavedIn, sameUsers} from './presence-occupants.js';
import {after, normalSection} from './section.js';
import {labelOf} from './strings.js';

const AVATARS = 4;

/** An invisible character before our part of a label, which stays when an extension rewrites the words. */
const MARK = '\u2060';

const INTRINSIC = 'contain-intrinsic-inline-size';

/** @type {WeakMap<HTMLOptionElement, Shown>} */
const shown = new WeakMap();

export class PresenceMarkers {
  #words;
  #selector;
  #findAll;
  #pictures;
  /** @type {WeakMap<Element, {row: HTMLElement, section: string, users: readonly User[]}>} */ #rows = new WeakMap();
  /** the select that keeps its width @type {HTMLSelectElement | undefined} */ #sized;

  /**
   * @param {import('./strings.js').Words} words
   * @param {() => Element | null} selector the select with the sections, if there is one now
   * @param {(selector: string) => Iterable<Element>} findAll
   * @param {boolean} pictures
   */
  constructor(words, selector, findAll, pictures) {
    this.#words = words;
    this.#selector = selector;
    this.#findAll = findAll;
    this.#pictures = pictures;
  }

  /** The host's label for a section. @param {string} section */
  label(section) {
    const normal = normalSection(section);
    const option = this.#list().find(({value}) => normalSection(value) === normal);
    return (option && this.#labelOf(option)) || labelOf(section);
  }

  /** Gives options and elements the sections that moved. @param {readonly {from: string, to: string}[]} moves */
  follow(moves) {
    for (const option of this.#list()) {
      const to = after(option.value, moves);
      if (to !== option.value) option.value = to;
    }
    for (const element of this.#findAll('[data-presence-section]')) {
      const {dataset} = /** @type {HTMLElement} */ (element);
      dataset.presenceSection = after(dataset.presenceSection, moves);
    }
  }

  /** The host's sections in its order. */
  order() {
    return this.#list().map(({value}) => normalSection(value));
  }

  /** @param {readonly User[]} users */
  render(users) {
    const inSection = bySection(users, ({sections}) => sections);
    const usersIn = (/** @type {string} */ section) => inSection.get(section) ?? [];
    this.#markOptions(usersIn);
    for (const part of this.#findAll('[data-presence-part]')) if (isCopy(part)) part.remove();
    for (const element of this.#findAll('[data-presence-section]')) {
      const section = normalSection(element.getAttribute('data-presence-section'));
      this.#renderAvatars(element, section, usersIn(section));
    }
  }

  #list() {
    const selector = this.#selector();
    return selector?.localName === 'select' ? [.../** @type {HTMLSelectElement} */ (selector).options] : [];
  }

  /** The host's label of an option. @param {HTMLOptionElement} option */
  #labelOf({dataset, label, text}) {
    return dataset.presenceLabel === undefined ? label : dataset.presenceLabel || text;
  }

  /** @param {(section: string) => User[]} usersIn */
  #markOptions(usersIn) {
    const changes = this.#list().map((option) => this.#change(option, usersIn(normalSection(option.value)))).filter((change) => change);
    const select = /** @type {HTMLSelectElement} */ (this.#selector());
    if (!changes.length) return;
    if (select !== this.#sized && keepWidth(select)) this.#sized = select;
    for (const change of changes) change?.();
    if (this.#list().some(({dataset}) => dataset.presenceLabel !== undefined)) return;
    for (const name of ['contain', INTRINSIC]) select.style.removeProperty(name);
    this.#sized = undefined;
  }

  /** What has to be changed in an option. @param {HTMLOptionElement} option @param {User[]} users @returns {(() => void) | undefined} */
  #change(option, users) {
    const {dataset} = option;
    const last = shown.get(option);
    const label = option.getAttribute('label') ?? '';
    if (users.length && last?.by === this && label === last.label && this.#labelOf(option) === last.own && sameUsers(users, last.users)) return;
    // Without the mark it is the host's new label, and not ours that an extension rewrote.
    if (dataset.presenceLabel !== undefined && last && label !== last.label && !label.includes(MARK)) dataset.presenceLabel = label;
    if (users.length) {
      return () => {
        dataset.presenceLabel ??= label;
        const own = this.#labelOf(option);
        const next = own + MARK + this.#summary(users, normalSection(option.value));
        shown.set(option, {label: next, by: this, users, own});
        if (label !== next) option.label = next;
      };
    }
    if (dataset.presenceLabel === undefined || (last?.by ?? this) !== this) return;
    return () => {
      if (dataset.presenceLabel) option.label = dataset.presenceLabel;
      else option.removeAttribute('label');
      delete dataset.presenceLabel;
    };
  }

  /** ` — ✎ Jun, 5 viewing` @param {User[]} users @param {string} section */
  #summary(users, section) {
    const words = this.#words;
    const inState = (/** @type {string} */ state) => users.filter((user) => (isUnsavedIn(user, section) ? 'editing' : activityIn(user, section)) === state);
    const editors = inState('editing').map((user) => this.#named(user, isUnsavedIn(user, section) ? 'unsavedName' : undefined));
    const parts = [words.sentence('editingIn', editors), words.sentence('viewingIn', inState('viewing')), words.sentence('idleIn', inState('idle'))];
    return words.text('occupants', {names: words.list(parts.filter(Boolean))});
  }

  /** @param {Element} element @param {string} section @param {User[]} users */
  #renderAvatars(element, section, users) {
    const old = this.#rows.get(element);
    if (old?.row.parentNode === element && old.section === section && sameUsers(users, old.users)) return;
    old?.row.remove();
    this.#rows.delete(element);
    if (!users.length) return;

    const names = users.map((user) => this.#withActivity(user, section));
    const text = make('span', 'presence-said');
    this.#words.showSentence(text, 'occupants', names);
    const row = make('span', 'presence-occupants', text, faces(users, () => section, AVATARS, users.length, this.#pictures));
    row.title = names.map(({username}) => username).join('\n');
    own(row);
    element.append(row);
    this.#rows.set(element, {row, section, users});
  }

  /** @param {User} user @param {string} section @returns {import('./strings.js').Named} */
  #withActivity(user, section) {
    const activity = activityIn(user, section);
    return this.#named(user, isUnsavedIn(user, section) ? 'unsavedName' : activity === 'viewing' ? undefined : `${activity}Name`);
  }

  /** @param {User} user @param {'unsavedName' | 'editingName' | 'idleName'} [state] added to the name @returns {import('./strings.js').Named} */
  #named(user, state) {
    const name = this.#words.name(user);
    return {username: state ? this.#words.text(state, {name}) : name, visitor: false};
  }
}

/** Makes the width that a select has from its options independent of them. A width that the host's styles decide stays theirs. @param {HTMLSelectElement} select @returns {boolean} false: it is not shown, and so has no width yet */
function keepWidth(select) {
  const {style, offsetWidth: width} = select;
  if (!width || !CSS.supports(INTRINSIC, '1px')) return false;
  style.setProperty('contain', 'inline-size');
  style.setProperty(INTRINSIC, '0px');
  style.setProperty(INTRINSIC, `${(width - select.offsetWidth) / parseFloat(getComputedStyle(select).fontSize)}em`);
  return true;
}
