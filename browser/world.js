/**
 * What the browser tests share: a server of their own on a free port, and people in a real Chromium, each in a browser
 * context of their own, as if in front of another machine.
 */

import assert from 'node:assert/strict';
import {spawn, execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before} from 'node:test';
import * as playwright from 'playwright-core';

const BINARY = new URL('../.build/writer-presence', import.meta.url).pathname;
const SWITCHES = ['--no-sandbox', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];

/** How long anything may take that is due at once, or with the next heartbeat of a second. */
export const SOON = 10_000;

/** Where Firefox is; Debian's can be driven by WebDriver BiDi, and where there is none, its tests are skipped. */
export const firefox = find(process.env.FIREFOX, 'firefox-esr');

export const HEARTBEAT = 1_000;
export const LEASE = 4_000;

/** A server and a browser for the tests of a file; `bfcache` keeps pages that are left, as people's browsers do. */
export function world({lease = LEASE, engine = 'chromium', bfcache = false} = {}) {
  const world = {
    url: '', projects: 0, /** @type {any} */ browser: null, /** @type {any} */ clock: null, server: null, data: '', lease,
    start: () => startServer(world),
    stop: () => stopServer(world),
  };
  before(async () => {
    world.data = mkdtempSync(join(tmpdir(), 'writer-presence-browser-'));
    await world.start();
    world.browser = await launch(engine, bfcache);
    world.clock = await writer(world, 'clock', 'Clock', {way: 'polling'});
  });
  after(async () => {
    await world.browser?.close();
    await world.stop();
    rmSync(world.data, {recursive: true});
  });
  return world;
}

async function startServer(world) {
  const address = world.url ? new URL(world.url).host : '127.0.0.1:0'; // again where it was
  const server = spawn(BINARY, ['serve', '--dev', '--addr', address, '--data', world.data, '--heartbeat', `${HEARTBEAT}ms`, '--lease', `${world.lease}ms`], {stdio: ['ignore', 'pipe', 'ignore']});
  world.server = server;
  world.url = await new Promise((resolve, reject) => {
    server.stdout.on('data', (text) => resolve(/http:\S+\d/.exec(text)[0]));
    server.on('error', reject);
    server.on('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
}

async function stopServer({server}) {
  const ended = new Promise((ended) => server.on('exit', ended));
  server.kill('SIGTERM');
  await ended;
}

export function launch(engine = 'chromium', bfcache = false) {
  if (engine === 'firefox') return playwright.firefox.launch({channel: 'moz-firefox', executablePath: firefox});
  const executablePath = find(process.env.CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome');
  if (!executablePath) throw new Error('there is no Chromium: run scripts/prepare');
  return playwright.chromium.launch({executablePath, args: SWITCHES, ignoreDefaultArgs: bfcache ? ['--disable-back-forward-cache'] : []});
}

function find(...names) {
  for (const name of names) {
    try {
      if (name) return execFileSync('which', [name], {encoding: 'utf8'}).trim();
    } catch {}
  }
}

/** Lets so many heartbeats pass, of a second each: those of a page that polls, and has nothing to do with the others. */
export async function beats(world, times) {
  for (let i = 0; i < times; i++) await world.clock.waitForResponse((response) => response.url().endsWith('/update/'), {timeout: SOON});
}

/** A project that no other test knows. */
export const newProject = (world) => `project-${++world.projects}`;

/**
 * Somebody on the reference page, live, or polling for want of WebSocket. Every error that the page's console shows fails the test
 * that asks for `errors`.
 */
export async function writer(world, project, name, {section = '', way = 'live', status = way, ...options} = {}) {
  const context = await world.browser.newContext({viewport: {width: 1200, height: 800}, ...options});
  if (way === 'polling') await context.addInitScript(() => delete globalThis.WebSocket);
  const page = await context.newPage();
  page.errors = [];
  page.on('console', (message) => message.type() === 'error' && page.errors.push(message.text()));
  page.on('pageerror', (error) => page.errors.push(String(error)));
  await page.goto(address(world, project, name, section));
  await is(page, status);
  return page;
}

/** Waits until the page says that it is so. */
export async function is(page, status, timeout = SOON) {
  await page.locator(`#status[data-status=${status}]`).waitFor({state: 'attached', timeout});
}

/** Writes down every text that the badge and the list's data have from now on. */
export async function watch(page) {
  await page.evaluate(() => {
    globalThis.seen = [];
    const badge = document.getElementById('presence-badge');
    const note = () => globalThis.seen.push(badge.style.display === 'none' ? 'nobody' : badge.textContent);
    new MutationObserver(note).observe(badge, {childList: true, characterData: true, subtree: true, attributes: true});
  });
}

export function address(world, project, name, section) {
  const query = new URLSearchParams({project, ...(name !== null && {as: name})});
  return `${world.url}/?${query}${section ? `#${section}` : ''}`;
}

/** A token of the development server. */
export async function token(world, username, userId) {
  const response = await fetch(`${world.url}/writer/api/dev/token/`, {
    method: 'POST',
    headers: {'Content-Type': 'application/json'},
    body: JSON.stringify({username, user_id: userId}),
  });
  return (await response.json()).token;
}

/** Waits until the badge says so; null: until it is hidden. */
export async function badgeSays(page, due) {
  const badge = page.locator('#presence-badge');
  if (due === null) await badge.waitFor({state: 'hidden', timeout: SOON});
  else await badge.filter({hasText: new RegExp(`^${due}$`)}).waitFor({timeout: SOON});
}

/** The lines of the list behind the badge, once it has as many as are due. */
export async function listSays(page, due) {
  await page.locator('#presence-badge').hover();
  const lines = page.locator('#presence-list li');
  await assertSoon(async () => assert.deepEqual(await lines.allInnerTexts(), due));
  assert.match(await page.locator('#presence-list').innerText(), new RegExp(`^Online \\(${due.length}\\):`));
  await page.mouse.move(0, 700);
}

/** Tries until the assertion holds, or it is too late. */
export async function assertSoon(assertion) {
  const late = Date.now() + SOON;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (Date.now() > late) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
