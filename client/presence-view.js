/**
 * The interface of a `PresenceCore`: badge with list, markers beside sections, warning, notice, one live region. Each snapshot is
 * drawn completely, and the host's elements are looked up each time, because the host may replace them.
 *
 * @typedef {import('./presence-types.js').Snapshot} Snapshot
 * @typedef {import('./presence-types.js').User} User
 *
 * @typedef {object} Elements each an element or a selector; what is not there is not drawn
 * @property {HTMLElement | string} [badge] `#presence-badge`
 * @property {HTMLElement | string} [selector] the select with the sections, `#texfile-selector`
 * @property {HTMLElement | string} [warning] the container of the warning, `#presence-warning`; without it, the warning follows the badge's parent
 * @property {HTMLElement | string} [editor] gets the focus after `Edit anyway`; without it, the select
 */

import {make} from './element.js';
import {Announcer} from './presence-announcer.js';
import {PresenceBadge} from './presence-badge.js';
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
 * @property {Partial<import('./strings.js').Strings>} [strings] replaces words of the interface
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
  #markers;
  #warning;
  #announcer;
  /** @type {(section: string) => string} */ #label;
  /** @type {PresenceBadge | undefined} */ #badge;
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
    this.#markers = new PresenceMarkers(this.#words, () => this.#find('selector'));
    this.#label = label ?? ((section) => this.#markers.label(section));
    this.#warning = new PresenceWarning(this.#words, (parts) => this.#placeWarning(parts), {
      editAnyway: () => this.#answer('editor', () => core.editAnyway()),
      chooseDifferent: () => this.#answer('selector', () => this.#returnToSection()),
      tellMe: () => {
        const {waitingFor, section} = core.getSnapshot();
        core.waitFor(waitingFor === section ? null : section);
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
    core.addEventListener('conflict', (event) => {
      const {users, editing} = /** @type {CustomEvent} */ (event).detail;
      if (editing) this.#newcomers = users;
    });
    core.addEventListener('free', (event) => {
      const {section} = /** @type {CustomEvent} */ (event).detail;
      this.#free = {section, here: section === core.currentSection};
    });
  }

  /** @param {Snapshot} snapshot */
  render(snapshot) {
    adoptStyle();
    this.#renderBadge(snapshot);
    this.#markers.render(snapshot.users);
    const {warning, section, waitingFor} = snapshot;
    this.#warning.render(warning, this.#warningKey(snapshot), waitingFor === section);
    const notices = this.#notices(snapshot);
    this.#renderNotices(notices);
    // Screen readers announce a live region only if it existed before its text changed.
    if (!this.#liveRegion.isConnected) document.body.append(this.#liveRegion);
    if (snapshot.version) this.#announcer.update(this.#facts(snapshot, notices));
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

  /** @param {keyof Elements} which @returns {HTMLElement | null} */
  #find(which) {
    const place = this.#elements[which];
    return (place && typeof place === 'string' ? document.querySelector(place) : /** @type {HTMLElement | ''} */ (place)) || null;
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
   * any more, and the section that was free until somebody claimed it or you entered or left it.
   * @param {Snapshot} snapshot @returns {Record<Notice, Sentence>}
   */
  #notices(snapshot) {
    const {conflicts, activity, unsaved, users, section, waitingFor, newer, waiting} = snapshot;
    if ((activity !== 'editing' && !unsaved) || missing(this.#newcomers, conflicts).length) this.#newcomers = [];
    const free = this.#free;
    if (free && (waitingFor || (section === free.section) !== free.here || users.some((user) => claims(user, free.section)))) this.#free = null;
    return {
      newer: newer ? [newer.own ? 'ownNewer' : 'newer', newer.own ? null : [newer.user], {time: this.#words.time(newer.saved_at)}] : NOTHING,
      company: [this.#newcomers.some((user) => edits(user, section)) ? 'company' : 'unsavedCompany', this.#newcomers],
      waiting: ['waiting', areOld(waiting, snapshot) ? [] : waiting],
      free: this.#free ? ['free', null, {section: this.#label(this.#free.section)}] : NOTHING,
    };
  }

  /** @param {Record<Notice, Sentence>} notices */
  #renderNotices(notices) {
    const brief = {newer: false, company: true, waiting: false, free: !!this.#free?.here};
    for (const name of NOTICES) this.#warning.notify(name, notices[name], brief[name]);
  }

  /** @param {HTMLElement[]} parts */
  #placeWarning(parts) {
    const place = this.#find('warning');
    const badge = this.#find('badge');
    if (place) place.append(...parts);
    else if (badge && badge.parentElement !== document.body) badge.parentElement?.after(...parts);
    else (badge ?? document.body.firstElementChild)?.after(...parts);
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
