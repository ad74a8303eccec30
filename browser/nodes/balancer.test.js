/** What several servers with one Redis are to people: one, however often they meet another. */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {SOON, badgeSays, beats, is, newProject, watch, world, writer} from '../world.js';
import {behindBalancer, showedOnly} from './nodes.js';

const here = world({lease: 60_000}); // where nobody's lease ends within a test

const SECTIONS = ['manuscript/methods', 'manuscript/results'];

test('a change on one server is on a screen of another within two seconds', async (t) => {
  const project = newProject(here);
  const a = await writer(here, project, 'User A', {way: 'live'});
  const b = await writer(here, project, 'User B', {way: 'live'});
  assert.notEqual(new URL(a.url()).origin, new URL(b.url()).origin, 'both are on one server');
  await badgeSays(a, '📝 1');
  await badgeSays(b, '📝 1');
  const took = [];
  for (let i = 0; i < 20; i++) {
    const section = SECTIONS[i % 2];
    const shown = b.evaluate((section) => new Promise((resolve) => {
      const marker = document.querySelector(`[data-presence-section="${section}"]`);
      const look = () => marker.textContent.includes('User A') && resolve(performance.timeOrigin + performance.now());
      new MutationObserver(look).observe(marker, {childList: true, characterData: true, subtree: true});
    }), section);
    const changed = await a.evaluate(async (section) => {
      // The changes of 50 ms travel together; each of these is to travel alone.
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
  t.diagnostic(`from a change to another server's screen: median ${median.toFixed(1)} ms, of ${took[0].toFixed(1)} to ${took[19].toFixed(1)} ms`);
  assert.ok(median < 2_000, `it took ${median} ms`);
  for (const page of [a, b]) await page.context().close();
});

test('who meets another server each time is one person without a flicker, and two tabs are two', async (t) => { // rules 8 and 9
  const project = newProject(here);
  const balanced = await behindBalancer(t, here);
  const refusing = await behindBalancer(t, here, 'refuse');
  const a = await writer(balanced, project, null, {way: 'live'});
  const tab = await a.context().newPage(); // a tab of the same browser is somebody else
  await tab.goto(a.url());
  await badgeSays(a, '📝 1');
  await badgeSays(tab, '📝 1');
  assert.notEqual(await a.locator('#who').innerText(), await tab.locator('#who').innerText());

  const b = await writer(refusing, project, 'User B', {way: 'live', status: 'polling', section: 'manuscript/abstract'});
  const visitor = await writer(balanced, project, '', {way: 'polling', section: 'manuscript/abstract'});
  await visitor.locator('.presence-warning').filter({hasText: 'User B is editing this section'}).waitFor({timeout: SOON});
  const name = await visitor.locator('#who').innerText();
  assert.match(name, /^Visitor \d+$/);
  const everybody = [a, tab, b, visitor];
  for (const page of everybody) {
    await badgeSays(page, '📝 3');
    await watch(page);
  }
  const again = a.waitForEvent('websocket', {timeout: SOON});
  balanced.proxy.cut(); // and what breaks on one server ends nothing that goes on on another
  await again;
  await is(a, 'live');
  await beats(here, 17); // the fifteen seconds that a broken connection leaves its session, and more
  await showedOnly(everybody, '📝 3');
  assert.equal(await visitor.locator('#who').innerText(), name);
  for (const page of [a, b, visitor]) {
    assert.deepEqual(page.errors.filter((text) => !/WebSocket/.test(text)), []);
    await page.context().close();
  }
});
