/**
 * All texts of the interface in one table, and the functions that fill in names, numbers and plural forms.
 *
 * `new PresenceManager(id, user, {strings: {...}})` replaces any of them. A text with plural forms is an object with the categories of
 * `Intl.PluralRules` for `locale` as keys; `other` is required.
 *
 * @typedef {string | (Partial<Record<Intl.LDMLPluralRule, string>> & {other: string})} Text
 */

import {make} from './element.js';
import {need} from './presence-check.js';

/**
 * @typedef {typeof strings} Strings
 * @typedef {Omit<Strings, 'status'> & {status: Partial<Strings['status']>}} OwnStrings
 * @typedef {Exclude<keyof Strings, 'status'>} Key
 * @typedef {Pick<import('./presence-types.js').User, 'username' | 'visitor' | 'agent'>} Named
 */

/** The status in words: the only texts of a `PresenceCore`. */
export const statusWords = {
  stopped: 'Presence is off',
  connecting: 'Presence: connecting…',
  reconnecting: 'Presence: reconnecting…',
  live: 'Presence is live',
  polling: 'Presence checked every {seconds} s',
  cookies: 'Presence needs cookies here',
  offline: 'Offline: presence unknown',
  unknown: 'Presence unknown',
  partial: 'Presence and conflicts partly unknown',
  refused: 'No access to presence',
  away: 'Away: presence is paused',
};

export const strings = {
  locale: 'en',
  badge: '{count}',
  badgeLabel: /** @type {Text} */ ({one: '{count} other online', other: '{count} others online'}),
  alone: 'Only you are here',
  heading: /** @type {Text} */ ({one: '{count} other online', other: '{count} others online'}),
  close: 'Close',
  you: 'You',
  yourSection: '{section} (your section)',
  otherSection: '{section}',
  noSection: 'In no section',
  inSection: ' ({section})',
  state: ', {state}',
  ownWindow: 'You, in another window ({section})',
  editing: 'editing',
  idle: 'idle',
  viewing: 'viewing',
  unsaved: 'unsaved changes',
  visitor: 'Visitor {name}',
  unnamed: 'Someone',
  more: /** @type {Text} */ ('{count} more'),
  occupants: ' — {names}',
  editingIn: /** @type {Text} */ ('✎ {names}'),
  viewingIn: /** @type {Text} */ ({one: '{names} viewing', other: '{count} viewing'}),
  idleIn: /** @type {Text} */ ({one: '{names} idle', other: '{count} idle'}),
  editingName: '{name} (editing)',
  idleName: '{name} (idle)',
  agent: '{name} (agent)',
  unsavedName: '{name} (unsaved changes)',
  warning: /** @type {Text} */ ({one: '{names} is editing here{ago}', other: '{names} are editing here{ago}'}),
  oldWarning: /** @type {Text} */ ({
    one: '{names} was last seen editing this section', other: '{names} were last seen editing this section',
  }),
  company: /** @type {Text} */ ({one: '{names} is editing this section too', other: '{names} are editing this section too'}),
  unsavedWarning: /** @type {Text} */ ({one: '{names} has unsaved changes here{ago}', other: '{names} have unsaved changes here{ago}'}),
  oldUnsavedWarning: /** @type {Text} */ ({
    one: '{names} was last seen with unsaved changes in this section', other: '{names} were last seen with unsaved changes in this section',
  }),
  unsavedCompany: /** @type {Text} */ ({one: '{names} has unsaved changes in this section', other: '{names} have unsaved changes in this section'}),
  activeNow: ', active just now',
  activeAgo: ', last seen {time}',
  editAnyway: 'Edit anyway',
  chooseDifferent: 'Choose different section',
  goBack: 'Go back to {section}',
  tellMe: 'Tell me when it is free',
  dismiss: 'Dismiss',
  free: 'The section is free now',
  waiting: /** @type {Text} */ ({one: '{names} is waiting for this section', other: '{names} are waiting for this section'}),
  newer: '{names} saved a newer version of this section at {time}',
  ownNewer: 'You saved a newer version of this section in another window at {time}',
  showLatest: 'Show latest',
  arrived: /** @type {Text} */ ({one: '{names} is online', other: '{names} are online'}),
  gone: /** @type {Text} */ ({one: '{names} has left', other: '{names} have left'}),
  status: statusWords,
  old: 'This list is outdated.',
  again: 'Presence is known again',
};

/** Characters that can change the direction of the text around them. */
const BIDIRECTIONAL = /[\p{Bidi_Control}\u0590-\u08ff\ufb1d-\ufefc]/u;

/** Isolates a name in plain text, where `<bdi>` cannot be used. @param {string} name */
const isolate = (name) => (BIDIRECTIONAL.test(name) ? `\u2068${name}\u2069` : name);

/** The default label of a section: its last segment in title case, `Related Work` for `manuscript/related-work`. @param {string} section */
export function labelOf(section) {
  const words = (section.split('/').pop() ?? '').split(/[-_\s]+/).filter(Boolean);
  return words.map((word) => word[0].toUpperCase() + word.slice(1)).join(' ') || section;
}

/** Fills in the placeholders that have a value. @param {string} text @param {Record<string, string | number>} values */
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (place, key) => String(values[key] ?? place));

/** Fills in the texts of the table. */
export class Words {
  #plural;
  #conjunction;
  #plainList;

  /** @param {Partial<OwnStrings>} [own] the host's replacements */
  constructor(own = {}) {
    /** @type {Strings} */
    this.table = {...strings};
    for (const [key, value] of Object.entries(own)) {
      const text = /** @type {any} */ (value);
      if (text === undefined) continue;
      need(key === 'status' || [typeof text, typeof text?.other].includes('string'), `strings.${key}: pass a string or {other: string}`);
      Object.assign(this.table, {[key]: text});
    }
    this.#plural = new Intl.PluralRules(this.table.locale);
    this.#conjunction = new Intl.ListFormat(this.table.locale);
    this.#plainList = new Intl.ListFormat(this.table.locale, {type: 'unit', style: 'short'});
  }

  /**
   * A text with its placeholders filled in.
   * @param {Key} key
   * @param {Record<string, string | number>} [values] `count` chooses the plural form
   */
  text(key, values = {}) {
    return fill(this.#textFor(key, Number(values.count)), values);
  }

  /** The name of a user; `Visitor` is added for a visitor, and `agent` for an agent, unless the name contains it. @param {Named} user */
  name({username, visitor, agent}) {
    const name = username || this.table.unnamed;
    const label = agent ? 'agent' : visitor && 'visitor';
    const marked = label && name.toLowerCase().includes(this.text(label, {name: ''}).trim().toLowerCase());
    return label && !marked ? this.text(label, {name}) : name;
  }

  /** Whether the host replaced a text. @param {Key} key */
  isOwn(key) {
    return this.table[key] !== strings[key];
  }

  /** A list in words: `a, b`. @param {string[]} parts */
  list(parts) {
    return this.#plainList.format(parts);
  }

  /** How long ago in words: `2 minutes ago`. @param {number} minutes */
  ago(minutes) {
    return new Intl.RelativeTimeFormat(this.table.locale).format(-minutes, 'minute');
  }

  /** The time of day in the language of the strings, with the date if it was not today. @param {string} time as the server states it */
  time(time) {
    const date = new Date(time);
    const today = date.toDateString() === new Date().toDateString();
    return new Intl.DateTimeFormat(this.table.locale, {timeStyle: 'short', dateStyle: today ? undefined : 'medium'}).format(date);
  }

  /** A sentence about users as plain text, `''` without users; null: it is not about users. @param {Key} key @param {readonly Named[] | null} users @param {Record<string, string>} [values] */
  sentence(key, users, values) {
    if (!users) return this.text(key, values);
    return users.length ? this.text(key, {...values, count: users.length, names: this.#format(key).format(this.#names(users).map(isolate))}) : '';
  }

  /** Fills an element with the sentence, each name isolated by `<bdi>`. @param {Element} element @param {Key} key @param {readonly Named[] | null} users @param {Record<string, string>} [values] */
  showSentence(element, key, users, values = {}) {
    users ??= [];
    const parts = this.#format(key).formatToParts(this.#names(users));
    const names = parts.map(({type, value}) => (type === 'element' ? make('bdi', '', value) : value));
    const pieces = this.#textFor(key, users.length).split('{names}').map((piece) => fill(piece, values));
    element.replaceChildren(...pieces.flatMap((piece, i) => (i ? [...names, piece] : [piece])));
  }

  /** At most three names and the number of the others. @param {readonly Named[]} users */
  #names(users) {
    const names = users.slice(0, 3).map((user) => this.name(user));
    if (users.length > 3) names.push(this.text('more', {count: users.length - 3}));
    return names;
  }

  /** Names beside a section are a plain list, elsewhere part of a sentence. @param {Key} key */
  #format(key) {
    return ['occupants', 'editingIn'].includes(key) ? this.#plainList : this.#conjunction;
  }

  /** @param {Key} key @param {number} count */
  #textFor(key, count) {
    /** @type {Text} */
    const text = this.table[key];
    return typeof text === 'string' ? text : text[this.#plural.select(count)] ?? text.other;
  }
}
