/**
 * The badge: the number of other users and the first of them as avatars. It opens the list on hover, focus, tap or key. The list stays open
 * while it is hovered or has the focus, and closes on Escape.
 *
 * The badge has one width however many people there are, and its place stays while it is hidden, so that nothing beside it moves.
 *
 * @typedef {import('./presence-types.js').Snapshot} Snapshot
 * @typedef {import('./presence-types.js').User} User
 */

import {hasFocus, icon, identify, make, own, setChildren, setText} from './element.js';
import {faces} from './presence-avatar.js';
import {PresenceList} from './presence-list.js';
import {ordered, sameUsers} from './presence-occupants.js';
import {MARGIN, Overlay, beside} from './presence-overlay.js';
import {CLOSE_DELAY} from './constants.js';

const FACES = 3;

/**
 * @typedef {object} Options
 * @property {import('./strings.js').Words} words
 * @property {(section: string) => string} label
 * @property {() => readonly string[]} order the host's sections in its order
 * @property {boolean} pictures
 * @property {boolean} alone the badge says so when nobody else is online
 * @property {(section: string, user: User | null) => void} go
 */

export class PresenceBadge {
  #badge;
  #options;
  #people = make('span', 'presence-people');
  #count = make('span', 'presence-count');
  #place = make('span', 'presence-badge presence-place');
  #status = make('span', 'presence-status');
  #list;
  #overlay;
  #statusOverlay;
  /** @type {readonly User[]} */ #shown = [];
  #more = 0;
  /** opened by a click or tap: stays until the next one */ #pinned = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #closeTimer;
  /** @type {Snapshot | undefined} */ #snapshot;
  #listeners = new AbortController();
  #removals = new MutationObserver(() => this.#overlay.open || this.#toggle(false));

  /** @param {HTMLElement} badge the host's own element @param {Options} options */
  constructor(badge, options) {
    this.#badge = badge;
    this.#options = options;
    this.#list = new PresenceList({...options, close: () => this.#close(), go: (section, user) => {
      this.#close();
      options.go(section, user);
    }});
    this.#overlay = new Overlay(this.#list.element, ({width, height}) => {
      const {top, bottom} = this.box;
      const room = Math.max(top, document.documentElement.clientHeight - bottom) - 2 * MARGIN; // so that it does not cover the badge
      this.#list.element.style.setProperty('--presence-room', `${room}px`);
      return beside(this.box, {width, height: Math.min(height, room)}, getComputedStyle(badge).direction === 'rtl');
    });
    this.#statusOverlay = new Overlay(this.#status, (size) => beside(this.box, size, this.box.left + this.box.right > innerWidth));
    own(this.#list.element, this.#status, this.#place);
    this.#place.ariaHidden = 'true';
    badge.classList.add('presence-badge');
    if (badge.tagName !== 'BUTTON') {
      badge.role = 'button';
      badge.tabIndex = 0;
    }
    badge.ariaHasPopup = 'dialog';
    badge.setAttribute('aria-expanded', 'false');
    this.#listen();
  }

  get element() {
    return this.#badge;
  }

  /** @param {Snapshot} snapshot */
  render(snapshot) {
    this.#snapshot = snapshot;
    const badge = this.#badge;
    const list = this.#list.element;
    if (list.parentNode !== badge.parentNode) {
      this.#toggle(false); // to move an open popover would close it
      badge.after(this.#place, this.#status, list);
      badge.setAttribute('aria-controls', identify(list, 'presence-list'));
    }
    this.#renderBadge(snapshot);
    this.#renderStatus(snapshot);
    if (!this.#overlay.open) return;
    this.#list.render(snapshot);
    if (!snapshot.count) this.#closeSoon();
  }

  remove() {
    this.#listeners.abort();
    this.#removals.disconnect();
    clearTimeout(this.#closeTimer);
    this.#toggle(false);
    this.#statusOverlay.toggle(false);
    this.#badge.removeAttribute('aria-controls');
    for (const part of [this.#list.element, this.#status, this.#place]) part.remove();
    this.#badge.style.display = 'none';
  }

  /** Hides the badge without other users, unless the list is open, it has the focus, or it is to say that you are alone. That is not known before the first list, although answers arrive before it. @param {Snapshot} snapshot */
  #renderBadge({users, count, status, version}) {
    const badge = this.#badge;
    const {words} = this.#options;
    const alone = this.#options.alone && !!version && !count && ['live', 'polling'].includes(status);
    const shown = !!count || alone || this.#overlay.open || hasFocus(badge);
    const text = alone ? words.text('alone') : words.text('badge', {count});
    if (badge.hasAttribute('data-alone') !== alone) this.#count = make('span', 'presence-count'); // the old one in its new place would count as a layout shift
    if (this.#people.parentNode !== badge || this.#count.parentNode !== badge) badge.replaceChildren(this.#count, this.#people);
    setText(this.#count, text);
    badge.setAttribute('aria-label', alone ? text : words.text('badgeLabel', {count}));
    badge.style.display = shown ? 'inline-flex' : 'none';
    badge.toggleAttribute('data-alone', alone);
    this.#place.hidden = shown;
    const people = ordered(users.filter(({agent}) => !agent), ({section}) => section).slice(0, FACES);
    const more = count - people.length;
    if (sameUsers(people, this.#shown) && more === this.#more) return;
    this.#shown = people;
    this.#more = more;
    setChildren(this.#people, [...(words.isOwn('badge') ? [] : [icon('people')]), faces(people, ({section}) => section, FACES, count, this.#options.pictures)]);
  }

  /** The status in words below the badge, unless all is well, or the open list says it. @param {Snapshot} snapshot */
  #renderStatus({status, text}) {
    const words = this.#overlay.open || ['live', 'polling', 'stopped'].includes(status) ? '' : text;
    this.#status.dataset.status = status;
    setText(this.#status, words);
    this.#statusOverlay.toggle(!!words);
  }

  /** The box of the badge, or of the place that is kept for it. */
  get box() {
    const box = this.#badge.getBoundingClientRect();
    return box.width ? box : this.#place.getBoundingClientRect();
  }

  #listen() {
    const badge = this.#badge;
    const list = this.#list.element;
    const {signal} = this.#listeners;
    /** @param {EventTarget} target @param {string} type @param {(event: any) => void} act */
    const on = (target, type, act) => target.addEventListener(type, act, {signal});

    /** @type {Event | undefined} a press on the badge or in the list: outside a closed shadow root its path does not tell */
    let inside;
    for (const place of [badge, list]) {
      on(place, 'mouseenter', () => this.#toggle(true));
      on(place, 'mouseleave', () => this.#closeSoon());
      on(place, 'focusout', () => this.#closeSoon());
      on(place, 'pointerdown', (event) => (inside = event));
    }
    on(badge, 'focus', () => this.#toggle(true));
    on(badge, 'blur', () => this.#snapshot && this.#renderBadge(this.#snapshot));
    on(badge, 'click', ({detail}) => this.#press(detail > 0));
    on(badge, 'keydown', (event) => {
      if (event.key === 'ArrowDown') {
        this.#toggle(true);
        this.#list.focus();
      } else if (badge.tagName === 'BUTTON' || !['Enter', ' '].includes(event.key)) return;
      else badge.click();
      event.preventDefault();
    });
    on(document, 'keydown', ({key}) => key === 'Escape' && this.#close());
    on(document, 'pointerdown', (event) => event === inside || this.#toggle(false));
  }

  /** A pointer has already opened the list by hover or focus, so its first press keeps the list open. @param {boolean} pointer */
  #press(pointer) {
    this.#pinned = pointer ? !this.#pinned : !this.#overlay.open;
    this.#toggle(this.#pinned);
  }

  #closeSoon() {
    clearTimeout(this.#closeTimer);
    if (this.#pinned) return;
    this.#closeTimer = setTimeout(() => {
      const list = this.#list.element;
      const active = this.#badge.matches(':hover, :focus') || list.matches(':hover') || hasFocus(list);
      if (!active) this.#toggle(false);
    }, CLOSE_DELAY);
  }

  /** Closes the list. The focus, if it was there, returns to the badge, and does not open the list again. */
  #close() {
    const focused = hasFocus(this.#list.element);
    if (focused) this.#badge.focus({preventScroll: true});
    this.#toggle(false);
  }

  /** @param {boolean} open */
  #toggle(open) {
    clearTimeout(this.#closeTimer);
    this.#pinned &&= open;
    if (open === this.#overlay.open && String(open) === this.#badge.getAttribute('aria-expanded')) return;
    this.#overlay.toggle(open);
    this.#badge.setAttribute('aria-expanded', String(this.#overlay.open));
    this.#removals.disconnect();
    if (this.#snapshot) this.#renderStatus(this.#snapshot);
    if (this.#overlay.open && this.#snapshot) {
      this.#removals.observe(this.#badge.getRootNode(), {childList: true, subtree: true});
      this.#list.render(this.#snapshot);
      this.#list.measure();
      this.#overlay.place();
    } else if (this.#snapshot) this.#renderBadge(this.#snapshot);
  }
}
