import { useEventListener } from '@vueuse/core'
import { mayHavePassed } from '@/stores/deadlines'
import { useSession } from '@/stores/session'

const FRESH_MS = 1_000

/**
 * Looks at the session whenever the page comes back to someone's eyes. Where a
 * deadline may have passed meanwhile, the page is covered before it is painted.
 */
export function useWake(): void {
  const session = useSession()

  function look(restored = false): void {
    const { deadlines, phase } = session
    if (!deadlines || phase === 'signed_out' || phase === 'ended') return
    if (restored || mayHavePassed(deadlines)) void session.coverAndCheck()
    else if (performance.now() - deadlines.heardAt > FRESH_MS) void session.check()
  }

  useEventListener(document, 'visibilitychange', () => {
    if (document.visibilityState === 'visible') look()
  })
  useEventListener(window, 'focus', () => look())
  // A page restored from the browser's cache shows what it showed, however long ago.
  useEventListener(window, 'pageshow', (event) => look(event.persisted))
  useEventListener(window, 'online', () => look())
}
