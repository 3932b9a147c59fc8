import type { Notice } from '@client'
import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'

/** For which notices a time is being picked. */
export const useSnoozing = defineStore('snoozing', () => {
  const ids = shallowRef<readonly number[]>([])
  const open = ref(false)

  function pick(notices: readonly Notice[]): void {
    ids.value = notices.map(({ id }) => id)
    open.value = true
  }

  return { ids, open, pick }
})
