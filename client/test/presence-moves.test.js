/** Sections that the host moves to other paths: the page follows, and others see no change of it (rule 23). */
import assert from 'node:assert/strict';
import test from 'node:test';
import {Editing} from '../editors/editing.js';
import {enter, managerFor, run} from '../frameworks/common.js';
import {after} from '../section.js';
import {ABSTRACT, FakeEnvironment, METHODS, golden, record, settle, started, user} from './fixtures.js';

const MOVED = 'front/abstract';
const EVENTS = ['section', 'join', 'leave', 'conflict', 'saved', 'free', 'status'];

test('a section and all below it are after moves where these lead, in their order', () => { // rule 23
  const a = {from: 'a', to: 'b'};
  for (const [section, moves, expected] of /** @type {[string | null, {from: string, to: string}[], string | null][]} */ ([
    ['a', [a], 'b'], ['a/x', [a], 'b/x'], ['ab', [a], 'ab'], ['x/a', [a], 'x/a'], ['', [a], ''], [null, [a], null], ['a', [], 'a'],
    ['/a//x', [a], 'b/x'], ['/x//a', [a], '/x//a'], ['a/x', [a, {from: 'b/x', to: 'c'}, {from: 'c', to: 'c/d'}], 'c/d'],
    ['a', [{from: 'a', to: 'ä'.repeat(100)}], 'ä'.repeat(100)], ['a/x', [{from: 'a', to: 'ä'.repeat(99)}], 'a/x'],
  ])) assert.equal(after(section, moves), expected, `${section}`);
});

test('a live page in a section that moves is there at once, sends nothing, and keeps what it knows of the section', async () => { // rule 23
  const env = new FakeEnvironment('open');
  const bob = user(2, 'Bob', ABSTRACT);
  env.set(bob, user(3, 'Carol', 'manuscript/results'));
  env.save(bob, ABSTRACT, '1');
  const core = await started(env, {}, METHODS);
  core.setSection(` ${ABSTRACT}/`); // in a spelling of the page
  await settle();
  core.editAnyway();
  core.opened({revision: 1});
  core.waitFor('manuscript/results');
  core.setUnsaved(true);
  await settle();
  const sent = env.socket.messages.length;
  const events = record(core, ...EVENTS);
  const {activity, unsaved, previous, newer} = core.getSnapshot();
  env.move('manuscript', 'front');
  await settle();
  await settle();
  const now = core.getSnapshot();
  assert.deepEqual([now.section, now.activity, now.unsaved, now.newer, now.ownWindows], [MOVED, activity, unsaved, newer, []]);
  assert.deepEqual([previous, now.previous, now.waitingFor], [METHODS, 'front/methods', 'front/results']);
  assert.deepEqual([now.warning, now.conflicts.map(({section}) => section), now.saves.map(({section}) => section)], [[], [MOVED], [MOVED]]);
  assert.deepEqual([events.length, env.socket.messages.length - sent], [1, 0], `${events}`);

  env.save(bob, MOVED, '2');
  await settle();
  assert.equal(core.getSnapshot().newer?.revision, '2', 'the revision that the page opened has moved, too');
  core.setSection(METHODS);
  await settle();
  core.setSection(MOVED);
  await settle();
  assert.deepEqual(core.getSnapshot().warning, [], 'the answer to the warning has moved, too');
  const {section, as_of, known_version} = env.socket.messages[env.socket.messages.length - 1];
  assert.deepEqual([section, as_of, known_version], [MOVED, env.version, undefined]);
});

test('a page that polls follows the moves in the answer, which is for the section that it has now', async () => { // rule 23
  const env = new FakeEnvironment();
  env.set(user(2, 'Bob', MOVED));
  const core = await started(env, {}, ABSTRACT);
  const events = record(core, ...EVENTS);
  env.move(ABSTRACT, 'x');
  env.move('x', MOVED);
  env.extra = {activity: 'editing', you: env.me, conflicts: env.others};
  const update = core.updatePresence();
  await settle();
  await update;
  const {section, activity, version} = core.getSnapshot();
  assert.deepEqual([section, activity, version], [MOVED, 'editing', env.version]);
  assert.deepEqual(events.filter((event) => event.startsWith('section')).length, 2, `${events}`);
  env.extra = {};
  const at = env.updates.length;
  await env.clock.advance(60_000);
  assert.deepEqual(env.updates.slice(at).map(({body}) => body.section), [MOVED, MOVED]);
  assert.equal(events.filter((event) => event.startsWith('section')).length, 2, 'the moves in the next lists are known');
});

test('a page that was just loaded follows only the moves after its first update', async () => { // rule 23
  const env = new FakeEnvironment('open');
  env.moves = [{from: ABSTRACT, to: 'old', version: 40}];
  env.handle = (socket, message) => {
    socket.deliver({type: 'ack', seq: message.seq, version: 100, activity: 'editing', you: {...env.me, section: ABSTRACT}, conflicts: []});
    socket.deliver({type: 'snapshot', version: 107, users: [{...env.me, section: MOVED}], moved: [...env.moves, {from: ABSTRACT, to: MOVED, version: 105}]});
  };
  const core = await started(env, {}, ABSTRACT);
  assert.equal(core.currentSection, MOVED);
  const polling = new FakeEnvironment();
  polling.moves = [{from: ABSTRACT, to: MOVED, version: 40}];
  assert.equal((await started(polling, {}, ABSTRACT)).currentSection, ABSTRACT);
});

test('a page that enters the old path of a section after the move is there', async () => { // rule 23
  const env = new FakeEnvironment('open');
  const core = await started(env, {}, ABSTRACT);
  env.move(ABSTRACT, MOVED);
  await settle();
  core.setSection(ABSTRACT);
  await env.clock.advance(60_000);
  assert.equal(core.currentSection, ABSTRACT);
  assert.deepEqual(env.socket.messages.slice(1).map(({section, as_of}) => [section, as_of]), Array(3).fill([ABSTRACT, env.version]));
});

test('the golden delta of a move has its event, and no event of a save', async () => { // rule 23
  const env = new FakeEnvironment('open');
  const delta = golden('delta-moved');
  env.saves = [{...delta.saved[0], section: ABSTRACT}];
  env.version = delta.base;
  const core = await started(env, {}, ABSTRACT);
  const events = record(core, 'section', 'saved', 'leave');
  env.socket.deliver(delta);
  await settle();
  assert.deepEqual([core.currentSection, core.getSnapshot().saves.map(({section}) => section)], [MOVED, [MOVED]]);
  assert.equal(events.length, 1, `${events}`);
});

test('a component that states the old path again stays in the section, and one that states another path enters it', async () => { // rule 23
  const env = new FakeEnvironment('open');
  /** @type {unknown[]} */
  const told = [];
  const options = {project: 'demo', user: 1, environment: env.globals(), onNavigate: () => told.push('navigate'), onMove: (/** @type {any} */ {from, to}) => told.push(`${from} to ${to}`)};
  const manager = managerFor(/** @type {any} */ (options), () => /** @type {any} */ (options));
  const end = run(manager, () => /** @type {any} */ (options));
  const component = {};
  const sections = () => [manager.currentSection, manager.getSnapshot().unsaved];
  enter(manager, component, {section: ABSTRACT});
  await settle();
  env.move(ABSTRACT, MOVED);
  await settle();
  enter(manager, component, {section: ABSTRACT, unsaved: true}); // rendered again
  await settle();
  assert.deepEqual(sections(), [MOVED, true]);
  env.move('front', 'title');
  await settle();
  enter(manager, component, {section: ABSTRACT, unsaved: true});
  await settle();
  assert.deepEqual(sections(), ['title/abstract', true]);
  enter(manager, component, {section: 'title/abstract', unsaved: true}); // the host has followed
  await settle();
  assert.deepEqual(sections(), ['title/abstract', true]);
  enter(manager, component, {section: ABSTRACT});
  await settle();
  assert.deepEqual(sections(), [ABSTRACT, false]);
  assert.deepEqual(told, [`${ABSTRACT} to ${MOVED}`, 'front to title']);
  end();
  await settle();
});

test('an editor reports the section of its text under the path to which it has moved', async () => { // rule 23
  const env = new FakeEnvironment('open');
  const core = env.core();
  /** @type {string[]} */
  const shown = [];
  const editing = new Editing(core, {sectionAt: (/** @type {string} */ place) => `paper/${place}`, goTo: (section) => !!shown.push(section), environment: env.globals()});
  core.start();
  editing.changed('intro');
  await env.clock.advance(500);
  env.move('paper', 'thesis');
  await settle();
  editing.moved('intro');
  await env.clock.advance(500);
  assert.deepEqual([core.currentSection, core.getSnapshot().unsaved, shown], ['thesis/intro', true, []], 'nothing changes');
  editing.moved('end');
  await env.clock.advance(500);
  assert.equal(core.currentSection, 'thesis/end');
  editing.saved(7);
  await settle();
  assert.deepEqual(env.saves.map(({section}) => section), ['thesis/intro']);
  core.setSection('thesis/intro');
  await settle();
  assert.deepEqual(shown, ['paper/intro'], 'the editor knows the section by its text');
  editing.destroy();
  core.stop();
  await settle();
});
