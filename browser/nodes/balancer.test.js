/** Several servers with one Redis behave as one, whichever of them a request reaches. */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {TIMEOUT, environment, expectBadge, newProject, openPage, passHeartbeats, recordBadge, waitForStatus} from '../fixtures.js';
import {behindBalancer, showedOnly} from './nodes.js';

const env = environment({lease: 60_000}); // no lease expires during a test

const SECTIONS = ['manuscript/methods', 'manuscript/results'];

test('a change on one server is shown by another within two seconds', async (t) => {
  const project = newProject(env);
  const a = await openPage(env, project, 'User A', {transport: 'live'});
  const b = await openPage(env, project, 'User B', {transport: 'live'});
  assert.notEqual(new URL(a.url()).origin, new URL(b.url()).origin, 'both pages are on one server');
  await expectBadge(a, '1');
  await expectBadge(b, '1');
  const took = [];
  for (let i = 0; i < 20; i++) {
    const section = SECTIONS[i % 2];
    const shown = b.evaluate((section) => new Promise((resolve) => {
      const marker = document.querySelector(`[data-presence-section="${section}"]`);
      const check = () => marker.textContent.includes('User A') && resolve(performance.timeOrigin + performance.now());
      new MutationObserver(check).observe(marker, {childList: true, characterData: true, subtree: true});
    }), section);
    const changed = await a.evaluate(async (section) => {
      // Changes within 50 ms are sent together; each of these has to be sent alone.
      for (let frame = 0; frame < 6; frame++) await new Promise(requestAnimationFrame);
      const selector = document.getElementById('texfile-selector');
      selector.value = section;
      const now = performance.timeOrigin + performance.now();
      selector.dispatchEvent(new Event('change'));
      return now;
    }, section);
    took.push(await shown - changed);
  }
  took.sort((one, other) => one - other);
  const median = (took[9] + took[10]) / 2;
  t.diagnostic(`time until another server's page shows a change: median ${median.toFixed(1)} ms, of ${took[0].toFixed(1)} to ${took[19].toFixed(1)} ms`);
  assert.ok(median < 2_000, `the median is ${median} ms`);
  for (const page of [a, b]) await page.context().close();
});

test('a page whose requests reach different servers is one user without a flicker', async (t) => { // rules 8 and 9
  const project = newProject(env);
  const balanced = await behindBalancer(t, env);
  const refusing = await behindBalancer(t, env, 'refuse');
  const a = await openPage(balanced, project, null, {transport: 'live'});
  const tab = await a.context().newPage(); // on a development server each tab is another user
  await tab.goto(a.url());
  await expectBadge(a, '1');
  await expectBadge(tab, '1');
  assert.notEqual(await a.locator('#who').innerText(), await tab.locator('#who').innerText());

  const b = await openPage(refusing, project, 'User B', {transport: 'live', status: 'polling', section: 'manuscript/abstract'});
  const visitor = await openPage(balanced, project, '', {transport: 'polling', section: 'manuscript/abstract'});
  await visitor.locator('.presence-warning').filter({hasText: 'User B is editing here'}).waitFor({timeout: TIMEOUT});
  const name = await visitor.locator('#who').innerText();
  assert.match(name, /^Visitor \d+$/);
  const pages = [a, tab, b, visitor];
  for (const page of pages) {
    await expectBadge(page, '3');
    await recordBadge(page);
  }
  const again = a.waitForEvent('websocket', {timeout: TIMEOUT});
  balanced.proxy.cut(); // a connection that breaks on one server does not end the session on another
  await again;
  await waitForStatus(a, 'live');
  await passHeartbeats(env, 17); // longer than the fifteen seconds that a broken connection leaves its session
  await showedOnly(pages, '3');
  assert.equal(await visitor.locator('#who').innerText(), name);
  for (const page of [a, b, visitor]) {
    assert.deepEqual(page.errors.filter((text) => !/WebSocket/.test(text)), []);
    await page.context().close();
  }
});
