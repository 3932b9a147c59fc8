import type { Task } from '@client'
import { useNow } from '@vueuse/core'
import { useFormat } from './useFormat'

const UNITS = [
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const

/** How long tasks take, and how long their logs are, in the reader's language. */
export function useTaskTimes() {
  const { locale } = useFormat()
  const now = useNow({ interval: 1_000 })

  const format = (value: number, unit: string, more: Intl.NumberFormatOptions = {}) =>
    new Intl.NumberFormat(locale.value, {
      ...{ style: 'unit', unit, unitDisplay: 'narrow' },
      ...more,
    }).format(value)

  /** "2h 5m", "3m 12s", "8s": the two largest units of what passed, or has until now. */
  function took({ created_at, ended_at }: Task): string {
    const end = ended_at === null ? now.value.getTime() : Date.parse(ended_at)
    let seconds = Math.max(0, Math.round((end - Date.parse(created_at)) / 1_000))
    const parts: string[] = []
    for (const [unit, size] of UNITS) {
      const value = Math.floor(seconds / size)
      if (value > 0 || (unit === 'second' && parts.length === 0)) parts.push(format(value, unit))
      seconds -= value * size
    }
    return parts.slice(0, 2).join(' ')
  }

  /** "14.2 MB" */
  function size(bytes: number): string {
    const [value, unit] =
      bytes < 1_000
        ? [bytes, 'byte']
        : bytes < 1_000_000
          ? [bytes / 1_000, 'kilobyte']
          : [bytes / 1_000_000, 'megabyte']
    return format(value, unit, {
      unitDisplay: 'short',
      maximumFractionDigits: bytes < 1_000 ? 0 : 1,
    })
  }

  return { took, size }
}
