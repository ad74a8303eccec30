/**
 * The transport that works everywhere: one `update` per heartbeat, whose answer is the whole poll.
 *
 * Exactly one update is under way at a time; what changes meanwhile travels in the one that follows. After a failure it
 * tries again with full jitter, so that a server that comes back is not met by all its pages at once.
 */

const HEARTBEAT = 30_000;
const TIME_LIMIT = 8_000;
const FIRST_RETRY = 500;
const LAST_RETRY = 30_000;
const REFUSED_RETRY = 5 * 60_000;
const LONGEST_WAIT = 60 * 60_000; // a timer beyond 2^31 ms would fire at once

export class PollTransport {
  #core;
  #surroundings;
  #options;
  #base;
  #running = false;
  /** something was sent that a leave has to undo */
  #present = false;
  /** @type {AbortController | null} */ #flight = null;
  /** @type {unknown} */ #timer;
  /** @type {ReturnType<typeof promise> | null} the update that is due next */ #next = null;
  #failures = 0;
  #notBefore = 0;
  #lastAnswer = Infinity;
  /** @type {string | null | undefined} undefined: not asked for yet */ #token;

  /** @param {import('./presence-core.js').PresenceCore} core @param {import('./presence-types.js').Options} options */
  constructor(core, options) {
    this.#core = core;
    this.#surroundings = core.surroundings;
    this.#options = options;
    this.#base = `${options.prefix ?? '/writer/api'}/project/${encodeURIComponent(core.projectId)}/presence/`;
    this.heartbeat = options.heartbeat ?? HEARTBEAT;
  }

  start() {
    if (this.#running) return;
    this.#running = true;
    this.#failures = this.#notBefore = 0;
    this.#line('addEventListener');
    this.poke();
  }

  /** Silence, after one leave. @param {boolean} [hidden] the page is going away, and may be back in a moment */
  stop(hidden = false) {
    if (!this.#running) return;
    this.#running = false;
    this.#line('removeEventListener');
    this.#surroundings.clearTimeout(this.#timer);
    this.#flight?.abort();
    this.#flight = null;
    this.#next?.resolve();
    this.#next = null;
    if (!this.#present) return;
    this.#present = false;
    const body = {...this.#core.sign(), ...(hidden && {hidden})};
    // Not sendBeacon: it cannot carry the Authorization.
    this.#fetch('leave/', {...this.#post(body), keepalive: true}).catch(() => {});
  }

  /** Something changed: an update is due, at the end of this turn or when the one under way is back. Resolves when it was answered. */
  poke() {
    if (!this.#running) return;
    const wasDue = this.#next;
    const due = (this.#next ??= promise());
    if (!wasDue && !this.#flight) this.#arm(this.#notBefore - this.#surroundings.now());
    return due.settled;
  }

  /** The list, without an update. */
  async look() {
    const flight = new AbortController();
    const known = this.#core.version;
    try {
      const {response, body} = await this.#exchange('list/', () => ({}), flight);
      if (response.ok) this.#core.acceptList(body, 'polling', known);
      else this.#core.fail(verdict(response.status));
    } catch (error) {
      this.#core.fail(this.#blame(error));
    }
  }

  /** @param {number} delay */
  #arm(delay) {
    this.#surroundings.clearTimeout(this.#timer);
    if (delay > 0) this.#timer = this.#surroundings.setTimeout(() => this.#send(), Math.min(delay, LONGEST_WAIT));
    else queueMicrotask(() => this.#send());
  }

  async #send() {
    if (!this.#running || !this.#core.running || this.#flight) return;
    this.#surroundings.clearTimeout(this.#timer);
    const flight = (this.#flight = new AbortController());
    const due = this.#next;
    this.#next = null;
    // After a sleep the list is old before anything has failed.
    const silence = this.#surroundings.now() - this.#lastAnswer;
    if (silence > 3 * this.heartbeat && !this.#failures) this.#core.fail('connecting');
    const wait = await this.#update(flight);
    due?.resolve();
    if (this.#flight !== flight) return;
    this.#flight = null;
    const blocked = this.#notBefore - this.#surroundings.now();
    this.#arm(this.#next ? blocked : Math.max(wait, blocked));
  }

  /** One update and its answer. @param {AbortController} flight @returns {Promise<number>} milliseconds to the next */
  async #update(flight) {
    const message = this.#core.compose();
    let outcome;
    try {
      this.#present = true;
      outcome = await this.#exchange('update/', () => this.#post(message), flight);
    } catch (error) {
      if (this.#flight !== flight) return 0;
      this.#core.fail(this.#blame(error));
      return this.#backOff();
    }
    if (this.#flight !== flight) return 0;
    const {response, body} = outcome;
    if (!response.ok) {
      if (response.status < 500 && body?.error) console.warn(`Presence: ${body.error}`); // for whoever builds the page
      this.#core.fail(verdict(response.status));
      return this.#hold(response);
    }
    this.#failures = this.#notBefore = 0;
    this.#lastAnswer = this.#surroundings.now();
    if (body.heartbeat > 0) this.heartbeat = Math.max(1000, body.heartbeat * 1000);
    this.#core.accept(body, message, 'polling');
    return this.heartbeat;
  }

  /** How long to leave the server in peace after its refusal, whatever changes meanwhile. @param {Response} response */
  #hold(response) {
    const {status, headers} = response;
    const asked = Number(headers.get('Retry-After')) * 1000;
    let wait = this.#backOff();
    if (asked > 0) wait += asked;
    else if (status === 401) wait = this.heartbeat;
    else if (verdict(status) === 'refused') wait = REFUSED_RETRY;
    else if (status < 500 && status !== 429) return this.heartbeat; // a mistake in this message; the next may have none
    else return wait;
    this.#notBefore = this.#surroundings.now() + wait;
    return wait;
  }

  #backOff() {
    return this.#surroundings.random() * Math.min(LAST_RETRY, FIRST_RETRY * 2 ** this.#failures++);
  }

  /**
   * A request and its JSON within the time limit, asked a second time with a new token, or without the cookie that the server has
   * just cleared, when the first was refused.
   * @param {string} path @param {() => RequestInit} init @param {AbortController} flight
   */
  async #exchange(path, init, flight) {
    const expired = new Promise((_, reject) => flight.signal.addEventListener('abort', () => reject(new Error('no answer in time'))));
    const timer = this.#surroundings.setTimeout(() => flight.abort(), TIME_LIMIT);
    const ask = async (refused = false) => {
      const {token} = this.#options;
      if (refused || this.#token === undefined) this.#token = typeof token === 'function' ? await token(refused) : token ?? null;
      if (flight.signal.aborted) throw new Error('stopped');
      const response = await this.#fetch(path, {...init(), signal: flight.signal});
      const body = await response.json().catch(() => null); // a proxy's error page is none of ours
      if (response.ok && !body?.success) throw new Error('not an answer of the presence server');
      return {response, body};
    };
    const asked = (async () => {
      const first = await ask();
      const renewable = typeof this.#options.token === 'function' || first.body?.code === 'cookie_invalid';
      return first.response.status === 401 && renewable ? ask(true) : first;
    })();
    try {
      return await /** @type {typeof asked} */ (Promise.race([asked, expired]));
    } finally {
      this.#surroundings.clearTimeout(timer);
    }
  }

  /** @param {string} path @param {RequestInit} init */
  async #fetch(path, init) {
    const headers = {...init.headers, ...(this.#token && {Authorization: `Bearer ${this.#token}`})};
    return this.#surroundings.fetch(this.#base + path, {...init, headers, credentials: 'same-origin', cache: 'no-store'});
  }

  /** @param {object} body @returns {RequestInit} */
  #post(body) {
    const csrf = this.#options.csrfToken ?? /(?:^|;\s*)csrftoken=([^;]+)/.exec(this.#surroundings.document?.cookie ?? '')?.[1];
    const headers = {'Content-Type': 'application/json', ...(csrf && {'X-CSRFToken': decodeURIComponent(csrf)})};
    return {method: 'POST', headers, body: JSON.stringify(body)};
  }

  /** @param {'addEventListener' | 'removeEventListener'} change */
  #line(change) {
    for (const type of ['online', 'offline']) this.#surroundings.window?.[change](type, this.#onLine);
  }

  // The browser may be wrong in both directions (a server on this very machine needs no network): an attempt decides.
  /** @param {Event} event */
  #onLine = ({type}) => {
    if (type === 'offline') this.#core.fail('offline');
    this.poke();
  };

  /** What a request without an answer says. @param {unknown} error */
  #blame(error) {
    const {window} = this.#surroundings;
    const online = /** @type {Window | undefined} */ (window)?.navigator?.onLine ?? true;
    return error instanceof TypeError || !online ? 'offline' : 'unknown';
  }
}

/** @param {number} status */
const verdict = (status) => ([401, 403, 404].includes(status) ? 'refused' : 'unknown');

/** A promise, and the hand that settles it. */
function promise() {
  /** @type {() => void} */
  let resolve = () => {};
  /** @type {Promise<void>} */
  const settled = new Promise((done) => (resolve = done));
  return {settled, resolve};
}
