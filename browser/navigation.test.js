/** Pages that change without a page load (Turbo, htmx, a router), and pages that load without being shown (prerendering). */

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {test} from 'node:test';
import {assertSoon, environment, expectBadge, expectList, newProject, openPage, programOf, recordBadge, skipIf, token} from './fixtures.js';
import {startProxy} from './proxy.js';

const env = environment({lease: 60_000});
const modules = new URL('../node_modules/', import.meta.url);
const recipes = readFileSync(new URL('../docs/how-to/javascript-client.md', import.meta.url), 'utf8');

/** The module of the documented recipe, for this user. */
const recipe = (options) => /\/\/ presence\.js[^`]*/.exec(recipes)[0].replace('new PresenceManager(project)', `new PresenceManager(project, null, ${options})`);

/** The libraries whose navigation is tested: their script, what runs a visit, and the event after which a page is there. */
const LIBRARIES = {
  Turbo: {file: '@hotwired/turbo/dist/turbo.es2017-umd.js', body: ''},
  htmx: {file: 'htmx.org/dist/htmx.js', body: 'hx-boost:inherited="true"'},
};

/** A host application with pages /visit/0, /visit/1 … that link to the next, and /none without presence. */
async function host(t, {library, head, body = '', end = ''}) {
  const site = await startProxy(env.url);
  t.after(() => site.stop());
  const script = library && readFileSync(new URL(LIBRARIES[library].file, modules), 'utf8');
  site.page = (path) => {
    if (path === '/library.js') return script;
    if (path === '/presence.js') return head;
    const [, kind, number] = /^\/(visit|none)\/?(\d*)$/.exec(path) ?? [];
    if (!kind) return undefined;
    const data = kind === 'visit' ? body.replaceAll('{section}', `part-${number % 2}`) : '';
    return `<!doctype html><html><head><title>${path}</title><link rel="icon" href="data:,">${library ? '<script src="/library.js"></script>' : ''}
      ${head ? '<script type="module" src="/presence.js"></script>' : ''}</head>
      <body ${library ? LIBRARIES[library].body : ''}><main ${data}></main><h1>${path}</h1><span id="presence-badge"></span>
      <a id="next" href="/visit/${Number(number) + 1}">next</a> <a id="none" href="/none">none</a>${kind === 'visit' ? end.replaceAll('{section}', `part-${number % 2}`) : ''}</body></html>`;
  };
  return site;
}

/** Opens the host's first page. `page.sent()` gives what it has sent by live connections, `page.leaves` and `page.loads` collect its leaves by request and the documents it loads. */
async function open(t, site) {
  const context = await env.browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  await page.addInitScript(() => {
    globalThis.sent = [];
    const {send} = WebSocket.prototype;
    WebSocket.prototype.send = function (data) {
      globalThis.sent.push(JSON.parse(data));
      send.call(this, data);
    };
  });
  page.sent = () => page.evaluate(() => globalThis.sent);
  page.leaves = [];
  page.loads = [];
  page.on('request', (request) => request.url().endsWith('/leave/') && page.leaves.push(request.url()));
  page.on('request', (request) => request.isNavigationRequest() && page.loads.push(new URL(request.url()).pathname));
  await page.goto(`${site.url}/visit/0`);
  return page;
}

/** Follows the link 23 times. Others see one person with one section, who never leaves, and the page has one session. */
async function visit23Times(page, project) {
  const other = await openPage(env, project, 'Other');
  await expectBadge(other, '1');
  await recordBadge(other);
  for (let visit = 1; visit <= 23; visit++) {
    await page.locator('#next').click();
    await page.locator('h1', {hasText: new RegExp(`^/visit/${visit}$`)}).waitFor();
    if (visit % 6 === 5) await expectList(other, [`Writer (Part ${visit % 2})`]);
  }
  await expectList(other, ['Writer (Part 1)']);
  await expectBadge(page, '1');
  assert.deepEqual(page.loads, ['/visit/0'], 'documents loaded');
  const sent = await page.sent();
  assert.deepEqual([...page.leaves, ...sent.filter(({type}) => type === 'leave')], []);
  assert.equal(new Set(sent.flatMap(({session}) => session ?? [])).size, 1, 'sessions');
  assert.deepEqual(await other.evaluate(() => globalThis.badgeTexts.filter((text) => text !== '1')), []);
  return other;
}

for (const library of Object.keys(LIBRARIES)) {
  test(`${library}: 23 visits by the documented recipe leave one session, and a page without presence leaves`, {skip: skipIf.onePage}, async (t) => { // case 49
    const project = newProject(env);
    const options = JSON.stringify({token: await token(env, 'Writer')});
    const site = await host(t, {library, head: recipe(options), body: `data-presence-project="${project}" data-presence-section="{section}"`});
    const page = await open(t, site);
    const other = await visit23Times(page, project);
    await page.locator('#none').click();
    await expectBadge(other, null);
    assert.deepEqual(page.loads, ['/visit/0'], 'documents loaded');
    await other.context().close();
  });

  test(`${library}: 23 visits to pages that each start a manager leave one session`, {skip: skipIf.onePage}, async (t) => { // case 49
    const project = newProject(env);
    const options = JSON.stringify({token: await token(env, 'Writer')});
    const site = await host(t, {library, end: `<script type="module">
      import {PresenceManager} from '/writer/api/client/writer-presence.js';
      const presence = new PresenceManager('${project}', null, ${options});
      presence.setSection('{section}');
      presence.start();
    </script>`});
    const page = await open(t, site);
    await (await visit23Times(page, project)).context().close();
  });
}

test('a router: 23 routes by the documented recipe leave one session, and a route without presence leaves', {skip: skipIf.onePage}, async (t) => { // case 49
  const project = newProject(env);
  const options = JSON.stringify({token: await token(env, 'Writer')});
  const code = /router\.afterEach\([^`]*/.exec(recipes)[0];
  const site = await host(t, {head: `
    import {PresenceManager} from '/writer/api/client/writer-presence.js';
    const presence = new PresenceManager('${project}', null, ${options});
    const hooks = [];
    const router = {afterEach: (hook) => hooks.push(hook)};
    ${code}
    function go(path) {
      history.pushState(null, '', path);
      const visit = /^\\/visit\\/(\\d+)$/.exec(path);
      document.querySelector('h1').textContent = path;
      if (visit) document.querySelector('#next').href = '/visit/' + (Number(visit[1]) + 1);
      for (const hook of hooks) hook({params: visit ? {section: 'part-' + visit[1] % 2} : {}});
    }
    document.addEventListener('click', (event) => {
      event.preventDefault();
      go(event.target.closest('a').getAttribute('href'));
    });
    go(location.pathname);`});
  const page = await open(t, site);
  const other = await visit23Times(page, project);
  await page.locator('#none').click();
  await expectBadge(other, null);
  await other.context().close();
});

const prerenders = skipIf.firefox('Firefox does not prerender pages') || skipIf.webkit('WebKit does not prerender pages');

test('a page that is prerendered is not listed until it is visited', {skip: skipIf.onePage || prerenders}, async (t) => { // case 47
  const project = newProject(env);
  const other = await openPage(env, project, 'Other');
  const options = JSON.stringify({token: await token(env, 'Writer'), live: false});
  const site = await startProxy(env.url);
  const reports = [];
  const loads = [];
  let visit = '';
  site.page = (path) => {
    if (path.startsWith('/report')) return String(reports.push(path));
    if (path === '/visit') return visit;
    if (path === '/opener') {
      return `<!doctype html><title>Opener</title><link rel="icon" href="data:,">
        <script type="speculationrules">{"prerender": [{"source": "list", "urls": ["/prerendered"], "eagerness": "immediate"}]}</script>
        <script>
          const ask = async () => (await (await fetch('/visit')).text()) ? (location.href = '/prerendered') : setTimeout(ask, 100);
          ask();
        </script>`;
    }
    if (!path.startsWith('/prerendered')) return undefined;
    loads.push(path);
    return `<!doctype html><title>Prerendered</title><link rel="icon" href="data:,"><script type="module">
      import {PresenceManager} from '/writer/api/client/writer-presence.js';
      const presence = new PresenceManager('${project}', null, ${options});
      presence.setSection('part-1');
      presence.start();
      setTimeout(() => fetch('/report?' + document.prerendering), 500);
    </script>`;
  };
  // Without Playwright: Chromium does not prerender for a page that a debugger is attached to.
  const data = mkdtempSync(join(tmpdir(), 'writer-presence-prerender-'));
  const browser = spawn(programOf('chromium'), ['--headless=new', '--no-sandbox', '--no-first-run', `--user-data-dir=${data}`, `${site.url}/opener`], {stdio: 'ignore', detached: true});
  t.after(async () => {
    const ended = new Promise((ended) => browser.on('exit', ended));
    process.kill(-(/** @type {number} */ (browser.pid)), 'SIGKILL'); // with the processes that it started, which would go on writing
    await ended;
    site.stop();
    rmSync(data, {recursive: true, force: true, maxRetries: 20, retryDelay: 100});
    await other.context().close();
  });
  await assertSoon(() => assert.deepEqual(reports, ['/report?true'], 'the page was not prerendered'));
  assert.equal(site.firstUpdate, 0, 'an update of a prerendered page');
  await expectBadge(other, null);
  visit = 'now';
  await expectBadge(other, '1');
  await expectList(other, ['Writer (Part 1)']);
  assert.deepEqual(loads, ['/prerendered'], 'the page was loaded again');
});
