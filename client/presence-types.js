/**
 * The shapes that pass between the parts of the client, and between it and its host.
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
 * @property {readonly string[]} [editing] of somebody in several sections: where
 * @property {boolean} [old] was listed before the server lost its data, and has not been since
 *
 * @typedef {'stopped' | 'connecting' | 'live' | 'polling' | 'offline' | 'unknown' | 'refused' | 'away'} Status
 *
 * @typedef {object} Snapshot never changed, and the same object until something visible changes
 * @property {Status} status
 * @property {string} text the status in words
 * @property {boolean} stale the people are those last heard of, not those who are surely here
 * @property {boolean} partial the server lost its data: people and conflicts may be missing
 * @property {number} version
 * @property {readonly User[]} users the others
 * @property {number} count how many others; more than `users` holds where the server cuts its list
 * @property {User | null} you
 * @property {readonly string[]} ownWindows the sections of your other tabs
 * @property {string | null} section
 * @property {string} activity as the server recorded it; before its answer, as it was asked for
 * @property {readonly User[]} conflicts others who are editing your section
 * @property {readonly User[]} warning of these, whom to warn you of: you stepped in, and have not answered yet
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
 *   asked once, and again (with `true`) when the server has refused what it gave
 * @property {string} [tokenHeader] the header for the token in place of `Authorization`; what `--token-header` of the server says
 * @property {string} [csrfToken] for `X-CSRFToken`; by default what the cookie `csrftoken` says
 * @property {number} [heartbeat] milliseconds between updates, unless the server says otherwise
 * @property {boolean} [live] false: by polling only
 * @property {{status?: Partial<typeof import('./strings.js').statusWords>}} [strings] replaces words
 * @property {Surroundings} [surroundings] for tests: the network, the clock and the page
 *
 * @typedef {object} Surroundings
 * @property {(url: string, init: RequestInit) => Promise<Response>} fetch
 * @property {() => number} now milliseconds; must go on while the machine sleeps
 * @property {() => number} random
 * @property {(run: () => void, delay: number) => unknown} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {Window & typeof globalThis | EventTarget} [window]
 * @property {Document} [document]
 * @property {typeof WebSocket} [WebSocket] without it: by polling only
 */

export {};
