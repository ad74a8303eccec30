/** What the page logs when `token()` fails, and which credentials it sends to another origin. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {PresenceCore} from '../presence-core.js';
import {FakeEnvironment, settle} from './fixtures.js';

/** Collects what is written to the console. @param {import('node:test').TestContext} t */
function consoleOf(t) {
  /** @type {string[]} */
  const lines = [];
  const {warn} = console;
  console.warn = (...words) => lines.push(words.join(' '));
  t.after(() => (console.warn = warn));
  return lines;
}

test('a token() that throws is logged once per reason and shows unknown', async (t) => {
  for (const webSocket of /** @type {const} */ (['none', 'open'])) {
    const lines = consoleOf(t);
    const env = new FakeEnvironment(webSocket);
    let reason = new Error('the session has ended');
    const core = env.core({token: () => { throw reason; }});
    core.start();
    await env.clock.advance(60_000);
    assert.deepEqual(lines, ['Presence: token() failed: Error: the session has ended'], webSocket);
    assert.deepEqual([core.getSnapshot().status, core.getSnapshot().text, env.sent.length], ['unknown', 'Presence unknown', 0]);
    reason = new TypeError('x is undefined');
    await env.clock.advance(60_000);
    assert.equal(lines.length, 2, 'another reason');
    assert.equal(core.getSnapshot().status, 'unknown', 'a TypeError of the page is not "offline"');
    core.stop();
  }
});

test('a token() that rejects, returns no string or never answers is logged', async (t) => {
  /** @type {[(refused: boolean) => any, RegExp][]} */
  const tokens = [
    [async () => { throw new Error('signed out'); }, /signed out/],
    [() => ({token: 'a-token'}), /visible ASCII/],
    [() => 'two words', /visible ASCII/],
    [() => 'line\nbreak', /visible ASCII/],
    [() => new Promise(() => {}), /token\(\) gave nothing/],
  ];
  for (const [token, said] of tokens) {
    const lines = consoleOf(t);
    const env = new FakeEnvironment();
    const core = env.core({token});
    core.start();
    await env.clock.advance(30_000);
    assert.equal(lines.length, 1, `${said}: ${lines}`);
    assert.match(lines[0], said);
    assert.deepEqual([core.getSnapshot().status, env.sent.length], ['unknown', 0], `${said}`);
    core.stop();
    await settle();
  }
});

test('the console never shows a token, and shows at most ten reasons', async (t) => { // case 42
  const lines = consoleOf(t);
  const env = new FakeEnvironment();
  let calls = 0;
  const core = env.core({token: () => (calls++ % 2 ? 'secret word' : Promise.reject(new Error(`number ${calls}`)))});
  core.start();
  await env.clock.advance(600_000);
  assert.ok(calls > 20);
  assert.equal(lines.length, 10);
  assert.doesNotMatch(lines.join(), /secret/);
});

test('a token() that returns undefined means no token and is logged', async (t) => {
  const lines = consoleOf(t);
  const env = new FakeEnvironment();
  const core = env.core({token: () => /** @type {any} */ (undefined)});
  core.start();
  await env.clock.advance(60_000);
  assert.deepEqual([lines.length, env.last.headers.Authorization, core.getSnapshot().status], [1, undefined, 'polling']);
});

test('a 401 clears the list and shows refused when token() cannot renew', async (t) => {
  const lines = consoleOf(t);
  const env = new FakeEnvironment();
  const core = env.core({token: (refused) => (refused ? Promise.reject(new Error('signed out')) : 'old')});
  core.start();
  await settle();
  env.failure = 401;
  await env.clock.advance(30_000);
  assert.deepEqual([core.getSnapshot().status, core.getSnapshot().version, lines.length], ['refused', 0, 1]);
  assert.match(lines[0], /signed out/);
});

test('the server\'s error about a message is logged once', async (t) => {
  const lines = consoleOf(t);
  const env = new FakeEnvironment();
  const fetch = async () => new Response(JSON.stringify({success: false, code: 'section_too_long', error: 'a section is at most 100 characters long'}), {status: 400});
  const core = new PresenceCore('demo', 1, {environment: {...env.globals(), fetch}});
  core.start();
  await env.clock.advance(300_000);
  assert.deepEqual(lines, ['Presence: a section is at most 100 characters long']);
});

test('an answer by another server is logged once, with what to do', async (t) => {
  const lines = consoleOf(t);
  for (const [status, text] of /** @type {const} */ ([[404, 'Cannot POST'], [405, ''], [200, '<!doctype html>']])) {
    const core = new PresenceCore('demo', 1, {environment: {...new FakeEnvironment().globals(), fetch: async () => new Response(text, {status})}});
    core.start();
    await settle();
    void core.updatePresence();
    await settle();
    core.stop();
    assert.deepEqual(lines.splice(0), [`Presence: no presence server at /writer/api/project/demo/presence/ (${status}): proxy it or set prefix`]);
  }
});

test('a token() that resolves after a later one is ignored', async () => {
  const env = new FakeEnvironment();
  /** @type {((token: string) => void)[]} */
  const calls = [];
  const core = env.core({token: () => new Promise((give) => calls.push(give))});
  core.start();
  await env.clock.advance(10_000); // the first call times out after 8 s
  assert.equal(calls.length, 2);
  calls[1]('new');
  await settle();
  calls[0]('old');
  await env.clock.advance(30_000);
  assert.deepEqual(env.updates.map(({headers}) => headers.Authorization), ['Bearer new', 'Bearer new']);
});

test('a slow token() is used when it resolves', async () => {
  const env = new FakeEnvironment('open');
  let calls = 0;
  const core = env.core({token: () => new Promise((give) => { calls++; env.clock.setTimeout(() => give('slow'), 12_000); })});
  core.start();
  await env.clock.advance(30_000);
  assert.deepEqual([core.getSnapshot().status, env.socket.messages[0].token], ['live', 'slow']);
  assert.ok(calls <= 3, `called ${calls} times`);
});

test('a server on another origin gets requests, live connection and token, but no cookies and no CSRF token', async () => {
  const base = 'https://presence.example.org/writer/api/project/demo/presence/';
  for (const prefix of ['https://presence.example.org/writer/api', 'https://presence.example.org/writer/api/']) {
    const env = new FakeEnvironment('open');
    env.document.cookie = 'csrftoken=of-this-page';
    const core = env.core({prefix, token: 't'});
    core.start();
    await settle();
    assert.equal(env.socket.url, `${base.replace('https', 'wss')}live/`);
    assert.equal(env.socket.messages[0].token, 't');
    await core.fetchPresence();
    env.fire('pagehide');
    await settle();
    assert.deepEqual(env.sent.map(({url}) => url), [`${base}list/`, `${base}leave/`]);
    for (const {headers, credentials} of env.sent) {
      assert.equal(headers.Authorization, 'Bearer t');
      assert.equal(headers['X-CSRFToken'], undefined);
      assert.ok(credentials === undefined || credentials === 'same-origin', 'cookies go to the same origin only');
    }
  }
});

test('an absolute prefix on the page\'s own origin counts as the same origin', async () => {
  const env = new FakeEnvironment();
  env.document.cookie = 'csrftoken=of-this-page';
  const core = env.core({prefix: 'https://writer.example/writer/api'});
  core.start();
  await settle();
  assert.deepEqual([env.last.url, env.last.headers['X-CSRFToken']], ['https://writer.example/writer/api/project/demo/presence/update/', 'of-this-page']);
});

test('the option `csrfToken` is sent to another origin too', async () => {
  const env = new FakeEnvironment();
  const core = env.core({prefix: 'https://presence.example.org', csrfToken: 'given'});
  core.start();
  await settle();
  assert.equal(env.last.headers['X-CSRFToken'], 'given');
});

test('Retry-After may be a date', async () => {
  const env = new FakeEnvironment();
  const core = env.core();
  core.start();
  await settle();
  env.random = 0;
  env.failure = 503;
  env.failureHeaders = {'Retry-After': new Date(env.clock.now() + 50_000).toUTCString()};
  core.setSection('manuscript/abstract');
  await settle();
  env.failure = null;
  const {length} = env.updates;
  await env.clock.advance(48_000);
  assert.equal(env.updates.length, length);
  await env.clock.advance(3_000);
  assert.equal(env.updates.length, length + 1);
});
