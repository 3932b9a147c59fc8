import { useEventListener } from '@vueuse/core'
import { onMounted, watch } from 'vue'
import { useSession } from '@/stores/session'

/**
 * Keeps a list fresh while it is looked at: there is no event of all that changes it, so it is asked
 * for when somebody looks, and when a cover that it was put away under is gone.
 */
export function useFreshList(list: { load: () => Promise<void> }): void {
  const session = useSession()

  onMounted(() => list.load())
  useEventListener(window, 'focus', () => void list.load())
  watch(
    () => session.covered,
    (covered) => {
      if (!covered) void list.load()
    },
  )
}
