/**
 * Decides when this session sends an update, and how: over the live connection while there is one, otherwise by polling, where the answer
 * to an update contains the list. Reports everything that arrives to the state.
 *
 * One update is under way at a time; changes in the meantime are sent in the next one. Every promise that this class returns settles when
 * its update was answered, failed or was aborted, and at the latest in stop().
 *
 * While polling fails, the live connection is not tried: it reconnects once a poll has succeeded. So a page whose server is unreachable
 * makes one kind of attempt, not two.
 *
 * @typedef {import('./presence-types.js').Answer} Answer
 * @typedef {import('./presence-types.js').Message} Message
 * @typedef {import('./presence-requests.js').Outcome} Outcome
 */

import {time} from './presence-clock.js';
import {LiveConnection} from './presence-live.js';
import {PresenceRequests} from './presence-requests.js';
import {Timer, jitter} from './presence-timer.js';
import {LIVE_TIMEOUT, MIN_RETRY, REFUSED_RETRY} from './constants.js';

export class PresenceTransport {
  #environment;
  #state;
  #requests;
  /** @type {LiveConnection | undefined} */ #live;
  /** the page has a token or a user, so the live connection need not wait for the visitor cookie */ #named;
  #timer;
  #recheck;
  #running = false;
  // 96 random bits (`crypto.randomUUID` does not exist on plain http). In memory only: a duplicated tab copies its storage, but must be
  // a session of its own. Made for the first message, so that a server can render the page without `crypto`.
  #session = '';
  #seq = 0;
  /** an update was sent, so a leave has to follow */ #present = false;
  /** @type {AbortController | null} the update under way */ #attempt = null;
  /** @type {(() => void)[]} resolve the promises of the update that is due; empty: none is due */ #due = [];
  /** @type {AbortController | null} the request of #fetchList() */ #listRequest = null;
  /** @type {Promise<void> | undefined} the call of #fetchList() under way */ #fetching;
  /** the last update failed */ #failing = false;
  #failures = 0;
  #sentAt = 0;
  /** the earliest time of the next attempt: the server asked for it, or rejected the last one */ #retryAt = 0;
  /** when polling begins if the live connection is not open by then */ #pollAt = 0;
  #lastAnswer = Infinity;

  /**
   * @param {import('./presence-types.js').Environment} environment
   * @param {import('./presence-state.js').PresenceState} state
   * @param {string | number} projectId
   * @param {string | number | null} userId
   * @param {import('./presence-types.js').Options} options
   */
  constructor(environment, state, projectId, userId, options) {
    this.#environment = environment;
    this.#state = state;
    this.#requests = new PresenceRequests(environment, projectId, options);
    /** of the project's API, which is absolute in a page */
    this.address = this.#requests.address;
    this.#named = options.token || userId !== null;
    this.#timer = new Timer(environment);
    this.#recheck = new Timer(environment);
    if (options.live !== false && environment.WebSocket) {
      this.#live = new LiveConnection(environment, this.#requests, {
        allowed: () => state.running && !this.#failing,
        // Composed first: if that throws, the promises stay with the update that is due.
        hello: () => [this.#compose(), this.#begin()],
        opened: (answer, message) => {
          // Polling ends, without a leave.
          this.#attempt?.abort();
          this.#attempt = null;
          this.#schedule(this.#onAnswer(answer, message));
        },
        closed: this.#onClosed,
        message: this.#onReceived,
      });
    }
  }

  start() {
    if (this.#running) return;
    this.#running = true;
    this.#failures = this.#retryAt = this.#pollAt = 0;
    this.#failing = false;
    this.#listen('addEventListener');
    this.#state.fail('connecting');
    if (this.#live && this.#named) {
      this.#live.start();
      this.#pollAt = time(this.#environment) + LIVE_TIMEOUT;
    }
    void this.update();
  }

  /** Continues a session of another transport, which has sent updates. @param {string} session @param {number} seq */
  adopt = (session, seq) => {
    this.#session = session;
    this.#seq = seq;
    this.#present = true;
  };

  /**
   * Sends one leave, ends all traffic and timers, and settles all promises.
   * @param {boolean} [hidden] the page is being hidden, and may come back
   * @param {PresenceTransport['adopt']} [adopt] instead of a leave: gives the session to another transport
   */
  stop(hidden = false, adopt) {
    if (!this.#running) return;
    this.#running = false;
    this.#listen('removeEventListener');
    this.#timer.clear();
    this.#recheck.clear();
    this.#attempt?.abort();
    this.#listRequest?.abort();
    this.#attempt = this.#listRequest = null;
    this.#begin()(); // settles all promises that wait
    if (this.#present && adopt) adopt(this.#session, this.#seq);
    else if (this.#present) {
      const leave = {...this.#sign(), hidden: hidden || undefined};
      // The last message of a socket may be lost when its page is closed.
      if (hidden || !this.#live?.leave(leave.seq)) this.#requests.leave(leave);
    }
    this.#present = false;
    this.#live?.stop();
  }

  /**
   * Requests an update: at the end of this turn, or when the one under way is answered; while attempts fail, a second after the last one.
   * Resolves when it was answered or failed.
   */
  update() {
    if (!this.#running) return;
    this.#live?.retry();
    const due = /** @type {Promise<void>} */ (new Promise((done) => this.#due.push(done)));
    if (this.#due.length === 1 && !this.#attempt) this.#schedule(0);
    return due;
  }

  /** Reads the list, without an update. Calls at the same time share one request. */
  async list() {
    if (this.#running) await (this.#fetching ??= this.#fetchList().catch((error) => this.#requests.warn(`unreadable answer: ${error}`)));
  }

  async #fetchList() {
    const request = (this.#listRequest = new AbortController());
    const known = this.#state.version;
    const list = await this.#requests.ask('list/', request);
    this.#fetching = undefined;
    if (this.#listRequest !== request) return; // stopped
    if (!list.fault) this.#follow(this.#state.list(/** @type {Answer} */ (list), this.#way, known));
    else if (this.#way === 'polling') this.#state.fail(list.fault);
  }

  /** Sends what the state needs after a report. @param {unknown} due whether an update is due */
  #follow(due) {
    // An older version is accepted from then on, so ask again.
    const wait = this.#state.askAt - time(this.#environment);
    if (wait > 0) this.#recheck.set(() => this.update(), wait);
    if (due) void this.update();
  }

  /** Begins the update that is due. Returns a function that resolves the promises of that update. */
  #begin() {
    const due = this.#due.splice(0);
    return () => due.forEach((done) => done());
  }

  /** The session's name and its next sequence number. */
  #sign() {
    this.#session ||= crypto.getRandomValues(new Uint32Array(3)).join('-');
    return {session: this.#session, seq: ++this.#seq};
  }

  /** The next message. Call it at the moment of sending. @returns {Message} */
  #compose() {
    this.#present = true;
    return {...this.#sign(), ...this.#state.compose()};
  }

  /** The live connection ended, or an attempt to connect failed. @type {import('./presence-live.js').LiveEvents['closed']} */
  #onClosed = (wasOpen, refused, pause, failures) => {
    const now = time(this.#environment);
    const waited = this.#pollAt > now;
    if (refused || !this.#present) this.#pollAt = 0;
    else if (wasOpen || pause) this.#pollAt = now + pause + LIVE_TIMEOUT * (0.5 + this.#environment.Math.random());
    if (!this.#failing) this.#failures = failures; // polling continues this backoff
    if (wasOpen) {
      this.#attempt = null;
      this.#failing = false;
      this.#state.fail('connecting');
    }
    if (wasOpen || waited) this.#schedule(0);
  };

  /** A message of the server that is not an answer. @param {any} message */
  #onReceived = (message) => {
    const {type, code} = message;
    const state = this.#state;
    if (code === 'unavailable') return state.fail('unknown');
    this.#follow(
      type === 'snapshot' ? state.list(message, 'live', Infinity) : type === 'delta' ? state.delta(message) : type === 'restate' ? state.restate() : code === 'token_ends',
    );
  };

  /** @returns {'live' | 'polling'} */
  get #way() {
    return this.#live?.ready ? 'live' : 'polling';
  }

  /** Sets the time of the next update. @param {number} delay */
  #schedule(delay) {
    const now = time(this.#environment);
    const soon = this.#failing ? this.#sentAt + MIN_RETRY - now : 0;
    this.#timer.set(() => this.#send(), Math.max(this.#due.length ? soon : delay, this.#retryAt - now, this.#pollAt - now));
  }

  async #send() {
    const state = this.#state;
    if (!state.running || this.#attempt) return;
    const attempt = (this.#attempt = new AbortController());
    let done, wait = state.heartbeat;
    try {
      this.#sentAt = time(this.#environment);
      // After the computer slept, the list is outdated although no request has failed.
      if (this.#sentAt - this.#lastAnswer > 3 * state.heartbeat && !this.#failing) state.fail('connecting');
      done = this.#begin(); // after the event, so that an update which a listener requests is this one
      wait = await this.#exchange(attempt);
    } finally {
      (done ?? this.#begin())();
      if (this.#attempt === attempt) {
        this.#attempt = null;
        this.#schedule(wait);
      }
    }
  }

  /** One update and its answer. @param {AbortController} attempt @returns {Promise<number>} milliseconds to the next */
  async #exchange(attempt) {
    /** @type {any} */
    let message;
    /** @returns {Message} */
    const compose = () => (message ??= this.#compose());
    const first = !this.#named && !this.#failures && this.#lastAnswer === Infinity;
    const outcome = await (this.#live?.ready ? this.#live.update(compose(), this.#state.missed) : this.#requests.ask('update/', attempt, compose, first));
    if (this.#attempt !== attempt) return 0;
    if (!outcome.fault) return this.#onAnswer(/** @type {Answer} */ (outcome), message);
    if (!this.#state.drop(message, outcome.code)) return this.#onFailure(outcome);
    this.#requests.warn(`dropped: ${outcome.error}`);
    return 0;
  }

  /** @param {Answer} answer @param {Message} message @returns {number} milliseconds to the next update */
  #onAnswer(answer, message) {
    try {
      this.#follow(this.#state.accept(answer, message, this.#way));
    } catch (error) {
      this.#requests.warn(`unreadable answer: ${error}`);
      return this.#onFailure({status: 503, fault: 'unknown'});
    }
    if (this.#state.cookieless) this.#requests.warn('no cookie is kept: use a token or --embedding on');
    const recovered = this.#failing;
    this.#failures = this.#retryAt = this.#pollAt = 0;
    this.#failing = false;
    this.#lastAnswer = time(this.#environment);
    this.#live?.start();
    if (recovered) this.#live?.retry();
    return this.#state.heartbeat;
  }

  /** Returns the milliseconds to the next attempt. No change of the page shortens a time that the server asked for. @param {Outcome} outcome */
  #onFailure({status, fault, retry_after: asked = 0, error}) {
    error ??= `no presence server at ${this.#requests.base} (${status}): proxy it or set prefix`; // otherwise the server says what to do
    if (status < 500 && error) this.#requests.warn(error);
    this.#state.fail(fault || 'unknown');
    const {heartbeat} = this.#state;
    const now = time(this.#environment);
    let wait = Math.max(0, jitter(this.#environment, ++this.#failures) - now + this.#sentAt); // minus the duration of the attempt
    this.#failing = true;
    if (fault === 'refused') this.#live?.stop();
    if (asked > 0) wait += asked * 1000 * (1 + this.#environment.Math.random() / 2); // jitter: many clients got the same time
    else if (fault === 'refused') wait = status === 401 ? heartbeat : REFUSED_RETRY;
    else return status < 500 ? heartbeat : wait; // this message was invalid, so do not repeat it at once
    this.#retryAt = now + wait;
    return wait;
  }

  /** @param {'addEventListener' | 'removeEventListener'} change */
  #listen(change) {
    for (const type of ['online', 'offline']) this.#environment.window?.[change](type, this.#onNetwork);
  }

  // The events can be wrong (a server on this machine needs no network), so the result of an attempt decides.
  /** @param {Event} event */
  #onNetwork = ({type}) => {
    if (type === 'offline') this.#state.fail('offline');
    this.#sentAt = 0; // so that MIN_RETRY does not delay this attempt
    void this.update();
  };
}
