/** What the tests of several servers share. */

import assert from 'node:assert/strict';
import {startProxy} from '../proxy.js';
import {SOON} from '../world.js';

/** A world whose people all come to one address, behind which each request and each live connection has the next server. */
export async function behindBalancer(t, world, live = 'let') {
  const proxy = await startProxy(...world.nodes.map(({url}) => url));
  t.after(proxy.stop);
  proxy.live = live;
  return {...world, proxy, next: () => proxy.url};
}

/** Fails if a screen that is watched has shown anything but so many others. */
export async function showedOnly(pages, due) {
  for (const [i, page] of pages.entries()) {
    assert.deepEqual(await page.evaluate((due) => globalThis.seen.filter((text) => text !== due), due), [], `on screen ${i}`);
  }
}

/** Somebody goes to a section, and the others see it. */
export async function moves(page, name, section, others) {
  await page.locator('#texfile-selector').selectOption({value: section});
  for (const other of others) await other.locator(`[data-presence-section="${section}"]`).filter({hasText: name}).waitFor({timeout: SOON});
}
