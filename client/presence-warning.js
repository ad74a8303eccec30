/**
 * The messages about your section. A user who enters a section that others claim gets a warning with buttons, in the page's flow and
 * without taking the focus. Notices say what else happened: others entered, a newer version was saved, others wait, or the section that
 * you waited for is free.
 *
 * @typedef {import('./presence-types.js').User} User
 *
 * @typedef {object} Answers what the buttons do
 * @property {() => void} editAnyway
 * @property {() => void} chooseDifferent
 * @property {() => void} tellMe
 * @property {() => void} showLatest
 * @property {() => void} refocus where the focus goes when it was on a button that is no longer there
 */

import {hasFocus, make} from './element.js';
import {NOTICE_TIME} from './constants.js';
export const NOTICES = /** @type {const} */ (['newer', 'company', 'waiting', 'free']);

/**
 * @typedef {typeof NOTICES[number]} Notice
 * @typedef {Parameters<import('./strings.js').Words['sentence']>} Sentence
 */

export class PresenceWarning {
  #words;
  #place;
  #answer;
  /** @type {HTMLElement | undefined} */ #warning;
  /** @type {Map<Notice, {element: HTMLElement, text: string, over: string, timer?: ReturnType<typeof setTimeout>}>} `over`: the text that disappeared by itself */ #notices = new Map();

  /**
   * @param {import('./strings.js').Words} words
   * @param {(elements: HTMLElement[]) => void} place adds them to the page
   * @param {Answers} answer
   */
  constructor(words, place, answer) {
    this.#words = words;
    this.#place = place;
    this.#answer = answer;
  }

  /** @param {readonly User[]} users empty: removes the warning @param {import('./strings.js').Key} key the sentence @param {boolean} waits you wait for the section */
  render(users, key, waits) {
    if (!users.length && !this.#warning) return;
    const warning = this.#build();
    this.#show(warning, !!users.length);
    const [sentence] = warning.children;
    if (users.length) this.#words.showSentence(sentence, key, users);
    warning.lastElementChild?.setAttribute('aria-pressed', String(waits));
  }

  /** Shows a notice from the moment that its sentence changes. @param {Notice} name @param {Sentence} sentence about no users: removes it @param {boolean} brief it disappears by itself */
  notify(name, sentence, brief) {
    const text = this.#words.sentence(...sentence);
    if (!text && !this.#warning) return void this.#notices.delete(name);
    this.#build();
    const notice = this.#notices.get(name);
    if (!notice || notice.text === text) return;
    notice.text = text;
    notice.over = '';
    clearTimeout(notice.timer);
    this.#show(notice.element, !!text);
    if (text) this.#words.showSentence(notice.element.children[0], ...sentence);
    if (text && brief) {
      notice.timer = setTimeout(() => {
        notice.over = text;
        this.#show(notice.element, false);
      }, NOTICE_TIME);
    }
  }

  remove() {
    this.#warning?.remove();
    for (const {element, timer} of this.#notices.values()) {
      clearTimeout(timer);
      element.remove();
    }
    this.#warning = undefined;
  }

  /** @param {HTMLElement} part @param {boolean} shown */
  #show(part, shown) {
    const focused = hasFocus(part);
    part.hidden = !shown;
    if (focused && !shown) this.#answer.refocus();
  }

  #build() {
    if (this.#warning?.isConnected) return this.#warning;
    const sentence = make('p');
    const buttons = /** @type {const} */ (['editAnyway', 'chooseDifferent', 'tellMe']).map((answer) => this.#button(answer));
    const warning = (this.#warning = make('div', 'presence-warning', sentence, ...buttons));
    warning.role = 'group';
    const notices = NOTICES.map((name) => {
      const element = make('div', 'presence-company', make('span'), ...(name === 'newer' ? [this.#button('showLatest')] : []));
      element.hidden = true;
      const over = this.#notices.get(name)?.over ?? ''; // it does not come back because the host redraws the page
      this.#notices.set(name, {element, text: over, over});
      return element;
    });
    warning.hidden = true;
    this.#place([warning, ...notices]);
    return warning;
  }

  /** @param {Exclude<keyof Answers, 'refocus'>} answer */
  #button(answer) {
    const button = make('button', '', this.#words.text(answer));
    button.type = 'button';
    button.onclick = this.#answer[answer];
    return button;
  }
}
