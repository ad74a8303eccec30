/**
 * Writes the generated parts of the npm package: `client/types/` (declarations from the JSDoc), `client/custom-elements.json` (the Custom
 * Elements Manifest) and `client/dist/writer-presence.min.js` (client and interface in one file, which the server serves too). Only the last
 * one is committed, because the server embeds it: a test compares it with what this script writes.
 */

import {execFileSync} from 'node:child_process';
import {appendFileSync, readFileSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import * as analyzer from '@custom-elements-manifest/analyzer';
import {build} from 'esbuild';

const client = fileURLToPath(new URL('../client/', import.meta.url));
const {create, ts} = /** @type {any} */ (analyzer);
const {version, exports: entries} = JSON.parse(readFileSync(`${client}package.json`, 'utf8'));

/** Bundles and minifies the client into one module. @param {import('esbuild').BuildOptions} options where to write it */
export const bundle = (options) => build({
  ...options, entryPoints: [`${client}writer-presence.js`], bundle: true, minify: true, format: 'esm', target: 'es2022', legalComments: 'none',
  banner: {js: `/*! writer-presence ${version} | MIT */`},
});

function writeTypes() {
  rmSync(`${client}types`, {recursive: true, force: true});
  const modules = Object.values(entries).flatMap((entry) => (typeof entry === 'object' ? [`${client}${entry.default}`] : []));
  const options = [
    '--ignoreConfig', '--allowJs', '--declaration', '--emitDeclarationOnly', '--stripInternal', '--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler',
    '--lib', 'es2023,dom,dom.iterable', '--types', '', '--skipLibCheck', '--rootDir', client, '--outDir', `${client}types`,
  ];
  execFileSync(process.execPath, [fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url)), ...options, ...modules], {stdio: 'inherit'});
}

/** Adds the elements to the types of the page, so that `querySelector('writer-presence')` has the right one. @param {any} elements the manifest */
function declareElements(elements) {
  const tags = elements.modules.flatMap((/** @type {any} */ {declarations}) => declarations).filter((/** @type {any} */ {tagName}) => tagName);
  const lines = tags.map((/** @type {any} */ {tagName, name}) => `    '${tagName}': import('./index.js').${name};\n`).join('');
  appendFileSync(`${client}types/element/define.d.ts`, `declare global {\n  interface HTMLElementTagNameMap {\n${lines}  }\n}\n`);
}

/** The Custom Elements Manifest, from the JSDoc of the elements, without what pages cannot use. @returns {any} */
export function manifest() {
  const internal = ['base.js', 'counts.js', 'registry.js'];
  const paths = readdirSync(`${client}element`).filter((name) => !internal.includes(name)).sort().map((name) => `element/${name}`);
  const modules = paths.map((path) => ts.createSourceFile(path, readFileSync(client + path, 'utf8'), ts.ScriptTarget.ES2022, true));
  const written = create({modules, plugins: [], context: {dev: false}});
  for (const declaration of written.modules.flatMap((/** @type {any} */ {declarations}) => declarations)) {
    declaration.members = declaration.members?.filter((/** @type {any} */ {privacy}) => privacy !== 'private');
  }
  return written;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const elements = manifest();
  writeTypes();
  declareElements(elements);
  writeFileSync(`${client}custom-elements.json`, `${JSON.stringify(elements, null, 2)}\n`);
  await bundle({outfile: `${client}dist/writer-presence.min.js`});
}
