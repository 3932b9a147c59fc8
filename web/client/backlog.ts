import { atOrBefore } from './position'
import type { LogEvent } from './protocol'

const MOST = 256

/** The last events of a stream, for a tab that stands a little behind. */
export class Backlog {
  private events: LogEvent[] = []
  /** Nothing is missing after this position. */
  private floor: string | null = null

  add(event: LogEvent): void {
    this.events.push(event)
    if (this.events.length > MOST) this.floor = this.events.shift()?.payload.id ?? this.floor
  }

  /** Forgets all; what comes next lies after `position`. */
  clear(position: string | null): void {
    this.events = []
    this.floor = position
  }

  /** Nothing is missing after `position`, unless a place before it is known already. */
  begin(position: string | null): void {
    this.floor ??= position
  }

  /** What came after a position; null where that is not known, or not any more. */
  after(position: string): LogEvent[] | null {
    if (this.floor === null || !atOrBefore(this.floor, position)) return null
    return this.events.filter(({ payload }) => !atOrBefore(payload.id, position))
  }
}
