/** The page of README.md, pasted into an empty file and served as README.md says: it shows what README.md promises. */

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {test} from 'node:test';
import {recipes, root} from '../client/test/recipes.js';
import {BINARY, TIMEOUT, launch, outputMatching, skipIf, stopServer} from './fixtures.js';

const ONE_HOST = 'only Chromium can be told to connect to other ports than the page names';

const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** The only match of a pattern in README.md. @param {RegExp} pattern */
function only(pattern) {
  const found = [...readme.matchAll(pattern)];
  assert.equal(found.length, 1, `matches of ${pattern}`);
  return found[0][1];
}

test('the page of README.md, pasted into an empty file, says that you are alone, and then who else is there', {skip: skipIf.onePage || skipIf.firefox(ONE_HOST) || skipIf.webkit(ONE_HOST)}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'writer-presence-readme-'));
  /** What is to be done at the end, the last one first: the server ends before its data are removed. @type {(() => unknown)[]} */
  const ends = [() => rmSync(folder, {recursive: true})];
  t.after(async () => {
    for (const end of ends.reverse()) await end();
  });
  const [{text}] = recipes('html').filter(({name}) => name.startsWith('README.md'));
  writeFileSync(join(folder, 'index.html'), text);
  const files = createServer((request, response) => {
    if (request.url !== '/') return response.writeHead(404).end();
    response.writeHead(200, {'Content-Type': 'text/html'}).end(readFileSync(join(folder, 'index.html')));
  });
  await new Promise((ready) => files.listen(0, '127.0.0.1', () => ready(undefined)));
  ends.push(() => files.close());

  const flags = only(/^\.\/writer-presence (serve --dev --allowed-origins \S+)$/gm).split(' ');
  const server = spawn(BINARY, [...flags, '--addr', '127.0.0.1:0', '--admin-addr', 'off', '--data', join(folder, 'data')], {stdio: ['ignore', 'pipe', 'ignore']});
  ends.push(() => stopServer({server}));
  const address = new URL(await outputMatching(server, /http:\S+\d/)).host;

  // The page names the ports of README.md. The browser connects to free ones in their place, so that other programs may use these.
  const {port} = /** @type {import('node:net').AddressInfo} */ (files.address());
  const browser = await launch(false, [`--host-resolver-rules=MAP localhost:8080 ${address}, MAP localhost:8000 127.0.0.1:${port}`]);
  ends.push(() => browser.close());
  /** @type {string[]} */
  const errors = [];
  const open = async () => {
    const page = await browser.newPage();
    page.on('pageerror', (/** @type {Error} */ error) => errors.push(String(error)));
    await page.goto(only(/^Open `(http:\S+)`\. Beside the select/gm));
    return page;
  };
  /** @param {any} page @param {string} words */
  const says = (page, words) => page.locator('#presence-badge').filter({hasText: new RegExp(`^${words}$`)}).waitFor({timeout: TIMEOUT});

  const first = await open();
  await says(first, only(/the badge says `([^`]+)`\. Open/g));
  const second = await open();
  await says(second, '1');
  await says(first, '1');
  const [warning] = await Promise.all([
    second.getByText(/^Writer \d+ is editing here, active just now$/).textContent({timeout: TIMEOUT}),
    second.locator('option[label*="— ✎ Writer "]').waitFor({state: 'attached', timeout: TIMEOUT}),
  ]);
  assert.match(readme, new RegExp(`\`${warning.replace(/\d+/, '123')}\``), 'README.md quotes the warning');
  await second.reload();
  await second.getByText(/ is editing here, active just now$/).waitFor({timeout: TIMEOUT});
  await says(first, '1'); // the same person
  await second.locator('select').selectOption('manuscript/methods');
  await second.locator('.presence-warning').waitFor({state: 'hidden', timeout: TIMEOUT});
  assert.deepEqual(errors, []);
});
