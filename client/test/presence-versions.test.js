/** Versions that go back (a node that is behind, a server that lost its data), and partial lists, in which users may be missing. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {ABSTRACT, FakeEnvironment, METHODS, golden, names, settle, started, user} from './fixtures.js';

/** Every version that the page has shown, in order. @param {import('../presence-core.js').PresenceCore} core */
function versionsOf(core) {
  /** @type {number[]} */
  const seen = [];
  core.subscribe(() => seen.push(core.getSnapshot().version));
  return seen;
}

/** @param {number[]} versions */
const neverGoBack = (versions) => assert.deepEqual(versions, [...versions].sort((a, b) => a - b));

/** Makes the server answer as it was at an earlier time, like a node that is behind. @param {FakeEnvironment} env */
function past(env) {
  const {version, others} = env;
  return () => {
    const now = {version: env.version, others: env.others};
    Object.assign(env, {version, others});
    return () => Object.assign(env, now);
  };
}

// Start: version 101 with Alice. One node is still at 101, the other has 102 with Bob.
async function twoNodes(/** @type {FakeEnvironment} */ env, /** @type {string} */ section = '') {
  env.set(user(2, 'Alice', ABSTRACT));
  const behind = past(env);
  env.set(user(3, 'Bob'));
  const core = await started(env, {}, section);
  return {core, behind};
}

test('polling a node that is behind never shows the older version', async () => { // invariant 8
  const env = new FakeEnvironment();
  const {core, behind} = await twoNodes(env);
  const versions = versionsOf(core);
  for (let poll = 0; poll < 10; poll++) {
    const ahead = poll % 2 ? behind() : () => {};
    await (poll % 4 < 2 ? core.updatePresence() : core.fetchPresence());
    ahead();
    assert.deepEqual([core.getSnapshot().version, names(core.onlineUsers)], [102, 'Bob'], `poll ${poll}`);
    await env.clock.advance(3_000);
  }
  neverGoBack(versions);
  assert.equal(env.last.body?.known_version ?? 102, 102, 'the request names the known version');
});

test('a node that is 3.5 s behind never shows the older version, by poll, answer, snapshot or delta', async () => {
  for (const way of /** @type {const} */ (['update', 'list', 'snapshot', 'delta', 'reconnect'])) {
    const env = new FakeEnvironment(way === 'update' || way === 'list' ? 'none' : 'open');
    const {core, behind} = await twoNodes(env);
    const versions = versionsOf(core);
    const ahead = behind();
    for (let at = 0; at < 3_500; at += 500) {
      if (way === 'update') void core.updatePresence();
      if (way === 'list') void core.fetchPresence();
      if (way === 'snapshot') env.socket.deliver({type: 'snapshot', version: 101, users: [env.me, ...env.others]});
      if (way === 'delta') env.socket.deliver({type: 'delta', base: 100, version: 101, changed: [user(2, 'Alice')], at: [1], left: []});
      if (way === 'reconnect' && at === 0) env.socket.end();
      await env.clock.advance(500);
      assert.deepEqual([core.getSnapshot().version, names(core.onlineUsers)], [102, 'Bob'], `${way} after ${at} ms`);
    }
    ahead();
    if (way === 'reconnect' || way === 'delta') env.socket.deliver({type: 'delta', base: 101, version: 102, changed: [user(3, 'Bob')], at: [1], left: [2]});
    await env.clock.advance(20_000);
    await core.updatePresence();
    assert.deepEqual([core.getSnapshot().version, names(core.onlineUsers)], [102, 'Bob'], way);
    env.set(user(4, 'Carol'));
    await env.clock.advance(30_000);
    assert.equal(names(core.onlineUsers), 'Carol', `${way}: newer versions are shown`);
    neverGoBack(versions);
  }
});

test('nodes that are behind from time to time are not accepted, although it adds up to more than ten seconds', async () => {
  const env = new FakeEnvironment();
  const {core, behind} = await twoNodes(env);
  for (let second = 0; second < 40; second++) {
    const ahead = second % 3 ? behind() : () => {};
    await core.updatePresence();
    ahead();
    assert.equal(core.getSnapshot().version, 102);
    await env.clock.advance(1_000);
  }
});

test('a server that restarted with older versions is accepted after ten seconds, by polling and live', async () => {
  for (const webSocket of /** @type {const} */ (['none', 'open'])) {
    const env = new FakeEnvironment(webSocket);
    env.set(user(2, 'Alice'));
    const core = await started(env);
    Object.assign(env, {version: 5, others: [user(3, 'Bob')]});
    if (webSocket === 'none') await core.updatePresence();
    else env.socket.end(); // the server restarts
    await env.clock.advance(9_000);
    assert.deepEqual([core.getSnapshot().version, names(core.onlineUsers)], [101, 'Alice'], `${webSocket}: after 9 s`);
    await env.clock.advance(2_000);
    assert.deepEqual([core.getSnapshot().version, names(core.onlineUsers)], [5, 'Bob'], `${webSocket}: after 11 s`);
    env.set(user(4, 'Carol'));
    await env.clock.advance(30_000);
    assert.deepEqual([core.getSnapshot().version, names(core.onlineUsers)], [6, 'Carol'], `${webSocket}: newer versions are shown`);
  }
});

test('a server that restarted with older versions is accepted from a snapshot and deltas on the same connection', async () => {
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Alice'));
  const core = await started(env, {}, METHODS);
  Object.assign(env, {version: 5, others: [user(3, 'Bob', METHODS)]});
  env.socket.deliver({type: 'snapshot', version: 5, users: [env.me, ...env.others]});
  await env.clock.advance(5_000);
  env.set(user(3, 'Bob', METHODS), user(4, 'Carol'));
  assert.equal(names(core.onlineUsers), 'Alice');
  await env.clock.advance(6_000);
  assert.deepEqual([core.getSnapshot().version, names(core.onlineUsers), names(core.getSnapshot().conflicts)], [6, 'Bob Carol', 'Bob']);
});

test('a server that restarted with older versions is accepted at once after start()', async () => {
  for (const webSocket of /** @type {const} */ (['none', 'open'])) {
    const env = new FakeEnvironment(webSocket);
    env.set(user(2, 'Alice'));
    const core = await started(env);
    core.stop();
    await settle();
    Object.assign(env, {version: 5, others: [user(3, 'Bob')]});
    core.start();
    await settle();
    assert.deepEqual([core.getSnapshot().version, names(core.onlineUsers)], [5, 'Bob'], webSocket);
  }
});

test('an older answer adds conflicts, removes none, and causes no endless updates', async () => {
  const env = new FakeEnvironment();
  env.set(user(2, 'Alice', ABSTRACT));
  const core = await started(env, {}, METHODS);
  Object.assign(env, {version: 5, others: [user(3, 'Bob', ABSTRACT)]});
  core.setSection(ABSTRACT);
  await settle();
  assert.equal(names(core.getSnapshot().warning), 'Bob');
  env.others = [];
  await core.updatePresence();
  assert.equal(names(core.getSnapshot().warning), '', 'the server recorded editing');
  assert.equal(env.updates.length, 3);
});

// ---- partial lists

/** Redis lost its data: the server knows of nobody but this page, and says so. @param {FakeEnvironment} env */
function lose(env) {
  env.others = [];
  env.version++;
  env.extra = {partial: true};
}

for (const webSocket of /** @type {const} */ (['none', 'open'])) {
  test(`a partial list keeps the users of the last one as old and shows unknown (${webSocket === 'open' ? 'live' : 'polling'})`, async () => { // rule 13
    const env = new FakeEnvironment(webSocket);
    env.set(user(2, 'Alice', ABSTRACT), user(3, 'Bob'));
    const core = await started(env, {}, METHODS);
    /** @type {string[]} */
    const events = [];
    for (const type of ['join', 'leave', 'conflict']) core.addEventListener(type, () => events.push(type));
    lose(env);
    if (webSocket === 'open') env.socket.deliver({type: 'snapshot', version: env.version, users: [env.me], partial: true});
    await env.clock.advance(30_000);
    const {status, text, stale, partial, users, count} = core.getSnapshot();
    assert.deepEqual([status, stale, partial, names(users), count], ['unknown', true, true, 'Alice Bob', 2]);
    assert.equal(text, 'Presence and conflicts partly unknown');
    assert.deepEqual(users.map(({old}) => old), [true, true]);

    // Bob sends his session again; the list is still partial.
    env.others = [user(3, 'Bob', METHODS)];
    env.version++;
    if (webSocket === 'open') env.socket.deliver({type: 'delta', base: env.version - 1, version: env.version, changed: env.others, at: [1], left: []});
    await env.clock.advance(30_000);
    assert.deepEqual(core.onlineUsers.map(({username, section, old}) => [username, section, old]), [['Bob', METHODS, undefined], ['Alice', ABSTRACT, true]]);
    assert.deepEqual([core.getSnapshot().status, core.getSnapshot().stale], ['unknown', true]);
    assert.equal(names(core.getSnapshot().conflicts), 'Bob', 'a user in a partial list can conflict');
    assert.deepEqual(events, ['conflict'], 'no join or leave');

    env.extra = {};
    env.version++;
    if (webSocket === 'open') env.socket.deliver({type: 'snapshot', version: env.version, users: [env.me, ...env.others]});
    await env.clock.advance(30_000);
    assert.deepEqual([core.getSnapshot().partial, core.getSnapshot().stale, names(core.onlineUsers)], [false, false, 'Bob'], 'after a complete list');
    assert.deepEqual([core.getSnapshot().status, events], [webSocket === 'open' ? 'live' : 'polling', ['conflict', 'leave']], 'Alice left');
  });

  test(`a partial answer removes no warning (${webSocket === 'open' ? 'live' : 'polling'})`, async () => { // rule 13
    const env = new FakeEnvironment(webSocket);
    env.set(user(2, 'Alice', ABSTRACT));
    const core = await started(env, {}, ABSTRACT);
    assert.equal(names(core.getSnapshot().warning), 'Alice');
    lose(env);
    if (webSocket === 'open') {
      env.socket.deliver({type: 'restate'});
      env.socket.deliver({type: 'snapshot', version: env.version, users: [env.me], partial: true});
    }
    await env.clock.advance(65_000);
    assert.deepEqual([names(core.getSnapshot().warning), names(core.getSnapshot().conflicts)], ['Alice', 'Alice']);
    // Alice appears in another section; her other tab may be missing.
    env.others = [user(2, 'Alice', METHODS)];
    env.version++;
    if (webSocket === 'open') env.socket.deliver({type: 'snapshot', version: env.version, users: [env.me, ...env.others], partial: true});
    await env.clock.advance(30_000);
    assert.equal(names(core.getSnapshot().warning), 'Alice');
    env.extra = {};
    env.version++;
    env.fire('keydown');
    if (webSocket === 'open') env.socket.deliver({type: 'snapshot', version: env.version, users: [env.me, ...env.others]});
    await env.clock.advance(30_000);
    assert.deepEqual([names(core.getSnapshot().warning), core.getSnapshot().activity], ['', 'editing'], 'after a complete list');
  });
}

test('after an empty list a partial one shows its users and is marked partial', async () => {
  for (const before of [true, false]) {
    const env = new FakeEnvironment();
    if (!before) env.extra = {partial: true}; // the first answer of all is partial
    const core = env.core();
    if (before) {
      core.start();
      await settle();
      lose(env);
    }
    env.others = [user(2, 'Alice', ABSTRACT)];
    core.start();
    await env.clock.advance(30_000);
    const {users, count, status, stale, partial} = core.getSnapshot();
    assert.deepEqual([names(users), users[0].old, count, status, stale, partial], ['Alice', undefined, 1, 'unknown', true, true]);
  }
});

test('conflicts in an answer cause a warning while the list is partial', async () => {
  const env = new FakeEnvironment('open');
  const core = await started(env, {}, METHODS);
  lose(env);
  env.others = [user(2, 'Alice', ABSTRACT)];
  core.setSection(ABSTRACT);
  await settle();
  assert.deepEqual([names(core.getSnapshot().warning), core.getSnapshot().activity], ['Alice', 'viewing']);
});

test('entering a section while the list is partial warns of old users who were editing there', async () => {
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Alice', ABSTRACT));
  const core = await started(env, {}, METHODS);
  lose(env);
  env.socket.deliver({type: 'snapshot', version: env.version, users: [env.me], partial: true});
  await settle();
  core.setSection(ABSTRACT);
  await settle();
  assert.deepEqual([names(core.getSnapshot().warning), core.getSnapshot().activity, env.me.activity], ['Alice', 'viewing', 'viewing']);
  core.editAnyway();
  await settle();
  assert.deepEqual([names(core.getSnapshot().warning), core.getSnapshot().activity, env.me.activity], ['', 'editing', 'editing']);
});

test('a page that was editing keeps editing while the list is partial', async () => {
  const env = new FakeEnvironment('open');
  const core = await started(env, {}, ABSTRACT);
  env.set(user(2, 'Alice', ABSTRACT));
  await settle();
  lose(env);
  env.socket.deliver({type: 'snapshot', version: env.version, users: [env.me], partial: true});
  env.socket.deliver({type: 'restate'});
  await env.clock.advance(60_000);
  assert.deepEqual([env.me.activity, core.getSnapshot().activity, core.getSnapshot().warning], ['editing', 'editing', []]);
});

test('a user who leaves while the list is partial is removed', async () => {
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Alice'), user(3, 'Bob'));
  const core = await started(env);
  lose(env);
  env.socket.deliver({type: 'snapshot', version: 102, users: [env.me], partial: true});
  env.socket.deliver({type: 'delta', base: 102, version: 103, changed: [user(3, 'Bob')], at: [1], left: []});
  env.socket.deliver({type: 'delta', base: 103, version: 104, changed: [], at: [], left: [3]});
  await settle();
  assert.deepEqual([names(core.onlineUsers), core.getSnapshot().version], ['Alice', 104]);
});

test('a second data loss keeps the users listed since the first', async () => {
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Alice'));
  const core = await started(env);
  for (const [version, users] of /** @type {[number, any[]][]} */ ([[102, [env.me]], [103, [env.me, user(3, 'Bob')]], [104, [env.me]]])) {
    env.socket.deliver({type: 'snapshot', version, users, partial: true});
  }
  await settle();
  assert.deepEqual(core.onlineUsers.map(({username, old}) => [username, old]), [['Bob', true], ['Alice', true]]);
});

test('an older partial list marks the current one as stale', async () => {
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Alice'));
  const core = await started(env);
  env.socket.deliver({type: 'snapshot', version: 7, users: [env.me], partial: true});
  await settle();
  assert.deepEqual([core.getSnapshot().version, names(core.onlineUsers), core.getSnapshot().stale, core.getSnapshot().status], [101, 'Alice', true, 'unknown']);
});

test('restate causes an update at once, which is viewing while a warning is open', async () => {
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Alice', ABSTRACT));
  const core = await started(env, {}, METHODS);
  const seqs = () => env.socket.messages.map(({seq}) => seq);
  env.socket.deliver({type: 'restate'});
  await settle();
  assert.deepEqual(env.socket.messages.slice(1).map(({type, section, activity, unless_occupied: careful}) => [type, section, activity, careful]), [['update', METHODS, 'editing', true]]);
  core.setSection(ABSTRACT);
  await settle();
  assert.equal(names(core.getSnapshot().warning), 'Alice');
  lose(env); // the server does not know Alice again yet
  env.socket.deliver({type: 'restate'});
  await settle();
  const last = env.socket.messages[env.socket.messages.length - 1];
  assert.deepEqual([last.type, last.section, last.activity, last.unless_occupied], ['update', ABSTRACT, 'viewing', false]);
  assert.deepEqual([seqs(), env.sent], [[1, 2, 3, 4], []]);
});

test('the golden messages of a data loss mark the list as partial and cause an update', async () => {
  const env = new FakeEnvironment('open');
  const core = await started(env);
  const {version} = core.getSnapshot();
  const before = env.socket.messages.length;
  env.socket.deliver({...golden('snapshot-partial'), version: version + 1});
  env.socket.deliver(golden('restate'));
  await settle();
  const {partial, status} = core.getSnapshot();
  assert.deepEqual([partial, status, env.messageTypes.slice(before)], [true, 'unknown', ['update']]);
});

test('restate causes an update of an idle page without a section, too', async () => {
  const env = new FakeEnvironment('open');
  const core = await started(env);
  await env.clock.advance(121_000);
  const {length} = env.socket.messages;
  env.socket.deliver({type: 'restate'});
  await settle();
  assert.deepEqual(env.socket.messages.slice(length).map(({type, section, activity}) => [type, section, activity]), [['update', '', 'idle']]);
  assert.equal(core.getSnapshot().status, 'live');
});
