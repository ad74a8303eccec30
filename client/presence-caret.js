/** Where in the window a person writes, so that nothing is drawn over it. */

/** @typedef {{left: number, top: number, right: number, bottom: number}} Box in pixels of the window */

const MAX_MEASURED = 20_000; // characters; the layout of a longer text takes too long

/** The properties that decide how the text of a field is broken into lines. */
const TEXT_STYLES = /** @type {const} */ ([
  'boxSizing', 'width', 'borderTopWidth', 'borderRightWidth', 'borderBottomWidth', 'borderLeftWidth', 'borderStyle', 'paddingTop', 'paddingRight', 'paddingBottom', 'paddingLeft',
  'font', 'letterSpacing', 'wordSpacing', 'lineHeight', 'tabSize', 'textIndent', 'textTransform', 'direction', 'overflowWrap', 'wordBreak', 'whiteSpaceCollapse',
]);

/** The caret in the page, its shadow roots and its frames of the same origin; the whole field or frame where the caret cannot be found; null without a field that has the focus. @param {Document} page @returns {Box | null} */
export function caretBox(page) {
  const element = focused(page);
  if (!element || element === page.body) return null;
  const box = boxOf(element);
  if (element.localName === 'iframe') {
    let inner;
    try {
      inner = /** @type {HTMLIFrameElement} */ (element).contentDocument;
    } catch {} // another origin
    const caret = inner && caretBox(inner);
    return caret ? moved(caret, box.left + element.clientLeft, box.top + element.clientTop) : box;
  }
  if (element.localName === 'textarea') return caretOfTextarea(/** @type {HTMLTextAreaElement} */ (element), box);
  if (/** @type {HTMLElement} */ (element).isContentEditable || page.designMode === 'on') return caretOfSelection(page) ?? box;
  return element.localName === 'input' || /** @type {any} */ (element).editContext ? box : null; // Monaco writes by an EditContext
}

/** @param {Document} page */
function focused(page) {
  let element = page.activeElement;
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  return element;
}

/** @param {Element | Range} place @returns {Box} */
function boxOf(place) {
  const {left, top, right, bottom} = place.getBoundingClientRect();
  return {left, top, right, bottom};
}

/** @param {Box} box @param {number} x @param {number} y @returns {Box} */
const moved = ({left, top, right, bottom}, x, y) => ({left: left + x, top: top + y, right: right + x, bottom: bottom + y});

/** @param {Document} page @returns {Box | undefined} */
function caretOfSelection(page) {
  const selection = page.getSelection();
  if (!selection?.rangeCount) return;
  const range = selection.getRangeAt(0);
  const box = boxOf(range);
  if (box.bottom) return box;
  // A caret in an empty line has no box of its own.
  const node = range.startContainer;
  const near = /** @type {any} */ (node.nodeType === 3 ? node.parentNode : node.childNodes[range.startOffset] ?? node);
  return near.getBoundingClientRect && boxOf(near);
}

/** Measured in a copy that is laid out like the field. @param {HTMLTextAreaElement} field @param {Box} box @returns {Box} */
function caretOfTextarea(field, box) {
  const text = field.value.slice(0, field.selectionEnd);
  if (text.length > MAX_MEASURED) return box;
  const page = field.ownerDocument;
  const copy = page.createElement('div');
  const styles = getComputedStyle(field);
  for (const name of TEXT_STYLES) copy.style[/** @type {any} */ (name)] = styles[/** @type {any} */ (name)];
  Object.assign(copy.style, {position: 'absolute', visibility: 'hidden', inset: '0 auto auto 0', whiteSpace: 'pre-wrap', overflowWrap: 'break-word'});
  const mark = page.createElement('span');
  mark.textContent = '\u200b';
  copy.append(text, mark);
  page.body.append(copy);
  const {offsetTop, offsetHeight} = mark;
  copy.remove();
  const top = box.top + offsetTop - field.scrollTop;
  return {...box, top, bottom: top + offsetHeight};
}
