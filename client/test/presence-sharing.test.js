/** What did not change is the same object in the next snapshot, so that frameworks draw only what changed. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {ABSTRACT, FakeEnvironment, METHODS, settle, started, user} from './fixtures.js';

/** A live page with Alice in Methods and Bob in Abstract, and a way to send it a delta. */
async function livePage() {
  const env = new FakeEnvironment('open');
  env.set(user(2, 'Alice', METHODS), user(3, 'Bob', ABSTRACT));
  const core = await started(env, {}, ABSTRACT);
  const delta = async (/** @type {object} */ more) => {
    const {version: base} = core.getSnapshot();
    env.socket.deliver({type: 'delta', base, version: base + 1, changed: [], at: [], left: [], ...more});
    await settle();
  };
  return {env, core, delta};
}

test('a change of one user keeps the objects of the others, and the parts of the snapshot without that user', async () => {
  const {core, delta} = await livePage();
  const before = core.getSnapshot();
  await delta({changed: [user(2, 'Alice', 'references')], at: [0]});
  const after = core.getSnapshot();
  assert.deepEqual(after.users.map(({section}) => section), ['references', ABSTRACT]);
  assert.notEqual(after.users, before.users);
  assert.equal(after.users[1], before.users[1]);
  for (const part of /** @type {const} */ (['conflicts', 'warning', 'you', 'ownWindows', 'saves', 'waiting'])) assert.equal(after[part], before[part], part);
});

test('a list in which only the time of users differs changes nothing', async () => {
  const {env, core} = await livePage();
  const before = core.getSnapshot();
  let changes = 0;
  core.subscribe(() => changes++);
  const users = JSON.parse(JSON.stringify(before.users)).map((/** @type {any} */ one) => ({...one, last_seen: '2025-11-03T17:05:00Z'}));
  env.socket.deliver({type: 'snapshot', version: before.version, users});
  await settle();
  assert.equal(core.getSnapshot(), before);
  assert.equal(changes, 0);
});

test('a user who looks different in any field is a new object', async () => {
  const more = [
    {username: 'Alicia'}, {activity: 'idle'}, {avatar_color: '#000000'}, {sections: [METHODS, 'references']}, {editing: ['references']},
    {unsaved: [METHODS]}, {waiting_for: ABSTRACT}, {agent: true}, {avatar_url: 'https://x.example/a.png'}, {visitor: true}, {later: {x: 1}},
  ];
  for (const field of more) {
    const {core, delta} = await livePage();
    const [before] = core.getSnapshot().users;
    await delta({changed: [user(2, 'Alice', METHODS, field)], at: [0]});
    const [after] = core.getSnapshot().users;
    assert.notEqual(after, before, JSON.stringify(field));
    assert.deepEqual({...after}, {...before, ...field});
  }
});

test('a snapshot and its users cannot be changed by the page', async () => {
  const {core} = await livePage();
  const {users, conflicts, you} = core.getSnapshot();
  for (const part of [core.getSnapshot(), users, users[0], users[0].sections, conflicts, conflicts[0], you]) assert.ok(Object.isFrozen(part));
});
