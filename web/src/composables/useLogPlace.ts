import { useEventListener } from '@vueuse/core'
import { onUnmounted, watch } from 'vue'
import { useTaskLog } from '@/stores/taskLog'
import type { useLogRoom } from './useLogRoom'

/** How long one has to stay where nothing is in memory before that is fetched. */
const STAY_MS = 120
/** Nearer to the end than this, in pixels, is at the end. */
const NEAR = 4

/** Holds a log where its reader is, and fetches what comes near as they scroll. */
export function useLogPlace(room: ReturnType<typeof useLogRoom>) {
  const store = useTaskLog()
  const { scroller, line, top } = room
  /** Where the list stands by our own doing, or stood when its reader was last heard of. */
  let expected = 0
  let staying = 0

  /** Brings the list to where its reader is. */
  function hold(): void {
    const [list, { log }] = [scroller.value, store]
    if (!list || !log) return
    const { at, offset } = store.here()
    list.scrollTop = store.following
      ? list.scrollHeight
      : top() + log.find(at).above * line.value + offset
    expected = list.scrollTop
    room.look(list)
  }

  /** Notes where its reader is, where that is in memory. */
  function note(): void {
    const inside = room.scrolled.value - top()
    if (!store.log || inside < 0) return
    const first = Math.floor(inside / line.value)
    const { above, rows } = store.log.between(first, first)
    if (rows[0]) store.note(rows[0].at, inside - above * line.value)
  }

  function onScroll(): void {
    const [list, { log }] = [scroller.value, store]
    if (!list || !log || Math.abs(list.scrollTop - expected) < 1) return
    // Not its reader has moved it: there is more room, or less.
    if (!room.unchanged(list)) return hold()
    const up = list.scrollTop < expected
    expected = list.scrollTop
    room.look(list)
    const left = list.scrollHeight - list.clientHeight - list.scrollTop
    if (up) store.following = false
    else if (left < NEAR && log.to === store.end) return store.follow()
    reach(list.scrollTop - top(), log.lines * line.value, list.clientHeight)
  }

  /** Sees to it that there is something to see at a place within what is in memory, or beyond it. */
  function reach(inside: number, height: number, window: number): void {
    clearTimeout(staying)
    if (inside < -window || inside > height) {
      staying = setTimeout(() => jump(inside, height), STAY_MS) as unknown as number
      return
    }
    note()
    if (inside < 2 * window) void store.loadBefore()
    if (inside > height - 3 * window) void store.loadAfter()
  }

  /** Fetches what is not in memory, and in sight now. */
  function jump(inside: number, height: number): void {
    const { log, end } = store
    if (!log) return
    const [edge, beyond] = inside < 0 ? [log.from, inside] : [log.to, inside - height]
    const at = Math.floor(edge + beyond / room.heightOfByte())
    void store.goTo(Math.max(0, Math.min(at, end - 1)))
  }

  // What was followed until now is where one stays.
  watch(
    () => store.following,
    (following) => !following && note(),
    { flush: 'sync' },
  )
  useEventListener(scroller, 'scroll', onScroll, { passive: true })
  onUnmounted(() => clearTimeout(staying))

  return { hold }
}
