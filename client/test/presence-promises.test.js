/** Promises of the client settle; examples beside the random histories of presence-model.test.js. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {World, settle} from './fixtures.js';

/** @param {Promise<unknown>} promise */
function watch(promise) {
  const state = {settled: false};
  promise.then(() => (state.settled = true), () => (state.settled = true));
  return state;
}

test('updatePresence settles when stop() comes during its live update', async () => {
  const world = new World('open');
  const core = world.core();
  core.start();
  await settle();
  world.door = 'mute';
  const update = watch(core.updatePresence());
  await settle();
  assert.deepEqual([world.said, update.settled], [['hello', 'update'], false]);
  core.stop();
  await settle();
  assert.deepEqual([world.said, update.settled, world.clock.pending], [['hello', 'update', 'leave'], true, 0]);
});

test('fetchPresence settles at stop(), at pagehide and when the page goes away, and leaves no timer', async () => {
  for (const end of /** @type {const} */ (['stop', 'pagehide'])) {
    const world = new World();
    const core = world.core();
    core.start();
    await settle();
    world.failure = 'silence';
    const look = watch(core.fetchPresence());
    await settle();
    if (end === 'stop') core.stop();
    else world.fire('pagehide');
    await settle();
    assert.deepEqual([look.settled, world.clock.pending, core.getSnapshot().status], [true, 0, end === 'stop' ? 'stopped' : 'connecting'], end);
  }
});

test('fetchPresence calls at the same time share one request', async () => {
  const world = new World();
  const core = world.core();
  core.start();
  await settle();
  world.held = true;
  const looks = Array.from({length: 1000}, () => watch(core.fetchPresence()));
  await settle();
  world.release();
  await settle();
  assert.deepEqual([world.sent.filter(({path}) => path === 'list/').length, looks.every(({settled}) => settled)], [1, true]);
});

test('updatePresence settles while token() never answers, live and by polling, and at stop()', async () => {
  for (const door of /** @type {const} */ (['none', 'open'])) {
    const world = new World(door);
    const core = world.core({token: () => new Promise(() => {})});
    core.start();
    const update = watch(core.updatePresence());
    await world.clock.pass(20_000);
    assert.equal(update.settled, true, `${door}: after the time limit`);
    const second = watch(core.updatePresence());
    await settle();
    core.stop();
    await settle();
    assert.deepEqual([second.settled, world.clock.pending, world.sent, world.sockets.flatMap(({said}) => said)], [true, 0, [], []], door);
  }
});

test('an answer that cannot be read is a failed update: its promise settles, and polling goes on', async () => {
  const world = new World();
  const core = world.core();
  world.extra = {conflicts: 5};
  core.start();
  const update = watch(core.updatePresence());
  await settle();
  assert.deepEqual([update.settled, core.getSnapshot().status], [true, 'unknown']);
  world.extra = {};
  await world.clock.pass(5_000);
  assert.equal(core.getSnapshot().status, 'polling');
});

test('a live connection that is lost settles what waits for it, and the next one sends the update', async () => {
  const world = new World('open');
  const core = world.core();
  core.start();
  await settle();
  world.door = 'mute';
  const update = watch(core.updatePresence());
  await settle();
  world.socket.end();
  await settle();
  assert.equal(update.settled, true);
});

test('attempts that changes of the page cause are one a second while attempts fail', async () => {
  const world = new World('shut');
  world.failure = new TypeError('Failed to fetch');
  const core = world.core();
  core.start();
  await world.clock.pass(30_000);
  const before = world.sockets.length + world.updates.length;
  for (let change = 0; change < 200; change++) {
    core.setSection(`manuscript/${change % 2}`);
    await world.clock.pass(50);
  }
  const attempts = world.sockets.length + world.updates.length - before;
  assert.ok(attempts >= 5 && attempts <= 12, `${attempts} attempts in ten seconds with 200 changes`);
});

/**
 * The errors that reach the page's console while `run` runs.
 * @param {() => Promise<void>} run
 */
async function uncaught(run) {
  /** @type {unknown[]} */
  const errors = [];
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', (error) => errors.push(error));
  try {
    await run();
    await settle();
  } finally {
    process.removeAllListeners('unhandledRejection');
    for (const listener of others) process.on('unhandledRejection', listener);
  }
  return errors;
}

test('an update that throws while it is sent settles its promise, and the next heartbeat sends an update', async () => {
  const world = new World('open');
  const core = world.core();
  core.start();
  await settle();
  const {socket} = world;
  const send = socket.send;
  socket.send = () => {
    throw new Error('send');
  };
  /** @type {{settled: boolean} | undefined} */
  let update;
  const errors = await uncaught(async () => {
    update = watch(core.updatePresence());
    await settle();
  });
  assert.deepEqual([errors.map(String), update?.settled], [['Error: send'], true]);
  socket.send = send;
  await world.clock.pass(40_000);
  assert.deepEqual([core.getSnapshot().status, world.said.includes('update')], ['live', true]);
  const next = watch(core.updatePresence());
  await settle();
  assert.equal(next.settled, true);
});

test('a failed update whose status cannot be shown settles its promise, and polling goes on', async () => {
  const world = new World();
  const core = world.core({strings: {status: {unknown: /** @type {any} */ (null)}}});
  core.start();
  await settle();
  world.failure = 503;
  /** @type {{settled: boolean} | undefined} */
  let update;
  const errors = await uncaught(async () => {
    update = watch(core.updatePresence());
    await settle();
  });
  assert.deepEqual([errors.length, update?.settled], [1, true]);
  world.failure = null;
  const before = world.updates.length;
  await world.clock.pass(60_000);
  assert.ok(world.updates.length > before, 'no update followed');
  assert.equal(core.getSnapshot().status, 'polling');
});

test('after a sleep whose status cannot be shown, updatePresence settles', async () => {
  const world = new World();
  const core = world.core({strings: {status: {reconnecting: /** @type {any} */ (null)}}});
  core.start();
  await settle();
  world.clock.sleep(100_000);
  /** @type {{settled: boolean} | undefined} */
  let update;
  const errors = await uncaught(async () => {
    update = watch(core.updatePresence());
    await settle();
  });
  assert.deepEqual([errors.length, update?.settled], [1, true]);
});

test('a hello that throws while it is sent settles the update that it carries', async () => {
  const world = new World('mute');
  const core = world.core();
  core.start();
  const update = watch(core.updatePresence());
  await Promise.resolve(); // the socket is there, and not open yet
  world.socket.send = () => {
    throw new Error('send');
  };
  const errors = await uncaught(settle);
  assert.deepEqual([errors.map(String), update.settled], [['Error: send'], true]);
  await world.clock.pass(60_000);
  assert.equal(core.getSnapshot().status, 'polling');
  assert.ok(world.updates.length > 0);
});
