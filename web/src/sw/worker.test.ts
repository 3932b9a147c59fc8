// @vitest-environment node
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

const ORIGIN = 'https://belfry.example'

let listeners: Map<string, (event: unknown) => void>
let kept: Map<string, Response>
let visible: boolean
const show = vi.fn(async () => undefined)
const setAppBadge = vi.fn(async () => undefined)
const subscribe = vi.fn(async () => ({ toJSON: () => ({ endpoint: 'made anew' }) }))
const network = vi.fn<(request: unknown, init?: RequestInit) => Promise<Response>>()

beforeEach(async () => {
  vi.resetModules()
  vi.clearAllMocks()
  listeners = new Map()
  kept = new Map()
  visible = false
  const cache = {
    match: async (key: string | { url: string }) =>
      kept.get(typeof key === 'string' ? key : new URL(key.url).pathname)?.clone(),
    put: async (key: string, value: Response) => void kept.set(key, value),
  }
  vi.stubGlobal('caches', { open: async () => cache })
  vi.stubGlobal('fetch', network)
  vi.stubGlobal('navigator', { setAppBadge })
  vi.stubGlobal('self', {
    addEventListener: (type: string, run: (event: unknown) => void) => listeners.set(type, run),
    location: { origin: ORIGIN },
    clients: { matchAll: async () => [{ visibilityState: visible ? 'visible' : 'hidden' }] },
    registration: { showNotification: show, pushManager: { subscribe } },
  })
  await import('./worker')
})
afterEach(() => vi.unstubAllGlobals())

/** Tells the worker of something, and waits for all that it leads to. */
async function tell(type: string, event: object): Promise<void> {
  let done: Promise<unknown> = Promise.resolve()
  listeners.get(type)?.({ ...event, waitUntil: (work: Promise<unknown>) => (done = work) })
  await done
}

describe('a push', () => {
  const notice = {
    type: 'notice',
    id: 7,
    title: 'Disk full',
    body: '',
    severity: 'info',
    unread: 3,
  }
  const push = (message: object) => tell('push', { data: { text: () => JSON.stringify(message) } })

  it('is shown, and counted on the icon', async () => {
    await push(notice)
    expect(show).toHaveBeenCalledExactlyOnceWith(
      'Disk full',
      expect.objectContaining({ tag: 'belfry-7' }),
    )
    expect(setAppBadge).toHaveBeenCalledExactlyOnceWith(3)
  })

  it('that only says that something waits leaves the icon as it is', async () => {
    await push({ type: 'waiting' })
    expect(show).toHaveBeenCalledOnce()
    expect(setAppBadge).not.toHaveBeenCalled()
  })

  it('is not shown to whoever looks at a page', async () => {
    visible = true
    await push(notice)
    expect(show).not.toHaveBeenCalled()
    expect(setAppBadge).not.toHaveBeenCalled()
  })

  it('is in the language that the page has told, and in no other message’s', async () => {
    await tell('message', { data: { type: 'words', words: { waiting: '有新内容' } } })
    await tell('message', { data: { type: 'other', words: { waiting: 'x' } } })
    await push({ type: 'waiting' })
    expect(show).toHaveBeenCalledExactlyOnceWith('有新内容', expect.anything())
  })
})

describe('a request', () => {
  /** What the worker answers; null where it leaves that to the browser. */
  async function ask(path: string, more: { mode?: string; method?: string } = {}) {
    const url = new URL(path, ORIGIN).href
    let answer: Promise<Response> | null = null
    const respondWith = (response: Promise<Response>) => (answer = response)
    const request = { mode: 'navigate', method: 'GET', url, ...more }
    await tell('fetch', { request, respondWith })
    return answer as Promise<Response> | null
  }

  it.each(['/api/v1/tasks/7/log', '/sse/stream', 'https://elsewhere.example/'])(
    'for %s is none of its own',
    async (path) => expect(await ask(path)).toBeNull(),
  )

  it('that changes something is none of its own', async () => {
    expect(await ask('/inbox', { method: 'POST' })).toBeNull()
  })

  it.each([502, 503, 504])('for a page that a proxy answers with %i says so', async (status) => {
    network.mockResolvedValue(new Response('Bad gateway', { status }))
    const answer = await ask('/inbox')
    expect(await answer?.text()).toContain('No connection to the server')
  })

  it.each([200, 404, 500])('for a page is what the server answers with %i', async (status) => {
    network.mockResolvedValue(new Response('a page', { status }))
    expect(await (await ask('/inbox'))?.text()).toBe('a page')
  })

  it('for what the page of no connection needs is answered without one', async () => {
    kept.set('/offline.css', new Response('main {}'))
    network.mockRejectedValue(new TypeError('Failed to fetch'))
    expect(await (await ask('/offline.css', { mode: 'no-cors' }))?.text()).toBe('main {}')
    expect(await ask('/assets/index.js', { mode: 'no-cors' })).toBeNull()
  })
})

describe('another address of the browser’s', () => {
  const said = () => network.mock.calls.map(([url, init]) => [url, init?.body])
  const toServer = (endpoint: string) => [
    '/api/v1/push/subscriptions',
    JSON.stringify({ endpoint }),
  ]
  const oldSubscription = { options: { userVisibleOnly: true } }
  beforeEach(() => void network.mockRejectedValue(new TypeError('Failed to fetch')))

  it('is told to the server', async () => {
    const newSubscription = { toJSON: () => ({ endpoint: 'given' }) }
    await tell('pushsubscriptionchange', { oldSubscription, newSubscription })
    expect(said()).toEqual([toServer('given')])
    expect(subscribe).not.toHaveBeenCalled()
  })

  it('is asked for where the browser gives none, as before', async () => {
    await tell('pushsubscriptionchange', { oldSubscription, newSubscription: null })
    expect(subscribe).toHaveBeenCalledExactlyOnceWith(oldSubscription.options)
    expect(said()).toEqual([toServer('made anew')])
  })

  it('is none where the browser refuses one', async () => {
    subscribe.mockRejectedValueOnce(new Error('denied'))
    await tell('pushsubscriptionchange', { oldSubscription, newSubscription: null })
    expect(said()).toEqual([])
  })
})
