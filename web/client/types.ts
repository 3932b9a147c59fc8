/**
 * The wire types, as the server speaks them: snake_case, times as RFC 3339
 * strings in UTC, durations as integers of milliseconds ending in `_ms`.
 *
 * What travels as JSON is typed by the API's description (schema.ts); what a
 * stream carries, which is not described there, by hand.
 */
import type { components } from './schema'

type Schemas = components['schemas']

export type SessionState = Session['state']

export type SessionReason = NonNullable<Session['reason']>

export type Role = User['role']

export type User = Schemas['SessionUser']

/** A list that comes in pages. */
export interface Page<T> {
  items: T[]
  /** Where the next page begins; null at the end. */
  next_before: string | null
}

/** An account as administrators list it. */
export type Account = Schemas['UserView']

/** What administrators may change of an account. */
export type UserChange = Schemas['PatchUserInputBody']

/** How a person is to be; what is left out stays as it is, or is the default of who is new. */
export type WantedUser = Schemas['PutUserInputBody']
/** What it took, or would take, to make a person as wanted. */
export type SettledUser = Schemas['SettledView']

export type Group = Schemas['GroupView']

/** A key of a program, without its secret. */
export type Key = Schemas['KeyView']
export type KeyDraft = Schemas['CreateKeyInputBody']
/** How a call of another system is read as messages. */
export type Mapping = NonNullable<KeyDraft['mapping']>
export type NewKey = Schemas['NewKeyView']

/** A stream as it is now, on whichever node. */
export type StreamState = Schemas['StreamState']
export type StreamList = Schemas['StreamList']

export type Stats = Schemas['StatsBody']
export type NodeSample = Schemas['NodeSample']

/** One second of all nodes, as the stream of figures tells it. */
export interface Moment {
  at: string
  nodes: NodeSample[]
}

export type Webhook = Schemas['WebhookView']
export type NewWebhook = Schemas['NewWebhookView']

export type Session = Schemas['SessionView']

/** How a person may come in beside a password; what the server offers to anyone. */
export type SignInOffer = Schemas['LoginWays']

/** How one session may be unlocked. */
export type UnlockOffer = Schemas['UnlockWays']

/** What a user can prove with that it is them. */
export type Factors = Schemas['FactorsView']

/** The shared secret of an authenticator app (RFC 6238), shown once. */
export type TotpSecret = Schemas['NewTOTP']

/** A ceremony of WebAuthn that the server has begun; it may be finished once. */
export interface Ceremony<Options> {
  ceremony: string
  options: Options
}

/** What `PublicKeyCredential.toJSON()` gives, by whichever name: TypeScript knows its parts from 6.0 on. The server reads it, the page does not. */
export type CredentialJson = ReturnType<PublicKeyCredential['toJSON']>

export type Passkey = Schemas['PasskeyView']

/** Where the provider sent the browser back with. */
export type SignOnAnswer = Schemas['ReturnedInputBody']

export type ActorType = Schemas['AuditActor']['type']

/** Something that was done, as the audit log keeps it. What does not apply is empty. */
export type AuditEntry = Schemas['AuditView']

export interface AuditQuery {
  /** Exact, or a prefix that ends in `.` */
  action?: string
  actor?: string
  user?: string
  session?: string
  since?: string
  until?: string
  before?: string | undefined
  limit?: number
}

export type Severity = Notice['severity']

export type NoticeAction = Schemas['Action']

export type Notice = Schemas['NoticeView']

/** Whom a notice was written to, by name. */
export type Audience = Schemas['Audience']

export type NoticeDraft = Schemas['PublishBody']

/** A notice as its sender sees it. */
export type SentNotice = Schemas['SentNotice']

/** Someone who has read a notice. */
export type Receipt = Schemas['Receipt']

/** What a reader does with notices. */
export type NoticePatch = Schemas['Marks']

/** What an inbox can be narrowed to. */
export type InboxView = 'inbox' | 'unread' | 'archived' | 'snoozed' | 'all'

export type NoticePage = Schemas['NoticePage']

export interface NoticeQuery {
  state?: InboxView
  q?: string
  before?: string
  /** 1 to 200; the server's default is 50. */
  limit?: number
}

export type Recipient = Schemas['Recipient']

export type Weekday = QuietHours['days'][number]

/** When nothing is to pop up, sound or be pushed, critical notices apart. */
export type QuietHours = NonNullable<Schemas['Preferences']['quiet_hours']>

export type Theme = Preferences['theme']
export type Density = Preferences['density']

/** What a person has chosen, on all of their devices. */
export type Preferences = {
  [Choice in keyof Schemas['Preferences']]-?: Choice extends 'locale' | 'quiet_hours'
    ? Exclude<Schemas['Preferences'][Choice], undefined>
    : NonNullable<Schemas['Preferences'][Choice]>
}

/** What opens a stream where no cookie goes. */
export type StreamTicket = Schemas['Minted']

/** What happened to notices that were published before. */
export type NoticeChange =
  | 'read'
  | 'unread'
  | 'archived'
  | 'unarchived'
  | 'snoozed'
  | 'unsnoozed'
  | 'withdrawn'
  | 'superseded'
  | 'expired'

export interface Hello {
  /** Null where a ticket that a key minted opened the stream. */
  session: Session | null
  /** As of `head`; null while the session is locked. */
  unread: number | null
  head: string
  /** False when the position that was asked for cannot be continued from. */
  resumed: boolean
  heartbeat_ms: number
  now: string
}

export interface Lock {
  state: SessionState | 'expiring'
  reason: SessionReason | null
  idle_remaining_ms: number
  max_remaining_ms: number
}

export interface NoticeState {
  ids?: number[]
  /** A cursor: everything in the inbox at or before it. */
  up_to?: string
  state: NoticeChange
  /** The count after the change; null when only the server can tell each reader theirs. */
  unread: number | null
  /** Of `snoozed`: when they come back. They are not archived any more; what is archived is not snoozed any more. */
  snoozed_until?: string
}

/** What another system does for some time, with the log that it writes of it. */
export type Task = Schemas['TaskView']

export type TaskPage = Schemas['ItemsTaskView']

/** That a task for the user has begun, or ended. */
export type TaskEvent = Pick<Task, 'id' | 'title' | 'state' | 'bytes'>

/** How a task ended, as its log's stream says. */
export type TaskDone = Pick<Task, 'state' | 'exit_code' | 'bytes'>

export interface Reset {
  reason: 'trimmed' | 'epoch' | 'invalid'
  head: string
}
