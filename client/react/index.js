'use client';
/**
 * Presence for React 18 and 19.
 *
 *     <PresenceProvider project="my-project" user={userId}>
 *       <PresenceBadge /> <AvatarStack section="intro" /> <ConflictWarning />
 *     </PresenceProvider>
 *
 * and `useSection(section, {unsaved})` in the component with the text. Rendered on a server, presence is off.
 *
 * @typedef {import('../frameworks/common.js').Conflict} Conflict
 * @typedef {import('../frameworks/common.js').PresenceOptions} PresenceOptions
 * @typedef {import('../presence-types.js').Snapshot} Snapshot
 * @typedef {import('../presence-types.js').User} User
 * @typedef {import('../writer-presence.js').PresenceManager} PresenceManager
 * @typedef {import('react').ReactNode} ReactNode
 * @typedef {import('react').ReactElement} ReactElement
 */

import {Fragment, createContext, createElement, useContext, useEffect, useMemo, useRef, useState, useSyncExternalStore} from 'react';
import {conflictIn, drawAvatars, drawInto, enter, exit, keep, keyOf, managerFor, occupantsIn, run} from '../frameworks/common.js';
import {need} from '../presence-check.js';
import {PresenceCore} from '../presence-core.js';

/** @typedef {{manager: PresenceManager, initial: Snapshot}} Provided `initial`: the snapshot that a server renders */

const Context = createContext(/** @type {Provided | null} */ (null));

/**
 * Starts one session for the components in it, and ends it when it is unmounted. A new project or user starts a new session; an option that
 * is only another object or function does not.
 * @param {PresenceOptions & {children?: ReactNode}} props
 * @returns {ReactElement}
 */
export function PresenceProvider({children, ...options}) {
  const latest = useRef(options);
  const key = keyOf(options);
  const provided = useMemo(() => {
    const manager = managerFor(options, () => latest.current);
    // A manager of the host may run already when the page is hydrated.
    return {manager, initial: (manager.running ? new PresenceCore('-') : manager).getSnapshot()};
  }, [key]);
  useEffect(() => {
    latest.current = options;
  });
  useEffect(() => run(provided.manager, () => latest.current), [provided]);
  return createElement(Context.Provider, {value: provided}, children);
}

/** @returns {Provided} */
function useProvided() {
  const provided = useContext(Context);
  need(provided, 'there is no <PresenceProvider> around this component: add one');
  return provided;
}

/** The manager of the provider, for its methods and events: `saved()`, `opened()`, `addEventListener()`. @returns {PresenceManager} */
export const usePresenceManager = () => useProvided().manager;

/**
 * What a function takes from the snapshot. Renders again only if that looks different.
 * @template T
 * @param {(snapshot: Snapshot, manager: PresenceManager) => T} select
 * @returns {T}
 */
function useSelected(select) {
  const {manager, initial} = useProvided();
  const rendered = useRef(/** @type {T | undefined} */ (undefined));
  const [read, readInitial] = useMemo(() => {
    /** @type {Snapshot | undefined} */ let snapshot;
    let value = rendered.current;
    const read = (/** @type {Snapshot} */ next) => {
      if (next !== snapshot) value = keep(value, select(next, manager));
      snapshot = next;
      return /** @type {T} */ (value);
    };
    return [() => read(manager.getSnapshot()), () => read(initial)];
  }, [manager, initial, select]);
  const value = useSyncExternalStore(manager.subscribe, read, readInitial);
  useEffect(() => {
    rendered.current = value;
  });
  return value;
}

const all = (/** @type {any} */ snapshot) => snapshot;

/**
 * The snapshot, or what `selector` takes from it. Renders again only if that looks different, also if `selector` returns a new object.
 * @template [T=Snapshot]
 * @param {(snapshot: Snapshot) => T} [selector]
 * @returns {T}
 */
export const usePresence = (selector = all) => useSelected(selector);

/**
 * The users in a section, or all other users. The same array while they look the same.
 * @param {string | null} [section] null: nobody
 * @returns {readonly User[]}
 */
export const useOccupants = (section) => useSelected(useMemo(() => occupantsIn(section), [section]));

/** The users who conflict with you in your section, with `editAnyway()`, `chooseDifferent()` and `waitFor()`; null if there are none. @returns {Conflict | null} */
export const useConflict = () => useSelected(conflictIn);

/**
 * States that this component shows a section, until it is unmounted. Of several components, the one that was mounted last counts.
 * @param {string | null | undefined} section null: none
 * @param {{unsaved?: boolean | undefined, activity?: 'editing' | 'viewing' | undefined}} [options] `unsaved`: the section has unsaved changes here; `viewing` where
 *   nothing can be edited
 */
export function useSection(section, {unsaved, activity} = {}) {
  const manager = usePresenceManager();
  const [component] = useState(() => ({}));
  useEffect(() => enter(manager, component, {section, activity, unsaved}), [manager, component, section, activity, unsaved]);
  useEffect(() => () => exit(manager, component), [manager, component]);
}

/** A ref for the element in which the manager draws. @param {'badge' | 'warning'} which */
function useDrawn(which) {
  const manager = usePresenceManager();
  const element = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => (element.current ? drawInto(manager, which, element.current) : undefined), [manager, which]);
  return element;
}

/**
 * The badge with its list. With a function as child, what that returns for the snapshot.
 * @param {Omit<import('react').HTMLAttributes<HTMLSpanElement>, 'children'> & {children?: ((snapshot: Snapshot) => ReactNode) | undefined}} props
 * @returns {ReactElement}
 */
export const PresenceBadge = ({children, ...props}) => (children ? createElement(Selected, {select: all, children}) : createElement(DrawnBadge, props));

/** The manager changes classes and attributes of the badge, so the host's are on an element around it. @param {import('react').HTMLAttributes<HTMLSpanElement>} props */
const DrawnBadge = (props) => createElement('span', props, createElement('span', {ref: useDrawn('badge')}));

/**
 * The avatars of the users in a section. With a function as child, what that returns for the users.
 * @param {Omit<import('react').HTMLAttributes<HTMLSpanElement>, 'children'> & {section: string, children?: ((users: readonly User[]) => ReactNode) | undefined}} props
 * @returns {ReactElement}
 */
export function AvatarStack({section, children, ...props}) {
  const select = useMemo(() => occupantsIn(section), [section]);
  return children ? createElement(Selected, {select, children}) : createElement(DrawnAvatars, {section, ...props});
}

/** @param {import('react').HTMLAttributes<HTMLSpanElement> & {section: string}} props */
function DrawnAvatars({section, ...props}) {
  const manager = usePresenceManager();
  useEffect(() => drawAvatars(manager), [manager, section]);
  return createElement('span', {...props, 'data-presence-section': section});
}

/**
 * Where the warning and the notices are drawn: in this space if it has a height, else over what follows. Without this component there are
 * none. With a function as child, what that returns for the conflict, and nothing while there is none.
 * @param {Omit<import('react').HTMLAttributes<HTMLDivElement>, 'children'> & {children?: ((conflict: Conflict) => ReactNode) | undefined}} props
 * @returns {ReactElement}
 */
export const ConflictWarning = ({children, ...props}) =>
  (children ? createElement(Selected, {select: conflictIn, children: (conflict) => conflict && children(conflict)}) : createElement(DrawnWarning, props));

/** @param {import('react').HTMLAttributes<HTMLDivElement>} props */
const DrawnWarning = (props) => createElement('div', {...props, ref: useDrawn('warning')});

/** What the host draws from a part of the snapshot. @param {{select: (snapshot: Snapshot, manager: PresenceManager) => any, children: (value: any) => ReactNode}} props */
const Selected = ({select, children}) => createElement(Fragment, null, children(useSelected(select)));
