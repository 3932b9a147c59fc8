import { nextTick, watch, type Ref } from 'vue'
import { useSession } from '@/stores/session'

/**
 * Brings an element back to where it stood before the page was covered, when what it shows was put
 * away meanwhile and is there again. It is dropped where nothing was put away.
 * @param remember is called right before the cover and gives what restores the place
 */
export function useKeptPlace(
  element: Readonly<Ref<HTMLElement | null>>,
  filled: () => boolean,
  remember: (element: HTMLElement) => () => void = scrolledBack,
): void {
  const session = useSession()
  let restore: (() => void) | null = null
  watch(
    () => session.covered,
    (covered) => {
      if (covered && element.value && filled()) restore = remember(element.value)
      else if (!covered && filled()) restore = null // it never went away
    },
    { flush: 'sync' },
  )
  watch(filled, async (full) => {
    if (!full || session.covered) return
    await nextTick()
    restore?.()
    restore = null
  })
}

function scrolledBack(element: HTMLElement): () => void {
  const top = element.scrollTop
  return () => element.scrollTo(0, top)
}
