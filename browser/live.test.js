/** Live connections through proxies, restarts, and pages that are cached, frozen or killed. */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {startProxy} from './proxy.js';
import {LEASE, TIMEOUT, assertSoon, crash, environment, expectBadge, expectList, newProject, openPage, passHeartbeats, recordBadge, skipIf, waitForStatus} from './fixtures.js';

const env = environment();
const longLease = environment({lease: 60_000}); // no lease expires during a test
const rare = environment({lease: 120_000, heartbeat: 20_000}); // no heartbeat tells a page anything while a test waits
const withBfcache = environment({bfcache: true, lease: 60_000});

test('a change is pushed to another live page within 800 ms, without a request', async () => {
  const project = newProject(rare);
  const a = await openPage(rare, project, 'User A', {transport: 'live'});
  const b = await openPage(rare, project, 'User B', {transport: 'live'});
  await expectBadge(b, '1');
  const requests = [];
  b.on('request', (request) => requests.push(request.url()));
  await a.evaluate(() => document.addEventListener('change', () => { globalThis.changedAt = Date.now(); }, true));
  const took = [];
  for (const section of ['manuscript/results', 'manuscript/methods', 'manuscript/abstract']) {
    await b.evaluate((section) => {
      const isThere = () => [...document.querySelectorAll(`[data-presence-section="${section}"]`)].some(({textContent}) => textContent.includes('User A'));
      globalThis.shown = new Promise((shown) => new MutationObserver(() => isThere() && shown(Date.now())).observe(document.body, {childList: true, characterData: true, subtree: true}));
    }, section);
    await a.locator('#texfile-selector').selectOption({value: section});
    await b.locator(`[data-presence-section="${section}"]`).filter({hasText: 'User A'}).waitFor({timeout: TIMEOUT});
    took.push(await b.evaluate(() => globalThis.shown) - await a.evaluate(() => globalThis.changedAt));
  }
  assert.ok(Math.min(...took) < 800, `shown after ${took} ms`); // by the clocks of the pages; a machine that stalls three times shows nothing
  assert.deepEqual(requests, [], 'a live page sent requests');
  for (const page of [a, b]) await page.context().close();
});

for (const mode of ['refuse', 'silent']) {
  test(`behind a proxy that blocks live connections (${mode}) a page polls within five seconds, and is live once they pass`, {skip: skipIf.onePage}, async (t) => { // case 31
    const proxy = await startProxy(env.url);
    t.after(proxy.stop); // also if the test fails, or the process would not end
    proxy.live = mode;
    const through = {...env, next: () => proxy.url};
    const project = newProject(env);
    const b = await openPage(env, project, 'User B');
    const a = await openPage(through, project, 'User A', {section: 'manuscript/abstract', status: 'polling'});
    const took = proxy.firstUpdate - proxy.firstLive; // without the page load, whose time says nothing about the client
    assert.ok(proxy.firstLive > 0 && took >= 0 && took < 6_000, `the first update by polling came ${took} ms after the first live attempt`);
    await expectList(b, ['User A (Abstract)']);
    await expectBadge(a, '1');
    await recordBadge(b);
    proxy.live = 'let';
    proxy.cut();
    await waitForStatus(a, 'live', 40_000);
    await a.evaluate(() => {
      globalThis.statuses = [];
      const status = document.getElementById('status');
      new MutationObserver(() => globalThis.statuses.push(status.dataset.status)).observe(status, {attributes: true});
    });
    proxy.cut(); // a broken connection is replaced, live or by polling
    await assertSoon(async () => assert.ok((await a.evaluate(() => globalThis.statuses)).some((status) => status !== 'live')));
    await waitForStatus(a, 'live', 40_000);
    assert.deepEqual(await b.evaluate(() => globalThis.badgeTexts.filter((text) => text !== '1')), []);
    for (const page of [a, b]) await page.context().close();
  });
}

test('during a restart of the server nobody is shown as leaving, and pages reconnect live', {skip: skipIf.oneProcess}, async (t) => { // cases 10, 30, 33
  const project = newProject(longLease);
  const a = await openPage(longLease, project, 'User A', {section: 'manuscript/abstract'});
  const b = await openPage(longLease, project, 'User B');
  await expectBadge(b, '1');
  await recordBadge(b);
  t.after(longLease.start); // also if the test fails: others use this server
  await longLease.stop();
  await b.locator('#status:not([data-status=live])').waitFor({state: 'attached', timeout: TIMEOUT}); // "unknown" if the end took seconds
  await b.locator('#presence-badge').hover();
  await b.locator('#presence-list[data-stale]').filter({hasText: 'User A (Abstract)'}).waitFor({timeout: TIMEOUT});
  await longLease.start();
  for (const page of [a, b]) await waitForStatus(page, 'live', 40_000);
  await expectList(b, ['User A (Abstract)']);
  assert.deepEqual(await b.evaluate(() => globalThis.badgeTexts.filter((text) => text !== '1')), []);
  for (const page of [a, b]) await page.context().close();
});

test('a page in the back/forward cache is not listed, and is listed again when it is restored', {skip: skipIf.firefox('Firefox keeps no page in its back/forward cache while WebDriver BiDi drives it')}, async () => { // case 8
  const project = newProject(withBfcache);
  const a = await openPage(withBfcache, project, 'User A', {section: 'manuscript/abstract'});
  const b = await openPage(withBfcache, project, 'User B');
  await expectBadge(b, '1');
  await a.evaluate(() => { globalThis.kept = true; });
  await a.goto(`${withBfcache.url}/writer/api/client/strings.js`);
  await expectBadge(b, null);
  await a.evaluate(() => { history.back(); });
  await waitForStatus(a, a.transport);
  assert.equal(await a.evaluate(() => globalThis.kept), true, 'the browser did not keep the page');
  await expectList(b, ['User A (Abstract)']);
  for (const page of [a, b]) await page.context().close();
});

test('a frozen page is removed when its lease expires although its socket is open, and returns when it resumes', async () => { // rule 11
  const project = newProject(env);
  const a = await openPage(env, project, 'User A', {section: 'manuscript/abstract', transport: 'live'});
  const b = await openPage(env, project, 'User B');
  await expectBadge(b, '1');
  await recordBadge(b);
  await a.evaluate((ms) => { for (const until = Date.now() + ms; Date.now() < until;); }, 2 * LEASE);
  await assertSoon(async () => assert.ok((await b.evaluate(() => globalThis.badgeTexts)).includes('nobody')));
  await expectBadge(b, '1');
  for (const page of [a, b]) await page.context().close();
});

test('a crashed page is removed after fifteen seconds', {skip: skipIf.firefox('WebDriver BiDi cannot crash a page')}, async () => { // rule 9
  const project = newProject(longLease);
  const b = await openPage(longLease, project, 'User B');
  const a = await openPage(longLease, project, 'User A', {section: 'manuscript/abstract', transport: 'live'});
  await expectBadge(b, '1');
  const crashed = Date.now();
  await crash(a);
  await b.locator('#presence-badge:visible:not([data-alone])').waitFor({state: 'detached', timeout: 2 * TIMEOUT});
  assert.ok(Date.now() - crashed > 10_000, `removed after ${Date.now() - crashed} ms`);
  await b.context().close();
});

test('a duplicated tab is a separate session, and closing it keeps the original', {skip: skipIf.oneAddress || skipIf.popup}, async () => { // case 9
  const project = newProject(env);
  const a = await openPage(env, project, 'User A', {section: 'manuscript/abstract'});
  const b = await openPage(env, project, 'User B');
  await a.evaluate(() => sessionStorage.setItem('a', 'copy'));
  const [twin] = await Promise.all([a.context().waitForEvent('page'), a.evaluate(() => { open(location.href); })]);
  await waitForStatus(twin, a.transport);
  assert.equal(await twin.evaluate(() => sessionStorage.getItem('a')), 'copy', 'the browser did not copy the storage');
  await twin.close();
  await passHeartbeats(env, 5);
  await expectList(b, ['User A (Abstract)']);
  for (const page of [a, b]) await page.context().close();
});
