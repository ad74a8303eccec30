/** The note's own JavaScript works against this server, as its text has it. */

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {SOON, newProject, token, world} from './world.js';

const here = world();

/** A page of the host's, with the note's markup and code, under the origin of the server. */
async function notePage(project, name, userId, section, client) {
  const context = await here.browser.newContext({extraHTTPHeaders: {Authorization: `Bearer ${await token(here, name, userId)}`}});
  const page = await context.newPage();
  await page.clock.install();
  await page.route('**/note/**', (route) => {
    const file = new URL(route.request().url()).pathname.split('/').pop() || 'index.html';
    const contentType = file.endsWith('.js') ? 'text/javascript' : 'text/html';
    return route.fulfill({body: readFileSync(new URL(`note/${file}`, import.meta.url), 'utf8'), contentType});
  });
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(String(error)));
  const query = new URLSearchParams({projectId: project, userId, section, ...(client && {client})});
  await page.goto(`${here.url}/note/?${query}`);
  return page;
}

test('two people with the note\'s page see each other within its 30 seconds', async () => {
  const project = newProject(here);
  const a = await notePage(project, 'alice', 1, 'manuscript/abstract');
  await a.waitForFunction(() => globalThis.presenceManager);
  const b = await notePage(project, 'bob', 2, 'manuscript/methods');
  await b.locator('#presence-badge').filter({hasText: '📝 1'}).waitFor({timeout: SOON});
  assert.equal(await a.locator('#presence-badge').isVisible(), false, 'alice was alone when her page looked');
  await a.clock.fastForward(30_000);
  await a.locator('#presence-badge').filter({hasText: '📝 1'}).waitFor({timeout: SOON});
  const [user] = await a.evaluate(() => globalThis.presenceManager.onlineUsers);
  assert.deepEqual({...user, last_seen: typeof user.last_seen}, {
    user_id: 2, username: 'bob', section: 'manuscript/methods', sections: ['manuscript/methods'], activity: 'editing',
    last_seen: 'string', avatar_color: '#10b981', initials: 'BO', visitor: false,
  });
  assert.ok(Date.now() - Date.parse(user.last_seen) < 60_000);
  assert.deepEqual([...a.errors, ...b.errors], []);
  for (const page of [a, b]) await page.context().close();
});

test('the note\'s page takes our client in place of its own, with not a word changed', async () => {
  const project = newProject(here);
  const ours = `${here.url}/writer/api/client/writer-presence.js`;
  const a = await notePage(project, 'alice', 1, 'manuscript/abstract');
  const b = await notePage(project, 'bob', 2, 'manuscript/abstract', ours);
  await b.locator('#presence-badge').filter({hasText: /^📝 1$/}).waitFor({timeout: SOON});
  const warning = b.getByText('⚠️ alice is editing this section');
  await warning.waitFor({timeout: SOON});
  const {y} = await warning.boundingBox();
  assert.ok(y < 100, `the warning of a page whose badge stands in the body is ${y} px down`);
  assert.equal(await b.evaluate(() => globalThis.presenceManager.currentSection), 'manuscript/abstract');
  assert.deepEqual(await b.evaluate(() => globalThis.presenceManager.onlineUsers.map((user) => user.username)), ['alice']);
  assert.deepEqual([...a.errors, ...b.errors], []);
  for (const page of [a, b]) await page.context().close();
});
