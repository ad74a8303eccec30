/** The simulated room for hosts' tests follows the server's rules, without a page, and with fake timers. */

import assert from 'node:assert/strict';
import test, {mock} from 'node:test';
import {createRoom} from '../testing/index.js';
import {PresenceManager} from '../writer-presence.js';

/** A manager in a room that has settled. It stops with the test. @param {import('node:test').TestContext} t @param {ReturnType<typeof createRoom>} room @param {{section?: string, options?: object, as?: import('../presence-types.js').Options | object}} [more] */
async function enter(t, room, {section, options = {}, as = room.options} = {}) {
  const presence = new PresenceManager('thesis', 1, {...as, ...options});
  t.after(() => presence.stop());
  if (section) presence.setSection(section);
  presence.start();
  await room.settle();
  return presence;
}

const names = (/** @type {readonly {username: string}[]} */ users) => users.map(({username}) => username).join(' ');

for (const live of [true, false]) {
  const way = live ? 'live' : 'by polling';
  test(`people join, move, save and leave (${way})`, async (t) => {
    const room = createRoom();
    const presence = await enter(t, room, {section: 'intro', options: {live}});
    /** @type {string[]} */ const events = [];
    for (const type of /** @type {const} */ (['join', 'leave', 'saved', 'conflict'])) presence.addEventListener(type, () => events.push(type));
    const heard = async () => {
      await room.settle();
      if (!live) await presence.updatePresence();
      return presence.getSnapshot();
    };
    assert.deepEqual([presence.getSnapshot().status, presence.getSnapshot().users], [live ? 'live' : 'polling', []]);

    const alice = room.join({username: 'Alice', section: 'methods', unsaved: true});
    const bob = room.join({username: 'bob', user_id: 'b'});
    let {users, count} = await heard();
    assert.deepEqual([names(users), count, users[0].section, users[0].activity, users[0].unsaved, users[1].activity], ['Alice bob', 2, 'methods', 'editing', ['methods'], 'viewing']);
    assert.deepEqual([alice.username, bob.user_id], ['Alice', 'b']);
    alice.save({revision: 7});
    let snapshot = await heard();
    assert.deepEqual([snapshot.saves.map(({section, revision, username}) => [section, revision, username]), snapshot.users[0].unsaved], [[['methods', '7', 'Alice']], undefined]);
    alice.move('/intro/');
    snapshot = await heard();
    assert.deepEqual([names(snapshot.conflicts), snapshot.users[0].section], ['Alice', 'intro']);
    alice.set({activity: 'idle'});
    bob.leave();
    bob.move('intro'); // has left: nothing happens
    snapshot = await heard();
    assert.deepEqual([names(snapshot.conflicts), names(snapshot.users), snapshot.users[0].activity], ['', 'Alice', 'idle']);
    assert.deepEqual(events, ['join', 'join', 'saved', 'conflict', 'leave']);
    assert.throws(() => room.join({username: 'Carol'}).save(), /in no section/);
  });
}

test('a manager that enters a section of somebody is warned, and its answers reach the room', async (t) => {
  const room = createRoom({you: {user_id: 7, username: 'Me'}});
  const alice = room.join({username: 'Alice', section: 'intro'});
  const presence = await enter(t, room, {section: 'intro'});
  assert.equal(names(presence.getSnapshot().warning), 'Alice');
  const me = () => room.users.find(({user_id}) => user_id === 7);
  assert.equal(me()?.activity, 'viewing', 'rule 6');
  presence.waitFor('intro');
  await room.settle();
  assert.equal(me()?.waiting_for, 'intro');
  presence.editAnyway();
  presence.setUnsaved(true);
  await room.settle();
  assert.deepEqual([me()?.activity, me()?.unsaved, me()?.waiting_for], ['editing', ['intro'], undefined]);
  presence.saved({revision: 'r1'});
  presence.setUnsaved(false);
  await room.settle();
  assert.deepEqual([room.saves.map(({section, revision, user_id}) => [section, revision, user_id]), me()?.unsaved], [[['intro', 'r1', 7]], undefined]);
  presence.opened({revision: 'r1'});
  alice.save({revision: 'r2'});
  await room.settle();
  assert.equal(presence.getSnapshot().newer?.revision, 'r2');
  presence.setSection('methods');
  await room.settle();
  presence.waitFor('intro');
  await room.settle();
  let free = '';
  presence.addEventListener('free', ({detail}) => (free = detail.section));
  alice.move(null);
  await room.settle();
  assert.equal(free, 'intro', 'rule 20');
  presence.stop();
  await room.settle();
  assert.equal(names(room.users), 'Alice');
});

test('managers of several users see each other, and two tabs of one user are one', async (t) => {
  const room = createRoom();
  const [mine, tab, bobs] = [await enter(t, room, {section: 'a'}), await enter(t, room, {section: 'b'}), await enter(t, room, {section: 'c', as: room.as({user_id: 2, username: 'Bob'})})];
  await room.settle();
  assert.deepEqual([names(mine.getSnapshot().users), mine.getSnapshot().ownWindows], ['Bob', ['b']]);
  const [you] = bobs.getSnapshot().users;
  assert.deepEqual([you.username, you.section, you.sections, you.editing], ['You', 'b', ['a', 'b'], ['a', 'b']], 'rule 3');
  tab.stop();
  await room.settle();
  assert.deepEqual([bobs.getSnapshot().users[0].sections, mine.getSnapshot().ownWindows], [['a'], []]);
});

test('a room that is cut off is not known, and comes back', async (t) => {
  mock.timers.enable({apis: ['setTimeout', 'Date']});
  t.after(() => mock.timers.reset());
  const room = createRoom();
  const presence = await enter(t, room, {section: 'intro'});
  const pass = async (/** @type {number} */ seconds) => {
    for (let i = 0; i < seconds; i++) {
      mock.timers.tick(1000);
      await room.settle();
    }
  };
  const alice = room.join({username: 'Alice'});
  await pass(1);
  room.cut();
  await pass(20);
  assert.deepEqual([presence.getSnapshot().status, presence.getSnapshot().stale], ['offline', true]);
  alice.leave();
  room.restore();
  await pass(20);
  assert.deepEqual([presence.getSnapshot().status, presence.getSnapshot().users], ['live', []]);
});

test('with fake timers nothing passes by itself, and a heartbeat and two idle minutes pass by ticks', async (t) => {
  mock.timers.enable({apis: ['setTimeout', 'Date']});
  t.after(() => mock.timers.reset());
  const room = createRoom();
  const presence = await enter(t, room, {section: 'intro'});
  const alice = room.join({username: 'Alice', section: 'intro'});
  await room.settle();
  assert.equal(names(presence.getSnapshot().conflicts), 'Alice');
  alice.leave();
  for (let minute = 0; minute < 3; minute++) {
    mock.timers.tick(60_000);
    await room.settle();
  }
  assert.deepEqual([presence.getSnapshot().activity, room.users[0].activity, presence.getSnapshot().users.length], ['idle', 'idle', 0]);
  presence.active();
  await room.settle();
  assert.equal(room.users[0].activity, 'editing');
});
