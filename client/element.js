/** A new element; its text is text, whatever it contains. @template {keyof HTMLElementTagNameMap} T @param {T} tag @param {string} [name] its class @param {(Node | string)[]} children */
export function make(tag, name, ...children) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...children);
  return element;
}
