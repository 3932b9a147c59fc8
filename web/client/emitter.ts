/** Typed listeners. A listener that throws is reported, and stops nobody else. */
export class Emitter<Events extends object> {
  private readonly listeners = new Map<keyof Events, Set<(payload: never) => void>>()

  /** Calls `listener` on each event of that name; the result takes it off again. */
  on<Name extends keyof Events>(name: Name, listener: (payload: Events[Name]) => void): () => void {
    const set = this.listeners.get(name) ?? new Set()
    this.listeners.set(name, set)
    set.add(listener)
    return () => set.delete(listener)
  }

  protected emit<Name extends keyof Events>(name: Name, payload: Events[Name]): void {
    for (const listener of this.listeners.get(name) ?? []) {
      try {
        ;(listener as (payload: Events[Name]) => void)(payload)
      } catch (error) {
        globalThis.reportError(error)
      }
    }
  }
}
