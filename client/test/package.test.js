/** The package as others install it: in a server of an older Node.js, and with the types for a consumer's TypeScript. */

import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {after, before} from 'node:test';
import {fileURLToPath} from 'node:url';
import {bundle, manifest} from '../../scripts/build-package.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const site = mkdtempSync(join(tmpdir(), 'writer-presence-package-'));

before(() => {
  const installed = join(site, 'node_modules/writer-presence');
  mkdirSync(installed, {recursive: true});
  const archive = execFileSync('npm', ['pack', '--silent', '--pack-destination', site], {cwd: join(root, 'client'), encoding: 'utf8'}).trim().split('\n').pop();
  execFileSync('tar', ['-xzf', join(site, String(archive)), '-C', installed, '--strip-components=1']);
  writeFileSync(join(site, 'package.json'), '{"type": "module", "private": true}');
});

after(() => rmSync(site, {recursive: true}));

test('the package has its README and its licence, and the same licence as the repository', () => {
  const at = join(site, 'node_modules/writer-presence');
  assert.match(readFileSync(join(at, 'README.md'), 'utf8'), /^# writer-presence\n/);
  assert.equal(readFileSync(join(at, 'LICENSE'), 'utf8'), readFileSync(join(root, 'LICENSE'), 'utf8'));
});

test('the committed bundle is what the build writes', async () => {
  const {outputFiles = []} = await bundle({write: false});
  assert.equal(readFileSync(join(root, 'client/dist/writer-presence.min.js'), 'utf8'), outputFiles[0].text, 'run npm run build, and commit client/dist');
});

/** Runs a module in the consumer's folder. @param {string} source */
const run = (source) => execFileSync(process.execPath, ['--input-type=module', '-e', source], {cwd: site, encoding: 'utf8'}).trim();

/** What tsc says about files of the consumer; `''` for no errors. @param {Record<string, string>} files @param {string[]} [options] */
function compile(files, options = ['--module', 'nodenext']) {
  for (const [name, source] of Object.entries(files)) writeFileSync(join(site, name), source);
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const all = ['--ignoreConfig', '--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--lib', 'es2023,dom', '--types', '', ...options, ...Object.keys(files)];
  try {
    execFileSync(process.execPath, [tsc, ...all], {cwd: site, encoding: 'utf8', stdio: 'pipe'});
    return '';
  } catch (error) {
    return /** @type {any} */ (error).stdout;
  }
}

test('import and construction need no global that an older server lacks', () => { // case 57
  const said = run(`
    for (const name of ['CustomEvent', 'crypto', 'WebSocket', 'fetch', 'navigator', 'document', 'window']) delete globalThis[name];
    const {PresenceCore, PresenceManager} = await import('writer-presence');
    for (const Presence of [PresenceCore, PresenceManager]) {
      const presence = new Presence('demo', 1);
      const end = presence.subscribe(() => {});
      presence.setSection('intro');
      presence.updateUI?.();
      console.log(presence.getSnapshot().status, presence.currentSection);
      end();
      presence.stop();
    }
    console.log(typeof CustomEvent, typeof crypto);`);
  assert.equal(said, 'stopped intro\nstopped intro\nundefined undefined');
});

const consumer = `
import {PresenceManager, type PresenceEvents, type Snapshot, type User} from 'writer-presence';
const presence = new PresenceManager('demo', 1, {elements: {badge: '#badge'}});

presence.addEventListener('change', (event) => { const snapshot: Snapshot = event.detail; void snapshot; });
presence.addEventListener('join', ({detail: {user}}) => { const name: string = user.username; void name; });
presence.addEventListener('leave', {handleEvent({detail}) { const left: User = detail.user; void left; }}, {once: true});
presence.addEventListener('conflict', ({detail: {section, users, editing}}) => {
  const all: [string | null, readonly User[], boolean] = [section, users, editing]; void all;
});
const onStatus = ({detail}: CustomEvent<PresenceEvents['status']>) => void detail.text.trim();
presence.addEventListener('saved', ({detail: {section, revision, own}}) => { const all: [string, string, boolean] = [section, revision, own]; void all; });
presence.addEventListener('showlatest', (event) => { event.preventDefault(); void event.detail.revision; });
presence.addEventListener('free', ({detail: {section}}) => void section.trim());
presence.addEventListener('status', onStatus);
presence.removeEventListener('status', onStatus);
// What version 1 consumers wrote.
presence.addEventListener('conflict', (event) => void (event as CustomEvent).detail.anything);
presence.addEventListener('join', ((event: CustomEvent) => void event.detail) as EventListener);
presence.addEventListener('change', () => {});
presence.addEventListener('my-own', (event: Event) => void event.type);
const target: EventTarget = presence; void target;
// An option may be undefined: pages pass on what they were given.
const given: {token?: string; label?: (section: string) => string; live?: boolean} = {};
new PresenceManager('demo', 1, {token: given.token, label: given.label, live: given.live, prefix: undefined, pane: undefined, strings: undefined, elements: undefined});
presence.setSection('intro', {activity: undefined});

// @ts-expect-error the detail of join is {user}
presence.addEventListener('join', ({detail}) => void detail.users);
// @ts-expect-error the detail of change is a snapshot
presence.addEventListener('change', ({detail}) => void detail.user);
// @ts-expect-error the detail of free is {section}
presence.addEventListener('free', ({detail}) => void detail.users);
// @ts-expect-error a snapshot is read-only
presence.addEventListener('change', ({detail}) => void detail.users.push());
// @ts-expect-error no event of this name has a detail
presence.addEventListener('chnage', ({detail}) => void detail);
// @ts-expect-error the status is one of the documented words
presence.addEventListener('status', ({detail}) => detail.status === 'online');
// @ts-expect-error a listener for another event
presence.addEventListener('join', onStatus);
// @ts-expect-error options are the third argument
new PresenceManager('demo', {prefix: '/presence'});
// @ts-expect-error a project is missing
new PresenceManager();
// @ts-expect-error no such activity
presence.setSection('intro', {activity: 'idle'});
// @ts-expect-error no number
presence.setSection(5);
`;

const elements = `
import 'writer-presence/element/define';
import {PresenceCount, WriterPresence} from 'writer-presence/element';
import {createRoom} from 'writer-presence/testing';
const presence = document.querySelector('writer-presence')!;
presence.section = 'intro';
presence.token = async () => 'token';
presence.manager?.saved({revision: 1});
presence.addEventListener('saved', ({detail}) => void detail.revision.trim());
const count: number | null = document.querySelector('presence-count')!.count; void count;
const classes: (typeof HTMLElement)[] = [PresenceCount]; void classes; void WriterPresence;
presence.options = {...createRoom({you: {username: 'Me'}}).options, strings: {locale: 'de'}};
createRoom().join({section: 'intro'}).move(null);
// @ts-expect-error no such property
presence.sections = 'intro';
// @ts-expect-error a section is a string
document.querySelector('presence-avatars')!.section = 5;
`;

test('the package names its Custom Elements Manifest and has it', () => {
  const installed = join(site, 'node_modules/writer-presence');
  const {customElements} = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  assert.equal(customElements, './custom-elements.json');
  assert.deepEqual(JSON.parse(readFileSync(join(installed, customElements), 'utf8')), JSON.parse(JSON.stringify(manifest())));
});

test("a consumer's TypeScript has the types of the custom elements and of the simulated room", () => {
  assert.equal(compile({'elements.ts': elements}), '');
});

for (const [resolution, options] of Object.entries({nodenext: ['--module', 'nodenext'], bundler: ['--module', 'esnext', '--moduleResolution', 'bundler']})) {
  test(`a consumer's TypeScript has the type of each event's detail (${resolution})`, () => {
    assert.equal(compile({'consumer.ts': consumer}, options), '');
    // The check itself: without the expectations, each of the wrong lines is an error.
    const wrong = consumer.replaceAll('@ts-expect-error', '');
    assert.equal(compile({'wrong.ts': wrong}, options).match(/error TS/g)?.length, consumer.match(/@ts-expect-error/g)?.length);
  });
}

const frameworks = {
  'react.tsx': `
import {AvatarStack, ConflictWarning, PresenceBadge, PresenceProvider, useConflict, useOccupants, usePresence, usePresenceManager, useSection, type Conflict, type User} from 'writer-presence/react';
import {PresenceManager} from 'writer-presence';
export function Editor({section}: {section: string | null}) {
  useSection(section, {unsaved: true, activity: 'viewing'});
  const names: string[] = usePresence(({users}) => users.map(({username}) => username));
  const status: 'live' | string = usePresence().status;
  const users: readonly User[] = useOccupants(section);
  const conflict: Conflict | null = useConflict();
  usePresenceManager().saved({revision: 1});
  return <p title={status} onClick={() => conflict?.editAnyway()}>{names} {users.length}</p>;
}
export const App = ({user}: {user?: number}) => (
  <PresenceProvider project="demo" user={user} token={async () => 'x'} alone elements={{editor: '#text'}} onNavigate={(section) => section?.trim()} onShowLatest={({revision}) => void revision.trim()}>
    <PresenceBadge className="badge" /><AvatarStack section="a" title="a" /><ConflictWarning style={{height: '3rem'}} />
    <PresenceBadge>{({count}) => count}</PresenceBadge><AvatarStack section="a">{(users) => users.length}</AvatarStack>
    <ConflictWarning>{({users, waitFor}) => <button onClick={waitFor}>{users[0].username}</button>}</ConflictWarning>
    <Editor section="a" />
  </PresenceProvider>
);
export const own = <PresenceProvider manager={new PresenceManager('demo')} />;
// @ts-expect-error a project is missing
export const a = <PresenceProvider user={1} />;
// @ts-expect-error not both
export const b = <PresenceProvider project="demo" manager={new PresenceManager('demo')} />;
// @ts-expect-error a section is missing
export const c = <AvatarStack />;
// @ts-expect-error no such option
export const d = <PresenceProvider project="demo" tokn="x" />;
// @ts-expect-error no such activity
export const E = () => useSection('a', {activity: 'idle'});
// @ts-expect-error children are a function
export const f = <PresenceBadge>3</PresenceBadge>;
`,
  'vue.ts': `
import {h, ref} from 'vue';
import {AvatarStack, PresenceBadge, providePresence, useConflict, useOccupants, usePresence, usePresenceManager, useSection, type User} from 'writer-presence/vue';
export default {setup() {
  providePresence(() => ({project: 'demo', user: 1, onNavigate: (section) => section?.trim()}));
  providePresence(ref({project: 'demo'}));
  providePresence({project: 'demo', alone: true});
  useSection(ref('a'), {unsaved: ref(true), activity: 'viewing'});
  useSection(() => null, {unsaved: undefined, activity: undefined});
  const count: number = usePresence(({users}) => users.length).value;
  const text: string = usePresence().value.text;
  const users: readonly User[] = useOccupants(() => 'a').value;
  useConflict().value?.editAnyway();
  usePresenceManager().value.saved({revision: count});
  void [text, users];
  return () => [h(PresenceBadge), h(AvatarStack, {section: 'a'})];
}};
// @ts-expect-error a project is missing
providePresence({user: 1});
// @ts-expect-error no such activity
useSection('a', {activity: 'idle'});
// @ts-expect-error a section is missing
h(AvatarStack, {});
// @ts-expect-error the value is read-only
usePresence().value = null;
`,
  'svelte.ts': `
import {readable} from 'svelte/store';
import {avatarStack, conflictWarning, presenceBadge, providePresence, useConflict, useOccupants, usePresence, usePresenceManager, useSection, type User} from 'writer-presence/svelte';
providePresence(() => ({project: 'demo', user: 1, onNavigate: (section) => section?.trim()}));
providePresence({project: 'demo', alone: true, user: undefined, onNavigate: undefined});
useSection(() => 'a', () => ({unsaved: true, activity: undefined}));
useSection(readable('a'), {activity: 'viewing'});
usePresence(({users}) => users.length).subscribe((count) => void count.toFixed());
usePresence().subscribe(({text}) => void text.trim());
useOccupants('a').subscribe((users: readonly User[]) => void users);
useConflict().subscribe((conflict) => conflict?.editAnyway());
usePresenceManager().subscribe((manager) => manager.saved({revision: 1}));
const element = document.createElement('p');
presenceBadge(element);
conflictWarning(element);
avatarStack(element, 'a');
// @ts-expect-error a project is missing
providePresence({user: 1});
// @ts-expect-error no such activity
useSection('a', {activity: 'idle'});
// @ts-expect-error a section is missing
avatarStack(element);
`,
};

test("a consumer's TypeScript has the types of the bindings for React, Vue and Svelte", () => {
  for (const name of ['@types', 'csstype', 'vue', '@vue', 'svelte']) {
    symlinkSync(join(root, 'node_modules', name), join(site, 'node_modules', name));
  }
  const options = ['--module', 'nodenext', '--jsx', 'react-jsx', '--skipLibCheck'];
  assert.equal(compile(frameworks, options), '');
  const wrong = Object.fromEntries(Object.entries(frameworks).map(([name, text]) => [name, text.replaceAll('@ts-expect-error', '')]));
  assert.equal(compile(wrong, options).match(/error TS/g)?.length, Object.values(frameworks).join().match(/@ts-expect-error/g)?.length);
});
