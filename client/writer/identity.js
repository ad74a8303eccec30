/**
 * Who writes in this tab. On a development server each tab is somebody by itself, so that two tabs are two people: a name
 * and its token, kept for as long as the tab lives. Elsewhere the server knows its people, or makes a visitor.
 */

export const NAMES = ['Ada', 'Bela', 'Chidi', 'Dalia', 'Emil', 'Farah', 'Goran', 'Hana', 'Ines', 'Jun', 'Kofi', 'Lena'];

const NAME = 'writer:name';
const TOKEN = 'writer:token';
const TURN = 'writer:turn';

/** @returns {string} the name of this tab; `''` for a visitor */
export function currentName() {
  const asked = new URLSearchParams(location.search).get('as');
  if (asked !== null && asked !== sessionStorage.getItem(NAME)) rename(asked);
  const kept = sessionStorage.getItem(NAME);
  if (kept !== null) return kept;
  // By turns, from a place of chance: the next tab of this browser is surely somebody else.
  const turn = Number(localStorage.getItem(TURN) ?? Math.floor(Math.random() * NAMES.length));
  localStorage.setItem(TURN, String((turn + 1) % NAMES.length));
  rename(NAMES[turn % NAMES.length]);
  return currentName();
}

/** @param {string} name `''` for a visitor */
export function rename(name) {
  sessionStorage.setItem(NAME, name);
  sessionStorage.removeItem(TOKEN);
}

/** The token of a name, from the development server; kept until it is refused. @param {string} prefix @param {string} name */
export function tokenFor(prefix, name) {
  /** @param {boolean} refused */
  return async (refused) => {
    const kept = sessionStorage.getItem(TOKEN);
    if (kept && !refused) return kept;
    const response = await fetch(`${prefix}/dev/token/`, {
      method: 'POST',
      headers: {'Content-Type': 'application/json'},
      body: JSON.stringify({username: name}),
    });
    const {token, error} = await response.json();
    if (!response.ok) throw new Error(`no token for ${name}: ${response.status} ${error}`);
    sessionStorage.setItem(TOKEN, token);
    return token;
  };
}
