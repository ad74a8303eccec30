/**
 * Simulates many pages during an outage of their server: real clients with real jitter on a fast fake clock. It has only the messages
 * that bring a page back, so that thousands of pages and hours can be simulated.
 */
import {setMaxListeners} from 'node:events';
import {PresenceCore} from '../presence-core.js';

/** A clock for many timers, in a binary heap. */
export class HeapClock {
  #now = 1_700_000_000_000;
  #serial = 0;
  /** @type {{at: number, id: number, run: (() => void) | null}[]} */ #heap = [];
  /** @type {Map<number, {run: (() => void) | null}>} */ #timers = new Map();

  now = () => this.#now;

  /** @param {() => void} run @param {number} delay */
  setTimeout = (run, delay) => {
    const timer = {at: this.#now + delay, id: ++this.#serial, run};
    this.#timers.set(timer.id, timer);
    let i = this.#heap.push(timer) - 1;
    for (let up; i > 0 && this.#before(i, (up = (i - 1) >> 1)); i = up) this.#swap(i, up);
    return timer.id;
  };

  /** @param {number} id */
  clearTimeout = (id) => {
    const timer = this.#timers.get(id);
    if (timer) timer.run = null;
    this.#timers.delete(id);
  };

  /** @param {number} end */
  async until(end) {
    for (await turn(); this.#heap.length && this.#heap[0].at <= end; ) {
      const {at, id, run} = this.#pop();
      if (!run) continue;
      this.#timers.delete(id);
      this.#now = at;
      run();
      await turn();
    }
    this.#now = end;
  }

  #pop() {
    const top = this.#heap[0];
    const last = /** @type {typeof top} */ (this.#heap.pop());
    if (!this.#heap.length) return top;
    this.#heap[0] = last;
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) if (child < this.#heap.length && this.#before(child, least)) least = child;
      if (least === i) return top;
      this.#swap(i, least);
      i = least;
    }
  }

  /** @param {number} a @param {number} b */
  #before(a, b) {
    const [one, two] = [this.#heap[a], this.#heap[b]];
    return one.at < two.at || (one.at === two.at && one.id < two.id);
  }

  /** @param {number} a @param {number} b */
  #swap(a, b) {
    [this.#heap[a], this.#heap[b]] = [this.#heap[b], this.#heap[a]];
  }
}

/** Runs all pending promise callbacks. */
const turn = () => new Promise((done) => setImmediate(done));

/**
 * @typedef {object} Outcome
 * @property {number[]} back seconds from the server's return until each page had a list again, sorted
 * @property {number[]} attempts connections and requests in each second of the outage
 * @property {number[]} returns the same for each second after the server's return
 */

/**
 * @param {object} way
 * @param {number} way.pages
 * @param {number} way.outage seconds
 * @param {boolean} [way.live] false: pages poll
 * @param {number} [way.retryAfter] seconds: during the outage a proxy answers 503 with this Retry-After
 * @param {number} [way.drain] seconds: before the outage the server sends `draining` with a random time up to this
 * @param {'refuse' | 'hang'} [way.away] how attempts fail during the outage
 * @param {() => number} [way.random]
 * @returns {Promise<Outcome>}
 */
export async function outage({pages, outage, live = true, retryAfter = 0, drain = 0, away = 'refuse', random = Math.random}) {
  const clock = new HeapClock();
  const window = new EventTarget();
  setMaxListeners(0, window);
  const document = Object.assign(new EventTarget(), {visibilityState: 'visible', cookie: '', baseURI: 'https://writer.example/'});
  setMaxListeners(0, document);
  let up = true;
  /** @type {Set<any>} */
  const sockets = new Set();
  /** @type {number[]} */
  const attempts = [];

  class Socket {
    readyState = 0;
    onopen = () => {};
    /** @param {{data: string}} event */ onmessage = (event) => void event;
    /** @param {{code: number}} event */ onclose = (event) => void event;

    constructor() {
      attempts.push(clock.now());
      queueMicrotask(() => {
        if (!up) return away === 'refuse' ? this.end() : undefined;
        this.readyState = 1;
        sockets.add(this);
        this.onopen();
      });
    }

    /** @param {string} text */
    send(text) {
      const {seq, activity} = JSON.parse(text);
      if (up && this.readyState === 1) this.deliver({type: 'ack', seq, version: 1, activity, you: {user_id: 1}, conflicts: []});
    }

    /** @param {object} message */
    deliver(message) {
      queueMicrotask(() => this.readyState === 1 && this.onmessage({data: JSON.stringify(message)}));
    }

    close() {
      this.end();
    }

    end() {
      if (this.readyState === 3) return;
      this.readyState = 3;
      sockets.delete(this);
      this.onclose({code: 1006});
    }
  }

  /** @param {string} _ @param {RequestInit} init @returns {Promise<any>} */
  const fetch = (_, {body, signal}) => {
    attempts.push(clock.now());
    if (up) {
      const {activity} = JSON.parse(String(body));
      const answer = {success: true, version: 1, users: [], activity, you: {user_id: 1}, conflicts: []};
      return Promise.resolve({status: 200, headers: new Headers(), json: async () => answer});
    }
    if (retryAfter) return Promise.resolve({status: 503, headers: new Headers({'Retry-After': `${retryAfter}`}), json: async () => null});
    if (away === 'refuse') return Promise.reject(new TypeError('Failed to fetch'));
    return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new DOMException('', 'AbortError'))));
  };

  const environment = /** @type {any} */ ({fetch, Date: {now: clock.now}, Math: {random}, setTimeout: clock.setTimeout, clearTimeout: clock.clearTimeout, window, document, ...(live && {WebSocket: Socket})});
  const due = live ? 'live' : 'polling';
  /** @type {number[]} */
  const back = [];
  let began = Infinity;
  for (let i = 0; i < pages; i++) {
    const core = new PresenceCore('demo', 1, {environment: {...environment}}); // each is a page by itself
    let wasBack = true;
    core.addEventListener('status', () => {
      const isBack = core.getSnapshot().status === due;
      if (isBack && !wasBack) back.push(Math.max(0, (clock.now() - began) / 1000));
      wasBack = isBack;
    });
    core.start();
    if (!(i % 50)) await clock.until(clock.now() + 30_000 * 50 / pages); // pages are opened over 30 s
  }
  await clock.until(clock.now() + 5_000);
  const left = clock.now();
  attempts.length = back.length = 0;
  up = false;
  for (const socket of [...sockets]) {
    if (drain) socket.onmessage({data: JSON.stringify({type: 'error', code: 'draining', retry_after: random() * drain})});
    socket.end();
  }
  for (let second = 0; second < outage; second += 60) { // input on every page
    window.dispatchEvent(new Event('pointermove'));
    await clock.until(left + 1000 * Math.min(outage, second + 60));
  }
  up = true;
  began = clock.now();
  back.length = 0;
  const before = attempts.length;
  await clock.until(began + 50_000);
  /** @param {number[]} times @param {number} from @param {number} seconds */
  const bySecond = (times, from, seconds) => {
    const counts = Array(seconds).fill(0);
    for (const at of times) counts[Math.min(seconds - 1, Math.floor((at - from) / 1000))]++;
    return counts;
  };
  return {back: back.sort((a, b) => a - b), attempts: bySecond(attempts.slice(0, before), left, Math.max(1, outage)), returns: bySecond(attempts.slice(before), began, 50)};
}
