/** Arguments that are missing or of the wrong type are exceptions where they are passed; argument types of version 1 are accepted. */

import assert from 'node:assert/strict';
import test from 'node:test';
import {PresenceManager} from '../writer-presence.js';
import {Words} from '../strings.js';
import {FakeEnvironment} from './fixtures.js';

const Any = /** @type {any} */ (PresenceManager);

/** @param {() => unknown} call @param {RegExp} todo */
const fails = (call, todo) => assert.throws(call, (error) => error instanceof TypeError && /^Presence: /.test(error.message) && todo.test(error.message), String(call));

test('a constructor without a project, or with one of the wrong type, throws a TypeError', () => {
  for (const project of [undefined, null, '', NaN, Infinity, true, {}, [], Symbol('x'), () => 'demo']) fails(() => new Any(project), /project/);
});

test('a user of the wrong type throws a TypeError, also options in the place of the user', () => {
  for (const user of [{}, {prefix: '/presence'}, [], true, NaN, Symbol('x'), () => 1]) fails(() => new Any('demo', user), /user: pass a string or number/);
});

test('options of the wrong type throw a TypeError that names the option', () => {
  for (const options of [null, '', 'x', 5, true, () => ({})]) fails(() => new Any('demo', 1, options), /options: pass an object/);
  const wrong = {
    prefix: [5, {}, new URL('https://presence.example/')], token: [5, true, {}, Promise.resolve('x')], tokenHeader: [5, {}], csrfToken: [5, {}],
    heartbeat: ['30000', {}], live: ['false', 1], view: ['no', {}], label: ['x', {}], elements: ['#badge', 5], strings: ['x', 5],
  };
  for (const [name, values] of Object.entries(wrong)) for (const value of values) fails(() => new Any('demo', 1, {[name]: value}), new RegExp(`\\b${name}: `));
  fails(() => new Words(/** @type {any} */ ({warning: {one: 'x'}})), /strings\.warning/);
  fails(() => new Words(/** @type {any} */ ({editAnyway: 5})), /strings\.editAnyway/);
});

test('methods throw a TypeError for a section, activity or listener of the wrong type', () => {
  const core = /** @type {any} */ (new FakeEnvironment().core());
  for (const section of [5, {}, ['a'], true, new Event('change'), () => 'a']) fails(() => core.setSection(section), /section: pass a string or null/);
  for (const activity of ['idle', 'edit', null, 5, '']) fails(() => core.setSection('a', {activity}), /'editing' or 'viewing'/);
  for (const section of [5, {}, true]) fails(() => core.waitFor(section), /section: pass a string or null/);
  fails(() => core.setSection('a', 'viewing'), /'editing' or 'viewing'/);
  core.setSection(null, null);
  for (const listener of [undefined, null, 'change', {}]) fails(() => core.subscribe(listener), /listener: pass a function/);
  assert.equal(core.currentSection, null, 'a call that throws changes nothing');
});

test('saved() and opened() without a section or a revision, or with one of the wrong type, throw a TypeError', () => {
  for (const method of ['saved', 'opened']) {
    const core = /** @type {any} */ (new FakeEnvironment().core());
    fails(() => core[method](), /section: pass a string/);
    for (const section of [7, {}, true, '', ['a']]) fails(() => core[method]({section, revision: 1}), /section: pass a string/);
    core.setSection('a');
    for (const save of [undefined, null, {}, 'a', 5, {section: 'a'}, {revision: {}}, {revision: ''}, {revision: 'a\nb'}]) fails(() => core[method](save), /revision: pass/);
  }
});

test('argument types of version 1 are accepted', () => {
  for (const project of ['demo', 'a b/ü', 5, 0]) new Any(project);
  for (const user of [undefined, null, '', 'x', 5, 0]) new Any('demo', user);
  const none = {token: null, prefix: undefined, live: undefined, csrfToken: '', heartbeat: null, elements: undefined, strings: undefined, unknown: 5};
  new Any('demo', 1, none);
  const core = /** @type {any} */ (new FakeEnvironment().core());
  for (const section of [null, undefined, '', false]) core.setSection(section);
  core.setSection('a', {});
  core.setSection('a', {activity: undefined});
  assert.equal(core.currentSection, 'a');
  assert.equal(new Words({editAnyway: undefined}).text('editAnyway'), 'Edit anyway', 'a word that is undefined is as if left out');
});

test('a heartbeat of nothing or of less than a second does not flood the server', async () => {
  for (const heartbeat of [0, -5, NaN, 1]) {
    const env = new FakeEnvironment();
    const core = env.core({heartbeat});
    core.start();
    await env.clock.advance(10_000);
    assert.ok(env.updates.length <= 11, `${env.updates.length} updates in 10 s with a heartbeat of ${heartbeat}`);
    core.stop();
  }
});
