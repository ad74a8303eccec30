/**
 * The public object of one session (a page load of one person in one project), without an interface: `PresenceManager` adds it.
 *
 * It owns the state, which is what the page knows, and the transport, which sends and receives. Data flows one way: the transport reports
 * to the state, the state emits events here, and the page and the interface listen. Methods change the state first and then ask the
 * transport to send it.
 */

import {PresenceState} from './presence-state.js';
import {PresenceTransport} from './presence-transport.js';
import {checkArguments, need, revisionOf, sectionOf, sectionOrNull} from './presence-check.js';
import {ActivityMonitor} from './presence-activity.js';

// On the environment and not in this module, because a page may load two copies of the client.
const RUNNING = Symbol.for('writer-presence');

export class PresenceCore extends /** @type {new () => import('./presence-types.js').PresenceEventTarget} */ (EventTarget) {
  /** @type {any} */ #environment;
  /** one manager with this key runs in a page */ #key;
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
    const {environment = globalThis, pane = ''} = options;
    this.#environment = environment;
    this.#activity = new ActivityMonitor(environment, (now) => this.#onActivity(now));
    this.#state = new PresenceState(environment, this.#activity, userId, options, (type, detail) => this.dispatchEvent(new (globalThis.CustomEvent ?? Event)(type, {detail, cancelable: true})));
    this.#transport = new PresenceTransport(environment, this.#state, projectId, userId, options);
    this.#key = `${this.#transport.address} ${pane}`;
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
    need(typeof listener === 'function', 'listener: pass a function');
    const call = () => listener();
    this.addEventListener('change', call);
    return () => this.removeEventListener('change', call);
  };

  /**
   * Safe to call twice. The first update contains all that is set in the same turn. A page that is prerendered starts when it is shown.
   *
   * Another manager that runs in this page for the same project (and the same `pane`) stops. This one continues its session, so that
   * others see no change, or begins its own if the user is another one.
   */
  start() {
    if (this.running) return;
    this.#state.running = true;
    const {document} = this.#environment;
    if (document?.prerendering) document.addEventListener('prerenderingchange', () => this.#begin(), {once: true});
    else this.#begin();
  }

  #begin() {
    if (!this.running || this.getSnapshot().status !== 'stopped') return; // undoes a stop() of the same turn
    const earlier = this.#managers.get(this.#key);
    this.#managers.set(this.#key, this.#giveWay);
    earlier?.(this.userId, this.#transport.adopt);
    if (!this.running) return; // a listener has started the earlier one again
    this.#activity.start();
    this.#transport.start();
  }

  /** What ends each manager that runs in this page. @returns {Map<string, (userId: typeof this.userId, adopt: PresenceTransport['adopt']) => void>} */
  get #managers() {
    return (this.#environment[RUNNING] ??= new Map());
  }

  /** Stops at once, because another manager starts for the user `userId` and continues the session by `adopt`. @param {typeof this.userId} userId @param {PresenceTransport['adopt']} adopt */
  #giveWay = (userId, adopt) => {
    this.#state.running = false;
    this.#end(`${userId}` === `${this.userId}` ? adopt : undefined);
  };

  /** @param {PresenceTransport['adopt']} [adopt] */
  #end(adopt) {
    if (this.#managers.get(this.#key) === this.#giveWay) this.#managers.delete(this.#key);
    this.#activity.stop();
    this.#transport.stop(false, adopt);
    this.#state.fail('stopped');
  }

  /**
   * Leaves at the end of the current turn, so that a start() in the same turn (React's StrictMode mounts twice) changes nothing for
   * others. Safe to call twice.
   */
  stop() {
    if (!this.running) return;
    this.#state.running = false;
    queueMicrotask(() => {
      if (!this.running) this.#end();
    });
  }

  /**
   * @param {string | null} section
   * @param {{activity?: 'editing' | 'viewing' | undefined}} [options] `viewing` for a page where nothing can be edited
   */
  setSection(section, options = {}) {
    const {activity = 'editing'} = options ?? {};
    need(typeof options === 'object' && ['editing', 'viewing'].includes(activity), "activity: pass 'editing' or 'viewing'");
    this.#follow(this.#state.enter(sectionOrNull(section), activity === 'viewing'));
  }

  /** Answers a warning: edits in spite of the users it names. Another user causes a new warning. */
  editAnyway() {
    this.#follow(this.#state.editAnyway());
  }

  /** Answers a warning: returns to the previous section, or to none. @returns {string | null} the current section */
  chooseDifferent() {
    this.setSection(this.getSnapshot().previous);
    return this.currentSection;
  }

  /** Reports that the person is active. Call it for input that no event in the page shows: frames of another origin, other windows, devices. */
  active() {
    this.#activity.active();
  }

  /**
   * States whether this page has unsaved changes in the current section. They keep its claim while you are idle or the page is hidden.
   * Entering another section ends them. @param {boolean} unsaved
   */
  setUnsaved(unsaved) {
    this.#follow(this.#state.setUnsaved(Boolean(unsaved)));
  }

  /**
   * Reports that this page saved a section, by default the current one; others see it. Sent with each update until the server accepted it.
   * @param {{section?: string | null, revision: string | number}} save
   */
  saved(save) {
    const {section = this.currentSection, revision} = save ?? {};
    this.#state.note('saved', sectionOf(section), revisionOf(revision));
    void this.#transport.update();
  }

  /**
   * States which revision of a section, by default the current one, this page shows, so that a newer save is noticed.
   * @param {{section?: string | null, revision: string | number | null}} text null: the section was never saved
   */
  opened(text) {
    const {section = this.currentSection, revision} = text ?? {};
    this.#state.note('opened', sectionOf(section), revision === null ? '' : revisionOf(revision));
  }

  /** Waits for a section: others in it see it, and the event `free` tells when nobody conflicts there. @param {string | null} section null: takes it back */
  waitFor(section) {
    this.#follow(this.#state.waitFor(sectionOrNull(section)));
  }

  /** Sends an update now. Resolves when it was answered, failed, or was aborted by stop(); never rejects. */
  async updatePresence() {
    await this.#transport.update();
  }

  /** Reads the list, which renews nothing. Resolves and never rejects, as `updatePresence` does. */
  async fetchPresence() {
    await this.#transport.list();
  }

  /** Applies a change of the section or of its unsaved work. @param {unknown} due whether an update is due */
  #follow(due) {
    this.#activity.keep = this.#state.unsaved;
    if (due) void this.#transport.update();
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
