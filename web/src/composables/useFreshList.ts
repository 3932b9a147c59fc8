import { useEventListener } from '@vueuse/core'
import { onMounted, watch } from 'vue'
import { useSession } from '@/stores/session'

/**
 * Keeps a list fresh while it is looked at, and away while the page is covered: there is no event of
 * all that changes it, so it is asked for when somebody looks.
 */
export function useFreshList(list: { load: () => Promise<void>; putAway: () => void }): void {
  const session = useSession()

  onMounted(() => list.load())
  useEventListener(window, 'focus', () => void list.load())
  watch(
    () => session.covered,
    (covered) => {
      if (covered) list.putAway()
      else void list.load()
    },
    { flush: 'sync' },
  )
}
