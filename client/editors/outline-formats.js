/**
 * Finds the marks of a text: headings, and the beginnings and ends of blocks in which no headings are. What a mark is depends on the text
 * near it and not on the marks before it, so after a change only the changed units are scanned again: lines, in HTML tags.
 *
 * @typedef {{readonly length: number, slice(from: number, to: number): string}} Source a text that is read by ranges: a string, or an
 *   adapter to the document of an editor
 *
 * @typedef {object} Mark
 * @property {number} unit the beginning of its unit
 * @property {number} from
 * @property {number} to
 * @property {number} reach how far the text was read to decide what it is: a change before or at this offset may change it
 * @property {number} [level] of a heading, 1 to 6
 * @property {string} [title] of a heading
 * @property {string} [name] the id that the author gave to a heading
 * @property {string} [opens] the block that begins here, unless in another block
 * @property {string} [closes] the block that ends here
 *
 * @typedef {object} Format
 * @property {number} width a change may affect the unit that begins up to so many characters before it
 * @property {(source: Source, at: number) => number} unitAt the beginning of the unit at an offset; -1: too far away to matter
 * @property {(source: Source, at: number) => number} affected the beginning of the last unit that a change at an offset may affect
 * @property {(source: Source, from: number, to: number) => Mark[]} scan the marks of the units that begin in a range, both ends included
 * @property {(block: string, mark: Mark) => boolean} closes whether a block ends at a mark
 */

/** Only the beginning of a longer line, and only the beginning of a longer heading, is read. */
export const LONGEST = 20_000;
const MAX_TITLE = 200;
const SETEXT_LINES = 10; // of a heading that is underlined

/** @type {Map<string, number>} */
const LATEX_LEVELS = new Map(['part', 'chapter', 'section', 'subsection', 'subsubsection', 'paragraph'].map((name, i) => [name, i + 1]));
const LATEX_TOKEN = /%|\\(?:(part|chapter|(?:sub){0,2}section|paragraph)(?![A-Za-z@])|begin[ \t]*\{([A-Za-z]+\*?)\}|end[ \t]*\{([A-Za-z]+\*?)\}|(?:verb\*?|lstinline)([^A-Za-z*\s{[])|[^])/g;
const LATEX_END = /\\end[ \t]*\{([A-Za-z]+\*?)\}/g;
const LATEX_HEADING = /\\(?:part|chapter|(?:sub){0,2}section|paragraph)(?![A-Za-z@])/y;
const LOOKAHEAD = 100; // how far is read to decide that an argument cannot go on: an empty line, or the name of a command
const LATEX_LABEL = /\\label[ \t]*\{([^{}\n]*)\}/;
const VERBATIM = new Set(['verbatim', 'verbatim*', 'Verbatim', 'Verbatim*', 'BVerbatim', 'LVerbatim', 'lstlisting', 'minted', 'comment', 'filecontents', 'filecontents*']);

/** A title for people: one line without control characters. @param {string} text */
const titleOf = (text) => text.replace(/[\s\p{Cc}]+/gu, ' ').trim().slice(0, MAX_TITLE).replace(/[\ud800-\udbff]$/, '');

// ---- lines

/** @param {Source} source @param {number} at @returns {number} */
function lineStart(source, at) {
  for (let to = at, size = 200; to > 0; size *= 4) {
    const from = Math.max(0, to - size);
    const found = source.slice(from, to).lastIndexOf('\n');
    if (found >= 0) return from + found + 1;
    if (from && at - from > LONGEST) return -1;
    to = from;
  }
  return at > LONGEST ? -1 : 0;
}

/** The end of the line at an offset, without the line break, or far behind the offset. @param {Source} source @param {number} at @returns {number} */
function lineEnd(source, at) {
  for (let from = at, size = 200; from < source.length && from <= at + LONGEST; from += size, size *= 4) {
    const found = source.slice(from, from + size).indexOf('\n');
    if (found >= 0) return from + found;
  }
  return Math.min(source.length, at + LONGEST);
}

/** @param {Source} source @param {number} from @param {number} to @param {(line: string, at: number) => void} visit each line that begins in the range */
function eachLine(source, from, to, visit) {
  const text = source.slice(from, lineEnd(source, to) + 1);
  for (let at = 0; from + at <= to;) {
    const next = text.indexOf('\n', at);
    const line = text.slice(at, Math.min(next < 0 ? text.length : next, at + LONGEST));
    visit(line.endsWith('\r') ? line.slice(0, -1) : line, from + at);
    if (next < 0) return;
    at = next + 1;
  }
}

/**
 * Reads on from an offset, in a few steps, until `parse` has what it needs or the rest is too long.
 * @template T @param {Source} source @param {number} from @param {(text: string) => T | null} parse null: it needs more @returns {T | null}
 */
function parseAt(source, from, parse) {
  for (const size of [200, 2000, LONGEST]) {
    const parsed = parse(source.slice(from, from + size));
    if (parsed) return parsed;
    if (from + size > source.length) return null;
  }
  return null;
}

// ---- LaTeX

/** Skips white space within a paragraph, and comments. @param {string} text @param {number} at */
function skipBlank(text, at) {
  for (let breaks = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '%') {
      at = (text.indexOf('\n', at) + 1 || text.length + 1) - 1; // the comment has its line break
    } else if (char === '\n' ? ++breaks > 1 : !/\s/.test(char)) break;
  }
  return Math.min(at, text.length);
}

/**
 * The end of an argument in brackets, which contains no paragraph and no heading.
 * @param {string} text @param {number} at of the opening bracket @returns {{end: number, closed: boolean}} `end`: behind the bracket, or where it cannot go on
 */
function argument(text, at) {
  const close = text[at] === '[' ? ']' : '}';
  let depth = 0;
  for (let i = at + 1; i < text.length; i++) {
    const char = text[i];
    if (char === close && !depth) return {end: i + 1, closed: true};
    if (char === '{') depth++;
    else if (char === '}') depth--;
    else if (char === '%') i = (text.indexOf('\n', i) + 1 || text.length + 1) - 1;
    else if (char === '\n' && /^[ \t\r]*\n/.test(text.slice(i + 1, i + LOOKAHEAD))) return {end: i, closed: false};
    else if (char === '\\') {
      LATEX_HEADING.lastIndex = i;
      if (LATEX_HEADING.test(text)) return {end: i, closed: false};
      i++;
    }
    if (depth < 0) return {end: i, closed: false};
  }
  return {end: text.length, closed: false};
}

const ACCENTS = {"'": '\u0301', '`': '\u0300', '^': '\u0302', '"': '\u0308', '~': '\u0303'};

/** @param {string} source */
function latexTitle(source) {
  const text = source.slice(0, 4 * MAX_TITLE).replace(/\\[^]|%[^\n]*\n?[ \t]*/g, (found) => (found[0] === '\\' ? found : ''))
    .replace(LATEX_LABEL, '')
    .replace(/\\(['`^"~])(?:\{([A-Za-z])\}|([A-Za-z]))/g, (_, accent, a, b) => (a ?? b) + ACCENTS[/** @type {keyof typeof ACCENTS} */ (accent)])
    .replace(/\\(LaTeX|TeX|BibTeX)(?![A-Za-z])[ \t]*/g, '$1')
    .replace(/\\[A-Za-z@]+\*?[ \t]*/g, '').replace(/\\[\\\s]/g, ' ').replace(/[{}$]|\\(?=[^])/g, '').replace(/~/g, ' ');
  return titleOf(text.normalize());
}

/** @param {Source} source @param {number} unit @param {number} from @param {string} command @returns {Mark} */
function latexHeading(source, unit, from, command) {
  /** @param {string} text */
  const parse = (text) => {
    let at = skipBlank(text, command.length + 1 + Number(text[command.length + 1] === '*'));
    if (text[at] === '[') {
      const {end, closed} = argument(text, at);
      if (end === text.length) return null;
      at = closed ? skipBlank(text, end) : end;
    }
    if (at === text.length) return null;
    if (text[at] !== '{') return {at: -1, end: at, reach: at + LOOKAHEAD, closed: true, label: null};
    const {end, closed} = argument(text, at);
    if (end === text.length) return null;
    const lineBreak = text.indexOf('\n', at);
    const after = closed ? skipBlank(text, end) : end;
    const line = text.indexOf('\n', after);
    if (line < 0 && closed) return null;
    const label = closed ? LATEX_LABEL.exec(text.slice(at, end)) ?? (text.startsWith('\\label', after) ? LATEX_LABEL.exec(text.slice(after, line)) : null) : null;
    return {at, end: closed || lineBreak < 0 ? end : Math.min(end, lineBreak), reach: closed ? line + 2 : end + LOOKAHEAD, closed, label};
  };
  // A heading at the end of the text is read as if an empty line followed.
  const ended = (/** @type {string} */ text) => (from + text.length === source.length ? `${text}\n\n` : text);
  const {at, end, reach, closed, label} = parseAt(source, from, (text) => parse(ended(text)))
    ?? {at: source.slice(from, from + 100).indexOf('{'), end: LONGEST, reach: LONGEST, closed: false, label: null}; // an argument that is too long
  /** @type {Mark} */ const mark = {unit, from, to: Math.min(source.length, from + command.length + 1), reach: Math.min(source.length, from + reach)};
  if (at < 0) return mark; // as in \renewcommand{\section}
  mark.to = Math.min(source.length, from + end);
  return Object.assign(mark, {level: LATEX_LEVELS.get(command), title: latexTitle(source.slice(from + at + 1, closed ? mark.to - 1 : mark.to)), name: label?.[1]});
}

/** @type {Format} */
const latex = {
  width: 0,
  unitAt: lineStart,
  affected: (_, at) => at,
  closes: (block, {closes}) => closes === block,
  scan(source, from, to) {
    /** @type {Mark[]} */ const marks = [];
    eachLine(source, from, to, (line, unit) => {
      if (!line.includes('\\')) return;
      const add = (/** @type {number} */ at, /** @type {string} */ found, /** @type {Partial<Mark>} */ what) =>
        marks.push({unit, from: unit + at, to: unit + at + found.length, reach: unit + at + found.length, ...what});
      const end = (/** @type {RegExpExecArray} */ match, /** @type {string} */ name, offset = 0) => VERBATIM.has(name) && add(offset + match.index, match[0], {closes: name});
      LATEX_TOKEN.lastIndex = 0;
      /** @type {RegExpExecArray | null} */ let match;
      while ((match = LATEX_TOKEN.exec(line))) {
        const {0: found, 1: command, 2: begun, 3: ended, 4: quote, index} = match;
        if (command) marks.push(latexHeading(source, unit, unit + index, command));
        else if (begun && VERBATIM.has(begun)) add(index, found, {opens: begun});
        else if (ended) end(match, ended);
        else if (quote) LATEX_TOKEN.lastIndex = line.indexOf(quote, LATEX_TOKEN.lastIndex) + 1 || LATEX_TOKEN.lastIndex;
        else if (found === '%') {
          // In a block without commands it is no comment, so the block may end behind it.
          for (const match of line.slice(index).matchAll(LATEX_END)) end(match, match[1], index);
          break;
        }
      }
    });
    return marks;
  },
};

// ---- Markdown

const ATX = /^ {0,3}(#{1,6})(?:[ \t]+(.*))?$/s;
const UNDERLINE = /^ {0,3}(=+|-+)[ \t]*$/;
const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/s;
const HTML_BLOCK = /^ {0,3}<(!--|(?:script|pre|style|textarea)(?=[\s>]|$))/i;
const HTML_END = /-->|<\/(?:script|pre|style|textarea)>/gi;
/** Lines that end a paragraph, or are in a list or quotation, whose underlines are no headings of the text. */
const NO_PARAGRAPH = /^ {0,3}(?:#{1,6}(?:[ \t]|$)|`{3}|~{3}|>|[-+*](?:[ \t]|$)|\d{1,9}[.)](?:[ \t]|$)|(?:=+|-+)[ \t]*$|(?:[*_-][ \t]*){3,}$|<(?:!--|script|pre|style|textarea))/i;
const LIST = /^ {0,3}(?:>|[-+*](?:\s|$)|\d{1,9}[.)](?:\s|$))/;

/** The paragraph above a line. @param {Source} source @param {number} at @returns {{from: number, text: string} | null} null: none, or it is too long for a heading */
function paragraphAbove(source, at) {
  /** @type {string[]} */ const lines = [];
  let from = at;
  while (from > 0) {
    if (lines.length > SETEXT_LINES) return null;
    const start = lineStart(source, from - 1);
    if (start < 0 || at - start > LONGEST) return null;
    const line = source.slice(start, from - 1);
    if (!line.trim()) break;
    if (NO_PARAGRAPH.test(line.trimEnd())) {
      if (LIST.test(line)) return null;
      break;
    }
    lines.unshift(line);
    from = start;
  }
  if (lines.length > SETEXT_LINES) return null;
  while (lines.length && /^(?: {4}| {0,3}\t)/.test(lines[0])) from += /** @type {string} */ (lines.shift()).length + 1; // indented code
  return lines.length ? {from, text: lines.map((line) => line.trim()).join(' ')} : null;
}

/** The title without marks, and the id of `{#id}` at its end. @param {string} source */
function markdownTitle(source) {
  let text = source.trim();
  let name;
  const brace = text.endsWith('}') ? text.lastIndexOf('{') : -1;
  if (brace >= 0) {
    const found = /^\{[ \t]*(?:[^}]*[ \t])?#([^\s}]+)[^}]*\}$/.exec(text.slice(brace, brace + 300));
    if (found) {
      name = found[1];
      text = text.slice(0, brace).trimEnd();
    }
  }
  const short = text.slice(0, 4 * MAX_TITLE).replace(/!?\[([^[\]]*)\](?:\([^()]*\)|\[[^[\]]*\])/g, '$1').replace(/<[^<>]*>/g, '')
    .replace(/\\([!-/:-@[-`{-~])|(\*+|`+|~~|(?<![\p{L}\p{N}])_+|_+(?![\p{L}\p{N}]))/gu, (_, escaped = '') => escaped);
  return {title: titleOf(short), name};
}

/** Without the closing sequence of `#`. @param {string} text */
function withoutClosing(text) {
  const trimmed = text.trimEnd();
  let end = trimmed.length;
  while (trimmed[end - 1] === '#') end--;
  return end === 0 || /[ \t]/.test(trimmed[end - 1]) ? trimmed.slice(0, end) : trimmed;
}

/** @type {Format} */
const markdown = {
  width: 0,
  unitAt: lineStart,
  // An underline depends on the lines of its paragraph.
  affected(source, at) {
    let end = lineEnd(source, at);
    let start = at;
    for (let i = 0; i <= SETEXT_LINES + 1 && end - at <= LONGEST && source.slice(end, end + 1) === '\n'; i++) {
      start = end + 1;
      end = lineEnd(source, start);
      if (!source.slice(start, end).trim()) break;
    }
    return start;
  },
  closes(block, {closes}) {
    return closes !== undefined && (/^[`~]/.test(block) ? closes.startsWith(block) : closes === block);
  },
  scan(source, from, to) {
    /** @type {Mark[]} */ const marks = [];
    eachLine(source, from, to, (line, unit) => {
      const add = (/** @type {Partial<Mark>} */ what) => marks.push({unit, from: unit, to: unit + line.length, reach: unit + line.length, ...what});
      const first = line.trimStart()[0];
      if (first === undefined) return;
      if (unit === 0 && /^(?:---|\+\+\+)[ \t]*$/.test(line)) return add({opens: line.slice(0, 3)});
      if (first === '#') {
        const [, marker, rest = ''] = ATX.exec(line) ?? [];
        if (marker) add({level: marker.length, ...markdownTitle(withoutClosing(rest))});
      } else if (first === '`' || first === '~') {
        const [, fence, info] = FENCE.exec(line) ?? [];
        if (fence && !(first === '`' && info.includes('`'))) add({opens: fence, closes: info.trim() ? undefined : fence});
      } else if (first === '=' || first === '-') {
        const [, marker] = UNDERLINE.exec(line) ?? [];
        if (marker) {
          const paragraph = paragraphAbove(source, unit);
          const closes = /^---[ \t]*$/.test(line) ? '---' : undefined;
          if (paragraph) add({from: paragraph.from, level: marker[0] === '=' ? 1 : 2, closes, ...markdownTitle(paragraph.text)});
          else if (closes) add({closes});
        }
      } else if (/^(?:\.\.\.|\+\+\+)[ \t]*$/.test(line)) {
        add({closes: first === '.' ? '---' : '+++'});
      } else if (first === '<') {
        const [, opened] = HTML_BLOCK.exec(line) ?? [];
        if (opened) add({opens: opened === '!--' ? '-->' : '</'});
      }
      if (!line.includes('>')) return;
      for (const {0: found, index} of line.matchAll(HTML_END)) add({from: unit + index, closes: found === '-->' ? found : '</'});
    });
    return marks;
  },
};

// ---- HTML

const TAG = /<(!--|\/?(?:h[1-6]|script|style|pre|textarea|title)(?=[\s/>]))|-->/gi;
const TAG_LENGTH = 16; // at least that of what TAG reads
const OPENING = /^<h[1-6](?:[^<>"']|"[^"]*"|'[^']*')*/i; // up to its `>`
const HEADING_TAG = /<\/?h[1-6](?=[\s/>])/gi;
const ID = /\sid\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i;
/** @type {Record<string, string>} */ const ENTITIES = {amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' '};

/** @param {string} text */
const decoded = (text) => text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]+));/gi, (entity, decimal, hex, name) => {
  const code = decimal ? Number(decimal) : parseInt(hex, 16);
  return name ? (ENTITIES[name] ?? entity) : code <= 0x10ffff ? String.fromCodePoint(code) : entity;
});

/** @param {Source} source @param {number} from @returns {Mark} */
function htmlHeading(source, from) {
  /** @param {string} text @param {boolean} all */
  const parse = (text, all) => {
    let [opening = ''] = OPENING.exec(text) ?? [];
    const next = text[opening.length];
    if (next !== '>') return next === '<' || all ? {opening: '', title: '', end: 0, reach: next === '<' ? opening.length + 1 : text.length} : null;
    opening += next;
    HEADING_TAG.lastIndex = opening.length;
    const tag = HEADING_TAG.exec(text);
    const closes = tag?.[0][1] === '/';
    const closing = closes ? text.indexOf('>', tag.index) : 0;
    if ((!tag || closing < 0) && !all) return null;
    const until = tag?.index ?? text.length;
    const end = closing < 0 ? text.length : closing + 1;
    return {opening, title: text.slice(opening.length, until), end: closes ? end : opening.length, reach: Math.max(until + TAG_LENGTH, end)};
  };
  const {opening, title, end, reach} = /** @type {NonNullable<ReturnType<typeof parse>>} */ (
    parseAt(source, from, (text) => parse(text, from + text.length === source.length)) ?? parse(source.slice(from, from + LONGEST), true));
  /** @type {Mark} */ const mark = {unit: from, from, to: from + Math.max(end, 1), reach: Math.min(source.length, from + reach)};
  if (!opening) return mark;
  const id = ID.exec(opening);
  const plain = title.slice(0, 20 * MAX_TITLE).replace(/<!--(?:[^-]|-(?!->))*-->/g, '').replace(/<[^<>]*>/g, '');
  return Object.assign(mark, {level: Number(opening[2]), title: titleOf(decoded(plain)), name: id ? decoded(id[1] ?? id[2] ?? id[3]) : undefined});
}

/** @type {Format} */
const html = {
  width: TAG_LENGTH, // so a unit that is read begins before each change
  unitAt: (_, at) => Math.max(0, at),
  affected: (_, at) => at,
  closes: (block, {closes}) => closes === block,
  scan(source, from, to) {
    /** @type {Mark[]} */ const marks = [];
    const text = source.slice(from, to + TAG_LENGTH);
    TAG.lastIndex = 0;
    for (let match; (match = TAG.exec(text));) {
      const at = from + match.index;
      if (at > to) break;
      TAG.lastIndex = match.index + 1; // `<!-->` begins and ends a comment
      const found = match[0].toLowerCase();
      const mark = {unit: at, from: at, to: at + found.length, reach: at + TAG_LENGTH};
      if (found === '-->') marks.push({...mark, closes: found});
      else if (found === '<!--') marks.push({...mark, opens: '-->'});
      else if (/^<h[1-6]/.test(found)) marks.push(htmlHeading(source, at));
      else if (found[1] !== '/') marks.push({...mark, opens: found.slice(1)});
      else if (!/^<\/h/.test(found)) marks.push({...mark, closes: found.slice(2)});
    }
    return marks;
  },
};

/** @type {Record<string, Format>} */
export const FORMATS = {markdown, latex, html};
