/** Counts the listeners of a page. */

/** Counts from now on: `listeners(...targets)` on the page gives the types of the listeners that these objects have. To be called there, once. */
export function countListeners() {
  /** @type {Set<{target: EventTarget, type: string, listener: any, capture: boolean}>} */ const open = new Set();
  const {addEventListener, removeEventListener} = EventTarget.prototype;
  const captures = (/** @type {any} */ options) => Boolean(typeof options === 'object' ? options?.capture : options);
  const find = (/** @type {EventTarget} */ target, /** @type {string} */ type, /** @type {any} */ listener, /** @type {any} */ options) =>
    [...open].find((entry) => entry.target === target && entry.type === type && entry.listener === listener && entry.capture === captures(options));
  EventTarget.prototype.addEventListener = function (type, listener, /** @type {any} */ options) {
    const target = this ?? globalThis;
    if (listener && !options?.signal?.aborted && !find(target, type, listener, options)) {
      const entry = {target, type, listener, capture: captures(options)};
      const end = () => void open.delete(entry);
      open.add(entry);
      if (options?.signal) addEventListener.call(options.signal, 'abort', end);
      if (options?.once) addEventListener.call(target, type, end, options);
    }
    addEventListener.call(target, type, listener, options);
  };
  EventTarget.prototype.removeEventListener = function (type, listener, options) {
    const target = this ?? globalThis;
    const entry = find(target, type, listener, options);
    if (entry) open.delete(entry);
    removeEventListener.call(target, type, listener, options);
  };
  /** @type {any} */ (globalThis).listeners = (/** @type {EventTarget[]} */ ...targets) => [...open].filter(({target}) => targets.includes(target)).map(({type}) => type).sort();
}

/**
 * Opens something three times and ends it while a warning is shown. Gives the types of the listeners of window and document, each time before the end and
 * after it. To be called on the page, after `countListeners`. @param {() => Promise<[any, () => void]>} open gives a running manager, which warns soon, and what ends the rest
 */
export async function leftListeners(open) {
  const page = /** @type {any} */ (globalThis);
  const frames = () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  const all = () => page.listeners(window, document, document.body);
  const counts = [];
  for (let i = 0; i < 3; i++) {
    const [presence, end] = await open();
    for (let i = 0; i < 300 && !document.querySelector('.presence-slot')?.checkVisibility(); i++) await frames();
    const during = all();
    end();
    presence.stop();
    await frames();
    counts.push([during, all()]);
  }
  return counts;
}

/** @param {[string[], string[]][]} counts of `leftListeners` @param {string} what */
export function assertNoneLeft(counts, what) {
  const [[during, first], , [, last]] = counts;
  if (!['resize', 'selectionchange', 'visibilitychange'].every((type) => during.includes(type))) throw new Error(`${what}: no warning was shown: ${during}`);
  if (`${last}` !== `${first}`) throw new Error(`${what}: listeners are left: ${first} after the first time, and ${last} after the third`);
}
