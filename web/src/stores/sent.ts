import type { SentNotice } from '@client'
import { defineStore } from 'pinia'
import { longList } from './longList'
import { useSession } from './session'

export type SentState = 'scheduled' | 'due' | 'delivered' | 'withdrawn'

export function stateOf(notice: SentNotice, now: number): SentState {
  if (notice.withdrawn_at) return 'withdrawn'
  if (notice.cursor !== null) return 'delivered'
  return new Date(notice.deliver_at ?? 0).getTime() > now ? 'scheduled' : 'due'
}

/** When the next of them is due, in milliseconds since 1970; infinity where none is. */
export const nextDue = (items: readonly SentNotice[]) =>
  Math.min(
    ...items
      .filter(({ cursor, withdrawn_at }) => cursor === null && !withdrawn_at)
      .map(({ deliver_at }) => new Date(deliver_at ?? 0).getTime()),
  )

/** What the reader has sent and scheduled, newest first. */
export const useSent = defineStore('sent', () => {
  const { api } = useSession()
  const list = longList((query) => api.sent(query))

  /** Takes one back. @throws the Problem that prevented it */
  async function withdraw(id: number): Promise<void> {
    await api.withdraw(id)
    await list.load()
  }

  return { ...list, withdraw }
})
