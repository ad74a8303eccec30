/**
 * Every word that the interface says, in one table, and the grammar to fill it in.
 *
 * A host replaces what it likes with `new PresenceManager(id, user, {strings: {...}})`. A text with plural forms is an
 * object by the categories of `Intl.PluralRules` for `locale`; `other` is the one that must be there.
 *
 * @typedef {string | (Partial<Record<Intl.LDMLPluralRule, string>> & {other: string})} Text
 */

import {make} from './element.js';

/**
 * @typedef {typeof strings} Strings
 * @typedef {Exclude<keyof Strings, 'status'>} Key
 * @typedef {Pick<import('./presence-types.js').User, 'username' | 'visitor'>} Named
 */

/** The status in words: the only texts of a session without an interface. */
export const statusWords = {
  stopped: 'Presence is off',
  connecting: 'Presence: connecting…',
  reconnecting: 'Presence: reconnecting…',
  live: 'Presence is live',
  polling: 'Presence checked every {seconds} s',
  offline: 'Offline: presence unknown',
  unknown: 'Presence unknown',
  partial: 'Presence and conflicts partly unknown',
  refused: 'Presence is not open to you',
  away: 'Away until you are back',
};

export const strings = {
  locale: 'en',
  badge: '📝 {count}',
  badgeLabel: /** @type {Text} */ ({one: '{count} person online', other: '{count} people online'}),
  heading: /** @type {Text} */ ('Online ({count}):'),
  inSection: ' ({section})',
  ownWindow: 'You, in another window ({section})',
  state: ', {state}',
  idle: 'idle',
  viewing: 'viewing',
  visitor: 'Visitor {name}',
  unnamed: 'Someone',
  more: /** @type {Text} */ ('{count} more'),
  occupants: ' — {names}',
  idleName: '{name} (idle)',
  warning: /** @type {Text} */ ({one: '⚠️ {names} is editing this section', other: '⚠️ {names} are editing this section'}),
  oldWarning: /** @type {Text} */ ({
    one: '{names} was editing this section when last heard of', other: '{names} were editing this section when last heard of',
  }),
  company: /** @type {Text} */ ({one: '{names} is editing this section too', other: '{names} are editing this section too'}),
  editAnyway: 'Edit anyway',
  chooseDifferent: 'Choose different section',
  arrived: /** @type {Text} */ ({one: '{names} is online', other: '{names} are online'}),
  gone: /** @type {Text} */ ({one: '{names} has left', other: '{names} have left'}),
  status: statusWords,
  old: 'This list is old.',
  again: 'Presence is known again',
};

/** What can spoil the order of the words around it, when it stands in a plain text where `<bdi>` cannot. */
const UNRULY = /[\p{Bidi_Control}\u0590-\u08ff\ufb1d-\ufefc]/u;

/** @param {string} name */
const isolate = (name) => (UNRULY.test(name) ? `\u2068${name}\u2069` : name);

/** A section's label when the host names it no better: `manuscript/related-work` is `Related Work`. @param {string} section */
export function labelOf(section) {
  const words = (section.split('/').pop() ?? '').split(/[-_\s]+/).filter(Boolean);
  return words.map((word) => word[0].toUpperCase() + word.slice(1)).join(' ') || section;
}

/** The table, spoken. */
export class Words {
  #plural;
  #sentence;
  #roll;

  /** @param {Partial<Strings>} [own] what the host says differently */
  constructor(own = {}) {
    /** @type {Strings} */
    this.table = {...strings, ...own};
    this.#plural = new Intl.PluralRules(this.table.locale);
    this.#sentence = new Intl.ListFormat(this.table.locale);
    this.#roll = new Intl.ListFormat(this.table.locale, {type: 'unit', style: 'short'});
  }

  /**
   * One text with its places filled in.
   * @param {Key} key
   * @param {Record<string, string | number>} [values] `count` chooses the plural form
   */
  say(key, values = {}) {
    return this.#form(key, Number(values.count)).replace(/\{(\w+)\}/g, (place, key) => String(values[key] ?? place));
  }

  /** A person's name; a visitor's says that it is one. @param {Named} user */
  name({username, visitor}) {
    const name = username || this.table.unnamed;
    const said = name.toLowerCase().includes(this.say('visitor', {name: ''}).trim().toLowerCase());
    return visitor && !said ? this.say('visitor', {name}) : name;
  }

  /** A sentence about people, as plain text; none about nobody. @param {Key} key @param {readonly Named[]} users */
  tell(key, users) {
    return users.length ? this.say(key, {count: users.length, names: this.#format(key).format(this.#names(users).map(isolate))}) : '';
  }

  /** The same in an element, each name isolated by `<bdi>`. @param {Element} element @param {Key} key @param {readonly Named[]} users */
  show(element, key, users) {
    const parts = this.#format(key).formatToParts(this.#names(users));
    const names = parts.map(({type, value}) => (type === 'element' ? make('bdi', '', value) : value));
    const pieces = this.#form(key, users.length).split('{names}');
    element.replaceChildren(...pieces.flatMap((piece, i) => (i ? [...names, piece] : [piece])));
  }

  /** Three names and a number: a sentence stays one. @param {readonly Named[]} users */
  #names(users) {
    const names = users.slice(0, 3).map((user) => this.name(user));
    if (users.length > 3) names.push(this.say('more', {count: users.length - 3}));
    return names;
  }

  /** Beside a section stands a bare row of names, elsewhere a sentence. @param {Key} key */
  #format(key) {
    return key === 'occupants' ? this.#roll : this.#sentence;
  }

  /** @param {Key} key @param {number} count */
  #form(key, count) {
    /** @type {Text} */
    const text = this.table[key];
    return typeof text === 'string' ? text : text[this.#plural.select(count)] ?? text.other;
  }
}
