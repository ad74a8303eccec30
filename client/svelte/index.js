/**
 * Presence for Svelte 5, in components with runes and without.
 *
 *     providePresence({project: 'my-project', user: userId});
 *     useSection(() => section, () => ({unsaved}));
 *
 * and `<span use:presenceBadge></span>`, `<span use:avatarStack={'intro'}></span>`, `<div use:conflictWarning></div>` in the markup. All
 * functions are called while a component is made, and end with it. What changes is passed as a function or store. Rendered on a server,
 * presence is off.
 *
 * @typedef {import('../frameworks/common.js').Activity} Activity
 * @typedef {import('../frameworks/common.js').Conflict} Conflict
 * @typedef {import('../frameworks/common.js').PresenceOptions} PresenceOptions
 * @typedef {import('../presence-types.js').Snapshot} Snapshot
 * @typedef {import('../presence-types.js').User} User
 * @typedef {import('../writer-presence.js').PresenceManager} PresenceManager
 */

import {getContext, onMount, setContext} from 'svelte';
import {derived, get, readable, toStore, writable} from 'svelte/store';
import {conflictIn, drawAvatars, drawInto, enter, exit, keep, keyOf, managerFor, occupantsIn, run} from '../frameworks/common.js';
import {need} from '../presence-check.js';

/** @template T @typedef {import('svelte/store').Readable<T>} Readable */
/** @template T @typedef {T | (() => T) | Readable<T>} Changing a value, a function that reads it from runes, or a store */

const KEY = Symbol('presence');

/** @template T @param {Changing<T>} value @returns {Readable<T>} */
function storeOf(value) {
  if (typeof value === 'function') return toStore(/** @type {() => T} */ (value));
  return typeof (/** @type {any} */ (value)?.subscribe) === 'function' ? /** @type {Readable<T>} */ (value) : readable(/** @type {T} */ (value));
}

/**
 * Starts one session for this component and those in it, and ends it when it is destroyed. A new project or user starts a new session; an
 * option that is only another object or function does not.
 * @param {Changing<PresenceOptions>} options
 * @returns {Readable<PresenceManager>} the manager, for its methods and events
 */
export function providePresence(options) {
  const store = storeOf(options);
  let newest = get(store);
  const latest = () => newest;
  const manager = writable(managerFor(newest, latest));
  setContext(KEY, manager);
  onMount(() => {
    let key = keyOf(newest);
    let end = run(get(manager), latest);
    const unsubscribe = store.subscribe((options) => {
      newest = options;
      if (keyOf(options) === key) return;
      key = keyOf(options);
      end();
      const next = managerFor(options, latest);
      manager.set(next);
      end = run(next, latest);
    });
    return () => {
      unsubscribe();
      end();
    };
  });
  return manager;
}

/** The manager, for its methods and events: `$manager.saved()`, `$manager.opened()`. @returns {Readable<PresenceManager>} */
export function usePresenceManager() {
  const manager = getContext(KEY);
  need(manager, 'no component around this one has called providePresence()');
  return /** @type {Readable<PresenceManager>} */ (manager);
}

/** What a function takes from the snapshot; tells its subscribers only when that looks different. @template T @param {Readable<(snapshot: Snapshot, manager: PresenceManager) => T>} selector @returns {Readable<T>} */
function selected(selector) {
  /** @type {{value: T} | undefined} */ let last;
  return derived([usePresenceManager(), selector], ([manager, select], set) => {
    const update = () => {
      const value = keep(last?.value, select(manager.getSnapshot(), manager));
      if (last && value === last.value) return;
      last = {value};
      set(value);
    };
    update();
    return manager.subscribe(update);
  });
}

/**
 * The snapshot, or what `selector` takes from it.
 * @template [T=Snapshot]
 * @param {(snapshot: Snapshot) => T} [selector]
 * @returns {Readable<T>}
 */
export const usePresence = (selector = /** @type {any} */ ((/** @type {Snapshot} */ snapshot) => snapshot)) => selected(readable(selector));

/**
 * The users in a section, or all other users.
 * @param {Changing<string | null | undefined>} [section] null: nobody
 * @returns {Readable<readonly User[]>}
 */
export const useOccupants = (section) => selected(derived(storeOf(section), (section) => occupantsIn(section)));

/** The users who conflict with you in your section, with `editAnyway()`, `chooseDifferent()` and `waitFor()`; null if there are none. @returns {Readable<Conflict | null>} */
export const useConflict = () => selected(readable(conflictIn));

/**
 * States that this component shows a section, until it is destroyed. Of several components, the one that was made last counts.
 * @param {Changing<string | null | undefined>} section null: none
 * @param {Changing<{unsaved?: boolean | undefined, activity?: Activity | undefined}>} [options] `unsaved`: the section has unsaved changes here; `viewing` where
 *   nothing can be edited
 */
export function useSection(section, options = {}) {
  const place = derived([usePresenceManager(), storeOf(section), storeOf(options)], (all) => all);
  const component = {};
  onMount(() => {
    /** @type {PresenceManager | undefined} */ let last;
    const unsubscribe = place.subscribe(([manager, section, {unsaved, activity}]) => {
      if (last && last !== manager) exit(last, component);
      last = manager;
      enter(manager, component, {section, activity, unsaved});
    });
    return () => {
      unsubscribe();
      if (last) exit(last, component);
    };
  });
}

/** Has the manager of an action's component draw into an element. @param {'badge' | 'warning'} which @param {HTMLElement} element */
function draw(which, element) {
  /** @type {(() => void) | undefined} */ let end;
  const unsubscribe = usePresenceManager().subscribe((manager) => {
    end?.();
    end = drawInto(manager, which, element);
  });
  return {
    destroy: () => {
      unsubscribe();
      end?.();
    },
  };
}

/** The badge with its list, in this element. The manager changes classes and attributes of the badge, so it is an element of its own. @type {import('svelte/action').Action<HTMLElement>} */
export const presenceBadge = (element) => draw('badge', element.appendChild(document.createElement('span')));

/** The avatars of the users in a section, in this element. @type {import('svelte/action').Action<HTMLElement, string>} */
export const avatarStack = (element, section) => {
  const manager = usePresenceManager();
  const show = (/** @type {string} */ section) => {
    element.dataset.presenceSection = section;
    drawAvatars(get(manager));
  };
  show(section);
  return {update: show, destroy: manager.subscribe(drawAvatars)};
};

/**
 * The warning and the notices: in this element if it has a height, else over what follows. Without an element for them there are none.
 * @type {import('svelte/action').Action<HTMLElement>}
 */
export const conflictWarning = (element) => draw('warning', element);
