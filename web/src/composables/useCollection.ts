import { onMounted, ref, shallowRef } from 'vue'
import type { Secret } from '@/components/SecretDialog.vue'
import { useListing } from './useListing'
import { useQuestions } from './useQuestions'
import { useMessages } from '@/stores/messages'

/** A list that the server gives whole, with what is added to it, asked about it and taken from it. */
export function useCollection<T>(all: () => Promise<T[]>) {
  const messages = useMessages()
  const questions = useQuestions()
  const list = useListing(async () => ({ items: await all(), next_before: null }))
  const adding = ref(false)
  /** Of what was added, what is shown only now. */
  const secret = shallowRef<Secret | null>(null)

  function added(shown: Secret): void {
    adding.value = false
    secret.value = shown
    void list.load()
  }

  /** Waits for a change, says that it was made, and shows the list as it is then. */
  async function change(request: Promise<unknown>, said = ''): Promise<void> {
    await request
    if (said) messages.say(said)
    await list.load()
  }

  onMounted(list.load)
  return { list, questions, adding, secret, added, change }
}
