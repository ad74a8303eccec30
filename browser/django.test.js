/**
 * A Django site with presence, as `make example-django` starts it: its people, those who may not come in, and those who may no
 * longer. Everything goes through nginx, with the configuration that docs/how-to/django.md gives.
 */

import assert from 'node:assert/strict';
import {execFileSync, spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {request} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {SOON, badgeSays, is, launch, listSays} from './world.js';

const EXAMPLE = new URL('../examples/django/', import.meta.url).pathname;
const ENV = {...process.env, PATH: `${process.env.PATH}:/usr/sbin`};

/** How long access may last after it was withdrawn, and a little. */
const WITHDRAWN = 33_000;

const python = [process.env.PYTHON, '/usr/bin/python3', 'python3'].find((name) => name && works(name, '-c', 'import django, gunicorn'));
const skip = !(python && works('nginx', '-v')) && 'there is no Django, gunicorn or nginx here (`scripts/prepare django` installs them on Debian)';

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

/** What an administrator of the site does. */
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
    site.server.on('exit', (code) => reject(new Error(`the site ended with ${code}`)));
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

/** Somebody in a browser of their own, signed in unless they have no name. */
async function person(name) {
  const context = await browser.newContext({viewport: {width: 1200, height: 800}});
  const page = await context.newPage();
  await page.goto(`${site.url}/login/`);
  if (name) {
    await page.getByLabel('Username').fill(name);
    await page.getByLabel('Password').fill(site.passwords[name]);
    await page.getByRole('button', {name: 'Sign in'}).click();
    await page.locator('#user').filter({hasText: name}).waitFor({timeout: SOON});
  }
  return page;
}

/** Somebody on the Writer page of a project, live. */
async function writer(project, name) {
  const page = await person(name);
  await page.goto(`${site.url}/writer/${project}/`);
  await is(page, 'live');
  return page;
}

const close = (...pages) => Promise.all(pages.map((page) => page.context().close()));

/** The whole answer to a request from this person's browser, but for its date. */
async function ask(page, path, {method = 'GET', body, ...headers} = {}) {
  const cookies = (await page.context().cookies()).map(({name, value}) => `${name}=${value}`).join('; ');
  const {hostname, port} = new URL(site.url);
  return new Promise((resolve, reject) => {
    const asked = request({hostname, port, path, method, agent: false, headers: {Origin: site.url, ...(cookies && {Cookie: cookies}), ...headers}});
    asked.on('error', reject);
    asked.on('upgrade', (_, socket) => resolve({status: socket.destroy() && 101}));
    asked.on('response', async (answer) => {
      const rawHeaders = answer.rawHeaders.filter((_, i, all) => all[i - (i % 2)] !== 'Date');
      resolve({status: answer.statusCode, rawHeaders, body: (await answer.toArray()).join('')});
    });
    asked.end(body);
  });
}

const JSON_BODY = {method: 'POST', 'Content-Type': 'application/json'};
const DOORS = {
  'list/': {},
  'update/': {...JSON_BODY, body: '{"section": "manuscript/abstract"}'},
  'leave/': {...JSON_BODY, body: '{}'},
  'live/': {
    Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Protocol': 'writer-presence.v1',
  },
};

test('two members see each other on the Writer page, by name, live through nginx', {skip}, async () => { // rule 15
  const [a, b] = await Promise.all([writer('thesis', 'alice'), writer('thesis', 'bob')]);
  for (const page of [a, b]) await badgeSays(page, '📝 1');
  await listSays(a, ['bob']);
  await listSays(b, ['alice']);
  await close(a, b);
});

test('stepping into the section of the other brings the warning', {skip}, async () => { // rule 6
  const [a, b] = await Promise.all([writer('thesis', 'alice'), writer('thesis', 'bob')]);
  await a.locator('#texfile-selector').selectOption({value: 'manuscript/abstract'});
  await b.locator('#texfile-selector option[value="manuscript/abstract"]').filter({hasText: 'alice'}).waitFor({state: 'attached', timeout: SOON});
  await b.locator('#texfile-selector').selectOption({value: 'manuscript/methods'});
  await b.locator('#texfile-selector').selectOption({value: 'manuscript/abstract'});
  const warning = b.locator('.presence-warning').filter({hasText: 'alice is editing this section'});
  await warning.waitFor({timeout: SOON});
  await warning.getByRole('button', {name: 'Choose different section'}).click();
  await warning.waitFor({state: 'hidden', timeout: SOON});
  await listSays(a, ['bob (Methods)']);
  await close(a, b);
});

test('a visitor on a project that is open is seen as a visitor', {skip}, async () => { // case 16
  const [a, visitor] = await Promise.all([writer('blog', 'alice'), writer('blog', '')]);
  const name = /Visitor \d+/.exec(await visitor.locator('#who').innerText())?.[0];
  await listSays(a, [name]);
  await listSays(visitor, ['alice']);
  await close(a, visitor);
});

for (const [who, name] of [['an outsider who is signed in', 'carol'], ['somebody who is not signed in', '']]) {
  test(`${who} is refused at every door of a project, as if it were not there`, {skip}, async () => { // rule 14, case 37
    const [a, outsider] = await Promise.all([writer('thesis', 'alice'), person(name)]);
    for (const [door, how] of Object.entries(DOORS)) {
      const at = (project) => `/writer/api/project/${project}/presence/${door}`;
      const refusal = await ask(outsider, at('thesis'), how);
      assert.equal(refusal.status, 404, door);
      assert.equal(JSON.parse(refusal.body).code, 'project_unknown', door);
      assert.deepEqual(await ask(outsider, at('no-such-project'), how), refusal, door);
      assert.notEqual((await ask(a, at('thesis'), how)).status, 404, `${door}: a member is refused, too`);
    }
    const page = await ask(outsider, '/writer/thesis/');
    assert.equal(page.status, name ? 404 : 302);
    await close(a, outsider);
  });
}

test('the address at which Django is asked is closed to everybody outside, however it is written', {skip}, async () => {
  const a = await person('alice');
  for (const path of ['/presence/thesis/', '//presence/thesis/', '/%70resence/thesis/', '/writer/../presence/thesis/', '/writer/api/%2e%2e/%2e%2e/presence/thesis/']) {
    const answer = await ask(a, path);
    assert.equal(answer.status, 404, path);
    assert.doesNotMatch(answer.body, /alice/, path);
  }
  await close(a);
});

test('whoever may no longer is gone from the screens of the others within 30 s', {skip, concurrency: true}, async (t) => { // rule 14, case 38
  const watched = async (project, withdraw, status = 'refused') => {
    const [a, b] = await Promise.all([writer(project, 'alice'), writer(project, 'bob')]);
    await b.locator('#texfile-selector').selectOption({value: 'manuscript/abstract'});
    const bob = a.locator('#texfile-selector option[value="manuscript/abstract"]').filter({hasText: 'bob'});
    await bob.waitFor({state: 'attached', timeout: SOON});
    await withdraw(b);
    await bob.waitFor({state: 'detached', timeout: WITHDRAWN});
    await is(b, status);
    await is(a, 'live');
    return [a, b];
  };
  const signOut = async (b) => {
    const tab = await b.context().newPage();
    await tab.goto(site.url);
    await tab.getByRole('button', {name: 'Sign out'}).click();
    await tab.getByRole('link', {name: 'Sign in'}).waitFor({timeout: SOON});
    await tab.close();
  };
  await Promise.all([
    t.test('a removed member, who sees nobody any more', async () => {
      const [a, b] = await watched('removal', () => manage(`Project.objects.get(slug='removal').members.remove(User.objects.get(username='bob'))`));
      await badgeSays(a, null);
      await badgeSays(b, null);
      await close(a, b);
    }),
    t.test('somebody who signs out in another tab', async () => { // rule 14, case 38
      const [a, b] = await watched('parting', signOut);
      await badgeSays(a, null);
      await badgeSays(b, null);
      await close(a, b);
    }),
    t.test('somebody who signs out where visitors may stay, and stays as a visitor', async () => {
      const [a, b] = await watched('open-parting', signOut, 'live');
      const who = b.locator('#who').filter({hasText: /Visitor \d+/});
      await who.waitFor({timeout: SOON});
      await listSays(a, [`${/Visitor \d+/.exec(await who.innerText())} (Abstract)`]);
      await close(a, b);
    }),
  ]);
});
