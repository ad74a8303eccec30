/**
 * The messages about your section, one at a time, in one slot. First the warning: you entered a section that others claim. Then the
 * notices: a newer version was saved, the section that you waited for is free, others wait, others entered. They stay while they are true,
 * or until they are dismissed, and never take the focus.
 *
 * @typedef {import('./presence-types.js').User} User
 *
 * @typedef {object} Answers what the buttons do
 * @property {() => void} editAnyway
 * @property {() => void} chooseDifferent
 * @property {() => void} tellMe
 * @property {() => void} showLatest
 * @property {() => void} ended a notice has ended: the next one can be drawn
 * @property {() => void} refocus where the focus goes when it was on a button that is no longer there
 */

import {faces} from './presence-avatar.js';
import {hasFocus, icon, make, setText} from './element.js';
import {sameUsers} from './presence-occupants.js';
import {PresenceSlot} from './presence-slot.js';
import {NOTICE_TIME} from './constants.js';

/** The most important first. */
export const NOTICES = /** @type {const} */ (['newer', 'free', 'waiting', 'company']);
const FACES = 3;

/**
 * @typedef {typeof NOTICES[number]} Notice
 * @typedef {Parameters<import('./strings.js').Words['sentence']>} Sentence
 *
 * @typedef {object} Warning
 * @property {readonly User[]} users none: no warning
 * @property {string} section
 * @property {Sentence} sentence
 * @property {boolean} waits you wait for the section
 * @property {string} back what `chooseDifferent` is called
 */

export class PresenceNotices {
  #words;
  #answer;
  #buttons;
  #warning;
  #notice;
  #slot;
  /** @type {Notice | undefined} the one that is shown */ #current;
  /** its text */ #text = '';
  /** the texts that were dismissed or have ended @type {Map<Notice, string>} */ #over = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;

  /**
   * @param {import('./strings.js').Words} words
   * @param {Answers} answer
   * @param {boolean} pictures
   * @param {(slot: HTMLElement, warning: HTMLElement, sentence: HTMLElement) => void} add puts the slot into the page
   * @param {() => import('./presence-slot.js').Anchor | null} anchor
   */
  constructor(words, answer, pictures, add, anchor) {
    this.#words = words;
    this.#answer = answer;
    const button = (/** @type {'editAnyway' | 'chooseDifferent' | 'tellMe' | 'showLatest'} */ name) => buttonOf(words.text(name), () => answer[name]());
    this.#buttons = {chooseDifferent: button('chooseDifferent'), editAnyway: button('editAnyway'), tellMe: button('tellMe'), showLatest: button('showLatest')};
    const {showLatest, ...answers} = this.#buttons;
    this.#buttons.chooseDifferent.className = 'presence-primary';
    const dismiss = buttonOf(icon('close'), () => this.#end());
    dismiss.className = 'presence-close';
    dismiss.ariaLabel = words.text('dismiss');
    const warning = (this.#warning = new Message('presence-warning', words, pictures, make('span', 'presence-actions', ...Object.values(answers))));
    this.#notice = new Message('presence-company', words, pictures, make('span', 'presence-actions', showLatest), dismiss);
    this.#slot = new PresenceSlot([warning.element, this.#notice.element], (slot) => add(slot, warning.element, warning.sentence), anchor);
  }

  get slot() {
    return this.#slot.element;
  }

  /** @param {Warning} warning @param {Record<Notice, Sentence>} notices a sentence about no users: no notice @param {Notice | false} brief the one that ends by itself */
  render(warning, notices, brief) {
    const texts = Object.fromEntries(NOTICES.map((name) => [name, this.#words.sentence(...notices[name])]));
    for (const [name, over] of this.#over) if (texts[name] !== over) this.#over.delete(name);
    const warned = warning.users.length > 0;
    const name = warned ? undefined : NOTICES.find((name) => texts[name] && texts[name] !== this.#over.get(name));
    if (warned) this.#fillWarning(warning);
    if (name) this.#fillNotice(name, notices[name], texts[name], name === brief);
    else this.#clear();

    const {slot} = this;
    const focused = hasFocus(slot) && /** @type {Document} */ (slot.getRootNode()).activeElement;
    this.#warning.element.hidden = !warned;
    this.#notice.element.hidden = !name;
    if (warned || name) this.#slot.open();
    else this.#slot.close();
    if (focused && !focused.getClientRects().length) this.#answer.refocus();
  }

  remove() {
    this.#clear();
    this.#slot.remove();
  }

  /** @param {Warning} warning */
  #fillWarning({users, section, sentence, waits, back}) {
    this.#warning.fill(sentence, users, section);
    setText(this.#buttons.chooseDifferent, back);
    this.#buttons.tellMe.setAttribute('aria-pressed', String(waits));
  }

  /** @param {Notice} name @param {Sentence} sentence @param {string} text @param {boolean} brief */
  #fillNotice(name, sentence, text, brief) {
    if (name === this.#current && text === this.#text) return;
    this.#clear();
    this.#current = name;
    this.#text = text;
    this.#notice.element.dataset.notice = name;
    this.#buttons.showLatest.hidden = name !== 'newer';
    // Who saved may be offline, and so without an avatar.
    const users = /** @type {User[]} */ (sentence[1]?.filter((user) => 'initials' in user) ?? []);
    this.#notice.fill(sentence, users);
    if (brief) this.#timer = setTimeout(() => this.#end(), NOTICE_TIME);
  }

  /** Ends the notice that is shown, until its text changes. */
  #end() {
    if (this.#current) this.#over.set(this.#current, this.#text);
    this.#answer.ended();
  }

  #clear() {
    clearTimeout(this.#timer);
    this.#current = undefined;
    this.#text = '';
  }
}

/** Avatars and a sentence, and what follows them. */
class Message {
  sentence = make('p');
  element;
  #words;
  #pictures;
  /** @type {HTMLElement | undefined} */ #faces;
  /** in the avatars @type {readonly User[]} */ #users = [];
  /** @type {string | undefined} */ #section;

  /** @param {string} name the class @param {import('./strings.js').Words} words @param {boolean} pictures @param {HTMLElement[]} parts */
  constructor(name, words, pictures, ...parts) {
    this.element = make('div', name, this.sentence, ...parts);
    this.element.role = 'group';
    this.element.hidden = true;
    this.#words = words;
    this.#pictures = pictures;
  }

  /** @param {Sentence} sentence @param {readonly User[]} users @param {string} [section] by default the one that each user touched last */
  fill(sentence, users, section) {
    if (this.sentence.textContent !== this.#words.sentence(...sentence)) this.#replaceSentence(sentence);
    if (this.#faces?.parentNode === this.element && section === this.#section && sameUsers(users, this.#users)) return;
    this.#section = section;
    this.#users = users;
    this.#faces?.remove();
    this.#faces = faces(users, (user) => section ?? user.section, FACES, users.length, this.#pictures);
    this.element.prepend(this.#faces);
  }

  /** A new element, because one that moves as its text changes is a layout shift. @param {Sentence} sentence */
  #replaceSentence(sentence) {
    const next = make('p');
    next.id = this.sentence.id;
    this.#words.showSentence(next, ...sentence);
    this.sentence.replaceWith(next);
    this.sentence = next;
  }
}

/** @param {string | Node} content @param {() => void} act */
function buttonOf(content, act) {
  const button = make('button', '', content);
  button.type = 'button';
  button.onclick = act;
  return button;
}
