import { useNow } from '@vueuse/core'
import { ownZone } from './quietHours'
import { useFormat } from './useFormat'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A time to come in words, and as the fields of a form hold it. */
export function useMoment() {
  const { locale } = useFormat()
  const now = useNow({ interval: 15_000 })

  /** "in 3 hours", by the size of what lies between; of what is over, "now". */
  function wait(time: number): string {
    const ahead = Math.max(0, time - now.value.getTime())
    const words = new Intl.RelativeTimeFormat(locale.value, { numeric: 'auto' })
    if (ahead < MINUTE) return words.format(0, 'second')
    if (ahead < HOUR) return words.format(Math.round(ahead / MINUTE), 'minute')
    if (ahead < 2 * DAY) return words.format(Math.round(ahead / HOUR), 'hour')
    return words.format(Math.round(ahead / DAY), 'day')
  }

  /** "Monday, 23 November 2026 at 09:00" */
  const full = (time: string | number) =>
    new Intl.DateTimeFormat(locale.value, { dateStyle: 'full', timeStyle: 'short' }).format(
      new Date(time),
    )

  return { now, wait, full, zone: ownZone().replaceAll('_', ' ') }
}

/** A time as a `datetime-local` field holds it: of the reader's zone, to the minute. */
export function localField(date: Date): string {
  const two = (part: number) => String(part).padStart(2, '0')
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-')
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}`
}
