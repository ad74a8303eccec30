/** What the page says when `token()` fails, and which credentials it sends to another origin. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {PresenceCore} from '../presence-core.js';
import {World, settle} from './fixtures.js';

/** Collects what is written to the console. @param {import('node:test').TestContext} t */
function consoleOf(t) {
  /** @type {string[]} */
  const lines = [];
  const {warn} = console;
  console.warn = (...words) => lines.push(words.join(' '));
  t.after(() => (console.warn = warn));
  return lines;
}

test('a token() that throws is said on the console once for each reason, and the status is unknown', async (t) => {
  for (const door of /** @type {const} */ (['none', 'open'])) {
    const lines = consoleOf(t);
    const world = new World(door);
    let reason = new Error('the session has ended');
    const core = world.core({token: () => { throw reason; }});
    core.start();
    await world.clock.pass(60_000);
    assert.deepEqual(lines, ['Presence: token() failed: Error: the session has ended'], door);
    assert.deepEqual([core.getSnapshot().status, core.getSnapshot().text, world.sent.length], ['unknown', 'Presence unknown', 0]);
    reason = new TypeError('x is undefined');
    await world.clock.pass(60_000);
    assert.equal(lines.length, 2, 'another reason');
    assert.equal(core.getSnapshot().status, 'unknown', 'a TypeError of the page is not "offline"');
    core.stop();
  }
});

test('a token() that rejects, gives no text or never answers is said on the console', async (t) => {
  /** @type {[(refused: boolean) => any, RegExp][]} */
  const tokens = [
    [async () => { throw new Error('signed out'); }, /signed out/],
    [() => ({token: 'a-token'}), /visible ASCII/],
    [() => 'two words', /visible ASCII/],
    [() => 'line\nbreak', /visible ASCII/],
    [() => new Promise(() => {}), /token\(\) gave nothing in 8 s/],
  ];
  for (const [token, said] of tokens) {
    const lines = consoleOf(t);
    const world = new World();
    const core = world.core({token});
    core.start();
    await world.clock.pass(30_000);
    assert.equal(lines.length, 1, `${said}: ${lines}`);
    assert.match(lines[0], said);
    assert.deepEqual([core.getSnapshot().status, world.sent.length], ['unknown', 0], `${said}`);
    core.stop();
    await settle();
  }
});

test('the console never says a token, and at most ten reasons', async (t) => { // case 42
  const lines = consoleOf(t);
  const world = new World();
  let calls = 0;
  const core = world.core({token: () => (calls++ % 2 ? 'secret word' : Promise.reject(new Error(`number ${calls}`)))});
  core.start();
  await world.clock.pass(600_000);
  assert.ok(calls > 20);
  assert.equal(lines.length, 10);
  assert.doesNotMatch(lines.join(), /secret/);
});

test('a token() that gives undefined means no token, and is said on the console', async (t) => {
  const lines = consoleOf(t);
  const world = new World();
  const core = world.core({token: () => /** @type {any} */ (undefined)});
  core.start();
  await world.clock.pass(60_000);
  assert.deepEqual([lines.length, world.last.headers.Authorization, core.getSnapshot().status], [1, undefined, 'polling']);
});

test('a 401 stands when token() cannot renew: refused, and nothing is shown', async (t) => {
  const lines = consoleOf(t);
  const world = new World();
  const core = world.core({token: (refused) => (refused ? Promise.reject(new Error('signed out')) : 'old')});
  core.start();
  await settle();
  world.failure = 401;
  await world.clock.pass(30_000);
  assert.deepEqual([core.getSnapshot().status, core.getSnapshot().version, lines.length], ['refused', 0, 1]);
  assert.match(lines[0], /signed out/);
});

test('what the server says against a message is on the console once', async (t) => {
  const lines = consoleOf(t);
  const world = new World();
  const fetch = async () => new Response(JSON.stringify({success: false, code: 'section_too_long', error: 'a section is at most 100 characters long'}), {status: 400});
  const core = new PresenceCore('demo', 1, {environment: {...world.environment(), fetch}});
  core.start();
  await world.clock.pass(300_000);
  assert.deepEqual(lines, ['Presence: a section is at most 100 characters long']);
});

test('an answer of token() that comes after a later one is not used', async () => {
  const world = new World();
  /** @type {((token: string) => void)[]} */
  const calls = [];
  const core = world.core({token: () => new Promise((give) => calls.push(give))});
  core.start();
  await world.clock.pass(10_000); // the first call is given up after 8 s
  assert.equal(calls.length, 2);
  calls[1]('new');
  await settle();
  calls[0]('old');
  await world.clock.pass(30_000);
  assert.deepEqual(world.updates.map(({headers}) => headers.Authorization), ['Bearer new', 'Bearer new']);
});

test('a token() that is slow is used when it answers', async () => {
  const world = new World('open');
  let calls = 0;
  const core = world.core({token: () => new Promise((give) => { calls++; world.clock.setTimeout(() => give('slow'), 12_000); })});
  core.start();
  await world.clock.pass(30_000);
  assert.deepEqual([core.getSnapshot().status, world.socket.said[0].token], ['live', 'slow']);
  assert.ok(calls <= 3, `called ${calls} times`);
});

test('a server on another origin gets requests, live connection and token, and neither cookies nor the page\'s CSRF token', async () => {
  const base = 'https://presence.example.org/writer/api/project/demo/presence/';
  for (const prefix of ['https://presence.example.org/writer/api', 'https://presence.example.org/writer/api/']) {
    const world = new World('open');
    world.document.cookie = 'csrftoken=of-this-page';
    const core = world.core({prefix, token: 't'});
    core.start();
    await settle();
    assert.equal(world.socket.url, `${base.replace('https', 'wss')}live/`);
    assert.equal(world.socket.said[0].token, 't');
    await core.fetchPresence();
    world.fire('pagehide');
    await settle();
    assert.deepEqual(world.sent.map(({url}) => url), [`${base}list/`, `${base}leave/`]);
    for (const {headers, credentials} of world.sent) {
      assert.equal(headers.Authorization, 'Bearer t');
      assert.equal(headers['X-CSRFToken'], undefined);
      assert.ok(credentials === undefined || credentials === 'same-origin', 'cookies go to the same origin only');
    }
  }
});

test('an absolute prefix on the page\'s own origin is the same origin', async () => {
  const world = new World();
  world.document.cookie = 'csrftoken=of-this-page';
  const core = world.core({prefix: 'https://writer.example/writer/api'});
  core.start();
  await settle();
  assert.deepEqual([world.last.url, world.last.headers['X-CSRFToken']], ['https://writer.example/writer/api/project/demo/presence/update/', 'of-this-page']);
});

test('a `csrfToken` that the page gives goes also to another origin', async () => {
  const world = new World();
  const core = world.core({prefix: 'https://presence.example.org', csrfToken: 'given'});
  core.start();
  await settle();
  assert.equal(world.last.headers['X-CSRFToken'], 'given');
});

test('Retry-After may be a date', async () => {
  const world = new World();
  const core = world.core();
  core.start();
  await settle();
  world.random = 0;
  world.failure = 503;
  world.failureHeaders = {'Retry-After': new Date(world.clock.now() + 50_000).toUTCString()};
  core.setSection('manuscript/abstract');
  await settle();
  world.failure = null;
  const {length} = world.updates;
  await world.clock.pass(48_000);
  assert.equal(world.updates.length, length);
  await world.clock.pass(3_000);
  assert.equal(world.updates.length, length + 1);
});
