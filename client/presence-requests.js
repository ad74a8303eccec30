/** The API over HTTP: who asks, in which headers, and what came of it. */

import {TIME_LIMIT, Timer} from './presence-timer.js';

/**
 * @typedef {Partial<import('./presence-types.js').Answer>} Said what the server said, or an error of its
 * @typedef {object} Fate
 * @property {number} status of HTTP, or what it would be
 * @property {'' | 'refused' | 'unknown' | 'offline'} fault what is wrong, in a word; `''`: it is an answer
 * @property {number} [retry_after] seconds
 * @property {string} [error] what to do about it
 * @typedef {Said & Fate} Outcome
 */

export class PresenceRequests {
  #surroundings;
  #options;
  /** @type {string | null | undefined} undefined: not asked for yet */ #token;

  /** @param {import('./presence-core.js').PresenceCore} core @param {import('./presence-types.js').Options} options */
  constructor(core, options) {
    this.#surroundings = core.surroundings;
    this.#options = options;
    this.base = `${options.prefix ?? '/writer/api'}/project/${encodeURIComponent(core.projectId)}/presence/`;
  }

  /** Who asks, where the browser does not say it by itself. @param {boolean} [refused] what it was before */
  async token(refused = false) {
    const {token} = this.#options;
    if (refused || this.#token === undefined) this.#token = typeof token === 'function' ? await token(refused) : token;
    return this.#token;
  }

  /**
   * A request and its JSON within the time limit. What fails is an outcome too.
   * @param {string} path @param {AbortController} flight @param {object} [message] none: a GET @returns {Promise<Outcome>}
   */
  async ask(path, flight, message) {
    const timer = new Timer(this.#surroundings);
    timer.set(() => flight.abort(), TIME_LIMIT);
    const expired = new Promise((_, reject) => (flight.signal.onabort = reject));
    try {
      return await /** @type {Promise<Outcome>} */ (Promise.race([this.#ask(path, flight, message), expired]));
    } catch (error) {
      return {status: 503, fault: error instanceof TypeError ? 'offline' : 'unknown'};
    } finally {
      timer.clear();
    }
  }

  /** The last word, which outlives the page. Not sendBeacon: it cannot carry the Authorization. @param {object} message */
  leave(message) {
    this.#fetch('leave/', message, {keepalive: true}).catch(() => {});
  }

  /**
   * Asked a second time with a new token, or without the cookie that the server has just cleared, when the first was refused.
   * @param {string} path @param {AbortController} flight @param {object} [message] @param {boolean} [again] @returns {Promise<Outcome>}
   */
  async #ask(path, flight, message, again = false) {
    await this.token(again);
    const response = await this.#fetch(path, message, {signal: flight.signal});
    const {status, headers} = response;
    const body = await response.json().catch(() => null); // a proxy's error page is none of ours
    const renewable = typeof this.#options.token === 'function' || body?.code === 'cookie_invalid';
    if (status === 401 && renewable && !again) return this.#ask(path, flight, message, true);
    const fault = body?.success ? '' : [401, 403, 404].includes(status) ? 'refused' : 'unknown';
    return {...body, retry_after: Number(headers.get('Retry-After')), status, fault};
  }

  /** @param {string} path @param {object | undefined} message @param {RequestInit} init */
  async #fetch(path, message, init) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (this.#token) headers.Authorization = `Bearer ${this.#token}`;
    if (message) {
      const csrf = this.#options.csrfToken ?? /(?:^|;\s*)csrftoken=([^;]+)/.exec(this.#surroundings.document?.cookie ?? '')?.[1];
      if (csrf) headers['X-CSRFToken'] = decodeURIComponent(csrf);
      headers['Content-Type'] = 'application/json';
      init = {...init, method: 'POST', body: JSON.stringify(message)};
    }
    return this.#surroundings.fetch(this.base + path, {...init, headers});
  }
}
