/** The custom elements without a page: in a server, and in the Custom Elements Manifest. browser/custom-elements.test.js has the rest. */

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import test from 'node:test';
import {manifest} from '../../scripts/build-package.js';
import * as classes from '../element/index.js';

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
