import { createParser } from 'eventsource-parser'
import { Backoff } from './backoff'
import { Emitter } from './emitter'
import { browserEnvironment, type Environment } from './environment'
import { HEARTBEAT_MS, MISSED_HEARTBEATS } from './heartbeat'
import { Problem } from './problem'
import { nobodyToMintFor, TicketHolder } from './ticket'
import type { Lock, Session, SessionReason, StreamTicket } from './types'

/**
 * Whether what the page shows is current. `stale` and `offline` say since when
 * it may not be, in milliseconds of the wall clock.
 */
export type ConnectionStatus =
  | { state: 'idle' }
  | { state: 'connecting' }
  | { state: 'live' }
  | { state: 'stale'; since: number }
  | { state: 'offline'; since: number }
  | { state: 'locked' }
  | { state: 'ended'; reason: SessionReason | null }

/** One event as it stands in a stream (HTML §9.2.6). */
export interface StreamEvent {
  event?: string | undefined
  id?: string | undefined
  data: string
}

/** What is heard of any stream. */
export interface ConnectionEvents {
  status: ConnectionStatus
  lock: Lock
  /**
   * What the server says of the session, asked after the stream was refused. When it is another
   * session than before, the stream has stopped: load the inbox and start from its cursor.
   */
  session: Session
  /** Nothing has happened, and the server says so each heartbeat. */
  ping: { now: string }
}

interface StreamPlace {
  /**
   * The server's origin, for a page that another origin serves.
   * @default '' the page's own
   */
  baseUrl?: string
  /** @default the page's */
  environment?: Environment
}

/** Who the stream is for: whoever is signed in at Belfry here, or whom tickets are minted for. */
export type StreamCredential =
  | {
      /** Asks `GET /session`; throws a {@link Problem}. Called when a refusal does not say why. */
      session: () => Promise<Session>
      ticket?: never
    }
  | {
      /**
       * Mints a ticket, on the page's own server; see {@link ticketFrom}. Called before the stream
       * is opened, unless the one before is still good. When it throws a {@link Problem} with
       * status 401 or 403 the stream has ended; anything else is tried again.
       */
      ticket: () => Promise<StreamTicket>
      session?: never
    }

export type StreamOptions = StreamPlace & StreamCredential

/** How an attempt can end: cut off, refused, or with nothing more to come. */
export type Outcome = 'lost' | 'refused' | 'over'

/** What one event means for the attempt that it came by. */
export type Verdict = Exclude<Outcome, 'lost'> | null

const YOUNG_ATTEMPT_MS = 2_000

/**
 * One standing connection to a stream of the server's, by cookie or by ticket. It comes back by
 * itself from where it was, and says at any time whether it is live. What its events mean is for
 * those who extend it.
 */
export abstract class EventStream<Events extends ConnectionEvents> extends Emitter<Events> {
  protected readonly baseUrl: string
  protected readonly env: Environment
  /** How often the server says that it lives. */
  protected heartbeatMs = HEARTBEAT_MS
  /** Who the stream was for when the server last said so; null: not yet. */
  protected sessionId: string | null = null
  private readonly askSession: (() => Promise<Session>) | null
  private readonly tickets: TicketHolder | null
  private readonly backoff: Backoff

  private current: ConnectionStatus = { state: 'idle' }
  /** When something was last heard, by the wall clock: that one runs on while a machine sleeps. */
  private heardAt = 0
  private attempt: AbortController | null = null
  private greeted = false
  private pauseMs: number | null = null
  private retryMs: number | null = null
  private cancelTimer = () => {}
  private stopListening: (() => void) | null = null

  constructor(options: StreamOptions) {
    super()
    this.baseUrl = options.baseUrl ?? ''
    this.env = options.environment ?? browserEnvironment()
    this.askSession = options.session ?? null
    this.tickets = options.ticket ? new TicketHolder(options.ticket, () => this.env.now()) : null
    this.backoff = new Backoff(() => this.env.random())
  }

  get status(): ConnectionStatus {
    return this.current
  }

  /** Where the stream is opened now. */
  protected abstract url(): string

  /** What the server is told with `Last-Event-ID`; null: nothing. */
  protected abstract lastEventId(): string | null

  /** The server has answered with a stream. */
  protected abstract opened(): void

  /** Takes in an event that is not common to all streams. */
  protected abstract receive(event: StreamEvent): Verdict

  /** Takes in an answer without content. */
  protected abstract noContent(): Exclude<Outcome, 'lost'>

  stop(): void {
    this.hangUp()
    this.stopListening?.()
    this.stopListening = null
    this.backoff.reset()
    this.setStatus({ state: 'idle' })
  }

  /** Tries again now instead of waiting for the next attempt. */
  retry(): void {
    if (this.stopListening) this.connect()
  }

  /** Opens the stream and keeps it open until {@link stop}. */
  protected begin(): void {
    this.sessionId = null
    const stops = [
      this.env.onWake(() => this.wake()),
      this.env.onOffline(() => this.setStatus({ state: 'offline', since: this.env.now() })),
    ]
    this.stopListening = () => stops.forEach((stop) => stop())
    this.setStatus({ state: 'connecting' })
    this.connect()
  }

  /** The server speaks: what comes from now on is current. */
  protected greet(): void {
    this.backoff.reset()
    this.greeted = true
    this.setStatus({ state: 'live' })
    this.expectSign()
  }

  private hangUp(): void {
    this.cancelTimer()
    this.attempt?.abort()
    this.attempt = null
  }

  private connect(): void {
    this.hangUp()
    const attempt = new AbortController()
    this.attempt = attempt
    this.greeted = false
    this.pauseMs = null
    this.retryMs = null
    this.expectSign()
    void this.read(attempt.signal)
      // A cut connection and a refused one end alike: what matters is that it is over.
      .catch((error: unknown) => (nobodyToMintFor(error) ? 'ended' : 'lost'))
      .then((outcome) => {
        // An attempt that was given up has a successor, or the stream was stopped.
        if (attempt.signal.aborted) return
        if (outcome === 'ended') this.end(null)
        else if (outcome === 'over') this.stop()
        else if (outcome === 'refused') void this.findOutWhy(attempt.signal)
        else this.comeBack()
      })
  }

  private async request(signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { Accept: 'text/event-stream' }
    const at = this.lastEventId()
    if (at) headers['Last-Event-ID'] = at
    // Not in the address, which is written into logs.
    if (this.tickets) headers.Authorization = `Bearer ${await this.tickets.get()}`
    return this.env.fetch(this.url(), {
      headers,
      signal,
      credentials: this.tickets ? 'omit' : 'include',
      cache: 'no-store',
    })
  }

  private async read(signal: AbortSignal): Promise<Outcome> {
    const response = await this.request(signal)
    if (response.status === 204) return this.noContent()
    if (response.status === 401) return 'refused'
    const type = response.headers.get('Content-Type') ?? ''
    if (response.status !== 200 || !type.startsWith('text/event-stream') || !response.body) {
      return 'lost'
    }
    if (!signal.aborted) this.opened()
    let verdict: Verdict = null
    const parser = createParser({
      onEvent: (event) => {
        if (!verdict && !signal.aborted) verdict = this.take(event)
      },
      onRetry: (ms) => (this.retryMs = ms),
    })
    const decoder = new TextDecoder()
    const reader = response.body.getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done || signal.aborted) return verdict ?? 'lost'
      this.expectSign()
      parser.feed(decoder.decode(value, { stream: true }))
      if (verdict) return verdict
      if (this.pauseMs !== null) return 'lost'
    }
  }

  private take(event: StreamEvent): Verdict {
    this.alive()
    switch (event.event) {
      case 'lock': {
        const lock = JSON.parse(event.data) as Lock
        this.lockChanged(lock)
        return lock.state === 'ended' ? 'refused' : null
      }
      case 'ping':
        this.emit('ping', JSON.parse(event.data) as Events['ping'])
        return null
      case 'pause':
        // The duration beats the time of day: this machine's clock may be wrong.
        this.pauseMs = this.retryMs ?? Math.max(0, Number(event.data) - this.env.now())
        return null
      default:
        return this.receive(event)
    }
  }

  private lockChanged(lock: Lock): void {
    if (lock.state !== 'ended')
      this.setStatus({ state: lock.state === 'locked' ? 'locked' : 'live' })
    this.emit('lock', lock as Events['lock'])
  }

  /** Something came: a browser that called itself offline was wrong about this connection. */
  private alive(): void {
    if (this.current.state === 'offline' && this.greeted) this.setStatus({ state: 'live' })
  }

  /** Notes a sign of life, and hangs up when the next one does not come in time. */
  private expectSign(): void {
    this.cancelTimer()
    this.heardAt = this.env.now()
    this.cancelTimer = this.env.after(this.heartbeatMs * MISSED_HEARTBEATS, () => {
      this.attempt?.abort()
      this.comeBack()
    })
  }

  /** Plans the next attempt: at the server's word after a pause, else by backoff. */
  private comeBack(): void {
    this.hangUp()
    this.lost()
    const delayMs = this.pauseMs ?? this.backoff.next()
    this.cancelTimer = this.env.after(delayMs, () => this.connect())
  }

  private lost(): void {
    const since = 'since' in this.current ? this.current.since : this.heardAt
    this.setStatus({ state: this.env.online() ? 'stale' : 'offline', since })
  }

  private async findOutWhy(signal: AbortSignal): Promise<void> {
    this.cancelTimer()
    this.tickets?.drop()
    if (!this.askSession) return this.comeBack()
    try {
      const session = await this.askSession()
      if (signal.aborted) return
      const same = this.sessionId === null || session.id === this.sessionId
      // The cookie was renewed by another tab while this request was under way.
      if (same) this.comeBack()
      else this.stop()
      this.emit('session', session as Events['session'])
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof Problem) || error.status !== 401) return this.comeBack()
      this.end(error.reason)
    }
  }

  private end(reason: SessionReason | null): void {
    this.stop()
    this.setStatus({ state: 'ended', reason })
  }

  /** The page woke up, or its network did: look now, for timers may have stood still. */
  private wake(): void {
    const { state } = this.current
    const silentMs = this.env.now() - this.heardAt
    const well = state === 'live' || state === 'locked'
    // Several of these events come together: an attempt just begun is left alone.
    const patienceMs = well ? this.heartbeatMs * MISSED_HEARTBEATS : YOUNG_ATTEMPT_MS
    if (!this.attempt || silentMs > patienceMs) this.connect()
  }

  private setStatus(status: ConnectionStatus): void {
    const before = this.current
    this.current = status
    if (before.state !== status.state) this.emit('status', status as Events['status'])
  }
}
