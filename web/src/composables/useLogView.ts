import { useResizeObserver } from '@vueuse/core'
import { nextTick, onMounted, ref, watch, type Ref } from 'vue'
import { useTaskLog } from '@/stores/taskLog'
import { useLogPlace } from './useLogPlace'
import { useLogRoom } from './useLogRoom'

/** How many letters the probe has. */
export const PROBE = 20

/**
 * Shows the rows of a log that are in sight.
 * @param probe a line of letters, to be measured
 * @param wrap whether long rows go over several lines
 */
export function useLogView(
  scroller: Ref<HTMLElement | null>,
  probe: Ref<HTMLElement | null>,
  wrap: Ref<boolean>,
) {
  const store = useTaskLog()
  const line = ref(20)
  const room = useLogRoom(scroller, line)
  const { hold } = useLogPlace(room)

  /** Takes the height of rows that are there: over how many lines one goes is only guessed before. */
  function measure(): void {
    if (!wrap.value || !store.log || !scroller.value) return
    let wrong = false
    for (const element of scroller.value.querySelectorAll<HTMLElement>('[data-row]')) {
      const row = room.shown.value.rows.find(({ at }) => at === Number(element.dataset.row))
      const lines = Math.round(element.offsetHeight / line.value)
      if (!row || lines < 1 || lines === row.lines) continue
      store.log.measured(row, lines)
      wrong = true
    }
    if (wrong) store.changed()
  }

  /** Takes the measure of the letters, and of how many there is room for. */
  function fit(): void {
    const [list, letters] = [scroller.value, probe.value]
    if (!list || !letters) return
    const { width, height } = letters.getBoundingClientRect()
    if (width === 0) return // not shown
    line.value = height
    const { paddingInlineStart, paddingInlineEnd } = getComputedStyle(list)
    const free = list.clientWidth - parseFloat(paddingInlineStart) - parseFloat(paddingInlineEnd)
    const columns = Math.max(1, Math.floor((free * PROBE) / width))
    store.log?.wrap(wrap.value ? columns : Infinity)
    store.changed()
  }

  watch(() => store.log, fit, { flush: 'post' })
  watch(wrap, () => nextTick(fit))
  watch(
    [() => store.version, room.shown],
    () => {
      measure()
    },
    { flush: 'post' },
  )
  watch(() => store.version, hold, { flush: 'post' })
  useResizeObserver([scroller, probe], fit)
  onMounted(fit)

  return { shown: room.shown }
}
