/** When a page polls, connects live and reconnects. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {PresenceCore} from '../presence-core.js';
import {ABSTRACT, FakeEnvironment, golden, names, record, settle, started, state, user} from './fixtures.js';

test('polling begins within five seconds where no live connection opens', async () => { // case 31
  for (const [webSocket, by] of /** @type {const} */ ([['none', 0], ['refuses', 0], ['hangs', 3_000], ['silent', 3_000]])) {
    const env = new FakeEnvironment(webSocket);
    env.set(user(2, 'Bob', ABSTRACT));
    const core = await started(env, {}, ABSTRACT);
    await env.clock.advance(by);
    assert.deepEqual([state(core), names(core.getSnapshot().warning)], [['polling', false, 'Bob'], 'Bob'], webSocket);
    await env.clock.advance(600_000);
    assert.equal(state(core)[0], 'polling');
  }
});

test('`live: false` polls and opens no connection', async () => {
  const env = new FakeEnvironment('open');
  const core = await started(env, {live: false});
  await env.clock.advance(60_000);
  assert.deepEqual([state(core)[0], env.sockets.length, env.updates.length], ['polling', 0, 3]);
});

test('polling ends without a leave when a live connection opens', async () => { // case 31
  const env = new FakeEnvironment('refuses');
  const core = await started(env);
  await env.clock.advance(60_000);
  const seen = record(core, 'join', 'leave', 'conflict', 'status');
  env.webSocket = 'open';
  await env.clock.advance(30_000);
  assert.equal(core.getSnapshot().status, 'live');
  const {length} = env.sent;
  await env.clock.advance(300_000);
  assert.deepEqual([env.sent.length, env.leaves.length, seen[0]], [length, 0, 'status live']);
  const seqs = [...env.updates.map(({body}) => body), ...env.socket.messages].map(({seq}) => seq);
  assert.deepEqual(seqs, [...new Set(seqs)].sort((a, b) => a - b), 'seq grows over both ways');
});

test('an answer to a poll is ignored after the live connection has opened', async () => {
  const env = new FakeEnvironment('silent');
  env.set(user(2, 'Old'));
  const core = await started(env);
  const {known_version: known, seq} = env.socket.messages[0];
  assert.equal(known, 0);
  env.held = true;
  const listing = core.fetchPresence();
  await env.clock.advance(3_000);
  assert.equal(env.updates.length, 1, 'polling has begun');
  env.webSocket = 'open';
  env.set(user(3, 'New'));
  env.handle(env.socket, {type: 'hello', seq, section: '', activity: 'viewing', known_version: 0});
  await settle();
  assert.deepEqual([state(core), env.last.aborted], [['live', false, 'New'], true]);
  env.version = 50;
  env.others = [user(2, 'Old')];
  env.release();
  await listing;
  await settle();
  assert.deepEqual(state(core), ['live', false, 'New']);
  await env.clock.advance(29_000);
  assert.equal(env.updates.length, 1);
});

test('a failed fetchPresence() does not change the status of a live page', async () => {
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const core = await started(env);
  for (const failure of [503, 404, new TypeError('Failed to fetch')]) {
    env.failure = failure;
    await core.fetchPresence();
    assert.deepEqual(state(core), ['live', false, 'Bob']);
  }
});

test('a short interruption keeps the list as stale and sends no poll', async () => { // case 30
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const core = await started(env);
  const seen = record(core, 'join', 'leave', 'conflict', 'status');
  env.socket.end();
  assert.deepEqual(state(core), ['connecting', true, 'Bob']);
  assert.equal(core.getSnapshot().text, 'Presence: reconnecting…');
  await env.clock.advance(500);
  assert.deepEqual([state(core), env.sockets.length, env.sent.length], [['live', false, 'Bob'], 2, 0]);
  assert.deepEqual(seen, ['status connecting', 'status live']);
  assert.deepEqual([env.socket.messages[0].known_version, env.socket.messages[0].seq], [101, 2]);
});

test('polling begins three seconds after a connection is lost and cannot be opened again', async () => { // case 31
  for (const webSocket of /** @type {const} */ (['refuses', 'hangs', 'silent'])) {
    const env = new FakeEnvironment('open');
    env.set(user(2, 'Bob'));
    const core = await started(env);
    env.webSocket = webSocket;
    env.socket.end();
    core.setSection(ABSTRACT);
    await env.clock.advance(2_900);
    assert.deepEqual([state(core), env.sent.length], [['connecting', true, 'Bob'], 0], webSocket);
    await env.clock.advance(200);
    assert.deepEqual([state(core), env.updates.map(({body}) => body.section)], [['polling', false, 'Bob'], [ABSTRACT]], webSocket);
  }
});

test('attempts to reconnect wait with full jitter of 250 ms to 30 s, and an ack resets the wait', async () => { // case 33
  const env = new FakeEnvironment('refuses');
  env.random = 0.999;
  await started(env);
  await env.clock.advance(110_000);
  const waits = () => env.sockets.slice(1).map(({at}, i) => Math.round((at - env.sockets[i].at) / 100) / 10);
  assert.deepEqual(waits().slice(0, 14), [0.3, 0.4, 0.6, 0.8, 1.3, 1.9, 2.8, 4.3, 6.4, 9.6, 14.4, 21.6, 30, 30].slice(0, waits().length));
  assert.ok(waits().length >= 13, `${waits()}`);
  env.random = 0.25;
  env.webSocket = 'open';
  await env.clock.advance(30_000);
  assert.ok(env.socket.open);
  const {length} = env.sockets;
  env.socket.end();
  await env.clock.advance(62);
  assert.equal(env.sockets.length, length);
  await env.clock.advance(1);
  assert.equal(env.sockets.length, length + 1);
});

test('an attempt to connect ends after 8 s without an answer and is repeated', async () => {
  for (const webSocket of /** @type {const} */ (['hangs', 'silent'])) {
    const env = new FakeEnvironment(webSocket);
    await started(env);
    await env.clock.advance(7_900);
    assert.deepEqual([env.sockets.length, env.socket.readyState < 2], [1, true]);
    await env.clock.advance(200);
    assert.equal(env.socket.readyState, 3);
    await env.clock.advance(500);
    assert.equal(env.sockets.length, 2);
  }
});

test('online, input and becoming visible cause an attempt to connect at once', async () => {
  /** @type {Record<string, (env: FakeEnvironment) => void>} */
  const reasons = {
    online: (env) => env.fire('online'),
    visible: (env) => env.show(),
    input: (env) => env.fire('keydown'),
  };
  for (const [reason, happen] of Object.entries(reasons)) {
    const env = new FakeEnvironment('refuses');
    const core = await started(env);
    env.random = 0.999;
    await env.clock.advance(119_000);
    if (reason === 'visible') env.hide();
    if (reason === 'visible') await env.clock.advance(1_000); // one attempt a second
    if (reason === 'input') await env.clock.advance(2_000); // now it is idle
    await settle();
    const {length} = env.sockets;
    env.webSocket = 'open';
    happen(env);
    await settle();
    assert.deepEqual([env.sockets.length, state(core)[0]], [length + 1, 'live'], reason);
  }
});

test('an update without an ack within 8 s replaces the connection', async () => {
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const core = await started(env);
  const [first] = env.sockets;
  env.webSocket = 'silent';
  let done = false;
  void core.updatePresence().then(() => (done = true));
  await env.clock.advance(7_900);
  assert.deepEqual([state(core)[0], first.open, done], ['live', true, false]);
  env.webSocket = 'open';
  await env.clock.advance(100);
  assert.deepEqual([state(core), first.open], [['connecting', true, 'Bob'], false]);
  await env.clock.advance(500);
  assert.deepEqual([state(core), env.sockets.length, env.sent.length, done], [['live', false, 'Bob'], 2, 0, true]);
});

test('after draining the page reconnects at the time the server gave and does not poll before', async () => { // case 33
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Bob'));
  const core = await started(env);
  env.random = 0.999;
  env.socket.deliver({...golden('draining'), retry_after: 12.5});
  await settle();
  assert.deepEqual(state(core), ['connecting', true, 'Bob']);
  env.socket.end(1012);
  core.setSection(ABSTRACT);
  env.hide();
  env.show();
  env.fire('online');
  env.webSocket = 'hangs';
  await env.clock.advance(12_400);
  assert.deepEqual([env.sockets.length, env.sent.length], [1, 0]);
  await env.clock.advance(200);
  assert.deepEqual([env.sockets.length, env.sent.length], [2, 0]);
  await env.clock.advance(4_500);
  assert.deepEqual([state(core)[0], env.updates.length], ['polling', 1]);
});

test('a page whose policy forbids WebSocket polls', async () => {
  const env = new FakeEnvironment('open');
  const environment = {...env.globals(), WebSocket: /** @type {any} */ (class {
    constructor() {
      throw new DOMException('forbidden', 'SecurityError');
    }
  })};
  const page = new PresenceCore('demo', 1, {environment});
  page.start();
  await settle();
  assert.equal(page.getSnapshot().status, 'polling');
});
