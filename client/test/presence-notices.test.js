/** What the warning, the notices and the list say about claims, saves and waiting (rules 18 to 21). */
import assert from 'node:assert/strict';
import test from 'node:test';
import {claims, edits} from '../presence-conflict.js';
import {Words, strings} from '../strings.js';
import {ABSTRACT, METHODS, user} from './fixtures.js';

const words = new Words();
const [alice, bob] = [user(1, 'Alice'), user(2, 'Bob')];

test('unsaved changes, waiting and newer saves are said in words', () => { // rules 18 to 20
  assert.equal(words.sentence('unsavedWarning', [alice]), 'Alice has unsaved changes here{ago}');
  assert.equal(words.sentence('unsavedWarning', [alice, bob]), 'Alice and Bob have unsaved changes here{ago}');
  assert.equal(words.sentence('waiting', [bob]), 'Bob is waiting for this section');
  assert.equal(words.sentence('newer', [bob], {time: '14:03'}), 'Bob saved a newer version of this section at 14:03');
  assert.equal(words.sentence('ownNewer', null, {time: '14:03'}), 'You saved a newer version of this section in another window at 14:03');
  assert.equal(words.sentence('free', null), 'The section is free now');
  assert.equal(words.text('tellMe'), 'Tell me when it is free');
});

test('a time is in the language of the strings, with its date if that is not today', () => { // rule 19
  const now = new Date();
  now.setHours(14, 3);
  assert.match(new Words({locale: 'en-GB'}).time(now.toISOString()), /^14:03$/);
  assert.match(words.time(now.toISOString()), /^2:03\sPM$/);
  assert.match(new Words({locale: 'en-GB'}).time('2024-02-05T12:00:00Z'), /5 Feb 2024/);
});

test('every new sentence can be replaced, and its placeholders are filled in', () => {
  const own = new Words({newer: '{time}: {names}', free: '{section} is free', agent: 'Bot {name}'});
  assert.equal(own.sentence('newer', [bob], {time: '14:03'}), '14:03: Bob');
  assert.equal(own.sentence('free', null, {section: 'Abstract'}), 'Abstract is free');
  assert.equal(own.name(user(3, 'Ada', '', {agent: true})), 'Bot Ada');
  for (const [key, text] of Object.entries(strings)) assert.ok(text, key);
});

test('an agent is labelled once, and as an agent also if it is a visitor', () => { // rule 21
  assert.equal(words.name(user(3, 'Ada', '', {agent: true})), 'Ada (agent)');
  assert.equal(words.name(user(3, 'Ada (agent)', '', {agent: true})), 'Ada (agent)');
  assert.equal(words.name(user(3, 'Ada', '', {agent: true, visitor: true})), 'Ada (agent)');
});

test('a user claims the sections that they edit, and those in which they have unsaved changes', () => { // rule 18
  const idle = user(1, 'Alice', ABSTRACT, {activity: 'idle', unsaved: [ABSTRACT]});
  assert.deepEqual([claims(idle, ABSTRACT), edits(idle, ABSTRACT), claims(idle, METHODS)], [true, false, false]);
  const two = user(1, 'Alice', ABSTRACT, {editing: [METHODS], unsaved: [ABSTRACT]});
  assert.deepEqual([claims(two, ABSTRACT), edits(two, ABSTRACT), edits(two, METHODS)], [true, false, true]);
  assert.equal(claims(user(1, 'Alice'), null), false, 'no section');
});
