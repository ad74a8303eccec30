/**
 * Announces in one live region what changed since the last announcement, at most once in five seconds. A change that is undone
 * before then is not announced, and neither is the initial state.
 *
 * @template Facts
 */

import {time} from './presence-clock.js';
import {Timer} from './presence-timer.js';
import {ANNOUNCEMENT_PAUSE} from './constants.js';

/** @template Facts */
export class Announcer {
  #describe;
  #announce;
  #environment;
  /** @type {Facts | undefined} */ #announced;
  /** @type {Facts | undefined} */ #current;
  #lastTime = -Infinity;
  #timer;
  /** for the pause after the last announcement */ #waiting = false;

  /**
   * @param {(current: Facts, announced: Facts) => string} describe the difference in words, `''` for none
   * @param {(text: string) => void} announce
   * @param {Pick<import('./presence-types.js').Environment, 'Date' | 'performance' | 'setTimeout' | 'clearTimeout'>} environment
   */
  constructor(describe, announce, environment) {
    this.#describe = describe;
    this.#announce = announce;
    this.#environment = environment;
    this.#timer = new Timer(environment);
  }

  /** @param {Facts} facts the current state */
  update(facts) {
    this.#announced ??= facts;
    this.#current = facts;
    this.#update();
  }

  stop() {
    this.#timer.clear();
    this.#waiting = false;
    this.#announced = this.#current = undefined;
  }

  #update() {
    if (this.#waiting) return;
    const text = this.#announced && this.#current && this.#describe(this.#current, this.#announced);
    if (!text) {
      this.#announced = this.#current; // says the same, and is cheaper to compare with the next one
      return;
    }
    const now = time(this.#environment);
    const wait = this.#lastTime + ANNOUNCEMENT_PAUSE - now;
    if (wait > 0) {
      this.#waiting = true;
      return this.#timer.set(() => {
        this.#waiting = false;
        this.#update();
      }, wait);
    }
    this.#lastTime = now;
    this.#announced = this.#current;
    this.#announce(text);
  }
}
