/** Fixtures of the tests of several servers. */

import assert from 'node:assert/strict';
import {startProxy} from '../proxy.js';
import {TIMEOUT} from '../fixtures.js';

/** An environment with a load balancer: each request and each live connection goes to the next server. */
export async function behindBalancer(t, env, live = 'let') {
  const proxy = await startProxy(...env.nodes.map(({url}) => url));
  t.after(proxy.stop);
  proxy.live = live;
  return {...env, proxy, next: () => proxy.url};
}

/** Fails if a badge recorded by recordBadge() had another text. */
export async function showedOnly(pages, expected) {
  for (const [i, page] of pages.entries()) {
    assert.deepEqual(await page.evaluate((expected) => globalThis.badgeTexts.filter((text) => text !== expected), expected), [], `page ${i}`);
  }
}

/** A page enters a section, and waits until the others show it. */
export async function moves(page, name, section, others) {
  await page.locator('#texfile-selector').selectOption({value: section});
  for (const other of others) await other.locator(`[data-presence-section="${section}"]`).filter({hasText: name}).waitFor({timeout: TIMEOUT});
}
