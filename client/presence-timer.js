/** One timer that is set anew, and what its users wait for. */

export const TIME_LIMIT = 8_000; // for an answer
const FIRST_RETRY = 500;
const LAST_RETRY = 30_000;
const LONGEST_WAIT = 60 * 60_000; // a timer beyond 2^31 ms would fire at once

/** Full jitter, so that a server that comes back is not met by all its pages at once. @param {{random: () => number}} surroundings @param {number} failures none: no wait */
export const jitter = ({random}, failures) => failures && random() * Math.min(LAST_RETRY, FIRST_RETRY * 2 ** (failures - 1));

export class Timer {
  #surroundings;
  /** @type {unknown} */ #timer;

  /** @param {Pick<import('./presence-types.js').Surroundings, 'setTimeout' | 'clearTimeout'>} surroundings */
  constructor(surroundings) {
    this.#surroundings = surroundings;
  }

  /** Without a delay, at the end of this turn. @param {() => void} run @param {number} delay */
  set(run, delay) {
    this.clear();
    if (delay > 0) this.#timer = this.#surroundings.setTimeout(run, Math.min(delay, LONGEST_WAIT));
    else queueMicrotask(run);
  }

  clear() {
    this.#surroundings.clearTimeout(this.#timer);
  }
}
