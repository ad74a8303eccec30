/**
 * The public object of one session (a page load of one person in one project), without an interface: `PresenceManager` adds it.
 *
 * It owns the state, which is what the page knows, and the transport, which sends and receives. Data flows one way: the transport reports
 * to the state, the state emits events here, and the page and the interface listen. Methods change the state first and then ask the
 * transport to send it.
 */

import {ActivityMonitor} from './presence-activity.js';
import {checkArguments, need} from './presence-check.js';
import {PresenceState} from './presence-state.js';
import {PresenceTransport} from './presence-transport.js';

export class PresenceCore extends /** @type {new () => import('./presence-types.js').PresenceEventTarget} */ (EventTarget) {
  #activity;
  #state;
  #transport;

  /**
   * @param {string | number} projectId
   * @param {string | number | null} [userId] null for a visitor, whose id the server decides
   * @param {import('./presence-types.js').Options} [options]
   */
  constructor(projectId, userId = null, options = {}) {
    checkArguments(projectId, userId, options);
    super();
    this.projectId = projectId;
    this.userId = userId;
    const {environment = globalThis} = options;
    this.#activity = new ActivityMonitor(environment, (now) => this.#onActivity(now));
    this.#state = new PresenceState(environment, this.#activity, userId, options, (type, detail) => this.dispatchEvent(new (globalThis.CustomEvent ?? Event)(type, {detail})));
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
    need(typeof listener === 'function', 'subscribe(listener) takes a function');
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
  setSection(section, options = {}) {
    const {activity = 'editing'} = options;
    need(!section || typeof section === 'string', 'setSection(section) takes a string or null');
    need(typeof options === 'object' && ['editing', 'viewing'].includes(activity), "setSection(section, {activity}) takes 'editing' or 'viewing'");
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

  /**
   * States whether this page has unsaved changes in the current section. They keep its claim while you are idle or the page is hidden.
   * Entering another section ends them. @param {boolean} unsaved
   */
  setUnsaved(unsaved) {
    if (this.#state.setUnsaved(Boolean(unsaved))) void this.#transport.update();
  }

  /**
   * Reports that this page saved a section, by default the current one; others are told. Sent with each update until the server accepted it.
   * @param {{section?: string | null, revision: string | number}} save
   */
  saved({section = this.currentSection, revision}) {
    this.#state.saved(sectionOf(section), revisionOf(revision));
    void this.#transport.update();
  }

  /**
   * States which revision of a section, by default the current one, this page shows, so that a newer save is noticed.
   * @param {{section?: string | null, revision: string | number | null}} text null: the section was never saved
   */
  opened({section = this.currentSection, revision}) {
    this.#state.opened(sectionOf(section), revision === null ? '' : revisionOf(revision));
  }

  /** Waits for a section: others in it see it, and the event `free` tells when nobody conflicts there. @param {string | null} section null: takes it back */
  waitFor(section) {
    need(!section || typeof section === 'string', 'waitFor(section) takes a string or null');
    if (this.#state.waitFor(section || null)) void this.#transport.update();
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

/** @param {string | null | undefined} section */
function sectionOf(section) {
  if (!section) throw new TypeError('Presence: name the section, {section, revision}, or call setSection() before');
  return section;
}

/** @param {unknown} revision */
function revisionOf(revision) {
  const text = typeof revision === 'number' ? String(revision) : revision;
  if (typeof text === 'string' && /^\P{Cc}{1,64}$/u.test(text)) return text;
  throw new TypeError('Presence: a revision is a number or a text of 1 to 64 characters without control characters');
}
