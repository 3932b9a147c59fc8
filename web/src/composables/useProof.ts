import { Problem } from '@client'
import { ref, type Ref } from 'vue'
import { useProblem } from './useProblem'

type Action = () => Promise<void>

/**
 * Runs what may need a fresh proof of who somebody is. Where the server wants
 * one, `confirming` opens the dialog, and what waited runs once it `confirmed`.
 */
export function useProof(): {
  confirming: Ref<boolean>
  attempt: (action: Action) => Promise<void>
  confirmed: () => Promise<void>
} {
  const { tell } = useProblem()
  const confirming = ref(false)
  let pending: Action | null = null

  async function attempt(action: Action): Promise<void> {
    try {
      await action()
    } catch (error) {
      if (error instanceof Problem && error.code === 'reauthentication_required') {
        pending = action
        confirming.value = true
      } else tell(error)
    }
  }

  async function confirmed(): Promise<void> {
    const action = pending
    pending = null
    if (action) await attempt(action)
  }

  return { confirming, attempt, confirmed }
}
