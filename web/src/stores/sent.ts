import type { SentNotice } from '@client'
import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'
import { loadPages } from './pages'
import { useSession } from './session'

const PAGE = 50

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
  const session = useSession()
  const items = shallowRef<SentNotice[]>([])
  const nextBefore = ref<string | null>(null)
  const state = ref<'loading' | 'ready' | 'failed'>('loading')
  /** Counts the questions, so that a slow answer to an older one is dropped. */
  let asked = 0
  /** How many were on show: as many are asked for again. */
  let wanted = PAGE

  /** Loads the newest, as many as were on show. What is on show stays where that fails: it is only older. */
  async function load(): Promise<void> {
    if (session.covered) return
    const mine = ++asked
    if (state.value === 'failed') state.value = 'loading'
    try {
      const page = await loadPages((query) => session.api.sent(query), wanted)
      if (mine !== asked) return
      items.value = page.items
      nextBefore.value = page.next_before
      state.value = 'ready'
    } catch {
      if (mine === asked && state.value === 'loading') state.value = 'failed'
    }
  }

  /** @throws the Problem that kept the older ones away */
  async function loadMore(): Promise<void> {
    if (nextBefore.value === null) return
    const mine = ++asked
    // A load that overtakes this brings those too.
    wanted = items.value.length + PAGE
    const page = await session.api.sent({ before: nextBefore.value, limit: PAGE })
    if (mine !== asked) return
    items.value = [...items.value, ...page.items]
    wanted = items.value.length
    nextBefore.value = page.next_before
  }

  /** Takes one back. @throws the Problem that prevented it */
  async function withdraw(id: number): Promise<void> {
    await session.api.withdraw(id)
    await load()
  }

  /** Leaves nothing of it in the page, which is being covered. */
  function putAway(): void {
    asked++
    items.value = []
    nextBefore.value = null
    state.value = 'loading'
  }

  return { items, nextBefore, state, load, loadMore, withdraw, putAway }
})
