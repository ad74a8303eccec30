import assert from 'node:assert/strict';
import test from 'node:test';
import {World, settle, user} from './fixtures.js';

const ABSTRACT = 'manuscript/abstract';
const MINUTE = 60_000;

async function editing() {
  const world = new World();
  const core = world.core();
  core.start();
  core.setSection(ABSTRACT);
  await settle();
  return {world, core};
}

/** @param {World} world */
const activity = (world) => world.last.body.activity;

test('a hidden page is idle at once, and a shown one is back at once', async () => { // rule 12
  const {world} = await editing();
  world.hide();
  await settle();
  assert.equal(activity(world), 'idle');
  world.show();
  await settle();
  assert.equal(activity(world), 'editing');
});

test('two minutes without input is idle, and any input puts it off', async () => { // rule 12
  for (const input of ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart']) {
    const {world} = await editing();
    await world.clock.pass(1.9 * MINUTE);
    world.fire(input);
    await world.clock.pass(1.9 * MINUTE);
    assert.equal(activity(world), 'editing', `after ${input}`);
    await world.clock.pass(0.2 * MINUTE);
    assert.equal(activity(world), 'idle');
    world.fire(input);
    await settle();
    assert.equal(activity(world), 'editing', `back by ${input}`);
  }
});

test('after thirty minutes of idleness the page leaves, and is silent until the next input', async () => { // rule 12, case 6
  const {world, core} = await editing();
  world.set(user(2, 'Bob'));
  await world.clock.pass(31.9 * MINUTE);
  assert.equal(world.leaves.length, 0);
  await world.clock.pass(0.2 * MINUTE);
  assert.equal(world.leaves.length, 1);
  assert.equal(world.leaves[0].body.hidden, undefined);
  assert.deepEqual([core.getSnapshot().status, core.getSnapshot().stale, core.getSnapshot().count], ['away', true, 1]);

  const before = world.sent.length;
  world.hide();
  world.show();
  world.fire('online');
  core.setSection('manuscript/methods');
  await world.clock.pass(600 * MINUTE);
  assert.equal(world.sent.length, before, 'silence');
  assert.equal(world.clock.pending, 0, 'no timer runs');

  world.fire('keydown');
  await settle();
  assert.deepEqual([world.last.path, activity(world), world.last.body.section], ['update/', 'editing', 'manuscript/methods']);
  assert.ok(world.last.body.seq > world.leaves[0].body.seq, 'newer than the leave');
  assert.equal(core.getSnapshot().status, 'polling');
});

test('a hidden tab, whose timers fire once a minute, never falls silent for as long as its lease', async () => { // rule 12, case 4
  const {world} = await editing();
  world.hide();
  await world.clock.pass(29 * MINUTE, MINUTE);
  const times = world.updates.map(({at}) => at);
  const gaps = times.slice(1).map((at, i) => at - times[i]);
  assert.ok(Math.max(...gaps) <= MINUTE, `the longest gap was ${Math.max(...gaps)} ms`);
  assert.equal(world.leaves.length, 0);
  await world.clock.pass(3 * MINUTE, MINUTE);
  assert.equal(world.leaves.length, 1, 'away by the clock, not by counting');
});

test('a page that goes away leaves by keepalive, as hidden, and is silent', async () => { // rule 9
  const {world} = await editing();
  world.fire('pagehide', {persisted: true});
  await settle();
  assert.deepEqual([world.last.path, world.last.keepalive, world.last.body.hidden], ['leave/', true, true]);
  const before = world.sent.length;
  world.hide();
  await world.clock.pass(60 * MINUTE);
  assert.equal(world.sent.length, before);
});

test('a page out of the back/forward cache comes back with the same session and a higher seq', async () => { // case 8
  const {world, core} = await editing();
  world.set(user(2, 'Bob'));
  await world.clock.pass(30_000);
  world.fire('pagehide', {persisted: true});
  await settle();
  const leave = world.last.body;
  assert.deepEqual([core.getSnapshot().stale, core.getSnapshot().count], [true, 1], 'what it shows is old');
  world.clock.sleep(10 * MINUTE);
  world.fire('pageshow', {persisted: true});
  await settle();
  assert.equal(world.last.path, 'update/');
  assert.equal(world.last.body.session, leave.session);
  assert.ok(world.last.body.seq > leave.seq, `seq ${world.last.body.seq} after ${leave.seq}`);
  assert.deepEqual([activity(world), world.last.body.section], ['editing', ABSTRACT]);
});

test('the first pageshow of a page is no return', async () => {
  const {world} = await editing();
  const before = world.sent.length;
  world.fire('pageshow', {persisted: false});
  await settle();
  assert.equal(world.sent.length, before);
});

test('a page that is opened in the background is idle', async () => {
  const world = new World();
  world.document.visibilityState = 'hidden';
  world.core().start();
  await settle();
  assert.equal(activity(world), 'idle');
});
