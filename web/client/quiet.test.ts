import { expect, it } from 'vitest'
import { silences } from './quiet'
import cases from './quiet_hours.json'
import type { Preferences, Severity } from './types'

// The same table as the server's: both have to come to the same.
it.each(cases)('$name', ({ preferences, category, severity, at, silent }) => {
  const notice = { category: category || null, severity: severity as Severity }
  expect(silences(preferences as Preferences, notice, new Date(at))).toBe(silent)
})

it('is heard where the zone is not known', () => {
  const quiet_hours = { from: '00:00', to: '00:00', time_zone: 'Mars/Olympus', days: [] }
  const notice = { category: null, severity: 'info' as const }
  expect(silences({ muted: [], quiet_hours }, notice, new Date())).toBe(false)
})
