import { useI18n } from 'vue-i18n'
import { useAttempt } from './useAttempt'
import { useFormat } from './useFormat'
import { restore } from './useNoticeActions'
import { useInbox } from '@/stores/inbox'

/** Puts notices off. */
export function useSnooze() {
  const { t } = useI18n()
  const inbox = useInbox()
  const { attempt, done } = useAttempt()
  const { soon } = useFormat()

  /** @param until null brings them back now */
  return async (ids: readonly number[], until: Date | null): Promise<boolean> => {
    if (!until) return attempt(inbox.mark(ids, 'unsnoozed'))
    // As they are now, for that is what they go back to.
    const before = ids.flatMap((id) => inbox.get(id) ?? [])
    const kept = await attempt(inbox.mark(ids, 'snoozed', until.toISOString()))
    if (kept) {
      const text = t('snooze.done', { time: soon(until) }, ids.length)
      done(text, () => restore(inbox.mark, before, 'unsnoozed'))
    }
    return kept
  }
}
