/**
 * Measures what one key costs the outline of a LaTeX file of 1 MB, in the document of CodeMirror, beside a scan of the whole text. Prints a table.
 *
 *     node bench/page/outline.js
 */

import {cpus} from 'node:os';
import {ChangeSet, Text} from '@codemirror/state';
import {sourceOf, changesOf} from '../../client/editors/codemirror-text.js';
import {Outline, outline} from '../../client/editors/outline.js';

const SIZE = 1_000_000;
const KEYS = 2_000;

const paragraph = 'The \\emph{quick} brown fox jumps over the lazy dog, which costs 50\\% of $n^2$. % checked\n'.repeat(5);
const part = (/** @type {number} */ i) => `\\section{Part ${i}}\\label{sec:${i}}\n${`${paragraph}\n`.repeat(2)}\\begin{verbatim}\n\\section{none}\n\\end{verbatim}\n`;
let text = '';
for (let i = 0; text.length < SIZE; i++) text += part(i);
const {headings} = outline(text, 'latex');
const middle = headings[headings.length >> 1];

/** Milliseconds for each of many keys typed from an offset on. @param {number} at @returns {number[]} */
function type(at) {
  let document = Text.of(text.split('\n'));
  const live = new Outline(sourceOf(document), 'latex');
  return Array.from({length: KEYS}, (_, i) => {
    const changes = ChangeSet.of({from: at + (i % 20), insert: 'x'}, document.length);
    document = changes.apply(document);
    const started = performance.now();
    live.update(sourceOf(document), changesOf(changes));
    live.sectionAt(at);
    return performance.now() - started;
  });
}

/** @param {number[]} values @param {number} share */
const quantile = (values, share) => values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))];

const scans = Array.from({length: 20}, () => {
  const started = performance.now();
  outline(text, 'latex');
  return performance.now() - started;
});

console.log(`${cpus()[0].model}, Node ${process.version}: ${text.length} characters, ${headings.length} headings\n`);
console.log('| | median, ms | 99 %, ms |\n| --- | --- | --- |');
const row = (/** @type {string} */ name, /** @type {number[]} */ values) => console.log(`| ${name} | ${quantile(values, 0.5).toFixed(3)} | ${quantile(values, 0.99).toFixed(3)} |`);
row('a scan of the whole text', scans);
row('a key in the first paragraph', type(headings[0].to + 30));
row('a key in a paragraph in the middle', type(middle.to + 30));
row('a key in a heading in the middle', type(middle.from + 10));
row('a key in a verbatim block', type(middle.end - 20));
