/** The custom elements, in pages of hosts in plain HTML, in shadow roots, with HTMX and with Turbo; two people, a real server. */

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {test} from 'node:test';
import {build} from 'esbuild';
import {manifest} from '../scripts/build-package.js';
import {recipes} from '../client/test/recipes.js';
import {countListeners} from './listeners.js';
import {startProxy} from './proxy.js';
import {TIMEOUT, assertSoon, environment, expectBadge, newProject, openPage, skipIf, token} from './fixtures.js';

const env = environment({lease: 60_000}); // no lease expires during a test
const file = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const bundled = build({entryPoints: [file('client/element/define.js')], bundle: true, format: 'esm', write: false});
const HEAD = '<!doctype html><meta charset="utf-8"><title>Host</title><link rel="icon" href="data:,"><script type="module" src="/elements.js"></script>';

/**
 * A site whose pages have the elements. `pages` has the HTML of each path below `<body>`, `head` is added to the head of all, and `site.asked`
 * has the projects and the status of each request for counts.
 */
async function startSite(t, pages, head = '') {
  const site = await startProxy(env.url);
  t.after(() => site.stop());
  site.asked = [];
  site.answered = (path, status) => {
    const url = new URL(path, env.url);
    if (url.pathname === '/writer/api/presence/counts/') site.asked.push(`${url.searchParams.getAll('project')} ${status}`);
  };
  const [{text}] = (await bundled).outputFiles;
  const scripts = {'/elements.js': text, '/htmx.js': readFileSync(file('node_modules/htmx.org/dist/htmx.js'), 'utf8'), '/turbo.js': readFileSync(file('node_modules/@hotwired/turbo/dist/turbo.es2017-umd.js'), 'utf8')};
  site.page = (path) => scripts[path] ?? (path in pages ? (path.startsWith('/part') ? pages[path] : `${HEAD}${head}<body>${pages[path]}</body>`) : undefined);
  return site;
}

/**
 * Opens a page of a site. `page.errors` collects its errors, and `sent` on the page has the names of its sessions, the number of its leaves, and
 * that of its requests for counts.
 */
async function openHost(t, site, path = '/host', prepare = async (page) => void page) {
  const context = await env.browser.newContext({viewport: {width: 1200, height: 700}});
  t.after(() => context.close());
  const page = await context.newPage();
  page.errors = [];
  await page.addInitScript(() => {
    globalThis.sent = {sessions: [], leaves: 0, counts: 0};
    const {prototype} = globalThis.WebSocket;
    const {send} = prototype;
    prototype.send = function (data) {
      const {type, session} = JSON.parse(data);
      if (session && !globalThis.sent.sessions.includes(session)) globalThis.sent.sessions.push(session);
      globalThis.sent.leaves += Number(type === 'leave');
      return send.call(this, data);
    };
    const {fetch} = globalThis;
    globalThis.fetch = (url, init) => {
      globalThis.sent.leaves += Number(String(url).endsWith('/leave/'));
      globalThis.sent.counts += Number(String(url).startsWith('/writer/api/presence/counts/'));
      return fetch(url, init);
    };
  });
  // A page that is replaced at once, as Turbo's preview, closes a socket that is still connecting, which browsers report; Firefox as an error of the page.
  const report = (text) => text.includes('ws://') || page.errors.push(text);
  page.on('pageerror', (error) => report(String(error)));
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && report(message.text()));
  await prepare(page);
  await page.goto(`${site.url}${path}`);
  return page;
}

/** Waits until a badge on the page has this number. */
const expectElement = (page, number, selector = 'writer-presence') =>
  page.locator(`${selector} .presence-badge`).filter({hasText: new RegExp(`^${number}$`)}).waitFor({timeout: TIMEOUT});

/** A person on the reference page, whose badge is recorded. */
async function openOther(t, project, section = 'manuscript/abstract') {
  const page = await openPage(env, project, 'User A', {section});
  t.after(() => page.context().close());
  return page;
}

/** One session, that never left. */
const expectOneSession = async (page) => assert.deepEqual(await page.evaluate(() => [globalThis.sent.sessions.length, globalThis.sent.leaves]), [1, 0], 'sessions and leaves');

test('plain HTML has a badge, avatars, a warning in its own space, and a number', {skip: skipIf.onePage}, async (t) => {
  const project = newProject(env);
  const a = await openOther(t, project);
  const site = await startSite(t, {'/host': `
    <header><presence-avatars section="manuscript/abstract"></presence-avatars><presence-avatars section="manuscript/methods"></presence-avatars><presence-count></presence-count></header>
    <presence-warning></presence-warning><p id="below">Text</p>
    <writer-presence project="${project}" user="2" token="${await token(env, 'User B', 2)}" select="#sections" editor="textarea" alone></writer-presence>
    <select id="sections"><option value="manuscript/methods">Methods</option><option value="manuscript/abstract">Abstract</option></select><textarea></textarea>`},
  `<meta http-equiv="Content-Security-Policy" content="default-src 'self'; img-src data:">`);
  const b = await openHost(t, site);
  await expectElement(b, 1);
  await expectBadge(a, '1');
  await b.evaluate(() => import('/elements.js#again')); // a second copy defines nothing
  const avatars = b.locator('presence-avatars[section="manuscript/abstract"]');
  assert.equal(await avatars.locator('[part~=avatar]').count(), 1);
  assert.equal(await avatars.locator('[part~=said]').textContent(), ' — User A (editing)');
  assert.equal(await b.locator('presence-avatars[section="manuscript/methods"] [part~=avatar]').count(), 0);
  await b.locator('presence-count[count="2"]').waitFor({timeout: TIMEOUT});
  assert.deepEqual(await b.locator('presence-count').locator('[part=number], [part=words]').allTextContents(), ['2', '2 people online']);
  assert.deepEqual(await b.evaluate(() => {
    const count = document.querySelector('presence-count');
    const observer = new MutationObserver(() => {});
    observer.observe(count.shadowRoot, {subtree: true, childList: true});
    document.querySelector('writer-presence').manager.dispatchEvent(new Event('change'));
    return observer.takeRecords().length;
  }), 0, 'the same number was written again');
  assert.equal(await b.evaluate(() => document.querySelector('writer-presence').section), 'manuscript/methods', 'the section of the select');

  await b.evaluate(() => {
    globalThis.events = [];
    globalThis.belowTop = document.querySelector('#below').getBoundingClientRect().top;
    const presence = document.querySelector('writer-presence');
    for (const type of ['change', 'join', 'leave', 'conflict', 'status', 'saved', 'showlatest', 'navigate', 'free']) {
      presence.addEventListener(type, (event) => {
        globalThis.events.push([type, event.composed, event.bubbles]);
        if (event.cancelable) event.preventDefault();
      });
    }
  });
  await b.locator('select').selectOption('manuscript/abstract');
  const warning = b.locator('presence-warning [part~=warning]');
  await warning.getByText('User A is editing here').waitFor({timeout: TIMEOUT});
  const boxes = await b.evaluate(() => {
    const box = (element) => element.getBoundingClientRect();
    const host = document.querySelector('presence-warning');
    return {space: box(host), warning: box(host.shadowRoot.querySelector('[part~=warning]')), moved: box(document.querySelector('#below')).top - globalThis.belowTop};
  });
  assert.equal(boxes.moved, 0, 'the text below moved');
  assert.ok(boxes.warning.top >= boxes.space.top && boxes.warning.bottom <= boxes.space.bottom + 1, JSON.stringify(boxes));
  await warning.getByRole('button', {name: 'Edit anyway'}).click();
  await a.getByText('is editing this section too').first().waitFor({timeout: TIMEOUT});
  assert.equal(await b.evaluate(() => document.activeElement.localName), 'textarea');

  await b.locator('button[part~=badge]').click();
  await b.locator('[part~=list] [part~=row]').getByText('User A').click();
  const names = await b.evaluate(() => [...document.querySelectorAll('writer-presence, presence-avatars, presence-warning, presence-count')].map(
    ({localName, shadowRoot}) => [localName, ...[...shadowRoot.querySelectorAll('[part]')].flatMap(({part}) => [...part])]));
  const declared = manifest().modules.flatMap(({declarations}) => declarations).filter(({tagName}) => tagName);
  for (const [tag, ...parts] of names) {
    const {cssParts} = declared.find(({tagName}) => tagName === tag);
    assert.deepEqual(parts.filter((part) => !cssParts.some(({name}) => name === part)), [], `parts of ${tag} that the manifest does not name`);
  }
  const seen = await b.evaluate(() => globalThis.events);
  for (const type of ['change', 'conflict', 'navigate']) assert.deepEqual(seen.find(([name]) => name === type), [type, true, false], `event ${type}`);
  assert.equal(await b.locator('select').inputValue(), 'manuscript/abstract', 'the host cancelled navigate');

  await a.goto('about:blank');
  await b.locator('writer-presence button[part~=badge][data-alone]').waitFor({timeout: TIMEOUT});
  await assertSoon(async () => assert.equal(await avatars.locator('[part~=avatar]').count(), 0));
  assert.deepEqual(b.errors, []);
});

test('the manager follows its element: attributes, moves, copies, removal', {skip: skipIf.onePage}, async (t) => {
  const [project, other] = [newProject(env), newProject(env)];
  const a = await openOther(t, project);
  const site = await startSite(t, {'/host': '<main id="main"></main><aside></aside>'});
  const b = await openHost(t, site);
  await b.evaluate(async ([project, token]) => {
    const {document} = globalThis;
    const element = (globalThis.element = document.createElement('writer-presence'));
    Object.assign(element, {project, user: '2', token: () => token, section: 'manuscript/methods', options: {strings: {badgeLabel: '{count} Andere'}}});
    globalThis.before = element.manager;
    document.querySelector('main').append(element);
  }, [project, await token(env, 'User B', 2)]);
  await expectElement(b, 1);
  assert.deepEqual(await b.evaluate(() => [globalThis.before === undefined, globalThis.element.manager.running]), [true, true]);
  assert.equal(await b.locator('writer-presence button[part~=badge]').getAttribute('aria-label'), '1 Andere');
  await expectBadge(a, '1');

  const session = await b.evaluate(() => {
    const {element, document} = globalThis;
    const manager = element.manager;
    document.querySelector('aside').append(element);
    element.section = 'manuscript/results';
    return element.manager === manager && element.isConnected;
  });
  assert.ok(session, 'a move makes no new manager');
  await a.locator('option[value="manuscript/results"][label*="User B"]').waitFor({state: 'attached', timeout: TIMEOUT});
  // A copy continues the session, and gives it back.
  await b.evaluate(() => {
    globalThis.copy = globalThis.element.cloneNode(true);
    globalThis.copy.token = globalThis.element.token;
    globalThis.copy.id = 'copy';
    globalThis.document.querySelector('main').append(globalThis.copy);
  });
  await expectElement(b, 1, '#copy');
  assert.deepEqual(await b.evaluate(() => [globalThis.element.manager.running, globalThis.copy.manager.running]), [false, true]);
  await b.evaluate(() => globalThis.copy.remove());
  await assertSoon(async () => assert.deepEqual(await b.evaluate(() => [globalThis.element.manager.running, globalThis.copy.manager.running, globalThis.element.manager.getSnapshot().status]), [true, false, 'live']));
  // Several attributes at once make one new manager, which continues the session.
  assert.ok(await b.evaluate(() => {
    const {element} = globalThis;
    const before = element.manager;
    element.alone = true;
    element.editor = 'textarea';
    const after = element.manager;
    return before !== after && after === element.manager && after.running;
  }));
  await assertSoon(async () => assert.equal(await b.evaluate(() => globalThis.element.manager.getSnapshot().status), 'live'));
  await expectOneSession(b);

  await b.evaluate((other) => { globalThis.element.project = other; }, other);
  await expectBadge(a, null);
  await b.evaluate((project) => { globalThis.element.project = project; }, project);
  await expectBadge(a, '1');
  await b.evaluate(() => globalThis.element.remove());
  await expectBadge(a, null);
  assert.equal(await b.evaluate(() => globalThis.element.manager.running), false);
  assert.deepEqual(b.errors, []);
});

test('url is the address of the server, and prefix the path on it', {skip: skipIf.onePage}, async (t) => {
  const project = newProject(env);
  const site = await startSite(t, {'/host': ''});
  const b = await openHost(t, site);
  await b.evaluate(([project, token, url]) => {
    const presence = (attributes) => `<div><writer-presence project="${project}" user="2" token="${token}" ${attributes}></writer-presence></div>`;
    globalThis.document.body.innerHTML = presence(`url="${url}/"`) + presence('prefix="/writer/api" pane="second"');
  }, [project, await token(env, 'User B', 2), site.url]);
  await assertSoon(async () => assert.deepEqual(await b.evaluate(() => [...globalThis.document.querySelectorAll('writer-presence')].map(({manager}) => manager.getSnapshot().status)), ['live', 'live']));
  // The numbers are asked for once everybody is there: the next answer would come 30 s later.
  await b.evaluate((project) => {
    for (const div of globalThis.document.querySelectorAll('div')) div.insertAdjacentHTML('beforeend', `<presence-count project="${project}"></presence-count>`);
  }, project);
  for (const i of [0, 1]) await b.locator('presence-count').nth(i).and(b.locator('[count="1"]')).waitFor({timeout: TIMEOUT});
  assert.deepEqual(b.errors, []);
});

test('properties that are set before the elements are defined are kept', {skip: skipIf.onePage}, async (t) => {
  const project = newProject(env);
  const options = {project, token: await token(env, 'User B', 2)};
  await openOther(t, project);
  const site = await startSite(t, {'/host': '<writer-presence></writer-presence>'});
  const b = await openHost(t, site, '/host', (page) => page.addInitScript(({project, token}) => {
    // A module runs after the page is parsed.
    globalThis.document.addEventListener('readystatechange', () => {
      const element = globalThis.document.querySelector('writer-presence');
      globalThis.defined = element.matches(':defined');
      Object.assign(element, {project, user: '2', token, options: {strings: {badgeLabel: '{count} Andere'}}});
    }, {once: true});
  }, options));
  await expectElement(b, 1);
  assert.equal(await b.evaluate(() => globalThis.defined), false);
  assert.equal(await b.locator('writer-presence button[part~=badge]').getAttribute('aria-label'), '1 Andere');
  assert.deepEqual(b.errors, []);
});

test("an element fires each event of the host's manager once, and none after its removal", {skip: skipIf.onePage}, async (t) => {
  const site = await startSite(t, {'/host': `<writer-presence id="source" project="${newProject(env)}" user="2" token="${await token(env, 'User B', 2)}"></writer-presence>`});
  const b = await openHost(t, site);
  const fired = await b.evaluate(() => {
    const {document} = globalThis;
    const {manager} = document.querySelector('#source');
    const element = document.createElement('writer-presence');
    let events = 0;
    element.addEventListener('free', () => events++);
    const fire = () => {
      events = 0;
      manager.dispatchEvent(new CustomEvent('free', {detail: {section: 'intro'}}));
      return events;
    };
    element.manager = manager;
    const before = fire();
    document.body.append(element);
    element.manager = undefined;
    element.manager = manager;
    const shown = fire();
    element.remove();
    const removed = fire();
    document.body.append(element);
    const again = fire();
    element.manager = undefined;
    return {before, shown, removed, again, none: fire()};
  });
  assert.deepEqual(fired, {before: 0, shown: 1, removed: 0, again: 1, none: 0});
  assert.deepEqual(b.errors, []);
});

test('elements in shadow roots find the presence that `for` names, or the nearest one, also if it comes later', {skip: skipIf.onePage}, async (t) => {
  const [project, other] = [newProject(env), newProject(env)];
  const a = await openOther(t, project);
  const site = await startSite(t, {'/host': '<my-section></my-section><my-app></my-app>'});
  const b = await openHost(t, site);
  const tokens = await token(env, 'User B', 2);
  await b.evaluate(([project, other, token]) => {
    const {document} = globalThis;
    const inside = (host, html) => { document.querySelector(host).attachShadow({mode: 'open'}).innerHTML = html; };
    inside('my-section', '<presence-avatars section="manuscript/abstract"></presence-avatars><presence-avatars id="named" for="second" section="manuscript/abstract"></presence-avatars>');
    inside('my-app', `<div><presence-warning></presence-warning></div><p><presence-avatars section="manuscript/abstract"></presence-avatars></p>
      <writer-presence id="first" project="${project}" user="2" token="${token}" section="manuscript/methods"></writer-presence>
      <section><presence-count></presence-count><writer-presence id="third" project="${other}" user="2" token="${token}"></writer-presence></section>`);
  }, [project, other, tokens]);
  await expectElement(b, 1, '#first');
  for (const host of ['my-section', 'my-app']) await b.locator(`${host} presence-avatars:not([for]) [part~=avatar]`).waitFor({timeout: TIMEOUT});
  await b.locator('presence-count[count="1"]').waitFor({timeout: TIMEOUT}); // only User B is in the other project, which is nearer
  assert.equal(await b.locator('#named [part~=avatar]').count(), 0);
  await b.evaluate(([project, token]) => {
    globalThis.document.body.insertAdjacentHTML('beforeend', `<writer-presence id="second" pane="2" project="${project}" user="2" token="${token}"></writer-presence>`);
  }, [project, tokens]);
  await b.locator('#named [part~=avatar]').waitFor({timeout: TIMEOUT});
  assert.ok(await b.evaluate(() => {
    const {document} = globalThis;
    return document.querySelector('my-section').shadowRoot.querySelector('#named').manager === document.querySelector('#second').manager;
  }));
  await b.evaluate(() => { globalThis.document.querySelector('my-app').shadowRoot.querySelector('#first').section = 'manuscript/abstract'; });
  await b.locator('my-app presence-warning').getByText('User A is editing here').waitFor({timeout: TIMEOUT});
  // The focus comes from a press in a shadow root in a shadow root, and the avatars go with their presence.
  await b.locator('my-app presence-warning').getByRole('button', {name: 'Choose different section'}).or(b.locator('my-app presence-warning').getByRole('button', {name: /Go back/})).click();
  await b.locator('my-app presence-warning [part~=warning]').waitFor({state: 'hidden', timeout: TIMEOUT});
  await b.evaluate(() => globalThis.document.querySelector('#second').remove());
  await assertSoon(async () => assert.equal(await b.locator('#named [part~=avatar]').count(), 0));
  // Without a presence in the page, the host sets a manager of its own.
  await b.evaluate(() => {
    const {document} = globalThis;
    const source = document.querySelector('my-app').shadowRoot.querySelector('#first');
    document.querySelector('my-section').shadowRoot.querySelector('#named').manager = source.manager;
  });
  await b.locator('#named [part~=avatar]').waitFor({timeout: TIMEOUT});
  assert.deepEqual([...a.errors, ...b.errors], []);
});

test('a warning moves to the place that was added last, and back', {skip: skipIf.onePage}, async (t) => {
  const project = newProject(env);
  await openOther(t, project);
  const site = await startSite(t, {'/host': `<writer-presence project="${project}" user="2" token="${await token(env, 'User B', 2)}" section="manuscript/abstract"></writer-presence>`});
  const b = await openHost(t, site);
  const at = (selector) => b.locator(`${selector} [part~=warning]`).filter({hasText: 'User A is editing here'}).waitFor({timeout: TIMEOUT});
  await at('writer-presence');
  for (const id of ['one', 'two']) {
    await b.evaluate((id) => globalThis.document.body.insertAdjacentHTML('beforeend', `<presence-warning id="${id}"></presence-warning>`), id);
    await at(`#${id}`);
  }
  assert.equal(await b.locator('[part~=warning]:visible').count(), 1);
  await b.evaluate(() => globalThis.document.querySelector('#two').remove());
  await at('#one');
  await b.evaluate(() => globalThis.document.querySelector('#one').remove());
  await at('writer-presence');
  assert.deepEqual(b.errors, []);
});

for (const preserved of [false, true]) test(`HTMX swaps sections and the page with ${preserved ? 'a preserved' : 'a new'} element, and the session goes on`, {skip: skipIf.onePage}, async (t) => {
  const project = newProject(env);
  const a = await openOther(t, project);
  const sections = (name) => `<ul id="sections"><li>${name} <presence-avatars section="manuscript/abstract"></presence-avatars></li></ul>`;
  const presence = `<writer-presence id="presence" ${preserved ? 'hx-preserve' : ''} project="${project}" user="2" token="${await token(env, 'User B', 2)}" section="manuscript/methods"></writer-presence>`;
  const site = await startSite(t, {
    '/host': `<main id="main">${presence}${sections('first')}<button id="part" hx-get="/part/sections" hx-target="#sections" hx-swap="outerHTML">Part</button><button id="all" hx-get="/part/all" hx-target="#main" hx-swap="innerHTML">All</button></main>`,
    '/part/sections': sections('second'),
    '/part/all': `${sections('third')}${presence}`,
  }, '<script src="/htmx.js"></script>');
  const b = await openHost(t, site);
  await expectElement(b, 1);
  await b.evaluate(() => { globalThis.first = globalThis.document.querySelector('writer-presence'); });
  await expectBadge(a, '1');
  for (const [button, name] of [['#part', 'second'], ['#all', 'third']]) {
    await b.locator(button).click();
    await b.locator('#sections').filter({hasText: name}).locator('[part~=avatar]').waitFor({timeout: TIMEOUT});
    await expectElement(b, 1);
    assert.equal(await b.locator('[part~=avatar]').count(), 2, 'one in the badge, one beside the section');
  }
  assert.equal(await b.evaluate(() => globalThis.first === globalThis.document.querySelector('writer-presence')), preserved);
  await assertSoon(async () => assert.equal(await b.evaluate(() => globalThis.document.querySelector('writer-presence').manager.getSnapshot().status), 'live'));
  await expectOneSession(b);
  assert.deepEqual(b.errors, []);
});

for (const permanent of [false, true]) {
  test(`Turbo visits another page ${permanent ? 'with a permanent element' : 'with a new element'}, goes back, and the session goes on`, {skip: skipIf.onePage}, async (t) => {
    const project = newProject(env);
    const a = await openOther(t, project);
    const page = async (name) => `<writer-presence id="presence" ${permanent ? 'data-turbo-permanent' : ''} project="${project}" user="2" token="${await token(env, 'User B', 2)}" section="manuscript/methods"></writer-presence>
      <h1>${name}</h1><presence-avatars section="manuscript/abstract"></presence-avatars><a href="/host">first</a> <a href="/other">second</a>`;
    const site = await startSite(t, {'/host': await page('One'), '/other': await page('Two')}, '<script src="/turbo.js"></script>');
    const b = await openHost(t, site);
    await expectElement(b, 1);
    await expectBadge(a, '1');
      await b.evaluate(() => { globalThis.first = globalThis.document.querySelector('writer-presence'); });
    const visit = async (go, name) => {
      await go();
      await b.locator('h1').filter({hasText: name}).waitFor({timeout: TIMEOUT});
      await b.locator('presence-avatars [part~=avatar]').waitFor({timeout: TIMEOUT});
      await expectElement(b, 1);
      assert.equal(await b.evaluate(() => globalThis.first === globalThis.document.querySelector('writer-presence')), permanent);
      await assertSoon(async () => assert.equal(await b.evaluate(() => globalThis.document.querySelector('writer-presence').manager.getSnapshot().status), 'live'));
    };
    await visit(() => b.getByText('second').click(), 'Two');
    await visit(() => b.getByText('first').click(), 'One');
    await visit(() => b.evaluate(() => history.back()), 'Two');
    await expectOneSession(b);
    assert.deepEqual(b.errors, []);
  });
}

test('numbers of projects are asked for together, each 30 s while they are visible, and not sent again', {skip: skipIf.onePage}, async (t) => {
  const unchanged = skipIf.webkit('a browser under WebKitWebDriver has no HTTP cache, as a private window') ? 200 : 304;
  const [one, two] = [newProject(env), newProject(env)];
  const a = await openOther(t, one);
  const site = await startSite(t, {'/host': `
    <presence-count id="one" project="${one}"></presence-count><presence-count id="both" project="${two} ${one}"></presence-count>
    <presence-count id="here" project="${one}" section="manuscript/abstract"></presence-count><presence-count id="none" project="${two}"></presence-count>
    <presence-count id="hidden" hidden project="unseen"></presence-count><presence-count id="wrong" prefix="/nowhere" project="${one}"></presence-count>`});
  const b = await openHost(t, site, '/host', (page) => page.clock.install());
  await b.evaluate((token) => {
    globalThis.changes = [];
    for (const element of globalThis.document.querySelectorAll('presence-count:not(#wrong)')) {
      element.addEventListener('change', ({detail}) => globalThis.changes.push([element.id, detail.count]));
      element.strings = {locale: 'de', people: {one: 'eine Person', other: '{count} Personen'}};
      element.token = token;
    }
  }, await token(env, 'User B', 2));
  const expectCounts = (wanted) => assertSoon(async () => {
    await b.clock.runFor(1); // requests are made in a timer
    const counts = await b.evaluate(() => Object.fromEntries([...globalThis.document.querySelectorAll('presence-count')].map(({id, count}) => [id, count])));
    assert.deepEqual(counts, {wrong: null, ...wanted});
  });
  await expectCounts({one: 1, both: 1, here: 1, none: 0, hidden: null});
  const words = (id) => b.locator(`#${id}`).locator('[part=number], [part=words]').allTextContents();
  assert.deepEqual([await words('one'), await words('none'), await words('wrong')], [['1', 'eine Person'], ['0', '0 Personen'], ['', 'Presence unknown']]);
  const both = `${[one, two].sort()}`;
  assert.ok(site.asked.includes(`${both} 200`), site.asked.join('; '));
  const asked = async (statuses) => {
    site.asked.length = 0;
    const sent = () => b.evaluate(() => globalThis.sent.counts);
    const before = await sent();
    // Little further than to the request, because the time limit for its answer, 8 s, is by the same clock.
    for (let passed = 0; passed < 30_000 && (await sent()) === before; passed += 3_000) await b.clock.runFor(3_000);
    await assertSoon(() => assert.deepEqual(site.asked, statuses.map((status) => `${both} ${status}`)));
  };
  await asked([unchanged]);
  const c = await openPage(env, two, 'User C', {section: 'manuscript/abstract'});
  t.after(() => c.context().close());
  await asked([200]);
  await expectCounts({one: 1, both: 2, here: 1, none: 1, hidden: null});
  await b.evaluate(() => { globalThis.document.querySelector('#hidden').hidden = false; });
  await assertSoon(async () => {
    await b.clock.runFor(20);
    assert.deepEqual(site.asked.at(-1), `${[one, two, 'unseen'].sort()} 200`);
  });
  await b.evaluate(() => globalThis.document.querySelector('#hidden').remove());
  const setVisible = (state) => b.evaluate((state) => {
    const {document} = globalThis;
    Object.defineProperty(document, 'visibilityState', {configurable: true, get: () => state});
    document.dispatchEvent(new Event('visibilitychange'));
  }, state);
  await setVisible('hidden');
  site.asked.length = 0;
  await b.clock.runFor(120_000);
  assert.deepEqual(site.asked, [], 'while the page is hidden');
  await setVisible('visible');
  await b.clock.runFor(1);
  await assertSoon(() => assert.deepEqual(site.asked, [`${both} ${unchanged}`]));
  await a.context().close();
  site.down = true;
  await asked([]);
  await expectCounts({one: null, both: null, here: null, none: null});
  assert.deepEqual((await b.evaluate(() => globalThis.changes)).filter(([id]) => id === 'both').map(([, count]) => count).slice(-2), [2, null]);
});

test('no listener is left of elements that come and go', {skip: skipIf.onePage}, async (t) => {
  const [project, other] = [newProject(env), newProject(env)];
  const site = await startSite(t, {'/host': '<main>empty</main>'});
  const page = await openHost(t, site, '/host', (page) => page.addInitScript(countListeners));
  const listeners = () => page.evaluate(() => globalThis.listeners(window, document, document.body).join());
  await page.locator('main').click(); // the driver adds listeners of its own, too
  const before = await listeners();
  for (let i = 0; i < 3; i++) {
    await page.evaluate((html) => { document.querySelector('main').innerHTML = html; }, `
      <writer-presence project="${project}" section="a" alone></writer-presence> <presence-avatars section="a"></presence-avatars>
      <presence-warning></presence-warning> <presence-count></presence-count> <presence-count project="${other}"></presence-count>`);
    await page.locator('writer-presence button.presence-badge').click({timeout: TIMEOUT});
    await page.locator('writer-presence .presence-list').waitFor({timeout: TIMEOUT});
    assert.match(await listeners(), /resize.*visibilitychange/, 'the list is open');
    await page.evaluate(async () => {
      document.querySelector('main').replaceChildren();
      await new Promise((ended) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(ended))));
    });
    assert.equal(await listeners(), before, `after ${i + 1} times`);
  }
  assert.deepEqual(page.errors, []);
});

test('the page of the guide shows who is there, warns, sends its token, and reports saves', {skip: skipIf.onePage}, async (t) => {
  const [project, other] = [newProject(env), newProject(env)];
  await openOther(t, project);
  const headers = {Authorization: `Bearer ${await token(env, 'User C', 3)}`, 'Content-Type': 'application/json'};
  const ask = async (path, init) => (await fetch(`${env.url}/writer/api/project/${project}/presence/${path}`, {...init, headers})).json();
  const of = (language) => recipes(language).filter(({name}) => name.startsWith('docs/how-to/custom-elements.md')).map(({text}) => text);
  const [page, files, dashboard] = of('html');
  const [, sendToken, saves] = of('js');
  const html = page.replace('my-project', project).replace('…', '<option value="manuscript/methods">Methods</option>');
  const site = await startSite(t, {'/dashboard': dashboard.replace('"thesis"', `"${project}"`).replace('"poster review letter"', `"${project} ${other}"`)});
  const {page: others} = site;
  const own = {
    '/host': `<!doctype html><link rel="icon" href="data:,"><body>${html}<button id="save">Save</button><script>const editor = document.querySelector('textarea'); ${sendToken}</script>${files}<script type="module">${saves}</script>`,
    '/my/token': await token(env, 'User B', 2),
  };
  site.page = (path) => own[path] ?? (path.startsWith('/static/writer-presence/') ? readFileSync(file(path.replace('/static/writer-presence/', 'client/')), 'utf8') : others(path));
  const b = await openHost(t, site, '/host', (page) => page.addInitScript(() => {
    globalThis.notify = (words) => { globalThis.notified = words; };
    globalThis.load = async (section) => ({text: `text of ${section}`, revision: 'r2'});
    globalThis.store = async () => 'r3';
    globalThis.revision = 'r1';
  }));
  await expectElement(b, 1);
  await b.evaluate((css) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    globalThis.document.adoptedStyleSheets.push(sheet);
  }, of('css')[0]);
  assert.equal(await b.locator('button[part~=badge]').evaluate((badge) => getComputedStyle(badge).borderRadius), '4px');
  const narrow = skipIf.webkit('a window of its MiniBrowser is at least 447 px wide') ? [] : [390];
  for (const width of [1900, 1100, 1000, 800, 600, 560, ...narrow]) { // the space holds the warning
    await b.setViewportSize({width, height: 800});
    await assertSoon(async () => assert.ok(await b.evaluate(() => {
      const host = globalThis.document.querySelector('presence-warning');
      const [space, slot] = [host, host.shadowRoot.querySelector('[part~=slot]')].map((element) => element.getBoundingClientRect());
      return slot.height > 0 && Math.abs(slot.top - space.top) < 1 && slot.bottom <= space.bottom + 1;
    }), `in a window of ${width} px`));
  }
  await b.locator('select').selectOption('manuscript/methods');
  await b.locator('[part~=warning]').waitFor({state: 'hidden', timeout: TIMEOUT});
  await b.locator('select').selectOption('manuscript/abstract');
  await b.locator('[part~=warning]').getByText('User A is editing here').waitFor({timeout: TIMEOUT});
  const session = 'of-user-c'; // who saves and leaves
  await ask('update/', {method: 'POST', body: JSON.stringify({session, seq: 1, section: '', saved: {section: 'manuscript/abstract', revision: 'r2'}})});
  await ask('leave/', {method: 'POST', body: JSON.stringify({session, seq: 2})});
  await b.getByRole('button', {name: 'Edit anyway'}).click(); // a notice waits for the answer
  await b.getByRole('button', {name: 'Show latest'}).click();
  await assertSoon(async () => assert.deepEqual(await b.evaluate(() => [globalThis.notified, document.querySelector('textarea').value]), ['User C saved manuscript/abstract', 'text of manuscript/abstract']));
  await b.getByRole('button', {name: 'Show latest'}).waitFor({state: 'hidden', timeout: TIMEOUT}); // opened() says that the page has it
  await b.locator('textarea').pressSequentially('x');
  const seen = async () => {
    const {users, saved} = await ask('list/');
    return [users.find(({username}) => username === 'User B')?.unsaved, saved[0]?.revision];
  };
  await assertSoon(async () => assert.deepEqual(await seen(), [['manuscript/abstract'], 'r2']));
  await b.locator('#save').click();
  await assertSoon(async () => assert.deepEqual(await seen(), [undefined, 'r3']));
  await expectOneSession(b);
  const c = await openHost(t, site, '/dashboard');
  for (const i of [0, 1]) await c.locator('presence-count').nth(i).filter({hasText: '2'}).waitFor({timeout: TIMEOUT});
  assert.deepEqual([...b.errors, ...c.errors], []);
});
