/**
 * What the interface needs to be seen; all of it can be overruled by the custom properties, or by the host's own sheet.
 * The system's colours follow the page's `color-scheme`, so that it is dark where the page is, and forced where colours are.
 * Adopted sheets come last in the cascade: `:where` leaves the properties to the page. Adopted from script, so that a page needs one import, and a Content-Security-Policy without inline styles is kept.
 */
const css = `
:where(:root) {
  --presence-surface: Canvas; --presence-text: CanvasText; --presence-accent: LinkText;
  --presence-muted: color-mix(in srgb, CanvasText 70%, Canvas); --presence-line: color-mix(in srgb, CanvasText 25%, Canvas);
  --presence-warning: color-mix(in srgb, #f5a300 15%, Canvas); --presence-warning-line: #b7791f;
}
.presence-badge, .presence-list, .presence-warning, .presence-warning button {
  border: 1px solid var(--presence-line); border-radius: .5em; background: var(--presence-surface); color: var(--presence-text); font: inherit }
.presence-badge { padding: .2em .6em; border-radius: 1em; white-space: nowrap; cursor: pointer }
.presence-badge:hover, .presence-badge[aria-expanded=true] { border-color: var(--presence-accent) }
.presence-badge:focus-visible, .presence-warning :focus-visible { outline: 2px solid var(--presence-accent); outline-offset: 2px }
.presence-status, .presence-company, .presence-foot, .presence-own, .presence-list [data-idle] { color: var(--presence-muted) }
.presence-status { margin-inline-start: .6em; font-size: .875em }
.presence-status[data-status=connecting] { animation: presence-late 0s 1.5s backwards }
@keyframes presence-late { from { visibility: hidden } }
.presence-list { position: fixed; inset: auto; z-index: 1000; margin: 0; padding: .75em 1em; overflow: auto; text-align: start;
  max-width: min(22em, 100vw - 3.5em); max-height: min(26em, 100vh - 3.5em); box-shadow: 0 8px 28px rgb(0 0 0 / .2) }
.presence-list p { margin: 0; font-weight: 600 }
.presence-list ul { margin: .4em 0; padding: 0; list-style: none }
.presence-list li { position: relative; padding: .2em 0; overflow-wrap: anywhere }
.presence-list [data-initials] { padding-inline-start: 2.5em }
.presence-list [data-initials]::before { position: absolute; inset-inline-start: 0; top: .4em; width: 2em;
  content: attr(data-initials); content: attr(data-initials) / "" }
.presence-list[data-stale] ul { font-style: italic }
.presence-foot { padding-top: .5em; border-top: 1px solid var(--presence-line); font-size: .875em }
.presence-avatar, .presence-list [data-initials]::before { padding: 0 .3em; border: 1px solid #555; border-radius: 1em; overflow: hidden;
  background: var(--presence-color, #ccc); color: #000; font: 600 .75rem/1.7 system-ui, sans-serif; text-align: center; white-space: nowrap }
.presence-avatar[data-idle], .presence-list [data-idle]::before { border-style: dashed; background: color-mix(in srgb, var(--presence-color, #ccc) 30%, #fff) }
.presence-occupants { display: inline-flex; gap: .2em; margin-inline-start: .5em; vertical-align: middle }
.presence-warning { display: flex; flex-wrap: wrap; gap: .5em .75em; align-items: center; margin: .75em 0; padding: .6em .9em; background: var(--presence-warning) }
.presence-warning, .presence-warning button { border-color: var(--presence-warning-line) }
.presence-warning p { flex: 1 1 14em; margin: 0; overflow-wrap: anywhere }
.presence-warning button { padding: .35em .8em; cursor: pointer }
.presence-warning[hidden] { display: none }
.presence-company { margin: .75em 0; overflow-wrap: anywhere }
.presence-said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
@media (forced-colors: active) {
  .presence-avatar, .presence-list [data-initials]::before { background: Canvas; color: CanvasText }
}`;

/** Once per document, however many managers there are. @param {Document} document */
export function adoptStyle(document) {
  if (adopted.has(document) || !document.adoptedStyleSheets) return;
  adopted.add(document);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets.push(sheet);
}

/** @type {WeakSet<Document>} */
const adopted = new WeakSet();
