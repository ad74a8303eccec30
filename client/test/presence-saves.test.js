/** Saves: what the page reports of its own, and what it learns of others' (rule 19). */
import assert from 'node:assert/strict';
import test from 'node:test';
import {ABSTRACT, FakeEnvironment, METHODS, settle, started, user} from './fixtures.js';

const BOB = user(2, 'Bob', ABSTRACT);

/** The revisions in the updates that the page sent, `-` for none. @param {FakeEnvironment} env */
const sentSaves = (env) => env.updates.map(({body}) => (body.saved ? `${body.saved.section.split('/')[1]} ${body.saved.revision}` : '-'));

/** Records `saved` events. @param {EventTarget} core */
function recordSaves(core) {
  /** @type {string[]} */
  const events = [];
  core.addEventListener('saved', (event) => {
    const {section, revision, user, own} = /** @type {CustomEvent} */ (event).detail;
    events.push(`${user.username} ${section} ${revision}${own ? ' own' : ''}`);
  });
  return events;
}

test('a save is sent with the next update, and again until an answer accepted it', async () => { // rule 19
  const env = new FakeEnvironment();
  const core = await started(env, {}, ABSTRACT);
  env.failure = 503;
  core.saved({revision: 7});
  await settle();
  await env.clock.advance(600);
  assert.equal(new Set(sentSaves(env).slice(1)).size, 1, `${sentSaves(env)}`);
  env.failure = null;
  await env.clock.advance(60_000);
  const all = sentSaves(env);
  assert.ok(all.length > 4, `${all}`);
  assert.deepEqual([all[0], all[1], all[all.length - 1]], ['-', 'abstract 7', '-']);
  assert.deepEqual(env.saves.map(({revision}) => revision), ['7']);
});

test('saves of several sections are sent one by one, the newest revision of each', async () => { // rule 19
  const env = new FakeEnvironment();
  const core = await started(env, {}, ABSTRACT);
  env.held = true;
  void core.updatePresence();
  await settle();
  for (let i = 1; i <= 100; i++) core.saved({revision: i});
  core.saved({section: METHODS, revision: 'x'});
  env.release();
  await settle();
  await settle();
  assert.deepEqual(sentSaves(env), ['-', '-', 'abstract 100', 'methods x']);
  await env.clock.advance(31_000);
  assert.deepEqual(sentSaves(env).slice(4), ['-'], 'the heartbeat repeats none');
});

test('a save that is reported while another one is under way is sent afterwards', async () => {
  const env = new FakeEnvironment();
  const core = await started(env, {}, ABSTRACT);
  env.held = true;
  core.saved({revision: 1});
  await settle();
  core.saved({revision: 2});
  env.release();
  await settle();
  assert.deepEqual(sentSaves(env), ['-', 'abstract 1', 'abstract 2']);
  assert.equal(core.getSnapshot().newer, null);
});

test('a stale answer did not accept the save', async () => {
  const env = new FakeEnvironment();
  const core = await started(env, {}, ABSTRACT);
  env.extra = {stale: true};
  core.saved({revision: 1});
  await settle();
  env.extra = {};
  await env.clock.advance(31_000);
  await env.clock.advance(31_000);
  assert.deepEqual(sentSaves(env), ['-', 'abstract 1', 'abstract 1', '-']);
});

for (const webSocket of /** @type {const} */ (['none', 'open'])) {
  test(`a save that the server rejects is dropped, and presence goes on (${webSocket})`, async (t) => { // rule 19
    const warn = t.mock.method(console, 'warn', () => {});
    const env = new FakeEnvironment(webSocket);
    const core = await started(env, {}, ABSTRACT);
    env.failureCode = 'revision_invalid';
    Object.defineProperty(env, 'failure', {get: () => env.last.body?.saved && 400});
    const handle = env.handle.bind(env);
    env.handle = (socket, message) => {
      env.liveError = message.saved ? {code: 'revision_invalid'} : null;
      handle(socket, message);
    };
    const states = /** @type {string[]} */ ([]);
    core.addEventListener('status', (event) => states.push(/** @type {CustomEvent} */ (event).detail.status));
    const messages = () => (webSocket === 'none' ? env.updates.map(({body}) => body) : env.socket.messages);
    const before = messages().length;
    core.saved({revision: 'bad'});
    await env.clock.advance(100);
    assert.deepEqual(messages().slice(before).map(({saved}) => saved?.revision), ['bad', undefined]);
    assert.deepEqual(states, [], 'the status did not change');
    await env.clock.advance(31_000);
    assert.equal(warn.mock.callCount(), 1);
  });
}

test('the newest saves of others are in the snapshot, the next list or delta replaces them', async () => { // rule 19
  const env = new FakeEnvironment('open');
  env.set(BOB);
  env.save(BOB, METHODS, '1');
  const core = env.core();
  const events = recordSaves(core);
  core.start();
  core.setSection(ABSTRACT);
  await settle();
  const saves = () => core.getSnapshot().saves.map(({section, revision, username}) => `${section} ${revision} ${username}`);
  assert.deepEqual(saves(), [`${METHODS} 1 Bob`]);
  assert.ok(Object.isFrozen(core.getSnapshot().saves));
  env.save(BOB, ABSTRACT, '1');
  env.save(BOB, METHODS, '2');
  await settle();
  assert.deepEqual(saves(), [`${ABSTRACT} 1 Bob`, `${METHODS} 2 Bob`]);
  const {version} = env;
  env.socket.deliver({type: 'delta', base: version, version: ++env.version, changed: [], at: [], left: [], saved_gone: [METHODS]});
  await settle();
  assert.deepEqual(saves(), [`${ABSTRACT} 1 Bob`]);
  env.socket.deliver({type: 'snapshot', version: ++env.version, users: [env.me, BOB]});
  await settle();
  assert.deepEqual(saves(), []);
  assert.deepEqual(events, [`Bob ${ABSTRACT} 1`, `Bob ${METHODS} 2`], 'none for what was there at the start');
});

test('a save emits neither join nor leave', async () => { // rule 19
  const env = new FakeEnvironment('open');
  env.set(BOB);
  const core = await started(env, {}, METHODS);
  const before = core.onlineUsers;
  let people = 0;
  for (const type of ['join', 'leave', 'conflict']) core.addEventListener(type, () => people++);
  env.save(BOB, ABSTRACT, '1');
  await settle();
  assert.deepEqual([people, core.onlineUsers, core.getSnapshot().version], [0, before, env.version]);
});

test('a save of another revision than the page opened is newer, until the page opened that one', async () => { // rule 19, case 58
  for (const webSocket of /** @type {const} */ (['none', 'open'])) {
    const env = new FakeEnvironment(webSocket);
    env.set(BOB);
    const core = await started(env, {}, ABSTRACT);
    const newer = () => core.getSnapshot().newer;
    env.save(BOB, ABSTRACT, '1');
    await env.clock.advance(31_000);
    assert.equal(newer(), null, 'nothing is said before the page opened a revision');
    core.opened({revision: '1'});
    assert.equal(newer(), null, 'the same revision');
    env.save(BOB, ABSTRACT, '2');
    await env.clock.advance(31_000);
    const {revision, user: by, own} = newer() ?? assert.fail('not noticed');
    assert.deepEqual([revision, by.username, own], ['2', 'Bob', false]);
    core.opened({revision: '2'});
    assert.equal(newer(), null);
    core.opened({revision: null});
    assert.equal(newer()?.revision, '2', 'a text that had never been saved is older than any save');
  }
});

test('the revision of each section is remembered', async () => {
  const env = new FakeEnvironment('open');
  const core = await started(env, {}, ABSTRACT);
  core.opened({revision: 1});
  core.setSection(METHODS);
  await settle();
  env.save(BOB, ABSTRACT, '2');
  await settle();
  assert.equal(core.getSnapshot().newer, null, 'it is not the current section');
  core.setSection(ABSTRACT);
  assert.equal(core.getSnapshot().newer?.revision, '2');
});

test('a page that only views is told of newer saves', async () => { // rule 19
  const env = new FakeEnvironment('open');
  const core = await started(env);
  core.setSection(ABSTRACT, {activity: 'viewing'});
  core.opened({revision: 1});
  env.save(BOB, ABSTRACT, '2');
  await settle();
  assert.equal(core.getSnapshot().newer?.revision, '2');
});

test('a save of your own other tab is yours, and a save of this page is not newer', async () => { // rules 7 and 19
  const env = new FakeEnvironment('open');
  const core = await started(env, {}, ABSTRACT);
  const events = recordSaves(core);
  core.saved({revision: 1});
  await settle();
  assert.deepEqual([core.getSnapshot().newer, core.getSnapshot().saves.length], [null, 1]);
  core.opened({revision: 'of the formatter'});
  assert.equal(core.getSnapshot().newer, null, 'the page opened what the host made of its save');
  env.save(env.me, ABSTRACT, '2');
  await settle();
  assert.equal(core.getSnapshot().newer?.own, true);
  assert.deepEqual(events, [`me ${ABSTRACT} 2 own`], 'the page knows of its own');
});

test('a save of this page is no newer one after it signed in or out', async () => { // rules 7 and 19
  for (const webSocket of /** @type {const} */ (['none', 'open'])) {
    for (const way of ['restart', 'answer']) {
      const env = new FakeEnvironment(webSocket);
      const core = env.core({}, null);
      core.start();
      core.setSection(ABSTRACT);
      await settle();
      core.saved({revision: 1});
      await settle();
      core.opened({revision: 'of the formatter'});
      env.me = user(7, 'Goran', ABSTRACT);
      if (way === 'restart') {
        core.stop();
        await settle();
        core.start();
      } else {
        void core.updatePresence();
        env.set();
      }
      await env.clock.advance(31_000);
      assert.equal(core.getSnapshot().you?.username, 'Goran');
      assert.equal(core.getSnapshot().saves[0].username, 'me');
      assert.equal(core.getSnapshot().newer, null, `${webSocket} ${way}`);
      env.save(BOB, ABSTRACT, '2');
      await env.clock.advance(31_000);
      assert.equal(core.getSnapshot().newer?.revision, '2');
    }
  }
});

test('a page that saved over a newer save is not told of that one again', async () => { // rule 19
  const env = new FakeEnvironment('open');
  const core = await started(env, {}, ABSTRACT);
  core.opened({revision: 1});
  env.save(BOB, ABSTRACT, '2');
  await settle();
  /** @type {unknown[]} */
  const seen = [];
  core.addEventListener('change', () => seen.push(core.getSnapshot().newer?.revision));
  const late = env.socket.deliver.bind(env.socket);
  env.socket.deliver = (/** @type {any} */ message) => message.type !== 'delta' && late(message); // the delta comes later than the ack
  core.saved({revision: 3});
  assert.equal(core.getSnapshot().newer, null, 'before the answer');
  await settle();
  late({type: 'snapshot', version: env.version, users: [env.me], saved: env.saves});
  await settle();
  assert.ok(seen.length, 'nothing changed');
  assert.deepEqual(new Set(seen), new Set([undefined]));
  env.socket.deliver = late;
  env.save(BOB, ABSTRACT, '4');
  await settle();
  assert.equal(core.getSnapshot().newer?.revision, '4');
});

test('a server that lost its data does not take the notice back', async () => { // rule 13
  const env = new FakeEnvironment('open');
  const core = await started(env, {}, ABSTRACT);
  core.opened({revision: 1});
  env.save(BOB, ABSTRACT, '2');
  await settle();
  env.socket.deliver({type: 'snapshot', version: ++env.version, users: [], partial: true});
  await settle();
  assert.deepEqual([core.getSnapshot().partial, core.getSnapshot().newer?.revision], [true, '2']);
});

test('saved() and opened() without section or revision say what to do', async () => {
  const core = new FakeEnvironment().core();
  const call = /** @type {any} */ (core);
  assert.throws(() => core.saved({revision: 1}), /setSection/);
  for (const name of ['saved', 'opened']) {
    for (const bad of ['', undefined, {}, 'x'.repeat(65), '1\n2']) assert.throws(() => call[name]({section: ABSTRACT, revision: bad}), /1 to 64 characters/, `${name} ${bad}`);
  }
  assert.throws(() => call.saved({section: ABSTRACT, revision: null}), TypeError);
});

test('the number of sections of which a page keeps the revision is bounded', async () => { // rule 16
  const env = new FakeEnvironment();
  const core = await started(env, {}, 's/0');
  for (let i = 0; i <= 1_000; i++) core.opened({section: `s/${i}`, revision: 1});
  env.save(BOB, 's/0', '2');
  env.save(BOB, 's/1', '2');
  await env.clock.advance(31_000);
  assert.equal(core.getSnapshot().newer, null, 'the oldest is forgotten');
  core.setSection('s/1');
  assert.equal(core.getSnapshot().newer?.revision, '2');
});
