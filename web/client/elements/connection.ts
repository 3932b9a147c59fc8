import { browserEnvironment } from '../environment'
import { newName } from '../protocol'
import { SharedStream } from '../shared'
import { ticketFrom } from '../ticket'
import { SessionWatch } from './session'

/** Where the page's own server mints tickets, and for whom, where the page says so. */
export interface TicketSource {
  url: string
  user: string | null
}

const open = new Map<string, Connection>()

/**
 * What the elements of a page share for one Belfry: the stream and, where the cookie opens it, the
 * session. It begins with the first element and ends with the last.
 */
export class Connection {
  readonly stream: SharedStream
  /** Null where tickets open the stream: they are good for nothing else. */
  readonly watch: SessionWatch | null
  private readonly key: string
  private readonly stops: (() => void)[] = []
  private users = 0

  /** @param tickets null for the cookie */
  static of(baseUrl: string, tickets: TicketSource | null): Connection {
    const key = JSON.stringify([baseUrl, tickets])
    const found = open.get(key) ?? new Connection(key, baseUrl, tickets)
    open.set(key, found)
    return found
  }

  private constructor(key: string, baseUrl: string, tickets: TicketSource | null) {
    this.key = key
    if (tickets) {
      // Of people who are not told apart each tab has a stream of its own: another tab's may be
      // that of whoever was signed in to the page before.
      const source = tickets.user === null ? newName() : JSON.stringify(tickets)
      this.watch = null
      this.stream = new SharedStream({ baseUrl, source, ticket: ticketFrom(tickets.url) })
      return
    }
    const watch = new SessionWatch(baseUrl)
    this.watch = watch
    this.stream = new SharedStream({ baseUrl, session: () => watch.present() })
    this.follow(watch)
  }

  /** Begins with the first who calls; the result lets go of it again. */
  use(): () => void {
    // Listeners are on before anything happens, whichever of a page's elements came first.
    if (this.users++ === 0) queueMicrotask(() => this.users > 0 && this.begin())
    let mine = true
    return () => {
      if (mine) this.users--
      mine = false
      // One that is only moved about the page is back at once.
      setTimeout(() => this.users === 0 && this.finish())
    }
  }

  private begin(): void {
    // It may have been let go of and taken up again within the same turn.
    if (this.stream.status.state === 'idle') this.stream.start(null)
  }

  private finish(): void {
    this.stops.forEach((stop) => stop())
    this.stream.stop()
    if (open.get(this.key) === this) open.delete(this.key)
  }

  private follow(watch: SessionWatch): void {
    const { stream } = this
    const wake = () => {
      // Whoever was signed out may have signed in elsewhere meanwhile.
      if (watch.phase !== 'active' && watch.phase !== 'unknown') void watch.check()
    }
    window.addEventListener('focus', wake)
    let followed: string | undefined
    this.stops.push(
      () => window.removeEventListener('focus', wake),
      browserEnvironment().onWake(wake),
      stream.on('hello', (hello) => {
        followed = hello.session?.id
        // Asked anew: what a greeting says of the session may be older than a lock.
        if (watch.phase !== 'active') void watch.check()
      }),
      stream.on('lock', (lock) => watch.onLock(lock)),
      stream.on('session', (session) => watch.adopt(session)),
      stream.on('status', (status) => {
        if (status.state === 'ended') watch.end(status.reason)
      }),
      watch.on('change', (phase) => {
        if (this.users === 0 || (phase !== 'active' && phase !== 'locked')) return
        const over = stream.status.state === 'ended' || stream.status.state === 'idle'
        // Signed in again, in another tab perhaps, and not always as the same person.
        if (over || (followed !== undefined && followed !== watch.session?.id)) {
          followed = undefined
          stream.start(null)
        }
      }),
    )
  }
}
