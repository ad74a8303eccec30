/** Waiting for a section (rule 20), and agents (rule 21). */
import assert from 'node:assert/strict';
import test from 'node:test';
import {ABSTRACT, FakeEnvironment, METHODS, names, settle, started, user} from './fixtures.js';

const ALICE = user(2, 'Alice', ABSTRACT);

/** Records the sections of `free` events. @param {EventTarget} core */
function recordFree(core) {
  /** @type {string[]} */
  const sections = [];
  core.addEventListener('free', (event) => sections.push(/** @type {CustomEvent} */ (event).detail.section));
  return sections;
}

/** A page that was warned in the abstract, and waits. @param {FakeEnvironment} env */
async function waiting(env) {
  env.set(ALICE);
  const core = await started(env, {}, ABSTRACT);
  const free = recordFree(core);
  core.waitFor(ABSTRACT);
  await settle();
  return {core, free};
}

const ways = /** @type {const} */ (['none', 'open']);

for (const webSocket of ways) {
  const env = () => new FakeEnvironment(webSocket);
  /** @param {FakeEnvironment} env */
  const last = (env) => (webSocket === 'open' ? env.socket.messages[env.socket.messages.length - 1] : env.updates[env.updates.length - 1].body);

  test(`a page in the section states what it waits for, and is told once when nobody conflicts (${webSocket})`, async () => { // rule 20
    const server = env();
    const {core, free} = await waiting(server);
    assert.deepEqual([last(server).waiting_for, core.getSnapshot().waitingFor], [ABSTRACT, ABSTRACT]);
    await server.clock.advance(31_000);
    assert.deepEqual([last(server).waiting_for, free], [ABSTRACT, []], 'the heartbeat');
    server.set(user(2, 'Alice', ABSTRACT, {activity: 'idle'}));
    await server.clock.advance(31_000);
    assert.deepEqual([free, core.getSnapshot().waitingFor, core.getSnapshot().activity], [[ABSTRACT], null, 'editing']);
    await server.clock.advance(31_000);
    assert.equal(last(server).waiting_for, undefined);
    server.set(ALICE);
    server.set();
    await server.clock.advance(31_000);
    assert.deepEqual(free, [ABSTRACT], 'told once');
  });

  test(`a page in another section is told, and stays there (${webSocket})`, async () => { // rule 20
    const server = env();
    const {core, free} = await waiting(server);
    core.setSection(METHODS);
    await settle();
    assert.deepEqual([last(server).waiting_for, free], [ABSTRACT, []]);
    server.set(user(2, 'Alice', ABSTRACT, {activity: 'idle', unsaved: [ABSTRACT]}));
    await server.clock.advance(31_000);
    assert.deepEqual(free, [], 'she has unsaved changes');
    server.set();
    await server.clock.advance(31_000);
    assert.deepEqual([free, core.currentSection, core.getSnapshot().waitingFor], [[ABSTRACT], METHODS, null]);
  });
}

test('waiting is taken back by null, by Edit anyway and by stop()', async () => { // rule 20
  for (const end of ['null', 'edit', 'stop']) {
    const env = new FakeEnvironment();
    const {core, free} = await waiting(env);
    if (end === 'null') core.waitFor(null);
    else if (end === 'edit') core.editAnyway();
    else core.stop();
    await settle();
    assert.equal(core.getSnapshot().waitingFor, null, end);
    core.start();
    await env.clock.advance(31_000);
    assert.deepEqual([env.last.body.waiting_for, free], [undefined, []], end);
  }
});

test('entering the awaited section while another user claims it keeps the wait', async () => { // rule 20
  const env = new FakeEnvironment();
  const {core, free} = await waiting(env);
  core.setSection(METHODS);
  await settle();
  core.setSection(ABSTRACT);
  assert.deepEqual(free, [], 'before the answer, it is not known who is there');
  await settle();
  assert.deepEqual([free, core.getSnapshot().waitingFor, names(core.getSnapshot().warning)], [[], ABSTRACT, 'Alice']);
});

test('waiting for a section that is free already is told at once', async () => { // rule 20
  for (const webSocket of ways) {
    const env = new FakeEnvironment(webSocket);
    const core = await started(env, {}, METHODS);
    const free = recordFree(core);
    let changes = 0;
    core.subscribe(() => changes++);
    core.waitFor(ABSTRACT);
    assert.deepEqual([free, core.getSnapshot().waitingFor, changes], [[ABSTRACT], null, 1]);
    await env.clock.advance(60_000);
    assert.deepEqual([free, changes], [[ABSTRACT], 1], webSocket);
  }
});

test('waitFor() of a section that this page claims does nothing', async () => { // rule 20
  const env = new FakeEnvironment();
  const core = await started(env, {}, ABSTRACT);
  const free = recordFree(core);
  core.waitFor(ABSTRACT);
  assert.deepEqual([core.getSnapshot().waitingFor, free], [null, []]);
});

test('a section is not free while the page does not know who is there', async () => { // rules 13 and 20
  const env = new FakeEnvironment('open');
  const {core, free} = await waiting(env);
  core.setSection(METHODS);
  await settle();
  env.socket.deliver({type: 'snapshot', version: ++env.version, users: [], partial: true});
  await settle();
  assert.deepEqual(free, [], 'the server lost its data');
  env.socket.deliver({type: 'snapshot', version: ++env.version, users: [env.me], count: 2});
  await settle();
  assert.deepEqual(free, [], 'the list was cut');
  core.waitFor(null);
  env.failure = 503;
  env.webSocket = 'refuses';
  env.socket.end();
  core.waitFor('manuscript/conclusion');
  await settle();
  assert.deepEqual(free, [], 'there is no connection');
  env.failure = null;
  env.set();
  await env.clock.advance(31_000);
  assert.deepEqual(free, ['manuscript/conclusion']);
});

test('the users who wait for a section are shown to who holds it', async () => { // rule 20
  const env = new FakeEnvironment('open');
  const core = await started(env, {}, ABSTRACT);
  env.set(user(2, 'Bob', METHODS, {waiting_for: ABSTRACT}), user(3, 'Carol', METHODS, {waiting_for: METHODS}));
  await settle();
  assert.equal(names(core.getSnapshot().waiting), 'Bob');
  await env.clock.advance(130_000);
  assert.equal(names(core.getSnapshot().waiting), '', 'who is idle holds it no more');
  core.setUnsaved(true);
  assert.equal(names(core.getSnapshot().waiting), 'Bob', 'unsaved changes hold it');
});

test('a rejected section that the page waits for is dropped, and presence goes on', async (t) => { // rule 20
  t.mock.method(console, 'warn', () => {});
  const env = new FakeEnvironment();
  const core = await started(env, {}, ABSTRACT);
  env.set(ALICE);
  env.failureCode = 'section_invalid';
  Object.defineProperty(env, 'failure', {get: () => env.last.body?.waiting_for && 400});
  core.waitFor('//');
  await settle();
  assert.deepEqual([core.getSnapshot().waitingFor, core.getSnapshot().status, env.last.body.waiting_for], [null, 'polling', undefined]);
});

test('an agent is listed and conflicts, and is not counted', async () => { // rule 21
  const env = new FakeEnvironment('open');
  const bot = user(9, 'Bot', ABSTRACT, {agent: true});
  env.set(bot, user(2, 'Bob'));
  const core = await started(env, {}, ABSTRACT);
  const {users, count, warning} = core.getSnapshot();
  assert.deepEqual([names(users), count, names(warning)], ['Bot Bob', 1, 'Bot']);
  env.socket.deliver({type: 'snapshot', version: ++env.version, users: [env.me, bot], count: 5});
  await settle();
  assert.equal(core.getSnapshot().count, 3, 'of a list that was cut');
});
