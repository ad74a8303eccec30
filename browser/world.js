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
import {chromium} from 'playwright-core';

const BINARY = new URL('../.build/writer-presence', import.meta.url).pathname;
const SWITCHES = ['--no-sandbox', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];

/** How long anything may take that is due at once, or with the next heartbeat of a second. */
export const SOON = 10_000;

export const HEARTBEAT = 1_000;
export const LEASE = 4_000;

/** A server and a browser for the tests of a file. */
export function world({lease = LEASE} = {}) {
  const world = {url: '', projects: 0, /** @type {any} */ browser: null};
  let server;
  let data;
  before(async () => {
    data = mkdtempSync(join(tmpdir(), 'writer-presence-browser-'));
    server = spawn(BINARY, ['serve', '--dev', '--addr', '127.0.0.1:0', '--data', data, '--heartbeat', `${HEARTBEAT}ms`, '--lease', `${lease}ms`], {stdio: ['ignore', 'pipe', 'inherit']});
    world.url = await new Promise((resolve, reject) => {
      server.stdout.on('data', (text) => resolve(/http:\S+\d/.exec(text)[0]));
      server.on('error', reject);
      server.on('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    });
    world.browser = await chromium.launch({executablePath: findChromium(), args: SWITCHES});
  });
  after(async () => {
    await world.browser?.close();
    server?.kill('SIGTERM');
    await new Promise((ended) => server.on('exit', ended));
    rmSync(data, {recursive: true});
  });
  return world;
}

function findChromium() {
  for (const name of [process.env.CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome']) {
    try {
      if (name) return execFileSync('which', [name], {encoding: 'utf8'}).trim();
    } catch {}
  }
  throw new Error('there is no Chromium: run scripts/prepare');
}

/** A project that no other test knows. */
export const newProject = (world) => `project-${++world.projects}`;

/** Somebody on the reference page. Every error that the page's console shows fails the test that asks for `errors`. */
export async function writer(world, project, name, {section = '', ...options} = {}) {
  const context = await world.browser.newContext({viewport: {width: 1200, height: 800}, ...options});
  const page = await context.newPage();
  page.errors = [];
  page.on('console', (message) => message.type() === 'error' && page.errors.push(message.text()));
  page.on('pageerror', (error) => page.errors.push(String(error)));
  await page.goto(address(world, project, name, section));
  await page.locator('#status[data-status=polling]').waitFor({state: 'attached', timeout: SOON});
  return page;
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
