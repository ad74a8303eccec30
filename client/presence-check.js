/** Checks what the page's code passes, so that a mistake is an exception where it is made. What a value may be is left to the server. */

/** Throws a TypeError with what to do, unless a condition holds. @param {unknown} condition @param {string} todo */
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
