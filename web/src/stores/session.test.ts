import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { aSession, later, ok, refuse, serve, type Answer } from '@/testing'
import { useSession } from './session'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => vi.unstubAllGlobals())

async function signedIn(routes: Parameters<typeof serve>[0] = {}) {
  const made = serve({ 'POST /login': () => ok(aSession()), ...routes })
  const session = useSession()
  await session.signIn('ann', 'pw')
  return { session, made }
}

const event = (state: 'active' | 'locked' | 'ended' | 'expiring', more = {}) => ({
  state,
  reason: null,
  idle_remaining_ms: 900_000,
  max_remaining_ms: 43_200_000,
  ...more,
})

describe('what may be shown', () => {
  it('is nothing before the server has answered', () => {
    expect(useSession().covered).toBe(true)
  })

  it('is the sign-in when there is no session', async () => {
    serve({ 'GET /session': () => refuse(401, 'unauthenticated') })
    const session = useSession()
    await session.check()
    expect(session.phase).toBe('signed_out')
  })

  it('is the page while the session is active', async () => {
    const { session } = await signedIn()
    expect(session.covered).toBe(false)
  })

  it('is nothing from the moment of a lock event', async () => {
    const { session } = await signedIn()
    session.onLock(event('locked', { reason: 'remote' }))
    expect(session.phase).toBe('locked')
    expect(session.reason).toBe('remote')
  })

  it('is nothing from the moment an answer says 423, whatever was asked', async () => {
    const { session } = await signedIn({
      'GET /notices': () => refuse(423, 'locked'),
      'GET /session': () => ok(aSession({ state: 'locked', reason: 'idle' })),
    })
    await session.api.notices().catch(() => null)
    expect(session.phase).toBe('locked')
    await flushPromises()
    expect(session.reason).toBe('idle')
  })

  it('is nothing once an answer says 401 and the server confirms it', async () => {
    const { session } = await signedIn({
      'GET /notices': () => refuse(401, 'unauthenticated'),
      'GET /session': () => refuse(401, 'unauthenticated', { reason: 'revoked' }),
    })
    await session.api.notices().catch(() => null)
    await flushPromises()
    expect(session.phase).toBe('ended')
    expect(session.reason).toBe('revoked')
  })

  it('stays nothing while nobody answers', async () => {
    const { session } = await signedIn()
    await session.coverAndCheck()
    expect(session.phase).toBe('checking')
    expect(session.reachable).toBe(false)
  })

  it.each([502, 503, 429])('stays nothing after a %i, and is asked for again', async (status) => {
    serve({ 'GET /session': () => refuse(status, 'unavailable') })
    const session = useSession()
    await session.check()
    expect(session.phase).toBe('unknown')
    expect(session.reachable).toBe(false)
  })

  it('is hidden at once by a lock that the network delays', async () => {
    const answer = later<Answer>()
    const { session } = await signedIn({ 'POST /session/lock': () => answer.promise })
    const done = session.lock()
    expect(session.covered).toBe(true)
    answer.resolve(ok(aSession({ state: 'locked', reason: 'manual' })))
    await done
    expect(session.phase).toBe('locked')
  })
})

describe('a lock that the server did not hear', () => {
  it.each([refuse(503, 'unavailable'), null])('hides the page until it did', async (failure) => {
    let heard = false
    const { session } = await signedIn({
      'GET /session': () => ok(aSession()),
      'POST /session/lock': () => {
        if (heard) return ok(aSession({ state: 'locked', reason: 'manual' }))
        if (failure) return failure
        throw new TypeError('no network')
      },
    })
    await session.lock()
    expect(session.covered).toBe(true)
    // What another tab was told goes to all.
    session.adopt(aSession())
    await flushPromises()
    expect(session.covered).toBe(true)
    heard = true
    await session.check()
    expect(session.phase).toBe('locked')
  })

  it('is not said again once the stream has told of it', async () => {
    const { session, made } = await signedIn({ 'POST /session/unlock': () => ok(aSession()) })
    await session.lock()
    session.onLock(event('locked', { reason: 'manual' }))
    const before = made.length
    await session.unlock('pw')
    await flushPromises()
    expect(session.phase).toBe('active')
    expect(made.slice(before)).toEqual(['POST /session/unlock'])
  })
})

describe('answers and events that cross', () => {
  it('an answer from before a lock does not lift it', async () => {
    const answers = [later<Answer>(), later<Answer>()]
    let asked = 0
    const { session } = await signedIn({ 'GET /session': () => answers[asked++]!.promise })
    const check = session.check()
    session.onLock(event('locked', { reason: 'admin' }))
    answers[0]!.resolve(ok(aSession()))
    await flushPromises()
    expect(session.phase).toBe('locked')
    answers[1]!.resolve(ok(aSession({ state: 'locked', reason: 'admin' })))
    await check
    expect(session.phase).toBe('locked')
  })

  it('an event of activity does not uncover by itself, the server is asked', async () => {
    const { session, made } = await signedIn({ 'GET /session': () => ok(aSession()) })
    session.onLock(event('locked'))
    session.onLock(event('active'))
    expect(session.phase).toBe('locked')
    await flushPromises()
    expect(session.phase).toBe('active')
    expect(made).toContain('GET /session')
  })
})

describe('a cookie that is being replaced', () => {
  it('is not taken for the end of the session', async () => {
    vi.useFakeTimers()
    const answers = [refuse(401, 'unauthenticated'), ok(aSession())]
    const { session } = await signedIn({ 'GET /session': () => answers.shift()! })
    session.onLock(event('locked'))
    session.onLock(event('active'))
    await vi.advanceTimersByTimeAsync(100)
    expect(session.phase).toBe('locked')
    await vi.advanceTimersByTimeAsync(300)
    expect(session.phase).toBe('active')
    vi.useRealTimers()
  })

  it('is waited for by the tab that unlocks', async () => {
    const answer = later<Answer>()
    const { session, made } = await signedIn({
      'POST /session/unlock': () => answer.promise,
      'GET /session': () => ok(aSession()),
    })
    session.onLock(event('locked'))
    const done = session.unlock('pw')
    session.onLock(event('active'))
    await flushPromises()
    expect(made).not.toContain('GET /session')
    answer.resolve(ok(aSession()))
    await done
    expect(session.phase).toBe('active')
  })
})

describe('unlocking', () => {
  it('shows the page again', async () => {
    const { session } = await signedIn({ 'POST /session/unlock': () => ok(aSession()) })
    session.onLock(event('locked'))
    await session.unlock('pw')
    expect(session.phase).toBe('active')
  })

  it('passes on how many tries are left', async () => {
    const { session } = await signedIn({
      'POST /session/unlock': () => refuse(401, 'unauthenticated', { attempts_left: 3 }),
    })
    session.onLock(event('locked'))
    await expect(session.unlock('no')).rejects.toMatchObject({ attemptsLeft: 3 })
    expect(session.phase).toBe('locked')
  })

  it('asks again when another tab was faster and its cookie is old', async () => {
    const { session } = await signedIn({
      'POST /session/unlock': () => refuse(401, 'unauthenticated'),
      'GET /session': () => ok(aSession()),
    })
    session.onLock(event('locked'))
    await session.unlock('pw')
    expect(session.phase).toBe('active')
  })

  it('passes on a refusal that counts as no attempt, where the lock still holds', async () => {
    const { session } = await signedIn({
      'POST /login/oidc/finish': () => refuse(401, 'unauthenticated'),
      'GET /session': () => ok(aSession({ state: 'locked', reason: 'manual' })),
    })
    session.onLock(event('locked'))
    const someoneElse = () => session.api.finishSignOn({ code: 'c', state: 's' })
    await expect(session.unlockBy(someoneElse)).rejects.toMatchObject({ status: 401 })
    expect(session.phase).toBe('locked')
  })

  it('ends with the fifth wrong password', async () => {
    const gone = () => refuse(401, 'unauthenticated', { reason: 'too_many_attempts' })
    const { session } = await signedIn({ 'POST /session/unlock': gone, 'GET /session': gone })
    session.onLock(event('locked'))
    await session.unlock('no')
    expect(session.phase).toBe('ended')
    expect(session.reason).toBe('too_many_attempts')
  })
})

describe('after the end', () => {
  const replace = vi.fn()
  beforeEach(() => {
    replace.mockReset()
    vi.spyOn(window.location, 'replace').mockImplementation(replace)
  })

  it('the same user goes on', async () => {
    const { session } = await signedIn()
    session.onLock(event('ended', { reason: 'max_age' }))
    expect(session.phase).toBe('ended')
    await session.signIn('ann', 'pw')
    expect(session.phase).toBe('active')
    expect(replace).not.toHaveBeenCalled()
  })

  it('another user starts clean, and never sees the page', async () => {
    const bob = { username: 'bob', display_name: 'Bob', role: 'user', locale: '' } as const
    let who = aSession()
    const { session } = await signedIn({ 'POST /login': () => ok(who) })
    session.onLock(event('ended', { reason: 'max_age' }))
    who = aSession({ id: 's2', user: bob })
    await session.signIn('bob', 'pw')
    expect(session.covered).toBe(true)
    expect(replace).toHaveBeenCalledWith('/')
  })

  it('another user who takes a session’s place in the browser never sees the page', async () => {
    const bob = { username: 'bob', display_name: 'Bob', role: 'user', locale: '' } as const
    const { session } = await signedIn()
    session.adopt(aSession({ id: 's2', user: bob }))
    expect(session.covered).toBe(true)
    expect(replace).toHaveBeenCalledWith('/')
  })

  it('the reason that was said stays, though the stream ends without one', async () => {
    const { session } = await signedIn()
    session.onLock(event('ended', { reason: 'logout' }))
    session.end(null)
    expect(session.reason).toBe('logout')
  })

  it.each(['logout', 'disabled'])('nothing is kept for anyone after: %s', async (reason) => {
    const { session } = await signedIn()
    session.onLock(event('ended', { reason }))
    await session.signIn('ann', 'pw')
    expect(session.covered).toBe(true)
    expect(replace).toHaveBeenCalledWith('/')
  })

  it('an event of an older stream does not bring the page back', async () => {
    const { session } = await signedIn()
    session.onLock(event('ended'))
    session.onLock(event('active'))
    expect(session.phase).toBe('ended')
  })
})

describe('activity', () => {
  it('is said at most once in a quarter of the idle time', async () => {
    vi.useFakeTimers()
    const short = () => ok(aSession({ idle_remaining_ms: 10_000 }))
    const { session, made } = await signedIn({
      'POST /login': short,
      'POST /session/activity': short,
    })
    const reports = () => made.filter((request) => request === 'POST /session/activity').length
    await session.active()
    await session.active()
    expect(reports()).toBe(1)
    vi.advanceTimersByTime(2_400)
    await session.active()
    expect(reports()).toBe(1)
    vi.advanceTimersByTime(200)
    await session.active()
    expect(reports()).toBe(2)
    vi.useRealTimers()
  })

  it('is said at once where a warning is on show, though not with each key', async () => {
    vi.useFakeTimers()
    const { session, made } = await signedIn({ 'POST /session/activity': () => ok(aSession()) })
    const reports = () => made.filter((request) => request === 'POST /session/activity').length
    await session.active()
    vi.advanceTimersByTime(900)
    await session.active(true)
    expect(reports()).toBe(1)
    vi.advanceTimersByTime(200)
    await session.active(true)
    expect(reports()).toBe(2)
    vi.useRealTimers()
  })

  it('is never said while locked', async () => {
    const { session, made } = await signedIn()
    session.onLock(event('locked'))
    await session.active(true)
    expect(made).not.toContain('POST /session/activity')
  })

  it('is said again at the next input when it was not heard', async () => {
    let failing = true
    const { session, made } = await signedIn({
      'POST /session/activity': () => (failing ? refuse(503, 'unavailable') : ok(aSession())),
    })
    await session.active()
    failing = false
    await session.active()
    expect(made.filter((request) => request === 'POST /session/activity')).toHaveLength(2)
  })
})

it('signing out of a session that is over already succeeds', async () => {
  const { session } = await signedIn({ 'POST /logout': () => refuse(401, 'unauthenticated') })
  await expect(session.signOut()).resolves.toBeUndefined()
})

it('signing out that fails says so, and shows the page again', async () => {
  const { session } = await signedIn({
    'POST /logout': () => refuse(503, 'unavailable'),
    'GET /session': () => ok(aSession()),
  })
  await expect(session.signOut()).rejects.toMatchObject({ status: 503 })
  expect(session.phase).toBe('active')
})

it('asks the server once for all who want to know at the same time', async () => {
  const { session, made } = await signedIn({ 'GET /session': () => ok(aSession()) })
  await Promise.all([session.check(), session.check()])
  expect(made.filter((request) => request === 'GET /session')).toHaveLength(1)
})
