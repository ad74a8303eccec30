/** Times (in milliseconds), limits and codes. They are in a file without imports because esbuild inlines only those. */

export const HEARTBEAT = 30_000; // between updates, until the server sends its own value
export const ANSWER_TIMEOUT = 8_000;
export const LIVE_TIMEOUT = 3_000; // for the live connection to open before polling begins; with jitter of a half after one was lost
export const MAX_LAG = 10_000; // the longest time that a node can be behind the others

export const FIRST_RETRY = 250;
export const RETRY_GROWTH = 1.5; // factor
export const MAX_RETRY = 12_000;
export const MAX_LIVE_RETRY = 30_000; // while polling works and live connections do not
export const MIN_RETRY = 1_000; // between attempts that changes of the page cause while attempts fail
export const REFUSED_RETRY = 5 * 60_000;

export const IDLE_AFTER = 2 * 60_000;
export const IDLE_AFTER_HIDDEN = 30_000; // until a page that was hidden is idle
export const AWAY_AFTER = 30 * 60_000; // of being idle
export const MIN_SLEEP = 1_000; // that the system clock gains on performance.now() when it was set or the computer slept; less is drift

export const ANNOUNCEMENT_PAUSE = 5_000;
export const NOTICE_TIME = 10_000;
export const DRAW_INTERVAL = 200; // at least, between two drawings of what only other users do
export const CLOSE_DELAY = 300; // to move the pointer from the badge into the list

export const MAX_TIMER = 60 * 60_000; // a timer beyond 2^31 ms would fire at once
export const MAX_SECTION = 100; // characters, as on the server
export const MAX_SAVES = 1_000; // sections of which a page keeps the revision
export const LOCK = 'writer-presence'; // held while a tab may become a visitor; for all projects, as the cookie is
export const MAX_WARNINGS = 10; // texts on the console

export const SOCKET_OPEN = 1; // WebSocket.readyState
export const SOCKET_REFUSED = 1008; // the close code of a server that rejects the connection
