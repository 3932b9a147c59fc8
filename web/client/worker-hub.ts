import type { Environment, Port } from './environment'
import { Hub } from './hub'
import type { Envelope } from './links'
import { lifeName, newName, type FromOwner } from './protocol'

/** Held until the worker dies, and before any tab could ask for it. */
function live(locks: Pick<LockManager, 'request'>, owner: string): Promise<void> {
  return new Promise((alive) => {
    void locks.request(lifeName(owner), () => {
      alive()
      return new Promise(() => undefined)
    })
  })
}

/**
 * Owns a stream from within a shared worker.
 * @returns takes in what came through the port of a tab
 */
export function workerHub(
  environment: Pick<Environment, 'fetch' | 'now' | 'after' | 'random'>,
  locks: Pick<LockManager, 'request'> | null,
): (port: Pick<Port, 'post'>, data: unknown) => Promise<void> {
  const owner = newName()
  const ports = new Map<string, Pick<Port, 'post'>>()
  const send = (message: FromOwner, to: string | null) => {
    const envelope: Envelope = { from: owner, to, message }
    if (to !== null) ports.get(to)?.post(envelope)
    else for (const port of ports.values()) port.post(envelope)
  }
  const hub = new Hub({ environment, send, beats: locks === null })
  const alive = locks ? live(locks, owner) : Promise.resolve()
  return async (port, data) => {
    const envelope = data as Envelope
    if (!('tab' in envelope)) return
    await alive
    ports.set(envelope.tab, port)
    hub.receive(envelope.tab, envelope.message)
    if (envelope.message.type === 'leave') ports.delete(envelope.tab)
  }
}
