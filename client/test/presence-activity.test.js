import assert from 'node:assert/strict';
import test from 'node:test';
import {ActivityMonitor} from '../presence-activity.js';
import {ABSTRACT, FakeEnvironment, settle, started, user} from './fixtures.js';

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

test('a hidden page keeps its activity for 30 s, then it is idle, and active at once when it is shown', async () => { // rule 12
  const {env} = await editing();
  await env.clock.advance(1.9 * MINUTE);
  env.hide();
  await env.clock.advance(29_000);
  assert.equal(activity(env), 'editing', 'within the grace, although the last input is more than two minutes ago');
  await env.clock.advance(1_500);
  assert.equal(activity(env), 'idle');
  env.show();
  await settle();
  assert.equal(activity(env), 'editing');
});

test('a page that is hidden for a second stays active, and sends an update when it is shown', async () => { // rule 12
  const {env} = await editing();
  env.hide();
  await env.clock.advance(1_000);
  const before = env.updates.length;
  env.show();
  await settle();
  assert.deepEqual(env.updates.slice(before).map(({body}) => body.activity), ['editing']);
  await env.clock.advance(1.9 * MINUTE);
  assert.deepEqual(new Set(env.updates.map(({body}) => body.activity)), new Set(['editing']));
});

test('in a hidden tab, whose timers run once a minute, the grace ends with the first timer', async () => { // rule 12, case 4
  const {env} = await editing();
  env.hide();
  await env.clock.advance(MINUTE, MINUTE);
  assert.equal(activity(env), 'idle');
});

test('an idle page that is hidden stays idle, and leaves thirty minutes after it became idle', async () => { // rule 12
  const {env} = await editing();
  await env.clock.advance(3 * MINUTE);
  env.hide();
  await settle();
  assert.deepEqual(new Set(env.updates.map(({body}) => body.activity)), new Set(['editing', 'idle']));
  assert.equal(activity(env), 'idle');
  await env.clock.advance(28.9 * MINUTE);
  assert.equal(env.leaves.length, 0);
  await env.clock.advance(0.2 * MINUTE);
  assert.equal(env.leaves.length, 1);
});

test('a page is idle after two minutes without input, and any input restarts the two minutes', async () => { // rule 12
  for (const input of [
    'pointerdown', 'pointermove', 'click', 'keydown', 'wheel', 'beforeinput', 'input', 'change', 'cut', 'paste', 'drop',
  ]) { // case 44
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

test('events that scripts cause are no input', async () => {
  const {env} = await editing();
  for (let minute = 0; minute < 3; minute++) {
    for (const type of ['selectionchange', 'scroll', 'focus', 'blur', 'load', 'resize', 'message']) env.fire(type);
    await env.clock.advance(MINUTE);
  }
  assert.equal(activity(env), 'idle');
});

test('active() is input, whether the page is visible, hidden or away, and does nothing while it is stopped', async () => { // case 44
  const {env, core} = await editing();
  await env.clock.advance(1.9 * MINUTE);
  core.active();
  await env.clock.advance(1.9 * MINUTE);
  assert.equal(activity(env), 'editing', 'visible');
  env.hide();
  await env.clock.advance(MINUTE);
  assert.equal(activity(env), 'idle');
  core.active(); // an editor in another window
  await env.clock.advance(29_000);
  assert.equal(activity(env), 'editing', 'hidden');
  await env.clock.advance(33 * MINUTE);
  assert.equal(core.getSnapshot().status, 'away');
  core.active();
  await settle();
  assert.equal(activity(env), 'editing', 'away');
  core.stop();
  await settle();
  const before = env.sent.length;
  core.active();
  await env.clock.advance(60 * MINUTE);
  assert.deepEqual([env.sent.length, env.clock.pending, core.running], [before, 0, false]);
  env.core().active();
  assert.equal(env.clock.pending, 0, 'before start()');
});

test('a page with unsaved work is idle and does not leave; without it, it leaves at once', async () => { // rule 18, case 45
  const env = new FakeEnvironment();
  /** @type {string[]} */
  const states = [];
  const monitor = new ActivityMonitor(env.globals(), (state) => states.push(state));
  monitor.keep = true;
  assert.equal(env.clock.pending, 0, 'nothing happens before start()');
  monitor.start();
  env.hide();
  await env.clock.advance(600 * MINUTE, MINUTE);
  assert.deepEqual([states, env.clock.pending], [['idle'], 0]);
  monitor.keep = false;
  assert.deepEqual(states, ['idle', 'away']);
  monitor.keep = true;
  assert.deepEqual(states, ['idle', 'away', 'idle'], 'unsaved work of a page that had left');
  env.show();
  assert.deepEqual(states, ['idle', 'away', 'idle', 'active']);
  env.fire('pagehide');
  monitor.keep = false;
  assert.deepEqual([states.pop(), monitor.state], ['gone', 'gone']);
  monitor.stop();
  assert.equal(env.clock.pending, 0);
});

test('setUnsaved() keeps a page that nobody touches, until the work is saved or its section is left', async () => { // rule 18, case 45
  for (const end of ['saved', 'left']) {
    const {env, core} = await editing();
    core.setUnsaved(true);
    env.hide();
    await env.clock.advance(600 * MINUTE, MINUTE);
    assert.deepEqual([env.leaves.length, activity(env), env.last.body.unsaved], [0, 'idle', true], end);
    if (end === 'saved') core.setUnsaved(false);
    else core.setSection('manuscript/methods');
    await settle();
    assert.deepEqual([env.leaves.length, core.getSnapshot().status], [1, 'away'], end);
    core.setSection(ABSTRACT);
    core.setUnsaved(true);
    await settle();
    assert.deepEqual([env.last.path, activity(env), env.last.body.unsaved], ['update/', 'idle', true], end);
  }
});

test('input in frames of the page\'s origin is input, at any depth, and frames of other origins do no harm', async () => { // case 44
  const env = new FakeEnvironment();
  const inner = Object.assign(new EventTarget(), {document: new EventTarget(), length: 0});
  const outer = Object.assign(new EventTarget(), {document: new EventTarget(), length: 1, 0: inner});
  const foreign = new Proxy({}, {get() { throw new DOMException('of another origin', 'SecurityError'); }});
  Object.assign(env.window, {length: 2, 0: foreign, 1: outer});
  const core = await started(env, {}, ABSTRACT);
  for (const frame of [outer, inner]) {
    await env.clock.advance(1.9 * MINUTE);
    frame.dispatchEvent(new Event('input'));
    await env.clock.advance(1.9 * MINUTE);
    assert.equal(activity(env), 'editing');
    await env.clock.advance(0.2 * MINUTE);
    assert.equal(activity(env), 'idle');
    frame.dispatchEvent(new Event('keydown'));
    await settle();
    assert.equal(activity(env), 'editing');
  }
  await env.clock.advance(33 * MINUTE);
  core.stop();
  await settle();
  const before = env.sent.length;
  for (const frame of [outer, inner]) for (const type of ['keydown', 'blur']) frame.dispatchEvent(new Event(type));
  await env.clock.advance(MINUTE);
  assert.deepEqual([env.sent.length, env.clock.pending], [before, 0], 'after stop()');
});

/** A frame in a shadow root, which only the focus shows. */
function shadowFrame() {
  const contentWindow = Object.assign(new EventTarget(), {document: new EventTarget(), length: 0});
  return {contentWindow, host: {shadowRoot: {activeElement: {contentWindow}}}};
}

test('the focus moves from a frame in a shadow root into another one: input there counts; also in one that has it at the start', async () => { // case 44
  const env = new FakeEnvironment();
  const [first, second] = [shadowFrame(), shadowFrame()];
  Object.assign(env.document, {activeElement: first.host});
  await started(env, {}, ABSTRACT);
  await env.clock.advance(2.1 * MINUTE);
  assert.equal(activity(env), 'idle');
  first.contentWindow.dispatchEvent(new Event('input'));
  await settle();
  assert.equal(activity(env), 'editing', 'at the start');
  Object.assign(env.document, {activeElement: second.host});
  first.contentWindow.dispatchEvent(new Event('blur')); // the page itself has lost the focus before
  await env.clock.advance(2.1 * MINUTE);
  assert.equal(activity(env), 'idle');
  second.contentWindow.dispatchEvent(new Event('input'));
  await settle();
  assert.equal(activity(env), 'editing', 'from frame to frame');
});

test('a page opened in a background tab is idle', async () => {
  const env = new FakeEnvironment();
  env.document.visibilityState = 'hidden';
  env.core().start();
  await settle();
  assert.equal(activity(env), 'idle');
});
