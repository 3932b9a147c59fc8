import { useEventListener } from '@vueuse/core'
import { onMounted, onUnmounted, watch } from 'vue'
import { nextDue, useSent } from '@/stores/sent'
import { useSession } from '@/stores/session'

/** How long after its time a scheduled one is surely out. */
const RELEASED_MS = 2_000
/** The longest that a browser's timer can wait. */
const LONGEST_MS = 2 ** 31 - 1

/** Keeps the sent messages fresh while they are looked at, and away while the page is covered. */
export function useFreshSent(): void {
  const session = useSession()
  const sent = useSent()
  let timer = 0

  // Who has read what is told by no event, so it is asked for when somebody looks.
  onMounted(() => sent.load())
  useEventListener(window, 'focus', () => void sent.load())

  watch(
    () => session.covered,
    (covered) => {
      if (covered) sent.putAway()
      else void sent.load()
    },
    { flush: 'sync' },
  )

  /** Looks again once the next scheduled one is out. */
  watch(
    () => sent.items,
    (items) => {
      window.clearTimeout(timer)
      const wait = Math.max(0, nextDue(items) - Date.now()) + RELEASED_MS
      if (wait < LONGEST_MS) timer = window.setTimeout(() => void sent.load(), wait)
    },
    { immediate: true },
  )
  onUnmounted(() => window.clearTimeout(timer))
}
