/**
 * The note's five test scenarios, by their names, with two and three people on the reference page: all live, all polling, and
 * mixed, where every second person polls; on several servers only mixed.
 */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {LEASE, NODES, SOON, badgeSays, listSays, newProject, several, world, writer} from './world.js';

const here = world();

/** A project, and how its people come in. */
function scene(way) {
  const project = newProject(here);
  let people = NODES > 1 ? here.projects : 0; // so that it is not always the same one who polls
  const enter = (project, name, options) => writer(here, project, name, {way: way === 'mixed' ? ['live', 'polling'][people++ % 2] : way, ...options});
  return {project, enter};
}

for (const way of NODES > 1 ? ['mixed'] : ['live', 'polling', 'mixed']) {
  test(`1. Open Writer in 2 browser tabs (different users) (${way})`, {skip: several.oneAddress}, async () => {
    const {project, enter} = scene(way);
    const a = await enter(project, null);
    const b = await a.context().newPage(); // a tab of the same browser is somebody else
    await b.goto(a.url());
    await badgeSays(a, '📝 1');
    await badgeSays(b, '📝 1');
    assert.notEqual(await a.locator('#who').innerText(), await b.locator('#who').innerText());
    assert.deepEqual(a.errors, []);
    await a.context().close();
  });

  test(`2. User A edits Abstract → User B sees "User A (Abstract)" (${way})`, async () => {
    const {project, enter} = scene(way);
    const a = await enter(project, 'User A');
    const b = await enter(project, 'User B');
    await a.locator('#texfile-selector').selectOption({label: 'Abstract'});
    await badgeSays(b, '📝 1');
    await listSays(b, ['User A (Abstract)']);
    // Before B enters, it can be seen beside the section, too.
    await b.locator('[data-presence-section="manuscript/abstract"]').filter({hasText: 'User A'}).waitFor({timeout: SOON});
    await b.locator('#texfile-selector option[value="manuscript/abstract"]').filter({hasText: 'User A'}).waitFor({state: 'attached', timeout: SOON});
    await a.context().close();
    await b.context().close();
  });

  test(`3. User B enters Abstract → Warning appears (${way})`, async () => { // rule 6
    const {project, enter} = scene(way);
    const a = await enter(project, 'User A', {section: 'manuscript/abstract'});
    await a.locator('#status').filter({hasText: /\S/}).waitFor({timeout: SOON});
    const b = await enter(project, 'User B', {section: 'manuscript/methods'});
    await badgeSays(b, '📝 1');
    await b.locator('#texfile-selector').focus();
    await b.locator('#texfile-selector').selectOption({value: 'manuscript/abstract'});
    const warning = b.locator('.presence-warning');
    await warning.waitFor({timeout: SOON});
    assert.equal((await warning.locator('p').innerText()).trim(), '⚠️ User A is editing this section');
    assert.deepEqual(await warning.getByRole('button').allInnerTexts(), ['Edit anyway', 'Choose different section']);
    assert.equal(await b.evaluate(() => document.activeElement?.id), 'texfile-selector', 'the warning took the focus');

    // Choosing a different one goes back, gives the focus to the selector, and claims nothing.
    await warning.getByRole('button', {name: 'Choose different section'}).click();
    await warning.waitFor({state: 'hidden', timeout: SOON});
    assert.equal(await b.locator('#texfile-selector').inputValue(), 'manuscript/methods');
    assert.equal(await b.evaluate(() => document.activeElement?.id), 'texfile-selector');
    await listSays(a, ['User B (Methods)']);

    // Editing anyway is told to A, softly, and B is not asked again.
    await b.locator('#texfile-selector').selectOption({value: 'manuscript/abstract'});
    await warning.getByRole('button', {name: 'Edit anyway'}).click();
    await warning.waitFor({state: 'hidden', timeout: SOON});
    await a.locator('.presence-company').filter({hasText: 'User B'}).waitFor({timeout: SOON});
    await listSays(b, ['User A (Abstract)']);
    assert.equal(await warning.isVisible(), false, 'B was asked again');
    assert.equal(await a.locator('.presence-warning').isVisible(), false, 'A, who was there first, was asked');

    // A third person asks again, and is asked.
    const c = await enter(project, 'User C', {section: 'manuscript/abstract'});
    await c.locator('.presence-warning').filter({hasText: 'User A and User B are editing this section'}).waitFor({timeout: SOON});
    for (const page of [a, b, c]) {
      assert.deepEqual(page.errors, []);
      await page.context().close();
    }
  });

  test(`the warning goes by itself when the other one leaves (${way})`, async () => { // case 25
    const {project, enter} = scene(way);
    const a = await enter(project, 'User A', {section: 'manuscript/abstract'});
    const b = await enter(project, 'User B', {section: 'manuscript/abstract'});
    const c = await enter(project, 'User C');
    const [first, second] = await Promise.race([
      b.locator('.presence-warning').waitFor({timeout: SOON}).then(() => [a, b]),
      a.locator('.presence-warning').waitFor({timeout: SOON}).then(() => [b, a]),
    ]);
    await first.locator('#texfile-selector').selectOption({value: 'manuscript/methods'});
    await second.locator('.presence-warning').waitFor({state: 'hidden', timeout: SOON});
    // And then the other one edits: nobody has to ask for it.
    const name = await second.locator('#who').innerText();
    await c.locator('#presence-badge').hover();
    await c.locator('#presence-list li').filter({hasText: new RegExp(`^${name} \\(Abstract\\)$`)}).waitFor({timeout: SOON});
    for (const page of [a, b, c]) await page.context().close();
  });

  test(`4. User A goes offline → Badge updates after 2min (here: a lease of seconds) (${way})`, async () => { // rule 1
    const {project, enter} = scene(way);
    const a = await enter(project, 'User A', {section: 'manuscript/abstract'});
    const b = await enter(project, 'User B');
    await badgeSays(b, '📝 1');
    const gone = Date.now();
    await a.context().setOffline(true); // no leave gets out
    await badgeSays(b, null);
    const took = Date.now() - gone;
    assert.ok(took > LEASE - 2000, `B's badge went after ${took} ms, and A's lease is ${LEASE} ms from the last heartbeat`);
    // A's own page says so in words, and keeps the list, marked as old.
    await a.locator('.presence-status').filter({hasText: /offline/i}).waitFor({timeout: SOON});
    await a.context().setOffline(false);
    await badgeSays(b, '📝 1');
    await a.locator('.presence-status').filter({hasText: /^$/}).waitFor({state: 'attached', timeout: SOON});
    for (const page of [a, b]) await page.context().close();
  });

  test(`5. Multiple sections occupied → All shown in tooltip (${way})`, async () => {
    const {project, enter} = scene(way);
    const pages = [
      await enter(project, 'Alice', {section: 'manuscript/abstract'}),
      await enter(project, 'Bob', {section: 'manuscript/methods'}),
      await enter(project, 'Carol', {section: 'manuscript/results'}),
    ];
    const d = await enter(project, 'Dora');
    await badgeSays(d, '📝 3');
    await listSays(d, ['Alice (Abstract)', 'Bob (Methods)', 'Carol (Results)']);
    // The badge hides again when the last one has gone.
    for (const page of pages) await page.context().close();
    await badgeSays(d, null);
    await d.context().close();
  });

  test(`it works for visitors too, and says that they are (${way})`, async () => { // case 16
    const {project, enter} = scene(way);
    const a = await enter(project, '', {section: 'manuscript/abstract'});
    const b = await enter(project, 'User B');
    await badgeSays(b, '📝 1');
    await listSays(b, [`${await a.locator('#who').innerText()} (Abstract)`]);
    assert.match(await a.locator('#who').innerText(), /^Visitor \d+$/);
    await badgeSays(a, '📝 1'); // one other, and not itself as a stranger
    for (const page of [a, b]) await page.context().close();
  });
}
