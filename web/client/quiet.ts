import type { Notice, Preferences, QuietHours, Weekday } from './types'

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

/** As `Date.getUTCDay` counts them. */
const DAYS: readonly Weekday[] = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

/**
 * Whether a notice of that moment is not to pop up, sound or be pushed: its category is muted, or
 * the hours are quiet. A critical one breaks through both. Whether the person wants pop-ups at all
 * is another question. The server decides the same of what it pushes.
 */
export function silences(
  preferences: Pick<Preferences, 'muted' | 'quiet_hours'>,
  notice: Pick<Notice, 'category' | 'severity'>,
  at: Date,
): boolean {
  if (notice.severity === 'critical') return false
  const muted = notice.category !== null && preferences.muted.includes(notice.category)
  return muted || (preferences.quiet_hours !== null && cover(preferences.quiet_hours, at))
}

/**
 * Compares what the clock on the wall shows, or has shown: where it is set back an hour comes twice,
 * and what began or ended in that hour has done so the first time.
 */
function cover({ from, to, time_zone, days }: QuietHours, at: Date): boolean {
  const offsetAt = offsets(time_zone)
  // A zone that this browser does not know: better heard than lost.
  if (!offsetAt) return false
  const wall = furthest(offsetAt, at.getTime())
  const minute = Math.floor((wall % DAY_MS) / MINUTE_MS)
  const weekday = new Date(wall).getUTCDay()
  const begins = (day: number) => days.some((name) => name === DAYS[day % 7])
  const [first, last] = [minuteOf(from), minuteOf(to)]
  if (first < last) return begins(weekday) && first <= minute && minute < last
  return (begins(weekday) && first <= minute) || (begins(weekday + 6) && minute < last)
}

const minuteOf = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3))

type OffsetAt = (ms: number) => number

/** By how many milliseconds the clocks of a zone are ahead of UTC at a moment. */
function offsets(timeZone: string): OffsetAt | null {
  try {
    const format = new Intl.DateTimeFormat('en-US', {
      ...{ timeZone, hourCycle: 'h23', calendar: 'gregory' },
      ...{ year: 'numeric', month: 'numeric', day: 'numeric' },
      ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
    })
    return (ms) => {
      const parts = new Map(format.formatToParts(ms).map(({ type, value }) => [type, +value]))
      const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0
      const [month, hour, minute] = [part('month') - 1, part('hour'), part('minute')]
      const wall = Date.UTC(part('year'), month, part('day'), hour, minute, part('second'))
      return wall - Math.floor(ms / 1_000) * 1_000
    }
  } catch {
    return null
  }
}

/**
 * The latest that the clock on the wall has shown up to a moment, as if it were UTC. After it was
 * set back that is more than it shows, until it has caught up.
 */
function furthest(offsetAt: OffsetAt, at: number): number {
  const now = offsetAt(at)
  let [before, after] = [at - DAY_MS, at]
  if (offsetAt(before) <= now) return at + now
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2)
    if (offsetAt(middle) > now) before = middle
    else after = middle
  }
  return Math.max(at + now, before + offsetAt(before))
}
