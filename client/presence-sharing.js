/** What makes the work for a change grow with the change: values that look the same as before stay the same objects, which cannot be changed. */

/** The parts of two lists between their equal beginnings and ends. @param {readonly unknown[]} these @param {readonly unknown[]} those @returns {any[][]} */
export function differing(these, those) {
  let from = 0;
  let end = 0;
  const shorter = Math.min(these.length, those.length);
  while (from < shorter && these[from] === those[from]) from++;
  while (end < shorter - from && these[these.length - 1 - end] === those[those.length - 1 - end]) end++;
  return [these.slice(from, these.length - end), those.slice(from, those.length - end)];
}

/** Whether two values look the same, in which only `last_seen` may differ. @param {any} a @param {any} b @returns {boolean} */
export function same(a, b) {
  if (a === b || !(a instanceof Object && b instanceof Object)) return a === b;
  if (Array.isArray(a)) return a.length === b.length && a.every((part, i) => same(part, b[i]));
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key === 'last_seen' || same(a[key], b[key]));
}

/** Freezes an object and its parts, but not their parts. @template {object} T @param {T} value @returns {T} */
export function freeze(value) {
  Object.values(value).forEach(Object.freeze);
  return Object.freeze(value);
}
