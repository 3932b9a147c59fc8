import {
  atOrBefore,
  browserEnvironment,
  SharedStream,
  type ConnectionStatus,
  type Notice,
  type NoticeChange,
} from '@client'
import { defineStore } from 'pinia'
import { shallowRef, watch } from 'vue'
import { useInbox } from './inbox'
import { useMessages } from './messages'
import { usePopups } from './popups'
import { usePreferences } from './preferences'
import { useSession } from './session'
import { useToasts } from './toasts'
import { patiently } from '@/composables/parts'
import worker from '../../client/worker?worker&url'

/** Changes after which a notice is as good as new. */
const BACK_AGAIN: readonly NoticeChange[] = ['unread', 'unarchived', 'unsnoozed']
/** By how much the clocks of this machine and the server may differ. */
const EARLY_MS = 5_000
/** How many that come back at once are announced. */
const MOST_REMINDERS = 10
/** How often what the stream needs may fail to come before the reader is told: for some ten seconds. */
const QUIET_TRIES = 4

/** The stream of this browser, and who hears what of it. */
export const useConnection = defineStore('connection', () => {
  const session = useSession()
  const inbox = useInbox()
  const toasts = useToasts()
  const popups = usePopups()
  const preferences = usePreferences()

  const environment = browserEnvironment()
  environment.loadTabs = patiently(environment.loadTabs, QUIET_TRIES)
  const stream = new SharedStream({ session: session.present, worker, environment })
  const status = shallowRef<ConnectionStatus>(stream.status)
  let keptBack: Notice[] = []
  let openNotice: (id: number) => void = () => undefined
  let listening = false

  /** Loads the inbox and listens from where it ends, so that nothing falls between. */
  async function begin(): Promise<void> {
    listening = true
    if (!session.covered) await inbox.load()
    if (listening) stream.start(inbox.cursor)
  }

  /** Announces a notice, or keeps it back until the page may be seen again. */
  function arrived(notice: Notice): void {
    if (session.covered) {
      keptBack.push(notice)
      return
    }
    toasts.push(notice)
  }

  function uncovered(): void {
    popups.closeWaiting()
    keptBack.splice(0).forEach(toasts.push)
    if (!listening) void begin()
    else if (inbox.state !== 'ready') void inbox.load()
  }

  /** Takes back all that was announced. */
  function hush(): void {
    toasts.clear()
    popups.hush()
  }

  stream.on('status', (next) => {
    status.value = next
    if (next.state === 'ended') session.end(next.reason)
  })
  stream.on('lock', session.onLock)
  stream.on('session', (found) => {
    const before = session.session?.id
    session.adopt(found)
    if (found.id !== before) void begin()
  })
  stream.on('hello', ({ unread, head }) => {
    if (unread !== null) inbox.counted(unread, head)
    // What failed while there was no server may go well now.
    if (!session.covered && inbox.state === 'failed') void inbox.load()
    preferences.refresh()
  })
  stream.on('reset', ({ reason }) => {
    inbox.unload()
    // In another log an id may be another notice's.
    if (reason !== 'trimmed') {
      keptBack.length = 0
      hush()
    }
    // A locked page may not ask yet.
    if (!session.covered) void inbox.load()
  })
  stream.on('notice', (event) => {
    inbox.apply({ ...event, kind: 'notice' })
    arrived(event.data)
  })
  // Of all tabs this one is to pop it up.
  stream.on('announce', ({ data }) => {
    if (!session.covered) popups.announce(data, () => openNotice(data.id))
  })
  stream.on('notice_state', (event) => {
    const { ids = [], state, up_to: upTo = null } = event.data
    const due = state === 'unsnoozed' ? ids.filter(isDue) : []
    const own = inbox.apply({ ...event, kind: 'state' })
    if (!own && due.length > 0) void remind(due)
    if (BACK_AGAIN.includes(state)) return
    const over = ({ id, cursor }: Notice) => ids.includes(id) || atOrBefore(cursor, upTo)
    keptBack = keptBack.filter((notice) => !over(notice))
    toasts.withdraw(over)
    popups.close(ids)
    if (upTo) popups.closeUpTo(upTo)
  })

  /** Whether a snooze ended by itself: one that was to last longer was ended by its reader. */
  function isDue(id: number): boolean {
    const until = inbox.get(id)?.snoozed_until
    return !until || Date.parse(until) < Date.now() + EARLY_MS
  }

  /** Announces again what was put off until now. */
  async function remind(ids: readonly number[]): Promise<void> {
    const found = await Promise.allSettled(ids.slice(0, MOST_REMINDERS).map(inbox.find))
    for (const one of found) {
      if (one.status === 'rejected') continue
      const notice = one.value
      arrived(notice)
      if (!session.covered) popups.announce(notice, () => openNotice(notice.id))
    }
  }

  /** Follows the session from now on. `open` leads to a notice whose pop-up was clicked. */
  function follow(open: (id: number) => void): void {
    openNotice = open
    watch(
      () => session.phase,
      (phase) => {
        if (phase === 'active') return uncovered()
        if (phase === 'locked' || phase === 'ended') {
          hush()
          inbox.putAway()
          // It may name what was just archived, and who unlocks or signs in next may be somebody else.
          useMessages().dismiss()
        }
        if (phase === 'locked' && !listening) void begin()
        if (phase === 'ended') {
          listening = false
          keptBack.length = 0
          stream.stop()
        }
      },
      // Before the next paint, and before any other event is read.
      { flush: 'sync', immediate: true },
    )
  }

  /** For pages that are not always there. */
  const on: typeof stream.on = stream.on.bind(stream)

  return { status, follow, on, retry: () => stream.retry() }
})
