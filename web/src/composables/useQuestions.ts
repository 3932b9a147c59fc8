import { reactive, shallowRef } from 'vue'
import { useProof } from './useProof'

/** What is asked before something is done that cannot be undone, and the doing. */
export interface Question {
  title: string
  body: string
  /** What the button says that does it. */
  action: string
  run: () => Promise<void>
}

/** Does things at once, or after they were said again; with a fresh proof where the server wants one. See ActionDialogs. */
export function useQuestions() {
  const { confirming, attempt, confirmed } = useProof()
  const question = shallowRef<Question | null>(null)

  function ask(next: Question): void {
    question.value = next
  }

  function agree(): void {
    if (question.value) void attempt(question.value.run)
  }

  const dismiss = () => (question.value = null)
  const decline = () => (confirming.value = false)

  return reactive({ question, confirming, ask, agree, dismiss, attempt, confirmed, decline })
}

export type Questions = ReturnType<typeof useQuestions>
