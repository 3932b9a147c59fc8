import type { ConnectionStatus } from '../event-stream'
import type { Notice } from '../types'
import { BELL_STYLE } from './bellStyle'
import { Connection } from './connection'
import { attribute, h, HtmlElement, icon, ICONS, write } from './dom'
import { Inbox } from './inbox'
import { NoticeRow, type RowActions } from './noticeRow'
import { dress, sheet } from './style'
import { Clock, languageOf, wordsFor, type Words } from './words'

/** The events of `<belfry-bell>`, by name. */
export interface BellEvents {
  /** A notice has come. */
  'belfry-notice': CustomEvent<Notice>
  /** A notice is about to be opened: prevent it to open it in a way of your own. */
  'belfry-open': CustomEvent<Notice>
  'belfry-status': CustomEvent<ConnectionStatus>
}

const AGE_SHOWN_EVERY_MS = 30_000
const GAP = 8

let style: CSSStyleSheet | null = null

/**
 * A bell with a count, and the newest notices behind it.
 *
 * Attributes: `src`, Belfry's address, by default the page's own; `ticket-url`, where the page's
 * server mints tickets, in place of the cookie; `user`, whom it mints them for; `inbox-url`, where all notices are, by default
 * Belfry's own page; `theme`: `light`, `dark`, `auto`, by default the page's; `lang`.
 */
export class BelfryBell extends HtmlElement {
  static readonly observedAttributes = ['src', 'ticket-url', 'user', 'inbox-url', 'lang']

  private connection: Connection | null = null
  private inbox: Inbox | null = null
  private stops: (() => void)[] = []
  private words: Words = wordsFor('en')
  private clock = new Clock('en')
  private rows = new Map<number, NoticeRow>()

  private readonly badge = h('span', { class: 'badge', part: 'badge', 'aria-hidden': 'true' })
  private readonly button = h('button', {
    ...{ type: 'button', class: 'bell', part: 'bell' },
    'aria-haspopup': 'dialog',
  })
  private readonly heading = h('h2', { part: 'heading' })
  private readonly readAll = h('button', { type: 'button', class: 'button plain', part: 'action' })
  private readonly fault = h('p', { class: 'trouble', part: 'trouble', role: 'alert' })
  private readonly message = h('div', { class: 'message', part: 'message' })
  private readonly list = h('ul', { part: 'list', role: 'list' })
  private readonly pill = h('span', { part: 'status' })
  private readonly retry = h('button', { type: 'button', class: 'button plain', part: 'action' })
  private readonly toInbox = h('a', {
    ...{ class: 'link', part: 'link', target: '_blank', rel: 'noopener' },
  })
  private readonly panel = h('div', {
    ...{ class: 'panel', part: 'panel', popover: 'auto', role: 'dialog', tabindex: '-1' },
  })
  private readonly polite = h('div', { class: 'unseen', role: 'status' })
  private readonly assertive = h('div', { class: 'unseen', role: 'alert' })

  constructor() {
    super()
    const root = this.attachShadow({ mode: 'open' })
    style ??= sheet(BELL_STYLE)
    dress(root, style)
    this.button.append(icon(...ICONS.bell), this.badge)
    this.button.popoverTargetElement = this.panel
    this.panel.append(
      h('div', { class: 'bar head', part: 'header' }, this.heading, this.readAll),
      this.fault,
      this.message,
      this.list,
      h(
        'div',
        { class: 'bar foot', part: 'footer' },
        h('p', { role: 'status' }, this.pill, this.retry),
        this.toInbox,
      ),
    )
    root.append(this.button, this.panel, this.polite, this.assertive)
    this.listen()
  }

  connectedCallback(): void {
    const url = this.ticketUrl
    this.connection = Connection.of(this.src, url === null ? null : { url, user: this.user })
    const { stream, watch } = this.connection
    this.inbox = new Inbox(this.connection)
    const age = setInterval(
      () => this.rows.forEach((row) => row.showTime(this.clock)),
      AGE_SHOWN_EVERY_MS,
    )
    const place = () => this.place()
    window.addEventListener('resize', place)
    window.addEventListener('scroll', place, { capture: true, passive: true })
    this.stops = [
      this.inbox.on('change', () => this.render()),
      this.inbox.on('arrived', (notice) => this.arrived(notice)),
      stream.on('status', (status) => {
        this.dispatch('belfry-status', status)
        this.renderStatus()
      }),
      watch?.on('change', () => this.render()) ?? (() => undefined),
      this.connection.use(),
      () => clearInterval(age),
      () => window.removeEventListener('resize', place),
      () => window.removeEventListener('scroll', place, { capture: true }),
    ]
    this.speak()
  }

  disconnectedCallback(): void {
    this.stops.forEach((stop) => stop())
    this.stops = []
    this.inbox?.stop()
    this.inbox = this.connection = null
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (!this.connection || before === after) return
    if (name === 'src' || name === 'ticket-url' || name === 'user') {
      this.disconnectedCallback()
      this.connectedCallback()
    } else this.speak()
  }

  /** Belfry's origin. */
  get src(): string {
    return new URL(this.getAttribute('src') ?? '', document.baseURI).origin
  }
  set src(value: string) {
    this.setAttribute('src', value)
  }

  get ticketUrl(): string | null {
    const url = this.getAttribute('ticket-url')
    return url && new URL(url, document.baseURI).href
  }
  set ticketUrl(value: string | null) {
    attribute(this, 'ticket-url', value)
  }

  /** Whom the tickets are for: told, the tabs of a browser have one stream together. */
  get user(): string | null {
    return this.getAttribute('user')
  }
  set user(value: string | null) {
    attribute(this, 'user', value)
  }

  get inboxUrl(): string | null {
    return this.getAttribute('inbox-url')
  }
  set inboxUrl(value: string | null) {
    attribute(this, 'inbox-url', value)
  }

  /** How many are unread; null while that is not known. */
  get unread(): number | null {
    return this.inbox?.unread ?? null
  }

  get status(): ConnectionStatus {
    return this.connection?.stream.status ?? { state: 'idle' }
  }

  show(): void {
    this.panel.showPopover({ source: this.button })
  }

  hide(): void {
    this.panel.hidePopover()
  }

  private dispatch<Name extends keyof BellEvents>(
    name: Name,
    detail: BellEvents[Name]['detail'],
    cancelable = false,
  ): boolean {
    const options = { detail, bubbles: true, composed: true, cancelable }
    return this.dispatchEvent(new CustomEvent(name, options))
  }

  private listen(): void {
    this.panel.addEventListener('beforetoggle', ({ newState }) => {
      if (newState === 'open') this.setTrouble('')
      // The browser gives it back itself, but not once what had it was archived meanwhile.
      else if (this.panel.matches(':focus-within')) this.button.focus()
    })
    this.panel.addEventListener('toggle', ({ newState }) => {
      this.button.setAttribute('aria-expanded', String(newState === 'open'))
      if (newState !== 'open') return
      this.place()
      this.focusRow(0)
    })
    this.panel.addEventListener('keydown', (event) => this.key(event))
    this.readAll.addEventListener('click', () => {
      this.attempt(this.inbox?.readAll())
      // It is about to go, and the focus, which the bell gets back at the end, would go with it.
      this.focusRow(0)
    })
    this.retry.addEventListener('click', () => this.connection?.stream.retry())
  }

  /** Takes up the language, and says everything in it. */
  private speak(): void {
    const language = languageOf(this)
    this.words = wordsFor(language)
    this.clock = new Clock(language)
    const { bell } = this.words
    write(this.heading, bell.title)
    write(this.readAll, bell.readAll)
    write(this.retry, bell.retry)
    write(this.toInbox, bell.open)
    this.panel.setAttribute('aria-label', bell.title)
    this.rows.forEach((row) => row.element.remove())
    this.rows.clear()
    this.render()
    this.renderStatus()
  }

  private render(): void {
    const { inbox, words } = this
    if (!inbox) return
    const { unread } = inbox
    write(this.badge, unread === null || unread < 100 ? String(unread ?? '') : '99+')
    this.badge.hidden = !unread
    this.button.setAttribute(
      'aria-label',
      unread === null ? words.bell.title : words.bell.label(unread),
    )
    const byCookie = this.connection?.watch !== null
    this.readAll.hidden = !byCookie || !unread || inbox.items.length === 0
    const link = this.inboxUrl ?? (byCookie ? `${this.src}/inbox` : null)
    this.toInbox.hidden = link === null
    if (link !== null) this.toInbox.href = link
    this.renderRows(inbox.items)
    // A locked page holds nothing that was sent, in what was read out either.
    if (inbox.state === 'away') [this.polite, this.assertive].forEach((region) => write(region, ''))
    this.renderMessage()
  }

  /** Puts the rows in order without touching those that stay: one that is moved loses the focus. */
  private renderRows(items: readonly Notice[]): void {
    const focused = [...this.rows].find(([, row]) => row.element.matches(':focus-within'))
    const place = focused ? [...this.list.children].indexOf(focused[1].element) : -1
    const ids = new Set(items.map(({ id }) => id))
    for (const [id, row] of this.rows) {
      if (ids.has(id)) continue
      row.element.remove()
      this.rows.delete(id)
    }
    items.forEach((notice, at) => {
      const known = this.rows.get(notice.id)
      known?.update(notice, this.clock)
      const row = known ?? new NoticeRow(notice, this.words, this.clock, this.actions())
      this.rows.set(notice.id, row)
      const { element } = row
      if (this.list.children[at] !== element)
        this.list.insertBefore(element, this.list.children[at] ?? null)
    })
    // What had the focus is gone: the one that took its place has it now.
    if (focused && !ids.has(focused[0])) this.focusRow(Math.min(place, items.length - 1))
  }

  private renderMessage(): void {
    const { inbox, connection, words } = this
    if (!inbox || !connection) return
    const { watch } = connection
    const parts: (Node | string)[] = []
    const phase = watch?.phase ?? 'active'
    if (connection.stream.status.state === 'ended' && !watch) parts.push(words.bell.over)
    else if (phase === 'locked') parts.push(words.bell.locked, this.signInLink())
    else if (phase === 'ended' || phase === 'signed_out')
      parts.push(words.bell.signedOut, this.signInLink())
    else if (inbox.state === 'failed') parts.push(words.bell.failed, this.reloadButton())
    else if (inbox.state !== 'ready') parts.push(words.bell.loading)
    else if (inbox.items.length === 0) parts.push(watch ? words.bell.empty : words.bell.emptyLive)
    this.message.hidden = parts.length === 0
    // Compared by what it says: a button that is replaced under a hand cannot be pressed.
    if (
      this.message.textContent ===
      parts.map((part) => (part instanceof Node ? part.textContent : part)).join('')
    )
      return
    this.message.replaceChildren(
      ...parts.map((part) => (part instanceof Node ? part : h('p', {}, part))),
    )
  }

  private signInLink(): HTMLAnchorElement {
    const { signIn } = this.words.bell
    return h('a', { class: 'link', part: 'link', href: this.src, target: '_blank' }, signIn)
  }

  private reloadButton(): HTMLButtonElement {
    const button = h(
      'button',
      { type: 'button', class: 'button', part: 'action' },
      this.words.bell.retry,
    )
    button.addEventListener('click', () => void this.inbox?.load())
    return button
  }

  private renderStatus(): void {
    const { status, words } = this
    const { stale, ...others } = words.status
    this.pill.className = `pill ${status.state}`
    write(
      this.pill,
      status.state === 'stale' ? stale(this.clock.time(status.since)) : others[status.state],
    )
    this.retry.hidden = status.state !== 'stale' && status.state !== 'offline'
    this.renderMessage()
  }

  private arrived(notice: Notice): void {
    const region = notice.severity === 'critical' ? this.assertive : this.polite
    region.textContent = this.words.bell.arrived(notice.title)
    this.dispatch('belfry-notice', notice)
  }

  private actions(): RowActions {
    return {
      target: (notice) => this.targetOf(notice),
      open: (notice, event) => this.open(notice, event),
      mark: this.connection?.watch
        ? (notice, what) => this.attempt(this.inbox?.mark(notice, what))
        : null,
    }
  }

  /** Paths are of the page that shows them: what is announced there lies there. */
  private targetOf(notice: Notice): string | null {
    if (notice.url !== null) {
      const url = URL.parse(notice.url, document.baseURI)
      if (url?.protocol === 'https:' || url?.protocol === 'http:') return url.href
    }
    if (this.inboxUrl !== null) return this.inboxUrl
    return this.connection?.watch ? `${this.src}/inbox/${notice.id}` : null
  }

  private open(notice: Notice, event: Event): void {
    if (notice.read_at === null && this.connection?.watch)
      this.attempt(this.inbox?.mark(notice, 'read'))
    if (!this.dispatch('belfry-open', notice, true)) event.preventDefault()
    this.hide()
  }

  private attempt(change: Promise<void> | undefined): void {
    this.setTrouble('')
    change?.catch(() => this.setTrouble(this.words.bell.notSaved))
  }

  private setTrouble(text: string): void {
    write(this.fault, text)
    this.fault.hidden = text === ''
  }

  private key(event: KeyboardEvent): void {
    const at = [...this.list.children].findIndex((row) => row.matches(':focus-within'))
    const last = this.list.children.length - 1
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: last }[event.key]
    if (to === undefined || last < 0) return
    event.preventDefault()
    this.focusRow(Math.max(0, Math.min(to, last)))
  }

  private focusRow(at: number): void {
    const element = this.list.children[at]
    const row = [...this.rows.values()].find((one) => one.element === element)
    if (row) row.focus()
    else this.panel.focus()
  }

  /** Puts the panel under the bell, or above it, where there is room; never out of the window. */
  private place(): void {
    if (!this.panel.matches(':popover-open')) return
    const bell = this.button.getBoundingClientRect()
    const { offsetWidth: width, offsetHeight: height, style } = this.panel
    const [across, down] = [document.documentElement.clientWidth, window.innerHeight]
    const rtl = getComputedStyle(this).direction === 'rtl'
    const left = rtl ? bell.left : bell.right - width
    const below = bell.bottom + GAP
    const above = bell.top - GAP - height
    const fits = below + height <= down - GAP || above < GAP
    style.left = `${Math.max(GAP, Math.min(left, across - width - GAP))}px`
    style.top = `${Math.max(GAP, fits ? Math.min(below, down - height - GAP) : above)}px`
  }
}
