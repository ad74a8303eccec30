import assert from 'node:assert/strict';
import test from 'node:test';
import {Announcer} from '../presence-announcer.js';
import {Words, labelOf} from '../strings.js';
import {Clock, user} from './fixtures.js';

const words = new Words();

test('the default label of a section is its last segment in title case', () => { // case 18
  const due = {'manuscript/abstract': 'Abstract', 'manuscript/related-work': 'Related Work', intro: 'Intro', 'a/élan_vital': 'Élan Vital', 'a/--': 'a/--', __proto__: '' };
  for (const [section, label] of Object.entries(due)) assert.equal(labelOf(section), label, section);
  assert.equal(labelOf('x/__proto__'), 'Proto');
});

test('a warning names up to three users and has the right plural form', () => {
  const people = ['Alice', 'Bob', 'Carol', 'Dan', 'Eve'].map((name, i) => user(i, name));
  assert.equal(words.sentence('warning', people.slice(0, 1)), 'Alice is editing here{ago}');
  assert.equal(words.sentence('warning', people.slice(0, 2)), 'Alice and Bob are editing here{ago}');
  assert.equal(words.sentence('warning', people), 'Alice, Bob, Carol, and 2 more are editing here{ago}');
  assert.equal(words.sentence('occupants', people.slice(0, 2)), ' — Alice, Bob');
});

test('a visitor\'s name says Visitor once', () => { // case 16
  assert.equal(words.name(user(1, 'Alice', '', {visitor: true})), 'Visitor Alice');
  assert.equal(words.name(user(1, 'Visitor 12', '', {visitor: true})), 'Visitor 12');
  assert.equal(words.name(user(1, 'Alice')), 'Alice');
  assert.equal(words.name(user(1, '')), 'Someone');
});

test('a name cannot change the direction of the text around it or fill its placeholders', () => { // case 43
  assert.equal(words.sentence('arrived', [user(1, '\u202eevil')]), '\u2068\u202eevil\u2069 is online');
  assert.equal(words.sentence('arrived', [user(1, '{count} $& $1')]), '{count} $& $1 is online');
});

test('each string can be replaced, with the plural forms of its language', () => {
  const czech = new Words({locale: 'cs', badgeLabel: {one: '{count} člověk', few: '{count} lidé', other: '{count} lidí'}});
  const texts = [1, 2, 5].map((count) => czech.text('badgeLabel', {count}));
  assert.deepEqual(texts, ['1 člověk', '2 lidé', '5 lidí']);
  assert.equal(czech.table.editAnyway, 'Edit anyway');
});

test('announcements start after the first state, come at most every five seconds, and describe the newest state', async () => {
  const clock = new Clock();
  /** @type {string[]} */
  const said = [];
  const announcer = new Announcer((/** @type {string} */ now, /** @type {string} */ known) => (now === known ? '' : now), (text) => said.push(text), {...clock, Date: clock});
  announcer.update('one');
  assert.deepEqual(said, [], 'at load');
  announcer.update('two');
  assert.deepEqual(said, ['two']);
  announcer.update('three');
  announcer.update('four');
  await clock.advance(4_900);
  assert.deepEqual(said, ['two'], 'within five seconds');
  await clock.advance(200);
  assert.deepEqual(said, ['two', 'four'], 'the newest');
  announcer.update('five');
  announcer.update('four');
  await clock.advance(60_000);
  assert.deepEqual(said, ['two', 'four'], 'a change that was undone is not announced');
  for (let beat = 0; beat < 10; beat++) announcer.update('four');
  assert.equal(clock.pending, 0, 'a heartbeat is not announced');
});
