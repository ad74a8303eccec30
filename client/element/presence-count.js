import {prefixOf} from '../frameworks/address.js';
import {adopter, adoptStyle} from '../presence-style.js';
import {normalSection} from '../section.js';
import {statusWords, Words} from '../strings.js';
import {setAttribute, upgradeProperties} from './base.js';
import {Counts, usersIn} from './counts.js';
import {FollowerElement} from './follower.js';
import {sourceOf} from './registry.js';

/**
 * @typedef {import('../writer-presence.js').PresenceManager} PresenceManager
 * @typedef {import('../writer-presence.js').Options} Options
 * @typedef {import('./counts.js').Count} Count
 */

const adoptOwn = adopter(':host{display: inline-block; position: relative; font-variant-numeric: tabular-nums} :host([hidden]){display: none}');

/**
 * How many people are online in some projects, you included; agents are not counted. It asks the server each 30 s while it is visible.
 * Without projects it shows the number of the project of a `<writer-presence>`, which needs no request.
 *
 * There is no number before the first answer, while the server cannot be reached, and where none of the projects is yours. While the server
 * limits the requests, the last number stays for up to a minute.
 *
 * @element presence-count
 *
 * @attr {string} project - the projects, separated by spaces
 * @attr {string} section - only the people in this section
 * @attr {string} url - the server's address if it is on another origin; that of the `<writer-presence>` by default
 * @attr {string} prefix - the path of the API there; that of the `<writer-presence>` by default, or `/writer/api`
 * @attr {string} token - the token; that of the `<writer-presence>` by default
 * @attr {string} for - the id of a `<writer-presence>`; without it, that of the nearest one
 * @attr {number} count - set by the element: the number; not there while it is not known
 *
 * @prop {PresenceManager | undefined} manager - the manager; set it where the page has no `<writer-presence>`
 *
 * @fires {CustomEvent} change - the number is another one: `{count}`, null while it is not known
 *
 * @csspart number - the number
 * @csspart words - the words for screen readers
 */
export class PresenceCount extends FollowerElement {
  #root;
  #number = document.createElement('span');
  #words = document.createElement('span');
  /** @type {Options['token']} */ #token;
  /** @type {() => void} ends what it shows now */ #end = () => {};
  /** @type {unknown[]} what `#end` ends */ #shown = [];
  #visible = false;
  /** @type {IntersectionObserver | undefined} */ #observer;
  /** @type {import('../strings.js').Text} the words for screen readers; `{count}` stands for the number */ #text = {one: '{count} person online', other: '{count} people online'};
  #locale = 'en';

  /** @override */
  static get observedAttributes() {
    return [...super.observedAttributes, 'project', 'section', 'url', 'prefix', 'token'];
  }

  constructor() {
    super();
    this.#root = this.attachShadow({mode: 'open'});
    this.#number.part.add('number');
    this.#number.setAttribute('aria-hidden', 'true');
    this.#words.part.add('words');
    this.#words.classList.add('presence-said');
    this.#root.append(this.#number, this.#words);
  }

  /** @type {string | null} */
  get project() {
    return this.getAttribute('project');
  }

  set project(value) {
    setAttribute(this, 'project', value);
  }

  /** @type {string | null} */
  get section() {
    return this.getAttribute('section');
  }

  set section(value) {
    setAttribute(this, 'section', value);
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

  /** The token, or a function that fetches one. @type {Options['token'] | null} */
  get token() {
    return this.#token ?? this.getAttribute('token');
  }

  set token(value) {
    this.#token = typeof value === 'function' ? value : undefined;
    if (typeof value !== 'function') setAttribute(this, 'token', value);
    super.attributeChangedCallback();
  }

  /** The number; null while it is not known. @type {number | null} */
  get count() {
    const count = this.getAttribute('count');
    return count === null ? null : Number(count);
  }

  /** The words for screen readers, as in `strings` of a manager: `{locale, people}`. @type {{locale?: string, people?: import('../strings.js').Text}} */
  get strings() {
    return {locale: this.#locale, people: this.#text};
  }

  set strings({locale = this.#locale, people = this.#text}) {
    this.#locale = locale;
    this.#text = people;
    this.#words.textContent = '';
    this.#show(this.count);
  }

  /** @override */
  connectedCallback() {
    upgradeProperties(this, ['token', 'strings', 'project', 'section', 'url']);
    adoptStyle(this.#root);
    adoptOwn(this.#root);
    this.#observer = new IntersectionObserver((entries) => {
      this.#visible = !!entries.at(-1)?.isIntersecting;
      this.follow(this.manager);
    });
    this.#observer.observe(this);
    super.connectedCallback();
  }

  /** @override */
  disconnectedCallback() {
    this.#observer?.disconnect();
    this.#visible = false;
    super.disconnectedCallback();
  }

  /** @internal @override @param {PresenceManager | undefined} manager */
  follow(manager) {
    const projects = (this.project ?? '').split(/\s+/).filter(Boolean);
    const source = /** @type {any} */ (this.isConnected ? sourceOf(this) : undefined);
    const {url, prefix: path} = source && this.url === null && this.prefix === null ? source : this;
    const prefix = prefixOf(url, path);
    const token = this.token || source?.token || undefined;
    const asks = projects.length > 0;
    const shown = !this.isConnected ? [] : asks ? [this.#visible, prefix, token, this.section, ...projects] : [manager, this.section];
    if (shown.length === this.#shown.length && shown.every((value, i) => value === this.#shown[i])) return;
    this.#shown = shown;
    this.#end();
    this.#end = () => {};
    if (asks && this.#visible && this.isConnected) this.#end = Counts.of({prefix, token}).subscribe(projects, (counts) => this.#showOf(counts));
    else if (!asks) this.#showManager(this.isConnected ? manager : undefined);
  }

  /** @param {readonly Count[] | null} counts of the projects that are yours */
  #showOf(counts) {
    this.#show(counts?.length ? counts.reduce((sum, count) => sum + usersIn(count, this.section), 0) : null);
  }

  /** @param {PresenceManager | undefined} manager */
  #showManager(manager) {
    const show = () => {
      const {status, version, stale, count, users, you} = /** @type {PresenceManager} */ (manager).getSnapshot();
      const people = [...users, ...(you ? [you] : [])].filter(({agent}) => !agent);
      const here = this.section === null ? count + people.length - users.filter(({agent}) => !agent).length : people.filter(({sections}) => sections.includes(normalSection(this.section))).length;
      this.#show(version && !stale && status !== 'stopped' ? here : null);
    };
    if (!manager) return this.#show(null);
    this.#end = manager.subscribe(show);
    show();
  }

  /** @param {number | null} count */
  #show(count) {
    if (count === this.count && this.#words.textContent) return;
    const words = new Words({locale: this.#locale, badgeLabel: this.#text});
    this.#number.textContent = count === null ? '' : String(count);
    this.#words.textContent = count === null ? statusWords.unknown : words.text('badgeLabel', {count});
    if (count === this.count) return;
    setAttribute(this, 'count', count);
    this.dispatchEvent(new CustomEvent('change', {detail: {count}, composed: true}));
  }
}
