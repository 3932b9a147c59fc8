import { useNow } from '@vueuse/core'
import { computed } from 'vue'
import { useI18n } from 'vue-i18n'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Times and durations in the reader's language. */
export function useFormat() {
  const { locale: language, t } = useI18n()
  const now = useNow({ interval: 30_000 })

  /** Of English there are many ways to write a date; the browser says which. */
  const locale = computed(
    () =>
      navigator.languages.find((tag) => language.value === 'en' && /^en\b/i.test(tag)) ??
      language.value,
  )

  const format = (options: Intl.DateTimeFormatOptions, time: string | number) =>
    new Intl.DateTimeFormat(locale.value, options).format(new Date(time))

  /** "14:02" */
  const clock = (time: string | number) => format({ hour: 'numeric', minute: '2-digit' }, time)

  /** The exact time, for those who hover and for screen readers. */
  const exact = (time: string | number) => format({ dateStyle: 'full', timeStyle: 'medium' }, time)

  /** "2 min. ago", by the size of what has passed. */
  function relative(time: string): string {
    const passed = Math.max(0, now.value.getTime() - new Date(time).getTime())
    if (passed < MINUTE) return t('day.now')
    const words = new Intl.RelativeTimeFormat(locale.value, { numeric: 'auto', style: 'narrow' })
    if (passed < HOUR) return words.format(-Math.floor(passed / MINUTE), 'minute')
    if (passed < DAY) return words.format(-Math.floor(passed / HOUR), 'hour')
    return format({ month: 'short', day: 'numeric' }, time)
  }

  /** In a list under day headings: how long ago today, the time of day before. */
  function brief(time: string): string {
    const passed = now.value.getTime() - new Date(time).getTime()
    return passed < HOUR ? relative(time) : clock(time)
  }

  /** "Today", "Yesterday", or the date. */
  function day(time: string): string {
    const days = Math.round((midnight(now.value) - midnight(new Date(time))) / DAY)
    if (days <= 0) return t('day.today')
    if (days === 1) return t('day.yesterday')
    const year = new Date(time).getFullYear() === now.value.getFullYear() ? undefined : 'numeric'
    return format({ weekday: 'long', month: 'long', day: 'numeric', year }, time)
  }

  /** A time to come: "18:00" today, else "Mon 09:00" within a week, else with its date. */
  function soon(time: string | number | Date): string {
    const at = new Date(time)
    const days = Math.round((midnight(at) - midnight(now.value)) / DAY)
    if (days === 0) return clock(at.getTime())
    const date =
      days > 0 && days < 7
        ? ({ weekday: 'short' } as const)
        : ({ weekday: 'short', month: 'short', day: 'numeric' } as const)
    return format({ ...date, hour: 'numeric', minute: '2-digit' }, at.getTime())
  }

  /** "15 minutes", rounded to what a person would say. */
  function duration(ms: number): string {
    const [value, unit] =
      ms < MINUTE
        ? [Math.max(1, Math.round(ms / 1000)), 'second']
        : ms < 2 * HOUR
          ? [Math.round(ms / MINUTE), 'minute']
          : [Math.round(ms / HOUR), 'hour']
    const options = { style: 'unit', unit, unitDisplay: 'long' } as const
    return new Intl.NumberFormat(locale.value, options).format(value)
  }

  /** "0:59" */
  function countdown(ms: number): string {
    const seconds = Math.max(0, Math.ceil(ms / 1000))
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
  }

  return { locale, clock, soon, exact, relative, brief, day, duration, countdown }
}

const midnight = (date: Date) => new Date(date).setHours(0, 0, 0, 0)
