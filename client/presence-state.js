/**
 * What this page knows of the project and of its own session: users, version, conflicts, status, section. It sends nothing.
 *
 * The transport reports answers, lists and failures. Each report updates the snapshot and emits events if it changed. A method that
 * returns true asks its caller for an update, because what the server has recorded is outdated.
 *
 * Users, and parts of the snapshot, that look the same as before are the same objects.
 *
 * A list replaces the previous one. Only a partial list (the server lost its data and does not know all users yet) keeps the users that
 * it does not contain, marked as `old`.
 *
 * A version older than the current one is ignored, because another node may be behind. If the server answers with older versions for
 * longer than a node can be behind, it has lost its data and started again, and its list is accepted.
 *
 * @typedef {import('./presence-types.js').User} User
 * @typedef {import('./presence-types.js').Status} Status
 * @typedef {import('./presence-types.js').Snapshot} Snapshot
 * @typedef {import('./presence-types.js').Message} Message
 * @typedef {import('./presence-types.js').List} List
 * @typedef {import('./presence-types.js').Delta} Delta
 * @typedef {import('./presence-types.js').Move} Move
 * @typedef {import('./presence-types.js').Answer} Answer
 * @typedef {import('./presence-types.js').PresenceEvents} PresenceEvents
 */

import {differing, freeze, same} from './presence-sharing.js';
import {statusWords} from './strings.js';
import {time} from './presence-clock.js';
import {PresenceSaves} from './presence-saves.js';
import {HEARTBEAT, MAX_LAG} from './constants.js';
import {after, normalSection} from './section.js';
import {PresenceConflict, claims, missing} from './presence-conflict.js';

export class PresenceState {
  /** false: reports are ignored */ running = false;
  /** this page has unsaved changes in its section */ unsaved = false;
  /** of the list */ version = 0;
  /** when an older version will be accepted, so that it is worth asking again; 0: the last one was not older */ askAt = 0;
  /** the last answer was to another visitor than the one before: the browser does not keep the cookie */ cookieless = false;
  #environment;
  #activity;
  #userId;
  #statusWords;
  #emit;

  /** @type {string | null} as the page writes it */ #section = null;
  /** @type {string | null} the last section without a warning */ #earlier = null;
  #readOnly = false;

  /** @type {Status} */ #status = 'stopped';
  /** @type {readonly User[] | null} null: unknown */ #users = null;
  /** @type {readonly User[]} listed before the server lost its data, and not since */ #old = [];
  /** the list is partial */ #partial = false;
  /** the version after which a delta was missed; -1: none */ #gap = -1;
  #count = 0;
  /** @type {User | null} */ #you = null;
  /** the version of the newest data about you and your section */ #ownVersion = 0;
  /** @type {string | undefined} the section in the last message that was answered */ #answeredSection;
  /** the activity that the server recorded; `''`: unknown or outdated */ #recorded = '';
  /** the server asked for a new update of this session */ #restating = false;
  #conflict = new PresenceConflict();
  /** your claim is older than the conflicts: the server recorded `editing`, and there are unsaved changes since it did not any more */ #holds = false;
  /** @type {string | null} */ #waitingFor = null;
  /** whole minutes of silence of conflicting users, if one or more @type {Map<User['user_id'], number>} */ #silent = new Map();
  #saves = new PresenceSaves();
  /** moves of sections that were not reported yet @type {readonly Move[]} */ #moved = [];

  /** @type {Map<User['user_id'], User>} the listed users */ #known = new Map();

  /**
   * @param {import('./presence-types.js').Environment} environment
   * @param {{readonly state: import('./presence-activity.js').Activity}} activity of the user on the page
   * @param {string | number | null} userId
   * @param {import('./presence-types.js').Options} options
   * @param {<T extends keyof PresenceEvents>(type: T, detail: PresenceEvents[T]) => void} emit
   */
  constructor(environment, activity, userId, {strings, heartbeat}, emit) {
    this.#environment = environment;
    this.#activity = activity;
    this.#userId = userId;
    this.#statusWords = {...statusWords, ...strings?.status};
    /** milliseconds between updates */
    this.heartbeat = Math.max(1000, heartbeat || HEARTBEAT);
    this.#emit = emit;
    this.snapshot = freeze(this.#compile());
  }

  // ---- commands of the page

  /** @param {string | null} section @param {boolean} readOnly @returns {unknown} whether an update is due */
  enter(section, readOnly) {
    const normal = normalSection(section);
    const moved = normal !== this.#normal;
    if (moved) {
      if (!this.snapshot.warning.length) this.#earlier = this.#section;
      this.#conflict.enter(normal);
      this.unsaved = this.#holds = false;
    }
    this.#section = section;
    if (!moved && readOnly === this.#readOnly) return this.#publish();
    this.#readOnly = readOnly;
    return this.#assume();
  }

  /** Accepts the conflicts of the warning. @returns {unknown} whether an update is due */
  editAnyway() {
    if (!this.#conflict.open.length) return;
    this.#conflict.answer();
    return this.#assume();
  }

  /** @param {boolean} unsaved @returns {unknown} whether an update is due */
  setUnsaved(unsaved) {
    if (unsaved === this.unsaved || !this.#normal) return;
    this.unsaved = unsaved;
    this.#publish();
    return true;
  }

  /** What this page shows or saved of a section is another revision. @param {'opened' | 'saved'} how @param {string} section @param {string} revision */
  note(how, section, revision) {
    this.#saves[how](normalSection(section), revision);
    this.#publish();
  }

  /** @param {string | null} section @returns {unknown} whether an update is due */
  waitFor(section) {
    let normal = normalSection(section) || null;
    if (normal === this.#normal && this.#claims) normal = null; // it is yours
    if (normal === this.#waitingFor) return;
    this.#waitingFor = normal;
    this.#publish();
    return true;
  }

  // ---- reports of the transport

  /** What the next message says of this session. Call it at the moment of sending, so that it contains all changes. */
  compose() {
    const wanted = this.#wanted;
    // A server that lost its data may not know the users in the warning, so nothing is claimed before the warning is answered.
    // With unsaved changes it would accept `editing` in spite of the warning.
    const warned = (this.#partial || this.#restating || this.unsaved) && this.snapshot.warning.length;
    const activity = warned && wanted === 'editing' ? 'viewing' : wanted;
    this.#restating = false;
    return {
      section: this.#normal,
      activity,
      unless_occupied: activity === 'editing' && !this.#conflict.agreed,
      known_version: this.version,
      unsaved: this.unsaved || undefined,
      waiting_for: this.#waitingFor ?? undefined,
      saved: this.#saves.due,
    };
  }

  /** Whether the list has to be asked for on a live connection: a delta was missed, or only older versions arrive. */
  get missed() {
    return this.#gap === this.version || this.askAt > 0;
  }

  /** The server lost its data and asks for an update of this session. @returns {unknown} whether an update is due */
  restate() {
    return (this.#restating = true);
  }

  /** The reply to a message. @param {Answer} answer @param {Message} message @param {Status} status @returns {unknown} whether an update is due */
  accept(answer, message, status) {
    if (!this.running) return; // stopped meanwhile
    const {conflicts = [], you: listed} = answer;
    if (answer.heartbeat) this.heartbeat = Math.max(1000, answer.heartbeat * 1000);
    // Before the page follows a move in this answer.
    const here = message.section === this.#normal && !answer.stale;
    const saved = !answer.stale && this.#saves.end(message.saved, answer.version, listed?.user_id);
    const before = this.#replaceList(answer, message.known_version, answer.users?.map(this.#complete));
    const newest = answer.version >= this.version;
    const overtaken = !newest && answer.version >= message.known_version;
    this.#answeredSection = message.section;
    const careful = answer.partial && message.unless_occupied && this.#recorded !== 'editing';
    if (here) this.#recorded = answer.activity;
    if (newest) {
      this.#ownVersion = answer.version;
      if (listed) {
        const you = this.#complete(listed);
        this.cookieless = !!this.#you?.visitor && you.visitor && you.user_id !== this.#you.user_id;
        this.#you = you;
      }
    }
    if (here && listed) this.#setSilent(listed, conflicts);
    if (here && !overtaken) this.#setConflicts(conflicts.map(this.#complete), newest && !answer.partial);
    // The server recorded `editing` because it does not know the conflicting users again yet: warn first.
    const withdrawn = careful && this.#recorded === 'editing' && this.#conflict.open.length && this.#assume('viewing');
    const due = this.#finish(status, before, !overtaken && message.activity === this.#wanted);
    return due || withdrawn || (saved && this.#saves.due);
  }

  /** The server rejected a message for this error. @param {Message | undefined} message @param {string} [code] @returns {unknown} whether an update is due without what may have caused it */
  drop(message, code = '') {
    const dropped = /^(revision|section)_/.test(code) && this.#saves.end(message?.saved, 0);
    return (/^section_/.test(code) && message?.waiting_for && this.waitFor(null)) || dropped;
  }

  /**
   * All users at one version.
   * @param {List} list @param {Status} status @param {number} known the version that was known when it was asked for
   * @returns {unknown} whether an update is due
   */
  list(list, status, known) {
    return this.running && this.#finish(status, this.#replaceList(list, known, list.users?.map(this.#complete)));
  }

  /** The difference between two versions. @param {Delta} delta @returns {unknown} whether an update is due */
  delta({base, changed, at, left, saved, saved_gone, ...list}) {
    const {version} = list;
    if (base !== this.version || !this.#users) {
      // A delta was missed. Ask for the list once, however many deltas arrive before it.
      if (this.#isBehind(version) || version === this.version || this.#gap === this.version) return;
      this.#gap = this.version;
      return true;
    }
    const gone = left.map((user_id) => ({user_id}));
    const users = missing(this.#users, [...changed, ...gone]);
    changed.forEach((user, i) => {
      users.splice(at[i], 0, this.#complete(user));
      this.#silent.delete(user.user_id);
    });
    const more = {partial: this.#partial, gone, saved: this.#saves.merge(saved, saved_gone)};
    return this.running && this.#finish('live', this.#replaceList({...list, ...more}, base, users));
  }

  /** There was no answer, or a rejection, or traffic has ended. @param {Status} status */
  fail(status) {
    if (status === 'stopped' || status === 'refused') this.#forget();
    if (status === 'stopped') this.#waitingFor = null;
    else if (!this.running) return;
    this.#status = status;
    this.#publish();
  }

  /**
   * Accepts a list, unless it is older than the current one.
   * @param {List} list @param {number} known @param {User[] | undefined} users of the list, complete @returns {readonly User[] | null | undefined} the users shown before; undefined: the list was ignored
   */
  #replaceList({version, count = 0, partial = false, gone = [], saved = [], moved = []}, known, users) {
    if (version < this.version && version >= known) return; // a newer answer arrived in between
    const behind = this.#isBehind(version);
    if (partial || (!behind && (users || version === this.version))) this.#partial = partial;
    if (behind || !users) return;
    if (version < this.version) {
      this.#ownVersion = this.askAt = 0;
      this.#saves.reset();
    }
    // A page that was just loaded is where it should be.
    const moves = (this.#moved = moved.filter((move) => move.version > (this.version || this.#ownVersion || Infinity)));
    if (moves.length) this.#follow(moves);
    const before = this.#users && this.#shown;
    const [left, fresh] = differing(this.#users ?? [], users);
    for (const {user_id} of left) this.#known.delete(user_id);
    for (const user of fresh) this.#known.set(user.user_id, user);
    this.#users = users;
    this.#old = partial && before ? missing(before, [...users, ...gone]).map((user) => freeze({...user, old: true})) : [];
    this.version = version;
    this.#saves.replace(partial ? this.#saves.merge(saved) : saved, !before, moves);
    this.#count = Math.max(count, users.length);
    // An answer may have had newer data about you and your section.
    if (version < this.#ownVersion) return before;
    this.#you = users.find(this.#isMe) ?? this.#you;
    // A list that was cut does not contain all users.
    if (count <= users.length) this.#setConflicts(users.filter(this.#claimsHere), !partial);
    return before;
  }

  /** Follows sections that moved, as the server has: nothing is sent, and nothing is entered. @param {readonly Move[]} moves */
  #follow(moves) {
    this.#section = after(this.#section, moves);
    this.#earlier = after(this.#earlier, moves);
    this.#waitingFor = after(this.#waitingFor, moves);
    this.#conflict.follow(this.#normal);
    this.#saves.follow(moves);
  }

  /** A user with all fields; the listed one if that looks the same. Keeps fields that only a newer server knows. @param {User} user @returns {User} */
  #complete = (user) => {
    const section = user.section ?? '';
    // Not `{...user}`: V8 gives each frozen copy of that kind a hidden class of its own, which makes every read of the list slow.
    const full = Object.assign({}, user, {username: user.username ?? '', section, sections: user.sections ?? (section ? [section] : [])});
    const known = this.#known.get(user.user_id);
    return known && same(known, full) ? known : freeze(full);
  };

  /** Whether a version is older than the list and has to be ignored. @param {number} version */
  #isBehind(version) {
    const now = time(this.#environment);
    if (version >= this.version) this.askAt = 0;
    else this.askAt ||= now + MAX_LAG;
    return now < this.askAt;
  }

  /** The listed users, and those listed before the server lost its data. */
  get #shown() {
    return [...(this.#users ?? []), ...this.#old];
  }

  /** @param {User} user */
  #claimsHere = (user) => claims(user, this.#normal);

  /** If the users are not complete, earlier conflicts stay. @param {readonly User[]} users @param {boolean} complete */
  #setConflicts(users, complete) {
    if (!complete) for (const more of [this.#conflict.users, this.#old.filter(this.#claimsHere)]) users = [...users, ...missing(more, users)];
    this.#conflict.users = this.#others(users);
  }

  /** A list repeats when a user last changed, an answer says when the server last heard from them. @param {User} you @param {User[]} conflicts */
  #setSilent(you, conflicts) {
    const minutes = conflicts.map((user) => /** @type {const} */ ([user.user_id, Math.floor((Date.parse(you.last_seen) - Date.parse(user.last_seen)) / 60_000)]));
    this.#silent = new Map(minutes.filter(([, silent]) => silent > 0));
  }

  /** @param {User} user */
  #withSilence = (user) => {
    const silent = this.#silent.get(user.user_id);
    return silent ? freeze({...user, silent}) : user;
  };

  /**
   * Ends a report. An update is due if the conflicting users left, or were answered for: then it edits without a warning.
   * @param {Status} status @param {readonly User[] | null | undefined} before the list that was replaced @param {boolean} [decided] the server decided on the current state
   */
  #finish(status, before, decided) {
    this.#status = this.#partial ? 'unknown' : status;
    const free = this.#publish(before);
    const settled = decided && !this.#conflict.agreed;
    return free || !settled && this.#recorded === 'viewing' && this.#wanted === 'editing' && !this.#conflict.open.length && this.#assume();
  }

  /** What the server recorded is outdated. @param {string} [recorded] the activity to assume until the answer @returns {true} an update is due */
  #assume(recorded = '') {
    this.#recorded = recorded;
    this.#publish();
    return true;
  }

  /** Deletes all data about the project. */
  #forget() {
    this.#known.clear();
    this.#users = this.#you = null;
    this.#conflict.users = this.#old = [];
    this.version = this.#count = this.#ownVersion = this.askAt = 0;
    this.#partial = false;
    this.#recorded = '';
    this.#saves.list = [];
    this.#saves.reset();
  }

  /** Your section as the server writes it; `''` for none. */
  get #normal() {
    return normalSection(this.#section);
  }

  get #wanted() {
    if (this.#activity.state !== 'active') return 'idle';
    return this.#normal && !this.#readOnly ? 'editing' : 'viewing';
  }

  /** Whether your section is claimed by this page. */
  get #claims() {
    return this.#recorded === 'editing' || this.unsaved;
  }

  // Compared as strings: a host may use "1" where the server sends 1. The server's ids are canonical, so no two users are equal as strings.
  /** @param {Pick<User, 'user_id'>} user */
  #isMe = (user) => (this.#you ? user.user_id === this.#you.user_id : `${user.user_id}` === `${this.#userId}`);

  /** @param {readonly User[]} users */
  #others(users) {
    return users.filter((user) => !this.#isMe(user));
  }

  /** Ends the waiting: the section is free, or you entered it. @returns {string | null} the section if it is free */
  #endWaiting() {
    const section = this.#waitingFor;
    const here = section === this.#normal;
    if (section && this.#isFree(section, here)) {
      this.#waitingFor = null;
      return section;
    }
    if (here && this.#claims) this.#waitingFor = null;
    return null;
  }

  /** Whether it is known that nobody else claims a section. @param {string} section @param {boolean} here it is yours */
  #isFree(section, here) {
    if (!this.#users || (this.#status !== 'live' && this.#status !== 'polling')) return false;
    if (here) return this.#recorded && !this.#conflict.users.length;
    return this.version >= this.#ownVersion && this.#count <= this.#users.length && !this.#others(this.#users).some((user) => claims(user, section));
  }

  /** @param {import('./presence-types.js').Save} save @returns {import('./presence-types.js').NewSave} */
  #withUser(save) {
    const {user_id, username} = save;
    const user = this.#shown.find((user) => user.user_id === user_id) ?? Object.freeze({user_id, username, visitor: false});
    return {...save, user, own: this.#isMe(save)};
  }

  /** @returns {Snapshot} */
  #compile() {
    const status = this.#status;
    const words = this.#users && status === 'connecting' ? 'reconnecting' : this.#partial && status === 'unknown' ? 'partial' : this.cookieless && status === 'polling' ? 'cookies' : status;
    const users = [];
    const waiting = [];
    let count = this.#count - (this.#users?.length ?? 0);
    for (const user of this.#shown) {
      if (this.#isMe(user)) continue;
      users.push(user);
      if (!user.agent) count++;
      if (this.#claims && user.waiting_for === this.#normal) waiting.push(user);
    }
    const newer = this.#saves.newer(this.#normal, this.version, this.#isMe);
    const intrudes = this.#normal && !this.#readOnly && this.#recorded !== 'editing' && this.#conflict.open.length;
    return {
      status,
      text: this.#statusWords[words].replace('{seconds}', `${Math.round(this.heartbeat / 1000)}`),
      stale: !!this.#users && status !== 'live' && status !== 'polling',
      partial: this.#partial,
      version: this.version,
      users,
      count,
      you: this.#you,
      ownWindows: this.#you?.sections.filter((section) => section !== this.#answeredSection && section !== this.#normal) ?? [],
      section: this.#section,
      activity: this.#recorded || this.#wanted,
      conflicts: this.#conflict.users,
      warning: intrudes ? this.#conflict.users.map(this.#withSilence) : [],
      previous: normalSection(this.#earlier) === this.#normal ? null : this.#earlier,
      unsaved: this.unsaved,
      saves: this.#saves.list,
      newer: newer && this.#withUser(newer),
      waitingFor: this.#waitingFor,
      waiting,
    };
  }

  /** Updates the snapshot, and emits events if it changed. @param {readonly User[] | null} [before] the list that was replaced @returns {unknown} whether the section that you waited for is free */
  #publish(before) {
    const editing = (this.#holds = this.#recorded === 'editing' || (this.#holds && this.unsaved));
    const isNew = this.#conflict.note(editing);
    const free = this.#endWaiting();
    const saves = this.#saves.fresh;
    const moves = this.#moved;
    this.#saves.fresh = this.#moved = [];
    const old = this.snapshot;
    /** @type {any} */
    const next = this.#compile();
    /** @type {unknown} */ let changed = free;
    for (const [name, part] of Object.entries(old)) {
      if (same(next[name], part)) next[name] = part;
      else changed = true;
    }
    if (!changed) return;
    this.snapshot = freeze(next);

    for (const move of moves) this.#emit('section', move);
    if (next.status !== old.status) this.#emit('status', {status: next.status, text: next.text});
    if (before && this.#users) {
      const now = this.#shown;
      for (const user of this.#others(missing(before, now))) this.#emit('leave', {user});
      for (const user of this.#others(missing(now, before))) this.#emit('join', {user});
    }
    if (isNew) this.#emit('conflict', {section: this.#section, users: next.conflicts, editing});
    for (const save of saves) {
      if (!this.#saves.isOwn(save, this.version, this.#isMe)) this.#emit('saved', this.#withUser(save));
    }
    if (free) this.#emit('free', {section: free});
    this.#emit('change', this.snapshot);
    return free;
  }
}
