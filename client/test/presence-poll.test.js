import assert from 'node:assert/strict';
import test from 'node:test';
import {Timer} from '../presence-timer.js';
import {ABSTRACT, FakeEnvironment, settle, user} from './fixtures.js';

/** @param {Partial<import('../presence-types.js').Options>} [options] */
async function started(options) {
  const env = new FakeEnvironment();
  env.set(user(2, 'Bob'));
  const core = env.core(options);
  core.start();
  await settle();
  return {env, core};
}

test('a polling page sends one update per heartbeat, with the version it knows', async () => {
  const {env} = await started();
  await env.clock.advance(90_000);
  assert.deepEqual(env.sent.map(({path, body}) => [path, body.known_version]), [['update/', 0], ['update/', 101], ['update/', 101], ['update/', 101]]);
});

test('the heartbeat that the server sends is used', async () => {
  const {env} = await started();
  env.extra = {heartbeat: 45};
  await env.clock.advance(30_000);
  await env.clock.advance(44_000);
  assert.equal(env.updates.length, 2);
  await env.clock.advance(1_000);
  assert.equal(env.updates.length, 3);
});

test('one update is under way at a time, and the next one carries all changes made meanwhile', async () => {
  const {env, core} = await started();
  env.held = true;
  core.setSection('manuscript/a');
  await settle();
  for (const section of ['manuscript/b', 'manuscript/c', 'manuscript/d']) {
    core.setSection(section);
    await settle();
  }
  assert.equal(env.updates.length, 2, 'while the second update is under way');
  env.release();
  await settle();
  assert.deepEqual(env.updates.slice(1).map(({body}) => body.section), ['manuscript/a', 'manuscript/d']);
});

test('updatePresence() resolves when its update is answered', async () => {
  const {env, core} = await started();
  env.held = true;
  let done = false;
  void core.updatePresence().then(() => (done = true));
  await settle();
  assert.equal(done, false);
  env.release();
  await settle();
  assert.equal(done, true);
});

test('becoming visible and going online cause an update at once', async () => {
  const {env} = await started();
  env.hide();
  await settle();
  env.show();
  await settle();
  env.fire('online');
  await settle();
  assert.deepEqual(env.updates.map(({body}) => body.activity), ['viewing', 'viewing', 'viewing']);
});

test('503 shows unknown and keeps the list as stale until the next answer', async () => { // rule 13
  const {env, core} = await started();
  const {users} = core.getSnapshot();
  env.failure = 503;
  await env.clock.advance(30_000);
  const {status, stale, text, users: kept} = core.getSnapshot();
  assert.deepEqual([status, stale, text, kept], ['unknown', true, 'Presence unknown', users]);
  env.failure = null;
  await env.clock.advance(30_000);
  assert.deepEqual([core.getSnapshot().status, core.getSnapshot().stale], ['polling', false]);
});

test('a failed request shows offline, and the browser\'s offline event is checked by an attempt', async () => {
  const {env, core} = await started();
  env.failure = new TypeError('Failed to fetch');
  await env.clock.advance(30_000);
  assert.deepEqual([core.getSnapshot().status, core.getSnapshot().stale], ['offline', true]);
  env.failure = null;
  env.fire('online');
  await settle();
  assert.equal(core.getSnapshot().status, 'polling');
  env.fire('offline');
  assert.equal(core.getSnapshot().status, 'offline');
  await settle();
  assert.equal(core.getSnapshot().status, 'polling', 'the server was reachable');
});

test('a request without an answer is aborted after 8 s', async () => {
  const {env, core} = await started();
  env.failure = 'silence';
  core.setSection(ABSTRACT);
  await env.clock.advance(7_900);
  const [, request] = env.updates;
  assert.equal(request.aborted, false);
  await env.clock.advance(200);
  assert.equal(request.aborted, true);
  assert.equal(core.getSnapshot().status, 'unknown');
});

test('an answer without success shows unknown and keeps the list', async () => {
  const {env, core} = await started();
  env.extra = {success: false};
  env.version++;
  await env.clock.advance(30_000);
  assert.deepEqual([core.getSnapshot().status, core.getSnapshot().count], ['unknown', 1]);
});

test('retries wait with full jitter of 250 ms to 12 s', async () => {
  const {env} = await started();
  env.failure = 503;
  env.random = 0.999;
  await env.clock.advance(100_000);
  env.fire('pointermove'); // becoming idle would cause an update at once
  await env.clock.advance(100_000);
  const times = env.updates.slice(1).map(({at}) => at);
  const waits = times.slice(1).map((at, i) => Math.round((at - times[i]) / 100) / 10);
  assert.deepEqual(waits.slice(0, 13), [0.3, 0.4, 0.6, 0.8, 1.3, 1.9, 2.8, 4.3, 6.4, 9.6, 12, 12, 12]);
  env.random = 0.25;
  env.fire('pointermove');
  const before = env.updates.length;
  await env.clock.advance(70_000);
  const short = env.updates.slice(before).map(({at}) => at);
  assert.equal(Math.round((short[3] - short[2]) / 100) / 10, 3, 'a quarter of twelve seconds');
});

test('Retry-After is respected whatever changes in the page', async () => {
  for (const status of [429, 503]) {
    const {env, core} = await started();
    env.failure = status;
    env.failureHeaders = {'Retry-After': '20'};
    env.random = 0;
    core.setSection(ABSTRACT);
    await settle();
    const before = env.updates.length;
    core.setSection('manuscript/methods');
    env.fire('online');
    await env.clock.advance(19_900);
    assert.equal(env.updates.length, before, `${status}: asked again too early`);
    env.failure = null;
    await env.clock.advance(200);
    assert.equal(env.updates.length, before + 1);
    assert.equal(env.last.body.section, 'manuscript/methods');
  }
});

test('token() is called once, and again when the server rejects its token', async () => {
  /** @type {boolean[]} */
  const asked = [];
  const {env, core} = await started({token: (refused) => (asked.push(refused), `t${asked.length}`)});
  await env.clock.advance(60_000);
  assert.deepEqual(asked, [false]);
  assert.equal(env.last.headers.Authorization, 'Bearer t1');
  env.failure = 401;
  await env.clock.advance(30_000);
  assert.deepEqual(asked, [false, true]);
  assert.equal(env.last.headers.Authorization, 'Bearer t2');
  assert.deepEqual([core.getSnapshot().status, core.getSnapshot().users], ['refused', []], 'access rejected');
  const before = env.sent.length;
  core.setSection(ABSTRACT);
  await env.clock.advance(29_900);
  assert.equal(env.sent.length, before, 'the next attempt is a heartbeat later');
  env.failure = null;
  await env.clock.advance(200);
  assert.deepEqual([core.getSnapshot().status, env.last.body.known_version], ['polling', 0]);
});

test('a leave has the same headers as an update', async () => {
  const env = new FakeEnvironment();
  env.document.cookie = 'a=b; csrftoken=abc%3D; c=d';
  const core = env.core({token: async () => 'secret'});
  core.start();
  await settle();
  core.stop();
  await settle();
  assert.equal(env.last.path, 'leave/');
  assert.deepEqual(env.last.headers, {Authorization: 'Bearer secret', 'Content-Type': 'application/json', 'X-CSRFToken': 'abc='});
});

test('every request has the token in the header that tokenHeader names', async () => {
  const env = new FakeEnvironment();
  const core = env.core({token: async () => 'secret', tokenHeader: 'X-Presence-Token'});
  core.start();
  await settle();
  await core.fetchPresence();
  core.stop();
  await settle();
  assert.deepEqual(env.sent.map(({path}) => path), ['update/', 'list/', 'leave/']);
  for (const {headers} of env.sent) assert.deepEqual([headers['X-Presence-Token'], headers.Authorization], ['Bearer secret', undefined]);
});

test('a CSRF cookie that is not valid percent-encoding does not stop requests', async () => {
  for (const cookie of ['100%', '%E0%A4%A', 'a%zz']) {
    const env = new FakeEnvironment();
    env.document.cookie = `csrftoken=${cookie}`;
    const core = env.core();
    core.start();
    await settle();
    assert.deepEqual([env.last.headers['X-CSRFToken'], core.getSnapshot().status], [cookie === '%E0%A4%A' ? 'à¤%A' : cookie, 'polling']);
    core.stop();
  }
});

test('requests have no CSRF header without the cookie and no Authorization without a token', async () => {
  const {env} = await started();
  assert.deepEqual(env.last.headers, {'Content-Type': 'application/json'});
});

test('an update whose cookie the server cleared is repeated once at once', async () => {
  const {env} = await started();
  env.failure = 401;
  env.failureCode = 'cookie_invalid';
  const before = env.updates.length;
  await env.clock.advance(30_000);
  assert.equal(env.updates.length, before + 2);
});

test('an unknown project is tried again after five minutes', async () => {
  const {env, core} = await started();
  env.failure = 404;
  core.setSection(ABSTRACT);
  await settle();
  assert.equal(core.getSnapshot().status, 'refused');
  const before = env.updates.length;
  core.setSection('manuscript/methods');
  await env.clock.advance(299_000);
  assert.equal(env.updates.length, before);
});

test('fetchPresence() reads the list, and only between start() and stop()', async () => {
  const {env, core} = await started();
  env.set(user(3, 'Carol'));
  await core.fetchPresence();
  assert.deepEqual([env.last.method, env.last.path], ['GET', 'list/']);
  assert.deepEqual(core.onlineUsers.map(({username}) => username), ['Carol']);
  env.held = true;
  const late = core.fetchPresence();
  core.stop();
  await settle();
  env.release();
  await late;
  assert.deepEqual([core.onlineUsers, core.getSnapshot().status], [[], 'stopped'], 'an answer that came after stop() was shown');
  const before = env.last;
  await core.fetchPresence();
  assert.equal(env.last, before, 'something was sent after stop()');
});

test('after a sleep the list is stale before a request has failed', async () => { // case 10
  const {env, core} = await started();
  env.clock.sleep(600_000);
  env.held = true;
  await env.clock.advance(0);
  assert.deepEqual([core.getSnapshot().status, core.getSnapshot().stale, core.getSnapshot().text], ['connecting', true, 'Presence: reconnecting…']);
  env.release();
  await settle();
  assert.deepEqual([core.getSnapshot().status, core.getSnapshot().stale], ['polling', false]);
});

test('an update that a status listener requests after a sleep is the update under way, not one more', async () => {
  const {env, core} = await started();
  /** @type {Promise<void>[]} */
  const requested = [];
  core.addEventListener('status', () => requested.push(core.updatePresence()), {once: true});
  const before = env.updates.length;
  env.clock.sleep(100_000);
  await env.clock.advance(0);
  await Promise.all(requested);
  await env.clock.advance(1_000);
  assert.deepEqual([requested.length, env.updates.length - before], [1, 1]);
});

test('a delay that is too long for a timer is limited to one hour', async () => {
  /** @type {number[]} */
  const delays = [];
  new Timer({setTimeout: (_, delay) => delays.push(delay), clearTimeout: () => {}}).set(() => {}, 1e12);
  assert.ok(delays[0] >= 60_000 && delays[0] < 2 ** 31, `it waits for ${delays}`);
});
