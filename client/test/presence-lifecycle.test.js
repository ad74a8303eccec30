/** Live connections at stop(), start(), pagehide, sleep and in hidden tabs. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {ABSTRACT, FakeEnvironment, METHODS, settle, started, state, user} from './fixtures.js';

test('at pagehide a live page leaves by keepalive and closes its connection, and connects again at pageshow', async () => { // cases 7, 8
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const core = await started(env, {}, ABSTRACT);
  env.fire('pagehide', {persisted: true});
  assert.equal(env.socket.readyState, 2, 'closed during the event');
  await settle();
  const {body, path, keepalive} = env.last;
  assert.deepEqual([path, keepalive, body.hidden, env.messageTypes], ['leave/', true, true, ['hello']]);
  env.hide();
  await env.clock.advance(600_000);
  assert.deepEqual([env.sockets.length, env.sent.length, env.clock.pending, state(core)], [1, 1, 0, ['connecting', true, 'Bob']]);
  env.document.visibilityState = 'visible';
  env.fire('pageshow', {persisted: true});
  await settle();
  assert.deepEqual([state(core), env.sockets.length, env.sent.length], [['live', false, 'Bob'], 2, 1]);
  const [{session, seq, section, activity}] = env.socket.messages;
  assert.deepEqual([session, seq > body.seq, section, activity], [body.session, true, ABSTRACT, 'editing']);
});

test('updatePresence() resolves when the hello that carries its update is acknowledged', async () => {
  const env = new FakeEnvironment('open');
  const core = env.core();
  core.start();
  let done = false;
  void core.updatePresence().then(() => (done = true));
  assert.equal(done, false);
  await settle();
  assert.deepEqual([done, env.messageTypes], [true, ['hello']]);
});

test('stop() before the ack leaves over HTTP, and before the hello sends nothing', async () => { // rule 9
  const env = new FakeEnvironment('silent');
  const core = await started(env);
  core.stop();
  await settle();
  assert.deepEqual([env.messageTypes, env.leaves.length, env.leaves[0].body.seq, env.socket.readyState], [['hello'], 1, 2, 3]);
  const silent = new FakeEnvironment('hangs');
  const other = await started(silent);
  other.stop();
  await silent.clock.advance(60_000);
  assert.deepEqual([silent.sent, silent.sockets.length, silent.clock.pending], [[], 1, 0]);
  env.webSocket = 'hangs';
  core.start();
  await settle();
  core.stop();
  await settle();
  assert.equal(env.leaves.length, 1, 'a second leave');
});

test('stop() while the token is being fetched sends nothing', async () => {
  const env = new FakeEnvironment('open');
  /** @type {(token: string) => void} */
  let give = () => {};
  const core = await started(env, {token: () => new Promise((done) => (give = done))});
  core.stop();
  await settle();
  give('late');
  await settle();
  assert.deepEqual([env.messageTypes, env.sent, env.clock.pending], [[], [], 0]);
});

test('start() after stop() connects at once, without the earlier backoff', async () => {
  const env = new FakeEnvironment('refuses');
  env.random = 0.999;
  const core = await started(env);
  await env.clock.advance(100_000);
  core.stop();
  await settle();
  const {length} = env.sockets;
  env.webSocket = 'open';
  core.start();
  await settle();
  assert.deepEqual([env.sockets.length, state(core)[0]], [length + 1, 'live']);
});

test('a leave goes over HTTP when the connection is already closing', async () => {
  const env = new FakeEnvironment('open');
  const core = await started(env);
  env.socket.readyState = 2;
  core.stop();
  await settle();
  assert.deepEqual([env.messageTypes, env.leaves.length], [['hello'], 1]);
});

test('start(), stop() and start() in one turn open one connection, start() and stop() none', async () => { // case 12
  const env = new FakeEnvironment('open');
  const core = env.core();
  core.start();
  core.stop();
  core.start();
  await settle();
  core.stop();
  core.start();
  await settle();
  assert.deepEqual([env.sockets.length, env.messageTypes, env.sent], [1, ['hello'], []]);
  const none = new FakeEnvironment('open');
  const other = none.core();
  other.start();
  other.stop();
  await none.clock.advance(60_000);
  assert.deepEqual([none.sockets.length, none.sent.length], [0, 0]);
});

test('a session that is started again continues its seq, over a connection of its own', async () => {
  const env = new FakeEnvironment('open');
  const core = await started(env);
  core.stop();
  await Promise.resolve();
  core.start(); // while the old connection is closing and its last messages arrive
  await settle();
  assert.deepEqual([state(core)[0], env.sockets.map(({messages}) => messages.map(({type, seq}) => `${type} ${seq}`).join(', '))], ['live', ['hello 1, leave 2', 'hello 3']]);
});

test('after a sleep the page shows reconnecting, and replaces a connection that does not answer', async () => { // case 10
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Alice', ABSTRACT));
  const core = await started(env, {}, ABSTRACT);
  env.clock.sleep(100_000);
  await env.clock.advance(0);
  assert.deepEqual([env.messageTypes, state(core)], [['hello', 'update'], ['live', false, 'Alice']], 'the connection still works');

  env.fire('keydown');
  env.clock.sleep(100_000);
  env.webSocket = 'silent';
  env.fire('online');
  await settle();
  assert.deepEqual([env.messageTypes, state(core)], [['hello', 'update', 'update'], ['connecting', true, 'Alice']]);
  assert.equal(core.getSnapshot().text, 'Presence: reconnecting…');
  env.others = [];
  env.version++;
  env.webSocket = 'open';
  await env.clock.advance(8_500);
  assert.deepEqual([env.sockets.length, state(core), core.getSnapshot().warning.length], [2, ['live', false, ''], 0]);
});

test('after thirty minutes of being idle a live page leaves and closes, and connects at the next input', async () => { // rule 12, case 6
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const core = await started(env, {}, ABSTRACT);
  await env.clock.advance(33 * 60_000);
  assert.deepEqual([env.messageTypes.filter((type) => type === 'leave').length, env.socket.open, env.sent.length], [1, false, 0]);
  assert.deepEqual(state(core), ['away', true, 'Bob']);
  env.hide();
  env.show();
  env.fire('online');
  core.setSection(METHODS);
  await env.clock.advance(600 * 60_000);
  assert.deepEqual([env.sockets.length, env.sent.length, env.clock.pending], [1, 0, 0]);
  env.fire('keydown');
  await settle();
  assert.deepEqual([state(core), env.sockets.length, env.socket.messages[0].section], [['live', false, 'Bob'], 2, METHODS]);
});

test('a hidden tab, whose timers run once a minute, keeps its lease and reconnects', async () => { // case 4, rule 12
  const env = new FakeEnvironment('open');
  const core = await started(env, {}, ABSTRACT);
  env.hide();
  /** @type {number[]} */
  const times = [];
  const {handle} = env;
  env.handle = (socket, message) => (times.push(env.clock.now()), handle.call(env, socket, message));
  await env.clock.advance(10 * 60_000, 60_000);
  env.socket.end();
  await env.clock.advance(10 * 60_000, 60_000);
  const gaps = times.slice(1).map((at, i) => at - times[i]);
  assert.ok(Math.max(...gaps) <= 60_000, `the longest gap was ${Math.max(...gaps)} ms`);
  assert.deepEqual([state(core)[0], env.sockets.length, env.sent.length], ['live', 2, 0]);
});

test('a page that is prerendered sends nothing until it is shown, and nothing if it is stopped before', async () => { // case 47
  for (const webSocket of /** @type {const} */ (['none', 'open'])) {
    for (const stop of [false, true]) {
      const env = new FakeEnvironment(webSocket);
      let tokens = 0;
      Object.assign(env.document, {prerendering: true, visibilityState: 'hidden'});
      const core = await started(env, {token: () => `token-${++tokens}`}, ABSTRACT);
      await core.updatePresence();
      await core.fetchPresence();
      core.stop();
      core.start();
      for (const type of ['keydown', 'online', 'pageshow', 'visibilitychange']) env.fire(type);
      await env.clock.advance(60 * 60_000);
      assert.deepEqual([env.sent, env.sockets, tokens, env.clock.pending, core.running], [[], [], 0, 0, true]);
      if (stop) core.stop();
      Object.assign(env.document, {prerendering: false, visibilityState: 'visible'});
      env.document.dispatchEvent(new Event('prerenderingchange'));
      await settle();
      const messages = webSocket === 'open' ? env.sockets.flatMap(({messages}) => messages) : env.updates.map(({body}) => body);
      assert.deepEqual(messages.map(({section, activity}) => [section, activity]), stop ? [] : [[ABSTRACT, 'editing']]);
      assert.deepEqual([env.leaves.length, core.getSnapshot().status], [0, stop ? 'stopped' : webSocket === 'open' ? 'live' : 'polling']);
      core.stop();
      await settle();
    }
  }
});
