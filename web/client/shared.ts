import { Announcements } from './announcements'
import { Emitter } from './emitter'
import { browserEnvironment, type TabEnvironment } from './environment'
import { LateTabsLink, WorkerLink, type Link, type StreamRole } from './links'
import { atOrBefore } from './position'
import { Problem } from './problem'
import { newName, refusal, sharedName } from './protocol'
import type {
  FromOwner,
  Joining,
  LogEvent,
  Look,
  Question,
  SharedEvent,
  ToOwner,
  Welcome,
} from './protocol'
import type { SharedEvents, SharedStreamOptions } from './shared-options'
import type { ConnectionStatus } from './event-stream'
import type { Positioned } from './stream'
import type { Hello, Lock, Notice, Session, SessionReason } from './types'
import { OwnerWatch } from './watch'

/** How long the question who is signed in may hold up the beginning. */
const SESSION_MS = 10_000

/**
 * A {@link Stream} that all tabs of a browser have together: a shared worker holds it, or one of
 * the tabs. Each tab has its own position, and hears all that came after it.
 */
export class SharedStream extends Emitter<SharedEvents> {
  private readonly options: SharedStreamOptions
  private readonly env: TabEnvironment
  private readonly name: string
  private readonly tab = newName()

  private current: ConnectionStatus = { state: 'idle' }
  private link: Link | null = null
  private workerFailed = false
  private stopListening: (() => void) | null = null
  /** Counts the beginnings, so that what belongs to an earlier one is left alone. */
  private beginnings = 0
  private asking = false
  private away = false

  private position: string | null = null
  private session: Session | null = null
  private sessionId: string | null = null
  /** Whose messages count; null until one has welcomed this tab. */
  private owner: string | null = null
  /** The owner's last event; null while this tab waits to be welcomed. */
  private n: number | null = null
  private followed = false
  private toldLock: Lock['state'] | null = null
  private usedAt = 0
  private readonly announcements = new Announcements()
  private readonly watch: OwnerWatch

  constructor(options: SharedStreamOptions) {
    super()
    this.options = options
    this.env = options.environment ?? browserEnvironment()
    this.name = sharedName(options.baseUrl ?? '', options.source ?? '')
    this.watch = new OwnerWatch(this.env, {
      silent: () => this.lostSight(),
      ask: () => this.post({ type: 'ping' }),
      joinAgain: () => this.link?.again(),
      dead: () => {
        this.join(null)
        this.link?.replace()
      },
    })
  }

  get status(): ConnectionStatus {
    return this.current
  }

  get role(): StreamRole | null {
    return this.link?.role ?? null
  }

  /**
   * Listens until {@link stop}.
   * @param position where to continue, an inbox's `cursor`; null for what comes from now on
   */
  start(position: string | null): void {
    this.stop()
    this.position = position
    this.session = null
    this.sessionId = null
    this.followed = false
    this.toldLock = null
    this.usedAt = this.env.visible() ? this.env.now() : 0
    this.watch.heardAt = this.env.now()
    const stops = [
      this.env.onWake(() => this.wake()),
      this.env.onOffline(() => this.wentOffline()),
      this.env.onLook(() => this.looked()),
      this.env.onAway(() => this.goAway()),
    ]
    this.stopListening = () => stops.forEach((stop) => stop())
    this.setStatus({ state: 'connecting' })
    this.asking = true
    void this.begin(++this.beginnings)
  }

  stop(): void {
    this.beginnings++
    this.disconnect()
    this.stopListening?.()
    this.stopListening = null
    this.away = false
    this.announcements.clear()
    this.setStatus({ state: 'idle' })
  }

  /** Tries again now instead of waiting for the next attempt. */
  retry(): void {
    this.post({ type: 'retry' })
  }

  /** Finds out who is signed in, for the stream may be another's, and joins. */
  private async begin(beginning: number): Promise<void> {
    const session = await this.askSession()
    if (beginning !== this.beginnings) return
    if (session instanceof Problem) return this.end(session.reason)
    this.session = session
    this.sessionId = session?.id ?? null
    this.asking = false
    if (!this.away) this.connect()
  }

  /** @returns null where nobody says in time, a problem where nobody is signed in */
  private askSession(): Promise<Session | Problem | null> {
    const { session } = this.options
    if (!session) return Promise.resolve(null)
    return new Promise((resolve) => {
      const cancel = this.env.after(SESSION_MS, () => resolve(null))
      session()
        .catch((error: unknown) =>
          error instanceof Problem && error.status === 401 ? error : null,
        )
        .then(resolve)
        .finally(cancel)
    })
  }

  private connect(): void {
    const { worker } = this.options
    const listener = {
      found: () => this.join(null),
      heard: (owner: string, message: FromOwner) => this.hear(owner, message),
      failed: () => this.doWithoutWorker(),
    }
    this.link =
      worker && this.env.openWorker && !this.workerFailed
        ? new WorkerLink(this.env, worker, this.name, this.tab, listener)
        : new LateTabsLink(this.env, this.name, this.tab, listener)
  }

  private doWithoutWorker(): void {
    this.workerFailed = true
    this.disconnect()
    this.lostSight()
    this.connect()
  }

  private disconnect(): void {
    this.watch.stop()
    this.post({ type: 'leave' })
    this.link?.close()
    this.link = null
    this.owner = null
    this.n = null
  }

  private post(message: ToOwner): void {
    this.link?.post(this.owner, message)
  }

  private join(owner: string | null): void {
    this.owner = owner
    this.n = null
    this.post({ type: 'join', ...this.joining() })
    this.watch.joining()
  }

  private joining(): Joining {
    return {
      look: this.look(),
      online: this.env.online(),
      session: this.sessionId,
      position: this.position,
      followed: this.followed,
      pending: this.announcements.pending,
      announced: this.announcements.announced,
      baseUrl: this.options.baseUrl ?? '',
      ticketed: this.options.ticket !== undefined,
    }
  }

  private look(): Look {
    return { visible: this.env.visible(), usedAt: this.usedAt }
  }

  private looked(): void {
    // Also when it is hidden: until now it was in use.
    this.usedAt = this.env.now()
    this.post({ type: 'look', look: this.look() })
  }

  private hear(owner: string, message: FromOwner): void {
    if (message.type === 'owner') return this.join(owner)
    if (message.type === 'welcome') {
      if (this.n === null && (this.owner ?? owner) === owner) this.welcomed(owner, message)
      return
    }
    if (message.type === 'question' && (this.owner ?? owner) === owner) {
      // Before the welcome too: a stream that takes a ticket asks for one to begin with.
      return void this.answer(owner, message.question, message.kind)
    }
    if (owner !== this.owner || this.n === null) return
    this.watch.heard()
    switch (message.type) {
      case 'event':
        if (message.n !== this.n + 1) return this.join(owner)
        this.n = message.n
        return this.take(message.event, message.position, message.announcer)
      case 'sign':
        // Something was lost on the way here.
        if (message.n !== this.n) return this.join(owner)
        return this.follow(message.status)
      case 'announce':
        return this.announce(message.event)
      case 'announced':
        return void this.announcements.announce(message.id)
      case 'ping':
        return this.post({ type: 'here' })
    }
  }

  private welcomed(owner: string, welcome: Welcome): void {
    const { hello, position, reset } = welcome
    this.owner = owner
    this.n = welcome.n
    this.watch.patienceMs = welcome.patienceMs
    // From here on it is the owner's to see that they are announced.
    this.announcements.drop()
    if (hello && this.isAnother(hello)) return void this.anotherSession()
    if (hello) this.watch.heartbeatMs = hello.heartbeat_ms
    this.sessionId ??= hello?.session?.id ?? null
    this.watch.heard()
    this.position ??= position
    this.followed = true
    this.follow(welcome.status)
    if (hello) this.emit('hello', { ...hello, session: this.session ?? hello.session })
    if (welcome.lock && welcome.lock.state !== this.toldLock) this.tellLock(welcome.lock)
    this.session = null
    if (reset) this.take({ name: 'reset', payload: reset }, reset.head, null)
    for (const event of welcome.events) this.take(event, position, null)
  }

  /** Passes the lock on; by the session just asked for where that is newer. */
  private tellLock(lock: Lock): void {
    this.toldLock = lock.state
    const { session } = this
    const newer = session?.state === 'active' && lock.state !== 'locked'
    this.emit('lock', newer ? { ...lock, ...remaining(session) } : lock)
  }

  private take(event: SharedEvent, position: string | null, announcer: string | null): void {
    switch (event.name) {
      case 'hello':
        return this.greeted(event.payload, position)
      case 'lock':
        this.toldLock = event.payload.state
        if (this.toldLock === 'locked' || this.toldLock === 'ended') this.announcements.drop()
        return this.emit('lock', event.payload)
      case 'reset':
        this.position = position
        this.announcements.drop()
        return this.emit('reset', event.payload)
      case 'session':
        if (this.isAnotherId(event.payload.id)) this.stop()
        return this.emit('session', event.payload)
      default:
        this.deliver(event)
        if (event.name === 'notice' && announcer) this.toAnnounce(event.payload, announcer)
    }
  }

  private greeted(hello: Hello, position: string | null): void {
    if (this.isAnother(hello)) return void this.anotherSession()
    this.sessionId ??= hello.session?.id ?? null
    this.watch.heartbeatMs = hello.heartbeat_ms
    this.position ??= position
    this.watch.heard()
    this.emit('hello', hello)
  }

  private deliver(event: LogEvent): void {
    const { id } = event.payload
    if (atOrBefore(id, this.position)) return
    this.position = id
    if (event.name === 'notice') this.emit('notice', event.payload)
    else if (event.name === 'notice_state') this.emit('notice_state', event.payload)
    else this.emit('task', event.payload)
  }

  private toAnnounce(event: Positioned<Notice>, announcer: string): void {
    this.announcements.expect(event)
    if (announcer === this.tab) this.announce(event)
  }

  private announce(event: Positioned<Notice>): void {
    if (!this.announcements.announce(event.id)) return
    this.post({ type: 'announced', id: event.id })
    this.emit('announce', event)
  }

  private async answer(owner: string, question: number, kind: Question): Promise<void> {
    const ask = kind === 'ticket' ? this.options.ticket : this.options.session
    if (!ask) return
    const answer = await ask().then((value) => ({ ok: true as const, value }), refusal)
    this.link?.post(owner, { type: 'answer', question, answer })
  }

  private isAnother(hello: Hello): boolean {
    return hello.session !== null && this.isAnotherId(hello.session.id)
  }

  private isAnotherId(id: string): boolean {
    return this.sessionId !== null && this.sessionId !== id
  }

  /** The stream is for another session than this tab's: the server says which is the right one. */
  private async anotherSession(): Promise<void> {
    this.n = null
    this.watch.stop()
    this.lostSight()
    const beginning = this.beginnings
    const session = await this.askSession()
    if (beginning !== this.beginnings) return
    if (session instanceof Problem) return this.end(session.reason)
    // The owner opens the stream again for the session of who joins, where that is another.
    if (!session || !this.isAnotherId(session.id)) return this.join(null)
    this.stop()
    this.emit('session', session)
  }

  private end(reason: SessionReason | null): void {
    this.stop()
    this.setStatus({ state: 'ended', reason })
  }

  private goAway(): void {
    this.away = true
    this.disconnect()
    this.lostSight()
  }

  private wake(): void {
    if (this.away) {
      this.away = false
      if (!this.asking) this.connect()
    }
    this.post({ type: 'wake', online: this.env.online() })
  }

  private wentOffline(): void {
    this.post({ type: 'offline' })
    this.setStatus({ state: 'offline', since: this.env.now() })
  }

  /** Says that what the page shows may be old, as long as nobody says that it is not. */
  private lostSight(): void {
    if (this.current.state === 'live' || this.current.state === 'locked') {
      this.setStatus({ state: 'stale', since: this.watch.heardAt })
    }
  }

  private follow(status: ConnectionStatus): void {
    if (status.state === 'ended') return this.end(status.reason)
    // Only the first connecting is one to the page: after that, what it shows grows old.
    if (status.state === 'connecting' && this.current.state !== 'connecting')
      return this.lostSight()
    this.setStatus(status)
  }

  private setStatus(status: ConnectionStatus): void {
    const before = this.current
    this.current = status
    if (before.state !== status.state) this.emit('status', status)
  }
}

const remaining = ({ idle_remaining_ms, max_remaining_ms }: Session) => ({
  idle_remaining_ms,
  max_remaining_ms,
})
