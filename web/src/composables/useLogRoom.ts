import { computed, ref, type Ref } from 'vue'
import { useTaskLog } from '@/stores/taskLog'

/** Rows beyond the edges that are there already when one scrolls. */
const OVERSCAN = 10
/** As high as what is not in memory may be drawn: browsers have a limit to that. */
const MOST_PIXELS = 6_000_000

/**
 * How a log is laid out: what is in memory line by line, and what lies before and after it as empty
 * room, in proportion to its bytes.
 * @param line the height of a line, in pixels
 */
export function useLogRoom(scroller: Ref<HTMLElement | null>, line: Ref<number>) {
  const store = useTaskLog()
  const scrolled = ref(0)
  const viewport = ref({ width: 0, height: 0 })

  /** How high a byte is that is not in memory. */
  function heightOfByte(): number {
    const { log, end } = store
    if (!log || log.to === log.from) return 0
    return Math.min((log.lines * line.value) / (log.to - log.from), MOST_PIXELS / end)
  }

  /** Where what is in memory begins, in pixels. */
  const top = () => (store.log?.from ?? 0) * heightOfByte()

  /** The byte that is drawn at a place above or below what is in memory, in pixels from its top. */
  function byteBeyond(inside: number): number {
    const { log, end } = store
    if (!log) return 0
    const height = log.lines * line.value
    const [edge, beyond] = inside < 0 ? [log.from, inside] : [log.to, inside - height]
    return Math.max(0, Math.min(Math.floor(edge + beyond / heightOfByte()), end - 1))
  }

  /** The row at the top, where it is in memory, and how much of it is out of sight. */
  function topmost(): { at: number; hidden: number } | undefined {
    const inside = scrolled.value - top()
    if (!store.log || inside < 0) return
    const first = Math.floor(inside / line.value)
    const { above, rows } = store.log.between(first, first)
    return rows[0] && { at: rows[0].at, hidden: inside - above * line.value }
  }

  /** The rows in sight, and how much room there is above and below them. */
  const shown = computed(() => {
    void store.version
    const { log, end } = store
    if (!log) return { rows: [], above: 0, below: 0 }
    const first = Math.floor((scrolled.value - top()) / line.value) - OVERSCAN
    const count = Math.ceil(viewport.value.height / line.value) + 2 * OVERSCAN
    const { above, rows } = log.between(first, first + count)
    const below = log.lines - above - rows.reduce((sum, row) => sum + row.lines, 0)
    const beyond = Math.max(0, end - log.to) * heightOfByte()
    return { rows, above: top() + above * line.value, below: below * line.value + beyond }
  })

  /** Notes how far the list was scrolled, and how much of it is to be seen. */
  function look({ scrollTop, clientWidth: width, clientHeight: height }: HTMLElement): void {
    scrolled.value = scrollTop
    const { value: before } = viewport
    if (before.width !== width || before.height !== height) viewport.value = { width, height }
  }

  /** Whether there is as much room as when one looked last. */
  const unchanged = ({ clientWidth, clientHeight }: HTMLElement) =>
    clientWidth === viewport.value.width && clientHeight === viewport.value.height

  return { scroller, line, shown, scrolled, top, topmost, byteBeyond, look, unchanged }
}
