import type { Page } from '@client'
import { reactive, ref, shallowRef } from 'vue'
import { useProblem } from './useProblem'

/** A list that the server gives in pages. `ask` gets where the next one begins; nothing for the first. */
export function useListing<T>(ask: (before?: string) => Promise<Page<T>>) {
  const { tell } = useProblem()
  const items = shallowRef<T[]>([])
  const nextBefore = ref<string | null>(null)
  const state = ref<'loading' | 'ready' | 'failed'>('loading')
  /** Counts the questions, so that a slow answer to an older one is dropped. */
  let asked = 0
  let last = () => ask()

  async function show(question: () => Promise<Page<T>>): Promise<void> {
    const mine = ++asked
    last = question
    state.value = 'loading'
    try {
      const page = await question()
      if (mine !== asked) return
      items.value = page.items
      nextBefore.value = page.next_before
      state.value = 'ready'
    } catch (error) {
      if (mine !== asked) return
      state.value = 'failed'
      tell(error)
    }
  }

  /** What is there so far, and the page that begins at `before`. */
  async function older(so: T[], before: string): Promise<Page<T>> {
    const page = await ask(before)
    return { items: [...so, ...page.items], next_before: page.next_before }
  }

  async function atLeast(count: number): Promise<Page<T>> {
    let page = await ask()
    while (page.next_before !== null && page.items.length < count)
      page = await older(page.items, page.next_before)
    return page
  }

  /** Asks for the first page; what is on show stays until it is there. */
  const load = () => show(() => ask())

  /** Asks anew for as many as are on show: who changed a row far down still stands there. */
  const refresh = () => show(() => atLeast(items.value.length))

  async function more(): Promise<void> {
    const before = nextBefore.value
    if (before !== null) await show(() => older(items.value, before))
  }

  /** Asks once more what was not answered. */
  const retry = () => show(last)

  return reactive({ items, nextBefore, state, load, refresh, more, retry })
}
