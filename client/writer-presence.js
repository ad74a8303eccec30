/**
 * Writer Presence for a page: who is online in a project, and which section each person is in.
 *
 *     import { PresenceManager } from './writer-presence.js';
 *     const presence = new PresenceManager(projectId, userId);
 *     presence.start();
 *     presence.setSection('manuscript/abstract');
 */

import {PresenceCore} from './presence-core.js';
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
  /** the next frame draws */ #due = false;

  /**
   * @param {string | number} projectId
   * @param {string | number | null} [userId] null for a visitor
   * @param {Options} [options]
   */
  constructor(projectId, userId = null, options = {}) {
    super(projectId, userId, options);
    if (options.view !== false && globalThis.document) this.#view = new PresenceView(this, options);
    if (this.#view) this.addEventListener('change', () => this.#drawSoon());
  }

  /** Draws in the next frame, so at most once in each and not while the page is hidden; the end of presence at once. */
  #drawSoon() {
    if (this.getSnapshot().status === 'stopped') return this.updateUI();
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      this.updateUI();
    });
  }

  /** Draws the current snapshot now. Every visible change is drawn in the next frame; call this after replacing elements of the page. */
  updateUI() {
    const snapshot = this.getSnapshot();
    if (snapshot.status === 'stopped' && !snapshot.version) this.#view?.remove();
    else this.#view?.render(snapshot);
  }
}
