import { useDocumentVisibility } from '@vueuse/core'
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
  let timer = 0
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
    window.clearTimeout(timer)
    void search.search('')
    log.close()
  })

  async function comeBack(): Promise<void> {
    resting = false
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
    (now, before) => now === 'live' && (before === 'stale' || before === 'offline') && log.retry(),
  )
  watch(visibility, (now) => {
    window.clearTimeout(timer)
    if (now === 'visible') {
      if (resting) void comeBack()
      return
    }
    timer = window.setTimeout(() => {
      resting = true
      log.rest()
    }, HIDDEN_MS)
  })
}
