/**
 * The clock for all durations of the client. It never goes back, and it continues while the computer sleeps.
 *
 * `performance.now()` never goes back, but some browsers stop it during sleep. `Date.now()` continues, but people and time servers set it.
 * So this clock follows `performance.now()` and adds what `Date.now()` gained beyond it between two calls. A system clock that is set back
 * changes nothing. One that is set forward looks like a sleep.
 */

import {MIN_SLEEP} from './constants.js';

/** @typedef {Pick<import('./presence-types.js').Environment, 'Date' | 'performance'>} Clocks */

/** @type {WeakMap<Clocks, {lead: number, added: number}>} */
const states = new WeakMap();

/** Milliseconds since an arbitrary moment, the same for all callers with this environment. @param {Clocks} environment */
export function time(environment) {
  const {performance, Date} = environment;
  const state = states.get(environment) ?? {lead: 0, added: 0};
  const ticks = performance?.now() ?? 0;
  const lead = Date.now() - ticks;
  const gain = lead - state.lead;
  if (gain > (performance ? MIN_SLEEP : 0)) state.added += gain;
  state.lead = lead;
  states.set(environment, state);
  return ticks + state.added;
}
