/** What the custom elements share: their base class, styles, and names for `::part()`. */

import {adopter} from '../presence-style.js';

/** `HTMLElement`, or in a server, where there is none, a class that makes the modules loadable. */
export const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

/** Adds the styles of an element that is one piece of a line to its shadow root. */
export const adoptInline = adopter(':host{display: inline-block} :host([hidden]){display: none}');

/** Names for `::part()`: those of the classes, without `presence-`. @param {Element} element */
function nameParts(element) {
  for (const name of element.classList) if (name.startsWith('presence-')) element.part.add(name.slice('presence-'.length));
}

/** Makes a shadow root in which all parts of the interface have names for `::part()`, also those that are drawn later. @param {HTMLElement} host */
export function shadowRoot(host) {
  const root = host.attachShadow({mode: 'open'});
  new MutationObserver((records) => {
    for (const node of records.flatMap(({addedNodes}) => [...addedNodes])) {
      if (node.nodeType !== Node.ELEMENT_NODE) continue;
      const element = /** @type {Element} */ (node);
      for (const part of [element, ...element.querySelectorAll('[class]')]) nameParts(part);
    }
  }).observe(root, {childList: true, subtree: true});
  return root;
}

/** Applies the properties that were set before the element was defined: until then they hide its accessors. @param {any} element @param {readonly string[]} names */
export function upgradeProperties(element, names) {
  for (const name of names) {
    if (!Object.hasOwn(element, name)) continue;
    const value = element[name];
    delete element[name];
    element[name] = value;
  }
}

/** Sets an attribute; null removes it. @param {Element} element @param {string} name @param {unknown} value */
export function setAttribute(element, name, value) {
  if (value === null || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, String(value));
}
