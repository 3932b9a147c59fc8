import { createPinia, disposePinia, getActivePinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Preferences } from '@client'
import { DEFAULTS, usePreferences } from './preferences'
import { useSession } from './session'
import { aSession, later, ok, refuse, serve, type Answer } from '@/testing'

/** The server's copy, which another device may change as well. */
let onServer: Preferences
let made: string[]

/** How a question for them, or a change of them, is answered; by default well. */
const answers: { get: () => Answer | Promise<Answer>; put: () => Answer | Promise<Answer> } = {
  get: () => ok(onServer),
  put: () => ok(onServer),
}

beforeEach(() => {
  localStorage.clear()
  onServer = { ...DEFAULTS }
  answers.get = () => ok(onServer)
  answers.put = () => ok(onServer)
  made = serve({
    'GET /preferences': () => answers.get(),
    'PUT /preferences': ({ body }) => {
      const answer = answers.put()
      if (!(answer instanceof Promise) && answer.status === 200) {
        onServer = body as Preferences
        return ok(onServer)
      }
      return answer
    },
    'GET /session': () => ok(aSession()),
  })
  setActivePinia(createPinia())
})

// A page that is over no longer listens to the others.
afterEach(() => {
  disposePinia(getActivePinia()!)
  vi.unstubAllGlobals()
})

const settled = () => vi.waitFor(() => expect(usePreferences().stored).not.toBeNull())

/** The page of somebody who is signed in, with what the server has of theirs. */
async function signedIn() {
  const session = useSession()
  session.adopt(aSession())
  const preferences = usePreferences()
  await settled()
  return { session, preferences }
}

const kept = () => JSON.parse(localStorage.getItem('belfry') ?? '{}') as Record<string, unknown>

describe('preferences', () => {
  it('come from the server, and dress the page', async () => {
    onServer = { ...DEFAULTS, theme: 'contrast', density: 'compact', muted: ['billing'] }
    const { preferences } = await signedIn()
    expect(preferences.values.muted).toEqual(['billing'])
    await vi.waitFor(() =>
      expect(document.documentElement.dataset).toMatchObject({
        theme: 'contrast',
        density: 'compact',
      }),
    )
  })

  it('leave nothing of a person in the browser but how the page looks', async () => {
    const time_zone = 'Europe/Berlin'
    const quiet_hours = { from: '22:00', to: '07:00', time_zone, days: ['mon' as const] }
    onServer = { ...DEFAULTS, theme: 'dark', muted: ['billing'], quiet_hours, sound: true }
    await signedIn()
    await vi.waitFor(() => expect(kept().theme).toBe('dark'))
    expect(Object.keys(kept()).sort()).toEqual([
      'density',
      'locale',
      'popupsPutOff',
      'revision',
      'theme',
    ])
  })

  it('are shown changed before the server has answered', async () => {
    const { preferences } = await signedIn()
    const answer = later<Answer>()
    answers.put = () => answer.promise
    const changing = preferences.change({ theme: 'dark' })
    expect(preferences.values.theme).toBe('dark')
    expect(preferences.choices.theme).toBe('dark')
    answer.resolve(ok({ ...DEFAULTS, theme: 'dark' }))
    await changing
    expect(preferences.stored?.theme).toBe('dark')
  })

  it('are put back where they could not be saved, and the others stay', async () => {
    const { preferences } = await signedIn()
    answers.put = () => {
      answers.put = () => ok(onServer)
      return refuse(503, 'unavailable')
    }
    const failing = preferences.change({ theme: 'dark' })
    const sound = preferences.change({ sound: true })
    await expect(failing).rejects.toMatchObject({ code: 'unavailable' })
    await sound
    expect(preferences.values).toMatchObject({ theme: 'system', sound: true })
    expect(preferences.choices.theme).toBe('system')
  })

  it('are changed onto what another device has saved meanwhile', async () => {
    const { preferences } = await signedIn()
    onServer = { ...DEFAULTS, muted: ['billing'] }
    await preferences.change(({ muted }) => ({ muted: [...muted, 'deploys'] }))
    expect(onServer.muted).toEqual(['billing', 'deploys'])
  })

  it('are saved in the order in which they were made', async () => {
    const { preferences } = await signedIn()
    await Promise.all([
      preferences.change({ theme: 'dark' }),
      preferences.change({ theme: 'light' }),
      preferences.change({ sound: true }),
    ])
    expect(onServer).toMatchObject({ theme: 'light', sound: true })
  })

  it('do not fall back to an answer from before a change', async () => {
    const { preferences } = await signedIn()
    const old = later<Answer>()
    answers.get = () => old.promise
    const loading = preferences.load()
    answers.get = () => ok(onServer)
    await preferences.change({ sound: true })
    old.resolve(ok({ ...DEFAULTS }))
    await loading
    expect(preferences.values.sound).toBe(true)
  })

  it('that are chosen on the sign-in page are kept by whoever signs in', async () => {
    const session = useSession()
    const preferences = usePreferences()
    await preferences.change({ theme: 'dark' })
    expect(preferences.choices.theme).toBe('dark')
    expect(made).toEqual([])
    onServer = { ...DEFAULTS, theme: 'light', muted: ['billing'] }
    session.adopt(aSession())
    await settled()
    expect(onServer).toMatchObject({ theme: 'dark', muted: ['billing'] })
    expect(preferences.values.theme).toBe('dark')
  })

  it('that a lock came between are saved after the unlocking', async () => {
    const { session, preferences } = await signedIn()
    answers.put = () => refuse(423, 'locked')
    await preferences.change({ sound: true }).catch(() => null)
    expect(preferences.values.sound).toBe(true)
    answers.put = () => ok(onServer)
    session.adopt(aSession({ state: 'locked' }))
    session.adopt(aSession())
    await vi.waitFor(() => expect(onServer.sound).toBe(true))
  })

  it('are not asked for under a lock', async () => {
    const { session, preferences } = await signedIn()
    session.adopt(aSession({ state: 'locked' }))
    const before = made.length
    await preferences.load()
    expect(made.length).toBe(before)
  })

  it('are asked for again when another tab has saved some, and only then', async () => {
    const { preferences } = await signedIn()
    const stored = { ...preferences.choices }
    const before = made.length
    const tell = (choices: object) => {
      const newValue = JSON.stringify({ ...stored, ...choices })
      localStorage.setItem('belfry', newValue)
      window.dispatchEvent(new StorageEvent('storage', { key: 'belfry', newValue }))
    }
    tell({ popupsPutOff: true })
    expect(made.length).toBe(before)
    onServer = { ...DEFAULTS, muted: ['billing'] }
    tell({ revision: stored.revision + 1 })
    await vi.waitFor(() => expect(preferences.values.muted).toEqual(['billing']))
  })

  it('are written again where another tab has emptied the storage', async () => {
    onServer = { ...DEFAULTS, theme: 'dark' }
    await signedIn()
    await vi.waitFor(() => expect(kept().theme).toBe('dark'))
    localStorage.clear()
    window.dispatchEvent(new StorageEvent('storage', { key: null }))
    expect(kept().theme).toBe('dark')
  })

  it('are handed on to the page that comes after signing out, and to no other', () => {
    usePreferences().choices.theme = 'dark'
    usePreferences().handOn()
    localStorage.clear()
    disposePinia(getActivePinia()!)
    setActivePinia(createPinia())
    expect(usePreferences().choices.theme).toBe('dark')
    expect(window.name).toBe('')
  })

  it('are not taken from the name that a window has of its own', () => {
    localStorage.setItem('belfry', JSON.stringify({ theme: 'dark' }))
    window.name = 'report'
    expect(usePreferences().choices.theme).toBe('dark')
    expect(window.name).toBe('report')
    window.name = ''
  })

  it('are not asked for again by a hello right after they were', async () => {
    const { preferences } = await signedIn()
    const before = made.length
    preferences.refresh()
    expect(made.length).toBe(before)
  })

  it('do without a browser that keeps things, or that kept nonsense', async () => {
    localStorage.setItem('belfry', 'no JSON')
    vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
      throw new DOMException('', 'SecurityError')
    })
    const { preferences } = await signedIn()
    await preferences.change({ theme: 'dark' })
    expect(preferences.choices.theme).toBe('dark')
  })

  it('say that they could not be loaded, and are asked for by the next hello', async () => {
    answers.get = () => refuse(503, 'unavailable')
    useSession().adopt(aSession())
    const preferences = usePreferences()
    await vi.waitFor(() => expect(preferences.failed).toBe(true))
    answers.get = () => ok(onServer)
    preferences.refresh()
    await settled()
    expect(preferences.failed).toBe(false)
  })
})
