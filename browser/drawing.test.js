/** How often the interface is drawn. */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {assertSoon, environment, newProject, openPage, skipIf, token} from './fixtures.js';

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
