/**
 * The badge with the number of other users, and the list that it opens on hover, focus, tap or key. The list stays open while it is
 * hovered and closes on Escape. It is in the top layer if the browser has one, so that no element of the host clips it.
 *
 * @typedef {import('./presence-types.js').Snapshot} Snapshot
 * @typedef {import('./presence-types.js').User} User
 */

import {identify, make, own} from './element.js';
import {areOld} from './presence-conflict.js';
import {CLOSE_DELAY} from './constants.js';

const MARGIN = 8;

/** Shows the number of other users, and hides the badge at zero. @param {HTMLElement} badge @param {number} count @param {import('./strings.js').Words} words */
export function showCount(badge, count, words) {
  badge.textContent = words.text('badge', {count});
  badge.setAttribute('aria-label', words.text('badgeLabel', {count}));
  badge.style.display = count > 0 ? 'inline' : 'none';
}

export class PresenceBadge {
  #badge;
  #words;
  #label;
  #list;
  #status;
  #open = false;
  /** opened by a click or tap: stays until the next one */ #pinned = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #closeTimer;
  /** @type {Snapshot | undefined} */ #snapshot;
  #listeners = new AbortController();

  /** @param {HTMLElement} badge the host's own element @param {import('./strings.js').Words} words @param {(section: string) => string} label */
  constructor(badge, words, label) {
    this.#badge = badge;
    this.#words = words;
    this.#label = label;
    this.#list = make('div', 'presence-list');
    this.#list.hidden = true;
    this.#list.popover = 'manual';
    this.#status = make('span', 'presence-status');
    own(this.#list, this.#status);
    badge.classList.add('presence-badge');
    if (badge.tagName !== 'BUTTON') {
      badge.role = 'button';
      badge.tabIndex = 0;
    }
    badge.setAttribute('aria-expanded', 'false');
    this.#listen();
  }

  get element() {
    return this.#badge;
  }

  /** @param {Snapshot} snapshot */
  render(snapshot) {
    this.#snapshot = snapshot;
    if (this.#list.parentNode !== this.#badge.parentNode) {
      this.#toggle(false); // to move an open popover would close it
      this.#badge.after(this.#status, this.#list);
      this.#badge.setAttribute('aria-controls', identify(this.#list, 'presence-list'));
    }
    const {status, text, count} = snapshot;
    showCount(this.#badge, count, this.#words);
    this.#status.textContent = ['live', 'polling', 'stopped'].includes(status) ? '' : text;
    this.#status.dataset.status = status;
    if (!count) this.#toggle(false);
    if (this.#open) this.#fill();
  }

  remove() {
    this.#listeners.abort();
    clearTimeout(this.#closeTimer);
    this.#list.remove();
    this.#status.remove();
    this.#badge.style.display = 'none';
  }

  #listen() {
    const badge = this.#badge;
    const {signal} = this.#listeners;
    /** @param {EventTarget} target @param {string} type @param {(event: any) => void} act */
    const on = (target, type, act) => target.addEventListener(type, act, {signal});

    /** @type {Event | undefined} a press on the badge or in the list: outside a closed shadow root its path does not tell */
    let inside;
    for (const place of [badge, this.#list]) {
      on(place, 'mouseenter', () => this.#toggle(true));
      on(place, 'mouseleave', () => this.#closeSoon());
      on(place, 'pointerdown', (event) => (inside = event));
    }
    on(badge, 'focus', () => this.#toggle(true));
    on(badge, 'blur', () => this.#closeSoon());
    on(badge, 'click', ({detail}) => this.#press(detail > 0));
    on(badge, 'keydown', (event) => {
      if (badge.tagName === 'BUTTON' || !['Enter', ' '].includes(event.key)) return;
      event.preventDefault();
      badge.click();
    });
    on(document, 'keydown', ({key}) => key === 'Escape' && this.#toggle(false));
    on(document, 'pointerdown', (event) => event === inside || this.#toggle(false));
    for (const type of ['resize', 'scroll']) on(window, type, () => this.#open && this.#place());
  }

  /** A pointer has already opened the list by hover or focus, so its first press keeps the list open. @param {boolean} pointer */
  #press(pointer) {
    this.#pinned = pointer ? !this.#pinned : !this.#open;
    this.#toggle(this.#pinned);
  }

  #closeSoon() {
    clearTimeout(this.#closeTimer);
    if (this.#pinned) return;
    this.#closeTimer = setTimeout(() => {
      const active = this.#badge.matches(':hover, :focus') || this.#list.matches(':hover');
      if (!active) this.#toggle(false);
    }, CLOSE_DELAY);
  }

  /** @param {boolean} open */
  #toggle(open) {
    clearTimeout(this.#closeTimer);
    this.#pinned &&= open;
    if (open === this.#open) return;
    this.#open = open;
    this.#list.hidden = !open;
    this.#badge.setAttribute('aria-expanded', String(open));
    this.#list.togglePopover?.(open); // older browsers use `hidden` only
    if (open) this.#fill();
  }

  /** Places the list below the badge, or above it if there is more room, and inside the window. */
  #place() {
    const {documentElement: {clientWidth: width, clientHeight: height}} = document;
    this.#list.style.left = '0px'; // the previous position could reduce the width
    const badge = this.#badge.getBoundingClientRect();
    const list = this.#list.getBoundingClientRect();
    const start = getComputedStyle(this.#badge).direction === 'rtl' ? badge.right - list.width : badge.left;
    const below = badge.bottom + list.height + MARGIN <= height || badge.top < height - badge.bottom;
    this.#list.style.left = `${Math.max(MARGIN, Math.min(start, width - list.width - MARGIN))}px`;
    this.#list.style.top = `${Math.max(MARGIN, below ? badge.bottom + 4 : badge.top - list.height - 4)}px`;
  }

  #fill() {
    const snapshot = this.#snapshot;
    if (!snapshot) return;
    const {users, count, ownWindows, text} = snapshot;
    const stale = areOld(users, snapshot);
    const words = this.#words;
    const people = users.map((user) => this.#item(user));
    const unlisted = count - users.filter(({agent}) => !agent).length;
    if (unlisted > 0) people.push(make('li', 'presence-own', words.text('more', {count: unlisted})));
    for (const section of ownWindows) {
      people.push(make('li', 'presence-own', words.text('ownWindow', {section: this.#label(section)})));
    }
    this.#list.toggleAttribute('data-stale', stale);
    this.#list.replaceChildren(
      make('p', '', words.text('heading', {count})),
      make('ul', '', ...people),
      make('div', 'presence-foot', stale ? `${text}. ${words.text('old')}` : text),
    );
    this.#place();
  }

  /** `Alice (Abstract), idle` @param {User} user */
  #item(user) {
    const words = this.#words;
    const row = make('li', '', make('bdi', '', words.name(user)));
    const section = user.sections.map((section) => this.#label(section)).join(', ');
    if (section) row.append(words.text('inSection', {section}));
    const state = user.activity === 'idle' || (user.section && user.activity === 'viewing') ? words.text(user.activity) : '';
    if (state) row.append(words.text('state', {state}));
    if (user.unsaved) row.append(words.text('state', {state: words.text('unsaved')}));
    applyAvatar(row, user);
    return row;
  }
}

/** Gives an element a user's colour, and initials or a picture, which only repeat its text. @param {HTMLElement} element @param {User} user @param {boolean} [idle] */
export function applyAvatar(element, user, idle = user.activity === 'idle') {
  element.dataset.initials = user.initials || '?';
  if (idle) element.dataset.idle = '';
  if (/^#[0-9a-f]{6}$/i.test(user.avatar_color)) element.style.setProperty('--presence-color', user.avatar_color);
  if (!user.avatar_url?.startsWith('https:')) return;
  // It covers the initials, which stay visible if it cannot be loaded.
  const picture = make('img');
  picture.alt = '';
  picture.referrerPolicy = 'no-referrer';
  picture.src = user.avatar_url;
  element.append(picture);
}
