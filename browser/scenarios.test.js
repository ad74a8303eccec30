/**
 * The note's five test scenarios under their own names, with two or three people on the reference page: all live, all polling, and
 * mixed, where every second page polls. On several servers only mixed.
 */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {LEASE, NODES, TIMEOUT, assertSoon, environment, expectBadge, expectList, listedPeople, newProject, openPage, skipIf} from './fixtures.js';

const env = environment();
const longLease = environment({lease: 60_000}); // no lease expires during a test

/** A new project, and a function that opens pages of it. */
function scene(transport, env) {
  const project = newProject(env);
  let people = NODES > 1 ? env.projects : 0; // so that not always the same page polls
  const enter = (project, name, options) => openPage(env, project, name, {transport: transport === 'mixed' ? ['live', 'polling'][people++ % 2] : transport, ...options});
  return {project, enter};
}

for (const transport of NODES > 1 ? ['mixed'] : ['live', 'polling']) {
  test(`1. Open Writer in 2 browser tabs (different users) (${transport})`, {skip: skipIf.oneAddress}, async () => {
    const {project, enter} = scene(transport, env);
    const a = await enter(project, null);
    const b = await a.context().newPage(); // on a development server each tab is another user
    await b.goto(a.url());
    await expectBadge(a, '1');
    await expectBadge(b, '1');
    assert.notEqual(await a.locator('#who').innerText(), await b.locator('#who').innerText());
    assert.deepEqual(a.errors, []);
    await a.context().close();
  });

  test(`2. User A edits Abstract → User B sees "User A (Abstract)" (${transport})`, async () => {
    const {project, enter} = scene(transport, env);
    const a = await enter(project, 'User A');
    const b = await enter(project, 'User B');
    await a.locator('#texfile-selector').selectOption({label: 'Abstract'});
    await expectBadge(b, '1');
    await expectList(b, ['User A (Abstract)']);
    // A is also shown beside the section, before B enters.
    await b.locator('[data-presence-section="manuscript/abstract"]').filter({hasText: 'User A'}).waitFor({timeout: TIMEOUT});
    await b.locator('#texfile-selector option[value="manuscript/abstract"][label*="User A"]').waitFor({state: 'attached', timeout: TIMEOUT});
    await a.context().close();
    await b.context().close();
  });

  test(`3. User B enters Abstract → Warning appears (${transport})`, async () => { // rule 6
    const {project, enter} = scene(transport, longLease);
    const a = await enter(project, 'User A', {section: 'manuscript/abstract'});
    await a.locator('#status').filter({hasText: /\S/}).waitFor({timeout: TIMEOUT});
    const b = await enter(project, 'User B', {section: 'manuscript/methods'});
    await expectBadge(b, '1');
    await b.locator('#texfile-selector').focus();
    await b.locator('#texfile-selector').selectOption({value: 'manuscript/abstract'});
    const warning = b.locator('.presence-warning');
    await warning.waitFor({timeout: TIMEOUT});
    assert.equal((await warning.locator('p').innerText()).trim(), 'User A is editing here, active just now');
    assert.deepEqual(await warning.getByRole('button').allInnerTexts(), ['Go back to Methods', 'Edit anyway', 'Tell me when it is free']);
    assert.equal(await b.evaluate(() => document.activeElement?.id), 'texfile-selector', 'the warning took the focus');
    await expectList(a, ['User B (Abstract), viewing']); // and not editing, before B has answered

    // `Choose different section` returns to the earlier one and moves the focus to the select.
    await warning.getByRole('button', {name: 'Go back to'}).click();
    await warning.waitFor({state: 'hidden', timeout: TIMEOUT});
    assert.equal(await b.locator('#texfile-selector').inputValue(), 'manuscript/methods');
    assert.equal(await b.evaluate(() => document.activeElement?.id), 'texfile-selector');
    await expectList(a, ['User B (Methods)']);

    // `Edit anyway` shows a notice to A, and B is not warned again.
    await b.locator('#texfile-selector').selectOption({value: 'manuscript/abstract'});
    await warning.getByRole('button', {name: 'Edit anyway'}).click();
    await warning.waitFor({state: 'hidden', timeout: TIMEOUT});
    await a.locator('.presence-company').filter({hasText: 'User B'}).waitFor({timeout: TIMEOUT});
    await expectList(b, ['User A (Abstract)']);
    assert.equal(await warning.isVisible(), false, 'B was warned again');
    assert.equal(await a.locator('.presence-warning').isVisible(), false, 'A, who was editing first, was warned');

    // A third person is warned of both.
    const c = await enter(project, 'User C', {section: 'manuscript/abstract'});
    await c.locator('.presence-warning').filter({hasText: 'User A and User B are editing here'}).waitFor({timeout: TIMEOUT});
    for (const page of [a, b, c]) {
      assert.deepEqual(page.errors, []);
      await page.context().close();
    }
  });

  test(`the warning disappears when the other user leaves the section (${transport})`, async () => { // case 25
    const {project, enter} = scene(transport, env);
    const a = await enter(project, 'User A', {section: 'manuscript/abstract'});
    const b = await enter(project, 'User B', {section: 'manuscript/abstract'});
    const c = await enter(project, 'User C');
    const [first, second] = await Promise.race([
      b.locator('.presence-warning').waitFor({timeout: TIMEOUT}).then(() => [a, b]),
      a.locator('.presence-warning').waitFor({timeout: TIMEOUT}).then(() => [b, a]),
    ]);
    await first.locator('#texfile-selector').selectOption({value: 'manuscript/methods'});
    await second.locator('.presence-warning').waitFor({state: 'hidden', timeout: TIMEOUT});
    // Then the second user edits, without a further action.
    const name = await second.locator('#who').innerText();
    await c.locator('#presence-badge').hover();
    await assertSoon(async () => assert.ok((await listedPeople(c)).includes(`${name} (Abstract)`)));
    for (const page of [a, b, c]) await page.context().close();
  });

  test(`4. User A goes offline → Badge updates after 2min (here: a lease of seconds) (${transport})`, {skip: skipIf.firefox('WebDriver BiDi cannot take a page offline')}, async () => { // rule 1
    const {project, enter} = scene(transport, env);
    const a = await enter(project, 'User A', {section: 'manuscript/abstract'});
    const b = await enter(project, 'User B');
    await expectBadge(b, '1');
    await a.evaluate(() => {
      for (const [owner, name] of /** @type {[any, string][]} */ ([[globalThis.WebSocket?.prototype, 'send'], [globalThis, 'fetch']])) {
        const call = owner?.[name];
        if (call) owner[name] = function (...values) { globalThis.sentAt = Date.now(); return call.apply(this, values); };
      }
    });
    await a.waitForFunction(() => globalThis.sentAt, undefined, {timeout: TIMEOUT});
    const lastSeen = await a.evaluate(() => globalThis.sentAt); // A may send once more before it is offline; then its lease ends later
    await a.context().setOffline(true); // no leave can be sent
    await expectBadge(b, null);
    const took = Date.now() - lastSeen;
    assert.ok(took >= LEASE, `B's badge was hidden after ${took} ms; A's lease is ${LEASE} ms from the last heartbeat`);
    // A's page shows the status in words.
    await a.locator('.presence-status').filter({hasText: /offline/i}).waitFor({timeout: TIMEOUT});
    await a.context().setOffline(false);
    await expectBadge(b, '1');
    await a.locator('.presence-status').filter({hasText: /^$/}).waitFor({state: 'attached', timeout: TIMEOUT});
    for (const page of [a, b]) await page.context().close();
  });

  test(`5. Multiple sections occupied → All shown in tooltip (${transport})`, async () => {
    const {project, enter} = scene(transport, env);
    const pages = [
      await enter(project, 'Alice', {section: 'manuscript/abstract'}),
      await enter(project, 'Bob', {section: 'manuscript/methods'}),
      await enter(project, 'Carol', {section: 'manuscript/results'}),
    ];
    const d = await enter(project, 'Dora');
    await expectBadge(d, '3');
    await expectList(d, ['Alice (Abstract)', 'Bob (Methods)', 'Carol (Results)']);
    // The badge is hidden when the last one has left.
    for (const page of pages) await page.context().close();
    await expectBadge(d, null);
    await d.context().close();
  });

  test(`visitors are listed and shown as visitors (${transport})`, async () => { // case 16
    const {project, enter} = scene(transport, env);
    const a = await enter(project, '', {section: 'manuscript/abstract'});
    const b = await enter(project, 'User B');
    await expectBadge(b, '1');
    await expectList(b, [`${await a.locator('#who').innerText()} (Abstract)`]);
    assert.match(await a.locator('#who').innerText(), /^Visitor \d+$/);
    await expectBadge(a, '1'); // one other user; a page does not count itself
    for (const page of [a, b]) await page.context().close();
  });
}
