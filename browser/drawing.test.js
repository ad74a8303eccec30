/** How often the interface is drawn. */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {assertSoon, environment, newProject, openPage, skipIf, token} from './fixtures.js';
import {openScene} from './scene.js';

const env = environment({lease: 60_000});

test('the interface is drawn at most once in a frame, and not while the page gets no frames', {skip: skipIf.onePage}, async () => {
  const project = newProject(env);
  const page = await openPage(env, project, 'Alice', {section: 'manuscript/abstract'});
  const enter = async (name) => fetch(`${env.url}/writer/api/project/${project}/presence/update/`, {
    method: 'POST', headers: {'Content-Type': 'application/json', 'Authorization': `Bearer ${await token(env, name)}`}, body: JSON.stringify({session: 'only', section: 'manuscript/methods'}),
  });
  const count = () => page.evaluate(() => document.querySelector('#presence-badge .presence-count').textContent);
  await enter('Bob');
  await assertSoon(async () => assert.equal(await count(), '1'));
  // A hidden page gets no frames.
  await page.evaluate(() => {
    globalThis.frames = [];
    globalThis.requestAnimationFrame = (draw) => globalThis.frames.push(draw);
  });
  for (const name of ['Carol', 'Dan', 'Eve']) await enter(name);
  await assertSoon(async () => assert.equal(await page.evaluate(() => globalThis.frames.length), 1, 'frames that were asked for'));
  assert.equal(await count(), '1', 'drawn without a frame');
  await page.evaluate(() => globalThis.frames.splice(0).forEach((draw) => draw()));
  await assertSoon(async () => {
    await page.evaluate(() => globalThis.frames.splice(0).forEach((draw) => draw()));
    assert.equal(await count(), '4');
  });
  await page.context().close();
});

test('between drawings of what the others do is an interval, and none before what concerns you', {skip: skipIf.onePage}, async () => {
  const page = await openScene(env);
  const {gaps, warned} = await page.evaluate(async () => {
    const {open, person, server, frames} = globalThis;
    await open();
    const count = () => document.querySelector('.presence-count').textContent;
    const times = [];
    new MutationObserver(() => times.push(performance.now())).observe(document.querySelector('#presence-badge'), {childList: true, subtree: true});
    for (let i = 1; i <= 40; i++) {
      server.people.push(person(`Somebody ${i}`, {section: 'methods'}));
      await globalThis.presence.updatePresence();
      await frames(1);
    }
    for (let i = 0; i < 600 && count() !== '40'; i++) await frames(1);
    if (count() !== '40') throw new Error(`the last change was not drawn: ${count()}`);
    globalThis.presence.setSection('methods');
    await globalThis.presence.updatePresence();
    await frames(2);
    return {gaps: times.slice(1).map((time, i) => time - times[i]), warned: !!document.querySelector('.presence-warning:not([hidden])')};
  });
  assert.ok(gaps.length && Math.min(...gaps) > 190, `milliseconds between drawings: ${gaps}`);
  assert.equal(warned, true, 'the warning is drawn in the next frame');
  assert.deepEqual(page.errors, []);
  await page.context().close();
});
