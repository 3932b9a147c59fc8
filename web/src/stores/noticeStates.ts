import {
  atOrBefore,
  type InboxView,
  type Notice,
  type NoticeChange,
  type NoticePatch,
  type NoticeState,
  type Positioned,
} from '@client'

/** What the stream brings. */
export type Incoming =
  (Positioned<Notice> & { kind: 'notice' }) | (Positioned<NoticeState> & { kind: 'state' })

/** A change of notices: by id, or of all of the inbox at or before a cursor. */
export interface Change {
  ids?: readonly number[]
  up_to?: string
  state: NoticeChange
  /** Of `snoozed`. */
  snoozed_until?: string | null
}

/** What a reader can do with notices. */
export type Doing = Exclude<NoticeChange, 'withdrawn' | 'superseded' | 'expired'>

/** Where a time is needed and not known yet: longer ahead than anybody may snooze. */
const SOME_TIME = '9999-12-31T00:00:00.000Z'

/** A copy of the notice as the change leaves it. */
export function changed(notice: Notice, { state, snoozed_until }: Change): Notice {
  const now = new Date().toISOString()
  switch (state) {
    case 'read':
      return { ...notice, read_at: notice.read_at ?? now }
    case 'unread':
      return { ...notice, read_at: null }
    case 'archived':
      return { ...notice, archived_at: notice.archived_at ?? now, snoozed_until: null }
    case 'unarchived':
      return { ...notice, archived_at: null }
    case 'snoozed':
      return { ...notice, archived_at: null, snoozed_until: snoozed_until ?? SOME_TIME }
    case 'unsnoozed':
      return { ...notice, snoozed_until: null }
    default:
      return notice
  }
}

/**
 * Whether a notice is of a view.
 * @param current whether it is neither expired nor superseded
 */
export function belongs(notice: Notice, view: InboxView, current: boolean): boolean {
  const archived = notice.archived_at !== null
  const snoozed = notice.snoozed_until !== null
  switch (view) {
    case 'all':
      return true
    case 'archived':
      return archived
    case 'snoozed':
      return current && snoozed && !archived
    case 'inbox':
      return current && !snoozed && !archived
    case 'unread':
      return current && !snoozed && !archived && notice.read_at === null
  }
}

/** The changes by which a notice may come into a view that it was not in. */
const WAYS_IN: Record<InboxView, readonly NoticeChange[]> = {
  all: [],
  inbox: ['unarchived', 'unsnoozed'],
  unread: ['unarchived', 'unsnoozed', 'unread'],
  archived: ['archived'],
  snoozed: ['snoozed'],
}

export const mayBringIn = (view: InboxView, state: NoticeChange) => WAYS_IN[view].includes(state)

/** What notices have in common of which only the newest counts; null of one that stands alone. */
export const collapseKey = ({ sender, collapse_key: key }: Notice) =>
  key === null ? null : JSON.stringify([sender.type, sender.name, key])

/** Whether all that an event tells of was asked for by one change. */
export const tellsOf = (event: Change, change: Change) =>
  event.state === change.state &&
  event.up_to === change.up_to &&
  (event.ids?.every((id) => change.ids?.includes(id)) ?? !change.ids)

/** What the server is asked for. */
export function patchOf(what: Doing, until: string | null): NoticePatch {
  if (what === 'read' || what === 'unread') return { read: what === 'read' }
  if (what === 'archived' || what === 'unarchived') return { archived: what === 'archived' }
  return { snoozed_until: what === 'snoozed' ? until : null }
}

/** Where a notice of that position lies, newest first, or would lie. */
export function placeIn(notices: readonly Notice[], cursor: string): number {
  let [low, high] = [0, notices.length]
  while (low < high) {
    const middle = (low + high) >> 1
    const other = notices[middle]
    if (other && other.cursor !== cursor && atOrBefore(cursor, other.cursor)) low = middle + 1
    else high = middle
  }
  return low
}
