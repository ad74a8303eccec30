// Runs all test files of this folder, three at a time. The long ones start first, so that none runs alone at the end;
// `node --test` would start them in the order of their names.
import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {run} from 'node:test';
import {tap} from 'node:test/reporters';
import {fileURLToPath} from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));
const long = ['live.test.js', 'scenarios.test.js', 'django.test.js'];
const all = readdirSync(folder).filter((name) => name.endsWith('.test.js'));
const files = [...long, ...all.filter((name) => !long.includes(name))].map((name) => join(folder, name));

run({files, concurrency: 3})
  .on('test:fail', () => { process.exitCode = 1; })
  .compose(tap)
  .pipe(process.stdout);
