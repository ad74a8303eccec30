/**
 * Announces in one live region what changed since the last announcement, at most once in five seconds. A change that is undone
 * before then is not announced, and neither is the initial state.
 *
 * @template Facts
 */

import {Timer} from './presence-timer.js';
import {ANNOUNCEMENT_PAUSE} from './constants.js';

/** @template Facts */
export class Announcer {
  #tell;
  #speak;
  #environment;
  /** @type {Facts | undefined} announced last */ #known;
  /** @type {Facts | undefined} */ #now;
  #last = -Infinity;
  #timer;

  /**
   * @param {(now: Facts, known: Facts) => string} tell the difference in words, `''` for none
   * @param {(text: string) => void} speak
   * @param {Pick<import('./presence-types.js').Environment, 'Date' | 'setTimeout' | 'clearTimeout'>} environment
   */
  constructor(tell, speak, environment) {
    this.#tell = tell;
    this.#speak = speak;
    this.#environment = environment;
    this.#timer = new Timer(environment);
  }

  /** @param {Facts} facts the current state */
  update(facts) {
    this.#known ??= facts;
    this.#now = facts;
    this.#say();
  }

  stop() {
    this.#timer.clear();
    this.#known = this.#now = undefined;
  }

  #say() {
    const text = this.#known && this.#now && this.#tell(this.#now, this.#known);
    if (!text) return;
    const now = this.#environment.Date.now();
    const wait = this.#last + ANNOUNCEMENT_PAUSE - now;
    if (wait > 0) return this.#timer.set(() => this.#say(), wait);
    this.#last = now;
    this.#known = this.#now;
    this.#speak(text);
  }
}
