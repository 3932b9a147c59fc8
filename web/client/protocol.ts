import { Problem } from './problem'
import type { ConnectionStatus } from './event-stream'
import type { Positioned, StreamEvents } from './stream'
import type { Hello, Lock, Notice, Reset, Session, StreamTicket } from './types'

/**
 * What the tabs of a browser and the owner of their stream tell each other. Raise the version
 * with any change: after an upgrade, old and new pages then live side by side and not together.
 */
const VERSION = 1

/** The name of the worker, channel, lock and lease of one stream. */
export const sharedName = (url: string, source: string) => `belfry-${VERSION} ${url} ${source}`

/** What an owner holds as long as it lives, so that its end is noticed at once. */
export const lifeName = (owner: string) => `belfry-owner ${owner}`

/** Unguessable is not needed, only that no two agree; `randomUUID` is missing on plain http. */
export const newName = () =>
  Array.from(crypto.getRandomValues(new Uint32Array(3)), (n) => n.toString(36)).join('')

/** What brings the tabs up to date; `status` goes its own way. */
export type SharedName = Exclude<keyof StreamEvents, 'status' | 'ping'>

/** One event of the stream. */
export type SharedEvent = {
  [Name in SharedName]: { name: Name; payload: StreamEvents[Name] }
}[SharedName]

/** An event that has a place in the log. */
export type LogEvent = Extract<SharedEvent, { name: 'notice' | 'notice_state' | 'task' }>

/** Which tab a person is looking at, or looked at last. */
export interface Look {
  visible: boolean
  /** Milliseconds of the wall clock. */
  usedAt: number
}

export interface Joining {
  look: Look
  online: boolean
  /** For whom the tab believes to be signed in; null where it could not ask. */
  session: string | null
  position: string | null
  /** Whether an owner has brought the tab to that position: then all before it was announced, or is in `pending`. */
  followed: boolean
  /** What was to be announced by some tab, and is not known to have been. */
  pending: Positioned<Notice>[]
  /** Of which it is known: the last ids. */
  announced: string[]
  baseUrl: string
  /** Whether the stream is opened by ticket. */
  ticketed: boolean
}

export type ToOwner =
  | ({ type: 'join' } & Joining)
  | { type: 'leave' }
  | { type: 'look'; look: Look }
  | { type: 'wake'; online: boolean }
  | { type: 'offline' }
  | { type: 'retry' }
  | { type: 'announced'; id: string }
  | { type: 'answer'; question: number; answer: Answer }
  /** Asks for a sign of life. */
  | { type: 'ping' }
  /** The answer to the owner's ping. */
  | { type: 'here' }

export interface Welcome {
  status: ConnectionStatus
  /** The number of the last event. */
  n: number
  position: string | null
  hello: Hello | null
  lock: Lock | null
  /** What lies between the tab's position and the owner's; or a reset, where that is not kept. */
  events: LogEvent[]
  reset: Reset | null
  /** After how many ms of silence the tab may ask whether the owner lives; null: the heartbeats'. */
  patienceMs: number | null
}

export type FromOwner =
  /** There is a new owner: join. Also said to a tab that has not joined. */
  | { type: 'owner' }
  | ({ type: 'welcome' } & Welcome)
  | {
      type: 'event'
      /** Counts the events of this owner: who misses one joins again. */
      n: number
      position: string | null
      /** Which tab is to announce it. */
      announcer: string | null
      event: SharedEvent
    }
  | { type: 'sign'; n: number; status: ConnectionStatus }
  | { type: 'announce'; event: Positioned<Notice> }
  | { type: 'announced'; id: string }
  | { type: 'question'; question: number; kind: Question }
  | { type: 'ping' }

/** What only a page can find out: who is signed in, what its server mints. */
export type Question = 'session' | 'ticket'

/** An error loses its class on the way between tabs. */
export type Answer =
  | { ok: true; value: Session | StreamTicket }
  | { ok: false; status: number; code: Problem['code']; reason: Problem['reason'] }

export function refusal(error: unknown): Answer {
  const { status, code, reason } = error instanceof Problem ? error : Problem.network()
  return { ok: false, status, code, reason }
}

/** What was answered; throws the {@link Problem} that was. */
export function openAnswer<T extends Session | StreamTicket>(answer: Answer): T {
  if (answer.ok) return answer.value as T
  const { status, code, reason } = answer
  throw new Problem(status, { code, ...(reason && { reason }) })
}
