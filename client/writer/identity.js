/**
 * The user of this tab. On a development server each tab is a different user, with a name, an id and a token in the tab's sessionStorage.
 * Elsewhere the server identifies the user, or creates a visitor.
 */

export const NAMES = ['Ada', 'Bela', 'Chidi', 'Dalia', 'Emil', 'Farah', 'Goran', 'Hana', 'Ines', 'Jun', 'Kofi', 'Lena'];

const NAME = 'writer:name';
const TOKEN = 'writer:token';
const ID = 'writer:id';
const FREE = 'writer:free';
const TURN = 'writer:turn';

/** @returns {string} the name of this tab; `''` for a visitor */
export function currentName() {
  const requested = new URLSearchParams(location.search).get('as');
  const kept = sessionStorage.getItem(FREE) === null ? null : sessionStorage.getItem(NAME);
  sessionStorage.removeItem(FREE);
  // The next page of this tab takes over the person. A duplicated tab, or one from `window.open`, has a copy of the storage of a page that
  // is still open: there the mark is missing.
  addEventListener('pagehide', () => sessionStorage.setItem(FREE, ''));
  addEventListener('pageshow', () => sessionStorage.removeItem(FREE));
  const name = requested ?? kept ?? newName();
  if (name !== kept) rename(name);
  if (requested === null && kept === null) sessionStorage.setItem(ID, `tab-${random()}-${random()}`);
  return name;
}

/** A name that nobody else has, as far as chance allows: tabs of this browser take the names in turn. */
function newName() {
  const turn = Number(localStorage.getItem(TURN) ?? random() % NAMES.length);
  localStorage.setItem(TURN, String((turn + 1) % NAMES.length));
  return `${NAMES[turn % NAMES.length]} ${100 + (random() % 900)}`;
}

const random = () => crypto.getRandomValues(new Uint32Array(1))[0];

/** Makes this tab a person by name: the same one in all tabs that have the name. @param {string} name `''` for a visitor */
export function rename(name) {
  sessionStorage.setItem(NAME, name);
  for (const key of [TOKEN, ID]) sessionStorage.removeItem(key);
}

/** The token of a name, from the development server; kept until the server rejects it. @param {string} prefix @param {string} name */
export function tokenFor(prefix, name) {
  /** @param {boolean} rejected */
  return async (rejected) => {
    const kept = sessionStorage.getItem(TOKEN);
    if (kept && !rejected) return kept;
    const response = await fetch(`${prefix}/dev/token/`, {
      method: 'POST',
      headers: {'Content-Type': 'application/json'},
      body: JSON.stringify({username: name, user_id: sessionStorage.getItem(ID) ?? undefined}),
    });
    const {token, error} = await response.json();
    if (!response.ok) throw new Error(`no token for ${name}: ${response.status} ${error}`);
    sessionStorage.setItem(TOKEN, token);
    return token;
  };
}
