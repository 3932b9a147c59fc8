import { useI18n } from 'vue-i18n'
import { useProblem } from './useProblem'
import { useMessages } from '@/stores/messages'

/** Says of changes that were not kept why, and of those that were how to take them back. */
export function useAttempt() {
  const { t } = useI18n()
  const messages = useMessages()
  const { tell } = useProblem()

  /** Runs a change; true when it was kept. */
  async function attempt(change: Promise<unknown>): Promise<boolean> {
    try {
      await change
      return true
    } catch (error) {
      tell(error, (cause) => t('inbox.notSaved', { cause }))
      return false
    }
  }

  /** Says for a while what was done, with a button that takes it back. */
  function done(text: string, undo: () => Promise<unknown>): void {
    messages.say(text, () => void attempt(undo()))
  }

  return { attempt, done }
}
