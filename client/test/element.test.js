/** The custom elements without a page: in a server, and in the Custom Elements Manifest. browser/custom-elements.test.js has the rest. */

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import test from 'node:test';
import {manifest} from '../../scripts/build-package.js';
import {Counts, usersIn} from '../element/counts.js';
import * as classes from '../element/index.js';
import {FakeEnvironment, settle} from './fixtures.js';

const source = (/** @type {string} */ path) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

test('the modules load in a server, twice', async () => {
  await import('../element/define.js');
  await import(`../element/define.js?${'again'}`);
});

const all = manifest();
/** @type {any[]} */ const declared = all.modules.flatMap((/** @type {any} */ {declarations}) => declarations);

for (const [name, Class] of Object.entries(classes)) {
  const {tagName, attributes = [], members = [], cssProperties = [], customElement} = declared.find((declaration) => declaration.name === name);
  const named = (/** @type {any[]} */ list) => list.map((/** @type {any} */ {name}) => name);

  test(`the manifest names all attributes and properties of ${tagName}`, () => {
    assert.ok(customElement);
    assert.deepEqual(/** @type {any} */ (Class).observedAttributes.filter((/** @type {string} */ attribute) => attribute !== 'id' && !named(attributes).includes(attribute)), []);
    for (const {name, description} of attributes.filter((/** @type {any} */ {name}) => name !== 'id')) assert.ok(description, `attribute ${name}`);
    const accessors = Object.entries(Object.getOwnPropertyDescriptors(Class.prototype)).filter(([, {get}]) => get).map(([property]) => property);
    assert.deepEqual([...accessors, 'manager'].filter((property) => !named(members).includes(property)), []);
    for (const {name, kind, type} of members) assert.ok(kind === 'field' && type?.text, `${name}: a ${kind} of type ${type?.text}`);
  });

  test(`the manifest of ${tagName} names only custom properties that styles read`, () => {
    const css = ['presence-style.js', 'element/presence-warning.js'].map(source).join();
    for (const {name, description} of cssProperties) assert.ok(css.includes(`var(${name},`) && description, name);
  });
}

test('the manifest names all events of a manager, and all custom properties of its interface', () => {
  const {events, cssProperties} = declared.find(({tagName}) => tagName === 'writer-presence');
  const typedef = /@typedef \{object\} PresenceEvents.*?@typedef/s.exec(source('presence-types.js'))?.[0] ?? '';
  const types = [...typedef.matchAll(/@property \{.*?\} (\w+)/g)].map(([, type]) => type);
  assert.deepEqual(events.map((/** @type {any} */ {name}) => name).sort(), types.sort());
  const css = source('presence-style.js');
  const read = new Set([...css.matchAll(/var\((--presence-[\w-]+)/g)].map(([, name]) => name));
  const own = new Set([...css.matchAll(/(--presence-[\w-]+):/g)].map(([, name]) => name));
  const hosts = [...read].filter((name) => !own.has(name) && !['--presence-color', '--presence-room'].includes(name)); // set by the interface itself
  assert.deepEqual(cssProperties.map((/** @type {any} */ {name}) => name).sort(), hosts.sort());
});

test('the manifest defines the elements', () => {
  const exports = all.modules.flatMap((/** @type {any} */ {exports}) => exports ?? []);
  assert.deepEqual(exports.filter((/** @type {any} */ {kind}) => kind === 'custom-element-definition').map((/** @type {any} */ {name}) => name).sort(), ['presence-avatars', 'presence-count', 'presence-warning', 'writer-presence']);
});

test('the number of a section is that of its normal form, and 0 for the names of properties', () => {
  const count = {users: 3, sections: {'manuscript/abstract': 2}};
  const sections = [null, 'manuscript/abstract', ' manuscript // abstract/', 'constructor', 'other', ''];
  assert.deepEqual(sections.map((section) => usersIn(count, section)), [3, 2, 2, 0, 0, 0]);
});

/** Numbers of projects on a simulated network: `server.status` is what it answers, `server.asked` has the time and projects of each request. */
function openCounts() {
  const env = new FakeEnvironment();
  const server = {status: 200, retryAfter: '', asked: /** @type {string[]} */ ([])};
  const fetch = async (/** @type {string} */ address) => {
    const projects = new URL(address, 'https://writer.example').searchParams.getAll('project');
    server.asked.push(`${env.clock.performance.now() / 1000} s: ${projects}`);
    const body = {success: server.status === 200, projects: Object.fromEntries(projects.map((project) => [project, {users: 1, sections: {}}]))};
    return new Response(JSON.stringify(body), {status: server.status, headers: {...(server.retryAfter && {'Retry-After': server.retryAfter})}});
  };
  const counts = new Counts({}, /** @type {any} */ ({...env.globals(), fetch}));
  /** the last number of each project @type {Record<string, number | null>} */ const shown = {};
  const subscribe = (/** @type {string} */ project) => counts.subscribe([project], (counts) => {
    shown[project] = counts ? counts.length : null;
  });
  const advance = async (/** @type {number} */ seconds) => {
    await env.clock.advance(seconds * 1000);
    await settle();
  };
  return {server, shown, subscribe, advance};
}

test('numbers are asked for each 30 s, also when none was visible in between, and new projects after 1 s in one request', async () => {
  const {server, shown, subscribe, advance} = openCounts();
  const end = subscribe('a');
  await advance(10);
  end();
  await advance(1);
  subscribe('a');
  await advance(9);
  assert.deepEqual([server.asked, shown], [['0 s: a'], {a: 1}]);
  subscribe('b');
  await advance(0.5);
  subscribe('c');
  await advance(28);
  assert.deepEqual([server.asked, shown], [['0 s: a', '21 s: a,b,c'], {a: 1, b: 1, c: 1}]);
  await advance(3);
  assert.deepEqual(server.asked.slice(2), ['51 s: a,b,c']);
});

test('numbers of 6,000 projects come into the page with bounded work', {timeout: 10_000}, async () => { // work that grows with the square takes longer
  const {server, shown, subscribe, advance} = openCounts();
  for (let i = 0; i < 6000; i++) subscribe(`p${i}`);
  await advance(2);
  assert.deepEqual([server.asked.length, Object.keys(shown).length], [60, 6000]);
});

test('the counts of a token and address are kept while nobody listens', () => {
  const of = (token = 'first', prefix = '') => Counts.of({token, prefix});
  const counts = of();
  counts.subscribe(['a'], () => {})();
  assert.equal(of(), counts);
  assert.notEqual(of('second'), counts);
  assert.notEqual(of('first', '/p'), counts);
});

test('numbers stay for a minute while the server limits the requests, and no request is sent before Retry-After', async () => {
  const {server, shown, subscribe, advance} = openCounts();
  subscribe('a');
  await advance(1);
  server.status = 429;
  server.retryAfter = '120';
  await advance(58);
  assert.deepEqual([server.asked, shown], [['0 s: a', '30 s: a'], {a: 1}]);
  await advance(2);
  assert.deepEqual(shown, {a: null});
  subscribe('b');
  server.status = 200;
  await advance(88);
  assert.equal(server.asked.length, 2);
  await advance(2);
  assert.deepEqual([server.asked.slice(2), shown], [['150 s: a,b'], {a: 1, b: 1}]);
  server.status = 503;
  await advance(31);
  assert.deepEqual(shown, {a: null, b: null});
});
