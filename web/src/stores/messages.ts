import { defineStore } from 'pinia'
import { shallowRef } from 'vue'

/** A line at the foot of the page: what was just done, or why it was not. */
export interface Message {
  text: string
  undo?: () => void
}

const SHOWN_MS = 8_000

export const useMessages = defineStore('messages', () => {
  const current = shallowRef<Message | null>(null)
  let timer = 0

  function say(text: string, undo?: () => void): void {
    window.clearTimeout(timer)
    current.value = undo ? { text, undo } : { text }
    timer = window.setTimeout(dismiss, SHOWN_MS)
  }

  function dismiss(): void {
    window.clearTimeout(timer)
    current.value = null
  }

  return { current, say, dismiss }
})
