/**
 * The styles of the interface. The custom properties, or the host's own style sheet, can override all of them. System colours follow
 * the page's `color-scheme`, so dark mode and forced colours work.
 * Adopted from script, so that a page needs one import, and a Content-Security-Policy without inline styles is kept.
 */
const css = `
.presence-badge, .presence-list, .presence-warning, .presence-warning button, .presence-company button{
  border: 1px solid var(--presence-line, color-mix(in srgb, CanvasText 25%, Canvas)); border-radius: .5em; background: var(--presence-surface, Canvas); color: var(--presence-text, CanvasText); font: inherit; overflow-wrap: anywhere}
.presence-badge{padding: .2em .6em; border-radius: 1em; white-space: nowrap; cursor: pointer}
.presence-badge[aria-expanded=true]{border-color: var(--presence-accent, LinkText)}
.presence-badge:focus-visible, .presence-warning :focus-visible, .presence-company :focus-visible{outline: 2px solid var(--presence-accent, LinkText)}
.presence-status, .presence-company, .presence-foot, .presence-own, .presence-list [data-idle]{color: var(--presence-muted, color-mix(in srgb, CanvasText 70%, Canvas))}
.presence-status, .presence-foot{font-size: .875em}
.presence-status{margin-inline-start: .6em}
.presence-status[data-status=connecting]{animation: presence-late 0s 1.5s backwards}
@keyframes presence-late{from{visibility: hidden}}
.presence-list{position: fixed; inset: auto; z-index: 1000; margin: 0; padding: .75em 1em; overflow: auto; text-align: start;
  max-width: min(22em, 100vw - 3.5em); max-height: min(22em, 100vh - 3.5em); box-shadow: 0 .5em 2em #0003}
.presence-list p{margin: 0; font-weight: 600}
.presence-list ul{margin: .4em 0; padding: 0; list-style: none}
.presence-list li{position: relative; padding-block: .2em; padding-inline-start: 2.5em}
.presence-list [data-initials]::before{position: absolute; inset-inline-start: 0; top: .4em; width: 2em;
  content: attr(data-initials); content: attr(data-initials) / ""}
.presence-foot{padding-top: .5em; border-top: 1px solid var(--presence-line, color-mix(in srgb, CanvasText 25%, Canvas))}
.presence-avatar, .presence-list [data-initials]::before{padding: 0 .3em; border: 1px solid #555; border-radius: 1em; overflow: hidden;
  background: var(--presence-color, #ccc); color: #000; font: 600 .75rem/1.7 system-ui; text-align: center; white-space: nowrap}
.presence-avatar[data-idle], .presence-list [data-idle]::before{border-style: dashed; background: color-mix(in srgb, var(--presence-color, #ccc) 30%, #fff)}
.presence-avatar[data-unsaved]::after{content: " •"; content: " •" / ""}
.presence-avatar{position: relative}
.presence-avatar img{position: absolute; inset: 0; width: 100%; height: 100%; object-fit: cover}
.presence-list img{position: absolute; inset-inline-start: 0; top: .4em; width: calc(2.6em + 2px); height: calc(1.7em + 2px); border-radius: 1em; font-size: .75rem; object-fit: cover}
[data-idle] > img{opacity: .5}
.presence-occupants{display: inline-flex; gap: .2em; margin-inline-start: .5em; vertical-align: middle}
.presence-warning{display: flex; flex-wrap: wrap; gap: .5em .75em; align-items: center; padding: .6em .9em; background: var(--presence-warning, color-mix(in srgb, #f5a300 15%, Canvas))}
.presence-warning, .presence-company{margin: .75em 0; overflow-wrap: anywhere}
.presence-warning, .presence-warning button{border-color: var(--presence-warning-line, #b7791f)}
.presence-warning p{flex: 1 1 14em; margin: 0}
.presence-warning button, .presence-company button{padding: .3em .9em; cursor: pointer}
.presence-company button{margin-inline-start: .75em}
.presence-warning [aria-pressed=true]{border-style: dashed; font-weight: 600}
.presence-warning[hidden]{display: none}
.presence-said{position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%)}`;

/** @type {WeakMap<Node, CSSStyleSheet>} a document adopts only sheets that its own window made */
const sheets = new WeakMap();

/** Adds the style sheet to a document or shadow root, unless it is there. @param {any} root */
export function adoptStyle(root) {
  const page = root.ownerDocument ?? root;
  if (!root.adoptedStyleSheets || !page.defaultView) return;
  let sheet = sheets.get(page);
  if (!sheet) {
    sheet = /** @type {CSSStyleSheet} */ (new page.defaultView.CSSStyleSheet());
    sheet.replaceSync(css);
    sheets.set(page, sheet);
  }
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
}
