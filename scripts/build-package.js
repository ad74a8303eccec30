/**
 * Writes the generated parts of the npm package: `client/types/` (declarations from the JSDoc) and
 * `client/dist/writer-presence.min.js` (client and interface in one file, which the server serves too). Only the last one is committed, because the server embeds it: a test compares it with what this script writes.
 */

import {execFileSync} from 'node:child_process';
import {readFileSync, rmSync} from 'node:fs';
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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeTypes();
  await bundle({outfile: `${client}dist/writer-presence.min.js`});
}
