/** The bindings for React, Vue and Svelte without a page: rendered on a server, and what they share. browser/frameworks.test.js has the rest. */

import assert from 'node:assert/strict';
import test from 'node:test';
import {conflictIn, drawInto, enter, exit, keep, keyOf, managerFor, occupantsIn, run} from '../frameworks/common.js';
import {PresenceManager} from '../writer-presence.js';
import {ABSTRACT, FakeEnvironment, METHODS, names, settle, user} from './fixtures.js';
import {components, renderOnServer} from './frameworks.js';

/** @typedef {import('../frameworks/common.js').PresenceOptions} PresenceOptions */

for (const [name, framework, react] of /** @type {const} */ ([['React 19', 'react', 19], ['React 18', 'react', 18], ['Vue', 'vue', 0], ['Svelte', 'svelte', 0]])) {
  test(`${name}: the recipes render on a server, where presence is off`, async (t) => { // case 57
    const files = components(framework);
    const [page, project, status] = Object.keys(files);
    const sent = t.mock.method(globalThis, 'fetch', () => assert.fail('a request'));
    t.mock.method(console, 'warn', () => {}); // Vue warns of the error below
    const render = async (/** @type {string} */ file, /** @type {object} */ props) =>
      (await renderOnServer(framework, files, file, props, {react})).replace(/<!--.*?-->/g, '').replace(/ style="height:\s*[\d.]+rem;?"/, ' TALL').replaceAll('></textarea>', '>');

    const html = await render(page, {project: 'demo', user: 1, section: 'intro'});
    const badge = framework === 'svelte' ? '<span></span>' : '<span><span></span></span>';
    assert.equal(html.replace(/\s*(<|$)/g, '$1'), `${badge}<div TALL></div><textarea>`);
    const list = await render(project, {project: 'demo', user: 1, sections: ['intro', 'end']});
    assert.match(list, /<button[^>]*>intro<\/button> <span[^>]*><\/span><\/li>/);
    assert.match(list, /<textarea aria-label="intro"/);

    await assert.rejects(render(status, {section: 'intro'}), framework === 'react' ? /there is no <PresenceProvider> around/ : /no component around this one has called providePresence/);
    assert.equal(sent.mock.callCount(), 0);
  });
}

test('the custom interface of each framework renders the status and no user on a server', async () => {
  const own = {
    react: {'Own.jsx': `
      import {PresenceProvider} from 'writer-presence/react';
      import {Status} from './Status.jsx';
      export const Own = () => <PresenceProvider project="demo" user={1}><Status section="intro" /></PresenceProvider>;`},
    vue: {'Own.vue': `
      <script setup>
      import {providePresence, usePresence} from 'writer-presence/vue';
      import Status from './Status.vue';
      providePresence({project: 'demo', user: 1});
      if (usePresence(({users}) => users.length).value !== 0) throw new Error('users on a server');
      </script>
      <template><Status section="intro" /></template>`},
    svelte: {'Own.svelte': `
      <script>
        import {providePresence} from 'writer-presence/svelte';
        import Status from './Status.svelte';
        providePresence({project: 'demo', user: 1});
      </script>
      <Status section="intro" />`},
  };
  for (const framework of /** @type {const} */ (['react', 'vue', 'svelte'])) {
    const files = {...components(framework), ...own[framework]};
    const html = await renderOnServer(framework, files, Object.keys(own[framework])[0], {});
    assert.equal(html.replace(/<!--.*?-->/g, '').replace(/\s*(<|$)/g, '$1').replace('title=""', 'title'), '<aside title><p>0 others. Presence is off</p></aside>', framework);
  }
});

/** A manager as a provider makes it, on a simulated network. @param {Partial<PresenceOptions>} [options] */
function provide(options, env = new FakeEnvironment()) {
  /** @type {any} */
  const all = {project: 'demo', user: 1, environment: env.globals(), ...options};
  const manager = managerFor(all, () => all);
  return {env, all, manager, end: run(manager, () => all)};
}

test('a provider sends nothing before it is mounted, is one session when it is mounted twice, and leaves at the end', async () => {
  const {env, all, manager, end} = provide();
  end();
  const again = run(manager, () => all); // as React's StrictMode does
  enter(manager, {}, {section: ABSTRACT});
  await settle();
  await env.clock.advance(100);
  assert.deepEqual([env.updates.map(({body}) => body.section), env.leaves.length], [[ABSTRACT], 0]);
  again();
  await settle();
  assert.equal(env.leaves.length, 1);
});

test('the newest token of a provider is sent, whichever object it is', async () => {
  const {env, all, manager, end} = provide({token: 'first'});
  await env.clock.advance(100);
  all.token = () => 'second';
  env.failure = 401;
  void manager.updatePresence();
  await env.clock.advance(100);
  assert.deepEqual([...new Set(env.sent.map(({headers}) => headers.Authorization))], ['Bearer first', 'Bearer second']);
  end();
});

test('a new project, user, address or pane, and the first token or label, are a new session, and another function or object is none', () => {
  const options = {project: 'demo', user: 1, url: '', prefix: '', pane: '', token: () => 'x', label: () => 'x'};
  const same = [{}, {token: () => 'y'}, {label: () => 'z'}, {elements: {}}, {strings: {}}, {onNavigate: () => {}}];
  const other = [{project: 'other'}, {user: 2}, {user: null}, {url: 'https://presence.example'}, {prefix: '/p'}, {pane: 'left'}, {token: null}, {label: null}];
  const key = (/** @type {object} */ change) => keyOf(/** @type {any} */ ({...options, ...change}));
  for (const change of same) assert.equal(key(change), key({}), JSON.stringify(change));
  for (const change of other) assert.notEqual(key(change), key({}), JSON.stringify(change));
});

test('a provider without a project says what to do', () => {
  for (const project of /** @type {any[]} */ ([undefined, null, '', NaN])) {
    assert.throws(() => provide({project}), {name: 'TypeError', message: `Presence: project is ${project}: pass a string or number to the provider, and render it when you have it`});
  }
});

test('url is the address of the server, and prefix the path on it', async () => {
  for (const [options, expected] of /** @type {[object, string][]} */ ([
    [{url: 'https://presence.example/'}, 'https://presence.example/writer/api/project/demo/presence/update/'],
    [{url: 'https://presence.example', prefix: '/p'}, 'https://presence.example/p/project/demo/presence/update/'],
    [{prefix: '/p'}, '/p/project/demo/presence/update/'],
    [{}, '/writer/api/project/demo/presence/update/'],
  ])) {
    const {env, end} = provide(options);
    await env.clock.advance(100);
    assert.equal(env.updates[0]?.url ?? env.sent[0].url, expected);
    end();
  }
});

test("a provider neither starts nor stops the host's manager", async () => {
  const env = new FakeEnvironment();
  const manager = new PresenceManager('demo', 1, {environment: env.globals()});
  const {end, manager: provided} = provide({manager, project: undefined}, env);
  assert.equal(provided, manager);
  await env.clock.advance(100);
  assert.equal(env.sent.length, 0);
  manager.start();
  await env.clock.advance(100);
  end();
  await settle();
  assert.deepEqual([manager.running, env.leaves.length], [true, 0]);
  manager.stop();
});

test('of several components the newest has the section, and a component that takes the place of another keeps the way back', async () => {
  const {env, manager, end} = provide();
  const [page, dialog, next] = [{}, {}, {}];
  enter(manager, page, {section: ABSTRACT, unsaved: true});
  await settle();
  enter(manager, dialog, {section: METHODS, activity: 'viewing'});
  await settle();
  assert.deepEqual([manager.currentSection, manager.getSnapshot().unsaved], [METHODS, false]);
  enter(manager, page, {section: ABSTRACT, unsaved: true});
  await settle();
  assert.equal(manager.currentSection, METHODS, 'a component that was there before');
  exit(manager, dialog);
  await settle();
  assert.deepEqual([manager.currentSection, manager.getSnapshot().unsaved], [ABSTRACT, true]);
  exit(manager, page);
  enter(manager, next, {section: METHODS});
  await settle();
  assert.deepEqual([manager.currentSection, manager.getSnapshot().previous], [METHODS, ABSTRACT]);
  exit(manager, next);
  await settle();
  assert.equal(manager.currentSection, null);
  await env.clock.advance(100);
  end();
});

test('another section instead of that of a warning is reported to the host once, and not taken back by a component', async () => {
  /** @type {unknown[]} */
  const chosen = [];
  const {env, manager, end} = provide({onNavigate: (section) => chosen.push(section)});
  env.set(user(2, 'Bob', ABSTRACT));
  const component = {};
  enter(manager, component, {section: METHODS});
  await env.clock.advance(100);
  enter(manager, component, {section: ABSTRACT});
  await env.clock.advance(100);
  const conflict = conflictIn(manager.getSnapshot(), manager);
  assert.deepEqual([names(conflict?.users ?? []), conflict?.section, conflict?.unsaved, conflict?.waiting], ['Bob', ABSTRACT, false, false]);
  conflict?.waitFor();
  assert.equal(conflictIn(manager.getSnapshot(), manager)?.waiting, true);
  conflict?.waitFor(false);
  assert.equal(conflictIn(manager.getSnapshot(), manager)?.waiting, false);
  conflict?.chooseDifferent();
  await env.clock.advance(100);
  drawInto(manager, 'badge', /** @type {any} */ ({}))();
  enter(manager, component, {section: ABSTRACT, unsaved: true, activity: 'viewing'}); // the host has not followed
  await env.clock.advance(100);
  assert.deepEqual([chosen, manager.currentSection, manager.getSnapshot().unsaved], [[METHODS], METHODS, false]);
  manager.dispatchEvent(new CustomEvent('navigate', {cancelable: true, detail: {section: ABSTRACT, user: null}}));
  assert.deepEqual(chosen, [METHODS, ABSTRACT]);
  end();
  manager.dispatchEvent(new CustomEvent('navigate', {cancelable: true, detail: {section: METHODS, user: null}}));
  assert.deepEqual(chosen, [METHODS, ABSTRACT], 'after the end');
});

test('of several elements the newest is drawn into, and is given back', async (t) => {
  const {manager, end} = provide();
  const set = t.mock.method(manager, 'setElements', () => {});
  const [first, second, warning] = /** @type {any[]} */ ([{}, {}, {dataset: {}}]);
  const drawn = async () => {
    await settle();
    return set.mock.calls.at(-1)?.arguments[0];
  };
  const endFirst = drawInto(manager, 'badge', first);
  assert.deepEqual(await drawn(), {badge: first}, "and the host's place for the warning stays");
  const endSecond = drawInto(manager, 'badge', second);
  const endWarning = drawInto(manager, 'warning', warning);
  assert.equal((await drawn())?.badge, second);
  assert.equal((await drawn())?.warning, warning);
  const calls = set.mock.callCount();
  endSecond();
  const endAgain = drawInto(manager, 'badge', second); // in the same turn
  await settle();
  assert.equal(set.mock.callCount(), calls);
  endAgain();
  endWarning();
  assert.deepEqual(await drawn(), {badge: first, warning: false});
  endFirst();
  assert.deepEqual(await drawn(), {badge: ''});
  end();
});

test('the users of a section are in the order of the interface, whatever its spelling', () => {
  const users = [user(2, 'Ann', ABSTRACT, {activity: 'idle'}), user(3, 'Bob', ABSTRACT), user(4, 'Cem', METHODS)];
  const snapshot = /** @type {any} */ ({users});
  const inSection = (/** @type {string | null | undefined} */ section) => names(occupantsIn(section)(snapshot));
  assert.deepEqual([inSection(`/${ABSTRACT}/`), inSection(METHODS), inSection('none'), inSection(null), inSection(undefined)], ['Bob Ann', 'Cem', '', '', 'Ann Bob Cem']);
});

test('a value that looks the same is the same object, and no other is', () => {
  const ann = user(2, 'Ann');
  const [list, map, set] = [[ann, {section: [1, NaN]}], new Map(), () => 1];
  for (const [old, same] of [[list, [{...ann}, {section: [1, NaN]}]], [NaN, NaN], [map, map], [set, set], [null, null]]) assert.ok(Object.is(keep(old, same), old));
  for (const [old, other] of [[list, [ann]], [list, [ann, {section: [2, NaN]}]], [map, new Map()], [new Date(1), new Date(2)], [set, () => 1], [{a: undefined}, {b: undefined}], [[], {}], [null, {}], [0, -0]]) {
    assert.ok(Object.is(keep(old, other), other), `${JSON.stringify(old)} ${JSON.stringify(other)}`);
  }
});
