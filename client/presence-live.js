/**
 * The live connection, a WebSocket as in docs/reference/protocol.md: connects, sends the hello, receives messages, and reconnects when it
 * ends. Its owner, the transport, decides what is sent, and gets all that happens by the functions of `LiveEvents`.
 *
 * @typedef {import('./presence-types.js').Message} Message
 *
 * @typedef {object} LiveEvents
 * @property {() => boolean} allowed whether to connect, asked before each attempt
 * @property {() => [message: Message, done: () => void]} hello the message to begin with, and what to call when it was answered or failed
 * @property {(answer: any, message: Message) => void} opened the hello was acknowledged
 * @property {(wasOpen: boolean, refused: boolean, pause: number, failures: number) => void} closed it ended, or an attempt to connect
 *   failed; `refused` by the server; `pause` that the server asked for, in milliseconds; `failures` in a row
 * @property {(message: any) => void} message a message that is not an answer; `token_ends` once there is a new token, which the next
 *   update sends
 */

import {time} from './presence-clock.js';
import {Timer, jitter} from './presence-timer.js';
import {ANSWER_TIMEOUT, MAX_LIVE_RETRY, MIN_RETRY, SOCKET_OPEN, SOCKET_REFUSED} from './constants.js';

export class LiveConnection {
  /** the hello was acknowledged, so updates can be sent */ ready = false;
  #environment;
  #requests;
  #owner;
  #timer;
  #running = false;
  /** @type {WebSocket | undefined} */ #socket;
  #failures = 0;
  #triedAt = 0;
  /** the earliest time of the next attempt, as a draining server asked */ #retryAt = 0;
  /** @type {string | null | undefined | void} a new token that was not sent yet */ #renewed;
  /** @type {{seq: number, resolve: (answer: any) => void} | undefined} */ #waiting;

  /**
   * @param {import('./presence-types.js').Environment} environment
   * @param {import('./presence-requests.js').PresenceRequests} requests for the address and the token
   * @param {LiveEvents} owner
   */
  constructor(environment, requests, owner) {
    this.#environment = environment;
    this.#requests = requests;
    this.#owner = owner;
    this.#timer = new Timer(environment);
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
    if (this.#running && !this.#socket) this.#schedule(this.#failures && this.#triedAt + MIN_RETRY - time(this.#environment));
  }

  /** @param {Message} message @param {boolean} missed whether to ask for the list, too @returns {Promise<import('./presence-requests.js').Outcome>} */
  async update({session, known_version, ...message}, missed) {
    const token = this.#renewed;
    this.#renewed = undefined;
    const body = await this.#ask({type: 'update', ...message, ...(missed ? {known_version} : {as_of: known_version || undefined}), ...(token && {type: 'hello', session, token})});
    return {...body, status: body.code === 'unavailable' ? 503 : 400, fault: body.type === 'ack' ? '' : 'unknown'};
  }

  /** @param {number} seq @returns {boolean} whether it was sent */
  leave(seq) {
    const open = this.ready && this.#socket?.readyState === SOCKET_OPEN;
    if (open) this.#socket?.send(JSON.stringify({type: 'leave', seq}));
    return open;
  }

  #schedule(delay = jitter(this.#environment, this.#failures, MAX_LIVE_RETRY)) {
    this.#timer.set(() => this.#connect(), Math.max(delay, this.#retryAt - time(this.#environment)));
  }

  #connect() {
    if (!this.#running || this.#socket || !this.#owner.allowed()) return;
    const {WebSocket} = this.#environment;
    this.#triedAt = time(this.#environment);
    try {
      const socket = (this.#socket = new /** @type {typeof globalThis.WebSocket} */ (WebSocket)(`${this.#requests.address}live/`.replace('http', 'ws'), 'writer-presence.v1'));
      this.#timer.set(() => this.#end(socket), ANSWER_TIMEOUT);
      socket.onopen = () => this.#greet(socket);
      socket.onmessage = ({data}) => socket === this.#socket && this.#receive(JSON.parse(data));
      socket.onclose = ({code}) => this.#end(socket, code === SOCKET_REFUSED);
    } catch {
      this.#end(); // a content security policy may forbid it
    }
  }

  /** Sends the hello. @param {WebSocket} socket */
  async #greet(socket) {
    const token = await this.#requests.token().catch(() => this.#end(socket));
    if (socket !== this.#socket) return;
    const [message, done] = this.#owner.hello();
    try {
      const answer = await this.#ask({type: 'hello', token: token || undefined, ...message});
      if (answer.type === 'ack') {
        this.ready = true;
        this.#failures = 0;
        this.#owner.opened(answer, message);
      } else this.#end(socket, true);
    } finally {
      done();
    }
  }

  /** Sends a message; resolves with its ack or error, or with nothing when the connection ends, at the latest after the time limit. @param {{seq: number, [field: string]: unknown}} message @returns {Promise<any>} */
  #ask(message) {
    const socket = this.#socket;
    this.#answer({});
    this.#timer.set(() => this.#end(socket), ANSWER_TIMEOUT);
    socket?.send(JSON.stringify(message));
    return new Promise((resolve) => (this.#waiting = {seq: message.seq, resolve}));
  }

  /** @param {any} message */
  #receive(message) {
    const {seq, code} = message;
    if (seq && seq === this.#waiting?.seq) this.#answer(message);
    else if (code === 'draining') this.#end(this.#socket, false, message.retry_after * 1000 || 0);
    else if (code === 'token_ends') void this.#renew(message);
    else this.#owner.message(message);
  }

  /** Fetches a new token, which the next update sends. If that fails, the connection stays open until the server closes it. @param {object} message that asked for it */
  async #renew(message) {
    const socket = this.#socket;
    const token = await this.#requests.token(true).catch(() => {});
    if (socket !== this.#socket) return; // the next hello sends it
    this.#renewed = token;
    this.#owner.message(message);
  }

  /** @param {WebSocket} [socket] @param {boolean} [refused] reconnects only after a poll has succeeded @param {number} [pause] asked for by the server */
  #end(socket, refused = false, pause = 0) {
    if (socket !== this.#socket) return;
    const wasOpen = this.ready;
    this.#drop();
    this.#failures++;
    this.#retryAt = time(this.#environment) + pause;
    this.#running = !refused;
    this.#schedule();
    this.#owner.closed(wasOpen, refused, pause, this.#failures);
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
