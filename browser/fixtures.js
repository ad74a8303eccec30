/**
 * Fixtures of the browser tests: a server on a free port, and pages in a real browser, each in its own browser context, as on
 * separate machines. ENGINE in the environment names the browser: chromium, firefox or webkit. With NODES=3 in the environment
 * there are three servers and a Redis; pages go to the servers in turn, and every second page polls.
 */

import assert from 'node:assert/strict';
import {spawn, execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before} from 'node:test';
import * as playwright from 'playwright-core';
import {launchWebKit} from './webkit.js';

/** The server under test. */
export const BINARY = new URL('../.build/writer-presence', import.meta.url).pathname;
const SWITCHES = ['--no-sandbox', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];

/** The longest wait for something that happens at once or with the next heartbeat. */
export const TIMEOUT = 10_000;

/** The browser of this run. */
export const ENGINE = process.env.ENGINE ?? 'chromium';

/** The programs of each engine: the browser, or the driver that starts it. */
const PROGRAMS = {
  chromium: [process.env.CHROMIUM, 'chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'], // the first needs half the time
  bfcache: [process.env.CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome'], // Chromium with a back/forward cache
  firefox: [process.env.FIREFOX, 'firefox-esr'], // Debian's works with WebDriver BiDi
  webkit: [process.env.WEBKIT, 'WebKitWebDriver'],
};

/** The path of an engine's program, or nothing if it is not installed. */
export function programOf(engine) {
  for (const name of PROGRAMS[engine]) {
    try {
      if (name) return execFileSync('which', [name], {encoding: 'utf8'}).trim();
    } catch {}
  }
}

export const HEARTBEAT = 1_000;
export const LEASE = 4_000;

/** Servers in each environment. */
export const NODES = Number(process.env.NODES ?? 1);

/** Reasons to skip a test in an engine, or where there are several servers; false elsewhere. */
export const skipIf = {
  firefox: (reason) => ENGINE === 'firefox' && reason,
  webkit: (reason) => ENGINE === 'webkit' && reason,
  onePage: NODES > 1 && 'this tests one page, whichever server it is from',
  oneProcess: NODES > 1 && 'this tests one process; nodes/failure.test.js tests several',
  popup: ENGINE === 'webkit' && 'WebKitWebDriver opens no window for window.open()',
  oneAddress: NODES > 1 && 'tabs of one address are on one server; nodes/balancer.test.js tests them behind a balancer',
};

/** The transports of successive pages: of two pages sometimes the first and sometimes the second polls. */
const TRANSPORTS = NODES > 1 ? ['live', 'polling', 'polling', 'live'] : ['live'];

/** Servers and a browser for the tests of a file. `bfcache` turns the back/forward cache on, as in browsers outside of tests. */
export function environment({lease = LEASE, heartbeat = HEARTBEAT, bfcache = false} = {}) {
  let turns = 0;
  let people = 0;
  const env = {
    projects: 0, /** @type {any} */ browser: null, /** @type {any} */ clock: null, /** @type {any} */ redis: null, redisURL: '', data: '', lease, heartbeat,
    nodes: Array.from({length: NODES}, () => ({url: '', /** @type {any} */ server: null})),
    /** The address of the first server. */
    url: '',
    /** The address of the server for the next page. */
    next: () => env.nodes[turns++ % NODES].url,
    /** The transport of the next page. */
    transport: () => TRANSPORTS[people++ % TRANSPORTS.length],
    start: async () => {
      for (const node of env.nodes) await startServer(env, node); // the first server creates the key that all share
      env.url = env.nodes[0].url;
    },
    stop: () => Promise.all(env.nodes.map((node) => stopServer(node))),
  };
  before(async () => {
    env.data = mkdtempSync(join(tmpdir(), 'writer-presence-browser-'));
    if (NODES > 1) await startRedis(env);
    await env.start();
    env.browser = await sharedBrowser(bfcache);
    env.clock = await openPage(env, 'clock', 'Clock', {transport: 'polling'});
  });
  after(async () => {
    await env.browser?.close();
    await env.stop();
    env.redis?.kill('SIGKILL');
    rmSync(env.data, {recursive: true});
  });
  return env;
}

/** Starts a server, at its earlier address if it had one, unless it runs. */
export async function startServer(env, node) {
  if (runs(node)) return;
  const address = node.url ? new URL(node.url).host : '127.0.0.1:0';
  const shared = env.redisURL ? ['--redis-url', env.redisURL, '--secret-file', join(env.data, 'secret')] : [];
  const server = spawn(BINARY, ['serve', '--dev', '--addr', address, '--data', env.data, '--heartbeat', `${env.heartbeat}ms`, '--lease', `${env.lease}ms`, ...shared], {stdio: ['ignore', 'pipe', 'ignore']});
  node.server = server;
  node.url = await outputMatching(server, /http:\S+\d/);
}

const runs = ({server}) => server && server.exitCode === null && !server.signalCode;

/** Ends a server, by default gracefully; its status must be 0 then. The race detector, with which `make test` builds it, sets 66 after a race. */
export async function stopServer({server}, signal = 'SIGTERM') {
  if (!runs({server})) return;
  const ended = new Promise((ended) => server.on('exit', ended));
  server.kill(signal);
  await ended;
  if (signal === 'SIGTERM') assert.equal(server.exitCode, 0, 'the status of a server after SIGTERM');
}

/** The key of servers that startWithHostAPI starts. */
export const API_KEY = 'a-key-of-the-host-api-0123456789';

/** Starts a server with the host API: its address for pages, its admin address, what ends it, and what deletes its files. */
export async function startWithHostAPI() {
  const data = mkdtempSync(join(tmpdir(), 'writer-presence-host-api-'));
  const key = join(data, 'api-key');
  writeFileSync(key, `${API_KEY}\n`, {mode: 0o600});
  const server = spawn(BINARY, ['serve', '--dev', '--addr', '127.0.0.1:0', '--admin-addr', '127.0.0.1:0', '--api-key-file', key, '--data', data], {stdio: ['ignore', 'pipe', 'ignore']});
  const url = await outputMatching(server, /http:\S+\d/);
  const {admin_addr: admin} = JSON.parse(readFileSync(join(data, 'server.json'), 'utf8'));
  return {
    url,
    admin: `http://${admin}/`,
    end: () => stopServer({server}),
    remove: () => rmSync(data, {recursive: true}),
  };
}

/** A port that nothing listens on. @returns {Promise<number>} */
export async function freePort() {
  const place = createServer();
  const port = await new Promise((ready) => place.listen(0, '127.0.0.1', () => ready(place.address().port)));
  await new Promise((closed) => place.close(closed));
  return port;
}

/** Starts a Redis without persistence on a free port. */
async function startRedis(env) {
  const port = await freePort();
  env.redis = spawn('redis-server', ['--port', port, '--bind', '127.0.0.1', '--dir', env.data, '--save', '', '--appendonly', 'no'], {stdio: ['ignore', 'pipe', 'ignore']});
  await outputMatching(env.redis, /eady to accept connections/);
  env.redisURL = `redis://127.0.0.1:${port}`;
}

/** The first match of the pattern in a process's output. @returns {Promise<string>} */
export function outputMatching(process, pattern) {
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

/** Browsers that the environments of a file share, because starting one is slow. @type {Map<boolean, Promise<any>>} */
const browsers = new Map();

function sharedBrowser(bfcache) {
  if (!browsers.has(bfcache)) browsers.set(bfcache, launch(bfcache));
  return browsers.get(bfcache);
}

/** Starts the browser of this run. Only Chromium has to be told to use its back/forward cache. @param {string[]} [switches] more switches of Chromium */
export function launch(bfcache = false, switches = []) {
  const executablePath = programOf(bfcache && ENGINE === 'chromium' ? 'bfcache' : ENGINE);
  if (!executablePath) throw new Error(`no ${ENGINE} found: run scripts/prepare`);
  if (ENGINE === 'webkit') return launchWebKit(executablePath);
  if (ENGINE === 'firefox') return playwright.firefox.launch({channel: 'moz-firefox', executablePath});
  return playwright.chromium.launch({executablePath, args: [...SWITCHES, ...switches], ignoreDefaultArgs: bfcache ? ['--disable-back-forward-cache'] : []});
}

/** Waits for this many heartbeats of an unrelated polling page, about a second each. */
export async function passHeartbeats(env, times) {
  for (let i = 0; i < times; i++) await env.clock.waitForResponse((response) => response.url().endsWith('/update/'), {timeout: TIMEOUT});
}

/** A project that no other test uses. */
export const newProject = (env) => `project-${++env.projects}`;

/**
 * Opens the reference page on the next server as a person, and waits for its status. A polling page has no WebSocket.
 * `page.errors` collects the errors on its console.
 */
export async function openPage(env, project, name, {section = '', transport = env.transport(), status = transport, ...options} = {}) {
  const context = await env.browser.newContext({viewport: {width: 1200, height: 800}, ...options});
  if (transport === 'polling') await context.addInitScript(() => delete globalThis.WebSocket);
  const page = await context.newPage();
  page.transport = transport;
  page.errors = [];
  page.on('console', (message) => message.type() === 'error' && page.errors.push(message.text()));
  page.on('pageerror', (error) => page.errors.push(String(error)));
  await page.goto(pageURL(env, project, name, section));
  await waitForStatus(page, status);
  return page;
}

/** Ends the process of a page, as a fault in the browser does. */
export async function crash(page) {
  if (ENGINE === 'webkit') await page.crash();
  else await page.goto('chrome://crash').catch(() => {});
}

/** Waits until the page shows this status. */
export async function waitForStatus(page, status, timeout = TIMEOUT) {
  await page.locator(`#status[data-status=${status}]`).waitFor({state: 'attached', timeout});
}

/** Records every text of the badge from now on in `badgeTexts`. */
export async function recordBadge(page) {
  await page.evaluate(() => {
    globalThis.badgeTexts = [];
    const badge = document.getElementById('presence-badge');
    const record = () => globalThis.badgeTexts.push(badge.style.display === 'none' || 'alone' in badge.dataset ? 'nobody' : badge.textContent);
    new MutationObserver(record).observe(badge, {childList: true, characterData: true, subtree: true, attributes: true});
  });
}

export function pageURL(env, project, name, section) {
  const query = new URLSearchParams({project, ...(name !== null && {as: name})});
  return `${env.next()}/?${query}${section ? `#${section}` : ''}`;
}

/** A token of the development server. */
export async function token(env, username, userId) {
  const response = await fetch(`${env.url}/writer/api/dev/token/`, {
    method: 'POST',
    headers: {'Content-Type': 'application/json'},
    body: JSON.stringify({username, user_id: userId}),
  });
  return (await response.json()).token;
}

/** Waits until the badge has this text; null: until it is hidden, or says that you are alone. */
export async function expectBadge(page, expected) {
  const badge = page.locator('#presence-badge');
  if (expected === null) await page.locator('#presence-badge:visible:not([data-alone])').waitFor({state: 'detached', timeout: TIMEOUT});
  else await badge.filter({hasText: new RegExp(`^${expected}$`)}).waitFor({timeout: TIMEOUT});
}

/** The people in the open list, a line each: `Alice (Abstract, Methods), idle, unsaved changes`; without a state, they are editing or in no section. */
export function listedPeople(page) {
  return page.evaluate(() => [...document.querySelectorAll('#presence-list li')].flatMap((row) => {
    const [name, where, state] = ['bdi', 'bdi + span', '.presence-state'].map((part) => row.querySelector(part)?.textContent);
    return name && name !== 'You' ? [`${name}${where}${`, ${state}`.replace(/^, (editing)?/, (all, editing) => editing || !state ? '' : all)}`] : [];
  }));
}

/** Opens the list and waits until it has these people, in any order, because it groups them by section. */
export async function expectList(page, expected) {
  await page.locator('#presence-badge.presence-badge').hover(); // not before presence has drawn it
  await assertSoon(async () => assert.deepEqual((await listedPeople(page)).sort(), expected.toSorted()));
  assert.equal(await page.locator('#presence-list > div p').innerText(), `${expected.length} other${expected.length === 1 ? '' : 's'} online`);
  await page.mouse.move(0, 700);
}

/** Repeats the assertion until it holds, at most for TIMEOUT. */
export async function assertSoon(assertion) {
  const deadline = Date.now() + TIMEOUT;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
