/**
 * The types that the parts of the client share with each other and with the page.
 *
 * @typedef {object} User a person as others see them
 * @property {number | string} user_id
 * @property {string} username
 * @property {string} section the one touched last, `''` for none
 * @property {readonly string[]} sections all of them
 * @property {string} activity `editing`, `viewing` or `idle`, in `section`
 * @property {string} last_seen
 * @property {string} avatar_color
 * @property {string} initials
 * @property {boolean} visitor
 * @property {readonly string[]} [editing] the sections that a user in several sections is editing
 * @property {readonly string[]} [unsaved] the sections in which the user has unsaved changes
 * @property {string} [waiting_for] the section that the user waits for
 * @property {string} [avatar_url] a picture, https
 * @property {boolean} [agent] software that acts by itself
 * @property {boolean} [old] listed before the server lost its data, and not since
 * @property {number} [silent] in `warning`: whole minutes, one or more, for which the server had not heard from the user when it last told
 *
 * @typedef {'stopped' | 'connecting' | 'live' | 'polling' | 'offline' | 'unknown' | 'refused' | 'away'} Status
 *
 * @typedef {{section: string, revision: string}} Saved
 * @typedef {Saved & {user_id: User['user_id'], username: string, saved_at: string}} Save the newest save of a section
 * @typedef {Save & {user: Pick<User, 'user_id' | 'username' | 'visitor' | 'agent'>, own: boolean}} NewSave by `user`; `own`: by another page of yours
 *
 * @typedef {object} Snapshot never changed, and the same object until something visible changes
 * @property {Status} status
 * @property {string} text the status in words
 * @property {boolean} stale the list is outdated: users may have left or joined since
 * @property {boolean} partial the server lost its data: users and conflicts may be missing
 * @property {number} version
 * @property {readonly User[]} users the other users
 * @property {number} count the number of other people, agents not counted; the server may cut its list, so that `users` are fewer
 * @property {User | null} you
 * @property {readonly string[]} ownWindows the sections of your other tabs
 * @property {string | null} section
 * @property {string} activity as the server recorded it; until its answer, as requested
 * @property {readonly User[]} conflicts other users who are editing your section, or have unsaved changes in it
 * @property {readonly User[]} warning the conflicts to warn about: you entered their section, and have not answered yet
 * @property {string | null} previous the section that `chooseDifferent` returns to
 * @property {boolean} unsaved this page has unsaved changes in its section
 * @property {readonly Save[]} saves the newest save of each section, sorted by section
 * @property {NewSave | null} newer the save of your section by another page, if the text in this page is of another revision
 * @property {string | null} waitingFor the section that this page waits for
 * @property {readonly User[]} waiting other users who wait for the section that you hold
 *
 * @typedef {object} PresenceEvents the events, each with its `detail`
 * @property {Snapshot} change anything visible is different
 * @property {{user: User}} join another user, not one who was there at the start
 * @property {{user: User}} leave
 * @property {{section: string | null, users: readonly User[], editing: boolean}} conflict somebody new is editing your section
 *   or has unsaved changes in it; `editing`: you were there first
 * @property {{status: Status, text: string}} status
 * @property {NewSave} saved a new save of any section by another page
 * @property {NewSave} showlatest the button `Show latest` was pressed; cancelable
 * @property {{section: string, user: User | null}} navigate a person in the list was chosen, or (null) a window of yours; unless it is
 *   cancelled, the section is selected in the select with the sections
 * @property {{from: string, to: string}} section the host has moved a section, and all below it, to another path; `snapshot.section` is already
 *   where yours is now. Unless it is cancelled, the options of the select with the sections, and elements with `data-presence-section`, follow
 * @property {{section: string}} free nobody else claims the section that you waited for
 *
 * @typedef {object} Message the body of an update
 * @property {string} session
 * @property {number} seq
 * @property {string} section
 * @property {string} activity
 * @property {boolean} unless_occupied
 * @property {number} known_version
 * @property {boolean} [unsaved] these three are left out for false and none
 * @property {string} [waiting_for]
 * @property {Saved} [saved]
 *
 * @typedef {{from: string, to: string, version: number}} Move a section, with all below it, is at another path since a version
 * @typedef {{version: number, users?: User[], count?: number, partial?: boolean, gone?: Pick<User, 'user_id'>[], saved?: readonly Save[], moved?: readonly Move[]}} List
 * @typedef {{base: number, version: number, changed: User[], at: number[], left: User['user_id'][], count?: number, saved?: Save[], saved_gone?: string[], moved?: Move[]}} Delta
 * @typedef {List & {activity: string, you: User, conflicts: User[], stale?: boolean, heartbeat?: number}} Answer
 *
 * @typedef {object} Options undefined is as good as left out, also in what adds to these
 * @property {string | undefined} [prefix] where the server's API is; `/writer/api` by default. An absolute URL for a server on another origin
 * @property {string | ((refused: boolean) => string | null | Promise<string | null>) | null | undefined} [token] sent as `Authorization: Bearer`; a function is
 *   called once, and again (with `true`) when the server rejected its token
 * @property {string | undefined} [tokenHeader] the header that carries the token over HTTP; `Authorization` by default. Another one, as in the server's
 *   `--token-header`, where a proxy wants `Authorization` for itself
 * @property {string | undefined} [csrfToken] for `X-CSRFToken`; by default the value of the cookie `csrftoken`
 * @property {number | undefined} [heartbeat] milliseconds between updates, until the server sends its own value
 * @property {boolean | undefined} [live] false: polling only
 * @property {string | undefined} [pane] a name for this manager, if a page shows several sections at once and each has a manager. Without it, a manager
 *   takes the place of the one that was started before for the same project
 * @property {{status?: Partial<typeof import('./strings.js').statusWords>} | undefined} [strings] replaces words
 * @property {Environment | undefined} [environment] for tests: replaces the global object
 *
 * @typedef {object} Environment the network, the clock and the page: the parts of the global object that the client uses
 * @property {(url: string, init: RequestInit) => Promise<Response>} fetch
 * @property {{now: () => number}} Date
 * @property {{now: () => number}} [performance] without it, `Date` alone measures durations
 * @property {{random: () => number}} Math
 * @property {(run: () => void, delay: number) => unknown} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {Window & typeof globalThis | EventTarget} [window]
 * @property {Document} [document]
 * @property {{locks?: LockManager}} [navigator]
 * @property {typeof WebSocket} [WebSocket] without it: polling only
 */

/**
 * @template {keyof PresenceEvents} T
 * @typedef {((event: CustomEvent<PresenceEvents[T]>) => void) | {handleEvent(event: CustomEvent<PresenceEvents[T]>): void} | null} Listener
 */

/**
 * An `EventTarget` whose listeners know the `detail` of each event. Any other event can be listened to as well.
 * @typedef {{
 *   addEventListener<T extends keyof PresenceEvents>(type: T, listener: Listener<T>, options?: boolean | AddEventListenerOptions): void;
 *   removeEventListener<T extends keyof PresenceEvents>(type: T, listener: Listener<T>, options?: boolean | EventListenerOptions): void;
 * } & EventTarget} PresenceEventTarget
 */

export {};
