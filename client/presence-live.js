/**
 * The live connection, a WebSocket as in docs/reference/protocol.md: connects, sends the hello, receives snapshots and deltas, and reconnects when it
 * ends. The transport decides what is sent, and when.
 */

import {TIME_LIMIT, Timer, jitter} from './presence-timer.js';

const PROTOCOL = 'writer-presence.v1';
const OPEN = 1;
const REFUSED = 1008;
const MAX_RETRY = 30_000; // the limit of the backoff while polling works and live connections do not
const MIN_RETRY = 1_000; // between attempts that changes of the page cause while attempts fail

export class LiveConnection {
  /** the hello was acknowledged, so updates can be sent */ ready = false;
  #core;
  #surroundings;
  #requests;
  #transport;
  #timer;
  #running = false;
  /** @type {WebSocket | undefined} */ #socket;
  #failures = 0;
  #triedAt = 0;
  /** the earliest time of the next attempt, as a draining server asked */ #retryAt = 0;
  /** the version after which a delta was missed; -1: none */ #gap = -1;
  /** @type {string | null | undefined | void} a new token that was not sent yet */ #renewed;
  /** @type {{seq: number, resolve: (answer: any) => void} | undefined} */ #waiting;

  /**
   * @param {import('./presence-core.js').PresenceCore} core
   * @param {import('./presence-requests.js').PresenceRequests} requests
   * @param {import('./presence-transport.js').PresenceTransport} transport
   */
  constructor(core, requests, transport) {
    this.#core = core;
    this.#surroundings = core.surroundings;
    this.#requests = requests;
    this.#transport = transport;
    this.#timer = new Timer(this.#surroundings);
  }

  start() {
    if (this.#running) return;
    this.#running = true;
    this.#schedule();
  }

  stop() {
    this.#running = false;
    this.#failures = this.#retryAt = 0;
    this.#drop();
  }

  /** Makes the next attempt to connect now; while attempts fail, at most one a second. */
  retry() {
    if (this.#running && !this.#socket) this.#schedule(this.#failures && this.#triedAt + MIN_RETRY - this.#surroundings.now());
  }

  /** Makes the next update ask for the list. */
  miss() {
    this.#gap = this.#core.version;
  }

  /** @param {import('./presence-types.js').Message} message @returns {Promise<import('./presence-requests.js').Outcome>} */
  async update({session, known_version, ...message}) {
    const token = this.#renewed;
    this.#renewed = undefined;
    const body = await this.#ask({type: 'update', ...message, ...(this.#gap === known_version && {known_version}), ...(token && {type: 'hello', session, token})});
    return {...body, status: body.code === 'unavailable' ? 503 : 400, fault: body.type === 'ack' ? '' : 'unknown'};
  }

  /** @param {number} seq @returns {boolean} whether it was sent */
  leave(seq) {
    if (!this.ready || this.#socket?.readyState !== OPEN) return false;
    this.#socket.send(JSON.stringify({type: 'leave', seq}));
    return true;
  }

  #schedule(delay = jitter(this.#surroundings, this.#failures, MAX_RETRY)) {
    this.#timer.set(() => this.#connect(), Math.max(delay, this.#retryAt - this.#surroundings.now()));
  }

  #connect() {
    if (!this.#running || !this.#core.running || this.#socket || this.#transport.failing) return;
    const {WebSocket} = this.#surroundings;
    this.#triedAt = this.#surroundings.now();
    try {
      const socket = (this.#socket = new /** @type {typeof globalThis.WebSocket} */ (WebSocket)(this.#requests.live, PROTOCOL));
      this.#timer.set(() => this.#end(socket), TIME_LIMIT);
      socket.onopen = () => this.#greet(socket);
      socket.onmessage = ({data}) => socket === this.#socket && this.#receive(JSON.parse(data));
      socket.onclose = ({code}) => this.#end(socket, code === REFUSED);
    } catch {
      this.#end(); // a content security policy may forbid it
    }
  }

  /** @param {WebSocket} socket */
  async #greet(socket) {
    const token = await this.#requests.token().catch(() => this.#end(socket));
    if (socket !== this.#socket) return;
    const done = this.#transport.begin();
    try {
      const message = this.#transport.compose();
      const answer = await this.#ask({type: 'hello', token: token || undefined, ...message});
      if (answer.type === 'ack') {
        this.ready = true;
        this.#failures = 0;
        this.#transport.welcome(answer, message);
      } else this.#end(socket, true);
    } finally {
      done();
    }
  }

  /** Sends a message; resolves with its ack or error, or with nothing when the connection ends, at the latest after the time limit. @param {{seq: number, [field: string]: unknown}} message @returns {Promise<any>} */
  #ask(message) {
    const socket = this.#socket;
    this.#answer({});
    this.#timer.set(() => this.#end(socket), TIME_LIMIT);
    socket?.send(JSON.stringify(message));
    return new Promise((resolve) => (this.#waiting = {seq: message.seq, resolve}));
  }

  /** @param {any} message */
  #receive(message) {
    const {type, seq, code} = message;
    if (type === 'snapshot') this.#core.acceptList(message, 'live', Infinity);
    else if (type === 'delta') {
      // Ask for the snapshot once, however many deltas arrive before it.
      if (!this.#core.acceptDelta(message) && this.#gap !== this.#core.version) this.#transport.refetch();
    } else if (type === 'restate') this.#core.restate();
    else if (seq && seq === this.#waiting?.seq) this.#answer(message);
    else if (code === 'draining') this.#end(this.#socket, false, message.retry_after * 1000 || 0);
    else if (code === 'unavailable') this.#core.fail('unknown');
    else if (code === 'token_ends') void this.#renew();
  }

  /** Fetches a new token, which the next update sends. If that fails, the connection stays open until the server closes it. */
  async #renew() {
    const socket = this.#socket;
    const token = await this.#requests.token(true).catch(() => {});
    if (socket !== this.#socket) return; // the next hello sends it
    this.#renewed = token;
    void this.#transport.poke();
  }

  /** @param {WebSocket} [socket] @param {boolean} [refused] reconnects only after a poll has succeeded @param {number} [pause] asked for by the server */
  #end(socket, refused = false, pause = 0) {
    if (socket !== this.#socket) return;
    const was = this.ready;
    this.#drop();
    this.#failures++;
    this.#retryAt = this.#surroundings.now() + pause;
    this.#running = !refused;
    this.#schedule();
    this.#transport.lost(was, refused, pause, this.#failures);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = this.#renewed = undefined;
    this.ready = false;
    this.#answer({});
    socket?.close();
  }

  /** @param {object} answer */
  #answer(answer) {
    this.#timer.clear();
    this.#waiting?.resolve(answer);
    this.#waiting = undefined;
  }
}
