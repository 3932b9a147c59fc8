import {
  EventStream,
  type ConnectionEvents,
  type StreamEvent,
  type StreamOptions,
  type Verdict,
} from './event-stream'
import type { Reset, TaskDone } from './types'

/** A piece of a log: its bytes, and where they lie. */
export interface LogPiece {
  offset: number
  bytes: Uint8Array<ArrayBuffer>
}

export interface TaskStreamEvents extends ConnectionEvents {
  piece: LogPiece
  /** The place that was asked for is none of this log: load it anew. The stream goes on from the end. */
  reset: Reset
  /** The task has ended and all of its log was heard. Null where only that is known: ask for the task. */
  done: TaskDone | null
}

interface WirePiece {
  offset: number
  text?: string
  base64?: string
}

const encoder = new TextEncoder()

/** One task's log as it grows, each byte as it was written. It stops by itself at the log's end. */
export class TaskStream extends EventStream<TaskStreamEvents> {
  private readonly path: string
  private at = 0
  private resuming = false
  private told = false

  /** @param heartbeatMs how often the server says that it lives; such a stream does not say */
  constructor(task: number, options: StreamOptions, heartbeatMs?: number) {
    super(options)
    this.path = `/sse/tasks/${task}?format=json`
    if (heartbeatMs) this.heartbeatMs = heartbeatMs
  }

  /** The byte after the last one that was heard: where the stream would continue. */
  get position(): number {
    return this.at
  }

  /**
   * Opens the stream and keeps it open until the log's end, or {@link stop}.
   * @param from the first byte to be told
   */
  start(from: number): void {
    this.stop()
    this.at = from
    this.resuming = false
    this.told = false
    this.begin()
  }

  protected url(): string {
    return `${this.baseUrl}${this.path}${this.resuming ? '' : `&from=${this.at}`}`
  }

  protected lastEventId(): string | null {
    return this.resuming ? String(this.at) : null
  }

  protected opened(): void {
    // There is no greeting. One that may not begin yet says `pause`, and comes back.
    this.greet()
    // From here on a finished log of which all was read need not be told again.
    this.resuming = true
  }

  protected noContent(): 'over' {
    if (!this.told) this.emit('done', null)
    return 'over'
  }

  protected receive({ event, id, data }: StreamEvent): Verdict {
    if (event === 'done') {
      this.told = true
      this.emit('done', JSON.parse(data) as TaskDone)
      return null
    }
    if (event === 'reset') {
      this.at = Number(id)
      this.emit('reset', JSON.parse(data) as Reset)
      return null
    }
    if (event) return null // of a newer server
    if (data === '[DONE]') return 'over'
    this.deliver(JSON.parse(data) as WirePiece)
    return null
  }

  private deliver({ offset, text, base64 }: WirePiece): void {
    const bytes = text === undefined ? decoded(base64 ?? '') : encoder.encode(text)
    const end = offset + bytes.length
    if (end <= this.at) return
    const skipped = Math.max(0, this.at - offset)
    this.at = end
    this.emit('piece', { offset: offset + skipped, bytes: bytes.subarray(skipped) })
  }
}

function decoded(base64: string): Uint8Array<ArrayBuffer> {
  const binary = atob(base64)
  const bytes = new Uint8Array(binary.length)
  for (let at = 0; at < bytes.length; at++) bytes[at] = binary.charCodeAt(at)
  return bytes
}
