/**
 * The user of this tab. On a development server each tab is a different user, with a name and a token in the tab's sessionStorage.
 * Elsewhere the server identifies the user, or creates a visitor.
 */

export const NAMES = ['Ada', 'Bela', 'Chidi', 'Dalia', 'Emil', 'Farah', 'Goran', 'Hana', 'Ines', 'Jun', 'Kofi', 'Lena'];

const NAME = 'writer:name';
const TOKEN = 'writer:token';
const TURN = 'writer:turn';

/** @returns {string} the name of this tab; `''` for a visitor */
export function currentName() {
  const requested = new URLSearchParams(location.search).get('as');
  if (requested !== null && requested !== sessionStorage.getItem(NAME)) rename(requested);
  const kept = sessionStorage.getItem(NAME);
  if (kept !== null) return kept;
  // Start at a random name and take the next one for each tab, so that tabs of this browser have different names.
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

/** The token of a name, from the development server; kept until the server rejects it. @param {string} prefix @param {string} name */
export function tokenFor(prefix, name) {
  /** @param {boolean} rejected */
  return async (rejected) => {
    const kept = sessionStorage.getItem(TOKEN);
    if (kept && !rejected) return kept;
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
