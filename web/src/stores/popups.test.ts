import { createPinia, setActivePinia } from 'pinia'
import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { aNotice } from '@/testing'
import { DEFAULTS, usePreferences } from './preferences'
import { usePopups } from './popups'

const chime = vi.hoisted(() => vi.fn())
vi.mock('@/composables/chime', () => ({ chime }))

interface Up {
  title: string
  tag: string
  data: unknown
  close: () => void
}

/** A desktop that shows what a worker, or the page itself, puts up. */
function desktop() {
  const up: Up[] = []
  /** Clicks on those of the page, by title. */
  const clicks = new Map<string, () => void>()
  const put = (by: 'worker' | 'page', title: string, options: NotificationOptions = {}) => {
    const popup = { by, title, tag: options.tag ?? '', data: options.data as unknown }
    const shown = { ...popup, close: () => void up.splice(up.indexOf(shown), 1) }
    const before = up.findIndex(({ tag }) => tag === shown.tag)
    if (before >= 0) up.splice(before, 1)
    up.push(shown)
    return shown
  }
  const worker = {
    active: {},
    showNotification: vi.fn(async (title: string, options: NotificationOptions) => {
      put('worker', title, options)
    }),
    getNotifications: vi.fn(async () => [...up]),
  }
  class Popup {
    static permission = 'granted'
    static requestPermission = async () => 'granted'
    onclose: (() => void) | null = null
    onclick: (() => void) | null = null
    private readonly shown: Up
    constructor(title: string, options: NotificationOptions) {
      this.shown = put('page', title, options)
      clicks.set(title, () => this.onclick?.())
    }
    close() {
      this.shown.close()
      this.onclose?.()
    }
  }
  vi.stubGlobal('Notification', Popup)
  vi.stubGlobal('isSecureContext', true)
  return { up, clicks, worker, titles: () => up.map(({ title }) => title) }
}

function withWorker(worker: unknown) {
  Object.defineProperty(navigator, 'serviceWorker', {
    value: { getRegistration: async () => worker },
    configurable: true,
  })
}

beforeEach(() => {
  setActivePinia(createPinia())
  chime.mockClear()
})
afterEach(() => {
  vi.unstubAllGlobals()
  Reflect.deleteProperty(navigator, 'serviceWorker')
})

const notice = (n: number, more = {}) => aNotice(n, { title: `notice ${n}`, ...more })
const choose = (choice: Partial<typeof DEFAULTS>) =>
  (usePreferences().stored = { ...DEFAULTS, ...choice })

describe('pop-ups', () => {
  it('are shown by the worker where there is one, under the tag that a push has', async () => {
    const { up, worker } = desktop()
    withWorker(worker)
    usePopups().announce(notice(7), () => undefined)
    await flushPromises()
    expect(up).toMatchObject([{ by: 'worker', title: 'notice 7', tag: 'belfry-7' }])
  })

  it('are shown by the page where there is none', async () => {
    const { up } = desktop()
    usePopups().announce(notice(7), () => undefined)
    await flushPromises()
    expect(up).toMatchObject([{ by: 'page', title: 'notice 7' }])
  })

  it('stay where they are critical, and only then', async () => {
    const { worker } = desktop()
    withWorker(worker)
    usePopups().announce(notice(7), () => undefined)
    usePopups().announce(notice(8, { severity: 'critical' }), () => undefined)
    await flushPromises()
    const stay = worker.showNotification.mock.calls.map(([, options]) => options.requireInteraction)
    expect(stay).toEqual([false, true])
  })

  it.each(['default', 'denied'])('are not put up where that is %s', async (permission) => {
    const { worker, titles } = desktop()
    withWorker(worker)
    Object.assign(Notification, { permission })
    usePopups().announce(notice(7), () => undefined)
    await flushPromises()
    expect(titles()).toEqual([])
    expect(worker.showNotification).not.toHaveBeenCalled()
  })

  it('bring the page to the front when they are clicked, and lead to the notice', async () => {
    const { titles, clicks } = desktop()
    const focus = vi.fn()
    vi.stubGlobal('focus', focus)
    const opened = vi.fn()
    usePopups().announce(notice(7), opened)
    await flushPromises()
    expect(opened).not.toHaveBeenCalled()
    clicks.get('notice 7')?.()
    expect(focus).toHaveBeenCalledOnce()
    expect(opened).toHaveBeenCalledOnce()
    expect(titles()).toEqual([])
  })

  it.each([['worker'], ['page']])('are closed when read elsewhere: by the %s', async (by) => {
    const { worker, titles } = desktop()
    if (by === 'worker') withWorker(worker)
    const popups = usePopups()
    for (const n of [7, 8, 9]) popups.announce(notice(n), () => undefined)
    await flushPromises()
    popups.close([8])
    await flushPromises()
    expect(titles()).toEqual(['notice 7', 'notice 9'])
    popups.closeUpTo(notice(7).cursor)
    await flushPromises()
    expect(titles()).toEqual(['notice 9'])
    popups.hush()
    await flushPromises()
    expect(titles()).toEqual([])
  })

  it('do not come up after the lock, though they were on their way', async () => {
    const { worker, titles } = desktop()
    withWorker(worker)
    const popups = usePopups()
    popups.announce(notice(7), () => undefined)
    popups.hush()
    await flushPromises()
    expect(titles()).toEqual([])
    let shown = (): void => undefined
    worker.showNotification.mockImplementationOnce(async () => {
      await new Promise<void>((resolve) => (shown = resolve))
      await worker.showNotification('notice 8', { tag: 'belfry-8', data: { id: 8 } })
    })
    popups.announce(notice(8), () => undefined)
    await flushPromises()
    popups.hush()
    shown()
    await flushPromises()
    expect(titles()).toEqual([])
  })

  it('are not asked for while one is being put up, nor held up by one that is refused', async () => {
    const { worker, titles } = desktop()
    withWorker(worker)
    const popups = usePopups()
    let refuse = (): void => undefined
    worker.showNotification.mockImplementationOnce(
      () => new Promise<void>((_, reject) => (refuse = () => reject(new TypeError('no')))),
    )
    popups.announce(notice(7), () => undefined)
    popups.announce(notice(8), () => undefined)
    popups.close([6])
    await flushPromises()
    expect(worker.getNotifications).not.toHaveBeenCalled()
    refuse()
    await flushPromises()
    expect(worker.getNotifications).toHaveBeenCalledOnce()
    expect(titles()).toEqual(['notice 8'])
  })

  it('say no more that something waits once the page is open', async () => {
    const { worker, titles } = desktop()
    withWorker(worker)
    await worker.showNotification('waits', { tag: 'belfry-waiting', data: { id: null } })
    await worker.showNotification('stays', { tag: 'belfry-7', data: { id: 7 } })
    usePopups().closeWaiting()
    await flushPromises()
    expect(titles()).toEqual(['stays'])
  })
})

describe('what the reader has chosen', () => {
  const all = { from: '00:00', to: '00:00', time_zone: 'UTC' }
  const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const

  it.each([
    ['nothing', {}, { category: 'billing' }, ['notice 7'], 0],
    ['sound', { sound: true }, {}, ['notice 7'], 1],
    ['sound without pop-ups', { sound: true, popups: false }, {}, [], 1],
    ['no pop-ups', { popups: false }, { severity: 'critical' }, [], 0],
    ['a muted category', { muted: ['billing'], sound: true }, { category: 'billing' }, [], 0],
    [
      'a muted category, critical',
      { muted: ['billing'], sound: true },
      { category: 'billing', severity: 'critical' },
      ['notice 7'],
      1,
    ],
    ['quiet hours', { quiet_hours: { ...all, days: [...days] }, sound: true }, {}, [], 0],
  ])('%s', async (_, choice, more, shown, sounds) => {
    const { titles } = desktop()
    choose(choice)
    usePopups().announce(notice(7, more), () => undefined)
    await flushPromises()
    expect(titles()).toEqual(shown)
    expect(chime).toHaveBeenCalledTimes(sounds)
  })
})
