import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, type EffectScope } from 'vue'
import { aSession, later, ok, serve, type Answer } from '@/testing'
import { useSession } from '@/stores/session'
import { useWake } from './useWake'

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

/** A page that is shown to Ann, whose server takes its time from then on. */
async function shown() {
  const answer = later<Answer>()
  const made = serve({ 'POST /login': () => ok(aSession()), 'GET /session': () => answer.promise })
  const session = useSession()
  await session.signIn('ann', 'pw')
  scope.run(() => useWake())
  const asked = () => made.filter((request) => request === 'GET /session').length
  return { session, answer, asked }
}

const restored = (persisted: boolean) =>
  window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted }))
const slept = (ms: number) => vi.setSystemTime(Date.now() + ms)

describe('a page that is seen again', () => {
  it.each([
    ['is visible', () => document.dispatchEvent(new Event('visibilitychange'))],
    ['has the focus', () => window.dispatchEvent(new Event('focus'))],
    ['has a network', () => window.dispatchEvent(new Event('online'))],
    ['is loaded', () => restored(false)],
  ])('is covered at once where a deadline has passed in its sleep: it %s', async (_what, see) => {
    const { session, answer, asked } = await shown()
    slept(900_000)
    see()
    expect(session.phase).toBe('checking')
    answer.resolve(ok(aSession()))
    await flushPromises()
    expect([session.phase, asked()]).toEqual(['active', 1])
  })

  it('is covered at once where the browser has kept it, however short that was', async () => {
    const { session } = await shown()
    restored(true)
    expect(session.phase).toBe('checking')
  })

  it('stays on show while there is time, and is asked for', async () => {
    const { session, asked } = await shown()
    vi.advanceTimersByTime(1_001)
    window.dispatchEvent(new Event('focus'))
    await flushPromises()
    expect([session.phase, asked()]).toEqual(['active', 1])
  })

  it('asks nothing right after it has heard', async () => {
    const { asked } = await shown()
    window.dispatchEvent(new Event('focus'))
    await flushPromises()
    expect(asked()).toBe(0)
  })

  it('asks nothing once its session is over', async () => {
    const { session, asked } = await shown()
    session.end('max_age')
    slept(900_000)
    window.dispatchEvent(new Event('focus'))
    restored(true)
    await flushPromises()
    expect([session.phase, asked()]).toEqual(['ended', 0])
  })
})
