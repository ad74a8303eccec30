/**
 * What the bindings for React, Vue and Svelte share: the manager of a provider and its events, what components read from a snapshot, and
 * what they ask for. If several components ask for the badge, the warning or the section, the newest gets it.
 *
 * @typedef {import('../presence-types.js').Snapshot} Snapshot
 * @typedef {import('../presence-types.js').User} User
 * @typedef {'editing' | 'viewing'} Activity `viewing` where nothing can be edited
 *
 * @typedef {object} Handlers
 * @property {((section: string | null, user: User | null) => void) | undefined} [onNavigate] the person chose a section: that of a `user` in the list, or
 *   another one instead of the section of a warning (null: none). Show it, and pass it to `useSection`
 * @property {((move: import('../presence-types.js').PresenceEvents['section']) => void) | undefined} [onMove] the host has moved a section, and all
 *   below it, to another path. The person is there already. Pass the new path to `useSection`, `useOccupants` and `AvatarStack`, without loading the text again
 * @property {((save: import('../presence-types.js').NewSave) => void) | undefined} [onShowLatest] the button `Show latest` was pressed: load the text
 *
 * @typedef {object} Session
 * @property {string | number} project
 * @property {string | number | null | undefined} [user] the host's id of the person; null: the server's answers say who it is
 * @property {string | undefined} [url] the server's address if it is on another origin, such as `https://presence.example.org`
 *
 * @typedef {(Session & {manager?: undefined} | {manager: PresenceManager, project?: undefined}) & Handlers & import('../writer-presence.js').Options} PresenceOptions
 *   a `manager` is one that the host makes, starts and stops. A new `project`, `user`, `url`, `prefix` or `pane`, and a
 *   `token` or `label` where there was none, start a new session. The newest `token`, `label` and handlers are used,
 *   whichever objects they are; other options are read when the session starts
 *
 * @typedef {object} Conflict
 * @property {readonly User[]} users who edit the section that you entered, or have unsaved changes in it
 * @property {string} section
 * @property {boolean} unsaved nobody is editing: they only have unsaved changes
 * @property {boolean} waiting you wait for the section
 * @property {() => void} editAnyway
 * @property {() => string | null} chooseDifferent returns to the section before
 * @property {(wait?: unknown) => void} waitFor false: takes it back
 */

import {need} from '../presence-check.js';
import {edits} from '../presence-conflict.js';
import {ordered} from '../presence-occupants.js';
import {after, normalSection} from '../section.js';
import {labelOf} from '../strings.js';
import {PresenceManager} from '../writer-presence.js';
import {prefixOf} from './address.js';

/**
 * Makes the manager for these options, which draws nothing until a component gives it an element. It sends nothing before `run()`. Throws a
 * TypeError without a project.
 * @param {PresenceOptions} initial @param {() => PresenceOptions} latest
 * @returns {PresenceManager}
 */
export function managerFor(initial, latest) {
  const {manager, project, user = null, url, prefix, token, label, elements, ...options} = /** @type {any} */ (initial);
  if (manager) return manager;
  need(project || project === 0, `project is ${project}: pass a string or number to the provider, and render it when you have it`);
  return new PresenceManager(project, user, {
    ...options,
    prefix: prefixOf(url, prefix),
    token: token && ((/** @type {boolean} */ refused) => {
      const {token} = latest();
      return typeof token === 'function' ? token(refused) : token ?? null;
    }),
    label: label && ((/** @type {string} */ section) => (latest().label ?? labelOf)(section)),
    elements: {...NO_ELEMENTS, selector: '', editor: '[data-presence-warning]', ...elements},
  });
}

/** The same value while the same manager serves these options. @param {PresenceOptions} options */
export function keyOf(options) {
  const {manager, project, user = null, url, prefix, pane, token, label} = /** @type {any} */ (options);
  return manager ?? JSON.stringify([project, user, url, prefix, pane, !!token, !!label]);
}

/**
 * Starts the manager, unless it is the host's, and calls the handlers. Returns a function that undoes both.
 * @param {PresenceManager} manager @param {() => PresenceOptions} latest
 */
export function run(manager, latest) {
  const listeners = new AbortController();
  const {signal} = listeners;
  manager.addEventListener('navigate', (event) => {
    const {onNavigate} = latest();
    if (!onNavigate) return;
    event.preventDefault();
    onNavigate(event.detail.section, event.detail.user);
  }, {signal});
  manager.addEventListener('showlatest', ({detail}) => latest().onShowLatest?.(detail), {signal});
  manager.addEventListener('section', ({detail}) => {
    Page.of(manager).follow(detail);
    latest().onMove?.(detail);
  }, {signal});
  manager.addEventListener('change', ({detail: {section}}) => {
    if (Page.of(manager).leftFor(section)) latest().onNavigate?.(section, null);
  }, {signal});
  const own = latest().manager !== manager;
  if (own) manager.start();
  return () => {
    listeners.abort();
    if (own) manager.stop();
  };
}

// ---- what components read

/**
 * The users in a section, in the order of the interface.
 * @param {string | null} [section] undefined: all other users; null: nobody
 * @returns {(snapshot: Snapshot) => readonly User[]}
 */
export function occupantsIn(section) {
  if (section === undefined) return ({users}) => users;
  const normal = normalSection(section);
  return ({users}) => ordered(users.filter(({sections}) => sections.includes(normal)), () => normal);
}

/** @type {WeakMap<PresenceManager, Pick<Conflict, 'editAnyway' | 'chooseDifferent' | 'waitFor'>>} the same functions for each conflict */
const answers = new WeakMap();

/** @param {PresenceManager} manager */
function answersOf(manager) {
  let found = answers.get(manager);
  if (!found) {
    answers.set(manager, found = {
      editAnyway: () => manager.editAnyway(),
      chooseDifferent: () => manager.chooseDifferent(),
      waitFor: (wait = true) => manager.waitFor(wait ? manager.currentSection : null),
    });
  }
  return found;
}

/** What to warn about. @param {Snapshot} snapshot @param {PresenceManager} manager @returns {Conflict | null} */
export function conflictIn({warning, section, waitingFor}, manager) {
  if (!section || !warning.length) return null;
  const normal = normalSection(section);
  return {users: warning, section, unsaved: !warning.some((user) => edits(user, normal)), waiting: waitingFor === normal, ...answersOf(manager)};
}

/** The old value if the new one looks the same, so that nothing is rendered again for it. @template T @param {unknown} old @param {T} value @returns {T} */
export const keep = (old, value) => (equal(old, value) ? /** @type {T} */ (old) : value);

/** @param {any} a @param {any} b @returns {boolean} */
function equal(a, b) {
  if (Object.is(a, b)) return true;
  if (!isPlain(a) || !isPlain(b) || Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
}

/** @param {any} value */
const isPlain = (value) => Array.isArray(value) || (!!value && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype);

// ---- what components ask for

/**
 * @typedef {{section: string | null | undefined, at?: string | null, activity?: Activity, unsaved?: boolean}} Place `at`: where the section is, if it
 *   has moved since the component stated it; unsaved undefined: the host states it itself
 */

const NO_ELEMENTS = /** @type {const} */ ({badge: '', warning: false});

/**
 * What the components of a page ask of one manager. If several components ask for the badge, the warning or the section, the newest gets it,
 * and when that is gone the one before. A request is withdrawn at the end of the turn, so that a component that takes the place of another one
 * causes one change, and one that is mounted twice (React's StrictMode) none.
 */
class Page {
  /** @type {WeakMap<PresenceManager, Page>} */ static #pages = new WeakMap();
  #manager;
  /** by component, the newest last; a component keeps its rank @type {{badge: Map<object, HTMLElement>, warning: Map<object, HTMLElement>, place: Map<object, Place>}} */
  #asked = {badge: new Map(), warning: new Map(), place: new Map()};
  /** @type {{badge: HTMLElement | '', warning: HTMLElement | false}} */ #elements = {...NO_ELEMENTS};
  /** @type {Place} */ #place = {section: null};
  /** where the manager is, as far as the components know */ #at = '';
  #due = false;

  /** @param {PresenceManager} manager */
  constructor(manager) {
    this.#manager = manager;
  }

  /** @param {PresenceManager} manager */
  static of(manager) {
    let page = Page.#pages.get(manager);
    if (!page) Page.#pages.set(manager, page = new Page(manager));
    return page;
  }

  /** @template {'badge' | 'warning' | 'place'} T @param {T} what @param {object} component @param {(T extends 'place' ? Place : HTMLElement) | null} value null withdraws the request */
  ask(what, component, value) {
    const asked = /** @type {Map<object, any>} */ (this.#asked[what]);
    // A component that states the section that it stated before stays where that has moved to.
    const last = asked.get(component);
    if (value) asked.set(component, last && last.section === /** @type {any} */ (value).section ? Object.assign(value, {at: last.at}) : value);
    else asked.delete(component);
    if (value && what === 'place') this.#applyPlace(); // so that the first update, of the same turn, contains it
    else this.applySoon();
  }

  applySoon() {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      this.#applyPlace();
      this.#draw();
    });
  }

  /** Whether the person left the section of a component for another one, which is reported once. @param {string | null} section of the manager */
  leftFor(section) {
    const left = this.#asked.place.size > 0 && normalSection(section) !== this.#at;
    if (left) this.#at = normalSection(section);
    return left;
  }

  /** Follows a section that the host has moved. @param {{from: string, to: string}} move */
  follow(move) {
    this.#at = after(this.#at, [move]);
    for (const place of new Set([this.#place, ...this.#asked.place.values()])) place.at = after(at(place), [move]);
  }

  /** Applies what changed, but not to another section for which the person has left meanwhile. */
  #applyPlace() {
    const last = this.#place;
    const next = newest(this.#asked.place) ?? {section: null};
    this.#place = next;
    const manager = this.#manager;
    const section = normalSection(at(next));
    const moved = section !== normalSection(at(last));
    if (!moved && section !== normalSection(manager.currentSection)) return;
    if (moved || next.activity !== last.activity) {
      this.#at = section;
      manager.setSection(at(next) ?? null, {activity: next.activity});
    }
    if (next.unsaved !== undefined && (moved || next.unsaved !== last.unsaved)) manager.setUnsaved(next.unsaved);
  }

  /** Elements that no component has asked for stay as the host set them. */
  #draw() {
    const last = this.#elements;
    const badge = newest(this.#asked.badge) ?? NO_ELEMENTS.badge;
    const warning = newest(this.#asked.warning) ?? NO_ELEMENTS.warning;
    this.#elements = {badge, warning};
    const changed = {...(badge !== last.badge && {badge}), ...(warning !== last.warning && {warning})};
    // A manager without an interface (`PresenceCore`) has neither method.
    if (Object.keys(changed).length) this.#manager.setElements?.(changed);
    else this.#manager.updateUI?.();
  }
}

/** @param {Place} place */
const at = ({section, at = section}) => at;

/** @template T @param {Map<object, T>} asked @returns {T | undefined} */
const newest = (asked) => [...asked.values()].at(-1);

/**
 * Has the badge or the warning drawn into an element. Returns a function that gives the element back.
 * @param {PresenceManager} manager @param {'badge' | 'warning'} which @param {HTMLElement} element
 */
export function drawInto(manager, which, element) {
  const component = {};
  if (which === 'warning') {
    // Gets the focus from a button that disappears, unless the host names another element.
    element.dataset.presenceWarning = '';
    element.tabIndex = -1;
  }
  Page.of(manager).ask(which, component, element);
  return () => Page.of(manager).ask(which, component, null);
}

/** Draws the avatars of elements with `data-presence-section` that are new or changed. @param {PresenceManager} manager */
export const drawAvatars = (manager) => Page.of(manager).applySoon();

/** Enters a section for a component, or changes what the component does there. @param {PresenceManager} manager @param {object} component @param {Place} place */
export const enter = (manager, component, place) => Page.of(manager).ask('place', component, place);

/** Ends the section of a component. @param {PresenceManager} manager @param {object} component */
export const exit = (manager, component) => Page.of(manager).ask('place', component, null);
