import { ref, watch, type Ref } from 'vue'
import type { Notice } from '@client'
import type { useRowWindow } from './useRowWindow'

/** Nearer to the top than this, what is new is to be seen at once. */
const TOP = 8
/** If the row at the top goes, one of these holds the list. */
const HOLDERS = 20

interface Place {
  ids: number[]
  /** How much of the first is out of sight, less its heading, in pixels: negative while that can be seen. */
  offset: number
}

const atTop = (list: HTMLElement) => list.scrollTop < TOP

/**
 * Holds a list where its reader looks: what comes or goes above is made up for, unless they are at
 * the top.
 * @param arrived is told of those that came while the reader was at the top
 */
export function useRowPlace(
  scroller: Ref<HTMLElement | null>,
  range: ReturnType<typeof useRowWindow>,
  items: () => readonly Notice[],
  arrived: (notices: readonly Notice[]) => void,
) {
  /** How many came in above what is in sight. */
  const fresh = ref(0)
  const top = ref(0)
  /** What was noted last, and how far the list was scrolled then. */
  let place: Place = { ids: [], offset: 0 }
  let scrolled = 0
  /** On the way to the top, where what is new is. */
  let rising = false

  const indexOf = (id: number) => items().findIndex((notice) => notice.id === id)

  /** Notes which row is at the top. */
  function note(): void {
    const list = scroller.value
    if (!list) return
    range.look()
    const first = range.indexAt(list.scrollTop)
    top.value = first
    if (atTop(list)) fresh.value = 0
    // Whoever scrolls down has left the way up. Not every browser says that a glide has ended.
    rising &&= !atTop(list) && list.scrollTop <= scrolled
    const holders = items().slice(first, first + HOLDERS)
    place = { ids: holders.map(({ id }) => id), offset: list.scrollTop - range.body(first) }
    scrolled = list.scrollTop
  }

  /**
   * Where the reader is, null at the top and on the way there: to hold the list would end the way.
   * The browser tells of scrolling only with its next frame: what changes before that must not take
   * them back.
   */
  function here(): Place | null {
    const list = scroller.value
    if (!list || rising || atTop(list)) return null
    return { ...place, offset: place.offset + list.scrollTop - scrolled }
  }

  function goTo(wanted: Place | null): void {
    const id = wanted?.ids.find((one) => indexOf(one) !== -1)
    if (!wanted || id === undefined || !scroller.value) return
    scroller.value.scrollTop = range.body(indexOf(id)) + wanted.offset
  }

  let held: Place | null = null
  watch(items, (now, before) => {
    held = here() // before the document changes
    const newest = before[0]
    const added = newest ? now.findIndex(({ id }) => id === newest.id) : 0
    if (added <= 0) return
    if (held) fresh.value += added
    else arrived(now.slice(0, added))
  })
  watch(items, () => (goTo(held), note()), { flush: 'post' })

  /** Glides to what is new. */
  function rise(): void {
    rising = true
    scroller.value?.addEventListener('scrollend', () => (rising = false), { once: true })
    scroller.value?.scrollTo({ top: 0, behavior: 'smooth' })
  }

  /** Gives what brings the list back to where it is, once it was emptied and filled again. */
  function remember(): () => void {
    const kept = here()
    return () => goTo(kept)
  }

  return { fresh, top, note, rise, remember }
}
