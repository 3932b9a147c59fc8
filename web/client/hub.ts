import { Announcer } from './announcer'
import { Backlog } from './backlog'
import type { Environment } from './environment'
import { Members } from './members'
import { atOrBefore } from './position'
import type { FromOwner, Joining, LogEvent, SharedEvent, ToOwner, Welcome } from './protocol'
import type { ConnectionStatus } from './event-stream'
import { Stream } from './stream'
import type { Hello, Lock } from './types'

/** How long a new owner waits for all tabs to say where they stand, before it opens the stream. */
const GATHER_MS = 150
const BEAT_MS = 400
const MISSED_BEATS = 3

interface HubOptions {
  environment: Pick<Environment, 'fetch' | 'now' | 'after' | 'random'>
  /** Passes a message to one tab, or to all. */
  send: (message: FromOwner, tab: string | null) => void
  /** Whether to say all the time that it lives, where its end would not be noticed otherwise. */
  beats: boolean
}

const EVENTS = ['hello', 'lock', 'notice', 'notice_state', 'task', 'reset', 'session'] as const

/** Runs the one stream of a browser, for all of its tabs. */
export class Hub {
  private readonly env: HubOptions['environment']
  private readonly send: HubOptions['send']
  private readonly patienceMs: number | null
  private readonly members: Members
  private readonly announcer: Announcer
  private readonly backlog = new Backlog()
  private stream: Stream | null = null
  private readonly wakes = new Set<() => void>()
  private readonly losses = new Set<() => void>()
  private cancelBeat = () => {}
  /** Set while the tabs say where they stand. */
  private gathering: { cancel: () => void; joinings: Joining[] } | null = null
  /** Counts the events. */
  private n = 0
  private hello: Hello | null = null
  private unread: number | null = null
  private lock: Lock | null = null
  private lockAt = 0
  /** All notices up to here were given to some tab to announce. */
  private announcedTo: string | null = null

  constructor({ environment, send, beats }: HubOptions) {
    this.env = environment
    this.send = send
    this.patienceMs = beats ? BEAT_MS * MISSED_BEATS : null
    this.members = new Members({ after: this.env.after, send, lost: (tab) => this.leave(tab) })
    this.announcer = new Announcer(this.env.after, {
      choose: (tried) => this.members.preferred().find((tab) => !tried.has(tab)) ?? null,
      tell: (tab, event) => send({ type: 'announce', event }, tab),
      silent: (tab) => this.members.keptSilent(tab),
    })
    if (beats) this.beat()
  }

  /** Takes in what a tab says. */
  receive(tab: string, message: ToOwner): void {
    if (message.type === 'join') return this.join(tab, message)
    if (message.type === 'leave') return this.leave(tab)
    // Whatever a tab says presumes that it has joined; this one was given up, or knew another owner.
    if (!this.members.heard(tab)) return this.send({ type: 'owner' }, tab)
    switch (message.type) {
      case 'look':
        this.members.heard(tab, { look: message.look })
        break
      case 'wake':
        this.members.heard(tab, { online: message.online })
        this.wakes.forEach((wake) => wake())
        break
      case 'offline':
        this.members.heard(tab, { online: false })
        this.losses.forEach((lost) => lost())
        break
      case 'retry':
        this.stream?.retry()
        break
      case 'announced':
        this.announcer.confirm(message.id)
        this.send({ type: 'announced', id: message.id }, null)
        break
      case 'answer':
        this.members.answered(message.question, message.answer)
        break
      case 'ping':
        this.sign(tab)
    }
    this.announcer.came(tab)
  }

  /** Gives all up without a word to the tabs: another owner will come to them. */
  close(): void {
    this.members.clear()
    this.rest()
    this.cancelBeat()
  }

  private join(tab: string, joining: Joining): void {
    this.members.add(tab, joining)
    if (this.gathering) this.gathering.joinings.push(joining)
    else if (!this.stream) this.begin(joining)
    else if (this.isBehind(joining)) this.open(joining.position)
    else if (this.isForAnother(joining)) this.open(this.stream.position)
    this.send({ type: 'welcome', ...this.welcome(joining) }, tab)
    if (!this.gathering) this.announcer.inherit(joining.pending, joining.announced)
    this.announcer.came(tab)
  }

  private leave(tab: string): void {
    this.members.delete(tab)
    if (this.members.size > 0) this.announcer.left(tab)
    else this.rest()
  }

  /** Ends the stream, until a tab joins. */
  private rest(): void {
    this.gathering?.cancel()
    this.gathering = null
    this.stream?.stop()
    this.stream = null
    // Or whoever comes next would be greeted with what the last stream said.
    this.hello = null
    this.lock = null
    this.unread = null
    this.forget(null)
    this.announcedTo = null
  }

  /** Holds nothing of a notice any more: for nobody may see it, or another person comes. */
  private forget(position: string | null): void {
    this.backlog.clear(position)
    this.announcer.clear()
  }

  /** Begins: at once for a page that was just loaded; else all tabs come now, from another owner. */
  private begin(joining: Joining): void {
    this.stream = this.makeStream(joining)
    if (!joining.followed) return this.open(joining.position)
    const cancel = this.env.after(GATHER_MS, () => this.takeOver())
    this.gathering = { cancel, joinings: [joining] }
  }

  /** Goes on from the position of whoever is behind, and with what the last owner did not finish. */
  private takeOver(): void {
    const joinings = this.gathering?.joinings ?? []
    this.gathering = null
    let lowest: string | null = null
    for (const { position, followed } of joinings) {
      if (lowest === null || (position !== null && atOrBefore(position, lowest))) lowest = position
      if (followed && !(position && atOrBefore(position, this.announcedTo))) {
        this.announcedTo = position
      }
    }
    this.open(lowest)
    const announced = joinings.flatMap((joining) => joining.announced)
    for (const { pending } of joinings) this.announcer.inherit(pending, announced)
  }

  private open(position: string | null): void {
    this.hello = null
    this.lock = null
    this.unread = null
    this.forget(position)
    this.stream?.start(position)
  }

  /** Whether the stream is for another person than the tab, or who that is was not to be found out. */
  private isForAnother({ session, ticketed }: Pick<Joining, 'session' | 'ticketed'>): boolean {
    return !ticketed && this.hello !== null && this.hello.session?.id !== session
  }

  /** Whether a tab stands before the place at which a stream begins that is yet to be greeted. */
  private isBehind({ position, ...joining }: Joining): boolean {
    if (position === null || (this.hello && !this.isForAnother(joining))) return false
    const begin = this.stream?.position ?? null
    return begin === null || !atOrBefore(begin, position)
  }

  private makeStream({ baseUrl, ticketed }: Joining): Stream {
    const environment: Environment = {
      ...this.env,
      online: () => this.members.online,
      onWake: (wake) => register(this.wakes, wake),
      onOffline: (lost) => register(this.losses, lost),
    }
    const stream = new Stream({
      baseUrl,
      environment,
      ...(ticketed
        ? { ticket: () => this.members.ask('ticket') }
        : { session: () => this.members.ask('session') }),
    })
    for (const name of EVENTS) {
      stream.on(name, (payload) => this.pass({ name, payload } as SharedEvent))
    }
    stream.on('ping', () => this.sign(null))
    stream.on('status', (status) => this.statusChanged(status))
    return stream
  }

  private statusChanged(status: ConnectionStatus): void {
    // It comes between a stop and a start, or before what says why.
    if (status.state === 'idle') return
    this.sign(null)
    if (status.state === 'ended') this.dismiss()
  }

  /** The stream is over for all; whoever starts anew joins anew. */
  private dismiss(): void {
    this.members.clear()
    this.rest()
  }

  private pass(event: SharedEvent): void {
    const announcer = this.take(event)
    const position = this.stream?.position ?? null
    this.send({ type: 'event', n: ++this.n, position, announcer, event }, null)
    // Another session has taken this one's place.
    if (event.name === 'session' && this.stream?.status.state === 'idle') this.dismiss()
  }

  /** Notes what an event says. @returns the tab that is to announce it */
  private take(event: SharedEvent): string | null {
    switch (event.name) {
      case 'hello':
        this.hello = event.payload
        this.unread = event.payload.unread
        this.backlog.begin(this.stream?.position ?? null)
        break
      case 'lock':
        this.lock = event.payload
        this.lockAt = this.env.now()
        if (event.payload.state === 'locked' || event.payload.state === 'ended') {
          this.forget(this.stream?.position ?? null)
          this.unread = null
        }
        break
      case 'reset':
        this.forget(this.stream?.position ?? null)
        this.announcedTo = this.stream?.position ?? null
        break
      case 'notice':
        this.remember(event, this.unread === null ? null : this.unread + 1)
        if (atOrBefore(event.payload.id, this.announcedTo)) return null
        this.announcedTo = event.payload.id
        return this.announcer.assign(event.payload)
      case 'notice_state':
        this.remember(event, event.payload.data.unread)
        break
      case 'task':
        this.remember(event, this.unread)
    }
    return null
  }

  private remember(event: LogEvent, unread: number | null): void {
    this.backlog.add(event)
    // The greeting's count is newer than what is replayed after it.
    if (!atOrBefore(event.payload.id, this.hello?.head ?? null)) this.unread = unread
  }

  private welcome(joining: Joining): Welcome {
    const position = this.stream?.position ?? null
    const behind = joining.position !== null && this.hello !== null
    const events = behind ? this.backlog.after(joining.position ?? '') : []
    const trimmed = atOrBefore(joining.position ?? '', position)
    const greeted = this.hello?.head ?? ''
    const head = position && !atOrBefore(position, greeted) ? position : greeted
    return {
      status: this.status(),
      n: this.n,
      position,
      hello: this.hello && { ...this.hello, unread: this.unread, head },
      lock: this.lock && this.lockNow(this.lock),
      events: events ?? [],
      reset: events ? null : { reason: trimmed ? 'trimmed' : 'epoch', head: position ?? '' },
      patienceMs: this.patienceMs,
    }
  }

  private status(): ConnectionStatus {
    return this.gathering || !this.stream ? { state: 'connecting' } : this.stream.status
  }

  /** The lock as it was told, with what has passed since taken off. */
  private lockNow(lock: Lock): Lock {
    const since = this.env.now() - this.lockAt
    const left = (ms: number) => Math.max(0, ms - since)
    return {
      ...lock,
      idle_remaining_ms: left(lock.idle_remaining_ms),
      max_remaining_ms: left(lock.max_remaining_ms),
    }
  }

  private sign(tab: string | null): void {
    this.send({ type: 'sign', n: this.n, status: this.status() }, tab)
  }

  private beat(): void {
    this.cancelBeat = this.env.after(BEAT_MS, () => {
      this.sign(null)
      this.beat()
    })
  }
}

function register(set: Set<() => void>, run: () => void): () => void {
  set.add(run)
  return () => set.delete(run)
}
