import { shownOf, type Leads } from './pushed'
import { ENGLISH, offlinePage, SHELL, type Words } from './shell'

declare const self: ServiceWorkerGlobalScope

/** Holds the shell and the words, and nothing of a person. Signing out empties it. */
const CACHE = 'belfry'
const WORDS = '/words'
const ICON = '/icons/icon-192.png'

const cache = () => caches.open(CACHE)

async function words(): Promise<Words> {
  const kept = await (await cache()).match(WORDS)
  return kept ? { ...ENGLISH, ...((await kept.json()) as Partial<Words>) } : ENGLISH
}

self.addEventListener('install', (event) => {
  event.waitUntil(cache().then((kept) => kept.addAll([...SHELL])))
  void self.skipWaiting()
})
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))

self.addEventListener('message', (event) => {
  const told = event.data as { type?: string; words?: Words }
  if (told.type !== 'words') return
  event.waitUntil(cache().then((kept) => kept.put(WORDS, Response.json(told.words))))
})

self.addEventListener('fetch', (event) => {
  const { mode, method, url } = event.request
  const { origin, pathname } = new URL(url)
  if (method !== 'GET' || origin !== self.location.origin) return
  // What the server answers there is no page of ours.
  if (/^\/(api|sse)\//.test(pathname)) return
  if (mode === 'navigate') event.respondWith(page(event.request))
  else if (SHELL.some((path) => path === pathname)) event.respondWith(ofShell(event.request))
})

/** A page, or the one that says that there is none, also where a proxy says so. */
async function page(request: Request): Promise<Response> {
  try {
    const response = await fetch(request)
    if (![502, 503, 504].includes(response.status)) return response
  } catch {
    // Said by the page below.
  }
  return offlinePage(await words())
}

async function ofShell(request: Request): Promise<Response> {
  try {
    return await fetch(request)
  } catch {
    return (await (await cache()).match(request)) ?? Response.error()
  }
}

const windows = () => self.clients.matchAll({ type: 'window', includeUncontrolled: true })

self.addEventListener('push', (event) => event.waitUntil(show(event.data?.text())))

async function show(text: string | undefined): Promise<void> {
  const { title, options, unread } = shownOf(text, await words())
  // Who looks at a page of ours is told by it, or by its lock.
  if ((await windows()).some(({ visibilityState }) => visibilityState === 'visible')) return
  if (unread !== null && 'setAppBadge' in navigator) await navigator.setAppBadge(unread)
  await self.registration.showNotification(title, { ...options, icon: ICON })
}

self.addEventListener('notificationclick', (event) => {
  event.notification.close()
  const { id } = event.notification.data as Leads
  event.waitUntil(lead(id))
})

/** To a page that is open, the one that was looked at last; else to a new one. */
async function lead(id: number | null): Promise<void> {
  const [open] = await windows()
  if (!open) {
    await self.clients.openWindow(id === null ? '/' : `/inbox/${id}`)
    return
  }
  open.postMessage({ type: 'open', id })
  // Browsers let a worker do so right after a click and not otherwise.
  await open.focus().catch(() => undefined)
}

/** The browser has given this subscription another address: the server has to hear of it. */
async function renew(event: PushSubscriptionChangeEvent): Promise<void> {
  const options = event.oldSubscription?.options
  const fresh =
    event.newSubscription ??
    (options && (await self.registration.pushManager.subscribe(options).catch(() => null)))
  if (!fresh) return
  const headers = { 'Content-Type': 'application/json' }
  const body = JSON.stringify(fresh.toJSON())
  // Refused while locked; the page says it again once it is shown.
  await fetch('/api/v1/push/subscriptions', { method: 'POST', headers, body }).catch(() => null)
}
self.addEventListener('pushsubscriptionchange', (event) => event.waitUntil(renew(event)))
