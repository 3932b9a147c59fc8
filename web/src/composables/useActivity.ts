import { useEventListener } from '@vueuse/core'
import { useSession } from '@/stores/session'

/**
 * Reports what a person does with pointer and keys, and nothing else: no timer
 * and no message from the server may keep a session from going idle.
 * @param urgent whether to report at once, because a warning is on show
 */
export function useActivity(urgent: () => boolean): void {
  const session = useSession()
  let pointer: string | null = null

  function report(event: Event): void {
    // Scripts, the page's own among them, are not people.
    if (event.isTrusted) void session.active(urgent())
  }

  /** Browsers also send a move when the page changes under a pointer at rest. */
  function moved(event: PointerEvent): void {
    const place = `${event.screenX},${event.screenY}`
    const rested = pointer === null || pointer === place
    pointer = place
    if (!rested) report(event)
  }

  const options = { capture: true, passive: true }
  useEventListener(window, ['pointerdown', 'keydown', 'wheel', 'input'], report, options)
  useEventListener(window, 'pointermove', moved, options)
}
