/**
 * The part of Playwright's API that the browser tests use, for WebKitGTK: by WebDriver (webkit-driver.js) and an HTTP proxy
 * (webkit-proxy.js). Playwright itself drives only its own build of WebKit. Elements are found and described by Playwright's own
 * script for pages, and its fake clock is the same, so that a locator means the same in each engine.
 */

import {execFile} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import {promisify} from 'node:util';
import {escapeForAttributeSelector, escapeForTextSelector, urlMatches} from 'playwright-core/lib/utils';
import {startDisplay, startSession} from './webkit-driver.js';
import {blankPage, reportErrors, startForwardProxy} from './webkit-proxy.js';

const require = createRequire(import.meta.url);
const generated = join(dirname(require.resolve('playwright-core/package.json')), 'lib/generated'); // not exported, but the version is pinned
const module = (name, use) => `(() => { const module = {}; ${require(join(generated, name)).source}; ${use} })();`;
const INJECTED = module('injectedScriptSource.js', `
  Object.defineProperty(globalThis, Symbol.for('playwright'), {value: new (module.exports.InjectedScript())(globalThis, {
    isUnderTest: false, sdkLanguage: 'javascript', testIdAttributeName: 'data-testid', stableRafCount: 1, browserName: 'webkit', customEngines: [],
  })});`);
const CLOCK = module('clockSource.js', 'globalThis.__pwClock ??= (module.exports.inject())(globalThis);');

/** Playwright's timeout where a test gives none. */
const TIMEOUT = 30_000;

/** How long one command waits in a page. Meanwhile the other pages of the context get none. */
const SLICE = 500;

const KEYS = {Shift: '\uE008', Control: '\uE009', Tab: '\uE004', Enter: '\uE007', Escape: '\uE00C', Delete: '\uE017', ArrowLeft: '\uE012', ArrowUp: '\uE013', ArrowRight: '\uE014', ArrowDown: '\uE015', PageUp: '\uE00E', PageDown: '\uE00F', End: '\uE010', Home: '\uE011', Space: ' '};

/** The processes that a process started. @returns {string[]} */
const childrenOf = (pid) => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);

/** Calls the function until it gives something other than undefined, and returns that; throws after the timeout. */
async function poll(what, timeout, attempt) {
  for (const deadline = Date.now() + timeout; ;) {
    let failure;
    try {
      const value = await attempt();
      if (value !== undefined) return value;
    } catch (error) {
      if (error.strict) throw error;
      failure = error; // such as a page that is being replaced by another
    }
    if (Date.now() > deadline) throw new Error(`${what} took longer than ${timeout} ms`, {cause: failure});
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
}

/** Starts WebKit. */
export async function launchWebKit(driver) {
  const display = await startDisplay();
  const sessions = new Set();
  /** Browsers that no context uses, by their options: starting one takes half a second. @type {{key: string, session: any}[]} */
  const idle = [];
  const stop = (session) => (sessions.delete(session), session.stop());
  const end = async () => {
    await Promise.all([...sessions].map(stop));
    await display.stop();
  };
  /** @type {Promise<void> | undefined} */ let ended;
  return {
    async newContext(options = {}) {
      const {ignoreHTTPSErrors: acceptInsecureCerts = false, colorScheme = 'light'} = options;
      const key = `${acceptInsecureCerts} ${colorScheme}`;
      const found = idle.findIndex((one) => one.key === key);
      const session = found >= 0 ? idle.splice(found, 1)[0].session : await newSession(driver, display.name, {acceptInsecureCerts, args: colorScheme === 'dark' ? ['--dark-mode'] : []});
      sessions.add(session);
      return new Context(session, options, (usable) => usable ? void idle.push({key, session}) : stop(session));
    },
    close: () => (ended ??= end()), // the environments of a file share a browser, and each closes it
  };
}

/** A browser with its proxy. */
async function newSession(driver, display, options) {
  const proxy = await startForwardProxy();
  const session = await startSession(driver, display, {...options, proxy: proxy.port});
  return {...session, proxy, stop: () => (proxy.stop(), session.stop())};
}

class Context {
  /** @type {Page[]} */ pages = [];
  /** the last command: they run one after another, because each is for the current window */ last = Promise.resolve();
  window = '';
  /** @type {Promise<void> | undefined} */ closed;

  constructor(session, {viewport = {width: 1280, height: 720}, extraHTTPHeaders = {}, bypassCSP = false, locale = 'en-US'}, ended) {
    Object.assign(this, {session, proxy: session.proxy, viewport, ended});
    Object.assign(this.proxy, {headers: extraHTTPHeaders, bypassCSP, scripts: [
      `Object.defineProperty(navigator, 'language', {get: () => '${locale}'}); Object.defineProperty(navigator, 'languages', {get: () => ['${locale}']});`,
    ]});
  }

  /** Runs commands for a window, or for any. */
  run(window, commands) {
    const result = this.last.then(async () => {
      if (window && window !== this.window) await this.session.send('POST', '/window', {handle: window});
      if (window) this.window = window;
      return commands(this.session.send);
    });
    this.last = result.catch(() => {});
    return result;
  }

  async newPage() {
    const page = await this.run('', async (send) => {
      const handles = await send('GET', '/window/handles');
      const free = handles.find((handle) => this.pages.every((page) => page.window !== handle));
      const page = new Page(this, free ?? (await send('POST', '/window/new', {type: 'window'})).handle);
      this.pages.push(page);
      return page;
    });
    await page.setViewportSize(this.viewport);
    return page;
  }

  /** In each page of the context that loads from now on. */
  async addInitScript(script, argument) {
    this.proxy.scripts.push(`(${script})(${JSON.stringify(argument)});`);
  }

  /** The cookies for an address, by default for the pages. */
  async cookies(url) {
    if (!url) return (await Promise.all(this.pages.map((page) => page.run((send) => send('GET', '/cookie'))))).flat();
    const page = await this.newPage();
    await page.goto(blankPage(new URL(url).origin));
    const cookies = await page.run((send) => send('GET', '/cookie'));
    await page.close();
    return cookies;
  }

  async setOffline(offline) {
    this.proxy.setOffline(offline);
    for (const page of this.pages) {
      await page.evaluate((offline) => {
        Object.defineProperty(navigator, 'onLine', {get: () => !offline, configurable: true});
        dispatchEvent(new Event(offline ? 'offline' : 'online'));
      }, offline);
    }
  }

  /** Closes the pages, and leaves a browser without cookies and storage for another context. A second call does nothing: two contexts would get one browser. */
  close() { return (this.closed ??= this.#close()); }

  async #close() {
    const [first, ...others] = this.pages;
    let usable = Boolean(first);
    try {
      this.proxy.setOffline(false);
      for (const page of others) await page.close();
      await first?.goto('about:blank');
      this.proxy.removeAllListeners();
      this.proxy.routes = [];
      for (const origin of first ? this.proxy.origins : []) {
        await first.goto(blankPage(origin));
        await first.evaluate(() => { localStorage.clear(); sessionStorage.clear(); });
        await first.run((send) => send('DELETE', '/cookie'));
      }
      await first?.goto('about:blank');
      this.proxy.reset();
    } catch {
      usable = false; // a page has crashed
    }
    await this.ended(usable);
  }
}

/** A document: that of a page, or of a frame in it. */
class Frame {
  /** @param {Page | undefined} page @param {object[]} path the iframes from the page's document to this one, as WebDriver names elements */
  constructor(page, path) {
    this.page = /** @type {any} */ (page ?? this);
    this.path = path;
  }

  /** Runs a script in this document. */
  execute(script, ...args) {
    return this.page.run(async (send) => {
      try {
        for (const id of this.path) await send('POST', '/frame', {id});
        return await send('POST', '/execute/sync', {script, args});
      } finally {
        if (this.path.length) await send('POST', '/frame', {id: null});
      }
    });
  }

  /** Runs a function, or a script, in this document. The result is a copy, or undefined if that cannot be made. */
  async evaluate(code, argument) {
    if (typeof code === 'string') return this.execute(code);
    const json = await this.execute(`return (async () => {
      const value = await (${code})(arguments[0]);
      try { return JSON.stringify({value}); } catch { return '{}'; }
    })()`, argument);
    return JSON.parse(json).value;
  }

  /** Runs a function that gives an element. */
  async evaluateHandle(code, argument) {
    return new Handle(this, await this.execute(`return (async () => await (${code})(arguments[0]))()`, argument));
  }

  async waitForFunction(code, argument, {timeout = TIMEOUT} = {}) {
    await poll(`waiting for ${code}`, timeout, async () => (await this.evaluate(code, argument)) || undefined);
  }

  locator(selector, options) { return new Locator(this, selector).filter(options); }
  getByRole(role, options) { return new Locator(this, '').getByRole(role, options); }
  getByText(text, options) { return new Locator(this, '').getByText(text, options); }
  getByLabel(text, {exact = false} = {}) { return this.locator(`internal:label=${escapeForTextSelector(text, exact)}`); }
}

/** An element. */
class Handle {
  constructor(frame, element) { Object.assign(this, {frame, element}); }
  asElement() { return this; }
  evaluate(code) { return this.frame.evaluate(code, this.element); }
  innerText() { return this.evaluate((element) => element.innerText); }
  async contentFrame() { return new Frame(this.frame.page, [...this.frame.path, this.element]); }
}

class Page extends Frame {
  #loads = 0;
  /** those of the document after goto() @type {Frame[]} */ iframes = [];
  clock = {
    install: () => this.#moveClock('install', Date.now()),
    pauseAt: (time) => this.#moveClock('pauseAt', time),
    fastForward: (ms) => this.#moveClock('fastForward', ms),
    runFor: (ms) => this.#moveClock('runFor', ms),
  };
  keyboard = {
    press: (keys) => this.#press(keys.split('+')),
    insertText: (text) => this.evaluate((text) => void document.execCommand('insertText', false, text), text),
    type: (text) => this.#press(...[...text].map((key) => [key])),
  };
  mouse = {
    move: (x, y) => this.#point(x, y),
    click: (x, y) => this.#point(x, y, {type: 'pointerDown', button: 0}, {type: 'pointerUp', button: 0}),
  };

  constructor(context, window) {
    super(undefined, []);
    Object.assign(this, {owner: context, proxy: context.proxy, window});
  }

  context() { return this.owner; }
  url() { return this.address; }
  frames() { return [this, ...this.iframes]; }

  /** Runs commands in this page's window. */
  run(commands) { return this.owner.run(this.window, commands); }

  async setViewportSize({width, height}) {
    const [missingWidth, missingHeight] = await this.evaluate(({width, height}) => [width - innerWidth, height - innerHeight], {width, height});
    if (!missingWidth && !missingHeight) return;
    await this.run(async (send) => {
      const rect = await send('GET', '/window/rect');
      await send('POST', '/window/rect', {width: rect.width + missingWidth, height: rect.height + missingHeight});
    });
    await this.waitForFunction(({width, height}) => innerWidth === width && innerHeight === height, {width, height});
  }

  async goto(url) {
    await this.#load((send) => send('POST', '/url', {url}), url);
    this.address = url;
    const iframes = await this.execute('return [...document.querySelectorAll("iframe[src]")].map((iframe) => [iframe, iframe.src])');
    this.iframes = iframes.map(([element, src]) => Object.assign(new Frame(this, [element]), {url: () => src}));
  }

  /**
   * Gives the window of the context the focus, as a window manager would; the X server has none. Until then a page has no focus, and no
   * element matches `:focus`. Of a context with several windows it is any of them.
   */
  async bringToFront() {
    const {pid, display} = this.owner.session;
    const command = ['search', '--onlyvisible', '--pid', childrenOf(pid)[0], 'windowraise', 'windowfocus'];
    await promisify(execFile)('xdotool', command, {env: {...process.env, DISPLAY: display}});
    await this.waitForFunction(() => document.hasFocus());
  }

  reload() { return this.#load((send) => send('POST', '/refresh', {})); }
  goBack() { return this.#load((send) => send('POST', '/back', {})); }

  /** Waits until another document has loaded, or until the page is at an address that needs none. Pages of a context load at the same time. */
  async #load(command, url) {
    const mark = ++this.#loads; // a document from the back/forward cache has an older one
    await this.evaluate((mark) => void (globalThis.beforeLoad = mark), mark);
    await this.run(command);
    await this.waitForFunction(([mark, url]) => document.readyState === 'complete' && (globalThis.beforeLoad !== mark || location.href === url), [mark, url]);
  }

  async setContent(html) {
    await this.execute(`
      document.open(); // removes listeners
      ${reportErrors}
      document.write(arguments[0]);
      document.close();`, html);
    await this.waitForFunction(() => document.readyState === 'complete');
  }

  /** Ends the web process of the context's pages. */
  async crash() {
    for (const browser of childrenOf(this.owner.session.pid)) {
      for (const pid of childrenOf(browser)) if (readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('WebKitWebProces')) process.kill(Number(pid), 'SIGKILL');
    }
  }

  async close() {
    this.owner.pages = this.owner.pages.filter((page) => page !== this);
    await this.run((send) => send('DELETE', '/window'));
  }

  addInitScript(script, argument) { return this.owner.addInitScript(script, argument); }

  async #moveClock(action, value) {
    const log = `globalThis.__pwClock.controller.log('${action}', ${Date.now()}, ${value})`;
    if (!this.proxy.scripts.includes(CLOCK)) this.proxy.scripts.push(CLOCK);
    this.proxy.scripts.push(log);
    await this.evaluate(CLOCK);
    await this.execute(`return globalThis.__pwClock.controller.${action}(${value})`);
  }

  /** Events come from all pages of the context; where a test listens, there is only one. */
  on(event, listener) { this.proxy.on(event, listener); }

  waitForResponse(matches, {timeout = TIMEOUT} = {}) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => (this.proxy.off('response', check), reject(new Error(`no such response within ${timeout} ms`))), timeout);
      const check = (response) => matches(response) && (clearTimeout(timer), this.proxy.off('response', check), resolve(response));
      this.proxy.on('response', check);
    });
  }

  async route(pattern, handle) { this.proxy.routes.push({pattern, matches: (url) => urlMatches(undefined, url, pattern), handle}); }
  async unroute(pattern) { this.proxy.routes = this.proxy.routes.filter((route) => route.pattern !== pattern); }

  /** Presses keys one after the other, each with its modifiers before it. In one command, because pages wait for the next key only so long. */
  #press(...strokes) {
    const actions = strokes.flatMap((keys) => {
      const values = keys.map((key) => KEYS[key] ?? key);
      return [...values.map((value) => ({type: 'keyDown', value})), ...values.toReversed().map((value) => ({type: 'keyUp', value}))];
    });
    return this.run((send) => send('POST', '/actions', {actions: [{type: 'key', id: 'keyboard', actions}]}));
  }

  #point(x, y, ...more) {
    // A session that is used again may have its pointer there already, and a page gets no event for a pointer that does not move.
    const moves = [1, 0].map((beside) => ({type: 'pointerMove', duration: 0, x: Math.round(x) + beside, y: Math.round(y)}));
    const actions = [...moves, ...more];
    return this.run((send) => send('POST', '/actions', {actions: [{type: 'pointer', id: 'mouse', actions}]}));
  }
}

/** The elements that a selector of Playwright matches now. */
class Locator {
  constructor(frame, selector) { Object.assign(this, {frame, selector}); }

  #with(part) { return new Locator(this.frame, this.selector ? `${this.selector} >> ${part}` : part); }
  filter({hasText, visible} = {}) {
    const texted = hasText === undefined ? this : this.#with(`internal:has-text=${escapeForTextSelector(hasText, false)}`);
    return visible === undefined ? texted : texted.#with(`visible=${visible}`);
  }
  locator(selector, options) { return this.#with(selector).filter(options); }
  getByRole(role, {name} = {}) { return this.#with(`internal:role=${role}${name === undefined ? '' : `[name=${escapeForAttributeSelector(name, false)}]`}`); }
  getByText(text, {exact = false} = {}) { return this.#with(`internal:text=${escapeForTextSelector(text, exact)}`); }
  nth(index) { return this.#with(`nth=${index}`); }
  first() { return this.nth(0); }
  and({selector}) { return this.#with(`internal:and=${JSON.stringify(selector)}`); }
  or({selector}) { return this.#with(`internal:or=${JSON.stringify(selector)}`); }

  /**
   * Runs a function with the elements, Playwright's script and an argument in the document. Where it gives undefined it runs again
   * at each change of the document, for `wait` milliseconds.
   */
  async query(code, argument, wait = 0) {
    const script = `
      const [selector, argument, wait] = arguments;
      const injected = globalThis[Symbol.for('playwright')];
      if (!injected) return '{"missing": true}';
      const attempt = () => (${code})(injected.querySelectorAll(injected.parseSelector(selector), document), injected, argument);
      const {setTimeout, setInterval, clearTimeout, clearInterval} = injected.utils.builtins; // not those of the fake clock
      const first = attempt();
      if (first !== undefined || !wait) return JSON.stringify({value: first});
      return new Promise((resolve, reject) => {
        const check = (last) => {
          try {
            const value = attempt();
            if (value !== undefined || last === true) end(resolve, JSON.stringify({value}));
          } catch (error) {
            end(reject, error);
          }
        };
        const end = (settle, value) => (observer.disconnect(), clearInterval(repeated), clearTimeout(timer), settle(value));
        const observer = new MutationObserver(check);
        const repeated = setInterval(check, 50); // styles and shadow roots change without a mutation of the document
        const timer = setTimeout(check, wait, true);
        observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
      });`;
    for (;;) {
      const {missing, value} = JSON.parse(await this.frame.execute(script, this.selector, argument, wait));
      if (!missing) return value;
      await this.frame.execute(INJECTED);
    }
  }

  /** Runs a function with the only element, as soon as there is one. While it gives undefined it runs again. */
  async one(code, argument, {timeout = TIMEOUT} = {}) {
    const strict = `([element, ...others], injected, argument) => others.length ? {others: others.length} : element && {value: (${code})(element, injected, argument)}`;
    return poll(this.selector, timeout, async () => {
      const {others, value} = await this.query(strict, argument, SLICE) ?? {};
      if (others) throw Object.assign(new Error(`${this.selector} matches ${others + 1} elements`), {strict: true});
      return value;
    });
  }

  waitFor({state = 'visible', timeout = TIMEOUT} = {}) {
    return poll(`${this.selector}: waiting until it is ${state}`, timeout, () => this.query(([element], injected, state) => {
      if (state === 'attached' || state === 'detached') return Boolean(element) === (state === 'attached') || undefined;
      return (element ? injected.elementState(element, state).matches : state === 'hidden') || undefined;
    }, state, SLICE));
  }

  count() { return this.query((elements) => elements.length); }
  allTextContents() { return this.query((elements) => elements.map((element) => element.textContent)); }
  allInnerTexts() { return this.query((elements) => elements.map((element) => element.innerText)); }
  isVisible() { return this.query((elements, injected) => elements.length > 0 && injected.elementState(elements[0], 'visible').matches); }
  innerText() { return this.one((element) => element.innerText); }
  textContent() { return this.one((element) => element.textContent); }
  inputValue() { return this.one((element) => element.value); }
  getAttribute(name) { return this.one((element, _, name) => element.getAttribute(name), name); }
  boundingBox() { return this.one((element) => element.getBoundingClientRect().toJSON()); }
  focus(options) { return this.one((element, injected) => (injected.focusNode(element), null), undefined, options); }
  async evaluate(code) { return (await this.elementHandle()).evaluate(code); }

  async elementHandle() {
    await this.waitFor({state: 'attached'});
    return this.frame.evaluateHandle((selector) => {
      const injected = globalThis[Symbol.for('playwright')];
      return injected.querySelectorAll(injected.parseSelector(selector), document)[0];
    }, this.selector);
  }

  async selectOption(option, options) {
    const wanted = typeof option === 'string' ? {valueOrLabel: option} : option;
    await this.one((element, injected, wanted) => (injected.selectOptions(element, [wanted]), null), wanted, options);
  }

  async press(keys, options) {
    await this.focus(options);
    await this.frame.page.keyboard.press(keys);
  }

  async pressSequentially(text, options) {
    await this.focus(options);
    await this.frame.page.keyboard.type(text);
  }

  async fill(value, options) {
    await this.one((element) => (element.focus(), element.select(), null), undefined, options);
    await this.frame.page.keyboard.type(value);
  }

  hover(options) { return this.#point('hover', (x, y) => this.frame.page.mouse.move(x, y), options); }
  click(options) { return this.#point('mouse', (x, y) => this.frame.page.mouse.click(x, y), options); }

  /** Points at the middle of the element, once it is visible, enabled, still and not covered, and again if it moved away. */
  async #point(action, act, {position, timeout = TIMEOUT} = {}) {
    let last = '';
    await poll(`${this.selector}: waiting until it can be pointed at`, timeout, async () => {
      const point = await this.one((element, injected, {action, position, last}) => {
        if (!['visible', 'enabled'].every((state) => injected.elementState(element, state).matches)) return null;
        element.scrollIntoView({block: 'nearest', inline: 'nearest'});
        const {x, y, width, height} = element.getBoundingClientRect();
        const point = position ? [x + position.x, y + position.y] : [x + width / 2, y + height / 2];
        if (String(point) !== last) return point;
        injected.pointed = injected.setupHitTargetInterceptor(element, action, {x: point[0], y: point[1]}, false);
        return injected.pointed.stop ? point : null; // otherwise another element covers it, which must not be pressed
      }, {action, position, last}, {timeout});
      const still = point && String(point) === last;
      last = String(point);
      if (!still) return undefined;
      await act(...point);
      const hit = await this.query((_, injected) => injected.pointed?.stop?.() ?? injected.pointed).catch(() => 'done'); // another page
      // An element that disappeared has been hit.
      return hit === undefined || hit === 'done' || !(await this.isVisible()) || undefined;
    });
  }
}
