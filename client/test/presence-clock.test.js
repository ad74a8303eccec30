/** Durations do not depend on the system clock, and include sleep. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {time} from '../presence-clock.js';
import {ABSTRACT, Clock, FakeEnvironment, settle, started, state, user} from './fixtures.js';

const MINUTE = 60_000;
const HOURS = 60 * MINUTE;

/** Each clock that a page can have. @param {(env: FakeEnvironment, name: string) => Promise<void>} run @param {FakeEnvironment['webSocket']} [webSocket] */
async function withEachClock(run, webSocket) {
  for (const name of ['Date and performance', 'Date alone']) {
    const env = new FakeEnvironment(webSocket);
    env.hasPerformance = name !== 'Date alone';
    await run(env, name);
  }
}

test('the clock never goes back, and counts sleep once, whether performance.now() continues or stands still', () => {
  for (const still of [false, true]) {
    const clock = new Clock();
    const environment = {Date: {now: clock.now}, performance: clock.performance};
    const begin = time(environment);
    clock.sleep(8 * HOURS, still);
    assert.equal(time(environment) - begin, 8 * HOURS);
    clock.set(-2 * HOURS);
    assert.equal(time(environment) - begin, 8 * HOURS);
    clock.sleep(5_000);
    assert.equal(time(environment) - begin, 8 * HOURS + 5_000);
    assert.equal(time({...environment}) > 0, true, 'another page has a clock of its own');
  }
});

test('the drift of the system clock is not counted', () => {
  const clock = new Clock();
  const environment = {Date: {now: clock.now}, performance: clock.performance};
  const begin = time(environment);
  for (let second = 0; second < 1000; second++) {
    clock.set(second % 2 ? 3 : -2);
    clock.sleep(1_000);
    time(environment);
  }
  assert.equal(time(environment) - begin, 1000 * 1_000);
});

test('a system clock that is set back two hours delays nothing', async () => { // case 48
  await withEachClock(async (env, name) => { // idle, away and back
    await started(env, {}, ABSTRACT);
    await env.clock.advance(MINUTE);
    env.clock.set(-2 * HOURS);
    // With `Date` alone, the time since the last look at the clock is lost.
    await env.clock.advance((env.hasPerformance ? 1.1 : 1.6) * MINUTE);
    assert.equal(env.last.body.activity, 'idle', name);
    env.clock.set(-2 * HOURS);
    await env.clock.advance(30.5 * MINUTE);
    assert.equal(env.leaves.length, 1, name);
  });
  await withEachClock(async (env, name) => { // a connection that is lost, and a backoff
    const core = await started(env, {}, ABSTRACT);
    env.webSocket = 'refuses';
    env.failure = 503;
    env.socket.end();
    await env.clock.advance(20_000);
    env.clock.set(-2 * HOURS);
    env.webSocket = 'open';
    env.failure = null;
    await env.clock.advance(12_000);
    assert.equal(core.getSnapshot().status, 'live', name);
  }, 'open');
  await withEachClock(async (env, name) => { // before the live connection is open
    env.webSocket = 'hangs';
    const core = await started(env, {}, ABSTRACT);
    env.clock.set(-2 * HOURS);
    await env.clock.advance(3_000);
    assert.equal(core.getSnapshot().status, 'polling', name);
  }, 'open');
  await withEachClock(async (env, name) => { // while a node is behind
    const core = await started(env, {}, ABSTRACT);
    env.version = 50;
    env.others = [user(2, 'Bob')];
    await core.updatePresence();
    env.clock.set(-2 * HOURS);
    await env.clock.advance(env.hasPerformance ? 11_000 : 21_000);
    assert.equal(core.getSnapshot().version, 50, name);
  });
});

test('a Retry-After that is a date does not depend on the system clock', async () => { // case 48
  const env = new FakeEnvironment();
  env.random = 0;
  const core = await started(env, {}, ABSTRACT);
  const date = env.clock.now();
  env.clock.set(-2 * HOURS);
  env.failure = 503;
  env.failureHeaders = {Date: new Date(date).toUTCString(), 'Retry-After': new Date(date + 20_000).toUTCString()};
  await core.updatePresence();
  const before = env.updates.length;
  await env.clock.advance(19_000);
  assert.equal(env.updates.length, before);
  await env.clock.advance(2_000);
  assert.equal(env.updates.length, before + 1);
});

test('a system clock that is set forward causes at most one more update, and ends no presence', async () => { // case 48
  const withoutChange = new FakeEnvironment();
  await started(withoutChange, {}, ABSTRACT);
  await withoutChange.clock.advance(1.9 * MINUTE);
  await withEachClock(async (env, name) => {
    const core = await started(env, {}, ABSTRACT);
    await env.clock.advance(MINUTE);
    env.clock.set(2 * HOURS);
    await env.clock.advance(0.9 * MINUTE);
    assert.ok(env.updates.length <= withoutChange.updates.length + 1, `${name}: ${env.updates.length} updates`);
    assert.deepEqual([core.getSnapshot().status, env.leaves.length], ['polling', 0], name);
    await env.clock.advance(0.2 * MINUTE);
    assert.deepEqual([env.last.body.activity, env.leaves.length], ['idle', 0], name);
    await env.clock.advance(29 * MINUTE);
    assert.equal(env.leaves.length, 0, name);
    await env.clock.advance(2 * MINUTE);
    assert.equal(env.leaves.length, 1, name);
  });
});

test('a person who types is active whatever happens to the system clock', async () => { // case 48
  await withEachClock(async (env, name) => {
    await started(env, {}, ABSTRACT);
    for (let step = 0; step < 60; step++) {
      if (step % 10 === 5) env.clock.set(step % 20 === 5 ? 2 * HOURS : -3 * HOURS);
      env.fire('input');
      await env.clock.advance(10_000);
    }
    assert.deepEqual(new Set(env.updates.map(({body}) => body.activity)), new Set(['editing']), name);
  });
});

test('the first input and the first view after a sleep send an update at once, although no timer is due', async () => { // case 10
  for (const still of [false, true]) {
    for (const wake of ['input', 'show']) {
      const env = new FakeEnvironment('open');
      const core = await started(env, {}, ABSTRACT);
      if (wake === 'show') env.hide();
      env.clock.sleep(10 * MINUTE, still);
      if (wake === 'show') env.show();
      else env.fire('keydown');
      await settle();
      assert.deepEqual([env.messageTypes.slice(0, 2), env.socket.messages[1].activity, state(core)[0]], [['hello', 'update'], 'editing', 'live'], wake);
    }
  }
});

test('after a sleep a page that nobody touches is idle first, and away at a later sleep', async () => { // rule 12
  for (const still of [false, true]) {
    const env = new FakeEnvironment();
    await started(env, {}, ABSTRACT);
    env.clock.sleep(8 * HOURS, still);
    await env.clock.advance(MINUTE);
    assert.deepEqual([env.last.path, env.last.body.activity, env.leaves.length], ['update/', 'idle', 0]);
    env.clock.sleep(HOURS, still);
    await env.clock.advance(MINUTE);
    assert.equal(env.leaves.length, 1);
  }
});
