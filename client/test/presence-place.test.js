/** Several managers in one page: the one that starts last takes the place of the one before. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {PresenceCore} from '../presence-core.js';
import {ABSTRACT, FakeEnvironment, METHODS, settle, state, user} from './fixtures.js';

/** A page in which several managers can be made. @param {FakeEnvironment['webSocket']} [webSocket] */
function page(webSocket) {
  const env = new FakeEnvironment(webSocket);
  const environment = env.globals();
  /** @param {Partial<import('../presence-types.js').Options>} [options] @param {string | number | null} [userId] @param {string} [project] */
  const manager = (options, userId = 1, project = 'demo') => new PresenceCore(project, userId, {...options, environment});
  return {env, manager};
}

/** All sent by the page, in the order of their seq. @param {FakeEnvironment} env */
const messages = (env) => [...env.sent.map(({path, body}) => ({type: path.slice(0, -1), ...body})), ...env.sockets.flatMap(({messages}) => messages)];

test('after 23 starts of new managers one session is left, and none has left', async () => { // case 49
  for (const webSocket of /** @type {const} */ (['none', 'open'])) {
    const {env, manager} = page(webSocket);
    env.set(user(2, 'Bob'));
    const managers = [];
    for (let visit = 0; visit < 23; visit++) {
      const next = manager();
      next.setSection(visit % 2 ? METHODS : ABSTRACT);
      next.start();
      managers.push(next);
      await env.clock.advance(1_000);
    }
    const all = messages(env);
    assert.equal(all.filter(({type}) => type === 'leave').length, 0);
    assert.equal(new Set(all.filter(({session}) => session).map(({session}) => session)).size, 1, 'sessions');
    const seqs = all.map(({seq}) => seq);
    assert.deepEqual(seqs, [...seqs].sort((a, b) => a - b));
    assert.equal(new Set(seqs).size, seqs.length, 'a seq was used twice');
    const newest = managers.pop();
    assert.deepEqual(managers.map((old) => [old.running, old.getSnapshot().status, old.onlineUsers.length]), Array(22).fill([false, 'stopped', 0]));
    assert.deepEqual(newest && state(newest), [webSocket === 'open' ? 'live' : 'polling', false, 'Bob']);
    assert.equal(env.sockets.filter(({open}) => open).length, webSocket === 'open' ? 1 : 0);
    const before = messages(env).length;
    for (const old of managers) {
      old.setSection('manuscript/old');
      old.stop();
    }
    env.fire('keydown');
    await settle();
    assert.equal(messages(env).length, before, 'a manager that was replaced sent something');
    newest?.stop();
    await env.clock.advance(60_000);
    assert.deepEqual([messages(env).filter(({type}) => type === 'leave').length, env.clock.pending], [1, 0]);
  }
});

test('stop() of one manager and start() of the next in one turn continue the session', async () => { // rule 9
  const {env, manager} = page();
  const [one, two] = [manager(), manager()];
  one.start();
  await settle();
  one.stop();
  two.start();
  await settle();
  assert.deepEqual([env.leaves.length, new Set(env.sent.map(({body}) => body.session)).size, one.running, two.running], [0, 1, false, true]);
  one.start(); // takes its place back
  await settle();
  assert.deepEqual([env.leaves.length, new Set(env.sent.map(({body}) => body.session)).size, one.running, two.running], [0, 1, true, false]);
});

test('a manager that takes the place and stops in the same turn leaves for both', async () => { // rule 1
  const {env, manager} = page();
  const [one, two] = [manager(), manager()];
  one.start();
  await settle();
  two.start();
  two.stop();
  await settle();
  assert.deepEqual(env.sent.map(({path, body}) => [path, body.session, body.seq]), [
    ['update/', env.sent[0].body.session, 1], ['leave/', env.sent[0].body.session, 2],
  ]);
});

test('a manager of another user ends the session of the one before by a leave', async () => {
  const {env, manager} = page();
  const visitor = manager({}, null);
  visitor.start();
  await settle();
  const member = manager({}, 1);
  member.start();
  await settle();
  assert.deepEqual(env.sent.map(({path}) => path), ['update/', 'leave/', 'update/']);
  assert.equal(new Set(env.sent.map(({body}) => body.session)).size, 2);
  assert.deepEqual([visitor.running, member.running], [false, true]);
});

test('managers of other projects, servers, panes and pages are sessions of their own', async () => {
  const {env, manager} = page();
  const all = [manager(), manager({}, 1, 'other'), manager({pane: 'right'}), manager({prefix: 'https://presence.example/api'}), env.core()];
  for (const one of all) one.start();
  await settle();
  assert.deepEqual(all.map(({running}) => running), Array(5).fill(true));
  assert.deepEqual([env.leaves.length, new Set(env.sent.map(({body}) => body.session)).size], [0, 5]);
});

test('prefixes that are written differently are one server', async () => {
  const {manager} = page();
  const all = ['/writer/api', '/writer/api/', 'https://writer.example/writer/api', '../writer/api'].map((prefix) => manager({prefix}));
  for (const one of all) one.start();
  await settle();
  assert.deepEqual(all.map(({running}) => running), [false, false, false, true]);
});

test('a manager whose listener starts it again when it is replaced keeps the place', async () => {
  const {env, manager} = page();
  const [one, two] = [manager(), manager()];
  one.start();
  await settle();
  one.addEventListener('status', () => one.getSnapshot().status === 'stopped' && one.start());
  two.start();
  await settle();
  assert.deepEqual([one.running, two.running, env.leaves.length, new Set(env.updates.map(({body}) => body.session)).size], [true, false, 0, 1]);
});
