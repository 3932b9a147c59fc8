import { expect, it } from 'vitest'
import { isSnoozeTime } from './snoozeLimit'
import { snoozeTimes } from './snoozeTimes'
import { localField } from './useMoment'

const offered = (now: string) =>
  snoozeTimes(new Date(now)).map(({ name, at }) => `${name} ${localField(at)}`)

it.each([
  // A Wednesday.
  [
    '2026-11-18T10:20',
    ['later 2026-11-18T13:00', 'tomorrow 2026-11-19T09:00', 'week 2026-11-23T09:00'],
  ],
  [
    '2026-11-18T20:59',
    ['later 2026-11-18T23:00', 'tomorrow 2026-11-19T09:00', 'week 2026-11-23T09:00'],
  ],
  ['2026-11-18T21:00', ['tomorrow 2026-11-19T09:00', 'week 2026-11-23T09:00']],
  [
    '2026-11-18T00:05',
    ['later 2026-11-18T03:00', 'tomorrow 2026-11-19T09:00', 'week 2026-11-23T09:00'],
  ],
  // Sunday, and Monday.
  ['2026-11-22T22:00', ['tomorrow 2026-11-23T09:00']],
  ['2026-11-23T22:00', ['tomorrow 2026-11-24T09:00', 'week 2026-11-30T09:00']],
  // The last day of a year.
  ['2026-12-31T22:00', ['tomorrow 2027-01-01T09:00', 'week 2027-01-04T09:00']],
])('at %s', (now, wanted) => {
  expect(offered(now)).toEqual(wanted)
})

it.each([
  ['2026-11-18T10:00', false],
  ['2026-11-18T10:01', true],
  ['2027-11-18T09:59', true],
  ['2027-11-18T10:00', false],
  ['nonsense', false],
])('until %s: %s', (at, fits) => {
  expect(isSnoozeTime(new Date(at), new Date('2026-11-18T10:00'))).toBe(fits)
})
