import type { Preferences } from '@client'
import { computed, type WritableComputedRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { useProblem } from './useProblem'
import { usePreferences, type Edit } from '@/stores/preferences'

/** Changes preferences and says when that failed; true when it was kept. */
export function usePreferenceChange(): (edit: Edit) => Promise<boolean> {
  const { t } = useI18n()
  const preferences = usePreferences()
  const { tell } = useProblem()

  return async (edit) => {
    try {
      await preferences.change(edit)
      return true
    } catch (error) {
      tell(error, (cause) => t('preferences.notSaved', { cause }))
      return false
    }
  }
}

/** One of the preferences, to be bound to a control: shown at once, saved behind it. */
export function useSetting<K extends keyof Preferences>(
  name: K,
): WritableComputedRef<Preferences[K]> {
  const preferences = usePreferences()
  const change = usePreferenceChange()
  return computed({
    get: () => preferences.values[name],
    set: (value) => void change({ [name]: value }),
  })
}
