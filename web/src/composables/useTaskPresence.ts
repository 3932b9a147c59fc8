import { useDocumentVisibility, useTimeoutFn } from '@vueuse/core'
import { onUnmounted, watch } from 'vue'
import { useConnection } from '@/stores/connection'
import { useLogSearch } from '@/stores/logSearch'
import { useSession } from '@/stores/session'
import { useTaskLog } from '@/stores/taskLog'

/**
 * How long nobody may see the page before its stream ends: without HTTP/2 a browser has six
 * connections for all tabs of a site.
 */
const HIDDEN_MS = 60_000

/** Has a task's log there while the page may be seen, and what is asked of it. */
export function useTaskPresence(id: () => number): void {
  const session = useSession()
  const log = useTaskLog()
  const search = useLogSearch()
  const connection = useConnection()
  const visibility = useDocumentVisibility()
  const rest = useTimeoutFn(
    () => {
      resting = true
      log.rest()
    },
    HIDDEN_MS,
    { immediate: false },
  )
  let resting = false

  watch(
    id,
    (next) => {
      void search.search('')
      log.open(next)
    },
    { immediate: true },
  )
  onUnmounted(() => {
    void search.search('')
    log.close()
  })

  async function comeBack(): Promise<void> {
    resting = false
    if (visibility.value !== 'visible') rest.start()
    await log.load()
    if (search.query && log.log) await search.search(search.query, false)
  }

  watch(
    () => session.covered,
    (covered) => {
      if (!covered) return void comeBack()
      search.putAway()
      log.putAway()
    },
    { flush: 'sync' },
  )
  // The page was cut off and is not any more: the log's stream was, too.
  watch(
    () => connection.status.state,
    (now, before) =>
      now === 'live' && (before === 'stale' || before === 'offline') && !resting && log.retry(),
  )
  watch(
    visibility,
    (now) => {
      if (now !== 'visible') return void rest.start()
      rest.stop()
      if (resting) void comeBack()
    },
    { immediate: true },
  )
}
