import { useEventListener, useIntervalFn } from '@vueuse/core'
import { onMounted, watch } from 'vue'
import { nextDue, useSent } from '@/stores/sent'
import { useSession } from '@/stores/session'

/** How often is asked whether one that is due is out. */
const ASK_EVERY_MS = 2_000

/** Keeps the sent messages fresh while they are looked at, and away while the page is covered. */
export function useFreshSent(): void {
  const session = useSession()
  const sent = useSent()

  // Who has read what is told by no event, so it is asked for when somebody looks.
  onMounted(() => sent.load())
  useEventListener(window, 'focus', () => void sent.load())
  useIntervalFn(() => {
    if (nextDue(sent.items) <= Date.now()) void sent.load()
  }, ASK_EVERY_MS)

  watch(
    () => session.covered,
    (covered) => {
      if (covered) sent.putAway()
      else void sent.load()
    },
    { flush: 'sync' },
  )
}
