import type { Page } from '@client'
import { reactive, ref, shallowRef } from 'vue'
import { useProblem } from './useProblem'
import { useMessages } from '@/stores/messages'

/** A list that the server gives in pages. `ask` gets where the next one begins; nothing for the first. */
export function useListing<T>(ask: (before?: string) => Promise<Page<T>>) {
  const messages = useMessages()
  const { explain, covers } = useProblem()
  const items = shallowRef<T[]>([])
  const nextBefore = ref<string | null>(null)
  const state = ref<'loading' | 'ready' | 'failed'>('loading')
  /** Counts the questions, so that a slow answer to an older one is dropped. */
  let asked = 0

  async function fetch(before?: string): Promise<void> {
    const mine = ++asked
    state.value = 'loading'
    try {
      const page = await ask(before)
      if (mine !== asked) return
      items.value = before ? [...items.value, ...page.items] : page.items
      nextBefore.value = page.next_before
      state.value = 'ready'
    } catch (error) {
      if (mine !== asked) return
      state.value = 'failed'
      if (!covers(error)) messages.say(explain(error))
    }
  }

  /** Asks for the first page; what is on show stays until it is there. */
  const load = () => fetch()

  async function more(): Promise<void> {
    if (nextBefore.value !== null) await fetch(nextBefore.value)
  }

  return reactive({ items, nextBefore, state, load, more })
}
