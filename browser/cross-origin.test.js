/** Pages on another origin than the server's: those that --allowed-origins lists connect with tokens, others get nothing. */

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {createHmac, randomBytes} from 'node:crypto';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {ENGINE, TIMEOUT, expectBadge, expectList, launch} from './fixtures.js';

const BINARY = new URL('../.build/writer-presence', import.meta.url).pathname;
const secret = randomBytes(32).toString('hex');

// The server is at localhost and the pages are at 127.0.0.1, which browsers treat as two sites.
const site = {api: '', data: '', /** @type {any} */ server: null, listed: '', foreign: '', /** @type {any[]} */ pages: []};
/** @type {any} */ let browser;

const html = (api) => `<!doctype html><title>A page of another origin</title>
<p><select id="texfile-selector"><option value="manuscript/abstract">Abstract</select> <span id="presence-badge" style="display:none"></span></p>
<p id="status"></p>
<script type="module">
  import {PresenceManager} from '${api}/client/writer-presence.js';
  const token = new URLSearchParams(location.search).get('token');
  const presence = new PresenceManager('thesis', null, {prefix: '${api}', token});
  presence.setSection('manuscript/abstract');
  presence.addEventListener('change', () => { document.getElementById('status').dataset.status = presence.getSnapshot().status; });
  presence.start();
</script>`;

/** Starts a server of pages on its own port. */
async function serve() {
  const server = createServer((_, answer) => answer.writeHead(200, {'Content-Type': 'text/html'}).end(html(site.api)));
  await new Promise((ready) => server.listen(0, '127.0.0.1', () => ready(null)));
  site.pages.push(server);
  return `http://127.0.0.1:${/** @type {any} */ (server.address()).port}`;
}

/** A token as the pages' application would sign it. */
function tokenOf(name) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({alg: 'HS256', typ: 'JWT'})}.${part({sub: name, username: name, projects: ['thesis'], exp: Math.floor(Date.now() / 1000) + 600})}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

before(async () => {
  site.data = mkdtempSync(join(tmpdir(), 'writer-presence-origins-'));
  writeFileSync(join(site.data, 'jwt'), secret);
  site.listed = await serve();
  site.foreign = await serve();
  const flags = ['--addr', '127.0.0.1:0', '--admin-addr', 'off', '--data', join(site.data, 'store'), '--jwt-secret-file', join(site.data, 'jwt'), '--visitors', 'on'];
  site.server = spawn(BINARY, ['serve', ...flags, '--allowed-origins', site.listed], {stdio: ['ignore', 'pipe', 'inherit']});
  const line = await new Promise((resolve, reject) => {
    site.server.stdout.on('data', resolve);
    site.server.on('exit', (code) => reject(new Error(`the server exited with ${code}`)));
  });
  site.api = `http://localhost:${/:(\d+)\//.exec(line)[1]}/writer/api`;
  browser = await launch();
});

after(async () => {
  await browser?.close();
  for (const server of site.pages) server.close();
  const ended = new Promise((ended) => site.server.on('exit', ended));
  site.server.kill('SIGTERM');
  await ended;
  rmSync(site.data, {recursive: true});
});

/** Opens a page of this origin. With `polls` it has no WebSocket. */
async function open(origin, name, {polls = false} = {}) {
  const context = await browser.newContext({viewport: {width: 1200, height: 800}});
  if (polls) await context.addInitScript(() => delete globalThis.WebSocket);
  const page = await context.newPage();
  page.errors = [];
  page.on('console', (message) => message.type() === 'error' && page.errors.push(message.text()));
  await page.goto(`${origin}/?token=${tokenOf(name)}`);
  return page;
}

const status = (page, expected) => page.locator(`#status[data-status=${expected}]`).waitFor({state: 'attached', timeout: TIMEOUT});

/** Sends an update from a script of the page, with the browser's cookies. */
const post = (page) => page.evaluate((api) => fetch(`${api}/project/thesis/presence/update/`, {
  method: 'POST', credentials: 'include', headers: {'Content-Type': 'application/json'}, body: '{}',
}).then((response) => response.status, () => 'withheld'), site.api);

test('pages of an allowed origin load the client, are live and poll by tokens', async () => {
  const alice = await open(site.listed, 'alice');
  const bob = await open(site.listed, 'bob', {polls: true});
  await status(alice, 'live');
  await status(bob, 'polling');
  for (const page of [alice, bob]) await expectBadge(page, '1');
  await expectList(alice, ['bob (Abstract), viewing']);
  await bob.goto('about:blank'); // its leave needs a preflight, too
  await expectBadge(alice, null);
  assert.deepEqual([...alice.errors, ...bob.errors], []);
  for (const page of [alice, bob]) await page.context().close();
});

test('a page of an allowed origin without a token is rejected whatever its cookies, and gets no cookie', async () => {
  const page = await open(site.listed, 'alice');
  await status(page, 'live');
  assert.equal(await post(page), 401);
  assert.deepEqual(await page.context().cookies(site.api), []);
  await page.context().close();
});

test('a page of another origin gets no client, no answer and no connection', async () => { // case 41
  const page = await open(site.foreign, 'mallory');
  assert.equal(await post(page), 'withheld');
  const live = await page.evaluate((address) => new Promise((ended) => {
    const socket = new WebSocket(address, 'writer-presence.v1');
    socket.onopen = () => ended('open');
    socket.onclose = () => ended('closed');
  }), `${site.api.replace('http', 'ws')}/project/thesis/presence/live/`);
  assert.equal(live, 'closed');
  assert.equal(await page.locator('#status').getAttribute('data-status'), null);
  if (ENGINE === 'chromium') assert.match(page.errors.join('\n'), /CORS policy/); // the other drivers report only what scripts log
  await page.context().close();
});
