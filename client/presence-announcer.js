/**
 * The one quiet voice: says what has become true since it spoke last, at most once in five seconds. What changes back
 * before its turn is never said; what was true when it began is not said either.
 *
 * @template Facts
 */

const PAUSE = 5_000;

/** @template Facts */
export class Announcer {
  #tell;
  #speak;
  #surroundings;
  /** @type {Facts | undefined} what the listener knows */ #known;
  /** @type {Facts | undefined} */ #now;
  #last = -Infinity;
  /** @type {unknown} */ #timer;

  /**
   * @param {(now: Facts, known: Facts) => string} tell the difference in words, `''` for none
   * @param {(text: string) => void} speak
   * @param {Pick<import('./presence-types.js').Surroundings, 'now' | 'setTimeout' | 'clearTimeout'>} surroundings
   */
  constructor(tell, speak, surroundings) {
    this.#tell = tell;
    this.#speak = speak;
    this.#surroundings = surroundings;
  }

  /** @param {Facts} facts all that is true now */
  update(facts) {
    this.#known ??= facts;
    this.#now = facts;
    this.#say();
  }

  stop() {
    this.#surroundings.clearTimeout(this.#timer);
    this.#timer = this.#known = this.#now = undefined;
  }

  #say() {
    if (this.#timer !== undefined || !this.#known || !this.#now) return;
    const text = this.#tell(this.#now, this.#known);
    if (!text) return;
    const {now, setTimeout} = this.#surroundings;
    const wait = this.#last + PAUSE - now();
    if (wait > 0) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#say();
      }, wait);
      return;
    }
    this.#last = now();
    this.#known = this.#now;
    this.#speak(text);
  }
}
