/**
 * The list of a text's headings with the people in each, in an element of the page. A press on a heading goes there. Rows stay the same
 * elements, so that the focus stays. The list of a text with more than 1,000 headings has only the upper levels.
 *
 * @typedef {import('./outline.js').Heading} Heading
 * @typedef {{element: HTMLElement, button: HTMLElement, people: HTMLElement, section: string}} Row
 */

import {make, setText} from '../element.js';
import {normalSection} from '../section.js';

const MAX_ROWS = 1_000;
const PAUSE = 200; // milliseconds between two drawings

export class OutlineList {
  #manager;
  #headings;
  #list = make('ul', 'presence-outline');
  /** @type {Row[]} */ #rows = [];
  #unsubscribe;
  /** @type {string | null} the section of the person when it was drawn */ #current = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;

  /** @param {HTMLElement} panel @param {import('./beside.js').Manager} manager @param {() => readonly Heading[]} headings @param {(section: string) => void} goTo */
  constructor(panel, manager, headings, goTo) {
    this.#manager = manager;
    this.#headings = headings;
    this.#list.style.cssText = 'list-style: none; margin: 0; padding: 0';
    this.#list.addEventListener('click', ({target}) => {
      const row = this.#rows.find(({button}) => button.contains(/** @type {Node} */ (target)));
      if (row) goTo(row.section);
    });
    panel.append(this.#list);
    this.#unsubscribe = manager.subscribe(() => normalSection(manager.getSnapshot().section) !== this.#current && this.update());
    this.#draw();
  }

  /** Draws soon. */
  update() {
    this.#timer ??= setTimeout(() => this.#draw(), PAUSE);
  }

  destroy() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#unsubscribe();
    this.#list.remove();
  }

  #draw() {
    this.#timer = undefined;
    this.#current = normalSection(this.#manager.getSnapshot().section);
    const headings = listed(this.#headings());
    const top = Math.min(...headings.map(({level}) => level));
    for (const {element} of this.#rows.splice(headings.length)) element.remove();
    headings.forEach((heading, i) => this.#fill((this.#rows[i] ??= this.#add()), heading, heading.level - top));
    this.#manager.updateUI?.();
  }

  #add() {
    const button = make('button');
    const people = make('span');
    button.type = 'button';
    const element = make('li', '', button, people);
    this.#list.append(element);
    return {element, button, people, section: ''};
  }

  /** @param {Row} row @param {Heading} heading @param {number} depth */
  #fill(row, {title, section}, depth) {
    setText(row.button, title || '…');
    row.element.style.paddingInlineStart = `${depth}em`;
    if (section === this.#current) row.button.setAttribute('aria-current', 'location');
    else row.button.removeAttribute('aria-current');
    if (section === row.section) return;
    row.section = section;
    row.people.dataset.presenceSection = section;
  }
}

/** @param {readonly Heading[]} headings */
function listed(headings) {
  for (let deepest = 6; deepest > 1 && headings.length > MAX_ROWS; deepest--) {
    const upper = headings.filter(({level}) => level < deepest);
    if (upper.length) headings = upper;
  }
  return headings.slice(0, MAX_ROWS);
}
