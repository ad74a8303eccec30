import {prefixOf} from '../frameworks/address.js';
import {adoptStyle} from '../presence-style.js';
import {after} from '../section.js';
import {PresenceManager} from '../writer-presence.js';
import {Base, adoptInline, setAttribute, shadowRoot, upgradeProperties} from './base.js';
import {addSource, refresh, removeSource} from './registry.js';

/** @typedef {import('../writer-presence.js').Options} Options */

const EVENTS = /** @type {const} */ (['change', 'join', 'leave', 'conflict', 'status', 'saved', 'showlatest', 'navigate', 'free', 'section']);

/** With the types of the events. */
const EventBase = /** @type {new () => import('../presence-types.js').PresenceEventTarget & HTMLElement} */ (Base);

/** Attributes that make another manager necessary. */
const FIXED = ['project', 'user', 'token', 'url', 'prefix', 'pane', 'alone', 'select', 'editor'];

const PROPERTIES = ['token', 'manager', 'project', 'user', 'url', 'pane', 'alone', 'select', 'editor', 'viewing', 'section'];

/**
 * The connected elements of each project, the last one at the end. It has the session: one manager for each project runs in a page.
 * @type {Map<string, WriterPresence[]>}
 */
const stacks = new Map();

/**
 * The badge of a project, which opens the list of the people who are online. While it is in the page, you are online too.
 *
 * It creates a manager, and starts and stops it with its own connection. When it is moved or kept by Turbo or HTMX, the session goes on.
 * A copy takes the session over, and gives it back when it is removed.
 *
 * @element writer-presence
 *
 * @attr {string} project - the project; without it nothing happens
 * @attr {string} user - your id in the host application; without it, the server decides who you are
 * @attr {string} token - the token; to fetch one, set the property `token` to a function
 * @attr {string} url - the server's address if it is on another origin, such as `https://presence.example.org`
 * @attr {string} prefix - the path of the API there; `/writer/api` by default
 * @attr {string} section - the section that you are in
 * @attr {boolean} viewing - nothing can be edited here, so that you are never shown as editing
 * @attr {string} select - a CSS selector of the `<select>` with the sections: it shows who is where, and its value is your section
 * @attr {string} editor - a CSS selector of what gets the focus after `Edit anyway`
 * @attr {string} pane - a name for this manager, where a page shows several sections at once
 * @attr {boolean} alone - the badge says so when nobody else is online
 *
 * @prop {Options} options - further options of `PresenceManager`, such as `strings`; set them before the element is in the page
 * @prop {PresenceManager | undefined} manager - the manager; set one to show a manager of your own, which you start and stop yourself
 *
 * @fires {CustomEvent} change - anything visible is different; `detail` is the snapshot
 * @fires {CustomEvent} join - another user came: `{user}`
 * @fires {CustomEvent} leave - another user left: `{user}`
 * @fires {CustomEvent} conflict - somebody new is editing your section: `{section, users, editing}`
 * @fires {CustomEvent} status - the connection changed: `{status, text}`
 * @fires {CustomEvent} saved - another page saved a section
 * @fires {CustomEvent} showlatest - the button `Show latest` was pressed; cancelable
 * @fires {CustomEvent} navigate - a person in the list was chosen: `{section, user}`; cancelable
 * @fires {CustomEvent} section - the host moved a section: `{from, to}`; cancelable
 * @fires {CustomEvent} free - nobody else claims the section that you waited for: `{section}`
 *
 * @csspart badge - the button
 * @csspart place - the space of the badge while nobody else is online
 * @csspart count - the number in the badge
 * @csspart people - the icon and the avatars in the badge
 * @csspart faces - a row of avatars
 * @csspart avatar - an avatar
 * @csspart icon - a drawing, such as the pencil of an avatar
 * @csspart status - the status in words below the badge, unless all is well
 * @csspart list - the list
 * @csspart head - its heading
 * @csspart rows - its rows, which scroll
 * @csspart title - the name of a section in it
 * @csspart row - a person in it
 * @csspart name - the name in a row
 * @csspart where - the other sections in a row
 * @csspart state - what the person does
 * @csspart foot - the last line of the list
 * @csspart close - the button that closes the list or a notice
 * @csspart overlay - what lies over the page: list, status, and warning
 * @csspart slot - the place of the warning, unless there is a `<presence-warning>`
 * @csspart warning - the warning
 * @csspart company - a notice
 * @csspart actions - the buttons of a warning or notice
 * @csspart primary - the first of them
 * @csspart said - texts for screen readers only
 *
 * @cssprop --presence-accent - colour of the focus, and of the badge while the list is open
 * @cssprop --presence-text - colour of the text
 * @cssprop --presence-muted - colour of what matters less
 * @cssprop --presence-surface - background
 * @cssprop --presence-line - colour of the borders
 * @cssprop --presence-warning - background of the warning
 * @cssprop --presence-warning-line - colour of its border
 */
export class WriterPresence extends EventBase {
  #root;
  #badge;
  /** @type {PresenceManager | undefined} */ #manager;
  /** the manager is the host's, or none of ours runs yet */ #given = false;
  /** @type {Options['token']} */ #token;
  /** what the manager was made of */ #made = '';
  /** its project and server */ #key = '';
  #due = false;
  /** @type {AbortController | undefined} while it is connected */ #connection;
  /** @type {AbortController | undefined} while the events of the manager are fired here */ #forwarding;
  /** @type {Options} */ options = (/** @type {any} */ (this)).options ?? {};

  static get observedAttributes() {
    return [...FIXED, 'section', 'viewing', 'id'];
  }

  constructor() {
    super();
    this.#root = shadowRoot(this);
    this.#badge = document.createElement('button');
    this.#badge.setAttribute('type', 'button');
    this.#badge.part.add('badge');
    this.#badge.style.setProperty('display', 'none');
    this.#root.append(this.#badge);
  }

  /** The manager; while the element is not in the page, that of its last time there. @type {PresenceManager | undefined} */
  get manager() {
    this.#apply();
    return this.#manager;
  }

  set manager(manager) {
    this.#release();
    this.#given = !!manager;
    this.#use(manager ?? undefined);
    if (manager) this.#show();
    else this.#create();
  }

  /** @type {string | null} */
  get project() {
    return this.getAttribute('project');
  }

  set project(value) {
    setAttribute(this, 'project', value);
  }

  /** @type {string | null} */
  get user() {
    return this.getAttribute('user');
  }

  set user(value) {
    setAttribute(this, 'user', value);
  }

  /** The token, or a function that fetches one: called once, and again with `true` when the server rejected its token. @type {Options['token'] | null} */
  get token() {
    return this.#token ?? this.getAttribute('token');
  }

  set token(value) {
    const before = typeof this.token;
    if (typeof value === 'function') this.#token = value;
    else {
      this.#token = undefined;
      setAttribute(this, 'token', value);
    }
    if (before !== typeof this.token) this.#change();
  }

  /** @type {string | null} */
  get url() {
    return this.getAttribute('url');
  }

  set url(value) {
    setAttribute(this, 'url', value);
  }

  /** Hides the property of `Element` of this name, which is null here. @override @type {string | null} */
  get prefix() {
    return this.getAttribute('prefix');
  }

  /** @override */
  set prefix(value) {
    setAttribute(this, 'prefix', value);
  }

  /** @type {string | null} */
  get pane() {
    return this.getAttribute('pane');
  }

  set pane(value) {
    setAttribute(this, 'pane', value);
  }

  /** @type {string | null} */
  get select() {
    return this.getAttribute('select');
  }

  set select(value) {
    setAttribute(this, 'select', value);
  }

  /** @type {string | null} */
  get editor() {
    return this.getAttribute('editor');
  }

  set editor(value) {
    setAttribute(this, 'editor', value);
  }

  /** @type {boolean} */
  get alone() {
    return this.hasAttribute('alone');
  }

  set alone(value) {
    this.toggleAttribute('alone', Boolean(value));
  }

  /** @type {boolean} */
  get viewing() {
    return this.hasAttribute('viewing');
  }

  set viewing(value) {
    this.toggleAttribute('viewing', Boolean(value));
  }

  /** The section that you are in. After `Choose different section`, that is not the one of the attribute. @type {string | null} */
  get section() {
    return this.manager ? this.manager.currentSection : this.getAttribute('section');
  }

  set section(value) {
    setAttribute(this, 'section', value || null);
  }

  connectedCallback() {
    this.#connection = new AbortController();
    upgradeProperties(this, PROPERTIES);
    adoptStyle(this.#root);
    adoptInline(this.#root);
    this.#followSelect(this.#connection.signal);
    if (this.#given) this.#show();
    else this.#create();
    addSource(this);
  }

  disconnectedCallback() {
    this.#connection?.abort();
    this.#leaveStack();
    removeSource(this);
    // In a later task: Turbo takes a permanent element out of the page for some turns.
    const manager = this.#manager;
    if (this.#given) return this.#release();
    setTimeout(() => {
      if (!this.isConnected) manager?.stop();
    });
  }

  /** @param {string} name @param {string | null} before @param {string | null} value */
  attributeChangedCallback(name, before, value) {
    if (name === 'section' || name === 'viewing') this.#enter();
    else if (name === 'id') refresh();
    else if (before !== value && (name !== 'token' || (before === null) !== (value === null))) this.#change();
  }

  /** Another manager is needed. It is created at the end of the turn, because several attributes may change. */
  #change() {
    if (this.#due || this.#given || !this.isConnected) return;
    this.#due = true;
    queueMicrotask(() => this.#apply());
  }

  #apply() {
    if (!this.#due) return;
    this.#due = false;
    if (!this.#given) this.#create();
  }

  /** Starts the manager, after creating it if there is none for these attributes. */
  #create() {
    if (!this.isConnected) return;
    const {project, user, url, prefix, token, pane, alone, select, editor, options} = this;
    const address = prefixOf(url, prefix ?? options.prefix);
    const key = JSON.stringify([project, address, pane]);
    const made = JSON.stringify([key, user, !!token, alone, select, editor]);
    if (!this.#manager || this.#made !== made) {
      this.#leaveStack();
      this.#manager?.stop(); // the next one continues the session, if it is for the same project
      if (!project) return this.#use(undefined);
      const {elements, ...more} = options;
      const manager = new PresenceManager(project, user || null, {
        ...more, alone: alone || more.alone,
        prefix: address,
        ...(pane !== null && {pane}),
        ...(token && {token: (refused) => (typeof this.token === 'function' ? this.token(refused) : this.token ?? null)}),
        elements: {...elements, badge: this.#badge, ...(select && {selector: select}), ...(editor && {editor})},
      });
      this.#made = made;
      this.#key = key;
      this.#use(manager);
      this.#enter();
    }
    const stack = stacks.get(key) ?? [];
    stacks.set(key, [...stack.filter((element) => element !== this), this]);
    this.#manager?.start();
  }

  /** Gives the session back to the element that had it before. */
  #leaveStack() {
    const stack = stacks.get(this.#key) ?? [];
    if (!stack.includes(this)) return;
    const others = stack.filter((element) => element !== this);
    if (others.length) stacks.set(this.#key, others);
    else stacks.delete(this.#key);
    if (stack.at(-1) !== this || !others.length) return;
    const key = this.#key;
    queueMicrotask(() => {
      const next = stacks.get(key)?.at(-1);
      if (next) next.#manager?.start();
    });
  }

  /** @param {PresenceManager | undefined} manager */
  #use(manager) {
    this.#manager = manager;
    this.#forwarding?.abort();
    if (!this.#given) this.#forward();
    refresh();
  }

  /** Fires the events of the manager at this element too. */
  #forward() {
    const {signal} = (this.#forwarding = new AbortController());
    for (const type of EVENTS) {
      this.#manager?.addEventListener(type, (/** @type {CustomEvent} */ event) => {
        const {detail, cancelable} = event;
        const copy = new CustomEvent(type, {detail, cancelable, composed: true});
        if (!this.dispatchEvent(copy)) event.preventDefault();
        // The attribute states the section again when another attribute changes.
        if (type === 'section' && this.hasAttribute('section')) this.section = after(this.getAttribute('section'), [detail]);
      }, {signal});
    }
  }

  /** Draws the manager of the host while this element is in the page: that manager must not keep an element that was removed. */
  #show() {
    if (!this.isConnected) return;
    this.#manager?.setElements({badge: this.#badge});
    this.#forward();
  }

  /** Ends with the manager that was used until now. */
  #release() {
    this.#leaveStack();
    this.#forwarding?.abort();
    if (this.#given) this.#manager?.setElements({badge: ''});
    else this.#manager?.stop();
  }

  #enter() {
    if (this.#given) return;
    const section = this.getAttribute('section') ?? this.#selected()?.value ?? null;
    this.#manager?.setSection(section, {activity: this.viewing ? 'viewing' : 'editing'});
  }

  /** The select with the sections, if it is in the page. @returns {HTMLSelectElement | null} */
  #selected() {
    return this.select ? /** @type {ParentNode} */ (this.getRootNode()).querySelector(this.select) : null;
  }

  /** Follows the select with the sections: its first value, unless a section is set, and each choice. @param {AbortSignal} signal */
  #followSelect(signal) {
    this.getRootNode().addEventListener('change', ({target}) => {
      if (target && target === this.#selected()) this.section = /** @type {HTMLSelectElement} */ (target).value;
    }, {signal});
    // The select may come after this element.
    if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', () => this.#selected() && this.#enter(), {signal});
  }
}
