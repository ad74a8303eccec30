/**
 * Which elements are in the page, and which `<writer-presence>` each of the others belongs to: the one that its attribute `for` names, or the
 * nearest one. Changes are applied together at the end of the turn, so that a move or a swap of the page changes nothing for the
 * manager.
 *
 * @typedef {import('../writer-presence.js').PresenceManager} PresenceManager
 * @typedef {import('../presence-view.js').Elements} Elements
 * @typedef {HTMLElement & {readonly manager: PresenceManager | undefined}} Source a `<writer-presence>`
 * @typedef {HTMLElement & {readonly manager: PresenceManager | undefined, follow(manager: PresenceManager | undefined): void}} Follower
 */

/** @type {Set<Source>} */ const sources = new Set();
/** @type {Set<Follower>} */ const followers = new Set();
/** @type {Map<PresenceManager, Record<string, unknown>>} where managers are to draw at the end of the turn */ const placed = new Map();
let due = false;

/** The sources and followers may have changed. */
export function refresh() {
  if (due) return;
  due = true;
  queueMicrotask(() => {
    due = false;
    for (const follower of followers) {
      if (!follower.isConnected) followers.delete(follower);
      follower.follow(follower.isConnected ? follower.manager : undefined);
    }
    for (const [manager, elements] of placed) manager.setElements(/** @type {Elements} */ (elements));
    placed.clear();
  });
}

/** @param {Source} source */
export function addSource(source) {
  sources.add(source);
  refresh();
}

/** @param {Source} source */
export function removeSource(source) {
  sources.delete(source);
  refresh();
}

/** Calls `follow()` at the end of the turn, and whenever the manager may be another one, until the element is disconnected. @param {Follower} follower */
export function addFollower(follower) {
  followers.add(follower);
  refresh();
}

/** Draws with these elements at the end of the turn. @param {PresenceManager} manager @param {Record<string, unknown>} elements as in `setElements()` */
export function place(manager, elements) {
  placed.set(manager, {...placed.get(manager), ...elements});
  refresh();
}

/** The nodes from an element to its document, out of shadow roots. @param {Node} element */
function pathOf(element) {
  const path = [];
  for (let node = /** @type {any} */ (element); node; node = node.parentNode ?? node.host) path.push(node);
  return path;
}

/** The `<writer-presence>` of an element, if it is in the page. @param {HTMLElement} element */
export function sourceOf(element) {
  const id = element.getAttribute('for');
  if (id) {
    const root = /** @type {Partial<Document>} */ (element.getRootNode());
    const named = root.getElementById?.(id) ?? document.getElementById(id);
    return [...sources].find((source) => source === named);
  }
  const path = pathOf(element);
  const distance = (/** @type {Source} */ source) => path.indexOf(pathOf(source).find((node) => path.includes(node)));
  /** @type {Source | undefined} */ let nearest;
  for (const source of sources) {
    const nearer = nearest ? distance(source) - distance(nearest) : -1;
    const before = nearest && nearest.compareDocumentPosition(source) & Node.DOCUMENT_POSITION_PRECEDING;
    if (nearer < 0 || (nearer === 0 && before)) nearest = source;
  }
  return nearest;
}
