/**
 * Asks how many people are in projects, for all `<presence-count>` of a server and token together: each 30 s while the page is visible. The
 * browser sends the `ETag` it keeps, and the server answers 304 while nothing changed.
 */

import {PresenceRequests} from '../presence-requests.js';
import {normalSection} from '../section.js';

const INTERVAL = 30_000;
/** how long a project waits for others before it is asked about the first time */ const GATHER = 1000;
/** an older number is not shown */ const MAX_AGE = 2 * INTERVAL;
/** projects of one request */ const MOST = 100;

/**
 * @typedef {{users: number, sections: Record<string, number>}} Count of a project
 * @typedef {(counts: readonly Count[] | null) => void} Listener gets the counts of its projects that are yours; null: not known
 * @typedef {Pick<import('../presence-types.js').Options, 'token' | 'prefix'>} Options
 */

/** How many people are in a project, or in a section of it. @param {Count} count @param {string | null} section in any spelling */
export function usersIn({users, sections}, section) {
  const normal = normalSection(section);
  return section === null ? users : Object.hasOwn(sections, normal) ? sections[normal] : 0;
}

/** @type {{token: unknown, prefix: string, counts: Counts}[]} */
let all = [];

export class Counts {
  #environment;
  #requests;
  /** @type {Map<Listener, readonly string[]>} */ #listeners = new Map();
  /** when each project was asked about last @type {Map<string, number>} */ #asked = new Map();
  /** of each project; without a count: it is not yours @type {Map<string, {at: number, count?: Count}>} */ #answers = new Map();
  /** @type {unknown} */ #timer;
  #asking = false;
  #askedAt = -Infinity;
  /** the end of the server's `Retry-After` */ #notBefore = -Infinity;
  /** when to ask because of new projects */ #newAt = Infinity;

  /** @param {Options} options @param {import('../presence-types.js').Environment} [environment] */
  constructor(options, environment = /** @type {any} */ (globalThis)) {
    this.#environment = environment;
    this.#requests = new PresenceRequests(environment, '', options);
    this.#requests.base = this.#requests.base.replace(/\/project\/\/presence\/$/, '/presence/');
  }

  /**
   * The counts of a server and token, the same for the same arguments: also after an interval without listeners, so that none asks earlier.
   * @param {Options} options
   */
  static of(options) {
    const {token = '', prefix = ''} = options;
    const found = all.find((entry) => entry.token === token && entry.prefix === prefix);
    if (found) return found.counts;
    all = all.filter((entry) => !entry.counts.#isIdle);
    const counts = new Counts(options);
    all.push({token, prefix, counts});
    return counts;
  }

  /** Calls the listener after each answer, until the returned function is called. @param {readonly string[]} projects @param {Listener} listener */
  subscribe(projects, listener) {
    const {document} = this.#environment;
    if (!this.#listeners.size) document?.addEventListener('visibilitychange', this.#schedule);
    this.#listeners.set(listener, projects);
    if (this.#areFresh(projects)) listener(this.#countsOf(projects));
    this.#schedule();
    return () => {
      if (!this.#listeners.delete(listener) || this.#listeners.size) return;
      document?.removeEventListener('visibilitychange', this.#schedule);
      this.#environment.clearTimeout(/** @type {any} */ (this.#timer));
    };
  }

  get #now() {
    return /** @type {Performance} */ (this.#environment.performance).now();
  }

  /** Nobody listens, and a new object would ask no earlier than this one. */
  get #isIdle() {
    return !this.#listeners.size && !this.#asking && this.#now >= Math.max(this.#notBefore, this.#askedAt + INTERVAL);
  }

  get #projects() {
    return [...new Set([...this.#listeners.values()].flat())].sort();
  }

  /** @param {readonly string[]} projects */
  #areFresh(projects) {
    const now = this.#now;
    return projects.every((project) => (this.#answers.get(project)?.at ?? -Infinity) + MAX_AGE > now);
  }

  /** @param {readonly string[]} projects */
  #countsOf(projects) {
    return projects.flatMap((project) => this.#answers.get(project)?.count ?? []);
  }

  /** Sets the time of the next request: 1 s after a project was added that was not asked about for 30 s, else 30 s after the last request. */
  #schedule = () => {
    this.#environment.clearTimeout(/** @type {any} */ (this.#timer));
    if (this.#environment.document?.visibilityState === 'hidden' || this.#asking || !this.#listeners.size) return;
    const now = this.#now;
    const hasNew = [...this.#listeners.values()].some((projects) => projects.some((project) => now >= (this.#asked.get(project) ?? -Infinity) + INTERVAL));
    this.#newAt = hasNew ? Math.min(this.#newAt, now + GATHER) : Infinity;
    const askAt = Math.max(this.#notBefore, Math.min(this.#newAt, this.#askedAt + INTERVAL));
    const expiresAt = Math.min(...[...this.#answers.values()].map(({at}) => at + MAX_AGE));
    const [at, act] = expiresAt < askAt ? [expiresAt, () => this.#tell()] : [askAt, () => this.#ask()];
    this.#timer = this.#environment.setTimeout(act, Math.max(0, at - now));
  };

  async #ask() {
    const projects = this.#projects;
    const at = (this.#askedAt = this.#now);
    this.#asking = true;
    this.#newAt = Infinity;
    for (let i = 0; i < projects.length; i += MOST) {
      const some = projects.slice(i, i + MOST);
      const query = some.map((project) => `project=${encodeURIComponent(project)}`).join('&');
      const answer = /** @type {any} */ (await this.#requests.ask(`counts/?${query}`, new AbortController()));
      if (answer.fault) {
        this.#notBefore = at + (answer.retry_after || 0) * 1000;
        // The numbers are not wrong because there were too many requests.
        if (answer.status !== 429) for (const project of projects) this.#answers.delete(project);
        break;
      }
      for (const project of some) this.#answers.set(project, {at, count: Object.hasOwn(answer.projects, project) ? answer.projects[project] : undefined});
    }
    for (const project of projects) this.#asked.set(project, at);
    this.#asking = false;
    this.#tell();
  }

  /** Calls the listeners, except for projects that were never asked about. */
  #tell() {
    const now = this.#now;
    for (const [project, {at}] of this.#answers) if (at + MAX_AGE <= now) this.#answers.delete(project);
    for (const [listener, projects] of this.#listeners) {
      if (this.#areFresh(projects)) listener(this.#countsOf(projects));
      else if (projects.every((project) => this.#asked.has(project))) listener(null);
    }
    this.#schedule();
  }
}
