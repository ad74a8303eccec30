/**
 * What all editor bindings do: they report where the person reads and writes in a text with several sections.
 *
 * The section where the caret rests is viewed, which never warns (rule 22). The section whose text the person changes is edited and has
 * unsaved changes until `saved()`. Reports wait until the editor has ended its own update, and there is at most one in 500 ms: the last
 * one counts. While the manager is stopped nothing is reported, and no timer runs; what is due is reported after its next start.
 *
 * The text does not change when the host moves a section to another path (rule 23). So everything here has the sections by the text, and
 * the manager gets them as they have moved since this object was made.
 *
 * A binding calls `moved()`, `changed()` and `shifted()`, and `destroy()` when its editor ends. `Place` is whatever the binding's `sectionAt` takes: an
 * offset, a position, a node. It is read when a report is due, so all calls are cheap enough for each key. A place that is no number stays right
 * while the text changes: it is read also when the text changes at another place before the report.
 *
 * @typedef {Pick<import('../presence-core.js').PresenceCore, 'running' | 'currentSection' | 'subscribe' | 'setSection' | 'setUnsaved'
 *   | 'saved' | 'addEventListener' | 'removeEventListener'>} Manager a `PresenceManager` or `PresenceCore`
 */

import {need} from '../presence-check.js';
import {time} from '../presence-clock.js';
import {Timer} from '../presence-timer.js';
import {after} from '../section.js';

export const INTERVAL = 500; // milliseconds between two reports, and how long a caret rests before its section is reported
const MAX_UNSAVED = 100; // sections with unsaved changes that are known

/** @typedef {{from: string, to: string}} Renamed */

/** The managers whose section a binding sets now: the others of the manager do not move their carets there. @type {WeakSet<Manager>} */
const reporting = new WeakSet();

/** The binding that has set a manager's section last. @type {WeakMap<Manager, Editing<any>>} */
const latest = new WeakMap();

/** @template Place */
export class Editing {
  #manager;
  #sectionAt;
  #goTo;
  #settle;
  #environment;
  #timer;
  /** @type {AbortController | undefined} ends the listeners; undefined after destroy() */ #listeners = new AbortController();
  /** @type {{at: Place, isShifted?: boolean} | undefined} where the caret was last, unless that was reported; `isShifted`: not by the person */ #caret;
  /** @type {{at: Place} | undefined} where the text was last changed, unless that was reported */ #change;
  /** the manager was stopped when it changed last */ #paused;
  /** when the last report was made */ #reportedAt = -INTERVAL;
  /** @type {string | null} the section of the last report */ #section;
  /** @type {'editing' | 'viewing' | ''} the activity of the last report; `''`: somebody else has set the section since */ #activity = '';
  /** sections with other names, which are not reported yet @type {readonly Renamed[]} */ #renamed = [];
  /** moves of sections since the start @type {readonly {from: string, to: string}[]} */ #moves = [];
  /** sections with unsaved changes, the one changed last at the end @type {Set<string>} */ #unsaved = new Set();

  /**
   * @param {Manager} manager
   * @param {object} options
   * @param {(place: Place) => string | null | undefined} options.sectionAt the section of a place in the text; nothing for none
   * @param {(section: string, focus: boolean) => boolean} [options.goTo] moves the caret to a section; false: it is not in this text. `focus`:
   *   the person goes there by the list or by `Go back to …`, so the editor gets the focus; otherwise the host has set another section
   * @param {(caret: Place) => readonly Renamed[]} [options.settle] called before each report: gives renamed headings the
   *   sections by their text, except the heading at the caret, and returns which sections are other ones now; see `Outline.settle`
   * @param {import('../presence-types.js').Environment} [options.environment] for tests
   */
  constructor(manager, {sectionAt, goTo, settle, environment = globalThis}) {
    need(typeof manager?.subscribe === 'function', 'the manager of an editor is a PresenceManager or a PresenceCore');
    this.#manager = manager;
    this.#sectionAt = sectionAt;
    this.#settle = settle;
    this.#goTo = goTo;
    this.#environment = environment;
    this.#timer = new Timer(environment);
    this.#section = manager.currentSection;
    this.#paused = !manager.running;
    const {signal} = /** @type {AbortController} */ (this.#listeners);
    manager.addEventListener('change', this.#onChange, {signal});
    manager.addEventListener('navigate', this.#onNavigate, {signal});
    manager.addEventListener('section', ({detail}) => (this.#moves = [...this.#moves, detail]), {signal});
  }

  /** The person moved the caret to a place. @param {Place} at */
  moved(at) {
    this.#caret = {at};
    if (!this.#change) this.#schedule(INTERVAL);
  }

  /**
   * The caret is at a place, because others or the host changed the text. That is reported only if it is another section, and not if no report was made
   * yet or the host has set a section since. Steady changes do not put off what the person's own move has scheduled. @param {Place} at
   */
  shifted(at) {
    if (this.#caret) this.#caret.at = at;
    else if (this.#activity) {
      this.#caret = {at, isShifted: true};
      this.#schedule(INTERVAL);
    }
  }

  /** The person changed the text at a place. Not to be called for changes by others or by the host. @param {Place} at */
  changed(at) {
    this.#caret = {at};
    if (!this.#change) this.#schedule(this.#reportedAt + INTERVAL - time(this.#environment));
    else if (this.#change.at !== at && typeof at !== 'number') this.#note(this.#change.at);
    this.#change = {at};
  }

  /**
   * The host has saved the whole text as it is now. Without a revision, the changes are no longer unsaved, and others see no save. What is unsaved in
   * another editor of the manager stays so.
   * @param {string | number} [revision] as in `presence.saved()`
   */
  saved(revision) {
    if (!this.#listeners) return;
    if (this.#change) this.#note(this.#change.at);
    this.#change = undefined;
    this.#rename();
    const {current} = this;
    const other = latest.get(this.#manager);
    // Two fields may be in one section.
    const isOthers = other && other !== this && other.#activity && current && (other.#unsaved.has(current) || !this.#unsaved.has(current));
    const sections = this.#unsaved.size ? [...this.#unsaved] : current && !isOthers ? [current] : [];
    this.#unsaved.clear();
    if (revision !== undefined) for (const section of sections) this.#manager.saved({section: after(section, this.#moves), revision});
    if (!isOthers) this.#manager.setUnsaved(false);
  }

  /** The editor has another text. Reports begin as for a new binding, and nothing in it is unsaved. */
  reset() {
    const isOwn = latest.get(this.#manager) === this && this.#activity;
    this.#timer.clear();
    this.#unsaved.clear();
    this.#caret = this.#change = undefined;
    this.#renamed = [];
    this.#moves = [];
    this.#section = this.#manager.currentSection;
    this.#activity = '';
    if (isOwn) this.#manager.setUnsaved(false);
  }

  /** Ends timers and listeners. What is not reported yet is not reported any more. Safe to call twice. */
  destroy() {
    this.#timer.clear();
    this.#listeners?.abort();
    this.#listeners = this.#caret = this.#change = undefined;
  }

  /** Sections have other names, which the next report follows. @param {readonly Renamed[]} renamed */
  renamed(renamed) {
    if (!renamed.length) return;
    const names = new Map(renamed.map(({from, to}) => [from, to]));
    const earlier = new Set(this.#renamed.map(({to}) => to));
    this.#renamed = [...this.#renamed.map(({from, to}) => ({from, to: names.get(to) ?? to})), ...renamed.filter(({from}) => !earlier.has(from))];
    if (!this.#caret && this.#activity) this.#schedule(INTERVAL);
  }

  /** The section of the manager, by the text. */
  get current() {
    return this.#byText(this.#manager.currentSection);
  }

  /** @template {string | null} T @param {T} section as it has moved @returns {T | string} as it was by the text */
  #byText(section) {
    return after(section, this.#moves.map(({from, to}) => ({from: to, to: from})).reverse());
  }

  /** @param {number} delay */
  #schedule(delay) {
    if (this.#listeners && this.#manager.running) this.#timer.set(() => this.#report(), delay);
  }

  /** Notes that a section has unsaved changes. @param {Place} at @returns {string | null} the section */
  #note(at) {
    const section = this.#sectionAt(at) || null;
    if (section) {
      this.#unsaved.delete(section);
      this.#unsaved.add(section);
      const [oldest] = this.#unsaved;
      if (this.#unsaved.size > MAX_UNSAVED) this.#unsaved.delete(oldest);
    }
    return section;
  }

  #report() {
    const caret = this.#caret;
    const change = this.#change;
    if (!this.#listeners) return;
    if (caret) this.renamed(this.#settle?.(caret.at) ?? []);
    this.#rename();
    this.#caret = this.#change = undefined;
    if (!caret) return;
    const changed = change && this.#note(change.at);
    const section = caret.at === change?.at ? /** @type {string | null} */ (changed) : this.#sectionAt(caret.at) || null;
    if (caret.isShifted && section === this.#section) return;
    const unsaved = section !== null && this.#unsaved.has(section);
    const stays = section === this.#section && this.#activity === 'editing' && unsaved;
    const activity = stays || (change && changed === section) ? 'editing' : 'viewing';
    if (section !== this.#section || activity !== this.#activity || change) this.#set(section, activity);
  }

  /** Follows sections that are other ones now. */
  #rename() {
    if (!this.#renamed.length) return;
    const names = new Map(this.#renamed.map(({from, to}) => [from, to]));
    this.#renamed = [];
    this.#unsaved = new Set([...this.#unsaved].map((section) => names.get(section) ?? section));
    const own = names.get(this.#section ?? '');
    if (own !== undefined && this.#activity) this.#set(own, this.#activity);
  }

  /** @param {string | null} section @param {'editing' | 'viewing'} activity */
  #set(section, activity) {
    this.#reportedAt = time(this.#environment);
    this.#section = section;
    this.#activity = activity;
    latest.set(this.#manager, this);
    reporting.add(this.#manager);
    this.#manager.setSection(after(section, this.#moves), {activity});
    reporting.delete(this.#manager);
    if (section !== null && this.#unsaved.has(section)) this.#manager.setUnsaved(true);
  }

  /** Follows a start or stop of the manager, and another section that the host or a button of the interface has set. */
  #onChange = () => {
    const {running} = this.#manager;
    const section = this.current;
    if (!running) this.#timer.clear();
    else if (this.#paused && (this.#caret || this.#renamed.length)) this.#schedule(this.#change ? 0 : INTERVAL);
    this.#paused = !running;
    if (section === this.#section) return;
    if (this.#change) this.#note(this.#change.at);
    this.#section = section;
    this.#activity = '';
    this.#caret = this.#change = undefined;
    this.#timer.clear();
    if (!section || reporting.has(this.#manager)) return;
    // Later, because the host may have set it within an update of the editor.
    const focus = isAnswering();
    queueMicrotask(() => this.#follow(section, focus));
  };

  /** Moves the caret to the section that somebody else has set. There it rests, and does not edit. @param {string} section @param {boolean} focus */
  #follow(section, focus) {
    if (this.#listeners && this.current === section && this.#goTo?.(section, focus)) this.#set(section, 'viewing');
  }

  /** @param {CustomEvent<import('../presence-types.js').PresenceEvents['navigate']>} event */
  #onNavigate = (event) => {
    if (!event.defaultPrevented && this.#goTo?.(this.#byText(event.detail.section), true)) event.preventDefault();
  };
}

/** Whether the focus is on a button of the warning: the section changes because the person pressed `Go back to …`. */
function isAnswering() {
  let focused = globalThis.document?.activeElement;
  while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
  return !!focused?.closest('.presence-slot');
}
