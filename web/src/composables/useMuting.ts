import { useI18n } from 'vue-i18n'
import { usePreferenceChange } from './useSetting'
import { useMessages } from '@/stores/messages'
import { usePreferences } from '@/stores/preferences'

/** What the server takes. */
export const MOST_MUTED = 100

/**
 * Categories that are kept but do not pop up, sound or push; critical messages do all the same.
 * `mute` says what it did and can be undone; `unmute` is silent where it is the undoing.
 */
export function useMuting() {
  const { t } = useI18n()
  const preferences = usePreferences()
  const messages = useMessages()
  const change = usePreferenceChange()

  const isMuted = (category: string) => preferences.values.muted.includes(category)

  const unmute = (category: string) =>
    change(({ muted }) => ({ muted: muted.filter((other) => other !== category) }))

  async function mute(category: string): Promise<boolean> {
    const done = await change(({ muted }) => ({
      muted: [...muted.filter((other) => other !== category), category],
    }))
    if (done) messages.say(t('preferences.muted', { category }), () => void unmute(category))
    return done
  }

  return { isMuted, mute, unmute }
}
