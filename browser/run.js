// Runs all files of tests that are here, three at a time: the long ones first, so that none is left alone at the end, where
// `node --test` takes them by their names.
import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {run} from 'node:test';
import {tap} from 'node:test/reporters';
import {fileURLToPath} from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const long = ['live.test.js', 'scenarios.test.js', 'django.test.js'];
const all = readdirSync(here).filter((name) => name.endsWith('.test.js'));
const files = [...long, ...all.filter((name) => !long.includes(name))].map((name) => join(here, name));

run({files, concurrency: 3})
  .on('test:fail', () => { process.exitCode = 1; })
  .compose(tap)
  .pipe(process.stdout);
