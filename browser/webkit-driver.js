/** WebKitGTK's browser by W3C WebDriver: a screen without a monitor, and one driver process and browser for each session. */

import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync} from 'node:fs';
import {rm} from 'node:fs/promises';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

/** The processes that have been started, which end with this one, also if a test fails. @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));

/** Starts a program. */
function start(...command) {
  const child = spawn(...command);
  if (!children.size) for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1)); // or there would be no `exit`
  children.add(child);
  child.on('exit', () => children.delete(child));
  return child;
}

/** Ends a program that start() started. */
async function end(child, signal) {
  if (!children.has(child)) return;
  child.kill(signal);
  await once(child, 'exit');
}

/** Starts an X server on a free display. The pointer is in the middle of the screen, where no window is, so that it causes no events in pages. */
export async function startDisplay() {
  const server = start('Xvfb', ['-displayfd', '3', '-screen', '0', '3200x2400x24', '-nolisten', 'tcp'], {stdio: ['ignore', 'ignore', 'ignore', 'pipe']});
  const [number] = await Promise.race([once(/** @type {any} */ (server.stdio[3]), 'data'), once(server, 'exit').then(() => { throw new Error('Xvfb ended'); })]);
  return {name: `:${String(number).trim()}`, stop: () => end(server)};
}

/**
 * Starts a browser. `send` sends a command to it and returns the value of the answer.
 * @param {string} driver the path of WebKitWebDriver @param {string} display
 * @param {{proxy: number, args?: string[], acceptInsecureCerts?: boolean}} options the port of the HTTP proxy, and arguments of the browser
 */
export async function startSession(driver, display, {proxy, args = [], acceptInsecureCerts = false}) {
  const home = mkdtempSync(join(tmpdir(), 'writer-presence-webkit-')); // or it would use the caller's cache and settings
  const port = await freePort();
  const env = {
    ...process.env, DISPLAY: display, GDK_BACKEND: 'x11', NO_AT_BRIDGE: '1', LANGUAGE: 'en_US',
    HOME: home, XDG_CACHE_HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home, XDG_RUNTIME_DIR: home,
    WEBKIT_DISABLE_COMPOSITING_MODE: '1', // without a graphics card, compositing stops each page for up to three seconds
  };
  const child = start(driver, [`--port=${port}`], {env, stdio: 'ignore'});

  async function call(method, path, body) {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {method, body: body && JSON.stringify(body)});
    const {value} = await response.json();
    if (!response.ok) throw new Error(`WebDriver ${method} ${path.replace(/^\/session\/[^/]+/, '')}: ${value.error}: ${value.message}`);
    return value;
  }
  for (const deadline = Date.now() + 10_000;;) {
    try {
      await call('GET', '/status');
      break;
    } catch (error) {
      if (!children.has(child) || Date.now() > deadline) throw new Error(`${driver} does not answer on port ${port}`, {cause: error});
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  const {sessionId} = await call('POST', '/session', {capabilities: {alwaysMatch: {
    acceptInsecureCerts,
    pageLoadStrategy: 'none',
    timeouts: {script: 2 ** 31 - 1}, // the driver measures it by the page's clock, which a test may move
    proxy: {proxyType: 'manual', httpProxy: `127.0.0.1:${proxy}`},
    ...(args.length && {'webkitgtk:browserOptions': {args: ['--automation', ...args]}}),
  }}});
  return {
    send: (method, path, body) => call(method, `/session/${sessionId}${path}`, body),
    pid: child.pid,
    display,
    async stop() {
      // A browser that is busy, or has crashed, does not answer.
      await Promise.race([call('DELETE', `/session/${sessionId}`).catch(() => {}), new Promise((resolve) => setTimeout(resolve, 2_000))]);
      await end(child, 'SIGKILL'); // it may wait for its browser
      await rm(home, {recursive: true, force: true, maxRetries: 20, retryDelay: 50});
    },
  };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const {port} = /** @type {any} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}
