/** Measures what a page has to load, minified and compressed, and fails above the budget. */
import {gzipSync} from 'node:zlib';
import {fileURLToPath} from 'node:url';
import {build} from 'esbuild';

const BUDGETS = {'presence-core.js': 9_100, 'writer-presence.js': 22_880};

for (const [file, budget] of Object.entries(BUDGETS)) {
  const entry = fileURLToPath(new URL(`../${file}`, import.meta.url));
  const {outputFiles} = await build({entryPoints: [entry], bundle: true, minify: true, format: 'esm', target: 'es2022', write: false});
  const size = gzipSync(outputFiles[0].contents, {level: 9}).length;
  console.log(`${file}: ${size} bytes of ${budget}`);
  if (size > budget) process.exitCode = 1;
}
