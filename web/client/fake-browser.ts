import type { SharedStorage, TabEnvironment } from './environment'
import { Problem } from './problem'
import * as tabs from './tabs'
import type { Session } from './types'
import { workerHub } from './worker-hub'

const HEARTBEAT_MS = 1_000

/** Resolves after everything that is already under way has run. */
async function settle(): Promise<void> {
  for (let n = 0; n < 3; n++) await turn()
}

const { port1, port2 } = new MessageChannel()

/** Resolves in the next turn of the event loop, without the millisecond that a timer takes. */
const turn = () =>
  new Promise<void>((resolve) => {
    port1.onmessage = () => resolve()
    port2.postMessage(null)
  })

const block = (event: string, data: unknown, id?: string) =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`

const lockEvent = (state: string, reason: string | null = null) =>
  block('lock', { state, reason, idle_remaining_ms: 60_000, max_remaining_ms: 600_000 })

interface Connection {
  session: string
  position: string
  send: (text: string) => void
  end: () => void
}

/** A server with one log, whose streams say what Belfry's say. */
export class FakeServer {
  epoch = 'e'
  /** Whose cookie the browser has; null is signed out. */
  session: string | null = 's1'
  locked = false
  up = true
  /** Connections stay open, and nothing passes. */
  blackHole = false
  log: { n: number; event: 'notice' | 'task'; title: string }[] = []
  /** How many from the beginning are not kept. */
  trimmed = 0
  opened = 0
  readonly connections = new Set<Connection>()

  get head(): string {
    return `${this.epoch}-${this.log.at(-1)?.n ?? 0}`
  }

  /** @param context that of who asks: what stands still takes nothing in */
  fetch(context: Context, init?: RequestInit): Promise<Response> {
    this.opened++
    if (!this.up) return Promise.reject(new TypeError('Failed to fetch'))
    if (this.blackHole) {
      return new Promise((_, reject) => {
        init?.signal?.addEventListener('abort', () => reject(new DOMException('', 'AbortError')))
      })
    }
    if (this.session === null) return Promise.resolve(new Response('', { status: 401 }))
    const last = new Headers(init?.headers).get('Last-Event-ID')
    return Promise.resolve(this.open(this.session, last, init?.signal ?? null, context))
  }

  readonly askSession = (): Promise<Session> => {
    if (!this.up || this.blackHole) return Promise.reject(Problem.network())
    if (this.session === null) {
      return Promise.reject(new Problem(401, { code: 'unauthenticated', reason: 'logout' }))
    }
    const state = this.locked ? 'locked' : 'active'
    const left = { idle_remaining_ms: 60_000, max_remaining_ms: 600_000 }
    return Promise.resolve({ id: this.session, state, ...left } as Session)
  }

  publish(
    title = `n${(this.log.at(-1)?.n ?? 0) + 1}`,
    event: 'notice' | 'task' = 'notice',
  ): string {
    this.log.push({ n: (this.log.at(-1)?.n ?? 0) + 1, event, title })
    for (const connection of this.connections) this.replay(connection)
    return title
  }

  lock(): void {
    this.locked = true
    for (const { send } of this.connections) send(lockEvent('locked', 'idle'))
  }

  unlock(): void {
    this.locked = false
    for (const connection of this.connections) {
      connection.send(lockEvent('active'))
      this.replay(connection)
    }
  }

  /** Ends the session; another may be signed in at once. */
  end(next: string | null = null): void {
    this.session = next
    for (const { send, end } of [...this.connections]) {
      send(lockEvent('ended', 'logout'))
      end()
    }
  }

  /** Puts an older log back, as an administrator does who restores a backup. */
  restore(epoch: string): void {
    this.cut()
    this.epoch = epoch
  }

  cut(): void {
    for (const { end } of [...this.connections]) end()
  }

  heartbeat(): void {
    if (this.blackHole) return
    for (const { send } of this.connections) send(block('ping', { now: '' }))
  }

  private open(
    session: string,
    last: string | null,
    signal: AbortSignal | null,
    context: Context,
  ): Response {
    const encoder = new TextEncoder()
    let controller: ReadableStreamDefaultController<Uint8Array>
    const body = new ReadableStream<Uint8Array>({ start: (c) => void (controller = c) })
    const gone = () => this.connections.delete(connection)
    const connection: Connection = {
      session,
      position: last ?? this.head,
      send: (text) => {
        if (this.blackHole) return
        context.run(
          () => this.connections.has(connection) && controller.enqueue(encoder.encode(text)),
        )
      },
      end: () => {
        if (gone()) context.run(() => controller.close())
      },
    }
    signal?.addEventListener('abort', () => {
      if (gone()) controller.error(new DOMException('', 'AbortError'))
    })
    this.connections.add(connection)
    this.greet(connection, last)
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } })
  }

  private greet(connection: Connection, last: string | null): void {
    const [epoch, offset] = (last ?? this.head).split('-')
    const resumed = epoch === this.epoch && Number(offset) >= this.trimmed
    const hello = {
      session: { id: connection.session },
      unread: 0,
      head: this.head,
      resumed,
      heartbeat_ms: HEARTBEAT_MS,
      now: '',
    }
    if (!resumed) connection.position = this.head
    connection.send(block('hello', hello, connection.position))
    connection.send(lockEvent(this.locked ? 'locked' : 'active'))
    if (!resumed) {
      const reason = epoch === this.epoch ? 'trimmed' : 'epoch'
      connection.send(block('reset', { reason, head: this.head }, this.head))
    }
    this.replay(connection)
  }

  private replay(connection: Connection): void {
    if (this.locked || this.blackHole) return
    const from = Number(connection.position.split('-')[1])
    for (const { n, event, title } of this.log) {
      if (n <= from) continue
      const id = `${this.epoch}-${n}`
      connection.send(block(event, { id: n, cursor: id, title }, id))
      connection.position = id
    }
  }
}

/** Something that runs: a page, or a worker. */
export class Context {
  alive = true
  frozen = false
  private waiting: (() => void)[] = []

  /** Runs now; later while frozen; never once dead. */
  run(call: () => void): void {
    if (!this.alive) return
    if (this.frozen) this.waiting.push(call)
    else call()
  }

  thaw(): void {
    this.frozen = false
    this.waiting.splice(0).forEach((call) => this.run(call))
  }
}

interface Timer {
  at: number
  context: Context
  run: () => void
}

interface Request {
  context: Context
  mode: LockMode
  callback: () => unknown
  fail: (error: Error) => void
}

/** The locks of one origin. */
class FakeLocks {
  private readonly held = new Map<string, Request[]>()
  private readonly queued = new Map<string, Request[]>()

  of(context: Context): Pick<LockManager, 'request'> {
    const request = (name: string, ...rest: unknown[]) => {
      const callback = rest.at(-1) as () => unknown
      const options = rest.length > 1 ? (rest[0] as LockOptions) : {}
      return new Promise<void>((resolve, reject) => {
        const own: Request = {
          context,
          mode: options.mode ?? 'exclusive',
          callback: () => Promise.resolve(callback()).then(() => resolve()),
          fail: reject,
        }
        options.signal?.addEventListener('abort', () => {
          const queue = this.queued.get(name) ?? []
          if (!queue.includes(own)) return
          this.queued.set(name, without(queue, own))
          reject(new DOMException('', 'AbortError'))
        })
        if (options.steal) {
          const robbed = this.held.get(name) ?? []
          this.held.delete(name)
          robbed.forEach(({ context, fail }) =>
            context.run(() => fail(new DOMException('', 'AbortError'))),
          )
          this.queued.set(name, [own, ...(this.queued.get(name) ?? [])])
        } else this.queued.set(name, [...(this.queued.get(name) ?? []), own])
        this.grant(name)
      })
    }
    return { request: request as LockManager['request'] }
  }

  died(context: Context): void {
    for (const [name, queue] of this.queued) {
      this.queued.set(
        name,
        queue.filter((request) => request.context !== context),
      )
    }
    for (const [name, held] of this.held) {
      this.held.set(
        name,
        held.filter((request) => request.context !== context),
      )
      this.grant(name)
    }
  }

  private grant(name: string): void {
    const held = this.held.get(name) ?? []
    const next = this.queued.get(name)?.[0]
    const free = held.length === 0 || (next?.mode === 'shared' && held[0]?.mode === 'shared')
    if (!next || !free) return
    this.queued.set(name, without(this.queued.get(name) ?? [], next))
    this.held.set(name, [...held, next])
    next.context.run(() =>
      queueMicrotask(() => {
        void Promise.resolve(next.callback()).then(() => {
          if (!this.held.get(name)?.includes(next)) return
          this.held.set(name, without(this.held.get(name) ?? [], next))
          this.grant(name)
        })
      }),
    )
    this.grant(name)
  }
}

const without = <T>(list: T[], gone: T) => list.filter((each) => each !== gone)

export interface Lacks {
  workers?: boolean
  locks?: boolean
  storage?: boolean
  channels?: boolean
}

/** A page of a fake browser, as the stream sees it. */
export interface FakeTab {
  context: Context
  environment: TabEnvironment
  isVisible: boolean
  look: (visible: boolean) => void
  /** Puts the page away, as when it is left: it may come back. */
  hide: () => void
  show: () => void
  /** Ends the page without a word. */
  crash: () => void
}

/** A browser whose clock, network, tabs and workers belong to the test. */
export class FakeBrowser {
  time = 1_000_000
  /** By how much the clock on the wall is off from what timers count. */
  shiftMs = 0
  readonly server = new FakeServer()
  readonly lacks: Lacks
  /** Whether the next message between tabs is lost; asked for each. */
  loses: () => boolean = () => false
  random: () => number = () => 0.5
  workersStarted = 0
  /** How long a part of the client takes to come that a page fetches when it needs it. */
  partMs = 0
  partsAsked = 0
  /** Since time last went on. */
  private passed = 0
  private timers: Timer[] = []
  private readonly locks = new FakeLocks()
  private readonly channels = new Map<string, { context: Context; heard: (m: unknown) => void }[]>()
  private readonly workers = new Map<
    string,
    { context: Context; receive: ReturnType<typeof workerHub> }
  >()
  private readonly stored = new Map<string, string>()
  private storageListeners: { context: Context; key: string; changed: () => void }[] = []

  constructor(lacks: Lacks = {}) {
    this.lacks = lacks
  }

  /** Lets time pass, and everything happen in its order. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms
    await settle()
    for (;;) {
      const beat = (Math.floor(this.time / HEARTBEAT_MS) + 1) * HEARTBEAT_MS
      const due = this.timers.filter(({ context }) => context.alive && !context.frozen)
      const next = Math.max(this.time, Math.min(beat, ...due.map(({ at }) => at)))
      if (next > end) break
      if (next > this.time) this.passed = 0
      this.time = next
      if (next === beat) this.server.heartbeat()
      for (const timer of due) {
        if (timer.at > next || !this.timers.includes(timer)) continue
        this.timers = without(this.timers, timer)
        timer.context.run(timer.run)
      }
      await settle()
    }
    this.time = end
    await settle()
  }

  openTab(): FakeTab {
    const context = new Context()
    const on = {
      wake: new Set<() => void>(),
      look: new Set<() => void>(),
      away: new Set<() => void>(),
    }
    const call = (set: Set<() => void>) => context.run(() => [...set].forEach((run) => run()))
    const tab: FakeTab = {
      context,
      environment: undefined as unknown as TabEnvironment,
      isVisible: true,
      look: (visible) => {
        tab.isVisible = visible
        call(on.look)
        if (visible) call(on.wake)
      },
      hide: () => call(on.away),
      show: () => call(on.wake),
      crash: () => this.kill(context),
    }
    const register = (set: Set<() => void>) => (run: () => void) => {
      set.add(run)
      return () => set.delete(run)
    }
    tab.environment = {
      ...this.plain(context),
      online: () => true,
      visible: () => tab.isVisible,
      onWake: register(on.wake),
      onOffline: () => () => undefined,
      onLook: register(on.look),
      onAway: register(on.away),
      openWorker: this.lacks.workers ? null : this.openWorker(context),
      openChannel: this.lacks.channels ? null : this.openChannel(context),
      locks: this.lacks.locks ? null : this.locks.of(context),
      storage: this.lacks.storage ? null : this.storage(context),
      loadTabs: () => this.loadTabs(context),
    }
    return tab
  }

  /** A server that is away has no parts to give; nor has one that does not answer. */
  private loadTabs(context: Context): Promise<typeof tabs> {
    this.partsAsked++
    return new Promise((resolve, reject) => {
      const come = () =>
        context.run(() => {
          if (this.server.up && !this.server.blackHole) resolve(tabs)
          else reject(new TypeError('Failed to fetch dynamically imported module'))
        })
      this.timers.push({ at: this.time + this.partMs, context, run: come })
    })
  }

  killWorkers(): void {
    for (const { context } of this.workers.values()) this.kill(context)
    this.workers.clear()
  }

  freezeWorkers(): void {
    for (const { context } of this.workers.values()) context.frozen = true
  }

  /** How many streams are open, of all that run. */
  get streams(): number {
    return this.server.connections.size
  }

  private kill(context: Context): void {
    context.alive = false
    this.timers = this.timers.filter((timer) => timer.context !== context)
    this.locks.died(context)
    this.dying.get(context)?.abort()
  }

  /** The browser closes the connections of what dies. */
  private readonly dying = new Map<Context, AbortController>()

  private plain(context: Context) {
    const dying = new AbortController()
    this.dying.set(context, dying)
    return {
      fetch: (_url: RequestInfo | URL, init: RequestInit = {}) => {
        const signal = AbortSignal.any([dying.signal, ...(init.signal ? [init.signal] : [])])
        return this.server.fetch(context, { ...init, signal })
      },
      now: () => this.time + this.shiftMs,
      random: () => this.random(),
      after: (delayMs: number, run: () => void) => {
        const timer = { at: this.time + delayMs, context, run }
        this.timers.push(timer)
        return () => void (this.timers = without(this.timers, timer))
      },
    }
  }

  private pass(context: Context, heard: (message: unknown) => void, message: unknown): void {
    if (this.loses()) return
    if (++this.passed > 100_000) throw new Error('messages without end')
    const copy: unknown = structuredClone(message)
    queueMicrotask(() => context.run(() => heard(copy)))
  }

  private openChannel(context: Context): NonNullable<TabEnvironment['openChannel']> {
    return (name, heard) => {
      const own = { context, heard }
      this.channels.set(name, [...(this.channels.get(name) ?? []), own])
      return {
        post: (message) => {
          if (!context.alive) return
          for (const end of this.channels.get(name) ?? []) {
            if (end !== own) this.pass(end.context, end.heard, message)
          }
        },
        close: () => this.channels.set(name, without(this.channels.get(name) ?? [], own)),
      }
    }
  }

  private openWorker(page: Context): NonNullable<TabEnvironment['openWorker']> {
    return (script, name, heard, failed) => {
      if (String(script).includes('missing')) {
        queueMicrotask(() => page.run(failed))
        return { post: () => undefined, close: () => undefined }
      }
      const worker = this.workers.get(name) ?? this.startWorker(name)
      let open = true
      const back = {
        post: (message: unknown) => open && worker.context.alive && this.pass(page, heard, message),
      }
      return {
        post: (message) =>
          open &&
          page.alive &&
          this.pass(worker.context, (copy) => void worker.receive(back, copy), message),
        close: () => (open = false),
      }
    }
  }

  private startWorker(name: string) {
    this.workersStarted++
    const context = new Context()
    const locks = this.lacks.locks ? null : this.locks.of(context)
    const worker = {
      context,
      receive: workerHub(this.plain(context), locks),
    }
    this.workers.set(name, worker)
    return worker
  }

  private storage(context: Context): SharedStorage {
    const changed = (key: string) => {
      for (const listener of this.storageListeners) {
        if (listener.key === key && listener.context !== context) {
          queueMicrotask(() => {
            if (!this.storageListeners.includes(listener)) return
            listener.context.run(listener.changed)
          })
        }
      }
    }
    return {
      get: (key) => this.stored.get(key) ?? null,
      set: (key, value) => {
        if (!context.alive) return
        this.stored.set(key, value)
        changed(key)
      },
      remove: (key) => {
        this.stored.delete(key)
        changed(key)
      },
      onChange: (key, run) => {
        const listener = { context, key, changed: run }
        this.storageListeners.push(listener)
        return () => void (this.storageListeners = without(this.storageListeners, listener))
      },
    }
  }
}
