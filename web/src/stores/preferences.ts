import type { Density, Preferences, Theme } from '@client'
import { useEventListener } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed, ref, shallowRef, watch } from 'vue'
import { locales, matchLocale, setLocale, type Locale } from '@/i18n'
import { useSession } from './session'

/** What a person gets who has chosen nothing; the server's own defaults. */
export const DEFAULTS: Readonly<Preferences> = {
  muted: [],
  quiet_hours: null,
  popups: true,
  sound: false,
  locale: null,
  theme: 'system',
  density: 'comfortable',
}

/** What this browser keeps by itself: how the page looks before anybody is known, and no data. */
interface Choices {
  /** Null follows the account, then the browser. */
  locale: Locale | null
  theme: Theme
  density: Density
  /** Whether the line that asks for desktop pop-ups was put off. */
  popupsPutOff: boolean
  /** Grows when a tab has saved something, so that the others ask for it. */
  revision: number
}

export type Edit = Partial<Preferences> | ((now: Preferences) => Partial<Preferences>)

const KEY = 'belfry'
const HANDED_ON = 'belfry:'
/** A hello right after they were asked for needs no second question. */
const FRESH_MS = 5_000

const NONE: Choices = {
  locale: null,
  theme: 'system',
  density: 'comfortable',
  popupsPutOff: false,
  revision: 0,
}

/** What was kept, where the browser lets it be read. */
function kept(): Choices {
  try {
    return { ...NONE, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Choices>) }
  } catch {
    return { ...NONE }
  }
}

function keep(text: string): void {
  try {
    localStorage.setItem(KEY, text)
  } catch {
    // Chosen for as long as the page is open, then.
  }
}

/** Takes what the page before handed on, and leaves the window without a name. */
function takeOver(): void {
  if (!window.name.startsWith(HANDED_ON)) return
  keep(window.name.slice(HANDED_ON.length))
  window.name = ''
}

const edited = (now: Preferences, edit: Edit): Preferences => ({
  ...now,
  ...(typeof edit === 'function' ? edit(now) : edit),
})

/**
 * What a person has chosen: on the server, for all of their devices. How the page looks is copied
 * into this browser, so that it is right from the first paint on and stays after signing out.
 */
export const usePreferences = defineStore('preferences', () => {
  const session = useSession()
  takeOver()
  const choices = ref(kept())
  watch(choices, (now) => keep(JSON.stringify(now)), { deep: true })

  /** As the server has them; null until it has said. */
  const stored = shallowRef<Preferences | null>(null)
  /** Edits that the server does not have yet, the oldest first. */
  const unsaved = shallowRef<readonly Edit[]>([])
  const failed = shallowRef(false)
  const values = computed<Preferences>(() => {
    const { locale, theme, density } = choices.value
    return unsaved.value.reduce(edited, stored.value ?? { ...DEFAULTS, locale, theme, density })
  })
  let askedAt = -Infinity
  let queue: Promise<void> = Promise.resolve()

  /** Takes over what the server says. */
  function adopt(answer: Preferences): void {
    stored.value = answer
    failed.value = false
    dress()
  }

  /** Copies how the page looks to where the next first paint finds it. */
  function dress(): void {
    const { locale, theme, density } = values.value
    Object.assign(choices.value, { locale, theme, density })
  }

  /** Asks the server; a failure leaves what was there, and the next hello tries again. */
  async function load(): Promise<void> {
    if (session.covered) return
    askedAt = performance.now()
    const before = unsaved.value
    try {
      const answer = await session.api.preferences()
      // What was changed meanwhile may not be in it.
      if (before === unsaved.value) adopt(answer)
    } catch {
      failed.value = true
      askedAt = -Infinity
    }
  }

  /** The stream is up again: another device may have changed something meanwhile. */
  function refresh(): void {
    if (performance.now() - askedAt > FRESH_MS) void load()
  }

  /**
   * Changes some of them, at once here and then on the server. While nobody may write there (signed
   * out, locked) the change waits for the sign-in.
   * @throws the Problem that kept it from being saved; it has been taken back by then
   */
  function change(edit: Edit): Promise<void> {
    unsaved.value = [...unsaved.value, edit]
    dress()
    return save(edit)
  }

  /** One at a time, so that the server has them in the order in which they were made. */
  function save(edit: Edit): Promise<void> {
    const turn = queue.catch(() => undefined).then(() => put(edit))
    queue = turn
    return turn
  }

  async function put(edit: Edit): Promise<void> {
    if (session.covered || !unsaved.value.includes(edit)) return
    const drop = () => (unsaved.value = unsaved.value.filter((other) => other !== edit))
    try {
      // Onto what is there now: another device may have changed what this page has not heard of.
      const saved = await session.api.savePreferences(edited(await session.api.preferences(), edit))
      drop()
      adopt(saved)
      choices.value.revision++
    } catch (error) {
      // What a lock came between is saved after the unlocking.
      if (!session.covered) drop()
      dress()
      throw error
    }
  }

  watch(
    () => session.phase,
    (phase) => {
      if (phase !== 'active') return
      if (unsaved.value.length === 0) void load()
      else unsaved.value.forEach((edit) => void save(edit).catch(() => undefined))
    },
    { immediate: true },
  )

  useEventListener(window, 'storage', ({ key, newValue }) => {
    // Another tab signed out and emptied the storage: these are no secret, and stay.
    if (key === null) keep(JSON.stringify(choices.value))
    if (key !== KEY || !newValue) return
    const { revision } = choices.value
    choices.value = kept()
    if (choices.value.revision !== revision) void load()
  })

  const locale = computed<Locale>(() => {
    const chosen = choices.value.locale
    if (chosen && locales.includes(chosen)) return chosen
    const account = session.session?.user.locale
    return matchLocale([...(account ? [account] : []), ...navigator.languages])
  })

  watch(locale, (chosen) => void setLocale(chosen).catch(() => undefined), { immediate: true })
  watch(
    () => [choices.value.theme, choices.value.density] as const,
    ([theme, density]) => {
      Object.assign(document.documentElement.dataset, { theme, density })
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

  return { choices, values, stored, failed, locale, load, refresh, change, handOn }
})
