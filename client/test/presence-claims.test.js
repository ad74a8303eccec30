/** The golden messages about unsaved work, saves and waiting, which the Go tests read too. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {ABSTRACT, FakeEnvironment, METHODS, golden, names, settle, started, user} from './fixtures.js';

test('messages about claims equal the golden ones', async () => { // rules 18 to 20
  const env = new FakeEnvironment('open');
  const {as_of} = golden('update-saved');
  env.version = as_of;
  const last = () => env.socket.messages[env.socket.messages.length - 1];
  const core = await started(env, {}, ABSTRACT);
  core.setSection(METHODS);
  await settle();
  core.saved({section: ABSTRACT, revision: 42});
  await settle();
  assert.deepEqual(last(), golden('update-saved'));

  core.setSection(ABSTRACT);
  core.setUnsaved(true);
  await env.clock.advance(130_000);
  assert.deepEqual({...last(), seq: 2, as_of}, golden('update-unsaved'));

  core.setUnsaved(false);
  env.fire('keydown');
  env.set(user(2, 'Alice', ABSTRACT));
  core.setSection(METHODS);
  core.setSection(ABSTRACT, {activity: 'viewing'});
  await settle();
  core.waitFor(ABSTRACT);
  await settle();
  assert.deepEqual({...last(), seq: 2, as_of}, golden('update-waiting'));
});

test('each golden message with saves gives the golden saves', async () => { // rule 19, case 29
  const env = new FakeEnvironment('open');
  env.handle = (socket, message) => socket.deliver({type: 'ack', seq: message.seq, version: 0, activity: 'viewing', conflicts: []});
  const core = env.core({}, 99);
  core.start();
  await settle();
  for (const {why, receive, version, saved, asks} of golden('delta-sequence-saved')) {
    const before = env.socket.messages.length;
    env.socket.deliver(receive);
    await settle();
    const {saves, version: known} = core.getSnapshot();
    assert.deepEqual([known, saves.map(({section, revision}) => `${section}@${revision}`)], [version, saved], why);
    assert.deepEqual(env.socket.messages.slice(before).map(({known_version: known}) => known), asks ? [version] : [], why);
  }
});

test('the golden answer and list show who conflicts, an agent, and who saved what', async () => { // rules 18 to 21
  const env = new FakeEnvironment('open');
  env.handle = (socket, message) => {
    socket.deliver({...golden('ack-waiting'), seq: message.seq});
    socket.deliver(golden('snapshot-saved'));
  };
  const core = await started(env, {}, ABSTRACT);
  const {warning, you, users, count} = core.getSnapshot();
  assert.deepEqual([names(warning), you?.username, you?.avatar_url, names(users), count], ['alice', 'bob', 'https://host.example/avatars/2.png', 'alice carol', 1]);
  core.opened({revision: 40});
  assert.deepEqual([core.getSnapshot().newer?.revision, core.getSnapshot().newer?.user.username], ['41', 'alice']);
  env.socket.deliver(golden('delta-saved'));
  await settle();
  assert.deepEqual([core.getSnapshot().newer?.revision, core.getSnapshot().newer?.own], ['42', true]);
});
