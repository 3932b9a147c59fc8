import type { Session } from '@client'

/** What the server last said about the time left, and when it was heard on two clocks. */
export interface Deadlines {
  idleRemainingMs: number
  maxRemainingMs: number
  /** `performance.now()`: nobody sets it, so countdowns use it; it may stand still in sleep. */
  heardAt: number
  /** `Date.now()`: runs on in sleep, but may be set to anything. */
  heardAtWall: number
}

export interface Remaining {
  kind: 'idle' | 'max_age'
  ms: number
}

export function deadlinesNow(idleRemainingMs: number, maxRemainingMs: number): Deadlines {
  return {
    idleRemainingMs,
    maxRemainingMs,
    heardAt: performance.now(),
    heardAtWall: Date.now(),
  }
}

/** The nearer deadline and the time left to it; the longest time wins a tie, for it ends more. */
export function nearest(deadlines: Deadlines, now = performance.now()): Remaining {
  const passed = now - deadlines.heardAt
  const idle = deadlines.idleRemainingMs < deadlines.maxRemainingMs
  return idle
    ? { kind: 'idle', ms: deadlines.idleRemainingMs - passed }
    : { kind: 'max_age', ms: deadlines.maxRemainingMs - passed }
}

/** True when a deadline has passed by either clock: the safe guess after a sleep. */
export function mayHavePassed(deadlines: Deadlines): boolean {
  const left = Math.min(deadlines.idleRemainingMs, deadlines.maxRemainingMs)
  return nearest(deadlines).ms <= 0 || Date.now() - deadlines.heardAtWall >= left
}

/**
 * How long before the nearest deadline to warn.
 * @param idleMs the idle setting as far as it is known
 */
export function warningWindow(session: Session, idleMs: number): number {
  return Math.min(session.warning_ms, idleMs / 2)
}
