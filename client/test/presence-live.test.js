import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import test from 'node:test';
import {PresenceCore} from '../presence-core.js';
import {FakeEnvironment, settle, user} from './fixtures.js';

const ABSTRACT = 'manuscript/abstract';
const METHODS = 'manuscript/methods';

/** @param {string} name a golden message */
const wire = (name) => JSON.parse(readFileSync(new URL(`../../testdata/wire/${name}.json`, import.meta.url), 'utf8'));

/** @param {readonly {username: string}[]} users */
const names = (users) => users.map(({username}) => username).join(' ');

/** @param {FakeEnvironment} env @param {Partial<import('../presence-types.js').Options>} [options] @param {string} [section] */
async function live(env, options, section) {
  const core = env.core(options);
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

test('a live page sends hello, updates and leave over its connection, and nothing over HTTP', async () => {
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const core = await live(env);
  assert.deepEqual(state(core), ['live', false, 'Bob']);
  assert.equal(core.getSnapshot().text, 'Presence is live');
  core.setSection(ABSTRACT);
  core.setSection(METHODS);
  await env.clock.advance(60_000);
  core.stop();
  await settle();
  assert.deepEqual(env.messageTypes, ['hello', 'update', 'update', 'update', 'leave']);
  assert.deepEqual(env.socket.messages.map(({seq, section}) => [seq, section]), [[1, ''], [2, METHODS], [3, METHODS], [4, METHODS], [5, undefined]]);
  assert.deepEqual(env.sent, []);
  assert.deepEqual([core.getSnapshot().status, env.socket.open, env.clock.pending], ['stopped', false, 0]);
});

test('messages equal the golden ones, and the address contains no token', async () => {
  for (const [prefix, url] of [[undefined, 'wss://writer.example/writer/api/project/demo/presence/live/'], ['http://127.0.0.1:8080/api', 'ws://127.0.0.1:8080/api/project/demo/presence/live/']]) {
    const env = new FakeEnvironment('open');
    const core = await live(env, {token: 'a-token', prefix}, ABSTRACT);
    core.setSection(METHODS);
    await settle();
    core.stop();
    await settle();
    assert.deepEqual([env.socket.url, env.socket.protocol], [url, 'writer-presence.v1']);
    const {hidden, ...leave} = wire('leave');
    const golden = [wire('hello'), wire('update'), leave];
    golden[0].session = env.socket.messages[0].session;
    assert.deepEqual(env.socket.messages, golden);
  }
});

test('the heartbeat that the server sends is used', async () => {
  const env = new FakeEnvironment('open');
  env.extra = {heartbeat: 45};
  await live(env);
  await env.clock.advance(44_000);
  assert.deepEqual(env.messageTypes, ['hello']);
  await env.clock.advance(1_000);
  assert.deepEqual(env.messageTypes, ['hello', 'update']);
});

test('each golden delta and snapshot gives the golden list', async () => { // case 29
  const env = new FakeEnvironment('open');
  env.handle = (socket, message) => socket.deliver({type: 'ack', seq: message.seq, version: 0, activity: 'viewing', conflicts: []});
  const core = env.core({}, 99);
  core.start();
  await settle();
  for (const {why, receive, version, users, asks} of wire('fold')) {
    const before = env.socket.messages.length;
    env.socket.deliver(receive);
    await settle();
    const {users: shown, version: known} = core.getSnapshot();
    assert.deepEqual([known, shown.map(({user_id: id}) => id)], [version, users], why);
    assert.deepEqual(env.socket.messages.slice(before).map(({known_version: known}) => known), asks ? [version] : [], why);
  }
});

test('after a missed delta the page asks for the list once', async () => {
  const env = new FakeEnvironment('open');
  const core = await live(env);
  const gap = {type: 'delta', changed: [], at: [], left: []};
  for (let base = 200; base < 205; base++) env.socket.deliver({...gap, base, version: base + 1});
  env.version = 205;
  await settle();
  assert.deepEqual(env.socket.messages.slice(1).map(({known_version: known}) => known), [100]);
  assert.equal(core.getSnapshot().version, 205);
  await core.updatePresence();
  assert.equal(env.socket.messages[2].known_version, undefined);
  env.socket.deliver({...gap, base: 300, version: 301});
  await settle();
  assert.equal(env.socket.messages[3].known_version, 205, 'the next gap causes a request again');
});

test('deltas keep the order of the server', async () => { // rule 17
  const env = new FakeEnvironment('open');
  const core = await live(env);
  const [alice, bob, carol] = [user(2, 'Alice'), user(3, 'Bob'), user(4, 'Carol')];
  env.set(alice, carol);
  await settle();
  env.set(alice, bob, carol);
  await settle();
  assert.equal(names(core.onlineUsers), 'Alice Bob Carol');
});

test('a delta before the first list is ignored', async () => { // case 29
  const env = new FakeEnvironment('open');
  env.handle = () => {};
  const core = await live(env);
  env.socket.deliver({type: 'delta', base: 0, version: 5, changed: [user(2, 'Bob')], at: [0], left: []});
  await settle();
  assert.deepEqual([core.getSnapshot().version, core.onlineUsers], [0, []]);
});

test('messages of a closed connection are ignored', async () => { // case 29
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const core = await live(env);
  const {onmessage, onclose} = env.socket;
  env.socket.end();
  await env.clock.advance(500);
  onmessage({data: JSON.stringify({type: 'snapshot', version: 999, users: []})});
  onclose({code: 1008});
  await env.clock.advance(1_000);
  assert.deepEqual([state(core), env.sockets.length, env.sent.length], [['live', false, 'Bob'], 2, 0]);
});

test('a live page emits the same join, leave and status events as a polling page', async () => { // case 30
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob', METHODS));
  const core = env.core();
  const seen = record(core);
  core.start();
  await settle();
  env.set(user(2, 'Bob', ABSTRACT), user(3, 'Carol'));
  await settle();
  env.set(user(3, 'Carol', METHODS));
  await settle();
  await env.clock.advance(60_000);
  assert.deepEqual(seen, ['status connecting', 'status live', 'join Carol', 'leave Bob']);
});

test('entering an occupied section warns by the answer, and editing starts as soon as the other user leaves', async () => { // cases 21, 25
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Alice', ABSTRACT));
  const core = await live(env, {}, METHODS);
  const seen = record(core);
  core.setSection(ABSTRACT);
  await settle();
  assert.deepEqual([core.getSnapshot().activity, names(core.getSnapshot().warning)], ['viewing', 'Alice']);
  env.set(user(2, 'Alice', ABSTRACT, {last_seen: '2025-11-03T17:00:30Z'}), user(3, 'Bob'));
  await env.clock.advance(60_000);
  assert.deepEqual(seen, ['conflict Alice', 'join Bob'], 'one event');
  const before = env.socket.messages.length;
  env.set(user(2, 'Alice', METHODS), user(3, 'Bob'));
  await settle();
  assert.equal(core.getSnapshot().warning.length, 0);
  assert.deepEqual(env.socket.messages.slice(before).map(({type, unless_occupied: careful}) => [type, careful]), [['update', true]]);
  assert.equal(core.getSnapshot().activity, 'editing');
});

test('a page that was editing first learns of the second editor by a delta, and keeps editing', async () => { // case 21
  const env = new FakeEnvironment('open');
  const core = await live(env, {}, ABSTRACT);
  const seen = record(core);
  env.set(user(2, 'Bob', ABSTRACT));
  await settle();
  const {activity, warning, conflicts} = core.getSnapshot();
  assert.deepEqual([activity, names(warning), names(conflicts)], ['editing', '', 'Bob']);
  env.set();
  await settle();
  assert.equal(core.getSnapshot().conflicts.length, 0);
  assert.deepEqual(seen, ['join Bob', 'conflict Bob there first', 'leave Bob']);
  assert.deepEqual(env.messageTypes, ['hello'], 'no update');
});

test('editAnyway() holds through all deltas, and a new user causes a new warning', async () => { // case 22
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Alice', ABSTRACT));
  const core = await live(env, {}, ABSTRACT);
  const {handle} = env;
  env.handle = (socket, message) => {
    // The delta arrives before the answer.
    const me = {...env.me, activity: 'editing'};
    socket.deliver({type: 'delta', base: env.version, version: ++env.version, changed: [me], at: [0], left: []});
    setImmediate(() => handle.call(env, socket, message));
  };
  core.editAnyway();
  await settle();
  env.handle = handle;
  assert.deepEqual([core.getSnapshot().activity, names(core.getSnapshot().warning)], ['editing', '']);
  assert.deepEqual(env.socket.messages.map(({unless_occupied: careful}) => careful), [true, false], 'one update');
  env.set(user(2, 'Alice', ABSTRACT, {initials: 'XX'}));
  await settle();
  assert.equal(core.getSnapshot().warning.length, 0);
  core.setSection(METHODS);
  await settle();
  env.set(user(2, 'Alice', ABSTRACT), user(3, 'Carol', ABSTRACT));
  core.setSection(ABSTRACT);
  await settle();
  assert.equal(names(core.getSnapshot().warning), 'Alice Carol');
  env.set(user(2, 'Alice', ABSTRACT));
  await settle();
  assert.deepEqual([core.getSnapshot().activity, core.getSnapshot().warning.length], ['editing', 0], 'only answered users are left');
});

test('a user in several sections conflicts only in those they edit', async () => { // rule 3
  const env = new FakeEnvironment('open');
  const core = await live(env, {}, ABSTRACT);
  env.set(user(2, 'Bob', METHODS, {sections: [ABSTRACT, METHODS], editing: [METHODS]}));
  await settle();
  assert.equal(core.getSnapshot().conflicts.length, 0);
  env.set(user(2, 'Bob', METHODS, {sections: [ABSTRACT, METHODS], editing: [ABSTRACT], activity: 'idle'}));
  await settle();
  assert.equal(names(core.getSnapshot().conflicts), 'Bob');
});

test('conflicts come from the newer one of answer and list', async () => { // rule 5
  const env = new FakeEnvironment('open');
  const core = await live(env, {}, METHODS);
  const [alice, gone] = [user(2, 'Alice', ABSTRACT), user(2, 'Alice')];
  /** @param {number} version @param {import('../presence-types.js').User} other @param {object} [more] */
  const list = (version, other, more) => ({type: 'snapshot', version, users: [env.me, other], ...more});
  env.handle = (socket, {seq}) => {
    socket.deliver({type: 'ack', seq, version: 110, activity: 'viewing', you: env.me, conflicts: [alice]});
    socket.deliver(list(105, gone));
  };
  core.setSection(ABSTRACT);
  await settle();
  assert.equal(names(core.getSnapshot().warning), 'Alice', 'an older list');
  env.handle = (socket, {seq}) => socket.deliver({type: 'ack', seq, version: 120, activity: 'editing', you: env.me, conflicts: []});
  env.socket.deliver(list(115, gone, {count: 2000}));
  await settle();
  assert.equal(names(core.getSnapshot().warning), 'Alice', 'a cut list does not contain all users');
  env.socket.deliver(list(115, gone));
  await settle();
  assert.deepEqual([core.getSnapshot().warning.length, core.getSnapshot().activity], [0, 'editing']);
  env.handle = (socket, {seq}) => {
    socket.deliver(list(130, gone));
    socket.deliver({type: 'ack', seq, version: 125, activity: 'editing', you: env.me, conflicts: [alice]});
  };
  await core.updatePresence();
  assert.equal(core.getSnapshot().conflicts.length, 0, 'an older answer');
});

test('an entry whose conflict ended before its answer arrived is sent again', async () => { // case 27
  const env = new FakeEnvironment('open');
  const core = await live(env, {}, METHODS);
  const {handle} = env;
  env.handle = (socket, {seq}) => {
    env.handle = handle;
    env.set(user(2, 'Alice'));
    socket.deliver({type: 'ack', seq, version: 100, activity: 'viewing', you: env.me, conflicts: [user(2, 'Alice', ABSTRACT)]});
  };
  core.setSection(ABSTRACT);
  await settle();
  assert.deepEqual([core.getSnapshot().warning.length, core.getSnapshot().activity], [0, 'editing']);
  assert.equal(env.messageTypes.length, 3);
});

test('ownWindows follows the list and leaves out the current and the last answered section', async () => { // rule 7, case 15
  const env = new FakeEnvironment('open');
  const core = await live(env, {}, ABSTRACT);
  const before = env.me;
  env.me = user(1, 'me', METHODS, {sections: [ABSTRACT, METHODS], editing: [ABSTRACT, METHODS]});
  env.socket.deliver({type: 'delta', base: 100, version: 101, changed: [env.me], at: [0], left: []});
  await settle();
  const {ownWindows, conflicts, users, you} = core.getSnapshot();
  assert.deepEqual([ownWindows, conflicts, users, you?.section], [[METHODS], [], [], METHODS]);
  env.handle = () => {};
  core.setSection(METHODS);
  assert.deepEqual(core.getSnapshot().ownWindows, [], 'the current section');
  core.setSection('manuscript/results');
  env.socket.deliver({type: 'delta', base: 101, version: 102, changed: [before], at: [0], left: []});
  await settle();
  assert.deepEqual(core.getSnapshot().ownWindows, []);
});

test('an error about a message shows unknown and keeps the connection', async () => {
  const env = new FakeEnvironment('open');
  const core = await live(env);
  env.liveError = {code: 'section_too_long'};
  core.setSection('x'.repeat(101));
  await settle();
  assert.equal(core.getSnapshot().status, 'unknown');
  env.liveError = null;
  await env.clock.advance(29_000);
  assert.equal(env.messageTypes.length, 2, 'the message is not repeated at once');
  await env.clock.advance(1_000);
  assert.deepEqual([state(core), env.messageTypes, env.sent], [['live', false, ''], ['hello', 'update', 'update'], []]);
  env.liveError = {code: 'too_many_requests', retry_after: 20};
  core.setSection(ABSTRACT);
  await settle();
  env.liveError = null;
  core.setSection(METHODS);
  await env.clock.advance(19_000);
  assert.equal(env.messageTypes.length, 4, 'not before Retry-After');
  await env.clock.advance(11_000); // with jitter of up to half
  assert.deepEqual([env.messageTypes.length, state(core)[0]], [5, 'live']);
});

test('the error unavailable shows unknown and keeps the list as stale until the next message', async () => { // rule 13
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const core = await live(env);
  env.socket.deliver({type: 'error', code: 'unavailable', error: ''});
  await settle();
  assert.deepEqual(state(core), ['unknown', true, 'Bob']);
  env.set(user(2, 'Bob'), user(3, 'Carol'));
  await settle();
  assert.deepEqual(state(core), ['live', false, 'Bob Carol']);
  env.liveError = {code: 'unavailable'};
  await env.clock.advance(30_000);
  assert.deepEqual(state(core), ['unknown', true, 'Bob Carol']);
  env.liveError = null;
  await env.clock.advance(500);
  assert.deepEqual([state(core), env.sent], [['live', false, 'Bob Carol'], []], 'after a retry');
});

test('polling begins within five seconds where no live connection opens', async () => { // case 31
  for (const [webSocket, by] of /** @type {const} */ ([['none', 0], ['refuses', 0], ['hangs', 3_000], ['silent', 3_000]])) {
    const env = new FakeEnvironment(webSocket);
    env.set(user(2, 'Bob', ABSTRACT));
    const core = await live(env, {}, ABSTRACT);
    await env.clock.advance(by);
    assert.deepEqual([state(core), names(core.getSnapshot().warning)], [['polling', false, 'Bob'], 'Bob'], webSocket);
    await env.clock.advance(600_000);
    assert.equal(state(core)[0], 'polling');
  }
});

test('`live: false` polls and opens no connection', async () => {
  const env = new FakeEnvironment('open');
  const core = await live(env, {live: false});
  await env.clock.advance(60_000);
  assert.deepEqual([state(core)[0], env.sockets.length, env.updates.length], ['polling', 0, 3]);
});

test('polling ends without a leave when a live connection opens', async () => { // case 31
  const env = new FakeEnvironment('refuses');
  const core = await live(env);
  await env.clock.advance(60_000);
  const seen = record(core);
  env.webSocket = 'open';
  await env.clock.advance(30_000);
  assert.equal(core.getSnapshot().status, 'live');
  const {length} = env.sent;
  await env.clock.advance(300_000);
  assert.deepEqual([env.sent.length, env.leaves.length, seen[0]], [length, 0, 'status live']);
  const seqs = [...env.updates.map(({body}) => body), ...env.socket.messages].map(({seq}) => seq);
  assert.deepEqual(seqs, [...new Set(seqs)].sort((a, b) => a - b), 'seq grows over both ways');
});

test('an answer to a poll is ignored after the live connection has opened', async () => {
  const env = new FakeEnvironment('silent');
  env.set(user(2, 'Old'));
  const core = await live(env);
  const {known_version: known, seq} = env.socket.messages[0];
  assert.equal(known, 0);
  env.held = true;
  const listing = core.fetchPresence();
  await env.clock.advance(3_000);
  assert.equal(env.updates.length, 1, 'polling has begun');
  env.webSocket = 'open';
  env.set(user(3, 'New'));
  env.handle(env.socket, {type: 'hello', seq, section: '', activity: 'viewing', known_version: 0});
  await settle();
  assert.deepEqual([state(core), env.last.aborted], [['live', false, 'New'], true]);
  env.version = 50;
  env.others = [user(2, 'Old')];
  env.release();
  await listing;
  await settle();
  assert.deepEqual(state(core), ['live', false, 'New']);
  await env.clock.advance(29_000);
  assert.equal(env.updates.length, 1);
});

test('a failed fetchPresence() does not change the status of a live page', async () => {
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const core = await live(env);
  for (const failure of [503, 404, new TypeError('Failed to fetch')]) {
    env.failure = failure;
    await core.fetchPresence();
    assert.deepEqual(state(core), ['live', false, 'Bob']);
  }
});

test('a short interruption keeps the list as stale and sends no poll', async () => { // case 30
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const core = await live(env);
  const seen = record(core);
  env.socket.end();
  assert.deepEqual(state(core), ['connecting', true, 'Bob']);
  assert.equal(core.getSnapshot().text, 'Presence: reconnecting…');
  await env.clock.advance(500);
  assert.deepEqual([state(core), env.sockets.length, env.sent.length], [['live', false, 'Bob'], 2, 0]);
  assert.deepEqual(seen, ['status connecting', 'status live']);
  assert.deepEqual([env.socket.messages[0].known_version, env.socket.messages[0].seq], [101, 2]);
});

test('polling begins three seconds after a connection is lost and cannot be opened again', async () => { // case 31
  for (const webSocket of /** @type {const} */ (['refuses', 'hangs', 'silent'])) {
    const env = new FakeEnvironment('open');
    env.set(user(2, 'Bob'));
    const core = await live(env);
    env.webSocket = webSocket;
    env.socket.end();
    core.setSection(ABSTRACT);
    await env.clock.advance(2_900);
    assert.deepEqual([state(core), env.sent.length], [['connecting', true, 'Bob'], 0], webSocket);
    await env.clock.advance(200);
    assert.deepEqual([state(core), env.updates.map(({body}) => body.section)], [['polling', false, 'Bob'], [ABSTRACT]], webSocket);
  }
});

test('attempts to reconnect wait with full jitter of 250 ms to 30 s, and an ack resets the wait', async () => { // case 33
  const env = new FakeEnvironment('refuses');
  env.random = 0.999;
  await live(env);
  await env.clock.advance(110_000);
  const waits = () => env.sockets.slice(1).map(({at}, i) => Math.round((at - env.sockets[i].at) / 100) / 10);
  assert.deepEqual(waits().slice(0, 14), [0.3, 0.4, 0.6, 0.8, 1.3, 1.9, 2.8, 4.3, 6.4, 9.6, 14.4, 21.6, 30, 30].slice(0, waits().length));
  assert.ok(waits().length >= 13, `${waits()}`);
  env.random = 0.25;
  env.webSocket = 'open';
  await env.clock.advance(30_000);
  assert.ok(env.socket.open);
  const {length} = env.sockets;
  env.socket.end();
  await env.clock.advance(62);
  assert.equal(env.sockets.length, length);
  await env.clock.advance(1);
  assert.equal(env.sockets.length, length + 1);
});

test('an attempt to connect ends after 8 s without an answer and is repeated', async () => {
  for (const webSocket of /** @type {const} */ (['hangs', 'silent'])) {
    const env = new FakeEnvironment(webSocket);
    await live(env);
    await env.clock.advance(7_900);
    assert.deepEqual([env.sockets.length, env.socket.readyState < 2], [1, true]);
    await env.clock.advance(200);
    assert.equal(env.socket.readyState, 3);
    await env.clock.advance(500);
    assert.equal(env.sockets.length, 2);
  }
});

test('online, input and becoming visible cause an attempt to connect at once', async () => {
  /** @type {Record<string, (env: FakeEnvironment) => void>} */
  const reasons = {
    online: (env) => env.fire('online'),
    visible: (env) => env.show(),
    input: (env) => env.fire('keydown'),
  };
  for (const [reason, happen] of Object.entries(reasons)) {
    const env = new FakeEnvironment('refuses');
    const core = await live(env);
    env.random = 0.999;
    await env.clock.advance(119_000);
    if (reason === 'visible') env.hide();
    if (reason === 'visible') await env.clock.advance(1_000); // one attempt a second
    if (reason === 'input') await env.clock.advance(2_000); // now it is idle
    await settle();
    const {length} = env.sockets;
    env.webSocket = 'open';
    happen(env);
    await settle();
    assert.deepEqual([env.sockets.length, state(core)[0]], [length + 1, 'live'], reason);
  }
});

test('an update without an ack within 8 s replaces the connection', async () => {
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const core = await live(env);
  const [first] = env.sockets;
  env.webSocket = 'silent';
  let done = false;
  void core.updatePresence().then(() => (done = true));
  await env.clock.advance(7_900);
  assert.deepEqual([state(core)[0], first.open, done], ['live', true, false]);
  env.webSocket = 'open';
  await env.clock.advance(100);
  assert.deepEqual([state(core), first.open], [['connecting', true, 'Bob'], false]);
  await env.clock.advance(500);
  assert.deepEqual([state(core), env.sockets.length, env.sent.length, done], [['live', false, 'Bob'], 2, 0, true]);
});

test('a visitor polls once for the cookie and then connects live', async () => {
  const env = new FakeEnvironment('open');
  const core = env.core({}, null);
  env.held = true;
  core.start();
  await settle();
  assert.deepEqual([env.updates.length, env.sockets.length], [1, 0]);
  env.release();
  await settle();
  assert.deepEqual([state(core)[0], env.updates.length, env.messageTypes], ['live', 1, ['hello']]);
});

test('a visitor with a token connects live at once', async () => {
  const env = new FakeEnvironment('open');
  const core = env.core({token: async () => 't'}, null);
  core.start();
  await settle();
  assert.deepEqual([state(core)[0], env.sent.length, env.socket.messages[0].token], ['live', 0, 't']);
});

test('a list that arrives before the first answer is filtered once the answer names you', async () => {
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const {handle} = env;
  env.handle = (socket, message) => {
    socket.deliver({type: 'snapshot', version: env.version, users: [env.me, ...env.others]});
    handle.call(env, socket, {...message, known_version: env.version});
  };
  const core = env.core({token: 't'}, null);
  core.start();
  await settle();
  const {count, users, you} = core.getSnapshot();
  assert.deepEqual([count, names(users), you?.username], [1, 'Bob', 'me']);
});

test('a rejected hello causes one poll at once, and attempts stay below 25 in ten minutes', async () => {
  for (const code of ['unauthenticated', 'token_invalid', 'cookie_invalid', 'project_unknown', 'too_many_sessions']) {
    const env = new FakeEnvironment('open');
    env.liveError = {code};
    const core = await live(env);
    assert.deepEqual([state(core)[0], env.updates.length], ['polling', 1], code);
    env.random = 0.999;
    await env.clock.advance(600_000);
    assert.ok(env.sockets.length < 25, `${env.sockets.length} connections in ten minutes`);
    assert.ok(env.updates.length < 25, `${env.updates.length} polls in ten minutes`);
    env.liveError = null;
    await env.clock.advance(60_000);
    assert.equal(state(core)[0], 'live');
  }
});

test('a token that the live connection rejects is renewed by the poll that follows', async () => {
  const env = new FakeEnvironment('open');
  /** @type {boolean[]} */
  const asked = [];
  env.handle = (socket, {seq}) => socket.deliver({type: 'error', code: 'token_invalid', error: '', seq});
  env.failure = 401;
  const {handle} = FakeEnvironment.prototype;
  const core = await live(env, {token: (refused) => {
    asked.push(refused);
    if (refused) [env.failure, env.handle] = [null, handle];
    return refused ? 'new' : 'old';
  }});
  await env.clock.advance(500);
  assert.deepEqual([asked, env.socket.messages[0].token, state(core)[0]], [[false, true], 'new', 'live']);
});

test('a token that ends soon is renewed by a second hello on the same connection', async () => {
  const env = new FakeEnvironment('open');
  /** @type {boolean[]} */
  const asked = [];
  const core = await live(env, {token: async (refused) => {
    asked.push(refused);
    return refused ? 'new' : 'old';
  }});
  const statuses = [state(core)[0]];
  core.addEventListener('status', () => statuses.push(state(core)[0]));
  env.socket.deliver({type: 'error', code: 'token_ends', error: ''});
  await settle();
  const {session, seq, token, type} = env.socket.messages[1];
  assert.deepEqual([type, token, session, seq], ['hello', 'new', env.socket.messages[0].session, 2]);
  assert.deepEqual([asked, env.sockets.length, statuses], [[false, true], 1, ['live']]);
  core.setSection('manuscript/methods');
  await settle();
  assert.deepEqual(env.messageTypes, ['hello', 'hello', 'update']);
});

test('a token that cannot be renewed does not close the connection', async () => {
  const env = new FakeEnvironment('open');
  const core = await live(env, {token: async (refused) => {
    if (refused) throw new Error('signed out');
    return 'old';
  }});
  env.socket.deliver({type: 'error', code: 'token_ends', error: ''});
  await settle();
  assert.deepEqual([env.messageTypes, state(core)[0]], [['hello', 'update'], 'live']);
});

test('withdrawn access clears the list, and the page tries to connect only after a poll has succeeded', async () => { // cases 37, 38
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const core = await live(env);
  env.failure = 404;
  env.socket.deliver({type: 'error', code: 'project_unknown', error: ''});
  await settle();
  env.socket.end(1008);
  await settle();
  assert.deepEqual(state(core), ['refused', false, '']);
  env.fire('online');
  await env.clock.advance(299_000);
  assert.deepEqual([env.sockets.length, env.updates.length], [1, 1]);
  env.failure = null;
  await env.clock.advance(2_000);
  assert.deepEqual([state(core), env.sockets.length], [['live', false, 'Bob'], 2]);
});

test('a rejected poll ends the attempts to connect live', async () => {
  const env = new FakeEnvironment('refuses');
  env.random = 0.999;
  const core = await live(env);
  await env.clock.advance(89_000);
  env.failure = 404;
  await env.clock.advance(1_000);
  const {length} = env.sockets;
  env.webSocket = 'open';
  await env.clock.advance(240_000);
  assert.deepEqual([state(core)[0], env.sockets.length], ['refused', length]);
  env.failure = null;
  await env.clock.advance(60_000);
  assert.deepEqual([state(core)[0], env.socket.at], ['live', env.last.at], 'a poll that succeeds connects at once');
});

test('after draining the page reconnects at the time the server gave and does not poll before', async () => { // case 33
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const core = await live(env);
  env.random = 0.999;
  env.socket.deliver({...wire('draining'), retry_after: 12.5});
  await settle();
  assert.deepEqual(state(core), ['connecting', true, 'Bob']);
  env.socket.end(1012);
  core.setSection(ABSTRACT);
  env.hide();
  env.show();
  env.fire('online');
  env.webSocket = 'hangs';
  await env.clock.advance(12_400);
  assert.deepEqual([env.sockets.length, env.sent.length], [1, 0]);
  await env.clock.advance(200);
  assert.deepEqual([env.sockets.length, env.sent.length], [2, 0]);
  await env.clock.advance(4_500);
  assert.deepEqual([state(core)[0], env.updates.length], ['polling', 1]);
});

test('at pagehide a live page leaves by keepalive and closes its connection, and connects again at pageshow', async () => { // cases 7, 8
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const core = await live(env, {}, ABSTRACT);
  env.fire('pagehide', {persisted: true});
  assert.equal(env.socket.readyState, 2, 'closed during the event');
  await settle();
  const {body, path, keepalive} = env.last;
  assert.deepEqual([path, keepalive, body.hidden, env.messageTypes], ['leave/', true, true, ['hello']]);
  env.hide();
  await env.clock.advance(600_000);
  assert.deepEqual([env.sockets.length, env.sent.length, env.clock.pending, state(core)], [1, 1, 0, ['connecting', true, 'Bob']]);
  env.document.visibilityState = 'visible';
  env.fire('pageshow', {persisted: true});
  await settle();
  assert.deepEqual([state(core), env.sockets.length, env.sent.length], [['live', false, 'Bob'], 2, 1]);
  const [{session, seq, section, activity}] = env.socket.messages;
  assert.deepEqual([session, seq > body.seq, section, activity], [body.session, true, ABSTRACT, 'editing']);
});

test('updatePresence() resolves when the hello that carries its update is acknowledged', async () => {
  const env = new FakeEnvironment('open');
  const core = env.core();
  core.start();
  let done = false;
  void core.updatePresence().then(() => (done = true));
  assert.equal(done, false);
  await settle();
  assert.deepEqual([done, env.messageTypes], [true, ['hello']]);
});

test('stop() before the ack leaves over HTTP, and before the hello sends nothing', async () => { // rule 9
  const env = new FakeEnvironment('silent');
  const core = await live(env);
  core.stop();
  await settle();
  assert.deepEqual([env.messageTypes, env.leaves.length, env.leaves[0].body.seq, env.socket.readyState], [['hello'], 1, 2, 3]);
  const silent = new FakeEnvironment('hangs');
  const other = await live(silent);
  other.stop();
  await silent.clock.advance(60_000);
  assert.deepEqual([silent.sent, silent.sockets.length, silent.clock.pending], [[], 1, 0]);
  env.webSocket = 'hangs';
  core.start();
  await settle();
  core.stop();
  await settle();
  assert.equal(env.leaves.length, 1, 'a second leave');
});

test('stop() while the token is being fetched sends nothing', async () => {
  const env = new FakeEnvironment('open');
  /** @type {(token: string) => void} */
  let give = () => {};
  const core = await live(env, {token: () => new Promise((done) => (give = done))});
  core.stop();
  await settle();
  give('late');
  await settle();
  assert.deepEqual([env.messageTypes, env.sent, env.clock.pending], [[], [], 0]);
});

test('start() after stop() connects at once, without the earlier backoff', async () => {
  const env = new FakeEnvironment('refuses');
  env.random = 0.999;
  const core = await live(env);
  await env.clock.advance(100_000);
  core.stop();
  await settle();
  const {length} = env.sockets;
  env.webSocket = 'open';
  core.start();
  await settle();
  assert.deepEqual([env.sockets.length, state(core)[0]], [length + 1, 'live']);
});

test('a leave goes over HTTP when the connection is already closing', async () => {
  const env = new FakeEnvironment('open');
  const core = await live(env);
  env.socket.readyState = 2;
  core.stop();
  await settle();
  assert.deepEqual([env.messageTypes, env.leaves.length], [['hello'], 1]);
});

test('start(), stop() and start() in one turn open one connection, start() and stop() none', async () => { // case 12
  const env = new FakeEnvironment('open');
  const core = env.core();
  core.start();
  core.stop();
  core.start();
  await settle();
  core.stop();
  core.start();
  await settle();
  assert.deepEqual([env.sockets.length, env.messageTypes, env.sent], [1, ['hello'], []]);
  const none = new FakeEnvironment('open');
  const other = none.core();
  other.start();
  other.stop();
  await none.clock.advance(60_000);
  assert.deepEqual([none.sockets.length, none.sent.length], [0, 0]);
});

test('a session that is started again continues its seq, over a connection of its own', async () => {
  const env = new FakeEnvironment('open');
  const core = await live(env);
  core.stop();
  await Promise.resolve();
  core.start(); // while the old connection is closing and its last messages arrive
  await settle();
  assert.deepEqual([state(core)[0], env.sockets.map(({messages}) => messages.map(({type, seq}) => `${type} ${seq}`).join(', '))], ['live', ['hello 1, leave 2', 'hello 3']]);
});

test('after a sleep the page shows reconnecting, and replaces a connection that does not answer', async () => { // case 10
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Alice', ABSTRACT));
  const core = await live(env, {}, ABSTRACT);
  env.clock.sleep(100_000);
  await env.clock.advance(0);
  assert.deepEqual([env.messageTypes, state(core)], [['hello', 'update'], ['live', false, 'Alice']], 'the connection still works');

  env.fire('keydown');
  env.clock.sleep(100_000);
  env.webSocket = 'silent';
  env.fire('online');
  await settle();
  assert.deepEqual([env.messageTypes, state(core)], [['hello', 'update', 'update'], ['connecting', true, 'Alice']]);
  assert.equal(core.getSnapshot().text, 'Presence: reconnecting…');
  env.others = [];
  env.version++;
  env.webSocket = 'open';
  await env.clock.advance(8_500);
  assert.deepEqual([env.sockets.length, state(core), core.getSnapshot().warning.length], [2, ['live', false, ''], 0]);
});

test('after thirty minutes of being idle a live page leaves and closes, and connects at the next input', async () => { // rule 12, case 6
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const core = await live(env, {}, ABSTRACT);
  await env.clock.advance(33 * 60_000);
  assert.deepEqual([env.messageTypes.filter((type) => type === 'leave').length, env.socket.open, env.sent.length], [1, false, 0]);
  assert.deepEqual(state(core), ['away', true, 'Bob']);
  env.hide();
  env.show();
  env.fire('online');
  core.setSection(METHODS);
  await env.clock.advance(600 * 60_000);
  assert.deepEqual([env.sockets.length, env.sent.length, env.clock.pending], [1, 0, 0]);
  env.fire('keydown');
  await settle();
  assert.deepEqual([state(core), env.sockets.length, env.socket.messages[0].section], [['live', false, 'Bob'], 2, METHODS]);
});

test('a hidden tab, whose timers run once a minute, keeps its lease and reconnects', async () => { // case 4, rule 12
  const env = new FakeEnvironment('open');
  const core = await live(env, {}, ABSTRACT);
  env.hide();
  /** @type {number[]} */
  const times = [];
  const {handle} = env;
  env.handle = (socket, message) => (times.push(env.clock.now()), handle.call(env, socket, message));
  await env.clock.advance(10 * 60_000, 60_000);
  env.socket.end();
  await env.clock.advance(10 * 60_000, 60_000);
  const gaps = times.slice(1).map((at, i) => at - times[i]);
  assert.ok(Math.max(...gaps) <= 60_000, `the longest gap was ${Math.max(...gaps)} ms`);
  assert.deepEqual([state(core)[0], env.sockets.length, env.sent.length], ['live', 2, 0]);
});

test('a page whose policy forbids WebSocket polls', async () => {
  const env = new FakeEnvironment('open');
  const environment = {...env.globals(), WebSocket: /** @type {any} */ (class {
    constructor() {
      throw new DOMException('forbidden', 'SecurityError');
    }
  })};
  const page = new PresenceCore('demo', 1, {environment});
  page.start();
  await settle();
  assert.equal(page.getSnapshot().status, 'polling');
});
