/**
 * What both elements draw with. A page sets the custom properties without the
 * leading underscore; whatever it leaves out is as on Belfry's own page.
 */
const TOKENS = `
:host {
  --_accent: var(--belfry-accent, light-dark(#9a6700, #e3b341));
  --_on-accent: var(--belfry-on-accent, light-dark(#ffffff, #1c1f24));
  --_ground: var(--belfry-ground, light-dark(#fbfaf7, #111418));
  --_card: var(--belfry-card, light-dark(#ffffff, #191d23));
  --_sunken: var(--belfry-sunken, light-dark(#f3f1ea, #14181d));
  --_ink: var(--belfry-ink, light-dark(#1c1f24, #eceae4));
  --_quiet: var(--belfry-quiet, light-dark(#5b6370, #9aa3af));
  --_hairline: var(--belfry-hairline, light-dark(#e4e1d8, #2b3038));
  --_border: var(--belfry-border, light-dark(#858b95, #727b88));
  --_info: var(--belfry-info, light-dark(#0b5cad, #79b8ff));
  --_success: var(--belfry-success, light-dark(#1a7432, #56c271));
  --_warning: var(--belfry-warning, light-dark(#9c4f00, #f0a35e));
  --_critical: var(--belfry-critical, light-dark(#b3261e, #ff8a80));
  --_radius: var(--belfry-radius, 8px);
  --_shadow: var(--belfry-shadow, 0 8px 24px light-dark(rgb(28 31 36 / 14%), rgb(0 0 0 / 48%)), 0 0 0 1px var(--_hairline));
  --_font: var(--belfry-font, 400 14px/20px system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Noto Sans SC', 'PingFang SC', 'Microsoft YaHei', sans-serif);
}
:host([theme='light']) { color-scheme: light; }
:host([theme='dark']) { color-scheme: dark; }
:host([theme='auto']) { color-scheme: light dark; }
*, ::before, ::after { box-sizing: border-box; }
[hidden] { display: none !important; }
button, input, a { font: inherit; color: inherit; }
button { cursor: pointer; }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
svg { inline-size: 1.25em; block-size: 1.25em; fill: none; stroke: currentColor; stroke-width: 1.5; stroke-linecap: round; stroke-linejoin: round; }
h1, h2, p, ul { margin: 0; padding: 0; }
time { font-variant-numeric: tabular-nums; }
.unseen { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.button { min-block-size: 36px; padding: 4px 12px; border: 1px solid var(--_border); border-radius: var(--_radius); background: var(--_card); }
.button:hover { background: var(--_sunken); }
.primary { border-color: var(--_accent); background: var(--_accent); color: var(--_on-accent); font-weight: 600; }
.primary:hover { background: color-mix(in oklab, var(--_accent) 90%, var(--_ink)); }
.plain { border-color: transparent; background: transparent; }
.link { color: var(--_accent); text-underline-offset: 2px; }
@media (prefers-reduced-motion: reduce) { *, ::before, ::after { animation: none !important; transition: none !important; } }
`

/** Style that a page's policy on inline style does not forbid. */
export function sheet(css: string): CSSStyleSheet {
  const made = new CSSStyleSheet()
  made.replaceSync(css)
  return made
}

let shared: CSSStyleSheet | null = null

/** Gives a shadow root the common style and its own. */
export function dress(root: ShadowRoot, own: CSSStyleSheet): void {
  shared ??= sheet(TOKENS)
  root.adoptedStyleSheets = [shared, own]
}
