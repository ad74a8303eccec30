/** A timer that can be set again, the time limit for answers, and the backoff between attempts. */

export const TIME_LIMIT = 8_000; // for one answer
const FIRST_RETRY = 250;
const GROWTH = 1.5;
const MAX_RETRY = 12_000;
const MAX_DELAY = 60 * 60_000; // a timer beyond 2^31 ms would fire at once

/**
 * Exponential backoff with full jitter: milliseconds until the next attempt, at random between 0 and a limit that grows from 250 ms by
 * half with each failure. At the maximum of 12 s, two thirds of all pages try again within 5 s of any moment, and all within 12 s.
 * @param {{random: () => number}} surroundings @param {number} failures in a row; 0: no delay @param {number} [longest] the maximum of the limit
 */
export const jitter = ({random}, failures, longest = MAX_RETRY) => failures && random() * Math.min(longest, FIRST_RETRY * GROWTH ** (failures - 1));

export class Timer {
  #surroundings;
  /** @type {unknown} */ #timer;

  /** @param {Pick<import('./presence-types.js').Surroundings, 'setTimeout' | 'clearTimeout'>} surroundings */
  constructor(surroundings) {
    this.#surroundings = surroundings;
  }

  /** Runs `run` once after `delay`, or at the end of this turn if `delay` is not positive; replaces the previous call. @param {() => void} run @param {number} delay */
  set(run, delay) {
    this.clear();
    if (delay > 0) {
      this.#timer = this.#surroundings.setTimeout(run, Math.min(delay, MAX_DELAY));
    } else {
      const turn = (this.#timer = {});
      queueMicrotask(() => this.#timer === turn && run());
    }
  }

  clear() {
    this.#surroundings.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
