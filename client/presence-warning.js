/**
 * The messages about a section that others are editing. A user who enters gets a warning with two buttons, in the page's flow and
 * without taking the focus. A user who was editing already gets a notice that disappears by itself.
 *
 * @typedef {import('./presence-types.js').User} User
 */

import {hasFocus, make} from './element.js';
import {NOTICE_TIME} from './constants.js';

export class PresenceWarning {
  #words;
  #place;
  #answer;
  /** @type {HTMLElement | undefined} */ #warning;
  /** @type {HTMLElement | undefined} */ #notice;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #noticeTimer;

  /**
   * @param {import('./strings.js').Words} words
   * @param {(elements: HTMLElement[]) => void} place adds them to the page
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
    const focused = hasFocus(warning);
    warning.hidden = !users.length;
    if (focused && warning.hidden) this.#answer.refocus();
    const sentence = warning.firstElementChild;
    if (users.length && sentence) this.#words.showSentence(sentence, stale ? 'oldWarning' : 'warning', users);
  }

  /** @param {readonly User[]} users empty: removes the notice */
  notify(users) {
    clearTimeout(this.#noticeTimer);
    if (!users.length && !this.#notice) return;
    this.#build();
    const notice = /** @type {HTMLElement} */ (this.#notice);
    notice.hidden = !users.length;
    if (!users.length) return;
    this.#words.showSentence(notice, 'company', users);
    this.#noticeTimer = setTimeout(() => (notice.hidden = true), NOTICE_TIME);
  }

  remove() {
    clearTimeout(this.#noticeTimer);
    this.#warning?.remove();
    this.#notice?.remove();
    this.#warning = this.#notice = undefined;
  }

  #build() {
    if (this.#warning?.isConnected) return this.#warning;
    const sentence = make('p');
    const buttons = /** @type {const} */ (['editAnyway', 'chooseDifferent']).map((answer) => {
      const button = make('button', '', this.#words.text(answer));
      button.type = 'button';
      button.onclick = this.#answer[answer];
      return button;
    });
    const warning = (this.#warning = make('div', 'presence-warning', sentence, ...buttons));
    warning.role = 'group';
    const notice = (this.#notice = make('div', 'presence-company'));
    warning.hidden = notice.hidden = true;
    this.#place([warning, notice]);
    return warning;
  }
}
