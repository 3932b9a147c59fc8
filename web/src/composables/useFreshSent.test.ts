import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { defineComponent, type VNode } from 'vue'
import { useFreshSent } from './useFreshSent'
import { useSent } from '@/stores/sent'
import { useSession } from '@/stores/session'
import { aNotice, aSession, ok, refuse, serve, show, type Answer } from '@/testing'

const NOW = '2026-06-01T12:00:00Z'
const Page = defineComponent({
  setup: () => (useFreshSent(), (): VNode[] => []),
})

beforeEach(() => {
  setActivePinia(createPinia())
  vi.useFakeTimers({ now: Date.parse(NOW) })
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

it('asks for one that is due until it is out, also where the server was away meanwhile', async () => {
  const waiting = { ...aNotice(1), cursor: null, deliver_at: '2026-06-01T12:00:10Z' }
  const page = (item: object): Answer => ok({ items: [item], next_before: null })
  let answer = page(waiting)
  const made = serve({ 'GET /notices/sent': () => answer })
  useSession().adopt(aSession())
  const view = show(Page)
  await vi.advanceTimersByTimeAsync(9_000)
  expect(made).toHaveLength(1)
  answer = refuse(503, 'unavailable')
  await vi.advanceTimersByTimeAsync(10_000)
  answer = page(aNotice(1))
  await vi.advanceTimersByTimeAsync(10_000)
  expect(useSent().items[0]?.cursor).toBe('e-1')
  const asked = made.length
  await vi.advanceTimersByTimeAsync(60_000)
  expect(made).toHaveLength(asked)
  view.unmount()
})
