/** Versions that go back (a node that is behind, a server that lost its data), and lists in which people may be missing. */
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import test from 'node:test';
import {World, settle, user} from './fixtures.js';

const ABSTRACT = 'manuscript/abstract';
const METHODS = 'manuscript/methods';

/** @param {readonly {username: string}[]} users */
const names = (users) => users.map(({username}) => username).join(' ');

/** @param {World} world @param {Partial<import('../presence-types.js').Options>} [options] @param {string} [section] */
async function started(world, options, section) {
  const core = world.core(options);
  core.start();
  if (section) core.setSection(section);
  await settle();
  return core;
}

/** Every version that the page has shown, in order. @param {import('../presence-core.js').PresenceCore} core */
function versionsOf(core) {
  /** @type {number[]} */
  const seen = [];
  core.subscribe(() => seen.push(core.getSnapshot().version));
  return seen;
}

/** @param {number[]} versions */
const neverGoBack = (versions) => assert.deepEqual(versions, [...versions].sort((a, b) => a - b));

/** Makes the server answer as it was at an earlier time, like a node that is behind. @param {World} world */
function past(world) {
  const {version, others} = world;
  return () => {
    const now = {version: world.version, others: world.others};
    Object.assign(world, {version, others});
    return () => Object.assign(world, now);
  };
}

// Point of departure: version 101 with Alice; the other node is still there while the first has gone on to 102 with Bob.
async function twoNodes(/** @type {World} */ world, /** @type {string} */ section = '') {
  world.set(user(2, 'Alice', ABSTRACT));
  const behind = past(world);
  world.set(user(3, 'Bob'));
  const core = await started(world, {}, section);
  return {core, behind};
}

test('a poll of a node that is behind never shows the older version', async () => { // invariant 8
  const world = new World();
  const {core, behind} = await twoNodes(world);
  const versions = versionsOf(core);
  for (let poll = 0; poll < 10; poll++) {
    const ahead = poll % 2 ? behind() : () => {};
    await (poll % 4 < 2 ? core.updatePresence() : core.fetchPresence());
    ahead();
    assert.deepEqual([core.getSnapshot().version, names(core.onlineUsers)], [102, 'Bob'], `poll ${poll}`);
    await world.clock.pass(3_000);
  }
  neverGoBack(versions);
  assert.equal(world.last.body?.known_version ?? 102, 102, 'the node is told what is known');
});

test('a node that is 3.5 s behind never shows the older version, by poll, answer, snapshot or delta', async () => {
  for (const way of /** @type {const} */ (['update', 'list', 'snapshot', 'delta', 'reconnect'])) {
    const world = new World(way === 'update' || way === 'list' ? 'none' : 'open');
    const {core, behind} = await twoNodes(world);
    const versions = versionsOf(core);
    const ahead = behind();
    for (let at = 0; at < 3_500; at += 500) {
      if (way === 'update') void core.updatePresence();
      if (way === 'list') void core.fetchPresence();
      if (way === 'snapshot') world.socket.tell({type: 'snapshot', version: 101, users: [world.me, ...world.others]});
      if (way === 'delta') world.socket.tell({type: 'delta', base: 100, version: 101, changed: [user(2, 'Alice')], at: [1], left: []});
      if (way === 'reconnect' && at === 0) world.socket.end();
      await world.clock.pass(500);
      assert.deepEqual([core.getSnapshot().version, names(core.onlineUsers)], [102, 'Bob'], `${way} after ${at} ms`);
    }
    ahead();
    if (way === 'reconnect' || way === 'delta') world.socket.tell({type: 'delta', base: 101, version: 102, changed: [user(3, 'Bob')], at: [1], left: [2]});
    await world.clock.pass(20_000);
    await core.updatePresence();
    assert.deepEqual([core.getSnapshot().version, names(core.onlineUsers)], [102, 'Bob'], way);
    world.set(user(4, 'Carol'));
    await world.clock.pass(30_000);
    assert.equal(names(core.onlineUsers), 'Carol', `${way}: it goes on from there`);
    neverGoBack(versions);
  }
});

test('nodes that are behind now and then, for longer than ten seconds in all, are not believed', async () => {
  const world = new World();
  const {core, behind} = await twoNodes(world);
  for (let second = 0; second < 40; second++) {
    const ahead = second % 3 ? behind() : () => {};
    await core.updatePresence();
    ahead();
    assert.equal(core.getSnapshot().version, 102);
    await world.clock.pass(1_000);
  }
});

test('a server whose history begins anew is believed after ten seconds, by polling and live', async () => {
  for (const door of /** @type {const} */ (['none', 'open'])) {
    const world = new World(door);
    world.set(user(2, 'Alice'));
    const core = await started(world);
    Object.assign(world, {version: 5, others: [user(3, 'Bob')]});
    if (door === 'none') await core.updatePresence();
    else world.socket.end(); // it restarts
    await world.clock.pass(9_000);
    assert.deepEqual([core.getSnapshot().version, names(core.onlineUsers)], [101, 'Alice'], `${door}: after 9 s`);
    await world.clock.pass(2_000);
    assert.deepEqual([core.getSnapshot().version, names(core.onlineUsers)], [5, 'Bob'], `${door}: after 11 s`);
    world.set(user(4, 'Carol'));
    await world.clock.pass(30_000);
    assert.deepEqual([core.getSnapshot().version, names(core.onlineUsers)], [6, 'Carol'], `${door}: and goes on`);
  }
});

test('a server whose history begins anew is believed from a snapshot and deltas on the same connection', async () => {
  const world = new World('open');
  world.set(user(2, 'Alice'));
  const core = await started(world, {}, METHODS);
  Object.assign(world, {version: 5, others: [user(3, 'Bob', METHODS)]});
  world.socket.tell({type: 'snapshot', version: 5, users: [world.me, ...world.others]});
  await world.clock.pass(5_000);
  world.set(user(3, 'Bob', METHODS), user(4, 'Carol'));
  assert.equal(names(core.onlineUsers), 'Alice');
  await world.clock.pass(6_000);
  assert.deepEqual([core.getSnapshot().version, names(core.onlineUsers), names(core.getSnapshot().conflicts)], [6, 'Bob Carol', 'Bob']);
});

test('after a fresh start a server whose history begins anew is believed at once', async () => {
  for (const door of /** @type {const} */ (['none', 'open'])) {
    const world = new World(door);
    world.set(user(2, 'Alice'));
    const core = await started(world);
    core.stop();
    await settle();
    Object.assign(world, {version: 5, others: [user(3, 'Bob')]});
    core.start();
    await settle();
    assert.deepEqual([core.getSnapshot().version, names(core.onlineUsers)], [5, 'Bob'], door);
  }
});

test('an older answer warns of whom it names, withdraws nothing, and is not asked in a circle', async () => {
  const world = new World();
  world.set(user(2, 'Alice', ABSTRACT));
  const core = await started(world, {}, METHODS);
  Object.assign(world, {version: 5, others: [user(3, 'Bob', ABSTRACT)]});
  core.setSection(ABSTRACT);
  await settle();
  assert.equal(names(core.getSnapshot().warning), 'Bob');
  world.others = [];
  await core.updatePresence();
  assert.equal(names(core.getSnapshot().warning), '', 'the server has recorded it as editing');
  assert.equal(world.updates.length, 3);
});

// ---- lists in which people may be missing

/** Redis lost its data: the server knows of nobody but this page, and says so. @param {World} world */
function lose(world) {
  world.others = [];
  world.version++;
  world.extra = {partial: true};
}

for (const door of /** @type {const} */ (['none', 'open'])) {
  test(`a partial list keeps the last one, marked as old, with "unknown" in words (${door === 'open' ? 'live' : 'polling'})`, async () => { // rule 13
    const world = new World(door);
    world.set(user(2, 'Alice', ABSTRACT), user(3, 'Bob'));
    const core = await started(world, {}, METHODS);
    /** @type {string[]} */
    const events = [];
    for (const type of ['join', 'leave', 'conflict']) core.addEventListener(type, () => events.push(type));
    lose(world);
    if (door === 'open') world.socket.tell({type: 'snapshot', version: world.version, users: [world.me], partial: true});
    await world.clock.pass(30_000);
    const {status, text, stale, partial, users, count} = core.getSnapshot();
    assert.deepEqual([status, stale, partial, names(users), count], ['unknown', true, true, 'Alice Bob', 2]);
    assert.equal(text, 'Presence and conflicts partly unknown');
    assert.deepEqual(users.map(({old}) => old), [true, true]);

    // Bob states his session anew; still partial.
    world.others = [user(3, 'Bob', METHODS)];
    world.version++;
    if (door === 'open') world.socket.tell({type: 'delta', base: world.version - 1, version: world.version, changed: world.others, at: [1], left: []});
    await world.clock.pass(30_000);
    assert.deepEqual(core.onlineUsers.map(({username, section, old}) => [username, section, old]), [['Bob', METHODS, undefined], ['Alice', ABSTRACT, true]]);
    assert.deepEqual([core.getSnapshot().status, core.getSnapshot().stale], ['unknown', true]);
    assert.equal(names(core.getSnapshot().conflicts), 'Bob', 'whom a partial list names is there');
    assert.deepEqual(events, ['conflict'], 'nobody has left or come');

    world.extra = {};
    world.version++;
    if (door === 'open') world.socket.tell({type: 'snapshot', version: world.version, users: [world.me, ...world.others]});
    await world.clock.pass(30_000);
    assert.deepEqual([core.getSnapshot().partial, core.getSnapshot().stale, names(core.onlineUsers)], [false, false, 'Bob'], 'complete again');
    assert.deepEqual([core.getSnapshot().status, events], [door === 'open' ? 'live' : 'polling', ['conflict', 'leave']], 'now Alice is known to be gone');
  });

  test(`a partial answer withdraws no warning (${door === 'open' ? 'live' : 'polling'})`, async () => { // rule 13
    const world = new World(door);
    world.set(user(2, 'Alice', ABSTRACT));
    const core = await started(world, {}, ABSTRACT);
    assert.equal(names(core.getSnapshot().warning), 'Alice');
    lose(world);
    if (door === 'open') {
      world.socket.tell({type: 'restate'});
      world.socket.tell({type: 'snapshot', version: world.version, users: [world.me], partial: true});
    }
    await world.clock.pass(65_000);
    assert.deepEqual([names(core.getSnapshot().warning), names(core.getSnapshot().conflicts)], ['Alice', 'Alice']);
    // Alice comes back in another section first: her other tab may be missing.
    world.others = [user(2, 'Alice', METHODS)];
    world.version++;
    if (door === 'open') world.socket.tell({type: 'snapshot', version: world.version, users: [world.me, ...world.others], partial: true});
    await world.clock.pass(30_000);
    assert.equal(names(core.getSnapshot().warning), 'Alice');
    world.extra = {};
    world.version++;
    world.fire('keydown');
    if (door === 'open') world.socket.tell({type: 'snapshot', version: world.version, users: [world.me, ...world.others]});
    await world.clock.pass(30_000);
    assert.deepEqual([names(core.getSnapshot().warning), core.getSnapshot().activity], ['', 'editing'], 'a complete list does');
  });
}

test('a list that was empty shows what a partial list has, marked as incomplete', async () => {
  for (const before of [true, false]) {
    const world = new World();
    if (!before) world.extra = {partial: true}; // the first answer of all is partial
    const core = world.core();
    if (before) {
      core.start();
      await settle();
      lose(world);
    }
    world.others = [user(2, 'Alice', ABSTRACT)];
    core.start();
    await world.clock.pass(30_000);
    const {users, count, status, stale, partial} = core.getSnapshot();
    assert.deepEqual([names(users), users[0].old, count, status, stale, partial], ['Alice', undefined, 1, 'unknown', true, true]);
  }
});

test('an answer that names conflicts in a partial state warns of them', async () => {
  const world = new World('open');
  const core = await started(world, {}, METHODS);
  lose(world);
  world.others = [user(2, 'Alice', ABSTRACT)];
  core.setSection(ABSTRACT);
  await settle();
  assert.deepEqual([names(core.getSnapshot().warning), core.getSnapshot().activity], ['Alice', 'viewing']);
});

test('who enters a section while people may be missing is warned of those who were last seen editing there', async () => {
  const world = new World('open');
  world.set(user(2, 'Alice', ABSTRACT));
  const core = await started(world, {}, METHODS);
  lose(world);
  world.socket.tell({type: 'snapshot', version: world.version, users: [world.me], partial: true});
  await settle();
  core.setSection(ABSTRACT);
  await settle();
  assert.deepEqual([names(core.getSnapshot().warning), core.getSnapshot().activity, world.me.activity], ['Alice', 'viewing', 'viewing']);
  core.editAnyway();
  await settle();
  assert.deepEqual([names(core.getSnapshot().warning), core.getSnapshot().activity, world.me.activity], ['', 'editing', 'editing']);
});

test('who was editing already stays so while people may be missing', async () => {
  const world = new World('open');
  const core = await started(world, {}, ABSTRACT);
  world.set(user(2, 'Alice', ABSTRACT));
  await settle();
  lose(world);
  world.socket.tell({type: 'snapshot', version: world.version, users: [world.me], partial: true});
  world.socket.tell({type: 'restate'});
  await world.clock.pass(60_000);
  assert.deepEqual([world.me.activity, core.getSnapshot().activity, core.getSnapshot().warning], ['editing', 'editing', []]);
});

test('who leaves while people may be missing is gone', async () => {
  const world = new World('open');
  world.set(user(2, 'Alice'), user(3, 'Bob'));
  const core = await started(world);
  lose(world);
  world.socket.tell({type: 'snapshot', version: 102, users: [world.me], partial: true});
  world.socket.tell({type: 'delta', base: 102, version: 103, changed: [user(3, 'Bob')], at: [1], left: []});
  world.socket.tell({type: 'delta', base: 103, version: 104, changed: [], at: [], left: [3]});
  await settle();
  assert.deepEqual([names(core.onlineUsers), core.getSnapshot().version], ['Alice', 104]);
});

test('a second loss while people may be missing keeps those who came between', async () => {
  const world = new World('open');
  world.set(user(2, 'Alice'));
  const core = await started(world);
  for (const [version, users] of /** @type {[number, any[]][]} */ ([[102, [world.me]], [103, [world.me, user(3, 'Bob')]], [104, [world.me]]])) {
    world.socket.tell({type: 'snapshot', version, users, partial: true});
  }
  await settle();
  assert.deepEqual(core.onlineUsers.map(({username, old}) => [username, old]), [['Bob', true], ['Alice', true]]);
});

test('a partial list that is older than what is shown marks it as old', async () => {
  const world = new World('open');
  world.set(user(2, 'Alice'));
  const core = await started(world);
  world.socket.tell({type: 'snapshot', version: 7, users: [world.me], partial: true});
  await settle();
  assert.deepEqual([core.getSnapshot().version, names(core.onlineUsers), core.getSnapshot().stale, core.getSnapshot().status], [101, 'Alice', true, 'unknown']);
});

test('restate is answered by an update at once, and claims nothing before a warning is answered', async () => {
  const world = new World('open');
  world.set(user(2, 'Alice', ABSTRACT));
  const core = await started(world, {}, METHODS);
  const seqs = () => world.socket.said.map(({seq}) => seq);
  world.socket.tell({type: 'restate'});
  await settle();
  assert.deepEqual(world.socket.said.slice(1).map(({type, section, activity, unless_occupied: careful}) => [type, section, activity, careful]), [['update', METHODS, 'editing', true]]);
  core.setSection(ABSTRACT);
  await settle();
  assert.equal(names(core.getSnapshot().warning), 'Alice');
  lose(world); // the server has not heard of Alice again
  world.socket.tell({type: 'restate'});
  await settle();
  const last = world.socket.said[world.socket.said.length - 1];
  assert.deepEqual([last.type, last.section, last.activity, last.unless_occupied], ['update', ABSTRACT, 'viewing', false]);
  assert.deepEqual([seqs(), world.sent], [[1, 2, 3, 4], []]);
});

test('the golden messages of a loss mark the list as partial, and are answered by an update', async () => {
  const wire = (/** @type {string} */ name) => JSON.parse(readFileSync(new URL(`../../testdata/wire/${name}.json`, import.meta.url), 'utf8'));
  const world = new World('open');
  const core = await started(world);
  const {version} = core.getSnapshot();
  const before = world.socket.said.length;
  world.socket.tell({...wire('snapshot-partial'), version: version + 1});
  world.socket.tell(wire('restate'));
  await settle();
  const {partial, status} = core.getSnapshot();
  assert.deepEqual([partial, status, world.said.slice(before)], [true, 'unknown', ['update']]);
});

test('restate is asked of an idle page and of one without a section, too', async () => {
  const world = new World('open');
  const core = await started(world);
  await world.clock.pass(121_000);
  const {length} = world.socket.said;
  world.socket.tell({type: 'restate'});
  await settle();
  assert.deepEqual(world.socket.said.slice(length).map(({type, section, activity}) => [type, section, activity]), [['update', '', 'idle']]);
  assert.equal(core.getSnapshot().status, 'live');
});
