/** The package as others install it: packed, installed into a Vite project, a Next.js project and a Node script, and used there. */

import assert from 'node:assert/strict';
import {execFile, execFileSync, spawn} from 'node:child_process';
import {cpSync, mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {startProxy} from './proxy.js';
import {TIMEOUT, environment, expectBadge, freePort, newProject, openPage, outputMatching, skipIf, token} from './fixtures.js';

const root = fileURLToPath(new URL('../', import.meta.url));
const installed = join(root, '.build/installed'); // below the root, so that frameworks are found in its node_modules
const env = environment({lease: 60_000});
const options = {env: {...process.env, NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production'}};
let archive = '';

before(() => {
  rmSync(installed, {recursive: true, force: true});
  mkdirSync(installed, {recursive: true});
  const [{filename}] = JSON.parse(execFileSync('npm', ['pack', '--json', '--silent', '--pack-destination', installed], {cwd: join(root, 'client'), encoding: 'utf8'}));
  archive = join(installed, filename);
});

after(() => rmSync(installed, {recursive: true, force: true}));

/** A project with the package installed from the archive. @param {string} name */
async function project(name) {
  const folder = join(installed, name);
  cpSync(join(root, 'browser/installed', name), folder, {recursive: true});
  await promisify(execFile)('npm', ['install', '--offline', '--no-save', '--no-audit', '--no-fund', '--omit=peer', '--loglevel=error', archive], {cwd: folder});
  return folder;
}

/** Runs a program of the root's node_modules in a folder. */
const run = (folder, program, ...args) => promisify(execFile)(process.execPath, [join(root, 'node_modules', program), ...args], {...options, cwd: folder, maxBuffer: 1e8});

/** Starts a server in a folder and returns its address. */
async function serve(t, folder, program, ...args) {
  const port = await freePort();
  const server = spawn(process.execPath, [join(root, 'node_modules', program), ...args, String(port)], {...options, cwd: folder});
  t.after(() => new Promise((ended) => {
    server.once('exit', ended);
    server.kill();
  }));
  await outputMatching(server, /localhost|127\.0\.0\.1|Ready/);
  return `http://127.0.0.1:${port}/`;
}

/** Two people: one on the reference page, one on a page of the project at this address, which a proxy puts on the origin of the API. */
async function meet(t, address) {
  const id = newProject(env);
  const other = await openPage(env, id, 'Other', {section: 'manuscript/abstract'});
  const context = await env.browser.newContext();
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  const site = await startProxy(env.url);
  t.after(() => site.stop());
  site.host = address;
  await page.goto(`${site.url}/?${new URLSearchParams({project: id, token: await token(env, 'Guest')})}`);
  await expectBadge(other, '1').catch((error) => assert.fail(`${error.message}\non the page: ${errors.join('\n') || 'no error'}`));
  return {page, other, errors};
}

test('a Node script imports every module that needs no framework', {skip: skipIf.onePage}, async () => {
  const folder = await project('node');
  const {stdout} = await promisify(execFile)(process.execPath, ['script.js'], {cwd: folder});
  assert.equal(stdout, 'stopped\nintroduction\nfunction\n');
});

test('publint finds nothing to improve, and the types resolve as ES modules', {skip: skipIf.onePage}, async () => {
  await run(join(root, 'client'), 'publint/src/cli.js', '--strict', archive);
  await run(installed, '@arethetypeswrong/cli/dist/index.js', archive, '--profile', 'esm-only');
});

test('a Vite project bundles it, and two people see each other', {skip: skipIf.onePage}, async (t) => {
  const folder = await project('vite');
  await run(folder, 'vite/bin/vite.js', 'build', '--logLevel', 'error');
  const address = await serve(t, folder, 'vite/bin/vite.js', 'preview', '--host', '127.0.0.1', '--strictPort', '--port');
  const {page, other, errors} = await meet(t, address);
  await expectBadge(page, '1');
  assert.equal(await page.evaluate(() => globalThis.loaded.join()), 'element,outline,testing');
  assert.deepEqual(errors, []);
  await page.context().close();
  await other.context().close();
});

test('a Next.js project renders it on the server and in StrictMode, and leaves one session', {skip: skipIf.onePage}, async (t) => {
  const folder = await project('next');
  await run(folder, 'next/dist/bin/next', 'build');
  const address = await serve(t, folder, 'next/dist/bin/next', 'start', '--hostname', '127.0.0.1', '--port');
  assert.match(await (await fetch(`${address}?project=p&token=t`)).text(), /<p id="online">nobody else<\/p>/, 'rendered on the server');
  const {page, other, errors} = await meet(t, address);
  await page.locator('#online', {hasText: 'Other'}).waitFor({timeout: TIMEOUT});
  await page.locator('.presence-warning', {hasText: 'Other is editing here'}).waitFor({timeout: TIMEOUT});
  assert.deepEqual(errors, []);
  await page.context().close();
  await other.context().close();
});
