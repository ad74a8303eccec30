/**
 * The world of a test: a clock that only the test moves, a network that only the test answers, a page without a browser.
 *
 * @typedef {import('../presence-types.js').User} User
 * @typedef {{path: string, method: string, headers: Record<string, string>, body: any, keepalive: boolean, at: number, aborted: boolean}} Sent
 */

import {webcrypto} from 'node:crypto';
import {PresenceCore} from '../presence-core.js';

// Node 18 has both only behind flags; every browser has them.
globalThis.crypto ??= /** @type {Crypto} */ (webcrypto);
globalThis.CustomEvent ??= /** @type {any} */ (
  class extends Event {
    /** @param {string} type @param {{detail?: unknown}} [init] */
    constructor(type, init) {
      super(type);
      this.detail = init?.detail;
    }
  }
);

/** Lets everything run that waits for no time. */
export const settle = async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise((done) => setImmediate(done));
};

export class Clock {
  #now = 1_700_000_000_000;
  #serial = 0;
  /** @type {Map<number, {at: number, run: () => void}>} */ #timers = new Map();

  now = () => this.#now;

  /** @param {() => void} run @param {number} delay */
  setTimeout = (run, delay) => {
    this.#timers.set(++this.#serial, {at: this.#now + delay, run});
    return this.#serial;
  };

  /** @param {number} timer */
  clearTimeout = (timer) => void this.#timers.delete(timer);

  get pending() {
    return this.#timers.size;
  }

  /** @param {number} ms @param {number} [grain] timers fire only at multiples of this, as in a hidden tab */
  async pass(ms, grain = 1) {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const due = [...this.#timers].map(([id, {at, run}]) => ({id, at: Math.ceil(at / grain) * grain, run}));
      const next = due.sort((a, b) => a.at - b.at || a.id - b.id)[0];
      if (!next || next.at > end) break;
      this.#now = Math.max(this.#now, next.at);
      this.#timers.delete(next.id);
      next.run();
    }
    this.#now = end;
    await settle();
  }

  /** The machine sleeps: time passes, no timer fires. @param {number} ms */
  sleep(ms) {
    this.#now += ms;
  }
}

/** @param {number | string} id @param {string} name @param {string} [section] @param {Partial<User>} [more] @returns {User} */
export function user(id, name, section = '', more = {}) {
  return {
    user_id: id, username: name, section, sections: section ? [section] : [], activity: section ? 'editing' : 'viewing',
    last_seen: '2025-11-03T17:00:00Z', avatar_color: '#f59e0b', initials: name.slice(0, 2).toUpperCase(), visitor: false, ...more,
  };
}

/** A page with one session in it, and the server that it talks to. */
export class World {
  clock = new Clock();
  window = Object.assign(new EventTarget(), {navigator: {onLine: true}});
  document = Object.assign(new EventTarget(), {visibilityState: 'visible', cookie: ''});
  /** @type {Sent[]} */ sent = [];
  random = 0.5;

  // What the server holds and answers.
  version = 100;
  /** @type {User} */ me = user(1, 'me');
  /** @type {User[]} */ others = [];
  /** in place of an answer: a status, an error to throw, or silence @type {number | Error | 'silence' | null} */ failure = null;
  /** @type {Record<string, string>} */ failureHeaders = {};
  failureCode = 'unavailable';
  /** answers wait until `release()` */ held = false;
  /** @type {(() => void)[]} */ #waiting = [];
  /** @type {object} added to every answer */ extra = {};
  /** @type {string} */ #recorded = '';

  /** @param {Partial<import('../presence-types.js').Options>} [options] @param {number | string | null} [userId] */
  core(options = {}, userId = 1) {
    return new PresenceCore('demo', userId, {...options, surroundings: this.surroundings()});
  }

  /** @returns {import('../presence-types.js').Surroundings} */
  surroundings() {
    return {
      fetch: (url, init) => this.#fetch(url, init),
      now: this.clock.now,
      random: () => this.random,
      setTimeout: this.clock.setTimeout,
      clearTimeout: this.clock.clearTimeout,
      window: /** @type {any} */ (this.window),
      document: /** @type {any} */ (this.document),
    };
  }

  /** @returns {Sent[]} */
  get updates() {
    return this.sent.filter(({path}) => path === 'update/');
  }

  /** @returns {Sent[]} */
  get leaves() {
    return this.sent.filter(({path}) => path === 'leave/');
  }

  get last() {
    return this.sent[this.sent.length - 1];
  }

  /** The others are now these. @param {...User} users */
  set(...users) {
    this.others = users;
    this.version++;
  }

  /** @param {string} type @param {object} [more] */
  fire(type, more = {}) {
    const target = type === 'visibilitychange' ? this.document : this.window;
    target.dispatchEvent(Object.assign(new Event(type), more));
  }

  hide() {
    this.document.visibilityState = 'hidden';
    this.fire('visibilitychange');
  }

  show() {
    this.document.visibilityState = 'visible';
    this.fire('visibilitychange');
  }

  release() {
    this.held = false;
    for (const go of this.#waiting.splice(0)) go();
  }

  /** @param {string} url @param {RequestInit} init */
  async #fetch(url, init) {
    /** @type {Sent} */
    const sent = {
      path: url.replace('/writer/api/project/demo/presence/', ''), method: init.method ?? 'GET', at: this.clock.now(),
      headers: /** @type {Record<string, string>} */ (init.headers), body: init.body ? JSON.parse(String(init.body)) : null,
      keepalive: init.keepalive ?? false, aborted: false,
    };
    this.sent.push(sent);
    const {signal} = init;
    const aborted = new Promise((_, reject) => signal?.addEventListener('abort', () => {
      sent.aborted = true;
      reject(new DOMException('aborted', 'AbortError'));
    }));
    const answer = this.#answer(sent);
    if (this.held) await Promise.race([new Promise((go) => this.#waiting.push(() => go(null))), aborted]);
    return Promise.race([answer, aborted]);
  }

  /** @param {Sent} sent @returns {Promise<Response>} */
  async #answer({path, body}) {
    if (this.failure === 'silence') return new Promise(() => {});
    if (this.failure instanceof Error) throw this.failure;
    if (this.failure) return respond(this.failure, {success: false, code: this.failureCode, error: ''}, this.failureHeaders);
    if (path === 'leave/') return respond(200, {success: true, version: ++this.version});
    const listed = {version: this.version, users: [this.me, ...this.others]};
    if (path === 'list/') return respond(200, {success: true, ...listed, ...this.extra}, {ETag: `W/"${this.version}"`});

    const conflicts = this.others.filter((other) => body.section && other.section === body.section && other.activity === 'editing');
    const careful = body.unless_occupied && body.activity === 'editing' && conflicts.length > 0;
    const holds = this.#recorded === 'editing' && this.me.section === body.section;
    this.#recorded = careful && !holds ? 'viewing' : body.activity;
    this.me = {...this.me, section: body.section, sections: body.section ? [body.section] : [], activity: this.#recorded};
    return respond(200, {
      success: true, version: this.version, activity: this.#recorded, you: this.me, conflicts,
      ...(body.known_version !== this.version && {...listed, users: [this.me, ...this.others]}), ...this.extra,
    });
  }
}

/** @param {number} status @param {object} body @param {Record<string, string>} [headers] */
const respond = (status, body, headers) => new Response(JSON.stringify(body), {status, headers});
