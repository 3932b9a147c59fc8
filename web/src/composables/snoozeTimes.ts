import { atHour, daysToMonday } from './calendar'

export type SnoozeName = 'later' | 'tomorrow' | 'week'

export interface SnoozeTime {
  name: SnoozeName
  at: Date
}

const LATER_HOURS = 3
const MORNING_HOUR = 9

/** What is offered to put a notice off until. */
export function snoozeTimes(now: Date): SnoozeTime[] {
  const later = new Date(now.getTime() + LATER_HOURS * 3_600_000)
  later.setMinutes(0, 0, 0)
  const toMonday = daysToMonday(now)
  return [
    // Late in the evening there is no later today.
    ...(later.getDate() === now.getDate() ? [{ name: 'later' as const, at: later }] : []),
    { name: 'tomorrow', at: atHour(MORNING_HOUR, 1, now) },
    // On a Sunday tomorrow is next week already.
    ...(toMonday > 1 ? [{ name: 'week' as const, at: atHour(MORNING_HOUR, toMonday, now) }] : []),
  ]
}
