/**
 * Pages of a host whose server is simulated in the page, so that a test decides exactly who is there, in which order and when. The
 * interface is the real one, in a real browser; the code is served by a real server.
 */

import {assertSoon} from './fixtures.js';

/** A row with a select and a badge, something after it, and a text below, as hosts have them. */
export const PAGE = `
  <style>body{margin: 0; font: 16px/1.4 sans-serif} #bar{display: flex; align-items: center; gap: 8px; padding: 8px} textarea{display: block; width: 90%; height: 120px; margin: 0 8px}</style>
  <div id="bar"><label for="texfile-selector">Section</label>
    <select id="texfile-selector"><option value="intro">Introduction</option><option value="methods">Methods</option><option value="results">Results</option></select>
    <span id="presence-badge"></span><button id="after">Save</button></div>
  <textarea id="text" aria-label="Text">First line</textarea>
  <ul><li data-presence-section="intro">Introduction</li><li data-presence-section="methods">Methods</li></ul>`;

/**
 * Opens a page with this body. On it, `open(options, section)` starts a manager, `server` has what it answers, `person(name, fields)` makes
 * a user, and `tell(...users)` replaces the other users, and `move(from, to)` moves a section; both resolve when this was drawn.
 */
export async function openScene(env, body = PAGE, options = {}) {
  const context = await env.browser.newContext({viewport: {width: 900, height: 600}, bypassCSP: true, ...options});
  const page = await context.newPage();
  page.errors = [];
  // In Firefox the policy of the document below stays, and forbids styles in markup.
  page.on('pageerror', (error) => String(error).includes('Content-Security-Policy') || page.errors.push(String(error)));
  await page.goto(`${env.url}/writer/api/client/strings.js`); // for its origin
  await page.setContent(`<!doctype html><html lang="en"><head><title>Host</title><meta name="viewport" content="width=device-width"></head><body><main>${body.replaceAll(' style="', ' data-style="')}</main></body></html>`);
  await page.evaluate(simulate);
  return page;
}

async function simulate() {
  const page = /** @type {any} */ (globalThis);
  for (const {textContent} of document.querySelectorAll('style')) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(textContent ?? '');
    document.adoptedStyleSheets.push(sheet);
  }
  for (const element of /** @type {Iterable<HTMLElement>} */ (document.querySelectorAll('[data-style]'))) {
    element.style.cssText = element.dataset.style ?? '';
    delete element.dataset.style;
  }
  const {PresenceManager} = await import('/writer/api/client/writer-presence.js');
  const COLORS = ['#e57373', '#64b5f6', '#81c784', '#ffb74d', '#ba68c8', '#4dd0e1', '#f06292', '#aed581'];
  const now = '2026-01-01T12:00:00Z';
  let version = 1;
  let ids = 100;
  let held = ''; // the section that this page edits
  const server = (page.server = {/** @type {any[]} */ people: [], saves: [], /** @type {any[]} */ moved: [], down: false, unlisted: false, refusing: false, count: undefined});
  page.person = (name, {section = '', ...fields} = {}) => {
    const id = ids++;
    return {user_id: id, username: name, section, sections: section ? [section] : [], activity: section ? 'editing' : 'viewing', last_seen: now, avatar_color: COLORS[id % 8], initials: name.slice(0, 2).toUpperCase(), visitor: false, ...fields};
  };
  const claims = (user, section) => section && ((user.section === section && user.activity === 'editing') || user.unsaved?.includes(section));
  const answer = ({section = '', activity = 'viewing', unless_occupied: careful} = {}) => {
    const conflicts = server.people.filter((user) => claims(user, section));
    const recorded = activity === 'editing' && careful && conflicts.length && held !== section ? 'viewing' : activity;
    held = recorded === 'editing' ? section : '';
    const you = {...page.person('Me', {section}), user_id: 1, activity: recorded};
    return {
      success: true, version: ++version, users: server.unlisted ? undefined : [you, ...server.people], count: server.count ?? server.people.filter(({agent}) => !agent).length + 1,
      activity: recorded, you, conflicts, saved: server.saves, moved: server.moved, heartbeat: 3600,
    };
  };
  const fetch = async (url, {body} = {}) => {
    if (server.down) throw new TypeError('no connection');
    if (server.refusing) return new Response('{"success": false, "error": "you have no access"}', {status: 403});
    return new Response(JSON.stringify(answer(body ? JSON.parse(body) : {})), {headers: {'Content-Type': 'application/json'}});
  };
  page.open = async (options = {}, section = 'intro', activity = 'editing') => {
    const environment = {
      fetch, Date, performance, Math, window, document, navigator: {},
      setTimeout: (run, delay) => setTimeout(run, delay), clearTimeout: (timer) => clearTimeout(timer),
    };
    page.presence = new PresenceManager('scene', 1, {live: false, environment, ...options});
    page.presence.setSection(section, {activity});
    page.presence.start();
    await page.renew();
  };
  /** Two frames: what was asked for is drawn and laid out. */
  page.frames = async (times = 2) => { for (let i = 0; i < times; i++) await new Promise((next) => requestAnimationFrame(next)); };
  page.renew = async () => {
    await page.presence.updatePresence();
    page.presence.updateUI(); // what the others do is drawn later by itself
    await page.frames();
  };
  /** The host moves a section, and not what is below it. */
  page.move = async (from, to) => {
    server.moved.push({from, to, version: version + 1});
    for (const user of server.people) if (user.section === from) Object.assign(user, {section: to, sections: [to]});
    await page.renew();
  };
  page.tell = async (...users) => {
    server.people = users;
    await page.renew();
  };
}

/** Repeats the function on the page until its result is true. */
export const soon = (page, check, argument) => assertSoon(async () => {
  const found = await page.evaluate(check, argument);
  if (found !== true) throw new Error(`not so on the page: ${check}: ${JSON.stringify(found)}`);
});
