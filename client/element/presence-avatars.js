import {adoptStyle} from '../presence-style.js';
import {adoptInline, setAttribute, shadowRoot, upgradeProperties} from './base.js';
import {FollowerElement} from './follower.js';
import {giveName, takeName} from './names.js';
import {place} from './registry.js';

/** @typedef {import('../writer-presence.js').PresenceManager} PresenceManager */

/**
 * The avatars of the users in a section.
 *
 * @element presence-avatars
 *
 * @attr {string} section - the section
 * @attr {string} for - the id of a `<writer-presence>`; without it, that of the nearest one
 *
 * @prop {PresenceManager | undefined} manager - the manager; set it where the page has no `<writer-presence>`
 *
 * @csspart occupants - all of it
 * @csspart faces - the row of avatars
 * @csspart avatar - an avatar
 * @csspart icon - the pencil or moon of an avatar
 * @csspart said - the names, for screen readers only
 *
 * @cssprop --presence-surface - colour around an avatar
 */
export class PresenceAvatars extends FollowerElement {
  #root;
  #holder = document.createElement('span');
  /** @type {PresenceManager | undefined} */ #followed;
  #name = '';

  /** @override */
  static get observedAttributes() {
    return [...super.observedAttributes, 'section'];
  }

  constructor() {
    super();
    this.#root = shadowRoot(this);
    this.#root.append(this.#holder);
  }

  /** @type {string | null} */
  get section() {
    return this.getAttribute('section');
  }

  set section(value) {
    setAttribute(this, 'section', value);
  }

  /** @override */
  connectedCallback() {
    upgradeProperties(this, ['section']);
    adoptStyle(this.#root);
    adoptInline(this.#root);
    super.connectedCallback();
  }

  /** @override */
  attributeChangedCallback() {
    setAttribute(this.#holder, 'data-presence-section', this.section);
    if (this.#followed) place(this.#followed, {});
    super.attributeChangedCallback();
  }

  /** @internal @override @param {PresenceManager | undefined} manager */
  follow(manager) {
    if (manager === this.#followed) return;
    const before = this.#followed;
    this.#followed = manager;
    if (before) {
      giveName(before, this.#name);
      place(before, {[this.#name]: ''});
      this.#holder.replaceChildren();
    }
    if (!manager) return;
    this.#name = takeName(manager, 'avatars');
    place(manager, {[this.#name]: this.#holder});
  }
}
