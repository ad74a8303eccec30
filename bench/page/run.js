/**
 * Measures what presence costs a page: CPU of the core for each delta, beside parsing its JSON, and the share of the main thread in
 * Chromium with 20 changes a second. Prints tables.
 *
 *     scripts/npm-ci && node bench/page/run.js [seconds for each measurement, 10 by default]
 */

import {cpus} from 'node:os';
import {measureCore} from './core.js';
import {startBrowser} from './browser.js';

const RATE = 20;
const ROUNDS = 5;
const seconds = Number(process.argv[2] ?? 10);

/** @param {number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

console.log(`${cpus()[0].model}, Node ${process.version}\n`);
console.log('| people | core, µs CPU a delta | of it JSON.parse |\n| --- | --- | --- |');
for (const people of [10, 100, 1000]) {
  const rounds = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push(await measureCore(people, 2000));
  console.log(`| ${people} | ${median(rounds.map(({core}) => core)).toFixed(0)} | ${median(rounds.map(({parse}) => parse)).toFixed(0)} |`);
}

console.log(`\n| people, ${RATE} changes/s | main thread, list closed | list open |\n| --- | --- | --- |`);
const browser = await startBrowser();
for (const people of [10, 100, 1000]) {
  const shares = [];
  for (const open of [false, true]) shares.push(await browser.measure(people, open, seconds, RATE));
  console.log(`| ${people} | ${shares.map((share) => `${(100 * share).toFixed(1)} %`).join(' | ')} |`);
}
await browser.close();
