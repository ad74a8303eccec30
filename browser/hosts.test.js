/**
 * Sites in other frameworks, from the code and the nginx lines of docs/how-to/hosts/*.md: each runs behind nginx with TLS, beside the
 * presence server that asks it. What a page leaves out, such as signing in, is in the folder of its name in hosts/. `make test-hosts`
 * installs all frameworks; without it, those that are missing are skipped.
 */

import assert from 'node:assert/strict';
import {execFile, execFileSync, spawn} from 'node:child_process';
import {once} from 'node:events';
import {cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {request} from 'node:https';
import {createServer} from 'node:net';
import {userInfo} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, test} from 'node:test';
import {promisify} from 'node:util';
import {recipes, root} from '../client/test/recipes.js';
import {BINARY, ENGINE, assertSoon, freePort} from './fixtures.js';

const FOLDER = join(root, '.build/hosts'); // below the root, so that packages are found in its node_modules
const ENV = {...process.env, PATH: `${process.env.PATH}:/usr/sbin`};
const CERTIFICATE = join(FOLDER, 'certificate.pem');
const SECRET = join(FOLDER, 'jwt');
const TRUSTED = ['--trusted-proxies', '127.0.0.1/32'];

function works(...command) {
  try {
    execFileSync(command[0], command.slice(1), {stdio: 'ignore', env: ENV});
    return true;
  } catch {
    return false;
  }
}

const missing = ENGINE !== 'chromium' ? 'this tests no browser' : !works('nginx', '-v') && 'nginx is missing (`scripts/prepare hosts` installs it on Debian)';

before(() => {
  if (missing) return;
  rmSync(FOLDER, {recursive: true, force: true});
  mkdirSync(FOLDER, {recursive: true});
  writeFileSync(SECRET, 'a secret that the site and the server share\n', {mode: 0o600});
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1', '-subj', '/CN=site',
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', join(FOLDER, 'key.pem'), '-out', CERTIFICATE], {stdio: 'ignore'});
});

/** The running processes. */
const servers = [];

after(async () => {
  await Promise.all(servers.map(async (server) => {
    if (server.exitCode !== null || server.signalCode) return;
    const ended = once(server, 'exit');
    server.kill();
    await ended;
  }));
  rmSync(FOLDER, {recursive: true, force: true});
});

/** Starts a process that runs until the end of this file, and waits until its output matches. `output()` is all of its output. */
async function start(command, args, ready, options = {}) {
  const server = spawn(command, args, {env: ENV, stdio: ['ignore', 'pipe', 'pipe'], ...options});
  servers.push(server);
  let output = '';
  const [found] = await new Promise((resolve, reject) => {
    const collect = (text) => {
      output += text;
      const match = ready.exec(output);
      if (match) resolve(match);
    };
    for (const stream of [server.stdout, server.stderr]) stream.on('data', collect);
    server.once('error', reject);
    server.once('close', (code) => reject(new Error(`${command} ended with ${code}: ${output}`)));
  });
  return {found, output: () => output};
}

/** Starts a presence server, and returns its address and output. */
const startPresence = (authURL, ...flags) => start(BINARY, [
  'serve', '--addr', '127.0.0.1:0', '--admin-addr', 'off', '--data', mkdtempSync(join(FOLDER, 'presence-')), '--jwt-secret-file', SECRET,
  '--auth-url', authURL, ...flags,
], /(?<=http:\/\/)127\.0\.0\.1:\d+/);

/** The code of a guide: its files by their names, and its lines for nginx within http { } and within server { }. */
function guide(page) {
  /** @type {Map<string, string>} */ const files = new Map();
  const nginx = {http: '', server: ''};
  for (const {language, text} of recipes().filter(({name}) => name.startsWith(`docs/how-to/${page}.md:`))) {
    const [, file] = /^(?:<\?php\s+)?(?:\/\/|#) ([\w./[\]-]+\.\w+)(?:[ :].*)?\n/.exec(text) ?? [];
    if (file) files.set(file, text);
    if (language !== 'nginx' || !text.includes('location ')) continue; // a single line replaces one of a block
    const [server, ...http] = text.split('# within server { }\n').reverse();
    nginx.http += http.join('');
    nginx.server += server;
  }
  return {files, nginx};
}

/**
 * Starts the site of a guide with its own presence server, and nginx in front. `run` starts the host at an address, `path` is the one that the
 * presence server asks it at.
 */
async function startSite(name, {path, run}) {
  const folder = join(FOLDER, name);
  cpSync(new URL(`hosts/${name}`, import.meta.url), folder, {recursive: true});
  cpSync(new URL('hosts/members.json', import.meta.url), join(folder, 'members.json'));
  const {files, nginx} = guide(`hosts/${name}`);
  for (const [file, text] of files) {
    mkdirSync(join(folder, file, '..'), {recursive: true});
    writeFileSync(join(folder, file), text.replaceAll('/etc/writer-presence/jwt', SECRET));
  }
  const [hostPort, port] = [await freePort(), await freePort()];
  const host = `127.0.0.1:${hostPort}`;
  const presence = await startPresence(`http://${host}${path}`, ...TRUSTED);
  const proxy = guide('reverse-proxy').nginx;
  const ofSite = (text) => text.replaceAll(/127\.0\.0\.1:\d+/g, host).replaceAll('/var/www/site', folder).replaceAll('/run/php', folder);
  writeFileSync(join(folder, 'nginx.conf'), `
    user ${userInfo().username}; worker_processes 1; pid nginx.pid; daemon off; error_log stderr notice; events {}
    http {
      access_log off; ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${kind};`).join(' ')}
      ${proxy.http}${ofSite(nginx.http)}
      server {
        listen 127.0.0.1:${port} ssl; ssl_certificate ${CERTIFICATE}; ssl_certificate_key ${join(FOLDER, 'key.pem')};
        ${proxy.server.replaceAll(/127\.0\.0\.1:\d+/g, presence.found)}${ofSite(nginx.server)}
      }
    }`);
  const env = {...ENV, PORT: `${hostPort}`, SESSION_SECRET: 'a secret of the site with more than 64 characters, which only this test uses'};
  const site = {folder, host, port, env};
  await Promise.all([
    run(site),
    start('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], /start worker process/),
  ]);
  return site;
}

/** A request to a site through nginx, with a JSON body if there is one. @returns {Promise<{status: number, headers: any, body: string}>} */
function ask({port}, path, {body, ...headers} = /** @type {any} */ ({}), method = body ? 'POST' : 'GET') {
  return new Promise((resolve, reject) => {
    const origin = `https://127.0.0.1:${port}`;
    const json = body && {'Content-Type': 'application/json', Origin: origin};
    const asked = request(origin + path, {method, agent: false, ca: readFileSync(CERTIFICATE), headers: {...json, ...headers}});
    asked.on('error', reject);
    asked.on('response', async (answer) => resolve({status: answer.statusCode, headers: answer.headers, body: (await answer.toArray()).join('')}));
    asked.end(body);
  });
}

const at = (project, operation = 'list') => `/writer/api/project/${project}/presence/${operation}/`;

/** Signs in as alice, who has the id 7, and returns her cookie. */
async function signIn(site) {
  const {status, headers} = await ask(site, '/login', {}, 'POST');
  assert.equal(status, 204);
  return headers['set-cookie'].map((cookie) => cookie.split(';')[0]).join('; ');
}

/** Asserts that a presence server with other flags or another address of the host makes no decision, because of the host's answer. */
async function assertUnknown({host}, path, flags, headers, reason) {
  const presence = await startPresence(`http://${host}${path}`, ...flags);
  const answer = await fetch(`http://${presence.found}${at('thesis')}`, {headers: {'X-Forwarded-Proto': 'https', ...headers}});
  assert.equal(answer.status, 503, await answer.text());
  await assertSoon(() => assert.match(presence.output(), reason));
}

/** The tests that the site of each guide passes. `traps` has more, of what the guide warns of. `signedOut` is the answer to a cookie after a sign-out. */
function testSite(name, {skip = /** @type {string | false} */ (false), traps, path, run, signedOut}) {
  describe(name, {skip: missing || skip, concurrency: 1}, () => {
    const site = /** @type {any} */ ({});
    before(async () => {
      Object.assign(site, await startSite(name, {path, run}));
      site.cookie = await signIn(site);
    });

    test('who is signed in is listed by name in projects that she belongs to', async () => { // rule 15
      for (const project of ['thesis', 'v1.2']) {
        const {status, body} = await ask(site, at(project, 'update'), {Cookie: site.cookie, body: '{"section": "manuscript/abstract"}'});
        assert.equal(status, 200, body);
        const list = await ask(site, at(project), {Cookie: site.cookie});
        assert.equal(list.status, 200, list.body);
        assert.deepEqual(JSON.parse(list.body).users.map(({user_id, username}) => [`${user_id}`, username]), [['7', 'alice']]);
      }
    });

    test('who is not signed in gets 401', async () => {
      const {status, body} = await ask(site, at('thesis'));
      assert.deepEqual([status, JSON.parse(body).code], [401, 'unauthenticated']);
    });

    test('a project of others gets the same answer as an unknown one', async () => { // rule 14
      const [forbidden, unknown] = await Promise.all(['private', 'no-such'].map((project) => ask(site, at(project), {Cookie: site.cookie})));
      assert.deepEqual([forbidden.status, JSON.parse(forbidden.body).code], [404, 'project_unknown']);
      assert.deepEqual([unknown.status, unknown.body], [404, forbidden.body]);
    });

    test('the address that the presence server asks at is closed from outside', async () => {
      for (const path of ['/presence/thesis', '/presence/thesis/', '/PRESENCE/thesis', '//presence/thesis', '/%70resence/thesis', '/writer/../presence/thesis']) {
        const {status, body} = await ask(site, path, {Cookie: site.cookie});
        assert.equal(status, 404, path);
        assert.doesNotMatch(body, /alice/, path);
      }
    });

    test('a token from the site opens its projects without a cookie', async () => {
      const token = await ask(site, '/presence-token', {Cookie: site.cookie});
      assert.equal(token.status, 200, token.body);
      const Authorization = `Bearer ${token.body.trim()}`;
      const [own, other] = await Promise.all(['thesis', 'private'].map((project) => ask(site, at(project), {Authorization})));
      assert.deepEqual([own.status, other.status], [200, 404], own.body);
      await ask(site, at('thesis', 'update'), {Authorization, body: '{"section": "manuscript/methods"}'});
      const list = await ask(site, at('thesis'), {Authorization});
      assert.deepEqual(JSON.parse(list.body).users.map(({user_id, username}) => [`${user_id}`, username]), [['7', 'alice']]);
    });

    test(`a cookie of before a sign-out ${signedOut === 401 ? 'opens nothing' : 'still opens projects, because it is the session'}`, async () => {
      const Cookie = await signIn(site);
      assert.equal((await ask(site, '/logout', {Cookie}, 'POST')).status, 204);
      const presence = await startPresence(`http://${site.host}${path}`, ...TRUSTED); // one without a cached answer
      assert.equal((await fetch(`http://${presence.found}${at('thesis')}`, {headers: {Cookie, 'X-Forwarded-Proto': 'https'}})).status, signedOut);
    });

    traps(site);
  });
}

const hasTrustedHosts = works('/usr/bin/python3', '-c', 'from flask import Flask; Flask("x").config["TRUSTED_HOSTS"]');

/** Starts the Flask site under gunicorn with this number of threads. */
const runFlask = ({folder, host, env}, threads) => start('/usr/bin/python3', ['-m', 'gunicorn', '--bind', host, '--threads', threads, 'app:app'], /Booting worker/, {cwd: folder, env});

const php = readdirSync('/usr/sbin').find((name) => /^php-fpm\d/.test(name));

/** Starts php-fpm with the socket that nginx uses. */
function runPHP({folder, env}) {
  const config = join(folder, 'fpm.conf');
  writeFileSync(config, `[global]
daemonize = no
error_log = ${folder}/fpm.log
[site]
user = ${userInfo().username}
listen = ${folder}/php-fpm.sock
pm = static
pm.max_children = 4
php_admin_value[session.save_path] = ${folder}
`);
  return start(php, ['--fpm-config', config, '--allow-to-run-as-root', '--force-stderr'], /ready to handle connections/, {env});
}

describe('sites', {concurrency: true}, () => {
  testSite('express', {
    path: '/presence/{project}',
    signedOut: 401,
    run: ({folder, env}) => start(process.execPath, ['app.js'], /listening/, {cwd: folder, env}),
    traps(site) {
      test('behind the login, nobody is rejected: presence is unknown', () =>
        assertUnknown(site, '/behind-the-login/{project}', TRUSTED, {}, /status=302/));
      test('without --trusted-proxies the redirect to https makes presence unknown', () =>
        assertUnknown(site, '/presence/{project}', [], {Cookie: site.cookie}, /status=302/));
    },
  });

  testSite('flask', {
    skip: !works('/usr/bin/python3', '-c', 'import flask, gunicorn, jwt') && 'Flask, PyJWT or gunicorn is missing (`scripts/prepare hosts` installs them on Debian)',
    path: '/presence/{project}/',
    signedOut: 200,
    run: (site) => runFlask(site, '4'),
    traps(site) {
      test('behind the login, nobody is rejected: presence is unknown', () =>
        assertUnknown(site, '/behind-the-login/{project}', TRUSTED, {}, /status=302/));
      test('without the slash at the end, Flask redirects, and presence is unknown', () =>
        assertUnknown(site, '/presence/{project}', TRUSTED, {Cookie: site.cookie}, /status=308/));
      test('without --trusted-proxies the redirect to https makes presence unknown', () =>
        assertUnknown(site, '/presence/{project}/', [], {Cookie: site.cookie}, /status=302/));

      test('where TRUSTED_HOSTS lacks the host of --auth-url, presence is unknown', {skip: !hasTrustedHosts && 'Flask has TRUSTED_HOSTS from 3.1 on'}, () =>
        assertUnknown({host: site.host.replace('127.0.0.1', 'localhost')}, '/presence/{project}/', TRUSTED, {Cookie: site.cookie}, /status=400/));

      test('a view can ask who is online only where another thread answers the presence server', async () => {
        const single = {...site, host: `127.0.0.1:${await freePort()}`};
        await runFlask(single, '1');
        const answers = await Promise.all([site, single].map(async ({host}) => {
          const presence = await startPresence(`http://${host}/presence/{project}/`, ...TRUSTED);
          const answer = await fetch(`http://${host}/people/thesis?server=${presence.found}`, {headers: {Cookie: site.cookie, 'X-Forwarded-Proto': 'https'}});
          return [await answer.text(), presence.output()];
        }));
        assert.deepEqual(answers.map(([status]) => status), ['200', '503']);
        assert.match(answers[1][1], /deadline exceeded/);
      });
    },
  });

  testSite('php', {
    skip: !php && 'php-fpm is missing (`scripts/prepare hosts` installs it on Debian)',
    path: '/presence/{project}',
    signedOut: 401,
    run: runPHP,
    traps(site) {
      for (const [closed, status] of /** @type {[string, number][]} */ ([['', 503], ['&closed', 200]])) {
        test(`while a page of the user takes long, presence is ${closed ? 'known if it has closed its session' : 'unknown'}`, async () => {
          const place = createServer().listen(0, '127.0.0.1');
          await once(place, 'listening');
          const reached = once(place, 'connection');
          const exported = ask(site, `/export?port=${/** @type {any} */ (place.address()).port}${closed}`, {Cookie: site.cookie});
          const [connection] = await reached;
          const presence = await startPresence(`http://${site.host}/presence/{project}`, ...TRUSTED);
          const answer = await fetch(`http://${presence.found}${at('thesis')}`, {headers: {Cookie: site.cookie}});
          connection.end();
          place.close();
          await exported;
          assert.equal(answer.status, status, presence.output());
          if (!closed) assert.match(presence.output(), /deadline exceeded/);
        });
      }
    },
  });

  testSite('next', {
    skip: !process.env.HOSTS && '`next build` takes 20 s of CPU; `make test-hosts` runs it',
    path: '/presence/{project}',
    signedOut: 200,
    async run({folder, env}) {
      const options = {cwd: folder, env: {...env, NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production'}};
      const next = join(root, 'node_modules/next/dist/bin/next');
      await promisify(execFile)(process.execPath, [next, 'build'], options);
      return start(process.execPath, [next, 'start', '--hostname', '127.0.0.1', '--port', env.PORT], /Ready/, options);
    },
    traps(site) {
      test('behind the login, nobody is rejected: presence is unknown', () =>
        assertUnknown(site, '/behind-the-login/{project}', TRUSTED, {}, /status=307/));
      test('with a slash at the end, Next.js redirects, and presence is unknown', () =>
        assertUnknown(site, '/presence/{project}/', TRUSTED, {Cookie: site.cookie}, /status=308/));
    },
  });

  testSite('rails', {
    skip: !works('ruby', '-e', "require 'action_controller/railtie'; require 'jwt'; require 'puma'") && 'Rails, Puma or ruby-jwt is missing (`scripts/prepare hosts` installs them on Debian)',
    path: '/presence/{project}',
    signedOut: 200,
    run: ({folder, host, env}) => start('puma', ['--bind', `tcp://${host}`, '--environment', 'production', 'config.ru'], /Listening/, {cwd: folder, env}),
    traps(site) {
      test('behind the login, nobody is rejected: presence is unknown', () =>
        assertUnknown(site, '/behind-the-login/{project}', TRUSTED, {}, /status=302/));
      test('without --trusted-proxies the redirect to https makes presence unknown', () =>
        assertUnknown(site, '/presence/{project}', [], {Cookie: site.cookie}, /status=301/));
      test('where config.hosts lacks the host of --auth-url, presence is unknown', () =>
        assertUnknown({host: site.host.replace('127.0.0.1', 'localhost')}, '/presence/{project}', TRUSTED, {Cookie: site.cookie}, /status=403/));

      test('without the constraint of the route, who belongs to v1 enters v1.9', async () => {
        const presence = await startPresence(`http://${site.host}/without-constraint/{project}`, ...TRUSTED);
        const wrong = await fetch(`http://${presence.found}${at('v1.9')}`, {headers: {Cookie: site.cookie, 'X-Forwarded-Proto': 'https'}});
        assert.deepEqual([(await ask(site, at('v1.9'), {Cookie: site.cookie})).status, wrong.status], [404, 200]);
      });
    },
  });
});
