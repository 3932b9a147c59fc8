import { useIntervalFn } from '@vueuse/core'
import { useFreshList } from './useFreshList'
import { nextDue, useSent } from '@/stores/sent'

/** How often is asked whether one that is due is out. */
const ASK_EVERY_MS = 2_000

/** Keeps the sent messages fresh: who has read them, and which of them are out. */
export function useFreshSent(): void {
  const sent = useSent()
  useFreshList(sent)
  useIntervalFn(() => {
    if (nextDue(sent.items) <= Date.now()) void sent.load()
  }, ASK_EVERY_MS)
}
