/** The interface in pages of hosts: several managers, shadow roots, and elements that a translator, an extension or the host rewrites. */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {TIMEOUT, assertSoon, environment, expectBadge, newProject, skipIf, token} from './fixtures.js';

const env = environment({lease: 120_000});

/** A page of a host with this body, on the server's origin. `create(options)` on it creates and starts a manager. */
async function hostPage(body, project, options = {}) {
  const context = await env.browser.newContext({viewport: {width: 900, height: 500}, ...options});
  const page = await context.newPage();
  page.errors = [];
  // In Firefox the policy of the document below stays, and forbids style attributes in what a test copies by innerHTML.
  const record = (text) => text.includes('style-src-attr') || page.errors.push(text);
  page.on('pageerror', (error) => record(String(error)));
  page.on('console', (message) => { // its type is `warn` by WebDriver BiDi
    if (['error', 'warning', 'warn'].includes(message.type()) && !message.location().url.endsWith('/favicon.ico')) record(message.text());
  });
  await page.goto(`${env.url}/writer/api/client/strings.js`); // a document that routing fulfils may open no WebSocket to this machine
  await page.setContent(`<!doctype html><html lang="en"><title>Host</title><body>${body}`);
  await page.evaluate(async ({project, token}) => {
    const {PresenceManager} = await import('/writer/api/client/writer-presence.js');
    globalThis.create = (options = {}, id = project, section = 'intro') => {
      const presence = new PresenceManager(id, null, {token, ...options});
      presence.setSection(section, {activity: 'viewing'});
      presence.start();
      return (globalThis.presence = presence);
    };
  }, {project, token: await token(env, 'me', 1)});
  return page;
}

/** Somebody enters a section, or moves there. */
async function enter(project, name, section = 'intro') {
  const response = await fetch(`${env.url}/writer/api/project/${project}/presence/update/`, {
    method: 'POST',
    headers: {'Content-Type': 'application/json', 'Authorization': `Bearer ${await token(env, name)}`},
    body: JSON.stringify({session: 'only', section}),
  });
  assert.equal(response.status, 200);
}

async function leave(project, name) {
  await fetch(`${env.url}/writer/api/project/${project}/presence/leave/`, {
    method: 'POST',
    headers: {'Content-Type': 'application/json', 'Authorization': `Bearer ${await token(env, name)}`},
    body: JSON.stringify({session: 'only'}),
  });
}

const select = (attributes = 'id="texfile-selector"') => `<select ${attributes}>
  <option value="intro">Introduction</option><option value="methods" label="Methods"></option></select>`;
const host = `<p id="bar">${select()} <span id="presence-badge"></span></p><ul><li data-presence-section="intro">Introduction</li></ul>`;

/** What the select shows for its sections. */
const labels = (page) => page.evaluate(() => [...document.querySelector('select').options].map((option) => option.label.replace('\u2060', '')));
const expectLabels = (page, due) => assertSoon(async () => assert.deepEqual(await labels(page), due));

test('two managers on a page have elements with ids of their own, and refer to those', {skip: skipIf.onePage}, async () => {
  const [one, two] = [newProject(env), newProject(env)];
  for (const project of [one, two]) await enter(project, `Bob of ${project}`);
  const part = (id) => `<div id="${id}">${select('class="sections"')} <span class="badge"></span><i data-presence-section="intro">Introduction</i>${'<br>'.repeat(10)}</div>`;
  const page = await hostPage(`${part('a')}${part('b')}`, one);
  await page.evaluate(([one, two]) => {
    for (const [id, project] of [['a', one], ['b', two]]) {
      const presence = globalThis.create({elements: {root: document.getElementById(id), badge: '.badge', selector: '.sections'}}, project);
      presence.setSection('intro');
    }
  }, [one, two]);
  await assertSoon(async () => assert.deepEqual((await page.locator('.badge').allInnerTexts()).map((text) => text.trim()), ['1', '1']));
  await assertSoon(async () => assert.equal(await page.locator('.presence-warning').count(), 2));
  const found = await page.evaluate(() => ({
    ids: [...document.querySelectorAll('[id]')].map(({id}) => id),
    lists: [...document.querySelectorAll('.badge')].map((badge) => badge.getAttribute('aria-controls') === badge.parentElement.querySelector('.presence-list').id),
    warnings: [...document.querySelectorAll('.presence-warning')].map((warning) => document.getElementById(warning.getAttribute('aria-labelledby')).parentElement === warning),
  }));
  assert.deepEqual(found.ids.filter((id, i) => found.ids.indexOf(id) !== i), [], 'ids that exist twice');
  for (const id of ['presence-list', 'presence-warning-text']) assert.ok(found.ids.includes(id), `the first manager's ${id}`);
  assert.deepEqual([found.lists, found.warnings], [[true, true], [true, true]]);
  for (const [id, project] of [['a', one], ['b', two]]) {
    await page.locator(`#${id} .badge`).hover();
    await page.locator(`#${id} .presence-list:visible`).filter({hasText: `Bob of ${project}`}).waitFor({timeout: TIMEOUT});
    assert.deepEqual(await page.locator(`#${id} .presence-occupants`).allInnerTexts().then((texts) => texts.map((text) => text.includes(`Bob of ${project}`))), [true], 'avatars of the other project');
    await page.mouse.move(880, 480);
    await page.locator('.presence-list:visible').waitFor({state: 'hidden', timeout: TIMEOUT});
  }
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

test('managers that share a select leave each other\'s marks', {skip: skipIf.onePage}, async () => {
  const [project, other] = [newProject(env), newProject(env)];
  const page = await hostPage(host, project);
  await enter(project, 'Alice');
  await page.evaluate(() => create());
  await expectLabels(page, ['Introduction — ✎ Alice', 'Methods']);
  await page.evaluate((other) => create({}, other, 'methods'), other);
  await enter(other, 'Bob', 'methods');
  await expectLabels(page, ['Introduction — ✎ Alice', 'Methods — ✎ Bob']);
  await page.evaluate(() => presence.stop());
  await expectLabels(page, ['Introduction — ✎ Alice', 'Methods']);
  await page.context().close();
});

test('options that a translator or an extension rewrites have their marks once, and are restored', {skip: skipIf.onePage}, async () => { // case 50
  const project = newProject(env);
  await enter(project, 'bob');
  const page = await hostPage(host, project);
  await page.evaluate(() => globalThis.create());
  await expectLabels(page, ['Introduction — ✎ bob', 'Methods']);
  /** Rewrites all text below the node, as translators do, or replaces the text nodes. */
  const rewrite = (change, wrap) => page.evaluate(([change, wrap]) => {
    const [from, to] = change;
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) if (!['SCRIPT', 'STYLE'].includes(walker.currentNode.parentElement.tagName)) texts.push(walker.currentNode);
    for (const text of texts) {
      const translated = document.createTextNode(text.data.replace(from, to));
      if (!wrap) { text.replaceWith(translated); continue; }
      const font = document.createElement('font');
      font.append(document.createElement('font'));
      font.firstChild.append(translated);
      text.replaceWith(font);
    }
  }, [change, wrap]);

  await rewrite(['Introduction', 'Einleitung'], true);
  await enter(project, 'carol');
  await expectLabels(page, ['Einleitung — ✎ bob, carol', 'Methods']);
  await rewrite(['Einleitung', 'Introducción'], false);
  await enter(project, 'carol', 'methods');
  await expectLabels(page, ['Introducción — ✎ bob', 'Methods — ✎ carol']);
  // An extension that rewrites the attribute, too.
  await page.evaluate(() => {
    for (const option of document.querySelectorAll('option[label]')) option.label = option.label.toUpperCase().replace('BOB', 'bob').replace('CAROL', 'carol');
  });
  await enter(project, 'dan');
  await expectLabels(page, ['Introducción — ✎ bob, dan', 'Methods — ✎ carol']);
  await expectBadge(page, '3');
  await page.locator('#presence-badge').hover();
  await page.locator('#presence-list:visible').filter({hasText: 'bob (Introducción)'}).waitFor({timeout: TIMEOUT});
  assert.equal(await page.locator('li .presence-occupants').count(), 1);

  await page.evaluate(() => globalThis.presence.stop());
  await expectLabels(page, ['Introducción', 'Methods']);
  assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll('option')].map((option) => [option.hasAttribute('label'), option.text, 'presenceLabel' in option.dataset])),
    [[false, 'Introducción', false], [true, '', false]]);
  assert.equal(await page.locator('[data-presence-part]').count(), 0);
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

test('a label that the host changes is followed, as text and as attribute', {skip: skipIf.onePage}, async () => { // case 50
  const project = newProject(env);
  await enter(project, 'bob');
  await enter(project, 'carol', 'methods');
  const page = await hostPage(host, project);
  await page.evaluate(() => globalThis.create());
  await expectLabels(page, ['Introduction — ✎ bob', 'Methods — ✎ carol']);
  await page.evaluate(() => {
    const [intro, methods] = document.querySelectorAll('option');
    intro.textContent = 'Preface';
    methods.label = 'Material';
    globalThis.presence.updateUI();
  });
  assert.deepEqual(await labels(page), ['Preface — ✎ bob', 'Material — ✎ carol']);
  await page.evaluate(() => globalThis.presence.stop());
  await expectLabels(page, ['Preface', 'Material']);
  await page.context().close();
});

test('copies of elements that the host makes by innerHTML or cloneNode have each part once', {skip: skipIf.onePage}, async () => { // case 50
  const project = newProject(env);
  await enter(project, 'bob');
  const page = await hostPage(`<main>${host}</main>`, project);
  await page.evaluate(() => {
    globalThis.create().setSection('intro');
  });
  await page.locator('.presence-warning').waitFor({timeout: TIMEOUT});
  await expectLabels(page, ['Introduction — ✎ bob', 'Methods']);
  const parts = () => page.evaluate(() => [...document.querySelectorAll('.presence-list, .presence-status, .presence-warning, .presence-occupants, body > .presence-said')].map(({classList}) => classList[0]).sort());
  const due = await parts();
  assert.deepEqual(due, ['presence-list', 'presence-occupants', 'presence-said', 'presence-status', 'presence-warning']);
  const redraws = {
    'innerHTML of the parent': () => (document.querySelector('main').innerHTML += '<p>more</p>'),
    'innerHTML of the body': () => (document.body.innerHTML = document.body.innerHTML),
    'cloneNode of the parent': () => document.querySelector('main').replaceWith(document.querySelector('main').cloneNode(true)),
    'cloneNode of the select': () => document.querySelector('select').replaceWith(document.querySelector('select').cloneNode(true)),
    'cloneNode of an element with avatars': () => document.querySelector('li').replaceWith(document.querySelector('li').cloneNode(true)),
    'innerHTML of the badge': () => (document.getElementById('presence-badge').innerHTML = '<b>old</b>'),
  };
  for (const [name, redraw] of Object.entries(redraws)) {
    await page.evaluate(redraw);
    await page.evaluate(() => globalThis.presence.updateUI());
    assert.deepEqual(await parts(), due, name);
    assert.deepEqual(await labels(page), ['Introduction — ✎ bob', 'Methods'], name);
    const {ids, controls, named} = await page.evaluate(() => ({
      ids: [...document.querySelectorAll('[id^=presence-]')].map(({id}) => id).sort(),
      controls: document.getElementById('presence-badge').getAttribute('aria-controls'),
      named: document.querySelector('.presence-warning').getAttribute('aria-labelledby'),
    }));
    assert.deepEqual([ids, controls, named], [['presence-badge', 'presence-list', 'presence-warning-text'], 'presence-list', 'presence-warning-text'], name);
    await page.locator('#presence-badge').hover();
    await page.locator('#presence-list:visible').filter({hasText: 'bob (Introduction)'}).waitFor({timeout: TIMEOUT});
    await page.mouse.move(0, 480);
    await page.locator('#presence-list').waitFor({state: 'hidden', timeout: TIMEOUT});
  }
  await page.getByRole('button', {name: 'Edit anyway'}).click();
  await page.locator('.presence-warning').waitFor({state: 'hidden', timeout: TIMEOUT});
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

for (const mode of ['open', 'closed']) {
  test(`a badge in a shadow root (${mode}) has styles, list, marks, warning and live region there`, {skip: skipIf.onePage}, async () => { // case 51
    const project = newProject(env);
    await enter(project, 'bob');
    const page = await hostPage('<div id="host"></div><div id="other"></div>', project);
    await page.evaluate(([mode, html]) => {
      const root = (globalThis.root = document.getElementById('host').attachShadow({mode}));
      root.innerHTML = `${html}${'<br>'.repeat(9)}<textarea></textarea>`;
      root.adoptedStyleSheets = [new CSSStyleSheet()];
      const badge = root.getElementById('presence-badge');
      globalThis.create({elements: {badge, editor: 'textarea'}}).setSection('intro');
    }, [mode, host]);
    const inRoot = (find) => page.evaluate(find);
    await assertSoon(async () => assert.equal(await inRoot(() => globalThis.root.querySelector('.presence-warning')?.checkVisibility()), true));
    await assertSoon(async () => assert.equal(await inRoot(() => globalThis.root.querySelector('option').label.replace('\u2060', '')), 'Introduction — ✎ bob'));
    await page.waitForFunction(() => globalThis.root.getElementById('presence-badge').textContent === '1');
    assert.deepEqual(await inRoot(() => {
      const {root} = globalThis;
      const style = (css) => getComputedStyle(root.querySelector(css));
      return {
        sheets: root.adoptedStyleSheets.length, badge: style('#presence-badge').borderTopLeftRadius, warning: style('.presence-warning').display,
        said: style('[role=status]').position, avatars: root.querySelectorAll('li .presence-avatar').length,
        follows: root.querySelector('.presence-slot').previousElementSibling.id, region: root.querySelector('[role=status]').parentNode === root,
        labelled: root.getElementById(root.querySelector('.presence-warning').getAttribute('aria-labelledby')).textContent,
        outside: document.querySelectorAll('[data-presence-part]').length,
      };
    }), {
      sheets: 2, badge: '16px', warning: 'flex', said: 'absolute', avatars: 1, follows: 'bar', region: true,
      labelled: 'bob is editing here, active just now', outside: 0,
    });

    // The list opens, stays open when it is pressed, and closes when something else is.
    const box = (css) => page.evaluate((css) => {
      const {x, y, width, height} = globalThis.root.querySelector(css).getBoundingClientRect();
      return [x + width / 2, y + height / 2];
    }, css);
    const open = () => inRoot(() => !globalThis.root.getElementById('presence-list').hidden);
    await page.mouse.click(...await box('#presence-badge'));
    assert.equal(await open(), true, 'after a press on the badge');
    await page.mouse.click(...await box('.presence-list li'));
    assert.equal(await open(), true, 'after a press in the list');
    await page.mouse.click(...await box('textarea'));
    assert.equal(await open(), false, 'after a press outside');

    // A host that sets its own style sheets again takes ours away.
    await inRoot(() => {
      globalThis.root.adoptedStyleSheets = [];
      globalThis.presence.updateUI();
    });
    assert.equal(await inRoot(() => globalThis.root.adoptedStyleSheets.length), 1);
    const edit = await box('.presence-actions button + button');
    await assertSoon(async () => assert.equal(await page.evaluate(([x, y]) => globalThis.root.elementFromPoint(x, y)?.textContent, edit), 'Edit anyway')); // takes presses
    await page.mouse.click(...edit);
    assert.equal(await inRoot(() => globalThis.root.activeElement?.tagName), 'TEXTAREA', '`Edit anyway` moves the focus to the editor');
    await assertSoon(async () => assert.equal(await inRoot(() => globalThis.root.querySelector('.presence-warning').hidden), true));
    await inRoot(() => globalThis.presence.stop());
    await assertSoon(async () => assert.equal(await inRoot(() => globalThis.root.querySelectorAll('[data-presence-part]').length), 0));
    assert.equal(await inRoot(() => globalThis.root.querySelector('option').label.replace('\u2060', '')), 'Introduction');
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });
}

test('the focus returns from a warning in a shadow root that disappears', {skip: skipIf.onePage}, async () => { // case 51
  const project = newProject(env);
  await enter(project, 'bob');
  const page = await hostPage('<div id="host"></div>', project);
  await page.evaluate((html) => {
    const root = document.getElementById('host').attachShadow({mode: 'open'});
    root.innerHTML = html;
    globalThis.create({elements: {root}}).setSection('intro');
  }, host);
  await page.locator('.presence-warning button').first().focus();
  await leave(project, 'bob');
  await page.locator('.presence-warning').waitFor({state: 'hidden', timeout: TIMEOUT});
  assert.equal(await page.evaluate(() => document.getElementById('host').shadowRoot.activeElement?.id), 'texfile-selector');
  await page.context().close();
});

test('elements in nested shadow roots are found from the inside out, and each root has the styles', {skip: skipIf.onePage}, async () => { // case 51
  const project = newProject(env);
  await enter(project, 'bob');
  const page = await hostPage(`<div id="presence-warning"></div>${select()}<div id="outer"></div>`, project);
  await page.evaluate((select) => {
    const outer = document.getElementById('outer').attachShadow({mode: 'closed'});
    outer.innerHTML = `${select}<div id="inner"></div><b data-presence-section="intro">x</b>`;
    const inner = outer.getElementById('inner').attachShadow({mode: 'closed'});
    inner.innerHTML = '<span id="presence-badge"></span><i data-presence-section="intro">y</i>';
    Object.assign(globalThis, {outer, inner});
    globalThis.create({elements: {badge: inner.getElementById('presence-badge')}}).setSection('intro');
  }, select());
  await page.locator('#presence-warning .presence-warning').waitFor({timeout: TIMEOUT});
  await assertSoon(async () => assert.deepEqual(await page.evaluate(() => [globalThis.outer.querySelector('option').label.replace('\u2060', ''), document.querySelector('option').label]), ['Introduction — ✎ bob', 'Introduction']));
  assert.deepEqual(await page.evaluate(() => [globalThis.inner, globalThis.outer, document].map((root) => root.adoptedStyleSheets.length)), [1, 1, 1]);
  assert.deepEqual(await page.evaluate(() => [globalThis.inner, globalThis.outer].map((root) => root.querySelectorAll('[data-presence-section] .presence-avatar').length)), [1, 1]);
  assert.equal(await page.evaluate(() => globalThis.inner.getElementById('presence-list').parentNode === globalThis.inner), true);
  await page.context().close();
});

test('list, warning, styles and live region follow a badge that is moved into another root', {skip: skipIf.onePage}, async () => { // case 51
  const project = newProject(env);
  await enter(project, 'bob');
  const page = await hostPage(`<p><span id="badge"></span></p><div id="a"></div><div id="b"></div>`, project);
  await page.evaluate(() => {
    const badge = document.getElementById('badge');
    globalThis.create({elements: {badge}}).setSection('intro');
    globalThis.roots = ['a', 'b'].map((id) => document.getElementById(id).attachShadow({mode: 'open'}));
    globalThis.roots[1].innerHTML = '<i id="presence-list"></i>'; // the host's own
    globalThis.badge = badge;
  });
  await page.locator('.presence-warning').waitFor({timeout: TIMEOUT});
  for (const [to, list] of [[0, 'presence-list'], [1, 'presence-list-2'], [null, 'presence-list']]) {
    const found = await page.evaluate((to) => {
      const {badge, roots, presence} = globalThis;
      badge.focus(); // opens the list
      const root = to === null ? document : roots[to];
      (root.body ?? root).append(badge);
      presence.updateUI();
      const parts = ['.presence-list', '.presence-status', '.presence-warning', '[role=status]'];
      return {
        here: parts.map((css) => root.querySelectorAll(css).length),
        others: [document, ...roots].filter((other) => other !== root).flatMap((other) => [...other.querySelectorAll('[data-presence-part]')]).length,
        controls: badge.getAttribute('aria-controls'), styled: getComputedStyle(badge).borderTopLeftRadius, expanded: badge.getAttribute('aria-expanded'),
        list: root.querySelector('.presence-list').matches(':popover-open'),
      };
    }, to);
    assert.deepEqual(found, {here: [1, 1, 1, 1], others: 0, controls: list, styled: '16px', expanded: 'false', list: false}, `root ${to}`);
  }
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

test('elements that are neither an element nor a selector throw a TypeError; a selector that matches nothing yet is told', {skip: skipIf.onePage}, async () => {
  const project = newProject(env);
  const page = await hostPage('<p></p>', project);
  const thrown = await page.evaluate(() => [null, 5, {}, [], '##x', '<p>', document, document.querySelectorAll('p')].map((badge) => {
    try {
      globalThis.create({elements: {badge}});
      return 'nothing';
    } catch (error) {
      return `${error.name}: ${error.message}`;
    }
  }));
  for (const error of thrown) assert.match(error, /^TypeError: Presence: elements\.badge is .*: pass an element or a CSS selector/s);
  await page.evaluate(() => globalThis.create({elements: {badge: '#later', warning: '', editor: '#nowhere', selector: undefined}}));
  await assertSoon(() => assert.deepEqual(page.errors, ['Presence: no element is #later (elements.badge)']));
  await page.evaluate(() => { document.body.innerHTML = '<p><b id="later"></b></p>'; });
  await enter(project, 'bob');
  await page.locator('#later').filter({hasText: '1'}).waitFor({timeout: TIMEOUT});
  assert.equal(page.errors.length, 1, 'told once');
  await page.context().close();
});
