import { createPinia, setActivePinia } from 'pinia'
import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { aSession, ok, refuse, serve, type Answer } from '@/testing'
import { useSession } from './session'
import { usePush } from './push'

const KEY = 'BPBhZGQ' // what it is does not matter here
const KEY_BYTES = Uint8Array.from([4, 240, 97, 100, 100]).buffer

/** A browser that can be pushed to. */
function browser() {
  let subscription: PushSubscription | null = null
  let made = 0
  const subscribe = vi.fn(async ({ applicationServerKey }: PushSubscriptionOptionsInit) => {
    const endpoint = `https://push.example/${++made}`
    subscription = {
      endpoint,
      options: { applicationServerKey: (applicationServerKey as Uint8Array).buffer },
      toJSON: () => ({ endpoint, expirationTime: null, keys: { p256dh: 'p', auth: 'a' } }),
      unsubscribe: async () => {
        subscription = null
        return true
      },
    } as unknown as PushSubscription
    return subscription
  })
  const pushManager = { subscribe, getSubscription: async () => subscription }
  Object.defineProperty(navigator, 'serviceWorker', {
    value: { getRegistration: async () => ({ active: {}, pushManager }) },
    configurable: true,
  })
  const kept = new Map<string, Response>()
  const cache = {
    match: async (key: string) => kept.get(key)?.clone(),
    put: async (key: string, value: Response) => void kept.set(key, value),
  }
  vi.stubGlobal('caches', { open: async () => cache })
  vi.stubGlobal('isSecureContext', true)
  vi.stubGlobal('Notification', {
    permission: 'granted',
    requestPermission: async () => 'granted',
  })
  return { subscribe, current: () => subscription }
}

let key = KEY
const requests = (more: Record<string, () => Answer> = {}) =>
  serve({
    'POST /login': () => ok(aSession()),
    'GET /push/key': () => ok({ key }),
    'POST /push/subscriptions': () => ok({ endpoint: '' }),
    'DELETE /push/subscriptions': () => ok({}),
    'GET /preferences': () => refuse(503, 'unavailable'),
    ...more,
  })

beforeEach(() => {
  key = KEY
  setActivePinia(createPinia())
})
afterEach(() => {
  vi.unstubAllGlobals()
  Reflect.deleteProperty(navigator, 'serviceWorker')
})

async function signIn() {
  await useSession().signIn('ann', 'pw')
  const push = usePush()
  await flushPromises()
  return push
}

it('is off until it is turned on, and then for the server’s key', async () => {
  const { subscribe, current } = browser()
  const made = requests()
  const push = await signIn()
  await vi.waitFor(() => expect(push.state).toBe('off'))
  expect(await push.turnOn()).toBe(true)
  expect(push.state).toBe('on')
  const [options] = subscribe.mock.calls[0]!
  expect(options.userVisibleOnly).toBe(true)
  expect((options.applicationServerKey as Uint8Array).buffer).toEqual(KEY_BYTES)
  expect(made.filter((request) => request.startsWith('POST /push'))).toHaveLength(1)
  await push.turnOff()
  expect(push.state).toBe('off')
  expect(current()).toBeNull()
  expect(made.filter((request) => request.startsWith('DELETE /push'))).toHaveLength(1)
})

it('is said again at the next sign-in, for the session before has taken it along', async () => {
  const { subscribe } = browser()
  requests()
  await (await signIn()).turnOn()
  setActivePinia(createPinia())
  const made = requests()
  const push = await signIn()
  await vi.waitFor(() => expect(push.state).toBe('on'))
  expect(made.filter((request) => request.startsWith('POST /push'))).toHaveLength(1)
  expect(subscribe).toHaveBeenCalledTimes(1)
})

it('is made anew where the server has another key', async () => {
  const { subscribe } = browser()
  requests()
  await (await signIn()).turnOn()
  setActivePinia(createPinia())
  key = 'BPBhZGU'
  requests()
  const push = await signIn()
  await vi.waitFor(() => expect(push.state).toBe('on'))
  expect(subscribe).toHaveBeenCalledTimes(2)
})

it('does not go over to somebody else who signs in', async () => {
  const { current } = browser()
  requests()
  await (await signIn()).turnOn()
  setActivePinia(createPinia())
  const made = requests({
    'POST /login': () => ok({ ...aSession(), user: { ...aSession().user, username: 'bob' } }),
  })
  const push = await signIn()
  await vi.waitFor(() => expect(push.state).toBe('off'))
  expect(current()).toBeNull()
  expect(made.filter((request) => request.includes('/push'))).toEqual([])
})

it('is not there without a worker', async () => {
  requests()
  const push = await signIn()
  await vi.waitFor(() => expect(push.state).toBe('unavailable'))
  expect(await push.turnOn()).toBe(false)
})

it('is not turned on where the browser refuses', async () => {
  const { subscribe } = browser()
  vi.stubGlobal('Notification', { permission: 'denied', requestPermission: async () => 'denied' })
  requests()
  const push = await signIn()
  expect(await push.turnOn()).toBe(false)
  expect(subscribe).not.toHaveBeenCalled()
})

it('is off here though the server does not hear of it', async () => {
  const { current } = browser()
  requests({ 'DELETE /push/subscriptions': () => refuse(503, 'unavailable') })
  const push = await signIn()
  await push.turnOn()
  await expect(push.turnOff()).rejects.toMatchObject({ status: 503 })
  expect([push.state, current()]).toEqual(['off', null])
})
