/**
 * When this session speaks, and which way: over the live connection while there is one, otherwise by polling, where the answer
 * to an update is the whole poll.
 *
 * Exactly one update is under way at a time; what changes meanwhile travels in the one that follows.
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
const PATIENCE = 3_000; // with the live connection, before polling begins

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
  #failures = 0;
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
    this.heartbeat = options.heartbeat ?? HEARTBEAT;
  }

  start() {
    if (this.#running) return;
    this.#running = true;
    this.#failures = this.#notBefore = this.#patience = 0;
    this.#line('addEventListener');
    this.#core.fail('connecting');
    if (this.#live && this.#named) {
      this.#live.start();
      this.#patience = this.#surroundings.now() + PATIENCE;
    }
    this.poke();
  }

  /** Silence, after one leave. @param {boolean} [hidden] the page is going away, and may be back in a moment */
  stop(hidden = false) {
    if (!this.#running) return;
    this.#running = false;
    this.#line('removeEventListener');
    this.#timer.clear();
    this.#flight?.abort();
    this.#flight = null;
    for (const done of this.#due.splice(0)) done();
    if (this.#present) {
      const leave = {...this.#core.sign(), hidden: hidden || undefined};
      // What a socket says last may be lost with its page.
      if (hidden || !this.#live?.leave(leave.seq)) this.#requests.leave(leave);
    }
    this.#present = false;
    this.#live?.stop();
  }

  /**
   * Something changed: an update is due, at the end of this turn or when the one under way is back. Resolves when it was answered.
   * Where somebody is at work, the live connection does not wait for its next attempt either.
   */
  poke() {
    if (!this.#running) return;
    this.#live?.hurry();
    if (!this.#due.length && !this.#flight) this.#arm(0);
    return /** @type {Promise<void>} */ (new Promise((done) => this.#due.push(done)));
  }

  /** The list, without an update. */
  async look() {
    const known = this.#core.version;
    const list = await this.#requests.ask('list/', new AbortController());
    if (!list.fault) this.#core.acceptList(/** @type {Answer} */ (list), this.#way, known);
    else if (this.#way === 'polling') this.#core.fail(list.fault);
  }

  /** For the live connection: the next message, and who is told when it was answered. */
  compose() {
    const due = this.#due.splice(0);
    this.#present = true;
    return {message: this.#core.compose(), done: () => due.forEach((done) => done())};
  }

  /** For the live connection: its hello was acknowledged. Polling ends, silently. @param {Answer} answer @param {Message} message */
  welcome(answer, message) {
    this.#flight?.abort();
    this.#flight = null;
    this.#arm(this.#answered(answer, message));
  }

  /** For the live connection: it ended, or did not come about. @param {boolean} was it was live @param {boolean} refused @param {number} pause before it is tried again */
  lost(was, refused, pause) {
    const now = this.#surroundings.now();
    const waited = this.#patience > now;
    if (refused || !this.#present) this.#patience = 0;
    else if (was || pause) this.#patience = now + pause + PATIENCE;
    if (was) {
      this.#flight = null;
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
    const earliest = Math.max(this.#notBefore, this.#patience) - this.#surroundings.now();
    this.#timer.set(() => this.#send(), Math.max(this.#due.length ? 0 : delay, earliest));
  }

  async #send() {
    if (!this.#running || !this.#core.running || this.#flight) return;
    const flight = (this.#flight = new AbortController());
    // After a sleep the list is old before anything has failed.
    const silence = this.#surroundings.now() - this.#lastAnswer;
    if (silence > 3 * this.heartbeat && !this.#failures) this.#core.fail('connecting');
    const {message, done} = this.compose();
    const wait = await this.#update(flight, message);
    done();
    if (this.#flight !== flight) return;
    this.#flight = null;
    this.#arm(wait);
  }

  /** One update and its answer. @param {AbortController} flight @param {Message} message @returns {Promise<number>} milliseconds to the next */
  async #update(flight, message) {
    const outcome = await (this.#live?.ready ? this.#live.update(message) : this.#requests.ask('update/', flight, message));
    if (this.#flight !== flight) return 0;
    return outcome.fault ? this.#failed(outcome) : this.#answered(/** @type {Answer} */ (outcome), message);
  }

  /** @param {Answer} answer @param {Message} message */
  #answered(answer, message) {
    this.#failures = this.#notBefore = this.#patience = 0;
    this.#lastAnswer = this.#surroundings.now();
    if (answer.heartbeat) this.heartbeat = Math.max(1000, answer.heartbeat * 1000);
    this.#core.accept(answer, message, this.#way);
    this.#live?.start();
    return this.heartbeat;
  }

  /** How long to leave the server in peace, whatever changes meanwhile. @param {Outcome} outcome */
  #failed({status, fault, retry_after: asked = 0, error}) {
    if (status < 500 && error) console.warn(`Presence: ${error}`); // for whoever builds the page
    this.#core.fail(fault || 'unknown');
    let wait = jitter(this.#surroundings, ++this.#failures);
    if (fault === 'refused') this.#live?.stop();
    if (asked > 0) wait += asked * 1000;
    else if (fault === 'refused') wait = status === 401 ? this.heartbeat : REFUSED_RETRY;
    else return status < 500 ? this.heartbeat : wait; // a mistake in this message; the next may have none
    this.#notBefore = this.#surroundings.now() + wait;
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
    this.poke();
  };
}
