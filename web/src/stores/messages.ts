import { defineStore } from 'pinia'
import { shallowRef } from 'vue'
import { i18n } from '@/i18n'

/** A line at the foot of the page: what was just done, or why it was not. */
export interface Message {
  text: string
  action?: { label: string; run: () => void }
}

const SHOWN_MS = 8_000

export const useMessages = defineStore('messages', () => {
  const current = shallowRef<Message | null>(null)
  let timer = 0

  function show(message: Message): void {
    window.clearTimeout(timer)
    current.value = message
    timer = window.setTimeout(dismiss, SHOWN_MS)
  }

  function say(text: string, undo?: () => void): void {
    show(undo ? { text, action: { label: i18n.global.t('app.undo'), run: undo } } : { text })
  }

  function dismiss(): void {
    window.clearTimeout(timer)
    current.value = null
  }

  return { current, show, say, dismiss }
})
