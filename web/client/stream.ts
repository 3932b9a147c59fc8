import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { Backoff } from './backoff'
import { Emitter } from './emitter'
import { browserEnvironment, type Environment } from './environment'
import { atOrBefore } from './position'
import { Problem } from './problem'
import type {
  Hello,
  Lock,
  Notice,
  NoticeState,
  Reset,
  Session,
  SessionReason,
  TaskEvent,
} from './types'

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

/** A journal event together with its position. */
export interface Positioned<T> {
  id: string
  data: T
}

export interface StreamEvents {
  status: ConnectionStatus
  hello: Hello
  lock: Lock
  notice: Positioned<Notice>
  notice_state: Positioned<NoticeState>
  task: Positioned<TaskEvent>
  /** Something in between cannot be replayed: load the inbox anew. The stream goes on by itself. */
  reset: Reset
  /**
   * What the server says of the session, asked after the stream was refused. When it is another
   * session than before, the stream has stopped: load the inbox and start from its cursor.
   */
  session: Session
}

export interface StreamOptions {
  /** @default '/sse/stream' */
  url?: string
  /** Asks `GET /session`; throws a {@link Problem}. Called when a refusal does not say why. */
  session: () => Promise<Session>
  /** @default the page's */
  environment?: Environment
}

const HEARTBEAT_MS = 15_000
const MISSED_HEARTBEATS = 2.5
const YOUNG_ATTEMPT_MS = 2_000

/**
 * One standing connection to the server's event stream, by cookie. It comes
 * back by itself from where it was, and says at any time whether it is live.
 */
export class Stream extends Emitter<StreamEvents> {
  private readonly url: string
  private readonly askSession: () => Promise<Session>
  private readonly env: Environment
  private readonly backoff: Backoff

  private current: ConnectionStatus = { state: 'idle' }
  private position: string | null = null
  private sessionId: string | null = null
  private heartbeatMs = HEARTBEAT_MS
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
    this.url = options.url ?? '/sse/stream'
    this.askSession = options.session
    this.env = options.environment ?? browserEnvironment()
    this.backoff = new Backoff(() => this.env.random())
  }

  get status(): ConnectionStatus {
    return this.current
  }

  /**
   * Opens the stream and keeps it open until {@link stop}.
   * @param position where to continue, an inbox's `cursor`; null for what comes from now on
   */
  start(position: string | null): void {
    this.stop()
    this.position = position
    this.sessionId = null
    const stops = [
      this.env.onWake(() => this.wake()),
      this.env.onOffline(() => this.setStatus({ state: 'offline', since: this.env.now() })),
    ]
    this.stopListening = () => stops.forEach((stop) => stop())
    this.setStatus({ state: 'connecting' })
    this.connect()
  }

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
      .catch(() => 'lost' as const)
      .then((outcome) => {
        // An attempt that was given up has a successor, or the stream was stopped.
        if (attempt.signal.aborted) return
        if (outcome === 'refused') void this.findOutWhy(attempt.signal)
        else this.comeBack()
      })
  }

  private async read(signal: AbortSignal): Promise<'lost' | 'refused'> {
    const headers: Record<string, string> = { Accept: 'text/event-stream' }
    if (this.position) headers['Last-Event-ID'] = this.position
    const response = await this.env.fetch(this.url, {
      headers,
      signal,
      credentials: 'include',
      cache: 'no-store',
    })
    if (response.status === 401 || response.status === 204) return 'refused'
    const type = response.headers.get('Content-Type') ?? ''
    if (response.status !== 200 || !type.startsWith('text/event-stream') || !response.body) {
      return 'lost'
    }
    let ended = false
    const parser = createParser({
      onEvent: (event) => {
        if (!ended && !signal.aborted) ended = this.receive(event)
      },
      onRetry: (ms) => (this.retryMs = ms),
    })
    const decoder = new TextDecoder()
    const reader = response.body.getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done || signal.aborted) return ended ? 'refused' : 'lost'
      this.expectSign()
      parser.feed(decoder.decode(value, { stream: true }))
      if (ended) return 'refused'
      if (this.pauseMs !== null) return 'lost'
    }
  }

  /** Takes one event in; true when it said that the session is over. */
  private receive(event: EventSourceMessage): boolean {
    const data: unknown = JSON.parse(event.data)
    this.alive()
    switch (event.event) {
      case 'hello':
        this.greet(data as Hello, event.id)
        break
      case 'lock':
        this.lockChanged(data as Lock)
        return (data as Lock).state === 'ended'
      case 'pause':
        // The duration beats the time of day: this machine's clock may be wrong.
        this.pauseMs = this.retryMs ?? Math.max(0, (data as number) - this.env.now())
        break
      case 'reset':
        this.position = event.id ?? (data as Reset).head
        this.emit('reset', data as Reset)
        break
      case 'notice':
      case 'notice_state':
      case 'task':
        this.deliver(event.event, event.id, data)
    }
    return false
  }

  private greet(hello: Hello, id: string | undefined): void {
    this.backoff.reset()
    this.greeted = true
    this.heartbeatMs = hello.heartbeat_ms
    this.sessionId = hello.session?.id ?? null
    // When a position was refused, its id is kept until the reset came: were
    // the stream cut in between, the reset would never be heard of.
    if (id && (this.position === null || hello.resumed)) this.position = id
    this.setStatus({ state: 'live' })
    this.expectSign()
    this.emit('hello', hello)
  }

  private lockChanged(lock: Lock): void {
    if (lock.state !== 'ended')
      this.setStatus({ state: lock.state === 'locked' ? 'locked' : 'live' })
    this.emit('lock', lock)
  }

  private deliver(name: 'notice' | 'notice_state' | 'task', id: string | undefined, data: unknown) {
    if (!id || atOrBefore(id, this.position)) return
    this.position = id
    if (name === 'notice') this.emit(name, { id, data: data as Notice })
    else if (name === 'notice_state') this.emit(name, { id, data: data as NoticeState })
    else this.emit(name, { id, data: data as TaskEvent })
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
    try {
      const session = await this.askSession()
      if (signal.aborted) return
      const same = this.sessionId === null || session.id === this.sessionId
      // The cookie was renewed by another tab while this request was under way.
      if (same) this.comeBack()
      else this.stop()
      this.emit('session', session)
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof Problem) || error.status !== 401) return this.comeBack()
      this.stop()
      this.setStatus({ state: 'ended', reason: error.reason })
    }
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
    if (before.state !== status.state) this.emit('status', status)
  }
}
