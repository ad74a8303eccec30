/**
 * How soon pages are back after an outage of their server, and how many attempts they make: the distribution over many real clients on a
 * fake clock. `PAGES=2000 node --test client/test/presence-outage.test.js` has 2,000 pages in every outage, and takes minutes.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import {generator} from './fixtures.js';
import {outage} from './outage.js';

const PAGES = Number(process.env.PAGES ?? 0);
const SEED = Number(process.env.SEED ?? 29);

/** @param {number[]} sorted @param {number} share */
const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];

/** @param {import('node:test').TestContext} t @param {Parameters<typeof outage>[0]} way */
async function measure(t, way) {
  const {back, attempts, returns} = await outage({...way, random: generator(SEED)});
  const within = (/** @type {number} */ seconds) => back.filter((at) => at <= seconds).length / way.pages;
  const steady = attempts.slice(45);
  const rates = {
    first: attempts[0] / way.pages,
    peak: Math.max(...attempts) / way.pages,
    steadyPeak: Math.max(0, ...steady) / way.pages,
    steadyMean: steady.reduce((sum, n) => sum + n, 0) / Math.max(1, steady.length) / way.pages,
    returnPeak: Math.max(...returns.slice(0, 30)) / way.pages,
  };
  const words = Object.entries(rates).map(([name, rate]) => `${name} ${rate.toFixed(3)}`).join(', ');
  t.diagnostic(`${JSON.stringify(way)} SEED=${SEED}: ${back.length} back; half after ${quantile(back, 0.5).toFixed(1)} s, 90 % ${quantile(back, 0.9).toFixed(1)} s, `
    + `all ${back[back.length - 1].toFixed(1)} s; within 5 s ${(100 * within(5)).toFixed(1)} %; attempts per page and second: ${words}`);
  return {back, within, ...rates};
}

for (const [seconds, pages, live] of /** @type {[number, number, boolean][]} */ ([[5, 500, true], [60, 2000, true], [600, 100, true], [3600, 40, true], [60, 300, false]])) {
  test(`${live ? 'live' : 'polling'} pages are back after an outage of ${seconds} s: half within 5 s, all within 30 s, with bounded attempts`, async (t) => {
    const {back, within, first, peak, steadyPeak, steadyMean, returnPeak} = await measure(t, {pages: Math.max(pages, PAGES), outage: seconds, live});
    assert.equal(back.length, Math.max(pages, PAGES), 'pages that came back');
    assert.ok(within(5) >= 0.5, `${within(5)} of the pages are back within 5 s`);
    assert.equal(within(30), 1, 'pages that are back within 30 s');
    assert.ok(first <= 4 && peak <= 4, `${peak} attempts per page in one second`);
    assert.ok(steadyMean <= 0.2, `${steadyMean} attempts per page and second in a long outage`);
    assert.ok(steadyPeak <= 0.5, `${steadyPeak} attempts per page in one second of a long outage`);
    assert.ok(returnPeak <= 1, `${returnPeak} attempts per page in one second of the return`);
  });
}

test('pages whose attempts time out are back within that timeout more', async (t) => {
  const {back, within, steadyMean} = await measure(t, {pages: Math.max(300, PAGES), outage: 60, away: 'hang'});
  assert.equal(back.length, Math.max(300, PAGES));
  assert.ok(within(8 + 5) >= 0.5 && within(30) === 1, `${within(13)} of the pages are back within 13 s`);
  assert.ok(steadyMean <= 0.2, `${steadyMean} attempts per page and second`);
});

test('pages that got the same Retry-After return spread over time', async (t) => { // case 33
  for (const live of [true, false]) {
    const {back, within, returnPeak, steadyPeak, steadyMean} = await measure(t, {pages: 200, outage: 90, live, retryAfter: 20});
    assert.equal(back.length, 200);
    assert.ok(within(45) === 1, 'all are back within the time that was asked for, half as much, and the backoff');
    assert.ok(returnPeak <= 0.2 && steadyPeak <= 0.2, `${returnPeak} and ${steadyPeak} attempts per page in one second`);
    assert.ok(steadyMean <= 1 / 20, `${steadyMean} attempts per page and second; asked for was one in 20 s`);
  }
});

test('pages of a draining server return spread over the time it gave', async (t) => { // case 33
  const {back, within, peak, returnPeak} = await measure(t, {pages: 300, outage: 1, drain: 10});
  assert.equal(back.length, 300);
  assert.ok(peak <= 0.5 && returnPeak <= 0.5, `${peak} and ${returnPeak} attempts per page in one second`);
  assert.equal(within(15), 1);
});
