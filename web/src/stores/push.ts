import { defineStore } from 'pinia'
import { ref, watch } from 'vue'
import { usePopups } from './popups'
import { useSession } from './session'
import { workerRegistration } from '@/composables/useWorker'

/** `unknown` until the browser has been asked; `unavailable` where it has no push, or no worker. */
export type PushState = 'unknown' | 'unavailable' | 'off' | 'on'

/** Where it is kept for whom this browser was subscribed, as a hash. Signing out empties it. */
const CACHE = 'belfry'
const OWNER = '/push-owner'

const bytesOf = (key: string) =>
  Uint8Array.from(atob(key.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))

const same = (a: ArrayBuffer | null, b: Uint8Array) =>
  a !== null && new Uint8Array(a).toString() === b.toString()

async function hashOf(username: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(username))
  return new Uint8Array(digest).toString()
}

/** Whether notices reach this browser while no page is open. */
export const usePush = defineStore('push', () => {
  const session = useSession()
  const popups = usePopups()
  const state = ref<PushState>('unknown')

  async function manager(): Promise<PushManager | null> {
    return (await workerRegistration())?.pushManager ?? null
  }

  /** Takes what the browser has, and has the server know of it: with each sign-in anew. */
  async function refresh(): Promise<void> {
    const push = await manager()
    if (!push) {
      state.value = 'unavailable'
      return
    }
    const subscription = await push.getSubscription()
    if (!subscription) {
      state.value = 'off'
      return
    }
    if (await isOwn()) await subscribe(push)
    // Somebody else had it on: their successor is not told of anything unasked.
    else await drop(subscription)
  }

  async function isOwn(): Promise<boolean> {
    const kept = await (await caches.open(CACHE)).match(OWNER)
    return (await kept?.text()) === (await hashOf(session.owner?.username ?? ''))
  }

  /** The subscription for the server's key, a new one where it is another's. */
  async function subscribe(push: PushManager): Promise<void> {
    const applicationServerKey = bytesOf(await session.api.pushKey())
    let subscription = await push.getSubscription()
    if (subscription && !same(subscription.options.applicationServerKey, applicationServerKey)) {
      await subscription.unsubscribe()
      subscription = null
    }
    subscription ??= await push.subscribe({ userVisibleOnly: true, applicationServerKey })
    await session.api.subscribePush(subscription.toJSON())
    state.value = 'on'
  }

  async function drop(subscription: PushSubscription): Promise<void> {
    await subscription.unsubscribe()
    state.value = 'off'
  }

  /** Call it from a click. False where the browser has refused, now or before. */
  async function turnOn(): Promise<boolean> {
    await popups.request()
    const push = popups.permission === 'granted' ? await manager() : null
    if (!push) return false
    const owner = await hashOf(session.owner?.username ?? '')
    await (await caches.open(CACHE)).put(OWNER, new Response(owner))
    await subscribe(push)
    return true
  }

  async function turnOff(): Promise<void> {
    const subscription = await (await manager())?.getSubscription()
    if (!subscription) return
    // Here first: whatever the server says, nothing reaches this browser any more.
    await drop(subscription)
    await session.api.unsubscribePush(subscription.endpoint)
  }

  watch(
    () => session.phase,
    (phase) => {
      // What fails now is tried at the next unlock, and when the settings are opened.
      if (phase === 'active') void refresh().catch(() => undefined)
    },
    { immediate: true },
  )

  return { state, refresh, turnOn, turnOff }
})
