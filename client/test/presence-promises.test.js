/** Examples of promises that settle; presence-model.test.js has random histories. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {FakeEnvironment, settle, started} from './fixtures.js';

/** @param {Promise<unknown>} promise */
function watch(promise) {
  const state = {settled: false};
  promise.then(() => (state.settled = true), () => (state.settled = true));
  return state;
}

test('updatePresence() settles when stop() is called during its live update', async () => {
  const env = new FakeEnvironment('open');
  const core = env.core();
  core.start();
  await settle();
  env.webSocket = 'silent';
  const update = watch(core.updatePresence());
  await settle();
  assert.deepEqual([env.messageTypes, update.settled], [['hello', 'update'], false]);
  core.stop();
  await settle();
  assert.deepEqual([env.messageTypes, update.settled, env.clock.pending], [['hello', 'update', 'leave'], true, 0]);
});

test('fetchPresence() settles at stop() and at pagehide, and leaves no timer', async () => {
  for (const end of /** @type {const} */ (['stop', 'pagehide'])) {
    const env = new FakeEnvironment();
    const core = env.core();
    core.start();
    await settle();
    env.failure = 'silence';
    const look = watch(core.fetchPresence());
    await settle();
    if (end === 'stop') core.stop();
    else env.fire('pagehide');
    await settle();
    assert.deepEqual([look.settled, env.clock.pending, core.getSnapshot().status], [true, 0, end === 'stop' ? 'stopped' : 'connecting'], end);
  }
});

test('calls of fetchPresence() at the same time share one request', async () => {
  const env = new FakeEnvironment();
  const core = env.core();
  core.start();
  await settle();
  env.held = true;
  const looks = Array.from({length: 1000}, () => watch(core.fetchPresence()));
  await settle();
  env.release();
  await settle();
  assert.deepEqual([env.sent.filter(({path}) => path === 'list/').length, looks.every(({settled}) => settled)], [1, true]);
});

test('updatePresence() settles although token() never answers, live and by polling, and at stop()', async () => {
  for (const webSocket of /** @type {const} */ (['none', 'open'])) {
    const env = new FakeEnvironment(webSocket);
    const core = env.core({token: () => new Promise(() => {})});
    core.start();
    const update = watch(core.updatePresence());
    await env.clock.advance(20_000);
    assert.equal(update.settled, true, `${webSocket}: after the time limit`);
    const second = watch(core.updatePresence());
    await settle();
    core.stop();
    await settle();
    assert.deepEqual([second.settled, env.clock.pending, env.sent, env.sockets.flatMap(({messages}) => messages)], [true, 0, [], []], webSocket);
  }
});

test('an unreadable answer counts as a failed update: its promise settles, and polling continues', async () => {
  const env = new FakeEnvironment();
  const core = env.core();
  env.extra = {conflicts: 5};
  core.start();
  const update = watch(core.updatePresence());
  await settle();
  assert.deepEqual([update.settled, core.getSnapshot().status], [true, 'unknown']);
  env.extra = {};
  await env.clock.advance(5_000);
  assert.equal(core.getSnapshot().status, 'polling');
});

test('fetchPresence() resolves when the list is unreadable, and logs it', async (t) => {
  /** @type {string[]} */
  const lines = [];
  t.mock.method(console, 'warn', (/** @type {string} */ line) => lines.push(line));
  const env = new FakeEnvironment();
  const core = await started(env);
  env.extra = {users: 5};
  await core.fetchPresence();
  assert.deepEqual([lines, core.getSnapshot().status], [['Presence: unreadable answer: TypeError: list.users?.map is not a function'], 'polling']);
});

test('a lost live connection settles the updates that wait for it', async () => {
  const env = new FakeEnvironment('open');
  const core = env.core();
  core.start();
  await settle();
  env.webSocket = 'silent';
  const update = watch(core.updatePresence());
  await settle();
  env.socket.end();
  await settle();
  assert.equal(update.settled, true);
});

test('while attempts fail, changes in the page cause at most one attempt a second', async () => {
  const env = new FakeEnvironment('refuses');
  env.failure = new TypeError('Failed to fetch');
  const core = env.core();
  core.start();
  await env.clock.advance(30_000);
  const before = env.sockets.length + env.updates.length;
  for (let change = 0; change < 200; change++) {
    core.setSection(`manuscript/${change % 2}`);
    await env.clock.advance(50);
  }
  const attempts = env.sockets.length + env.updates.length - before;
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

test('an update whose send throws settles its promise, and the next heartbeat sends an update', async () => {
  const env = new FakeEnvironment('open');
  const core = env.core();
  core.start();
  await settle();
  const {socket} = env;
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
  await env.clock.advance(40_000);
  assert.deepEqual([core.getSnapshot().status, env.messageTypes.includes('update')], ['live', true]);
  const next = watch(core.updatePresence());
  await settle();
  assert.equal(next.settled, true);
});

test('a failed update whose status text is broken settles its promise, and polling continues', async () => {
  const env = new FakeEnvironment();
  const core = env.core({strings: {status: {unknown: /** @type {any} */ (null)}}});
  core.start();
  await settle();
  env.failure = 503;
  /** @type {{settled: boolean} | undefined} */
  let update;
  const errors = await uncaught(async () => {
    update = watch(core.updatePresence());
    await settle();
  });
  assert.deepEqual([errors.length, update?.settled], [1, true]);
  env.failure = null;
  const before = env.updates.length;
  await env.clock.advance(60_000);
  assert.ok(env.updates.length > before, 'no update followed');
  assert.equal(core.getSnapshot().status, 'polling');
});

test('updatePresence() settles after a sleep whose status text is broken', async () => {
  const env = new FakeEnvironment();
  const core = env.core({strings: {status: {reconnecting: /** @type {any} */ (null)}}});
  core.start();
  await settle();
  env.clock.sleep(100_000);
  /** @type {{settled: boolean} | undefined} */
  let update;
  const errors = await uncaught(async () => {
    update = watch(core.updatePresence());
    await settle();
  });
  assert.deepEqual([errors.length, update?.settled], [1, true]);
});

test('a hello whose send throws settles the update it carries', async () => {
  const env = new FakeEnvironment('silent');
  const core = env.core();
  core.start();
  const update = watch(core.updatePresence());
  await Promise.resolve(); // the socket exists and is not open yet
  env.socket.send = () => {
    throw new Error('send');
  };
  const errors = await uncaught(settle);
  assert.deepEqual([errors.map(String), update.settled], [['Error: send'], true]);
  await env.clock.advance(60_000);
  assert.equal(core.getSnapshot().status, 'polling');
  assert.ok(env.updates.length > 0);
});
