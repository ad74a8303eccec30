/**
 * The interface of a `PresenceCore`: badge with list, markers beside sections, warning, notice, one live region. Each snapshot is
 * drawn completely, and the host's elements are looked up each time, because the host may replace them.
 *
 * @typedef {import('./presence-types.js').Snapshot} Snapshot
 * @typedef {import('./presence-types.js').User} User
 *
 * @typedef {object} Elements each an element or a selector; what is not there is not drawn. Selectors are looked up in the shadow roots of
 *   the elements, in the roots around these, and in the document
 * @property {Element | DocumentFragment} [root] an element or shadow root: selectors are looked up there first, and only the sections in
 *   it are marked
 * @property {HTMLElement | string} [badge] `#presence-badge`
 * @property {HTMLElement | string} [selector] the select with the sections, `#texfile-selector`
 * @property {HTMLElement | string} [warning] the container of the warning, `#presence-warning`; without it, the warning follows the badge's parent
 * @property {HTMLElement | string} [editor] gets the focus after `Edit anyway`; without it, the select
 */

import {identify, make, own} from './element.js';
import {Announcer} from './presence-announcer.js';
import {PresenceBadge} from './presence-badge.js';
import {need} from './presence-check.js';
import {areOld, missing} from './presence-conflict.js';
import {PresenceMarkers} from './presence-markers.js';
import {adoptStyle} from './presence-style.js';
import {PresenceWarning} from './presence-warning.js';
import {Words} from './strings.js';

/**
 * @typedef {object} ViewOptions
 * @property {boolean} [view] false: no interface; the page draws its own from `getSnapshot()`
 * @property {Elements} [elements] where the interface is drawn
 * @property {(section: string) => string} [label] the label of a section; by default the text of its option in the select, or its path
 * @property {Partial<import('./strings.js').OwnStrings>} [strings] replaces words of the interface
 */

/** @typedef {{people: readonly User[], warning: string, company: string, status: string}} Facts */

export class PresenceView {
  #core;
  #words;
  #elements;
  /** selectors of the host that are still to be found once @type {(keyof Elements)[]} */ #unseen;
  #markers;
  #warning;
  #announcer;
  /** @type {(section: string) => string} */ #label;
  /** @type {PresenceBadge | undefined} */ #badge;
  /** @type {HTMLElement | undefined} the warning */ #placed;
  #liveRegion = make('div', 'presence-said');
  /** @type {readonly User[]} users who entered your section while you were editing */ #newcomers = [];
  /** @type {readonly User[]} */ #shownNewcomers = this.#newcomers;

  /**
   * @param {import('./presence-core.js').PresenceCore} core
   * @param {ViewOptions & Pick<import('./presence-types.js').Options, 'environment'>} options
   */
  constructor(core, {elements, label, strings, environment = globalThis}) {
    this.#core = core;
    this.#words = new Words(strings);
    this.#elements = {badge: '#presence-badge', selector: '#texfile-selector', warning: '#presence-warning', editor: '', ...elements};
    for (const [name, place] of Object.entries(this.#elements)) need(isPlace(place, name), `elements.${name} is ${place}: pass an element or a CSS selector, '' for none`);
    this.#unseen = /** @type {const} */ (['badge', 'selector', 'warning']).filter((name) => elements?.[name]);
    this.#markers = new PresenceMarkers(this.#words, () => this.#find('selector'), (selector) => this.#findAll(selector));
    this.#label = label ?? ((section) => this.#markers.label(section));
    this.#warning = new PresenceWarning(this.#words, (parts) => this.#placeWarning(parts), {
      editAnyway: () => this.#answer('editor', () => core.editAnyway()),
      chooseDifferent: () => this.#answer('selector', () => this.#returnToSection()),
      refocus: () => this.#find('selector')?.focus(),
    });
    this.#announcer = new Announcer(
      (/** @type {Facts} */ current, /** @type {Facts} */ announced) => this.#describe(current, announced),
      (text) => (this.#liveRegion.textContent = text),
      environment,
    );
    this.#liveRegion.role = 'status';
    own(this.#liveRegion);
    core.addEventListener('conflict', ({detail: {users, editing}}) => {
      if (editing) this.#newcomers = users;
    });
  }

  /** @param {Snapshot} snapshot */
  render(snapshot) {
    const roots = this.#roots;
    roots.forEach(adoptStyle);
    this.#markers.render(snapshot.users);
    this.#renderBadge(snapshot);
    this.#followAnchor();
    this.#warning.render(snapshot.warning, areOld(snapshot.warning, snapshot));
    this.#renderNotice(snapshot);
    // Screen readers announce a live region only if it existed before its text changed.
    if (this.#liveRegion.getRootNode() !== roots[0]) (roots[0].body ?? roots[0]).append(this.#liveRegion);
    if (!snapshot.version) return;
    this.#announcer.update(this.#facts(snapshot));
    // It may still appear, so it is no error.
    for (const name of this.#unseen.splice(0)) if (!this.#find(name)) console.warn(`Presence: no element is ${this.#elements[name]} (elements.${name})`);
  }

  /** Restores the host's page. */
  remove() {
    this.#announcer.stop();
    this.#markers.render([]);
    this.#badge?.remove();
    this.#warning.remove();
    this.#liveRegion.remove();
    this.#badge = undefined;
    this.#newcomers = [];
  }

  /** The shadow roots of the host's elements, the roots around them, and the document. @returns {any[]} */
  get #roots() {
    const roots = new Set();
    for (const place of Object.values(this.#elements)) {
      /** @type {any} */ let node = typeof place === 'string' ? null : place;
      while (node) {
        node = node.getRootNode();
        if (node !== document) roots.add(node);
        node = node instanceof DocumentFragment && /** @type {ShadowRoot} */ (node).host;
      }
    }
    return [...roots, document];
  }

  /** @param {keyof Elements} which @returns {any} an element, or null */
  #find(which) {
    const place = this.#elements[which];
    if (!place || typeof place !== 'string') return place || null;
    for (const root of [this.#elements.root, ...this.#roots]) {
      const found = root?.querySelector(place);
      if (found) return found;
    }
    return null;
  }

  /** @param {string} selector @returns {Element[]} */
  #findAll(selector) {
    const {root} = this.#elements;
    return (root ? [root] : this.#roots).flatMap((root) => [...root.querySelectorAll(selector)]);
  }

  /** @param {Snapshot} snapshot */
  #renderBadge(snapshot) {
    const element = this.#find('badge');
    if (element !== this.#badge?.element) {
      this.#badge?.remove();
      this.#badge = element ? new PresenceBadge(element, this.#words, this.#label) : undefined;
    }
    this.#badge?.render(snapshot);
  }

  /** Draws the notice. It ends when a user in it no longer conflicts, or you no longer edit. @param {Snapshot} snapshot */
  #renderNotice({conflicts, activity}) {
    if (activity !== 'editing' || missing(this.#newcomers, conflicts).length) this.#newcomers = [];
    if (this.#newcomers !== this.#shownNewcomers) this.#warning.notify(this.#newcomers);
    this.#shownNewcomers = this.#newcomers;
  }

  /** What the warning follows where it has no place of its own: the badge's parent, or the badge if that stands in the body. @returns {Element | null} */
  get #anchor() {
    const badge = this.#find('badge');
    const [root] = this.#roots;
    if (!badge) return (root.body ?? root).firstElementChild;
    return badge.parentElement && badge.parentElement !== document.body ? badge.parentElement : badge;
  }

  /** @param {HTMLElement[]} parts the warning first */
  #placeWarning(parts) {
    const place = this.#find('warning');
    if (place) place.append(...parts);
    else this.#anchor?.after(...parts);
    own(...parts);
    const [warning] = parts;
    const [sentence] = warning.children;
    warning.setAttribute('aria-labelledby', identify(sentence, 'presence-warning-text'));
    this.#placed = warning;
  }

  /** Removes the warning if its anchor was moved into another root. It is then placed again. */
  #followAnchor() {
    const anchor = this.#find('warning') ?? this.#anchor;
    if (anchor?.isConnected && this.#placed?.isConnected && anchor.getRootNode() !== this.#placed.getRootNode()) this.#warning.remove();
  }

  /** Runs an answer to the warning, and moves the focus, because the pressed button disappears. @param {keyof Elements} next @param {() => void} act */
  #answer(next, act) {
    const target = this.#find(next) ?? this.#find('selector');
    target?.focus();
    act();
  }

  #returnToSection() {
    const section = this.#core.chooseDifferent() ?? '';
    const selector = this.#find('selector');
    if (!(selector instanceof HTMLSelectElement)) return;
    selector.value = section;
    selector.dispatchEvent(new Event('change', {bubbles: true})); // for a page that loads the selected section
  }

  /** @param {Snapshot} snapshot @returns {Facts} */
  #facts(snapshot) {
    const {users, warning, status, text} = snapshot;
    const words = this.#words;
    return {
      people: users,
      warning: areOld(warning, snapshot) ? '' : words.sentence('warning', warning),
      company: words.sentence('company', this.#newcomers),
      status: ['live', 'polling', 'connecting'].includes(status) ? '' : text,
    };
  }

  /** @param {Facts} current @param {Facts} announced */
  #describe(current, announced) {
    const words = this.#words;
    const changes = [
      current.warning !== announced.warning && current.warning,
      current.company !== announced.company && current.company,
      current.status !== announced.status && (current.status || words.text('again')),
      words.sentence('arrived', missing(current.people, announced.people)),
      words.sentence('gone', missing(announced.people, current.people)),
    ];
    return changes.filter(Boolean).join('. ');
  }
}

/** @param {any} place undefined counts as `''` @param {string} name */
function isPlace(place, name) {
  if (typeof place !== 'string') return place === undefined || place?.nodeType === Node.ELEMENT_NODE || (name === 'root' && place?.querySelector);
  try {
    return !place || document.querySelector(place) !== undefined;
  } catch {} // it is no selector
}
