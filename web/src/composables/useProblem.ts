import { Problem } from '@client'
import { useI18n } from 'vue-i18n'
import { useFormat } from './useFormat'
import { useMessages } from '@/stores/messages'

/** Says in the reader's words why something did not work. */
export function useProblem() {
  const { t } = useI18n()
  const { duration } = useFormat()
  const messages = useMessages()

  function explain(error: unknown): string {
    if (!(error instanceof Problem)) return t('problem.other')
    switch (error.code) {
      case 'rate_limited':
        return t('problem.rate_limited', { duration: duration(error.retryAfterMs ?? 60_000) })
      case 'network':
      case 'unavailable':
      case 'forbidden':
      case 'not_found':
      case 'conflict':
      case 'too_large':
      case 'invalid':
      case 'internal':
        return t(`problem.${error.code}`)
      default:
        return t('problem.other')
    }
  }

  /** True when the page is being covered because of it: then the lock screen says all. */
  const covers = (error: unknown) =>
    error instanceof Problem && (error.status === 423 || error.status === 401)

  /** Says for a while what did not work, unless the page is being covered because of it. */
  function tell(error: unknown, words = (cause: string) => cause): void {
    if (!covers(error)) messages.say(words(explain(error)))
  }

  return { explain, covers, tell }
}
