/**
 * A simulated room for tests of your own page: other people come, move, save and leave as the test says, and no server is needed. It works
 * without a page (in Node) and with the fake timers of test runners.
 *
 *     const room = createRoom();
 *     const presence = new PresenceManager('thesis', 1, {...room.options});
 *     presence.setSection('intro');
 *     presence.start();
 *     const alice = room.join({username: 'Alice', section: 'intro'});
 *     await room.settle();
 *     presence.getSnapshot().conflicts[0].username; // 'Alice'
 *
 * The room follows the rules of the server for people, conflicts, unsaved work, waiting and saves. It has no limits, no leases and no access
 * rights. Whatever project a manager names, it is in this room.
 *
 * @typedef {import('../presence-types.js').User} User
 * @typedef {import('../presence-types.js').Save} Save
 * @typedef {import('../presence-types.js').Message} Message
 * @typedef {import('../presence-types.js').Options} Options
 * @typedef {'editing' | 'viewing' | 'idle'} Activity
 * @typedef {Partial<Pick<User, 'user_id' | 'username' | 'visitor' | 'agent' | 'avatar_url' | 'avatar_color' | 'initials'>>} Identity
 * @typedef {{section?: string | null, activity?: Activity, unsaved?: boolean, waiting_for?: string | null}} Place `activity` is `editing` in a
 *   section by default, and `viewing` without one
 * @typedef {{user: Pick<User, 'user_id' | 'username'> & Identity, seq: number, section: string, activity: Activity, unsaved: boolean, waitingFor: string, touched: number}} Session
 */

import {claims} from '../presence-conflict.js';
import {normalSection} from '../section.js';

const COLORS = ['#ef4444', '#f59e0b', '#10b981', '#3b82f6', '#6366f1', '#8b5cf6', '#ec4899', '#14b8a6'];

/** Turns without any event after which a room counts as settled: more than a chain of promises in the client has. */
const QUIET = 50;

/** @param {{you?: Identity}} [settings] `you`: who the managers with `room.options` are, `{user_id: 1, username: 'You'}` by default */
export function createRoom({you = {}} = {}) {
  return new Room({user_id: 1, username: 'You', ...you});
}

/** A person whom the test moves. What they do is known to managers after `room.settle()`. */
class Person {
  #room;
  #name;

  /** @param {Room} room @param {string} name of the session @param {Session['user']} user */
  constructor(room, name, user) {
    this.#room = room;
    this.#name = name;
    this.user_id = user.user_id;
    this.username = user.username;
  }

  /** Goes to a section, null for none. Unsaved work ends unless it is stated. @param {string | null} section @param {Omit<Place, 'section'>} [place] */
  move(section, place = {}) {
    this.#room.change(this.#name, {unsaved: false, ...place, section});
  }

  /** Changes what the person does in their section. @param {Omit<Place, 'section'>} place */
  set(place) {
    this.#room.change(this.#name, place);
  }

  /** Saves a section, by default their own, and so has no unsaved work there any more. @param {{section?: string, revision?: string | number}} [save] */
  save({section, revision} = {}) {
    this.#room.save(this.#name, section, revision);
  }

  leave() {
    this.#room.leave(this.#name);
  }
}

class Room {
  #you;
  /** @type {Map<string, Session>} by `nameOf()` */ #sessions = new Map();
  /** @type {Map<string, number>} the number of the last message of sessions that left */ #ended = new Map();
  /** @type {Map<string, Save>} by section */ #saves = new Map();
  /** @type {Set<RoomSocket>} */ #sockets = new Set();
  #version = 1;
  #touches = 0;
  #people = 0;
  #revisions = 0;
  /** grows with all that happens */ #events = 0;
  #down = false;

  /** @param {Session['user']} you */
  constructor(you) {
    this.#you = you;
  }

  /**
   * The options of a manager in this room, who is `you`. Each reading of this property is another page, as in another tab: two managers with
   * the same object would replace each other, as on one page.
   */
  get options() {
    return this.as(this.#you);
  }

  /** The options of a manager of another user. @param {Identity} identity @returns {Required<Pick<Options, 'prefix' | 'environment'>>} */
  as(identity) {
    return {prefix: 'https://room.invalid/writer/api', environment: this.#environment(this.#complete(identity))};
  }

  /** Everybody in the room as the server lists them, managers with their own sessions included. @returns {User[]} */
  get users() {
    const byUser = new Map();
    for (const session of this.#sessions.values()) {
      const {user_id} = session.user;
      byUser.set(user_id, [...(byUser.get(user_id) ?? []), session]);
    }
    const folded = (/** @type {User} */ {username, user_id}) => [username.toLowerCase(), String(user_id)];
    return [...byUser.values()].map(occupant).sort((a, b) => (folded(a) < folded(b) ? -1 : 1));
  }

  /** The newest save of each section. @returns {Save[]} */
  get saves() {
    return [...this.#saves.values()].sort((a, b) => (a.section < b.section ? -1 : 1));
  }

  /** Lets a person come in. @param {Identity & Place} [person] */
  join({section, activity, unsaved, waiting_for, ...identity} = {}) {
    const number = ++this.#people;
    const user = this.#complete({user_id: 100 + number, username: `Person ${number}`, ...identity});
    const name = nameOf(user, `person-${number}`);
    this.#set(name, {user, seq: 0, touched: 0, ...NOWHERE}, NOWHERE);
    this.change(name, {section: section ?? null, activity, unsaved, waiting_for});
    return new Person(this, name, user);
  }

  /** Resolves when everything that happened has reached the managers, and their answers the room. It moves no timers. */
  async settle() {
    for (let quiet = 0, seen = -1; quiet < QUIET; quiet++) {
      if (seen !== this.#events) quiet = 0;
      seen = this.#events;
      await Promise.resolve();
    }
  }

  /** Cuts the room off: connections end, and requests fail until `restore()`. Managers notice it by themselves. */
  cut() {
    this.#down = true;
    for (const socket of this.#sockets) this.#later(() => socket.end(1006));
  }

  /** Ends `cut()`. Managers come back with their next attempt, which they make after a few seconds, by their timers. */
  restore() {
    this.#down = false;
  }

  /** Changes what a session states. @internal @param {string} name @param {Place} place */
  change(name, {section, activity, unsaved, waiting_for: waitingFor}) {
    const session = this.#sessions.get(name);
    if (!session) return; // has left
    const here = section === undefined ? session.section : normalSection(section);
    const moved = here !== session.section;
    this.#update(session.user, {
      session: name.slice(name.indexOf('\n') + 1), seq: session.seq + 1, section: here, unless_occupied: false, known_version: 0,
      activity: activity ?? (moved ? 'editing' : session.activity), unsaved: unsaved ?? session.unsaved,
      waiting_for: (waitingFor === undefined ? session.waitingFor : waitingFor) ?? '',
    });
  }

  /** @internal @param {string} name @param {string} [section] @param {string | number} [revision] */
  save(name, section, revision = `revision-${++this.#revisions}`) {
    const session = this.#sessions.get(name);
    if (!session) return;
    const saved = normalSection(section ?? session.section);
    if (!saved) throw new TypeError('this person is in no section; name it: save({section})');
    if (session.section === saved) this.change(name, {unsaved: false});
    this.#record(session.user, {section: saved, revision: String(revision)});
  }

  /** @internal @param {string} name */
  leave(name) {
    this.#end(name, Infinity);
  }

  /** @param {Identity} identity @returns {Session['user']} */
  #complete({user_id = 100, username = 'Someone', ...more}) {
    const color = COLORS[(Number(user_id) || String(user_id).length) % COLORS.length];
    return {user_id, username, visitor: false, avatar_color: color, initials: username.slice(0, 2).toUpperCase(), ...more};
  }

  /** @param {Session['user']} user @param {{section: string, revision: string}} saved */
  #record({user_id, username}, {section, revision}) {
    const last = this.#saves.get(section);
    if (last?.revision === revision && last.user_id === user_id) return;
    this.#saves.set(section, {section, revision, user_id, username, saved_at: now()});
    this.#changed();
  }

  /** Something visible is different: all connections get the newest list, once for all changes of a turn. */
  #changed() {
    const version = ++this.#version;
    this.#later(() => {
      if (version !== this.#version) return;
      for (const socket of this.#sockets) this.#sendList(socket);
    });
  }

  /** Sends the list to a connection that does not know it. @param {RoomSocket} socket */
  #sendList(socket) {
    if (socket.known === this.#version || socket.known === Infinity) return;
    socket.known = this.#version;
    socket.deliver({type: 'snapshot', ...this.#list});
  }

  get #list() {
    const {saves} = this;
    return {version: this.#version, users: this.users, ...(saves.length && {saved: saves})};
  }

  /** Runs it later in this turn, without a timer. @param {() => void} run */
  #later(run) {
    this.#events++;
    void Promise.resolve().then(() => {
      this.#events++;
      run();
    });
  }

  /** What an update records, and its answer (docs/reference/api.md). @param {Session['user']} user @param {Message} message @returns {any} */
  #update(user, {session, seq, section = '', activity = 'editing', unless_occupied: careful, unsaved, waiting_for: waiting = '', saved}) {
    const name = nameOf(user, session);
    const here = normalSection(section);
    const earlier = this.#sessions.get(name);
    const conflicts = this.users.filter((other) => other.user_id !== user.user_id && here && claims(other, here));
    const stale = seq <= (earlier?.seq ?? this.#ended.get(name) ?? 0);
    if (!stale) {
      const holds = earlier?.section === here && (earlier.activity === 'editing' || earlier.unsaved);
      const occupied = activity === 'editing' && careful && conflicts.length > 0 && !holds;
      const recorded = /** @type {Activity} */ ((!here && activity !== 'idle') || occupied ? 'viewing' : activity);
      const waitingFor = normalSection(waiting);
      const next = {section: here, activity: recorded, unsaved: !!unsaved && here !== ''};
      const waits = waitingFor !== here || !(recorded === 'editing' || next.unsaved);
      this.#set(name, earlier ?? {user, seq, touched: 0, ...NOWHERE}, {...next, waitingFor: waits ? waitingFor : ''}).seq = seq;
      if (saved) this.#record(user, {section: normalSection(saved.section), revision: saved.revision});
    }
    const current = this.#sessions.get(name);
    const you = this.users.find(({user_id}) => user_id === user.user_id) ?? occupant([{user, seq, touched: 0, ...NOWHERE}]);
    return {version: this.#version, activity: current?.activity ?? '', you, conflicts, ...(stale && {stale})};
  }

  /** Records what a session states. @param {string} name @param {Session} session @param {Omit<Session, 'user' | 'seq' | 'touched'>} next */
  #set(name, session, next) {
    const isNew = !this.#sessions.has(name);
    const acts = isNew || session.section !== next.section || session.activity !== next.activity;
    if (acts && (next.activity !== 'idle' || isNew)) session.touched = ++this.#touches;
    const changed = acts || session.unsaved !== next.unsaved || session.waitingFor !== next.waitingFor;
    this.#sessions.set(name, Object.assign(session, next));
    if (changed) this.#changed();
    return session;
  }

  /** Ends a session. @param {string} name @param {number} seq @returns {boolean} false: the leave is not newer than what is known, and does nothing */
  #end(name, seq) {
    const session = this.#sessions.get(name);
    if (seq <= (session?.seq ?? this.#ended.get(name) ?? 0)) return false;
    this.#ended.set(name, seq);
    if (this.#sessions.delete(name)) this.#changed();
    return true;
  }

  /** @param {Session['user']} user @returns {import('../presence-types.js').Environment} */
  #environment(user) {
    const {window, document} = globalThis;
    const receive = (/** @type {RoomSocket} */ socket, /** @type {any} */ message) => this.#receive(user, socket, message);
    const connect = (/** @type {RoomSocket} */ socket) => this.#later(() => (this.#down ? socket.end(1006) : this.#open(socket)));
    const ended = (/** @type {RoomSocket} */ socket) => void this.#sockets.delete(socket);
    return {
      // Looked up at each call, so that fake timers may be installed before or after.
      Date: {now: () => Date.now()},
      Math: {random: () => 0.5},
      setTimeout: (run, delay) => globalThis.setTimeout(run, delay),
      clearTimeout: (timer) => globalThis.clearTimeout(timer),
      ...(window && {window}),
      ...(document && {document}),
      fetch: (url, init) => new Promise((resolve) => resolve(/** @type {Response} */ (/** @type {unknown} */ (this.#fetch(user, url, init))))),
      WebSocket: /** @type {any} */ (class extends RoomSocket {
        constructor() {
          super(receive, ended);
          connect(this);
        }
      }),
    };
  }

  /** @param {RoomSocket} socket */
  #open(socket) {
    if (!socket.open()) return;
    this.#sockets.add(socket);
    socket.onopen();
  }

  /** @param {Session['user']} user @param {string} url @param {RequestInit} init */
  #fetch(user, url, {body, signal}) {
    this.#events++;
    signal?.throwIfAborted();
    if (this.#down) throw new TypeError('the room is cut off');
    const message = body ? JSON.parse(String(body)) : {};
    let answer;
    if (url.endsWith('/update/')) {
      answer = this.#update(user, message);
      if (message.known_version !== undefined && message.known_version !== this.#version) answer = {...answer, ...this.#list};
    } else if (url.endsWith('/leave/')) {
      const ended = this.#end(nameOf(user, message.session), message.seq);
      answer = {version: this.#version, ...(!ended && {stale: true})};
    } else answer = this.#list;
    const copy = JSON.stringify({success: true, ...answer});
    return {status: 200, ok: true, headers: new Headers(), json: () => Promise.resolve(JSON.parse(copy))};
  }

  /** @param {Session['user']} user @param {RoomSocket} socket @param {any} message */
  #receive(user, socket, message) {
    this.#later(() => {
      if (this.#down) return;
      const {type, seq} = message;
      socket.session = message.session ?? socket.session;
      if (type === 'leave') {
        this.#end(nameOf(user, socket.session), seq);
        return socket.deliver({type: 'ack', seq, version: this.#version});
      }
      socket.deliver({type: 'ack', seq, ...this.#update(user, {...message, session: socket.session})});
      if (type === 'hello' || message.known_version !== undefined) socket.known = message.known_version ?? 0;
      this.#sendList(socket);
    });
  }
}

/** The page's end of a live connection. */
class RoomSocket {
  #receive;
  #ended;
  readyState = 0;
  session = '';
  /** the version that was sent last; until the hello, nothing is sent */ known = Infinity;
  onopen = () => {};
  /** @param {{data: string}} event */ onmessage = (event) => void event;
  /** @param {{code: number}} event */ onclose = (event) => void event;

  /** @param {(socket: RoomSocket, message: any) => void} receive called with each message of the page @param {(socket: RoomSocket) => void} ended */
  constructor(receive, ended) {
    this.#receive = receive;
    this.#ended = ended;
  }

  /** @returns {boolean} false: the page has closed it meanwhile */
  open() {
    if (this.readyState) return false;
    this.readyState = 1;
    return true;
  }

  /** @param {string} data */
  send(data) {
    if (this.readyState === 1) this.#receive(this, JSON.parse(data));
  }

  close() {
    this.end(1000);
  }

  /** @param {object} message */
  deliver(message) {
    if (this.readyState === 1) this.onmessage({data: JSON.stringify(message)});
  }

  /** @param {number} code */
  end(code) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.#ended(this);
    this.onclose({code});
  }
}

/** What a session states that is in no section. */
const NOWHERE = /** @type {const} */ ({section: '', activity: 'viewing', unsaved: false, waitingFor: ''});

/** The name of a session among those of all users. @param {Pick<User, 'user_id'>} user @param {string} session */
const nameOf = ({user_id}, session) => `${user_id}\n${session}`;

const now = () => `${new Date(Date.now()).toISOString().slice(0, 19)}Z`;

/** A user as others see them, from all of their sessions (rule 3). @param {Session[]} sessions of one user @returns {User} */
function occupant(sessions) {
  const weight = (/** @type {Session} */ {section, activity, touched}) => [Number(section !== ''), Number(activity !== 'idle'), touched];
  const ranked = [...sessions].sort((a, b) => {
    const [these, those] = [weight(a), weight(b)];
    const i = these.findIndex((value, at) => value !== those[at]);
    return i < 0 ? 0 : those[i] - these[i];
  });
  const [{user, section, activity}] = ranked;
  const sectionsOf = (/** @type {(session: Session) => unknown} */ wanted) => [...new Set(ranked.filter((session) => session.section && wanted(session)).map((session) => session.section))].sort();
  const editing = sectionsOf((session) => session.activity === 'editing');
  const unsaved = sectionsOf((session) => session.unsaved);
  const waiting = [...sessions].sort((a, b) => b.touched - a.touched).find(({waitingFor}) => waitingFor)?.waitingFor;
  const said = activity === 'editing' ? [section] : [];
  return /** @type {User} */ ({
    ...user, section, sections: sectionsOf(() => true), activity, last_seen: now(),
    ...(`${editing}` !== `${said}` && {editing}), ...(unsaved.length && {unsaved}), ...(waiting && {waiting_for: waiting}),
  });
}
