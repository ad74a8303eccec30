/** The note's own JavaScript works with this server unchanged. */

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {TIMEOUT, assertSoon, environment, newProject, token} from './fixtures.js';

// The note's client sends an update every 30 s, so it needs the default lease.
const env = environment({lease: 120_000});

/** Opens a host page with the note's markup and code, on the server's origin. */
async function notePage(project, name, userId, section, client) {
  const context = await env.browser.newContext({extraHTTPHeaders: {Authorization: `Bearer ${await token(env, name, userId)}`}});
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
  await page.goto(`${env.url}/note/?${query}`);
  return page;
}

test('two people on the note\'s page see each other within its 30 seconds', async () => {
  const project = newProject(env);
  const a = await notePage(project, 'alice', 1, 'manuscript/abstract');
  const headers = {Authorization: `Bearer ${await token(env, 'bob', 2)}`};
  const list = async () => (await fetch(`${env.url}/writer/api/project/${project}/presence/list/`, {headers})).text();
  await assertSoon(async () => assert.match(await list(), /alice/)); // bob asks once, and then after 30 s
  const b = await notePage(project, 'bob', 2, 'manuscript/methods');
  await b.locator('#presence-badge').filter({hasText: '📝 1'}).waitFor({timeout: TIMEOUT});
  assert.equal(await a.locator('#presence-badge').isVisible(), false, 'alice was alone at her last request');
  await a.clock.fastForward(30_000);
  await a.locator('#presence-badge').filter({hasText: '📝 1'}).waitFor({timeout: TIMEOUT});
  const [user] = await a.evaluate(() => globalThis.presenceManager.onlineUsers);
  assert.deepEqual({...user, last_seen: typeof user.last_seen}, {
    user_id: 2, username: 'bob', section: 'manuscript/methods', sections: ['manuscript/methods'], activity: 'editing',
    last_seen: 'string', avatar_color: '#10b981', initials: 'BO', visitor: false,
  });
  assert.ok(Date.now() - Date.parse(user.last_seen) < 60_000);
  assert.deepEqual([...a.errors, ...b.errors], []);
  for (const page of [a, b]) await page.context().close();
});

test('the note\'s page works unchanged with this client instead of its own', async () => {
  const project = newProject(env);
  const ours = `${env.url}/writer/api/client/writer-presence.js`;
  const a = await notePage(project, 'alice', 1, 'manuscript/abstract');
  const b = await notePage(project, 'bob', 2, 'manuscript/abstract', ours);
  await b.locator('#presence-badge').filter({hasText: /^1$/}).waitFor({timeout: TIMEOUT});
  const warning = b.getByText('alice is editing here');
  await warning.waitFor({timeout: TIMEOUT});
  const {y} = await warning.boundingBox();
  assert.ok(y < 100, `the warning of a page whose badge stands in the body is ${y} px down`);
  assert.equal(await b.evaluate(() => globalThis.presenceManager.currentSection), 'manuscript/abstract');
  assert.deepEqual(await b.evaluate(() => globalThis.presenceManager.onlineUsers.map((user) => user.username)), ['alice']);
  assert.deepEqual([...a.errors, ...b.errors], []);
  for (const page of [a, b]) await page.context().close();
});
