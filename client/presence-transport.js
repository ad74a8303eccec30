/**
 * Decides when this session sends an update, and by which way: over the live connection while there is one, otherwise by polling, where
 * the answer to an update is the whole poll.
 *
 * One update is under way at a time; what changes meanwhile travels in the next one. Every promise given here settles: when its update was
 * answered, failed or was aborted, and at the latest in stop().
 *
 * While polling fails, it alone probes for the server; the live connection is tried again as soon as a poll succeeds. So a page whose
 * server is away makes one kind of attempt, not two.
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
const PATIENCE = 3_000; // with the live connection, before polling begins; after a lost one, by half more or less
const SHORTEST_RETRY = 1_000; // for changes of the page, while attempts fail

export class PresenceTransport {
  #core;
  #surroundings;
  #requests;
  /** @type {LiveConnection | undefined} */ #live;
  /** the server can tell who this is before it has set a cookie */ #named;
  #timer;
  #running = false;
  /** something was sent that a leave has to undo */ #present = false;
  /** @type {AbortController | null} */ #flight = null;
  /** @type {(() => void)[]} who waits for the update that is due next; none: it is not due */ #due = [];
  /** @type {AbortController | null} the request of #read() */ #reading = null;
  /** @type {Promise<void> | undefined} */ #look;
  #recheck;
  /** polling fails: the server is taken to be away */ failing = false;
  #failures = 0;
  #sentAt = 0;
  #notBefore = 0;
  /** until when polling waits for the live connection */ #patience = 0;
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
    this.#failures = this.#notBefore = this.#patience = 0;
    this.failing = false;
    this.#line('addEventListener');
    this.#core.fail('connecting');
    if (this.#live && this.#named) {
      this.#live.start();
      this.#patience = this.#surroundings.now() + PATIENCE;
    }
    this.poke();
  }

  /** Sends one leave and ends all traffic, timers and waiting. @param {boolean} [hidden] the page is going away, and may be back in a moment */
  stop(hidden = false) {
    if (!this.#running) return;
    this.#running = false;
    this.#line('removeEventListener');
    this.#timer.clear();
    this.#recheck.clear();
    this.#flight?.abort();
    this.#reading?.abort();
    this.#flight = this.#reading = null;
    this.begin()(); // settles all promises that wait
    if (this.#present) {
      const leave = {...this.#core.sign(), hidden: hidden || undefined};
      // What a socket says last may be lost with its page.
      if (hidden || !this.#live?.leave(leave.seq)) this.#requests.leave(leave);
    }
    this.#present = false;
    this.#live?.stop();
  }

  /**
   * Something changed: an update is due, at the end of this turn or when the one under way is answered; while attempts fail, a second after
   * the last one. Resolves when it was answered or failed.
   */
  poke() {
    if (!this.#running) return;
    this.#live?.hurry();
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

  /** For the core: after `delay`, an update that asks for the list. @param {number} delay */
  recheck(delay) {
    this.#recheck.set(() => this.refetch(), delay);
  }

  /** An update that asks for the list anew, also over the live connection. */
  refetch() {
    this.#live?.miss();
    this.poke();
  }

  /** The update that is due begins; the result settles the promises that wait for it. */
  begin() {
    const due = this.#due.splice(0);
    return () => due.forEach((done) => done());
  }

  /** The next message, when it is sent. */
  compose() {
    this.#present = true;
    return this.#core.compose();
  }

  /** For the live connection: its hello was acknowledged. Ends polling, without a leave. @param {Answer} answer @param {Message} message */
  welcome(answer, message) {
    this.#flight?.abort();
    this.#flight = null;
    this.#arm(this.#answered(answer, message));
  }

  /** For the live connection: it ended, or did not come about. @param {boolean} was it was live @param {boolean} refused @param {number} pause before it is tried again @param {number} failures of attempts to connect, in a row */
  lost(was, refused, pause, failures) {
    const now = this.#surroundings.now();
    const waited = this.#patience > now;
    if (refused || !this.#present) this.#patience = 0;
    else if (was || pause) this.#patience = now + pause + PATIENCE * (0.5 + this.#surroundings.random());
    if (!this.failing) this.#failures = failures; // polling goes on with this backoff
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
    const soon = this.failing ? this.#sentAt + SHORTEST_RETRY - now : 0;
    this.#timer.set(() => this.#send(), Math.max(this.#due.length ? soon : delay, this.#notBefore - now, this.#patience - now));
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
    this.#failures = this.#notBefore = this.#patience = 0;
    this.failing = false;
    this.#lastAnswer = this.#surroundings.now();
    if (answer.heartbeat) this.heartbeat = Math.max(1000, answer.heartbeat * 1000);
    this.#live?.start();
    if (recovered) this.#live?.hurry();
    return this.heartbeat;
  }

  /** Milliseconds to the next attempt; where the server named a time, nothing hurries it. @param {Outcome} outcome */
  #failed({status, fault, retry_after: asked = 0, error}) {
    if (status < 500 && error) this.#requests.warn(error);
    this.#core.fail(fault || 'unknown');
    const now = this.#surroundings.now();
    let wait = Math.max(0, jitter(this.#surroundings, ++this.#failures) - now + this.#sentAt); // an attempt that hung was a wait already
    this.failing = true;
    if (fault === 'refused') this.#live?.stop();
    if (asked > 0) wait += asked * 1000 * (1 + this.#surroundings.random() / 2); // or all who were told the same come at once
    else if (fault === 'refused') wait = status === 401 ? this.heartbeat : REFUSED_RETRY;
    else return status < 500 ? this.heartbeat : wait; // a mistake in this message; the next may have none
    this.#notBefore = now + wait;
    return wait;
  }

  /** @param {'addEventListener' | 'removeEventListener'} change */
  #line(change) {
    for (const type of ['online', 'offline']) this.#surroundings.window?.[change](type, this.#onLine);
  }

  // The browser may be wrong in both directions (a server on this very machine needs no network): an attempt decides.
  /** @param {Event} event */
  #onLine = ({type}) => {
    if (type === 'offline') this.#core.fail('offline');
    this.#sentAt = 0; // at once, whenever the last attempt was
    this.poke();
  };
}
