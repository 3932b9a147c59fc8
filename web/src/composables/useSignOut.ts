import { useProblem } from './useProblem'
import { useMessages } from '@/stores/messages'
import { usePreferences } from '@/stores/preferences'
import { useSession } from '@/stores/session'

/** Signs out and leaves a page that knows nobody, with this browser's choices kept. */
export function useSignOut(): () => Promise<void> {
  const session = useSession()
  const preferences = usePreferences()
  const messages = useMessages()
  const { explain } = useProblem()

  return async () => {
    preferences.handOn()
    try {
      await session.signOut()
    } catch (error) {
      messages.say(explain(error))
      return
    }
    session.startClean()
  }
}
