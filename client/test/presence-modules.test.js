/** What the client's modules may call and what a page can reach. */
import assert from 'node:assert/strict';
import {readFileSync, readdirSync} from 'node:fs';
import test from 'node:test';
import {PresenceCore, PresenceManager} from '../writer-presence.js';
import {FakeEnvironment} from './fixtures.js';

const folder = new URL('../', import.meta.url);

/** The modules that each module imports. @type {Map<string, string[]>} */
const imports = new Map(readdirSync(folder).filter((file) => file.endsWith('.js')).map((file) => {
  const text = readFileSync(new URL(file, folder), 'utf8');
  return [file, [...text.matchAll(/^(?:import|export) .*from '\.\/([\w-]+\.js)';$/gm)].map(([, imported]) => imported)];
}));

/** The module and all that it imports, directly or not. @param {string} file @param {string[]} [path] @returns {Set<string>} */
function reach(file, path = []) {
  assert.ok(!path.includes(file), `modules import each other: ${[...path, file].join(' → ')}`);
  return new Set([file, ...(imports.get(file) ?? []).flatMap((imported) => [...reach(imported, [...path, file])])]);
}

test('imports have no cycle', () => {
  assert.ok(imports.size > 15 && reach('writer-presence.js').has('presence-live.js'), 'the imports were not found');
  for (const file of imports.keys()) reach(file);
});

test('data flows one way: no part imports the one that it reports to', () => {
  for (const [file, unknown] of /** @type {[string, string[]][]} */ ([
    ['presence-live.js', ['presence-transport.js', 'presence-state.js', 'presence-core.js']],
    ['presence-transport.js', ['presence-core.js']],
    ['presence-state.js', ['presence-transport.js', 'presence-live.js', 'presence-core.js']],
    ['presence-core.js', ['presence-view.js', 'writer-presence.js']],
  ])) {
    for (const other of unknown) assert.ok(!reach(file).has(other), `${file} imports ${other}`);
  }
});

test('a page can reach the documented members of a manager, and no part of the transport', () => {
  assert.deepEqual(Object.getOwnPropertyNames(PresenceManager.prototype).sort(), ['constructor', 'setElements', 'updateUI']);
  assert.deepEqual(Object.getOwnPropertyNames(PresenceCore.prototype).sort(), [
    'active', 'chooseDifferent', 'constructor', 'currentSection', 'editAnyway', 'fetchPresence', 'onlineUsers', 'opened', 'running', 'saved', 'setSection',
    'setUnsaved', 'start', 'stop', 'updatePresence', 'waitFor',
  ]);
  const manager = new PresenceManager('demo', 1, {environment: new FakeEnvironment().globals()});
  assert.deepEqual(Object.keys(manager).sort(), ['getSnapshot', 'projectId', 'subscribe', 'userId']);
  assert.equal(Object.getPrototypeOf(PresenceCore.prototype), EventTarget.prototype);
});
