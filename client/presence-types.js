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
 * @property {boolean} [old] listed before the server lost its data, and not since
 *
 * @typedef {'stopped' | 'connecting' | 'live' | 'polling' | 'offline' | 'unknown' | 'refused' | 'away'} Status
 *
 * @typedef {object} Snapshot never changed, and the same object until something visible changes
 * @property {Status} status
 * @property {string} text the status in words
 * @property {boolean} stale the list is outdated: users may have left or joined since
 * @property {boolean} partial the server lost its data: users and conflicts may be missing
 * @property {number} version
 * @property {readonly User[]} users the other users
 * @property {number} count the number of other users; larger than `users` if the server cut its list
 * @property {User | null} you
 * @property {readonly string[]} ownWindows the sections of your other tabs
 * @property {string | null} section
 * @property {string} activity as the server recorded it; until its answer, as requested
 * @property {readonly User[]} conflicts other users who are editing your section
 * @property {readonly User[]} warning the conflicts to warn about: you entered their section, and have not answered yet
 *
 * @typedef {object} Message the body of an update
 * @property {string} session
 * @property {number} seq
 * @property {string} section
 * @property {string} activity
 * @property {boolean} unless_occupied
 * @property {number} known_version
 *
 * @typedef {{version: number, users?: User[], count?: number, partial?: boolean, gone?: Pick<User, 'user_id'>[]}} List
 * @typedef {{base: number, version: number, changed: User[], at: number[], left: User['user_id'][], count?: number}} Delta
 * @typedef {List & {activity: string, you: User, conflicts: User[], stale?: boolean, heartbeat?: number}} Answer
 *
 * @typedef {object} Options
 * @property {string} [prefix] where the server's API is; `/writer/api` by default. An absolute URL for a server on another origin
 * @property {string | ((refused: boolean) => string | null | Promise<string | null>)} [token] sent as `Authorization: Bearer`; a function is
 *   called once, and again (with `true`) when the server rejected its token
 * @property {string} [tokenHeader] the header that carries the token over HTTP; `Authorization` by default. Another one, as in the server's
 *   `--token-header`, where a proxy wants `Authorization` for itself
 * @property {string} [csrfToken] for `X-CSRFToken`; by default the value of the cookie `csrftoken`
 * @property {number} [heartbeat] milliseconds between updates, until the server sends its own value
 * @property {boolean} [live] false: polling only
 * @property {string} [pane] a name for this manager, if a page shows several sections at once and each has a manager. Without it, a manager
 *   takes the place of the one that was started before for the same project
 * @property {{status?: Partial<typeof import('./strings.js').statusWords>}} [strings] replaces words
 * @property {Environment} [environment] for tests: replaces the global object
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
 * @property {typeof WebSocket} [WebSocket] without it: polling only
 */

export {};
