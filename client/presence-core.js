/**
 * The public object of one session (a page load of one person in one project), without an interface: `PresenceManager` adds it.
 *
 * It owns the state, which is what the page knows, and the transport, which sends and receives. Data flows one way: the transport reports
 * to the state, the state emits events here, and the page and the interface listen. Methods change the state first and then ask the
 * transport to send it.
 */

import {ActivityMonitor} from './presence-activity.js';
import {PresenceState} from './presence-state.js';
import {PresenceTransport} from './presence-transport.js';

export class PresenceCore extends EventTarget {
  #activity;
  #state;
  #transport;

  /**
   * @param {string | number} projectId
   * @param {string | number | null} [userId] null for a visitor, whose id the server decides
   * @param {import('./presence-types.js').Options} [options]
   */
  constructor(projectId, userId = null, options = {}) {
    super();
    this.projectId = projectId;
    this.userId = userId;
    const {environment = globalThis} = options;
    this.#activity = new ActivityMonitor(environment, (now) => this.#onActivity(now));
    this.#state = new PresenceState(environment, this.#activity, userId, options, (type, detail) => this.dispatchEvent(new CustomEvent(type, {detail})));
    this.#transport = new PresenceTransport(environment, this.#state, projectId, userId, options);
  }

  /** The section set last, whether or not the server knows it yet. */
  get currentSection() {
    return this.getSnapshot().section;
  }

  /** True between `start()` and `stop()`. The leave is sent at the end of the turn. */
  get running() {
    return this.#state.running;
  }

  get onlineUsers() {
    return this.getSnapshot().users;
  }

  getSnapshot = () => this.#state.snapshot;

  /** Calls `listener` after every visible change. @param {() => void} listener @returns {() => void} ends the subscription */
  subscribe = (listener) => {
    const call = () => listener();
    this.addEventListener('change', call);
    return () => this.removeEventListener('change', call);
  };

  /** Safe to call twice. The first update contains all that is set in the same turn. */
  start() {
    if (this.running) return;
    this.#state.running = true;
    if (this.getSnapshot().status !== 'stopped') return; // undoes a stop() of the same turn
    this.#activity.start();
    this.#transport.start();
  }

  /**
   * Leaves at the end of the current turn, so that a start() in the same turn (React's StrictMode mounts twice) changes nothing for
   * others. Safe to call twice.
   */
  stop() {
    if (!this.running) return;
    this.#state.running = false;
    queueMicrotask(() => {
      if (this.running) return;
      this.#activity.stop();
      this.#transport.stop();
      this.#state.fail('stopped');
    });
  }

  /**
   * @param {string | null} section
   * @param {{activity?: 'editing' | 'viewing'}} [options] `viewing` for a page where nothing can be edited
   */
  setSection(section, {activity = 'editing'} = {}) {
    if (this.#state.enter(section || null, activity === 'viewing')) void this.#transport.update();
  }

  /** Answers a warning: edits in spite of the users it names. Another user causes a new warning. */
  editAnyway() {
    if (this.#state.editAnyway()) void this.#transport.update();
  }

  /** Answers a warning: returns to the previous section, or to none. @returns {string | null} the current section */
  chooseDifferent() {
    this.setSection(this.#state.previous);
    return this.currentSection;
  }

  /** Tells that the person is active, for editors whose input no event in the page shows: frames of another origin, windows, devices. */
  active() {
    this.#activity.active();
  }

  /** Sends an update now. Resolves when it was answered, failed, or was aborted by stop(); never rejects. */
  async updatePresence() {
    await this.#transport.update();
  }

  /** Reads the list, which renews nothing. Resolves and never rejects, as `updatePresence` does. */
  async fetchPresence() {
    if (this.running) await this.#transport.list();
  }

  /** @param {import('./presence-activity.js').Activity} now */
  #onActivity(now) {
    const hidden = now === 'gone';
    if (hidden || now === 'away') {
      this.#transport.stop(hidden);
      this.#state.fail(hidden ? 'connecting' : now);
    } else {
      this.#transport.start();
      void this.#transport.update();
    }
  }
}
