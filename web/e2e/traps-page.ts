import type { Page } from '@playwright/test'

/** Whether the page itself can be seen, and not its lock screen alone, now and without waiting. */
export function shown(page: Page): Promise<boolean> {
  return page.evaluate(() => {
    const header = document.querySelector('[data-testid=connection]')
    return header?.checkVisibility({ visibilityProperty: true }) ?? false
  })
}

/** Everything that the browser stores for the page, but cookies, which no script may read. */
export function stored(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const databases = await indexedDB.databases()
    const caches = await window.caches.keys()
    const own = [{ ...localStorage }, { ...window.sessionStorage }, document.cookie]
    return JSON.stringify([...own, databases, caches])
  })
}

/** More than a test sends. */
const IDS = 500

/** All that the page's stores hold, and what they make of it; and each notice that the inbox knows. */
export function memory(page: Page): Promise<string> {
  return page.evaluate((most) => {
    const root = document.querySelector<HTMLElement & { __vue_app__?: VueApp }>('#app')
    const stores = root?.__vue_app__?.config.globalProperties.$pinia._s
    const inbox = stores?.get('inbox') as { get: (id: number) => unknown } | undefined
    if (!stores || !inbox) throw new Error('the page has no stores')
    const values = [...stores.values()].map((store) =>
      Object.entries(store).filter(
        ([name, value]) => !/^[$_]/.test(name) && typeof value !== 'function',
      ),
    )
    const known = Array.from({ length: most }, (_, id) => inbox.get(id))
    return JSON.stringify([values, known])
  }, IDS)
}

interface VueApp {
  config: { globalProperties: { $pinia: { _s: Map<string, object> } } }
}

/** Lets Date be off by so many ms, from the page's beginning; `window.shiftMs` changes it later. */
export function shiftClock(initialMs: number): void {
  const RealDate = Date
  window.shiftMs = initialMs
  const now = () => RealDate.now() + window.shiftMs
  window.Date = new Proxy(RealDate, {
    construct: (target, args: []) =>
      new target(...(args.length ? args : ([now()] as unknown as []))),
    get: (target, name) => (name === 'now' ? now : (Reflect.get(target, name) as unknown)),
  })
}

/** Lets every timer run a minute late, as browsers do with tabs that nobody sees. */
export function lateTimers(): void {
  const late = 60_000
  for (const name of ['setTimeout', 'setInterval'] as const) {
    const real = window[name].bind(window)
    Object.assign(window, {
      [name]: (call: () => void, ms = 0, ...rest: unknown[]) => real(call, ms + late, ...rest),
    })
  }
}

/** Says that the tab is `hidden` now, or `visible`, as the browser would. */
export function turn(to: string): void {
  Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => to })
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => to === 'hidden' })
  document.dispatchEvent(new Event('visibilitychange'))
}

declare global {
  interface Window {
    shiftMs: number
    heard: { name: string; id: string; title: string }[]
    pictures: { at: number; seen: boolean }[]
    turns: number[]
  }
}
