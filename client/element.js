/** Creates an element. Strings become text nodes, never markup. @template {keyof HTMLElementTagNameMap} T @param {T} tag @param {string} [name] the class @param {(Node | string)[]} children */
export function make(tag, name, ...children) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...children);
  return element;
}

/**
 * Gives an element these children. The one with the focus is not moved, because that would end its focus: the others are moved around it.
 * @param {Element} parent @param {readonly Element[]} children
 */
export function setChildren(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  const still = hasFocus(parent) && children.find(hasFocus);
  let at = parent.firstElementChild;
  for (const child of children) {
    while (child === still && at && at !== child) {
      const next = at.nextElementSibling;
      parent.append(at);
      at = next;
    }
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
  }
}

/** Gives an element a text, unless it has it. @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Paths in a square of 16, filled by the even-odd rule. */
const ICONS = {
  people: 'M6 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM0 14c0-3 2.4-4.8 6-4.8s6 1.8 6 4.8zM11 7.9a3 3 0 0 0 0-5.8 4.5 4.5 0 0 1 0 5.8zM13.5 14H16c0-2.4-1.4-4-3.7-4.6.8 1.2 1.2 2.7 1.2 4.6z',
  editing: 'M11.3 1.2l3.5 3.5L5.3 14.2 1 15l.8-4.3z',
  idle: 'M6.2 1.2A7 7 0 1 0 14.8 9.8 6 6 0 0 1 6.2 1.2z',
  close: 'M3.4 2L8 6.6 12.6 2 14 3.4 9.4 8l4.6 4.6-1.4 1.4L8 9.4 3.4 14 2 12.6 6.6 8 2 3.4z',
};

/** A drawing in the colour of the text, which needs no font. @param {keyof typeof ICONS} name */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', ICONS[name]);
  svg.setAttribute('class', 'presence-icon');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.ariaHidden = 'true';
  svg.append(path);
  return svg;
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
