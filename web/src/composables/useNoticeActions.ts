import { atOrBefore, type Notice } from '@client'
import { useI18n } from 'vue-i18n'
import { useAttempt } from './useAttempt'
import { useInbox } from '@/stores/inbox'

const idsOf = (notices: readonly Notice[]) => notices.map(({ id }) => id)
const isUnread = ({ read_at }: Notice) => read_at === null

/**
 * Undoes an archive or a snooze, each of which ends the other: what was put off is so again, until
 * the same time unless that has passed, and what was archived already stays so.
 * @param plain what brings back those that were neither
 */
export async function restore(
  mark: ReturnType<typeof useInbox>['mark'],
  notices: readonly Notice[],
  plain: 'unarchived' | 'unsnoozed',
): Promise<void> {
  const archived = notices.filter(({ archived_at }) => archived_at)
  await mark(idsOf(archived), 'archived')
  const others = notices.filter(({ archived_at }) => !archived_at)
  for (const until of new Set(others.map(({ snoozed_until: at }) => at))) {
    const those = others.filter(({ snoozed_until: at }) => at === until)
    // The server takes no time that is over, and what was put off until then is back by itself.
    const later = until && Date.parse(until) > Date.now() ? until : null
    await mark(idsOf(those), later ? 'snoozed' : plain, later)
  }
}

/** What a reader does with notices: done at once, undone for a while, and said when it failed. */
export function useNoticeActions() {
  const { t } = useI18n()
  const inbox = useInbox()
  const { attempt, done } = useAttempt()

  const toggleRead = (notice: Notice) =>
    attempt(inbox.mark([notice.id], notice.read_at ? 'unread' : 'read'))

  const markUnread = (notices: readonly Notice[]) => attempt(inbox.mark(idsOf(notices), 'unread'))

  const offerUnread = (ids: number[]) =>
    done(t('inbox.madeRead', ids.length), () => inbox.mark(ids, 'unread'))

  async function markRead(notices: readonly Notice[]): Promise<boolean> {
    const ids = idsOf(notices.filter(isUnread))
    const kept = await attempt(inbox.mark(ids, 'read'))
    if (kept && ids.length > 0) offerUnread(ids)
    return kept
  }

  /** Marks all of the inbox from a notice on, and older; undone where all of that is known here. */
  async function markUpTo({ cursor }: Notice): Promise<boolean> {
    const unread = inbox.items.filter(isUnread)
    const ids = idsOf(unread.filter((notice) => atOrBefore(notice.cursor, cursor)))
    const known = ids.length > 0 && unread.length === inbox.unread
    const kept = await attempt(inbox.markUpTo(cursor))
    if (kept && known) offerUnread(ids)
    return kept
  }

  const unarchive = (notices: readonly Notice[]) =>
    attempt(inbox.mark(idsOf(notices), 'unarchived'))

  async function archive(notices: readonly Notice[]): Promise<boolean> {
    const ids = idsOf(notices)
    const kept = await attempt(inbox.mark(ids, 'archived'))
    const title = notices.length === 1 ? notices[0]?.title : undefined
    const text = title ? t('inbox.archived', { title }) : t('inbox.archivedMany', ids.length)
    if (kept) done(text, () => restore(inbox.mark, notices, 'unarchived'))
    return kept
  }

  const toggleArchived = (notice: Notice) =>
    notice.archived_at === null ? archive([notice]) : unarchive([notice])

  return {
    ...{ attempt, toggleRead, markRead, markUnread, markUpTo },
    ...{ archive, unarchive, toggleArchived },
  }
}
