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
import {areOld, claims, edits, missing} from './presence-conflict.js';
import {PresenceMarkers} from './presence-markers.js';
import {adoptStyle} from './presence-style.js';
import {NOTICES, PresenceWarning} from './presence-warning.js';
import {normalSection} from './section.js';
import {Words} from './strings.js';

/**
 * @typedef {object} ViewOptions
 * @property {boolean} [view] false: no interface; the page draws its own from `getSnapshot()`
 * @property {Elements} [elements] where the interface is drawn
 * @property {(section: string) => string} [label] the label of a section; by default the text of its option in the select, or its path
 * @property {Partial<import('./strings.js').OwnStrings>} [strings] replaces words of the interface
 */

/**
 * @typedef {import('./presence-warning.js').Notice} Notice
 * @typedef {import('./presence-warning.js').Sentence} Sentence
 * @typedef {{people: readonly User[], status: string} & Record<'warning' | Notice, string>} Facts
 */

/** @type {Sentence} */ const NOTHING = ['free', []];

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
  /** @type {{section: string, here: boolean} | null} the section that you waited for, since it is free; `here`: you are in it */ #free = null;

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
      tellMe: () => {
        const {waitingFor, section} = core.getSnapshot();
        core.waitFor(waitingFor === normalSection(section) ? null : section);
      },
      showLatest: () => core.dispatchEvent(new CustomEvent('showlatest', {cancelable: true, detail: core.getSnapshot().newer})),
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
    core.addEventListener('free', ({detail: {section}}) => {
      this.#free = {section, here: section === normalSection(core.currentSection)};
    });
  }

  /** @param {Snapshot} snapshot */
  render(snapshot) {
    snapshot = {...snapshot, section: normalSection(snapshot.section)}; // as in the users and in `waitingFor`
    const roots = this.#roots;
    roots.forEach(adoptStyle);
    this.#markers.render(snapshot.users);
    this.#renderBadge(snapshot);
    this.#followAnchor();
    const {warning, section, waitingFor} = snapshot;
    this.#warning.render(warning, this.#warningKey(snapshot), waitingFor === section);
    const notices = this.#notices(snapshot);
    this.#renderNotices(notices);
    // Screen readers announce a live region only if it existed before its text changed.
    if (this.#liveRegion.getRootNode() !== roots[0]) (roots[0].body ?? roots[0]).append(this.#liveRegion);
    if (!snapshot.version) return;
    this.#announcer.update(this.#facts(snapshot, notices));
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
    this.#free = null;
  }

  /** The sentence of the warning: whether the users edit or only have unsaved changes, and whether they may have left. @param {Snapshot} snapshot @returns {import('./strings.js').Key} */
  #warningKey(snapshot) {
    const {warning, section} = snapshot;
    const old = areOld(warning, snapshot);
    return warning.some((user) => edits(user, section)) ? (old ? 'oldWarning' : 'warning') : old ? 'oldUnsavedWarning' : 'unsavedWarning';
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

  /**
   * What each notice says; nothing about no users. Forgets what is over: newcomers who no longer conflict or whose section you do not hold
   * any more, and the section that was free until somebody claimed it or you entered or left it. While the list is outdated, it is not known to be free.
   * @param {Snapshot} snapshot @returns {Record<Notice, Sentence>}
   */
  #notices(snapshot) {
    const {conflicts, activity, unsaved, users, section, stale, waitingFor, newer, waiting} = snapshot;
    if ((activity !== 'editing' && !unsaved) || missing(this.#newcomers, conflicts).length) this.#newcomers = [];
    const free = this.#free;
    if (free && ((stale && free.here) || waitingFor || (section === free.section) !== free.here || users.some((user) => claims(user, free.section)))) this.#free = null;
    return {
      newer: newer ? [newer.own ? 'ownNewer' : 'newer', newer.own ? null : [newer.user], {time: this.#words.time(newer.saved_at)}] : NOTHING,
      company: [this.#newcomers.some((user) => edits(user, section)) ? 'company' : 'unsavedCompany', this.#newcomers],
      waiting: ['waiting', areOld(waiting, snapshot) ? [] : waiting],
      free: this.#free && !stale ? ['free', null, {section: this.#label(this.#free.section)}] : NOTHING,
    };
  }

  /** @param {Record<Notice, Sentence>} notices */
  #renderNotices(notices) {
    const brief = {newer: false, company: true, waiting: false, free: !!this.#free?.here};
    for (const name of NOTICES) this.#warning.notify(name, notices[name], brief[name]);
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
    const section = normalSection(this.#core.chooseDifferent());
    const selector = this.#find('selector');
    if (!(selector instanceof HTMLSelectElement)) return;
    selector.value = [...selector.options].find(({value}) => normalSection(value) === section)?.value ?? '';
    selector.dispatchEvent(new Event('change', {bubbles: true})); // for a page that loads the selected section
  }

  /** @param {Snapshot} snapshot @param {Record<Notice, Sentence>} notices @returns {Facts} */
  #facts(snapshot, notices) {
    const {users, warning, status, text} = snapshot;
    const words = this.#words;
    const [newer, company, waiting, free] = NOTICES.map((name) => words.sentence(...notices[name]));
    return {
      people: users,
      warning: areOld(warning, snapshot) ? '' : words.sentence(this.#warningKey(snapshot), warning),
      newer, company, waiting, free,
      status: ['live', 'polling', 'connecting'].includes(status) ? '' : text,
    };
  }

  /** @param {Facts} current @param {Facts} announced */
  #describe(current, announced) {
    const words = this.#words;
    const changes = [
      .../** @type {const} */ (['warning', ...NOTICES]).map((name) => current[name] !== announced[name] && current[name]),
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
