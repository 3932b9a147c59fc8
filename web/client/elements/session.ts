import { Api } from '../api'
import { Emitter } from '../emitter'
import { Problem } from '../problem'
import type { Lock, Session, SessionReason, User } from '../types'

/**
 * What a page may show. `unknown` before the first answer; `checking` when a deadline may have
 * passed and the server has not said yet.
 */
export type Phase = 'unknown' | 'signed_out' | 'active' | 'checking' | 'locked' | 'ended'

/** What the server last said about the time left, and when it was heard on two clocks. */
export interface Deadlines {
  idleRemainingMs: number
  maxRemainingMs: number
  /** `performance.now()`: nobody sets it; it may stand still while a machine sleeps. */
  heardAt: number
  /** `Date.now()`: runs on in sleep, but may be set to anything. */
  heardAtWall: number
}

export interface SessionEvents {
  change: Phase
  /** Somebody else has signed in: what the page shows is not theirs. */
  replaced: User
}

/** How long a new cookie may be on its way to the browser, in steps of asking again. */
const COOKIE_UNDER_WAY_MS = [300, 1_500]
const REPORT_AT_MOST_EVERY_MS = 30_000

const isRefusal = (error: unknown): error is Problem =>
  error instanceof Problem && error.status === 401

/** Follows the session of whoever is signed in at Belfry in this browser. */
export class SessionWatch extends Emitter<SessionEvents> {
  readonly api: Api
  session: Session | null = null
  reason: SessionReason | null = null
  deadlines: Deadlines | null = null
  /** The longest idle time seen: the setting, once anything counted as activity. */
  idleMs = 0
  reachable = true
  private current: Phase = 'unknown'
  /** Counts the locks heard of, so that an answer from before one cannot lift it. */
  private locks = 0
  private checkUnderWay: Promise<void> | null = null
  /** Settles when the answer is there that carries this session's new cookie. */
  private newCookie: Promise<unknown> = Promise.resolve()
  private reportedAt = -Infinity

  constructor(baseUrl: string) {
    super()
    this.api = new Api({ baseUrl, onProblem: (problem) => this.refused(problem) })
  }

  get phase(): Phase {
    return this.current
  }

  /** Asks the server how the session stands; nothing is extended by it. */
  check(): Promise<void> {
    this.checkUnderWay ??= this.ask(() => this.present())
      .catch((error: unknown) => {
        if (isRefusal(error)) return this.end(error.reason)
        // Also what a proxy answers for a server that is not there: to be asked again, then.
        this.reachable = false
        this.emit('change', this.current)
      })
      .finally(() => (this.checkUnderWay = null))
    return this.checkUnderWay
  }

  /** Has the page covered until the server has said that it may be shown. */
  async coverAndCheck(): Promise<void> {
    if (this.current === 'active') this.cover('checking')
    await this.check()
  }

  /** Takes over what the server says of the session. */
  adopt(next: Session): void {
    if (this.session && this.session.user.username !== next.user.username) {
      this.cover('checking')
      this.emit('replaced', next.user)
    }
    this.session = next
    this.reason = next.reason
    this.hear(next.idle_remaining_ms, next.max_remaining_ms)
    this.enter(next.state)
  }

  /** Takes in what the stream says of the session. */
  onLock(lock: Lock): void {
    if (lock.state === 'ended') return this.end(lock.reason)
    if (this.current === 'ended' || this.current === 'signed_out') return
    this.hear(lock.idle_remaining_ms, lock.max_remaining_ms)
    if (lock.state === 'locked') {
      this.reason = lock.reason
      this.cover('locked')
      // Whose it is has not been said on the stream.
      if (!this.session) void this.check()
    } else if (this.current !== 'active') {
      // Shown again only by an answer to a question asked now: an event may be old.
      void this.check()
    } else this.emit('change', this.current)
  }

  end(why: SessionReason | null): void {
    if (!this.session) return this.enter('signed_out')
    if (this.current !== 'ended' || why) this.reason = why
    this.cover('ended')
  }

  async unlock(password: string): Promise<void> {
    const answer = this.api.unlock(password)
    this.newCookie = answer.catch(() => null)
    try {
      this.adopt(await answer)
    } catch (error) {
      if (!isRefusal(error) || error.attemptsLeft !== null) throw error
      // Too many wrong ones, or another tab was faster and has the new cookie.
      await this.check()
      if (this.current === 'locked') throw error
    }
  }

  async lock(): Promise<void> {
    if (!this.session) return
    // Covered first: a request that takes its time still hides the page at once.
    this.cover('checking')
    await this.ask(() => this.api.lock()).catch(() => this.check())
  }

  /** The user did something: said at most once in a while, or at once when `urgent`. */
  async active(urgent = false): Promise<void> {
    if (this.current !== 'active') return
    const everyMs = urgent ? 1_000 : Math.min(REPORT_AT_MOST_EVERY_MS, this.idleMs / 4)
    if (performance.now() - this.reportedAt < everyMs) return
    this.reportedAt = performance.now()
    // Not heard: the next input tries again. A refusal is dealt with in `refused`.
    await this.ask(() => this.api.activity()).catch(() => (this.reportedAt = -Infinity))
  }

  /** Asks, and believes the answer unless a lock was heard of meanwhile. */
  private async ask(request: () => Promise<Session>): Promise<void> {
    const before = this.locks
    const answer = await request()
    if (before === this.locks) this.adopt(answer)
    else await this.ask(() => this.present())
  }

  /**
   * Asks for the session. A refusal without a reason is asked about again: a tab that unlocks
   * gets a new cookie, and until its answer is there every other request goes out with the dead one.
   */
  async present(): Promise<Session> {
    await this.newCookie
    for (const waitMs of this.session ? COOKIE_UNDER_WAY_MS : []) {
      try {
        return await this.api.session()
      } catch (error) {
        if (!isRefusal(error) || error.reason) throw error
        await new Promise((resolve) => setTimeout(resolve, waitMs))
      }
    }
    return this.api.session()
  }

  /** Hears of every refusal, whoever asked. */
  private refused(problem: Problem): void {
    if (this.current !== 'active') return
    if (problem.status === 423) {
      this.reason = null
      this.cover('locked')
      void this.check()
    } else if (problem.status === 401) void this.coverAndCheck()
  }

  private hear(idleRemainingMs: number, maxRemainingMs: number): void {
    this.reachable = true
    this.idleMs = Math.max(this.idleMs, idleRemainingMs)
    const now = { heardAt: performance.now(), heardAtWall: Date.now() }
    this.deadlines = { idleRemainingMs, maxRemainingMs, ...now }
  }

  private cover(as: 'checking' | 'locked' | 'ended'): void {
    this.locks++
    this.enter(as)
  }

  private enter(phase: Phase): void {
    this.current = phase
    this.emit('change', phase)
  }
}
