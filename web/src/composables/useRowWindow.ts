import { computed, ref, type Ref } from 'vue'

/** The heading of a day, in pixels; the list's stylesheet says the same. */
export const HEADING = 33
/** What a row measures before one was seen. */
const ROW = 61
/** Rows beyond the edges that are there already when one scrolls. */
const OVERSCAN = 8

/**
 * Which rows of a long list are in sight. All rows are of one height, whatever it is at this density
 * and zoom, so that where each stands is arithmetic, and one that was seen tells of all.
 * @param headings the indices of the rows that bear a heading, ascending
 */
export function useRowWindow(
  scroller: Ref<HTMLElement | null>,
  count: () => number,
  headings: () => readonly number[],
) {
  const height = ref(ROW)
  const scrolled = ref(0)
  const viewport = ref(0)

  /** Where so many rows and the headings of those up to `last` end, in pixels from the top of the list. */
  function endOf(count: number, last: number): number {
    const above = headings().findLastIndex((headed) => headed <= last) + 1
    return count * height.value + above * HEADING
  }
  /** Where a row begins, with its heading, in pixels from the top of the list; `count` is the end. */
  const start = (index: number) => endOf(index, index - 1)
  /** The same below its heading, which another row may bear after the next change. */
  const body = (index: number) => endOf(index, index)

  /** The row at so many pixels from the top. */
  function indexAt(offset: number): number {
    let [low, high] = [0, Math.max(0, count() - 1)]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (start(middle) <= offset) low = middle
      else high = middle - 1
    }
    return low
  }

  const shown = computed(() => ({
    first: Math.max(0, indexAt(scrolled.value) - OVERSCAN),
    end: Math.min(count(), indexAt(scrolled.value + viewport.value) + 1 + OVERSCAN),
  }))

  /** Notes how far the list was scrolled, and how much of it is to be seen. */
  function look(): void {
    scrolled.value = scroller.value?.scrollTop ?? 0
    viewport.value = scroller.value?.clientHeight ?? 0
  }

  /** Takes the height of a row that is there, its heading included. */
  function measure(element: HTMLElement, headed: boolean): void {
    const seen = element.getBoundingClientRect().height - (headed ? HEADING : 0)
    // Zero is that of a list which is not shown. Rows that differ by a part of a pixel must not
    // have the list drawn anew in turns, without an end.
    if (seen > 0 && Math.abs(seen - height.value) > 0.5) height.value = seen
  }

  /** Scrolls as far as a row needs to be seen whole, below the day that stays at the top. */
  function reveal(index: number): void {
    const list = scroller.value
    if (!list) return
    const [from, to] = [start(index), start(index + 1)]
    if (from - HEADING < list.scrollTop) list.scrollTop = from - HEADING
    else if (to > list.scrollTop + list.clientHeight) list.scrollTop = to - list.clientHeight
    look()
  }

  return { shown, start, body, indexAt, look, measure, reveal }
}
