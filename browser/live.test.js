/** What may happen to a live connection: proxies, restarts, pages that are kept, frozen or killed; in Chromium, and in Firefox. */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {startProxy} from './proxy.js';
import {LEASE, NODES, SOON, badgeSays, beats, firefox, is, listSays, newProject, several, watch, world, writer} from './world.js';

const here = world();
const patient = world({lease: 60_000}); // where nobody's lease ends within a test
const keeping = world({bfcache: true, lease: 60_000});
const gecko = firefox && NODES === 1 && world({engine: 'firefox'});

test('a change is on the other screen long before any poll', async () => {
  const project = newProject(patient);
  const a = await writer(patient, project, 'User A', {way: 'live'});
  const b = await writer(patient, project, 'User B', {way: 'live'});
  await badgeSays(b, '📝 1');
  const requests = [];
  b.on('request', (request) => requests.push(request.url()));
  await a.locator('#texfile-selector').selectOption({value: 'manuscript/results'});
  await b.locator('[data-presence-section="manuscript/results"]').filter({hasText: 'User A'}).waitFor({timeout: 800});
  assert.deepEqual(requests, [], 'a live page asks');
  for (const page of [a, b]) await page.context().close();
});

for (const refusal of ['refuse', 'silent']) {
  test(`where a proxy is in the way (${refusal}) the page polls within five seconds, and is live when it can be`, {skip: several.onePage}, async () => { // case 31
    const proxy = await startProxy(here.url);
    proxy.live = refusal;
    const through = {...here, next: () => proxy.url};
    const project = newProject(here);
    const b = await writer(here, project, 'User B');
    const began = Date.now();
    const a = await writer(through, project, 'User A', {section: 'manuscript/abstract', status: 'polling'});
    assert.ok(Date.now() - began < 6_000, `it polled after ${Date.now() - began} ms, the loading of the page included`);
    await listSays(b, ['User A (Abstract)']);
    await badgeSays(a, '📝 1');
    await watch(b);
    proxy.live = 'let';
    proxy.cut();
    await is(a, 'live', 40_000);
    proxy.cut(); // and what breaks comes back, one way or the other
    await a.locator('#status:not([data-status=live])').waitFor({state: 'attached', timeout: SOON});
    await is(a, 'live', 40_000);
    assert.deepEqual(await b.evaluate(() => globalThis.seen.filter((text) => text !== '📝 1')), []);
    for (const page of [a, b]) await page.context().close();
    proxy.stop();
  });
}

test('a server that restarts shows nobody leaving, and its pages come back live', {skip: several.oneProcess}, async () => { // cases 10, 30, 33
  const project = newProject(patient);
  const a = await writer(patient, project, 'User A', {section: 'manuscript/abstract'});
  const b = await writer(patient, project, 'User B');
  await badgeSays(b, '📝 1');
  await watch(b);
  await patient.stop();
  await is(b, 'connecting');
  await b.locator('#presence-badge').hover();
  await b.locator('#presence-list[data-stale]').filter({hasText: 'User A (Abstract)'}).waitFor({timeout: SOON});
  await patient.start();
  for (const page of [a, b]) await is(page, 'live', 40_000);
  await listSays(b, ['User A (Abstract)']);
  assert.deepEqual(await b.evaluate(() => globalThis.seen.filter((text) => text !== '📝 1')), []);
  for (const page of [a, b]) await page.context().close();
});

test('a page that the browser keeps when it is left is gone, and here again when it is shown', async () => { // case 8
  const project = newProject(keeping);
  const a = await writer(keeping, project, 'User A', {section: 'manuscript/abstract'});
  const b = await writer(keeping, project, 'User B');
  await badgeSays(b, '📝 1');
  await a.evaluate(() => { globalThis.kept = true; });
  await a.goto(`${keeping.url}/writer/api/client/strings.js`);
  await badgeSays(b, null);
  await a.evaluate(() => { history.back(); });
  await is(a, a.way);
  assert.equal(await a.evaluate(() => globalThis.kept), true, 'the browser did not keep the page');
  await listSays(b, ['User A (Abstract)']);
  for (const page of [a, b]) await page.context().close();
});

test('a page that stands still is gone after its lease, though its socket is open, and back when it goes on', async () => { // rule 11
  const project = newProject(here);
  const a = await writer(here, project, 'User A', {section: 'manuscript/abstract', way: 'live'});
  const b = await writer(here, project, 'User B');
  await badgeSays(b, '📝 1');
  const still = a.evaluate((ms) => { for (const until = Date.now() + ms; Date.now() < until;); }, 2 * LEASE);
  await badgeSays(b, null);
  await still;
  await badgeSays(b, '📝 1');
  for (const page of [a, b]) await page.context().close();
});

test('a page that is killed is gone fifteen seconds later', async () => { // rule 9
  const project = newProject(patient);
  const b = await writer(patient, project, 'User B');
  const a = await writer(patient, project, 'User A', {section: 'manuscript/abstract', way: 'live'});
  await badgeSays(b, '📝 1');
  await a.goto('chrome://crash').catch(() => {});
  await beats(patient, 10);
  await badgeSays(b, '📝 1');
  await badgeSays(b, null);
  await b.context().close();
});

test('a duplicated tab is a session of its own; closing one keeps the other', {skip: several.oneAddress}, async () => { // case 9
  const project = newProject(here);
  const a = await writer(here, project, 'User A', {section: 'manuscript/abstract'});
  const b = await writer(here, project, 'User B');
  await a.evaluate(() => sessionStorage.setItem('a', 'copy'));
  const [twin] = await Promise.all([a.context().waitForEvent('page'), a.evaluate(() => { open(location.href); })]);
  await is(twin, a.way);
  assert.equal(await twin.evaluate(() => sessionStorage.getItem('a')), 'copy', 'the browser did not copy the storage');
  await twin.close();
  await beats(here, 5);
  await listSays(b, ['User A (Abstract)']);
  for (const page of [a, b]) await page.context().close();
});

test('in Firefox, too: live, warned, reloaded without a flicker, and gone', {skip: several.onePage || (!firefox && 'there is no Firefox here')}, async () => { // rule 9
  const project = newProject(gecko);
  const a = await writer(gecko, project, 'User A', {section: 'manuscript/abstract'});
  const b = await writer(gecko, project, 'User B', {section: 'manuscript/methods'});
  await badgeSays(b, '📝 1');
  await b.locator('#texfile-selector').selectOption({value: 'manuscript/abstract'});
  await b.locator('.presence-warning').filter({hasText: 'User A is editing this section'}).waitFor({timeout: SOON});
  await watch(b);
  await a.reload();
  await is(a, 'live');
  await beats(gecko, 5);
  assert.deepEqual(await b.evaluate(() => globalThis.seen.filter((text) => text !== '📝 1')), []);
  await a.goto('about:blank');
  await badgeSays(b, null);
  await b.locator('.presence-warning').waitFor({state: 'hidden', timeout: SOON});
  assert.deepEqual(b.errors, []);
  await b.context().close();
});
