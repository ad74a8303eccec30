/**
 * The messages about a section that others are editing. A user who enters gets a warning with two buttons, in the page's flow and
 * without taking the focus. A user who was editing already gets a notice that disappears by itself.
 *
 * @typedef {import('./presence-types.js').User} User
 */

import {make} from './element.js';
import {NOTICE_TIME} from './constants.js';

export class PresenceWarning {
  #words;
  #place;
  #answer;
  /** @type {HTMLElement | undefined} */ #warning;
  /** @type {HTMLElement | undefined} */ #company;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #fading;

  /**
   * @param {import('./strings.js').Words} words
   * @param {(elements: HTMLElement[]) => void} place puts them into the page
   * @param {{editAnyway: () => void, chooseDifferent: () => void, refocus: () => void}} answer what the buttons do, and where the focus
   *   goes when it was on a button that is no longer there
   */
  constructor(words, place, answer) {
    this.#words = words;
    this.#place = place;
    this.#answer = answer;
  }

  /** @param {readonly User[]} users empty: removes the warning @param {boolean} stale */
  render(users, stale) {
    if (!users.length && !this.#warning) return;
    const warning = this.#build();
    const held = warning.contains(document.activeElement);
    warning.hidden = !users.length;
    if (held && warning.hidden) this.#answer.refocus();
    const sentence = warning.firstElementChild;
    if (users.length && sentence) this.#words.show(sentence, stale ? 'oldWarning' : 'warning', users);
  }

  /** @param {readonly User[]} users empty: removes the notice */
  mention(users) {
    clearTimeout(this.#fading);
    if (!users.length && !this.#company) return;
    this.#build();
    const company = /** @type {HTMLElement} */ (this.#company);
    company.hidden = !users.length;
    if (!users.length) return;
    this.#words.show(company, 'company', users);
    this.#fading = setTimeout(() => (company.hidden = true), NOTICE_TIME);
  }

  remove() {
    clearTimeout(this.#fading);
    this.#warning?.remove();
    this.#company?.remove();
    this.#warning = this.#company = undefined;
  }

  #build() {
    if (this.#warning?.isConnected) return this.#warning;
    const sentence = make('p');
    sentence.id = 'presence-warning-text';
    const buttons = /** @type {const} */ (['editAnyway', 'chooseDifferent']).map((answer) => {
      const button = make('button', '', this.#words.say(answer));
      button.type = 'button';
      button.onclick = this.#answer[answer];
      return button;
    });
    const warning = (this.#warning = make('div', 'presence-warning', sentence, ...buttons));
    warning.role = 'group';
    warning.setAttribute('aria-labelledby', sentence.id);
    const company = (this.#company = make('div', 'presence-company'));
    warning.hidden = company.hidden = true;
    this.#place([warning, company]);
    return warning;
  }
}
