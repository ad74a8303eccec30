/** Sends requests to the HTTP API, with credentials, headers and time limit, and classifies their outcome. */

import {ANSWER_TIMEOUT, LOCK, MAX_WARNINGS} from './constants.js';

/**
 * @typedef {Partial<import('./presence-types.js').Answer>} Reply the server's answer or error
 * @typedef {object} Result
 * @property {number} status of HTTP, or its equivalent
 * @property {'' | 'refused' | 'unknown' | 'offline'} fault `''`: the request succeeded
 * @property {string} [code] of the error
 * @property {number} [retry_after] seconds
 * @property {string} [error] what went wrong and what to do
 * @typedef {Reply & Result} Outcome
 */

export class PresenceRequests {
  #environment;
  #options;
  /** the API is on another origin than the page */ #crossOrigin;
  /** @type {string | null | undefined} undefined: not fetched yet */ #token;
  /** @type {Promise<void> | undefined} the call of `options.token` under way */ #fetching;
  /** @type {Set<string>} */ #warned = new Set();

  /** @param {import('./presence-types.js').Environment} environment @param {string | number} projectId @param {import('./presence-types.js').Options} options */
  constructor(environment, projectId, options) {
    this.#environment = environment;
    this.#options = options;
    const prefix = (options.prefix ?? '/writer/api').replace(/\/+$/, '');
    this.base = `${prefix}/project/${encodeURIComponent(projectId)}/presence/`;
    const {window, document} = /** @type {{window?: any, document?: Document}} */ (environment);
    /** the same for all ways to write the prefix */
    this.address = window?.origin ? new URL(this.base, document?.baseURI).href : this.base;
    this.#crossOrigin = window?.origin && new URL(this.address).origin !== window.origin;
  }

  /**
   * The token, or null. Calls `options.token` if none was fetched yet or the server rejected it; callers at the same time share one call.
   * Rejects if that call fails, after a warning on the console.
   * @param {boolean} [rejected]
   */
  async token(rejected = false) {
    if (rejected || this.#token === undefined) {
      const fetching = (this.#fetching ??= this.#fetchToken(rejected));
      try {
        await fetching;
      } finally {
        if (this.#fetching === fetching) this.#fetching = undefined;
      }
    }
    return this.#token;
  }

  /** @param {boolean} rejected */
  async #fetchToken(rejected) {
    const {token} = this.#options;
    try {
      const renewed = await (typeof token === 'function' ? token(rejected) : token ?? null);
      if (renewed === undefined) this.warn('token() gave undefined');
      if (renewed && !/^[!-~]+$/.test(renewed)) throw 'not visible ASCII';
      if (this.#fetching) this.#token = renewed || null; // otherwise this call timed out, and a later one may have answered
    } catch (error) {
      this.warn(`token() failed: ${error}`);
      throw new Error(); // not the original: a TypeError would count as "offline"
    }
  }

  /** Warns the page's developer on the console: each text once, at most ten texts. @param {string} text */
  warn(text) {
    const {size} = this.#warned;
    if (size < MAX_WARNINGS && this.#warned.add(text).size > size) console.warn(`Presence: ${text}`);
  }

  /**
   * A request and its JSON within the time limit. Never rejects: a failure is an outcome.
   *
   * `first`: the answer may make this browser a visitor. Of the tabs that ask for that at the same time, one goes ahead, and the others
   * wait for its answer, and so for the cookie: they are the same visitor then.
   * @param {string} path @param {AbortController} controller aborts it @param {() => object} [compose] gives the message once the token is there; none: a GET
   * @param {boolean} [first] @returns {Promise<Outcome>}
   */
  async ask(path, controller, compose, first) {
    const timer = this.#environment.setTimeout(() => {
      controller.abort();
      if (this.#fetching) this.warn('token() gave nothing');
      this.#fetching = undefined; // the next attempt calls it again
    }, ANSWER_TIMEOUT);
    const {signal} = controller;
    const aborted = new Promise((_, reject) => (signal.onabort = reject));
    const ask = () => this.#ask(path, controller, compose);
    const locks = first && this.#environment.navigator?.locks; // browsers have them on https and on this machine
    try {
      return await /** @type {Promise<Outcome>} */ (Promise.race([
        locks ? locks.request(LOCK, {ifAvailable: true}, (lock) => (lock ? ask() : locks.request(LOCK, {mode: 'shared', signal}, ask))) : ask(),
        aborted,
      ]));
    } catch (error) {
      return {status: 503, fault: error instanceof TypeError ? 'offline' : 'unknown'};
    } finally {
      this.#environment.clearTimeout(timer);
    }
  }

  /** Sends a leave that the browser completes after the page is closed. sendBeacon cannot send the Authorization header. @param {object} message */
  leave(message) {
    this.#fetch('leave/', message, {keepalive: true}).catch(() => {});
  }

  /**
   * A request and its outcome. A rejected request is repeated once with a new token, or without the cookie that the server has just
   * cleared. If there is no new token, the rejection is the outcome.
   * @param {string} path @param {AbortController} controller @param {() => object} [compose] @param {boolean} [again] @returns {Promise<Outcome>}
   */
  async #ask(path, controller, compose, again = false) {
    await this.token();
    controller.signal.throwIfAborted();
    const response = await this.#fetch(path, compose?.(), {signal: controller.signal});
    const {status, headers} = response;
    const body = await response.json().catch(() => null); // a proxy's error page is not the server's answer
    const renewable = typeof this.#options.token === 'function' || body?.code === 'cookie_invalid';
    if (status === 401 && renewable && !again && (await this.token(true).then(() => true, () => false))) return this.#ask(path, controller, compose, true);
    const fault = body?.success ? '' : [401, 403, 404].includes(status) ? 'refused' : 'unknown';
    const after = /** @type {string} */ (headers.get('Retry-After')); // seconds or a date; null: not a number
    // A date is compared with the answer's own date, because the clock of this computer may be wrong.
    const sent = Date.parse(/** @type {string} */ (headers.get('Date'))) || this.#environment.Date.now();
    return {...body, retry_after: Number(after) || (Date.parse(after) - sent) / 1000, status, fault};
  }

  /** @param {string} path @param {object | undefined} message @param {RequestInit} init */
  async #fetch(path, message, init) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (this.#token) headers[this.#options.tokenHeader ?? 'Authorization'] = `Bearer ${this.#token}`;
    if (message) {
      // Never send the page's CSRF token to another origin.
      const csrf = this.#options.csrfToken ?? (!this.#crossOrigin && /(?:^|;\s*)csrftoken=([^;]+)/.exec(this.#environment.document?.cookie ?? '')?.[1]);
      if (csrf) headers['X-CSRFToken'] = unescape(csrf); // decodeURIComponent throws for some cookies of other applications
      headers['Content-Type'] = 'application/json';
      init = {...init, method: 'POST', body: JSON.stringify(message)};
    }
    return this.#environment.fetch(this.base + path, {...init, headers});
  }
}
