import type { Environment, SharedStorage, TabEnvironment } from './environment'
import { newName } from './protocol'

/** How one of the tabs that stand comes to hold the stream. */
export interface Election {
  /** Tries to take it from a holder that does not answer. */
  usurp(): void
  /** Stands no more, and hands over where it was elected. */
  resign(): void
}

export interface Candidate {
  elected(): void
  /** Another one has it now. */
  deposed(): void
}

/** The next in the queue for a lock holds the stream: the browser passes it on when a tab dies. */
export class LockElection implements Election {
  private readonly locks: Pick<LockManager, 'request'>
  private readonly name: string
  private readonly candidate: Candidate
  private queueing = new AbortController()
  private release: (() => void) | null = null

  constructor(locks: Pick<LockManager, 'request'>, name: string, candidate: Candidate) {
    this.locks = locks
    this.name = name
    this.candidate = candidate
    this.queue({})
  }

  usurp(): void {
    if (this.release) return
    this.queueing.abort()
    this.queue({ steal: true })
  }

  resign(): void {
    this.queueing.abort()
    this.release?.()
    this.release = null
  }

  private queue(how: { steal?: true }): void {
    const queueing = new AbortController()
    this.queueing = queueing
    // A theft cannot be waited for, and takes no signal.
    const options = how.steal ? how : { signal: queueing.signal }
    this.locks
      .request(this.name, options, () => {
        if (queueing.signal.aborted) return
        const held = new Promise<void>((resolve) => (this.release = resolve))
        this.candidate.elected()
        return held
      })
      .catch(() => {
        // Given up by `resign` or for a theft; or stolen from here: then this tab stands again.
        if (queueing.signal.aborted) return
        this.release = null
        this.candidate.deposed()
        this.queue({})
      })
  }
}

const RENEW_MS = 330
const LEASE_MS = 1_000
/** How long a holder may take to answer, and two claims to meet. */
const CLAIM_MS = 200

/**
 * A holder's name and the end of its lease, in the storage of the origin, where there are no
 * locks. Two may hold it for a moment; the one whose name is not there any more gives way.
 */
export class LeaseElection implements Election {
  private readonly env: Pick<Environment, 'now' | 'after' | 'random'>
  private readonly storage: SharedStorage
  private readonly key: string
  private readonly name = newName()
  private readonly candidate: Candidate
  private readonly stopListening: (() => void)[]
  private holds = false
  private claims = false
  private cancel = () => {}

  constructor(env: TabEnvironment, storage: SharedStorage, key: string, candidate: Candidate) {
    this.env = env
    this.storage = storage
    this.key = key
    this.candidate = candidate
    this.stopListening = [
      storage.onChange(key, () => this.look()),
      storage.onChange(this.questionKey, () => {
        // Timers of a hidden page come once a minute; this call comes at once.
        if (this.holds) this.renew()
      }),
    ]
    this.look()
  }

  usurp(): void {
    // A holder that does not answer does not renew either.
  }

  resign(): void {
    this.cancel()
    this.stopListening.forEach((stop) => stop())
    if (this.holds && this.read().name === this.name) this.storage.remove(this.key)
    this.holds = false
  }

  private get questionKey(): string {
    return `${this.key} ?`
  }

  private read(): { name: string; leftMs: number } {
    const [name = '', until = ''] = (this.storage.get(this.key) ?? '').split(' ')
    const leftMs = Number(until) - this.env.now()
    // Further ahead than any lease goes: the clock was put back.
    return { name, leftMs: name && leftMs <= LEASE_MS ? Math.max(0, leftMs) : 0 }
  }

  private write(): void {
    this.storage.set(this.key, `${this.name} ${this.env.now() + LEASE_MS}`)
  }

  /** Sees who holds the lease, and plans what is next. */
  private look(): void {
    const { name, leftMs } = this.read()
    // Its own, or its own claim, which is settled by and by.
    if (name === this.name) return
    if (this.holds) {
      // An empty place was cleared, not taken.
      if (leftMs === 0) return this.renew()
      this.holds = false
      this.candidate.deposed()
    }
    if (leftMs === 0) return this.claims ? undefined : this.ask()
    this.claims = false
    this.cancel()
    this.cancel = this.env.after(leftMs, () => this.look())
  }

  /** The lease is over: its holder may only have been slow, so it is asked first. */
  private ask(): void {
    this.claims = true
    this.cancel()
    const absent = this.storage.get(this.key) === null
    if (!absent) this.storage.set(this.questionKey, `${this.name} ${this.env.now()}`)
    const waitMs = this.env.random() * 50 + (absent ? 0 : CLAIM_MS)
    this.cancel = this.env.after(waitMs, () => {
      if (this.read().leftMs > 0) return this.look()
      this.write()
      // Who wrote last has it.
      this.cancel = this.env.after(CLAIM_MS, () => this.settle())
    })
  }

  private settle(): void {
    this.claims = false
    if (this.read().name !== this.name) return this.look()
    this.holds = true
    this.renew()
    this.candidate.elected()
  }

  private renew(): void {
    this.cancel()
    const { name, leftMs } = this.read()
    if (name !== this.name && leftMs > 0) return this.look()
    this.write()
    this.cancel = this.env.after(RENEW_MS, () => this.renew())
  }
}
