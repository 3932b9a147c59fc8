import { createI18n } from 'vue-i18n'
import { en, type Messages } from './en'
import { zhCN } from './zh-CN'

export const locales = ['en', 'zh-CN'] as const
export type Locale = (typeof locales)[number]

export const i18n = createI18n<[Messages], Locale, false>({
  legacy: false,
  locale: 'en',
  fallbackLocale: 'en',
  messages: { en, 'zh-CN': zhCN },
  // Chinese has no plural; where a message has two forms, the first is for none.
  pluralRules: { 'zh-CN': (n, forms) => (n === 0 ? 0 : forms - 1) },
})

/** The best of our languages for what a browser or an account asks for. */
export function matchLocale(wanted: readonly string[]): Locale {
  for (const tag of wanted) {
    const language = tag.toLowerCase().split('-')[0]
    if (language === 'zh') return 'zh-CN'
    if (language === 'en') return 'en'
  }
  return 'en'
}

/** Switches the page's language, for eyes and for screen readers. */
export function setLocale(locale: Locale): void {
  i18n.global.locale.value = locale
  document.documentElement.lang = locale
}
