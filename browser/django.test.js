/**
 * A Django site with presence, as `make example-django` starts it: members, people without access, and people whose access is
 * withdrawn. All requests go through nginx with the configuration in docs/how-to/django.md.
 */

import assert from 'node:assert/strict';
import {execFileSync, spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {request} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {TIMEOUT, expectBadge, expectList, launch, waitForStatus} from './fixtures.js';

const EXAMPLE = new URL('../examples/django/', import.meta.url).pathname;
const ENV = {...process.env, PATH: `${process.env.PATH}:/usr/sbin`};

/** The longest time until withdrawn access ends, with a margin. */
const WITHDRAWN = 33_000;

const python = [process.env.PYTHON, '/usr/bin/python3', 'python3'].find((name) => name && works(name, '-c', 'import django, gunicorn'));
const skip = !(python && works('nginx', '-v')) && 'Django, gunicorn or nginx is missing (`scripts/prepare django` installs them on Debian)';

const site = {url: '', data: '', /** @type {Record<string, string>} */ passwords: {}, /** @type {any} */ server: null};
/** @type {any} */ let browser;

function works(...command) {
  try {
    execFileSync(command[0], command.slice(1), {stdio: 'ignore', env: ENV});
    return true;
  } catch {
    return false;
  }
}

/** Runs code in the site's Django shell. */
function manage(code) {
  const env = {...ENV, WRITER_DATABASE: join(site.data, 'db.sqlite3')};
  execFileSync(python, [join(EXAMPLE, 'manage.py'), 'shell', '-c', `from django.contrib.auth.models import User\nfrom writer.models import Project\n${code}`], {env});
}

before(async () => {
  if (skip) return;
  site.data = mkdtempSync(join(tmpdir(), 'writer-presence-django-'));
  site.server = spawn(python, [join(EXAMPLE, 'run'), site.data], {stdio: ['ignore', 'pipe', 'inherit']});
  const line = await new Promise((resolve, reject) => {
    site.server.stdout.on('data', resolve);
    site.server.on('exit', (code) => reject(new Error(`the site exited with ${code}`)));
  });
  site.url = /http:\S+\d/.exec(line)[0];
  for (const [, name, password] of `${line}`.matchAll(/(\w+) \(([^)]+)\)/g)) site.passwords[name] = password;
  site.passwords.carol = 'she has no project';
  manage(`
User.objects.create_user('carol', password='${site.passwords.carol}')
for slug in ('removal', 'parting', 'open-parting'):
    Project.objects.create(slug=slug, open_to_visitors=slug == 'open-parting').members.set(User.objects.exclude(username='carol'))`);
  browser = await launch();
});

after(async () => {
  if (skip) return;
  await browser?.close();
  const ended = new Promise((ended) => site.server.on('exit', ended));
  site.server.kill('SIGTERM');
  await ended;
  rmSync(site.data, {recursive: true});
});

/** Opens a separate browser context, signed in if there is a name. */
async function person(name) {
  const context = await browser.newContext({viewport: {width: 1200, height: 800}});
  const page = await context.newPage();
  await page.goto(`${site.url}/login/`);
  if (name) {
    await page.getByLabel('Username').fill(name);
    await page.getByLabel('Password').fill(site.passwords[name]);
    await page.getByRole('button', {name: 'Sign in'}).click();
    await page.locator('#user').filter({hasText: name}).waitFor({timeout: TIMEOUT});
  }
  return page;
}

/** Opens the Writer page of a project as a person, and waits until it is live. */
async function openWriter(project, name) {
  const page = await person(name);
  await page.goto(`${site.url}/writer/${project}/`);
  await waitForStatus(page, 'live');
  return page;
}

const close = (...pages) => Promise.all(pages.map((page) => page.context().close()));

/** The whole answer to a request with this page's cookies, without its date. */
async function ask(page, path, {method = 'GET', body, ...headers} = {}) {
  const cookies = (await page.context().cookies()).map(({name, value}) => `${name}=${value}`).join('; ');
  const {hostname, port} = new URL(site.url);
  return new Promise((resolve, reject) => {
    const asked = request({hostname, port, path, method, agent: false, headers: {Origin: site.url, ...(cookies && {Cookie: cookies}), ...headers}});
    asked.on('error', reject);
    asked.on('upgrade', (_, socket) => resolve({status: socket.destroy() && 101}));
    asked.on('response', async (answer) => {
      // Date and the proxy's request id differ between answers.
      const rawHeaders = answer.rawHeaders.filter((_, i, all) => all[i - (i % 2)] !== 'Date' && all[i - (i % 2)] !== 'X-Request-Id');
      resolve({status: answer.statusCode, rawHeaders, body: (await answer.toArray()).join('')});
    });
    asked.end(body);
  });
}

const JSON_BODY = {method: 'POST', 'Content-Type': 'application/json'};
const ENDPOINTS = {
  'list/': {},
  'update/': {...JSON_BODY, body: '{"section": "manuscript/abstract"}'},
  'leave/': {...JSON_BODY, body: '{}'},
  'live/': {
    Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Protocol': 'writer-presence.v1',
  },
};

test('two members see each other by name on the Writer page, live through nginx', {skip}, async () => { // rule 15
  const [a, b] = await Promise.all([openWriter('thesis', 'alice'), openWriter('thesis', 'bob')]);
  for (const page of [a, b]) await expectBadge(page, '1');
  await expectList(a, ['bob']);
  await expectList(b, ['alice']);
  await close(a, b);
});

test('entering a section that the other member is editing shows the warning', {skip}, async () => { // rule 6
  const [a, b] = await Promise.all([openWriter('thesis', 'alice'), openWriter('thesis', 'bob')]);
  await a.locator('#texfile-selector').selectOption({value: 'manuscript/abstract'});
  await b.locator('#texfile-selector option[value="manuscript/abstract"][label*="alice"]').waitFor({state: 'attached', timeout: TIMEOUT});
  await b.locator('#texfile-selector').selectOption({value: 'manuscript/methods'});
  await b.locator('#texfile-selector').selectOption({value: 'manuscript/abstract'});
  const warning = b.locator('.presence-warning').filter({hasText: 'alice is editing here'});
  await warning.waitFor({timeout: TIMEOUT});
  await warning.getByRole('button', {name: 'Go back to Methods'}).click();
  await warning.waitFor({state: 'hidden', timeout: TIMEOUT});
  await expectList(a, ['bob (Methods)']);
  await close(a, b);
});

test('a visitor in an open project is shown as a visitor', {skip}, async () => { // case 16
  const [a, visitor] = await Promise.all([openWriter('blog', 'alice'), openWriter('blog', '')]);
  const name = /Visitor \d+/.exec(await visitor.locator('#who').innerText())?.[0];
  await expectList(a, [name]);
  await expectList(visitor, ['alice']);
  await close(a, visitor);
});

for (const [who, name] of [['a signed-in person who is not a member', 'carol'], ['a person who is not signed in', '']]) {
  test(`${who} gets the same answer from every endpoint of a project as for an unknown project`, {skip}, async () => { // rule 14, case 37
    const [a, outsider] = await Promise.all([openWriter('thesis', 'alice'), person(name)]);
    for (const [endpoint, options] of Object.entries(ENDPOINTS)) {
      const at = (project) => `/writer/api/project/${project}/presence/${endpoint}`;
      const rejection = await ask(outsider, at('thesis'), options);
      assert.equal(rejection.status, 404, endpoint);
      assert.equal(JSON.parse(rejection.body).code, 'project_unknown', endpoint);
      assert.deepEqual(await ask(outsider, at('no-such-project'), options), rejection, endpoint);
      assert.notEqual((await ask(a, at('thesis'), options)).status, 404, `${endpoint}: a member is rejected, too`);
    }
    const page = await ask(outsider, '/writer/thesis/');
    assert.equal(page.status, name ? 404 : 302);
    await close(a, outsider);
  });
}

test('the address that the server asks Django at is closed from outside, however it is written', {skip}, async () => {
  const a = await person('alice');
  for (const path of ['/presence/thesis/', '//presence/thesis/', '/%70resence/thesis/', '/writer/../presence/thesis/', '/writer/api/%2e%2e/%2e%2e/presence/thesis/']) {
    const answer = await ask(a, path);
    assert.equal(answer.status, 404, path);
    assert.doesNotMatch(answer.body, /alice/, path);
  }
  await close(a);
});

test('a person whose access is withdrawn disappears for the others within 30 s', {skip, concurrency: true}, async (t) => { // rule 14, case 38
  const watched = async (project, withdraw, status = 'refused') => {
    const [a, b] = await Promise.all([openWriter(project, 'alice'), openWriter(project, 'bob')]);
    await b.locator('#texfile-selector').selectOption({value: 'manuscript/abstract'});
    const bob = a.locator('#texfile-selector option[value="manuscript/abstract"][label*="bob"]');
    await bob.waitFor({state: 'attached', timeout: TIMEOUT});
    await withdraw(b);
    await bob.waitFor({state: 'detached', timeout: WITHDRAWN});
    await waitForStatus(b, status);
    await waitForStatus(a, 'live');
    return [a, b];
  };
  const signOut = async (b) => {
    const tab = await b.context().newPage();
    await tab.goto(site.url);
    await tab.getByRole('button', {name: 'Sign out'}).click();
    await tab.getByRole('link', {name: 'Sign in'}).waitFor({timeout: TIMEOUT});
    await tab.close();
  };
  await Promise.all([
    t.test('a removed member disappears and sees nobody', async () => {
      const [a, b] = await watched('removal', () => manage(`Project.objects.get(slug='removal').members.remove(User.objects.get(username='bob'))`));
      await expectBadge(a, null);
      await expectBadge(b, null);
      await close(a, b);
    }),
    t.test('a member who signs out in another tab disappears', async () => { // rule 14, case 38
      const [a, b] = await watched('parting', signOut);
      await expectBadge(a, null);
      await expectBadge(b, null);
      await close(a, b);
    }),
    t.test('a member who signs out of an open project stays as a visitor', async () => {
      const [a, b] = await watched('open-parting', signOut, 'live');
      const who = b.locator('#who').filter({hasText: /Visitor \d+/});
      await who.waitFor({timeout: TIMEOUT});
      await expectList(a, [`${/Visitor \d+/.exec(await who.innerText())} (Abstract)`]);
      await close(a, b);
    }),
  ]);
});
