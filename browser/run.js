// Runs all test files of this folder in Chromium, and interface, list and elements in Firefox and WebKit too. ENGINE names one engine, which runs
// all files, and ENGINE=all runs all files in each: that takes too long for every change, and most files test the server with a client that
// is the same in each engine. Four files run at a time, because they mostly wait. The long ones start first, so that none runs alone at the
// end; `node --test` would start them in the order of their names.
import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {run} from 'node:test';
import {tap} from 'node:test/reporters';
import {fileURLToPath} from 'node:url';
import {programOf} from './fixtures.js';

const folder = fileURLToPath(new URL('.', import.meta.url));
const long = ['live', 'scenarios', 'accessible', 'django', 'pages', 'interface', 'examples'].map((name) => `${name}.test.js`);
const all = readdirSync(folder).filter((name) => name.endsWith('.test.js'));
const files = [...long, ...all.filter((name) => !long.includes(name))].map((name) => join(folder, name));
const wanted = process.env.ENGINE;
const engines = wanted && wanted !== 'all' ? [wanted] : ['chromium', 'firefox', 'webkit'];
const ofInterface = ['interface', 'list', 'elements'].map((name) => join(folder, `${name}.test.js`));

for (const engine of engines) {
  if (!programOf(engine) && engines.length > 1) {
    console.log(`# ${engine} # SKIP it is not installed: run scripts/prepare`);
    continue;
  }
  process.env.ENGINE = engine; // the test files inherit it
  const started = Date.now();
  /** Puts the engine before the names of the tests. */
  const named = async function* (events) {
    for await (const event of events) yield event.data?.name ? {...event, data: {...event.data, name: `${engine}: ${event.data.name}`}} : event;
  };
  await run({files: wanted || engine === 'chromium' ? files : ofInterface, concurrency: 4})
    .on('test:fail', () => { process.exitCode = 1; })
    .compose(named)
    .compose(tap)
    .forEach((text) => process.stdout.write(text));
  console.log(`# ${engine}: ${Math.round((Date.now() - started) / 1000)} s`);
}
