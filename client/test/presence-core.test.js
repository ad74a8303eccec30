import assert from 'node:assert/strict';
import test from 'node:test';
import {World, settle, user} from './fixtures.js';
import {PresenceManager} from '../writer-presence.js';

const ABSTRACT = 'manuscript/abstract';
const METHODS = 'manuscript/methods';

/** @param {readonly {username: string}[]} users */
const names = (users) => users.map(({username}) => username).join(' ');

/** @param {EventTarget} target @param {string[]} types @returns {string[]} */
function record(target, ...types) {
  /** @type {string[]} */
  const seen = [];
  for (const type of types) {
    target.addEventListener(type, (event) => {
      const {user, users} = /** @type {CustomEvent} */ (event).detail;
      seen.push(`${type} ${user?.username ?? (users ? names(users) : '')}`.trim());
    });
  }
  return seen;
}

test('the note\'s methods and fields are there, with its defaults', () => {
  const manager = new PresenceManager(7, 1, {environment: new World().environment()});
  for (const method of ['start', 'stop', 'setSection', 'updatePresence', 'fetchPresence', 'updateUI']) {
    assert.equal(typeof (/** @type {any} */ (manager))[method], 'function', `${method} is a method`);
  }
  const {projectId, userId, currentSection, onlineUsers} = manager;
  assert.deepEqual({projectId, userId, currentSection, onlineUsers}, {projectId: 7, userId: 1, currentSection: null, onlineUsers: []});
  assert.ok(manager instanceof EventTarget, 'it is an EventTarget');
});

test('nothing is sent before start', async () => {
  const world = new World();
  const core = world.core();
  core.setSection(ABSTRACT);
  await core.updatePresence();
  await world.clock.pass(120_000);
  assert.equal(world.sent.length, 0);
});

test('somebody without a section is online, and says so', async () => { // rule 4
  const world = new World();
  world.core().start();
  await settle();
  assert.equal(world.last.path, 'update/');
  assert.equal(world.last.body.section, '');
  assert.equal(world.last.body.activity, 'viewing');
});

test('what is set in the turn of the start travels with the first update', async () => {
  const world = new World();
  const core = world.core();
  core.start();
  core.setSection(ABSTRACT);
  await settle();
  assert.equal(world.sent.length, 1, `sent ${JSON.stringify(world.sent)}`);
  assert.equal(world.last.body.section, ABSTRACT);
  assert.equal(core.currentSection, ABSTRACT);
});

test('each instance is a session of its own, and its seq grows through updates and leaves', async () => { // rule 8
  const world = new World();
  const [one, two] = [world.core(), world.core()];
  one.start();
  await settle();
  one.setSection(ABSTRACT);
  await settle();
  one.stop();
  await settle();
  two.start();
  await settle();
  assert.deepEqual(world.sent.slice(0, 3).map(({path, body}) => [path, body.seq]), [['update/', 1], ['update/', 2], ['leave/', 3]]);
  const sessions = world.sent.map(({body}) => body.session);
  assert.match(sessions[0], /^[A-Za-z0-9._~-]{16,64}$/);
  assert.equal(new Set(sessions.slice(0, 3)).size, 1, 'one session says one name');
  assert.notEqual(sessions[3], sessions[0]);
});

test('stop sends one leave, then nothing', async () => { // rule 9, case 3
  const world = new World();
  const core = world.core();
  world.set(user(2, 'Bob'));
  core.start();
  await settle();
  core.stop();
  core.stop();
  await settle();
  core.setSection(METHODS);
  await core.updatePresence();
  world.show();
  world.fire('online');
  await world.clock.pass(300_000);
  assert.equal(world.leaves.length, 1);
  assert.equal(world.updates.length, 1);
  assert.equal(world.leaves[0].keepalive, true);
  assert.equal(world.leaves[0].body.hidden, undefined, 'a leave that was asked for acts at once');
  assert.equal(world.clock.pending, 0, 'no timer is left');
  assert.deepEqual([core.getSnapshot().status, core.onlineUsers.length], ['stopped', 0]);
});

test('start, stop, start in one turn is one session, one update and no leave', async () => { // case 12
  const world = new World();
  const core = world.core();
  core.start();
  core.stop();
  core.start();
  await world.clock.pass(1000);
  assert.deepEqual(world.sent.map(({path}) => path), ['update/']);
  core.stop();
  core.start();
  await world.clock.pass(1000);
  assert.deepEqual(world.sent.map(({path}) => path), ['update/']);
});

test('start and stop in one turn sends nothing', async () => { // case 12
  const world = new World();
  const core = world.core();
  core.start();
  core.stop();
  await world.clock.pass(60_000);
  assert.equal(world.sent.length, 0);
});

test('a session that is started again goes on with its seq', async () => {
  const world = new World();
  const core = world.core();
  core.start();
  await settle();
  core.stop();
  await settle();
  core.start();
  await settle();
  assert.deepEqual(world.sent.map(({path, body}) => [path, body.seq, body.known_version ?? null]), [['update/', 1, 0], ['leave/', 2, null], ['update/', 3, 0]]);
});

test('the list holds the others, whichever form the host\'s id has', async () => {
  for (const id of [1, '1', null]) {
    const world = new World();
    world.set(user(2, 'Bob', METHODS));
    const core = world.core({}, /** @type {number} */ (id));
    core.start();
    await settle();
    assert.equal(names(core.onlineUsers), 'Bob', `own id ${JSON.stringify(id)}`);
    assert.equal(core.getSnapshot().you?.username, 'me');
  }
});

test('a snapshot replaces the one before, and one that was overtaken changes nothing', async () => { // case 29
  const world = new World();
  world.set(user(2, 'Bob'), user(3, 'Carol'));
  const core = world.core();
  core.start();
  await settle();
  world.held = true;
  const late = core.fetchPresence(); // has Bob and Carol, and arrives after the answer with Dan
  await settle();
  world.held = false;
  world.set(user(4, 'Dan'));
  await world.clock.pass(7_000);
  await core.updatePresence();
  assert.equal(names(core.onlineUsers), 'Dan');
  world.release();
  await late;
  assert.equal(names(core.onlineUsers), 'Dan', 'a list older than what is shown');
  assert.equal(core.getSnapshot().version, 102);
  await world.clock.pass(60_000);
  assert.equal(names(core.onlineUsers), 'Dan');
});

test('join and leave are told once, none at the first load, and an update is neither', async () => { // case 30
  const world = new World();
  const core = world.core();
  const seen = record(core, 'join', 'leave');
  world.set(user(2, 'Bob', METHODS));
  core.start();
  await settle();
  assert.deepEqual(seen, [], 'at the first load');
  world.set(user(2, 'Bob', ABSTRACT), user(3, 'Carol'));
  await world.clock.pass(30_000);
  world.set(user(3, 'Carol', METHODS));
  await world.clock.pass(90_000);
  assert.deepEqual(seen, ['join Carol', 'leave Bob']);
});

test('a snapshot is the same object until something visible changes, and cannot be changed', async () => {
  const world = new World();
  world.set(user(2, 'Bob', METHODS));
  const core = world.core();
  let calls = 0;
  const unsubscribe = core.subscribe(() => calls++);
  core.start();
  await settle();
  const before = core.getSnapshot();
  const seen = calls;
  world.me = {...world.me, last_seen: '2025-11-03T17:00:30Z'};
  await world.clock.pass(90_000);
  assert.equal(core.getSnapshot(), before, 'a heartbeat is no change');
  assert.equal(calls, seen);
  assert.throws(() => (/** @type {any} */ (before.users)).push(1), TypeError);
  assert.throws(() => (/** @type {any} */ (before.users[0]).username = 'x'), TypeError);
  world.set();
  await world.clock.pass(30_000);
  assert.notEqual(core.getSnapshot(), before);
  assert.equal(calls, seen + 1);
  unsubscribe();
  world.set(user(2, 'Bob'));
  await world.clock.pass(30_000);
  assert.equal(calls, seen + 1, 'after unsubscribing');
});

test('people called __proto__ and people without a name are people', async () => { // cases 17 and 19
  const world = new World();
  const nameless = /** @type {any} */ ({user_id: 'constructor', username: null, section: null});
  world.set(user('__proto__', '__proto__', '__proto__'), nameless);
  const core = world.core();
  const seen = record(core, 'join', 'leave');
  core.start();
  await settle();
  assert.deepEqual(core.onlineUsers.map(({user_id: id}) => id), ['__proto__', 'constructor']);
  assert.deepEqual([core.onlineUsers[1].username, core.onlineUsers[1].sections], ['', []]);
  world.set();
  await world.clock.pass(30_000);
  assert.equal(seen.length, 2, `saw ${seen}`);
});

test('the count stays true where the list is cut', async () => { // rule 16
  const world = new World();
  world.set(user(2, 'Bob'));
  world.extra = {count: 1500};
  const core = world.core();
  core.start();
  await settle();
  assert.equal(core.getSnapshot().count, 1499);
});

/** Alice edits the abstract already. @param {Partial<import('../presence-types.js').Options>} [options] */
async function occupied(options) {
  const world = new World();
  world.set(user(2, 'Alice', ABSTRACT));
  const core = world.core(options);
  core.start();
  core.setSection(METHODS);
  await settle();
  return {world, core};
}

test('who enters an occupied section carefully is warned, and is told so once', async () => { // rule 6
  const {world, core} = await occupied();
  const seen = record(core, 'conflict');
  core.setSection(ABSTRACT);
  await settle();
  assert.equal(world.last.body.unless_occupied, true);
  const {activity, warning, conflicts} = core.getSnapshot();
  assert.deepEqual([activity, names(warning), names(conflicts)], ['viewing', 'Alice', 'Alice']);
  await world.clock.pass(90_000);
  assert.deepEqual(seen, ['conflict Alice']);
});

test('a server that names nobody in the way is not asked in a circle', async () => {
  const world = new World();
  world.extra = {activity: 'viewing', conflicts: []};
  const core = world.core();
  core.start();
  core.setSection(ABSTRACT);
  await world.clock.pass(29_000);
  assert.equal(world.updates.length, 1);
});

test('edit anyway is remembered for these people, and somebody new asks again', async () => { // case 22
  const {world, core} = await occupied();
  core.setSection(ABSTRACT);
  await settle();
  core.editAnyway();
  await settle();
  assert.equal(world.last.body.unless_occupied, false, 'the answer is a plain update');
  assert.deepEqual([core.getSnapshot().activity, names(core.getSnapshot().warning)], ['editing', '']);
  await world.clock.pass(60_000);
  assert.equal(names(core.getSnapshot().warning), '', 'no new question at a heartbeat');

  core.setSection(METHODS);
  await settle();
  core.setSection(ABSTRACT);
  await settle();
  assert.deepEqual([core.getSnapshot().activity, names(core.getSnapshot().warning)], ['editing', ''], 'coming back to the same people');

  core.setSection(METHODS);
  world.set(user(2, 'Alice', ABSTRACT), user(3, 'Carol', ABSTRACT));
  await settle();
  core.setSection(ABSTRACT);
  await settle();
  assert.deepEqual([core.getSnapshot().activity, names(core.getSnapshot().warning)], ['viewing', 'Alice Carol'], 'Carol is new');
});

test('the warning goes by itself when the others leave', async () => { // case 25
  const {world, core} = await occupied();
  core.setSection(ABSTRACT);
  await settle();
  world.set();
  await world.clock.pass(30_000);
  const {activity, warning, conflicts} = core.getSnapshot();
  assert.deepEqual([activity, warning.length, conflicts.length], ['editing', 0, 0]);
});

test('choosing a different section goes back to the last one that was held, and claims nothing here', async () => { // case 23
  const {world, core} = await occupied();
  world.set(user(2, 'Alice', ABSTRACT), user(3, 'Bob', 'manuscript/results'));
  core.setSection(ABSTRACT);
  await settle();
  core.setSection('manuscript/results');
  await settle();
  assert.equal(names(core.getSnapshot().warning), 'Bob');
  assert.equal(core.chooseDifferent(), METHODS);
  await settle();
  assert.deepEqual([world.last.body.section, core.getSnapshot().warning.length], [METHODS, 0]);
});

test('choosing a different section without an earlier one is to be online without a section', async () => { // case 23
  const world = new World();
  world.set(user(2, 'Alice', ABSTRACT));
  const core = world.core();
  core.start();
  core.setSection(ABSTRACT);
  await settle();
  assert.equal(core.chooseDifferent(), null);
  await settle();
  assert.equal(world.last.body.section, '');
});

test('who was there first is told once, is not asked, and is not demoted', async () => { // rule 5, case 21
  const world = new World();
  const core = world.core();
  /** @type {boolean[]} */
  const roles = [];
  core.addEventListener('conflict', (event) => roles.push(/** @type {CustomEvent} */ (event).detail.editing));
  core.start();
  core.setSection(ABSTRACT);
  await settle();
  world.set(user(2, 'Bob', ABSTRACT));
  await world.clock.pass(120_000 - 1);
  const {activity, warning, conflicts} = core.getSnapshot();
  assert.deepEqual([activity, warning.length, names(conflicts)], ['editing', 0, 'Bob']);
  assert.deepEqual(roles, [true]);
  world.hide();
  await settle();
  world.show();
  await settle();
  assert.deepEqual([core.getSnapshot().activity, core.getSnapshot().warning.length], ['editing', 0], 'after a look at another tab');
});

test('who only reads is not warned', async () => {
  const {world, core} = await occupied();
  core.setSection(ABSTRACT, {activity: 'viewing'});
  await settle();
  assert.deepEqual([world.last.body.activity, core.getSnapshot().warning.length], ['viewing', 0]);
});

test('an answer about the section before says nothing about this one', async () => {
  const {world, core} = await occupied();
  const seen = record(core, 'conflict');
  world.held = true;
  core.setSection(ABSTRACT);
  await settle();
  core.setSection(METHODS);
  world.release();
  await settle();
  assert.deepEqual([core.getSnapshot().conflicts.length, core.getSnapshot().warning.length, seen], [0, 0, []]);
});

test('your own other window is named as yours, and is no conflict', async () => { // rule 7, case 15
  const world = new World();
  world.extra = {you: user(1, 'me', ABSTRACT, {sections: [ABSTRACT, METHODS]}), conflicts: [user(1, 'me', ABSTRACT)]};
  const core = world.core();
  core.start();
  core.setSection(ABSTRACT);
  await settle();
  const {ownWindows, conflicts, warning, users} = core.getSnapshot();
  assert.deepEqual([ownWindows, conflicts, warning, users], [[METHODS], [], [], []]);
});
