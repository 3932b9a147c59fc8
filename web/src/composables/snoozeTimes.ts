export type SnoozeName = 'later' | 'tomorrow' | 'week'

export interface SnoozeTime {
  name: SnoozeName
  at: Date
}

const LATER_HOURS = 3
const MORNING_HOUR = 9
const MONDAY = 1
/** The server's own limit. */
const MOST_DAYS = 365

/** The morning of a day, by the clock on the reader's wall, whatever the hour is worth that day. */
function morning(now: Date, daysAhead: number): Date {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + daysAhead, MORNING_HOUR)
}

/** What is offered to put a notice off until. */
export function snoozeTimes(now: Date): SnoozeTime[] {
  const later = new Date(now.getTime() + LATER_HOURS * 3_600_000)
  later.setMinutes(0, 0, 0)
  const toMonday = (MONDAY - now.getDay() + 7) % 7 || 7
  return [
    // Late in the evening there is no later today.
    ...(later.getDate() === now.getDate() ? [{ name: 'later' as const, at: later }] : []),
    { name: 'tomorrow', at: morning(now, 1) },
    // On a Sunday tomorrow is next week already.
    ...(toMonday > 1 ? [{ name: 'week' as const, at: morning(now, toMonday) }] : []),
  ]
}

/** Whether the server would take a time. */
export function isSnoozeTime(at: Date, now: Date): boolean {
  const ahead = at.getTime() - now.getTime()
  return ahead > 0 && ahead < MOST_DAYS * 24 * 3_600_000
}

/** A time as `datetime-local` fields write it, on the reader's clock. */
export function toField(at: Date): string {
  const two = (n: number) => String(n).padStart(2, '0')
  const date = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('-')
  return `${date}T${two(at.getHours())}:${two(at.getMinutes())}`
}
