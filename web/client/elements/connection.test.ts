import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { settle } from '../fake'
import { SharedStream } from '../shared'
import type { Session, SharedEvents } from '../index'
import { Connection } from './connection'

/** The streams that were begun, and those that were ended. */
const start = vi.fn()
let stops: (() => void)[]
let stream: { emit<Name extends keyof SharedEvents>(name: Name, data: SharedEvents[Name]): void }
let asks: number
let signedIn: string | null

const session = (id: string) =>
  ({
    ...{ id, state: 'active', reason: null, idle_remaining_ms: 9e5, max_remaining_ms: 4e7 },
    user: { username: 'bob', display_name: 'Bob Ng', role: 'user', locale: '' },
  }) as Session
const hello = (id: string) => ({
  ...{ session: session(id), unread: 0, head: 'e-1', resumed: true },
  ...{ heartbeat_ms: 15_000, now: '' },
})

beforeEach(() => {
  asks = 0
  signedIn = 's1'
  stops = []
  start.mockClear()
  vi.spyOn(SharedStream.prototype, 'start').mockImplementation(function (this: SharedStream) {
    stream = this as unknown as typeof stream
    start()
  })
  vi.spyOn(SharedStream.prototype, 'status', 'get').mockImplementation(() => ({
    state: start.mock.calls.length > 0 ? 'live' : 'idle',
  }))
  vi.stubGlobal('fetch', async () => {
    asks++
    return signedIn === null
      ? Response.json({ code: 'unauthenticated' }, { status: 401 })
      : Response.json(session(signedIn))
  })
})
afterEach(async () => {
  stops.forEach((stop) => stop())
  await settle()
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

/** An element of a page with the cookie, once the server has greeted it. */
async function greeted() {
  const connection = Connection.of('', null)
  stops.push(connection.use())
  await settle()
  stream.emit('hello', hello('s1'))
  await settle()
  return connection.watch!
}

it('begins anew where the same person has another session, and only then', async () => {
  const watch = await greeted()
  watch.adopt(session('s1'))
  expect(start).toHaveBeenCalledOnce()
  watch.adopt(session('s2'))
  expect(start).toHaveBeenCalledTimes(2)
})

it('looks with the focus whether somebody has signed in elsewhere', async () => {
  signedIn = null
  const watch = await greeted()
  expect(watch.phase).toBe('signed_out')
  signedIn = 's1'
  window.dispatchEvent(new Event('focus'))
  await settle()
  expect(watch.phase).toBe('active')
  const before = asks
  window.dispatchEvent(new Event('focus'))
  await settle()
  expect(asks).toBe(before)
})

it('is one for all elements of a page, and over with the last', async () => {
  const first = Connection.of('', null)
  const [one, two] = [first.use(), Connection.of('', null).use()]
  await settle()
  expect(start).toHaveBeenCalledOnce()
  const stop = vi.spyOn(first.stream, 'stop')
  one()
  // Let go of once, however often that is said.
  one()
  await settle()
  expect(stop).not.toHaveBeenCalled()
  two()
  await settle()
  expect(stop).toHaveBeenCalledOnce()
  expect(Connection.of('', null)).not.toBe(first)
})

it('shares a stream by ticket between tabs only where it is said for whom it is', () => {
  const nameOf = (user: string | null) => {
    const connection = Connection.of('', { url: `/ticket?${String(user)}`, user })
    return (connection.stream as unknown as { name: string }).name
  }
  expect(nameOf('anna')).toContain('anna')
  expect(nameOf(null)).not.toContain('/ticket')
})
