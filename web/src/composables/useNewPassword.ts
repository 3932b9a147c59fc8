import { reactive } from 'vue'
import { useI18n } from 'vue-i18n'

const LEAST_CHARACTERS = 8

/** A new password typed twice, and what is wrong with it before the server is asked. */
export function useNewPassword() {
  const { t } = useI18n()
  const form = reactive({ next: '', repeat: '' })
  const wrong = reactive({ next: '', repeat: '' })

  function check(): boolean {
    // Characters are code points: an emoji is one.
    wrong.next = [...form.next].length < LEAST_CHARACTERS ? t('settings.short') : ''
    wrong.repeat = form.next === form.repeat ? '' : t('settings.mismatch')
    return !wrong.next && !wrong.repeat
  }

  function clear(): void {
    Object.assign(form, { next: '', repeat: '' })
  }

  return { form, wrong, check, clear }
}
