import type { Page } from '@client'
import { ref, shallowRef, watch } from 'vue'
import { loadPages } from './pages'
import { useSession } from './session'

const PAGE = 50

/** A list of the server's, the newest first, that grows by older pages and stays as long as it was. */
export function longList<T>(ask: (query: { limit: number; before?: string }) => Promise<Page<T>>) {
  const session = useSession()
  const items = shallowRef<T[]>([])
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
      const page = await loadPages(ask, wanted)
      if (mine !== asked) return
      items.value = page.items
      nextBefore.value = page.next_before
      state.value = 'ready'
    } catch {
      if (mine === asked && state.value === 'loading') state.value = 'failed'
    }
  }

  /** Loads the older ones. Where that fails, the next `load` brings them. */
  async function more(): Promise<void> {
    const before = nextBefore.value
    if (before === null) return
    const mine = ++asked
    // A load that overtakes this brings those too.
    wanted = items.value.length + PAGE
    state.value = 'loading'
    try {
      const page = await ask({ before, limit: PAGE })
      if (mine !== asked) return
      items.value = [...items.value, ...page.items]
      wanted = items.value.length
      nextBefore.value = page.next_before
      state.value = 'ready'
    } catch {
      if (mine === asked) state.value = 'failed'
    }
  }

  // Nothing of it stays under a cover, whether or not it is looked at. After what is told at once:
  // who shows it remembers first where it stood.
  watch(
    () => session.covered,
    (covered) => {
      if (!covered) return
      asked++
      items.value = []
      nextBefore.value = null
      state.value = 'loading'
    },
  )

  return { items, nextBefore, state, load, more, retry: load }
}
