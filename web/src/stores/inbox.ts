import {
  atOrBefore,
  type InboxView,
  type Notice,
  type NoticePatch,
  type NoticeQuery,
  type NoticeState,
} from '@client'
import { defineStore } from 'pinia'
import { computed, ref, shallowRef, triggerRef } from 'vue'
import { Ledger } from './ledger'
import { mayBringIn, patchOf, type Change, type Doing, type Incoming } from './noticeStates'
import { loadPages } from './pages'
import { recounter } from './recount'
import { useSession } from './session'

/** How many are loaded with each further page, and may be changed by one request. */
const [MORE, MOST_IDS] = [100, 1_000]
/** Rather than ask for so many one by one, the list is loaded anew. */
const MOST_SINGLE = 10

/** The notices on show, kept right by the stream. */
export const useInbox = defineStore('inbox', () => {
  const { api } = useSession()
  const ledger = shallowRef(new Ledger())
  const view = ref<InboxView>('inbox')
  const query = ref('')
  const nextBefore = ref<string | null>(null)
  /** Everything up to here is in what was loaded: older events change nothing. */
  const cursor = ref<string | null>(null)
  const state = ref<'unloaded' | 'loading' | 'ready' | 'failed'>('unloaded')
  const loadingMore = ref(false)
  /** Whether what is known is of the present view. */
  const listed = ref(false)
  /** What a search found: only the server can tell what matches. */
  let found: Set<number> | null = null
  /** What was read here stays among the unread until they are looked at anew. */
  const kept = new Set<number>()
  let waiting: Incoming[] = []
  let loads = 0
  let latest = Promise.resolve()
  /** How many were on show when they were put away: as many are shown again. */
  let wanted = 0

  const items = computed(() => {
    if (!listed.value) return []
    const all = ledger.value.list(view.value, nextBefore.value, kept)
    return found ? all.filter(({ id }) => found?.has(id)) : all
  })
  const unread = computed(() => ledger.value.unread())
  const loaded = computed(() => cursor.value !== null)
  /** A notice that is known, whichever view it is of. */
  const get = (id: number) => ledger.value.get(id)
  const isWithdrawn = (id: number) => ledger.value.withdrawn.has(id)

  /** Whether the view lists nothing that is superseded or expired. */
  const sure = () => view.value !== 'all' && view.value !== 'archived'
  const ask = (page: NoticeQuery) =>
    api.notices({ state: view.value, q: query.value.trim(), ...page })

  /** Loads the newest of the present view, as many as were there, and what came in meanwhile. */
  function load(): Promise<void> {
    latest = loadAs(++loads)
    return latest
  }

  async function loadAs(mine: number): Promise<void> {
    state.value = 'loading'
    try {
      const page = await loadPages(ask, Math.max(wanted, items.value.length))
      // A later load, of another view perhaps, has taken its place.
      if (mine !== loads) return latest
      wanted = 0
      ledger.value.replace(page.items, sure(), page.unread, page.cursor)
      found = query.value.trim() ? new Set(page.items.map(({ id }) => id)) : null
      nextBefore.value = page.next_before
      cursor.value = page.cursor
      listed.value = true
      state.value = 'ready'
      waiting.splice(0).forEach(apply)
    } catch {
      if (mine !== loads) return latest
      state.value = 'failed'
    } finally {
      triggerRef(ledger)
    }
  }

  /**
   * Forgets where the list stands in the log, when that means nothing any more. It stays on show
   * until it is loaded anew; what came of the log as it was counts no longer.
   */
  function unload(): void {
    loads++
    latest = Promise.resolve()
    waiting = []
    // In another log, or in this one restored, such an id may be of a notice that stands.
    ledger.value.withdrawn.clear()
    cursor.value = null
    state.value = 'unloaded'
  }

  /**
   * Puts everything away: a locked page holds nothing that was sent, in its memory or in the
   * document. It is asked for anew once the page may be seen.
   */
  function putAway(): void {
    wanted = Math.max(wanted, items.value.length)
    unload()
    listed.value = false
    found = null
    nextBefore.value = null
    ledger.value.clear()
    triggerRef(ledger)
  }

  /** Adds the answer of a request to what is known, though it may be older than that. */
  async function take<T>(request: () => Promise<T>, add: (answer: T, since: Change[]) => void) {
    const mine = loads
    const meanwhile = ledger.value.record()
    try {
      const answer = await request()
      if (ledger.value.forget(meanwhile) && mine === loads) add(answer, meanwhile)
      return answer
    } finally {
      ledger.value.forget(meanwhile)
      triggerRef(ledger)
    }
  }

  /** Loads the next, older page. */
  async function more(): Promise<void> {
    const before = nextBefore.value
    if (!before || loadingMore.value || state.value !== 'ready') return
    loadingMore.value = true
    try {
      const older = () => ask({ limit: MORE, before })
      await take(older, ({ items: notices, next_before }, meanwhile) => {
        ledger.value.add(notices, sure(), meanwhile)
        notices.forEach(({ id }) => found?.add(id))
        nextBefore.value = next_before
      })
    } finally {
      loadingMore.value = false
    }
  }

  function show(next: InboxView, text = query.value): Promise<void> {
    view.value = next
    query.value = text
    listed.value = false
    kept.clear()
    wanted = 0
    return load()
  }

  /** Takes in what the stream brings; true where it tells of what was done here. */
  function apply(event: Incoming): boolean {
    if (state.value !== 'ready') {
      waiting.push(event)
      return false
    }
    const known = ledger.value
    const { kind, data, id } = event
    const own = kind === 'state' && known.confirm(data)
    if (!atOrBefore(id, cursor.value)) {
      if (!(kind === 'notice' ? known.arrive(data, id) : known.change(data, id))) recount()
      if (kind === 'state') void bringIn(data)
    }
    triggerRef(ledger)
    return own
  }

  /** Loads what a change made elsewhere has brought into this view. */
  async function bringIn({ ids, state: what }: NoticeState): Promise<void> {
    // Of all notices it is not known which are in the inbox, and so were marked up to somewhere.
    const guessed = view.value === 'all' && !ids
    if (found || !(guessed || mayBringIn(view.value, what))) return
    const unknown = ids?.filter((id) => !ledger.value.knows(id))
    if (unknown && unknown.length <= MOST_SINGLE) {
      await Promise.allSettled(unknown.map(find))
      if (unknown.every((id) => ledger.value.knows(id))) return
    }
    await load()
  }

  /** Takes over the count as it was at a place of the log. */
  function counted(count: number, at: string): boolean {
    const taken = ledger.value.count(count, at)
    triggerRef(ledger)
    return taken
  }

  const recount = recounter(api, counted)

  /** Does something at once; when the server refuses, it was never done, and this throws. */
  async function act(change: Change, patch: NoticePatch): Promise<void> {
    const which = change.ids ? { ids: [...change.ids] } : { up_to: change.up_to ?? '' }
    const deed = ledger.value.act(change)
    triggerRef(ledger)
    try {
      const { changed, unread: count } = await api.markNotices(which, patch)
      ledger.value.answered(deed, changed, count)
    } catch (error) {
      // The answer was lost, but the stream has told of it.
      if (deed.stage === 'confirmed') return
      ledger.value.drop(deed)
      throw error
    } finally {
      triggerRef(ledger)
    }
  }

  /** @param until when snoozed ones come back, RFC 3339 */
  async function mark(ids: readonly number[], what: Doing, until: string | null = null) {
    if (what === 'read') ids.forEach((id) => kept.add(id))
    for (let from = 0; from < ids.length; from += MOST_IDS) {
      const some = ids.slice(from, from + MOST_IDS)
      await act({ ids: some, state: what, snoozed_until: until }, patchOf(what, until))
    }
  }

  /** Marks all of the inbox at or before a cursor. */
  function markUpTo(upTo: string): Promise<void> {
    items.value.forEach(({ id, cursor: at }) => atOrBefore(at, upTo) && kept.add(id))
    return act({ up_to: upTo, state: 'read' }, { read: true })
  }

  /** A notice by id, as it is known or from the server. */
  async function find(id: number): Promise<Notice> {
    const add = (one: Notice, since: Change[]) => ledger.value.add([one], false, since)
    return get(id) ?? (await take(() => api.notice(id), add))
  }

  return {
    ...{ items, unread, view, query, nextBefore, cursor, state, loaded, loadingMore },
    ...{ load, unload, putAway, more, show, apply, counted },
    ...{ mark, markUpTo, find, get, isWithdrawn },
  }
})
