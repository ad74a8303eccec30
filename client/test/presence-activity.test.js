import assert from 'node:assert/strict';
import test from 'node:test';
import {ABSTRACT, FakeEnvironment, settle, user} from './fixtures.js';

const MINUTE = 60_000;

async function editing() {
  const env = new FakeEnvironment();
  const core = env.core();
  core.start();
  core.setSection(ABSTRACT);
  await settle();
  return {env, core};
}

/** @param {FakeEnvironment} env */
const activity = (env) => env.last.body.activity;

test('a hidden page is idle at once, and active at once when it is shown', async () => { // rule 12
  const {env} = await editing();
  env.hide();
  await settle();
  assert.equal(activity(env), 'idle');
  env.show();
  await settle();
  assert.equal(activity(env), 'editing');
});

test('a page is idle after two minutes without input, and any input restarts the two minutes', async () => { // rule 12
  for (const input of ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart']) {
    const {env} = await editing();
    await env.clock.advance(1.9 * MINUTE);
    env.fire(input);
    await env.clock.advance(1.9 * MINUTE);
    assert.equal(activity(env), 'editing', `after ${input}`);
    await env.clock.advance(0.2 * MINUTE);
    assert.equal(activity(env), 'idle');
    env.fire(input);
    await settle();
    assert.equal(activity(env), 'editing', `back by ${input}`);
  }
});

test('after thirty minutes of being idle a page leaves and sends nothing until the next input', async () => { // rule 12, case 6
  const {env, core} = await editing();
  env.set(user(2, 'Bob'));
  await env.clock.advance(31.9 * MINUTE);
  assert.equal(env.leaves.length, 0);
  await env.clock.advance(0.2 * MINUTE);
  assert.equal(env.leaves.length, 1);
  assert.equal(env.leaves[0].body.hidden, undefined);
  assert.deepEqual([core.getSnapshot().status, core.getSnapshot().stale, core.getSnapshot().count], ['away', true, 1]);

  const before = env.sent.length;
  env.hide();
  env.show();
  env.fire('online');
  core.setSection('manuscript/methods');
  await env.clock.advance(600 * MINUTE);
  assert.equal(env.sent.length, before, 'silence');
  assert.equal(env.clock.pending, 0, 'timers');

  env.fire('keydown');
  await settle();
  assert.deepEqual([env.last.path, activity(env), env.last.body.section], ['update/', 'editing', 'manuscript/methods']);
  assert.ok(env.last.body.seq > env.leaves[0].body.seq, 'newer than the leave');
  assert.equal(core.getSnapshot().status, 'polling');
});

test('a hidden tab, whose timers run once a minute, sends an update at least once a minute', async () => { // rule 12, case 4
  const {env} = await editing();
  env.hide();
  await env.clock.advance(29 * MINUTE, MINUTE);
  const times = env.updates.map(({at}) => at);
  const gaps = times.slice(1).map((at, i) => at - times[i]);
  assert.ok(Math.max(...gaps) <= MINUTE, `the longest gap was ${Math.max(...gaps)} ms`);
  assert.equal(env.leaves.length, 0);
  await env.clock.advance(3 * MINUTE, MINUTE);
  assert.equal(env.leaves.length, 1, 'the clock decides, not the number of timer calls');
});

test('at pagehide a page sends a hidden leave by keepalive, and nothing more', async () => { // rule 9
  const {env} = await editing();
  env.fire('pagehide', {persisted: true});
  await settle();
  assert.deepEqual([env.last.path, env.last.keepalive, env.last.body.hidden], ['leave/', true, true]);
  const before = env.sent.length;
  env.hide();
  await env.clock.advance(60 * MINUTE);
  assert.equal(env.sent.length, before);
});

test('a page restored from the back/forward cache continues its session with a higher seq', async () => { // case 8
  const {env, core} = await editing();
  env.set(user(2, 'Bob'));
  await env.clock.advance(30_000);
  env.fire('pagehide', {persisted: true});
  await settle();
  const leave = env.last.body;
  assert.deepEqual([core.getSnapshot().stale, core.getSnapshot().count], [true, 1], 'the list is stale');
  env.clock.sleep(10 * MINUTE);
  env.fire('pageshow', {persisted: true});
  await settle();
  assert.equal(env.last.path, 'update/');
  assert.equal(env.last.body.session, leave.session);
  assert.ok(env.last.body.seq > leave.seq, `seq ${env.last.body.seq} after ${leave.seq}`);
  assert.deepEqual([activity(env), env.last.body.section], ['editing', ABSTRACT]);
});

test('the first pageshow of a page causes no update', async () => {
  const {env} = await editing();
  const before = env.sent.length;
  env.fire('pageshow', {persisted: false});
  await settle();
  assert.equal(env.sent.length, before);
});

test('a page opened in a background tab is idle', async () => {
  const env = new FakeEnvironment();
  env.document.visibilityState = 'hidden';
  env.core().start();
  await settle();
  assert.equal(activity(env), 'idle');
});
