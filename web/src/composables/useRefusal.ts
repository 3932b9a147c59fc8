import { Problem } from '@client'
import { useI18n } from 'vue-i18n'
import { useProblem } from './useProblem'

/** Says why the server refused what a form sent. @param taken what a conflict means there */
export function useRefusal(taken: string) {
  const { t } = useI18n()
  const { explain } = useProblem()

  return (cause: unknown): string => {
    if (!(cause instanceof Problem)) return explain(cause)
    if (cause.code === 'conflict') return t(taken)
    const details = cause.errors.map(({ detail }) => detail).join(' ')
    return details ? t('admin.refused', { cause: details }) : explain(cause)
  }
}
