/** A timer that can be set again, and the backoff between attempts. */

import {FIRST_RETRY, MAX_RETRY, MAX_TIMER, RETRY_GROWTH} from './constants.js';

/**
 * Exponential backoff with full jitter: milliseconds until the next attempt, at random between 0 and a limit that grows from 250 ms by
 * half with each failure. At the maximum of 12 s, two thirds of all pages try again within 5 s of any moment, and all within 12 s.
 * @param {Pick<import('./presence-types.js').Environment, 'Math'>} environment @param {number} failures in a row; 0: no delay @param {number} [longest] the maximum of the limit
 */
export const jitter = (environment, failures, longest = MAX_RETRY) => failures && environment.Math.random() * Math.min(longest, FIRST_RETRY * RETRY_GROWTH ** (failures - 1));

export class Timer {
  #environment;
  /** @type {unknown} */ #timer;

  /** @param {Pick<import('./presence-types.js').Environment, 'setTimeout' | 'clearTimeout'>} environment */
  constructor(environment) {
    this.#environment = environment;
  }

  /** Runs `run` once after `delay`, or at the end of this turn if `delay` is not positive; replaces the previous call. @param {() => void} run @param {number} delay */
  set(run, delay) {
    this.clear();
    if (delay > 0) {
      this.#timer = this.#environment.setTimeout(run, Math.min(delay, MAX_TIMER));
    } else {
      const turn = (this.#timer = {});
      queueMicrotask(() => this.#timer === turn && run());
    }
  }

  clear() {
    this.#environment.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
