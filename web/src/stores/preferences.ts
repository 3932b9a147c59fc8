import { useStorage } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed, watch } from 'vue'
import { matchLocale, setLocale, type Locale } from '@/i18n'
import { useSession } from './session'

export type Theme = 'system' | 'light' | 'dark'

interface Choices {
  locale: Locale | 'auto'
  theme: Theme
  /** Whether the line that asks for desktop pop-ups was put off. */
  popupsPutOff: boolean
}

const KEY = 'belfry'

/** How this browser shows the page. Kept here: it holds no data and no secret. */
export const usePreferences = defineStore('preferences', () => {
  const session = useSession()
  const choices = useStorage<Choices>(
    KEY,
    { locale: 'auto', theme: 'system', popupsPutOff: false },
    localStorage,
    { mergeDefaults: true },
  )

  const locale = computed<Locale>(() => {
    if (choices.value.locale !== 'auto') return choices.value.locale
    const account = session.session?.user.locale
    return matchLocale([...(account ? [account] : []), ...navigator.languages])
  })

  watch(locale, setLocale, { immediate: true })
  watch(
    () => choices.value.theme,
    (theme) => {
      if (theme === 'system') delete document.documentElement.dataset.theme
      else document.documentElement.dataset.theme = theme
    },
    { immediate: true },
  )

  /**
   * Notes the choices as they are now; the result writes them again. Signing
   * out empties the browser's storage for this site, and the choices with it.
   */
  function note(): () => void {
    const text = JSON.stringify(choices.value)
    return () => localStorage.setItem(KEY, text)
  }

  return { choices, locale, note }
})
