/**
 * The world of a test: a clock that only the test moves, a network that only the test answers, a page without a browser.
 *
 * @typedef {import('../presence-types.js').User} User
 * @typedef {import('../presence-types.js').Delta} Delta
 * @typedef {{path: string, method: string, headers: Record<string, string>, body: any, keepalive: boolean, at: number, aborted: boolean, done: boolean, credentials?: string, url: string}} Sent
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

/** Random numbers from a seed (mulberry32). @param {number} state @returns {() => number} */
export const generator = (state) => () => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
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

/** The connection of a page to the server of its world, seen from both ends. */
export class FakeSocket {
  #world;
  readyState = 0;
  /** @type {any[]} what the page said */ said = [];
  /** hellos and updates without an answer */ unanswered = 0;
  onopen = () => {};
  /** @param {{code: number}} event */ onclose = (event) => void event;
  /** @param {{data: string}} event */ onmessage = (event) => void event;

  /** @param {World} world @param {string} url @param {string} protocol */
  constructor(world, url, protocol) {
    this.url = url;
    this.protocol = protocol;
    this.at = world.clock.now();
    this.#world = world;
    world.sockets.push(this);
    setImmediate(() => this.#meet(world.door));
  }

  get open() {
    return this.readyState === 1;
  }

  /** @param {string} data */
  send(data) {
    if (this.readyState === 0) throw new DOMException('still connecting', 'InvalidStateError');
    const message = JSON.parse(data);
    this.said.push(message);
    if (message.type !== 'leave') this.unanswered++;
    if (this.open && this.#world.door === 'open') this.#world.hear(this, message);
  }

  /** By the page: what is on its way comes all the same, and the event is late. */
  close() {
    if (this.readyState > 1) return;
    this.readyState = 2;
    setImmediate(() => setImmediate(() => this.end()));
  }

  /** The server's message. @param {object} message */
  tell(message) {
    if (!this.open) return;
    setImmediate(() => {
      if (this.readyState === 3) return;
      if ('seq' in message && this.unanswered) this.unanswered--;
      this.onmessage({data: JSON.stringify(message)});
    });
  }

  /** The server, or the network, ends it. @param {number} [code] */
  end(code = 1006) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose({code});
  }

  /** @param {World['door']} door */
  #meet(door) {
    if (this.readyState !== 0 || door === 'hangs') return;
    if (door === 'shut') return this.end();
    this.readyState = 1;
    this.onopen();
  }
}

/** A page with one session in it, and the server that it talks to. */
export class World {
  clock = new Clock();
  window = Object.assign(new EventTarget(), {navigator: {onLine: true}, origin: 'https://writer.example'});
  document = Object.assign(new EventTarget(), {visibilityState: 'visible', cookie: '', baseURI: 'https://writer.example/project/demo'});
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

  // What the server does live.
  /** live connections: `none` where the browser has no WebSocket; `mute` opens, and then says nothing
   * @type {'none' | 'open' | 'shut' | 'hangs' | 'mute'} */ door;
  /** @type {FakeSocket[]} */ sockets = [];
  /** the error that is the answer to the messages of a socket @type {object | null} */ mistake = null;

  /** @param {World['door']} [door] */
  constructor(door = 'none') {
    this.door = door;
  }

  /** @param {Partial<import('../presence-types.js').Options>} [options] @param {number | string | null} [userId] */
  core(options = {}, userId = 1) {
    return new PresenceCore('demo', userId, {...options, environment: this.environment()});
  }

  /** @returns {import('../presence-types.js').Environment} */
  environment() {
    return {
      fetch: (url, init) => this.#fetch(url, init),
      Date: {now: this.clock.now},
      Math: {random: () => this.random},
      setTimeout: this.clock.setTimeout,
      clearTimeout: this.clock.clearTimeout,
      window: /** @type {any} */ (this.window),
      document: /** @type {any} */ (this.document),
      ...(this.door !== 'none' && {WebSocket: this.#WebSocket()}),
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

  /** What the page said over its newest connection, by type. */
  get said() {
    return this.socket.said.map(({type}) => type);
  }

  /** The others are now these. @param {...User} users */
  set(...users) {
    const before = this.#listed;
    this.others = users;
    this.version++;
    for (const socket of this.sockets) socket.tell(delta(before, this.#listed));
  }

  get #listed() {
    return {version: this.version, users: [this.me, ...this.others]};
  }

  #WebSocket() {
    const world = this;
    return /** @type {any} */ (class extends FakeSocket {
      /** @param {string} url @param {string} protocol */
      constructor(url, protocol) {
        super(world, url, protocol);
      }
    });
  }

  /** The server's end of a live connection. @param {FakeSocket} socket @param {any} message */
  hear(socket, message) {
    const {type, seq, known_version: known} = message;
    if (this.mistake) return socket.tell({type: 'error', error: '', seq, ...this.mistake});
    if (type === 'leave') {
      return socket.tell({type: 'ack', seq, version: ++this.version});
    }
    const {success, users, ...ack} = this.#update({known_version: this.version, ...message});
    socket.tell({type: 'ack', seq, ...ack});
    if (known === undefined ? type === 'hello' : known !== this.version) socket.tell({type: 'snapshot', ...this.#listed});
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
    answer.catch(() => {}); // it may fail while it is held
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
    const conflicts = this.others.filter((other) => body.section && other.section === body.section && other.activity === 'editing');
    const careful = body.unless_occupied && body.activity === 'editing' && conflicts.length > 0;
    const holds = this.#recorded === 'editing' && this.me.section === body.section;
    this.#recorded = careful && !holds ? 'viewing' : body.activity;
    this.me = {...this.me, section: body.section, sections: body.section ? [body.section] : [], activity: this.#recorded};
    return {
      success: true, version: this.version, activity: this.#recorded, you: this.me, conflicts,
      ...(body.known_version !== this.version && this.#listed), ...this.extra,
    };
  }
}

/** What the protocol says of the way from one list to another. @param {{version: number, users: User[]}} before @param {{version: number, users: User[]}} after @returns {Delta & {type: string}} */
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
