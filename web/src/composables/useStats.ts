import type { Moment } from '@client'
import { useDocumentVisibility } from '@vueuse/core'
import { onUnmounted, ref, shallowRef, watch } from 'vue'
import { useSession } from '@/stores/session'

/** As many seconds as the server keeps for whoever begins to look. */
const KEPT = 300
/** The browser gives up on a stream that is refused; a proxy refuses for as long as it finds no server. */
const TRY_AGAIN_MS = 5_000

/** How all nodes are, second by second, for as long as somebody looks. */
export function useStats() {
  const session = useSession()
  const visibility = useDocumentVisibility()
  const moments = shallowRef<Moment[]>([])
  const live = ref(false)
  let source: EventSource | null = null
  let timer = 0

  /** Takes in what is new: a stream that begins anew tells all that is kept once more. */
  function take(told: readonly Moment[]): void {
    const last = moments.value.at(-1)?.at ?? ''
    const fresh = told.filter(({ at }) => at > last)
    if (fresh.length > 0) moments.value = [...moments.value, ...fresh].slice(-KEPT)
    live.value = true
  }

  function open(): void {
    source = new EventSource('/sse/stats', { withCredentials: true })
    source.addEventListener('stats', ({ data }: MessageEvent<string>) =>
      take((JSON.parse(data) as { moments: Moment[] }).moments),
    )
    source.addEventListener('error', () => {
      live.value = false
      if (source?.readyState !== EventSource.CLOSED) return
      close()
      timer = window.setTimeout(open, TRY_AGAIN_MS)
    })
  }

  function close(): void {
    window.clearTimeout(timer)
    source?.close()
    source = null
    live.value = false
  }

  // Nobody looks at a page that is hidden or covered, and without HTTP/2 a browser has but six connections to a site.
  watch(
    () => visibility.value === 'visible' && !session.covered,
    (seen) => (seen ? open() : close()),
    { immediate: true },
  )
  onUnmounted(close)

  return { moments, live }
}
