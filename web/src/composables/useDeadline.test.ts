import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { effectScope, type EffectScope } from 'vue'
import { aSession, ok, serve } from '@/testing'
import { useSession } from '@/stores/session'
import { useDeadline } from './useDeadline'

let scope: EffectScope
beforeEach(() => {
  vi.useFakeTimers()
  setActivePinia(createPinia())
  scope = effectScope()
})
afterEach(() => {
  scope.stop()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

/** A session with this much idle time left out of 100 s, warned of 10 s before. */
const left = (idle: number, max = 1_000_000) =>
  aSession({ idle_remaining_ms: idle, max_remaining_ms: max, warning_ms: 10_000 })

async function watching(answers: () => ReturnType<typeof ok>) {
  const made = serve({ 'POST /login': () => ok(left(100_000)), 'GET /session': answers })
  const session = useSession()
  await session.signIn('ann', 'pw')
  const { warning } = scope.run(() => useDeadline())!
  const pass = async (ms: number) => {
    await vi.advanceTimersByTimeAsync(ms)
    await flushPromises()
  }
  return { session, warning, pass, made }
}

it('warns when the server agrees, and counts down', async () => {
  const { warning, pass } = await watching(() => ok(left(10_000)))
  await pass(89_900)
  expect(warning.value).toBeNull()
  await pass(200)
  expect(warning.value?.kind).toBe('idle')
  await pass(5_000)
  expect(warning.value?.ms).toBeLessThan(5_300)
})

it('does not warn when another tab was busy', async () => {
  const { warning, pass } = await watching(() => ok(left(100_000)))
  await pass(91_000)
  expect(warning.value).toBeNull()
})

it('warns of the longest time too', async () => {
  const { session, warning } = await watching(() => ok(left(10_000)))
  session.adopt(left(100_000, 4_000))
  expect(warning.value?.kind).toBe('max_age')
})

it('stops warning when there is time again', async () => {
  const { session, warning } = await watching(() => ok(left(5_000)))
  session.adopt(left(5_000))
  expect(warning.value).not.toBeNull()
  session.adopt(left(100_000))
  expect(warning.value).toBeNull()
})

it('covers the page when the deadline passes without a word', async () => {
  const { session, pass } = await watching(() => {
    throw new TypeError('offline')
  })
  await pass(99_000)
  expect(session.covered).toBe(false)
  await pass(1_500)
  expect(session.phase).toBe('checking')
})

it('asks the server rarely', async () => {
  const { pass, made } = await watching(() => ok(left(100_000)))
  await pass(85_000)
  expect(made.filter((request) => request === 'GET /session')).toHaveLength(0)
})
