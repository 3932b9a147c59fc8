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
    const row = room.topmost()
    if (row) store.note(row.at, row.hidden)
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
  function reach(inside: number, height: number, page: number): void {
    clearTimeout(staying)
    if (inside < -page || inside > height) {
      staying = window.setTimeout(() => store.goTo(room.byteBeyond(inside)), STAY_MS)
      return
    }
    note()
    if (inside < 2 * page) void store.loadBefore()
    if (inside > height - 3 * page) void store.loadAfter()
  }

  // What the reader scrolled before, and what is only heard of now, must not undo where they went since.
  watch(
    () => store.moves,
    () => {
      clearTimeout(staying)
      expected = scroller.value?.scrollTop ?? 0
    },
    { flush: 'sync' },
  )
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
