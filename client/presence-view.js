/**
 * The interface of a `PresenceCore`: badge with list, markers beside sections, warning, notice, one live region. It draws after each
 * change, completely, and looks up the host's elements each time, because the host may replace them.
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
 * @property {HTMLElement | string | false} [warning] where the warning and the notices are drawn, `#presence-warning`; with a height, in this space. Without it,
 *   over what follows the badge's parent; false: not at all. Under other names: an element that is not drawn; the sections in its shadow root
 *   are marked, too
 * @property {HTMLElement | string} [editor] gets the focus after `Edit anyway`; without it, the select
 */

import {Announcer} from './presence-announcer.js';
import {PresenceMarkers} from './presence-markers.js';
import {DRAW_INTERVAL} from './constants.js';
import {identify, make, own} from './element.js';
import {PresenceBadge} from './presence-badge.js';
import {need} from './presence-check.js';
import {areOld, claims, edits, missing} from './presence-conflict.js';
import {NOTICES, PresenceNotices} from './presence-notices.js';
import {adoptStyle} from './presence-style.js';
import {normalSection} from './section.js';
import {Words} from './strings.js';

/**
 * @typedef {object} ViewOptions
 * @property {boolean | undefined} [view] false: no interface; the page draws its own from `getSnapshot()`
 * @property {Elements | undefined} [elements] where the interface is drawn
 * @property {((section: string) => string) | undefined} [label] the label of a section; by default the text of its option in the select, or its path
 * @property {Partial<import('./strings.js').OwnStrings> | undefined} [strings] replaces words of the interface
 * @property {boolean | undefined} [pictures] false: avatars have initials and no pictures
 * @property {boolean | undefined} [alone] true: the badge says so when nobody else is online
 */

/**
 * @typedef {import('./presence-notices.js').Notice} Notice
 * @typedef {import('./presence-notices.js').Sentence} Sentence
 * @typedef {{people: readonly User[], status: string} & Record<'warning' | Notice, string>} Facts
 */

/** @type {Sentence} */ const NOTHING = ['free', []];
/** @type {Elements} */ const DEFAULTS = {badge: '#presence-badge', selector: '#texfile-selector', warning: '#presence-warning'};
const PLACES = /** @type {const} */ (['badge', 'selector', 'warning']);
/** What of a snapshot concerns you, and is drawn in the next frame. */
const OWN = /** @type {const} */ (['section', 'activity', 'warning', 'waitingFor']);

export class PresenceView {
  #core;
  #words;
  /** @type {Elements} */ #elements = DEFAULTS;
  /** selectors of the host that are still to be found once @type {(keyof Elements)[]} */ #unseen = [];
  #markers;
  #notices;
  #announcer;
  /** @type {(section: string) => string} */ #label;
  #badgeOptions;
  /** @type {PresenceBadge | undefined} */ #badge;
  #liveRegion = make('div', 'presence-said');
  /** the next frame draws */ #due = false;
  /** @type {Partial<Snapshot>} */ #drawn = {};
  /** by `performance.now()` */ #drawnAt = -DRAW_INTERVAL;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  /** @type {readonly User[]} users who entered your section while you were editing */ #newcomers = [];
  /** @type {{section: string, here: boolean} | null} the section that you waited for, since it is free; `here`: you are in it */ #free = null;

  /**
   * @param {import('./presence-core.js').PresenceCore} core
   * @param {ViewOptions & Pick<import('./presence-types.js').Options, 'environment'>} options
   */
  constructor(core, {elements, label, strings, pictures = true, alone = false, environment = globalThis}) {
    this.#core = core;
    this.#words = new Words(strings);
    this.#accept(elements);
    this.#markers = new PresenceMarkers(this.#words, () => this.#find('selector'), (selector) => this.#findAll(selector), pictures);
    this.#label = label ?? ((section) => this.#markers.label(section));
    this.#badgeOptions = {
      words: this.#words, label: this.#label, order: () => this.#markers.order(), pictures, alone,
      go: (/** @type {string} */ section, /** @type {User | null} */ user) => this.#navigate(section, user),
    };
    this.#notices = new PresenceNotices(this.#words, {
      editAnyway: () => this.#answer('editor', () => core.editAnyway()),
      chooseDifferent: () => this.#answer('selector', () => this.#select(core.chooseDifferent())),
      tellMe: () => {
        const {waitingFor, section} = core.getSnapshot();
        core.waitFor(waitingFor === normalSection(section) ? null : section);
      },
      showLatest: () => core.dispatchEvent(new CustomEvent('showlatest', {cancelable: true, detail: core.getSnapshot().newer})),
      refocus: () => (this.#find('editor') ?? this.#find('selector') ?? this.#find('badge'))?.focus(),
      ended: () => this.draw(),
    }, pictures, (...parts) => this.#addSlot(...parts), () => this.#slotAnchor);
    this.#announcer = new Announcer(
      (/** @type {Facts} */ current, /** @type {Facts} */ announced) => this.#describe(current, announced),
      (text) => (this.#liveRegion.textContent = text),
      environment,
    );
    this.#liveRegion.role = 'status';
    own(this.#liveRegion);
    core.addEventListener('change', () => this.#drawSoon());
    // Once all listeners have seen it.
    core.addEventListener('section', (event) => queueMicrotask(() => event.defaultPrevented || this.#markers.follow([event.detail])));
    core.addEventListener('conflict', ({detail: {users, editing}}) => {
      if (editing) this.#newcomers = users;
    });
    core.addEventListener('free', ({detail: {section}}) => {
      this.#free = {section, here: section === normalSection(core.currentSection)};
    });
  }

  /** @param {Elements} elements those that are not named stay @returns {Elements} where the interface was drawn before */
  setElements(elements) {
    const replaced = this.#elements;
    this.#accept(elements);
    this.draw();
    return replaced;
  }

  /** @param {Elements | undefined} elements */
  #accept(elements = {}) {
    for (const [name, place] of Object.entries(elements)) {
      need(isPlace(place, name), `elements.${name} is ${place}: pass an element or a CSS selector`);
    }
    this.#elements = {...this.#elements, ...elements};
    this.#unseen = PLACES.filter((name) => elements[name] && elements[name] !== DEFAULTS[name]);
  }

  /**
   * Draws in the next frame, and so not while the page is hidden. What only the others do waits until some time after the last drawing,
   * because in a busy room drawings cost more than changes, and the more the more users there are. The end of presence is drawn at once.
   */
  #drawSoon() {
    const snapshot = this.#core.getSnapshot();
    if (snapshot.status === 'stopped') return this.draw();
    const own = OWN.some((key) => snapshot[key] !== this.#drawn[key]);
    if (this.#due || (this.#timer && !own)) return;
    clearTimeout(this.#timer);
    const wait = own ? 0 : this.#drawnAt + Math.max(DRAW_INTERVAL, snapshot.users.length / 2) - performance.now();
    const request = () => {
      this.#timer = undefined;
      this.#due = true;
      requestAnimationFrame(() => {
        this.#due = false;
        this.draw();
      });
    };
    if (wait > 0) this.#timer = setTimeout(request, wait);
    else request();
  }

  /** Draws the current snapshot now. */
  draw() {
    const snapshot = (this.#drawn = this.#core.getSnapshot());
    if (snapshot.status === 'stopped' && !snapshot.version) this.#remove();
    else this.#render(snapshot);
    this.#drawnAt = performance.now();
  }

  /** @param {Snapshot} snapshot */
  #render(snapshot) {
    snapshot = {...snapshot, section: normalSection(snapshot.section)}; // as in the users and in `waitingFor`
    const roots = this.#roots;
    roots.forEach(adoptStyle);
    this.#markers.render(snapshot.users);
    this.#renderBadge(snapshot);
    this.#followAnchor();
    const notices = this.#noticesOf(snapshot);
    if (this.#elements.warning === false) this.#notices.remove();
    else this.#notices.render(this.#warningOf(snapshot), notices, this.#free?.here ? 'free' : false);
    // Screen readers announce a live region only if it existed before its text changed.
    if (this.#liveRegion.getRootNode() !== roots[0]) (roots[0].body ?? roots[0]).append(this.#liveRegion);
    if (!snapshot.version) return;
    this.#announcer.update(this.#facts(snapshot, notices));
    // Only a warning, because the host may add the element later.
    for (const name of this.#unseen.splice(0)) if (!this.#find(name)) console.warn(`Presence: no element is ${this.#elements[name]} (elements.${name})`);
  }

  /** Removes our parts and restores the select. The badge keeps its class and role, hidden. */
  #remove() {
    this.#announcer.stop();
    this.#markers.render([]);
    this.#badge?.remove();
    this.#notices.remove();
    this.#liveRegion.remove();
    this.#badge = undefined;
    this.#newcomers = [];
    this.#free = null;
  }

  /** @param {Snapshot} snapshot @returns {import('./presence-notices.js').Warning} */
  #warningOf(snapshot) {
    const {warning, section, previous, waitingFor} = snapshot;
    const words = this.#words;
    const silent = Math.max(0, ...warning.map(({silent}) => silent ?? 0));
    const key = this.#warningKey(snapshot);
    const ago = silent ? words.text('activeAgo', {time: words.ago(silent)}) : key === 'warning' ? words.text('activeNow') : '';
    return {
      users: warning, section: section ?? '', sentence: [key, warning, {ago}], waits: waitingFor === section,
      back: previous ? words.text('goBack', {section: this.#label(previous)}) : words.text('chooseDifferent'),
    };
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
        node = node.nodeType === 11 && node.host;
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
      this.#badge = element ? new PresenceBadge(element, this.#badgeOptions) : undefined;
    }
    this.#badge?.render(snapshot);
  }

  /**
   * What each notice says; nothing about no users. Forgets what is over: newcomers who no longer conflict or whose section you do not hold
   * any more, and the section that was free until somebody claimed it or you entered or left it. While the list is outdated, it is not known to be free.
   * @param {Snapshot} snapshot @returns {Record<Notice, Sentence>}
   */
  #noticesOf(snapshot) {
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

  /** What the warning follows where it has no place of its own: the badge's parent, or the badge if that stands in the body. @returns {Element | null} */
  get #anchor() {
    const badge = this.#find('badge');
    const [root] = this.#roots;
    if (!badge) return (root.body ?? root).firstElementChild;
    return badge.parentElement && badge.parentElement !== document.body ? badge.parentElement : badge;
  }

  /** Where the slot is drawn: in the space that the host reserved, or below the anchor. */
  get #slotAnchor() {
    const place = this.#find('warning');
    const anchor = place ?? this.#anchor;
    if (!anchor) return null;
    const {left, right, top, bottom} = anchor.getBoundingClientRect();
    const row = place ? undefined : this.#badge?.box; // its parent may contain the whole page
    return {box: {left, right, top, bottom: row?.bottom ?? bottom}, reserved: !!place && bottom > top};
  }

  /** @param {HTMLElement} slot @param {HTMLElement} warning @param {HTMLElement} sentence of the warning */
  #addSlot(slot, warning, sentence) {
    const place = this.#find('warning');
    if (place) place.append(slot);
    else this.#anchor?.after(slot);
    own(slot);
    warning.setAttribute('aria-labelledby', identify(sentence, 'presence-warning-text'));
  }

  /** Removes the slot if it belongs elsewhere now. It is then placed again. */
  #followAnchor() {
    const parent = this.#find('warning') ?? this.#anchor?.parentNode;
    const {slot} = this.#notices;
    if (parent?.isConnected && slot.isConnected && slot.parentNode !== parent) this.#notices.remove();
  }

  /** Runs an answer to the warning, and moves the focus, because the pressed button disappears. @param {keyof Elements} next @param {() => void} act */
  #answer(next, act) {
    (this.#find(next) ?? this.#find('selector'))?.focus();
    act();
  }

  /** Goes to a section that was chosen in the list, unless the host cancels the event to do it itself. @param {string} section @param {User | null} user */
  #navigate(section, user) {
    const event = new CustomEvent('navigate', {cancelable: true, detail: {section, user}});
    if (!this.#core.dispatchEvent(event)) return;
    if (this.#markers.order().includes(section)) this.#answer('selector', () => this.#select(section));
    else this.#findAll('[data-presence-section]').find((element) => normalSection(element.getAttribute('data-presence-section')) === section)?.scrollIntoView({block: 'nearest'});
  }

  /** Selects a section in the select, for a page that loads the selected one. @param {string | null} wanted */
  #select(wanted) {
    const section = normalSection(wanted);
    const selector = this.#find('selector');
    if (selector?.localName !== 'select') return;
    selector.value = [...selector.options].find(({value}) => normalSection(value) === section)?.value ?? '';
    selector.dispatchEvent(new Event('change', {bubbles: true}));
  }

  /** @param {Snapshot} snapshot @param {Record<Notice, Sentence>} notices @returns {Facts} */
  #facts(snapshot, notices) {
    const {users, warning, status, text} = snapshot;
    const words = this.#words;
    return /** @type {Facts} */ ({
      ...Object.fromEntries(NOTICES.map((name) => [name, words.sentence(...notices[name])])),
      people: users,
      warning: areOld(warning, snapshot) ? '' : words.sentence(this.#warningKey(snapshot), warning, {ago: ''}),
      status: ['live', 'polling', 'connecting'].includes(status) ? '' : text,
    });
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
  if (typeof place !== 'string') return place === undefined || (name === 'warning' && place === false) || place?.nodeType === Node.ELEMENT_NODE || (name === 'root' && place?.querySelector);
  try {
    return !place || document.querySelector(place) !== undefined;
  } catch {} // invalid
}
