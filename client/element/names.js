/**
 * Names under which elements that are not drawn are given to a manager, so that the sections in their shadow roots are marked. A name that
 * was given back is taken again, so that the manager's names do not become more and more.
 */

/** The names in use. @type {WeakMap<object, Set<string>>} */
const names = new WeakMap();

/** @param {object} manager @param {string} kind @returns {string} */
export function takeName(manager, kind) {
  const used = names.get(manager) ?? new Set();
  names.set(manager, used);
  let free = 0;
  while (used.has(`${kind}-${free}`)) free++;
  used.add(`${kind}-${free}`);
  return `${kind}-${free}`;
}

/** @param {object} manager @param {string} name */
export const giveName = (manager, name) => names.get(manager)?.delete(name);
