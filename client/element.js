/** Creates an element. Strings become text nodes, never markup. @template {keyof HTMLElementTagNameMap} T @param {T} tag @param {string} [name] the class @param {(Node | string)[]} children */
export function make(tag, name, ...children) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...children);
  return element;
}
