import { Problem } from '../problem'
import { reportActivity } from './activity'
import { Connection } from './connection'
import { DeadlineWatch, type Remaining } from './deadline'
import { attribute, h, HtmlElement, icon, ICONS, write } from './dom'
import { HIDDEN_PAGE, LOCK_STYLE } from './lockStyle'
import type { Phase, SessionWatch } from './session'
import { dress, sheet } from './style'
import { countdown, languageOf, wordsFor, type Words } from './words'

/** The events of `<belfry-lock>`, by name. */
export interface LockEvents {
  /** The page was covered, or shown again. */
  'belfry-cover': CustomEvent<{ covered: boolean; phase: Phase }>
}

const ASK_AGAIN_MS = 3_000
/** Said aloud at these seconds, and not at each. */
const MILESTONES = [60, 30, 10]

let style: CSSStyleSheet | null = null
let hiddenPage: CSSStyleSheet | null = null

/**
 * Covers the page while the session at Belfry is locked or over, and warns before. It needs the
 * cookie: a page of another site cannot have it.
 *
 * Attributes: `src`, Belfry's address, by default the page's own; `strict` shows the page only
 * while a session is known to be active; `theme`: `light`, `dark`, `auto`, by default the page's;
 * `lang`.
 */
export class BelfryLock extends HtmlElement {
  static readonly observedAttributes = ['src', 'strict', 'lang']

  private connection: Connection | null = null
  private watch: SessionWatch | null = null
  private stops: (() => void)[] = []
  private words: Words = wordsFor('en')
  private warned: Remaining | null = null
  private offerPassword = true
  private asked: string | null = null
  private replaced = false
  /** Whether the page is out of sight. */
  private hiding = false

  private readonly heading = h('h1', { part: 'heading', tabindex: '-1', id: 'heading' })
  private readonly reason = h('p', { part: 'reason', role: 'status', id: 'reason' })
  private readonly kept = h('p', { class: 'quiet', part: 'hint' })
  private readonly label = h('span', { part: 'label' })
  private readonly field = h('input', {
    ...{ class: 'field', part: 'field', type: 'password', name: 'password', required: '' },
    ...{ autocomplete: 'current-password', 'aria-describedby': 'fault' },
  })
  private readonly username = h('input', {
    ...{ type: 'hidden', name: 'username', autocomplete: 'username' },
  })
  private readonly fault = h('p', { class: 'fault', part: 'trouble', id: 'fault', role: 'alert' })
  private readonly submit = h('button', { class: 'button primary', part: 'submit' })
  private readonly form = h(
    'form',
    { part: 'form' },
    ...[this.username, h('label', {}, this.label, this.field), this.fault, this.submit],
  )
  private readonly retry = h('button', { type: 'button', class: 'button', part: 'action' })
  private readonly elsewhere = h('a', { class: 'link', part: 'link', target: '_blank' })
  private readonly cover = h(
    'dialog',
    { class: 'cover', part: 'cover', closedby: 'none', 'aria-labelledby': 'heading' },
    h(
      'div',
      { class: 'card', part: 'card' },
      ...[icon(...ICONS.bell), this.heading, this.reason, this.kept],
      ...[this.form, this.retry, this.elsewhere],
    ),
  )
  private readonly countdown = h('h2', { part: 'warning-heading', 'aria-live': 'off' })
  private readonly advice = h('p', { class: 'quiet', part: 'warning-text', id: 'advice' })
  private readonly stay = h('button', { type: 'button', class: 'button primary', part: 'submit' })
  private readonly aloud = h('p', { class: 'unseen', role: 'alert' })
  private readonly warning = h(
    'section',
    {
      ...{ class: 'warning', part: 'warning', popover: 'manual' },
      ...{ role: 'alertdialog', 'aria-describedby': 'advice' },
    },
    ...[this.countdown, this.advice, this.stay, this.aloud],
  )

  constructor() {
    super()
    const root = this.attachShadow({ mode: 'open' })
    style ??= sheet(LOCK_STYLE)
    dress(root, style)
    root.append(this.cover, this.warning)
    this.cover.addEventListener('cancel', (event) => event.preventDefault())
    // Whatever closed it, the page stays covered until the session says otherwise.
    this.cover.addEventListener('close', () => this.render())
    this.form.addEventListener('submit', (event) => {
      event.preventDefault()
      void this.unlock()
    })
    this.retry.addEventListener('click', () => void this.watch?.check())
    this.stay.addEventListener('click', () => void this.watch?.active(true))
  }

  connectedCallback(): void {
    this.connection = Connection.of(this.src, null)
    this.watch = this.connection.watch
    if (!this.watch) return
    const { watch } = this
    const deadline = new DeadlineWatch(watch, (warning) => this.warn(warning))
    const again = setInterval(() => this.askAgain(), ASK_AGAIN_MS)
    // Another dialog of the page has come before the cover: the cover goes on top again.
    const raise = (event: Event) => this.raise(event)
    document.addEventListener('toggle', raise, true)
    this.stops = [
      watch.on('change', () => this.render()),
      watch.on('replaced', () => this.startClean()),
      reportActivity(() => void watch.active(this.warned !== null)),
      this.connection.use(),
      () => deadline.stop(),
      () => clearInterval(again),
      () => document.removeEventListener('toggle', raise, true),
    ]
    this.speak()
  }

  disconnectedCallback(): void {
    this.stops.forEach((stop) => stop())
    this.stops = []
    this.connection = this.watch = null
    this.warn(null)
    this.uncover()
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (!this.connection || before === after) return
    if (name === 'src') {
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

  /** Whether the page stays covered until a session is known to be active. */
  get strict(): boolean {
    return this.hasAttribute('strict')
  }
  set strict(value: boolean) {
    attribute(this, 'strict', value ? '' : null)
  }

  get phase(): Phase {
    return this.watch?.phase ?? 'unknown'
  }

  /** Whether the page is to be out of sight. Without `strict` only once a session was known. */
  get covered(): boolean {
    if (!this.watch) return false
    if (this.replaced) return true
    const { phase } = this.watch
    if (phase === 'active') return false
    return this.strict || (phase !== 'unknown' && phase !== 'signed_out')
  }

  /** Locks the session, on the server and so in every tab. */
  async lock(): Promise<void> {
    await this.watch?.lock()
  }

  private speak(): void {
    this.words = wordsFor(languageOf(this))
    const { lock, warning } = this.words
    write(this.submit, lock.unlock)
    write(this.retry, lock.retry)
    write(this.stay, warning.stay)
    this.render()
  }

  private render(): void {
    if (!this.watch) return
    if (!this.covered) return this.uncover()
    this.describe(this.watch)
    this.coverUp()
  }

  private describe(watch: SessionWatch): void {
    const { lock } = this.words
    const { phase, session, reason } = watch
    const name = session?.user.display_name || session?.user.username || ''
    const waits = phase === 'unknown' || phase === 'checking'
    const titles = { locked: lock.title, ended: lock.endedTitle, signed_out: lock.signedOutTitle }
    write(this.heading, phase in titles ? titles[phase as keyof typeof titles] : lock.checkingTitle)
    if (waits) write(this.reason, watch.reachable ? lock.checking : lock.unreachable)
    else if (phase === 'signed_out') write(this.reason, lock.signedOut)
    else write(this.reason, reason ? lock.reasons[reason] : phase === 'ended' ? lock.over : '')
    // Ended on purpose, so that nothing of the page is promised to whoever comes next.
    const kept = phase === 'ended' && reason !== 'logout' && reason !== 'disabled' && name !== ''
    write(this.kept, kept ? lock.kept(name) : '')
    this.kept.hidden = !kept
    if (phase === 'locked' && !this.offerPassword) {
      write(this.kept, lock.elsewhere)
      this.kept.hidden = false
    }
    this.form.hidden = phase !== 'locked' || !this.offerPassword
    write(this.label, lock.password(name))
    this.username.value = session?.user.username ?? ''
    this.retry.hidden = !waits || watch.reachable
    this.elsewhere.hidden = waits
    this.elsewhere.href = this.src
    write(this.elsewhere, phase === 'locked' ? lock.otherWays : lock.signIn)
    this.elsewhere.title = lock.newTab
    if (phase === 'locked') void this.askHow(watch)
  }

  /** Asks once for each lock how it can be undone: not everybody has a password. */
  private async askHow(watch: SessionWatch): Promise<void> {
    const id = watch.session?.id ?? null
    if (id === null || this.asked === id) return
    this.asked = id
    try {
      this.offerPassword = (await watch.api.unlockOffer()).password
      this.render()
    } catch {
      // Not answered: whoever has a password can go on, and the others on Belfry's own page.
      this.asked = null
    }
  }

  private coverUp(): void {
    this.warn(null)
    const fresh = !this.cover.open
    // Opened first: it remembers what had the focus, which a hidden page loses.
    if (fresh) this.cover.showModal()
    if (!this.hiding) {
      this.hiding = true
      hiddenPage ??= sheet(HIDDEN_PAGE)
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, hiddenPage]
      this.dispatch(true)
    }
    const active = this.shadowRoot?.activeElement
    const nowhere = fresh || !active || active === this.heading || !active.checkVisibility()
    if (nowhere) (this.form.hidden ? this.heading : this.field).focus()
  }

  private uncover(): void {
    if (!this.hiding) return
    this.hiding = false
    this.field.value = ''
    write(this.fault, '')
    this.asked = null
    // Seen again before the dialog closes, which gives the focus back to where it was.
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== hiddenPage)
    this.cover.close()
    this.dispatch(false)
  }

  private dispatch(covered: boolean): void {
    const options = { detail: { covered, phase: this.phase }, bubbles: true, composed: true }
    this.dispatchEvent(new CustomEvent('belfry-cover', options))
  }

  private raise({ target }: Event): void {
    const other = target instanceof HTMLDialogElement && target.matches(':modal')
    if (!other || !this.hiding) return
    this.cover.close()
    this.render()
  }

  private async unlock(): Promise<void> {
    if (!this.watch || this.submit.disabled) return
    const { lock } = this.words
    this.submit.disabled = true
    write(this.submit, lock.busy)
    write(this.fault, '')
    try {
      await this.watch.unlock(this.field.value)
    } catch (error) {
      write(this.fault, this.refusal(error))
      this.field.focus()
    } finally {
      this.field.value = ''
      attribute(this.field, 'aria-invalid', this.fault.textContent === '' ? null : 'true')
      this.submit.disabled = false
      write(this.submit, lock.unlock)
    }
  }

  private refusal(error: unknown): string {
    const { lock } = this.words
    if (!(error instanceof Problem)) return lock.failed
    if (error.status === 401) return lock.wrong(error.attemptsLeft)
    if (error.status === 429) return lock.throttled
    return error.code === 'network' ? lock.unreachable : lock.failed
  }

  /** Where the server could not be asked, nobody else will tell when it is back. */
  private askAgain(): void {
    const phase = this.watch?.phase
    if ((phase === 'unknown' || phase === 'checking') && !this.watch?.reachable)
      void this.watch?.check()
  }

  /** Leaves nothing of the last user in memory, drafts and all. */
  private startClean(): void {
    this.replaced = true
    this.render()
    location.reload()
  }

  private warn(warning: Remaining | null): void {
    const before = this.warned
    this.warned = warning && !this.covered ? warning : null
    if (!this.warned) {
      if (before) this.warning.hidePopover()
      return
    }
    const { kind, ms } = this.warned
    const { warning: words } = this.words
    const idle = kind === 'idle'
    write(this.countdown, words[kind](countdown(ms)))
    write(this.advice, idle ? words.idleBody : words.maxAgeBody)
    this.warning.setAttribute('aria-label', idle ? words.idleTitle : words.maxAgeTitle)
    this.stay.hidden = !idle
    if (!before) {
      this.warning.showPopover()
      write(this.aloud, '')
      // Whoever types goes on typing, which is activity enough.
      if (document.activeElement === null || document.activeElement === document.body)
        this.stay.focus()
    }
    const seconds = Math.max(0, Math.ceil(ms / 1000))
    const milestone = (n: number) => MILESTONES.findLast((mark) => n <= mark) ?? 0
    const passed = before ? milestone(Math.ceil(before.ms / 1000)) : -1
    if (milestone(seconds) !== passed) write(this.aloud, words.aloud(kind, seconds))
  }
}
