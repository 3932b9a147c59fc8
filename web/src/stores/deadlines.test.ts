import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { aSession } from '@/testing'
import { deadlinesNow, mayHavePassed, nearest, warningWindow } from './deadlines'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('counts down to the nearer deadline', () => {
  const deadlines = deadlinesNow(10_000, 60_000)
  vi.advanceTimersByTime(4_000)
  expect(nearest(deadlines)).toEqual({ kind: 'idle', ms: 6_000 })
  expect(nearest(deadlinesNow(10_000, 9_000))).toEqual({ kind: 'max_age', ms: 9_000 })
})

it('is not fooled by a clock on the wall that is set back', () => {
  const deadlines = deadlinesNow(10_000, 60_000)
  vi.advanceTimersByTime(11_000)
  vi.setSystemTime(Date.now() - 3_600_000)
  expect(mayHavePassed(deadlines)).toBe(true)
})

it('suspects a deadline that passed while the machine slept', () => {
  const deadlines = deadlinesNow(10_000, 60_000)
  vi.advanceTimersByTime(1_000)
  expect(mayHavePassed(deadlines)).toBe(false)
  vi.setSystemTime(Date.now() + 3_600_000)
  expect(mayHavePassed(deadlines)).toBe(true)
})

it('never warns longer than half of the idle time', () => {
  expect(warningWindow(aSession({ warning_ms: 60_000 }), 900_000)).toBe(60_000)
  expect(warningWindow(aSession({ warning_ms: 60_000 }), 10_000)).toBe(5_000)
})
