/**
 * The list of people that the badge opens: you, then the others by section, yours first. The row of a person is a button that goes to
 * their section. Arrows, Home, End and the letters of a name move between rows. Only the rows in view are in the page, all of one height,
 * so that a list of a thousand people costs as much as one of twenty.
 *
 * @typedef {import('./presence-types.js').Snapshot} Snapshot
 * @typedef {import('./presence-types.js').User} User
 *
 * @typedef {object} Row
 * @property {string} id
 * @property {() => string} look differs if the row looks different
 * @property {string} [in] the section under which it is listed
 * @property {boolean} [title] of a section, and so no button
 * @property {string} [section] where it leads to; `''` nowhere
 * @property {User} [user]
 * @property {() => (Node | string)[]} fill its contents
 */

import {hasFocus, icon, make, setChildren, setText} from './element.js';
import {areOld} from './presence-conflict.js';
import {avatar} from './presence-avatar.js';
import {activityIn, bySection, isUnsavedIn} from './presence-occupants.js';

const OUTSIDE = 4; // rows above and below those in view
const TYPING = 1000; // milliseconds between two letters of a name

/**
 * @typedef {object} Options
 * @property {import('./strings.js').Words} words
 * @property {(section: string) => string} label
 * @property {() => readonly string[]} order the host's sections in its order
 * @property {boolean} pictures
 * @property {(section: string, user: User | null) => void} go
 * @property {() => void} close
 */

export class PresenceList {
  element = make('div', 'presence-list');
  #options;
  #heading = make('p');
  #close = make('button', 'presence-close', icon('close'));
  #head = make('div', 'presence-head');
  #rows = make('ul');
  #scroller = make('div', 'presence-rows', this.#rows);
  #foot = make('div', 'presence-foot');
  /** @type {Row[]} */ #all = [];
  /** the rows of users, while they look the same @type {WeakMap<User, Row>} */ #known = new WeakMap();
  /** the rows in the page by id @type {Map<string, {element: HTMLElement, content: HTMLElement, row: Row, look: string, text: string | null}>} */ #shown = new Map();
  /** height of a row in pixels; 0: not measured yet */ #height = 0;
  /** the id of the row that Tab reaches @type {string | undefined} */ #current;
  #typed = '';
  #typedAt = 0;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#close.type = 'button';
    this.#close.ariaLabel = options.words.text('close');
    this.#close.onclick = options.close;
    this.element.role = 'dialog';
    this.#scroller.addEventListener('scroll', () => this.#draw(), {passive: true});
    this.#rows.addEventListener('keydown', (event) => this.#onKey(event));
    this.#rows.addEventListener('focusin', ({target}) => {
      for (const [id, {element}] of this.#shown) if (element.contains(/** @type {Node} */ (target))) this.#current = id;
      this.#draw();
    });
  }

  /** @param {Snapshot} snapshot */
  render(snapshot) {
    const {count, text, users, version} = snapshot;
    const {words} = this.#options;
    const stale = areOld(users, snapshot);
    const at = this.#at();
    const focused = hasFocus(this.#rows);
    // The host may have removed or replaced any of them.
    setChildren(this.element, [this.#head, this.#scroller, this.#foot]);
    setChildren(this.#head, [this.#heading, this.#close]);
    setChildren(this.#scroller, [this.#rows]);
    this.#all = this.#rowsOf(snapshot);
    this.element.toggleAttribute('data-stale', stale);
    setText(this.#heading, count ? words.text('heading', {count}) : version ? words.text('alone') : text);
    this.element.ariaLabel = this.#heading.textContent;
    setText(this.#foot, stale ? `${text}. ${words.text('old')}` : text);
    this.#draw();
    // The person of the row with the focus has left: the next one gets it.
    if (focused && this.#at() < 0) this.#focusRow(Math.min(at, this.#all.length - 1), at < this.#all.length ? 1 : -1);
  }

  /** Measures the rows again, after the list was shown. */
  measure() {
    this.#height = 0;
    this.#draw();
  }

  /** Moves the focus to the row that was reached last, or to the first one. */
  focus() {
    this.#focusRow(Math.max(0, this.#at()), 1);
  }

  /** The index of the row that Tab reaches; -1: it is gone. */
  #at() {
    return this.#all.findIndex(({id}) => id === this.#current);
  }

  /** @param {Snapshot} snapshot @returns {Row[]} */
  #rowsOf({users, count, you, ownWindows, section}) {
    const {words, order} = this.#options;
    /** @type {Map<string, string>} */ const labels = new Map();
    const label = (/** @type {string} */ section) => labels.get(section) ?? labels.set(section, this.#options.label(section)).get(section) ?? '';
    const here = section ?? '';
    const groups = bySection(users, ({section, sections}) => [here && sections.includes(here) ? here : section]);
    const known = new Map(order().map((section, i) => [section, i]));
    const place = (/** @type {string} */ section) => (section === here ? -1 : section ? known.get(section) ?? known.size : Infinity);
    const sections = [...groups.keys()].sort().sort((a, b) => place(a) - place(b) || label(a).localeCompare(label(b)));

    /** @type {Row[]} */ const rows = [];
    if (you) rows.push(this.#person({...you, sections: here ? [here] : []}, here, words.text('you')));
    for (const section of ownWindows) rows.push(plain('own', section, words.text('ownWindow', {section: label(section)})));
    for (const section of sections) {
      const title = section ? words.text(section === here ? 'yourSection' : 'otherSection', {section: label(section)}) : words.text('noSection');
      rows.push({...plain('title', section, title), section: '', title: true});
      for (const user of groups.get(section) ?? []) rows.push(this.#person(user, section));
    }
    const unlisted = count - users.filter(({agent}) => !agent).length;
    if (unlisted > 0) rows.push({...plain('more', '', words.text('more', {count: unlisted})), title: true});
    return rows;
  }

  /** @param {User} user @param {string} section @param {string} [you] the name of your own row, which leads nowhere @returns {Row} */
  #person(user, section, you) {
    const known = this.#known.get(user);
    if (known?.in === section) return known;
    const {words, label, pictures} = this.#options;
    const name = () => you ?? words.name(user);
    const where = () => user.sections.map((section) => label(section)).join(', ');
    const activity = activityIn(user, section);
    const state = activity === 'viewing' && !section ? '' : words.text(activity);
    const full = isUnsavedIn(user, section) ? state + words.text('state', {state: words.text('unsaved')}) : state;
    const row = {
      id: `user\n${user.user_id}`,
      in: section,
      look: () => [name(), where(), full, user.avatar_url, user.avatar_color, user.initials].join('\n'),
      section: you === undefined ? section : '',
      user,
      fill: () => {
        const text = make('bdi', '', name());
        const place = make('span', user.sections.length > 1 ? 'presence-where' : 'presence-said', where() && words.text('inSection', {section: where()}));
        const does = make('span', 'presence-state', full);
        text.title = name();
        does.dataset.activity = activity;
        return [avatar(user, section, pictures), make('span', 'presence-name', text, place), does];
      },
    };
    this.#known.set(user, row);
    return row;
  }

  /** Puts the rows in view into the page, and the one with the focus. */
  #draw() {
    const {clientHeight, scrollTop, scrollHeight} = this.#scroller;
    if (!this.#height) {
      this.#show([0]);
      this.#height = this.#rows.firstElementChild?.getBoundingClientRect().height ?? 0;
    }
    if (!this.#height) return; // it is not shown
    this.#rows.style.height = `${this.#all.length * this.#height}px`;
    const from = Math.max(0, Math.floor(scrollTop / this.#height) - OUTSIDE);
    const to = from + Math.ceil((clientHeight || innerHeight) / this.#height) + 2 * OUTSIDE;
    const indexes = this.#all.slice(from, to).map((_, i) => from + i);
    const at = hasFocus(this.#rows) ? this.#at() : -1;
    if (at >= 0 && at < from) indexes.unshift(at);
    if (at >= to) indexes.push(at);
    this.#show(indexes);
    this.element.toggleAttribute('data-more', scrollTop + clientHeight < scrollHeight - 1);
  }

  /** @param {number[]} indexes of the rows, ascending */
  #show(indexes) {
    const last = this.#shown;
    this.#shown = new Map();
    const rows = indexes.filter((at) => this.#all[at]);
    const reached = rows.some((at) => this.#all[at].id === this.#current) ? this.#current : this.#all[rows.find((at) => !this.#all[at].title) ?? -1]?.id;
    for (const at of rows) {
      const row = this.#all[at];
      let known = last.get(row.id);
      if (known && !known.element.contains(known.content)) known = undefined; // the host replaced it
      const {element, content} = known ?? this.#make(row);
      const look = row.look();
      if (look !== known?.look || content.textContent !== known.text) content.replaceChildren(...row.fill());
      if (!row.title) {
        content.tabIndex = row.id === reached ? 0 : -1; // Tab reaches one row
        content.ariaDisabled = row.section ? null : 'true';
      }
      element.ariaPosInSet = `${at + 1}`;
      element.ariaSetSize = `${this.#all.length}`;
      element.style.translate = `0 ${at * this.#height}px`;
      this.#shown.set(row.id, {element, content, row, look, text: content.textContent});
    }
    setChildren(this.#rows, [...this.#shown.values()].map(({element}) => element));
  }

  /** @param {Row} row */
  #make({id, title}) {
    if (title) {
      const element = make('li', 'presence-title');
      return {element, content: element};
    }
    const button = make('button', 'presence-row');
    button.type = 'button';
    button.onclick = () => {
      const row = this.#shown.get(id)?.row;
      if (row?.section) this.#options.go(row.section, row.user ?? null);
    };
    return {element: make('li', '', button), content: button};
  }

  /** @param {number} at @param {1 | -1} step over titles */
  #focusRow(at, step) {
    const from = at;
    while (this.#all[at]?.title) at += step;
    if (!this.#all[at]) for (at = from; this.#all[at]?.title;) at -= step;
    const row = this.#all[at];
    if (!row) return;
    const {scrollTop, clientHeight} = this.#scroller;
    const top = at * this.#height;
    const bottom = top + this.#height;
    if (top < scrollTop || bottom > scrollTop + clientHeight) this.#scroller.scrollTop = at < 2 ? 0 : top < scrollTop ? top : bottom - clientHeight;
    this.#current = row.id;
    this.#draw();
    this.#shown.get(row.id)?.content.focus({preventScroll: true});
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const {key, timeStamp, ctrlKey, altKey, metaKey} = event;
    if (ctrlKey || altKey || metaKey) return;
    const at = this.#at();
    const last = this.#all.length - 1;
    const page = Math.max(1, Math.floor(this.#scroller.clientHeight / this.#height) - 1);
    /** @type {Record<string, [at: number, step: 1 | -1]>} */
    const moves = {
      ArrowDown: [at + 1, 1], ArrowUp: [at - 1, -1], Home: [0, 1], End: [last, -1], PageDown: [Math.min(at + page, last), -1], PageUp: [Math.max(at - page, 0), 1],
    };
    if (moves[key]) this.#focusRow(...moves[key]);
    else if (key.length === 1 && (key !== ' ' || timeStamp - this.#typedAt < TYPING)) this.#search(key, timeStamp, at);
    else return;
    event.preventDefault();
  }

  /** Moves to the next person whose name begins with the letters typed. @param {string} letter @param {number} now @param {number} at */
  #search(letter, now, at) {
    this.#typed = (now - this.#typedAt < TYPING ? this.#typed : '') + letter.toLocaleLowerCase();
    this.#typedAt = now;
    const from = this.#typed.length > 1 ? at : at + 1;
    for (let i = 0; i < this.#all.length; i++) {
      const next = (from + i) % this.#all.length;
      const {user} = this.#all[next];
      if (user && this.#options.words.name(user).toLocaleLowerCase().startsWith(this.#typed)) return this.#focusRow(next, 1);
    }
  }
}

/** A row without a person. @param {string} kind @param {string} section @param {string} text @returns {Row} */
const plain = (kind, section, text) => ({id: `${kind}\n${section}`, look: () => text, section, fill: () => [make('span', 'presence-name', text)]});
