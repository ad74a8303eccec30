/** What a page shows whose user the host removes, by the host API. */

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {BINARY, TIMEOUT, assertSoon, launch, outputMatching, stopServer} from './fixtures.js';

const KEY = 'a-key-of-the-host-api-0123456789';
const data = mkdtempSync(join(tmpdir(), 'writer-presence-removed-'));
const key = join(data, 'api-key');
writeFileSync(key, `${KEY}\n`, {mode: 0o600});
/** @type {any} */
let server;
/** @type {any} */
let browser;
let url = '';

before(async () => {
  server = spawn(BINARY, ['serve', '--dev', '--addr', '127.0.0.1:0', '--admin-addr', '127.0.0.1:0', '--api-key-file', key, '--data', data], {stdio: ['ignore', 'pipe', 'ignore']});
  url = await outputMatching(server, /http:\S+\d/);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await stopServer({server});
  rmSync(data, {recursive: true});
});

/** Calls the host API. @param {string} method @param {string} path */
async function api(method, path) {
  const {admin_addr: admin} = JSON.parse(readFileSync(join(data, 'server.json'), 'utf8'));
  return (await fetch(`http://${admin}/api/v1/${path}`, {method, headers: {Authorization: `Bearer ${KEY}`}})).json();
}

test('the page of a removed user says so, and comes back when the host lets the user in again', async () => { // rule 24
  const page = await (await browser.newContext()).newPage();
  const status = (wanted) => page.locator(`#status[data-status=${wanted}]`).waitFor({state: 'attached', timeout: TIMEOUT});
  const users = async () => (await api('GET', 'projects/thesis')).users.map(({username}) => username);
  await page.goto(`${url}/?project=thesis&as=Alice#manuscript/abstract`);
  await status('live');
  const [{user_id: id}] = (await api('GET', 'projects/thesis')).users;

  assert.equal((await api('DELETE', `projects/thesis/users/${id}`)).success, true);
  await assertSoon(async () => assert.deepEqual(await users(), ['Alice'], 'without a time the page comes back by itself'));
  await status('live');

  assert.equal((await api('DELETE', `projects/thesis/users/${id}?for=3600`)).success, true);
  await status('refused');
  await page.getByText('No access to presence').first().waitFor({timeout: TIMEOUT});
  assert.deepEqual(await users(), []);

  await api('DELETE', `projects/thesis/users/${id}?for=0`);
  await page.reload();
  await status('live');
  assert.deepEqual(await users(), ['Alice']);
});
