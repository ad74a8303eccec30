/**
 * Writes the generated parts of the npm package: `client/types/` (declarations from the JSDoc), `client/custom-elements.json` (the Custom
 * Elements Manifest) and `client/dist/writer-presence.min.js` (client and interface in one file, which the server serves too). Only the last
 * one is committed, because the server embeds it: a test compares it with what this script writes.
 */

import {execFileSync} from 'node:child_process';
import {appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, relative} from 'node:path';
import {fileURLToPath} from 'node:url';
import {build} from 'esbuild';

const client = fileURLToPath(new URL('../client/', import.meta.url));
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
    '--ignoreConfig', '--allowJs', '--declaration', '--emitDeclarationOnly', '--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler',
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
  const folder = mkdtempSync(join(tmpdir(), 'writer-presence-manifest-'));
  const internal = ['base', 'counts', 'registry'].flatMap((name) => ['--exclude', `element/${name}.js`]);
  const analyzer = fileURLToPath(new URL('../node_modules/@custom-elements-manifest/analyzer/cem.js', import.meta.url));
  try {
    // By default the analyzer writes the folder into package.json, and its command line has no word for `no`.
    writeFileSync(join(folder, 'config.mjs'), 'export default {packagejson: false};');
    const options = ['--globs', 'element/*.js', ...internal, '--outdir', relative(client, folder), '--config', relative(client, join(folder, 'config.mjs')), '--quiet'];
    execFileSync(process.execPath, [analyzer, 'analyze', ...options], {cwd: client, stdio: ['ignore', 'ignore', 'inherit']});
    const written = JSON.parse(readFileSync(join(folder, 'custom-elements.json'), 'utf8'));
    for (const declaration of written.modules.flatMap((/** @type {any} */ {declarations}) => declarations)) {
      declaration.members = declaration.members?.filter((/** @type {any} */ {privacy}) => privacy !== 'private');
    }
    return written;
  } finally {
    rmSync(folder, {recursive: true});
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const elements = manifest();
  writeTypes();
  declareElements(elements);
  writeFileSync(`${client}custom-elements.json`, `${JSON.stringify(elements, null, 2)}\n`);
  await bundle({outfile: `${client}dist/writer-presence.min.js`});
}
