import { atOrBefore, type Notice } from '@client'
import { defineStore } from 'pinia'
import { ref } from 'vue'
import { silences } from '../../client/quiet'
import { usePreferences } from './preferences'
import { firstLine } from '@/composables/firstLine'
import { workerRegistration } from '@/composables/useWorker'
import { tagOf } from '@/sw/pushed'

type Permission = NotificationPermission | 'unavailable'

/** What a pop-up keeps of its notice. The worker's have no place in the log. */
interface Shown {
  id: number | null
  cursor?: string
}

// Browsers offer notifications only to pages that came safely.
const available = () => 'Notification' in window && window.isSecureContext

/** Few want to hear of notices, so the first page comes without it. */
const ring = () =>
  import('@/composables/chime').then(
    ({ chime }) => chime(),
    () => undefined, // The server that has it cannot be reached: there is nothing to be heard.
  )

/** Desktop pop-ups of this browser, and the sound that goes with them. */
export const usePopups = defineStore('popups', () => {
  const preferences = usePreferences()
  const permission = ref<Permission>(available() ? Notification.permission : 'unavailable')
  /** Those of this page, where there is no worker to show them. */
  const own = new Map<number, { popup: Notification; cursor: string }>()
  /** Grows when all are taken down, so that one which was still to be put up does not come. */
  let hushed = 0
  let last = Promise.resolve()

  /** Asks the user; call it from a click. */
  async function request(): Promise<void> {
    if (available()) permission.value = await Notification.requestPermission()
  }

  /**
   * Tells of a notice that has just come, as far as the reader wants to be told.
   * @param onClick where a click leads; the window has been brought to the front
   */
  function announce(notice: Notice, onClick: () => void): void {
    const { values } = preferences
    if (silences(values, notice, new Date())) return
    if (values.sound) void ring()
    if (values.popups) show(notice, onClick)
  }

  /**
   * Does what is to be done with the worker's, one after the other: Chromium forgets a notification
   * if it is asked for all of them while it puts that one up, and then it could not be taken down.
   */
  function inTurn(work: (worker: ServiceWorkerRegistration | null) => void | Promise<void>): void {
    const next = last.then(workerRegistration).then(work)
    // A browser may refuse to show one; those after it are no worse for that.
    last = next.catch(() => undefined)
  }

  function show(notice: Notice, onClick: () => void): void {
    if (!available() || Notification.permission !== 'granted') return
    const before = hushed
    inTurn((worker) => {
      if (before !== hushed) return
      // Through the worker, it outlives the page; and phones have no other way.
      if (!worker?.active) return showHere(notice, onClick)
      return worker.showNotification(notice.title, optionsOf(notice))
    })
  }

  function showHere(notice: Notice, onClick: () => void): void {
    const popup = create(notice)
    if (!popup) return
    own.set(notice.id, { popup, cursor: notice.cursor })
    popup.onclose = () => own.delete(notice.id)
    popup.onclick = () => {
      window.focus()
      popup.close()
      onClick()
    }
  }

  function closeWhere(matches: (shown: Shown) => boolean): void {
    for (const [id, { popup, cursor }] of own) if (matches({ id, cursor })) popup.close()
    inTurn(async (worker) => {
      for (const popup of (await worker?.getNotifications()) ?? []) {
        if (matches(popup.data as Shown)) popup.close()
      }
    })
  }

  function close(ids: readonly number[]): void {
    closeWhere(({ id }) => id !== null && ids.includes(id))
  }

  /** Takes down those of notices at or before a place in the log. */
  function closeUpTo(upTo: string): void {
    closeWhere(({ cursor }) => cursor !== undefined && atOrBefore(cursor, upTo))
  }

  /** Takes down all of them, whichever page or worker has put them up. */
  function hush(): void {
    hushed++
    closeWhere(() => true)
  }

  /** The page is open: nothing has to say any more that something waits. */
  function closeWaiting(): void {
    closeWhere(({ id }) => id === null)
  }

  return { permission, request, announce, close, closeUpTo, closeWaiting, hush }
})

function optionsOf(notice: Notice): NotificationOptions {
  const { id, cursor, severity } = notice
  const data: Shown = { id, cursor }
  return {
    body: firstLine(notice),
    tag: tagOf(id),
    requireInteraction: severity === 'critical',
    data,
  }
}

function create(notice: Notice): Notification | null {
  try {
    return new Notification(notice.title, optionsOf(notice))
  } catch {
    // Phones have the constructor, but only service workers may show one there.
    return null
  }
}
