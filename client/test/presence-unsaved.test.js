/** Unsaved work keeps its claim, and conflicts as editing does (rule 18). */
import assert from 'node:assert/strict';
import test from 'node:test';
import {ABSTRACT, FakeEnvironment, METHODS, names, record, settle, started, user} from './fixtures.js';

const IDLE_ALICE = user(2, 'Alice', ABSTRACT, {activity: 'idle', unsaved: [ABSTRACT]});
const ALICE = user(2, 'Alice', ABSTRACT);

test('unsaved changes are stated at once, in every update, and no more after they were saved', async () => { // rule 18
  for (const webSocket of /** @type {const} */ (['none', 'open'])) {
    const env = new FakeEnvironment(webSocket);
    const core = await started(env, {}, ABSTRACT);
    const last = () => (webSocket === 'open' ? env.socket.messages[env.socket.messages.length - 1] : env.last.body);
    assert.ok(!('unsaved' in last()));
    core.setUnsaved(true);
    await settle();
    assert.deepEqual([last().unsaved, core.getSnapshot().unsaved], [true, true]);
    const {seq} = last();
    core.setUnsaved(true);
    await settle();
    assert.equal(last().seq, seq, 'it is stated already');
    await env.clock.advance(31_000);
    assert.deepEqual([last().unsaved, last().seq], [true, seq + 1], 'the heartbeat');
    core.setUnsaved(false);
    await settle();
    assert.deepEqual(['unsaved' in last(), last().seq, core.getSnapshot().unsaved], [false, seq + 2, false]);
  }
});

test('entering another section ends unsaved changes, and a page without a section has none', async () => { // rule 18
  const env = new FakeEnvironment();
  const core = await started(env, {}, ABSTRACT);
  core.setUnsaved(true);
  core.setSection(ABSTRACT, {activity: 'viewing'});
  assert.equal(core.getSnapshot().unsaved, true, 'the same section');
  core.setSection(METHODS);
  await settle();
  assert.deepEqual([env.last.body.unsaved, core.getSnapshot().unsaved], [undefined, false]);
  core.setSection(null);
  core.setUnsaved(true);
  await settle();
  assert.deepEqual([env.last.body.unsaved, core.getSnapshot().unsaved], [undefined, false]);
});

test('a user with unsaved changes conflicts, from the list, the answer and a delta', async () => { // rules 5 and 18
  const env = new FakeEnvironment('open');
  env.set(IDLE_ALICE);
  const core = await started(env, {}, ABSTRACT);
  assert.deepEqual([names(core.getSnapshot().warning), core.getSnapshot().activity], ['Alice', 'viewing']);
  env.set(user(2, 'Alice', ABSTRACT, {activity: 'idle'}));
  await settle();
  assert.deepEqual([names(core.getSnapshot().warning), core.getSnapshot().activity], ['', 'editing'], 'she saved');
  env.set(user(2, 'Alice', METHODS, {sections: [ABSTRACT, METHODS], editing: [METHODS], unsaved: [ABSTRACT]}));
  await settle();
  assert.equal(names(core.getSnapshot().conflicts), 'Alice', 'in one of two tabs');
});

test('a newcomer is a notice, not a warning, for an idle page with unsaved changes', async () => { // rules 12 and 18, case 45
  for (const unsaved of [true, false]) {
    const env = new FakeEnvironment('open');
    const core = await started(env, {}, ABSTRACT);
    core.setUnsaved(unsaved);
    await settle();
    await env.clock.advance(130_000);
    assert.equal(core.getSnapshot().activity, 'idle');
    const events = record(core, 'conflict');
    env.set(ALICE);
    await settle();
    assert.deepEqual(events, [unsaved ? 'conflict Alice while editing' : 'conflict Alice']);
    assert.equal(names(core.getSnapshot().warning), unsaved ? '' : 'Alice');
    env.fire('keydown');
    await settle();
    assert.deepEqual([core.getSnapshot().activity, names(core.getSnapshot().warning)], unsaved ? ['editing', ''] : ['viewing', 'Alice']);
  }
});

test('a page that reconnects states its unsaved changes, and edits on beside whoever came in between', async () => { // rules 6 and 18
  const env = new FakeEnvironment('open');
  const core = await started(env, {}, ABSTRACT);
  core.setUnsaved(true);
  await settle();
  env.webSocket = 'refuses';
  env.failure = 503;
  env.socket.end();
  await env.clock.advance(10_000);
  env.others = [ALICE];
  env.version++;
  env.me = user(1, 'me'); // the session expired
  env.failure = null;
  const before = env.updates.length;
  await env.clock.advance(30_000);
  const bodies = env.updates.slice(before).map(({body}) => body);
  assert.ok(bodies.every(({unsaved}) => unsaved), 'an update does not state the changes');
  assert.deepEqual(bodies.slice(0, 2).map(({unless_occupied}) => unless_occupied), [true, false], 'careful, then in spite of her');
  assert.deepEqual([core.getSnapshot().activity, names(core.getSnapshot().warning), names(core.getSnapshot().conflicts)], ['editing', '', 'Alice']);
});

test('unsaved changes do not answer a warning', async () => { // rules 6 and 18
  const env = new FakeEnvironment('open');
  env.set(ALICE);
  const core = await started(env, {}, ABSTRACT);
  core.setUnsaved(true);
  await settle();
  await env.clock.advance(61_000);
  const last = () => env.socket.messages[env.socket.messages.length - 1];
  assert.deepEqual([last().unsaved, last().activity, names(core.getSnapshot().warning)], [true, 'viewing', 'Alice']);
  core.editAnyway();
  await settle();
  assert.deepEqual([last().unsaved, last().activity, last().unless_occupied, names(core.getSnapshot().warning)], [true, 'editing', false, '']);
});

test('setUnsaved() on entering an occupied section still warns', async () => { // rule 18
  const env = new FakeEnvironment();
  env.set(ALICE);
  const core = env.core();
  core.start();
  core.setSection(ABSTRACT);
  core.setUnsaved(true);
  await settle();
  assert.equal(env.updates.length, 1);
  assert.deepEqual([env.last.body.unsaved, names(core.getSnapshot().warning)], [true, 'Alice']);
});
