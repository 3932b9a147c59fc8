import {
  atOrBefore,
  type InboxView,
  type Notice,
  type NoticeChange,
  type NoticeState,
  type Positioned,
} from '@client'
import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import { useSession } from './session'

type Incoming =
  (Positioned<Notice> & { kind: 'notice' }) | (Positioned<NoticeState> & { kind: 'state' })

const GONE: readonly NoticeChange[] = ['withdrawn', 'superseded', 'expired', 'snoozed']

/** The notices on show, kept right by the stream. */
export const useInbox = defineStore('inbox', () => {
  const { api } = useSession()
  const items = shallowRef<Notice[]>([])
  const unread = ref(0)
  const view = ref<InboxView>('inbox')
  const query = ref('')
  const nextBefore = ref<string | null>(null)
  /** Everything up to here is in what was loaded: older events change nothing. */
  const cursor = ref<string | null>(null)
  const state = ref<'unloaded' | 'loading' | 'ready' | 'failed'>('unloaded')
  const loadingMore = ref(false)
  let waiting: Incoming[] = []
  let loads = 0

  const loaded = computed(() => cursor.value !== null)

  /** Loads the newest page of the present view, and what came in meanwhile. */
  async function load(): Promise<void> {
    const mine = ++loads
    state.value = 'loading'
    try {
      const page = await api.notices({ state: view.value, q: query.value.trim() })
      // A later load, of another view perhaps, has taken its place.
      if (mine !== loads) return
      items.value = page.items
      unread.value = page.unread
      nextBefore.value = page.next_before
      cursor.value = page.cursor
      state.value = 'ready'
      const late = waiting
      waiting = []
      late.forEach(apply)
    } catch {
      if (mine === loads) state.value = 'failed'
    }
  }

  /**
   * Forgets where the list stands in the log, when that means nothing any more. It stays on show
   * until it is loaded anew; what came of the log as it was counts no longer.
   */
  function unload(): void {
    loads++
    waiting = []
    cursor.value = null
    state.value = 'unloaded'
  }

  /** Loads the next, older page. */
  async function more(): Promise<void> {
    if (!nextBefore.value || loadingMore.value) return
    const mine = loads
    loadingMore.value = true
    try {
      const page = await api.notices({
        state: view.value,
        q: query.value.trim(),
        before: nextBefore.value,
      })
      if (mine !== loads) return
      const known = new Set(items.value.map(({ id }) => id))
      items.value = [...items.value, ...page.items.filter(({ id }) => !known.has(id))]
      nextBefore.value = page.next_before
    } finally {
      loadingMore.value = false
    }
  }

  function show(next: InboxView, text = query.value): Promise<void> {
    view.value = next
    query.value = text
    items.value = []
    return load()
  }

  function apply(event: Incoming): void {
    if (state.value !== 'ready') {
      waiting.push(event)
      return
    }
    if (atOrBefore(event.id, cursor.value)) return
    if (event.kind === 'notice') arrive(event.data)
    else change(event.data)
  }

  function arrive(notice: Notice): void {
    unread.value++
    const matches = view.value !== 'archived' && query.value.trim() === ''
    if (matches && !items.value.some(({ id }) => id === notice.id)) {
      items.value = [notice, ...items.value]
    }
  }

  function change({ ids, up_to, state: what, unread: count }: NoticeState): void {
    if (count !== null) unread.value = count
    else void recount()
    const set = ids && new Set(ids)
    const hit = (notice: Notice) =>
      set ? set.has(notice.id) : up_to !== undefined && atOrBefore(notice.cursor, up_to)
    if (GONE.includes(what)) items.value = items.value.filter((notice) => !hit(notice))
    else
      items.value = items.value
        .map((notice) => (hit(notice) ? changed(notice, what) : notice))
        .filter(belongs)
  }

  /** Whether a notice is still of this view. One just read stays on show among the unread. */
  function belongs(notice: Notice): boolean {
    if (view.value === 'all') return true
    return (view.value === 'archived') === (notice.archived_at !== null)
  }

  /** Asks for the count where an event could not say it for each reader. */
  async function recount(): Promise<void> {
    try {
      unread.value = (await api.notices({ limit: 1 })).unread
    } catch {
      // The next event or load brings it; a wrong guess would be worse than an old count.
    }
  }

  /** Changes notices at once, and puts them back when the server refuses; then it throws. */
  async function mark(ids: number[], what: 'read' | 'unread' | 'archived' | 'unarchived') {
    const [mine, unreadBefore] = [loads, unread.value]
    const touched = items.value.filter(({ id }) => ids.includes(id))
    const difference = touched.reduce((sum, notice) => sum + countChange(notice, what), 0)
    change({ ids, state: what, unread: Math.max(0, unreadBefore + difference) })
    const counted = unread.value - unreadBefore
    const flag =
      what === 'read' || what === 'unread'
        ? { read: what === 'read' }
        : { archived: what === 'archived' }
    try {
      unread.value = (await api.markNotices({ ids }, flag)).unread
      // What was moved back may not be on show: only the server knows its place.
      if (what === 'unarchived' && view.value !== 'archived') await load()
    } catch (error) {
      // A list that was loaded meanwhile is right already.
      if (mine === loads) {
        putBack(touched)
        unread.value -= counted
      }
      throw error
    }
  }

  /** Shows notices again as they were, each in its place; what came in meanwhile stays. */
  function putBack(notices: Notice[]): void {
    const ids = new Set(notices.map(({ id }) => id))
    const others = items.value.filter(({ id }) => !ids.has(id))
    items.value = [...others, ...notices].sort((a, b) => (atOrBefore(a.cursor, b.cursor) ? 1 : -1))
  }

  /** Marks everything up to the newest loaded position; what arrives meanwhile stays unread. */
  async function markAllRead(): Promise<void> {
    const newest = items.value[0]
    if (!newest) return
    const result = await api.markNotices({ up_to: newest.cursor }, { read: true })
    change({ up_to: newest.cursor, state: 'read', unread: result.unread })
  }

  /** A notice by id, from the list or from the server. */
  async function find(id: number): Promise<Notice> {
    return items.value.find((notice) => notice.id === id) ?? (await api.notice(id))
  }

  return {
    ...{ items, unread, view, query, nextBefore, cursor, state, loaded, loadingMore },
    ...{ load, unload, more, show, apply, mark, markAllRead, find },
  }
})

/** A copy of the notice as the change leaves it. */
export function changed(notice: Notice, what: NoticeChange): Notice {
  const now = new Date().toISOString()
  switch (what) {
    case 'read':
      return { ...notice, read_at: notice.read_at ?? now }
    case 'unread':
      return { ...notice, read_at: null }
    case 'archived':
      return { ...notice, archived_at: notice.archived_at ?? now }
    case 'unarchived':
      return { ...notice, archived_at: null }
    default:
      return notice
  }
}

/** By how much a change moves the unread count: only what lies in the inbox counts. */
function countChange(notice: Notice, what: NoticeChange): number {
  const counts = (one: Notice) => Number(one.read_at === null && one.archived_at === null)
  return counts(changed(notice, what)) - counts(notice)
}
