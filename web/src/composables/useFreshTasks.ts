import { useThrottleFn } from '@vueuse/core'
import { onUnmounted } from 'vue'
import { useFreshList } from './useFreshList'
import { useConnection } from '@/stores/connection'
import { useTasks } from '@/stores/tasks'

/** A hundred that end together are one look. */
const AT_MOST_EVERY_MS = 1_000

/** Keeps the tasks fresh. Of those that are for others administrators are told by no event. */
export function useFreshTasks(): void {
  const tasks = useTasks()
  const connection = useConnection()
  useFreshList(tasks)
  const look = useThrottleFn(() => void tasks.load(), AT_MOST_EVERY_MS, true)
  const stops = [connection.on('task', look), connection.on('reset', look)]
  onUnmounted(() => stops.forEach((stop) => stop()))
}
