/** The reference page: a small manuscript with presence in each section. */

import {PresenceManager} from '../writer-presence.js';
import {NAMES, currentName, rename, tokenFor} from './identity.js';
import {draft, parts, sections} from './manuscript.js';

const {prefix = '', dev} = document.documentElement.dataset;
const project = new URLSearchParams(location.search).get('project') || 'demo';
const text = draft(project);

/** @template {HTMLElement} [T=HTMLElement] @param {string} id */
const part = (id) => /** @type {T} */ (document.getElementById(id));
const selector = /** @type {HTMLSelectElement} */ (part('texfile-selector'));

/** @param {string} tag @param {Record<string, string>} [attributes] @param {(Node | string)[]} children */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const DECIDED = 20; // keystrokes

/** @type {PresenceManager} */
let presence;
let keystrokes = 0;
/** @type {string | null} the section in which they were counted */
let warned = null;
/** @type {Map<string, HTMLElement>} a sheet for each section, and one for no section */
const sheets = new Map();

layOut();
show(fromAddress());
join(dev === 'true' ? currentName() : '');

addEventListener('hashchange', () => open(fromAddress()));
addEventListener('beforeprint', () => sheets.forEach((sheet, id) => (sheet.hidden = id === '')));
addEventListener('afterprint', () => show(fromAddress()));
selector.addEventListener('change', () => go(selector.value));

/** Starts presence as a user. @param {string} name `''`: the server decides */
function join(name) {
  presence?.stop();
  presence = new PresenceManager(project, null, {
    prefix,
    token: name ? tokenFor(prefix, name) : undefined,
    heartbeat: dev === 'true' ? 5_000 : undefined, // shorter than the default, for trying it out
    elements: {editor: '#sheets section:not([hidden]) textarea'},
    alone: true,
  });
  presence.setSection(fromAddress());
  presence.addEventListener('change', follow);
  presence.start();
  part('who').textContent = name || 'a visitor';
}

/** Shows your name and the status. */
function follow() {
  const {you, text: words, section, status} = presence.getSnapshot();
  if (you) part('who').textContent = you.username;
  part('status').textContent = words;
  part('status').dataset.status = status;
  // `Choose different section` was pressed.
  if (status !== 'stopped' && (section ?? '') !== fromAddress() && sheets.has(section ?? '')) go(section ?? '');
}

/** The section in the address, so that a reload stays in it. */
function fromAddress() {
  return sections.find(({id}) => location.hash === `#${id}`)?.id ?? '';
}

/** @param {string} section */
function go(section) {
  history.pushState(null, '', section ? `#${section}` : location.pathname + location.search);
  open(section);
}

/** @param {string} section */
function open(section) {
  show(section);
  presence.setSection(section);
}

/** @param {string} section */
function show(section) {
  selector.value = section;
  for (const [id, sheet] of sheets) sheet.hidden = id !== section;
  for (const link of part('sections').querySelectorAll('a')) {
    link.toggleAttribute('aria-current', link.dataset.presenceSection === section);
    if (link.hasAttribute('aria-current')) link.setAttribute('aria-current', 'true');
  }
  count(section);
}

/** @param {string} section */
function count(section) {
  const words = text.read(section).match(/\S+/g)?.length ?? 0;
  part('words').textContent = section ? `${words} ${words === 1 ? 'word' : 'words'}.` : '';
}

function layOut() {
  document.title = `${project} · Writer`;
  part('project').textContent = project;
  selector.append(make('option', {value: ''}, 'Choose a section…'));
  sheets.set('', make('section', {class: 'sheet welcome'}, make('h2', {}, 'Where would you like to write?'),
    make('p', {}, 'Choose a section. Beside each one you see who is there already.')));
  for (const {title, sections: own} of parts) {
    selector.append(make('optgroup', {label: title}, ...own.map(({id, label}) => make('option', {value: id}, label))));
    const links = own.map(({id, label}) => make('a', {href: `#${id}`, 'data-presence-section': id}, make('span', {}, label)));
    part('sections').append(make('li', {}, make('span', {class: 'title'}, title), make('ol', {}, ...links.map((link) => make('li', {}, link)))));
    for (const section of own) sheets.set(section.id, sheet(section));
  }
  part('sheets').append(...sheets.values());
  text.watch((section, words) => {
    const area = sheets.get(section)?.querySelector('textarea');
    if (area && area.value !== words) area.value = words;
    count(fromAddress());
  });

  const outline = /** @type {HTMLDetailsElement} */ (part('outline'));
  const wide = matchMedia('(min-width: 56rem)');
  const unfold = () => (outline.open = wide.matches);
  wide.addEventListener('change', unfold);
  unfold();
  document.querySelector('.skip')?.addEventListener('click', (event) => {
    event.preventDefault(); // the address keeps the section
    part('editor').focus();
  });
  if (dev === 'true') offerNames();
}

/** Twenty keystrokes answer the warning. A single one does not, because it may be a slip. */
function typed() {
  const {warning, section} = presence.getSnapshot();
  if (warned !== section) [warned, keystrokes] = [section, 0];
  if (warning.length && ++keystrokes >= DECIDED) presence.editAnyway();
}

/** @param {import('./manuscript.js').Section} section */
function sheet({id, label, hint}) {
  const area = /** @type {HTMLTextAreaElement} */ (make('textarea', {'aria-label': label, placeholder: hint, rows: '12'}));
  area.value = text.read(id);
  area.addEventListener('input', () => {
    text.write(id, area.value);
    count(id);
    typed();
  });
  return make('section', {class: 'sheet', hidden: ''}, make('h2', {}, label), area);
}

/** On a development server: choose another user. */
function offerNames() {
  const change = /** @type {HTMLDetailsElement} */ (part('change'));
  const name = /** @type {HTMLInputElement} */ (part('name'));
  /** @param {string} chosen */
  const become = (chosen) => {
    const address = new URL(location.href);
    address.searchParams.delete('as');
    history.replaceState(null, '', address);
    rename(chosen);
    change.open = false;
    change.querySelector('summary')?.focus();
    join(chosen);
  };
  change.hidden = false;
  part('names').append(...NAMES.map((value) => make('option', {value})));
  part('visitor').addEventListener('click', () => become(''));
  part('identity').addEventListener('submit', (event) => {
    event.preventDefault();
    if (name.value.trim()) become(name.value.trim());
    name.value = '';
  });
  change.addEventListener('keydown', ({key}) => {
    if (key !== 'Escape') return;
    change.open = false;
    change.querySelector('summary')?.focus();
  });
}
