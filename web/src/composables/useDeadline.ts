import { computed, onScopeDispose, ref, watch, type ComputedRef } from 'vue'
import { nearest, warningWindow, type Remaining } from '@/stores/deadlines'
import { useSession } from '@/stores/session'

const TICK_MS = 250
const SLACK_MS = 500
/** Timers hold at most 2^31 - 1 ms; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * Watches the session's deadlines: asks the server when the time for a warning
 * has come, and covers the page when a deadline passes without its word.
 * @returns what runs out, and how long it takes, while a warning is due
 */
export function useDeadline(): { warning: ComputedRef<Remaining | null> } {
  const session = useSession()
  const now = ref(performance.now())
  let timer = 0

  const windowMs = computed(() =>
    session.session ? warningWindow(session.session, session.idleMs) : 0,
  )

  const warning = computed<Remaining | null>(() => {
    const { deadlines, phase } = session
    if (!deadlines || phase !== 'active') return null
    const left = nearest(deadlines, Math.max(now.value, deadlines.heardAt))
    if (left.ms > windowMs.value) return null
    // Other tabs may have been busy: without the server's word from within the
    // window there is nothing to warn of, unless nobody can ask it.
    const heard = nearest(deadlines, deadlines.heardAt).ms <= windowMs.value + SLACK_MS
    return heard || !session.reachable ? left : null
  })

  function tick(): void {
    window.clearTimeout(timer)
    now.value = performance.now()
    const { deadlines, phase } = session
    if (!deadlines || phase !== 'active') return
    const { ms } = nearest(deadlines)
    if (ms <= 0) {
      void session.coverAndCheck()
      return
    }
    const untilWarning = ms - windowMs.value
    if (untilWarning > 0) {
      timer = window.setTimeout(
        () => {
          tick()
          void session.check()
        },
        Math.min(untilWarning + 1, LONGEST_TIMER_MS),
      )
    } else timer = window.setTimeout(tick, Math.min(TICK_MS, ms))
  }

  watch([() => session.deadlines, () => session.phase], tick, { immediate: true })
  onScopeDispose(() => window.clearTimeout(timer))

  return { warning }
}
