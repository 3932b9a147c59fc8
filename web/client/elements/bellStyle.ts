export const BELL_STYLE = `
:host { display: inline-block; position: relative; font: var(--_font); color: var(--_ink); }
:host([hidden]) { display: none; }
.bell { position: relative; display: inline-grid; place-items: center; inline-size: 40px; block-size: 40px; padding: 0; border: 0; border-radius: var(--_radius); background: transparent; color: var(--belfry-bell, var(--_ink)); }
.bell:hover { background: color-mix(in srgb, currentColor 8%, transparent); }
.bell svg { inline-size: 22px; block-size: 22px; }
.badge { position: absolute; inset-block-start: 2px; inset-inline-end: 2px; min-inline-size: 18px; padding-inline: 5px; border-radius: 9px; background: var(--_accent); color: var(--_on-accent); font: 600 11px/18px system-ui, sans-serif; font-variant-numeric: tabular-nums; text-align: center; }
.panel { position: fixed; inset: auto; margin: 0; padding: 0; inline-size: min(380px, calc(100vw - 16px)); max-block-size: min(560px, calc(100dvh - 16px)); overflow: hidden; border: 0; border-radius: var(--_radius); background: var(--_card); color: var(--_ink); box-shadow: var(--_shadow); text-align: start; }
.panel:popover-open { display: flex; flex-direction: column; }
.bar { display: flex; align-items: center; justify-content: space-between; gap: 8px; padding-block: 8px; padding-inline: 16px 8px; min-block-size: 52px; }
.head { border-block-end: 1px solid var(--_hairline); }
.foot { border-block-start: 1px solid var(--_hairline); padding-inline-end: 16px; color: var(--_quiet); font-size: 13px; min-block-size: 44px; }
.foot p { display: flex; align-items: center; flex-wrap: wrap; column-gap: 8px; }
h2 { font-size: 16px; font-weight: 600; }
.message { padding: 32px 24px; color: var(--_quiet); text-align: center; }
.message button, .message a { display: inline-block; margin-block-start: 12px; }
.trouble { padding: 8px 16px; border-block-end: 1px solid var(--_hairline); color: var(--_critical); }
ul { flex: 1; min-block-size: 0; overflow-y: auto; overscroll-behavior: contain; list-style: none; }
li { position: relative; border-block-end: 1px solid var(--_hairline); }
li:last-child { border-block-end: 0; }
li:is(:hover, :focus-within) { background: var(--_sunken); }
.open { display: grid; grid-template-columns: 18px minmax(0, 1fr) auto; gap: 0 12px; inline-size: 100%; padding: 10px 16px; border: 0; background: transparent; text-align: start; text-decoration: none; cursor: pointer; }
.open:focus-visible { outline-offset: -2px; }
.glyph { display: inline-flex; padding-block-start: 1px; }
.glyph svg { inline-size: 18px; block-size: 18px; }
.info { color: var(--_info); } .success { color: var(--_success); } .warning { color: var(--_warning); } .critical { color: var(--_critical); }
.title { display: flex; align-items: center; gap: 8px; min-inline-size: 0; }
.title span:first-child, .more { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.fresh .title { font-weight: 600; }
.dot { flex: none; inline-size: 8px; block-size: 8px; border-radius: 50%; background: var(--_accent); }
.open time, .more { color: var(--_quiet); font-size: 13px; }
.more { grid-column: 2 / -1; }
.actions { position: absolute; inset-block-start: 4px; inset-inline-end: 8px; display: flex; opacity: 0; }
.actions button { display: inline-grid; place-items: center; inline-size: 32px; block-size: 32px; padding: 0; }
li:is(:hover, :focus-within) .actions { opacity: 1; }
li:is(:hover, :focus-within):has(.actions) time { visibility: hidden; }
@media (hover: none) {
  .open:not(:only-child) { padding-block-end: 24px; }
  .actions { inset-block: auto 2px; opacity: 1; }
  .actions button { inline-size: 44px; block-size: 40px; }
  .more { padding-inline-end: 84px; }
  li:is(:hover, :focus-within):has(.actions) time { visibility: visible; }
}
.pill { display: inline-flex; align-items: center; gap: 6px; }
.pill::before { content: ''; inline-size: 8px; block-size: 8px; border: 1.5px solid currentColor; border-radius: 50%; }
.pill.live::before { border-color: var(--_success); background: var(--_success); }
.pill.stale, .pill.offline { color: var(--_warning); }
@media (forced-colors: active) { .badge, .panel { border: 1px solid; } }
`
