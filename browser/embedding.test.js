/** A page in an iframe of another site, over https: with and without --embedding on. */

import assert from 'node:assert/strict';
import {execFileSync, spawn} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {request} from 'node:http';
import {createServer} from 'node:https';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {ENGINE, TIMEOUT, assertSoon, launch, skipIf} from './fixtures.js';

const BINARY = new URL('../.build/writer-presence', import.meta.url).pathname;

let data = '';
/** @type {any} */ let browser;
/** @type {any[]} */ const started = [];
/** the servers, by the value of --embedding @type {Record<string, {url: string}>} */ const servers = {};
/** a page of another site */ let around = '';

/** The page of the server that is embedded. */
const HTML = `<!doctype html><title>Embedded</title><span id="presence-badge"></span>
  <script type="module">
    import {PresenceManager} from '/writer/api/client/writer-presence.js';
    const presence = globalThis.presence = new PresenceManager('thesis');
    globalThis.ids = new Set();
    presence.addEventListener('change', () => presence.getSnapshot().you && globalThis.ids.add(presence.getSnapshot().you.user_id));
    presence.start();
  </script>`;

/** Starts an https server on a free port. @param {import('node:http').RequestListener} answer */
async function serve(answer) {
  const server = createServer({key: readFileSync(join(data, 'key')), cert: readFileSync(join(data, 'cert'))}, answer);
  await new Promise((ready) => server.listen(0, '127.0.0.1', () => ready(null)));
  started.push(() => server.closeAllConnections() ?? server.close());
  return /** @type {any} */ (server.address()).port;
}

before(async () => {
  data = mkdtempSync(join(tmpdir(), 'writer-presence-embedding-'));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-keyout', join(data, 'key'), '-out', join(data, 'cert')], {stdio: 'ignore'});
  for (const embedding of ['on', 'off']) {
    const flags = ['--addr', '127.0.0.1:0', '--admin-addr', 'off', '--data', join(data, embedding), '--embedding', embedding, '--heartbeat', '1s', '--lease', '60s'];
    const server = spawn(BINARY, ['serve', ...flags], {stdio: ['ignore', 'pipe', 'ignore']});
    started.push(() => server.kill());
    const line = await new Promise((resolve, reject) => {
      server.stdout.on('data', resolve);
      server.on('exit', (code) => reject(new Error(`the server exited with ${code}`)));
    });
    const target = /http:\S+\d/.exec(String(line))?.[0];
    const port = await serve((incoming, answer) => {
      if (incoming.url === '/own') return answer.writeHead(200, {'Content-Type': 'text/html'}).end(HTML);
      const {method, url, headers} = incoming;
      incoming.pipe(request(`${target}${url}`, {method, headers}, (response) => response.pipe(answer.writeHead(response.statusCode ?? 502, response.headers))));
    });
    servers[embedding] = {url: `https://127.0.0.1:${port}`};
  }
  // Browsers treat localhost and 127.0.0.1 as two sites.
  around = `https://localhost:${await serve((incoming, answer) => answer.writeHead(200, {'Content-Type': 'text/html'}).end(`<!doctype html><iframe src="${new URL(incoming.url ?? '', 'https://x').searchParams.get('src')}"></iframe>`))}`;
  browser = await launch();
});

after(async () => {
  await browser?.close();
  for (const stop of started) stop();
  rmSync(data, {recursive: true, force: true});
});

/** Opens a page of another site around the page of a server. @param {string} embedding @param {string} [path] */
async function embed(embedding, path = '/own') {
  const context = await browser.newContext({ignoreHTTPSErrors: true});
  const page = await context.newPage();
  await page.goto(`${around}/?src=${servers[embedding].url}${path}`);
  const frame = page.frames().find((/** @type {any} */ frame) => frame.url().startsWith(servers[embedding].url));
  return {context, frame};
}

/** Waits until the page has sent this many updates. @param {any} frame @param {number} count */
const updates = (frame, count) => frame.waitForFunction((/** @type {number} */ count) => performance.getEntriesByType('resource').filter(({name}) => name.endsWith('/update/')).length >= count, count, {timeout: TIMEOUT});

test('with --embedding on an embedded page stays the same visitor', {skip: skipIf.webkit('WebKitGTK has no partitioned cookies')}, async () => { // case 46
  const {context, frame} = await embed('on');
  await updates(frame, 1);
  await assertSoon(async () => assert.equal(await frame.evaluate(() => globalThis.ids.size), 1));
  await frame.evaluate(async () => { for (let i = 0; i < 3; i++) await globalThis.presence.updatePresence(); });
  const [ids, text] = await frame.evaluate(() => [globalThis.ids.size, globalThis.presence.getSnapshot().text]);
  assert.equal(ids, 1);
  assert.doesNotMatch(text, /cookies/);
  const [cookie] = (await context.cookies()).filter((/** @type {any} */ {name}) => name === '__Host-writer_presence_visitor');
  assert.equal(cookie?.sameSite, 'None');
  if (ENGINE === 'chromium') assert.ok(cookie.partitionKey, 'the cookie belongs to the top-level site'); // WebDriver does not tell it
  await context.close();
});

test('without --embedding an embedded page says that presence needs cookies', async () => { // case 46
  const {context, frame} = await embed('off');
  await updates(frame, 3);
  await assertSoon(async () => assert.equal(await frame.evaluate(() => globalThis.presence.getSnapshot().text), 'Presence needs cookies here'));
  assert.deepEqual(await context.cookies(), []);
  await context.close();
});

test('the reference page is embedded only with --embedding on', async () => {
  for (const embedding of ['on', 'off']) {
    const {context, frame} = await embed(embedding, '/');
    const shown = frame ? await frame.locator('#presence-badge').count() : 0;
    assert.equal(shown > 0, embedding === 'on', embedding);
    await context.close();
  }
});
