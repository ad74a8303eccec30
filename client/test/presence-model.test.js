/**
 * A model test: random histories of a page, its server and its network on the fake clock. Whatever happens, every promise that the client
 * gave settles, one update at a time is under way, nothing is left after stop(), and each presence is left once.
 *
 * Prints its seed; `SEED=… node --test client/test/presence-model.test.js` repeats a run.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import {World, generator, settle, user} from './fixtures.js';

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
    this.world = new World(this.pick(/** @type {const} */ (['none', 'open', 'open', 'open', 'shut', 'hangs', 'mute'])));
    this.live = this.world.door !== 'none';
    this.world.set(user(2, 'Alice', SECTIONS[1]));
    const token = this.pick([undefined, 'a-token', () => this.#token()]);
    this.core = this.world.core({token}, this.pick([1, null]));
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
    [6, 'turn', () => settle()],
    [6, 'pass', () => this.world.clock.pass(this.pick([1, 100, 1_000, 3_000, 9_000, 31_000, 130_000]))],
    [1, 'pass long', () => this.world.clock.pass(33 * 60_000)],
    [1, 'sleep', () => this.world.clock.sleep(600_000)],
    [2, 'socket closes', () => this.world.socket?.end(this.pick([1006, 1008, 1012]))],
    [1, 'server says', () => this.world.socket?.tell(this.pick([
      {type: 'error', code: 'draining', retry_after: 5}, {type: 'error', code: 'token_ends'}, {type: 'error', code: 'unavailable'},
      {type: 'restate'}, {type: 'snapshot', version: this.world.version, users: [], partial: true}, {type: 'snapshot', version: 5, users: []},
      {type: 'delta', base: 1, version: this.world.version + 9, changed: [], at: [], left: []},
    ]))],
    [1, 'others change', () => this.world.set(user(2, 'Alice', this.pick(SECTIONS)))],
    [1, 'server loses its data', () => (this.world.version = 50)],
    [2, 'door', () => this.live && (this.world.door = this.pick(/** @type {const} */ (['open', 'open', 'shut', 'hangs', 'mute'])))],
    [1, 'mistake', () => (this.world.mistake = this.pick([null, null, {code: 'unavailable'}, {code: 'bad_json'}, {code: 'token_invalid'}, {code: 'too_many_requests', retry_after: 3}]))],
    [2, 'failure', () => {
      this.world.failure = this.pick([null, null, 503, 401, 404, 400, 429, new TypeError('Failed to fetch'), 'silence']);
      this.world.failureHeaders = this.pick(/** @type {Record<string, string>[]} */ ([{}, {'Retry-After': '3'}]));
    }],
    [1, 'unreadable answers', () => (this.world.extra = this.pick([{}, {}, {conflicts: 5}, {you: 7, users: null}]))],
    [2, 'hold', () => (this.world.held = true)],
    [3, 'release', () => this.world.release()],
    [2, 'token', () => (this.tokenAnswers = this.random() < 0.5)],
    [2, 'token resolves', () => this.tokens.shift()?.resolve(this.pick(['b-token', null, undefined, 'two words']))],
    [2, 'token rejects', () => this.tokens.shift()?.reject(new Error('signed out'))],
    [1, 'pagehide', () => this.world.fire('pagehide')],
    [2, 'pageshow', () => this.world.fire('pageshow')],
    [1, 'hide', () => this.world.hide()],
    [2, 'show', () => this.world.show()],
    [1, 'input', () => this.world.fire('keydown')],
    [1, 'online', () => this.world.fire('online')],
    [1, 'offline', () => this.world.fire('offline')],
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
    const {world} = this;
    const open = world.updates.filter(({done, aborted}) => !done && !aborted);
    assert.ok(open.length <= 1, `${open.length} updates are under way by HTTP`);
    assert.ok(world.sockets.filter(({readyState}) => readyState < 2).length <= 1, 'two connections');
    for (const {open, unanswered} of world.sockets) assert.ok(!open || unanswered <= 1, `${unanswered} updates are under way on one connection`);
  }

  /** What was sent of this session, by seq: each seq once, and no two leaves without an update between. */
  checkMessages() {
    const all = [...this.world.sent.filter(({body}) => body).map(({path, body}) => ({...body, type: path.slice(0, -1)})), ...this.world.sockets.flatMap(({said}) => said)];
    all.sort((a, b) => a.seq - b.seq);
    const types = all.map(({type}) => (type === 'leave' ? 'leave' : 'update'));
    // A request is repeated with its seq after a 401.
    for (let i = 1; i < all.length; i++) assert.ok(all[i].seq > all[i - 1].seq || types[i] === 'update', `seq ${all[i].seq} twice: ${types}`);
    assert.doesNotMatch(types.join(' '), /^leave|leave leave/, 'a leave of what was left');
    return types;
  }

  unsettled() {
    return this.promises.filter(({settled}) => !settled).map(({name}) => name);
  }

  /** stop() at any moment: nothing is left when its turn is over, whatever the server and token() do not answer. */
  async endByStop() {
    this.core.stop();
    await settle();
    assert.deepEqual(this.unsettled(), [], 'promises that never settle after stop()');
    assert.equal(this.world.clock.pending, 0, 'timers after stop()');
    assert.deepEqual(this.world.sockets.filter(({readyState}) => readyState < 2), [], 'connections after stop()');
    const types = this.checkMessages();
    if (types.length) assert.equal(types[types.length - 1], 'leave', 'present after stop()');
    assert.equal(this.core.getSnapshot().status, 'stopped');
    const {length} = this.world.sent;
    for (const {resolve} of this.tokens) resolve('late');
    this.world.release();
    await this.world.clock.pass(600_000);
    assert.deepEqual([this.world.sent.length, this.world.sockets.every(({readyState}) => readyState === 3)], [length, true], 'something was sent after stop()');
  }

  /** Nothing answers any more, for as long as it takes. */
  async endBySilence() {
    this.world.failure = 'silence';
    this.world.door = this.live ? 'mute' : 'none';
    this.tokenAnswers = false;
    await this.world.clock.pass(20 * 60_000);
    assert.deepEqual(this.unsettled(), [], 'promises that never settle while the server is silent');
    this.checkMessages();
    await this.endByStop();
  }
}

test('every promise settles, in every order of start, stop, answer, error and close', async (t) => {
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
