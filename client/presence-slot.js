/**
 * The place of the messages about your section: over the page, in the space that the host reserved, or below the anchor. If the caret is
 * there, or that place is out of sight, the slot is at the lower or upper edge of the window. It does not come back to the caret's place
 * while it is shown, because it would jump as the caret moves.
 *
 * @typedef {import('./presence-caret.js').Box} Box
 * @typedef {{box: Box, reserved: boolean}} Anchor `reserved`: the box is space for the slot, which otherwise lies below it
 */

import {make} from './element.js';
import {caretBox} from './presence-caret.js';
import {MARGIN, Overlay, inside} from './presence-overlay.js';

export class PresenceSlot {
  element;
  #overlay;
  #add;
  #anchor;
  #avoidsCaret = false;
  /** where it is instead: 0 the lower edge of the window, 1 the upper one */ #edge = 0;
  /** @type {AbortController | undefined} */ #listeners;

  /** @param {HTMLElement[]} messages @param {(slot: HTMLElement) => void} add puts the slot into the page @param {() => Anchor | null} anchor */
  constructor(messages, add, anchor) {
    this.element = make('div', 'presence-slot', ...messages);
    this.#overlay = new Overlay(this.element, (size) => this.#position(size));
    this.#add = add;
    this.#anchor = anchor;
  }

  open() {
    if (this.#overlay.open) return;
    this.close();
    if (!this.element.isConnected) this.#add(this.element);
    this.#overlay.toggle(true);
    this.#listeners = new AbortController();
    const {signal} = this.#listeners;
    for (const type of ['selectionchange', 'input', 'focusin']) document.addEventListener(type, () => this.#overlay.place(), {signal});
  }

  close() {
    this.#listeners?.abort();
    this.#avoidsCaret = false;
    this.#edge = 0;
    this.#overlay.toggle(false);
  }

  remove() {
    this.close();
    this.element.remove();
  }

  /** @param {{width: number, height: number}} size @returns {{left: number, top: number}} */
  #position({width, height}) {
    const {clientWidth, clientHeight} = document.documentElement;
    const {box, reserved} = this.#anchor() ?? {box: {left: 0, right: clientWidth, top: 0, bottom: 0}, reserved: false};
    this.element.style.width = reserved ? `${box.right - box.left}px` : '';
    const start = getComputedStyle(this.element).direction === 'rtl' ? box.right - width : box.left;
    const left = reserved ? box.left : inside(start, width, clientWidth);
    const caret = caretBox(document);
    const covers = (/** @type {number} */ top) => !!caret && caret.left < left + width && caret.right > left && caret.top < top + height && caret.bottom > top;

    const first = reserved ? box.top : box.bottom + 4;
    const visible = first >= 0 && first + height <= clientHeight;
    this.#avoidsCaret ||= visible && covers(first);
    const edges = [clientHeight - height - MARGIN, MARGIN];
    if (covers(edges[this.#edge]) && !covers(edges[1 - this.#edge])) this.#edge = 1 - this.#edge;
    const top = visible && !this.#avoidsCaret ? first : edges[this.#edge];
    this.element.toggleAttribute('data-floating', !reserved || top !== first || height > box.bottom - box.top);
    return {left, top};
  }
}
