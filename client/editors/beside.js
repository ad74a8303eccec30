/**
 * What the bindings draw beside the headings of an editor: the users in each section, and the warning about your section.
 *
 * Users: beside each heading with users the binding shows an element of `mark()`. The manager's own interface fills it, as every element with
 * `data-presence-section`, so the looks and words are those of the page. The binding is asked for other elements only when the headings that
 * have users change, and never within an update of the editor or of the manager.
 *
 * Warning: an element without a size outside the text, which says that it is where the heading is. So nothing in the text moves, and the
 * slot of the manager follows when the text is scrolled.
 *
 * @typedef {import('../presence-caret.js').Box} Box
 * @typedef {{section: string}} Heading
 * @typedef {Pick<import('../presence-core.js').PresenceCore, 'getSnapshot' | 'subscribe'>
 *   & Partial<Pick<import('../writer-presence.js').PresenceManager, 'setElements' | 'updateUI'>>} Manager without an interface nothing is drawn
 */

import {make} from '../element.js';
import {giveName, takeName} from '../element/names.js';
import {MARGIN} from '../presence-overlay.js';
import {normalSection} from '../section.js';

const GAP = 8; // pixels between a heading and the warning
const SLOT_GAP = 4; // pixels that the slot keeps from its anchor

/**
 * The drawing whose heading has the warning of a manager, and where the host had the warning before the first drawing took it.
 * @type {WeakMap<object, {holder: Beside, host: import('../presence-view.js').Elements}>}
 */
const holders = new WeakMap();

export class Beside {
  #manager;
  #options;
  #unsubscribe;
  #place = make('div', 'presence-heading');
  /** of the place, for the marks in a shadow root */ #name;
  /** by section @type {Map<string, HTMLElement>} */ #marks = new Map();
  /** the sections of the headings with users that are drawn @type {readonly string[]} */ #drawn = [];
  /** users or headings have changed */ #outdated = false;
  /** there are elements that the manager has not filled yet */ #fresh = false;
  /** @type {readonly import('../presence-types.js').User[] | undefined} the other users when it was drawn */ #users;
  #claims = true;
  /** @type {number | undefined} the frame that draws */ #frame;
  #destroyed = false;

  /**
   * @param {Manager} manager
   * @param {object} options
   * @param {() => HTMLElement | null} options.outside the element around the editor: the warning is added to it
   * @param {HTMLElement | undefined} [options.focus] gets the focus after `Edit anyway`
   * @param {() => Iterable<Heading>} options.headings in the order of the text
   * @param {(section: string) => Box | null | undefined} options.boxOf the end of a section's heading in the window
   * @param {(sections: readonly string[]) => void} options.draw shows `mark(section)` beside the headings of these sections and of no others
   * @param {() => void} [options.position] positions the elements in an editor that does not do it by itself; called in the frames in which headings may have moved
   * @param {boolean} [options.warning] false: the warning stays where the page has it
   */
  constructor(manager, options) {
    this.#manager = manager;
    this.#options = options;
    this.#name = takeName(manager, 'editor');
    this.#unsubscribe = manager.subscribe(() => manager.getSnapshot().users !== this.#users && this.update());
    this.#place.getBoundingClientRect = () => this.#boxOfPlace();
    this.update();
  }

  /** Draws in the next frame. To be called when headings were added, removed or renamed. */
  update() {
    this.#outdated = true;
    this.moved();
  }

  /** Positions in the next frame what is drawn. To be called when the text has moved without an event that the page sees. */
  moved() {
    if (!this.#destroyed) this.#frame ??= requestAnimationFrame(() => this.#update());
  }

  /** Shows the warning beside the headings of this editor, because the person is in it. */
  claim() {
    if (this.#place.isConnected && (this.#options.warning === false || holders.get(this.#manager)?.holder === this)) return;
    this.#claims = true;
    this.moved();
  }

  /** The element that shows the users of a section. The same one until the section has no users. @param {string} section */
  mark(section) {
    let mark = this.#marks.get(section);
    if (!mark) {
      mark = make('span', 'presence-mark');
      mark.contentEditable = 'false';
      mark.dataset.presenceSection = section;
      this.#marks.set(section, mark);
      this.#fresh = true;
      this.moved();
    }
    return mark;
  }

  /** Ends all listeners, and gives the warning back. The binding removes the marks. Safe to call twice. */
  destroy() {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#unsubscribe();
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    const held = holders.get(this.#manager);
    const holds = held?.holder === this;
    if (holds) holders.delete(this.#manager);
    giveName(this.#manager, this.#name);
    this.#manager.setElements?.({...(holds && held.host), [this.#name]: ''});
    this.#place.remove();
  }

  #update() {
    this.#frame = undefined;
    if (this.#outdated) this.#drawMarks();
    if (this.#claims) this.#showPlace();
    if (this.#fresh) this.#manager.updateUI?.();
    this.#fresh = false;
    if (this.#drawn.length) this.#options.position?.();
    // The manager's slot follows all events of this type.
    if (this.#place.firstChild) this.#place.dispatchEvent(new Event('scroll'));
  }

  #drawMarks() {
    this.#outdated = false;
    this.#users = this.#manager.getSnapshot().users;
    const occupied = new Set(this.#users.flatMap(({sections}) => sections));
    const sections = occupied.size ? [...this.#options.headings()].map(({section}) => section).filter((section) => occupied.has(section)) : [];
    if (sections.length === this.#drawn.length && sections.every((section, i) => section === this.#drawn[i])) return;
    this.#drawn = sections;
    this.#options.draw(sections);
    const still = new Set(sections);
    for (const section of this.#marks.keys()) if (!still.has(section)) this.#marks.delete(section);
  }

  /** Adds the place to the page, and has the manager draw there. */
  #showPlace() {
    const {outside, focus, warning = true} = this.#options;
    const around = outside();
    if (!around) return; // not in the page yet
    this.#claims = false;
    around.append(this.#place);
    const {warning: place, editor} = this.#manager.setElements?.({[this.#name]: this.#place, ...(warning && {warning: this.#place, editor: focus ?? ''})}) ?? {};
    if (warning) holders.set(this.#manager, {holder: this, host: holders.get(this.#manager)?.host ?? {warning: place, editor}});
  }

  /**
   * Where the warning is: at the end of your section's heading, or above the heading, if the window is too narrow; so it covers nothing of
   * your section. Inside the editor, if the heading is out of sight.
   */
  #boxOfPlace() {
    const section = normalSection(this.#manager.getSnapshot().section);
    const editor = /** @type {HTMLElement} */ (this.#options.outside() ?? document.body).getBoundingClientRect();
    const heading = this.#options.boxOf(section) ?? {left: editor.left, right: editor.left, top: editor.top, bottom: editor.top};
    const mark = this.#marks.get(section)?.getBoundingClientRect();
    const end = mark?.width ? mark : heading;
    const {width = 0, height = 0} = this.#place.firstElementChild?.getBoundingClientRect() ?? {};
    const rtl = getComputedStyle(this.#place).direction === 'rtl';
    const x = rtl ? end.left - GAP : end.right + GAP;
    const fits = rtl ? x - width >= MARGIN : x + width <= document.documentElement.clientWidth - MARGIN;
    const bottom = Math.max(editor.top, Math.min(fits ? heading.bottom : heading.top, editor.bottom));
    return new DOMRect(x, (bottom >= height ? bottom - height : heading.top) - SLOT_GAP, 0, 0);
  }
}
