/** Visitors: tabs that open at once, and browsers that keep no cookie. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {FakeEnvironment, settle, user} from './fixtures.js';

/** The locks of one browser, as far as the client uses them: a name, `ifAvailable`, `shared` and `signal`. */
class Locks {
  #exclusive = false;
  #shared = 0;
  /** @type {(() => void)[]} */ #waiting = [];

  get held() {
    return this.#exclusive || this.#shared > 0;
  }

  /** @param {string} _ @param {{ifAvailable?: boolean, mode?: string, signal?: AbortSignal}} options @param {(lock: object | null) => any} run */
  async request(_, {ifAvailable, mode, signal}, run) {
    if (ifAvailable && this.held) return run(null);
    if (mode !== 'shared') this.#exclusive = true;
    else {
      while (this.#exclusive) {
        await new Promise((done, fail) => {
          this.#waiting.push(() => done(null));
          signal?.addEventListener('abort', () => fail(signal.reason));
        });
      }
      this.#shared++;
    }
    try {
      return await run({});
    } finally {
      if (mode === 'shared') this.#shared--;
      else this.#exclusive = false;
      for (const go of this.#waiting.splice(0)) go();
    }
  }
}

/** Tabs of one browser that open at once, and their locks. @param {number} count */
function tabs(count) {
  const locks = new Locks();
  const all = Array.from({length: count}, () => {
    const env = new FakeEnvironment();
    env.locks = /** @type {any} */ (locks);
    env.held = true;
    return env;
  });
  return {locks, all};
}

test('of first tabs that open at once, one becomes a visitor and the others wait for its answer', async () => { // rule 15
  const {locks, all} = tabs(3);
  const cores = all.map((env) => env.core({}, null));
  for (const core of cores) core.start();
  await settle();
  assert.deepEqual(all.map((env) => env.sent.length), [1, 0, 0]);
  all[0].release();
  await settle();
  assert.deepEqual(all.map((env) => env.sent.length), [1, 1, 1], 'the others ask at once, and do not wait for each other');
  for (const env of all) env.release();
  await settle();
  assert.equal(locks.held, false);
  await all[0].clock.advance(30_000);
  assert.equal(all[0].sent.length, 2, 'a heartbeat waits for nothing');
  for (const core of cores) core.stop();
});

test('a tab that waits goes ahead when the first one fails, is stopped or gets no answer', async () => {
  for (const end of ['fails', 'stops', 'hangs']) {
    const {locks, all: [first, second]} = tabs(2);
    const cores = [first, second].map((env) => env.core({}, null));
    first.failure = end === 'hangs' ? 'silence' : 503;
    if (end === 'hangs') first.held = false;
    second.held = false;
    for (const core of cores) core.start();
    await settle();
    assert.deepEqual([first.sent.length, second.sent.length], [1, 0], end);
    if (end === 'fails') first.release();
    else if (end === 'stops') cores[0].stop();
    else await first.clock.advance(8_000); // the time limit of an answer
    await settle();
    assert.equal(second.updates.length, 1, end);
    assert.equal(second.updates[0].done, true, end);
    for (const core of cores) core.stop();
    await settle();
    assert.equal(locks.held, false, end);
  }
});

test('a tab that waits longer than the time limit of an answer asks without the lock', async () => {
  const {all: [first, second]} = tabs(2);
  const cores = [first, second].map((env) => env.core({}, null));
  second.held = false;
  for (const core of cores) core.start(); // the clock of the first one stands still, as in a frozen tab
  await second.clock.advance(7_999);
  assert.equal(second.sent.length, 0);
  await second.clock.advance(1);
  assert.deepEqual([second.sent.length, cores[1].getSnapshot().status], [1, 'polling']);
  for (const core of cores) core.stop();
});

test('a tab that is stopped while it waits sends nothing', async () => {
  const {all: [first, second]} = tabs(2);
  const cores = [first, second].map((env) => env.core({}, null));
  for (const core of cores) core.start();
  await settle();
  cores[1].stop();
  first.release();
  await settle();
  assert.equal(second.sent.length, 0);
  cores[0].stop();
});

test('pages with a token or a user, and browsers without locks, ask at once', async () => {
  const {all: [first, token, known]} = tabs(3);
  const plain = new FakeEnvironment();
  plain.held = true;
  const cores = [first.core({}, null), token.core({token: 'x'}, null), known.core({}, 7), plain.core({}, null)];
  for (const core of cores) core.start();
  await settle();
  assert.deepEqual([first, token, known, plain].map((env) => env.sent.length), [1, 1, 1, 1]);
  for (const core of cores) core.stop();
});

/** Polls as one user after another, and returns the texts of the status. @param {(Partial<import('./fixtures.js').User> & {user_id: string | number})[]} users */
async function texts(users) {
  const env = new FakeEnvironment();
  const core = env.core({}, null);
  core.start();
  /** @type {string[]} */
  const all = [];
  for (const more of users) {
    env.me = user(more.user_id, `${more.user_id}`, '', more);
    env.version++;
    await (all.length ? env.clock.advance(30_000) : settle());
    all.push(core.getSnapshot().text);
  }
  core.stop();
  return all;
}

const POLLING = 'Presence checked every 30 s';
const COOKIES = 'Presence needs cookies here';

test('a page that is another visitor in each answer says that presence needs cookies', async (t) => { // case 46
  const warned = t.mock.method(console, 'warn', () => {});
  const visitor = (/** @type {string} */ id) => ({user_id: `visitor-${id}`, visitor: true});
  assert.deepEqual(await texts(['a', 'b', 'c'].map(visitor)), [POLLING, COOKIES, COOKIES]);
  assert.deepEqual(warned.mock.calls.map(({arguments: [text]}) => /cookie.*--embedding/.test(text)), [true], 'once on the console');
  assert.deepEqual(await texts(['a', 'b', 'b'].map(visitor)), [POLLING, COOKIES, POLLING], 'until the visitor stays the same');
});

test('signing in, signing out and a new token are no lack of cookies', async (t) => { // rule 7
  const warned = t.mock.method(console, 'warn', () => {});
  const visitor = {user_id: 'visitor-a', visitor: true};
  assert.deepEqual(await texts([visitor, visitor, {user_id: 7}, {user_id: 8}, visitor]), [POLLING, POLLING, POLLING, POLLING, POLLING]);
  assert.equal(warned.mock.callCount(), 0);
});
