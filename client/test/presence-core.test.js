/** Sessions, lists, events and warnings of a polling page. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {PresenceManager} from '../writer-presence.js';
import {ABSTRACT, FakeEnvironment, METHODS, names, record, settle, user} from './fixtures.js';

test('a manager has the methods and fields of the note, with its default values', () => {
  const manager = new PresenceManager(7, 1, {environment: new FakeEnvironment().globals()});
  for (const method of ['start', 'stop', 'setSection', 'updatePresence', 'fetchPresence', 'updateUI']) {
    assert.equal(typeof (/** @type {any} */ (manager))[method], 'function', `${method} is a method`);
  }
  const {projectId, userId, currentSection, onlineUsers} = manager;
  assert.deepEqual({projectId, userId, currentSection, onlineUsers}, {projectId: 7, userId: 1, currentSection: null, onlineUsers: []});
  assert.ok(manager instanceof EventTarget, 'it is an EventTarget');
});

test('nothing is sent before start', async () => {
  const env = new FakeEnvironment();
  const core = env.core();
  core.setSection(ABSTRACT);
  await core.updatePresence();
  await env.clock.advance(120_000);
  assert.equal(env.sent.length, 0);
});

test('a page without a section sends an update with an empty section', async () => { // rule 4
  const env = new FakeEnvironment();
  env.core().start();
  await settle();
  assert.equal(env.last.path, 'update/');
  assert.equal(env.last.body.section, '');
  assert.equal(env.last.body.activity, 'viewing');
});

test('a section set in the same turn as start() is in the first update', async () => {
  const env = new FakeEnvironment();
  const core = env.core();
  core.start();
  core.setSection(ABSTRACT);
  await settle();
  assert.equal(env.sent.length, 1, `sent ${JSON.stringify(env.sent)}`);
  assert.equal(env.last.body.section, ABSTRACT);
  assert.equal(core.currentSection, ABSTRACT);
});

test('each instance has its own session, and its seq grows with each update and leave', async () => { // rule 8
  const env = new FakeEnvironment();
  const [one, two] = [env.core(), env.core()];
  one.start();
  await settle();
  one.setSection(ABSTRACT);
  await settle();
  one.stop();
  await settle();
  two.start();
  await settle();
  assert.deepEqual(env.sent.slice(0, 3).map(({path, body}) => [path, body.seq]), [['update/', 1], ['update/', 2], ['leave/', 3]]);
  const sessions = env.sent.map(({body}) => body.session);
  assert.match(sessions[0], /^[A-Za-z0-9._~-]{16,64}$/);
  assert.equal(new Set(sessions.slice(0, 3)).size, 1, 'sessions of one instance');
  assert.notEqual(sessions[3], sessions[0]);
});

test('stop() sends one leave and then nothing', async () => { // rule 9, case 3
  const env = new FakeEnvironment();
  const core = env.core();
  env.set(user(2, 'Bob'));
  core.start();
  await settle();
  core.stop();
  core.stop();
  await settle();
  core.setSection(METHODS);
  await core.updatePresence();
  env.show();
  env.fire('online');
  await env.clock.advance(300_000);
  assert.equal(env.leaves.length, 1);
  assert.equal(env.updates.length, 1);
  assert.equal(env.leaves[0].keepalive, true);
  assert.equal(env.leaves[0].body.hidden, undefined, 'a leave by stop() is not hidden');
  assert.equal(env.clock.pending, 0, 'timers');
  assert.deepEqual([core.getSnapshot().status, core.onlineUsers.length], ['stopped', 0]);
});

test('start(), stop() and start() in one turn send one update and no leave', async () => { // case 12
  const env = new FakeEnvironment();
  const core = env.core();
  core.start();
  core.stop();
  core.start();
  await env.clock.advance(1000);
  assert.deepEqual(env.sent.map(({path}) => path), ['update/']);
  core.stop();
  core.start();
  await env.clock.advance(1000);
  assert.deepEqual(env.sent.map(({path}) => path), ['update/']);
});

test('start() and stop() in one turn send nothing', async () => { // case 12
  const env = new FakeEnvironment();
  const core = env.core();
  core.start();
  core.stop();
  await env.clock.advance(60_000);
  assert.equal(env.sent.length, 0);
});

test('a session that is started again continues its seq', async () => {
  const env = new FakeEnvironment();
  const core = env.core();
  core.start();
  await settle();
  core.stop();
  await settle();
  core.start();
  await settle();
  assert.deepEqual(env.sent.map(({path, body}) => [path, body.seq, body.known_version ?? null]), [['update/', 1, 0], ['leave/', 2, null], ['update/', 3, 0]]);
});

test('the list contains the other users only, whether the host\'s id is a number, a string or null', async () => {
  for (const id of [1, '1', null]) {
    const env = new FakeEnvironment();
    env.set(user(2, 'Bob', METHODS));
    const core = env.core({}, /** @type {number} */ (id));
    core.start();
    await settle();
    assert.equal(names(core.onlineUsers), 'Bob', `own id ${JSON.stringify(id)}`);
    assert.equal(core.getSnapshot().you?.username, 'me');
  }
});

test('a list replaces the previous one, and a list that arrives after a newer answer is ignored', async () => { // case 29
  const env = new FakeEnvironment();
  env.set(user(2, 'Bob'), user(3, 'Carol'));
  const core = env.core();
  core.start();
  await settle();
  env.held = true;
  const late = core.fetchPresence(); // has Bob and Carol, and arrives after the answer with Dan
  await settle();
  env.held = false;
  env.set(user(4, 'Dan'));
  await env.clock.advance(7_000);
  await core.updatePresence();
  assert.equal(names(core.onlineUsers), 'Dan');
  env.release();
  await late;
  assert.equal(names(core.onlineUsers), 'Dan', 'a list older than the current one');
  assert.equal(core.getSnapshot().version, 102);
  await env.clock.advance(60_000);
  assert.equal(names(core.onlineUsers), 'Dan');
});

test('join and leave are emitted once for each user, and not at the first load or for an update', async () => { // case 30
  const env = new FakeEnvironment();
  const core = env.core();
  const seen = record(core, 'join', 'leave');
  env.set(user(2, 'Bob', METHODS));
  core.start();
  await settle();
  assert.deepEqual(seen, [], 'at the first load');
  env.set(user(2, 'Bob', ABSTRACT), user(3, 'Carol'));
  await env.clock.advance(30_000);
  env.set(user(3, 'Carol', METHODS));
  await env.clock.advance(90_000);
  assert.deepEqual(seen, ['join Carol', 'leave Bob']);
});

test('a snapshot is frozen and stays the same object until something visible changes', async () => {
  const env = new FakeEnvironment();
  env.set(user(2, 'Bob', METHODS));
  const core = env.core();
  let calls = 0;
  const unsubscribe = core.subscribe(() => calls++);
  core.start();
  await settle();
  const before = core.getSnapshot();
  const seen = calls;
  env.me = {...env.me, last_seen: '2025-11-03T17:00:30Z'};
  await env.clock.advance(90_000);
  assert.equal(core.getSnapshot(), before, 'after a heartbeat');
  assert.equal(calls, seen);
  assert.throws(() => (/** @type {any} */ (before.users)).push(1), TypeError);
  assert.throws(() => (/** @type {any} */ (before.users[0]).username = 'x'), TypeError);
  env.set();
  await env.clock.advance(30_000);
  assert.notEqual(core.getSnapshot(), before);
  assert.equal(calls, seen + 1);
  unsubscribe();
  env.set(user(2, 'Bob'));
  await env.clock.advance(30_000);
  assert.equal(calls, seen + 1, 'after unsubscribing');
});

test('users named __proto__ and users without a name are listed', async () => { // cases 17 and 19
  const env = new FakeEnvironment();
  const nameless = /** @type {any} */ ({user_id: 'constructor', username: null, section: null});
  env.set(user('__proto__', '__proto__', '__proto__'), nameless);
  const core = env.core();
  const seen = record(core, 'join', 'leave');
  core.start();
  await settle();
  assert.deepEqual(core.onlineUsers.map(({user_id: id}) => id), ['__proto__', 'constructor']);
  assert.deepEqual([core.onlineUsers[1].username, core.onlineUsers[1].sections], ['', []]);
  env.set();
  await env.clock.advance(30_000);
  assert.equal(seen.length, 2, `saw ${seen}`);
});

test('the count includes the users that a cut list leaves out', async () => { // rule 16
  const env = new FakeEnvironment();
  env.set(user(2, 'Bob'));
  env.extra = {count: 1500};
  const core = env.core();
  core.start();
  await settle();
  assert.equal(core.getSnapshot().count, 1499);
});

/** Alice edits the abstract already. @param {Partial<import('../presence-types.js').Options>} [options] */
async function occupied(options) {
  const env = new FakeEnvironment();
  env.set(user(2, 'Alice', ABSTRACT));
  const core = env.core(options);
  core.start();
  core.setSection(METHODS);
  await settle();
  return {env, core};
}

test('entering an occupied section warns, records viewing and emits one conflict event', async () => { // rule 6
  const {env, core} = await occupied();
  const seen = record(core, 'conflict');
  core.setSection(ABSTRACT);
  await settle();
  assert.equal(env.last.body.unless_occupied, true);
  const {activity, warning, conflicts} = core.getSnapshot();
  assert.deepEqual([activity, names(warning), names(conflicts)], ['viewing', 'Alice', 'Alice']);
  await env.clock.advance(90_000);
  assert.deepEqual(seen, ['conflict Alice']);
});

test('an answer of viewing without conflicts causes no endless updates', async () => {
  const env = new FakeEnvironment();
  env.extra = {activity: 'viewing', conflicts: []};
  const core = env.core();
  core.start();
  core.setSection(ABSTRACT);
  await env.clock.advance(29_000);
  assert.equal(env.updates.length, 1);
});

test('editAnyway() holds for the users it answered, and a new user causes a new warning', async () => { // case 22
  const {env, core} = await occupied();
  core.setSection(ABSTRACT);
  await settle();
  core.editAnyway();
  await settle();
  assert.equal(env.last.body.unless_occupied, false, 'editAnyway() sends a plain update');
  assert.deepEqual([core.getSnapshot().activity, names(core.getSnapshot().warning)], ['editing', '']);
  await env.clock.advance(60_000);
  assert.equal(names(core.getSnapshot().warning), '', 'after a heartbeat');

  core.setSection(METHODS);
  await settle();
  core.setSection(ABSTRACT);
  await settle();
  assert.deepEqual([core.getSnapshot().activity, names(core.getSnapshot().warning)], ['editing', ''], 'after returning to the same users');

  core.setSection(METHODS);
  env.set(user(2, 'Alice', ABSTRACT), user(3, 'Carol', ABSTRACT));
  await settle();
  core.setSection(ABSTRACT);
  await settle();
  assert.deepEqual([core.getSnapshot().activity, names(core.getSnapshot().warning)], ['viewing', 'Alice Carol'], 'Carol is new');
});

test('the warning ends when the conflicting users leave', async () => { // case 25
  const {env, core} = await occupied();
  core.setSection(ABSTRACT);
  await settle();
  env.set();
  await env.clock.advance(30_000);
  const {activity, warning, conflicts} = core.getSnapshot();
  assert.deepEqual([activity, warning.length, conflicts.length], ['editing', 0, 0]);
});

test('chooseDifferent() returns to the last section without a warning', async () => { // case 23
  const {env, core} = await occupied();
  env.set(user(2, 'Alice', ABSTRACT), user(3, 'Bob', 'manuscript/results'));
  core.setSection(ABSTRACT);
  await settle();
  core.setSection('manuscript/results');
  await settle();
  assert.equal(names(core.getSnapshot().warning), 'Bob');
  assert.equal(core.chooseDifferent(), METHODS);
  await settle();
  assert.deepEqual([env.last.body.section, core.getSnapshot().warning.length], [METHODS, 0]);
});

test('chooseDifferent() without an earlier section leaves the page without a section', async () => { // case 23
  const env = new FakeEnvironment();
  env.set(user(2, 'Alice', ABSTRACT));
  const core = env.core();
  core.start();
  core.setSection(ABSTRACT);
  await settle();
  assert.equal(core.chooseDifferent(), null);
  await settle();
  assert.equal(env.last.body.section, '');
});

test('a page that was editing first gets one conflict event, no warning, and keeps editing', async () => { // rule 5, case 21
  const env = new FakeEnvironment();
  const core = env.core();
  /** @type {boolean[]} */
  const roles = [];
  core.addEventListener('conflict', (event) => roles.push(/** @type {CustomEvent} */ (event).detail.editing));
  core.start();
  core.setSection(ABSTRACT);
  await settle();
  env.set(user(2, 'Bob', ABSTRACT));
  await env.clock.advance(120_000 - 1);
  const {activity, warning, conflicts} = core.getSnapshot();
  assert.deepEqual([activity, warning.length, names(conflicts)], ['editing', 0, 'Bob']);
  assert.deepEqual(roles, [true]);
  env.hide();
  await settle();
  env.show();
  await settle();
  assert.deepEqual([core.getSnapshot().activity, core.getSnapshot().warning.length], ['editing', 0], 'after the tab was hidden');
});

test('a page that only views gets no warning', async () => {
  const {env, core} = await occupied();
  core.setSection(ABSTRACT, {activity: 'viewing'});
  await settle();
  assert.deepEqual([env.last.body.activity, core.getSnapshot().warning.length], ['viewing', 0]);
});

test('an answer about the previous section does not change conflicts of the current one', async () => {
  const {env, core} = await occupied();
  const seen = record(core, 'conflict');
  env.held = true;
  core.setSection(ABSTRACT);
  await settle();
  core.setSection(METHODS);
  env.release();
  await settle();
  assert.deepEqual([core.getSnapshot().conflicts.length, core.getSnapshot().warning.length, seen], [0, 0, []]);
});

test('your other tab is listed in ownWindows and is no conflict', async () => { // rule 7, case 15
  const env = new FakeEnvironment();
  env.extra = {you: user(1, 'me', ABSTRACT, {sections: [ABSTRACT, METHODS]}), conflicts: [user(1, 'me', ABSTRACT)]};
  const core = env.core();
  core.start();
  core.setSection(ABSTRACT);
  await settle();
  const {ownWindows, conflicts, warning, users} = core.getSnapshot();
  assert.deepEqual([ownWindows, conflicts, warning, users], [[METHODS], [], [], []]);
});
