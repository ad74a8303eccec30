/** The examples that `examples/run` starts, each with two people. */

import assert from 'node:assert/strict';
import {existsSync, readdirSync} from 'node:fs';
import {after, before, test} from 'node:test';
import {EXAMPLES, avatarsIn, openExample, startExample} from './example.js';
import {TIMEOUT, launch} from './fixtures.js';

/** @type {any} */ let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

/** The number in the badge. @param {any} page @param {string} count */
const expectCount = (page, count) => page.locator('.presence-badge .presence-count').filter({hasText: new RegExp(`^${count}$`)}).waitFor({timeout: TIMEOUT});

test('each example is in this test', () => {
  const folder = new URL('../examples/', import.meta.url);
  assert.deepEqual(Object.keys(EXAMPLES).sort(), readdirSync(folder).filter((name) => existsSync(new URL(`${name}/index.html`, folder))));
});

for (const [name, example] of Object.entries(EXAMPLES)) {
  test(`${name}: badge, people in a section, warning and its answer`, async () => {
    const {url, stop} = await startExample(name);
    try {
      const alice = await openExample(browser, url, 'Alice');
      const bob = await openExample(browser, url, 'Bob');
      await Promise.all([expectCount(alice, '1'), expectCount(bob, '1')]);
      assert.equal(await avatarsIn(bob, example).count(), 0);
      await example.enter(alice);
      await avatarsIn(bob, example).and(bob.locator('[data-initials=AL][data-activity=editing]')).waitFor({timeout: TIMEOUT});
      assert.equal(await bob.locator('.presence-warning:visible').count(), 0, 'nobody is warned about a section that he is not in');

      await example.enter(bob);
      await bob.locator('.presence-warning').filter({hasText: 'Alice is editing here'}).waitFor({timeout: TIMEOUT});
      await bob.getByRole('button', {name: 'Edit anyway'}).click();
      await bob.locator('.presence-warning:visible').waitFor({state: 'detached', timeout: TIMEOUT});
      await avatarsIn(alice, example).and(alice.locator('[data-initials=BO][data-activity=editing]')).waitFor({timeout: TIMEOUT});
      await alice.getByText(/^Bob (is editing|has unsaved changes in) this section/).first().waitFor({state: 'attached', timeout: TIMEOUT});
      assert.deepEqual([alice.messages, bob.messages], [[], []], 'nothing is on the console');
      await Promise.all([alice.context().close(), bob.context().close()]);
    } finally {
      assert.equal(await stop(), 0);
    }
  });
}
