import { useEventListener, useStorage } from '@vueuse/core'
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
const HANDED_ON = 'belfry:'

/** Takes what the page before handed on, and leaves the window without a name. */
function takeOver(): void {
  if (!window.name.startsWith(HANDED_ON)) return
  localStorage.setItem(KEY, window.name.slice(HANDED_ON.length))
  window.name = ''
}

/** How this browser shows the page. Kept here: it holds no data and no secret. */
export const usePreferences = defineStore('preferences', () => {
  const session = useSession()
  takeOver()
  const choices = useStorage<Choices>(
    KEY,
    { locale: 'auto', theme: 'system', popupsPutOff: false },
    localStorage,
    { mergeDefaults: true, writeDefaults: false, listenToStorageChanges: false },
  )

  useEventListener(window, 'storage', ({ key, newValue }) => {
    // Another tab signed out and emptied the storage: these are no secret, and stay.
    if (key === null) localStorage.setItem(KEY, JSON.stringify(choices.value))
    else if (key === KEY && newValue) choices.value = JSON.parse(newValue) as Choices
  })

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
   * Hands the choices on to the page that this window loads next. Signing out
   * empties the browser's storage for this site at a moment that no page can
   * wait for, and a window keeps its name.
   */
  function handOn(): void {
    window.name = HANDED_ON + JSON.stringify(choices.value)
  }

  return { choices, locale, handOn }
})
