/** The recipes in the documents compile, construct what they say, and render on a server. */

import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
import test, {after} from 'node:test';
import {client, codeOf, recipes, root, withClient} from './recipes.js';

// In node_modules, so that imports find React.
const folder = mkdtempSync(join(root, 'node_modules/.recipes-'));
after(() => rmSync(folder, {recursive: true}));

const all = recipes('js', 'jsx', 'html').filter((recipe) => codeOf(recipe).includes('resence'));

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
declare function fetchToken(): Promise<string>;
`;

test('the documents have recipes', () => {
  const count = (/** @type {string} */ language) => all.filter((recipe) => recipe.language === language).length;
  assert.ok(count('html') >= 4 && count('js') >= 7 && count('jsx') >= 1, `${count('html')} html, ${count('js')} js, ${count('jsx')} jsx`);
});

test('each recipe in the documents has no type error', () => {
  writeFileSync(join(folder, 'globals.d.ts'), GLOBALS);
  const files = all.map((recipe) => {
    const file = `${recipe.name.replace(/\W/g, '-')}.${recipe.language === 'jsx' ? 'jsx' : 'js'}`;
    writeFileSync(join(folder, file), `${withClient(codeOf(recipe))}\nexport {};\n`);
    return file;
  });
  const options = '--ignoreConfig --noEmit --allowJs --checkJs --skipLibCheck --strictNullChecks false --noImplicitAny false --jsx react-jsx --target es2022 --module esnext --moduleResolution bundler --lib es2023,dom,dom.iterable --types';
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  try {
    execFileSync(process.execPath, [tsc, ...options.split(' '), 'react', 'globals.d.ts', ...files], {cwd: folder, encoding: 'utf8', stdio: 'pipe'});
  } catch (error) {
    assert.fail(/** @type {any} */ (error).stdout);
  }
});

for (const recipe of all.filter(({language}) => language === 'js')) {
  const code = codeOf(recipe);
  if (/\bdocument\b/.test(code)) continue; // needs a page
  test(`the recipe of ${recipe.name} runs`, () => {
    const prelude = `
      import {PresenceManager as Manager} from ${JSON.stringify(client)};
      globalThis.fetch = async () => { throw new TypeError('no network'); };
      delete globalThis.WebSocket;
      const page = {editor: Object.assign(new EventTarget(), {value: ''}), addEventListener() {}, load: async () => ({text: '', revision: '1'}), router: {afterEach: (run) => [{params: {section: 'a'}}, {params: {}}].forEach(run)}};
      Object.assign(globalThis, page, {PresenceManager: Manager, presence: new Manager('demo'), project: 'demo', projectId: 'demo', user: 1, userId: 1, token: 'x', text: '# Introduction\\n', caret: 0, options: {}, fetchToken: async () => 'x'});`;
    const source = `${prelude}\nawait import('data:text/javascript,' + encodeURIComponent(${JSON.stringify(withClient(code).replaceAll(join(root, 'client/'), pathToFileURL(join(root, 'client/')).href))}));\nprocess.exit();`;
    execFileSync(process.execPath, ['--input-type=module', '-e', source], {encoding: 'utf8', stdio: 'pipe'});
  });
}
