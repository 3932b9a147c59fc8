import type { Environment } from './environment'

interface Timer {
  at: number
  run: () => void
}

/** One request that the stream made, and the answer a test gives it. */
export interface Connection {
  url: string
  lastEventId: string | null
  authorization: string | null
  credentials: RequestCredentials | undefined
  aborted: () => boolean
  /** Answers 200 and lets the test send. */
  open: () => void
  /** Answers anything else. */
  answer: (status: number, contentType?: string) => void
  fail: () => void
  send: (...blocks: string[]) => void
  end: () => void
}

/** An environment whose clock, network and dice belong to the test. */
export class FakeEnvironment implements Environment {
  time = 1_000_000
  isOnline = true
  dice = 0
  readonly connections: Connection[] = []
  private timers: Timer[] = []
  private wakes = new Set<() => void>()
  private losses = new Set<() => void>()

  readonly fetch = (url: RequestInfo | URL, init?: RequestInit): Promise<Response> =>
    new Promise((resolve, reject) => {
      if (init?.signal?.aborted) return reject(new DOMException('', 'AbortError'))
      init?.signal?.addEventListener('abort', () => reject(new DOMException('', 'AbortError')))
      this.connections.push(connection(String(url), init ?? {}, resolve, reject))
    })
  readonly now = () => this.time
  readonly random = () => this.dice
  readonly online = () => this.isOnline
  readonly onWake = (wake: () => void) => register(this.wakes, wake)
  readonly onOffline = (lost: () => void) => register(this.losses, lost)

  readonly after = (delayMs: number, run: () => void) => {
    const timer = { at: this.time + delayMs, run }
    this.timers.push(timer)
    return () => {
      this.timers = this.timers.filter((other) => other !== timer)
    }
  }

  wake(): void {
    this.wakes.forEach((wake) => wake())
  }

  goOffline(): void {
    this.isOnline = false
    this.losses.forEach((lost) => lost())
  }

  /** The delay of the earliest timer, in milliseconds. */
  nextDelay(): number {
    return Math.min(...this.timers.map((timer) => timer.at)) - this.time
  }

  /** Lets time pass, runs what came due, and lets promises settle. */
  async advance(ms: number): Promise<void> {
    this.time += ms
    const due = this.timers.filter((timer) => timer.at <= this.time)
    this.timers = this.timers.filter((timer) => timer.at > this.time)
    due.forEach((timer) => timer.run())
    await settle()
  }

  latest(): Connection {
    const connection = this.connections.at(-1)
    if (!connection) throw new Error('the stream has not connected')
    return connection
  }
}

function register(set: Set<() => void>, run: () => void): () => void {
  set.add(run)
  return () => set.delete(run)
}

function connection(
  url: string,
  init: RequestInit,
  resolve: (response: Response) => void,
  reject: (error: Error) => void,
): Connection {
  const encoder = new TextEncoder()
  let controller: ReadableStreamDefaultController<Uint8Array>
  const body = new ReadableStream<Uint8Array>({ start: (c) => void (controller = c) })
  init.signal?.addEventListener('abort', () => controller.error(new DOMException('', 'AbortError')))
  const headers = new Headers(init.headers)
  return {
    url,
    lastEventId: headers.get('Last-Event-ID'),
    authorization: headers.get('Authorization'),
    credentials: init.credentials,
    aborted: () => init.signal?.aborted ?? false,
    open: () => resolve(new Response(body, { headers: { 'Content-Type': 'text/event-stream' } })),
    answer: (status, type = 'application/problem+json') =>
      resolve(
        new Response(status === 204 ? null : '{}', { status, headers: { 'Content-Type': type } }),
      ),
    fail: () => reject(new TypeError('Failed to fetch')),
    send: (...blocks) => blocks.forEach((block) => controller.enqueue(encoder.encode(block))),
    end: () => controller.close(),
  }
}

/** Resolves after everything that is already under way has run. */
export const settle = () => new Promise<void>((resolve) => setTimeout(resolve))
