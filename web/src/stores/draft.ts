import type { Recipient, Severity } from '@client'
import { defineStore } from 'pinia'
import { ref } from 'vue'

/** The message being written, kept while its writer looks at other pages. */
export const useDraft = defineStore('draft', () => {
  const to = ref<Recipient[]>([])
  const title = ref('')
  const body = ref('')
  const url = ref('')
  const severity = ref<Severity>('info')
  /** Names this message for the server, so that sending it twice sends it once. */
  const key = ref(newKey())

  function clear(): void {
    to.value = []
    title.value = ''
    body.value = ''
    url.value = ''
    severity.value = 'info'
    key.value = newKey()
  }

  /** A message that was refused and then changed is another one. */
  function renew(): void {
    key.value = newKey()
  }

  return { to, title, body, url, severity, key, clear, renew }
})

// crypto.randomUUID is missing on plain http; these values are there too.
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
