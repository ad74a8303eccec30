/** Several servers with one Redis: one is killed, or all are restarted in turn. */

import {test} from 'node:test';
import {TIMEOUT, environment, expectBadge, expectList, newProject, openPage, passHeartbeats, recordBadge, startServer, stopServer, waitForStatus} from '../fixtures.js';
import {behindBalancer, moves, showedOnly} from './nodes.js';

const env = environment();
const longLease = environment({lease: 60_000}); // no lease expires during a test

test('a killed server removes nobody whose page can reach another server', async (t) => { // case 35
  const project = newProject(longLease);
  const balanced = await behindBalancer(t, longLease);
  const pages = [];
  for (const name of ['User A', 'User B', 'User C']) pages.push(await openPage(balanced, project, name, {transport: 'live'}));
  pages.push(await openPage(balanced, project, 'User D', {transport: 'polling', section: 'manuscript/abstract'}));
  for (const page of pages) {
    await expectBadge(page, '3');
    await recordBadge(page);
  }
  const [a, b, c, d] = pages;
  const again = a.waitForEvent('websocket', {timeout: TIMEOUT}); // the first live connection goes to the first server
  await stopServer(longLease.nodes[0], 'SIGKILL');
  await again;
  await waitForStatus(a, 'live');
  await moves(a, 'User A', 'manuscript/results', [b, c, d]);
  await moves(d, 'User D', 'manuscript/methods', [a, b, c]);
  await startServer(longLease, longLease.nodes[0]);
  await passHeartbeats(longLease, 2);
  await showedOnly(pages, '3');
  await expectList(b, ['User A (Results)', 'User C', 'User D (Methods)']);
  for (const page of pages) await page.context().close();
});

test('a user whose page can reach only a killed server is removed after the lease, and returns with the server', async () => { // case 35
  const project = newProject(env);
  const on = (node) => ({...env, next: () => node.url});
  const a = await openPage(on(env.nodes[1]), project, 'User A', {transport: 'live', section: 'manuscript/abstract'});
  const b = await openPage(on(env.nodes[1]), project, 'User B', {transport: 'polling'});
  const c = await openPage(on(env.nodes[2]), project, 'User C', {transport: 'live'});
  for (const page of [a, b, c]) await expectBadge(page, '2');
  await stopServer(env.nodes[1], 'SIGKILL');
  await expectBadge(c, null);
  for (const page of [a, b]) { // their own pages keep the list as stale
    await page.locator('#presence-badge').hover();
    await page.locator('#presence-list[data-stale]').filter({hasText: 'User C'}).waitFor({timeout: TIMEOUT});
  }
  await startServer(env, env.nodes[1]);
  await expectBadge(c, '2');
  await waitForStatus(a, 'live', 40_000);
  for (const page of [a, b, c]) await page.context().close();
});

test('restarting the servers in turn shows nobody as leaving', async (t) => { // rule 9, cases 30 and 33
  const project = newProject(longLease);
  const balanced = await behindBalancer(t, longLease);
  const refusing = await behindBalancer(t, longLease, 'refuse');
  const pages = [
    await openPage(balanced, project, 'User A', {transport: 'live'}),
    await openPage(balanced, project, 'User B', {transport: 'polling'}),
    await openPage(balanced, project, 'User C', {transport: 'live'}),
    await openPage(refusing, project, 'User D', {transport: 'live', status: 'polling'}),
    await openPage(longLease, project, 'User E', {transport: 'live'}), // has one server only
  ];
  for (const page of pages) {
    await expectBadge(page, '4');
    await recordBadge(page);
  }
  for (const node of longLease.nodes) {
    await stopServer(node);
    await startServer(longLease, node);
  }
  for (const page of pages) await waitForStatus(page, page === pages[1] || page === pages[3] ? 'polling' : 'live', 40_000);
  const [a, ...others] = pages;
  await moves(a, 'User A', 'manuscript/results', others);
  await showedOnly(pages, '4');
  await expectList(pages[1], ['User A (Results)', 'User C', 'User D', 'User E']);
  for (const page of pages) await page.context().close();
});
