import {Base, upgradeProperties} from './base.js';
import {addFollower, refresh, sourceOf} from './registry.js';

/** @typedef {import('../writer-presence.js').PresenceManager} PresenceManager */

/** An element that shows something of a manager. Subclasses implement `follow()`. */
export class FollowerElement extends Base {
  /** @type {PresenceManager | undefined} */ #given;

  static get observedAttributes() {
    return ['for'];
  }

  /**
   * The manager that is shown: the one that was set, else that of the `<writer-presence>` that `for` names, else of the nearest one.
   * @type {PresenceManager | undefined}
   */
  get manager() {
    return this.#given ?? sourceOf(this)?.manager;
  }

  set manager(manager) {
    this.#given = manager ?? undefined;
    refresh();
  }

  connectedCallback() {
    upgradeProperties(this, ['manager']);
    addFollower(this);
  }

  disconnectedCallback() {
    refresh();
  }

  attributeChangedCallback() {
    if (this.isConnected) refresh();
  }

  /** Shows this manager from now on; called again with the same one. @internal @param {PresenceManager | undefined} manager */
  follow(manager) {
    void manager;
  }
}
