/**
 * What the browser tests share: a server of their own on a free port, and people in a real Chromium, each in a browser
 * context of their own, as if in front of another machine. With NODES=3 in the environment it is three servers and a Redis:
 * people are put on them by turns, and every second one polls.
 */

import assert from 'node:assert/strict';
import {spawn, execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {createServer} from 'node:net';
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

/** How many servers a world has. */
export const NODES = Number(process.env.NODES ?? 1);

/** Why a test is left out where there are several. */
export const several = {
  onePage: NODES > 1 && 'it is about one page, wherever that comes from',
  oneProcess: NODES > 1 && 'it is about one process; nodes/failure.test.js has the like of it for several',
  oneAddress: NODES > 1 && 'tabs of one address are on one server; nodes/balancer.test.js has them behind a balancer',
};

/** Ways of those who come in one after the other, so that of two now the first one polls, and now the second. */
const WAYS = NODES > 1 ? ['live', 'polling', 'polling', 'live'] : ['live'];

/** Servers and a browser for the tests of a file; `bfcache` keeps pages that are left, as people's browsers do. */
export function world({lease = LEASE, engine = 'chromium', bfcache = false} = {}) {
  let turns = 0;
  let people = 0;
  const world = {
    projects: 0, /** @type {any} */ browser: null, /** @type {any} */ clock: null, /** @type {any} */ redis: null, redisURL: '', data: '', lease,
    nodes: Array.from({length: NODES}, () => ({url: '', /** @type {any} */ server: null})),
    /** The address of the server, or of the first one. */
    url: '',
    /** The address that the next one comes to. */
    next: () => world.nodes[turns++ % NODES].url,
    /** How the next one comes in. */
    way: () => WAYS[people++ % WAYS.length],
    start: async () => {
      for (const node of world.nodes) await startServer(world, node); // the first one makes the key that all have
      world.url = world.nodes[0].url;
    },
    stop: () => Promise.all(world.nodes.map((node) => stopServer(node))),
  };
  before(async () => {
    world.data = mkdtempSync(join(tmpdir(), 'writer-presence-browser-'));
    if (NODES > 1) await startRedis(world);
    await world.start();
    world.browser = await shared(engine, bfcache);
    world.clock = await writer(world, 'clock', 'Clock', {way: 'polling'});
  });
  after(async () => {
    await world.browser?.close();
    await world.stop();
    world.redis?.kill('SIGKILL');
    rmSync(world.data, {recursive: true});
  });
  return world;
}

/** A server of a world, again where it was. */
export async function startServer(world, node) {
  const address = node.url ? new URL(node.url).host : '127.0.0.1:0';
  const shared = world.redisURL ? ['--redis-url', world.redisURL, '--secret-file', join(world.data, 'secret')] : [];
  const server = spawn(BINARY, ['serve', '--dev', '--addr', address, '--data', world.data, '--heartbeat', `${HEARTBEAT}ms`, '--lease', `${world.lease}ms`, ...shared], {stdio: ['ignore', 'pipe', 'ignore']});
  node.server = server;
  node.url = await said(server, /http:\S+\d/);
}

/** Ends a server: as it is asked to, or at once with SIGKILL. */
export async function stopServer({server}, signal = 'SIGTERM') {
  if (!server || server.exitCode !== null || server.signalCode) return;
  const ended = new Promise((ended) => server.on('exit', ended));
  server.kill(signal);
  await ended;
}

/** A Redis that keeps nothing, on a port that is free. */
async function startRedis(world) {
  const place = createServer();
  const port = await new Promise((ready) => place.listen(0, '127.0.0.1', () => ready(place.address().port)));
  await new Promise((closed) => place.close(closed));
  world.redis = spawn('redis-server', ['--port', port, '--bind', '127.0.0.1', '--dir', world.data, '--save', '', '--appendonly', 'no'], {stdio: ['ignore', 'pipe', 'ignore']});
  await said(world.redis, /eady to accept connections/);
  world.redisURL = `redis://127.0.0.1:${port}`;
}

/** What a process says first that is like this. @returns {Promise<string>} */
function said(process, pattern) {
  return new Promise((resolve, reject) => {
    let all = '';
    process.stdout.on('data', (text) => {
      const [found] = pattern.exec((all += text)) ?? [];
      if (found) resolve(found);
    });
    process.on('error', reject);
    process.on('exit', (code) => reject(new Error(`${process.spawnfile} ended with ${code}: ${all}`)));
  });
}

/** Browsers of this file that worlds have in common: to start one is the dearest part of a world. @type {Map<string, Promise<any>>} */
const browsers = new Map();

function shared(engine, bfcache) {
  const key = `${engine} ${bfcache}`;
  if (!browsers.has(key)) browsers.set(key, launch(engine, bfcache));
  return browsers.get(key);
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
 * Somebody on the reference page of the next server, live, or polling for want of WebSocket. Every error that the page's console shows fails the test
 * that asks for `errors`.
 */
export async function writer(world, project, name, {section = '', way = world.way(), status = way, ...options} = {}) {
  const context = await world.browser.newContext({viewport: {width: 1200, height: 800}, ...options});
  if (way === 'polling') await context.addInitScript(() => delete globalThis.WebSocket);
  const page = await context.newPage();
  page.way = way;
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
  return `${world.next()}/?${query}${section ? `#${section}` : ''}`;
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
