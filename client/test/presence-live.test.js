/** Messages of a live connection, and how the list and the conflicts follow from them. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {ABSTRACT, FakeEnvironment, METHODS, golden, names, record, settle, started, state, user} from './fixtures.js';

test('a live page sends hello, updates and leave over its connection, and nothing over HTTP', async () => {
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const core = await started(env);
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
    env.version = golden('update').as_of;
    const core = await started(env, {token: 'a-token', prefix}, ABSTRACT);
    core.setSection(METHODS);
    await settle();
    core.stop();
    await settle();
    assert.deepEqual([env.socket.url, env.socket.protocol], [url, 'writer-presence.v1']);
    const {hidden, ...leave} = golden('leave');
    const messages = [golden('hello'), golden('update'), leave];
    messages[0].session = env.socket.messages[0].session;
    assert.deepEqual(env.socket.messages, messages);
  }
});

test('the heartbeat that the server sends is used', async () => {
  const env = new FakeEnvironment('open');
  env.extra = {heartbeat: 45};
  await started(env);
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
  for (const {why, receive, version, users, asks} of golden('delta-sequence')) {
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
  const core = await started(env);
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
  const core = await started(env);
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
  const core = await started(env);
  env.socket.deliver({type: 'delta', base: 0, version: 5, changed: [user(2, 'Bob')], at: [0], left: []});
  await settle();
  assert.deepEqual([core.getSnapshot().version, core.onlineUsers], [0, []]);
});

test('messages of a closed connection are ignored', async () => { // case 29
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const core = await started(env);
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
  const seen = record(core, 'join', 'leave', 'conflict', 'status');
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
  const core = await started(env, {}, METHODS);
  const seen = record(core, 'join', 'leave', 'conflict', 'status');
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
  const core = await started(env, {}, ABSTRACT);
  const seen = record(core, 'join', 'leave', 'conflict', 'status');
  env.set(user(2, 'Bob', ABSTRACT));
  await settle();
  const {activity, warning, conflicts} = core.getSnapshot();
  assert.deepEqual([activity, names(warning), names(conflicts)], ['editing', '', 'Bob']);
  env.set();
  await settle();
  assert.equal(core.getSnapshot().conflicts.length, 0);
  assert.deepEqual(seen, ['join Bob', 'conflict Bob while editing', 'leave Bob']);
  assert.deepEqual(env.messageTypes, ['hello'], 'no update');
});

test('editAnyway() holds through all deltas, and a new user causes a new warning', async () => { // case 22
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Alice', ABSTRACT));
  const core = await started(env, {}, ABSTRACT);
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
  const core = await started(env, {}, ABSTRACT);
  env.set(user(2, 'Bob', METHODS, {sections: [ABSTRACT, METHODS], editing: [METHODS]}));
  await settle();
  assert.equal(core.getSnapshot().conflicts.length, 0);
  env.set(user(2, 'Bob', METHODS, {sections: [ABSTRACT, METHODS], editing: [ABSTRACT], activity: 'idle'}));
  await settle();
  assert.equal(names(core.getSnapshot().conflicts), 'Bob');
});

test('conflicts come from the newer one of answer and list', async () => { // rule 5
  const env = new FakeEnvironment('open');
  const core = await started(env, {}, METHODS);
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
  const core = await started(env, {}, METHODS);
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
  const core = await started(env, {}, ABSTRACT);
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
  const core = await started(env);
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
  const core = await started(env);
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
