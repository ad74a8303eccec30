/**
 * One session (a page load of one person in one project) and its state: who is here, in which section, and who conflicts. No interface,
 * no DOM beyond the page's own lifecycle: `PresenceManager` adds the interface.
 *
 * The transport reports answers and failures by `accept`, `acceptList`, `acceptDelta` and `fail`. It calls `compose` at the moment of
 * sending, so that all changes since the last message are sent together. A list replaces the previous one. Only a partial list (the server
 * lost its data and does not know all users yet) keeps the users that it does not contain, marked as `old`.
 *
 * A version older than the one shown is ignored, because another node may be behind. If the server answers with older versions for longer
 * than a node can be behind, it has lost its data and started again; then its list is accepted.
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

const LONGEST_LAG = 10_000; // the longest time that a node can be behind the others

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
  // 96 random bits (`crypto.randomUUID` does not exist on plain http). In memory only: a duplicated tab copies its storage, but must be
  // a session of its own.
  #session = crypto.getRandomValues(new Uint32Array(3)).join('-');
  #seq = 0;
  #running = false;

  /** @type {string | null} */ #section = null;
  /** @type {string | null} the last section without a warning */ #earlier = null;
  #readOnly = false;

  /** @type {Status} */ #status = 'stopped';
  /** @type {readonly User[] | null} null: unknown */ #users = null;
  /** @type {readonly User[]} listed before the server lost its data, and not since */ #old = [];
  /** the list is partial */ #partial = false;
  #version = 0;
  /** when the first of the older versions arrived; 0: the last answer was not older */ #behindSince = 0;
  #count = 0;
  /** @type {User | null} */ #you = null;
  /** the version of the newest data about you and your section */ #asOf = 0;
  /** the section in the last message that was answered */ #held = '';
  #recorded = '';
  /** the server asked for a new update of this session */ #restating = false;
  #conflict = new PresenceConflict();

  /** @type {Snapshot} */ #snapshot;
  #key = '';

  /**
   * @param {string | number} projectId
   * @param {string | number | null} [userId] null for a visitor, whose id the server decides
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

  /** True between `start()` and `stop()`. The leave is sent at the end of the turn. */
  get running() {
    return this.#running;
  }

  get onlineUsers() {
    return this.#snapshot.users;
  }

  getSnapshot = () => this.#snapshot;

  /** Calls `listener` after every visible change. @param {() => void} listener @returns {() => void} ends the subscription */
  subscribe = (listener) => {
    const call = () => listener();
    this.addEventListener('change', call);
    return () => this.removeEventListener('change', call);
  };

  /** Safe to call twice. The first update contains all that is set in the same turn. */
  start() {
    if (this.#running) return;
    this.#running = true;
    if (this.#status !== 'stopped') return; // undoes a stop() of the same turn
    this.#activity.start();
    this.#transport.start();
  }

  /**
   * Leaves at the end of the current turn, so that a start() in the same turn (React's StrictMode mounts twice) changes nothing for
   * others. Safe to call twice.
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
   * @param {{activity?: 'editing' | 'viewing'}} [options] `viewing` for a page where nothing can be edited
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

  /** Answers a warning: edits in spite of the users it names. Another user causes a new warning. */
  editAnyway() {
    if (!this.#conflict.open.length) return;
    this.#conflict.answer();
    this.#restate();
  }

  /** Answers a warning: returns to the previous section, or to none. @returns {string | null} the current section */
  chooseDifferent() {
    this.setSection(this.#earlier === this.#section ? null : this.#earlier);
    return this.#section;
  }

  /** Sends an update now. Resolves when it was answered, failed, or was aborted by stop(); never rejects. */
  async updatePresence() {
    await this.#transport.poke();
  }

  /** Reads the list, which renews nothing. Resolves and never rejects, as `updatePresence` does. */
  async fetchPresence() {
    if (this.#running) await this.#transport.look();
  }

  /** For a transport: the next message of this session. @returns {Message} */
  compose() {
    const wanted = this.#wanted;
    // A server that lost its data may not know the users in the warning, so nothing is claimed before the warning is answered.
    const warned = (this.#partial || this.#restating) && this.#snapshot.warning.length;
    const activity = warned && wanted === 'editing' ? 'viewing' : wanted;
    this.#restating = false;
    return {
      ...this.sign(),
      section: this.#section ?? '',
      activity,
      unless_occupied: activity === 'editing' && !this.#conflict.agreed,
      known_version: this.#version,
    };
  }

  /** For a transport: the version of the list. */
  get version() {
    return this.#version;
  }

  /** For a transport: the session's name and its next sequence number. */
  sign() {
    return {session: this.#session, seq: ++this.#seq};
  }

  /** For a transport: the server lost its data and asks for an update of this session. */
  restate() {
    this.#restating = true;
    void this.#transport.poke();
  }

  /** For a transport: the reply to a message. @param {Answer} answer @param {Message} message @param {Status} status */
  accept(answer, message, status) {
    if (!this.#running) return; // stopped meanwhile
    const before = this.#take(answer, message.known_version);
    const here = message.section === (this.#section ?? '') && !answer.stale;
    const newest = answer.version >= this.#version;
    const overtaken = !newest && answer.version >= message.known_version;
    this.#held = message.section;
    const careful = answer.partial && message.unless_occupied && this.#recorded !== 'editing';
    if (here) this.#recorded = answer.activity;
    if (newest) {
      this.#asOf = answer.version;
      if (answer.you) this.#you = person(answer.you);
    }
    if (here && !overtaken) this.#meet((answer.conflicts ?? []).map(person), newest && !answer.partial);
    // The server recorded `editing` because it does not know the conflicting users again yet: warn first.
    if (careful && this.#recorded === 'editing' && this.#conflict.open.length) this.#restate('viewing');
    this.#settle(status, before, !overtaken && message.activity === this.#wanted && !this.#conflict.agreed);
  }

  /**
   * For a transport: everybody at one version.
   * @param {List} list @param {Status} status @param {number} known the version that was known when it was asked for
   */
  acceptList(list, status, known) {
    if (this.#running) this.#settle(status, this.#take(list, known));
  }

  /** For a transport: the difference between two versions. @param {Delta} delta @returns {boolean} false: a delta was missed */
  acceptDelta({base, version, changed, at, left, count}) {
    if (base !== this.#version || !this.#users) return this.#isBehind(version) || version === this.#version;
    const gone = left.map((user_id) => ({user_id}));
    const users = missing(this.#users, [...changed, ...gone]);
    changed.forEach((user, i) => users.splice(at[i], 0, user));
    this.acceptList({version, users, count, partial: this.#partial, gone}, 'live', base);
    return true;
  }

  /**
   * Accepts a list, unless it is older than the current one.
   * @param {List} list @param {number} known @returns {readonly User[] | null} the users shown before; null: the list was ignored
   */
  #take({version, users, count = 0, partial = false, gone = []}, known) {
    if (version < this.#version && version >= known) return null; // a newer answer arrived in between
    const behind = this.#isBehind(version);
    if (partial || (!behind && (users || version === this.#version))) this.#partial = partial;
    if (behind || !users) return null;
    if (version < this.#version) this.#asOf = this.#behindSince = 0;
    const before = this.#users && this.#shown;
    this.#users = users.map(person);
    this.#old = partial && before ? missing(before, [...users, ...gone]).map((user) => ({...user, old: true})) : [];
    this.#version = version;
    const you = this.#users.find((user) => this.#isMe(user));
    this.#count = Math.max(count, users.length);
    // An answer may have had newer data about you and your section.
    if (version < this.#asOf) return before;
    this.#you = you ?? this.#you;
    // A list that was cut does not contain all users.
    if (count <= users.length) this.#meet(this.#users.filter(this.#isEditingHere), !partial);
    return before;
  }

  /**
   * Whether an answer is older than the list and has to be ignored. After `LONGEST_LAG` with older answers only, the transport asks once
   * more, and that answer is accepted.
   * @param {number} version
   */
  #isBehind(version) {
    if (version >= this.#version) {
      this.#behindSince = 0;
      return false;
    }
    const now = this.surroundings.now();
    if (!this.#behindSince) {
      this.#behindSince = now;
      this.#transport.recheck(LONGEST_LAG);
    }
    return now - this.#behindSince < LONGEST_LAG;
  }

  /** The listed users, and those listed before the server lost its data. */
  get #shown() {
    return [...(this.#users ?? []), ...this.#old];
  }

  /** @param {User} user */
  #isEditingHere = ({editing, activity, section}) => (editing ?? (activity === 'editing' ? [section] : [])).includes(/** @type {string} */ (this.#section));

  /** Sets the users who conflict. If the answer is not complete, earlier conflicts stay. @param {readonly User[]} users @param {boolean} complete */
  #meet(users, complete) {
    if (!complete) for (const more of [this.#conflict.users, this.#old.filter(this.#isEditingHere)]) users = [...users, ...missing(more, users)];
    this.#conflict.users = this.#others(users);
  }

  /** @param {Status} status @param {readonly User[] | null} before the list that was replaced @param {boolean} [decided] the server decided on the current state */
  #settle(status, before, decided) {
    this.#status = this.#partial ? 'unknown' : status;
    this.#publish(before);
    // The conflicting users left, or were answered for: edit without a warning.
    if (!decided && this.#recorded === 'viewing' && this.#wanted === 'editing' && !this.#conflict.open.length) this.#restate();
  }

  /** Requests an update, since the recorded activity is outdated. @param {string} [recorded] the activity to assume until the answer */
  #restate(recorded = '') {
    this.#recorded = recorded;
    this.#publish();
    void this.#transport.poke();
  }

  /** For a transport: there was no answer, or a rejection. @param {Status} status */
  fail(status) {
    if (!this.#running) return;
    if (status === 'refused') this.#forget();
    this.#doubt(status);
  }

  /** @param {Status} status */
  #doubt(status) {
    this.#status = status;
    this.#publish();
  }

  /** Deletes all data about the project. */
  #forget() {
    this.#users = this.#you = null;
    this.#conflict.users = this.#old = [];
    this.#version = this.#count = this.#asOf = this.#behindSince = 0;
    this.#partial = false;
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
      void this.#transport.poke();
    }
  }

  get #wanted() {
    if (this.#activity.state !== 'active') return 'idle';
    return this.#section && !this.#readOnly ? 'editing' : 'viewing';
  }

  // Compared as strings: a host may use "1" where the server sends 1. The server's ids are canonical, so no two users are equal as strings.
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
    const status = this.#status;
    const words = status === 'connecting' && this.#users ? 'reconnecting' : status === 'unknown' && this.#partial ? 'partial' : status;
    const users = this.#others(this.#shown);
    const intrudes = this.#section && !this.#readOnly && this.#recorded !== 'editing' && this.#conflict.open.length;
    return {
      status,
      text: this.#statusWords[words].replace('{seconds}', `${Math.round(this.#transport.heartbeat / 1000)}`),
      stale: this.#users !== null && status !== 'live' && status !== 'polling',
      partial: this.#partial,
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

  /** Updates the snapshot, and emits events if it changed. @param {readonly User[] | null} [before] the list that was replaced */
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
      const now = this.#shown;
      for (const user of this.#others(missing(before, now))) this.#emit('leave', {user});
      for (const user of this.#others(missing(now, before))) this.#emit('join', {user});
    }
    if (news) this.#emit('conflict', {section: this.#section, users: next.conflicts, editing});
    this.#emit('change', this.#snapshot);
  }

  /** @param {string} type @param {object} detail */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, {detail}));
  }
}

/** Fills in missing fields of a user, and keeps those that only a newer server knows. @param {User} user @returns {User} */
function person(user) {
  const section = user.section ?? '';
  return {...user, username: user.username ?? '', section, sections: user.sections ?? (section ? [section] : [])};
}

/** @template {object} T @param {T} value @returns {T} */
function deepFreeze(value) {
  for (const part of Object.values(value)) if (part && typeof part === 'object') deepFreeze(part);
  return Object.freeze(value);
}
