import { Emitter } from '../emitter'
import { atOrBefore } from '../position'
import type { Positioned } from '../stream'
import type { Hello, Lock, Notice, NoticeChange, NoticeState } from '../types'
import type { Connection } from './connection'

export interface InboxEvents {
  change: Inbox['state']
  /** One came that was not there before. */
  arrived: Notice
}

type Incoming =
  { kind: 'notice'; event: Positioned<Notice> } | { kind: 'state'; event: Positioned<NoticeState> }

/** How many a bell shows; all there are stand in the inbox. */
const NEWEST = 20
/** Over how long those who cannot ask for the count come back to hear it, so that not all do at once. */
const RECOUNT_WITHIN_MS = 10_000

const GONE: readonly NoticeChange[] = ['withdrawn', 'superseded', 'expired', 'snoozed', 'archived']

/**
 * The newest notices and the count of unread ones, kept right by the stream. By cookie they are
 * loaded; by ticket there are only those that came since the page was opened, and the count that
 * the greeting brings.
 */
export class Inbox extends Emitter<InboxEvents> {
  items: Notice[] = []
  /** Null while it is not known. */
  unread: number | null = null
  state: 'away' | 'loading' | 'ready' | 'failed' = 'away'
  private readonly connection: Connection
  private readonly stops: (() => void)[]
  /** Everything up to here is in the count. */
  private cursor: string | null = null
  private waiting: Incoming[] = []
  private loads = 0
  private recountTimer = 0

  constructor(connection: Connection) {
    super()
    this.connection = connection
    const { stream, watch } = connection
    this.stops = [
      stream.on('hello', (hello) => this.greeted(hello)),
      stream.on('lock', ({ state }) => this.lockChanged(state)),
      stream.on('reset', () => this.reset()),
      stream.on('notice', (event) => this.take({ kind: 'notice', event })),
      stream.on('notice_state', (event) => this.take({ kind: 'state', event })),
      () => clearTimeout(this.recountTimer),
    ]
    if (!watch) return
    this.stops.push(
      watch.on('change', (phase) => {
        if (phase !== 'active') this.putAway()
        else if (this.state === 'away') void this.load()
      }),
    )
    if (watch.phase === 'active') void this.load()
  }

  stop(): void {
    this.stops.forEach((stop) => stop())
    this.loads++
  }

  /** Loads the newest, and takes in what came meanwhile. */
  async load(): Promise<void> {
    if (!this.connection.watch) return
    const mine = ++this.loads
    this.enter('loading')
    try {
      const page = await this.connection.watch.api.notices({ limit: NEWEST })
      if (mine !== this.loads) return
      this.items = page.items
      this.unread = page.unread
      this.cursor = page.cursor
      this.state = 'ready'
      this.waiting.splice(0).forEach((event) => this.take(event))
      this.emit('change', this.state)
    } catch {
      if (mine === this.loads) this.enter('failed')
    }
  }

  /** Changes one at once, and puts it back when the server refuses; then it throws. */
  async mark(notice: Notice, what: 'read' | 'unread' | 'archived'): Promise<void> {
    const { watch } = this.connection
    if (!watch) return
    const mine = this.loads
    const difference = Number(what === 'unread') - Number(notice.read_at === null)
    this.change({ ids: [notice.id], state: what, unread: (this.unread ?? 0) + difference })
    const flag = what === 'archived' ? { archived: true } : { read: what === 'read' }
    try {
      this.count((await watch.api.markNotices({ ids: [notice.id] }, flag)).unread)
    } catch (error) {
      // What was loaded meanwhile is right already.
      if (mine === this.loads) this.putBack(notice, difference)
      throw error
    }
  }

  /** Marks everything read up to the newest on show; what arrives meanwhile stays unread. */
  async readAll(): Promise<void> {
    const newest = this.items[0]
    if (!newest || !this.connection.watch) return
    const which = { up_to: newest.cursor }
    const { unread } = await this.connection.watch.api.markNotices(which, { read: true })
    // A locked page has no count, nor does one that is being loaded anew.
    if (this.state === 'ready') this.change({ ...which, state: 'read', unread })
  }

  private greeted(hello: Hello): void {
    if (this.connection.watch) {
      // What failed while there was no server may go well now.
      if (this.state === 'failed') void this.load()
      return
    }
    this.cursor = hello.head
    this.unread = hello.unread
    this.enter('ready')
    if (hello.unread === null) this.recount()
  }

  /** Where the session is known it says itself whether anything may be shown. */
  private lockChanged(state: Lock['state']): void {
    if (this.connection.watch) return
    if (state === 'locked' || state === 'ended') this.putAway()
    else if (state === 'active' && this.state === 'away') this.connection.stream.retry()
  }

  private reset(): void {
    this.waiting = []
    if (this.connection.watch) {
      // A locked page may not ask yet.
      if (this.state !== 'away') void this.load()
      return
    }
    // In another log an id may be another notice's. The greeting before it has brought the count.
    this.items = []
    this.emit('change', this.state)
  }

  /** A locked page holds nothing that was sent, in its memory or in the document. */
  private putAway(): void {
    this.loads++
    this.items = []
    this.unread = null
    this.waiting = []
    this.cursor = null
    this.enter('away')
  }

  private take(incoming: Incoming): void {
    if (this.state === 'loading') {
      this.waiting.push(incoming)
      return
    }
    if (this.state !== 'ready') return
    const counted = atOrBefore(incoming.event.id, this.cursor)
    // By ticket what is in the count may still be new to the page.
    if (counted && this.connection.watch) return
    if (incoming.kind === 'notice') this.arrive(incoming.event.data, counted)
    else
      this.change(counted ? { ...incoming.event.data, unread: this.unread } : incoming.event.data)
  }

  private arrive(notice: Notice, counted: boolean): void {
    if (!counted && this.unread !== null) this.unread++
    const others = this.items.filter(({ id }) => id !== notice.id)
    this.items = [notice, ...others].slice(0, NEWEST)
    this.emit('arrived', notice)
    this.emit('change', this.state)
  }

  private change({ ids, up_to, state: what, unread }: NoticeState): void {
    const set = ids && new Set(ids)
    const hit = (notice: Notice) =>
      set ? set.has(notice.id) : up_to !== undefined && atOrBefore(notice.cursor, up_to)
    const over = this.items.filter(hit)
    // The usual one to all, which is on show: else every page would ask each time.
    const known = what === 'superseded' && over.length === set?.size
    const counted = over.filter(({ read_at }) => read_at === null).length
    if (GONE.includes(what)) this.items = this.items.filter((notice) => !hit(notice))
    else if (what === 'read' || what === 'unread') {
      const read_at = what === 'read' ? new Date().toISOString() : null
      this.items = this.items.map((notice) => (hit(notice) ? { ...notice, read_at } : notice))
    } else if (this.connection.watch) {
      // What comes back is not on show: only the server knows its place.
      void this.load()
      return
    }
    if (unread !== null) this.unread = unread
    else if (known && this.unread !== null) this.unread -= counted
    else this.recount()
    this.emit('change', this.state)
  }

  /** Asks for the count where an event could not say it for each reader. */
  private recount(): void {
    const { watch, stream } = this.connection
    if (watch) {
      watch.api.notices({ limit: 1 }).then(
        (page) => this.count(page.unread),
        // The next event or load brings it; a wrong guess would be worse than an old count.
        () => undefined,
      )
      return
    }
    // A ticket opens streams and asks nothing: the next greeting brings the count.
    clearTimeout(this.recountTimer)
    this.recountTimer = window.setTimeout(() => {
      // A locked session's is said to nobody.
      if (this.state === 'ready') stream.retry()
    }, Math.random() * RECOUNT_WITHIN_MS)
  }

  private count(unread: number): void {
    if (this.state !== 'ready') return
    this.unread = unread
    this.emit('change', this.state)
  }

  private putBack(notice: Notice, counted: number): void {
    const others = this.items.filter(({ id }) => id !== notice.id)
    this.items = [...others, notice].sort((a, b) => (atOrBefore(a.cursor, b.cursor) ? 1 : -1))
    this.unread = (this.unread ?? 0) - counted
    this.emit('change', this.state)
  }

  private enter(state: Inbox['state']): void {
    this.state = state
    this.emit('change', this.state)
  }
}
