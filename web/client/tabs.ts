import { LeaseElection, LockElection, type Election } from './election'
import type { Port, TabEnvironment } from './environment'
import { Hub } from './hub'
import type { Envelope, Link, LinkListener, StreamRole } from './links'
import { newName, type FromOwner, type ToOwner } from './protocol'

/** The owner is one of the tabs, which the others reach by a channel. */
export class TabsLink implements Link {
  private readonly env: TabEnvironment
  private readonly tab: string
  private readonly listener: LinkListener
  private readonly channel: Port | null
  private readonly election: Election | null
  private hub: { name: string; hub: Hub } | null = null

  constructor(env: TabEnvironment, name: string, tab: string, listener: LinkListener) {
    this.env = env
    this.tab = tab
    this.listener = listener
    const candidate = { elected: () => this.elected(), deposed: () => this.deposed() }
    const { locks, storage, openChannel } = env
    const electable = openChannel && (locks ?? storage)
    this.channel = electable ? openChannel(name, (data) => this.take(data as Envelope)) : null
    if (!electable) {
      this.election = null
      this.elected()
    } else if (locks) this.election = new LockElection(locks, name, candidate)
    else this.election = storage && new LeaseElection(env, storage, name, candidate)
    // There may be one already; if not, nobody hears it.
    queueMicrotask(() => listener.found())
  }

  get role(): StreamRole {
    if (!this.channel) return 'alone'
    return this.hub ? 'leader' : 'follower'
  }

  post(owner: string | null, message: ToOwner): void {
    const { hub } = this
    if (hub) later(message, (copy) => this.hub === hub && hub.hub.receive(this.tab, copy))
    else this.channel?.post({ tab: this.tab, owner, message } satisfies Envelope)
  }

  again(): void {
    this.listener.found()
  }

  replace(): void {
    if (!this.hub) this.election?.usurp()
  }

  close(): void {
    this.hub?.hub.close()
    this.hub = null
    this.election?.resign()
    this.channel?.close()
  }

  private elected(): void {
    const name = newName()
    const send = (message: FromOwner, to: string | null) => {
      if (to !== this.tab) this.channel?.post({ from: name, to, message } satisfies Envelope)
      if (to === null || to === this.tab) {
        later(message, (copy) => this.hub?.name === name && this.listener.heard(name, copy))
      }
    }
    const beats = this.env.locks === null && this.channel !== null
    this.hub = { name, hub: new Hub({ environment: this.env, send, beats }) }
    send({ type: 'owner' }, null)
  }

  private deposed(): void {
    this.hub?.hub.close()
    this.hub = null
    this.listener.found()
  }

  private take(envelope: Envelope): void {
    const { hub } = this
    if ('tab' in envelope) {
      const { tab, owner, message } = envelope
      if (hub && (owner === null || owner === hub.name)) hub.hub.receive(tab, message)
      // Where two hold the stream for a moment, each keeps to itself until one gives way.
    } else if (!hub && (envelope.to === null || envelope.to === this.tab)) {
      this.listener.heard(envelope.from, envelope.message)
    }
  }
}

/** Hands on a copy as a channel would: soon, and shared with nobody. */
function later<T>(message: T, take: (copy: T) => void): void {
  const copy = structuredClone(message)
  queueMicrotask(() => take(copy))
}
