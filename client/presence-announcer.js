/**
 * The one quiet voice: says what has become true since it spoke last, at most once in five seconds. What changes back
 * before its turn is never said; what was true when it began is not said either.
 *
 * @template Facts
 */

import {Timer} from './presence-timer.js';

const PAUSE = 5_000;

/** @template Facts */
export class Announcer {
  #tell;
  #speak;
  #surroundings;
  /** @type {Facts | undefined} what the listener knows */ #known;
  /** @type {Facts | undefined} */ #now;
  #last = -Infinity;
  #timer;

  /**
   * @param {(now: Facts, known: Facts) => string} tell the difference in words, `''` for none
   * @param {(text: string) => void} speak
   * @param {Pick<import('./presence-types.js').Surroundings, 'now' | 'setTimeout' | 'clearTimeout'>} surroundings
   */
  constructor(tell, speak, surroundings) {
    this.#tell = tell;
    this.#speak = speak;
    this.#surroundings = surroundings;
    this.#timer = new Timer(surroundings);
  }

  /** @param {Facts} facts all that is true now */
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
    const now = this.#surroundings.now();
    const wait = this.#last + PAUSE - now;
    if (wait > 0) return this.#timer.set(() => this.#say(), wait);
    this.#last = now;
    this.#known = this.#now;
    this.#speak(text);
  }
}
