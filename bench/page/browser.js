/**
 * The share of the main thread of a page in Chromium that presence takes while people in its room change: the time of all tasks of the
 * page, from the browser's own counters, with the list closed and open.
 */

import {readFile} from 'node:fs/promises';
import {createServer} from 'node:http';
import * as playwright from 'playwright-core';

const ROOT = new URL('../../', import.meta.url);
const SWITCHES = ['--no-sandbox', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];

const PAGE = `<!doctype html><meta charset="utf-8"><title>bench</title>
<header><select id="section-selector">
<option value="manuscript/abstract">Abstract<option value="manuscript/introduction">Introduction<option value="manuscript/methods">Methods
<option value="manuscript/results">Results<option value="manuscript/discussion">Discussion<option value="references">References
</select> <button id="presence-badge"></button></header><textarea></textarea>`;

/** @returns {Promise<{measure: (people: number, open: boolean, seconds: number, rate: number) => Promise<number>, close: () => Promise<void>}>} */
export async function startBrowser() {
  const server = createServer(async ({url = '/'}, response) => {
    if (url === '/') return response.setHeader('Content-Type', 'text/html').end(PAGE);
    try {
      const text = await readFile(new URL(`.${url}`, ROOT));
      response.setHeader('Content-Type', 'text/javascript').end(text);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', () => done(undefined)));
  const {port} = /** @type {import('node:net').AddressInfo} */ (server.address());
  const browser = await playwright.chromium.launch({executablePath: '/usr/bin/chromium', args: SWITCHES});
  return {
    measure: async (people, open, seconds, rate) => {
      const page = await browser.newPage();
      const errors = [];
      page.on('pageerror', (error) => errors.push(error));
      await page.goto(`http://127.0.0.1:${port}/`);
      await page.evaluate(start, {people, open});
      await page.waitForFunction((people) => window.presence.getSnapshot().users.length === people, people);
      const session = await page.context().newCDPSession(page);
      await session.send('Performance.enable');
      const busy = async () => Object.fromEntries((await session.send('Performance.getMetrics')).metrics.map(({name, value}) => [name, value]));
      await page.evaluate(change, {seconds: 5, rate}); // until the code is compiled
      const before = await busy();
      await page.evaluate(change, {seconds, rate});
      const after = await busy();
      await page.close();
      if (errors.length) throw errors[0];
      return (after.TaskDuration - before.TaskDuration) / (after.Timestamp - before.Timestamp);
    },
    close: async () => {
      await browser.close();
      server.close();
    },
  };
}

/** Starts presence in the page. @param {{people: number, open: boolean}} options */
async function start({people, open}) {
  const [{PresenceManager}, {Room, roomSocket}] = await Promise.all([import('/client/writer-presence.js'), import('/bench/page/world.js')]);
  window.room = new Room(people);
  window.sockets = [];
  window.WebSocket = roomSocket(window.room, window.sockets);
  window.presence = new PresenceManager('bench', 0);
  window.presence.start();
  window.presence.setSection('manuscript/abstract');
  if (open) setTimeout(() => document.querySelector('#presence-badge').click(), 200);
}

/** Delivers changes for some seconds. @param {{seconds: number, rate: number}} options */
async function change({seconds, rate}) {
  const end = performance.now() + seconds * 1000;
  await new Promise((done) => {
    const timer = setInterval(() => {
      window.sockets.at(-1).deliver(window.room.delta());
      if (performance.now() >= end) done(clearInterval(timer));
    }, 1000 / rate);
  });
}
