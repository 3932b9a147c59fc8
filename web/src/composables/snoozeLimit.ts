/** The server's own limit. */
const MOST_DAYS = 365

/** Whether the server would take a time. */
export function isSnoozeTime(at: Date, now: Date): boolean {
  const ahead = at.getTime() - now.getTime()
  return ahead > 0 && ahead < MOST_DAYS * 24 * 3_600_000
}
