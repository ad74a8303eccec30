/**
 * The styles of the interface. The custom properties, or the host's own style sheet, can override all of them. System colours follow
 * the page's `color-scheme`, so dark mode and forced colours work.
 * Adopted from script, so that a page needs one import, and a Content-Security-Policy without inline styles is kept.
 *
 * `presence-guard`: a press that was meant for what lies below, when the slot has just appeared, gets there. A notice has one width, and
 * its button is in the corner, so that nothing in it moves as the text changes.
 */
const css = `
.presence-badge, .presence-list, .presence-status, .presence-warning, .presence-company{
  --presence-edge:var(--presence-line, color-mix(in srgb, CanvasText 25%, Canvas));--presence-paper:var(--presence-surface, Canvas);
  --presence-quiet:var(--presence-muted, color-mix(in srgb, CanvasText 70%, Canvas));box-sizing:border-box}
.presence-list, .presence-status, .presence-warning, .presence-company, .presence-slot button{
  border:1px solid var(--presence-edge);border-radius:.5em;background:var(--presence-paper);color:var(--presence-text, CanvasText);font:inherit}
.presence-badge:focus-visible, .presence-slot :focus-visible, .presence-list :focus-visible{outline:2px solid var(--presence-accent, LinkText);outline-offset:1px}
.presence-icon{width:1em;height:1em;flex:none;fill:currentColor;fill-rule:evenodd}

.presence-overlay{position:fixed;inset:0 auto auto 0;z-index:1000;margin:0}
.presence-overlay[hidden], .presence-slot [hidden], .presence-place[hidden]{display:none}

.presence-badge{display:inline-flex;flex:none;align-items:center;gap:.45em;width:11em;height:2em;padding:0 .6em;border:1px solid var(--presence-edge);border-radius:1em;
  background:var(--presence-paper);color:var(--presence-text, CanvasText);font:inherit;line-height:1;white-space:nowrap;vertical-align:middle;cursor:pointer}
.presence-badge[aria-expanded=true]{border-color:var(--presence-accent, LinkText)}
.presence-place{visibility:hidden}
.presence-people{display:contents}
.presence-count{order:1;font-variant-numeric:tabular-nums}
.presence-badge .presence-faces{order:2;margin-inline-start:auto}
.presence-badge[data-alone]{justify-content:center;font-size:.875em;width:12.57em;height:2.29em;color:var(--presence-quiet)}
.presence-badge[data-alone] .presence-people{display:none}
.presence-status{pointer-events:none;padding:.2em .6em;font-size:.875em;color:var(--presence-quiet);max-width:calc(100vw - 1em)}
.presence-status[data-status=connecting]{animation:presence-late 0s 1.5s backwards}
@keyframes presence-late{from{visibility:hidden}}

.presence-faces{display:inline-flex;flex:none}
.presence-avatar{position:relative;flex:none;box-sizing:border-box;width:1.75rem;height:1.75rem;border:1px solid #555;border-radius:50%;background:var(--presence-color, #ccc);
  color:#000;font:600 .6875rem/1.625rem system-ui;text-align:center;white-space:nowrap;box-shadow:0 0 0 2px var(--presence-paper, Canvas)}
.presence-avatar::before{display:block;overflow:hidden;content:attr(data-initials);content:attr(data-initials) / ""}
.presence-faces .presence-avatar + .presence-avatar{margin-inline-start:-.15rem}
.presence-badge .presence-avatar, .presence-occupants .presence-avatar{width:1.5rem;height:1.5rem;font:600 .5625rem/1.375rem system-ui}
.presence-avatar[data-striped]{background-image:repeating-linear-gradient(45deg, #fff8 0 3px, #0000 3px 6px)}
.presence-avatar[data-activity=idle]{border-style:dashed;background:color-mix(in srgb, var(--presence-color, #ccc) 30%, #fff)}
.presence-avatar img{position:absolute;inset:0;width:100%;height:100%;border-radius:50%;object-fit:cover}
.presence-avatar[data-activity=idle] img{opacity:.5}
.presence-avatar .presence-icon{position:absolute;inset:auto auto -.2rem -.25rem;width:.75rem;height:.75rem;padding:.1rem;box-sizing:border-box;border-radius:50%;background:#fff;outline:1px solid #555}
.presence-avatar[data-unsaved]::after{content:"";position:absolute;inset:-.25rem .1rem auto auto;width:.5rem;height:.5rem;border:1.5px solid var(--presence-paper, Canvas);border-radius:50%;background:#c2410c}
.presence-occupants{display:inline-flex;margin-block:-.25em;margin-inline:.5em .25em;vertical-align:middle}

.presence-list:not([hidden]){display:flex}
.presence-list{flex-direction:column;padding:0;overflow:hidden;text-align:start;width:min(22em, 100vw - 1em);max-height:min(26em, var(--presence-room, 100vh - 3.5em));box-shadow:0 .5em 2em #0003}
.presence-head{display:flex;align-items:center;padding-block:.4em;padding-inline:1em .5em}
.presence-head p{flex:1;margin:0;font-weight:600}
.presence-slot .presence-close, .presence-close{flex:none;width:2em;height:2em;padding:0;border:0;border-radius:.4em;background:none;color:inherit;font:inherit;line-height:1;cursor:pointer}
.presence-close .presence-icon{width:.7em;height:.7em;vertical-align:middle}
.presence-rows{position:relative;flex:1 1 auto;overflow:hidden auto;overscroll-behavior:contain}
.presence-rows ul{position:relative;margin:0;padding:0;list-style:none}
.presence-rows li{position:absolute;inset:0 0 auto 0;height:2.75em;box-sizing:border-box}
.presence-row{display:flex;align-items:center;gap:.7em;width:100%;height:100%;padding:0 1em;border:0;background:none;color:inherit;font:inherit;text-align:start;cursor:pointer}
.presence-row:focus-visible{outline-offset:-2px}
.presence-row[aria-disabled]{cursor:default}
.presence-row:not([aria-disabled]):hover{background:color-mix(in srgb, CanvasText 7%, transparent)}
.presence-name{flex:1;min-width:0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.presence-where{color:var(--presence-quiet);font-size:.875em}
.presence-state{flex:none;max-width:45%;color:var(--presence-quiet);font-size:.8125em;line-height:1.2;text-align:end}
.presence-state[data-activity=editing]{color:inherit;font-weight:600}
.presence-rows .presence-title{display:flex;align-items:end;padding:0 1.25em .35em;color:var(--presence-quiet);font-size:.8125em;font-weight:600;height:3.385em;overflow:hidden;white-space:nowrap}
.presence-list[data-stale] .presence-row{color:var(--presence-quiet)}
.presence-list[data-stale] .presence-avatar{opacity:.5}
.presence-foot{padding:.5em 1em;border-top:1px solid var(--presence-edge);color:var(--presence-quiet);font-size:.875em}
.presence-list[data-more] .presence-foot{box-shadow:0 -.6em .8em -.4em #0004}

.presence-slot{padding:0;border:0;background:none;overflow:visible;width:max-content;max-width:min(60em, 100vw - 1em)}
.presence-slot, .presence-warning, .presence-company{animation:presence-guard 0s .4s backwards}
@keyframes presence-guard{from{pointer-events:none}}
.presence-warning, .presence-company{display:flex;flex-wrap:wrap;gap:.4em .6em;align-items:center;padding:.45em .75em;overflow-wrap:anywhere}
.presence-company{position:relative;width:38em;max-width:100%;padding-inline-end:3em}
.presence-company .presence-close{position:absolute;inset-block-start:.4em;inset-inline-end:.5em}
.presence-warning{background:var(--presence-warning, color-mix(in srgb, #f5a300 15%, Canvas));--presence-edge:var(--presence-warning-line, #b7791f)}
.presence-warning p, .presence-company p{flex:1 1 0;min-width:min-content;margin:0}
.presence-warning p{flex-basis:max-content}
.presence-actions{display:flex;flex-wrap:wrap;gap:.4em;font-size:.9375em}
.presence-slot button{padding:.3em .7em;cursor:pointer}
.presence-slot .presence-primary{background:var(--presence-text, CanvasText);border-color:var(--presence-text, CanvasText);color:var(--presence-paper);font-weight:600}
.presence-slot [aria-pressed=true]{border-style:dashed;font-weight:600}
.presence-slot [aria-pressed=true]::before{content:"✓ ";content:"✓ " / ""}
.presence-slot[data-floating]{border-radius:.5em;box-shadow:0 .3em 1.2em #0004}
.presence-said{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}

@media (max-width:30rem){
  .presence-list{inset:auto 0 0 0;translate:none !important;width:100%;max-width:none;max-height:70vh;border-radius:1em 1em 0 0;border-width:1px 0 0;box-shadow:0 -.5em 2em #0004}
  .presence-rows li{height:3em}
  .presence-rows .presence-title{height:3.692em}
}
@media (forced-colors:active){
  .presence-avatar, .presence-avatar .presence-icon{forced-color-adjust:none;box-shadow:none}
  .presence-avatar{border-color:CanvasText}
  .presence-list[data-stale] .presence-row{color:GrayText}
}`;

/** Gives a function that adds a style sheet to a document or shadow root, unless it is there. @param {string} text */
export function adopter(text) {
  /** @type {WeakMap<Node, CSSStyleSheet>} a document adopts only sheets that its own window made */
  const sheets = new WeakMap();
  return (/** @type {any} */ root) => {
    const page = root.ownerDocument ?? root;
    if (!root.adoptedStyleSheets || !page.defaultView) return;
    let sheet = sheets.get(page);
    if (!sheet) {
      sheet = /** @type {CSSStyleSheet} */ (new page.defaultView.CSSStyleSheet());
      sheet.replaceSync(text);
      sheets.set(page, sheet);
    }
    if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
  };
}

/** Adds the styles of the interface to a document or shadow root, unless they are there. */
export const adoptStyle = adopter(css);
