/**
 * Writer Presence for a page: who is online in a project, and which section each person is in.
 *
 *     import { PresenceManager } from './writer-presence.js';
 *     const presence = new PresenceManager(projectId, userId);
 *     presence.start();
 *     presence.setSection('manuscript/abstract');
 */

import {PresenceCore} from './presence-core.js';
import {checkOptions} from './presence-check.js';
import {PresenceView} from './presence-view.js';

export {PresenceCore};
export {labelOf, strings} from './strings.js';

/**
 * @typedef {import('./presence-types.js').User} User
 * @typedef {import('./presence-types.js').Snapshot} Snapshot
 * @typedef {import('./presence-types.js').Status} Status
 * @typedef {import('./presence-types.js').PresenceEvents} PresenceEvents
 * @typedef {import('./presence-types.js').Options & import('./presence-view.js').ViewOptions} Options
 */

/**
 * A session with its interface. `PresenceEvents` lists its events.
 *
 * For a framework: `useSyncExternalStore(presence.subscribe, presence.getSnapshot)`.
 */
export class PresenceManager extends PresenceCore {
  /** @type {PresenceView | undefined} */ #view;

  /**
   * @param {string | number} projectId
   * @param {string | number | null} [userId] null for a visitor
   * @param {Options} [options]
   */
  constructor(projectId, userId = null, options = {}) {
    super(projectId, userId, options);
    checkOptions(options, {view: 'boolean', label: 'function', elements: 'object'});
    if (options.view !== false && globalThis.document) this.#view = new PresenceView(this, options);
  }

  /**
   * Draws the current snapshot now. What concerns you is drawn in the next frame, and what the others do at most once in 200 ms (500 with
   * 1,000 users), both by themselves; call this after replacing elements of the page.
   */
  updateUI() {
    this.#view?.draw();
  }

  /**
   * Replaces where the interface is drawn, and draws it now. Elements that are not named stay. Safe to call at any time and to repeat.
   * @param {import('./presence-view.js').Elements} elements
   * @returns {import('./presence-view.js').Elements | undefined} where it was drawn before, to be set again later; nothing without an interface
   */
  setElements(elements) {
    return this.#view?.setElements(elements);
  }
}
