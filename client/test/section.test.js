/** Spellings of one section: the page's own is kept, the server gets the normal form. */
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import test from 'node:test';
import {normalSection} from '../section.js';
import {FakeEnvironment, names, settle, user} from './fixtures.js';

/** @type {{same: string[][], different: string[][]}} read by the server's tests too */
const spellings = JSON.parse(readFileSync(new URL('../../testdata/sections.json', import.meta.url), 'utf8'));

test('spellings of one section have the normal form of the server', () => {
  for (const [normal, ...others] of spellings.same) for (const spelling of [normal, ...others]) assert.equal(normalSection(spelling), normal, JSON.stringify(spelling));
  for (const list of spellings.different) assert.equal(new Set(list.map(normalSection)).size, list.length, list.join(' '));
  assert.deepEqual([normalSection(null), normalSection(undefined), normalSection('\n  a\n')], ['', '', 'a']);
});

test('a user in another spelling of your section causes a warning, and your spelling stays', async () => { // rule 5
  const env = new FakeEnvironment();
  env.set(user(2, 'Alice', 'ms/r\u00e9sum\u00e9'));
  const core = env.core();
  core.setSection('/notes/');
  core.start();
  await settle();
  core.setSection('/ms/re\u0301sume\u0301/');
  await settle();
  const {warning, section, activity} = core.getSnapshot();
  assert.deepEqual([names(warning), section, activity], ['Alice', '/ms/re\u0301sume\u0301/', 'viewing']);
  assert.equal(env.last.body.section, 'ms/r\u00e9sum\u00e9');
  assert.equal(core.chooseDifferent(), '/notes/');
  await settle();
  assert.deepEqual([core.currentSection, env.last.body.section], ['/notes/', 'notes']);
});

test('another spelling of the current section sends nothing and keeps the answer to the warning', async () => { // case 22
  const env = new FakeEnvironment();
  env.set(user(2, 'Alice', 'intro'));
  const core = env.core();
  core.start();
  core.setSection('intro');
  await settle();
  core.editAnyway();
  await settle();
  const sent = env.sent.length;
  core.setSection('./intro/');
  await settle();
  assert.deepEqual([env.sent.length, core.currentSection, core.getSnapshot().warning.length, core.getSnapshot().activity], [sent, './intro/', 0, 'editing']);
});

test('your own tab in another spelling of your section is not listed as another window', async () => { // rule 7
  const env = new FakeEnvironment();
  const core = env.core();
  core.start();
  core.setSection('/a/');
  await settle();
  assert.deepEqual([core.getSnapshot().you?.sections, core.getSnapshot().ownWindows], [['a'], []]);
});

test('a section that is only slashes is no section', async () => { // rule 4
  const env = new FakeEnvironment();
  const core = env.core();
  core.start();
  core.setSection('/');
  await settle();
  assert.deepEqual([env.last.body.section, env.last.body.activity, core.currentSection, core.getSnapshot().activity], ['', 'viewing', '/', 'viewing']);
});
