/**
 * The environment of a test: a clock that only the test moves, a network that only the test answers, a page without a browser.
 *
 * @typedef {import('../presence-types.js').User} User
 * @typedef {import('../presence-types.js').Delta} Delta
 * @typedef {import('../presence-types.js').Save} Save
 * @typedef {{path: string, method: string, headers: Record<string, string>, body: any, keepalive: boolean, at: number, aborted: boolean, done: boolean, credentials?: string, url: string}} Sent
 */

import {webcrypto} from 'node:crypto';
import {setMaxListeners} from 'node:events';
import {readFileSync} from 'node:fs';
import {PresenceCore} from '../presence-core.js';
import {after} from '../section.js';

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

setMaxListeners(0); // no warning about the many listeners of one page

/** Runs all pending callbacks except timers. */
export const settle = async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise((done) => setImmediate(done));
};

/** Random numbers from a seed (mulberry32). @param {number} state @returns {() => number} */
export const generator = (state) => () => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};

const BEGIN = 1_700_000_000_000;

export class Clock {
  #now = BEGIN;
  /** by how much the system clock was set */ #set = 0;
  /** for how long performance.now() stood still */ #still = 0;
  #serial = 0;
  /** @type {Map<number, {at: number, run: () => void}>} */ #timers = new Map();

  now = () => this.#now + this.#set;

  performance = {now: () => this.#now - BEGIN - this.#still};

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
  async advance(ms, grain = 1) {
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

  /** Time passes as while the computer sleeps: no timer fires. @param {number} ms @param {boolean} [still] performance.now() stands still, as in some browsers */
  sleep(ms, still = false) {
    this.#now += ms;
    if (still) this.#still += ms;
  }

  /** Sets the system clock forward, or back. No time passes. @param {number} ms */
  set(ms) {
    this.#set += ms;
  }
}

/** @param {number | string} id @param {string} name @param {string} [section] @param {Partial<User>} [more] @returns {User} */
export function user(id, name, section = '', more = {}) {
  return {
    user_id: id, username: name, section, sections: section ? [section] : [], activity: section ? 'editing' : 'viewing',
    last_seen: '2025-11-03T17:00:00Z', avatar_color: '#f59e0b', initials: name.slice(0, 2).toUpperCase(), visitor: false, ...more,
  };
}

/** A WebSocket of a page, with methods for the server's end: deliver() and end(). */
export class FakeSocket {
  #env;
  readyState = 0;
  /** @type {any[]} sent by the page */ messages = [];
  /** hellos and updates without an answer */ unanswered = 0;
  onopen = () => {};
  /** @param {{code: number}} event */ onclose = (event) => void event;
  /** @param {{data: string}} event */ onmessage = (event) => void event;

  /** @param {FakeEnvironment} env @param {string} url @param {string} protocol */
  constructor(env, url, protocol) {
    this.url = url;
    this.protocol = protocol;
    this.at = env.clock.now();
    this.#env = env;
    env.sockets.push(this);
    setImmediate(() => this.#open(env.webSocket));
  }

  get open() {
    return this.readyState === 1;
  }

  /** @param {string} data */
  send(data) {
    if (this.readyState === 0) throw new DOMException('still connecting', 'InvalidStateError');
    const message = JSON.parse(data);
    this.messages.push(message);
    if (message.type !== 'leave') this.unanswered++;
    if (this.open && this.#env.webSocket === 'open') this.#env.handle(this, message);
  }

  /** Called by the page. Messages on their way still arrive, and the close event comes later. */
  close() {
    if (this.readyState > 1) return;
    this.readyState = 2;
    setImmediate(() => setImmediate(() => this.end()));
  }

  /** Sends a message of the server to the page. @param {object} message */
  deliver(message) {
    if (!this.open) return;
    setImmediate(() => {
      if (this.readyState === 3) return;
      if ('seq' in message && this.unanswered) this.unanswered--;
      this.onmessage({data: JSON.stringify(message)});
    });
  }

  /** The server or the network closes the connection. @param {number} [code] */
  end(code = 1006) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose({code});
  }

  /** @param {FakeEnvironment['webSocket']} webSocket */
  #open(webSocket) {
    if (this.readyState !== 0 || webSocket === 'hangs') return;
    if (webSocket === 'refuses') return this.end();
    this.readyState = 1;
    this.onopen();
  }
}

/** The environment of a page with one session, and the server behind it. */
export class FakeEnvironment {
  clock = new Clock();
  window = Object.assign(new EventTarget(), {navigator: {onLine: true}, origin: 'https://writer.example'});
  document = Object.assign(new EventTarget(), {visibilityState: 'visible', cookie: '', baseURI: 'https://writer.example/project/demo'});
  /** @type {Sent[]} */ sent = [];
  random = 0.5;

  // The state of the server, and what it answers.
  version = 100;
  /** @type {User} */ me = user(1, 'me');
  /** @type {User[]} */ others = [];
  /** @type {Save[]} */ saves = [];
  /** @type {import('../presence-types.js').Move[]} */ moves = [];
  /** instead of an answer: a status, an error to throw, or no answer at all @type {number | Error | 'silence' | null} */ failure = null;
  /** @type {Record<string, string>} */ failureHeaders = {};
  failureCode = 'unavailable';
  /** answers wait until `release()` */ held = false;
  /** @type {(() => void)[]} */ #waiting = [];
  /** @type {object} added to every answer */ extra = {};
  /** @type {string} */ #recorded = '';

  // Live connections.
  /** `none`: the browser has no WebSocket; `open`: they work; `refuses`: they close at once; `hangs`: they do not open; `silent`: they open, and nothing is answered
   * @type {'none' | 'open' | 'refuses' | 'hangs' | 'silent'} */ webSocket;
  /** @type {FakeSocket[]} */ sockets = [];
  /** the server's error for each live message @type {object | null} */ liveError = null;

  /** false: a page that gives only `Date` */ hasPerformance = true;
  /** shared by the tabs of a browser; without it, the browser has no locks @type {LockManager | undefined} */ locks;

  /** @param {FakeEnvironment['webSocket']} [webSocket] */
  constructor(webSocket = 'none') {
    this.webSocket = webSocket;
  }

  /** @param {Partial<import('../presence-types.js').Options>} [options] @param {number | string | null} [userId] */
  core(options = {}, userId = 1) {
    return new PresenceCore('demo', userId, {...options, environment: this.globals()});
  }

  /** @returns {import('../presence-types.js').Environment} */
  globals() {
    return {
      fetch: (url, init) => this.#fetch(url, init),
      Date: {now: this.clock.now},
      ...(this.hasPerformance && {performance: this.clock.performance}),
      Math: {random: () => this.random},
      setTimeout: this.clock.setTimeout,
      clearTimeout: this.clock.clearTimeout,
      window: /** @type {any} */ (this.window),
      document: /** @type {any} */ (this.document),
      ...(this.locks && {navigator: {locks: this.locks}}),
      ...(this.webSocket !== 'none' && {WebSocket: this.#WebSocket()}),
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

  get socket() {
    return this.sockets[this.sockets.length - 1];
  }

  /** The types of the messages that the page sent over its newest connection. */
  get messageTypes() {
    return this.socket.messages.map(({type}) => type);
  }

  /** Replaces the other users, and sends the delta to live connections. @param {...User} users */
  set(...users) {
    const before = this.#listed;
    this.others = users;
    this.version++;
    for (const socket of this.sockets) socket.deliver(delta(before, this.#listed));
  }

  /** A user saves a section, and the delta is sent to live connections. @param {User} user @param {string} section @param {string} revision */
  save(user, section, revision) {
    const base = this.version++;
    const save = {section, revision, user_id: user.user_id, username: user.username, saved_at: new Date(this.clock.now()).toISOString()};
    this.saves = [...this.saves.filter((other) => other.section !== section), save].sort((a, b) => (a.section < b.section ? -1 : 1));
    for (const socket of this.sockets) socket.deliver({type: 'delta', base, version: this.version, changed: [], at: [], left: [], saved: [save]});
  }

  /** The host moves a section, and the delta is sent to live connections. @param {string} from @param {string} to */
  move(from, to) {
    const before = this.#listed;
    const moved = (/** @type {string} */ section) => after(section, [{from, to}]);
    const inPlace = (/** @type {User} */ one) => ({
      ...one, section: moved(one.section), sections: one.sections.map(moved), ...(one.unsaved && {unsaved: one.unsaved.map(moved)}),
    });
    this.me = inPlace(this.me);
    this.others = this.others.map(inPlace);
    const saves = this.saves.map((save) => ({...save, section: moved(save.section)}));
    const gone = this.saves.map(({section}) => section).filter((section) => moved(section) !== section);
    const saved = saves.filter((_, i) => saves[i].section !== this.saves[i].section);
    this.saves = saves;
    const move = {from, to, version: ++this.version};
    this.moves = [...this.moves, move];
    for (const socket of this.sockets) socket.deliver({...delta(before, this.#listed), ...(saved.length && {saved, saved_gone: gone}), moved: [move]});
  }

  get #listed() {
    return {
      version: this.version, users: [this.me, ...this.others], ...(this.saves.length && {saved: this.saves}),
      ...(this.moves.length && {moved: this.moves}),
    };
  }

  #WebSocket() {
    const env = this;
    return /** @type {any} */ (class extends FakeSocket {
      /** @param {string} url @param {string} protocol */
      constructor(url, protocol) {
        super(env, url, protocol);
      }
    });
  }

  /** Answers a live message. @param {FakeSocket} socket @param {any} message */
  handle(socket, message) {
    const {type, seq, known_version: known} = message;
    if (this.liveError) return socket.deliver({type: 'error', error: '', seq, ...this.liveError});
    if (type === 'leave') {
      return socket.deliver({type: 'ack', seq, version: ++this.version});
    }
    const {success, users, ...ack} = this.#update({known_version: this.version, ...message});
    socket.deliver({type: 'ack', seq, ...ack});
    if (known === undefined ? type === 'hello' : known !== this.version) socket.deliver({type: 'snapshot', ...this.#listed});
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
    if (init.signal?.aborted) throw new DOMException('aborted', 'AbortError');
    /** @type {Sent} */
    const sent = {
      path: url.replace('/writer/api/project/demo/presence/', ''), method: init.method ?? 'GET', at: this.clock.now(),
      headers: /** @type {Record<string, string>} */ (init.headers), body: init.body ? JSON.parse(String(init.body)) : null,
      keepalive: init.keepalive ?? false, aborted: false, done: false, url, credentials: init.credentials,
    };
    this.sent.push(sent);
    const {signal} = init;
    const aborted = new Promise((_, reject) => signal?.addEventListener('abort', () => {
      sent.aborted = true;
      reject(new DOMException('aborted', 'AbortError'));
    }));
    const answer = this.#answer(sent);
    answer.catch(() => {}); // it may reject while it is held
    if (this.held) await Promise.race([new Promise((go) => this.#waiting.push(() => go(null))), aborted]);
    return Promise.race([answer, aborted]).finally(() => (sent.done = true));
  }

  /** @param {Sent} sent @returns {Promise<Response>} */
  async #answer({path, body}) {
    if (this.failure === 'silence') return new Promise(() => {});
    if (this.failure instanceof Error) throw this.failure;
    if (this.failure) return respond(this.failure, {success: false, code: this.failureCode, error: ''}, this.failureHeaders);
    if (path === 'leave/') return respond(200, {success: true, version: ++this.version});
    if (path === 'list/') return respond(200, {success: true, ...this.#listed, ...this.extra}, {ETag: `W/"${this.version}"`});
    return respond(200, this.#update(body));
  }

  /** @param {any} body */
  #update(body) {
    const conflicts = this.others.filter(({section, activity, unsaved = []}) => body.section && (unsaved.includes(body.section) || (section === body.section && activity === 'editing')));
    const careful = body.unless_occupied && body.activity === 'editing' && conflicts.length > 0;
    const holds = this.#recorded === 'editing' && this.me.section === body.section;
    this.#recorded = careful && !holds ? 'viewing' : body.activity;
    this.me = {...this.me, section: body.section, sections: body.section ? [body.section] : [], activity: this.#recorded};
    if (body.saved) this.save(this.me, body.saved.section, body.saved.revision);
    return {
      success: true, version: this.version, activity: this.#recorded, you: this.me, conflicts,
      ...(body.known_version !== this.version && this.#listed), ...this.extra,
    };
  }
}

/** The delta between two lists, as in docs/reference/protocol.md. @param {{version: number, users: User[]}} before @param {{version: number, users: User[]}} after @returns {Delta & {type: string}} */
export function delta(before, after) {
  const same = (/** @type {User} */ user) => before.users.some((old) => JSON.stringify(old) === JSON.stringify(user));
  const changed = after.users.filter((user) => !same(user));
  const gone = before.users.filter((old) => !after.users.some((user) => user.user_id === old.user_id));
  return {
    type: 'delta', base: before.version, version: after.version, changed,
    at: changed.map((user) => after.users.indexOf(user)), left: gone.map((user) => user.user_id),
  };
}

/** @param {number} status @param {object} body @param {Record<string, string>} [headers] */
const respond = (status, body, headers) => new Response(JSON.stringify(body), {status, headers});

export const ABSTRACT = 'manuscript/abstract';
export const METHODS = 'manuscript/methods';

/** Starts a page, and waits until it is connected. @param {FakeEnvironment} env @param {Partial<import('../presence-types.js').Options>} [options] @param {string} [section] */
export async function started(env, options, section) {
  const core = env.core(options);
  core.start();
  if (section) core.setSection(section);
  await settle();
  return core;
}

/** @param {readonly {username: string}[]} users */
export const names = (users) => users.map(({username}) => username).join(' ');

/** The golden message of this name, which the Go tests read too. @param {string} name */
export const golden = (name) => JSON.parse(readFileSync(new URL(`../../testdata/wire/${name}.json`, import.meta.url), 'utf8'));

/** Status, staleness and names of the list. @param {import('../presence-core.js').PresenceCore} core */
export const state = (core) => {
  const {status, stale, users} = core.getSnapshot();
  return [status, stale, names(users)];
};

/** Records events as text. @param {EventTarget} target @param {string[]} types @returns {string[]} */
export function record(target, ...types) {
  /** @type {string[]} */
  const events = [];
  for (const type of types) {
    target.addEventListener(type, (event) => {
      const {user, users, editing, status} = /** @type {CustomEvent} */ (event).detail;
      events.push([type, user?.username ?? status ?? names(users ?? []), editing && 'while editing'].filter(Boolean).join(' '));
    });
  }
  return events;
}
