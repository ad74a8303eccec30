/** Input that reaches no element of the page itself: in frames, by dictation and input methods. The page's clock is moved by the test. */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {assertSoon, environment, newProject, skipIf, token} from './fixtures.js';
import {startProxy} from './proxy.js';

const env = environment({lease: 60_000});
const skip = skipIf.onePage;

/** Opens a page that edits a section, with a clock that `page.clock` moves. `page.activities()` gives the activities it has sent since the last call. */
async function openEditor(t) {
  const options = JSON.stringify({token: await token(env, 'Writer')});
  const project = newProject(env);
  const site = await startProxy(env.url);
  const context = await env.browser.newContext();
  const page = await context.newPage();
  t.after(async () => {
    await context.close();
    site.stop();
  });
  await page.clock.install();
  await page.addInitScript(() => {
    globalThis.sent = [];
    const {send} = WebSocket.prototype;
    WebSocket.prototype.send = function (data) {
      globalThis.sent.push(JSON.parse(data).activity);
      send.call(this, data);
    };
  });
  page.errors = [];
  page.on('console', (message) => message.type() === 'error' && page.errors.push(message.text()));
  page.on('pageerror', (error) => page.errors.push(String(error)));
  site.page = (path) => path.startsWith('/test/frame') ? '<!doctype html><title>Frame</title><body contenteditable>text</body>' : path === '/test/editor' ? `
    <!doctype html><title>Editor</title><link rel="icon" href="data:,"><span id="presence-badge"></span><textarea></textarea>
    <script type="module">
      import {PresenceManager} from '/writer/api/client/writer-presence.js';
      globalThis.presence = new PresenceManager('${project}', null, ${options});
      presence.setSection('manuscript/abstract');
      presence.start();
    </script>` : undefined;
  await page.goto(`${site.url}/test/editor`);
  await assertSoon(async () => assert.equal(await page.evaluate(() => globalThis.presence?.getSnapshot().status), 'live', page.errors.join()));
  page.activities = () => page.evaluate(() => globalThis.sent.splice(0));
  return page;
}

/** Input every 100 seconds keeps the page active, and without it the page is idle. */
async function expectActive(page, input, what) {
  await input();
  await page.activities();
  for (let i = 0; i < 3; i++) {
    await page.clock.fastForward(100_000);
    await input();
  }
  await page.evaluate(() => new Promise((sent) => setTimeout(sent)));
  assert.doesNotMatch((await page.activities()).join(), /idle/, what);
  await page.clock.fastForward(130_000);
  await assertSoon(async () => assert.match((await page.activities()).join(), /idle/, `${what}, control: idle without input`));
  await input();
  await assertSoon(async () => assert.match((await page.activities()).join(), /editing$/, `${what}: active again`));
}

/** Adds a frame to an element of the page and waits for its document. Returns the frame as Playwright knows it. */
async function addFrame(page, make, argument) {
  const frame = await page.evaluateHandle(make, argument);
  return frame.asElement().contentFrame();
}

/** Frames as editors make them. Each function runs in the page and returns the iframe element. */
const FRAMES = {
  'srcdoc and contenteditable': () => new Promise((loaded) => {
    const frame = document.createElement('iframe');
    frame.srcdoc = '<body contenteditable>text</body>';
    frame.onload = () => loaded(frame);
    document.body.append(frame);
  }),
  'about:blank, written as TinyMCE does': () => {
    const frame = document.body.appendChild(document.createElement('iframe'));
    frame.contentDocument.open();
    frame.contentDocument.write('<!doctype html><body contenteditable>text</body>');
    frame.contentDocument.close();
    return frame;
  },
  'about:blank and designMode': async () => {
    const frame = document.body.appendChild(document.createElement('iframe'));
    await new Promise((later) => setTimeout(later, 100));
    frame.contentDocument.designMode = 'on';
    return frame;
  },
  'a document that is written and never closed': () => {
    const frame = document.body.appendChild(document.createElement('iframe'));
    frame.contentDocument.open();
    frame.contentDocument.write('<!doctype html><body contenteditable>text</body>');
    return frame;
  },
  'a document of the same origin, after a navigation': async () => {
    const frame = document.createElement('iframe');
    for (const path of ['/test/frame1', '/test/frame2']) {
      frame.src = path;
      const loaded = new Promise((loaded) => (frame.onload = loaded));
      if (!frame.isConnected) document.body.append(frame);
      await loaded;
    }
    return frame;
  },
  'in a shadow root': () => new Promise((loaded) => {
    const frame = document.createElement('iframe');
    frame.srcdoc = '<body contenteditable>text</body>';
    frame.onload = () => loaded(frame);
    document.body.appendChild(document.createElement('div')).attachShadow({mode: 'open'}).append(frame);
  }),
};

for (const [kind, make] of Object.entries(FRAMES)) {
  test(`typing in a frame is activity: ${kind}`, {skip}, async (t) => { // case 44
    const page = await openEditor(t);
    const frame = await addFrame(page, make);
    const body = await frame.locator('body').elementHandle();
    await body.evaluate((body) => (body.ownerDocument.defaultView.focus(), body.focus()));
    await expectActive(page, () => page.keyboard.press('a'), kind);
    assert.match(await body.innerText(), /aaaa/);
  });
}

test('typing in a frame inside a frame is activity, also when the inner one is added later', {skip}, async (t) => { // case 44
  const page = await openEditor(t);
  const outer = await addFrame(page, FRAMES['srcdoc and contenteditable']);
  const inner = await addFrame(outer, FRAMES['srcdoc and contenteditable']);
  const body = await inner.locator('body').elementHandle();
  await body.evaluate((body) => (body.ownerDocument.defaultView.focus(), body.focus()));
  await expectActive(page, () => page.keyboard.press('a'), 'nested');
});

test('text that arrives without a key is activity', {skip: skip || skipIf.firefox('WebDriver BiDi inserts no text without keys')}, async (t) => { // case 44
  const page = await openEditor(t);
  await page.locator('textarea').focus();
  await expectActive(page, () => page.keyboard.insertText('dictated '), 'insertText');
});

test('a frame of another origin and a sandboxed one cause no error, and active() reports what happens in them', {skip}, async (t) => { // case 44
  const page = await openEditor(t);
  await page.evaluate(async () => {
    const other = `${location.origin.replace('127.0.0.1', 'localhost')}/test/frame`;
    for (const set of [(frame) => (frame.src = other), (frame) => (frame.src = 'data:text/html,x'), (frame) => Object.assign(frame, {sandbox: 'allow-scripts', srcdoc: 'x'})]) {
      const frame = document.createElement('iframe');
      set(frame);
      await new Promise((loaded) => ((frame.onload = loaded), document.body.append(frame)));
      frame.contentWindow.focus();
    }
  });
  await page.locator('body').click({position: {x: 5, y: 5}});
  assert.deepEqual(page.errors, []);
  await expectActive(page, () => page.evaluate(() => globalThis.presence.active()), 'active()');
});
