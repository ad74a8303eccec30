/** The outline of a text: its headings, their sections, and how it follows changes. */

import assert from 'node:assert/strict';
import test from 'node:test';
import {normalSection} from '../section.js';
import {Outline, outline} from '../editors/outline.js';
import {generator} from './fixtures.js';

/** @typedef {'markdown' | 'latex' | 'html'} Format */

/** `level title [id]` of each heading. @param {string} text @param {Format} format */
const shown = (text, format) => outline(text, format).headings.map(({level, title, id}) => `${level} ${title} [${id}]`);

test('LaTeX: \\part to \\paragraph, starred and with a short title, comments and verbatim text left out', () => {
  assert.deepEqual(shown(String.raw`
% \section{no}
\part{One} \chapter{Two} text \section*{Three}
\subsection[short {]} one]{Four \emph{x} 50\% of \LaTeX{} caf\'e}
\subsubsection {Five % \section{no}
  lines}
\paragraph[]{Six}
\begin{verbatim}
\section{no}
\begin{comment}
% \end{verbatim} and \section{Seven}
\begin{minted}[x]{latex} \section{no} \end{lstlisting}
\end{minted}
\begin{lstlisting}
\end{verbatim} \section{no}
\end{lstlisting}
\begin{comment}
\section{no}
\end{comment}
\verb|\section{no}| \\% \section{no}
\%\section{Eight}
\renewcommand{\section}{no} \sectionmark{no} \let\old\section
\section{Nine`, 'latex'), [
    '1 One [one]', '2 Two [two]', '3 Three [three]', '4 Four x 50% of LaTeX café [four-x-50-of-latex-café]', '5 Five lines [five-lines]',
    '6 Six [six]', '3 Eight [eight]', '3 Nine [nine]',
  ]);
});

test('LaTeX: a label in or behind a heading is its id', () => {
  assert.deepEqual(shown(String.raw`\section{A}\label{sec:a}
\section{B} % comment
  \label{sec:b/1}
\section{C\label{c}}
\section{D}

\label{no}
\section{E} text \label{no}
\section{F}\label{   }`, 'latex'), ['3 A [sec:a]', '3 B [sec:b-1]', '3 C [c]', '3 D [d]', '3 E [e]', '3 F [f]']);
});

test('Markdown: ATX and setext headings, and none in fences, front matter, comments, quotations, lists and indented code', () => {
  assert.deepEqual(shown(`---
title: no
---
# One #
Two *of*
two lines
===
###### [Six](http://x) \`code\` {.y #the-id z}
#no
####### no
    # no
> # no
- no
---
paragraph

---
\`\`\`\`sh
# no
\`\`\`
~~~
# no
\`\`\`\`
~~~ a\`b
# no
~~~~
\`\`\` in \`line\` code
## snake_case __bold__ \\# #5
<!-- x
# no
--> text
<pre>
# no
</pre>
## Übersicht
    code
---
#
~~~
# no`, 'markdown'), [
    '1 One [one]', '1 Two of two lines [two-of-two-lines]', '6 Six code [the-id]', '2 snake_case bold # #5 [snake_case-bold-5]', '2 Übersicht [übersicht]', '1  [section]',
  ]);
  assert.deepEqual(shown('---\n# One\ntext', 'markdown'), ['1 One [one]'], 'front matter that does not end is none');
  assert.deepEqual(shown('+++\n# no\n+++\n# One\r\nTwo\r\n---\r\n', 'markdown'), ['1 One [one]', '2 Two [two]']);
});

test('HTML: h1 to h6, and none in comments, scripts, styles and preformatted text', () => {
  assert.deepEqual(shown(`<!-- <h1>no</h1> --><title><h1>no</h1></title><h1 title="a > b" id="The id">One &amp; <b>1</b><!-- x --></h1>
<script>"<h2>no</h2>" // <!-- </script><H2 ID=two>Two
  lines</H2 ><style><h3>no</h3></style><pre>
<h3>no</h3></pre><textarea><h3>no</h3></textarea><h3>Three<h4 data-id="no">&#70;our&#x21;</h4><!--><h5>Five</h5><h7>no</h7><header>no</header>
<h6>Six`, 'html'), [
    '1 One & 1 [The-id]', '2 Two lines [two]', '3 Three [three]', '4 Four! [four]', '5 Five [five]', '6 Six [six]',
  ]);
});

test('a heading has the range of its own and of its part of the text, and the section at an offset is that of the heading above', () => {
  const text = 'intro\n# A\ntext\n\nB\n-\nend';
  const {headings, sectionAt} = outline(text, 'markdown', {prefix: '/paper.md//'});
  assert.deepEqual(headings.map(({from, to, end}) => [text.slice(from, to), text.slice(to, end)]), [['# A', '\ntext\n\n'], ['B\n-', '\nend']]);
  assert.deepEqual([0, 5, 6, 14, 16, 24, 999].map(sectionAt), ['paper.md', 'paper.md', 'paper.md/a', 'paper.md/a', 'paper.md/b', 'paper.md/b', 'paper.md/b']);
  assert.equal(outline(text, 'markdown').sectionAt(0), '');
  assert.equal(outline('', 'latex').sectionAt(0), '');
});

test('sections are unique and what the server accepts: at most 100 characters in its normal form', () => {
  const long = '語'.repeat(300);
  const titles = ['Same', 'Same', 'same', 'Same 2', long, long, `${'𝒳'.repeat(120)}`, '...', '\u3164', '\u0301', '\0\u200b\u202e', '', '😀', 'a\u030a', 'x/y//z', '-- a --', '\ud800', 'Ünï\u00adcode', `<img src=x onerror=alert(1)>`];
  const prefix = 'p'.repeat(80);
  for (const [format, write] of /** @type {[Format, (title: string) => string][]} */ ([
    ['markdown', (title) => `# ${title}\n`], ['markdown', (title) => `# x {#${title}}\n`],
    ['latex', (title) => `\\section{${title}}\n`], ['latex', (title) => `\\section{x}\\label{${title}}\n`],
    ['html', (title) => `<h1>${title}</h1>`], ['html', (title) => `<h1 id="${title}">x</h1>`],
  ])) {
    for (const options of [{}, {prefix}]) {
      const {headings} = outline(titles.map(write).join(''), format, options);
      assert.equal(headings.length, titles.length, format);
      assert.equal(new Set(headings.map(({section}) => section)).size, titles.length, `${format}: unique`);
      for (const {section, id} of headings) {
        assert.ok([...section].length <= 100, section);
        assert.equal(normalSection(section), section);
        assert.match(id, /[\p{L}\p{N}]/u);
        assert.doesNotMatch(section, /[\p{Cc}\p{Cs}\p{Zs}\p{Bidi_Control}\u00ad\u200b\ufffd]/u);
      }
    }
  }
  assert.throws(() => outline('', 'latex', {prefix: 'p'.repeat(81)}), /prefix of the sections is 81 characters long; the limit is 80/);
  assert.throws(() => outline('', /** @type {any} */ ('rst')), /no outline of the format rst: pass 'markdown', 'latex' or 'html'/);
});

test('a heading that is renamed keeps its section, by an earlier outline and by changes', () => {
  const write = (/** @type {string[]} */ ...titles) => titles.map((title) => `# ${title}\n`).join('');
  const before = outline(write('A', 'B', 'C', 'B'), 'markdown');
  const ids = (/** @type {string[]} */ ...titles) => outline(write(...titles), 'markdown', {previous: before}).headings.map(({id}) => id).join();
  assert.equal(ids('A', 'New', 'C', 'B'), 'a,b,c,b-2');
  assert.equal(ids('A', 'B', 'C', 'New'), 'a,b,c,b-2');
  assert.equal(ids('A', 'C', 'B', 'B'), 'a,c,b,b-2', 'moved');
  assert.equal(ids('A', 'X', 'B', 'C', 'B'), 'a,x,b,c,b-2', 'added');
  assert.equal(ids('A', 'B', 'B'), 'a,b,b-2', 'removed');
  const again = outline(write('A', 'Newer', 'C', 'B'), 'markdown', {previous: outline(write('A', 'New', 'C', 'B'), 'markdown', {previous: before})});
  assert.equal(again.headings.map(({id}) => id).join(), 'a,b,c,b-2', 'twice');

  let text = write('A', 'B', 'C');
  const live = new Outline(text, 'markdown');
  /** @param {number} from @param {number} to @param {string} insert */
  const edit = (from, to, insert) => {
    text = text.slice(0, from) + insert + text.slice(to);
    return live.update(text, [{from, to, length: insert.length}]);
  };
  for (const char of 'etter') assert.equal(edit(text.indexOf('\n# C'), text.indexOf('\n# C'), char), true);
  assert.deepEqual(live.headings.map(({title, section}) => `${title} ${section}`), ['A a', 'Better b', 'C c']);
  edit(text.indexOf('# B'), text.indexOf('# C'), '');
  edit(text.indexOf('# C'), text.indexOf('# C'), '# Other\n');
  assert.deepEqual(live.headings.map(({section}) => section), ['a', 'other', 'c'], 'a new heading is another section');

  const at = text.indexOf('# Other');
  edit(at + 2, at + 7, 'Third');
  assert.deepEqual(live.settle(at + 3), [], 'the caret is in the heading');
  assert.deepEqual(live.settle(0, (section) => section === 'other'), [], 'others hold the section');
  assert.equal(live.headings[1].section, 'other');
  assert.deepEqual(live.settle(0), [{from: 'other', to: 'third'}]);
  assert.equal(live.headings[1].section, 'third');
  assert.equal(live.find('third')?.from, at);
  assert.equal(live.find('other'), undefined);
  assert.equal(edit(0, 0, 'text\n\n'), false, 'headings only move');
  assert.equal(live.headings[0].from, 6);
});

/** Pieces of which random texts consist, so that they often begin, end and break blocks. @type {Record<Format, string[]>} */
const PIECES = {
  latex: ['\\section{A}', '\\subsection[x]{B', '}', '\n', '\n\n', '%', '\\', '\\label{l}', '\\begin{verbatim}', '\\end{verbatim}', '\\begin{comment}', '\\end{comment}', '\\verb|', '|', ' ', 'word', '\\part*', '{', '[', ']', '\\chapter', '\r\n'],
  markdown: ['# A', '## B {#b}', '\n', '\n\n', '---', '===', '```', '````', '~~~', ' ', '    ', 'word', '\n---\n', '\nword\n---\n', '- ', '> ', '<!--', '-->', '<pre>', '</pre>', '+++\n', '...\n', '#', '\r\n', '\t'],
  html: ['<h1>A</h1>', '<h2 id="b">', '</h2>', '<!--', '-->', '<script>', '</script>', '<pre>', '</pre>', '<', '>', '-', '!', '/', 'h3', '"', ' ', '\n', 'word', '<h4', '&amp;'],
};

test('after random changes an outline is the one of the new text, apart from kept sections', () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`# SEED=${seed}`);
  const random = generator(seed);
  const below = (/** @type {number} */ n) => Math.floor(random() * n);
  for (const format of /** @type {Format[]} */ (Object.keys(PIECES))) {
    const write = (/** @type {number} */ n) => Array.from({length: below(n)}, () => (below(400) ? PIECES[format][below(PIECES[format].length)] : 'long '.repeat(5_000))).join('');
    for (let round = 0; round < 60; round++) {
      let text = write(60);
      const live = new Outline(text, format);
      for (let step = 0; step < 25; step++) {
        const before = text;
        /** @type {import('../editors/outline.js').Change[]} */ const changes = [];
        let offset = 0;
        let next = '';
        for (let n = below(3) + 1, at = 0; n > 0; n--) {
          const from = at + below(Math.max(1, Math.min(text.length, 20_100) - at));
          const to = Math.min(text.length, from + (below(2) ? below(12) : 0));
          if (from > text.length) break;
          const insert = below(3) ? write(4) : '';
          changes.push({from, to, length: insert.length});
          next += text.slice(offset, from) + insert;
          offset = at = to;
        }
        text = next + text.slice(offset);
        live.update(text, changes);
        const fresh = outline(text, format);
        const where = `SEED=${seed} ${format}\n${JSON.stringify(before)}\n${JSON.stringify(text)}\n${JSON.stringify(changes)}`;
        const places = (/** @type {Outline} */ {headings}) => headings.map(({level, title, from, to, end}) => ({level, title, from, to, end}));
        assert.deepEqual(places(live), places(fresh), where);
        assert.equal(new Set(live.headings.map(({id}) => id)).size, live.headings.length, `unique: ${where}`);
        if (below(4)) continue;
        live.settle();
        assert.deepEqual(live.headings, fresh.headings, where);
      }
    }
  }
});

test('texts of 10 MB, 10,000 headings, headings of 10 kB and broken markup cost bounded work', () => {
  /** What an outline may read, so that the bound is on work and not on time. @param {string} text */
  const counted = (text) => ({
    read: 0,
    get length() { return text.length; },
    /** @param {number} from @param {number} to */
    slice(from, to) {
      this.read += Math.min(to, text.length) - from;
      return text.slice(from, to);
    },
  });
  const MB = 1_000_000;
  /** @type {[Format, string][]} */ const texts = [
    ['latex', `\\section{x}\n${'words and \\emph{words}\n'.repeat(100)}`.repeat(4_300)], ['latex', '\\section{'.repeat(100_000)], ['latex', '\\section{\n'.repeat(100_000)], ['latex', 'x'.repeat(10 * MB)],
    ['latex', `\\section{${'x'.repeat(10_000)}}\n`.repeat(100)], ['latex', '\\verb|'.repeat(100_000)], ['latex', '%\n'.repeat(100_000)], ['latex', '\\section['.repeat(100_000)], ['latex', '\0'.repeat(MB)],
    ['markdown', '# x\n\ntext\n'.repeat(10_000)], ['markdown', `# ${'x'.repeat(10_000)}\n`.repeat(100)], ['markdown', `# ${'[a]('.repeat(5_000)}\n`.repeat(100)], ['markdown', `# ${'{#a '.repeat(5_000)}}\n`.repeat(100)],
    ['markdown', 'a\n---\n'.repeat(100_000)], ['markdown', '- '.repeat(500_000)], ['markdown', `${'a\n'.repeat(100_000)}---\n`], ['markdown', '# # '.repeat(100_000)], ['markdown', '#'.repeat(MB)], ['markdown', '*_`'.repeat(MB)],
    ['html', '<h1>x</h1><p>text</p>'.repeat(10_000)], ['html', '<h1 '.repeat(100_000)], ['html', '<h1>'.repeat(100_000)], ['html', '<'.repeat(MB)], ['html', '<!--'.repeat(100_000)], ['html', `<h1>${'<'.repeat(15_000)}</h1>`.repeat(100)],
    ['html', `<h1 id="${'x'.repeat(10_000)}">${'&amp;'.repeat(2_000)}</h1>`.repeat(100)], ['html', 'x'.repeat(10 * MB)],
  ];
  for (const [format, text] of texts) {
    const name = `${format} ${JSON.stringify(text.slice(0, 30))}`;
    const started = process.cpuUsage();
    const live = new Outline(text, format);
    const {user} = process.cpuUsage(started);
    assert.ok(user < 10_000_000, `${name}: ${user / 1000} ms`); // quadratic work takes minutes
    for (const at of [0, text.length >> 1, text.length]) {
      const source = counted(`${text.slice(0, at)}x${text.slice(at)}`);
      live.update(source, [{from: at, to: at, length: 1}]);
      assert.ok(source.read < 1_000_000, `${name}: a key at ${at} reads ${source.read} characters`);
      live.update(text, [{from: at, to: at + 1, length: 0}]);
    }
    for (const {title, section} of live.headings) assert.ok(title.length <= 200 && section.length <= 100);
  }
});
