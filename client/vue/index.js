/**
 * Presence for Vue 3.
 *
 *     providePresence({project: 'my-project', user: userId});
 *     useSection(section, {unsaved});
 *
 * in `setup`, and `<PresenceBadge />`, `<AvatarStack section="intro" />`, `<ConflictWarning />` in the template. Composables end with their
 * component. Rendered on a server, presence is off.
 *
 * @typedef {import('../frameworks/common.js').Activity} Activity
 * @typedef {import('../frameworks/common.js').Conflict} Conflict
 * @typedef {import('../frameworks/common.js').PresenceOptions} PresenceOptions
 * @typedef {import('../presence-types.js').Snapshot} Snapshot
 * @typedef {import('../presence-types.js').User} User
 * @typedef {import('../writer-presence.js').PresenceManager} PresenceManager
 */

import {defineComponent, getCurrentInstance, h, inject, onActivated, onDeactivated, onMounted, onUnmounted, provide, shallowRef, toValue, watch} from 'vue';
import {conflictIn, drawAvatars, drawInto, enter, exit, keep, keyOf, managerFor, occupantsIn, run} from '../frameworks/common.js';
import {need} from '../presence-check.js';

/** @template T @typedef {import('vue').MaybeRefOrGetter<T>} MaybeRefOrGetter */
/** @template T @typedef {Readonly<import('vue').ShallowRef<T>>} Result */

/** @type {import('vue').InjectionKey<Result<PresenceManager>>} */
const KEY = Symbol('presence');

/** What a component provides, for its own composables: `inject` finds only what those around it provide. @type {WeakMap<object, Result<PresenceManager>>} */
const own = new WeakMap();

/** Begins something when the component comes into the page, and ends it when that is removed, or kept out of it by `<KeepAlive>`. @param {() => () => void} begin gives what ends it */
function whileShown(begin) {
  /** @type {(() => void) | undefined} */ let end;
  const start = () => {
    end ??= begin();
  };
  const stop = () => {
    end?.();
    end = undefined;
  };
  onMounted(start);
  onActivated(start);
  onDeactivated(stop);
  onUnmounted(stop);
}

/**
 * Starts one session for this component and those in it, and ends it when it is unmounted. A new project or user starts a new session; an
 * option that is only another object or function does not.
 * @param {MaybeRefOrGetter<PresenceOptions>} options
 * @returns {Result<PresenceManager>} the manager, for its methods and events
 */
export function providePresence(options) {
  const instance = getCurrentInstance();
  need(instance, 'call providePresence() in the setup of a component');
  const latest = () => toValue(options);
  const manager = shallowRef(managerFor(latest(), latest));
  provide(KEY, manager);
  own.set(instance, manager);
  /** @type {(() => void) | undefined} */ let end;
  whileShown(() => {
    end = run(manager.value, latest);
    return () => {
      end?.();
      end = undefined;
    };
  });
  watch(() => keyOf(latest()), () => {
    end?.();
    manager.value = managerFor(latest(), latest);
    end &&= run(manager.value, latest);
  });
  return manager;
}

/** The manager, for its methods and events: `saved()`, `opened()`, `addEventListener()`. @returns {Result<PresenceManager>} */
export function usePresenceManager() {
  const instance = getCurrentInstance();
  need(instance, 'call the composables of presence in the setup of a component');
  const manager = own.get(instance) ?? inject(KEY, undefined);
  need(manager, 'no component around this one has called providePresence()');
  return manager;
}

/** What a function takes from the snapshot; triggers only when that looks different. @template T @param {() => (snapshot: Snapshot, manager: PresenceManager) => T} select @returns {Result<T>} */
function useSelected(select) {
  const manager = usePresenceManager();
  const value = /** @type {import('vue').ShallowRef<T>} */ (shallowRef());
  watch(() => /** @type {const} */ ([manager.value, select()]), ([manager, select], _, onCleanup) => {
    const update = () => {
      value.value = keep(value.value, select(manager.getSnapshot(), manager));
    };
    update();
    onCleanup(manager.subscribe(update));
  }, {immediate: true, flush: 'sync'});
  return value;
}

/**
 * The snapshot, or what `selector` takes from it.
 * @template [T=Snapshot]
 * @param {(snapshot: Snapshot) => T} [selector]
 * @returns {Result<T>}
 */
export const usePresence = (selector = /** @type {any} */ ((/** @type {Snapshot} */ snapshot) => snapshot)) => useSelected(() => selector);

/**
 * The users in a section, or all other users.
 * @param {MaybeRefOrGetter<string | null | undefined>} [section] null: nobody
 * @returns {Result<readonly User[]>}
 */
export const useOccupants = (section) => useSelected(() => occupantsIn(toValue(section)));

/** The users who conflict with you in your section, with `editAnyway()`, `chooseDifferent()` and `waitFor()`; null if there are none. @returns {Result<Conflict | null>} */
export const useConflict = () => useSelected(() => conflictIn);

/**
 * States that this component shows a section, until it is unmounted. Of several components, the one that was mounted last counts.
 * @param {MaybeRefOrGetter<string | null | undefined>} section null: none
 * @param {{unsaved?: MaybeRefOrGetter<boolean | undefined> | undefined, activity?: MaybeRefOrGetter<Activity | undefined> | undefined}} [options] `unsaved`: the
 *   section has unsaved changes here; `viewing` where nothing can be edited
 */
export function useSection(section, {unsaved, activity} = {}) {
  const manager = usePresenceManager();
  const component = {};
  const place = () => ({section: toValue(section), activity: toValue(activity), unsaved: toValue(unsaved)});
  whileShown(() => {
    const end = watch(() => /** @type {const} */ ([manager.value, ...Object.values(place())]), ([manager], last) => {
      if (last && last[0] !== manager) exit(last[0], component);
      enter(manager, component, place());
    }, {immediate: true});
    return () => {
      end();
      exit(manager.value, component);
    };
  });
}

/** A ref for the element in which the manager draws. @param {'badge' | 'warning'} which */
function useDrawn(which) {
  const manager = usePresenceManager();
  const element = /** @type {import('vue').ShallowRef<HTMLElement | undefined>} */ (shallowRef());
  whileShown(() => watch(() => /** @type {const} */ ([manager.value, element.value]), ([manager, element], _, onCleanup) => {
    if (element) onCleanup(drawInto(manager, which, element));
  }, {immediate: true, flush: 'post'}));
  return element;
}

/** The badge with its list. With a slot, what that shows of the snapshot. */
export const PresenceBadge = defineComponent({
  name: 'PresenceBadge',
  slots: /** @type {import('vue').SlotsType<{default?: Snapshot}>} */ (Object),
  setup(_, {slots}) {
    const snapshot = usePresence();
    const element = useDrawn('badge');
    // The manager changes classes and attributes of the badge, so the host's are on an element around it.
    return () => slots.default?.(snapshot.value) ?? h('span', h('span', {ref: element}));
  },
});

/** The avatars of the users in a section. With a slot, what that shows of the `users`. */
export const AvatarStack = defineComponent({
  name: 'AvatarStack',
  props: {section: {type: String, required: true}},
  slots: /** @type {import('vue').SlotsType<{default?: {users: readonly User[]}}>} */ (Object),
  setup(props, {slots}) {
    const manager = usePresenceManager();
    const users = useOccupants(() => props.section);
    whileShown(() => watch(() => /** @type {const} */ ([manager.value, props.section]), ([manager]) => drawAvatars(manager), {immediate: true, flush: 'post'}));
    return () => slots.default?.({users: users.value}) ?? h('span', {'data-presence-section': props.section});
  },
});

/**
 * Where the warning and the notices are drawn: in this space if it has a height, else over what follows. Without this component there are
 * none. With a slot, what that shows of the conflict, and nothing while there is none.
 */
export const ConflictWarning = defineComponent({
  name: 'ConflictWarning',
  slots: /** @type {import('vue').SlotsType<{default?: Conflict}>} */ (Object),
  setup(_, {slots}) {
    const conflict = useConflict();
    const element = useDrawn('warning');
    return () => {
      if (!slots.default) return h('div', {ref: element});
      return conflict.value && slots.default(conflict.value);
    };
  },
});
