import { atOrBefore } from '@client'
import { nextTick } from 'vue'
import { useInbox } from '@/stores/inbox'

/**
 * Gives the focus, where what had it went away, to the row at a place of the log or the one after
 * it: whoever goes by key would begin at the top of the page.
 */
export async function focusRow(cursor: string): Promise<void> {
  await nextTick()
  if (document.activeElement !== document.body) return
  const { items } = useInbox()
  const next = items.find((one) => atOrBefore(one.cursor, cursor)) ?? items.at(-1)
  const row = document.querySelector<HTMLElement>(`[data-notice="${next?.id ?? ''}"]`)
  // One that is out of sight is not there.
  const place = row ?? document.getElementById('main')
  place?.focus({ preventScroll: true })
}
