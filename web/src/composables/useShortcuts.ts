import { useEventListener } from '@vueuse/core'
import { useSession } from '@/stores/session'

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || target.matches('input:not([type="checkbox"]), textarea, select'))

/**
 * Single keys that act while nobody types and no dialog asks for an answer.
 * @param keys what to do, by `KeyboardEvent.key`
 */
export function useShortcuts(keys: Record<string, () => void>): void {
  const session = useSession()

  useEventListener(window, 'keydown', (event) => {
    const modified = event.ctrlKey || event.metaKey || event.altKey
    if (modified || event.repeat || event.defaultPrevented || session.covered) return
    if (isTyping(event.target) || document.querySelector('[role="dialog"], [role="menu"]')) return
    const act = keys[event.key]
    if (!act) return
    // The key that moves to a field must not be typed into it.
    event.preventDefault()
    act()
  })
}
