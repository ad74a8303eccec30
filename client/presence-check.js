/** Checks what the page's code passes, so that a mistake is an exception where it is made. What a value may be is left to the server. */

/** Throws a TypeError with what to do, unless a condition holds. @param {unknown} condition @param {string} todo @returns {asserts condition} */
export function need(condition, todo) {
  if (!condition) throw new TypeError(`Presence: ${todo}`);
}

const TYPES = {
  prefix: 'string', token: 'string or function', tokenHeader: 'string', csrfToken: 'string', heartbeat: 'number', live: 'boolean',
  view: 'boolean', pane: 'string', label: 'function', elements: 'object', strings: 'object',
};

/** The arguments of the constructor. Falsy options are as good as none. @param {unknown} project @param {unknown} user @param {any} options */
export function checkArguments(project, user, options) {
  need((project && typeof project === 'string') || Number.isFinite(project), 'the first argument is the project, a string or number');
  need(user === null || typeof user === 'string' || Number.isFinite(user), 'the second argument is the user, a string, number or null; options are the third');
  need(options && typeof options === 'object', 'the third argument is an object of options');
  for (const [name, types] of Object.entries(TYPES)) need(!options[name] || types.includes(typeof options[name]), `option ${name}: pass a ${types}`);
}

/** Returns the section of a save. @param {unknown} section */
export function sectionOf(section) {
  need(section && typeof section === 'string', 'name the section, {section, revision}, or call setSection()');
  return section;
}

/** Returns the revision of a save as text. @param {unknown} revision */
export function revisionOf(revision) {
  const text = typeof revision === 'number' ? String(revision) : revision;
  need(typeof text === 'string' && /^\P{Cc}{1,64}$/u.test(text), 'a revision is a number or 1 to 64 visible characters');
  return text;
}
