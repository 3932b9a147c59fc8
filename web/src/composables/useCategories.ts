import { computed, type ComputedRef } from 'vue'
import { useInbox } from '@/stores/inbox'

/** Categories that came by, to be offered where one is asked for; the most frequent first. */
export function useCategories(more: () => readonly string[] = () => []): ComputedRef<string[]> {
  const inbox = useInbox()
  return computed(() => {
    const seen = new Map<string, number>()
    const met = [...inbox.items.flatMap(({ category }) => category ?? []), ...more()]
    for (const category of met) seen.set(category, (seen.get(category) ?? 0) + 1)
    return [...seen].sort(([, a], [, b]) => b - a).map(([category]) => category)
  })
}
