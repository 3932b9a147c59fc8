/**
 * The wire types, as the server speaks them: snake_case, times as RFC 3339
 * strings in UTC, durations as integers of milliseconds ending in `_ms`.
 */

export type SessionState = 'active' | 'locked' | 'ended'

export type SessionReason =
  | 'idle'
  | 'manual'
  | 'remote'
  | 'admin'
  | 'max_age'
  | 'logout'
  | 'revoked'
  | 'password_changed'
  | 'disabled'
  | 'too_many_attempts'

export type Role = 'user' | 'admin'

export interface User {
  username: string
  display_name: string
  role: Role
  locale?: string | null
}

/** An account as administrators list it. */
export interface Account extends User {
  disabled?: boolean
  created_at?: string
}

export interface Session {
  /** Names the session; it is not a secret and opens nothing. */
  id: string
  user: User
  state: SessionState
  reason: SessionReason | null
  idle_remaining_ms: number
  max_remaining_ms: number
  /** How long before a deadline the server warns. */
  warning_ms: number
  created_at: string
  last_active_at: string
  ip: string
  user_agent: string
  /** True for the session that asked. */
  current: boolean
}

export type Severity = 'info' | 'success' | 'warning' | 'critical'

export interface NoticeAction {
  label: string
  url: string
}

export interface Notice {
  id: number
  /** Where this notice lies on the stream: `EPOCH-OFFSET`. */
  cursor: string
  title: string
  body: string
  format: 'text' | 'markdown'
  url: string | null
  actions: NoticeAction[] | null
  severity: Severity
  category: string | null
  sender: { type: 'user' | 'key' | 'system'; name: string }
  data: unknown
  collapse_key: string | null
  created_at: string
  expires_at: string | null
  read_at: string | null
  archived_at: string | null
  snoozed_until: string | null
}

export interface NoticeDraft {
  to: { users?: string[]; groups?: string[]; everyone?: boolean }
  title: string
  body?: string
  format?: 'text' | 'markdown'
  url?: string
  severity?: Severity
  category?: string
}

/** What an inbox can be narrowed to. */
export type InboxView = 'inbox' | 'unread' | 'archived' | 'all'

export interface NoticePage {
  items: Notice[]
  /** Pass as `before` for the next, older page; null at the end. */
  next_before: string | null
  unread: number
  /** Where a stream should start to miss nothing that this page does not show. */
  cursor: string
}

export interface NoticeQuery {
  state?: InboxView
  q?: string
  before?: string
  /** 1 to 200; the server's default is 50. */
  limit?: number
}

export interface Recipient {
  type: 'user' | 'group'
  name: string
  display_name: string
}

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
}

export interface TaskEvent {
  id: string | number
  title: string
  state: 'running' | 'succeeded' | 'failed' | 'canceled'
  bytes: number
}

export interface Reset {
  reason: 'trimmed' | 'epoch' | 'invalid'
  head: string
}
