import { Problem } from '@client'
import { useI18n } from 'vue-i18n'
import { useFormat } from './useFormat'

/** Says in the reader's words why something did not work. */
export function useProblem() {
  const { t } = useI18n()
  const { duration } = useFormat()

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

  return { explain, covers }
}
