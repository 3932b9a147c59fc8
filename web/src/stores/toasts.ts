import type { Notice } from '@client'
import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'

/** What the corner shows: one notice, or how many are waiting. */
export type Toast = { kind: 'notice'; notice: Notice } | { kind: 'many'; count: number }

const MOST_WAITING = 3

/** Notices waiting for their moment in the corner, one at a time. */
export const useToasts = defineStore('toasts', () => {
  const waiting = shallowRef<Notice[]>([])
  const current = shallowRef<Toast | null>(null)
  /** Grows with each toast, so that a view can tell two of the same text apart. */
  const shown = ref(0)

  function push(notice: Notice): void {
    waiting.value = [...waiting.value, notice]
    if (current.value === null) next()
    else if (current.value.kind === 'many') merge()
  }

  function merge(): void {
    const already = current.value?.kind === 'many' ? current.value.count : 0
    current.value = { kind: 'many', count: already + waiting.value.length }
    waiting.value = []
  }

  /** Puts the present one away and shows the next. */
  function next(): void {
    shown.value++
    current.value = null
    const critical = waiting.value.find(({ severity }) => severity === 'critical')
    const first = critical ?? waiting.value[0]
    if (!first) return
    if (!critical && waiting.value.length > MOST_WAITING) return merge()
    waiting.value = waiting.value.filter((notice) => notice !== first)
    current.value = { kind: 'notice', notice: first }
  }

  /** Takes back what concerns notices that were read elsewhere. */
  function withdraw(over: (notice: Notice) => boolean): void {
    waiting.value = waiting.value.filter((notice) => !over(notice))
    if (current.value?.kind === 'notice' && over(current.value.notice)) next()
  }

  function clear(): void {
    waiting.value = []
    current.value = null
  }

  const stays = computed(
    () => current.value?.kind === 'notice' && current.value.notice.severity === 'critical',
  )

  return { current, shown, stays, push, next, withdraw, clear }
})
