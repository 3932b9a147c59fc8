import { useEventListener, useThrottleFn } from '@vueuse/core'
import { onMounted, onUnmounted, watch } from 'vue'
import { useConnection } from '@/stores/connection'
import { useSession } from '@/stores/session'
import { useTasks } from '@/stores/tasks'

/** A hundred that end together are one look. */
const AT_MOST_EVERY_MS = 1_000

/** Keeps the tasks fresh while they are looked at, and away while the page is covered. */
export function useFreshTasks(): void {
  const session = useSession()
  const tasks = useTasks()
  const connection = useConnection()
  const look = useThrottleFn(() => void tasks.load(), AT_MOST_EVERY_MS, true)

  onMounted(() => tasks.load())
  const stops = [connection.on('task', look), connection.on('reset', look)]
  onUnmounted(() => stops.forEach((stop) => stop()))
  // Of those that are for others administrators are told by no event.
  useEventListener(window, 'focus', () => void tasks.load())

  watch(
    () => session.covered,
    (covered) => {
      if (covered) tasks.putAway()
      else void tasks.load()
    },
    { flush: 'sync' },
  )
}
