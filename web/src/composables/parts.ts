import { useEventListener } from '@vueuse/core'

/** What could not be fetched, and is tried again by whoever asked for it. */
const expected = new WeakSet<object>()

/** Fetches a part of the page without telling the reader where it does not come: the caller sees to it. */
export async function quietly<T>(fetch: () => Promise<T>): Promise<T> {
  try {
    return await fetch()
  } catch (error) {
    if (typeof error === 'object' && error) expected.add(error)
    throw error
  }
}

/** Fetches a part quietly at first; `tries` failures later the reader is told, once. */
export function patiently<T>(fetch: () => Promise<T>, tries: number): () => Promise<T> {
  let failures = 0
  const count = (error: unknown): never => {
    failures++
    throw error
  }
  return () => (failures === tries ? fetch() : quietly(fetch)).catch(count)
}

/** Tells of parts that did not come: they are gone after an update of the server, or the server is. */
export function useMissingParts(tell: () => void): void {
  useEventListener(window, 'vite:preloadError', ({ payload }) => {
    // Whoever asked hears of it after this, and may have called it expected by then.
    window.setTimeout(() => {
      if (!expected.has(payload)) tell()
    })
  })
}

/** By then a page that was only glanced at is closed, and what it needed at once has long come. */
const SPARE_AFTER_MS = 5_000

/** Fetches parts once the page has had nothing better to do for a while, so that they are there when they are needed. */
export function inSpareTime(fetches: readonly (() => Promise<unknown>)[]): void {
  const run = () => {
    // One that does not come is fetched again when it is needed.
    for (const fetch of fetches) quietly(fetch).catch(() => undefined)
  }
  setTimeout(() => {
    // Safari has no such call.
    if ('requestIdleCallback' in window) window.requestIdleCallback(run, { timeout: 5_000 })
    else run()
  }, SPARE_AFTER_MS)
}
