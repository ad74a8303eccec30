/**
 * React 18 and 19 (in StrictMode), Vue and Svelte: the recipes of the documents as a page on a real server, beside another person. All
 * have to do the same.
 */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {bundlePage, components, renderOnServer} from '../client/test/frameworks.js';
import {countListeners} from './listeners.js';
import {startProxy} from './proxy.js';
import {TIMEOUT, assertSoon, environment, newProject, passHeartbeats, skipIf, token} from './fixtures.js';

const env = environment({lease: 60_000}); // no lease expires during a test
const ABSTRACT = 'manuscript/abstract';
const METHODS = 'manuscript/methods';

/** Records where the interface is drawn in `globalThis.places`. */
const RECORD = `
    import {PresenceManager} from 'writer-presence';
    const {setElements} = PresenceManager.prototype;
    PresenceManager.prototype.setElements = function (places) {
      globalThis.places = {...globalThis.places, ...places};
      setElements.call(this, places);
    };`;

/** A page of each framework: `mount(name, props)`, `update(props)` and `unmount()`. `Own` draws everything itself; `rendered` has what a selector gave to each rendering. */
const REACT = {
  ...components('react'),
  'main.jsx': `${RECORD}
    import {StrictMode, memo} from 'react';
    import {createRoot, hydrateRoot} from 'react-dom/client';
    import {ConflictWarning, PresenceBadge, PresenceProvider, useOccupants, usePresence, useSection} from 'writer-presence/react';
    import {Page} from './Page.jsx';
    import {Project} from './Project.jsx';
    import {SaveButton} from './SaveButton.jsx';
    import {Status} from './Status.jsx';
    const Counter = memo(() => {
      globalThis.rendered.push(usePresence(({users}) => ({count: users.length})).count);
      globalThis.lists.add(useOccupants('${METHODS}'));
    });
    function Editor({section, unsaved}) {
      useSection(section, {unsaved});
      return <SaveButton section={section} text="" revision="1" onSaved={() => {}} />;
    }
    const Own = ({project, token, closed, ready, ...editor}) => (
      <PresenceProvider project={project} token={() => token} user={null}><Status section="${ABSTRACT}" /><Counter />{!closed && <Editor {...editor} />}{ready && <><PresenceBadge /><ConflictWarning /></>}</PresenceProvider>
    );
    let root, App, props;
    globalThis.mount = (name, initial) => {
      App = {Page, Project, Own}[name];
      const main = document.querySelector('main');
      if (main.hasChildNodes()) return root = hydrateRoot(main, draw(initial));
      root = createRoot(main);
      root.render(draw(initial));
    };
    const draw = (changed) => <StrictMode><App {...(props = {...props, ...changed})} /></StrictMode>;
    globalThis.update = (changed) => root.render(draw(changed));
    globalThis.unmount = () => root.unmount();`,
};

const VUE = {
  ...components('vue'),
  'Editor.vue': `
    <script setup>
    import {useSection} from 'writer-presence/vue';
    import SaveButton from './SaveButton.vue';
    const props = defineProps(['section', 'unsaved']);
    useSection(() => props.section, {unsaved: () => props.unsaved});
    </script>
    <template><SaveButton :section="section" text="" revision="1" /></template>`,
  'Own.vue': `
    <script setup>
    import {watchEffect} from 'vue';
    import {ConflictWarning, PresenceBadge, providePresence, useOccupants, usePresence} from 'writer-presence/vue';
    import Editor from './Editor.vue';
    import Status from './Status.vue';
    const props = defineProps(['project', 'token', 'section', 'unsaved', 'closed', 'ready']);
    providePresence(() => ({project: props.project, user: null, token: () => props.token}));
    const count = usePresence(({users}) => ({count: users.length}));
    const occupants = useOccupants('${METHODS}');
    watchEffect(() => globalThis.rendered.push(count.value.count));
    watchEffect(() => globalThis.lists.add(occupants.value));
    </script>
    <template><Status section="${ABSTRACT}" /><Editor v-if="!closed" :section="section" :unsaved="unsaved" /><template v-if="ready"><PresenceBadge /><ConflictWarning /></template></template>`,
  'main.jsx': `${RECORD}
    import {createApp, createSSRApp, h, shallowRef} from 'vue';
    import Own from './Own.vue';
    import Page from './Page.vue';
    import Project from './Project.vue';
    let app;
    const props = shallowRef();
    globalThis.mount = (name, initial) => {
      props.value = initial;
      const create = document.querySelector('main').hasChildNodes() ? createSSRApp : createApp;
      app = create({render: () => h({Page, Project, Own}[name], props.value)});
      app.mount('main');
    };
    globalThis.update = (changed) => { props.value = {...props.value, ...changed}; };
    globalThis.unmount = () => app.unmount();`,
};

const SVELTE = {
  ...components('svelte'),
  // Without runes.
  'Legacy.svelte': `
    <script>
      import {writable} from 'svelte/store';
      import {useSection} from 'writer-presence/svelte';
      import SaveButton from './SaveButton.svelte';
      export let section;
      export let unsaved = false;
      const current = writable(section);
      const options = writable({unsaved});
      $: current.set(section);
      $: options.set({unsaved});
      useSection(current, options);
    </script>
    <SaveButton {section} text="" revision="1" />`,
  'Counter.svelte': `
    <script>
      import {useOccupants, usePresence} from 'writer-presence/svelte';
      const count = usePresence(({users}) => ({count: users.length}));
      const occupants = useOccupants('${METHODS}');
      $: globalThis.rendered.push($count.count);
      $: globalThis.lists.add($occupants);
    </script>`,
  'Own.svelte': `
    <script>
      import {conflictWarning, presenceBadge, providePresence} from 'writer-presence/svelte';
      import Counter from './Counter.svelte';
      import Legacy from './Legacy.svelte';
      import Status from './Status.svelte';
      let {project, token, section, unsaved, closed, ready} = $props();
      providePresence(() => ({project, user: null, token: () => token}));
    </script>
    <Status section="${ABSTRACT}" /><Counter />
    {#if !closed}<Legacy {section} {unsaved} />{/if}
    {#if ready}<p use:presenceBadge></p><div use:conflictWarning></div>{/if}`,
  'Root.svelte': `
    <script>
      let {App, initial} = $props();
      let props = $state.raw(initial);
      globalThis.update = (changed) => { props = {...props, ...changed}; };
    </script>
    <App {...props} />`,
  'main.jsx': `${RECORD}
    import {hydrate, mount, unmount} from 'svelte';
    import Own from './Own.svelte';
    import Page from './Page.svelte';
    import Project from './Project.svelte';
    import Root from './Root.svelte';
    let app;
    globalThis.mount = (name, initial) => {
      const target = document.querySelector('main');
      const App = {Page, Project, Own}[name];
      app = target.hasChildNodes() ? hydrate(App, {target, props: initial}) : mount(Root, {target, props: {App, initial}});
    };
    globalThis.unmount = () => unmount(app);`,
};

/** Opens a page of a host with a script. Its sessions are in `globalThis.sessions`, what it logs in `page.logged`. */
async function open(t, script) {
  const site = await startProxy(env.url);
  const context = await env.browser.newContext();
  t.after(async () => {
    await context.close();
    site.stop();
  });
  site.page = (path) => (path === '/host' ? '<!doctype html><title>Host</title><link rel="icon" href="data:,"><main></main>' : undefined);
  const page = await context.newPage();
  page.logged = [];
  page.on('pageerror', (error) => page.logged.push(String(error)));
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && page.logged.push(message.text()));
  await page.addInitScript(() => {
    Object.assign(globalThis, {sessions: new Set(), rendered: [], lists: new Set(), store: async () => '2'});
    const {send} = WebSocket.prototype;
    const {fetch} = globalThis;
    const record = (body = '{}') => {
      const {session} = JSON.parse(body);
      if (session) globalThis.sessions.add(session);
    };
    WebSocket.prototype.send = function (data) {
      record(data);
      send.call(this, data);
    };
    globalThis.fetch = (url, options) => {
      record(options?.body);
      return fetch(url, options);
    };
  });
  await page.addInitScript(countListeners);
  await page.goto(`${site.url}/host`);
  await page.evaluate(script);
  return page;
}

/** Another person in a project, without an interface. `enter(section)`, and `sees()` gives `section activity` of each other user. */
async function openOther(t, project) {
  const page = await open(t, '');
  await page.evaluate(async ([project, token]) => {
    const {PresenceManager} = await import('/writer/api/client/writer-presence.js');
    globalThis.presence = new PresenceManager(project, null, {token, view: false});
    globalThis.presence.start();
  }, [project, await token(env, 'User A')]);
  return {
    enter: (section) => page.evaluate(async (section) => {
      globalThis.presence.setSection(section);
      await globalThis.presence.updatePresence();
    }, section),
    sees: (expected) => assertSoon(async () => assert.deepEqual(
      await page.evaluate(() => globalThis.presence.getSnapshot().users.map(({section, activity, unsaved}) => [section, activity, ...(unsaved ? ['unsaved'] : [])].join(' '))), expected,
    )),
    saves: () => page.evaluate(() => globalThis.presence.getSnapshot().saves.map(({section, revision}) => `${section} ${revision}`)),
  };
}

/** The section that the page shows. */
const expectOpen = (page, section) => page.locator(`textarea[aria-label="${section}"]`).waitFor({timeout: TIMEOUT});

for (const [name, files, options] of [['React 19', REACT], ['React 18', REACT, {react: 18}], ['Vue', VUE], ['Svelte', SVELTE]]) {
  const framework = name.split(' ')[0].toLowerCase();
  test(`${name}: the ready-made components show who is there, warn, and end with their page`, {skip: skipIf.onePage}, async (t) => {
    const [project, second] = [newProject(env), newProject(env)];
    const a = await openOther(t, project);
    const b = await open(t, await bundlePage(files, options));
    await a.enter(ABSTRACT);
    await b.evaluate(([project, sections]) => globalThis.mount('Project', {project, user: null, sections}), [project, [METHODS, ABSTRACT]]);

    await b.locator('.presence-badge .presence-count').filter({hasText: /^1$/}).waitFor({timeout: TIMEOUT});
    await b.locator(`li:has-text("${ABSTRACT}") .presence-avatar[data-activity=editing]`).waitFor({timeout: TIMEOUT});
    assert.equal(await b.locator('li .presence-avatar').count(), 1);
    await a.sees([`${METHODS} editing`]);

    const warning = b.locator('main div[style] > .presence-slot').getByText('User A is editing here');
    const abstract = b.getByRole('button', {name: ABSTRACT});
    await abstract.click();
    await warning.waitFor({timeout: TIMEOUT});
    await a.sees([`${ABSTRACT} viewing`]);
    await b.getByRole('button', {name: 'Go back to Methods'}).click({timeout: TIMEOUT});
    await expectOpen(b, METHODS);
    await a.sees([`${METHODS} editing`]);
    assert.ok(await b.evaluate(() => document.activeElement.matches('main div[style]')), 'the focus is where the warning was');
    await abstract.click();
    await warning.waitFor({timeout: TIMEOUT});
    await b.getByRole('button', {name: 'Edit anyway'}).click({timeout: TIMEOUT});
    await warning.waitFor({state: 'hidden', timeout: TIMEOUT});
    await b.locator('textarea').pressSequentially('x');
    await a.sees([`${ABSTRACT} editing unsaved`]);

    await b.getByRole('button', {name: METHODS}).click();
    await a.sees([`${METHODS} editing`]);
    await b.locator('.presence-badge').first().click();
    await b.locator('.presence-list').getByRole('button', {name: /User A/}).click();
    await expectOpen(b, ABSTRACT);
    await a.sees([`${ABSTRACT} editing`]);

    await passHeartbeats(env, 1); // all that happened is drawn
    await b.evaluate((sections) => globalThis.update({sections}), [METHODS]);
    await abstract.waitFor({state: 'detached', timeout: TIMEOUT});
    await b.evaluate((sections) => globalThis.update({sections}), [METHODS, ABSTRACT]);
    await b.locator(`li:has-text("${ABSTRACT}") .presence-avatar`).waitFor({timeout: TIMEOUT}); // though nobody has moved since
    assert.equal(await b.evaluate(() => globalThis.sessions.size), 1, 'sessions');
    await b.evaluate((project) => globalThis.update({project}), second);
    await a.sees([]);
    const other = await openOther(t, second);
    await other.sees([`${ABSTRACT} editing`]);
    assert.equal(await b.evaluate(() => globalThis.sessions.size), 2, 'sessions');
    await b.locator('.presence-badge .presence-count').filter({hasText: /^1$/}).waitFor({timeout: TIMEOUT});

    await b.evaluate(() => globalThis.unmount());
    await other.sees([]);
    assert.equal(await b.locator('[data-presence-part], .presence-badge').count(), 0, 'parts left');
    const listeners = () => b.evaluate(() => globalThis.listeners(window, document, document.body).join());
    const left = await listeners();
    for (let i = 0; i < 2; i++) {
      await b.evaluate(([project, sections]) => globalThis.mount('Project', {project, user: null, sections}), [second, [METHODS, ABSTRACT]]);
      await b.locator('.presence-badge .presence-count').filter({hasText: /^1$/}).waitFor({timeout: TIMEOUT});
      assert.notEqual(await listeners(), left);
      await b.evaluate(() => globalThis.unmount());
    }
    await other.sees([]);
    assert.equal(await listeners(), left, 'listeners left');

    assert.deepEqual(b.logged, []);
  });

  test(`${name}: a page that a server rendered is hydrated without a difference, and is one session`, {skip: skipIf.onePage}, async (t) => { // case 57
    const project = newProject(env);
    const props = {project, user: null, section: ABSTRACT};
    const a = await openOther(t, project);
    const b = await open(t, await bundlePage(files, options));
    await a.enter(ABSTRACT);
    const html = await renderOnServer(framework, files, Object.keys(files)[0], props, options);
    await b.evaluate(([html, props]) => {
      document.querySelector('main').innerHTML = html;
      globalThis.textarea = document.querySelector('textarea');
      globalThis.mount('Page', props);
    }, [html, props]);
    await b.locator('main .presence-slot').getByText('User A is editing here').waitFor({timeout: TIMEOUT});
    await b.locator('main .presence-badge .presence-count').filter({hasText: /^1$/}).waitFor({timeout: TIMEOUT});
    assert.ok(await b.evaluate(() => globalThis.textarea.isConnected), 'the text field of the server was replaced');
    await passHeartbeats(env, 1);
    assert.equal(await b.evaluate(() => globalThis.sessions.size), 1, 'sessions');
    await b.evaluate(() => globalThis.unmount());
    await a.sees([]);
    assert.deepEqual(b.logged, []);
  });

  test(`${name}: a page that draws its own interface renders what changed, and the ready-made parts only while they are mounted`, {skip: skipIf.onePage}, async (t) => {
    const project = newProject(env);
    const a = await openOther(t, project);
    const b = await open(t, await bundlePage(files, options));
    await a.enter(ABSTRACT);
    await b.evaluate((props) => globalThis.mount('Own', props), {project, token: await token(env, 'User B'), section: ABSTRACT, unsaved: false});

    const aside = b.locator('aside[title="User A"]');
    await aside.getByText('1 others. Presence is live').waitFor({timeout: TIMEOUT});
    await aside.locator('i').filter({hasText: /^U/}).waitFor({timeout: TIMEOUT});
    await aside.getByRole('alert').filter({hasText: 'User A is here.'}).waitFor({timeout: TIMEOUT});
    await a.sees([`${ABSTRACT} viewing`]);
    const drawn = b.locator('.presence-badge, .presence-list, .presence-slot, .presence-occupants');
    assert.equal(await drawn.count(), 0, 'drawn by the plain interface');
    await b.evaluate(() => globalThis.update({ready: true}));
    await b.locator('.presence-badge .presence-count').filter({hasText: /^1$/}).waitFor({timeout: TIMEOUT});
    await b.locator('.presence-slot').getByText('User A is editing here').waitFor({timeout: TIMEOUT});
    await b.evaluate(() => globalThis.update({ready: false}));
    await assertSoon(async () => assert.equal(await drawn.count(), 0, 'drawn without a component'));
    await assertSoon(async () => assert.deepEqual(await b.evaluate(() => globalThis.places), {badge: '', warning: false}));
    await aside.getByRole('button', {name: 'Edit'}).click();
    await aside.getByRole('alert').waitFor({state: 'detached', timeout: TIMEOUT});
    await a.sees([`${ABSTRACT} editing`]);

    const [before, lists] = await b.evaluate(() => [globalThis.rendered.length, globalThis.lists.size]);
    await b.evaluate(() => globalThis.update({unsaved: true}));
    await a.sees([`${ABSTRACT} editing unsaved`]);
    await b.getByRole('button', {name: 'Save'}).click();
    await assertSoon(async () => assert.deepEqual(await a.saves(), [`${ABSTRACT} 2`]));
    await b.evaluate(() => globalThis.update({closed: true}));
    await a.sees([' viewing']);
    await a.enter(null);
    await aside.locator('i').waitFor({state: 'detached', timeout: TIMEOUT});
    assert.deepEqual(await b.evaluate((from) => globalThis.rendered.slice(from), before), [], 'renderings for what the selector does not take');
    assert.equal(await b.evaluate(() => globalThis.lists.size), lists, 'lists of users in a section without users');

    await b.evaluate(() => globalThis.unmount());
    await a.sees([]);
    assert.equal(await b.evaluate(() => globalThis.sessions.size), 1, 'sessions');
    assert.deepEqual(b.logged, []);
  });
}

/** Two pages in a `<KeepAlive>`, in a simulated room. `at` on the page is the one that is shown. */
const KEPT = (inside) => ({'main.jsx': `
  import {createApp, h, KeepAlive, ref} from 'vue';
  import {AvatarStack, ConflictWarning, PresenceBadge, providePresence, useSection} from 'writer-presence/vue';
  import {createRoom} from 'writer-presence/testing';
  const room = globalThis.room = createRoom();
  const options = {project: 'p', user: 1, ...room.options};
  const pages = ['one', 'two'].map((section) => ({setup() {
    if (${inside}) providePresence(options);
    useSection(section);
    return () => h('section', {title: section}, [h(PresenceBadge), h(AvatarStack, {section}), h(ConflictWarning)]);
  }}));
  globalThis.at = ref(0);
  const app = createApp({setup() {
    if (!${inside}) providePresence(options);
    return () => h(KeepAlive, () => h(pages[globalThis.at.value]));
  }});
  room.join({username: 'Alice', section: 'one'});
  app.mount('main');
  globalThis.unmount = () => app.unmount();`});

for (const inside of [true, false]) {
  test(`Vue: a page that <KeepAlive> takes out claims and draws nothing until it comes back, with the provider ${inside ? 'in' : 'around'} it`, {skip: skipIf.onePage}, async (t) => {
    const page = await open(t, await bundlePage(KEPT(inside)));
    for (const [at, section, warned] of [[0, 'one', 1], [1, 'two', 0], [0, 'one', 1]]) {
      await page.evaluate((at) => { globalThis.at.value = at; }, at);
      await page.locator(`section[title=${section}] .presence-badge:visible`).filter({hasText: '1'}).waitFor({timeout: TIMEOUT});
      await assertSoon(async () => assert.deepEqual([
        await page.evaluate(() => globalThis.room.users.map((user) => `${user.username} ${user.section}`)),
        await page.locator('.presence-slot:visible').count(),
        await page.locator('.presence-occupants:visible').count(),
      ], [['Alice one', `You ${section}`], warned, warned]));
    }
    await page.evaluate(() => globalThis.unmount());
    await assertSoon(async () => assert.deepEqual(await page.evaluate(() => globalThis.room.users.map(({username}) => username)), ['Alice']));
    assert.deepEqual(page.logged, []);
  });
}
