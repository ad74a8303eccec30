/**
 * Where the API is: the `prefix` of a manager for the address of a server and the path of the API on it. undefined: `/writer/api` of the page's
 * own server.
 * @param {string | null} [url] the server's address if it is on another origin, such as `https://presence.example.org`
 * @param {string | null} [prefix] the path of the API, if it is not `/writer/api`
 */
export const prefixOf = (url, prefix) => (url ? url.replace(/\/+$/, '') + (prefix ?? '/writer/api') : prefix ?? undefined);
