import {adopter, adoptStyle} from '../presence-style.js';
import {shadowRoot} from './base.js';
import {FollowerElement} from './follower.js';
import {place} from './registry.js';

/** @typedef {import('../writer-presence.js').PresenceManager} PresenceManager */

/** @type {WeakMap<PresenceManager, PresenceWarning[]>} the elements of each manager; the last one shows the warning */
const places = new WeakMap();

const adoptOwn = adopter(`
  :host{display: block} :host([hidden]){display: none}
  [part~=place]{min-block-size: var(--presence-warning-space, 3.25rem); block-size: 100%}
  @media (max-width: 64rem){[part~=place]{min-block-size: var(--presence-warning-space, 5.5rem)}}
  @media (max-width: 36rem){[part~=place]{min-block-size: var(--presence-warning-space, 9rem)}}`);

/**
 * The place of the warning and of the notices about your section. It keeps its space while there is nothing to say, so that nothing of the
 * page moves.
 *
 * @element presence-warning
 *
 * @attr {string} for - the id of a `<writer-presence>`; without it, that of the nearest one
 *
 * @prop {PresenceManager | undefined} manager - the manager; set it where the page has no `<writer-presence>`
 *
 * @csspart place - the space
 * @csspart slot - what is in it
 * @csspart warning - the warning
 * @csspart company - a notice
 * @csspart faces - the avatars in a warning or notice
 * @csspart avatar - one of them
 * @csspart actions - the buttons
 * @csspart primary - the first of them
 * @csspart close - the button that closes a notice
 * @csspart icon - a drawing
 * @csspart overlay - what lies over the page
 *
 * @cssprop --presence-warning-space - height of the space; by default that of a warning in a window of this width: 3.25rem, 5.5rem, or 9rem on a phone
 * @cssprop --presence-warning - background of the warning
 * @cssprop --presence-warning-line - colour of its border
 * @cssprop --presence-surface - background of a notice
 * @cssprop --presence-line - colour of its border
 * @cssprop --presence-text - colour of the text
 * @cssprop --presence-accent - colour of the focus
 */
export class PresenceWarning extends FollowerElement {
  #root;
  #place = document.createElement('div');
  /** @type {PresenceManager | undefined} */ #followed;

  constructor() {
    super();
    this.#root = shadowRoot(this);
    this.#place.part.add('place');
    this.#root.append(this.#place);
  }

  /** @override */
  connectedCallback() {
    adoptStyle(this.#root);
    adoptOwn(this.#root);
    super.connectedCallback();
  }

  /** @internal @override @param {PresenceManager | undefined} manager */
  follow(manager) {
    if (manager === this.#followed) return;
    if (this.#followed) this.#change(this.#followed, (others) => others);
    this.#followed = manager;
    if (manager) this.#change(manager, (others) => [...others, this]);
  }

  /** @param {PresenceManager} manager @param {(others: PresenceWarning[]) => PresenceWarning[]} change */
  #change(manager, change) {
    const all = change((places.get(manager) ?? []).filter((element) => element !== this));
    places.set(manager, all);
    const last = all.at(-1);
    place(manager, {warning: last ? last.#place : ''});
  }
}
