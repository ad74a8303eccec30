import assert from 'node:assert/strict';
import test from 'node:test';
import {Timer} from '../presence-timer.js';
import {World, settle, user} from './fixtures.js';

const ABSTRACT = 'manuscript/abstract';

/** @param {Partial<import('../presence-types.js').Options>} [options] */
async function started(options) {
  const world = new World();
  world.set(user(2, 'Bob'));
  const core = world.core(options);
  core.start();
  await settle();
  return {world, core};
}

test('a poll is one update per heartbeat, with the version that is known', async () => {
  const {world} = await started();
  await world.clock.pass(90_000);
  assert.deepEqual(world.sent.map(({path, body}) => [path, body.known_version]), [['update/', 0], ['update/', 101], ['update/', 101], ['update/', 101]]);
});

test('the server\'s heartbeat is kept', async () => {
  const {world} = await started();
  world.extra = {heartbeat: 45};
  await world.clock.pass(30_000);
  await world.clock.pass(44_000);
  assert.equal(world.updates.length, 2);
  await world.clock.pass(1_000);
  assert.equal(world.updates.length, 3);
});

test('one update is under way at a time, and what changes meanwhile travels in the next', async () => {
  const {world, core} = await started();
  world.held = true;
  core.setSection('manuscript/a');
  await settle();
  for (const section of ['manuscript/b', 'manuscript/c', 'manuscript/d']) {
    core.setSection(section);
    await settle();
  }
  assert.equal(world.updates.length, 2, 'while the second is under way');
  world.release();
  await settle();
  assert.deepEqual(world.updates.slice(1).map(({body}) => body.section), ['manuscript/a', 'manuscript/d']);
});

test('updatePresence is done when its update was answered', async () => {
  const {world, core} = await started();
  world.held = true;
  let done = false;
  void core.updatePresence().then(() => (done = true));
  await settle();
  assert.equal(done, false);
  world.release();
  await settle();
  assert.equal(done, true);
});

test('becoming visible and being online again are told at once', async () => {
  const {world} = await started();
  world.hide();
  await settle();
  world.show();
  await settle();
  world.fire('online');
  await settle();
  assert.deepEqual(world.updates.map(({body}) => body.activity), ['viewing', 'idle', 'viewing', 'viewing']);
});

test('503 is "presence unknown": the last list stays, marked as old, until an answer comes', async () => { // rule 13
  const {world, core} = await started();
  const {users} = core.getSnapshot();
  world.failure = 503;
  await world.clock.pass(30_000);
  const {status, stale, text, users: kept} = core.getSnapshot();
  assert.deepEqual([status, stale, text, kept], ['unknown', true, 'Presence unknown', users]);
  world.failure = null;
  await world.clock.pass(30_000);
  assert.deepEqual([core.getSnapshot().status, core.getSnapshot().stale], ['polling', false]);
});

test('a failed request is "offline"; the browser\'s own word is checked by an attempt', async () => {
  const {world, core} = await started();
  world.failure = new TypeError('Failed to fetch');
  await world.clock.pass(30_000);
  assert.deepEqual([core.getSnapshot().status, core.getSnapshot().stale], ['offline', true]);
  world.failure = null;
  world.fire('online');
  await settle();
  assert.equal(core.getSnapshot().status, 'polling');
  world.fire('offline');
  assert.equal(core.getSnapshot().status, 'offline');
  await settle();
  assert.equal(core.getSnapshot().status, 'polling', 'the server was in reach all the same');
});

test('a request without an answer is given up after 8 s', async () => {
  const {world, core} = await started();
  world.failure = 'silence';
  core.setSection(ABSTRACT);
  await world.clock.pass(7_900);
  const [, request] = world.updates;
  assert.equal(request.aborted, false);
  await world.clock.pass(200);
  assert.equal(request.aborted, true);
  assert.equal(core.getSnapshot().status, 'unknown');
});

test('an answer that is none of the server\'s is no list', async () => {
  const {world, core} = await started();
  world.extra = {success: false};
  world.version++;
  await world.clock.pass(30_000);
  assert.deepEqual([core.getSnapshot().status, core.getSnapshot().count], ['unknown', 1]);
});

test('retries wait with full jitter, from a quarter of a second up to twelve', async () => {
  const {world} = await started();
  world.failure = 503;
  world.random = 0.999;
  await world.clock.pass(100_000);
  world.fire('pointermove'); // to become idle would be a change, which is sent at once
  await world.clock.pass(100_000);
  const times = world.updates.slice(1).map(({at}) => at);
  const waits = times.slice(1).map((at, i) => Math.round((at - times[i]) / 100) / 10);
  assert.deepEqual(waits.slice(0, 13), [0.3, 0.4, 0.6, 0.8, 1.3, 1.9, 2.8, 4.3, 6.4, 9.6, 12, 12, 12]);
  world.random = 0.25;
  world.fire('pointermove');
  const before = world.updates.length;
  await world.clock.pass(70_000);
  const short = world.updates.slice(before).map(({at}) => at);
  assert.equal(Math.round((short[3] - short[2]) / 100) / 10, 3, 'a quarter of twelve seconds');
});

test('Retry-After is obeyed, whatever changes meanwhile', async () => {
  for (const status of [429, 503]) {
    const {world, core} = await started();
    world.failure = status;
    world.failureHeaders = {'Retry-After': '20'};
    world.random = 0;
    core.setSection(ABSTRACT);
    await settle();
    const before = world.updates.length;
    core.setSection('manuscript/methods');
    world.fire('online');
    await world.clock.pass(19_900);
    assert.equal(world.updates.length, before, `${status}: asked again too early`);
    world.failure = null;
    await world.clock.pass(200);
    assert.equal(world.updates.length, before + 1);
    assert.equal(world.last.body.section, 'manuscript/methods');
  }
});

test('a token is asked for once, and again when the server refuses it', async () => {
  /** @type {boolean[]} */
  const asked = [];
  const {world, core} = await started({token: (refused) => (asked.push(refused), `t${asked.length}`)});
  await world.clock.pass(60_000);
  assert.deepEqual(asked, [false]);
  assert.equal(world.last.headers.Authorization, 'Bearer t1');
  world.failure = 401;
  await world.clock.pass(30_000);
  assert.deepEqual(asked, [false, true]);
  assert.equal(world.last.headers.Authorization, 'Bearer t2');
  assert.deepEqual([core.getSnapshot().status, core.getSnapshot().users], ['refused', []], 'access is gone, and so is what it showed');
  const before = world.sent.length;
  core.setSection(ABSTRACT);
  await world.clock.pass(29_900);
  assert.equal(world.sent.length, before, 'then once more per heartbeat');
  world.failure = null;
  await world.clock.pass(200);
  assert.deepEqual([core.getSnapshot().status, world.last.body.known_version], ['polling', 0]);
});

test('the leave carries the same headers as an update', async () => {
  const world = new World();
  world.document.cookie = 'a=b; csrftoken=abc%3D; c=d';
  const core = world.core({token: async () => 'secret'});
  core.start();
  await settle();
  core.stop();
  await settle();
  assert.equal(world.last.path, 'leave/');
  assert.deepEqual(world.last.headers, {Authorization: 'Bearer secret', 'Content-Type': 'application/json', 'X-CSRFToken': 'abc='});
});

test('a token travels in the header that tokenHeader names, in every request', async () => {
  const world = new World();
  const core = world.core({token: async () => 'secret', tokenHeader: 'X-Presence-Token'});
  core.start();
  await settle();
  await core.fetchPresence();
  core.stop();
  await settle();
  assert.deepEqual(world.sent.map(({path}) => path), ['update/', 'list/', 'leave/']);
  for (const {headers} of world.sent) assert.deepEqual([headers['X-Presence-Token'], headers.Authorization], ['Bearer secret', undefined]);
});

test('a CSRF cookie that is no valid encoding stops no request', async () => {
  for (const cookie of ['100%', '%E0%A4%A', 'a%zz']) {
    const world = new World();
    world.document.cookie = `csrftoken=${cookie}`;
    const core = world.core();
    core.start();
    await settle();
    assert.deepEqual([world.last.headers['X-CSRFToken'], core.getSnapshot().status], [cookie === '%E0%A4%A' ? 'à¤%A' : cookie, 'polling']);
    core.stop();
  }
});

test('there is no CSRF header without its cookie, and no Authorization without a token', async () => {
  const {world} = await started();
  assert.deepEqual(world.last.headers, {'Content-Type': 'application/json'});
});

test('a cookie that the server has cleared is followed by one attempt at once', async () => {
  const {world} = await started();
  world.failure = 401;
  world.failureCode = 'cookie_invalid';
  const before = world.updates.length;
  await world.clock.pass(30_000);
  assert.equal(world.updates.length, before + 2);
});

test('an unknown project is asked for again after five minutes', async () => {
  const {world, core} = await started();
  world.failure = 404;
  core.setSection(ABSTRACT);
  await settle();
  assert.equal(core.getSnapshot().status, 'refused');
  const before = world.updates.length;
  core.setSection('manuscript/methods');
  await world.clock.pass(299_000);
  assert.equal(world.updates.length, before);
});

test('fetchPresence looks at the list, and only between start and stop', async () => {
  const {world, core} = await started();
  world.set(user(3, 'Carol'));
  await core.fetchPresence();
  assert.deepEqual([world.last.method, world.last.path], ['GET', 'list/']);
  assert.deepEqual(core.onlineUsers.map(({username}) => username), ['Carol']);
  world.held = true;
  const late = core.fetchPresence();
  core.stop();
  await settle();
  world.release();
  await late;
  assert.deepEqual([core.onlineUsers, core.getSnapshot().status], [[], 'stopped'], 'an answer that came after stop() was shown');
  const before = world.last;
  await core.fetchPresence();
  assert.equal(world.last, before, 'something was sent after stop()');
});

test('after a sleep the list is old before anything has failed', async () => { // case 10
  const {world, core} = await started();
  world.clock.sleep(600_000);
  world.held = true;
  await world.clock.pass(0);
  assert.deepEqual([core.getSnapshot().status, core.getSnapshot().stale, core.getSnapshot().text], ['connecting', true, 'Presence: reconnecting…']);
  world.release();
  await settle();
  assert.deepEqual([core.getSnapshot().status, core.getSnapshot().stale], ['polling', false]);
});

test('an update that a status listener requests after a sleep is the update under way, not one more', async () => {
  const {world, core} = await started();
  /** @type {Promise<void>[]} */
  const requested = [];
  core.addEventListener('status', () => requested.push(core.updatePresence()), {once: true});
  const before = world.updates.length;
  world.clock.sleep(100_000);
  await world.clock.pass(0);
  await Promise.all(requested);
  await world.clock.pass(1_000);
  assert.deepEqual([requested.length, world.updates.length - before], [1, 1]);
});

test('a wait that is too long for a timer is a long one', async () => {
  /** @type {number[]} */
  const delays = [];
  new Timer({setTimeout: (_, delay) => delays.push(delay), clearTimeout: () => {}}).set(() => {}, 1e12);
  assert.ok(delays[0] >= 60_000 && delays[0] < 2 ** 31, `it waits for ${delays}`);
});
