/** The headings of rich texts: the list follows changes, and sections are stable, unique and short. */

import assert from 'node:assert/strict';
import test from 'node:test';
import {changed, headingAt, settled} from '../editors/headings.js';

/** @typedef {import('../editors/headings.js').Block} Block @typedef {import('../editors/headings.js').Heading} Heading */

/** A text of lines, of which those that begin with `# ` are headings. */
class Text {
  /** @type {readonly Heading[]} */ headings;

  /** @param {string} text */
  constructor(text) {
    this.text = text;
    this.headings = changed([], {from: 0, oldTo: 0, newTo: text.length, blocks: this.blocks()}, 'paper').headings;
  }

  /** @returns {Block[]} */
  blocks() {
    return [...this.text.matchAll(/^# (.*)\n/gm)].map(({0: line, 1: title, index}) => {
      const [, words, id] = /^(.*?)(?: \{(\S*)\})?$/.exec(title) ?? [];
      return {at: index, end: index + line.length, title: words, id};
    });
  }

  /** Replaces a range. @param {number} from @param {number} to @param {string} text */
  replace(from, to, text) {
    this.text = this.text.slice(0, from) + text + this.text.slice(to);
    const newTo = from + text.length;
    const placeOf = (/** @type {Heading} */ {at}) => (at < from ? at : at >= to ? at + newTo - to : from);
    this.headings = changed(this.headings, {from, oldTo: to, newTo, placeOf, blocks: this.blocks().filter(({at, end}) => end >= from && at <= newTo)}, 'paper').headings;
  }

  /** @param {string} words @param {string} by */
  edit(words, by) {
    const at = this.text.indexOf(words);
    this.replace(at, at + words.length, by);
  }

  settle(caret = -1, held = '') {
    const {headings, renamed} = settled(this.headings, caret, 'paper', (section) => section === held);
    this.headings = headings;
    return renamed;
  }

  get sections() {
    return this.headings.map(({section}) => section.replace('paper/', ''));
  }
}

test('a section is the id of its heading, or made from its title, and unique', () => {
  const text = new Text('# Intro\n# Über  Größe!\n# Intro\n# Data {raw-data}\n# \n# Raw data\n# Intro 2\n# …\n');
  assert.deepEqual(text.sections, ['intro', 'über-größe', 'intro-2', 'raw-data', 'section', 'raw-data-2', 'intro-2-2', 'section-2']);
});

test('a heading keeps its section while it is renamed, moves, or others are added and removed', () => {
  const text = new Text('# Intro\ntext\n# Methods\ntext\n# Methods\n');
  text.edit('Intro', 'Introduct');
  text.edit('Introduct', 'Introduction');
  assert.deepEqual(text.sections, ['intro', 'methods', 'methods-2']);
  text.replace(0, 0, '# Methods\n');
  assert.deepEqual(text.sections, ['methods-3', 'intro', 'methods', 'methods-2']);
  text.replace(0, text.text.indexOf('# Methods\ntext'), '');
  assert.deepEqual(text.sections, ['methods', 'methods-2']);
  text.replace(0, 0, '# A\n# B\n');
  text.replace(0, 8, '# B\n# A\n');
  assert.deepEqual(text.sections, ['b', 'a', 'methods', 'methods-2']);
});

test('a new heading has the section of its whole title as soon as the caret has left it', () => {
  const text = new Text('# Intro\ntext\n');
  text.replace(8, 8, '# M\n');
  for (const [i, letter] of [...'ethods'].entries()) text.replace(11 + i, 11 + i, letter);
  assert.deepEqual(text.sections, ['intro', 'm']);
  assert.deepEqual(text.settle(12), []);
  assert.deepEqual(text.settle(-1, 'paper/m'), [], 'others are in it');
  assert.deepEqual(text.settle(), [{from: 'paper/m', to: 'paper/methods'}]);
  assert.deepEqual(text.sections, ['intro', 'methods']);
});

test('sections have at most 100 characters, also of long and of many equal headings', {timeout: 20_000}, () => { // work that grows with the square takes longer
  const text = new Text('# ' + '𝒳'.repeat(5000) + '\n# ' + 'x'.repeat(10_000) + '\n# ' + `<b>\0&${'y'.repeat(200)}\n`.repeat(2) + '# Same\n'.repeat(10_000));
  assert.equal(new Set(text.sections).size, text.headings.length);
  for (const {section} of text.headings) assert.ok([...section].length <= 100, section);
  text.replace(2, 2, 'z');
  assert.deepEqual(text.settle().length, 1);
});

test('after random changes the headings are those of a full scan, and once settled the sections, too', () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  let state = seed;
  const random = (/** @type {number} */ below) => (state = (state * 48271) % 2147483647) % below;
  const parts = ['\n', '# ', 'a', 'b', '# A\n', 'text\n', '# A {x}\n', '# B\n'];
  for (let run = 0; run < 30; run++) {
    const text = new Text('# A\ntext\n# B\ntext\n# A\n');
    for (let i = 0; i < 100; i++) {
      const from = random(text.text.length + 1);
      text.replace(from, Math.min(text.text.length, from + (random(3) ? 0 : random(20))), parts[random(parts.length)]);
      const blocks = text.blocks();
      assert.deepEqual(text.headings.map(({at, end, title, id}) => ({at, end, title, id})), blocks, `seed ${seed}`);
      assert.equal(new Set(text.sections).size, blocks.length, `unique, seed ${seed}`);
      const at = random(text.text.length + 1);
      assert.equal(headingAt(text.headings, at)?.at, blocks.findLast((block) => block.at <= at)?.at, `seed ${seed}`);
    }
    text.settle();
    assert.deepEqual(text.sections, new Text(text.text).sections, `seed ${seed}`);
  }
});
