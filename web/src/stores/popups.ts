import type { Notice } from '@client'
import { defineStore } from 'pinia'
import { ref } from 'vue'

type Permission = NotificationPermission | 'unavailable'

// Browsers offer notifications only to pages that came safely.
const available = () => 'Notification' in window && window.isSecureContext

/** Desktop pop-ups of this page. */
export const usePopups = defineStore('popups', () => {
  const permission = ref<Permission>(available() ? Notification.permission : 'unavailable')
  const open = new Map<number, Notification>()

  /** Asks the user; call it from a click. */
  async function request(): Promise<void> {
    if (available()) permission.value = await Notification.requestPermission()
  }

  /**
   * Shows one. Tabs that get the same notice share its tag, so the desktop shows it once.
   * @param onClick where a click leads; the window has been brought to the front
   */
  function show(notice: Notice, onClick: () => void): void {
    if (!available() || Notification.permission !== 'granted') return
    const popup = create(notice)
    if (!popup) return
    open.set(notice.id, popup)
    popup.onclose = () => open.delete(notice.id)
    popup.onclick = () => {
      window.focus()
      popup.close()
      onClick()
    }
  }

  function close(ids: Iterable<number> = [...open.keys()]): void {
    for (const id of ids) open.get(id)?.close()
  }

  return { permission, request, show, close }
})

function create(notice: Notice): Notification | null {
  try {
    return new Notification(notice.title, {
      body: notice.body.split('\n', 1)[0] ?? '',
      tag: `belfry-${notice.id}`,
      requireInteraction: notice.severity === 'critical',
    })
  } catch {
    // Phones have the constructor, but only service workers may show one there.
    return null
  }
}
