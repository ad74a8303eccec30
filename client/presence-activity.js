/**
 * Whether the user is active on the page, from input, visibility and the page's lifecycle events.
 *
 * - `active`: the page is visible, and there was input in the last two minutes
 * - `idle`: no input for two minutes, or the page is hidden
 * - `away`: idle for thirty minutes; ends with the next input, not when the page is shown
 * - `gone`: the page is being unloaded or put into the back/forward cache
 *
 * Browsers run the timers of hidden tabs once a minute, and none while the computer sleeps. So a timer here only causes a check, and
 * the clock decides the state.
 *
 * @typedef {'active' | 'idle' | 'away' | 'gone'} Activity
 */

import {time} from './presence-clock.js';
import {Timer} from './presence-timer.js';
import {AWAY_AFTER, IDLE_AFTER} from './constants.js';


export class ActivityMonitor {
  #environment;
  #report;
  /** @type {Activity} */ state = 'active';
  #lastInput = 0;
  /** since when the page is hidden; Infinity while it is visible */
  #hiddenAt = Infinity;
  #timer;

  /**
   * @param {import('./presence-types.js').Environment} environment
   * @param {(state: Activity) => void} report called at each change, within the event that made it
   */
  constructor(environment, report) {
    this.#environment = environment;
    this.#report = report;
    this.#timer = new Timer(environment);
  }

  start() {
    this.#listen('addEventListener');
    this.#lastInput = time(this.#environment);
    this.#hiddenAt = this.#hidden ? this.#lastInput : Infinity;
    this.state = 'active';
    this.#check();
  }

  stop() {
    this.#listen('removeEventListener');
    this.#timer.clear();
  }

  get #hidden() {
    return this.#environment.document?.visibilityState === 'hidden';
  }

  /** @param {'addEventListener' | 'removeEventListener'} change */
  #listen(change) {
    const {window, document} = this.#environment;
    const inputs = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'];
    for (const type of inputs) window?.[change](type, this.#onInput, {capture: true}); // also if the page stops the event
    for (const type of ['pagehide', 'pageshow']) window?.[change](type, this.#onPageEvent);
    document?.[change]('visibilitychange', this.#onPageEvent);
  }

  #onInput = () => {
    if (this.state === 'gone') return;
    this.#lastInput = time(this.#environment);
    if (this.state !== 'active') this.#check();
  };

  /** @param {Event} event */
  #onPageEvent = ({type}) => {
    const now = time(this.#environment);
    if (type === 'pagehide') {
      this.#timer.clear();
      return this.#setState('gone');
    }
    // A page that is `gone` returns by `pageshow` only; its visibility events are ignored.
    if ((type === 'pageshow') !== (this.state === 'gone')) return;
    this.#hiddenAt = this.#hidden ? Math.min(this.#hiddenAt, now) : Infinity;
    if (!this.#hidden) this.#lastInput = now;
    if (this.state !== 'away') this.#check();
  };

  #check() {
    const idleAt = Math.min(this.#hiddenAt, this.#lastInput + IDLE_AFTER);
    const awayAt = idleAt + AWAY_AFTER;
    const now = time(this.#environment);
    this.#setState(now >= awayAt ? 'away' : now >= idleAt ? 'idle' : 'active');
    if (now < awayAt) this.#timer.set(() => this.#check(), (now < idleAt ? idleAt : awayAt) - now);
  }

  /** @param {Activity} state */
  #setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.#report(state);
  }
}
