/** The recipes in the documents compile, construct what they say, and render on a server. */

import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
import test, {after} from 'node:test';
import {transformSync} from 'esbuild';
import {compile as compileSvelte} from 'svelte/compiler';
import {parse as parseMarkup} from 'vue/compiler-sfc';
import {manifest} from '../../scripts/build-package.js';
import {DECLARATIONS, moduleOf} from './recipe-types.js';
import {client, codeOf, recipes, root, withClient} from './recipes.js';

// In node_modules, so that imports find React.
const folder = mkdtempSync(join(root, 'node_modules/.recipes-'));
after(() => rmSync(folder, {recursive: true}));

// browser/hosts.test.js runs the sites of docs/how-to/hosts.
const scripts = recipes('js', 'jsx', 'vue', 'svelte', 'html').filter((recipe) => codeOf(recipe) && !recipe.name.startsWith('docs/how-to/hosts/'));
const markup = recipes('html');
const styles = recipes('css');

/** The guides for the people who build pages: a test checks each of their code blocks. */
const GUIDES = [
  ...['custom-elements', 'editors', 'editors-rich-text', 'javascript-client', 'react', 'svelte', 'test-your-page', 'vue'].map((name) => `docs/how-to/${name}.md`),
  'client/README.md',
];

/** Blocks of these guides that no test here checks, by their text, with the reason. @type {Record<string, string>} */
const UNCHECKED = {
  'npm install writer-presence\n': 'needs the registry; browser/installed.test.js installs the packed package instead',
  [`npm ci && npm pack --workspace client                     # in the checkout: writes writer-presence-0.1.0.tgz
npm install ../writer-presence/writer-presence-0.1.0.tgz  # in your project
`]: 'browser/installed.test.js packs and installs it so',
  [`npm install prosemirror-state prosemirror-view prosemirror-schema-basic
npm install @tiptap/core @tiptap/pm @tiptap/starter-kit
npm install quill
npm install monaco-editor
`]: 'needs the registry; package.json of this repository has the same packages',
};

/** The custom elements as the package describes them. */
const elements = manifest().modules.flatMap((/** @type {any} */ {declarations}) => declarations).filter((/** @type {any} */ {tagName}) => tagName);

/** What recipes take from the page around them. */
const GLOBALS = `
declare const PresenceManager: typeof import(${JSON.stringify(client)}).PresenceManager;
declare const presence: import(${JSON.stringify(client)}).PresenceManager;
declare const project: string, projectId: string, userId: number | null, user: number | null, token: string, options: object;
declare function load(section: string): Promise<{text: string, revision: string}>;
declare function store(section: string, text: string): Promise<string>;
declare function saveSoon(section: string, text: string): void;
declare function notify(text: string): void;
declare const router: {afterEach(run: (to: {params: {section?: string}}) => void): void};
declare const editor: HTMLTextAreaElement;
declare const text: string, caret: number, revision: string;
interface Element { value: any } // recipes know which element a selector finds
interface HTMLElementTagNameMap { 'writer-presence': import(${JSON.stringify(join(root, 'client/element/index.js'))}).WriterPresence }
declare function fetchToken(): Promise<string>;
declare module '*.css';
declare module '*?worker' { export default class extends Worker { constructor(); } }
interface Window { MonacoEnvironment: import('monaco-editor').Environment }
`;

test('the documents have recipes', () => {
  const count = (/** @type {string} */ language) => scripts.filter((recipe) => recipe.language === language).length;
  assert.ok(count('html') >= 4 && count('js') >= 7 && count('jsx') >= 1, `${count('html')} html, ${count('js')} js, ${count('jsx')} jsx`);
});

test('each code block of the guides for pages is checked here, or has a reason why not', () => {
  const checked = new Set([...scripts, ...markup, ...styles].map(({name}) => name));
  const blocks = GUIDES.flatMap((guide) => {
    const found = recipes().filter(({name}) => name.startsWith(`${guide}:`));
    const fences = readFileSync(join(root, guide), 'utf8').match(/^[\s>]*(```|~~~)/gm)?.length;
    assert.equal(fences, 2 * found.length, `${guide} has a block without a language, or one that is indented`);
    return found;
  });
  const rest = blocks.filter(({name}) => !checked.has(name));
  assert.deepEqual(rest.filter(({text}) => !UNCHECKED[text]).map(({name}) => name), [], 'blocks that nothing checks: add a check of the language, or the reason to UNCHECKED');
  assert.deepEqual(Object.keys(UNCHECKED).filter((text) => !rest.some((block) => block.text === text)), [], 'reasons without a block');
});

test('each recipe in the documents has no type error', () => {
  writeFileSync(join(folder, 'globals.d.ts'), DECLARATIONS + GLOBALS);
  const files = scripts.map((recipe) => {
    const [source, extension] = moduleOf(recipe);
    const file = `${recipe.name.replace(/\W/g, '-')}.${extension}`;
    writeFileSync(join(folder, file), `${withClient(source)}\nexport {};\n`);
    return file;
  });
  const options = '--ignoreConfig --noEmit --allowJs --checkJs --skipLibCheck --strictNullChecks false --noImplicitAny false --jsx react-jsx --target es2022 --module esnext --moduleResolution bundler --lib es2023,dom,dom.iterable --types';
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  try {
    execFileSync(process.execPath, [tsc, ...options.split(' '), 'react,node', 'globals.d.ts', ...files], {cwd: folder, encoding: 'utf8', stdio: 'pipe'});
  } catch (error) {
    assert.fail(/** @type {any} */ (error).stdout);
  }
});

test('Svelte has no warning for a recipe', () => {
  const warnings = recipes('svelte').flatMap(({name, text}) => compileSvelte(text, {filename: 'App.svelte'}).warnings.map(({message}) => `${name}: ${message}`));
  assert.deepEqual(warnings, []);
});

test('the HTML in the documents is well-formed, and names elements, attributes and files that exist', () => {
  for (const {name, text} of markup) {
    const {errors} = parseMarkup(`<template>${text.replace(/<script\b.*?<\/script>|\{\{.*?\}\}/gs, '')}</template>`);
    assert.deepEqual(errors.map(({message}) => message), [], name);
    for (const [, tag, attributes] of text.matchAll(/<((?:writer-)?presence(?:-\w+)?)\b([^>]*)>/g)) {
      const known = elements.find((/** @type {any} */ {tagName}) => tagName === tag)?.attributes?.map((/** @type {any} */ attribute) => attribute.name);
      assert.ok(known, `${name}: <${tag}>`);
      for (const [, attribute] of attributes.matchAll(/([\w-]+)(?:="[^"]*")?/g)) assert.ok([...known, 'id', 'class'].includes(attribute), `${name}: ${attribute} of <${tag}>`);
    }
    for (const [, file] of text.matchAll(/src="\/static\/writer-presence\/([^"]*)"/g)) readFileSync(join(root, 'client', file));
  }
});

test('the CSS in the documents has no mistake that the parser finds, and properties that the client has', () => {
  const known = readFileSync(join(root, 'client/presence-style.js'), 'utf8') + JSON.stringify(elements);
  for (const {name, text} of styles) {
    assert.deepEqual(transformSync(text, {loader: 'css', logLevel: 'silent'}).warnings.map((warning) => warning.text), [], name);
    for (const [property] of text.matchAll(/--presence-[\w-]+/g)) assert.ok(known.includes(property), `${name}: ${property}`);
  }
});

for (const recipe of scripts.filter(({language}) => language === 'js')) {
  const code = codeOf(recipe);
  if (/\bdocument\b|\?worker'/.test(code)) continue; // needs a page, or a bundler
  test(`the recipe of ${recipe.name} runs`, () => {
    const prelude = `
      import {PresenceManager as Manager} from ${JSON.stringify(client)};
      globalThis.fetch = async () => { throw new TypeError('no network'); };
      delete globalThis.WebSocket;
      const page = {editor: Object.assign(new EventTarget(), {value: ''}), addEventListener() {}, load: async () => ({text: '', revision: '1'}), router: {afterEach: (run) => [{params: {section: 'a'}}, {params: {}}].forEach(run)}};
      Object.assign(globalThis, page, {PresenceManager: Manager, presence: new Manager('demo'), project: 'demo', projectId: 'demo', user: 1, userId: 1, token: 'x', text: '# Introduction\\n', caret: 0, options: {}, fetchToken: async () => 'x'});`;
    const source = `${prelude}\nawait import('data:text/javascript,' + encodeURIComponent(${JSON.stringify(withClient(code).replaceAll(`"${root}`, `"${pathToFileURL(root).href}`))}));\nprocess.exit();`;
    execFileSync(process.execPath, ['--input-type=module', '-e', source], {encoding: 'utf8', stdio: 'pipe'});
  });
}
