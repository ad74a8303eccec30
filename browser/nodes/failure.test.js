/** Several servers with one Redis, of which one is killed, or all are restarted one after the other. */

import {test} from 'node:test';
import {SOON, badgeSays, beats, is, listSays, newProject, startServer, stopServer, watch, world, writer} from '../world.js';
import {behindBalancer, moves, showedOnly} from './nodes.js';

const here = world();
const patient = world({lease: 60_000}); // where nobody's lease ends within a test

test('a server that is killed takes nobody with it who can reach another', async (t) => { // case 35
  const project = newProject(patient);
  const balanced = await behindBalancer(t, patient);
  const pages = [];
  for (const name of ['User A', 'User B', 'User C']) pages.push(await writer(balanced, project, name, {way: 'live'}));
  pages.push(await writer(balanced, project, 'User D', {way: 'polling', section: 'manuscript/abstract'}));
  for (const page of pages) {
    await badgeSays(page, '📝 3');
    await watch(page);
  }
  const [a, b, c, d] = pages;
  const again = a.waitForEvent('websocket', {timeout: SOON}); // the first live connection is to the first server
  await stopServer(patient.nodes[0], 'SIGKILL');
  await again;
  await is(a, 'live');
  await moves(a, 'User A', 'manuscript/results', [b, c, d]);
  await moves(d, 'User D', 'manuscript/methods', [a, b, c]);
  await startServer(patient, patient.nodes[0]);
  await beats(patient, 2);
  await showedOnly(pages, '📝 3');
  await listSays(b, ['User A (Results)', 'User C', 'User D (Methods)']);
  for (const page of pages) await page.context().close();
});

test('who can reach no server but one that was killed is gone after the lease, and back with it', async () => { // case 35
  const project = newProject(here);
  const on = (node) => ({...here, next: () => node.url});
  const a = await writer(on(here.nodes[1]), project, 'User A', {way: 'live', section: 'manuscript/abstract'});
  const b = await writer(on(here.nodes[1]), project, 'User B', {way: 'polling'});
  const c = await writer(on(here.nodes[2]), project, 'User C', {way: 'live'});
  for (const page of [a, b, c]) await badgeSays(page, '📝 2');
  await stopServer(here.nodes[1], 'SIGKILL');
  await badgeSays(c, null);
  for (const page of [a, b]) { // their own pages keep the list, marked as old
    await page.locator('#presence-badge').hover();
    await page.locator('#presence-list[data-stale]').filter({hasText: 'User C'}).waitFor({timeout: SOON});
  }
  await startServer(here, here.nodes[1]);
  await badgeSays(c, '📝 2');
  await is(a, 'live', 40_000);
  for (const page of [a, b, c]) await page.context().close();
});

test('servers that are restarted one after the other show nobody leaving', async (t) => { // rule 9, cases 30 and 33
  const project = newProject(patient);
  const balanced = await behindBalancer(t, patient);
  const refusing = await behindBalancer(t, patient, 'refuse');
  const pages = [
    await writer(balanced, project, 'User A', {way: 'live'}),
    await writer(balanced, project, 'User B', {way: 'polling'}),
    await writer(balanced, project, 'User C', {way: 'live'}),
    await writer(refusing, project, 'User D', {way: 'live', status: 'polling'}),
    await writer(patient, project, 'User E', {way: 'live'}), // who has one server only
  ];
  for (const page of pages) {
    await badgeSays(page, '📝 4');
    await watch(page);
  }
  for (const node of patient.nodes) {
    await stopServer(node);
    await startServer(patient, node);
  }
  for (const page of pages) await is(page, page === pages[1] || page === pages[3] ? 'polling' : 'live', 40_000);
  const [a, ...others] = pages;
  await moves(a, 'User A', 'manuscript/results', others);
  await showedOnly(pages, '📝 4');
  await listSays(pages[1], ['User A (Results)', 'User C', 'User D', 'User E']);
  for (const page of pages) await page.context().close();
});
