/** What all editor bindings report: where the caret rests, where the text changes, and saves. */

import assert from 'node:assert/strict';
import {getEventListeners} from 'node:events';
import test from 'node:test';
import {Editing} from '../editors/editing.js';
import {bindTextarea} from '../editors/textarea.js';
import {FakeEnvironment, METHODS, settle, user} from './fixtures.js';

/** A running session, and the updates that it sent since the last call of `sent()`. @param {Partial<ConstructorParameters<typeof Editing<string>>[1]>} [options] */
async function begin(options = {}) {
  const env = new FakeEnvironment();
  const core = env.core();
  const editing = new Editing(core, {sectionAt: (/** @type {string} */ place) => place, environment: env.globals(), ...options});
  core.start();
  await settle();
  return {env, core, editing, sent: sentBy(env)};
}

/** @param {FakeEnvironment} env */
function sentBy(env) {
  let seen = env.updates.length;
  return () => {
    const updates = env.updates.slice(seen);
    seen = env.updates.length;
    return updates.map(({body: {section, activity, unsaved}}) => `${section} ${activity}${unsaved ? ' unsaved' : ''}`).join(', ');
  };
}

test('the section where the caret rests is viewed, and the one whose text changes is edited and unsaved until it is saved', async () => {
  const {env, core, editing, sent} = await begin();
  editing.moved('a');
  await env.clock.advance(499);
  assert.equal(sent(), '', 'it does not rest yet');
  await env.clock.advance(1);
  assert.equal(sent(), 'a viewing');
  editing.moved('a');
  await env.clock.advance(1000);
  assert.equal(sent(), '', 'nothing is new');
  editing.changed('a');
  await settle();
  assert.equal(sent(), 'a editing unsaved', 'a change is reported at once');
  editing.moved('a');
  await env.clock.advance(1000);
  assert.equal(sent(), '', 'the caret rests in unsaved text');
  editing.saved('7');
  await settle();
  assert.equal(sent(), 'a editing');
  assert.deepEqual(env.saves.map(({section, revision}) => `${section} ${revision}`), ['a 7']);
  editing.moved('a');
  await env.clock.advance(500);
  assert.deepEqual([sent(), core.getSnapshot().unsaved], ['a viewing', false], 'rests in saved text');
});

test('there is at most one report in 500 ms, and the last one counts', async () => {
  const {env, editing, sent} = await begin();
  const at = env.updates.length;
  for (let i = 0; i < 100; i++) {
    editing.changed(`s${i >> 4}`);
    editing.moved(`s${i >> 4}`);
    await env.clock.advance(20);
  }
  await env.clock.advance(2000);
  const times = env.updates.slice(at).map(({at}) => at);
  assert.ok(times.length >= 4 && times.length <= 6, `${times.length} updates in 2 s`);
  for (const [i, time] of times.slice(1).entries()) assert.ok(time - times[i] >= 500, `${time - times[i]} ms`);
  assert.match(sent(), /s6 editing unsaved$/);
  for (let i = 0; i < 100; i++) {
    editing.moved(`t${i}`);
    await env.clock.advance(20);
  }
  assert.equal(sent(), '', 'a caret that moves does not rest');
  await env.clock.advance(500);
  assert.equal(sent(), 't99 viewing');
});

test('changes by others and by the host move the person only to the section that the caret is in by them, and put nothing off', async () => {
  const {env, core, editing, sent} = await begin();
  editing.shifted('a');
  await env.clock.advance(1000);
  assert.equal(sent(), '', 'the caret of this person was never here');
  editing.moved('a');
  for (let i = 0; i < 5; i++) { // others write all the time
    await env.clock.advance(100);
    editing.shifted('b');
  }
  assert.equal(sent(), 'b viewing', 'after 500 ms; a heading was added above the caret');
  editing.shifted('b');
  await env.clock.advance(1000);
  assert.equal(sent(), '', 'nothing is new');
  editing.changed('b');
  await env.clock.advance(1000);
  assert.equal(sent(), 'b editing unsaved');
  editing.shifted('c');
  await env.clock.advance(500);
  assert.equal(sent(), 'c viewing');
  core.setSection('elsewhere', {activity: 'viewing'});
  await settle();
  sent();
  editing.shifted('c');
  await env.clock.advance(1000);
  assert.equal(core.currentSection, 'elsewhere', 'the host has set a section since');
  editing.moved('c');
  await env.clock.advance(500);
  assert.equal(core.currentSection, 'c', 'the person has come back');
  editing.changed('c');
  await env.clock.advance(500);
  editing.saved();
  await settle();
  sent();
  editing.shifted('c');
  await env.clock.advance(1000);
  assert.equal(sent(), '', 'the person still edits what was saved');
});

test('changes in several sections that are reported together, and before the host sets another section, are unsaved in each', async () => {
  const {env, core, editing, sent} = await begin();
  editing.changed('a');
  await settle();
  assert.equal(sent(), 'a editing unsaved');
  editing.changed('b');
  editing.changed('c');
  await env.clock.advance(500);
  assert.equal(sent(), 'c editing unsaved');
  editing.changed('d');
  core.setSection('elsewhere', {activity: 'viewing'});
  await settle();
  editing.saved('7');
  await settle();
  assert.deepEqual(env.saves.map(({section}) => section), ['a', 'b', 'c', 'd']);
});

test('a save of one editor neither saves nor ends what is unsaved in another one of the manager', async () => {
  const {env, core, editing} = await begin();
  const other = new Editing(core, {sectionAt: (/** @type {string} */ place) => place, environment: env.globals()});
  editing.changed('a');
  await env.clock.advance(500);
  other.changed('b');
  await env.clock.advance(500);
  editing.saved('1');
  editing.saved('2');
  await settle();
  assert.equal(core.getSnapshot().unsaved, true);
  const saves = () => env.saves.map(({section, revision}) => `${section} ${revision}`);
  assert.deepEqual(saves(), ['a 1']);
  other.destroy();
  editing.saved('3');
  await settle();
  assert.deepEqual(saves(), ['a 1'], 'what was unsaved in an editor that ended was not saved');
});

test('of two editors in one section, the save of the one that has changes ends what is unsaved there', async () => {
  const {env, core, editing} = await begin();
  const other = new Editing(core, {sectionAt: (/** @type {string} */ place) => place, environment: env.globals()});
  editing.changed('form');
  await env.clock.advance(500);
  other.moved('form');
  await env.clock.advance(500);
  editing.saved('1');
  assert.equal(core.getSnapshot().unsaved, false);
});

test('another text in the editor begins without unsaved changes', async () => {
  const {env, core, editing, sent} = await begin();
  editing.changed('a');
  await env.clock.advance(500);
  editing.changed('b');
  sent();
  editing.reset();
  await env.clock.advance(1000);
  assert.equal(sent(), 'a editing', 'no longer unsaved, and the change of b is not reported');
  editing.moved('a');
  await env.clock.advance(500);
  assert.equal(sent(), 'a viewing');
  core.setSection('of the host');
  core.setUnsaved(true);
  editing.reset();
  assert.equal(core.getSnapshot().unsaved, true, 'what the host has stated stays');
});

test('moving through a section that somebody edits does not warn, and typing there does', async () => { // rule 22
  const {env, core, editing} = await begin();
  env.set(user(2, 'Alice', METHODS));
  editing.moved(METHODS);
  await env.clock.advance(600);
  assert.deepEqual([core.currentSection, core.getSnapshot().warning.length], [METHODS, 0]);
  editing.changed(METHODS);
  await env.clock.advance(600);
  assert.equal(core.getSnapshot().warning.length, 1);
});

test('a section that is entered again is unsaved until the host has saved, which saves all of them', async () => {
  const {env, editing, sent} = await begin();
  editing.changed('a');
  await env.clock.advance(500);
  editing.moved('b');
  await env.clock.advance(500);
  editing.changed('b');
  editing.moved('c');
  await env.clock.advance(1000);
  assert.equal(sent(), 'a editing unsaved, b viewing, c viewing', 'the caret left b before a report');
  editing.moved('a');
  await env.clock.advance(500);
  editing.moved('b');
  await env.clock.advance(500);
  assert.equal(sent(), 'a viewing unsaved, b viewing unsaved');
  editing.saved(8);
  await settle();
  assert.deepEqual(env.saves.map(({section, revision}) => `${section} ${revision}`), ['a 8', 'b 8']);
  assert.doesNotMatch(sent(), /unsaved/);
  editing.moved('a');
  await env.clock.advance(500);
  assert.equal(sent(), 'a viewing');
});

test('a save contains a change that is not reported yet, and without a revision it only ends unsaved changes', async () => {
  const {env, core, editing} = await begin();
  editing.changed('a');
  await env.clock.advance(1);
  editing.changed('b');
  editing.saved();
  await env.clock.advance(1000);
  assert.deepEqual([core.getSnapshot().unsaved, env.saves, core.currentSection], [false, [], 'b']);
  editing.moved('a');
  await env.clock.advance(1000);
  assert.equal(core.getSnapshot().unsaved, false);
});

test('a text outside of all sections is none', async () => {
  const {env, core, editing, sent} = await begin({sectionAt: () => ''});
  editing.changed('a');
  await settle();
  assert.deepEqual([core.currentSection, core.getSnapshot().unsaved, sent()], [null, false, '']);
  editing.saved('1');
  assert.deepEqual(env.saves, []);
});

test('a renamed heading stays edited and unsaved by its new section', async () => {
  /** @type {{from: string, to: string}[]} */ let renames = [];
  const {env, editing, sent} = await begin({settle: () => renames.splice(0)});
  editing.changed('old');
  await env.clock.advance(500);
  renames = [{from: 'old', to: 'new'}];
  editing.moved('new');
  await env.clock.advance(1000);
  assert.equal(sent(), 'old editing unsaved, new editing unsaved');
  editing.renamed([{from: 'new', to: 'newer'}]);
  editing.renamed([{from: 'newer', to: 'newest'}]);
  editing.moved('newest');
  await env.clock.advance(1000);
  assert.equal(sent(), 'newest editing unsaved', 'renamed twice before a report');
});

test('a section that the host or the interface sets moves the caret there, and is viewed', async () => {
  /** @type {string[]} */ const gone = [];
  const {env, core, editing, sent} = await begin({goTo: (section, focus) => section !== 'other.tex' && gone.push(`${section}${focus ? ' focus' : ''}`) > 0});
  editing.moved('a');
  await env.clock.advance(500);
  editing.changed('b');
  await env.clock.advance(500);
  sent();
  core.chooseDifferent();
  await settle();
  assert.deepEqual([gone, sent()], [['a'], 'a viewing'], 'a press of Go back');
  core.setSection('other.tex');
  await settle();
  assert.equal(sent(), 'other.tex editing', 'not in this text');
  const press = (/** @type {string} */ section) => core.dispatchEvent(new CustomEvent('navigate', {cancelable: true, detail: {section, user: null}}));
  assert.deepEqual([press('c'), press('other.tex'), gone], [false, true, ['a', 'c focus']], 'the editor gets the focus only when the person goes there');
});

test('of two bindings of a manager, as of a split view, the one whose section the other reports neither moves its caret nor reports', async () => {
  /** @type {string[]} */ const gone = [];
  const goTo = (/** @type {string} */ section) => gone.push(section) > 0;
  const {env, core, editing, sent} = await begin({goTo});
  const other = new Editing(core, {sectionAt: (/** @type {string} */ place) => place, environment: env.globals(), goTo});
  editing.changed('a');
  await env.clock.advance(1000);
  assert.deepEqual([gone, sent()], [[], 'a editing unsaved']);
  other.changed('b');
  await env.clock.advance(1000);
  assert.deepEqual([gone, sent()], [[], 'b editing unsaved']);
  core.setSection('c');
  await settle();
  assert.deepEqual(gone, ['c', 'c'], 'a section that the host sets');
});

test('a stopped manager has no timer, and what is due is reported after its start', async () => {
  const {env, core, editing, sent} = await begin();
  editing.changed('a');
  await settle();
  editing.changed('b');
  core.stop();
  await settle();
  assert.equal(env.clock.pending, 0);
  editing.moved('b');
  editing.changed('c');
  await env.clock.advance(5000);
  assert.equal(env.clock.pending, 0);
  sent();
  core.start();
  await env.clock.advance(1000);
  assert.match(sent(), /c editing unsaved$/);
});

test('a heading that is renamed while the manager is stopped is reported by its new section after the start', async () => {
  const {env, core, editing} = await begin();
  editing.changed('a');
  await env.clock.advance(500);
  core.stop();
  await settle();
  editing.renamed([{from: 'a', to: 'z'}]);
  core.start();
  await env.clock.advance(1000);
  assert.deepEqual([core.currentSection, core.getSnapshot().unsaved], ['z', true]);
});

test('a destroyed binding has no timer and no listener, and its calls do nothing', async () => {
  const {env, core, editing, sent} = await begin();
  await env.clock.advance(1000);
  const {pending} = env.clock;
  editing.changed('a');
  await settle();
  editing.changed('b');
  editing.destroy();
  editing.destroy();
  sent();
  editing.moved('c');
  editing.changed('d');
  editing.saved('1');
  core.setSection('e');
  await env.clock.advance(5000);
  assert.equal(sent(), 'e editing');
  assert.equal(env.clock.pending, pending);
  for (const type of ['change', 'navigate']) assert.equal(getEventListeners(/** @type {any} */ (core), type).length, 0, type);
});

/** A textarea without a browser. */
class Field extends EventTarget {
  value = '# A\n\n# B\n';
  selectionEnd = 0;
  ownerDocument = Object.assign(new EventTarget(), {activeElement: /** @type {unknown} */ (this)});
  /** not in the page yet @type {any} */ root = this;
  getRootNode = () => this.root;
  /** @param {string} selector */
  matches = (selector) => selector === ':focus' && this.ownerDocument.activeElement === this;
  blur = () => void (this.ownerDocument.activeElement = null);
  focus = () => void (this.ownerDocument.activeElement = this);
  /** @param {number} from @param {number} to */
  setSelectionRange = (from, to) => void (this.selectionEnd = to + from - from);
  /** @param {string} text @param {number} at */
  type(text, at) {
    this.value = this.value.slice(0, at) + text + this.value.slice(at);
    this.selectionEnd = at + text.length;
    this.dispatchEvent(new Event('input'));
    this.ownerDocument.dispatchEvent(new Event('selectionchange'));
  }
}

test('a textarea reports the section of its caret and of changes, until it is released', async () => {
  const env = new FakeEnvironment();
  const core = env.core();
  core.start();
  await settle();
  const sent = sentBy(env);
  const field = new Field();
  const binding = bindTextarea(core, /** @type {any} */ (field), {format: 'markdown', prefix: 'p.md', environment: env.globals()});
  field.root = field.ownerDocument; // it is inserted after it was bound
  field.dispatchEvent(new Event('focus'));
  await env.clock.advance(500);
  assert.equal(sent(), 'p.md/a viewing');
  for (const char of 'eta') field.type(char, field.value.trimEnd().length);
  await env.clock.advance(2000);
  assert.equal(sent(), 'p.md/b editing unsaved', 'a heading that is renamed');
  field.selectionEnd = field.value.length;
  field.dispatchEvent(new Event('keyup'));
  await env.clock.advance(500);
  assert.equal(sent(), 'p.md/beta editing unsaved');
  core.setSection('p.md/a');
  await settle();
  assert.deepEqual([field.selectionEnd, sent()], [3, 'p.md/a viewing']);
  field.ownerDocument.activeElement = null;
  core.setSection('p.md/beta');
  await settle();
  assert.deepEqual([field.selectionEnd, field.ownerDocument.activeElement, sent()], [11, null, 'p.md/beta viewing unsaved'], 'the focus stays elsewhere');
  field.value = '# C\n';
  field.dispatchEvent(new Event('keyup'));
  field.dispatchEvent(new Event('input'));
  await env.clock.advance(1000);
  assert.equal(sent(), '', 'a change by script, and a field without the focus');
  field.ownerDocument.activeElement = field;
  field.type('x', 4);
  binding.saved('9');
  assert.equal(core.getSnapshot().unsaved, false);
  await settle();
  assert.deepEqual(env.saves.map(({section}) => section), ['p.md/beta', 'p.md/c']);
  binding.destroy();
  binding.destroy();
  for (const type of ['focus', 'keyup', 'pointerup', 'input']) assert.equal(getEventListeners(field, type).length, 0, type);
  assert.equal(getEventListeners(field.ownerDocument, 'selectionchange').length, 0);
  assert.throws(() => bindTextarea(/** @type {any} */ (undefined), /** @type {any} */ (field), {prefix: 'p.md'}), /the manager of an editor is a PresenceManager/);
  assert.throws(() => bindTextarea(core, /** @type {any} */ ({})), /takes a textarea or an element with contenteditable/);
});

test('a textarea without a format is one section: the prefix, or the one that the host sets', async () => {
  const env = new FakeEnvironment();
  const core = env.core();
  core.setSection(METHODS);
  core.start();
  await settle();
  const sent = sentBy(env);
  const field = new Field();
  const binding = bindTextarea(core, /** @type {any} */ (field), {environment: env.globals()});
  field.type('x', 0);
  await env.clock.advance(500);
  assert.equal(sent(), `${METHODS} editing unsaved`);
  binding.destroy();
  const other = bindTextarea(core, /** @type {any} */ (field), {prefix: 'a.txt', environment: env.globals()});
  field.type('x', 0);
  await env.clock.advance(500);
  assert.equal(sent(), 'a.txt editing unsaved');
  other.destroy();
});
