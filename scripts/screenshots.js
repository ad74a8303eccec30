// Takes the screenshots of the README, docs/writer-light.png and docs/writer-dark.png. Run it after
// `make prepare build`: node scripts/screenshots.js

import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {launch} from '../browser/fixtures.js';

const data = mkdtempSync(join(tmpdir(), 'writer-presence-screenshots-'));
const server = spawn('./writer-presence', ['serve', '--dev', '--addr', '127.0.0.1:0', '--admin-addr', 'off', '--data', data], {stdio: ['ignore', 'pipe', 'inherit']});
const url = await new Promise((resolve, reject) => {
  server.stdout.on('data', (text) => resolve(/http:\S+\d/.exec(text)?.[0]));
  server.on('error', reject);
});
const browser = await launch();

/** @param {string} path @param {object} body @param {string} [token] */
async function post(path, body, token) {
  const headers = {'Content-Type': 'application/json', ...(token && {Authorization: `Bearer ${token}`})};
  const response = await fetch(`${url}/writer/api${path}`, {method: 'POST', headers, body: JSON.stringify(body)});
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

try {
  for (const [username, user_id, section, activity] of [['Alice', 2, 'abstract', 'editing'], ['Bob', 4, 'methods', 'editing'], ['Carol', 6, 'results', 'idle']]) {
    const {token} = await post('/dev/token/', {username, user_id});
    await post('/project/thesis/presence/update/', {section: `manuscript/${section}`, activity}, token);
  }
  for (const colorScheme of ['light', 'dark']) {
    const page = await browser.newPage({viewport: {width: 1100, height: 400}, colorScheme});
    await page.goto(`${url}/?project=thesis&as=Dana#manuscript/methods`);
    await page.getByText('Bob is editing this section').first().waitFor();
    await page.screenshot({path: `docs/writer-${colorScheme}.png`});
    await page.close();
  }
} finally {
  await browser.close();
  server.kill();
  await new Promise((ended) => server.on('exit', ended));
  rmSync(data, {recursive: true});
}
