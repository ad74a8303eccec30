/**
 * Whether the user is active on the page, from input, visibility and the page's lifecycle events.
 *
 * - `active`: the page is visible, and there was input in the last two minutes; and for 30 s after it was hidden
 * - `idle`: no input for two minutes, or the page is hidden
 * - `away`: idle for thirty minutes, without unsaved work; ends with the next input, not when the page is shown
 * - `gone`: the page is being unloaded or put into the back/forward cache
 *
 * Input in frames counts as far as the browser shows it: in frames of the page's origin, at any depth. A frame's window is watched when the
 * page starts, when the frame has loaded a document, and when the focus leaves any window of the page.
 *
 * Browsers run the timers of hidden tabs once a minute, and none while the computer sleeps. So a timer here only causes a check, and
 * the clock decides the state.
 *
 * @typedef {'active' | 'idle' | 'away' | 'gone'} Activity
 */

import {time} from './presence-clock.js';
import {Timer} from './presence-timer.js';
import {AWAY_AFTER, IDLE_AFTER, IDLE_AFTER_HIDDEN} from './constants.js';

// Text may arrive without a key: by dictation, input methods, menus, autofill. `selectionchange` is missing because scripts cause it, too;
// touches and compositions because pointer and input events come with them.
const INPUTS = 'pointerdown pointermove click wheel keydown beforeinput input change cut paste drop'.split(' ');

export class ActivityMonitor {
  #environment;
  #report;
  /** @type {Activity} */ state = 'active';
  /** when the page becomes or became idle */ #idleAt = 0;
  #keep = false;
  /** ends all listeners @type {AbortController | undefined} */ #listening;
  #timer;

  /**
   * @param {import('./presence-types.js').Environment} environment
   * @param {(state: Activity) => void} report called at each change, within the event that made it; also with `active` when the page is
   *   shown, and at the first input after the computer slept
   */
  constructor(environment, report) {
    this.#environment = environment;
    this.#report = report;
    this.#timer = new Timer(environment);
  }

  start() {
    const {window, document} = this.#environment;
    this.#listening = new AbortController();
    const {signal} = this.#listening;
    for (const type of ['pagehide', 'pageshow']) window?.addEventListener(type, this.#onPageEvent, {signal});
    document?.addEventListener('visibilitychange', this.#onPageEvent, {signal});
    this.#watch(window, document);
    this.state = 'active';
    this.#enter();
  }

  stop() {
    this.#listening?.abort();
    this.#listening = undefined;
    this.#timer.clear();
  }

  /** A person did something on the page. Does nothing before start(), after stop() and while the page is `gone`. */
  active = () => this.#renew(false);

  /** Begins the time until the page is idle again. @param {boolean} report even if the page is active already */
  #renew(report) {
    if (!this.#listening || this.state === 'gone') return;
    const now = time(this.#environment);
    report ||= now >= this.#idleAt; // no timer ran, because the computer slept
    this.#idleAt = now + (this.#hidden ? IDLE_AFTER_HIDDEN : IDLE_AFTER);
    if (this.state !== 'active') this.#check();
    else if (report) this.#report('active');
  }

  /** Whether an idle page stays, because it has unsaved work. If it is `away` already, true makes it `idle`. @param {boolean} keep */
  set keep(keep) {
    if (keep === this.#keep) return;
    this.#keep = keep;
    if (this.#listening && this.state !== 'gone') this.#check();
  }

  get #hidden() {
    return this.#environment.document?.visibilityState === 'hidden';
  }

  /**
   * Listens for input in a window and, at any depth, in its frames. Safe to call again, since a listener is added once.
   * @param {any} window @param {any} [document]
   */
  #watch(window, document) {
    try {
      const options = {capture: true, passive: true, signal: /** @type {AbortController} */ (this.#listening).signal}; // `capture`: also if the page stops the event
      for (const type of INPUTS) window.addEventListener(type, this.active, options);
      window.addEventListener('blur', this.#onBlur, options);
      document ??= window.document;
      document.addEventListener('load', this.#onLoad, options);
      for (let i = 0; i < window.length; i++) this.#watch(window[i]);
      // A frame in a shadow root is not among the window's frames, and its `load` event ends in the root.
      let focused = document.activeElement;
      while (focused?.shadowRoot) focused = focused.shadowRoot.activeElement;
      if (focused?.contentWindow) this.#watch(focused.contentWindow);
    } catch {} // there is no window, it is of another origin, or stop() was called
  }

  /** The new document of a frame has a new window, or has lost its listeners by document.open(). @param {Event} event */
  #onLoad = ({target}) => {
    const {contentWindow} = /** @type {Partial<HTMLIFrameElement>} */ (target);
    if (contentWindow) this.#watch(contentWindow);
  };

  /** The focus may have moved from any frame into any other, which may still be loading, or be in a shadow root. @param {any} event */
  #onBlur = ({target, currentTarget}) => {
    const {setTimeout, window, document} = this.#environment;
    // Firefox moves `activeElement` after the event.
    if (target === currentTarget) setTimeout(() => this.#watch(window, document), 0);
  };

  /** @param {Event} event */
  #onPageEvent = ({type}) => {
    if (type === 'pagehide') {
      this.#timer.clear();
      return this.#setState('gone');
    }
    // A page that is `gone` returns by `pageshow` only; its visibility events are ignored.
    if ((type === 'pageshow') !== (this.state === 'gone')) return;
    if (type === 'pageshow') return this.#enter();
    if (this.#hidden ? this.state === 'active' : this.state !== 'away') this.#renew(!this.#hidden);
    this.#check();
  };

  /** The page begins, or comes back: active if it is visible. */
  #enter() {
    this.#idleAt = time(this.#environment) + (this.#hidden ? 0 : IDLE_AFTER);
    this.#check();
  }

  #check() {
    const now = time(this.#environment);
    // A page without any timer for so long slept, or the system clock was set forward, which must not end its presence.
    if (this.state === 'active' && now >= this.#idleAt + AWAY_AFTER) this.#idleAt = now;
    const awayAt = this.#idleAt + AWAY_AFTER;
    this.#setState(now < this.#idleAt ? 'active' : now < awayAt || this.#keep ? 'idle' : 'away');
    if (now < awayAt) this.#timer.set(() => this.#check(), (now < this.#idleAt ? this.#idleAt : awayAt) - now);
  }

  /** @param {Activity} state */
  #setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.#report(state);
  }
}
