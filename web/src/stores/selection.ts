import { defineStore } from 'pinia'
import { computed, shallowRef, watch } from 'vue'
import type { Notice } from '@client'
import { useInbox } from './inbox'

/** The notices of the list that are to be dealt with at once. */
export const useSelection = defineStore('selection', () => {
  const inbox = useInbox()
  const chosen = shallowRef<ReadonlySet<number>>(new Set())
  /** From where a range reaches. */
  let anchor: number | null = null

  /** Those on show: what left the list is not dealt with unseen. */
  const notices = computed(() =>
    chosen.value.size === 0 ? [] : inbox.items.filter(({ id }) => chosen.value.has(id)),
  )
  const has = (id: number) => chosen.value.has(id)

  /** @param range takes in all between this one and the one before it */
  function toggle(id: number, range = false): void {
    const next = new Set(chosen.value)
    const on = !next.has(id)
    for (const one of range ? between(id) : [id]) {
      if (on) next.add(one)
      else next.delete(one)
    }
    anchor = id
    chosen.value = next
  }

  function between(id: number): number[] {
    const place = (wanted: number | null) => inbox.items.findIndex((one) => one.id === wanted)
    const [a, b] = [place(anchor), place(id)]
    if (a === -1) return [id]
    return inbox.items.slice(Math.min(a, b), Math.max(a, b) + 1).map((notice) => notice.id)
  }

  function all(): void {
    chosen.value = new Set(inbox.items.map(({ id }) => id))
  }

  function clear(): void {
    anchor = null
    chosen.value = new Set()
  }

  /** Those with these ids are chosen no more. */
  function drop(ids: readonly number[]): void {
    const gone = new Set(ids)
    chosen.value = new Set([...chosen.value].filter((id) => !gone.has(id)))
  }

  /**
   * Deals with those chosen. What was done is no longer chosen; what could not be done, and what
   * was chosen while that took its time, still is.
   */
  async function deal(deed: (notices: readonly Notice[]) => Promise<boolean>): Promise<void> {
    const dealt = notices.value
    if (await deed(dealt)) drop(dealt.map(({ id }) => id))
  }

  watch(() => [inbox.view, inbox.query], clear)

  return { notices, has, toggle, all, clear, drop, deal }
})
