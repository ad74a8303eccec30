/**
 * Takes the pictures of the documents, each light and dark, into docs/pictures, and one of each example: `make pictures`. Each page is
 * of a real server, on which the people are sessions that this script made. `node scripts/pictures.js vue` takes that of one
 * example.
 */

import {spawn} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {EXAMPLES, avatarsIn, openExample, startExample} from '../browser/example.js';
import {launch, outputMatching, stopServer} from '../browser/fixtures.js';

const FOLDER = 'docs/pictures';
const only = process.argv.slice(2);
const data = mkdtempSync(join(tmpdir(), 'writer-presence-pictures-'));
mkdirSync(FOLDER, {recursive: true});

const server = spawn('./.build/writer-presence', ['serve', '--dev', '--addr', '127.0.0.1:0', '--admin-addr', 'off', '--data', data], {stdio: ['ignore', 'pipe', 'inherit']});
const url = await outputMatching(server, /http:\S+\d/);
const browser = await launch();

/** @param {string} path @param {object} body @param {string} [token] */
async function post(path, body, token) {
  const headers = {'Content-Type': 'application/json', ...(token && {Authorization: `Bearer ${token}`})};
  const response = await fetch(`${url}/writer/api${path}`, {method: 'POST', headers, body: JSON.stringify(body)});
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

/** Updates the session of a person. @param {string} project @param {string} username @param {number} user_id @param {string} section @param {object} [state] */
async function person(project, username, user_id, section, state) {
  const {token} = await post('/dev/token/', {username, user_id});
  await post(`/project/${project}/presence/update/`, {section: `manuscript/${section}`, activity: 'viewing', ...state}, token);
}

const EDITING = {activity: 'editing'};
const IDLE = {activity: 'idle'};
const UNSAVED = {activity: 'idle', unsaved: true};

/** The people of each project. @type {Record<string, [string, number, string, object?][]>} */
const PROJECTS = {
  alone: [],
  thesis: [
    ['Jun', 4, 'methods', EDITING], ['Alice', 2, 'abstract', EDITING], ['Carol', 6, 'results', IDLE],
    ['Bela', 3, 'methods'], ['ليلى', 5, 'abstract'], ['王芳', 7, 'results', UNSAVED],
  ],
  states: [['Alice', 2, 'methods', EDITING], ['Bob', 3, 'methods'], ['Carol', 6, 'methods', IDLE], ['Dan', 5, 'methods', UNSAVED]],
  saves: [['Jun', 4, 'methods', {saved: {section: 'manuscript/methods', revision: '2'}}]],
};

const TEXT = 'We asked 240 writers to edit one manuscript together for a week, half of them with presence and half without. ' +
  'We counted how often two of them wrote in the same section at the same time, and how much of their text was lost.';

const DESKTOP = {width: 1180, height: 420};
const STRIP = {viewport: {width: 440, height: 320}, deviceScaleFactor: 1.5};

/** Opens the reference page as Dana. @param {string} project @param {string} section @param {object} options of the browser's page */
async function open(project, section, options) {
  const page = await browser.newPage({viewport: DESKTOP, ...options});
  for (const name of ['introduction', 'methods']) {
    await page.addInitScript(([key, text]) => localStorage.setItem(key, text), [`writer:${project}:manuscript/${name}`, TEXT]);
  }
  await page.goto(`${url}/?project=${project}&as=Dana#manuscript/${section}`);
  await page.locator('#status[data-status=live]').waitFor({state: 'attached'});
  if (PROJECTS[project].length) await page.locator('#presence-badge').filter({hasText: String(PROJECTS[project].length)}).waitFor();
  return page;
}

/** Opens the list. @param {any} page */
async function openList(page) {
  await page.locator('#presence-badge').click();
  await page.mouse.move(0, 0);
  await page.locator('#presence-list').waitFor();
  return page;
}

/** Opens a page of a host that tells presence which revision it shows. @param {object} options of the browser's page */
async function openHost(options) {
  const page = await browser.newPage({viewport: {width: 760, height: 260}, bypassCSP: true, ...options});
  const {token} = await post('/dev/token/', {username: 'Dana', user_id: 9});
  await page.goto(`${url}/writer/api/client/strings.js`);
  await page.setContent(`<!doctype html><meta name="color-scheme" content="light dark">
    <style>body { font: 1rem/1.6 system-ui; margin: 1.5rem 2rem } header { display: flex; gap: 1em; align-items: center } h1 { flex: 1; font-size: 1.4rem; margin: 0 }
      #presence-warning { height: 3rem; margin-block: .75rem } p { max-width: 44em }</style>
    <header><h1>Methods</h1><span id="presence-badge"></span></header><div id="presence-warning"></div><p>${TEXT}</p>
    <script type="module">
      import {PresenceManager} from '/writer/api/client/writer-presence.js';
      const presence = new PresenceManager('saves', null, {token: ${JSON.stringify(token)}});
      presence.setSection('manuscript/methods', {activity: 'viewing'});
      presence.opened({section: 'manuscript/methods', revision: '1'});
      presence.start();
    </script>`);
  return page;
}

/** The box around the badge and its list. @param {any} page */
async function listBox(page) {
  const badge = await page.locator('#presence-badge').boundingBox();
  const {x, y, width, height} = await page.locator('#presence-list').boundingBox();
  const top = badge.y - 8;
  return {x: x - 16, y: top, width: width + 32, height: y + height + 20 - top};
}

/** Each picture: its page, and the part of it that is shown. @type {Record<string, (colours: object) => Promise<{page: any, clip?: object}>>} */
const PICTURES = {
  async alone(colours) {
    const page = await open('alone', 'methods', {...STRIP, ...colours});
    await page.getByText('Only you are here').waitFor();
    return {page};
  },
  async accompanied(colours) {
    const page = await open('thesis', 'introduction', {...STRIP, ...colours});
    await page.locator('#outline-title').click();
    return {page};
  },
  async warned(colours) {
    const page = await open('thesis', 'introduction', {...STRIP, ...colours});
    await page.locator('#texfile-selector').selectOption('manuscript/methods');
    await page.locator('.presence-warning').waitFor();
    return {page};
  },
  async list(colours) {
    const page = await openList(await open('thesis', 'introduction', {viewport: {...DESKTOP, height: 640}, ...colours}));
    return {page, clip: await listBox(page)};
  },
  async phone(colours) {
    return {page: await openList(await open('thesis', 'introduction', {viewport: {width: 390, height: 640}, ...colours}))};
  },
  async states(colours) {
    const page = await openList(await open('states', 'introduction', {viewport: {...DESKTOP, height: 640}, deviceScaleFactor: 1.5, ...colours}));
    return {page, clip: await listBox(page)};
  },
  async saved(colours) {
    const page = await openHost(colours);
    await page.getByText(/Jun saved a newer version/).first().waitFor();
    return {page};
  },
};

/** Takes the picture of an example: Alice edits a section, and Bob has entered it. @param {string} name */
async function takeExample(name) {
  const {url, stop} = await startExample(name);
  try {
    const alice = await openExample(browser, url, 'Alice', {colorScheme: 'light'});
    const bob = await openExample(browser, url, 'Bob', {viewport: {width: 1040, height: 330}, colorScheme: 'light'});
    await EXAMPLES[name].enter(alice);
    await avatarsIn(bob, EXAMPLES[name]).waitFor();
    await EXAMPLES[name].enter(bob);
    await bob.locator('.presence-warning').waitFor();
    await bob.evaluate(() => document.fonts.ready);
    await bob.screenshot({path: `${FOLDER}/example-${name}.png`, animations: 'disabled'});
    await Promise.all([alice.close(), bob.close()]);
  } finally {
    await stop();
  }
}

try {
  for (const name of only.length ? only : Object.keys(EXAMPLES)) await takeExample(name);
  for (const [project, people] of Object.entries(PROJECTS)) for (const one of people) await person(project, ...one);
  for (const [name, take] of only.length ? [] : Object.entries(PICTURES)) {
    for (const colorScheme of ['light', 'dark']) {
      const {page, clip} = await take({colorScheme});
      await page.evaluate(() => document.fonts.ready);
      await page.screenshot({path: `${FOLDER}/${name}-${colorScheme}.png`, clip, animations: 'disabled'});
      await page.close();
    }
  }
} finally {
  await browser.close();
  await stopServer({server});
  rmSync(data, {recursive: true});
}
