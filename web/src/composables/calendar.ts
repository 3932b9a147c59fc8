/** At `hour` o'clock of the day that is `days` after the one of `from`. */
export function atHour(hour: number, days: number, from: Date): Date {
  const date = new Date(from)
  date.setDate(date.getDate() + days)
  date.setHours(hour, 0, 0, 0)
  return date
}

/** How many days it is to the next Monday, of which today is none. */
export const daysToMonday = (from: Date) => (8 - from.getDay()) % 7 || 7
