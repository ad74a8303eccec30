/**
 * Presence in the sections of a `<textarea>`, or of an element with `contenteditable`, whose headings are h1 to h6.
 *
 *     const binding = bindTextarea(presence, document.querySelector('textarea'), {format: 'markdown', prefix: 'paper.md'});
 *     binding.saved(revision);  // the host has saved the text
 */

import {need} from '../presence-check.js';
import {Editing} from './editing.js';
import {Outline} from './outline.js';

/**
 * @typedef {object} TextareaOptions
 * @property {'markdown' | 'latex' | 'html' | undefined} [format] of the text, whose headings are the sections. Without it the text is one section: the
 *   prefix, or else the one that the host sets. Headings of a contenteditable element are found without it
 * @property {string | undefined} [prefix] of all sections, such as the name of the file
 * @property {((place: number | Node) => string | null) | undefined} [sectionAt] instead of `format`: the section at an offset in the text, or at a node
 *   of a contenteditable element
 * @property {import('../presence-types.js').Environment} [environment] for tests
 */

const HEADINGS = 'h1, h2, h3, h4, h5, h6';

/**
 * Reports where the person reads and writes in a field. Changes by script count neither as changes nor as moves.
 * @param {import('./editing.js').Manager} manager
 * @param {HTMLElement} field a textarea or an element with `contenteditable`
 * @param {TextareaOptions} [options]
 * @returns {{saved(revision?: string | number): void, destroy(): void}} `saved`: the host has saved the text as it is now
 */
export function bindTextarea(manager, field, {format, prefix = '', sectionAt, environment} = {}) {
  const isField = typeof (/** @type {any} */ (field).value) === 'string';
  need(isField || field.isContentEditable, 'bindTextarea(manager, field) takes a textarea or an element with contenteditable');
  /** @type {any} */ const text = sectionAt ? null : isField ? format && new PlainText(/** @type {HTMLTextAreaElement} */ (field), format, prefix) : new RichText(field, prefix);
  /** @type {Editing<any>} */ const editing = new Editing(manager, {
    environment,
    sectionAt: sectionAt ?? ((place) => (text ? text.sectionAt(place) : place)),
    settle: (place) => (text ? text.settle(place) : []),
    goTo: (section, focus) => !!text && text.goTo(section, focus || field.matches(':focus')),
  });
  const listeners = new AbortController();
  const {signal} = listeners;
  const page = field.ownerDocument;
  const isWhole = !text && !sectionAt;
  /** a section, an offset or a node */
  const caret = () => (isWhole ? prefix || editing.current : isField ? /** @type {HTMLTextAreaElement} */ (field).selectionEnd : caretNode(field));
  const move = () => {
    const place = caret();
    if (field.matches(':focus') && place !== null) editing.moved(place);
  };
  /** @param {Event} event a script may dispatch it, too; without the focus, that is not the person's */
  const change = ({isTrusted}) => (isTrusted || field.matches(':focus')) && editing.changed(caret() ?? (isWhole ? null : field));
  field.addEventListener('input', change, {signal});
  for (const type of ['focus', 'keyup', 'pointerup']) field.addEventListener(type, move, {signal});
  page.addEventListener('selectionchange', move, {signal});
  move();
  return {
    saved: (revision) => editing.saved(revision),
    destroy() {
      listeners.abort();
      editing.destroy();
    },
  };
}

/** The text of a field, whose places are offsets. */
class PlainText {
  #field;
  #outline;

  /** @param {HTMLTextAreaElement} field @param {'markdown' | 'latex' | 'html'} format @param {string} prefix */
  constructor(field, format, prefix) {
    this.#field = field;
    this.#outline = new Outline(field.value, format, {prefix});
  }

  /** @param {number} offset */
  settle(offset) {
    this.#outline.replace(this.#field.value);
    return this.#outline.settle(offset);
  }

  /** @param {number} offset */
  sectionAt(offset) {
    this.#outline.replace(this.#field.value);
    return this.#outline.sectionAt(offset);
  }

  /** @param {string} section @param {boolean} focus */
  goTo(section, focus) {
    this.#outline.replace(this.#field.value);
    const found = this.#outline.find(section);
    if (!found) return false;
    if (focus) this.#field.blur(); // browsers scroll to the caret of a field that gets the focus
    this.#field.setSelectionRange(found.to, found.to);
    if (focus) this.#field.focus();
    return true;
  }
}

/** The content of a contenteditable element, whose places are nodes. Its outline is that of its headings alone. */
class RichText {
  #element;
  #outline;
  /** @type {Element[]} */ #headings = [];

  /** @param {HTMLElement} element @param {string} prefix */
  constructor(element, prefix) {
    this.#element = element;
    this.#outline = new Outline(this.#read(), 'html', {prefix});
  }

  /** @param {Node} node */
  settle(node) {
    this.#outline.replace(this.#read());
    const i = this.#indexAt(node);
    return this.#outline.settle(this.#headings[i]?.contains(node) ? this.#outline.headings[i].from : -1);
  }

  /** @param {Node} node */
  sectionAt(node) {
    this.#outline.replace(this.#read());
    const i = this.#indexAt(node);
    return this.#outline.sectionAt(i < 0 ? -1 : this.#outline.headings[i].from);
  }

  /** @param {string} section @param {boolean} focus */
  goTo(section, focus) {
    this.#outline.replace(this.#read());
    const i = this.#outline.headings.findIndex((heading) => heading.section === section);
    if (i < 0) return false;
    if (focus) {
      this.#element.focus();
      this.#element.ownerDocument.getSelection()?.collapse(this.#headings[i], this.#headings[i].childNodes.length); // which takes the focus
    }
    this.#headings[i].scrollIntoView({block: 'nearest'});
    return true;
  }

  /** The headings as markup, from which an outline is made. */
  #read() {
    this.#headings = [...this.#element.querySelectorAll(HEADINGS)].filter((heading) => !heading.parentElement?.closest(HEADINGS));
    const escaped = (/** @type {string | null} */ text) => (text ?? '').slice(0, 1000).replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
    return this.#headings.map(({localName, id, textContent}) => `<${localName}${id && ` id="${escaped(id)}"`}>${escaped(textContent)}</${localName}>\n`).join('');
  }

  /** The index of the heading above a node, or around it; -1: none. @param {Node} node */
  #indexAt(node) {
    let low = 0;
    for (let high = this.#headings.length; low < high;) {
      const middle = (low + high) >> 1;
      const heading = this.#headings[middle];
      if (heading === node || node.compareDocumentPosition(heading) & (Node.DOCUMENT_POSITION_PRECEDING | Node.DOCUMENT_POSITION_CONTAINS)) low = middle + 1;
      else high = middle;
    }
    return this.#element.contains(node) ? low - 1 : -1;
  }
}

/** The node at the caret in an element; null: the caret is elsewhere. @param {HTMLElement} element */
function caretNode(element) {
  const root = /** @type {any} */ (element.getRootNode());
  const {focusNode, focusOffset = 0} = (root.getSelection ? root : element.ownerDocument).getSelection() ?? {};
  if (!focusNode || !element.contains(focusNode)) return null;
  return focusNode.childNodes[Math.min(focusOffset, focusNode.childNodes.length - 1)] ?? focusNode;
}
