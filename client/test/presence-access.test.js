/** Visitors, tokens and withdrawn access on live connections. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {FakeEnvironment, names, settle, started, state, user} from './fixtures.js';

test('a visitor polls once for the cookie and then connects live', async () => {
  const env = new FakeEnvironment('open');
  const core = env.core({}, null);
  env.held = true;
  core.start();
  await settle();
  assert.deepEqual([env.updates.length, env.sockets.length], [1, 0]);
  env.release();
  await settle();
  assert.deepEqual([state(core)[0], env.updates.length, env.messageTypes], ['live', 1, ['hello']]);
});

test('a visitor with a token connects live at once', async () => {
  const env = new FakeEnvironment('open');
  const core = env.core({token: async () => 't'}, null);
  core.start();
  await settle();
  assert.deepEqual([state(core)[0], env.sent.length, env.socket.messages[0].token], ['live', 0, 't']);
});

test('a list that arrives before the first answer is filtered once the answer names you', async () => {
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const {handle} = env;
  env.handle = (socket, message) => {
    socket.deliver({type: 'snapshot', version: env.version, users: [env.me, ...env.others]});
    handle.call(env, socket, {...message, known_version: env.version});
  };
  const core = env.core({token: 't'}, null);
  core.start();
  await settle();
  const {count, users, you} = core.getSnapshot();
  assert.deepEqual([count, names(users), you?.username], [1, 'Bob', 'me']);
});

test('a rejected hello causes one poll at once, and attempts stay below 25 in ten minutes', async () => {
  for (const code of ['unauthenticated', 'token_invalid', 'cookie_invalid', 'project_unknown', 'too_many_sessions']) {
    const env = new FakeEnvironment('open');
    env.liveError = {code};
    const core = await started(env);
    assert.deepEqual([state(core)[0], env.updates.length], ['polling', 1], code);
    env.random = 0.999;
    await env.clock.advance(600_000);
    assert.ok(env.sockets.length < 25, `${env.sockets.length} connections in ten minutes`);
    assert.ok(env.updates.length < 25, `${env.updates.length} polls in ten minutes`);
    env.liveError = null;
    await env.clock.advance(60_000);
    assert.equal(state(core)[0], 'live');
  }
});

test('a token that the live connection rejects is renewed by the poll that follows', async () => {
  const env = new FakeEnvironment('open');
  /** @type {boolean[]} */
  const asked = [];
  env.handle = (socket, {seq}) => socket.deliver({type: 'error', code: 'token_invalid', error: '', seq});
  env.failure = 401;
  const {handle} = FakeEnvironment.prototype;
  const core = await started(env, {token: (refused) => {
    asked.push(refused);
    if (refused) [env.failure, env.handle] = [null, handle];
    return refused ? 'new' : 'old';
  }});
  await env.clock.advance(500);
  assert.deepEqual([asked, env.socket.messages[0].token, state(core)[0]], [[false, true], 'new', 'live']);
});

test('a token that ends soon is renewed by a second hello on the same connection', async () => {
  const env = new FakeEnvironment('open');
  /** @type {boolean[]} */
  const asked = [];
  const core = await started(env, {token: async (refused) => {
    asked.push(refused);
    return refused ? 'new' : 'old';
  }});
  const statuses = [state(core)[0]];
  core.addEventListener('status', () => statuses.push(state(core)[0]));
  env.socket.deliver({type: 'error', code: 'token_ends', error: ''});
  await settle();
  const {session, seq, token, type} = env.socket.messages[1];
  assert.deepEqual([type, token, session, seq], ['hello', 'new', env.socket.messages[0].session, 2]);
  assert.deepEqual([asked, env.sockets.length, statuses], [[false, true], 1, ['live']]);
  core.setSection('manuscript/methods');
  await settle();
  assert.deepEqual(env.messageTypes, ['hello', 'hello', 'update']);
});

test('a token that cannot be renewed does not close the connection', async () => {
  const env = new FakeEnvironment('open');
  const core = await started(env, {token: async (refused) => {
    if (refused) throw new Error('signed out');
    return 'old';
  }});
  env.socket.deliver({type: 'error', code: 'token_ends', error: ''});
  await settle();
  assert.deepEqual([env.messageTypes, state(core)[0]], [['hello', 'update'], 'live']);
});

test('withdrawn access clears the list, and the page tries to connect only after a poll has succeeded', async () => { // cases 37, 38
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const core = await started(env);
  env.failure = 404;
  env.socket.deliver({type: 'error', code: 'project_unknown', error: ''});
  await settle();
  env.socket.end(1008);
  await settle();
  assert.deepEqual(state(core), ['refused', false, '']);
  env.fire('online');
  await env.clock.advance(299_000);
  assert.deepEqual([env.sockets.length, env.updates.length], [1, 1]);
  env.failure = null;
  await env.clock.advance(2_000);
  assert.deepEqual([state(core), env.sockets.length], [['live', false, 'Bob'], 2]);
});

test('a rejected poll ends the attempts to connect live', async () => {
  const env = new FakeEnvironment('refuses');
  env.random = 0.999;
  const core = await started(env);
  await env.clock.advance(89_000);
  env.failure = 404;
  await env.clock.advance(1_000);
  const {length} = env.sockets;
  env.webSocket = 'open';
  await env.clock.advance(240_000);
  assert.deepEqual([state(core)[0], env.sockets.length], ['refused', length]);
  env.failure = null;
  await env.clock.advance(60_000);
  assert.deepEqual([state(core)[0], env.socket.at], ['live', env.last.at], 'a poll that succeeds connects at once');
});
