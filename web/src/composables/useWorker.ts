import { useEventListener } from '@vueuse/core'
import { watch } from 'vue'
import { useI18n } from 'vue-i18n'
import { useSession } from '@/stores/session'
import type { Words } from '@/sw/shell'

/** The worker that shows what is pushed while no page is open; null where there is none. */
export async function workerRegistration(): Promise<ServiceWorkerRegistration | null> {
  if (!('serviceWorker' in navigator)) return null
  // Where it is refused, as in a private window, the page does without.
  return (await navigator.serviceWorker.getRegistration().catch(() => null)) ?? null
}

/**
 * Installs the worker once the page is in use, and tells it how to say things in the reader's
 * language. `open` leads to a notice whose pop-up was clicked; null is the page itself.
 */
export function useWorker(open: (id: number | null) => void): void {
  if (!('serviceWorker' in navigator) || !window.isSecureContext) return
  const session = useSession()
  const { t, locale } = useI18n()

  /** It is there already, from the second time on. */
  async function install(): Promise<void> {
    const registration = await navigator.serviceWorker.register('/sw.js').catch(() => null)
    if (!registration) return
    const worker = registration.active ?? registration.waiting ?? registration.installing
    const words: Words = {
      locale: locale.value,
      waiting: t('worker.waiting'),
      offline: t('worker.offline'),
      offlineHint: t('worker.offlineHint'),
      tryAgain: t('worker.tryAgain'),
    }
    worker?.postMessage({ type: 'words', words })
    // Which makes sure that the server knows where this browser is reached.
    void import('@/stores/push').then(({ usePush }) => usePush())
  }

  watch(
    [() => session.phase, locale],
    ([phase]) => {
      if (phase === 'active') void install()
    },
    { immediate: true },
  )
  useEventListener(navigator.serviceWorker, 'message', ({ data }: MessageEvent) => {
    const told = data as { type?: string; id?: number | null } | null
    if (told?.type === 'open') open(told.id ?? null)
  })
}
