import { Backoff } from './backoff'
import type { Port, TabEnvironment } from './environment'
import { lifeName, type FromOwner, type ToOwner } from './protocol'
import type * as Tabs from './tabs'

/** Who holds the connection: a worker, this tab, another one, or this tab for itself. */
export type StreamRole = 'worker' | 'leader' | 'follower' | 'alone'

/** What passes on a channel or port: from a tab to the owner, or from the owner to one or all. */
export type Envelope =
  /** To any owner, where none is named. */
  | { tab: string; owner: string | null; message: ToOwner }
  | { from: string; to: string | null; message: FromOwner }

/** A tab's way to whoever owns the stream. */
export interface Link {
  /** Null until it is known whether this tab can hold the stream. */
  readonly role: StreamRole | null
  /** @param owner whom the tab knows; null asks for any */
  post(owner: string | null, message: ToOwner): void
  /** No owner has welcomed the tab yet: asks anew. */
  again(): void
  /** The owner does not answer: sees to it that there is another. */
  replace(): void
  close(): void
}

export interface LinkListener {
  /** The owner of the stream has changed, or is there at last: to be joined. */
  found(): void
  heard(owner: string, message: FromOwner): void
  /** There is no owner to be had this way. */
  failed(): void
}

/** The owner is a shared worker, which the browser keeps for as long as a tab has it. */
export class WorkerLink implements Link {
  readonly role = 'worker'
  private readonly env: TabEnvironment
  private readonly script: string | URL
  private readonly name: string
  private readonly tab: string
  private readonly listener: LinkListener
  private port: Port | null = null
  private watching = new AbortController()
  private replaced = false

  constructor(
    env: TabEnvironment,
    script: string | URL,
    name: string,
    tab: string,
    listener: LinkListener,
  ) {
    this.env = env
    this.script = script
    this.name = name
    this.tab = tab
    this.listener = listener
    this.connect()
  }

  post(owner: string | null, message: ToOwner): void {
    this.port?.post({ tab: this.tab, owner, message } satisfies Envelope)
  }

  again(): void {
    // It may have died since: then this starts another, else it is the same.
    this.connect()
  }

  replace(): void {
    // The same again: it neither lives nor dies.
    if (this.replaced) return this.listener.failed()
    this.replaced = true
    this.connect()
  }

  close(): void {
    this.watching.abort()
    this.port?.close()
    this.port = null
  }

  private connect(): void {
    this.close()
    const port: Port | undefined = this.env.openWorker?.(
      this.script,
      this.name,
      (data) => this.port === port && this.take(data as Envelope),
      () => this.port === port && this.listener.failed(),
    )
    this.port = port ?? null
    queueMicrotask(() => this.port === port && this.listener.found())
  }

  private take(envelope: Envelope): void {
    if (!('from' in envelope)) return
    const { from, message } = envelope
    if (message.type === 'welcome') {
      this.replaced = false
      if (message.patienceMs === null) this.watch(from)
    }
    this.listener.heard(from, message)
  }

  /** Gets the lock that the worker holds, which is when the worker has died. */
  private watch(owner: string): void {
    this.watching.abort()
    const { signal } = (this.watching = new AbortController())
    this.env.locks
      ?.request(lifeName(owner), { signal, mode: 'shared' }, () => {
        if (!signal.aborted) this.connect()
      })
      .catch(() => undefined)
  }
}

/**
 * The owner is one of the tabs. What a tab needs that may hold the stream is fetched first: most
 * pages have a shared worker, and never need it.
 */
export class LateTabsLink implements Link {
  private readonly env: TabEnvironment
  private readonly make: (parts: typeof Tabs) => Link
  private readonly backoff: Backoff
  private link: Link | null = null
  private closed = false
  /** Set between two tries. */
  private cancelWait: (() => void) | null = null

  constructor(env: TabEnvironment, name: string, tab: string, listener: LinkListener) {
    this.env = env
    this.make = ({ TabsLink }) => new TabsLink(env, name, tab, listener)
    this.backoff = new Backoff(() => env.random())
    this.fetch()
  }

  get role(): StreamRole | null {
    return this.link?.role ?? null
  }

  post(owner: string | null, message: ToOwner): void {
    if (this.link) this.link.post(owner, message)
    else if (this.cancelWait && (message.type === 'retry' || message.type === 'wake')) {
      this.cancelWait()
      this.fetch()
    }
  }

  again(): void {
    this.link?.again()
  }

  replace(): void {
    this.link?.replace()
  }

  close(): void {
    this.closed = true
    this.cancelWait?.()
    this.link?.close()
  }

  private fetch(): void {
    this.cancelWait = null
    this.env.loadTabs().then(
      (parts) => {
        // Closed while it was on its way: then another link stands for this tab, or none.
        if (!this.closed) this.link = this.make(parts)
      },
      () => {
        if (!this.closed) this.cancelWait = this.env.after(this.backoff.next(), () => this.fetch())
      },
    )
  }
}
