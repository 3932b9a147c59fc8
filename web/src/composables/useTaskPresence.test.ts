import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { nextTick } from 'vue'
import { useSession } from '@/stores/session'
import { useTaskLog } from '@/stores/taskLog'
import { aSession, serve, show } from '@/testing'
import { useTaskPresence } from './useTaskPresence'

let seen: DocumentVisibilityState

beforeEach(() => {
  setActivePinia(createPinia())
  vi.useFakeTimers()
  vi.spyOn(document, 'visibilityState', 'get').mockImplementation(() => seen)
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

async function turn(to: DocumentVisibilityState): Promise<void> {
  seen = to
  document.dispatchEvent(new Event('visibilitychange'))
  await nextTick()
}

/** The page of a task, and how often its log was let go and had back. */
function opened(at: DocumentVisibilityState) {
  seen = at
  serve({})
  const log = useTaskLog()
  const [open, rest, load] = [
    vi.spyOn(log, 'open').mockReturnValue(),
    vi.spyOn(log, 'rest').mockReturnValue(),
    vi.spyOn(log, 'load').mockResolvedValue(),
  ]
  useSession().adopt(aSession())
  const page = show({ setup: () => useTaskPresence(() => 7), render: () => null })
  expect(open).toHaveBeenCalledOnce()
  return { page, rest, load }
}

it('lets the log of a page go that nobody sees, and has it back', async () => {
  const { page, rest, load } = opened('visible')
  await vi.advanceTimersByTimeAsync(120_000)
  expect(rest).not.toHaveBeenCalled()
  await turn('hidden')
  await vi.advanceTimersByTimeAsync(59_000)
  expect(rest).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(rest).toHaveBeenCalledOnce()
  await turn('visible')
  expect(load).toHaveBeenCalledOnce()
  page.unmount()
})

it('keeps the log of a page that was out of sight for a moment', async () => {
  const { page, rest, load } = opened('visible')
  await turn('hidden')
  await vi.advanceTimersByTimeAsync(30_000)
  await turn('visible')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(rest).not.toHaveBeenCalled()
  expect(load).not.toHaveBeenCalled()
  page.unmount()
})

it('lets the log go of a page that was opened, or uncovered, where nobody sees it', async () => {
  const { page, rest, load } = opened('hidden')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(rest).toHaveBeenCalledOnce()
  const session = useSession()
  session.adopt(aSession({ state: 'locked', reason: 'remote' }))
  session.adopt(aSession())
  expect(load).toHaveBeenCalledOnce()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(rest).toHaveBeenCalledTimes(2)
  page.unmount()
})
