export const LOCK_STYLE = `
:host { display: contents; font: var(--_font); color: var(--_ink); }
.cover { position: fixed; inset: 0; inline-size: 100%; block-size: 100%; max-inline-size: none; max-block-size: none; margin: 0; padding: 32px 16px; border: 0; overflow-y: auto; background: var(--_ground); color: var(--_ink); visibility: visible; }
.cover[open] { display: grid; place-content: center; }
.cover::backdrop { background: var(--_ground); }
.card { display: grid; gap: 16px; inline-size: min(360px, calc(100vw - 32px)); }
.card > svg { inline-size: 44px; block-size: 44px; margin-inline-start: -8px; color: var(--_accent); }
h1 { font-size: 28px; line-height: 36px; font-weight: 600; outline: none; }
form { display: grid; gap: 16px; }
label { display: grid; gap: 4px; }
.field { inline-size: 100%; min-block-size: 40px; padding: 6px 10px; border: 1px solid var(--_border); border-radius: var(--_radius); background: var(--_card); color: inherit; }
.field:focus-visible { outline-offset: 0; }
.field[aria-invalid='true'] { border-color: var(--_critical); }
.fault { color: var(--_critical); }
.fault:empty { display: none; }
.quiet { color: var(--_quiet); }
.button { min-block-size: 40px; }
.warning { position: fixed; inset: auto; inset-inline: 16px; inset-block-end: 24px; margin: 0 auto; padding: 16px; max-inline-size: 384px; border: 0; border-radius: var(--_radius); background: var(--_card); color: var(--_ink); box-shadow: var(--_shadow); }
.warning:popover-open { display: grid; gap: 12px; }
h2 { font-size: 16px; font-weight: 600; font-variant-numeric: tabular-nums; }
@media (forced-colors: active) { .warning { border: 1px solid; } }
`

/** What keeps a covered page out of sight even where something of it comes before the cover. */
export const HIDDEN_PAGE = `
body, body * { visibility: hidden !important; }
`
