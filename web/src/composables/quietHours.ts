import type { QuietHours, Weekday } from '@client'

export const WEEKDAYS: readonly Weekday[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']

/** What quiet hours begin as: the nights, where the reader is. */
export function nights(): QuietHours {
  return { from: '22:00', to: '07:00', time_zone: ownZone(), days: [...WEEKDAYS] }
}

/** The time zone of this browser, by its IANA name. */
export const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'

/** All zones to choose from, the given ones first, for they are the likely ones. */
export function zones(...first: string[]): string[] {
  return [...new Set([...first, 'UTC', ...Intl.supportedValuesOf('timeZone')])]
}

/** "Mon", "周一": the name of a day of the week in a language. */
export function dayName(day: Weekday, locale: string, weekday: 'short' | 'long'): string {
  // The first of January 2024 was a Monday.
  const date = Date.UTC(2024, 0, 1 + WEEKDAYS.indexOf(day))
  return new Intl.DateTimeFormat(locale, { weekday, timeZone: 'UTC' }).format(date)
}

/** "22:00" as the reader writes a time of day. */
export function timeOfDay(time: string, locale: string): string {
  const options = { hour: 'numeric', minute: '2-digit', timeZone: 'UTC' } as const
  return new Intl.DateTimeFormat(locale, options).format(new Date(`2024-01-01T${time}Z`))
}

/** What is wrong with quiet hours being written; times may be empty in a field half filled in. */
export function quietFault(hours: QuietHours): 'times' | 'days' | null {
  const time = /^([01]\d|2[0-3]):[0-5]\d$/
  if (!time.test(hours.from) || !time.test(hours.to)) return 'times'
  return hours.days.length === 0 ? 'days' : null
}

/** Whether they end on the day after the one on which they began. */
export const overnight = ({ from, to }: QuietHours) => to <= from
