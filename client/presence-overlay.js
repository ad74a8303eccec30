/**
 * A part of the interface that lies over the page and takes no space in it, so that nothing of the page moves. It is in the top layer if
 * the browser has one, so that no element of the host clips it.
 */

/** @typedef {import('./presence-caret.js').Box} Box */

export const MARGIN = 8;

export class Overlay {
  #element;
  #place;
  #open = false;
  /** @type {AbortController | undefined} */ #listeners;
  // In the next frame, because a change of size in the observer's own turn is an error that the page would see.
  #sizes = new ResizeObserver(() => requestAnimationFrame(() => this.open && this.place()));

  /** @param {HTMLElement} element @param {(size: {width: number, height: number}) => {left: number, top: number}} place the position in the window, asked for whenever the page scrolls, or it or the element changes its size */
  constructor(element, place) {
    this.#element = element;
    this.#place = place;
    element.popover = 'manual';
    element.hidden = true;
    element.classList.add('presence-overlay');
  }

  /** Whether it is shown. A host that removed or moved the element has closed it. */
  get open() {
    return this.#open && this.#element.isConnected && (!this.#element.togglePopover || this.#element.matches(':popover-open'));
  }

  /** @param {boolean} open */
  toggle(open) {
    if (open ? !this.#element.isConnected : !this.#open) return;
    const element = this.#element;
    this.#listeners?.abort();
    this.#sizes.disconnect();
    element.hidden = !open;
    element.popover = 'manual'; // a host may have removed the attribute
    if (element.isConnected) element.togglePopover?.(open); // older browsers use `hidden` only
    this.#open = open;
    if (!open) return;
    this.place();
    this.#listeners = new AbortController();
    const {signal} = this.#listeners;
    for (const sized of [element, document.body]) this.#sizes.observe(sized);
    for (const type of ['resize', 'scroll']) window.addEventListener(type, () => this.place(), {signal, capture: true, passive: true});
  }

  place() {
    const {width, height} = this.#element.getBoundingClientRect();
    const {left, top} = this.#place({width, height});
    // Not `left` and `top`: a moved box would count as a layout shift.
    this.#element.style.translate = `${Math.round(left)}px ${Math.round(top)}px`;
  }
}

/** The position below a box, or above it if there is more room, and inside the window. @param {Box} box @param {{width: number, height: number}} size @param {boolean} atEnd aligned with its right side */
export function beside(box, {width, height}, atEnd) {
  const {clientWidth, clientHeight} = document.documentElement;
  const below = box.bottom + height + MARGIN <= clientHeight || box.top < clientHeight - box.bottom;
  return {
    left: inside(atEnd ? box.right - width : box.left, width, clientWidth),
    top: inside(below ? box.bottom + 4 : box.top - height - 4, height, clientHeight),
  };
}

/** A coordinate that keeps a length inside the window. @param {number} at @param {number} length @param {number} window */
export const inside = (at, length, window) => Math.max(MARGIN, Math.min(at, window - length - MARGIN));
