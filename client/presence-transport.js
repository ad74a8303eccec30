/**
 * Decides when this session sends an update, and how: over the live connection while there is one, otherwise by polling, where the answer
 * to an update contains the list.
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

import {LiveConnection} from './presence-live.js';
import {PresenceRequests} from './presence-requests.js';
import {Timer, jitter} from './presence-timer.js';

const HEARTBEAT = 30_000;
const REFUSED_RETRY = 5 * 60_000;
const LIVE_TIMEOUT = 3_000; // for the live connection to open before polling begins; with jitter of a half after one was lost
const MIN_RETRY = 1_000; // between attempts that changes of the page cause while attempts fail

export class PresenceTransport {
  #core;
  #surroundings;
  #requests;
  /** @type {LiveConnection | undefined} */ #live;
  /** the page has a token or a user, so the live connection need not wait for the visitor cookie */ #named;
  #timer;
  #running = false;
  /** an update was sent, so a leave has to follow */ #present = false;
  /** @type {AbortController | null} */ #flight = null;
  /** @type {(() => void)[]} resolve the promises of the update that is due; empty: none is due */ #due = [];
  /** @type {AbortController | null} the request of #read() */ #reading = null;
  /** @type {Promise<void> | undefined} the call of #read() under way */ #look;
  #recheck;
  /** the last update failed */ failing = false;
  #failures = 0;
  #sentAt = 0;
  /** the earliest time of the next attempt: the server asked for it, or rejected the last one */ #retryAt = 0;
  /** when polling begins if the live connection is not open by then */ #pollAt = 0;
  #lastAnswer = Infinity;

  /** @param {import('./presence-core.js').PresenceCore} core @param {import('./presence-types.js').Options} options */
  constructor(core, options) {
    this.#core = core;
    this.#surroundings = core.surroundings;
    this.#requests = new PresenceRequests(core, options);
    if (options.live !== false && this.#surroundings.WebSocket) this.#live = new LiveConnection(core, this.#requests, this);
    this.#named = options.token || core.userId !== null;
    this.#timer = new Timer(this.#surroundings);
    this.#recheck = new Timer(this.#surroundings);
    this.heartbeat = options.heartbeat ?? HEARTBEAT;
  }

  start() {
    if (this.#running) return;
    this.#running = true;
    this.#failures = this.#retryAt = this.#pollAt = 0;
    this.failing = false;
    this.#listen('addEventListener');
    this.#core.fail('connecting');
    if (this.#live && this.#named) {
      this.#live.start();
      this.#pollAt = this.#surroundings.now() + LIVE_TIMEOUT;
    }
    void this.poke();
  }

  /** Sends one leave, ends all traffic and timers, and settles all promises. @param {boolean} [hidden] the page is being hidden, and may come back */
  stop(hidden = false) {
    if (!this.#running) return;
    this.#running = false;
    this.#listen('removeEventListener');
    this.#timer.clear();
    this.#recheck.clear();
    this.#flight?.abort();
    this.#reading?.abort();
    this.#flight = this.#reading = null;
    this.begin()(); // settles all promises that wait
    if (this.#present) {
      const leave = {...this.#core.sign(), hidden: hidden || undefined};
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
  poke() {
    if (!this.#running) return;
    this.#live?.retry();
    const due = /** @type {Promise<void>} */ (new Promise((done) => this.#due.push(done)));
    if (this.#due.length === 1 && !this.#flight) this.#arm(0);
    return due;
  }

  /** Reads the list, without an update. Calls at the same time share one request. */
  async look() {
    if (this.#running) await (this.#look ??= this.#read().finally(() => (this.#look = undefined)));
  }

  async #read() {
    const flight = (this.#reading = new AbortController());
    const known = this.#core.version;
    const list = await this.#requests.ask('list/', flight);
    if (this.#reading !== flight) return; // stopped
    if (!list.fault) this.#core.acceptList(/** @type {Answer} */ (list), this.#way, known);
    else if (this.#way === 'polling') this.#core.fail(list.fault);
  }

  /** For the core: calls refetch() after `delay`. @param {number} delay */
  recheck(delay) {
    this.#recheck.set(() => this.refetch(), delay);
  }

  /** Requests an update that asks for the list, also over the live connection. */
  refetch() {
    this.#live?.miss();
    void this.poke();
  }

  /** Begins the update that is due. Returns a function that resolves the promises of that update. */
  begin() {
    const due = this.#due.splice(0);
    return () => due.forEach((done) => done());
  }

  /** The next message. Call it at the moment of sending. */
  compose() {
    this.#present = true;
    return this.#core.compose();
  }

  /** For the live connection: its hello was acknowledged. Polling ends, without a leave. @param {Answer} answer @param {Message} message */
  welcome(answer, message) {
    this.#flight?.abort();
    this.#flight = null;
    this.#arm(this.#answered(answer, message));
  }

  /** For the live connection: it ended, or an attempt to connect failed. @param {boolean} was it was live @param {boolean} refused by the server @param {number} pause that the server asked for @param {number} failures in a row */
  lost(was, refused, pause, failures) {
    const now = this.#surroundings.now();
    const waited = this.#pollAt > now;
    if (refused || !this.#present) this.#pollAt = 0;
    else if (was || pause) this.#pollAt = now + pause + LIVE_TIMEOUT * (0.5 + this.#surroundings.random());
    if (!this.failing) this.#failures = failures; // polling continues this backoff
    if (was) {
      this.#flight = null;
      this.failing = false;
      this.#core.fail('connecting');
    }
    if (was || waited) this.#arm(0);
  }

  /** @returns {'live' | 'polling'} */
  get #way() {
    return this.#live?.ready ? 'live' : 'polling';
  }

  /** @param {number} delay */
  #arm(delay) {
    const now = this.#surroundings.now();
    const soon = this.failing ? this.#sentAt + MIN_RETRY - now : 0;
    this.#timer.set(() => this.#send(), Math.max(this.#due.length ? soon : delay, this.#retryAt - now, this.#pollAt - now));
  }

  async #send() {
    if (!this.#running || !this.#core.running || this.#flight) return;
    const flight = (this.#flight = new AbortController());
    const done = this.begin();
    let wait = this.heartbeat;
    try {
      this.#sentAt = this.#surroundings.now();
      // After the computer slept, the list is outdated although no request has failed.
      if (this.#sentAt - this.#lastAnswer > 3 * this.heartbeat && !this.failing) this.#core.fail('connecting');
      wait = await this.#update(flight);
    } finally {
      done();
      if (this.#flight === flight) {
        this.#flight = null;
        this.#arm(wait);
      }
    }
  }

  /** One update and its answer. @param {AbortController} flight @returns {Promise<number>} milliseconds to the next */
  async #update(flight) {
    /** @type {Message | undefined} */
    let message;
    const compose = () => (message ??= this.compose());
    const outcome = await (this.#live?.ready ? this.#live.update(compose()) : this.#requests.ask('update/', flight, compose));
    if (this.#flight !== flight) return 0;
    return outcome.fault || !message ? this.#failed(outcome) : this.#answered(/** @type {Answer} */ (outcome), message);
  }

  /** @param {Answer} answer @param {Message} message */
  #answered(answer, message) {
    try {
      this.#core.accept(answer, message, this.#way);
    } catch (error) {
      this.#requests.warn(`unreadable answer: ${error}`);
      return this.#failed({status: 503, fault: 'unknown'});
    }
    const recovered = this.failing;
    this.#failures = this.#retryAt = this.#pollAt = 0;
    this.failing = false;
    this.#lastAnswer = this.#surroundings.now();
    if (answer.heartbeat) this.heartbeat = Math.max(1000, answer.heartbeat * 1000);
    this.#live?.start();
    if (recovered) this.#live?.retry();
    return this.heartbeat;
  }

  /** Returns the milliseconds to the next attempt. No change of the page shortens a time that the server asked for. @param {Outcome} outcome */
  #failed({status, fault, retry_after: asked = 0, error}) {
    if (status < 500 && error) this.#requests.warn(error);
    this.#core.fail(fault || 'unknown');
    const now = this.#surroundings.now();
    let wait = Math.max(0, jitter(this.#surroundings, ++this.#failures) - now + this.#sentAt); // minus the duration of the attempt
    this.failing = true;
    if (fault === 'refused') this.#live?.stop();
    if (asked > 0) wait += asked * 1000 * (1 + this.#surroundings.random() / 2); // jitter: many clients got the same time
    else if (fault === 'refused') wait = status === 401 ? this.heartbeat : REFUSED_RETRY;
    else return status < 500 ? this.heartbeat : wait; // this message was invalid, so do not repeat it at once
    this.#retryAt = now + wait;
    return wait;
  }

  /** @param {'addEventListener' | 'removeEventListener'} change */
  #listen(change) {
    for (const type of ['online', 'offline']) this.#surroundings.window?.[change](type, this.#onNetwork);
  }

  // The events can be wrong (a server on this machine needs no network), so the result of an attempt decides.
  /** @param {Event} event */
  #onNetwork = ({type}) => {
    if (type === 'offline') this.#core.fail('offline');
    this.#sentAt = 0; // so that MIN_RETRY does not delay this attempt
    void this.poke();
  };
}
