/**
 * The live connection: messages go out over a WebSocket, and what changes comes in as it happens (docs/protocol.md). It
 * connects, says hello, and connects again when it ends; what is said, and when, is the transport's.
 */

import {TIME_LIMIT, Timer, jitter} from './presence-timer.js';

const PROTOCOL = 'writer-presence.v1';
const OPEN = 1;
const REFUSED = 1008;

export class LiveConnection {
  /** acknowledged: updates may go this way */ ready = false;
  #core;
  #surroundings;
  #requests;
  #transport;
  #timer;
  #running = false;
  /** @type {WebSocket | undefined} */ #socket;
  #failures = 0;
  /** when the server that went away wants to be asked again */ #notBefore = 0;
  /** the version after which something was missed */ #gap = -1;
  /** the token does, soon */ #ends = false;
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
    this.#retry();
  }

  stop() {
    this.#running = false;
    this.#failures = this.#notBefore = 0;
    this.#drop();
  }

  /** Something may be different now: the next attempt need not wait. */
  hurry() {
    if (this.#running && !this.#socket) this.#retry(0);
  }

  /** @param {import('./presence-types.js').Message} message @returns {Promise<import('./presence-requests.js').Outcome>} */
  async update({session, known_version, ...message}) {
    const token = this.#ends && (await this.#requests.token(true).catch(() => {}));
    this.#ends = false;
    const body = await this.#ask({type: 'update', ...message, ...(this.#gap === known_version && {known_version}), ...(token && {type: 'hello', session, token})});
    return {...body, status: body.code === 'unavailable' ? 503 : 400, fault: body.type === 'ack' ? '' : 'unknown'};
  }

  /** @param {number} seq @returns {boolean} whether it could be said */
  leave(seq) {
    if (!this.ready || this.#socket?.readyState !== OPEN) return false;
    this.#ask({type: 'leave', seq});
    return true;
  }

  #retry(delay = jitter(this.#surroundings, this.#failures)) {
    this.#timer.set(() => this.#connect(), Math.max(delay, this.#notBefore - this.#surroundings.now()));
  }

  #connect() {
    if (!this.#running || !this.#core.running || this.#socket) return;
    const {WebSocket, window} = this.#surroundings;
    try {
      const address = new URL(`${this.#requests.base}live/`, /** @type {Window | undefined} */ (window)?.location.href).href.replace('http', 'ws');
      const socket = (this.#socket = new /** @type {typeof globalThis.WebSocket} */ (WebSocket)(address, PROTOCOL));
      this.#timer.set(() => this.#end(socket), TIME_LIMIT);
      socket.onopen = () => this.#greet(socket);
      socket.onmessage = ({data}) => socket === this.#socket && this.#receive(JSON.parse(data));
      socket.onclose = ({code}) => this.#end(socket, code === REFUSED);
    } catch {
      this.#end(); // the page's policy may forbid it
    }
  }

  /** @param {WebSocket} socket */
  async #greet(socket) {
    const token = await this.#requests.token().catch(() => this.#end(socket));
    if (socket !== this.#socket) return;
    const {message, done} = this.#transport.compose();
    const answer = await this.#ask({type: 'hello', token: token || undefined, ...message});
    if (answer.type === 'ack') {
      this.ready = true;
      this.#failures = 0;
      this.#transport.welcome(answer, message);
    } else this.#end(socket, true);
    done();
  }

  /** Its ack, or an error; who does not answer is taken for dead. @param {{seq: number, [field: string]: unknown}} message @returns {Promise<any>} */
  #ask(message) {
    this.#timer.set(() => this.#end(this.#socket), TIME_LIMIT);
    this.#socket?.send(JSON.stringify(message));
    return new Promise((resolve) => (this.#waiting = {seq: message.seq, resolve}));
  }

  /** @param {any} message */
  #receive(message) {
    const {type, seq, code} = message;
    if (type === 'snapshot') this.#core.acceptList(message, 'live', Infinity);
    else if (type === 'delta') {
      const {version} = this.#core;
      if (this.#core.acceptDelta(message) || this.#gap === version) return;
      this.#gap = version; // however many come before the snapshot that is asked for, it is asked for once
      this.#transport.poke();
    } else if (seq && seq === this.#waiting?.seq) this.#answer(message);
    else if (code === 'draining') this.#end(this.#socket, false, message.retry_after * 1000 || 0);
    else if (code === 'unavailable') this.#core.fail('unknown');
    else if ((this.#ends = code === 'token_ends')) this.#transport.poke();
  }

  /** @param {WebSocket} [socket] @param {boolean} [refused] only a poll that succeeds gives new hope @param {number} [pause] asked for by the server */
  #end(socket, refused = false, pause = 0) {
    if (socket !== this.#socket) return;
    const was = this.ready;
    this.#drop();
    this.#failures++;
    this.#notBefore = this.#surroundings.now() + pause;
    this.#running = !refused;
    this.#retry();
    this.#transport.lost(was, refused, pause);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = undefined;
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
