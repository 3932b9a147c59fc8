import type { Deadlines, SessionWatch } from './session'

export interface Remaining {
  kind: 'idle' | 'max_age'
  ms: number
}

const TICK_MS = 250
const SLACK_MS = 500
const FRESH_MS = 1_000
/** Timers hold at most 2^31 - 1 ms; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The nearer deadline and the time left to it; the longest time wins a tie, for it ends more. */
export function nearest(deadlines: Deadlines, now: number): Remaining {
  const passed = now - deadlines.heardAt
  return deadlines.idleRemainingMs < deadlines.maxRemainingMs
    ? { kind: 'idle', ms: deadlines.idleRemainingMs - passed }
    : { kind: 'max_age', ms: deadlines.maxRemainingMs - passed }
}

/** True when a deadline has passed by either clock: the safe guess after a sleep. */
export function mayHavePassed(deadlines: Deadlines): boolean {
  const left = Math.min(deadlines.idleRemainingMs, deadlines.maxRemainingMs)
  return nearest(deadlines, performance.now()).ms <= 0 || Date.now() - deadlines.heardAtWall >= left
}

/**
 * Watches the session's deadlines: asks the server when the time for a warning has come, and
 * covers the page when a deadline passes without its word.
 */
export class DeadlineWatch {
  private readonly watch: SessionWatch
  private readonly show: (warning: Remaining | null) => void
  private timer = 0
  private readonly stops: (() => void)[]

  /** @param show is called with what runs out, four times a second while a warning is due */
  constructor(watch: SessionWatch, show: (warning: Remaining | null) => void) {
    this.watch = watch
    this.show = show
    const visible = () => {
      if (document.visibilityState === 'visible') this.look(false)
    }
    const look = () => this.look(false)
    // A page restored from the browser's cache shows what it showed, however long ago.
    const restored = (event: PageTransitionEvent) => this.look(event.persisted)
    document.addEventListener('visibilitychange', visible)
    window.addEventListener('focus', look)
    window.addEventListener('online', look)
    window.addEventListener('pageshow', restored)
    this.stops = [
      watch.on('change', () => this.tick()),
      () => document.removeEventListener('visibilitychange', visible),
      () => window.removeEventListener('focus', look),
      () => window.removeEventListener('online', look),
      () => window.removeEventListener('pageshow', restored),
      () => clearTimeout(this.timer),
    ]
    this.tick()
  }

  stop(): void {
    this.stops.forEach((stop) => stop())
  }

  /** The page is before someone's eyes again: where a deadline may have passed it is covered first. */
  private look(restored: boolean): void {
    const { deadlines, phase } = this.watch
    if (!deadlines || phase === 'signed_out' || phase === 'ended') return
    if (restored || mayHavePassed(deadlines)) void this.watch.coverAndCheck()
    else if (performance.now() - deadlines.heardAt > FRESH_MS) void this.watch.check()
  }

  private tick(): void {
    clearTimeout(this.timer)
    const { deadlines, phase } = this.watch
    if (!deadlines || phase !== 'active') return this.show(null)
    const left = nearest(deadlines, performance.now())
    if (left.ms <= 0) {
      void this.watch.coverAndCheck()
      return
    }
    const untilWarning = left.ms - this.windowMs()
    if (untilWarning > 0) {
      this.show(null)
      this.after(Math.min(untilWarning + 1, LONGEST_TIMER_MS), () => void this.watch.check())
      return
    }
    // Other tabs may have been busy: without the server's word from within the window there is
    // nothing to warn of, unless nobody can ask it.
    const heard = nearest(deadlines, deadlines.heardAt).ms <= this.windowMs() + SLACK_MS
    this.show(heard || !this.watch.reachable ? left : null)
    this.after(Math.min(TICK_MS, left.ms))
  }

  private after(ms: number, run: () => void = () => undefined): void {
    this.timer = window.setTimeout(() => {
      this.tick()
      run()
    }, ms)
  }

  /** How long before the nearest deadline to warn. */
  private windowMs(): number {
    return Math.min(this.watch.session?.warning_ms ?? 0, this.watch.idleMs / 2)
  }
}
