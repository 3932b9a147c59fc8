import { EventStream, type ConnectionEvents, type StreamEvent, type Verdict } from './event-stream'
import { atOrBefore } from './position'
import type { Hello, Notice, NoticeState, Reset, TaskEvent } from './types'

/** A journal event together with its position. */
export interface Positioned<T> {
  id: string
  data: T
}

export interface StreamEvents extends ConnectionEvents {
  hello: Hello
  notice: Positioned<Notice>
  notice_state: Positioned<NoticeState>
  task: Positioned<TaskEvent>
  /** Something in between cannot be replayed: load the inbox anew. The stream goes on by itself. */
  reset: Reset
}

/** The stream of all that is for one user. */
export class Stream extends EventStream<StreamEvents> {
  private at: string | null = null

  /** The last event that was heard of: where the stream would continue. */
  get position(): string | null {
    return this.at
  }

  /**
   * Opens the stream and keeps it open until {@link stop}.
   * @param position where to continue, an inbox's `cursor`; null for what comes from now on
   */
  start(position: string | null): void {
    this.stop()
    this.at = position
    this.begin()
  }

  protected url(): string {
    return `${this.baseUrl}/sse/stream`
  }

  protected lastEventId(): string | null {
    return this.at
  }

  protected noContent(): 'refused' {
    return 'refused'
  }

  protected opened(): void {
    // It is live once it has greeted: what an overloaded server answers is a stream too.
  }

  protected receive({ event, id, data: text }: StreamEvent): Verdict {
    const data: unknown = JSON.parse(text)
    switch (event) {
      case 'hello':
        this.welcome(data as Hello, id)
        break
      case 'reset':
        this.at = id ?? (data as Reset).head
        this.emit('reset', data as Reset)
        break
      case 'notice':
      case 'notice_state':
      case 'task':
        this.deliver(event, id, data)
    }
    return null
  }

  private welcome(hello: Hello, id: string | undefined): void {
    this.heartbeatMs = hello.heartbeat_ms
    this.sessionId = hello.session?.id ?? null
    // When a position was refused, its id is kept until the reset came: were
    // the stream cut in between, the reset would never be heard of.
    if (id && (this.at === null || hello.resumed)) this.at = id
    this.greet()
    this.emit('hello', hello)
  }

  private deliver(name: 'notice' | 'notice_state' | 'task', id: string | undefined, data: unknown) {
    if (!id || atOrBefore(id, this.at)) return
    this.at = id
    if (name === 'notice') this.emit(name, { id, data: data as Notice })
    else if (name === 'notice_state') this.emit(name, { id, data: data as NoticeState })
    else this.emit(name, { id, data: data as TaskEvent })
  }
}
