import { Stream, type ConnectionStatus, type Notice } from '@client'
import { defineStore } from 'pinia'
import { shallowRef, watch } from 'vue'
import { useInbox } from './inbox'
import { usePopups } from './popups'
import { useSession } from './session'
import { useToasts } from './toasts'

/** The stream, and who hears what of it. */
export const useConnection = defineStore('connection', () => {
  const session = useSession()
  const inbox = useInbox()
  const toasts = useToasts()
  const popups = usePopups()

  const stream = new Stream({ session: session.present })
  const status = shallowRef<ConnectionStatus>(stream.status)
  const keptBack: Notice[] = []
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
    popups.show(notice, () => openNotice(notice.id))
  }

  function uncovered(): void {
    keptBack.splice(0).forEach(toasts.push)
    if (!listening) void begin()
    else if (inbox.state !== 'ready') void inbox.load()
  }

  /** Takes back all that was announced. */
  function hush(): void {
    toasts.clear()
    popups.close()
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
  stream.on('hello', () => {
    // What failed while there was no server may go well now.
    if (!session.covered && inbox.state === 'failed') void inbox.load()
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
  stream.on('notice_state', (event) => {
    inbox.apply({ ...event, kind: 'state' })
    if (event.data.state === 'unread' || !event.data.ids) return
    toasts.withdraw(event.data.ids)
    popups.close(event.data.ids)
  })

  /** Follows the session from now on. `open` leads to a notice whose pop-up was clicked. */
  function follow(open: (id: number) => void): void {
    openNotice = open
    watch(
      () => session.phase,
      (phase) => {
        if (phase === 'active') return uncovered()
        if (phase === 'locked' || phase === 'ended') hush()
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

  return { status, follow, retry: () => stream.retry() }
})
