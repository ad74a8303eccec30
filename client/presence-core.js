/**
 * One session (a page load of one person in one project) and what it knows: who is here, in which section, and with whom
 * it would collide. No interface, no DOM beyond the page's own lifecycle: `PresenceManager` adds the interface.
 *
 * Facts come from a transport, by `accept`, `acceptList` and `fail`; the transport asks `compose` for the message at the
 * moment of sending, so that what changes in between travels together. A snapshot replaces, it never merges.
 *
 * @typedef {import('./presence-types.js').User} User
 * @typedef {import('./presence-types.js').Status} Status
 * @typedef {import('./presence-types.js').Snapshot} Snapshot
 * @typedef {import('./presence-types.js').Message} Message
 * @typedef {import('./presence-types.js').List} List
 * @typedef {import('./presence-types.js').Answer} Answer
 * @typedef {import('./presence-types.js').Options} Options
 * @typedef {import('./presence-types.js').Surroundings} Surroundings
 * @typedef {import('./presence-activity.js').Attendance} Attendance
 */

import {ActivityMonitor} from './presence-activity.js';
import {PresenceConflict} from './presence-conflict.js';
import {PollTransport} from './presence-poll.js';
import {statusWords} from './strings.js';

/** @returns {Surroundings} */
const browser = () => ({
  fetch: (url, init) => fetch(url, init),
  now: () => Date.now(),
  random: Math.random,
  setTimeout: (run, delay) => setTimeout(run, delay),
  clearTimeout: (timer) => clearTimeout(timer),
  window: globalThis.window,
  document: globalThis.document,
});

export class PresenceCore extends EventTarget {
  #activity;
  #transport;
  #statusWords;
  // Held in memory only: a duplicated tab copies its storage, and is a session of its own all the same.
  #session = randomId();
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
  /** @type {readonly string[]} */ #ownWindows = [];
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
    this.#transport = new PollTransport(this, options);
    this.#activity = new ActivityMonitor(this.surroundings, (now, before) => this.#attend(now, before));
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
    this.#status = 'connecting';
    this.#activity.start();
    this.#transport.start();
    this.#publish();
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
      this.#forget('stopped');
      this.#publish();
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
    this.#recorded = '';
    this.#publish();
    if (this.#running) this.#transport.poke();
  }

  /** The answer to a warning: edits beside those whom it named. Somebody new asks again. */
  editAnyway() {
    if (!this.#conflict.open.length) return;
    this.#conflict.answer();
    this.#publish();
    if (this.#running) this.#transport.poke();
  }

  /** The other answer: back to the section before, or to none; nothing stays claimed. @returns {string | null} where you are now */
  chooseDifferent() {
    this.setSection(this.#earlier === this.#section ? null : this.#earlier);
    return this.#section;
  }

  /** Sends an update now; done when it was answered, or failed. */
  async updatePresence() {
    if (this.#running) await this.#transport.poke();
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

  /** For a transport: the version of the list that is known. */
  get version() {
    return this.#version;
  }

  /** For a transport: the session's name and its next number. */
  sign() {
    return {session: this.#session, seq: ++this.#seq};
  }

  /** For a transport: the reply to a message. @param {Answer} answer @param {Message} message @param {Status} status */
  accept(answer, message, status) {
    const you = answer.you ? person(answer.you) : this.#you;
    this.#you = you;
    this.#ownWindows = you?.sections.filter((section) => section !== message.section) ?? [];
    if (message.section === (this.#section ?? '') && !answer.stale) {
      this.#recorded = answer.activity;
      this.#conflict.users = (answer.conflicts ?? []).map(person).filter((user) => !this.#isMe(user));
    }
    this.acceptList(answer, status, message.known_version);
    // Occupied only by people whom the answer of old covers: then it holds, and nobody is asked.
    if (this.#conflict.agreed && this.#recorded === 'viewing' && message.unless_occupied) this.#transport.poke();
  }

  /**
   * For a transport: everybody at one version; without `users`, all is as it was.
   * @param {List} list @param {Status} status @param {number} known the version that was known when it was asked for
   */
  acceptList({version, users, count}, status, known) {
    if (!this.#running) return; // stopped meanwhile
    this.#status = status;
    this.#stale = false;
    // An older list was overtaken; unless it is older than what was known when it was asked for: then the server's history is new.
    if (users && (version >= this.#version || version < known)) {
      const before = this.#users;
      this.#version = version;
      this.#users = users.map(person);
      this.#count = Math.max(count ?? 0, users.length) - (users.some((user) => this.#isMe(user)) ? 1 : 0);
      this.#publish(before);
    } else this.#publish();
  }

  /** For a transport: no answer, or a refusal. @param {Status} status */
  fail(status) {
    if (!this.#running) return;
    if (status === 'refused') this.#forget(status);
    this.#status = status;
    this.#stale = this.#users !== null;
    this.#publish();
  }

  /** What is known is no longer ours to show. @param {Status} status */
  #forget(status) {
    this.#status = status;
    this.#users = this.#you = null;
    this.#ownWindows = this.#conflict.users = [];
    this.#version = this.#count = 0;
    this.#recorded = '';
    this.#stale = false;
  }

  /** @param {Attendance} now @param {Attendance} before */
  #attend(now, before) {
    if (now === 'gone' || now === 'away') {
      this.#transport.stop(now === 'gone');
      this.fail(now === 'gone' ? 'connecting' : 'away');
    } else if (before === 'gone' || before === 'away') {
      this.fail('connecting');
      this.#transport.start();
    } else this.#transport.poke();
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

  /** @returns {Snapshot} */
  #compile() {
    const list = this.#users ?? [];
    const known = this.#status === 'connecting' && this.#users ? 'reconnecting' : this.#status;
    const intrudes = this.#section && !this.#readOnly && this.#recorded !== 'editing' && this.#conflict.open.length;
    return {
      status: this.#status,
      text: this.#statusWords[known].replace('{seconds}', String(Math.round(this.#transport.heartbeat / 1000))),
      stale: this.#stale,
      version: this.#version,
      users: list.filter((user) => !this.#isMe(user)),
      count: this.#count,
      you: this.#you ?? list.find((user) => this.#isMe(user)) ?? null,
      ownWindows: this.#ownWindows,
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
      for (const user of this.#missing(before, this.#users)) this.#emit('leave', {user});
      for (const user of this.#missing(this.#users, before)) this.#emit('join', {user});
    }
    if (news) this.#emit('conflict', {section: this.#section, users: next.conflicts, editing});
    this.#emit('change', this.#snapshot);
  }

  /** Who of these others is not among those. @param {readonly User[]} these @param {readonly User[]} those */
  #missing(these, those) {
    const ids = new Set(those.map((user) => user.user_id));
    return these.filter((user) => !ids.has(user.user_id) && !this.#isMe(user));
  }

  /** @param {string} type @param {object} detail */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, {detail}));
  }
}

/** 96 random bits; `crypto.randomUUID` is missing on plain http. */
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A user of the wire, made whole: the host's data may lack a name, a newer server may say more. @param {User} user @returns {User} */
function person(user) {
  const section = user.section ?? '';
  return {...user, username: user.username ?? '', section, sections: user.sections ?? (section ? [section] : [])};
}

/** @template {object} T @param {T} value @returns {T} */
function deepFreeze(value) {
  for (const part of Object.values(value)) if (part && typeof part === 'object') deepFreeze(part);
  return Object.freeze(value);
}
