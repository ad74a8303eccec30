/** Visitors in a real browser: two first tabs that open at once behind a slow network. */

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {TIMEOUT, assertSoon, launch} from './fixtures.js';
import {startProxy} from './proxy.js';

const BINARY = new URL('../.build/writer-presence', import.meta.url).pathname;
const LATENCY = 300; // milliseconds

let data = '', url = '';
/** @type {any} */ let server;
/** @type {any} */ let proxy;

before(async () => {
  data = mkdtempSync(join(tmpdir(), 'writer-presence-visitors-'));
  server = spawn(BINARY, ['serve', '--addr', '127.0.0.1:0', '--admin-addr', 'off', '--data', data], {stdio: ['ignore', 'pipe', 'ignore']});
  const line = await new Promise((resolve, reject) => {
    server.stdout.on('data', resolve);
    server.on('exit', (/** @type {number} */ code) => reject(new Error(`the server exited with ${code}`)));
  });
  proxy = await startProxy(/http:\S+\d/.exec(String(line))?.[0]);
  proxy.latency = LATENCY;
  url = proxy.url;
});

after(() => {
  proxy?.stop();
  server?.kill();
  rmSync(data, {recursive: true, force: true});
});

const HTML = `<!doctype html><title>A visitor</title><span id="presence-badge"></span>
  <script type="module">
    import {PresenceManager} from '/writer/api/client/writer-presence.js';
    const presence = globalThis.presence = new PresenceManager(new URLSearchParams(location.search).get('project'));
    presence.start();
  </script>`;

for (const projects of [['p', 'p', 'p'], ['q', 'r', 's']]) {
  test(`three first tabs that open at once are one visitor, in ${new Set(projects).size} projects`, async () => {
    const browser = await launch();
    try {
      const context = await browser.newContext();
      const pages = await Promise.all(projects.map(() => context.newPage()));
      for (const page of pages) await page.route('**/tab?*', (/** @type {any} */ route) => route.fulfill({contentType: 'text/html', body: HTML}));
      await Promise.all(pages.map((page, i) => page.goto(`${url}/tab?project=${projects[i]}`)));
      const ids = () => Promise.all(pages.map((page) => page.evaluate(() => globalThis.presence?.getSnapshot().you?.user_id)));
      await assertSoon(async () => assert.ok((await ids()).every(Boolean), `not all are visitors after ${TIMEOUT} ms`));
      assert.equal(new Set(await ids()).size, 1);
    } finally {
      await browser.close();
    }
  });
}
