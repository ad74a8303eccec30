import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import test from 'node:test';
import {PresenceCore} from '../presence-core.js';
import {World, settle, user} from './fixtures.js';

const ABSTRACT = 'manuscript/abstract';
const METHODS = 'manuscript/methods';

/** @param {string} name a golden message */
const wire = (name) => JSON.parse(readFileSync(new URL(`../../testdata/wire/${name}.json`, import.meta.url), 'utf8'));

/** @param {readonly {username: string}[]} users */
const names = (users) => users.map(({username}) => username).join(' ');

/** @param {World} world @param {Partial<import('../presence-types.js').Options>} [options] @param {string} [section] */
async function live(world, options, section) {
  const core = world.core(options);
  core.start();
  if (section) core.setSection(section);
  await settle();
  return core;
}

/** @param {import('../presence-core.js').PresenceCore} core */
const state = (core) => {
  const {status, stale, users} = core.getSnapshot();
  return [status, stale, names(users)];
};

/** @param {EventTarget} target @returns {string[]} */
function record(target) {
  /** @type {string[]} */
  const seen = [];
  for (const type of ['join', 'leave', 'conflict', 'status']) {
    target.addEventListener(type, (event) => {
      const {user, users, editing, status} = /** @type {CustomEvent} */ (event).detail;
      seen.push([type, user?.username ?? status ?? names(users), editing && 'there first'].filter(Boolean).join(' '));
    });
  }
  return seen;
}

test('live, nothing goes over HTTP: a hello, an update at each change and heartbeat, a leave', async () => {
  const world = new World('open');
  world.set(user(2, 'Bob'));
  const core = await live(world);
  assert.deepEqual(state(core), ['live', false, 'Bob']);
  assert.equal(core.getSnapshot().text, 'Presence is live');
  core.setSection(ABSTRACT);
  core.setSection(METHODS);
  await world.clock.pass(60_000);
  core.stop();
  await settle();
  assert.deepEqual(world.said, ['hello', 'update', 'update', 'update', 'leave']);
  assert.deepEqual(world.socket.said.map(({seq, section}) => [seq, section]), [[1, ''], [2, METHODS], [3, METHODS], [4, METHODS], [5, undefined]]);
  assert.deepEqual(world.sent, []);
  assert.deepEqual([core.getSnapshot().status, world.socket.open, world.clock.pending], ['stopped', false, 0]);
});

test('the messages have the fields of the golden ones, and the address has no token', async () => {
  for (const [prefix, url] of [[undefined, 'wss://writer.example/writer/api/project/demo/presence/live/'], ['http://127.0.0.1:8080/api', 'ws://127.0.0.1:8080/api/project/demo/presence/live/']]) {
    const world = new World('open');
    const core = await live(world, {token: 'a-token', prefix}, ABSTRACT);
    core.setSection(METHODS);
    await settle();
    core.stop();
    await settle();
    assert.deepEqual([world.socket.url, world.socket.protocol], [url, 'writer-presence.v1']);
    const {hidden, ...leave} = wire('leave');
    const golden = [wire('hello'), wire('update'), leave];
    golden[0].session = world.socket.said[0].session;
    assert.deepEqual(world.socket.said, golden);
  }
});

test('the server\'s heartbeat is kept', async () => {
  const world = new World('open');
  world.extra = {heartbeat: 45};
  await live(world);
  await world.clock.pass(44_000);
  assert.deepEqual(world.said, ['hello']);
  await world.clock.pass(1_000);
  assert.deepEqual(world.said, ['hello', 'update']);
});

test('every golden step of the fold', async () => { // case 29
  const world = new World('open');
  world.hear = (socket, message) => socket.tell({type: 'ack', seq: message.seq, version: 0, activity: 'viewing', conflicts: []});
  const core = world.core({}, 99);
  core.start();
  await settle();
  for (const {why, receive, version, users, asks} of wire('fold')) {
    const before = world.socket.said.length;
    world.socket.tell(receive);
    await settle();
    const {users: shown, version: known} = core.getSnapshot();
    assert.deepEqual([known, shown.map(({user_id: id}) => id)], [version, users], why);
    assert.deepEqual(world.socket.said.slice(before).map((said) => said.known_version), asks ? [version] : [], why);
  }
});

test('what was missed is asked for once, and a snapshot ends it', async () => {
  const world = new World('open');
  const core = await live(world);
  const gap = {type: 'delta', changed: [], at: [], left: []};
  for (let base = 200; base < 205; base++) world.socket.tell({...gap, base, version: base + 1});
  world.version = 205;
  await settle();
  assert.deepEqual(world.socket.said.slice(1).map((said) => said.known_version), [100]);
  assert.equal(core.getSnapshot().version, 205);
  await core.updatePresence();
  assert.equal(world.socket.said[2].known_version, undefined);
  world.socket.tell({...gap, base: 300, version: 301});
  await settle();
  assert.equal(world.socket.said[3].known_version, 205, 'the next gap is one again');
});

test('a change keeps everybody in the order of the server', async () => { // rule 17
  const world = new World('open');
  const core = await live(world);
  const [alice, bob, carol] = [user(2, 'Alice'), user(3, 'Bob'), user(4, 'Carol')];
  world.set(alice, carol);
  await settle();
  world.set(alice, bob, carol);
  await settle();
  assert.equal(names(core.onlineUsers), 'Alice Bob Carol');
});

test('a delta before anything is known is no list', async () => { // case 29
  const world = new World('open');
  world.hear = () => {};
  const core = await live(world);
  world.socket.tell({type: 'delta', base: 0, version: 5, changed: [user(2, 'Bob')], at: [0], left: []});
  await settle();
  assert.deepEqual([core.getSnapshot().version, core.onlineUsers], [0, []]);
});

test('what an old connection still says changes nothing', async () => { // case 29
  const world = new World('open');
  world.set(user(2, 'Bob'));
  const core = await live(world);
  const {onmessage, onclose} = world.socket;
  world.socket.end();
  await world.clock.pass(500);
  onmessage({data: JSON.stringify({type: 'snapshot', version: 999, users: []})});
  onclose({code: 1008});
  await world.clock.pass(1_000);
  assert.deepEqual([state(core), world.sockets.length, world.sent.length], [['live', false, 'Bob'], 2, 0]);
});

test('join, leave and status are told as by polling, and an update is neither', async () => { // case 30
  const world = new World('open');
  world.set(user(2, 'Bob', METHODS));
  const core = world.core();
  const seen = record(core);
  core.start();
  await settle();
  world.set(user(2, 'Bob', ABSTRACT), user(3, 'Carol'));
  await settle();
  world.set(user(3, 'Carol', METHODS));
  await settle();
  await world.clock.pass(60_000);
  assert.deepEqual(seen, ['status connecting', 'status live', 'join Carol', 'leave Bob']);
});

test('a section that somebody enters first: who comes is warned by the answer, and freed at once when the other leaves', async () => { // cases 21, 25
  const world = new World('open');
  world.set(user(2, 'Alice', ABSTRACT));
  const core = await live(world, {}, METHODS);
  const seen = record(core);
  core.setSection(ABSTRACT);
  await settle();
  assert.deepEqual([core.getSnapshot().activity, names(core.getSnapshot().warning)], ['viewing', 'Alice']);
  world.set(user(2, 'Alice', ABSTRACT, {last_seen: '2025-11-03T17:00:30Z'}), user(3, 'Bob'));
  await world.clock.pass(60_000);
  assert.deepEqual(seen, ['conflict Alice', 'join Bob'], 'told once');
  const before = world.socket.said.length;
  world.set(user(2, 'Alice', METHODS), user(3, 'Bob'));
  await settle();
  assert.equal(core.getSnapshot().warning.length, 0);
  assert.deepEqual(world.socket.said.slice(before).map(({type, unless_occupied: careful}) => [type, careful]), [['update', true]]);
  assert.equal(core.getSnapshot().activity, 'editing');
});

test('who was there first learns of the second at once, is not asked, and not demoted', async () => { // case 21
  const world = new World('open');
  const core = await live(world, {}, ABSTRACT);
  const seen = record(core);
  world.set(user(2, 'Bob', ABSTRACT));
  await settle();
  const {activity, warning, conflicts} = core.getSnapshot();
  assert.deepEqual([activity, names(warning), names(conflicts)], ['editing', '', 'Bob']);
  world.set();
  await settle();
  assert.equal(core.getSnapshot().conflicts.length, 0);
  assert.deepEqual(seen, ['join Bob', 'conflict Bob there first', 'leave Bob']);
  assert.deepEqual(world.said, ['hello'], 'and says nothing itself');
});

test('edit anyway is remembered through every delta, and somebody new asks again', async () => { // case 22
  const world = new World('open');
  world.set(user(2, 'Alice', ABSTRACT));
  const core = await live(world, {}, ABSTRACT);
  const {hear} = world;
  world.hear = (socket, message) => {
    // The news of it comes first.
    const me = {...world.me, activity: 'editing'};
    socket.tell({type: 'delta', base: world.version, version: ++world.version, changed: [me], at: [0], left: []});
    setImmediate(() => hear.call(world, socket, message));
  };
  core.editAnyway();
  await settle();
  world.hear = hear;
  assert.deepEqual([core.getSnapshot().activity, names(core.getSnapshot().warning)], ['editing', '']);
  assert.deepEqual(world.socket.said.map(({unless_occupied: careful}) => careful), [true, false], 'said once');
  world.set(user(2, 'Alice', ABSTRACT, {initials: 'XX'}));
  await settle();
  assert.equal(core.getSnapshot().warning.length, 0);
  core.setSection(METHODS);
  await settle();
  world.set(user(2, 'Alice', ABSTRACT), user(3, 'Carol', ABSTRACT));
  core.setSection(ABSTRACT);
  await settle();
  assert.equal(names(core.getSnapshot().warning), 'Alice Carol');
  world.set(user(2, 'Alice', ABSTRACT));
  await settle();
  assert.deepEqual([core.getSnapshot().activity, core.getSnapshot().warning.length], ['editing', 0], 'only those whom the answer covers are left');
});

test('of somebody in several sections, the one in which they edit counts', async () => { // rule 3
  const world = new World('open');
  const core = await live(world, {}, ABSTRACT);
  world.set(user(2, 'Bob', METHODS, {sections: [ABSTRACT, METHODS], editing: [METHODS]}));
  await settle();
  assert.equal(core.getSnapshot().conflicts.length, 0);
  world.set(user(2, 'Bob', METHODS, {sections: [ABSTRACT, METHODS], editing: [ABSTRACT], activity: 'idle'}));
  await settle();
  assert.equal(names(core.getSnapshot().conflicts), 'Bob');
});

test('of an answer and a list, the newer one says who is editing here', async () => { // rule 5
  const world = new World('open');
  const core = await live(world, {}, METHODS);
  const [alice, gone] = [user(2, 'Alice', ABSTRACT), user(2, 'Alice')];
  /** @param {number} version @param {import('../presence-types.js').User} other @param {object} [more] */
  const list = (version, other, more) => ({type: 'snapshot', version, users: [world.me, other], ...more});
  world.hear = (socket, {seq}) => {
    socket.tell({type: 'ack', seq, version: 110, activity: 'viewing', you: world.me, conflicts: [alice]});
    socket.tell(list(105, gone));
  };
  core.setSection(ABSTRACT);
  await settle();
  assert.equal(names(core.getSnapshot().warning), 'Alice', 'an older list');
  world.hear = (socket, {seq}) => socket.tell({type: 'ack', seq, version: 120, activity: 'editing', you: world.me, conflicts: []});
  world.socket.tell(list(115, gone, {count: 2000}));
  await settle();
  assert.equal(names(core.getSnapshot().warning), 'Alice', 'a list that is cut does not tell of everybody');
  world.socket.tell(list(115, gone));
  await settle();
  assert.deepEqual([core.getSnapshot().warning.length, core.getSnapshot().activity], [0, 'editing']);
  world.hear = (socket, {seq}) => {
    socket.tell(list(130, gone));
    socket.tell({type: 'ack', seq, version: 125, activity: 'editing', you: world.me, conflicts: [alice]});
  };
  await core.updatePresence();
  assert.equal(core.getSnapshot().conflicts.length, 0, 'an older answer');
});

test('a careful entry that was outdated when its answer came is made again', async () => { // case 27
  const world = new World('open');
  const core = await live(world, {}, METHODS);
  const {hear} = world;
  world.hear = (socket, {seq}) => {
    world.hear = hear;
    world.set(user(2, 'Alice'));
    socket.tell({type: 'ack', seq, version: 100, activity: 'viewing', you: world.me, conflicts: [user(2, 'Alice', ABSTRACT)]});
  };
  core.setSection(ABSTRACT);
  await settle();
  assert.deepEqual([core.getSnapshot().warning.length, core.getSnapshot().activity], [0, 'editing']);
  assert.equal(world.said.length, 3);
});

test('your own other window is known by what the list says of you, the section just left is none', async () => { // rule 7, case 15
  const world = new World('open');
  const core = await live(world, {}, ABSTRACT);
  const before = world.me;
  world.me = user(1, 'me', METHODS, {sections: [ABSTRACT, METHODS], editing: [ABSTRACT, METHODS]});
  world.socket.tell({type: 'delta', base: 100, version: 101, changed: [world.me], at: [0], left: []});
  await settle();
  const {ownWindows, conflicts, users, you} = core.getSnapshot();
  assert.deepEqual([ownWindows, conflicts, users, you?.section], [[METHODS], [], [], METHODS]);
  world.hear = () => {};
  core.setSection(METHODS);
  assert.deepEqual(core.getSnapshot().ownWindows, [], 'where you are is no other window');
  core.setSection('manuscript/results');
  world.socket.tell({type: 'delta', base: 101, version: 102, changed: [before], at: [0], left: []});
  await settle();
  assert.deepEqual(core.getSnapshot().ownWindows, []);
});

test('an error about a message is told, and the connection goes on', async () => {
  const world = new World('open');
  const core = await live(world);
  world.mistake = {code: 'section_too_long'};
  core.setSection('x'.repeat(101));
  await settle();
  assert.equal(core.getSnapshot().status, 'unknown');
  world.mistake = null;
  await world.clock.pass(29_000);
  assert.equal(world.said.length, 2, 'the same is not said again at once');
  await world.clock.pass(1_000);
  assert.deepEqual([state(core), world.said, world.sent], [['live', false, ''], ['hello', 'update', 'update'], []]);
  world.mistake = {code: 'too_many_requests', retry_after: 20};
  core.setSection(ABSTRACT);
  await settle();
  world.mistake = null;
  core.setSection(METHODS);
  await world.clock.pass(19_000);
  assert.equal(world.said.length, 4, 'not before the time that was asked for');
  await world.clock.pass(11_000); // and up to half as much later, at random
  assert.deepEqual([world.said.length, state(core)[0]], [5, 'live']);
});

test('"unavailable" is "presence unknown": the list stays, marked as old, until the next word', async () => { // rule 13
  const world = new World('open');
  world.set(user(2, 'Bob'));
  const core = await live(world);
  world.socket.tell({type: 'error', code: 'unavailable', error: ''});
  await settle();
  assert.deepEqual(state(core), ['unknown', true, 'Bob']);
  world.set(user(2, 'Bob'), user(3, 'Carol'));
  await settle();
  assert.deepEqual(state(core), ['live', false, 'Bob Carol']);
  world.mistake = {code: 'unavailable'};
  await world.clock.pass(30_000);
  assert.deepEqual(state(core), ['unknown', true, 'Bob Carol']);
  world.mistake = null;
  await world.clock.pass(500);
  assert.deepEqual([state(core), world.sent], [['live', false, 'Bob Carol'], []], 'and is asked for again soon');
});

test('without live connections, polling begins within five seconds', async () => { // case 31
  for (const [door, by] of /** @type {const} */ ([['none', 0], ['shut', 0], ['hangs', 3_000], ['mute', 3_000]])) {
    const world = new World(door);
    world.set(user(2, 'Bob', ABSTRACT));
    const core = await live(world, {}, ABSTRACT);
    await world.clock.pass(by);
    assert.deepEqual([state(core), names(core.getSnapshot().warning)], [['polling', false, 'Bob'], 'Bob'], door);
    await world.clock.pass(600_000);
    assert.equal(state(core)[0], 'polling');
  }
});

test('`live: false` is polling', async () => {
  const world = new World('open');
  const core = await live(world, {live: false});
  await world.clock.pass(60_000);
  assert.deepEqual([state(core)[0], world.sockets.length, world.updates.length], ['polling', 0, 3]);
});

test('live again when it can be: polling ends, silently', async () => { // case 31
  const world = new World('shut');
  const core = await live(world);
  await world.clock.pass(60_000);
  const seen = record(core);
  world.door = 'open';
  await world.clock.pass(30_000);
  assert.equal(core.getSnapshot().status, 'live');
  const {length} = world.sent;
  await world.clock.pass(300_000);
  assert.deepEqual([world.sent.length, world.leaves.length, seen[0]], [length, 0, 'status live']);
  const seqs = [...world.updates.map(({body}) => body), ...world.socket.said].map(({seq}) => seq);
  assert.deepEqual(seqs, [...new Set(seqs)].sort((a, b) => a - b), 'one session, whose seq grows');
});

test('a poll that was under way when the connection became live changes nothing', async () => {
  const world = new World('mute');
  world.set(user(2, 'Old'));
  const core = await live(world);
  const {known_version: known, seq} = world.socket.said[0];
  assert.equal(known, 0);
  world.held = true;
  const listing = core.fetchPresence();
  await world.clock.pass(3_000);
  assert.equal(world.updates.length, 1, 'polling has begun');
  world.door = 'open';
  world.set(user(3, 'New'));
  world.hear(world.socket, {type: 'hello', seq, section: '', activity: 'viewing', known_version: 0});
  await settle();
  assert.deepEqual([state(core), world.last.aborted], [['live', false, 'New'], true]);
  world.version = 50;
  world.others = [user(2, 'Old')];
  world.release();
  await listing;
  await settle();
  assert.deepEqual(state(core), ['live', false, 'New']);
  await world.clock.pass(29_000);
  assert.equal(world.updates.length, 1);
});

test('a look at the list that fails says nothing against a live connection', async () => {
  const world = new World('open');
  world.set(user(2, 'Bob'));
  const core = await live(world);
  for (const failure of [503, 404, new TypeError('Failed to fetch')]) {
    world.failure = failure;
    await core.fetchPresence();
    assert.deepEqual(state(core), ['live', false, 'Bob']);
  }
});

test('a blip: the list stays, marked as old, and nothing is polled', async () => { // case 30
  const world = new World('open');
  world.set(user(2, 'Bob'));
  const core = await live(world);
  const seen = record(core);
  world.socket.end();
  assert.deepEqual(state(core), ['connecting', true, 'Bob']);
  assert.equal(core.getSnapshot().text, 'Presence: reconnecting…');
  await world.clock.pass(500);
  assert.deepEqual([state(core), world.sockets.length, world.sent.length], [['live', false, 'Bob'], 2, 0]);
  assert.deepEqual(seen, ['status connecting', 'status live']);
  assert.deepEqual([world.socket.said[0].known_version, world.socket.said[0].seq], [101, 2]);
});

test('a connection that breaks and does not come back is replaced by polling after three seconds', async () => { // case 31
  for (const door of /** @type {const} */ (['shut', 'hangs', 'mute'])) {
    const world = new World('open');
    world.set(user(2, 'Bob'));
    const core = await live(world);
    world.door = door;
    world.socket.end();
    core.setSection(ABSTRACT);
    await world.clock.pass(2_900);
    assert.deepEqual([state(core), world.sent.length], [['connecting', true, 'Bob'], 0], door);
    await world.clock.pass(200);
    assert.deepEqual([state(core), world.updates.map(({body}) => body.section)], [['polling', false, 'Bob'], [ABSTRACT]], door);
  }
});

test('reconnects wait with full jitter, from a quarter of a second up to thirty, and from the start after an ack', async () => { // case 33
  const world = new World('shut');
  world.random = 0.999;
  await live(world);
  await world.clock.pass(110_000);
  const waits = () => world.sockets.slice(1).map(({at}, i) => Math.round((at - world.sockets[i].at) / 100) / 10);
  assert.deepEqual(waits().slice(0, 14), [0.3, 0.4, 0.6, 0.8, 1.3, 1.9, 2.8, 4.3, 6.4, 9.6, 14.4, 21.6, 30, 30].slice(0, waits().length));
  assert.ok(waits().length >= 13, `${waits()}`);
  world.random = 0.25;
  world.door = 'open';
  await world.clock.pass(30_000);
  assert.ok(world.socket.open);
  const {length} = world.sockets;
  world.socket.end();
  await world.clock.pass(62);
  assert.equal(world.sockets.length, length);
  await world.clock.pass(1);
  assert.equal(world.sockets.length, length + 1);
});

test('a connection that hangs is given up after 8 s, and tried again', async () => {
  for (const door of /** @type {const} */ (['hangs', 'mute'])) {
    const world = new World(door);
    await live(world);
    await world.clock.pass(7_900);
    assert.deepEqual([world.sockets.length, world.socket.readyState < 2], [1, true]);
    await world.clock.pass(200);
    assert.equal(world.socket.readyState, 3);
    await world.clock.pass(500);
    assert.equal(world.sockets.length, 2);
  }
});

test('being online, visible or shown again is a reason to try at once', async () => {
  /** @type {Record<string, (world: World) => void>} */
  const reasons = {
    online: (world) => world.fire('online'),
    visible: (world) => world.show(),
    input: (world) => world.fire('keydown'),
  };
  for (const [reason, happen] of Object.entries(reasons)) {
    const world = new World('shut');
    const core = await live(world);
    world.random = 0.999;
    await world.clock.pass(119_000);
    if (reason === 'visible') world.hide();
    if (reason === 'visible') await world.clock.pass(1_000); // one attempt a second
    if (reason === 'input') await world.clock.pass(2_000); // now it is idle
    await settle();
    const {length} = world.sockets;
    world.door = 'open';
    happen(world);
    await settle();
    assert.deepEqual([world.sockets.length, state(core)[0]], [length + 1, 'live'], reason);
  }
});

test('an update without an ack in 8 s: the connection is dead, and there is another', async () => {
  const world = new World('open');
  world.set(user(2, 'Bob'));
  const core = await live(world);
  const [first] = world.sockets;
  world.door = 'mute';
  let done = false;
  void core.updatePresence().then(() => (done = true));
  await world.clock.pass(7_900);
  assert.deepEqual([state(core)[0], first.open, done], ['live', true, false]);
  world.door = 'open';
  await world.clock.pass(100);
  assert.deepEqual([state(core), first.open], [['connecting', true, 'Bob'], false]);
  await world.clock.pass(500);
  assert.deepEqual([state(core), world.sockets.length, world.sent.length, done], [['live', false, 'Bob'], 2, 0, true]);
});

test('a visitor polls first, for the cookie, and is live at once after it', async () => {
  const world = new World('open');
  const core = world.core({}, null);
  world.held = true;
  core.start();
  await settle();
  assert.deepEqual([world.updates.length, world.sockets.length], [1, 0]);
  world.release();
  await settle();
  assert.deepEqual([state(core)[0], world.updates.length, world.said], ['live', 1, ['hello']]);
});

test('a visitor with a token needs no cookie', async () => {
  const world = new World('open');
  const core = world.core({token: async () => 't'}, null);
  core.start();
  await settle();
  assert.deepEqual([state(core)[0], world.sent.length, world.socket.said[0].token], ['live', 0, 't']);
});

test('who you are may be known only after the list', async () => {
  const world = new World('open');
  world.set(user(2, 'Bob'));
  const {hear} = world;
  world.hear = (socket, message) => {
    socket.tell({type: 'snapshot', version: world.version, users: [world.me, ...world.others]});
    hear.call(world, socket, {...message, known_version: world.version});
  };
  const core = world.core({token: 't'}, null);
  core.start();
  await settle();
  const {count, users, you} = core.getSnapshot();
  assert.deepEqual([count, names(users), you?.username], [1, 'Bob', 'me']);
});

test('a hello that is refused is followed by a poll at once, which decides; and not by a storm', async () => {
  for (const code of ['unauthenticated', 'token_invalid', 'cookie_invalid', 'project_unknown', 'too_many_sessions']) {
    const world = new World('open');
    world.mistake = {code};
    const core = await live(world);
    assert.deepEqual([state(core)[0], world.updates.length], ['polling', 1], code);
    world.random = 0.999;
    await world.clock.pass(600_000);
    assert.ok(world.sockets.length < 25, `${world.sockets.length} connections in ten minutes`);
    assert.ok(world.updates.length < 25, `${world.updates.length} polls in ten minutes`);
    world.mistake = null;
    await world.clock.pass(60_000);
    assert.equal(state(core)[0], 'live');
  }
});

test('a token that the live connection refuses is asked for anew, by the poll that follows', async () => {
  const world = new World('open');
  /** @type {boolean[]} */
  const asked = [];
  world.hear = (socket, {seq}) => socket.tell({type: 'error', code: 'token_invalid', error: '', seq});
  world.failure = 401;
  const {hear} = World.prototype;
  const core = await live(world, {token: (refused) => {
    asked.push(refused);
    if (refused) [world.failure, world.hear] = [null, hear];
    return refused ? 'new' : 'old';
  }});
  await world.clock.pass(500);
  assert.deepEqual([asked, world.socket.said[0].token, state(core)[0]], [[false, true], 'new', 'live']);
});

test('a token that ends soon is renewed on the same connection, by a second hello', async () => {
  const world = new World('open');
  /** @type {boolean[]} */
  const asked = [];
  const core = await live(world, {token: async (refused) => {
    asked.push(refused);
    return refused ? 'new' : 'old';
  }});
  const statuses = [state(core)[0]];
  core.addEventListener('status', () => statuses.push(state(core)[0]));
  world.socket.tell({type: 'error', code: 'token_ends', error: ''});
  await settle();
  const {session, seq, token, type} = world.socket.said[1];
  assert.deepEqual([type, token, session, seq], ['hello', 'new', world.socket.said[0].session, 2]);
  assert.deepEqual([asked, world.sockets.length, statuses], [[false, true], 1, ['live']]);
  core.setSection('manuscript/methods');
  await settle();
  assert.deepEqual(world.said, ['hello', 'hello', 'update']);
});

test('a token that cannot be renewed now leaves the connection as it is', async () => {
  const world = new World('open');
  const core = await live(world, {token: async (refused) => {
    if (refused) throw new Error('signed out');
    return 'old';
  }});
  world.socket.tell({type: 'error', code: 'token_ends', error: ''});
  await settle();
  assert.deepEqual([world.said, state(core)[0]], [['hello', 'update'], 'live']);
});

test('access that was withdrawn: the poll says so, nothing is shown, and nothing is tried before it has changed', async () => { // cases 37, 38
  const world = new World('open');
  world.set(user(2, 'Bob'));
  const core = await live(world);
  world.failure = 404;
  world.socket.tell({type: 'error', code: 'project_unknown', error: ''});
  await settle();
  world.socket.end(1008);
  await settle();
  assert.deepEqual(state(core), ['refused', false, '']);
  world.fire('online');
  await world.clock.pass(299_000);
  assert.deepEqual([world.sockets.length, world.updates.length], [1, 1]);
  world.failure = null;
  await world.clock.pass(2_000);
  assert.deepEqual([state(core), world.sockets.length], [['live', false, 'Bob'], 2]);
});

test('a poll that is refused ends the attempts to be live', async () => {
  const world = new World('shut');
  world.random = 0.999;
  const core = await live(world);
  await world.clock.pass(89_000);
  world.failure = 404;
  await world.clock.pass(1_000);
  const {length} = world.sockets;
  world.door = 'open';
  await world.clock.pass(240_000);
  assert.deepEqual([state(core)[0], world.sockets.length], ['refused', length]);
  world.failure = null;
  await world.clock.pass(60_000);
  assert.deepEqual([state(core)[0], world.socket.at], ['live', world.last.at], 'and one that succeeds begins them anew, at once');
});

test('a server that goes away is asked again when it says, and not polled meanwhile', async () => { // case 33
  const world = new World('open');
  world.set(user(2, 'Bob'));
  const core = await live(world);
  world.random = 0.999;
  world.socket.tell({...wire('draining'), retry_after: 12.5});
  await settle();
  assert.deepEqual(state(core), ['connecting', true, 'Bob']);
  world.socket.end(1012);
  core.setSection(ABSTRACT);
  world.hide();
  world.show();
  world.fire('online');
  world.door = 'hangs';
  await world.clock.pass(12_400);
  assert.deepEqual([world.sockets.length, world.sent.length], [1, 0]);
  await world.clock.pass(200);
  assert.deepEqual([world.sockets.length, world.sent.length], [2, 0]);
  await world.clock.pass(4_500);
  assert.deepEqual([state(core)[0], world.updates.length], ['polling', 1]);
});

test('a page that goes away leaves by keepalive, closes its connection, and connects anew when it is shown again', async () => { // cases 7, 8
  const world = new World('open');
  world.set(user(2, 'Bob'));
  const core = await live(world, {}, ABSTRACT);
  world.fire('pagehide', {persisted: true});
  assert.equal(world.socket.readyState, 2, 'closed within the event');
  await settle();
  const {body, path, keepalive} = world.last;
  assert.deepEqual([path, keepalive, body.hidden, world.said], ['leave/', true, true, ['hello']]);
  world.hide();
  await world.clock.pass(600_000);
  assert.deepEqual([world.sockets.length, world.sent.length, world.clock.pending, state(core)], [1, 1, 0, ['connecting', true, 'Bob']]);
  world.document.visibilityState = 'visible';
  world.fire('pageshow', {persisted: true});
  await settle();
  assert.deepEqual([state(core), world.sockets.length, world.sent.length], [['live', false, 'Bob'], 2, 1]);
  const [{session, seq, section, activity}] = world.socket.said;
  assert.deepEqual([session, seq > body.seq, section, activity], [body.session, true, ABSTRACT, 'editing']);
});

test('updatePresence is done when the hello that took it along was acknowledged', async () => {
  const world = new World('open');
  const core = world.core();
  core.start();
  let done = false;
  void core.updatePresence().then(() => (done = true));
  assert.equal(done, false);
  await settle();
  assert.deepEqual([done, world.said], [true, ['hello']]);
});

test('stop before the ack leaves over HTTP; before anything was said, it says nothing', async () => { // rule 9
  const world = new World('mute');
  const core = await live(world);
  core.stop();
  await settle();
  assert.deepEqual([world.said, world.leaves.length, world.leaves[0].body.seq, world.socket.readyState], [['hello'], 1, 2, 3]);
  const silent = new World('hangs');
  const other = await live(silent);
  other.stop();
  await silent.clock.pass(60_000);
  assert.deepEqual([silent.sent, silent.sockets.length, silent.clock.pending], [[], 1, 0]);
  world.door = 'hangs';
  core.start();
  await settle();
  core.stop();
  await settle();
  assert.equal(world.leaves.length, 1, 'what was left already is not left again');
});

test('stop while the token is on its way ends it', async () => {
  const world = new World('open');
  /** @type {(token: string) => void} */
  let give = () => {};
  const core = await live(world, {token: () => new Promise((done) => (give = done))});
  core.stop();
  await settle();
  give('late');
  await settle();
  assert.deepEqual([world.said, world.sent, world.clock.pending], [[], [], 0]);
});

test('whoever starts again begins from the start', async () => {
  const world = new World('shut');
  world.random = 0.999;
  const core = await live(world);
  await world.clock.pass(100_000);
  core.stop();
  await settle();
  const {length} = world.sockets;
  world.door = 'open';
  core.start();
  await settle();
  assert.deepEqual([world.sockets.length, state(core)[0]], [length + 1, 'live']);
});

test('a leave goes over HTTP where the connection is closing already', async () => {
  const world = new World('open');
  const core = await live(world);
  world.socket.readyState = 2;
  core.stop();
  await settle();
  assert.deepEqual([world.said, world.leaves.length], [['hello'], 1]);
});

test('start, stop, start in one turn is one connection; start and stop in one turn none', async () => { // case 12
  const world = new World('open');
  const core = world.core();
  core.start();
  core.stop();
  core.start();
  await settle();
  core.stop();
  core.start();
  await settle();
  assert.deepEqual([world.sockets.length, world.said, world.sent], [1, ['hello'], []]);
  const none = new World('open');
  const other = none.core();
  other.start();
  other.stop();
  await none.clock.pass(60_000);
  assert.deepEqual([none.sockets.length, none.sent.length], [0, 0]);
});

test('a session that is started again goes on with its seq, over a connection of its own', async () => {
  const world = new World('open');
  const core = await live(world);
  core.stop();
  await Promise.resolve();
  core.start(); // while the old one is closing, and its last messages come
  await settle();
  assert.deepEqual([state(core)[0], world.sockets.map(({said}) => said.map(({type, seq}) => `${type} ${seq}`).join(', '))], ['live', ['hello 1, leave 2', 'hello 3']]);
});

test('after a sleep the page says "reconnecting", and asks; a connection that does not answer is replaced', async () => { // case 10
  const world = new World('open');
  world.set(user(2, 'Alice', ABSTRACT));
  const core = await live(world, {}, ABSTRACT);
  world.clock.sleep(100_000);
  await world.clock.pass(0);
  assert.deepEqual([world.said, state(core)], [['hello', 'update'], ['live', false, 'Alice']], 'it had slept well');

  world.fire('keydown');
  world.clock.sleep(100_000);
  world.door = 'mute';
  world.fire('online');
  await settle();
  assert.deepEqual([world.said, state(core)], [['hello', 'update', 'update'], ['connecting', true, 'Alice']]);
  assert.equal(core.getSnapshot().text, 'Presence: reconnecting…');
  world.others = [];
  world.version++;
  world.door = 'open';
  await world.clock.pass(8_500);
  assert.deepEqual([world.sockets.length, state(core), core.getSnapshot().warning.length], [2, ['live', false, ''], 0]);
});

test('after thirty minutes of idleness the page leaves and closes, and connects again at the first input', async () => { // rule 12, case 6
  const world = new World('open');
  world.set(user(2, 'Bob'));
  const core = await live(world, {}, ABSTRACT);
  await world.clock.pass(33 * 60_000);
  assert.deepEqual([world.said.filter((type) => type === 'leave').length, world.socket.open, world.sent.length], [1, false, 0]);
  assert.deepEqual(state(core), ['away', true, 'Bob']);
  world.hide();
  world.show();
  world.fire('online');
  core.setSection(METHODS);
  await world.clock.pass(600 * 60_000);
  assert.deepEqual([world.sockets.length, world.sent.length, world.clock.pending], [1, 0, 0]);
  world.fire('keydown');
  await settle();
  assert.deepEqual([state(core), world.sockets.length, world.socket.said[0].section], [['live', false, 'Bob'], 2, METHODS]);
});

test('a hidden tab, whose timers fire once a minute, stays, and reconnects', async () => { // case 4, rule 12
  const world = new World('open');
  const core = await live(world, {}, ABSTRACT);
  world.hide();
  /** @type {number[]} */
  const times = [];
  const {hear} = world;
  world.hear = (socket, message) => (times.push(world.clock.now()), hear.call(world, socket, message));
  await world.clock.pass(10 * 60_000, 60_000);
  world.socket.end();
  await world.clock.pass(10 * 60_000, 60_000);
  const gaps = times.slice(1).map((at, i) => at - times[i]);
  assert.ok(Math.max(...gaps) <= 60_000, `the longest gap was ${Math.max(...gaps)} ms`);
  assert.deepEqual([state(core)[0], world.sockets.length, world.sent.length], ['live', 2, 0]);
});

test('a page that may not open a WebSocket polls', async () => {
  const world = new World('open');
  const environment = {...world.environment(), WebSocket: /** @type {any} */ (class {
    constructor() {
      throw new DOMException('forbidden', 'SecurityError');
    }
  })};
  const page = new PresenceCore('demo', 1, {environment});
  page.start();
  await settle();
  assert.equal(page.getSnapshot().status, 'polling');
});
