import { createI18n } from 'vue-i18n'
import { en } from './en'
import type { enAdmin } from './en-admin'
import type { enPages } from './en-pages'

/** All that there is to say, in each language. */
export type Messages = typeof en & typeof enPages & typeof enAdmin

export const locales = ['en', 'zh-CN'] as const
export type Locale = (typeof locales)[number]

export const i18n = createI18n<[Messages], Locale, false>({
  legacy: false,
  locale: 'en',
  fallbackLocale: 'en',
  // The rest comes when somebody reads it: see setLocale and loadPageWords.
  messages: { en } as unknown as Record<Locale, Messages>,
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

/** Fetched when somebody reads it; English is what every other falls back to. */
const others: Record<Exclude<Locale, 'en'>, () => Promise<Messages>> = {
  'zh-CN': async () => (await import('./zh-CN')).zhCN,
}

let pageWords: Promise<void> | null = null

/**
 * Fetches what the pages beside the inbox say in English, which is what every language falls back
 * to. Of the others all comes at once.
 */
export function loadPageWords(): Promise<void> {
  pageWords ??= import('./en-pages')
    .then((module) => i18n.global.mergeLocaleMessage('en', module.enPages))
    .catch((error: unknown) => {
      // To be tried again by the next page.
      pageWords = null
      throw error
    })
  return pageWords
}

let wanted: Locale = 'en'

/** Switches the page's language, for eyes and for screen readers, once its words are there. */
export async function setLocale(locale: Locale): Promise<void> {
  wanted = locale
  if (locale !== 'en' && !i18n.global.availableLocales.includes(locale)) {
    i18n.global.setLocaleMessage(locale, await others[locale]())
  }
  // Another may have been chosen while these came.
  if (wanted !== locale) return
  i18n.global.locale.value = locale
  document.documentElement.lang = locale
}
