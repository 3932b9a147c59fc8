import { useI18n } from 'vue-i18n'
import { useAttempt } from './useAttempt'
import { useFormat } from './useFormat'
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
    const kept = await attempt(inbox.mark(ids, 'snoozed', until.toISOString()))
    if (kept) {
      const text = t('snooze.done', { time: soon(until) }, ids.length)
      done(text, () => inbox.mark(ids, 'unsnoozed'))
    }
    return kept
  }
}
