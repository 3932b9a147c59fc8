import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { nextTick } from 'vue'
import { useConnection } from '@/stores/connection'
import { useLogSearch } from '@/stores/logSearch'
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
  const [open, close, putAway, retry] = [
    vi.spyOn(log, 'open').mockReturnValue(),
    vi.spyOn(log, 'close').mockReturnValue(),
    vi.spyOn(log, 'putAway').mockReturnValue(),
    vi.spyOn(log, 'retry').mockReturnValue(),
  ]
  const [rest, load] = [
    vi.spyOn(log, 'rest').mockReturnValue(),
    vi.spyOn(log, 'load').mockResolvedValue(),
  ]
  useSession().adopt(aSession())
  const page = show({ setup: () => useTaskPresence(() => 7), render: () => null })
  expect(open).toHaveBeenCalledOnce()
  return { page, rest, load, close, putAway, retry }
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

it('puts the log and what was found in it away with the cover, at once', () => {
  const { page, putAway } = opened('visible')
  const found = vi.spyOn(useLogSearch(), 'putAway')
  useSession().end('max_age')
  expect(putAway).toHaveBeenCalledOnce()
  expect(found).toHaveBeenCalledOnce()
  page.unmount()
})

it('leaves nothing of the log to the page that comes after it', () => {
  const { page, close } = opened('visible')
  page.unmount()
  expect(close).toHaveBeenCalledOnce()
})

it('has the log’s stream try again once the page is live again, unless it rests', async () => {
  const { page, retry } = opened('visible')
  const outage = async () => {
    for (const state of ['stale', 'live'] as const) {
      useConnection().status = { state, since: 0 }
      await nextTick()
    }
  }
  await outage()
  expect(retry).toHaveBeenCalledOnce()
  await turn('hidden')
  await vi.advanceTimersByTimeAsync(60_000)
  await outage()
  expect(retry).toHaveBeenCalledOnce()
  page.unmount()
})
