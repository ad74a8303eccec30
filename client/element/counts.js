/**
 * Asks how many people are in projects, for all `<presence-count>` of a server and token together: each 30 s while the page is visible. The
 * browser keeps the `ETag` and sends it, so that an answer without news has no body.
 */

import {PresenceRequests} from '../presence-requests.js';

const INTERVAL = 30_000;
/** projects of one request */ const MOST = 100;

/**
 * @typedef {{users: number, sections: Record<string, number>}} Count of a project
 * @typedef {(counts: ReadonlyMap<string, Count> | null) => void} Listener null: not known
 * @typedef {Pick<import('../presence-types.js').Options, 'token' | 'prefix'>} Options
 */

/** @type {Map<unknown, Map<string, Counts>>} by token and prefix */
const all = new Map();

export class Counts {
  #requests;
  #forget;
  /** @type {Map<Listener, readonly string[]>} */ #listeners = new Map();
  /** @type {Map<string, Count> | null} */ #counts = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  /** @type {AbortController | undefined} */ #request;
  #askedAt = -Infinity;
  /** @type {Set<string>} the projects asked about last */ #known = new Set();

  /** @param {Options} options @param {() => void} forget called when nobody listens any more */
  constructor(options, forget) {
    this.#requests = new PresenceRequests(/** @type {any} */ (globalThis), '', options);
    this.#requests.base = this.#requests.base.replace(/\/project\/\/presence\/$/, '/presence/');
    this.#forget = forget;
  }

  /** The counts of a server and token, the same for the same arguments. @param {Options} options */
  static of(options) {
    const {token = '', prefix = ''} = options;
    const ofToken = all.get(token) ?? new Map();
    all.set(token, ofToken);
    let counts = ofToken.get(prefix);
    if (!counts) {
      counts = new Counts(options, () => {
        ofToken.delete(prefix);
        if (!ofToken.size) all.delete(token);
      });
      ofToken.set(prefix, counts);
    }
    return /** @type {Counts} */ (counts);
  }

  /** Calls the listener after each answer, until the returned function is called. @param {readonly string[]} projects @param {Listener} listener */
  subscribe(projects, listener) {
    if (!this.#listeners.size) document.addEventListener('visibilitychange', this.#schedule);
    this.#listeners.set(listener, projects);
    if (this.#counts && projects.every((project) => this.#known.has(project))) listener(this.#counts);
    this.#schedule();
    return () => {
      if (!this.#listeners.delete(listener) || this.#listeners.size) return;
      document.removeEventListener('visibilitychange', this.#schedule);
      clearTimeout(this.#timer);
      this.#request?.abort();
      this.#forget();
    };
  }

  /** Sets the time of the next request: at once for a project that was not asked about, else 30 s after the last one. */
  #schedule = () => {
    clearTimeout(this.#timer);
    if (document.visibilityState === 'hidden' || this.#request || !this.#listeners.size) return;
    const isNew = this.#projects.some((project) => !this.#known.has(project));
    this.#timer = setTimeout(() => this.#ask(), isNew ? 0 : Math.max(0, this.#askedAt + INTERVAL - performance.now()));
  };

  get #projects() {
    return [...new Set([...this.#listeners.values()].flat())].sort();
  }

  async #ask() {
    const request = (this.#request = new AbortController());
    const projects = this.#projects;
    this.#known = new Set(projects);
    this.#askedAt = performance.now();
    /** @type {Map<string, Count> | null} */ let counts = new Map();
    for (let i = 0; i < projects.length && counts; i += MOST) {
      const query = projects.slice(i, i + MOST).map((project) => `project=${encodeURIComponent(project)}`).join('&');
      const answer = /** @type {any} */ (await this.#requests.ask(`counts/?${query}`, request));
      if (request.signal.aborted && !this.#listeners.size) break;
      if (answer.fault) {
        this.#askedAt += Math.max(0, (answer.retry_after || 0) * 1000 - INTERVAL);
        counts = null;
      } else for (const [project, count] of Object.entries(answer.projects)) counts.set(project, /** @type {Count} */ (count));
    }
    this.#request = undefined;
    if (!this.#listeners.size) return;
    this.#counts = counts;
    for (const [listener, wanted] of this.#listeners) if (wanted.every((project) => this.#known.has(project))) listener(counts);
    this.#schedule();
  }
}
