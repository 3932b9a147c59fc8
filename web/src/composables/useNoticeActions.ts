import type { Notice } from '@client'
import { useI18n } from 'vue-i18n'
import { useProblem } from './useProblem'
import { useInbox } from '@/stores/inbox'
import { useMessages } from '@/stores/messages'

/** What a reader does with a notice: done at once, and said when it failed. */
export function useNoticeActions() {
  const { t } = useI18n()
  const inbox = useInbox()
  const messages = useMessages()
  const { explain, covers } = useProblem()

  /** Runs a change; true when it was kept. */
  async function attempt(change: Promise<unknown>): Promise<boolean> {
    try {
      await change
      return true
    } catch (error) {
      if (!covers(error)) messages.say(t('inbox.notSaved', { cause: explain(error) }))
      return false
    }
  }

  const toggleRead = (notice: Notice) =>
    attempt(inbox.mark([notice.id], notice.read_at ? 'unread' : 'read'))

  async function toggleArchived(notice: Notice): Promise<boolean> {
    const archiving = notice.archived_at === null
    const done = await attempt(inbox.mark([notice.id], archiving ? 'archived' : 'unarchived'))
    if (done && archiving) {
      messages.say(t('inbox.archived', { title: notice.title }), () => {
        void attempt(inbox.mark([notice.id], 'unarchived'))
      })
    }
    return done
  }

  return { attempt, toggleRead, toggleArchived }
}
