import { useResizeObserver } from '@vueuse/core'
import { computed, nextTick, ref, shallowRef, watch, type Ref } from 'vue'
import type { Notice } from '@client'
import { useFormat } from './useFormat'
import { useRowPlace } from './useRowPlace'
import { useRowWindow } from './useRowWindow'

const SLIDE_MS = 200

/** The day's name for the first notice of each day, null for the others. */
function useHeadings(items: () => readonly Notice[]) {
  const { day } = useFormat()
  return computed(() => {
    let last = NaN
    return items().map(({ created_at }) => {
      const midnight = new Date(created_at).setHours(0, 0, 0, 0)
      if (midnight === last) return null
      last = midnight
      return day(created_at)
    })
  })
}

/** The rows of a list of any length, of which only those in sight exist. */
export function useNoticeRows(scroller: Ref<HTMLElement | null>, items: () => readonly Notice[]) {
  const headings = useHeadings(items)
  const focused = ref<number | null>(null)
  const arrived = shallowRef<ReadonlySet<number>>(new Set())
  const indexOf = (id: number) => items().findIndex((notice) => notice.id === id)

  const headed = computed(() =>
    headings.value.flatMap((name, index) => (name === null ? [] : [index])),
  )
  const range = useRowWindow(
    scroller,
    () => items().length,
    () => headed.value,
  )
  useResizeObserver(scroller, range.look)

  const place = useRowPlace(scroller, range, items, (notices) => {
    arrived.value = new Set(notices.map(({ id }) => id))
    window.setTimeout(() => (arrived.value = new Set()), SLIDE_MS)
  })
  const rows = computed(() => {
    const { first, end } = range.shown.value
    const indices = Array.from({ length: end - first }, (_, step) => first + step)
    // Whoever has the focus keeps it, however far the list was scrolled.
    const kept = focused.value === null ? -1 : indexOf(focused.value)
    if (kept !== -1 && (kept < first || kept >= end)) indices.push(kept)
    return indices.flatMap((index) => {
      const notice = items()[index]
      const heading = headings.value[index] ?? null
      return notice ? [{ notice, index, start: range.start(index), heading }] : []
    })
  })
  const height = computed(() => range.start(items().length))
  /** The day of the row at the top. */
  const present = computed(
    () => headings.value.slice(0, place.top.value + 1).findLast((name) => name !== null) ?? '',
  )

  /** Gives a row the focus, wherever it is, and has it seen unless `still`. */
  async function focus(id: number, still = false): Promise<void> {
    const index = indexOf(id)
    if (index === -1) return
    focused.value = id
    if (!still) range.reveal(index)
    await nextTick()
    const row = scroller.value?.querySelector<HTMLElement>(`[data-notice="${id}"]`)
    row?.focus({ preventScroll: true })
  }

  // The focus of a row that goes passes to the one after it: whoever reads by key has no other place.
  watch(items, async (now, before) => {
    const had = focused.value
    if (had === null || indexOf(had) !== -1) return
    const at = before.findIndex(({ id }) => id === had)
    if (at === -1) return
    const next = before.slice(at).find(({ id }) => indexOf(id) !== -1) ?? now.at(-1)
    await nextTick()
    if (next && document.activeElement === document.body) void focus(next.id, true)
  })

  function measure(element: unknown, heading: string | null): void {
    if (element instanceof HTMLElement) range.measure(element, heading !== null)
  }

  return { rows, height, present, arrived, focused, measure, focus, ...place }
}
