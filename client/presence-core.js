/**
 * One session (a page load of one person in one project) and what it knows: who is here, in which section, and with whom
 * it would collide. No interface, no DOM beyond the page's own lifecycle: `PresenceManager` adds the interface.
 *
 * Facts come from a transport, by `accept`, `acceptList`, `acceptDelta` and `fail`; the transport asks `compose` for the message
 * at the moment of sending, so that what changes in between travels together. A list replaces, it never merges.
 *
 * @typedef {import('./presence-types.js').User} User
 * @typedef {import('./presence-types.js').Status} Status
 * @typedef {import('./presence-types.js').Snapshot} Snapshot
 * @typedef {import('./presence-types.js').Message} Message
 * @typedef {import('./presence-types.js').List} List
 * @typedef {import('./presence-types.js').Delta} Delta
 * @typedef {import('./presence-types.js').Answer} Answer
 * @typedef {import('./presence-types.js').Options} Options
 * @typedef {import('./presence-types.js').Surroundings} Surroundings
 * @typedef {import('./presence-activity.js').Attendance} Attendance
 */

import {ActivityMonitor} from './presence-activity.js';
import {PresenceConflict, missing} from './presence-conflict.js';
import {PresenceTransport} from './presence-transport.js';
import {statusWords} from './strings.js';

/** @returns {Surroundings} */
const browser = () => {
  const {window, document, WebSocket} = globalThis;
  return {
    fetch: (url, init) => fetch(url, init),
    now: () => Date.now(),
    random: Math.random,
    setTimeout: (run, delay) => setTimeout(run, delay),
    clearTimeout: (timer) => clearTimeout(timer),
    window, document, WebSocket,
  };
};

export class PresenceCore extends EventTarget {
  #activity;
  #transport;
  #statusWords;
  // 96 random bits (`crypto.randomUUID` is missing on plain http), in memory only: a duplicated tab copies its storage, and is a
  // session of its own all the same.
  #session = crypto.getRandomValues(new Uint32Array(3)).join('-');
  #seq = 0;
  #running = false;

  /** @type {string | null} */ #section = null;
  /** @type {string | null} the last section that was held without a warning */ #earlier = null;
  #readOnly = false;

  /** @type {Status} */ #status = 'stopped';
  #stale = false;
  /** @type {readonly User[] | null} null: not known */ #users = null;
  #version = 0;
  #count = 0;
  /** @type {User | null} */ #you = null;
  /** the version of the newest word about you and your section */ #asOf = 0;
  /** the section of the last message that was answered */ #held = '';
  #recorded = '';
  #conflict = new PresenceConflict();

  /** @type {Snapshot} */ #snapshot;
  #key = '';

  /**
   * @param {string | number} projectId
   * @param {string | number | null} [userId] null for a visitor: the server then says who you are
   * @param {Options} [options]
   */
  constructor(projectId, userId = null, options = {}) {
    super();
    this.projectId = projectId;
    this.userId = userId;
    this.#statusWords = {...statusWords, ...options.strings?.status};
    this.surroundings = options.surroundings ?? browser();
    this.#transport = new PresenceTransport(this, options);
    this.#activity = new ActivityMonitor(this.surroundings, (now) => this.#attend(now));
    this.#snapshot = deepFreeze(this.#compile());
  }

  /** The section set last, whether or not the server knows it yet. */
  get currentSection() {
    return this.#section;
  }

  /** Between `start()` and `stop()`; the leave follows at the end of the turn. */
  get running() {
    return this.#running;
  }

  get onlineUsers() {
    return this.#snapshot.users;
  }

  getSnapshot = () => this.#snapshot;

  /** Calls `listener` after every visible change. @param {() => void} listener @returns {() => void} ends it */
  subscribe = (listener) => {
    const call = () => listener();
    this.addEventListener('change', call);
    return () => this.removeEventListener('change', call);
  };

  /** Safe to call twice. What is set in the same turn travels with the first update. */
  start() {
    if (this.#running) return;
    this.#running = true;
    if (this.#status !== 'stopped') return; // a stop() of this very turn is undone
    this.#activity.start();
    this.#transport.start();
  }

  /**
   * Leaves at the end of the current turn, so that a start() in the same turn (React's StrictMode mounts twice) is neither a
   * second session nor a flap. Safe to call twice.
   */
  stop() {
    if (!this.#running) return;
    this.#running = false;
    queueMicrotask(() => {
      if (this.#running || this.#status === 'stopped') return;
      this.#activity.stop();
      this.#transport.stop();
      this.#forget();
      this.#doubt('stopped');
    });
  }

  /**
   * @param {string | null} section
   * @param {{activity?: 'editing' | 'viewing'}} [options] `viewing` for a page on which nothing can be edited
   */
  setSection(section, {activity = 'editing'} = {}) {
    const next = section || null;
    const readOnly = activity === 'viewing';
    if (next === this.#section && readOnly === this.#readOnly) return;
    if (next !== this.#section) {
      if (!this.#snapshot.warning.length) this.#earlier = this.#section;
      this.#conflict.enter(next);
    }
    this.#section = next;
    this.#readOnly = readOnly;
    this.#restate();
  }

  /** The answer to a warning: edits beside those whom it named. Somebody new asks again. */
  editAnyway() {
    if (!this.#conflict.open.length) return;
    this.#conflict.answer();
    this.#restate();
  }

  /** The other answer: back to the section before, or to none; nothing stays claimed. @returns {string | null} where you are now */
  chooseDifferent() {
    this.setSection(this.#earlier === this.#section ? null : this.#earlier);
    return this.#section;
  }

  /** Sends an update now; done when it was answered, or failed. */
  async updatePresence() {
    await this.#transport.poke();
  }

  /** Looks at the list, which renews nothing. The heartbeat's answer brings it anyway. */
  async fetchPresence() {
    if (this.#running) await this.#transport.look();
  }

  /** For a transport: the next message of this session. @returns {Message} */
  compose() {
    return {
      ...this.sign(),
      section: this.#section ?? '',
      activity: this.#wanted,
      unless_occupied: this.#wanted === 'editing' && !this.#conflict.agreed,
      known_version: this.#version,
    };
  }

  /** For a transport: the version of the list. */
  get version() {
    return this.#version;
  }

  /** For a transport: the session's name and its next number. */
  sign() {
    return {session: this.#session, seq: ++this.#seq};
  }

  /** For a transport: the reply to a message. @param {Answer} answer @param {Message} message @param {Status} status */
  accept(answer, message, status) {
    if (!this.#running) return; // stopped meanwhile
    const before = this.#take(answer, message.known_version);
    const here = message.section === (this.#section ?? '') && !answer.stale;
    const newest = answer.version >= this.#version;
    this.#held = message.section;
    if (here) this.#recorded = answer.activity;
    if (newest) {
      this.#asOf = answer.version;
      if (answer.you) this.#you = person(answer.you);
      if (here) this.#conflict.users = this.#others((answer.conflicts ?? []).map(person));
    }
    this.#settle(status, before, newest && !this.#conflict.agreed);
  }

  /**
   * For a transport: everybody at one version.
   * @param {List} list @param {Status} status @param {number} known the version that was known when it was asked for
   */
  acceptList(list, status, known) {
    if (this.#running) this.#settle(status, this.#take(list, known));
  }

  /** For a transport: what is different at one version from another. @param {Delta} delta @returns {boolean} whether nothing was missed */
  acceptDelta({base, version, changed, at, left, count}) {
    if (base !== this.#version || !this.#users) return version <= this.#version;
    const users = missing(this.#users, [...changed, ...left.map((user_id) => ({user_id}))]);
    changed.forEach((user, i) => users.splice(at[i], 0, user));
    this.acceptList({version, users, count}, 'live', base);
    return true;
  }

  /** A list, if it is no old one. @param {List} list @param {number} known @returns {readonly User[] | null} the one that it replaces */
  #take({version, users, count = 0}, known) {
    // An older list was overtaken; unless it is older than what was known when it was asked for: then the server's history is new.
    if (!users || (version < this.#version && version >= known)) return null;
    if (version < this.#version) this.#asOf = 0;
    const before = this.#users;
    this.#users = users.map(person);
    this.#version = version;
    const you = this.#users.find((user) => this.#isMe(user));
    this.#count = Math.max(count, users.length);
    // An answer may have told more of ourselves and of our section.
    if (version < this.#asOf) return before;
    this.#you = you ?? this.#you;
    // A list that was cut does not tell of everybody there.
    if (count <= users.length) this.#conflict.users = this.#others(this.#users).filter((user) => editing(user).includes(this.#section));
    return before;
  }

  /** @param {Status} status @param {readonly User[] | null} before the list that was replaced @param {boolean} [decided] by the server, on these facts */
  #settle(status, before, decided) {
    this.#status = status;
    this.#stale = false;
    this.#publish(before);
    // Those who were in the way have left, or the answer of old covers them: then nobody is asked.
    if (!decided && this.#recorded === 'viewing' && this.#wanted === 'editing' && !this.#conflict.open.length) this.#restate();
  }

  /** What was recorded is no longer what is asked for. */
  #restate() {
    this.#recorded = '';
    this.#publish();
    this.#transport.poke();
  }

  /** For a transport: no answer, or a refusal. @param {Status} status */
  fail(status) {
    if (!this.#running) return;
    if (status === 'refused') this.#forget();
    this.#doubt(status);
  }

  /** @param {Status} status */
  #doubt(status) {
    this.#status = status;
    this.#stale = this.#users !== null;
    this.#publish();
  }

  /** What is known is no longer ours to show. */
  #forget() {
    this.#users = this.#you = null;
    this.#conflict.users = [];
    this.#version = this.#count = this.#asOf = 0;
    this.#recorded = '';
  }

  /** @param {Attendance} now */
  #attend(now) {
    const hidden = now === 'gone';
    if (hidden || now === 'away') {
      this.#transport.stop(hidden);
      this.fail(hidden ? 'connecting' : now);
    } else {
      this.#transport.start();
      this.#transport.poke();
    }
  }

  get #wanted() {
    if (this.#activity.state !== 'active') return 'idle';
    return this.#section && !this.#readOnly ? 'editing' : 'viewing';
  }

  // A host may hold "1" where the server says 1; the server's ids are canonical, so no two people meet in one text.
  /** @param {User} user */
  #isMe(user) {
    return String(user.user_id) === String(this.#you?.user_id ?? this.userId);
  }

  /** @param {readonly User[]} users */
  #others(users) {
    return users.filter((user) => !this.#isMe(user));
  }

  /** @returns {Snapshot} */
  #compile() {
    const known = this.#status === 'connecting' && this.#users ? 'reconnecting' : this.#status;
    const users = this.#others(this.#users ?? []);
    const intrudes = this.#section && !this.#readOnly && this.#recorded !== 'editing' && this.#conflict.open.length;
    return {
      status: this.#status,
      text: this.#statusWords[known].replace('{seconds}', `${Math.round(this.#transport.heartbeat / 1000)}`),
      stale: this.#stale,
      version: this.#version,
      users,
      count: this.#count - (this.#users?.length ?? 0) + users.length,
      you: this.#you,
      ownWindows: this.#you?.sections.filter((section) => section !== this.#held && section !== this.#section) ?? [],
      section: this.#section,
      activity: this.#recorded || this.#wanted,
      conflicts: this.#conflict.users,
      warning: intrudes ? this.#conflict.users : [],
    };
  }

  /** Tells what has become different, and nothing if nothing has. @param {readonly User[] | null} [before] the list that was replaced */
  #publish(before = null) {
    const editing = this.#recorded === 'editing';
    const news = this.#conflict.look(editing);
    const old = this.#snapshot;
    const next = this.#compile();
    const key = JSON.stringify(next, (name, value) => (name === 'last_seen' ? undefined : value));
    if (key === this.#key) return;
    this.#key = key;
    this.#snapshot = deepFreeze(next);

    if (next.status !== old.status) this.#emit('status', {status: next.status, text: next.text});
    if (before && this.#users) {
      for (const user of this.#others(missing(before, this.#users))) this.#emit('leave', {user});
      for (const user of this.#others(missing(this.#users, before))) this.#emit('join', {user});
    }
    if (news) this.#emit('conflict', {section: this.#section, users: next.conflicts, editing});
    this.#emit('change', this.#snapshot);
  }

  /** @param {string} type @param {object} detail */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, {detail}));
  }
}

/** A user of the wire, made whole: the host's data may lack a name, a newer server may say more. @param {User} user @returns {User} */
function person(user) {
  const section = user.section ?? '';
  return {...user, username: user.username ?? '', section, sections: user.sections ?? (section ? [section] : [])};
}

/** The sections in which somebody is editing. @param {User} user @returns {readonly (string | null)[]} */
const editing = (user) => user.editing ?? (user.activity === 'editing' ? [user.section] : []);

/** @template {object} T @param {T} value @returns {T} */
function deepFreeze(value) {
  for (const part of Object.values(value)) if (part && typeof part === 'object') deepFreeze(part);
  return Object.freeze(value);
}
