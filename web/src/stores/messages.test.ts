import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { useMessages } from './messages'

beforeEach(() => {
  vi.useFakeTimers()
  setActivePinia(createPinia())
})
afterEach(() => void vi.useRealTimers())

it('goes by itself, each after its own time', () => {
  const messages = useMessages()
  messages.say('Archived “1”')
  vi.advanceTimersByTime(7_000)
  messages.say('Archived “2”')
  vi.advanceTimersByTime(7_000)
  expect(messages.current?.text).toBe('Archived “2”')
  vi.advanceTimersByTime(1_000)
  expect(messages.current).toBeNull()
})

it('is gone when it is sent away, and takes nothing of the next along', () => {
  const messages = useMessages()
  messages.say('Archived “1”')
  vi.advanceTimersByTime(7_000)
  messages.dismiss()
  expect(messages.current).toBeNull()
  messages.say('Archived “2”')
  vi.advanceTimersByTime(2_000)
  expect(messages.current?.text).toBe('Archived “2”')
})
