/** Creates an element. Strings become text nodes, never markup. @template {keyof HTMLElementTagNameMap} T @param {T} tag @param {string} [name] the class @param {(Node | string)[]} children */
export function make(tag, name, ...children) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...children);
  return element;
}

// The property is not copied with an element, the attribute is. The symbol is the same in all copies of this module on a page.
const OWN = Symbol.for('writer-presence');

/** Marks parts of the interface, so that `isCopy` recognises copies of them. @param {HTMLElement[]} parts */
export function own(...parts) {
  for (const part of parts) {
    part.dataset.presencePart = '';
    /** @type {any} */ (part)[OWN] = true;
  }
}

/** Whether the host made this part by `innerHTML` or `cloneNode` of its own elements. @param {Element} part with `data-presence-part` */
export const isCopy = (part) => !(/** @type {any} */ (part)[OWN]);

/** Gives an element an id that is unique in its root: `name`, or `name-2` and so on. @param {Element} element @param {string} name @returns {string} */
export function identify(element, name) {
  const root = /** @type {Partial<Document>} */ (element.getRootNode());
  let id = name;
  for (let i = 2; (root.getElementById?.(id) ?? element) !== element; i++) id = `${name}-${i}`;
  return (element.id = id);
}

/** Whether the focus is in an element. @param {Element} element */
export const hasFocus = (element) => element.contains(/** @type {Document} */ (element.getRootNode()).activeElement ?? null);
