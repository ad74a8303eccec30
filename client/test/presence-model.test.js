/**
 * A model test: random histories of a page, its server and its network on the fake clock. In each of them every promise of the client
 * settles, one update at a time is under way, nothing is left after stop(), and each presence ends with one leave.
 *
 * Prints its seed; `SEED=… node --test client/test/presence-model.test.js` repeats a run.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import {FakeEnvironment, generator, settle, user} from './fixtures.js';

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000_000);
const HISTORIES = Number(process.env.HISTORIES ?? 150);
const STEPS = 40;
const SECTIONS = ['', 'manuscript/abstract', 'manuscript/methods'];

class History {
  /** @type {string[]} */ log = [];
  /** @type {{name: string, settled: boolean}[]} every promise that the client gave */ promises = [];
  /** @type {{resolve: (token: any) => void, reject: (error: Error) => void}[]} calls of token() that have not answered */ tokens = [];
  tokenAnswers = true;

  /** @param {number} seed */
  constructor(seed) {
    this.random = generator(seed);
    this.env = new FakeEnvironment(this.pick(/** @type {const} */ (['none', 'open', 'open', 'open', 'refuses', 'hangs', 'silent'])));
    this.live = this.env.webSocket !== 'none';
    this.env.set(user(2, 'Alice', SECTIONS[1]));
    const token = this.pick([undefined, 'a-token', () => this.#token()]);
    this.core = this.env.core({token}, this.pick([1, null]));
  }

  /** @template T @param {readonly T[]} of @returns {T} */
  pick(of) {
    return of[Math.floor(this.random() * of.length)];
  }

  #token() {
    return new Promise((resolve, reject) => {
      if (this.tokenAnswers) resolve('a-token');
      else this.tokens.push({resolve, reject});
    });
  }

  /** @param {string} name @param {Promise<unknown>} promise */
  #watch(name, promise) {
    const watched = {name, settled: false};
    this.promises.push(watched);
    promise.then(() => (watched.settled = true), (error) => assert.fail(`${name} rejected: ${error}`));
  }

  /** What may happen, each with its weight. @type {[number, string, () => unknown][]} */
  actions = [
    [4, 'start', () => this.core.start()],
    [2, 'stop', () => this.core.stop()],
    [3, 'setSection', () => this.core.setSection(this.pick(SECTIONS))],
    [5, 'updatePresence', () => this.#watch('updatePresence', this.core.updatePresence())],
    [3, 'fetchPresence', () => this.#watch('fetchPresence', this.core.fetchPresence())],
    [1, 'editAnyway', () => this.core.editAnyway()],
    [1, 'chooseDifferent', () => this.core.chooseDifferent()],
    [2, 'setUnsaved', () => this.core.setUnsaved(this.random() < 0.5)],
    [2, 'saved', () => this.core.saved({section: this.pick(SECTIONS.slice(1)), revision: this.pick([1, 2, 3])})],
    [1, 'opened', () => this.core.opened({section: SECTIONS[1], revision: this.pick([1, 2, null])})],
    [1, 'waitFor', () => this.core.waitFor(this.pick(SECTIONS))],
    [1, 'others save', () => this.env.save(user(2, 'Alice'), this.pick(SECTIONS.slice(1)), this.pick(['1', '2', '3']))],
    [6, 'turn', () => settle()],
    [6, 'pass', () => this.env.clock.advance(this.pick([1, 100, 1_000, 3_000, 9_000, 31_000, 130_000]))],
    [1, 'pass long', () => this.env.clock.advance(33 * 60_000)],
    [1, 'sleep', () => this.env.clock.sleep(600_000)],
    [2, 'socket closes', () => this.env.socket?.end(this.pick([1006, 1008, 1012]))],
    [1, 'server says', () => this.env.socket?.deliver(this.pick([
      {type: 'error', code: 'draining', retry_after: 5}, {type: 'error', code: 'token_ends'}, {type: 'error', code: 'unavailable'},
      {type: 'restate'}, {type: 'snapshot', version: this.env.version, users: [], partial: true}, {type: 'snapshot', version: 5, users: []},
      {type: 'delta', base: 1, version: this.env.version + 9, changed: [], at: [], left: []},
    ]))],
    [1, 'others change', () => this.env.set(user(2, 'Alice', this.pick(SECTIONS)))],
    [1, 'server loses its data', () => (this.env.version = 50)],
    [2, 'webSocket', () => this.live && (this.env.webSocket = this.pick(/** @type {const} */ (['open', 'open', 'refuses', 'hangs', 'silent'])))],
    [1, 'liveError', () => (this.env.liveError = this.pick([null, null, {code: 'unavailable'}, {code: 'bad_json'}, {code: 'token_invalid'}, {code: 'too_many_requests', retry_after: 3}]))],
    [2, 'failure', () => {
      this.env.failure = this.pick([null, null, 503, 401, 404, 400, 429, new TypeError('Failed to fetch'), 'silence']);
      this.env.failureHeaders = this.pick(/** @type {Record<string, string>[]} */ ([{}, {'Retry-After': '3'}]));
    }],
    [1, 'unreadable answers', () => (this.env.extra = this.pick([{}, {}, {conflicts: 5}, {you: 7, users: null}]))],
    [2, 'hold', () => (this.env.held = true)],
    [3, 'release', () => this.env.release()],
    [2, 'token', () => (this.tokenAnswers = this.random() < 0.5)],
    [2, 'token resolves', () => this.tokens.shift()?.resolve(this.pick(['b-token', null, undefined, 'two words']))],
    [2, 'token rejects', () => this.tokens.shift()?.reject(new Error('signed out'))],
    [1, 'pagehide', () => this.env.fire('pagehide')],
    [2, 'pageshow', () => this.env.fire('pageshow')],
    [1, 'hide', () => this.env.hide()],
    [2, 'show', () => this.env.show()],
    [1, 'input', () => this.env.fire('keydown')],
    [1, 'online', () => this.env.fire('online')],
    [1, 'offline', () => this.env.fire('offline')],
  ];

  async step() {
    let at = this.random() * this.actions.reduce((sum, [weight]) => sum + weight, 0);
    const [, name, act] = this.actions.find(([weight]) => (at -= weight) < 0) ?? this.actions[0];
    this.log.push(name);
    await act();
    this.check();
  }

  /** What holds at every moment. */
  check() {
    const {env} = this;
    const open = env.updates.filter(({done, aborted}) => !done && !aborted);
    assert.ok(open.length <= 1, `${open.length} updates are under way by HTTP`);
    assert.ok(env.sockets.filter(({readyState}) => readyState < 2).length <= 1, 'more than one connection');
    for (const {open, unanswered} of env.sockets) assert.ok(!open || unanswered <= 1, `${unanswered} updates are under way on one connection`);
  }

  /** What was sent of this session, by seq: each seq once, and no two leaves without an update between. */
  checkMessages() {
    const all = [...this.env.sent.filter(({body}) => body).map(({path, body}) => ({...body, type: path.slice(0, -1)})), ...this.env.sockets.flatMap(({messages}) => messages)];
    all.sort((a, b) => a.seq - b.seq);
    const types = all.map(({type}) => (type === 'leave' ? 'leave' : 'update'));
    // A request is repeated with its seq after a 401.
    for (let i = 1; i < all.length; i++) assert.ok(all[i].seq > all[i - 1].seq || types[i] === 'update', `seq ${all[i].seq} twice: ${types}`);
    assert.doesNotMatch(types.join(' '), /^leave|leave leave/, 'a leave without an update before it');
    return types;
  }

  unsettled() {
    return this.promises.filter(({settled}) => !settled).map(({name}) => name);
  }

  /** stop() at any moment: nothing is left when its turn is over, whatever the server and token() do not answer. */
  async endByStop() {
    this.core.stop();
    await settle();
    assert.deepEqual(this.unsettled(), [], 'promises that do not settle after stop()');
    assert.equal(this.env.clock.pending, 0, 'timers after stop()');
    assert.deepEqual(this.env.sockets.filter(({readyState}) => readyState < 2), [], 'connections after stop()');
    const types = this.checkMessages();
    if (types.length) assert.equal(types[types.length - 1], 'leave', 'the last message before stop() ended');
    assert.equal(this.core.getSnapshot().status, 'stopped');
    const {length} = this.env.sent;
    for (const {resolve} of this.tokens) resolve('late');
    this.env.release();
    await this.env.clock.advance(600_000);
    assert.deepEqual([this.env.sent.length, this.env.sockets.every(({readyState}) => readyState === 3)], [length, true], 'something was sent after stop()');
  }

  /** Nothing answers any more, for as long as it takes. */
  async endBySilence() {
    this.env.failure = 'silence';
    this.env.webSocket = this.live ? 'silent' : 'none';
    this.tokenAnswers = false;
    await this.env.clock.advance(20 * 60_000);
    assert.deepEqual(this.unsettled(), [], 'promises that do not settle while the server does not answer');
    this.checkMessages();
    await this.endByStop();
  }
}

test('every promise settles in any order of start, stop, answer, error and close', async (t) => {
  t.diagnostic(`SEED=${SEED} HISTORIES=${HISTORIES}`);
  const {warn} = console;
  console.warn = () => {};
  t.after(() => (console.warn = warn));
  for (let seed = SEED; seed < SEED + HISTORIES; seed++) {
    const history = new History(seed);
    try {
      for (let step = 0; step < STEPS; step++) await history.step();
      await (history.random() < 0.5 ? history.endByStop() : history.endBySilence());
    } catch (error) {
      throw new Error(`${/** @type {Error} */ (error).message}\nSEED=${seed} HISTORIES=1 repeats it: ${history.log.join(', ')}`, {cause: error});
    }
  }
});
