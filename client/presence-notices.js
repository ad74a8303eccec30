/**
 * The messages about your section, one at a time, in one slot over the page. First the warning: you entered a section that others claim.
 * Then the notices: a newer version was saved, the section that you waited for is free, others wait, others entered. They stay while they
 * are true, or until they are dismissed, and never take the focus.
 *
 * The slot is in the space that the host reserved, or below the anchor. If the caret is there, or that place is out of sight, the slot is
 * at the lower or upper edge of the window.
 *
 * @typedef {import('./presence-types.js').User} User
 * @typedef {import('./presence-caret.js').Box} Box
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
import {caretBox} from './presence-caret.js';
import {hasFocus, icon, make, setText} from './element.js';
import {MARGIN, Overlay, inside} from './presence-overlay.js';
import {sameUsers} from './presence-occupants.js';
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
 *
 * @typedef {object} Place
 * @property {(slot: HTMLElement) => void} add puts the slot into the page
 * @property {() => {box: Box, reserved: boolean} | null} anchor
 */

export class PresenceNotices {
  #words;
  #place;
  #answer;
  #pictures;
  /** @type {HTMLElement | undefined} */ #slot;
  #overlay = /** @type {Overlay | undefined} */ (undefined);
  #warning = make('div', 'presence-warning');
  #notice = make('div', 'presence-company');
  #sentences = {warning: make('p'), notice: make('p')};
  /** @type {{warning: readonly User[], notice: readonly User[]}} */ #faces = {warning: [], notice: []};
  /** the texts that were dismissed or have ended @type {Map<Notice, string>} */ #over = new Map();
  /** @type {Notice | undefined} the one that is shown */ #current;
  #text = '';
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  /** the caret was in the first place */ #avoided = false;
  /** where it is instead: 0 the lower edge of the window, 1 the upper one */ #edge = 0;
  /** @type {AbortController | undefined} */ #listeners;
  /** @type {Record<'editAnyway' | 'chooseDifferent' | 'tellMe' | 'showLatest' | 'dismiss', HTMLButtonElement>} */ #buttons;

  /** @param {import('./strings.js').Words} words @param {Place} place @param {Answers} answer @param {boolean} pictures */
  constructor(words, place, answer, pictures) {
    this.#words = words;
    this.#place = place;
    this.#answer = answer;
    this.#pictures = pictures;
    const button = (/** @type {'editAnyway' | 'chooseDifferent' | 'tellMe' | 'showLatest'} */ name) => {
      const element = make('button', '', words.text(name));
      element.type = 'button';
      element.onclick = () => answer[name]();
      return element;
    };
    const dismiss = make('button', 'presence-close', icon('close'));
    dismiss.type = 'button';
    dismiss.ariaLabel = words.text('dismiss');
    dismiss.onclick = () => this.#end();
    this.#buttons = {editAnyway: button('editAnyway'), chooseDifferent: button('chooseDifferent'), tellMe: button('tellMe'), showLatest: button('showLatest'), dismiss};
    const {editAnyway, chooseDifferent, tellMe, showLatest} = this.#buttons;
    chooseDifferent.className = 'presence-primary';
    this.#warning.append(this.#sentences.warning, make('span', 'presence-actions', chooseDifferent, editAnyway, tellMe));
    this.#notice.append(this.#sentences.notice, make('span', 'presence-actions', showLatest), dismiss);
    this.#warning.role = this.#notice.role = 'group';
    this.#warning.hidden = this.#notice.hidden = true;
  }

  /** The element of the warning and its sentence. */
  get parts() {
    return [this.#warning, this.#sentences.warning];
  }

  /** The slot, once it was needed. */
  get slot() {
    return this.#slot;
  }

  /** @param {Warning} warning @param {Record<Notice, Sentence>} notices a sentence about no users: no notice @param {Notice | false} brief the one that ends by itself */
  render(warning, notices, brief) {
    const texts = Object.fromEntries(NOTICES.map((name) => [name, this.#words.sentence(...notices[name])]));
    for (const [name, over] of this.#over) if (texts[name] !== over) this.#over.delete(name);
    const warned = warning.users.length > 0;
    const name = warned ? undefined : NOTICES.find((name) => texts[name] && texts[name] !== this.#over.get(name));
    if (!warned && !name && !this.#slot?.isConnected) return this.#clear();
    const slot = this.#build();
    if (warned) this.#fillWarning(warning);
    if (name) this.#fillNotice(name, notices[name], texts[name], name === brief);
    else this.#clear();
    const focused = hasFocus(slot) && /** @type {Document} */ (slot.getRootNode()).activeElement;
    this.#warning.hidden = !warned;
    this.#notice.hidden = !name;
    if (warned || name) this.#open();
    else this.#close();
    if (focused && !focused.getClientRects().length) this.#answer.refocus();
  }

  remove() {
    this.#close();
    this.#clear();
    this.#slot?.remove();
    this.#slot = undefined;
  }

  /** @param {Warning} warning */
  #fillWarning({users, section, sentence, waits, back}) {
    const {chooseDifferent, tellMe} = this.#buttons;
    this.#fill('warning', this.#warning, sentence, users, section);
    setText(chooseDifferent, back);
    tellMe.setAttribute('aria-pressed', String(waits));
  }

  /** @param {Notice} name @param {Sentence} sentence @param {string} text @param {boolean} brief */
  #fillNotice(name, sentence, text, brief) {
    if (name === this.#current && text === this.#text) return;
    this.#clear();
    this.#current = name;
    this.#text = text;
    this.#notice.dataset.notice = name;
    this.#buttons.showLatest.hidden = name !== 'newer';
    this.#fill('notice', this.#notice, sentence, /** @type {User[]} */ (sentence[1]?.filter((user) => 'initials' in user) ?? []), '');
    if (brief) this.#timer = setTimeout(() => this.#end(), NOTICE_TIME);
  }

  /** @param {'warning' | 'notice'} which @param {HTMLElement} part @param {Sentence} sentence @param {readonly User[]} users @param {string} section */
  #fill(which, part, sentence, users, section) {
    const text = this.#words.sentence(...sentence);
    const element = this.#sentences[which];
    if (element.textContent !== text) this.#words.showSentence(element, ...sentence);
    const old = part.querySelector('.presence-faces');
    if (old && sameUsers(users, this.#faces[which])) return;
    this.#faces[which] = users;
    old?.remove();
    part.prepend(faces(users, (user) => section || user.section, FACES, users.length, this.#pictures));
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

  #build() {
    if (this.#slot?.isConnected) return this.#slot;
    this.#slot = make('div', 'presence-slot', this.#warning, this.#notice);
    this.#overlay = new Overlay(this.#slot, (size) => this.#position(size));
    this.#place.add(this.#slot);
    return this.#slot;
  }

  #open() {
    const overlay = this.#overlay;
    if (!overlay || overlay.open) return;
    overlay.toggle(true);
    this.#listeners = new AbortController();
    for (const type of ['selectionchange', 'input', 'focusin']) document.addEventListener(type, () => overlay.place(), {signal: this.#listeners.signal});
  }

  #close() {
    this.#listeners?.abort();
    this.#avoided = false;
    this.#edge = 0;
    if (this.#overlay?.open) this.#overlay.toggle(false);
  }

  /** @param {{width: number, height: number}} size */
  #position({width, height}) {
    const {clientWidth, clientHeight} = document.documentElement;
    const {box, reserved} = this.#place.anchor() ?? {box: {left: 0, right: clientWidth, top: 0, bottom: 0}, reserved: false};
    const caret = caretBox(document);
    const rtl = getComputedStyle(/** @type {HTMLElement} */ (this.#slot)).direction === 'rtl';
    if (this.#slot) this.#slot.style.width = reserved ? `${box.right - box.left}px` : '';
    const left = reserved ? box.left : inside(rtl ? box.right - width : box.left, width, clientWidth);
    const covers = (/** @type {number} */ top) => !!caret && caret.left < left + width && caret.right > left && caret.top < top + height && caret.bottom > top;
    const first = reserved ? box.top : box.bottom + 4;
    const visible = first >= 0 && first + height <= clientHeight;
    if (visible && covers(first)) this.#avoided = true; // it does not come back while it is shown, because it would jump as the caret moves
    const edges = [clientHeight - height - MARGIN, MARGIN];
    if (covers(edges[this.#edge]) && !covers(edges[1 - this.#edge])) this.#edge = 1 - this.#edge;
    const top = visible && !this.#avoided ? first : edges[this.#edge];
    this.#slot?.toggleAttribute('data-floating', !reserved || top !== first || height > box.bottom - box.top);
    return {left, top};
  }
}
