/** Checks what the page's code passes, so that a mistake is an exception where it is made. What a value may be is left to the server. */

/** Throws a TypeError with what to do, unless a condition holds. @param {unknown} condition @param {string} todo @returns {asserts condition} */
export function need(condition, todo) {
  if (!condition) throw new TypeError(`Presence: ${todo}`);
}

const TYPES = {
  prefix: 'string', token: 'string or function', tokenHeader: 'string', csrfToken: 'string', heartbeat: 'number', live: 'boolean',
  pane: 'string', strings: 'object',
};

/** @param {unknown} value */
const isId = (value) => typeof value === 'string' || Number.isFinite(value);

/** The arguments of the constructor. @param {unknown} project @param {unknown} user @param {any} options */
export function checkArguments(project, user, options) {
  need(project !== '' && isId(project), 'project: pass a string or number');
  need(user === null || isId(user), 'user: pass a string or number');
  need(options && typeof options === 'object', 'options: pass an object');
  checkOptions(options, TYPES);
}

/** Falsy options are as good as none. @param {any} options @param {Record<string, string>} all the types by name */
export function checkOptions(options, all) {
  for (const [name, types] of Object.entries(all)) need(!options[name] || types.includes(typeof options[name]), `${name}: pass a ${types}`);
}

/** Returns a section, or null for none. @param {string | null | undefined} section */
export function sectionOrNull(section) {
  need(!section || typeof section === 'string', 'section: pass a string or null');
  return section || null;
}

/** Returns the section of a save. @param {unknown} section */
export function sectionOf(section) {
  need(section && typeof section === 'string', 'section: pass a string, or call setSection()');
  return section;
}

/** Returns the revision of a save as text. @param {unknown} revision */
export function revisionOf(revision) {
  const text = `${revision}`;
  need(isId(revision) && /^\P{Cc}{1,64}$/u.test(text), 'revision: pass a number, or 1 to 64 characters');
  return text;
}
